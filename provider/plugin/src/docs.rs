//! `terraform-provider-managedk8s docs`: the reference pages, from the schemas and `examples/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use framework::docs::{Options, generate};

use crate::provider::ManagedK8s;

/// The folders that hold generated pages only. Everything else below `docs/` is written by hand and left alone.
const GENERATED: [&str; 6] = [
    "resources",
    "data-sources",
    "ephemeral-resources",
    "functions",
    "actions",
    "list-resources",
];

/// Writes the pages, or with `check` only compares.
///
/// # Errors
///
/// One sentence: a file that cannot be read or written, or the pages that differ.
pub fn run(folder: &Path, examples: &Path, check: bool) -> Result<String, String> {
    if !examples.is_dir() {
        return Err(format!(
            "{} is not a folder; run the command at the top of the repository or name it with --examples",
            examples.display()
        ));
    }
    let pages = generate(
        &ManagedK8s,
        &Options {
            examples: Some(examples.to_owned()),
            ..Options::default()
        },
    );
    let stale = stale(folder, &pages)?;
    if check {
        if stale.is_empty() {
            return Ok(format!("{} pages are up to date\n", pages.len()));
        }
        return Err(format!(
            "stale pages in {}: {}; write them again with `terraform-provider-managedk8s docs`",
            folder.display(),
            stale.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    for name in &stale {
        let path = folder.join(name);
        let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
        match pages.get(name) {
            Some(text) => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(failed)?;
                }
                fs::write(&path, text).map_err(failed)?;
            }
            None => fs::remove_file(&path).map_err(failed)?,
        }
    }
    Ok(format!(
        "{} pages, {} of them written\n",
        pages.len(),
        stale.len()
    ))
}

/// The pages that are missing, differ, or belong to nothing any more.
fn stale(folder: &Path, pages: &BTreeMap<String, String>) -> Result<BTreeSet<String>, String> {
    let mut stale: BTreeSet<String> = pages
        .iter()
        .filter(|(name, text)| fs::read_to_string(folder.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name.clone())
        .collect();
    for kind in GENERATED {
        let path = folder.join(kind);
        if !path.is_dir() {
            continue;
        }
        let entries = fs::read_dir(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        stale.extend(
            entries
                .flatten()
                .map(|entry| format!("{kind}/{}", entry.file_name().to_string_lossy()))
                .filter(|name| !pages.contains_key(name)),
        );
    }
    Ok(stale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> &'static Path {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        here.ancestors().nth(2).unwrap_or(here)
    }

    /// They follow from the schema: `UPDATE_SCHEMA=1` writes both anew.
    #[test]
    fn the_pages_of_this_repository_are_fresh() {
        let root = repository();
        let check = std::env::var_os("UPDATE_SCHEMA").is_none();
        let checked = run(&root.join("docs"), &root.join("examples"), check);
        assert!(checked.is_ok(), "{checked:?}");
    }

    #[test]
    fn pages_are_written_once_and_guides_are_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let examples = repository().join("examples");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("guides")).expect("a folder");
        fs::create_dir_all(at("functions")).expect("a folder");
        fs::write(at("guides/upgrade.md"), "by hand").expect("a file");
        fs::write(at("functions/gone.md"), "of an older version").expect("a file");
        assert!(run(folder.path(), &examples, true).is_err());
        run(folder.path(), &examples, false).expect("written");
        assert!(run(folder.path(), &examples, true).is_ok());
        assert!(at("resources/cluster.md").is_file());
        assert!(at("guides/upgrade.md").is_file());
        assert!(!at("functions/gone.md").exists());
        fs::write(at("index.md"), "changed").expect("a file");
        let refused = run(folder.path(), &examples, true).expect_err("stale");
        assert!(refused.contains("index.md"), "{refused}");
    }

    /// An object without an example has a page that nobody learns from.
    #[test]
    fn every_page_has_an_example() {
        let options = Options {
            examples: Some(repository().join("examples")),
            ..Options::default()
        };
        let without: Vec<_> = generate(&ManagedK8s, &options)
            .into_iter()
            .filter(|(_, text)| !text.contains("```terraform"))
            .map(|(name, _)| name)
            .collect();
        assert!(without.is_empty(), "{without:?}");
    }
}
