//! `.Capabilities`: what the cluster can do, real or assumed.

use crate::cluster::{Discovery, ServerVersion};

/// The Kubernetes version that Helm 4.3.1 assumes without a cluster.
const DEFAULT_KUBE: &str = "v1.37.0";

/// The API versions that Helm 4.3.1 knows by itself, in its order.
const DEFAULT_APIS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

/// A Kubernetes version as templates see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// With everything a vendor adds: `v1.36.2-eks-1`.
    pub git_version: String,
    /// Without: `v1.36.2`. What it prints as, and what charts' constraints are checked against.
    pub normalised: String,
    /// `1`
    pub major: String,
    /// `36`
    pub minor: String,
}

impl KubeVersion {
    /// Reads a version with or without `v` and suffix; at least major and minor.
    ///
    /// # Errors
    ///
    /// What is no version, in Helm's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let illegal = || format!("could not parse {text:?} as version");
        let trimmed = text.trim();
        let bare = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let numbers: String = {
            let end = bare
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(bare.len());
            bare[..end].trim_end_matches('.').to_owned()
        };
        let parts: Vec<&str> = numbers.split('.').collect();
        let sound = |part: &&str| {
            !part.is_empty() && part.len() < 10 && (part.len() == 1 || !part.starts_with('0'))
        };
        if parts.len() < 2 || !parts.iter().all(sound) {
            return Err(illegal());
        }
        Ok(Self {
            git_version: if trimmed.starts_with('v') {
                trimmed.to_owned()
            } else {
                format!("v{trimmed}")
            },
            normalised: format!("v{numbers}"),
            major: parts[0].to_owned(),
            minor: parts[1].to_owned(),
        })
    }
}

/// What `.Capabilities` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The cluster's version.
    pub kube_version: KubeVersion,
    /// What `.Capabilities.APIVersions.Has` finds: `apps/v1`, and on a live cluster
    /// `apps/v1/Deployment` too.
    pub api_versions: Vec<String>,
}

impl Default for Capabilities {
    /// What Helm 4.3.1 assumes without a cluster.
    fn default() -> Self {
        Self {
            kube_version: KubeVersion {
                git_version: DEFAULT_KUBE.to_owned(),
                normalised: DEFAULT_KUBE.to_owned(),
                major: "1".to_owned(),
                minor: "37".to_owned(),
            },
            api_versions: DEFAULT_APIS.iter().map(|&api| api.to_owned()).collect(),
        }
    }
}

impl Capabilities {
    /// The assumed ones with another Kubernetes version (`--kube-version`).
    ///
    /// # Errors
    ///
    /// What is no version.
    pub fn of_version(version: &str) -> Result<Self, String> {
        Ok(Self {
            kube_version: KubeVersion::parse(version)
                .map_err(|error| format!("invalid kube version '{version}': {error}"))?,
            ..Self::default()
        })
    }

    /// These and more API versions (`--api-versions`).
    pub fn with_apis<S: Into<String>>(mut self, apis: impl IntoIterator<Item = S>) -> Self {
        self.api_versions.extend(apis.into_iter().map(Into::into));
        self
    }

    /// What a live cluster says of itself.
    pub fn of_cluster(version: &ServerVersion, discovery: &Discovery) -> Self {
        let kube_version =
            KubeVersion::parse(&version.git_version).unwrap_or_else(|_| KubeVersion {
                git_version: version.git_version.clone(),
                normalised: version.git_version.clone(),
                major: version.major.clone(),
                minor: version.minor.clone(),
            });
        Self {
            kube_version: KubeVersion {
                major: version.major.clone(),
                minor: version.minor.clone(),
                ..kube_version
            },
            api_versions: discovery.api_versions().into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_lose_what_vendors_add() {
        for (text, git, normalised, minor) in [
            ("1.34.2", "v1.34.2", "v1.34.2", "34"),
            ("v1.34.2-eks-1", "v1.34.2-eks-1", "v1.34.2", "34"),
            ("1.34", "v1.34", "v1.34", "34"),
            ("v1.34.2+k3s1", "v1.34.2+k3s1", "v1.34.2", "34"),
        ] {
            let version = KubeVersion::parse(text).expect("a version");
            assert_eq!(
                (&*version.git_version, &*version.normalised, &*version.minor),
                (git, normalised, minor)
            );
        }
        for bad in ["", "1", "x.y", "1.034", "v"] {
            assert!(KubeVersion::parse(bad).is_err(), "{bad}");
        }
    }
}
