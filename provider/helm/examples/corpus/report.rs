//! What came out, for people.

use std::time::Duration;

/// `println!` that a closed pipe does not mind.
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)));
    }};
}
pub(crate) use say;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Equal,
    EqualButRandom,
    Different,
    FailedBoth,
    /// With other words.
    FailedBothDifferently,
    /// helm wants to fetch a schema.
    WantsTheNetwork,
    OnlyOursFails,
    OnlyHelmFails,
}

pub struct Report {
    pub label: String,
    pub outcome: Outcome,
    pub detail: String,
    pub ours: Duration,
    pub helm: Duration,
}

impl Report {
    /// Tells what is worth telling.
    pub fn show(&self, messages: bool) {
        let word = match self.outcome {
            Outcome::Equal | Outcome::EqualButRandom | Outcome::WantsTheNetwork => return,
            Outcome::FailedBoth if !messages => return,
            Outcome::FailedBoth => "failed in both",
            Outcome::FailedBothDifferently => "other words",
            Outcome::Different => "DIFFERENT",
            Outcome::OnlyOursFails => "ONLY OURS FAILS",
            Outcome::OnlyHelmFails => "ONLY HELM FAILS",
        };
        say!("{word}: {}\n{}", self.label, self.detail);
    }
}

/// Whether all is well.
pub fn summary(reports: &[Report]) -> bool {
    let count = |outcome| reports.iter().filter(|r| r.outcome == outcome).count();
    let median = |pick: fn(&Report) -> Duration| {
        let mut all: Vec<Duration> = reports.iter().map(pick).collect();
        all.sort();
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    for (what, outcome) in [
        ("equal", Outcome::Equal),
        ("equal but for random lines", Outcome::EqualButRandom),
        ("different", Outcome::Different),
        ("failed in both", Outcome::FailedBoth),
        (
            "failed in both, other words",
            Outcome::FailedBothDifferently,
        ),
        ("failed only here", Outcome::OnlyOursFails),
        ("failed only in helm", Outcome::OnlyHelmFails),
        ("helm wants to fetch", Outcome::WantsTheNetwork),
    ] {
        say!("{what:28}{:6}", count(outcome));
    }
    say!(
        "median time here {:.1?}, helm's process {:.1?}",
        median(|report| report.ours),
        median(|report| report.helm)
    );
    [
        Outcome::Different,
        Outcome::OnlyOursFails,
        Outcome::OnlyHelmFails,
    ]
    .into_iter()
    .all(|outcome| count(outcome) == 0)
}
