//! Schemas: rules kept, pages written.

use std::process::Command;

use crate::bench::CORNER;

#[test]
fn every_schema_keeps_cores_rules() {
    let output = Command::new(CORNER)
        .arg("check")
        .output()
        .expect("it starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn pages_follow_the_registrys_layout() {
    let dir = tempfile::tempdir().expect("a directory");
    let status = Command::new(CORNER)
        .arg("docs")
        .arg(dir.path())
        .status()
        .expect("it starts");
    assert!(status.success());
    let page =
        |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("the page is there");
    for name in [
        "index.md",
        "resources/thing.md",
        "data-sources/content.md",
        "ephemeral-resources/lease.md",
        "list-resources/thing.md",
        "actions/count.md",
        "functions/join_all.md",
    ] {
        let text = page(name);
        assert!(text.starts_with("---\npage_title: \""), "{name}: {text}");
        assert!(
            text.ends_with('\n') && !text.contains("\n\n\n"),
            "{name}: {text}"
        );
    }
    let thing = page("resources/thing.md");
    for line in [
        "- `name` (String) Its name. Changing it replaces the object.",
        "- `size` (Number) A size. Allowed: a whole number from 1 to 9. Default: `3`.",
        "- `secret_wo` (String, Write-only) Never stored.",
        "- `single` (Attributes) One object. (see [below for nested schema](#nestedatt--single))",
        "### Nested Schema for `single`",
        "### Read-Only",
    ] {
        assert!(thing.contains(line), "{line:?} is not in:\n{thing}");
    }
    assert!(
        page("functions/join_all.md")
            .contains("join_all(separator string, texts string...) string")
    );
}
