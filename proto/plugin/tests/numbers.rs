//! Field numbers that are easy to get wrong, byte for byte: a mistake here is silent on the wire.

use prost::Message as _;
use proto_plugin::plugin::{ConnInfo, StdioData};
use proto_plugin::tfplugin6::{self as wire, schema};

/// The field numbers at the top level of a message, in the order they are written.
fn numbers(message: &impl prost::Message) -> Vec<u32> {
    let bytes = message.encode_to_vec();
    let mut rest = bytes.as_slice();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (number, kind) = prost::encoding::decode_key(&mut rest).expect("a key");
        found.push(number);
        let context = prost::encoding::DecodeContext::default();
        prost::encoding::skip_field(kind, number, &mut rest, context).expect("a field");
    }
    found
}

#[test]
fn diagnostics_of_the_provider_block_are_field_two() {
    let response = wire::validate_provider_config::Response {
        diagnostics: vec![wire::Diagnostic::default()],
    };
    assert_eq!(numbers(&response), [2]);
}

#[test]
fn attributes_have_their_late_fields_in_place() {
    let attribute = schema::Attribute {
        name: "a".into(),
        r#type: "b".into(),
        nested_type: Some(schema::Object {
            nesting: 1,
            ..Default::default()
        }),
        description: "c".into(),
        required: true,
        optional: true,
        computed: true,
        sensitive: true,
        description_kind: 1,
        deprecated: true,
        write_only: true,
        deprecation_message: "d".into(),
    };
    let mut found = numbers(&attribute);
    found.sort_unstable();
    assert_eq!(found, (1..=12).collect::<Vec<_>>());
    let object = attribute.nested_type.expect("set");
    assert_eq!(numbers(&object), [3], "there is no field 2");
}

#[test]
fn the_schema_answer_and_plans_are_as_core_reads_them() {
    let answer = wire::get_provider_schema::Response {
        functions: [("f".to_owned(), wire::Function::default())].into(),
        action_schemas: [("a".to_owned(), wire::ActionSchema::default())].into(),
        server_capabilities: Some(wire::ServerCapabilities {
            generate_resource_config: true,
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut found = numbers(&answer);
    found.sort_unstable();
    assert_eq!(found, [6, 7, 11]);
    let plan = wire::plan_resource_change::Response {
        deferred: Some(wire::Deferred::default()),
        planned_identity: Some(wire::ResourceIdentityData::default()),
        ..Default::default()
    };
    assert_eq!(numbers(&plan), [6, 7]);
    // An optional field is there even when empty.
    let open = wire::open_ephemeral_resource::Response {
        private: Some(prost::bytes::Bytes::new()),
        ..Default::default()
    };
    assert_eq!(numbers(&open), [4]);
}

#[test]
fn the_services_of_go_plugin() {
    let data = StdioData {
        channel: 2,
        data: b"x".to_vec(),
    };
    assert_eq!(data.encode_to_vec(), b"\x08\x02\x12\x01x");
    let info = ConnInfo {
        service_id: 1,
        network: "n".into(),
        address: "a".into(),
        knock: Some(proto_plugin::plugin::conn_info::Knock::default()),
    };
    assert_eq!(numbers(&info), [1, 2, 3, 4]);
}

#[test]
fn equal_maps_have_equal_bytes() {
    let schemas = |names: [&str; 3]| wire::get_functions::Response {
        functions: names
            .map(|n| (n.to_owned(), wire::Function::default()))
            .into(),
        ..Default::default()
    };
    let (a, b) = (schemas(["x", "y", "z"]), schemas(["z", "x", "y"]));
    assert_eq!(a.encode_to_vec(), b.encode_to_vec());
}
