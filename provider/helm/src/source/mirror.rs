//! The mirror: one host that stands for all repositories.

use url::Url;

use super::Error;

#[derive(Clone)]
pub(super) struct Mirror(Url);

impl Mirror {
    pub(super) fn parse(base: &str) -> Result<Self, Error> {
        let url = Url::parse(base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
        url.map(Self).ok_or_else(|| {
            Error::Request(format!(
                "the chart mirror {base:?} is no http:// or https:// address"
            ))
        })
    }

    /// `https://host:port/path?query` becomes `base/host:port/path?query`.
    pub(super) fn map(&self, url: &Url) -> Result<Url, Error> {
        let mut mapped = self.0.clone();
        let base = self.0.path().trim_end_matches('/');
        mapped.set_path(&format!("{base}/{}{}", authority(url)?, url.path()));
        mapped.set_query(url.query());
        Ok(mapped)
    }

    /// The registry and the name in it of `oci://host/name`.
    pub(super) fn registry(&self, url: &Url, name: &str) -> Result<(Url, String), Error> {
        let prefix = self.0.path().trim_matches('/');
        let mut name = format!("{}/{name}", authority(url)?);
        if !prefix.is_empty() {
            name = format!("{prefix}/{name}");
        }
        let mut base = self.0.clone();
        base.set_path("/");
        Ok((base, name))
    }
}

fn authority(url: &Url) -> Result<String, Error> {
    let host = url
        .host_str()
        .ok_or_else(|| Error::Request(format!("{url} has no host")))?;
    Ok(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_becomes_a_folder_of_the_mirror() {
        let mirror = Mirror::parse("http://127.0.0.1:5000/charts/").expect("a mirror");
        let url = Url::parse("https://example.com/x/index.yaml?a=b").expect("an address");
        assert_eq!(
            mirror.map(&url).expect("a host").as_str(),
            "http://127.0.0.1:5000/charts/example.com/x/index.yaml?a=b"
        );
        let oci = Url::parse("oci://ghcr.io/org/chart").expect("an address");
        let (base, name) = mirror.registry(&oci, "org/chart").expect("a host");
        assert_eq!(
            (base.as_str(), &*name),
            ("http://127.0.0.1:5000/", "charts/ghcr.io/org/chart")
        );
        assert!(Mirror::parse("oci://x").is_err());
    }
}
