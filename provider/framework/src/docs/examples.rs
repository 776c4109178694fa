//! Examples from files.

use std::fs;
use std::path::PathBuf;

/// A folder of examples; without one there are none.
pub(super) struct Examples(Option<PathBuf>);

impl Examples {
    pub fn new(root: Option<PathBuf>) -> Self {
        Self(root)
    }

    /// The texts of `<folder>/<stem>*.<ext>`, in the order of their names.
    pub fn of(&self, folder: &str, stem: &str, ext: &str) -> Vec<String> {
        let Some(root) = &self.0 else {
            return Vec::new();
        };
        let Ok(entries) = fs::read_dir(root.join(folder)) else {
            return Vec::new();
        };
        let suffix = format!(".{ext}");
        let mut files: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| name.starts_with(stem) && name.ends_with(&suffix))
            })
            .collect();
        files.sort();
        files
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok())
            .map(|text| text.trim_end().to_owned())
            .collect()
    }

    /// The text of one file.
    pub fn named(&self, folder: &str, file: &str) -> Option<String> {
        let text = fs::read_to_string(self.0.as_ref()?.join(folder).join(file)).ok()?;
        Some(text.trim_end().to_owned())
    }
}
