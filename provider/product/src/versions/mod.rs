//! Versions of Kubernetes and Talos: how they are written, which fit together, which may follow.

mod kubernetes;
mod support;
mod table;
mod talos;

pub use kubernetes::{KubernetesRelease, KubernetesVersion, Minor};
pub use support::{
    Support, SupportPhase, SupportedKubernetes, SupportedTalos, SupportedVersions,
    newest_kubernetes, support_of, supported_versions,
};
pub use talos::{Contract, TalosVersion};

use crate::{Path, Problem};

/// Whether a Talos minor runs a Kubernetes minor (Talos support matrix); `None` when the Talos minor
/// is not in the table.
pub fn talos_runs(talos: &TalosVersion, kubernetes: Minor) -> Option<bool> {
    let row = table::TALOS
        .iter()
        .find(|row| row.minor == talos.minor().0)?;
    Some((row.kubernetes.0..=row.kubernetes.1).contains(&kubernetes.0))
}

/// Checks that a Talos release runs a Kubernetes minor.
pub fn check_matrix(talos: &TalosVersion, kubernetes: Minor, place: &Path) -> Option<Problem> {
    let row = table::TALOS
        .iter()
        .find(|row| row.minor == talos.minor().0)?;
    let (first, last) = (Minor(row.kubernetes.0), Minor(row.kubernetes.1));
    (!(first..=last).contains(&kubernetes)).then(|| {
        Problem::error(
            place.clone(),
            "Kubernetes version does not fit the Talos version",
        )
        .seen(format!("Kubernetes {kubernetes} with Talos {talos}"))
        .allowed(format!(
            "Kubernetes {first} to {last} with Talos {}",
            talos.minor()
        ))
        .next("Change one of the two versions.")
    })
}

/// Checks a change of Kubernetes: forward, one minor at a time (VER-07).
pub fn check_kubernetes_step(
    from: &KubernetesRelease,
    to: &KubernetesRelease,
    place: &Path,
) -> Option<Problem> {
    if to < from {
        return Some(
            Problem::error(place.clone(), "Kubernetes cannot be downgraded")
                .seen(format!("{from} to {to}"))
                .allowed(format!("{from} or newer"))
                .next("Restore the newer version."),
        );
    }
    let (from_minor, to_minor) = (from.minor(), to.minor());
    (to_minor.0 > from_minor.0 + 1).then(|| {
        Problem::error(place.clone(), "Kubernetes goes up one minor at a time")
            .seen(format!("{from} to {to}"))
            .allowed(format!("{from_minor} or {}", Minor(from_minor.0 + 1)))
            .next(format!(
                "Apply {} first, then go on.",
                Minor(from_minor.0 + 1)
            ))
    })
}

/// Checks a change of Talos: forward, one minor at a time (Talos docs, upgrading).
pub fn check_talos_step(from: &TalosVersion, to: &TalosVersion, place: &Path) -> Option<Problem> {
    if to < from {
        return Some(
            Problem::error(place.clone(), "Talos cannot be downgraded")
                .seen(format!("{from} to {to}"))
                .allowed(format!("{from} or newer"))
                .next("Restore the newer version."),
        );
    }
    let (from_minor, to_minor) = (from.minor(), to.minor());
    (to_minor.0 > from_minor.0 + 1).then(|| {
        Problem::error(place.clone(), "Talos goes up one minor at a time")
            .seen(format!("{from} to {to}"))
            .allowed(format!("{from_minor} or {}", Minor(from_minor.0 + 1)))
            .next(format!(
                "Apply a release of {} first, then go on.",
                Minor(from_minor.0 + 1)
            ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubernetes(text: &str) -> KubernetesRelease {
        KubernetesRelease::parse(text).expect("a release")
    }

    fn talos(text: &str) -> TalosVersion {
        TalosVersion::parse(text).expect("a release")
    }

    #[test]
    fn matrix_is_by_minor() {
        let place = Path::of("kubernetes_version");
        assert!(check_matrix(&talos("1.13.9"), Minor(36), &place).is_none());
        let problem = check_matrix(&talos("1.13.9"), Minor(37), &place).expect("refused");
        assert_eq!(problem.allowed, "Kubernetes 1.31 to 1.36 with Talos 1.13");
        assert_eq!(talos_runs(&talos("1.12.0"), Minor(36)), Some(false));
        assert_eq!(talos_runs(&talos("1.99.0"), Minor(36)), None);
    }

    #[test]
    fn one_minor_and_never_back() {
        let place = Path::root();
        let step = |from, to| check_kubernetes_step(&kubernetes(from), &kubernetes(to), &place);
        assert!(step("1.35.4", "1.36.3").is_none());
        assert!(step("1.35.4", "1.35.4").is_none());
        assert!(step("1.34.1", "1.36.3").is_some());
        assert!(step("1.36.3", "1.36.2").is_some());
        assert!(check_talos_step(&talos("1.12.1"), &talos("1.13.9"), &place).is_none());
        assert!(check_talos_step(&talos("1.12.1"), &talos("1.14.0"), &place).is_some());
        assert!(check_talos_step(&talos("1.14.0"), &talos("1.14.0-rc.1"), &place).is_some());
    }
}
