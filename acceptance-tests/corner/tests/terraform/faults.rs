//! Messages, panics, signals and deaths.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::workspace::{Version, Workspace, wait_until};

#[test]
fn diagnostics_underline_the_attribute() {
    let workspace =
        Workspace::new("resource \"corner_thing\" \"a\" {\n  name = \"a\"\n  size = 10\n}\n");
    let text = workspace.fail(&["validate", "-no-color"]);
    assert!(text.contains("size = 10"), "{text}");
    assert!(
        text.contains("It must be a whole number from 1 to 9."),
        "{text}"
    );

    workspace.write("output \"x\" { value = provider::corner::join_all(\"-\", \"a\", \"\") }\n");
    let text = workspace.fail(&["plan", "-no-color"]);
    assert!(
        text.contains("Invalid value for \"texts\" parameter: The text must not be empty."),
        "{text}"
    );

    workspace.write("resource \"corner_thing\" \"a\" {\n  name      = \"a\"\n  content   = \"c\"\n  behaviour = \"bad plan\"\n}\n");
    let text = workspace.fail(&["plan", "-no-color"]);
    assert!(
        text.contains("content = \"c\"") && text.contains("modify_plan of corner_thing"),
        "{text}"
    );
}

#[test]
fn a_panic_harms_one_object_only() {
    let workspace = Workspace::new(
        "resource \"corner_thing\" \"a\" {\n  name = \"a\"\n  behaviour = \"panic\"\n}\n\
         resource \"corner_thing\" \"b\" {\n  name = \"b\"\n}\n",
    );
    let text = workspace.fail(&["apply", "-auto-approve", "-no-color"]);
    assert!(
        text.contains("mistake in the provider") && text.contains("(id "),
        "{text}"
    );
    assert!(!text.contains("plugin crashed"), "{text}");
    assert_eq!(workspace.instance()["attributes"]["name"], "b");
}

#[test]
fn ctrl_c_keeps_what_was_made() {
    let workspace = Workspace::new(
        "resource \"corner_thing\" \"a\" {\n  name = \"a\"\n  behaviour = \"slow\"\n}\n",
    );
    let mut command = workspace.command(&["apply", "-auto-approve", "-no-color"]);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let start = Instant::now();
    wait_until("something is made", || workspace.path("store/a").exists());
    // To the whole group, as a terminal does: the provider must not die of it.
    let killed = Command::new("kill")
        .args(["-INT", "--", &format!("-{}", child.id())])
        .status();
    assert!(killed.expect("kill can be run").success());
    let status = child.wait().expect("it ends");
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(status.code(), Some(1));
    let instance = workspace.instance();
    assert_eq!(instance["attributes"]["id"], "id-a");
    assert_eq!(instance["status"], Json::Null, "not tainted");
}

/// Processes of the corner provider whose parent is `pid`.
fn providers_of(pid: u32) -> Vec<u32> {
    let output = Command::new("ps")
        .args(["-o", "pid=", "--ppid", &pid.to_string()])
        .output()
        .expect("ps can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

#[test]
fn a_killed_terraform_leaves_no_process_behind() {
    let workspace = Workspace::new(
        "resource \"corner_thing\" \"a\" {\n  name = \"a\"\n  behaviour = \"slow\"\n}\n",
    );
    let mut command = workspace.command(&["apply", "-auto-approve", "-no-color"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    wait_until("something is made", || workspace.path("store/a").exists());
    let providers = providers_of(child.id());
    assert!(!providers.is_empty());
    child.kill().expect("it can be killed");
    child.wait().expect("it is gone");
    for provider in providers {
        let process = format!("/proc/{provider}/exe");
        wait_until("the provider is gone", || {
            std::fs::read_link(&process).is_err()
        });
    }
}

/// A provider that aborts is shown with what it said last.
#[test]
fn an_abort_is_shown_as_a_crash_with_its_text() {
    let workspace = Workspace::new(
        "resource \"corner_thing\" \"a\" {\n  name = \"a\"\n  behaviour = \"abort\"\n}\n",
    );
    let text = workspace.fail(&["apply", "-auto-approve", "-no-color"]);
    let version = Version::get();
    if version.tofu && version.minor >= 12 {
        // It keeps what the plugin said last in its log.
        assert!(text.contains("Plugin did not respond"), "{text}");
        return;
    }
    assert!(text.contains("plugin crashed"), "{text}");
    assert!(
        text.contains("panic: as asked (") && text.contains("dropped while unwinding"),
        "{text}"
    );
}

/// On a core that would store them, write-only attributes are refused where they are written.
#[test]
fn an_old_core_is_told_not_to_store_write_only_values() {
    if Version::has_ephemeral_values() {
        return;
    }
    let workspace = Workspace::new(
        "resource \"corner_thing\" \"a\" {\n  name = \"a\"\n  secret_wo = \"swordfish\"\n}\n",
    );
    let text = workspace.fail(&["plan", "-no-color"]);
    assert!(
        text.contains("write-only attribute not supported here") && text.contains("secret_wo = "),
        "{text}"
    );
}
