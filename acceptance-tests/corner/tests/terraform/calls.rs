//! What terraform asks for, and how often.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use crate::workspace::{CORNER, Version, Workspace, text, wait_until};

#[test]
fn the_schema_is_the_recorded_one() {
    let version = Version::get();
    if version.tofu || version.minor != 11 {
        return; // Others print fewer or more parts of it.
    }
    let workspace = Workspace::new("");
    let schema: Json =
        serde_json::from_str(&workspace.succeed(&["providers", "schema", "-json"])).expect("JSON");
    let corner = &schema["provider_schemas"]["example.test/test/corner"];
    let text = serde_json::to_string_pretty(corner).expect("JSON") + "\n";
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).expect("written");
    }
    let recorded = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        recorded == text,
        "set UPDATE_GOLDEN=1 to record the new schema:\n{text}"
    );
}

/// An ephemeral resource is renewed while something that needs it is at work, and closed in the end.
#[test]
fn ephemerals_are_renewed_by_terraform() {
    if !Version::has_ephemeral_values() {
        return;
    }
    let workspace = Workspace::new(
        "ephemeral \"corner_lease\" \"l\" {\n  name    = \"l\"\n  seconds = 1\n}\n\
         resource \"corner_thing\" \"a\" {\n  name = \"a\"\n  secret_wo = ephemeral.corner_lease.l.token\n  \
         secret_wo_version = 1\n  behaviour = \"three seconds\"\n}\n",
    );
    let watch = workspace.path("store/lease-l");
    let mut child = workspace
        .command(&["apply", "-auto-approve", "-no-color"])
        .stdout(Stdio::null())
        .spawn()
        .expect("terraform is installed");
    wait_until("it is renewed", || {
        std::fs::read_to_string(&watch).is_ok_and(|text| text.starts_with("renewed"))
    });
    assert!(child.wait().expect("it ends").success());
    assert_eq!(std::fs::read_to_string(&watch).expect("there"), "closed");
}

/// How often the binary is started and asked for its schema; terraform makes no more of it than it must.
#[test]
fn starts_and_schema_calls_stay_few() {
    let workspace = Workspace::new(
        "resource \"corner_thing\" \"a\" {\n  count = 5\n  name = \"a${count.index}\"\n}\n",
    );
    let log = |arguments: &[&str]| {
        let output = workspace
            .command(arguments)
            .env("TF_LOG_CORE", "trace")
            .output()
            .expect("terraform is installed");
        let text = text(&output);
        assert!(output.status.success(), "{text}");
        let count = |needle: &str| text.matches(needle).count();
        (
            count("starting plugin: path="),
            count("GRPCProvider.v6: GetProviderSchema\n"),
            count("GRPCProvider.v6: PlanResourceChange"),
        )
    };
    let (starts, schemas, plans) = log(&["plan", "-no-color"]);
    assert!(starts <= 3, "{starts} starts of a plan");
    // OpenTofu logs calls that it answers from what it has.
    let few = |schemas: usize, most: usize| schemas <= most || Version::get().tofu;
    assert!(few(schemas, 3), "{schemas} schema calls of a plan");
    assert_eq!(plans, 5);
    let (starts, schemas, plans) = log(&["apply", "-auto-approve", "-no-color"]);
    assert!(starts <= 4, "{starts} starts of an apply");
    assert!(few(schemas, 4), "{schemas} schema calls of an apply");
    assert_eq!(plans, 10);
}

/// Users may turn TLS off.
#[test]
fn a_core_without_tls_is_served() {
    let workspace = Workspace::new("resource \"corner_thing\" \"a\" {\n  name = \"a\"\n}\n");
    let mut command = workspace.command(&["plan", "-no-color"]);
    let output = command.env("TF_DISABLE_PLUGIN_TLS", "1").output();
    let output = output.expect("terraform is installed");
    assert!(output.status.success(), "{}", text(&output));
}

/// A provider under a debugger: every command uses the one process, without init and without a setting of where it is.
#[test]
fn a_provider_that_was_started_by_hand_serves_every_command() {
    let provider = Command::new(CORNER)
        .arg("-debug")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut provider = Killed(provider);
    let said = BufReader::new(provider.0.stdout.take().expect("it is piped"));
    let line = said
        .lines()
        .map_while(Result::ok)
        .find_map(|line| {
            line.trim()
                .strip_prefix("TF_REATTACH_PROVIDERS=")
                .map(str::to_owned)
        })
        .expect("the variable is printed");
    let workspace = Workspace::new("resource \"corner_thing\" \"a\" {\n  name = \"a\"\n}\n");
    std::fs::write(workspace.path("empty.tfrc"), "").expect("written");
    for arguments in [
        ["plan", "-no-color"],
        ["apply", "-auto-approve"],
        ["destroy", "-auto-approve"],
    ] {
        let output = workspace
            .command(&arguments)
            .env("TF_CLI_CONFIG_FILE", workspace.path("empty.tfrc"))
            .env("TF_REATTACH_PROVIDERS", line.trim_matches('\''))
            .output()
            .expect("terraform is installed");
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        let running = provider.0.try_wait().expect("it can be asked");
        assert_eq!(running, None, "it waits for the next command");
    }
    assert!(!workspace.path("store/a").exists());
}

/// A child that does not outlive its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Queries and actions, where the program at hand has a language for them.
#[test]
fn newer_programs_query_and_invoke() {
    if !Version::has(14, None) {
        return;
    }
    let workspace = Workspace::new(
        "resource \"corner_thing\" \"a\" {\n  name = \"a\"\n}\naction \"corner_count\" \"c\" {\n  config {\n    to = 3\n  }\n}\n",
    );
    workspace.apply();
    let list = "list \"corner_thing\" \"all\" {\n  provider = corner\n}\n";
    std::fs::write(workspace.path("main.tfquery.hcl"), list).expect("written");
    let found = workspace.succeed(&["query", "-no-color"]);
    assert!(found.contains("Thing a"), "{found}");
    let said = workspace.succeed(&[
        "apply",
        "-invoke=action.corner_count.c",
        "-auto-approve",
        "-no-color",
    ]);
    for line in [
        "(triggered by CLI): 1",
        "(triggered by CLI): 3",
        "That is all.",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}
