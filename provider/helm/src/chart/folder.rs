//! Folders: walked in name order, links followed, `.helmignore` obeyed.

use std::fs;
use std::path::Path;

use bytes::Bytes;

use super::archive::without_mark;
use super::ignore::Rules;
use super::{Error, File, Limits};

/// How deep folders may nest, so that a link to its own parent ends.
const DEPTH: usize = 64;

pub(super) fn read(top: &Path, limits: &Limits) -> Result<Vec<File>, Error> {
    let text = match fs::read_to_string(top.join(".helmignore")) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(unreadable(&top.join(".helmignore"), error)),
    };
    let rules = Rules::parse(&text).map_err(Error::Invalid)?;
    let mut walk = Walk {
        rules,
        limits,
        remaining: limits.total,
        files: Vec::new(),
    };
    walk.folder(top, "", 0)?;
    Ok(walk.files)
}

struct Walk<'a> {
    rules: Rules,
    limits: &'a Limits,
    /// Bytes that the files still to come may have.
    remaining: u64,
    files: Vec<File>,
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    Error::Read {
        path: path.display().to_string(),
        source,
    }
}

/// A link that leads nowhere says so, with its target; everything else could not be read.
fn unresolved(path: &Path, source: std::io::Error) -> Error {
    match fs::read_link(path) {
        Ok(target) => {
            let target = path.parent().unwrap_or(path).join(target);
            Error::Invalid(format!(
                "error evaluating symlink {}: lstat {}: {}",
                path.display(),
                super::archive::clean(&target.display().to_string()),
                said(&source)
            ))
        }
        Err(_) => unreadable(path, source),
    }
}

/// The system's message as Go prints it.
fn said(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), Error> {
        if depth > DEPTH {
            return Err(Error::Invalid(format!(
                "the chart's folders nest deeper than {DEPTH} at {}: a link to its own parent?",
                folder.display()
            )));
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(|e| unreadable(folder, e))? {
            let entry = entry.map_err(|e| unreadable(folder, e))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        for name in names {
            let path = folder.join(&name);
            let relative = format!("{prefix}{name}");
            // Follows links, as Helm does.
            let meta = fs::metadata(&path).map_err(|e| unresolved(&path, e))?;
            if self.rules.ignores(&relative, meta.is_dir()) {
                continue;
            }
            if meta.is_dir() {
                self.folder(&path, &format!("{relative}/"), depth + 1)?;
                continue;
            }
            if !meta.is_file() {
                return Err(Error::Invalid(format!(
                    "cannot load irregular file {} as it has file mode type bits set",
                    path.display()
                )));
            }
            if meta.len() > self.limits.file {
                return Err(Error::Invalid(format!(
                    "chart file {name:?} is larger than the maximum file size {}",
                    self.limits.file
                )));
            }
            self.remaining = self.remaining.checked_sub(meta.len()).ok_or_else(|| {
                let total = self.limits.total;
                Error::Invalid(format!(
                    "error reading {relative}: chart exceeds maximum decompressed size of {total} bytes"
                ))
            })?;
            let data = fs::read(&path).map_err(|e| unreadable(&path, e))?;
            self.files.push(File {
                name: relative,
                data: without_mark(Bytes::from(data)),
            });
        }
        Ok(())
    }
}
