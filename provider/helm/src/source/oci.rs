//! Charts in OCI registries: tags, manifests, blobs, tokens. The general OCI client brings its own
//! HTTP client, which knows neither our trust roots nor our proxy, and needs little to replace.

mod session;

use std::fmt::Write as _;

use reqwest::header::{HeaderMap, LINK};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::cache::Cache;
use super::http::Http;
use super::provenance::MAX_PROVENANCE;
use super::repository::MAX_ARCHIVE;
use super::sums::check;
use super::versions::{choose, newest};
use super::{Credentials, Error, Provenance, Pulled, Request, Verify};
use session::Session;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONTENT: [&str; 2] = [
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    "application/tar+gzip",
];
/// The layer of the signature.
const PROVENANCE: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";
/// Manifests and tag lists are small.
const MAX_JSON: usize = 8 << 20;
/// Pages of tags.
const PAGES: usize = 200;

/// The registry's address; plain HTTP for this machine only.
pub(super) fn base(oci: &Url) -> Result<Url, Error> {
    let host = oci
        .host_str()
        .ok_or_else(|| Error::Request(format!("{oci} has no host")))?;
    let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let scheme = if local { "http" } else { "https" };
    let host = if host == "docker.io" {
        "registry-1.docker.io"
    } else {
        host
    };
    let mut text = format!("{scheme}://{host}");
    if let Some(port) = oci.port() {
        let _ = write!(text, ":{port}");
    }
    Url::parse(&text).map_err(|error| Error::Request(format!("{oci}: {error}")))
}

pub(super) struct Registry<'a> {
    http: &'a Http,
    base: Url,
    name: String,
    /// A digest that the reference itself pins, `sha256:...`.
    pinned: Option<String>,
    tag: Option<String>,
    credentials: Option<&'a Credentials>,
}

impl<'a> Registry<'a> {
    /// `name` may end in `:tag` and `@sha256:...`.
    pub(super) fn new(
        http: &'a Http,
        base: Url,
        name: String,
        credentials: Option<&'a Credentials>,
    ) -> Self {
        let (name, pinned) = match name.split_once('@') {
            Some((name, digest)) => (name.to_owned(), Some(digest.to_owned())),
            None => (name, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((before, tag)) if !tag.contains('/') => (before.to_owned(), Some(tag.to_owned())),
            _ => (name, None),
        };
        Self {
            http,
            base,
            name,
            pinned,
            tag,
            credentials,
        }
    }

    /// Fetches the archive; returns it and where it came from.
    pub(super) async fn pull(
        &self,
        request: &Request,
        cache: &Cache,
        cancel: &CancellationToken,
    ) -> Result<Pulled, Error> {
        let mut session = Session::new(self);
        let reference = match (&self.pinned, &self.tag) {
            (Some(digest), _) => digest.clone(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => self.choose(&mut session, request, cancel).await?,
        };
        let answer = session
            .get(
                &format!("manifests/{reference}"),
                MANIFEST,
                MAX_JSON,
                cancel,
            )
            .await?;
        let url = answer.url.to_string();
        let body = answer.success()?;
        if self.pinned.is_some() {
            check(&body, self.pinned.as_deref(), "the reference", &url)?;
        }
        let broken = |reason: &str| Error::Answer {
            url: url.clone(),
            reason: reason.to_owned(),
        };
        let manifest: Value =
            serde_json::from_slice(&body).map_err(|_| broken("its manifest is no JSON"))?;
        let layer = manifest["layers"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|layer| CONTENT.iter().any(|kind| layer["mediaType"] == *kind))
            .ok_or_else(|| broken("it is no chart: its manifest has no chart layer"))?;
        let digest = layer["digest"]
            .as_str()
            .filter(|digest| digest.starts_with("sha256:"))
            .ok_or_else(|| broken("its chart layer has no sha256 digest"))?;
        let origin = format!("oci://{}/{}:{reference}", self.base.authority(), self.name);
        let bytes = match cache.archive(digest) {
            Some(bytes) => bytes,
            None => session.blob(digest, MAX_ARCHIVE, &origin, cancel).await?,
        };
        let signed = manifest["layers"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|layer| layer["mediaType"] == PROVENANCE)
            .and_then(|layer| layer["digest"].as_str())
            .filter(|digest| digest.starts_with("sha256:"));
        let provenance = match signed {
            Some(digest) if request.verify != Verify::Never => Provenance::Text(
                session
                    .blob(digest, MAX_PROVENANCE, &origin, cancel)
                    .await?,
            ),
            _ => Provenance::Missing(format!("{origin}.prov")),
        };
        Ok(Pulled {
            bytes,
            file_name: self.file_name(&manifest, &reference),
            origin,
            provenance,
        })
    }

    /// The name under which the archive must be signed: of what was asked for, so that a registry cannot
    /// answer with another chart of the same signer. A digest names no version, and needs no such care.
    fn file_name(&self, manifest: &Value, reference: &str) -> String {
        let name = self.name.rsplit('/').next().unwrap_or(&self.name);
        let version = match self.pinned {
            Some(_) => manifest["annotations"]["org.opencontainers.image.version"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            None => reference.replace('_', "+"),
        };
        format!("{name}-{version}.tgz")
    }

    /// The tag to take. A version without wildcards is asked for directly: many registries hold
    /// thousands of tags.
    async fn choose(
        &self,
        session: &mut Session<'_, 'a>,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<String, Error> {
        if let Some(version) = request.version.as_deref().map(str::trim)
            && version.split('.').count() >= 3
            && !version.contains(['*', ' ', ',', '|', '<', '>', '=', '~', '^', 'x', 'X'])
        {
            return Ok(version.replace('+', "_"));
        }
        let tags = self.tags(session, cancel).await?;
        // A `+` of a version is written `_` in a tag.
        let versions: Vec<String> = tags.iter().map(|tag| tag.replace('_', "+")).collect();
        let versions = || versions.iter().map(String::as_str);
        choose(versions(), request.version.as_deref(), request.devel)
            .map(|version| version.replace('+', "_"))
            .ok_or_else(|| Error::NoVersion {
                chart: self.name.clone(),
                wanted: request
                    .version
                    .clone()
                    .unwrap_or_else(|| "any stable version".into()),
                repository: format!("oci://{}", self.base.authority()),
                newest: newest(versions()),
            })
    }

    async fn tags(
        &self,
        session: &mut Session<'_, 'a>,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, Error> {
        let mut all = Vec::new();
        let mut query = "tags/list?n=1000".to_owned();
        for _ in 0..PAGES {
            let answer = session.get(&query, "", MAX_JSON, cancel).await?;
            let next = next_page(&answer.headers);
            let url = answer.url.to_string();
            let page: Value =
                serde_json::from_slice(&answer.success()?).map_err(|_| Error::Answer {
                    url,
                    reason: "its list of tags is no JSON".into(),
                })?;
            let tags = page["tags"].as_array().into_iter().flatten();
            all.extend(tags.filter_map(Value::as_str).map(str::to_owned));
            match next {
                Some(parameters) => query = format!("tags/list?{parameters}"),
                None => break,
            }
        }
        Ok(all)
    }
}

/// The query of `Link: </v2/...?last=x>; rel="next"`: only that, so that a registry cannot send us
/// to another host.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let (address, rest) = link.trim_start().strip_prefix('<')?.split_once('>')?;
    let next = rest.contains("rel=\"next\"") || rest.contains("rel=next");
    let (_, query) = address.split_once('?')?;
    next.then(|| query.to_owned())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn only_the_query_of_the_next_page_counts() {
        let mut headers = HeaderMap::new();
        let link = "<https://evil/v2/x/tags/list?last=b&n=9>; rel=\"next\"";
        headers.insert(LINK, HeaderValue::from_static(link));
        assert_eq!(next_page(&headers).as_deref(), Some("last=b&n=9"));
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        let scheme = |text: &str| {
            let url = base(&Url::parse(text).expect("an address")).expect("a host");
            url.scheme().to_owned()
        };
        assert_eq!(scheme("oci://ghcr.io/x"), "https");
        assert_eq!(scheme("oci://127.0.0.1:5000/x"), "http");
    }
}
