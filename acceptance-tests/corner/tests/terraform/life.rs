//! Objects made, changed, imported, moved, upgraded and destroyed.

use serde_json::Value as Json;

use crate::workspace::{Version, Workspace};

/// Something of everything that the program at hand has a language for.
fn full() -> String {
    let lines = FULL.lines().filter(|line| {
        Version::has_ephemeral_values()
            || !(line.contains("secret_wo") || line.starts_with("ephemeral"))
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    if Version::has(11, Some(7)) {
        return text;
    }
    // Older ones lose digits in their own state, and plan the output again for ever.
    text.replace(LARGE, "2")
}

const LARGE: &str = "1208925819614629174706176";

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
    let workspace = Workspace::new(&full());
    workspace.succeed(&["validate"]);
    workspace.apply();
    assert_eq!(workspace.plan(), 0, "what was applied needs nothing");
    let output: Json =
        serde_json::from_str(&workspace.succeed(&["output", "-json"])).expect("JSON");
    assert_eq!(output["joined"]["value"], "a-b");
    assert_eq!(output["content"]["value"], "hello");
    let echo = workspace.succeed(&["output", "-json", "echo"]);
    assert!(echo.contains(LARGE) || !full().contains(LARGE), "{echo}");
    assert!(echo.contains("0.1"), "{echo}");
    if Version::has_ephemeral_values() {
        let lease = std::fs::read_to_string(workspace.path("store/lease-x"));
        assert_eq!(lease.expect("there"), "closed");
    }

    let state = std::fs::read_to_string(workspace.path("terraform.tfstate")).expect("a state");
    assert!(
        !state.contains("swordfish"),
        "a write-only value is in no state"
    );

    workspace.write(
        &full()
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
    if !Version::has(8, Some(10)) {
        return; // It moves nothing from one type to another.
    }

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

/// Nothing that terraform writes holds a write-only value, and private data comes back at every step.
#[test]
fn write_only_values_are_in_no_file_and_private_data_goes_round() {
    if !Version::has_ephemeral_values() {
        return;
    }
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

#[test]
fn terraform_test_runs() {
    let workspace = Workspace::new("resource \"corner_thing\" \"a\" {\n  name = \"a\"\n}\n");
    let tests = "run \"made\" {\n  assert {\n    condition = corner_thing.a.size == 3\n    error_message = \"no default\"\n  }\n}\n\
                 run \"planned\" {\n  command = plan\n  assert {\n    condition = corner_thing.a.enabled\n    error_message = \"no default\"\n  }\n}\n";
    std::fs::write(workspace.path("main.tftest.hcl"), tests).expect("written");
    let text = workspace.succeed(&["test", "-no-color"]);
    assert!(text.contains("2 passed, 0 failed"), "{text}");
}

/// Sets within sets, and lists whose elements hold values of any type.
#[test]
fn sets_and_values_of_any_type_come_back_as_they_were_written() {
    let body = |size: &str| {
        format!(
            "resource \"corner_heap\" \"h\" {{\n  stones = [\n    \
             {{ key = \"a\"{size}, marks = [{{ word = \"x\" }}, {{ word = \"y\", weight = 9 }}] }},\n    {{ key = \"b\" }},\n  ]\n  \
             mixed = [{{ value = \"text\" }}, {{ value = \"more\" }}]\n}}\n\
             output \"sizes\" {{ value = {{ for stone in corner_heap.h.stones : stone.key => stone.size }} }}\n\
             output \"ids\" {{ value = {{ for stone in corner_heap.h.stones : stone.key => stone.id }} }}\n"
        )
    };
    let workspace = Workspace::new(&body(", size = 7"));
    workspace.apply();
    assert_eq!(workspace.plan(), 0);
    let output = |name: &str| {
        let text = workspace.succeed(&["output", "-json", name]);
        serde_json::from_str::<Json>(&text).expect("JSON")
    };
    assert_eq!(output("sizes"), serde_json::json!({ "a": 7, "b": 1 }));
    // A size that is no longer written is the default again, and nobody gets another id for it.
    let ids = output("ids");
    workspace.write(&body(""));
    assert_eq!(workspace.plan(), 2);
    workspace.apply();
    assert_eq!(output("sizes"), serde_json::json!({ "a": 1, "b": 1 }));
    assert_eq!(output("ids"), ids);
    assert_eq!(workspace.plan(), 0);
}

/// What finds an object for good can be written where the language has it.
#[test]
fn newer_programs_import_by_identity() {
    if !Version::has(12, None) {
        return;
    }
    let workspace = Workspace::new(
        "import {\n  to       = corner_thing.i\n  identity = { name = \"i\" }\n}\n\
         resource \"corner_thing\" \"i\" {\n  name    = \"i\"\n  content = \"found\"\n}\n",
    );
    std::fs::write(workspace.path("store/i"), "found").expect("written");
    let text = workspace.apply();
    assert!(text.contains("1 imported, 0 added"), "{text}");
    assert_eq!(workspace.instance()["identity"]["name"], "i");
    assert_eq!(workspace.plan(), 0);
}
