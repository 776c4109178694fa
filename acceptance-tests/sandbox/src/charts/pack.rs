//! Charts packed from folders.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::running::{StartError, own_charts};

/// The annotation of `Chart.yaml` that names the repositories a chart is served for, separated by spaces.
const ANNOTATION: &str = "managedk8s.dev/repository";

/// All charts, ready to be served.
#[derive(Debug, Default)]
pub struct Repository {
    files: BTreeMap<String, (&'static str, Bytes)>,
    blobs: BTreeMap<String, Bytes>,
    /// Name to tag to digest of the manifest.
    names: BTreeMap<String, BTreeMap<String, String>>,
}

struct Chart {
    head: Value,
    archive: Bytes,
}

impl Repository {
    /// Packs every folder with a `Chart.yaml`.
    pub fn load(folder: Option<&Path>) -> Result<Self, StartError> {
        let folder = folder.map_or_else(own_charts, Path::to_path_buf);
        Self::pack(&folder).map_err(|source| StartError::Charts {
            path: folder,
            source,
        })
    }

    fn pack(folder: &Path) -> io::Result<Self> {
        let mut repository = Self::default();
        let mut folders: Vec<PathBuf> = match std::fs::read_dir(folder) {
            Ok(entries) => entries
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
                .collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        folders.retain(|folder| folder.join("Chart.yaml").is_file());
        folders.sort();
        let mut indexes: BTreeMap<String, BTreeMap<String, Vec<Value>>> = BTreeMap::new();
        for folder in folders {
            let chart = read(&folder)?;
            let name = chart.head["name"].as_str().unwrap_or_default().to_owned();
            let version = chart.head["version"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let targets = chart.head["annotations"][ANNOTATION]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            for target in targets.split_ascii_whitespace() {
                if let Some(path) = target.strip_prefix("oci://") {
                    repository.add_image(
                        &format!("{}/{name}", path.trim_end_matches('/')),
                        &version,
                        &chart,
                    );
                    continue;
                }
                let path = target
                    .split_once("://")
                    .map_or(target, |(_, path)| path)
                    .trim_end_matches('/')
                    .to_owned();
                let file = format!("{name}-{version}.tgz");
                let mut entry = chart.head.clone();
                entry["urls"] = json!([file]);
                entry["digest"] = json!(hex::encode(Sha256::digest(&chart.archive)));
                entry["created"] = json!("2026-08-01T00:00:00Z");
                indexes
                    .entry(path.clone())
                    .or_default()
                    .entry(name.clone())
                    .or_default()
                    .push(entry);
                repository.files.insert(
                    format!("{path}/{file}"),
                    ("application/gzip", chart.archive.clone()),
                );
            }
        }
        for (path, entries) in indexes {
            // JSON is YAML.
            let index = json!({"apiVersion": "v1", "entries": entries, "generated": "2026-08-01T00:00:00Z"});
            repository.files.insert(
                format!("{path}/index.yaml"),
                ("application/yaml", index.to_string().into()),
            );
        }
        Ok(repository)
    }

    fn add_image(&mut self, name: &str, version: &str, chart: &Chart) {
        let config = Bytes::from(chart.head.to_string());
        let (config_digest, layer_digest) = (self.add_blob(&config), self.add_blob(&chart.archive));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.cncf.helm.config.v1+json",
                "digest": config_digest, "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                "digest": layer_digest, "size": chart.archive.len(),
            }],
        });
        let digest = self.add_blob(&Bytes::from(manifest.to_string()));
        // A plus sign cannot be in a tag.
        self.names
            .entry(name.to_owned())
            .or_default()
            .insert(version.replace('+', "_"), digest);
    }

    /// Keeps a file that was uploaded.
    pub fn put_file(&mut self, path: &str, bytes: Bytes) {
        self.files
            .insert(path.to_owned(), ("application/octet-stream", bytes));
    }

    /// Keeps a manifest that was pushed, under its digest and its tag; answers the digest.
    pub fn put_manifest(&mut self, name: &str, reference: &str, bytes: &Bytes) -> String {
        let digest = self.add_blob(bytes);
        self.names
            .entry(name.to_owned())
            .or_default()
            .insert(reference.to_owned(), digest.clone());
        digest
    }

    /// Keeps a blob; answers its digest.
    pub fn add_blob(&mut self, bytes: &Bytes) -> String {
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
        self.blobs.insert(digest.clone(), bytes.clone());
        digest
    }

    /// A file of the HTTP repositories.
    pub fn file(&self, path: &str) -> Option<(&'static str, Bytes)> {
        self.files.get(path).cloned()
    }

    /// The tags of a name of the registry.
    pub fn tags(&self, name: &str) -> Option<(&'static str, Bytes)> {
        let tags: Vec<&String> = self.names.get(name)?.keys().collect();
        Some((
            "application/json",
            json!({"name": name, "tags": tags}).to_string().into(),
        ))
    }

    /// A manifest by tag or digest, with its digest.
    pub fn manifest(&self, name: &str, reference: &str) -> Option<(String, Bytes)> {
        let tags = self.names.get(name)?;
        let digest = tags
            .get(reference)
            .or_else(|| tags.values().find(|digest| *digest == reference))?;
        Some((digest.clone(), self.blobs.get(digest)?.clone()))
    }

    /// A blob by digest.
    pub fn blob(&self, digest: &str) -> Option<(&'static str, Bytes)> {
        Some(("application/octet-stream", self.blobs.get(digest)?.clone()))
    }
}

fn read(folder: &Path) -> io::Result<Chart> {
    let text = std::fs::read_to_string(folder.join("Chart.yaml"))?;
    let invalid = |why: String| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{}: {why}", folder.display()),
        )
    };
    let head = crate::yaml::documents(&text)
        .map_err(|error| invalid(error.to_string()))?
        .into_iter()
        .next()
        .ok_or_else(|| invalid("Chart.yaml is empty".into()))?;
    let name = head["name"]
        .as_str()
        .ok_or_else(|| invalid("Chart.yaml has no name".into()))?
        .to_owned();
    let mut files = Vec::new();
    collect(folder, folder, &mut files)?;
    files.sort();
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for path in files {
        let bytes = std::fs::read(folder.join(&path))?;
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1_785_542_400);
        archive.append_data(
            &mut header,
            format!("{name}/{}", path.to_string_lossy()),
            bytes.as_slice(),
        )?;
    }
    let archive = archive.into_inner()?.finish()?;
    Ok(Chart {
        head,
        archive: archive.into(),
    })
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Ok(relative) = path.strip_prefix(root) {
            files.push(relative.to_path_buf());
        }
    }
    Ok(())
}
