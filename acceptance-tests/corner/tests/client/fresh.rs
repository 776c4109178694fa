//! Calls on a process that was never configured, nor asked for its schema.

use core_client::Launch;

use crate::bench::{CORNER, THING};

#[tokio::test]
async fn calls_that_terraform_hardly_makes_work_on_a_fresh_process() {
    use proto_plugin::tfplugin6::{self as wire, provider_client::ProviderClient};
    let process = core_client::Process::launch(&Launch::new(CORNER))
        .await
        .expect("it starts");
    let mut client = ProviderClient::new(process.channel.clone());

    let metadata = client
        .get_metadata(wire::get_metadata::Request {})
        .await
        .expect("served")
        .into_inner();
    let names: Vec<_> = metadata
        .resources
        .iter()
        .map(|one| one.type_name.as_str())
        .collect();
    assert_eq!(
        names,
        ["corner_heap", "corner_note", "corner_section", THING]
    );
    assert_eq!(metadata.actions[0].type_name, "corner_count");
    assert!(
        metadata
            .server_capabilities
            .expect("told")
            .get_provider_schema_optional
    );
    let functions = client
        .get_functions(wire::get_functions::Request {})
        .await
        .expect("served")
        .into_inner();
    assert!(functions.functions.contains_key("join_all"));

    let request = wire::upgrade_resource_identity::Request {
        type_name: THING.to_owned(),
        version: 1,
        raw_identity: Some(wire::RawState {
            json: r#"{"name":"a"}"#.into(),
            ..Default::default()
        }),
    };
    let answer = client
        .upgrade_resource_identity(request)
        .await
        .expect("served")
        .into_inner();
    let identity = answer
        .upgraded_identity
        .and_then(|identity| identity.identity_data);
    assert_eq!(
        identity.expect("an identity").msgpack,
        &b"\x81\xa4name\xa1a"[..]
    );

    // What is not there is told in words; a gRPC status would look like a crash.
    let request = wire::read_resource::Request {
        type_name: "corner_none".to_owned(),
        private: "kept".into(),
        ..Default::default()
    };
    let answer = client
        .read_resource(request)
        .await
        .expect("served")
        .into_inner();
    assert!(
        answer.diagnostics[0]
            .detail
            .contains("It has: corner_heap, corner_note, corner_section, corner_thing.")
    );
    assert_eq!(answer.private, "kept");
    let request = wire::get_states::Request {
        type_name: "corner_store".to_owned(),
    };
    let answer = client
        .get_states(request)
        .await
        .expect("served")
        .into_inner();
    assert_eq!(answer.diagnostics[0].summary, "no state stores");
    let request = wire::upgrade_resource_state::Request {
        type_name: THING.to_owned(),
        version: 0,
        raw_state: Some(wire::RawState {
            flatmap: [("id".to_owned(), "a".to_owned())].into(),
            ..Default::default()
        }),
    };
    let answer = client
        .upgrade_resource_state(request)
        .await
        .expect("served")
        .into_inner();
    assert_eq!(answer.diagnostics.len(), 1);

    // Bytes that are no value are refused in words, too.
    let request = wire::plan_resource_change::Request {
        type_name: THING.to_owned(),
        config: Some(wire::DynamicValue {
            msgpack: (&b"\xdd\xff\xff\xff\xff"[..]).into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let answer = client
        .plan_resource_change(request)
        .await
        .expect("served")
        .into_inner();
    assert_eq!(answer.diagnostics[0].summary, "value cannot be read");
}

/// Every call of the service on a process that knows no configuration: those that need one say so in words, all others
/// answer, and none fails as a call.
#[tokio::test]
async fn every_call_is_served_by_a_process_that_was_asked_nothing_before() {
    use proto_plugin::tfplugin6::{self as wire, provider_client::ProviderClient};

    let process = core_client::Process::launch(&Launch::new(CORNER))
        .await
        .expect("it starts");
    let mut client = ProviderClient::new(process.channel.clone());
    let raw = |json: &str| {
        Some(wire::RawState {
            json: json.to_owned().into_bytes().into(),
            ..Default::default()
        })
    };
    let thing = || THING.to_owned();
    let mut refused = Vec::new();
    macro_rules! served {
        ($($method:ident: $messages:ident { $($field:ident: $value:expr),* };)*) => {$(
            #[allow(clippy::needless_update, reason = "some messages have no other field")]
            let request = wire::$messages::Request { $($field: $value,)* ..Default::default() };
            let answer = client.$method(request).await;
            let answer = answer.unwrap_or_else(|status| panic!("{}: {status}", stringify!($method)));
            let said = answer.into_inner().diagnostics;
            if said.iter().any(|one| one.summary == "provider not configured") {
                refused.push(stringify!($method));
            } else {
                assert!(said.iter().all(|one| one.summary != "mistake in the provider"), "{said:?}");
            }
        )*};
    }
    served! {
        get_metadata: get_metadata {};
        get_resource_identity_schemas: get_resource_identity_schemas {};
        validate_provider_config: validate_provider_config {};
        validate_resource_config: validate_resource_config { type_name: thing() };
        validate_data_resource_config: validate_data_resource_config { type_name: "corner_content".to_owned() };
        validate_ephemeral_resource_config: validate_ephemeral_resource_config { type_name: "corner_lease".to_owned() };
        validate_list_resource_config: validate_list_resource_config { type_name: thing() };
        validate_action_config: validate_action_config { type_name: "corner_count".to_owned() };
        upgrade_resource_state: upgrade_resource_state { type_name: thing(), version: 2, raw_state: raw("{}") };
        upgrade_resource_identity: upgrade_resource_identity {
            type_name: thing(), version: 1, raw_identity: raw(r#"{"name":"a"}"#)
        };
        move_resource_state: move_resource_state {
            target_type_name: thing(), source_type_name: "terraform_data".to_owned(), source_state: raw(r#"{"input":"a"}"#)
        };
        generate_resource_config: generate_resource_config { type_name: thing() };
        get_functions: get_functions {};
        read_resource: read_resource { type_name: thing() };
        plan_resource_change: plan_resource_change { type_name: thing() };
        apply_resource_change: apply_resource_change { type_name: thing() };
        import_resource_state: import_resource_state { type_name: thing() };
        read_data_source: read_data_source { type_name: "corner_content".to_owned() };
        open_ephemeral_resource: open_ephemeral_resource { type_name: "corner_lease".to_owned() };
        renew_ephemeral_resource: renew_ephemeral_resource { type_name: "corner_lease".to_owned() };
        close_ephemeral_resource: close_ephemeral_resource { type_name: "corner_lease".to_owned() };
        plan_action: plan_action { action_type: "corner_count".to_owned() };
        validate_state_store_config: validate_state_store {};
        configure_state_store: configure_state_store {};
        lock_state: lock_state {};
        unlock_state: unlock_state {};
        get_states: get_states {};
        delete_state: delete_state {};
        get_provider_schema: get_provider_schema {};
        configure_provider: configure_provider {};
    }
    assert_eq!(
        refused,
        [
            "read_resource",
            "plan_resource_change",
            "apply_resource_change",
            "import_resource_state",
            "read_data_source",
            "open_ephemeral_resource",
            "renew_ephemeral_resource",
            "close_ephemeral_resource",
            "plan_action",
        ]
    );
    // The calls that stream.
    let request = wire::list_resource::Request {
        type_name: thing(),
        ..Default::default()
    };
    let events = client.list_resource(request).await.expect("served");
    assert!(
        events
            .into_inner()
            .message()
            .await
            .expect("served")
            .is_some()
    );
    let request = wire::invoke_action::Request {
        action_type: "corner_count".to_owned(),
        ..Default::default()
    };
    let events = client.invoke_action(request).await.expect("served");
    assert!(
        events
            .into_inner()
            .message()
            .await
            .expect("served")
            .is_some()
    );
    let chunks = client.read_state_bytes(wire::read_state_bytes::Request::default());
    let chunk = chunks.await.expect("served").into_inner().message().await;
    assert_eq!(chunk.expect("served").expect("one").diagnostics.len(), 1);
    let nothing = tokio_stream::empty::<wire::write_state_bytes::RequestChunk>();
    let written = client.write_state_bytes(nothing).await.expect("served");
    assert_eq!(written.into_inner().diagnostics.len(), 1);
    let answer = client.call_function(wire::call_function::Request::default());
    assert!(answer.await.expect("served").into_inner().error.is_some());
    let answer = client.stop_provider(wire::stop_provider::Request {});
    assert_eq!(answer.await.expect("served").into_inner().error, "");
}
