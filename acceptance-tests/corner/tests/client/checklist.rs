//! The conformance list, line by line, and the tests that hold each line. Where a line speaks of every resource, the
//! suites of the product's own provider are named as well.

use std::path::Path;

/// Number and rule, and the tests.
const LIST: [(&str, &[&str]); 43] = [
    (
        "1 no cookie: one sentence, exit code 1",
        &["without_the_cookie_it_says_what_it_is"],
    ),
    (
        "2 one line of six fields on stdout, soon",
        &[
            "the_handshake_line_has_six_fields_whatever_the_versions",
            "a_start_is_quick_and_small",
        ],
    ),
    (
        "3 any list of versions, or none",
        &["the_handshake_line_has_six_fields_whatever_the_versions"],
    ),
    (
        "4 mutual TLS 1.2 and 1.3 with core's certificate alone, h2",
        &[
            "only_the_holder_of_the_certificate_may_connect",
            "both_versions_of_tls_are_served_and_mutual",
        ],
    ),
    (
        "5 plain HTTP/2 without a certificate",
        &[
            "without_a_certificate_it_speaks_plain_http2",
            "a_core_without_tls_is_served",
            "reattached_configurations_do_not_mix",
        ],
    ),
    (
        "6 a private socket that leaves nothing behind, or TCP in the range",
        &[
            "the_socket_is_private_and_leaves_no_file_behind",
            "the_socket_is_given_to_the_group_that_is_asked_for",
            "a_long_directory_falls_back",
            "tcp_keeps_to_the_ports_that_are_given",
        ],
    ),
    ("7 shutdown takes no time", &["shutdown_takes_no_time"]),
    (
        "8 SIGINT is swallowed, SIGTERM is not",
        &["sigint_is_swallowed_and_sigterm_is_not"],
    ),
    (
        "9 a lost host ends work and process",
        &[
            "a_lost_connection_ends_the_process",
            "a_lost_connection_cancels_work_in_flight",
            "a_killed_terraform_leaves_no_process_behind",
        ],
    ),
    (
        "10 stdio silent, broker tolerated, health",
        &[
            "shutdown_takes_no_time",
            "the_broker_is_served_and_silent",
            "both_versions_of_tls_are_served_and_mutual",
        ],
    ),
    ("11 messages of 100 MiB both ways", &["large_messages_pass"]),
    (
        "12 hclog lines without secrets",
        &[
            "log_lines_are_json_and_hide_secrets",
            "log_lines_keep_go_plugins_form",
            "secrets_are_in_no_log",
            "nothing_secret_is_written_anywhere",
        ],
    ),
    (
        "13 panics have an id, aborts a line `panic: `",
        &[
            "a_caught_panic_has_an_id_in_message_and_log_and_is_no_crash",
            "an_abort_prints_a_line_that_core_recognises",
            "a_panic_harms_one_object_only",
            "an_abort_is_shown_as_a_crash_with_its_text",
        ],
    ),
    (
        "14 reattached configurations do not mix",
        &[
            "reattached_configurations_do_not_mix",
            "a_provider_that_was_started_by_hand_serves_every_command",
        ],
    ),
    (
        "15 the schema keeps core's rules, and a golden file",
        &[
            "every_schema_keeps_cores_rules",
            "the_schema_is_the_recorded_one",
            "schema_keeps_every_rule_of_core",
            "schema_is_the_golden_one",
        ],
    ),
    (
        "16 everything is described, unique, of a type",
        &["each_rule_is_found", "everything_is_described"],
    ),
    (
        "17 every call on a fresh process",
        &[
            "every_call_is_served_by_a_process_that_was_asked_nothing_before",
            "calls_that_terraform_hardly_makes_work_on_a_fresh_process",
        ],
    ),
    (
        "18 old cores",
        &[
            "an_old_core_makes_reads_changes_imports_moves_and_destroys",
            "an_old_core_is_refused_write_only_values_at_their_attribute",
            "an_old_core_reads_data_calls_functions_and_is_never_sent_a_deferral",
        ],
    ),
    (
        "19 every form of a value goes round",
        &[
            "the_bytes_are_those_of_core",
            "other_spellings_are_understood",
            "msgpack_reads_back",
            "json_reads_back",
            "texts_go_out_composed",
        ],
    ),
    (
        "20 decoders survive everything",
        &[
            "msgpack_is_read_or_refused",
            "state_json_is_read_or_refused",
            "type_json_is_read_or_refused",
            "hostile_lengths_and_depths_are_refused",
            "memory_follows_the_input_not_what_it_announces",
        ],
    ),
    (
        "21 every attribute is written once",
        &[
            "every_attribute_is_written_once",
            "every_attribute_of_every_resource_may_be_unknown_or_null",
        ],
    ),
    (
        "22 plans are legal whatever is written",
        &[
            "every_attribute_changed_unknown_and_null_gives_a_legal_plan",
            "every_attribute_of_every_resource_may_be_unknown_or_null",
        ],
    ),
    (
        "23 applied as planned",
        &[
            "mistakes_are_named_before_core_can_refuse",
            "cluster_pool_and_addon_are_made_listed_imported_changed_and_destroyed",
        ],
    ),
    (
        "24 nothing is left to do after an apply",
        &[
            "create_reads_back_and_plans_nothing",
            "cluster_pool_and_addon_are_made_listed_imported_changed_and_destroyed",
        ],
    ),
    (
        "25 more knowledge only completes a plan",
        &[
            "more_knowledge_never_changes_a_planned_value",
            "every_attribute_of_every_resource_may_be_unknown_or_null",
        ],
    ),
    (
        "26 requires_replace names what exists",
        &["a_changed_name_replaces_and_an_unknown_past_does_not"],
    ),
    (
        "27 failures store what is true",
        &["failures_store_what_is_true", "every_accident_is_survived"],
    ),
    (
        "28 interrupted work answers soon",
        &[
            "interrupted_work_answers_soon_with_what_exists",
            "ctrl_c_keeps_what_was_made",
        ],
    ),
    (
        "29 a refresh keeps what it must, and absence is certain",
        &[
            "create_reads_back_and_plans_nothing",
            "a_failing_refresh_is_an_error_and_never_absence",
            "write_only_values_are_in_no_answer",
        ],
    ),
    (
        "30 state of every version",
        &[
            "stored_state_of_any_version_is_read",
            "identities_of_every_version_are_read",
            "a_stored_state_of_an_older_version_is_upgraded",
        ],
    ),
    (
        "31 imports end in an update at most",
        &[
            "import_by_id_and_by_identity_ends_in_an_update_at_most",
            "import_generate_and_move",
            "newer_programs_import_by_identity",
            "cluster_pool_and_addon_are_made_listed_imported_changed_and_destroyed",
        ],
    ),
    (
        "32 destroys are planned and may be refused",
        &[
            "destroying_is_planned_refused_and_done",
            "a_destroy_can_be_refused",
            "a_protected_cluster_is_neither_destroyed_nor_replaced",
        ],
    ),
    (
        "33 write-only values are nowhere",
        &[
            "write_only_values_are_in_no_answer",
            "write_only_values_are_in_no_file_and_private_data_goes_round",
            "secrets_are_in_no_log",
        ],
    ),
    (
        "34 open, renew, close",
        &[
            "a_lease_is_opened_renewed_as_often_as_it_asks_and_closed",
            "ephemerals_are_renewed_by_terraform",
            "ephemerals_open_renew_and_close_without_any_call",
        ],
    ),
    (
        "35 functions need no configuration",
        &[
            "functions_need_no_configured_provider",
            "data_ephemerals_and_functions",
            "functions_run_on_a_provider_that_is_not_configured",
        ],
    ),
    (
        "36 actions report and complete once",
        &[
            "actions_report_while_they_run_and_complete_once",
            "newer_programs_query_and_invoke",
        ],
    ),
    (
        "37 errors have their attribute and their order",
        &[
            "validators_name_the_attribute",
            "diagnostics_underline_the_attribute",
            "messages_come_in_the_same_order_every_time",
            "calls_that_terraform_hardly_makes_work_on_a_fresh_process",
        ],
    ),
    (
        "38 no deferral that is not allowed, none without need",
        &[
            "what_the_caller_does_not_announce_it_is_not_sent",
            "an_unknown_provider_block_keeps_state_and_puts_off_what_needs_an_answer",
            "an_old_core_reads_data_calls_functions_and_is_never_sent_a_deferral",
        ],
    ),
    // The client refuses every answer that sets it.
    (
        "39 no legacy type system",
        &["create_reads_back_and_plans_nothing"],
    ),
    (
        "40 equal input, equal bytes",
        &["equal_input_gives_equal_bytes"],
    ),
    (
        "41 archives as a registry wants them",
        &[
            "archives_have_the_registrys_layout",
            "checksums_are_signed_for_a_registry",
        ],
    ),
    (
        "42 installed from packed and unpacked mirrors",
        &["terraform_installs_from_a_packed_and_from_an_unpacked_mirror"],
    ),
    (
        "43 few starts and calls",
        &["starts_and_schema_calls_stay_few"],
    ),
];

/// Where tests are.
const PLACES: [&str; 7] = [
    "acceptance-tests/corner/tests",
    "acceptance-tests/core/src",
    "acceptance-tests/harness",
    "acceptance-tests/suites/tests",
    "provider/framework/src",
    "provider/framework/tests",
    "provider/plugin/src",
];

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).expect("readable"));
        }
    }
}

#[test]
fn every_line_of_the_conformance_list_has_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let root = root.expect("a workspace");
    let mut text = String::new();
    for place in PLACES {
        sources(&root.join(place), &mut text);
    }
    for (number, (line, tests)) in LIST.iter().enumerate() {
        assert!(line.starts_with(&format!("{} ", number + 1)), "{line}");
        for test in *tests {
            assert!(
                text.contains(&format!("fn {test}(")),
                "{line}: there is no {test}"
            );
        }
    }
}
