//! Jobs: pods until enough of them succeeded or too many failed.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Pass, all, events, pods, put_status};
use crate::kubernetes::api::State;
use crate::kubernetes::value::{deleting, int, is_true, name, set_condition, text};

pub(super) fn reconcile(state: &mut State, pass: &mut Pass<'_>) {
    for job in all(&state.store, "jobs.batch") {
        if !deleting(&job) && !is_true(&job, "Complete") && !is_true(&job, "Failed") {
            one(state, &job, &pass.stamp);
        }
    }
}

fn one(state: &mut State, job: &Arc<Value>, stamp: &str) {
    let spec = &job["spec"];
    let own = pods::of(&state.store, job);
    let count = |phase: &str| {
        own.iter()
            .filter(|pod| text(&pod["status"]["phase"]) == phase)
            .count()
    };
    let (succeeded, failed) = (count("Succeeded"), count("Failed"));
    let active = own.iter().filter(|pod| pods::active(pod)).count();
    let number = |field: &str| usize::try_from(int(&spec[field])).unwrap_or(0);
    let (completions, limit) = (number("completions"), number("backoffLimit"));
    let exhausted = failed > limit;
    let suspended = spec["suspend"] == Value::Bool(true);
    let missing = completions.saturating_sub(succeeded + active);
    let room = number("parallelism").saturating_sub(active);
    let start = if exhausted || suspended {
        0
    } else {
        missing.min(room)
    };
    for _ in 0..start {
        let prefix = format!("{}-", name(job));
        pods::create(&mut state.store, job, &spec["template"], &prefix, &[], None);
    }
    let mut status = Value::Object(Map::new());
    for (key, value) in [
        ("succeeded", succeeded),
        ("failed", failed),
        ("active", active + start),
    ] {
        if value > 0 {
            status[key] = json!(value);
        }
    }
    status["startTime"] = match &job["status"]["startTime"] {
        Value::Null => json!(stamp),
        started => started.clone(),
    };
    status["ready"] = json!(0);
    if exhausted {
        status["conditions"] = json!([]);
        let told = "Job has reached the specified backoff limit";
        events::record(
            &mut state.store,
            job,
            true,
            "BackoffLimitExceeded",
            told,
            stamp,
        );
        for kind in ["FailureTarget", "Failed"] {
            set_condition(&mut status, kind, true, "BackoffLimitExceeded", told, stamp);
        }
    } else if succeeded >= completions {
        status["completionTime"] = json!(stamp);
        let told = "Reached expected number of succeeded pods";
        for kind in ["SuccessCriteriaMet", "Complete"] {
            set_condition(&mut status, kind, true, "CompletionsReached", told, stamp);
        }
    }
    put_status(&mut state.store, "jobs.batch", job, status);
}
