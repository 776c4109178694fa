//! Archives by their SHA-256, the signatures beside them, and the files of folders: shared by processes, since a file appears
//! whole or not at all.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::sums::sha256;

/// An archive, by its own digest.
const ARCHIVE: &str = "tgz";
/// The signature of the archive of that digest. It proves itself, or is worth nothing.
const SIGNATURE: &str = "prov";
/// The files of a folder ([`crate::chart::flat`]), by their digest.
const FOLDER: &str = "files";

#[derive(Clone)]
pub(super) struct Cache(Option<Arc<PathBuf>>);

impl Cache {
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn below(folder: PathBuf) -> Self {
        Self(Some(Arc::new(folder)))
    }

    /// The archive of that digest.
    pub(super) fn archive(&self, digest: &str) -> Option<Vec<u8>> {
        self.get(digest, ARCHIVE)
    }

    pub(super) fn put_archive(&self, bytes: &[u8]) {
        self.put(&sha256(bytes), ARCHIVE, bytes);
    }

    /// What was found beside the archive of that digest and held at that time.
    pub(super) fn signature(&self, digest: &str) -> Option<Vec<u8>> {
        fs::read(self.file(digest, SIGNATURE)?).ok()
    }

    pub(super) fn put_signature(&self, digest: &str, text: &[u8]) {
        self.put(digest, SIGNATURE, text);
    }

    /// The files of the folder of that digest.
    pub(super) fn folder(&self, digest: &str) -> Option<Vec<u8>> {
        self.get(digest, FOLDER)
    }

    pub(super) fn put_folder(&self, digest: &str, files: &[u8]) {
        self.put(digest, FOLDER, files);
    }

    fn file(&self, digest: &str, extension: &str) -> Option<PathBuf> {
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        let digest = digest.to_ascii_lowercase();
        let sound = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        let folder = self.0.as_ref().filter(|_| sound)?;
        Some(folder.join("sha256").join(format!("{digest}.{extension}")))
    }

    /// The bytes of that digest; a file that was tampered with or cut short counts as absent.
    fn get(&self, digest: &str, extension: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.file(digest, extension)?).ok()?;
        let wanted = digest.strip_prefix("sha256:").unwrap_or(digest);
        sha256(&bytes).eq_ignore_ascii_case(wanted).then_some(bytes)
    }

    /// Keeps bytes. A cache that cannot be written is no cache, and no error.
    fn put(&self, digest: &str, extension: &str, bytes: &[u8]) {
        let Some(file) = self.file(digest, extension) else {
            return;
        };
        // What is there may be broken, and a signature may be another one by now.
        if fs::read(&file).is_ok_and(|seen| seen == bytes) {
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
        cache.put_archive(b"chart");
        cache.put_archive(b"chart");
        let digest = sha256(b"chart");
        assert_eq!(cache.archive(&digest).as_deref(), Some(&b"chart"[..]));
        assert_eq!(cache.archive(&sha256(b"other")), None);
        assert_eq!(cache.folder(&digest), None, "another kind");
        assert_eq!(cache.archive("../../etc/passwd"), None);
        let file = folder.path().join("sha256").join(format!("{digest}.tgz"));
        fs::write(file, b"char").expect("a writable folder");
        assert_eq!(cache.archive(&digest), None);
        cache.put_archive(b"chart");
        assert!(
            cache.archive(&digest).is_some(),
            "what is broken is made anew"
        );
        let files = fs::read_dir(folder.path().join("sha256")).expect("a folder");
        assert_eq!(files.count(), 1, "no drafts are left");
    }

    #[test]
    fn signatures_lie_beside_their_archive_and_may_change() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let cache = Cache::below(folder.path().to_owned());
        let digest = format!("sha256:{}", sha256(b"chart"));
        assert_eq!(cache.signature(&digest), None);
        for text in [&b"one"[..], b"another"] {
            cache.put_signature(&digest, text);
            assert_eq!(cache.signature(&digest).as_deref(), Some(text));
        }
    }
}
