//! Support windows (product reference, 7.1). The day is an argument: nothing here reads a clock, and
//! what depends on the day may only become a diagnostic, never a planned value.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::table::{self, KubernetesRow};
use super::{Minor, TalosVersion};
use crate::text_enum::text_enum;

text_enum! {
    /// Where a minor of Kubernetes stands on a day.
    SupportPhase, "support phase" {
        /// Announced, not released.
        Future = "future",
        /// N, N-1 or N-2: create and upgrade are allowed.
        Supported = "supported",
        /// N-3: existing clusters only, until 90 days after N came out.
        Ending = "ending",
        /// Older.
        Ended = "ended",
    }
}

/// The support of one minor on a day (VER-01 to VER-03, D-18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Support {
    /// The phase.
    pub phase: SupportPhase,
    /// End of upstream support.
    pub upstream_ends: Date,
    /// For N-3: 90 days after the release of N.
    pub deadline: Option<Date>,
}

/// N: the newest minor whose release date is not after `today`.
pub fn newest_kubernetes(today: Date) -> Minor {
    table::KUBERNETES
        .iter()
        .rev()
        .find(|row| row.released <= today)
        .map_or(Minor(table::KUBERNETES[0].minor), |row| Minor(row.minor))
}

/// The support of a minor on a day; `None` when it is not in the table.
pub fn support_of(minor: Minor, today: Date) -> Option<Support> {
    let row = table::KUBERNETES.iter().find(|row| row.minor == minor.0)?;
    Some(support_of_row(row, today))
}

fn support_of_row(row: &KubernetesRow, today: Date) -> Support {
    let newest = newest_kubernetes(today).0;
    let phase = match newest.checked_sub(row.minor) {
        None => SupportPhase::Future,
        Some(0..=2) => SupportPhase::Supported,
        Some(3) => SupportPhase::Ending,
        Some(_) => SupportPhase::Ended,
    };
    let successor = table::KUBERNETES
        .iter()
        .find(|other| other.minor == row.minor + 3);
    Support {
        phase,
        upstream_ends: row.end_of_life,
        deadline: successor.map(|other| other.released.saturating_add(90.days())),
    }
}

/// One row of `supported_versions` for Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportedKubernetes {
    /// The minor.
    pub minor: Minor,
    /// What the minor resolves to.
    pub patch: String,
    /// General availability.
    pub released: Date,
    /// End of upstream support.
    pub end_of_life: Date,
    /// 90 days after the third next minor, once its date is known.
    pub deadline: Option<Date>,
}

/// One row of `supported_versions` for Talos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportedTalos {
    /// The newest patch known.
    pub version: TalosVersion,
    /// General availability.
    pub released: Date,
    /// First minor of Kubernetes it runs.
    pub kubernetes_from: Minor,
    /// Last minor of Kubernetes it runs.
    pub kubernetes_to: Minor,
}

/// What the function `supported_versions` answers: the embedded table, no day applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportedVersions {
    /// The day of the table.
    pub as_of: Date,
    /// Kubernetes, newest first.
    pub kubernetes: Vec<SupportedKubernetes>,
    /// Talos, newest first.
    pub talos: Vec<SupportedTalos>,
}

/// The embedded table.
pub fn supported_versions() -> SupportedVersions {
    SupportedVersions {
        as_of: table::AS_OF,
        kubernetes: table::KUBERNETES
            .iter()
            .rev()
            .map(|row| SupportedKubernetes {
                minor: Minor(row.minor),
                patch: format!("1.{}.{}", row.minor, row.patch),
                released: row.released,
                end_of_life: row.end_of_life,
                deadline: support_of_row(row, table::AS_OF).deadline,
            })
            .collect(),
        talos: table::TALOS
            .iter()
            .rev()
            .filter_map(|row| {
                Some(SupportedTalos {
                    version: TalosVersion::parse(&format!("1.{}.{}", row.minor, row.patch)).ok()?,
                    released: row.released,
                    kubernetes_from: Minor(row.kubernetes.0),
                    kubernetes_to: Minor(row.kubernetes.1),
                })
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_day_decides_what_is_newest() {
        assert_eq!(newest_kubernetes(date(2026, 8, 21)), Minor(36));
        assert_eq!(newest_kubernetes(date(2026, 11, 21)), Minor(37));
        let phase = |minor, day| support_of(Minor(minor), day).map(|support| support.phase);
        assert_eq!(phase(34, date(2026, 8, 21)), Some(SupportPhase::Supported));
        assert_eq!(phase(34, date(2026, 11, 21)), Some(SupportPhase::Ending));
        assert_eq!(phase(33, date(2026, 11, 21)), Some(SupportPhase::Ended));
        assert_eq!(phase(37, date(2026, 8, 21)), Some(SupportPhase::Future));
        assert_eq!(phase(99, date(2026, 8, 21)), None);
    }

    #[test]
    fn every_talos_row_is_listed() {
        let versions = supported_versions();
        assert_eq!(versions.talos.len(), table::TALOS.len());
        assert_eq!(versions.kubernetes[0].minor, Minor(37));
        assert_eq!(versions.kubernetes[3].deadline, Some(date(2026, 11, 24)));
    }
}
