//! Archives: a gzip tar whose entries all live under one top folder.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::{Error, File, Limits};

const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// Without its byte order mark.
pub(super) fn without_mark(data: Bytes) -> Bytes {
    if data.starts_with(BYTE_ORDER_MARK) {
        data.slice(BYTE_ORDER_MARK.len()..)
    } else {
        data
    }
}

fn broken(what: impl Into<String>) -> Error {
    Error::Archive(what.into())
}

/// Unpacks an archive in memory. `remaining` counts down the bytes that the whole chart may still
/// take: archives inside archives share it.
pub(super) fn read(
    archive: &[u8],
    limits: &Limits,
    remaining: &mut u64,
) -> Result<Vec<File>, Error> {
    if !archive.starts_with(&[0x1F, 0x8B]) {
        return Err(broken(
            "the file does not appear to be a gzipped archive; a chart is a folder or a .tgz made by 'helm package'",
        ));
    }
    let unzipped = MultiGzDecoder::new(archive).take(remaining.saturating_add(64 << 20));
    let mut tar = tar::Archive::new(unzipped);
    let entries = tar
        .entries()
        .map_err(|e| broken(format!("cannot read the chart archive: {e}")))?;
    let mut files = Vec::new();
    for (count, entry) in entries.enumerate() {
        let mut entry = entry.map_err(|e| broken(format!("cannot read the chart archive: {e}")))?;
        if count >= limits.entries {
            return Err(broken(format!(
                "chart archive has more than {} entries",
                limits.entries
            )));
        }
        let raw = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            EntryType::Directory | EntryType::XGlobalHeader | EntryType::XHeader => continue,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {}
            _ => {
                return Err(broken(format!(
                    "chart illegally contains a link or a device: {raw:?}"
                )));
            }
        }
        if raw.ends_with('/') {
            continue;
        }
        let name = relative_name(&raw)?;
        let size = entry.size();
        if size > *remaining {
            return Err(too_large(limits));
        }
        if size > limits.file {
            return Err(broken(format!(
                "decompressed chart file {raw:?} is larger than the maximum file size {}",
                limits.file
            )));
        }
        // The declared size of a hostile archive is no reason to allocate.
        let mut data = Vec::new();
        (&mut entry)
            .take(size)
            .read_to_end(&mut data)
            .map_err(|e| broken(format!("cannot read {raw} of the chart archive: {e}")))?;
        if (data.len() as u64) < size || size == *remaining {
            return Err(too_large(limits));
        }
        *remaining -= size;
        files.push(File {
            name,
            data: without_mark(Bytes::from(data)),
        });
    }
    if files.is_empty() {
        return Err(broken("no files in chart archive"));
    }
    Ok(files)
}

fn too_large(limits: &Limits) -> Error {
    broken(format!(
        "decompressed chart is larger than the maximum size {}",
        limits.total
    ))
}

/// The name below the archive's top folder, refused when it could leave it.
fn relative_name(raw: &str) -> Result<String, Error> {
    let delimiter = if raw.contains('\\') { '\\' } else { '/' };
    let (top, rest) = raw.split_once(delimiter).unwrap_or((raw, ""));
    let rest = rest.replace(delimiter, "/");
    if rest.starts_with('/') {
        return Err(broken("chart illegally contains absolute paths"));
    }
    let name = clean(&rest);
    if name == "." {
        return Err(broken(format!(
            "chart illegally contains content outside the base directory: {raw:?}"
        )));
    }
    if name.starts_with("..") {
        return Err(broken("chart illegally references parent directory"));
    }
    let bytes = name.as_bytes();
    if bytes.len() >= 3 && bytes[0].is_ascii_alphabetic() && &bytes[1..3] == b":/" {
        return Err(broken("chart contains illegally named files"));
    }
    if top == "Chart.yaml" {
        return Err(broken("chart yaml not in base directory"));
    }
    Ok(name)
}

/// Go's `path.Clean` for relative and absolute slash paths.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;

    fn pack(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, kind, data) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            header.set_entry_type(*kind);
            let bytes = &mut header.as_old_mut().name;
            bytes[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, *data).expect("memory takes everything");
        }
        tar.into_inner()
            .and_then(GzEncoder::finish)
            .expect("memory takes everything")
    }

    fn read_all(archive: &[u8], limits: Limits) -> Result<Vec<File>, String> {
        let mut remaining = limits.total;
        read(archive, &limits, &mut remaining).map_err(|e| e.to_string())
    }

    #[test]
    fn names_lose_the_top_folder_and_files_their_mark() {
        let archive = pack(&[
            ("top/", EntryType::Directory, b""),
            ("top/Chart.yaml", EntryType::Regular, b"\xEF\xBB\xBFname: x"),
            ("other\\sub\\a.txt", EntryType::Regular, b"a"),
        ]);
        let files = read_all(&archive, Limits::default()).expect("the archive is sound");
        let names: Vec<_> = files.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["Chart.yaml", "sub/a.txt"]);
        assert_eq!(&files[0].data[..], b"name: x");
    }

    #[test]
    fn hostile_archives_are_refused() {
        let cases: [(&str, EntryType, &str); 8] = [
            (
                "top/../../etc/passwd",
                EntryType::Regular,
                "parent directory",
            ),
            ("top//etc/passwd", EntryType::Regular, "absolute paths"),
            ("top/c:/x", EntryType::Regular, "illegally named"),
            (
                "Chart.yaml",
                EntryType::Regular,
                "outside the base directory",
            ),
            ("file", EntryType::Regular, "outside the base directory"),
            ("top/link", EntryType::Symlink, "a link or a device"),
            ("top/link", EntryType::Link, "a link or a device"),
            ("top/pipe", EntryType::Fifo, "a link or a device"),
        ];
        for (name, kind, expected) in cases {
            let error = read_all(&pack(&[(name, kind, b"")]), Limits::default())
                .expect_err("the archive is hostile");
            assert!(error.contains(expected), "{name}: {error}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let big = vec![0; 4096];
        let archive = pack(&[
            ("t/a", EntryType::Regular, &big),
            ("t/b", EntryType::Regular, &big),
        ]);
        let limits = |total, file, entries| Limits {
            total,
            file,
            entries,
            depth: 8,
        };
        let error = read_all(&archive, limits(6000, 5000, 10)).expect_err("8192 bytes of 6000");
        assert!(error.contains("maximum size 6000"), "{error}");
        let error = read_all(&archive, limits(60_000, 4000, 10)).expect_err("4096 bytes of 4000");
        assert!(error.contains("maximum file size 4000"), "{error}");
        let error = read_all(&archive, limits(60_000, 5000, 1)).expect_err("two entries of one");
        assert!(error.contains("more than 1 entries"), "{error}");
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        assert!(read_all(b"name: x", Limits::default()).is_err());
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(b"not a tar at all")
            .expect("memory takes everything");
        let bytes = gzip.finish().expect("memory takes everything");
        assert!(read_all(&bytes, Limits::default()).is_err());
        assert!(read_all(&pack(&[]), Limits::default()).is_err());
    }

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, expected) in [
            ("", "."),
            ("a//b/./c", "a/b/c"),
            ("a/../..", ".."),
            ("/..", "/"),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }
}
