//! The files of a chart as one sequence of bytes, whose SHA-256 is the chart's digest: for caches.

use bytes::Bytes;

use super::File;

/// Name and content of each file, in the order of names, each after its length in eight bytes.
pub(crate) fn write(files: &[File]) -> Vec<u8> {
    let mut sorted: Vec<&File> = files.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut bytes = Vec::new();
    for file in sorted {
        for part in [file.name.as_bytes(), &file.data] {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part);
        }
    }
    bytes
}

/// The files again; `None` for bytes that are none.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<File>> {
    let mut rest = bytes;
    let mut files = Vec::new();
    while !rest.is_empty() {
        let name = String::from_utf8(part(&mut rest)?.to_vec()).ok()?;
        let data = Bytes::copy_from_slice(part(&mut rest)?);
        files.push(File { name, data });
    }
    Some(files)
}

fn part<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, after) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
    let (part, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(part)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::chart::Chart;

    #[test]
    fn files_come_back_and_the_digest_is_the_charts() {
        let files = vec![
            File::new("templates/a.yaml", "a: 1\n"),
            File::new("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
            File::new("templates.txt", ""),
        ];
        let bytes = write(&files);
        let chart = Chart::from_files(files).expect("a chart");
        assert_eq!(hex::encode(Sha256::digest(&bytes)), chart.digest());
        let again = Chart::from_files(read(&bytes).expect("files")).expect("a chart");
        assert_eq!(again.digest(), chart.digest());
        for end in 1..bytes.len() {
            // Cut between files is a shorter list, never a panic.
            let _ = read(&bytes[..end]);
        }
        assert!(read(&[0xff; 9]).is_none());
    }
}
