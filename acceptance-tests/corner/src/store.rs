//! Objects in files: `<name>` holds the text of the object's `content`.

use std::path::PathBuf;

use framework::{Diagnostics, Dynamic, Path};

/// A directory of objects.
pub struct Store {
    directory: Option<PathBuf>,
}

impl Store {
    pub fn new(directory: Option<String>) -> Self {
        Self {
            directory: directory.map(PathBuf::from),
        }
    }

    fn path(&self, name: &str) -> Result<PathBuf, Diagnostics> {
        self.directory
            .as_ref()
            .map(|directory| directory.join(name))
            .ok_or_else(|| {
                Diagnostics::one_error_at(
                    Path::of("directory"),
                    "no directory",
                    "Set `directory` in the provider block.",
                )
            })
    }

    pub fn write(&self, name: &str, content: &str) -> Result<(), Diagnostics> {
        std::fs::write(self.path(name)?, content).map_err(|error| failed(name, &error))
    }

    pub fn read(&self, name: &str) -> Result<Option<String>, Diagnostics> {
        match std::fs::read_to_string(self.path(name)?) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(name, &error)),
        }
    }

    /// Notes which module asked for a call.
    pub fn note(&self, meta: Option<&Dynamic>, call: &str) -> Result<(), Diagnostics> {
        match meta.and_then(|meta| meta.member("module")?.as_str()) {
            Some(module) => self.write(&format!("meta-{call}"), module),
            None => Ok(()),
        }
    }

    /// The names of all objects, in their order.
    pub fn names(&self) -> Result<Vec<String>, Diagnostics> {
        let entries = std::fs::read_dir(self.path("")?).map_err(|error| failed("", &error))?;
        let mut names: Vec<_> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with("lease-") && !name.starts_with("meta-"))
            .collect();
        names.sort();
        Ok(names)
    }

    pub fn remove(&self, name: &str) -> Result<(), Diagnostics> {
        match std::fs::remove_file(self.path(name)?) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(name, &error)),
            _ => Ok(()),
        }
    }
}

fn failed(name: &str, error: &std::io::Error) -> Diagnostics {
    Diagnostics::one_error("file not accessible", format!("{name}: {error}"))
}
