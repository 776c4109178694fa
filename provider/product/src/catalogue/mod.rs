//! The catalogue of add-ons: which chart, from where, which release, into which namespace, with which
//! values. Data, refreshed before each release of the provider; the values are functions of the
//! cluster's facts alone, never of what is seen in it.

mod facts;
mod foundation;
mod table;

use std::collections::BTreeSet;

use serde_json::Value;

pub use facts::{ClusterFacts, Hubble};
pub use table::CATALOGUE;

use crate::text_enum::text_enum;
use crate::{Checked, Minor, Offering, Path, Problem};

text_enum! {
    /// The level that Pod Security Admission enforces in a namespace (Kubernetes docs).
    PodSecurity, "pod security level" {
        /// Nothing is refused.
        Privileged = "privileged",
        /// Known escalations are refused: what Talos enforces by default.
        Baseline = "baseline",
        /// Hardened pods only.
        Restricted = "restricted",
    }
}

text_enum! {
    /// Whether an offering contains a component (product reference, 1.2).
    Inclusion, "inclusion" {
        /// Always there, cannot be switched off.
        Always = "always",
        /// There unless switched off.
        DefaultOn = "default_on",
        /// Installed on request.
        Optional = "optional",
        /// Not part of the offering.
        Absent = "absent",
    }
}

/// A component of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Component {
    /// The key, the default name of the release.
    pub name: &'static str,
    /// The chart's name in its repository.
    pub chart: &'static str,
    /// The repository: `https://` with an index, or `oci://`.
    pub repository: &'static str,
    /// The pinned version of the chart.
    pub version: &'static str,
    /// The namespace of the release.
    pub namespace: &'static str,
    /// What the namespace enforces; `None` for `kube-system`, which is exempt.
    pub pod_security: Option<PodSecurity>,
    /// Components that must be healthy before.
    pub needs: &'static [&'static str],
    /// Membership of the core offering.
    pub core: Inclusion,
    /// Membership of the complete offering.
    pub complete: Inclusion,
    /// First and last minor of Kubernetes the pinned version supports, where known.
    pub kubernetes: Option<(Minor, Minor)>,
    /// Minutes to wait for health.
    pub timeout_minutes: u32,
    /// Whether the product's values are written; if not, the chart's own defaults apply.
    pub curated: bool,
    /// The product's values for a cluster.
    pub values: fn(&ClusterFacts) -> Value,
    /// Objects applied once the release is healthy.
    pub objects: fn(&ClusterFacts) -> Vec<Value>,
}

impl Component {
    /// Membership of an offering.
    pub const fn inclusion(&self, offering: Offering) -> Inclusion {
        match offering {
            Offering::Core => self.core,
            Offering::Complete => self.complete,
        }
    }

    /// The labels of the component's namespace; empty for `kube-system`.
    pub fn namespace_labels(&self) -> Vec<(&'static str, &'static str)> {
        namespace_labels(self.pod_security)
    }
}

/// Pod Security labels of a namespace made by the provider.
pub fn namespace_labels(level: Option<PodSecurity>) -> Vec<(&'static str, &'static str)> {
    let Some(level) = level else {
        return Vec::new();
    };
    vec![
        ("pod-security.kubernetes.io/audit", level.as_str()),
        ("pod-security.kubernetes.io/enforce", level.as_str()),
        ("pod-security.kubernetes.io/warn", level.as_str()),
    ]
}

/// Names that users know from older documents, and what took their place (D-05, D-10, D-37).
const SUPERSEDED: &[(&str, &str)] = &[
    ("promtail", "alloy"),
    ("ingress-nginx", "nginx-ingress"),
    ("quay", "harbor"),
    ("kubecost", "opencost"),
];

/// The component of a name.
pub fn component(name: &str) -> Option<&'static Component> {
    CATALOGUE.iter().find(|component| component.name == name)
}

/// The component of a name, or the problem to show.
pub fn find_component(name: &str) -> Checked<&'static Component> {
    component(name).ok_or_else(|| {
        let names: Vec<&str> = CATALOGUE.iter().map(|component| component.name).collect();
        let next = match SUPERSEDED.iter().find(|(old, _)| *old == name) {
            Some((_, new)) => format!("Use {new:?}, which took its place."),
            None => "Choose a name of the catalogue, or set chart and repository for any chart."
                .to_owned(),
        };
        Box::new(
            Problem::error(Path::of("name"), "add-on is not in the catalogue")
                .seen(format!("{name:?}"))
                .allowed(names.join(", "))
                .next(next),
        )
    })
}

/// The components of an offering that are there unless switched off, with what they need, in waves:
/// the components of a wave need only those of earlier waves.
pub fn install_waves(
    offering: Offering,
    extra: &[&str],
    without: &[&str],
) -> Vec<Vec<&'static Component>> {
    let mut wanted: BTreeSet<&'static str> = CATALOGUE
        .iter()
        .filter(|item| match item.inclusion(offering) {
            Inclusion::Always => true,
            Inclusion::DefaultOn => !without.contains(&item.name),
            Inclusion::Optional | Inclusion::Absent => extra.contains(&item.name),
        })
        .map(|item| item.name)
        .collect();
    // What is wanted brings what it needs.
    loop {
        let missing: Vec<&'static str> = wanted
            .iter()
            .filter_map(|name| component(name))
            .flat_map(|item| item.needs.iter().copied())
            .filter(|need| !wanted.contains(need))
            .collect();
        if missing.is_empty() {
            break;
        }
        wanted.extend(missing);
    }
    let mut done: BTreeSet<&'static str> = BTreeSet::new();
    let mut waves = Vec::new();
    while done.len() < wanted.len() {
        let wave: Vec<&'static Component> = CATALOGUE
            .iter()
            .filter(|item| wanted.contains(item.name) && !done.contains(item.name))
            .filter(|item| item.needs.iter().all(|need| done.contains(need)))
            .collect();
        // A cycle or an unknown name in the table: the test below keeps that from happening.
        if wave.is_empty() {
            break;
        }
        done.extend(wave.iter().map(|item| item.name));
        waves.push(wave);
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_is_in_the_catalogue_and_the_graph_has_no_cycle() {
        let all: Vec<&str> = CATALOGUE.iter().map(|item| item.name).collect();
        for item in CATALOGUE {
            for need in item.needs {
                assert!(all.contains(need), "{} needs {need}", item.name);
            }
        }
        let waves = install_waves(Offering::Complete, &all, &[]);
        assert_eq!(waves.iter().map(Vec::len).sum::<usize>(), CATALOGUE.len());
        let unique: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(unique.len(), all.len());
    }

    #[test]
    fn core_starts_with_the_network() {
        let waves = install_waves(Offering::Core, &[], &[]);
        let position = |name| {
            waves
                .iter()
                .position(|wave| wave.iter().any(|item| item.name == name))
        };
        assert!(position("cilium") < position("metallb"));
        assert_eq!(position("kyverno"), None);
    }

    #[test]
    fn old_names_point_to_the_new_ones() {
        let problem = find_component("promtail").expect_err("superseded");
        assert_eq!(problem.next, "Use \"alloy\", which took its place.");
    }
}
