//! Names, numbers and types of our `.proto` files against those of the official API, asked of the
//! oracle that `MANAGEDK8S_TALOS_ORACLE` names.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, ServiceDescriptorProto,
};
use serde_json::{Value, json};

/// Messages that are younger than the release the oracle is built from.
const YOUNGER: [&str; 2] = [
    "talos.resource.definitions.runtime.BootIDSpec",
    "talos.resource.definitions.runtime.ImageFactorySchematicSpec",
];

type Members = BTreeMap<String, String>;

#[test]
fn names_numbers_and_types_are_the_official_ones() -> Result<(), Box<dyn Error>> {
    let Some(program) = std::env::var_os("MANAGEDK8S_TALOS_ORACLE") else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: MANAGEDK8S_TALOS_ORACLE does not name the oracle's program");
        }
        return Ok(());
    };
    let ours = described()?;
    assert!(ours.len() > 150, "{} descriptions", ours.len());
    let mut oracle = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut requests = oracle.stdin.take().ok_or("no pipe")?;
    let mut verdicts = BufReader::new(oracle.stdout.take().ok_or("no pipe")?);
    let mut wrong = Vec::new();
    for (name, members) in &ours {
        writeln!(requests, "{}", json!({"op": "message", "name": name}))?;
        let mut line = String::new();
        verdicts.read_line(&mut line)?;
        let verdict: Value = serde_json::from_str(&line)?;
        if verdict["error"].is_string() {
            if !YOUNGER.contains(&name.as_str()) {
                wrong.push(format!("{name}: {}", verdict["error"]));
            }
            continue;
        }
        for (member, seen) in members {
            if verdict["members"][member] != **seen {
                wrong.push(format!(
                    "{name}.{member}: {seen}, officially {}",
                    verdict["members"][member]
                ));
            }
        }
    }
    drop(requests);
    oracle.wait()?;
    assert_eq!(wrong, Vec::<String>::new());
    Ok(())
}

/// Every message, enumeration and service of ours, described as the oracle describes them.
fn described() -> Result<BTreeMap<String, Members>, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    let set = protox::compile(&files, [&root])?;
    let mut all = BTreeMap::new();
    for file in set.file {
        let package = file.package().to_owned();
        if package == "google.protobuf" {
            continue;
        }
        for message in &file.message_type {
            describe_message(&package, message, &mut all);
        }
        for enumeration in &file.enum_type {
            describe_enum(&package, enumeration, &mut all);
        }
        for service in &file.service {
            describe_service(&package, service, &mut all);
        }
    }
    Ok(all)
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn describe_message(scope: &str, message: &DescriptorProto, all: &mut BTreeMap<String, Members>) {
    let name = format!("{scope}.{}", message.name());
    let maps: Vec<String> = message
        .nested_type
        .iter()
        .filter(|nested| {
            nested
                .options
                .as_ref()
                .is_some_and(prost_types::MessageOptions::map_entry)
        })
        .map(|nested| format!(".{name}.{}", nested.name()))
        .collect();
    let fields = message
        .field
        .iter()
        .map(|field| (field.name().to_owned(), describe_field(field, &maps)));
    all.insert(name.clone(), fields.collect());
    for nested in &message.nested_type {
        if !maps.contains(&format!(".{name}.{}", nested.name())) {
            describe_message(&name, nested, all);
        }
    }
    for enumeration in &message.enum_type {
        describe_enum(&name, enumeration, all);
    }
}

fn describe_field(field: &FieldDescriptorProto, maps: &[String]) -> String {
    let kind = if maps.iter().any(|map| map == field.type_name()) {
        "map".to_owned()
    } else {
        match field.r#type() {
            Type::Message | Type::Enum => field.type_name().trim_start_matches('.').to_owned(),
            scalar => scalar
                .as_str_name()
                .trim_start_matches("TYPE_")
                .to_ascii_lowercase(),
        }
    };
    let label = match field.label() {
        Label::Repeated => "repeated",
        _ => "optional",
    };
    format!("{} {kind} {label}", field.number())
}

fn describe_enum(
    scope: &str,
    enumeration: &EnumDescriptorProto,
    all: &mut BTreeMap<String, Members>,
) {
    let values = enumeration
        .value
        .iter()
        .map(|value| (value.name().to_owned(), value.number().to_string()));
    all.insert(format!("{scope}.{}", enumeration.name()), values.collect());
}

fn describe_service(
    scope: &str,
    service: &ServiceDescriptorProto,
    all: &mut BTreeMap<String, Members>,
) {
    let stream = |streaming: bool| if streaming { "stream " } else { "" };
    let methods = service.method.iter().map(|method| {
        let text = format!(
            "{}{} -> {}{}",
            stream(method.client_streaming()),
            method.input_type().trim_start_matches('.'),
            stream(method.server_streaming()),
            method.output_type().trim_start_matches('.'),
        );
        (method.name().to_owned(), text)
    });
    all.insert(format!("{scope}.{}", service.name()), methods.collect());
}
