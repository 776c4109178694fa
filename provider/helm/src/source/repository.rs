//! Reading from repositories and registries: indexes, archives, and the signatures beside them.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use url::Url;

use super::index::Entries;
use super::provenance::MAX_PROVENANCE;
use super::sums::check;
use super::{Error, Fetcher, Provenance, Pulled, Request, Verify, oci};

/// The most bytes of a chart archive.
pub(super) const MAX_ARCHIVE: usize = 100 << 20;
/// The most bytes of a repository's index.
const MAX_INDEX: usize = 256 << 20;

impl Fetcher {
    /// The archive with its provenance, when that is asked for.
    pub(super) async fn pulled(
        &self,
        bytes: Vec<u8>,
        url: &Url,
        home: &Url,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Pulled, Error> {
        let mut beside = url.clone();
        beside.set_path(&format!("{}.prov", url.path()));
        let provenance = match request.verify {
            Verify::Never => Provenance::Missing(String::new()),
            _ => match self
                .get(&beside, home, request, MAX_PROVENANCE, cancel)
                .await
            {
                Ok(text) => Provenance::Text(Arc::unwrap_or_clone(text)),
                Err(Error::Status { status: 404, .. }) => Provenance::Missing(beside.to_string()),
                Err(error) => return Err(error),
            },
        };
        let file_name = url.path().rsplit('/').next().unwrap_or_default();
        Ok(Pulled {
            bytes,
            origin: url.to_string(),
            file_name: file_name.to_owned(),
            provenance,
        })
    }

    pub(super) fn registry<'a>(
        &'a self,
        url: &Url,
        name: &str,
        request: &'a Request,
    ) -> Result<oci::Registry<'a>, Error> {
        let (base, name) = match &self.mirror {
            Some(mirror) => mirror.registry(url, name)?,
            None => (oci::base(url)?, name.to_owned()),
        };
        // Credentials are for the registry that was named, not for the mirror.
        let credentials = request.credentials.as_deref();
        let credentials = credentials.filter(|_| self.mirror.is_none());
        Ok(oci::Registry::new(&self.http, base, name, credentials))
    }

    pub(super) async fn repository(
        &self,
        url: &Url,
        chart: &str,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Pulled, Error> {
        let index = append(url, "index.yaml");
        let text = self
            .indexes
            .get(
                index.to_string(),
                self.get(&index, url, request, MAX_INDEX, cancel),
            )
            .await?;
        let entries = Entries::of(&text, chart, url.as_str())?;
        let entry = entries.choose(request.version.as_deref(), request.devel)?;
        let mut failure = None;
        for link in &entry.urls {
            let archive = append_link(url, link)?;
            if let Some(digest) = &entry.digest
                && let Some(bytes) = self.cache.archive(digest)
            {
                return self.pulled(bytes, &archive, url, request, cancel).await;
            }
            match self.archive(&archive, url, request, cancel).await {
                Ok(bytes) => {
                    check(
                        &bytes,
                        entry.digest.as_deref(),
                        "the index",
                        archive.as_str(),
                    )?;
                    return self.pulled(bytes, &archive, url, request, cancel).await;
                }
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| Error::Answer {
            url: index.to_string(),
            reason: format!("chart {chart:?} has no download address"),
        }))
    }

    pub(super) async fn archive(
        &self,
        url: &Url,
        home: &Url,
        request: &Request,
        cancel: &CancellationToken,
    ) -> Result<Vec<u8>, Error> {
        let bytes = self.get(url, home, request, MAX_ARCHIVE, cancel).await?;
        Ok(Arc::unwrap_or_clone(bytes))
    }

    /// Reads `url`; credentials go along when it is on the host of `home` and no mirror is between.
    async fn get(
        &self,
        url: &Url,
        home: &Url,
        request: &Request,
        limit: usize,
        cancel: &CancellationToken,
    ) -> Result<Arc<Vec<u8>>, Error> {
        let credentials = request.credentials.as_deref();
        let credentials =
            credentials.filter(|_| self.mirror.is_none() && url.origin() == home.origin());
        let target = match &self.mirror {
            Some(mirror) => mirror.map(url)?,
            None => url.clone(),
        };
        self.http
            .read(&target, credentials, limit, cancel)
            .await
            .map(Arc::new)
    }
}

/// `base/name`, whether the base ends in a slash or not; its query stays.
pub(super) fn append(base: &Url, name: &str) -> Url {
    let mut url = base.clone();
    let path = format!("{}/{name}", base.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

/// A link of an index: absolute, or relative to the repository.
fn append_link(base: &Url, link: &str) -> Result<Url, Error> {
    let broken = |error: url::ParseError| Error::Answer {
        url: base.to_string(),
        reason: format!("the index links to {link:?}: {error}"),
    };
    if let Ok(url) = Url::parse(link) {
        return match url.scheme() {
            "http" | "https" => Ok(url),
            other => Err(Error::Answer {
                url: base.to_string(),
                reason: format!("the index links to {link:?}: scheme {other:?} is not supported"),
            }),
        };
    }
    let mut folder = append(base, "");
    folder.set_query(None);
    let mut url = folder.join(link).map_err(broken)?;
    if url.query().is_none() {
        url.set_query(base.query());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_to_the_repository_and_keep_its_query() {
        let base = Url::parse("https://h/charts?token=x").expect("an address");
        for (link, expected) in [
            ("a.tgz", "https://h/charts/a.tgz?token=x"),
            ("sub/a.tgz?y=1", "https://h/charts/sub/a.tgz?y=1"),
            ("/a.tgz", "https://h/a.tgz?token=x"),
            ("https://o/a.tgz", "https://o/a.tgz"),
        ] {
            assert_eq!(append_link(&base, link).expect("a link").as_str(), expected);
        }
        assert!(append_link(&base, "file:///etc/passwd").is_err());
    }
}
