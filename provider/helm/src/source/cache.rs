//! Archives by their SHA-256, shared by processes: a file appears whole or not at all.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::sha256;

#[derive(Clone)]
pub(super) struct Cache(Option<Arc<PathBuf>>);

impl Cache {
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn below(folder: PathBuf) -> Self {
        Self(Some(Arc::new(folder)))
    }

    fn file(&self, digest: &str) -> Option<PathBuf> {
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        let digest = digest.to_ascii_lowercase();
        let sound = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        let folder = self.0.as_ref().filter(|_| sound)?;
        Some(folder.join("sha256").join(format!("{digest}.tgz")))
    }

    /// The bytes of that digest; a file that was tampered with or cut short counts as absent.
    pub(super) fn get(&self, digest: &str) -> Option<Vec<u8>> {
        let file = self.file(digest)?;
        let bytes = fs::read(file).ok()?;
        let wanted = digest.strip_prefix("sha256:").unwrap_or(digest);
        sha256(&bytes).eq_ignore_ascii_case(wanted).then_some(bytes)
    }

    /// Keeps bytes. A cache that cannot be written is no cache, and no error.
    pub(super) fn put(&self, bytes: &[u8]) {
        let Some(file) = self.file(&sha256(bytes)) else {
            return;
        };
        if file.exists() {
            return;
        }
        let Some(folder) = file.parent() else {
            return;
        };
        let mut nonce = [0; 8];
        if fs::create_dir_all(folder).is_err() || getrandom::fill(&mut nonce).is_err() {
            return;
        }
        let draft = folder.join(format!(".{}", hex::encode(nonce)));
        let written = fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, &file));
        if let Err(error) = written {
            let _ = fs::remove_file(&draft);
            tracing::debug!(%error, "the chart cache cannot be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_by_their_digest_and_only_when_they_are_whole() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let cache = Cache::below(folder.path().to_owned());
        cache.put(b"chart");
        cache.put(b"chart");
        let digest = sha256(b"chart");
        assert_eq!(cache.get(&digest).as_deref(), Some(&b"chart"[..]));
        assert_eq!(cache.get(&sha256(b"other")), None);
        assert_eq!(cache.get("../../etc/passwd"), None);
        let file = folder.path().join("sha256").join(format!("{digest}.tgz"));
        fs::write(file, b"char").expect("a writable folder");
        assert_eq!(cache.get(&digest), None);
        let files = fs::read_dir(folder.path().join("sha256")).expect("a folder");
        assert_eq!(files.count(), 1, "no drafts are left");
    }
}
