//! Where people and nodes find the Kubernetes API, and who stands behind that address (product reference, NET-04).

use std::fmt;
use std::net::Ipv4Addr;

use super::NodeNetwork;
use crate::text_enum::{serde_as_text, text_enum};
use crate::{API_PORT, Checked, Path, Problem};

text_enum! {
    /// Who stands behind the endpoint of the API.
    ApiStrategy, "strategy of the API" {
        /// The control planes share the virtual address of the plan on layer 2.
        Vip = "vip",
        /// A load balancer or DNS that somebody else keeps; no machine takes the virtual address.
        External = "external",
    }
}

/// The URL of the API: `https://host:port`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiEndpoint {
    host: String,
    port: u16,
}

impl ApiEndpoint {
    /// The virtual address of a plan.
    pub fn of_vip(vip: Ipv4Addr) -> Self {
        Self {
            host: vip.to_string(),
            port: API_PORT,
        }
    }

    /// Reads `https://host:port`, the host a DNS name or an IPv4 address.
    pub fn parse(text: &str) -> Checked<Self> {
        let parts = text.strip_prefix("https://").and_then(|rest| {
            let (host, port) = rest.rsplit_once(':')?;
            let port = port.parse().ok().filter(|port| *port > 0)?;
            is_host(host).then(|| Self {
                host: host.to_owned(),
                port,
            })
        });
        // One way to write it: what is echoed is what was written.
        parts
            .filter(|endpoint| endpoint.to_string() == text)
            .ok_or_else(|| {
                Box::new(
                    Problem::error(Path::root(), "not the URL of an API")
                        .seen(format!("{text:?}"))
                        .allowed(
                            "https://, a lower-case DNS name or an IPv4 address, a colon and the port, nothing after it",
                        )
                        .next("Write for example \"https://api.example.com:6443\"."),
                )
            })
    }

    /// The DNS name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address, when the host is one.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.host.parse().ok()
    }
}

fn is_host(text: &str) -> bool {
    if text.parse::<Ipv4Addr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    // Digits and dots alone are a mistyped address.
    text.len() <= 253
        && text.split('.').all(label)
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
}

impl fmt::Display for ApiEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}:{}", self.host, self.port)
    }
}

serde_as_text!(ApiEndpoint, ApiEndpoint::parse);

/// Whether strategy and endpoint agree; `network` is the cluster's own range.
pub(crate) fn check_api(
    strategy: ApiStrategy,
    endpoint: Option<&ApiEndpoint>,
    network: NodeNetwork,
) -> Option<Problem> {
    let place = || Path::of("api.endpoint");
    let vip = network.at(0, 20);
    match (strategy, endpoint) {
        (ApiStrategy::Vip, None) => None,
        (ApiStrategy::Vip, Some(endpoint)) => {
            let other = endpoint.address().is_some_and(|address| address != vip);
            (other || endpoint.port() != API_PORT).then(|| {
                Problem::error(place(), "endpoint is not the virtual address")
                    .seen(format!("{endpoint} with strategy \"vip\""))
                    .allowed(format!(
                        "https://{vip}:{API_PORT}, or a DNS name that leads there with port {API_PORT}"
                    ))
                    .next("Remove the endpoint for the default, or set strategy = \"external\".")
            })
        }
        (ApiStrategy::External, None) => Some(
            Problem::error(place(), "strategy \"external\" needs an endpoint")
                .seen("no endpoint")
                .allowed("the URL of a load balancer or DNS name in front of the control planes")
                .next("Write for example endpoint = \"https://api.example.com:6443\"."),
        ),
        (ApiStrategy::External, Some(endpoint)) if endpoint.address() == Some(vip) => Some(
            Problem::error(place(), "nobody has this address")
                .seen(format!(
                    "{endpoint}, the virtual address, with strategy \"external\""
                ))
                .allowed("an address outside the plan, or a DNS name")
                .next("Set strategy = \"vip\", or name the load balancer."),
        ),
        (ApiStrategy::External, Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_in_one_way_only() {
        for good in [
            "https://10.20.0.20:6443",
            "https://api.example.com:443",
            "https://alpha:6443",
        ] {
            let read = ApiEndpoint::parse(good).expect("good");
            assert_eq!(read.to_string(), good);
        }
        for bad in [
            "",
            "10.20.0.20",
            "http://api.example.com:6443",
            "https://api.example.com",
            "https://api.example.com:6443/",
            "https://API.example.com:6443",
            "https://api..com:6443",
            "https://10.20.0.256:6443",
            "https://api.example.com:0",
            "https://api.example.com:06443",
            "https://u@api.example.com:6443",
        ] {
            assert!(ApiEndpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn strategy_and_endpoint_agree() {
        let network = NodeNetwork::parse("10.20.0.0/22").expect("a /22");
        let fits = |strategy, endpoint: Option<&str>| {
            let endpoint = endpoint.map(|text| ApiEndpoint::parse(text).expect("good"));
            check_api(strategy, endpoint.as_ref(), network).is_none()
        };
        use ApiStrategy::{External, Vip};
        assert!(fits(Vip, None));
        assert!(fits(Vip, Some("https://10.20.0.20:6443")));
        assert!(fits(Vip, Some("https://api.example.com:6443")));
        assert!(!fits(Vip, Some("https://10.20.0.21:6443")));
        assert!(!fits(Vip, Some("https://api.example.com:443")));
        assert!(fits(External, Some("https://api.example.com:443")));
        assert!(fits(External, Some("https://10.20.0.21:6443")));
        assert!(!fits(External, Some("https://10.20.0.20:6443")));
        assert!(!fits(External, None));
    }
}
