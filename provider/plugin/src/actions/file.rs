//! A file that is whole or not there: written beside its place, then put there.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// A file that is being written; removed again unless it is [kept](Self::keep).
pub struct NewFile {
    place: PathBuf,
    partial: PathBuf,
    file: tokio::fs::File,
    hash: Sha256,
    bytes: Arc<AtomicU64>,
    kept: bool,
}

/// A file that is whole and in its place.
#[derive(Debug)]
pub struct Written {
    /// SHA-256 of the whole file, as `sha256sum` prints it.
    pub sha256: String,
}

impl NewFile {
    /// Begins a file that nobody but its owner can read, in the folder of `place`.
    pub async fn create(place: &Path) -> io::Result<Self> {
        let name = place
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        partial.push(format!(".{:016x}.partial", u64::from_le_bytes(random)));
        let partial = place.with_file_name(partial);
        let mut options = tokio::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let file = options.open(&partial).await?;
        Ok(Self {
            place: place.to_owned(),
            partial,
            file,
            hash: Sha256::new(),
            bytes: Arc::default(),
            kept: false,
        })
    }

    /// How much was written so far, for whoever watches.
    pub fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes)
    }

    /// Puts the file in its place once it is on the disk. Without `overwrite` a file that is there by then stays.
    pub async fn keep(mut self, overwrite: bool) -> io::Result<Written> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        if overwrite {
            tokio::fs::rename(&self.partial, &self.place).await?;
            self.kept = true;
        } else {
            // Unlike a rename, a link never takes the place of a file that came meanwhile.
            tokio::fs::hard_link(&self.partial, &self.place).await?;
        }
        let sha256 = self.hash.clone().finalize();
        Ok(Written {
            sha256: hex::encode(sha256),
        })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // Nobody is left to be told when it fails; the name says what the file is.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

impl AsyncWrite for NewFile {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = std::task::ready!(Pin::new(&mut self.file).poll_write(context, bytes))?;
        self.hash.update(&bytes[..written]);
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let mut names: Vec<_> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_kept_file_is_whole_and_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("snapshot.db");
        let mut file = NewFile::create(&place).await.expect("created");
        let counter = file.counter();
        file.write_all(b"abc").await.expect("written");
        assert!(!place.exists());
        let written = file.keep(false).await.expect("kept");
        assert_eq!(
            written.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(counter.load(Ordering::Relaxed), 3);
        assert_eq!(std::fs::read(&place).expect("a file"), b"abc");
        assert_eq!(names(folder.path()), ["snapshot.db"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&place)
                .expect("a file")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn an_abandoned_file_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = NewFile::create(&folder.path().join("snapshot.db"))
            .await
            .expect("created");
        file.write_all(b"abc").await.expect("written");
        assert_eq!(names(folder.path()).len(), 1);
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[tokio::test]
    async fn a_file_that_is_there_stays_unless_asked_otherwise() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("snapshot.db");
        std::fs::write(&place, "older").expect("written");
        for (overwrite, after) in [(false, "older"), (true, "newer")] {
            let mut file = NewFile::create(&place).await.expect("created");
            file.write_all(b"newer").await.expect("written");
            assert_eq!(file.keep(overwrite).await.is_ok(), overwrite);
            assert_eq!(std::fs::read_to_string(&place).expect("a file"), after);
            assert_eq!(names(folder.path()), ["snapshot.db"]);
        }
    }
}
