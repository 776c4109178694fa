//! The dated facts: refresh before each release of the provider, and update [`AS_OF`].

use jiff::civil::{Date, date};

/// The day the table was last compared with the projects' release pages.
pub const AS_OF: Date = date(2026, 9, 3);

/// A minor of Kubernetes.
pub struct KubernetesRow {
    pub minor: u16,
    /// General availability.
    pub released: Date,
    /// End of upstream support, maintenance included.
    pub end_of_life: Date,
    /// The newest patch known.
    pub patch: u16,
}

/// Ascending by minor.
pub const KUBERNETES: &[KubernetesRow] = &[
    KubernetesRow {
        minor: 33,
        released: date(2025, 4, 23),
        end_of_life: date(2026, 6, 28),
        patch: 5,
    },
    KubernetesRow {
        minor: 34,
        released: date(2025, 8, 27),
        end_of_life: date(2026, 10, 27),
        patch: 1,
    },
    KubernetesRow {
        minor: 35,
        released: date(2025, 12, 17),
        end_of_life: date(2027, 2, 28),
        patch: 4,
    },
    KubernetesRow {
        minor: 36,
        released: date(2026, 4, 22),
        end_of_life: date(2027, 6, 28),
        patch: 3,
    },
    KubernetesRow {
        minor: 37,
        released: date(2026, 8, 26),
        end_of_life: date(2027, 10, 28),
        patch: 0,
    },
];

/// A minor of Talos.
pub struct TalosRow {
    pub minor: u16,
    /// General availability.
    pub released: Date,
    /// The newest patch known.
    pub patch: u16,
    /// First and last minor of Kubernetes it runs.
    pub kubernetes: (u16, u16),
}

/// Ascending by minor: the contracts this provider renders.
pub const TALOS: &[TalosRow] = &[
    TalosRow {
        minor: 12,
        released: date(2025, 12, 22),
        patch: 11,
        kubernetes: (30, 35),
    },
    TalosRow {
        minor: 13,
        released: date(2026, 4, 27),
        patch: 9,
        kubernetes: (31, 36),
    },
    TalosRow {
        minor: 14,
        released: date(2026, 9, 3),
        patch: 0,
        kubernetes: (33, 37),
    },
];
