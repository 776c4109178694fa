//! What a request names: an archive, a chart of a repository or of a registry, a path.

use std::path::Path;

use url::Url;

use super::repository::append;
use super::{Error, Request};

/// What a request names.
pub(super) enum Place {
    Archive(Url),
    Repository { url: Url, chart: String },
    Oci { url: Url, name: String },
}

impl Place {
    pub(super) fn of(request: &Request) -> Result<Self, Error> {
        let parse = |text: &str| {
            let url = Url::parse(text)
                .map_err(|error| Error::Request(format!("{text:?} is no address: {error}")))?;
            if !url.username().is_empty() || url.password().is_some() {
                let text = "credentials do not belong into an address: they would show in state and logs; give them separately";
                return Err(Error::Request(text.to_owned()));
            }
            Ok(url)
        };
        let oci = |text: &str| {
            let url = parse(text)?;
            let name = url.path().trim_matches('/').to_owned();
            if name.is_empty() {
                return Err(Error::Request(format!("{text:?} names no chart")));
            }
            Ok(Self::Oci { url, name })
        };
        let chart = &request.chart;
        if chart.starts_with("oci://") {
            return oci(chart);
        }
        if chart.starts_with("https://") || chart.starts_with("http://") {
            return parse(chart).map(Self::Archive);
        }
        match request.repository.as_deref() {
            Some(repository) if repository.starts_with("oci://") => {
                oci(&format!("{}/{chart}", repository.trim_end_matches('/')))
            }
            Some(repository)
                if repository.starts_with("https://") || repository.starts_with("http://") =>
            {
                Ok(Self::Repository {
                    url: parse(repository)?,
                    chart: chart.clone(),
                })
            }
            Some(other) => Err(Error::Request(format!(
                "repository {other:?} is neither https:// nor oci://"
            ))),
            None => Err(Error::Request(format!(
                "chart {chart:?} is no path, no address, and no repository is given"
            ))),
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Archive(url) => url.to_string(),
            Self::Repository { url, chart } => append(url, chart).to_string(),
            Self::Oci { url, .. } => url.to_string(),
        }
    }
}

/// Paths look like paths: a bare name is a chart of a repository.
pub(super) fn local_path(request: &Request) -> Option<&Path> {
    let chart = &request.chart;
    let path = Path::new(chart);
    let looks =
        path.is_absolute() || chart.starts_with("./") || chart.starts_with("../") || chart == ".";
    (looks && request.repository.is_none()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_name_their_place() {
        let request = |chart: &str, repository: Option<&str>| Request {
            chart: chart.to_owned(),
            repository: repository.map(str::to_owned),
            ..Request::default()
        };
        let place = |chart: &str, repository: Option<&str>| {
            Place::of(&request(chart, repository)).map(|place| place.describe())
        };
        assert_eq!(
            place("x", Some("oci://h/p/")).expect("a place"),
            "oci://h/p/x"
        );
        assert_eq!(
            place("x", Some("https://h/p")).expect("a place"),
            "https://h/p/x"
        );
        assert!(place("x", None).is_err());
        assert!(place("x", Some("ftp://h")).is_err());
        let error = place("x", Some("https://user:hunter2@h/p")).expect_err("credentials");
        assert!(!error.to_string().contains("hunter2"));
        assert!(local_path(&request("./x", None)).is_some());
        assert!(local_path(&request("x", None)).is_none());
    }
}
