//! Activities: operations that the platform carries out in its own time.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use transport::{CancellationToken, Pace, pause};

use crate::{ActivityId, Client, Error, Request};

/// Looks that may not find the activity before it was ever seen.
const EARLY_MISSES: u32 = 10;
const EARLY_TIME: Duration = Duration::from_secs(30);
/// Looks in a row that may fail for passing reasons.
const FAULTS: u32 = 8;

/// An activity as last read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Activity {
    /// Its identifier, to quote to the platform's support.
    pub id: ActivityId,
    /// What it does, in the platform's words.
    pub description: String,
    /// `ComputeActivity`, `BackupActivity`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// The objects it is about; may be empty.
    pub concerned_items: Vec<Concerned>,
    state: serde_json::Map<String, Value>,
}

/// An object that an activity is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Concerned {
    /// `virtual_machine`, `virtual_disk`, `network_adapter`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Its identifier.
    pub id: String,
}

/// How far an activity is.
#[derive(Clone, Debug, PartialEq)]
pub enum ActivityState {
    /// Accepted, not begun.
    Waiting,
    /// Under way, with the share that is done (0 to 1) and the platform's word for the phase.
    Running {
        /// The share that is done.
        progression: f64,
        /// The phase.
        status: String,
    },
    /// Done; the result is the identifier of what was made, empty otherwise.
    Completed {
        /// What was made.
        result: String,
    },
    /// Given up, with the platform's reason.
    Failed {
        /// The reason, free text.
        reason: String,
    },
}

impl Activity {
    /// The state: the one key of the state object. An object with none, several or an unknown key
    /// is still under way, as the official client has it.
    pub fn state(&self) -> ActivityState {
        let text = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let mut entries = self.state.iter();
        match (entries.next(), entries.next()) {
            (Some((key, value)), None) => match key.as_str() {
                "completed" => ActivityState::Completed {
                    result: text(value, "result"),
                },
                "failed" => ActivityState::Failed {
                    reason: text(value, "reason"),
                },
                "waiting" => ActivityState::Waiting,
                _ => ActivityState::Running {
                    progression: value
                        .get("progression")
                        .and_then(Value::as_f64)
                        .unwrap_or_default(),
                    status: text(value, "status"),
                },
            },
            _ => ActivityState::Running {
                progression: 0.0,
                status: String::new(),
            },
        }
    }

    fn summary(&self) -> String {
        match self.state() {
            ActivityState::Waiting => "waiting".to_owned(),
            ActivityState::Running {
                progression,
                status,
            } => format!("running, {:.0} % {status}", progression * 100.0)
                .trim_end()
                .to_owned(),
            ActivityState::Completed { .. } => "completed".to_owned(),
            ActivityState::Failed { .. } => "failed".to_owned(),
        }
    }
}

/// What the reason of a failed activity means (OpenIaaS API, failure modes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The platform's own workers were away: the operation may be tried again after a look-up.
    Transient,
    /// The MAC address belongs to another VM, or to this very one that was patched needlessly.
    MacInUse,
    /// The VM is halted and the operation needs it running.
    NotRunning,
    /// The repository is not reachable from the VM's pool.
    RepositoryUnreachable,
    /// The repository is full.
    StorageFull,
    /// vCPUs or memory are below the template's.
    BelowTemplate,
    /// A policy of another machine manager.
    ForeignPolicy,
    /// Anything else: permanent.
    Permanent,
}

impl Failure {
    /// Classifies a reason by the platform's exact words.
    pub fn of(reason: &str) -> Self {
        let has = |words: &str| reason.contains(words);
        if has("None of the workers were able to respond")
            || (has("Failed to load configuration via API") && (has("502") || has("Bad Gateway")))
        {
            Self::Transient
        } else if has("is already used by virtual machine") {
            Self::MacInUse
        } else if has("VM state is halted but should be running") {
            Self::NotRunning
        } else if has("Could not find storage repository") {
            Self::RepositoryUnreachable
        } else if has("Limited storage capacity") {
            Self::StorageFull
        } else if has("MEMORY_CONSTRAINT_VIOLATION_ORDER") {
            Self::BelowTemplate
        } else if has("Could not assign all policies") {
            Self::ForeignPolicy
        } else {
            Self::Permanent
        }
    }
}

impl Client {
    /// Reads an activity once. `None` when the platform does not know it (yet).
    ///
    /// # Errors
    /// Anything but 200 and 404.
    pub async fn activity(
        &self,
        id: &ActivityId,
        cancel: &CancellationToken,
    ) -> Result<Option<Activity>, Error> {
        let request = Request::get("/activity/v1/activities/{}", &[id.as_str()])
            .class(crate::Class::Poll)
            .needs("activity_read");
        self.get(&request, cancel).await
    }

    /// Waits for the end of an activity and returns its result: the identifier of what was made, or
    /// an empty text.
    ///
    /// # Errors
    /// [`Error::ActivityFailed`], [`Error::ActivityMissing`], [`Error::ActivityTimeout`]; a refusal
    /// to read activities at all is final at once.
    pub async fn wait(
        &self,
        id: &ActivityId,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<String, Error> {
        let clock = self.clock();
        let start = clock.now();
        let mut pace = Pace::new();
        let (mut misses, mut faults, mut seen) = (0, 0, false);
        let mut last = "not visible yet".to_owned();
        loop {
            let asked = clock.now();
            let read = self.activity(id, cancel).await;
            let now = clock.now();
            pace.answered(now.saturating_duration_since(asked));
            let elapsed = now.saturating_duration_since(start);
            match read {
                Ok(Some(activity)) => {
                    (seen, faults) = (true, 0);
                    match activity.state() {
                        ActivityState::Completed { result } => {
                            tracing::debug!(activity = %id, elapsed_ms = elapsed.as_millis() as u64, "activity completed");
                            return Ok(result);
                        }
                        ActivityState::Failed { reason } => {
                            return Err(Error::ActivityFailed {
                                failure: Failure::of(&reason),
                                reason: secret::scrub(&reason).into_owned(),
                                activity: Box::new(activity),
                            });
                        }
                        ActivityState::Waiting | ActivityState::Running { .. } => {
                            let summary = activity.summary();
                            if summary != last {
                                pace.progressed();
                                last = summary;
                            }
                        }
                    }
                }
                Ok(None) => {
                    misses += 1;
                    if seen || (misses >= EARLY_MISSES && elapsed >= EARLY_TIME) {
                        return Err(Error::ActivityMissing { id: id.clone() });
                    }
                }
                Err(error) if error.is_transient() => {
                    faults += 1;
                    if faults > FAULTS {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
            if elapsed >= limit {
                return Err(Error::ActivityTimeout {
                    id: id.clone(),
                    last,
                    elapsed,
                });
            }
            let wait = pace.next_wait().min(limit.saturating_sub(elapsed));
            pause(clock.as_ref(), wait, cancel).await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_its_one_key() {
        let state = |json: &str| {
            let body = format!(r#"{{"id":"a","state":{json}}}"#);
            let activity: Activity = crate::decode::typed(body.as_bytes()).expect("readable");
            activity.summary()
        };
        assert_eq!(state(r#"{"waiting":{}}"#), "waiting");
        assert_eq!(
            state(r#"{"running":{"status":"Cloning","progression":0.4}}"#),
            "running, 40 % Cloning"
        );
        assert_eq!(state(r#"{"completed":{"result":"vm-1"}}"#), "completed");
        assert_eq!(state(r#"{"paused":{}}"#), "running, 0 %");
        assert_eq!(state(r#"{"completed":{},"failed":{}}"#), "running, 0 %");
        assert_eq!(state("{}"), "running, 0 %");
    }

    #[test]
    fn reasons_are_known_by_the_exact_words() {
        for (reason, failure) in [
            (
                "None of the workers were able to respond",
                Failure::Transient,
            ),
            (
                "Failed to load configuration via API: <html>502 Bad Gateway nginx",
                Failure::Transient,
            ),
            ("502 Bad Gateway", Failure::Permanent),
            (
                "Failed to load configuration via API: 404",
                Failure::Permanent,
            ),
            (
                "MAC address X is already used by virtual machine Y",
                Failure::MacInUse,
            ),
            (
                "VM state is halted but should be running",
                Failure::NotRunning,
            ),
            ("Limited storage capacity", Failure::StorageFull),
        ] {
            assert_eq!(Failure::of(reason), failure, "{reason}");
        }
    }
}
