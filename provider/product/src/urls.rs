//! Names under which a cluster is reached (product reference, 4.3).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::{Checked, Identifier, NetworkPlan, Path, Problem};

/// The public zone used when the configuration names none (DNS-01).
pub const PUBLIC_ZONE: &str = "mk.ms-cloud-temple.com";
/// Port of the Kubernetes API.
pub const API_PORT: u16 = 6443;

/// Consoles reached from the Internet through the filtered address: key, host label, path.
const SECURED: &[(&str, &str, &str)] = &[
    ("grafana", "grafana", ""),
    ("harbor", "harbor", ""),
    ("kasten", "k10", "/k10/"),
    ("opencost", "opencost", ""),
    ("opencost_mcp", "opencost-mcp", ""),
];
/// Consoles reached from the private network only.
const INTERNAL: &[&str] = &["argocd", "ceph", "hubble"];

/// A DNS zone, lower case, without a final dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicZone(String);

impl PublicZone {
    /// Reads `mk.ms-cloud-temple.com`.
    pub fn parse(text: &str) -> Checked<Self> {
        let label = |label: &str| {
            let bytes = label.as_bytes();
            (1..=63).contains(&bytes.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && bytes
                    .iter()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        };
        if text.len() <= 190 && text.split('.').count() > 1 && text.split('.').all(label) {
            return Ok(Self(text.to_owned()));
        }
        Err(Box::new(
            Problem::error(Path::root(), "not a DNS zone")
                .seen(format!("{text:?}"))
                .allowed("two or more lower-case labels with dots between, at most 190 characters")
                .next(format!("Write for example {PUBLIC_ZONE:?}.")),
        ))
    }

    /// The zone as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PublicZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

crate::text_enum::serde_as_text!(PublicZone, PublicZone::parse);

/// The DNS name of the API, `<id>.<zone>`.
pub fn api_name(identifier: &Identifier, zone: &PublicZone) -> String {
    format!("{identifier}.{zone}")
}

/// The function `cluster_urls`: every URL and suffix by key. `internal_tls` makes the internal consoles https.
pub fn cluster_urls(
    identifier: &Identifier,
    zone: &PublicZone,
    internal_tls: bool,
) -> BTreeMap<&'static str, String> {
    let base = api_name(identifier, zone);
    let scheme = if internal_tls { "https" } else { "http" };
    let mut urls = BTreeMap::from([
        ("api", format!("https://{base}:{API_PORT}")),
        ("external_suffix", format!("external.{base}")),
        (
            "external_secured_suffix",
            format!("external-secured.{base}"),
        ),
        ("internal_suffix", format!("internal.{base}")),
    ]);
    for (key, host, path) in SECURED {
        urls.insert(key, format!("https://{host}.external-secured.{base}{path}"));
    }
    for host in INTERNAL {
        urls.insert(host, format!("{scheme}://{host}.internal.{base}"));
    }
    urls
}

/// The records of a private zone on the customer's side (DNS-11): name to address. `api` is where the API's own name
/// leads, when that is an address.
pub fn private_dns_records(
    identifier: &Identifier,
    zone: &PublicZone,
    plan: &NetworkPlan,
    api: Option<Ipv4Addr>,
) -> BTreeMap<String, String> {
    let base = api_name(identifier, zone);
    let mut records = BTreeMap::new();
    records.extend(api.map(|address| (base.clone(), address.to_string())));
    for host in INTERNAL {
        records.insert(
            format!("{host}.internal.{base}"),
            plan.ingress_internal().to_string(),
        );
    }
    for (_, host, _) in SECURED {
        records.insert(
            format!("{host}.external-secured.{base}"),
            plan.ingress_external_secured().to_string(),
        );
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_the_reference() {
        let identifier = Identifier::parse_free("alpha").expect("a label");
        let zone = PublicZone::parse(PUBLIC_ZONE).expect("a zone");
        let urls = cluster_urls(&identifier, &zone, false);
        assert_eq!(urls["api"], "https://alpha.mk.ms-cloud-temple.com:6443");
        assert_eq!(
            urls["kasten"],
            "https://k10.external-secured.alpha.mk.ms-cloud-temple.com/k10/"
        );
        assert_eq!(
            urls["hubble"],
            "http://hubble.internal.alpha.mk.ms-cloud-temple.com"
        );
        for bad in ["", "com", "A.com", "a..com", "-a.com", "a.com."] {
            assert!(PublicZone::parse(bad).is_err(), "{bad}");
        }
    }
}
