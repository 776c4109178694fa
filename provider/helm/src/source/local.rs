//! Charts on this machine: folders and archives. What was pinned and has changed since is taken from the cache.

use std::path::Path;
use std::sync::Arc;

use super::repository::MAX_ARCHIVE;
use super::sums::{check, sha256};
use super::{Error, Fetched, Fetcher, Provenance, ProvenanceError, Pulled, Request, Verify};
use crate::chart::{self, Chart, flat};

impl Fetcher {
    pub(super) fn local(&self, path: &Path, request: &Request) -> Result<Fetched, Error> {
        let origin = path.display().to_string();
        if path.is_file() {
            return self.packed(path, origin, request);
        }
        if request.verify == Verify::Always {
            return Err(Error::Provenance {
                origin,
                source: ProvenanceError::Unpacked,
            });
        }
        self.folder(path, origin, request)
    }

    fn packed(&self, path: &Path, origin: String, request: &Request) -> Result<Fetched, Error> {
        let unreadable = |source| Error::Chart {
            origin: origin.clone(),
            source: Box::new(chart::Error::Read {
                path: origin.clone(),
                source,
            }),
        };
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_ARCHIVE as u64 {
            let reason = format!("{size} bytes are more than {MAX_ARCHIVE}");
            return Err(Error::Answer {
                url: origin,
                reason,
            });
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let changed = request.digest.as_deref().is_some_and(|pinned| {
            let pinned = pinned.strip_prefix("sha256:").unwrap_or(pinned);
            !sha256(&bytes).eq_ignore_ascii_case(pinned)
        });
        if changed && let Some(kept) = self.kept(request, &origin)? {
            return Ok(kept);
        }
        let beside = format!("{origin}.prov");
        let provenance = match request.verify {
            Verify::Never => None,
            Verify::IfPossible | Verify::Always => std::fs::read(&beside).ok(),
        };
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let pulled = Pulled {
            bytes,
            file_name: file_name.into_owned(),
            provenance: provenance.map_or(Provenance::Missing(beside), Provenance::Text),
            origin,
        };
        self.accept(pulled, request)
    }

    fn folder(&self, path: &Path, origin: String, request: &Request) -> Result<Fetched, Error> {
        let unusable = |source| Error::Chart {
            origin: origin.clone(),
            source: Box::new(source),
        };
        let files = Chart::folder_files(path).map_err(unusable)?;
        let flat = flat::write(&files);
        let digest = sha256(&flat);
        let pinned = request.digest.as_deref();
        if let Err(changed) = check(&flat, pinned, "the pinned digest", &origin) {
            // What was planned is what is applied, and what a change is compared with.
            let kept = pinned.and_then(|pinned| self.cache.folder(pinned));
            let Some(files) = kept.as_deref().and_then(flat::read) else {
                return Err(changed);
            };
            let chart = Chart::from_files(files).map_err(unusable)?;
            return Ok(fetched(chart, origin));
        }
        let chart = Chart::from_files(files).map_err(unusable)?;
        debug_assert_eq!(chart.digest(), digest, "one form for both");
        self.cache.put_folder(&digest, &flat);
        Ok(fetched(chart, origin))
    }
}

fn fetched(chart: Chart, origin: String) -> Fetched {
    Fetched {
        version: chart.metadata.version.clone(),
        digest: chart.digest().to_owned(),
        chart: Arc::new(chart),
        origin,
        verification: None,
    }
}
