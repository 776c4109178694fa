//! The real terraform and the corner provider, started by it as always.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

const CORNER: &str = env!("CARGO_BIN_EXE_terraform-provider-corner");

/// A folder with a configuration, a store and settings of its own.
struct Workspace {
    dir: TempDir,
}

impl Workspace {
    fn new(body: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let binaries = Path::new(CORNER)
            .parent()
            .expect("a folder")
            .display()
            .to_string();
        let cli = format!(
            "provider_installation {{\n  dev_overrides {{\n    \"example.test/test/corner\" = \"{binaries}\"\n  }}\n  direct {{}}\n}}\n"
        );
        std::fs::write(dir.path().join("cli.tfrc"), cli).expect("written");
        std::fs::create_dir(dir.path().join("store")).expect("made");
        let workspace = Self { dir };
        workspace.write(body);
        workspace
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Replaces the configuration.
    fn write(&self, body: &str) {
        let store = self.path("store");
        let text = format!(
            "terraform {{\n  required_providers {{\n    corner = {{ source = \"example.test/test/corner\" }}\n  }}\n}}\n\
             provider \"corner\" {{\n  directory = \"{}\"\n}}\n{body}",
            store.display()
        );
        std::fs::write(self.path("main.tf"), text).expect("written");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("terraform");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TF_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("TF_CLI_CONFIG_FILE", self.path("cli.tfrc"))
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .expect("terraform is installed")
    }

    /// Runs, expects success and returns standard output.
    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = text(&output);
        assert!(output.status.success(), "{arguments:?}: {text}");
        text
    }

    /// Runs, expects failure and returns everything printed, on one line.
    fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        let words: Vec<_> = text
            .split_whitespace()
            .filter(|word| *word != "\u{2502}")
            .collect();
        words.join(" ")
    }

    fn apply(&self) -> String {
        self.succeed(&["apply", "-auto-approve", "-no-color"])
    }

    /// The exit code of a plan: 0 without changes, 2 with some.
    fn plan(&self) -> i32 {
        let output = self.run(&["plan", "-no-color", "-detailed-exitcode"]);
        let code = output.status.code().expect("a code");
        assert_ne!(code, 1, "{}", text(&output));
        code
    }

    /// The first instance of a thing in the state file.
    fn instance(&self) -> Json {
        let state = std::fs::read_to_string(self.path("terraform.tfstate")).expect("a state");
        let state: Json = serde_json::from_str(&state).expect("JSON");
        let things = state["resources"].as_array().expect("a list").iter();
        let mut things = things.filter(|r| r["type"] == "corner_thing" && r["mode"] == "managed");
        things
            .next()
            .map_or(Json::Null, |thing| thing["instances"][0].clone())
    }
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// Waits for a condition, with a bound.
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "not so: {what}");
        #[expect(
            clippy::disallowed_methods,
            reason = "another process gives no event to wait for, and there is no runtime here"
        )]
        std::thread::sleep(Duration::from_millis(20));
    }
}

const FULL: &str = r#"
resource "corner_thing" "a" {
  name      = "a"
  content   = "hello"
  ratio     = 0.1
  tags      = ["x", "y"]
  labels    = { k = "v", n = null }
  anything  = { a = 1, b = [true, "x"] }
  secret_wo = "swordfish"
  secret    = "s3cret"
  single    = { key = "one" }
  list      = [{ key = "l0" }, { key = "l1", default = 9 }]
  map       = { m = { key = "mk" } }
  set       = [{ key = "s" }, { key = "t", value = "w" }]
  spelled   = "MixedCase"
}
data "corner_content" "a" { name = corner_thing.a.name }
ephemeral "corner_lease" "l" { name = "x" }
output "joined" { value = provider::corner::join_all("-", "a", "b") }
output "echo" { value = provider::corner::echo({ a = [1, 0.1, 1208925819614629174706176], b = null }) }
output "content" { value = data.corner_content.a.content }
"#;

#[test]
fn create_plan_change_and_destroy() {
    let workspace = Workspace::new(FULL);
    workspace.succeed(&["validate"]);
    workspace.apply();
    assert_eq!(workspace.plan(), 0, "what was applied needs nothing");
    let output: Json =
        serde_json::from_str(&workspace.succeed(&["output", "-json"])).expect("JSON");
    assert_eq!(output["joined"]["value"], "a-b");
    assert_eq!(output["content"]["value"], "hello");
    let echo = workspace.succeed(&["output", "-json", "echo"]);
    assert!(
        echo.contains("1208925819614629174706176") && echo.contains("0.1"),
        "{echo}"
    );
    assert_eq!(
        std::fs::read_to_string(workspace.path("store/lease-x")).expect("there"),
        "closed"
    );

    let state = std::fs::read_to_string(workspace.path("terraform.tfstate")).expect("a state");
    assert!(
        !state.contains("swordfish"),
        "a write-only value is in no state"
    );

    workspace.write(
        &FULL
            .replace("hello", "changed")
            .replace("l1\", default = 9", "l1\", default = 8"),
    );
    assert_eq!(workspace.plan(), 2);
    workspace.apply();
    assert_eq!(workspace.instance()["attributes"]["revision"], 2);

    std::fs::remove_file(workspace.path("store/a")).expect("there");
    assert_eq!(workspace.plan(), 2, "what is gone is made again");
    workspace.apply();
    workspace.succeed(&["destroy", "-auto-approve"]);
    assert!(!workspace.path("store/a").exists());
}

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
fn a_destroy_can_be_refused() {
    let workspace = Workspace::new(
        "resource \"corner_thing\" \"a\" {\n  name = \"a\"\n  protected = true\n}\n",
    );
    workspace.apply();
    let text = workspace.fail(&["destroy", "-auto-approve", "-no-color"]);
    assert!(text.contains("thing is protected"), "{text}");
    assert!(workspace.path("store/a").exists());
}

#[test]
fn import_generate_and_move() {
    let workspace = Workspace::new("import {\n  to = corner_thing.i\n  id = \"i\"\n}\n");
    std::fs::write(workspace.path("store/i"), "found").expect("written");
    workspace.succeed(&["plan", "-generate-config-out=generated.tf"]);
    let generated = std::fs::read_to_string(workspace.path("generated.tf")).expect("made");
    assert!(generated.contains("\"found\""), "{generated}");
    workspace.apply();
    assert_eq!(workspace.plan(), 0);
    std::fs::remove_file(workspace.path("generated.tf")).expect("there");

    let moved = Workspace::new("resource \"terraform_data\" \"old\" {\n  input = \"m\"\n}\n");
    moved.apply();
    std::fs::write(moved.path("store/m"), "").expect("written");
    moved.write("resource \"corner_thing\" \"new\" {\n  name = \"m\"\n}\nmoved {\n  from = terraform_data.old\n  to   = corner_thing.new\n}\n");
    let text = moved.apply();
    assert!(
        text.contains("has moved to") || text.contains("0 added"),
        "{text}"
    );
    assert_eq!(moved.instance()["attributes"]["id"], "id-m");
}

#[test]
fn a_stored_state_of_an_older_version_is_upgraded() {
    let workspace = Workspace::new(
        "resource \"corner_thing\" \"a\" {\n  name = \"a\"\n  content = \"old\"\n}\n",
    );
    std::fs::write(workspace.path("store/a"), "old").expect("written");
    let state = r#"{"version":4,"terraform_version":"1.11.4","serial":1,"lineage":"x","outputs":{},"resources":[{
        "mode":"managed","type":"corner_thing","name":"a","provider":"provider[\"example.test/test/corner\"]",
        "instances":[{"schema_version":1,"attributes":{"id":"id-a","name":"a","text":"old","gone":true}}]}]}"#;
    std::fs::write(workspace.path("terraform.tfstate"), state).expect("written");
    workspace.apply();
    assert_eq!(workspace.instance()["schema_version"], 2);
    assert_eq!(workspace.instance()["attributes"]["content"], "old");
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

#[test]
fn the_schema_is_the_recorded_one() {
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

#[test]
fn terraform_test_runs() {
    let workspace = Workspace::new("resource \"corner_thing\" \"a\" {\n  name = \"a\"\n}\n");
    let tests = "run \"made\" {\n  assert {\n    condition = corner_thing.a.size == 3\n    error_message = \"no default\"\n  }\n}\n\
                 run \"planned\" {\n  command = plan\n  assert {\n    condition = corner_thing.a.enabled\n    error_message = \"no default\"\n  }\n}\n";
    std::fs::write(workspace.path("main.tftest.hcl"), tests).expect("written");
    let text = workspace.succeed(&["test", "-no-color"]);
    assert!(text.contains("2 passed, 0 failed"), "{text}");
}

/// Nothing that terraform writes holds a write-only value, and private data comes back at every step.
#[test]
fn write_only_values_are_in_no_file_and_private_data_goes_round() {
    let body = |version: u8, secret: &str| {
        format!(
            "resource \"corner_thing\" \"a\" {{\n  name = \"a\"\n  secret_wo = \"{secret}\"\n  \
             secret_wo_version = {version}\n}}\n"
        )
    };
    let workspace = Workspace::new(&body(1, "swordfish"));
    workspace.succeed(&["plan", "-no-color", "-out=first.plan"]);
    workspace.succeed(&["apply", "-no-color", "first.plan"]);
    let private = |workspace: &Workspace| {
        workspace.instance()["private"]
            .as_str()
            .expect("private data")
            .to_owned()
    };
    let first = private(&workspace);
    assert_eq!(workspace.plan(), 0);
    workspace.succeed(&["apply", "-refresh-only", "-auto-approve", "-no-color"]);
    assert_eq!(private(&workspace), first, "a refresh keeps it");
    workspace.write(&body(2, "sardine"));
    workspace.apply();
    assert!(!private(&workspace).is_empty());
    for file in [
        "terraform.tfstate",
        "terraform.tfstate.backup",
        "first.plan",
    ] {
        let bytes = std::fs::read(workspace.path(file)).expect("readable");
        for secret in ["swordfish", "sardine"] {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{secret} is in {file}");
        }
    }
}

/// An ephemeral resource is renewed while something that needs it is at work, and closed in the end.
#[test]
fn ephemerals_are_renewed_by_terraform() {
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
    assert!(schemas <= 3, "{schemas} schema calls of a plan");
    assert_eq!(plans, 5);
    let (starts, schemas, plans) = log(&["apply", "-auto-approve", "-no-color"]);
    assert!(starts <= 4, "{starts} starts of an apply");
    assert!(schemas <= 4, "{schemas} schema calls of an apply");
    assert_eq!(plans, 10);
}

/// Configurations with blocks, `dynamic` among them.
#[test]
fn blocks_are_written_without_equals_signs() {
    let workspace = Workspace::new(
        "resource \"corner_section\" \"s\" {\n  name = \"s\"\n  owner {\n    team = \"one\"\n  }\n  rule {\n    port = 1\n  }\n  \
         dynamic \"rule\" {\n    for_each = [2, 3]\n    content {\n      port = rule.value\n      range {\n        \
         cidrs = [\"10.0.0.0/8\"]\n      }\n    }\n  }\n  zone \"left\" {}\n}\n\
         output \"ports\" { value = corner_section.s.rule[*].port }\n",
    );
    workspace.apply();
    assert_eq!(workspace.plan(), 0);
    let ports = workspace.succeed(&["output", "-json", "ports"]);
    assert_eq!(ports.trim(), "[1,2,3]");
    workspace.write("resource \"corner_section\" \"s\" {\n  name = \"s\"\n  owner {\n    team = \"one\"\n  }\n}\n");
    let text = workspace.fail(&["validate", "-no-color"]);
    assert!(
        text.contains("At least 1 \"rule\" blocks are required"),
        "{text}"
    );
    workspace.write(
        "resource \"corner_section\" \"s\" {\n  name = \"s\"\n  owner {\n    team = \"two\"\n  }\n  rule {}\n}\n",
    );
    let text = workspace.apply();
    assert!(text.contains("1 added, 0 changed, 1 destroyed"), "{text}");
}
