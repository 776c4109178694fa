//! Telling how far an apply is.

use crate::plan::Step;

/// Where a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventState {
    /// It begins.
    Started,
    /// It waits; what was seen last.
    Waiting(String),
    /// It ended well.
    Finished,
    /// It failed, and why.
    Failed(String),
}

/// One line of progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The resource: `alpha`, `alpha/default`.
    pub subject: String,
    /// The step in words.
    pub step: String,
    /// Where it is.
    pub state: EventState,
}

/// Who listens.
pub trait Progress: Send + Sync {
    /// Takes an event; must not block.
    fn event(&self, event: Event);
}

/// Nobody listens.
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: Event) {}
}

impl super::Engine {
    /// Tells the log and the listener.
    pub(crate) fn tell(&self, subject: &str, step: &Step, state: EventState) {
        let text = step.to_string();
        match &state {
            EventState::Started => {
                tracing::info!(subject, step = text, reason = step.reason, "step started");
            }
            EventState::Waiting(last) => tracing::debug!(subject, step = text, last, "waiting"),
            EventState::Finished => tracing::info!(subject, step = text, "step finished"),
            EventState::Failed(why) => tracing::warn!(subject, step = text, why, "step failed"),
        }
        self.progress.event(Event {
            subject: subject.to_owned(),
            step: text,
            state,
        });
    }
}
