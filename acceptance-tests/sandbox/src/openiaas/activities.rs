//! Asynchronous operations: accepted at once, done later.

use std::sync::Arc;

use super::model::{Activity, Progress, new_id, now};
use super::operations::{Aftermath, Operation};
use crate::gate::Effect;
use crate::world::World;

/// Accepts an operation and returns the identifier of its activity.
pub fn start(world: &Arc<World>, operation: Operation) -> String {
    let stuck =
        matches!(&operation, Operation::AssignPolicies { policies, .. } if policies.is_empty());
    let id = new_id();
    let behaviour = world.behaviour();
    let name = operation.name();
    {
        let mut cloud = world.cloud();
        let target = operation.target(&cloud);
        let hidden = match world.gate.operation("activity.read", &target) {
            Some(Effect::HiddenActivity { reads }) => reads,
            _ => behaviour.activity_not_found_reads,
        };
        let activity = Activity {
            id: id.clone(),
            description: format!("{} \"{target}\".", name.replace(['.', '_'], " ")),
            kind: operation.activity_kind().into(),
            tags: ["compute", "open_iaas"]
                .into_iter()
                .chain(name.split('.'))
                .map(String::from)
                .collect(),
            concerned: Vec::new(),
            created_at: now(),
            progress: Progress::Waiting,
            hidden_reads: hidden,
            operation,
            stuck,
        };
        cloud.activities.insert(id.clone(), activity);
    }
    world.changed();
    if !stuck {
        tokio::spawn(run(Arc::clone(world), id.clone()));
    }
    id
}

/// Goes on with the activities that a stop of the sandbox interrupted.
pub fn resume(world: &Arc<World>) {
    let open: Vec<String> = world
        .cloud()
        .activities
        .values()
        .filter(|activity| !activity.is_over() && !activity.stuck)
        .map(|activity| activity.id.clone())
        .collect();
    for id in open {
        tokio::spawn(run(Arc::clone(world), id));
    }
}

async fn run(world: Arc<World>, id: String) {
    let stop = world.stop.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = work(&world, &id) => {}
    }
}

async fn work(world: &Arc<World>, id: &str) {
    let Some((operation, target)) = ({
        let cloud = world.cloud();
        cloud.activities.get(id).map(|activity| {
            (
                activity.operation.clone(),
                activity.operation.target(&cloud),
            )
        })
    }) else {
        return;
    };
    let delays = world.delays();
    world.take(delays.activity_queue).await;
    let effect = world.gate.operation(operation.name(), &target);
    if effect == Some(Effect::StuckActivity) {
        if let Some(activity) = world.cloud().activities.get_mut(id) {
            activity.stuck = true;
        }
        return;
    }
    let start = now();
    set(
        world,
        id,
        Progress::Running {
            start,
            progression: 0.1,
        },
    );
    let whole = operation.duration(&delays);
    for step in [0.35, 0.6, 0.85] {
        world.take(whole / 3).await;
        set(
            world,
            id,
            Progress::Running {
                start,
                progression: step,
            },
        );
    }
    if let Some(Effect::SlowActivity { milliseconds }) = effect {
        tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
    }
    if let Operation::PowerOff { vm, force: false } = &operation {
        world.nodes.shut_down(world, vm).await;
    }
    finish(world, id, &operation, &target, start, effect);
}

fn finish(
    world: &Arc<World>,
    id: &str,
    operation: &Operation,
    target: &str,
    start: i64,
    effect: Option<Effect>,
) {
    let mut after = Vec::new();
    let progress = {
        let mut cloud = world.cloud();
        let (behaviour, delays) = (world.behaviour(), world.delays());
        let (outcome, concerned) = match effect {
            Some(Effect::NotApplied) => {
                let result = operation
                    .concerned()
                    .first()
                    .map(|(_, id)| id.clone())
                    .unwrap_or_default();
                (Ok(result), true)
            }
            Some(Effect::FailActivity {
                reason,
                leave_behind,
                concerned,
            }) => {
                if leave_behind {
                    let _ = operation.apply(&mut cloud, &behaviour, &delays, &mut after);
                }
                (Err(reason), concerned)
            }
            _ => {
                let outcome = operation.apply(&mut cloud, &behaviour, &delays, &mut after);
                let concerned = outcome.is_ok() || !matches!(operation, Operation::CreateVm { .. });
                (outcome, concerned)
            }
        };
        let stop = now();
        let progress = match outcome {
            Ok(result) => Progress::Completed {
                start,
                stop,
                result,
            },
            Err(reason) => Progress::Failed {
                start,
                stop,
                reason,
            },
        };
        if let Some(activity) = cloud.activities.get_mut(id) {
            activity.progress = progress.clone();
            if concerned {
                activity.concerned = operation.concerned();
            }
        }
        progress
    };
    world.changed();
    match &progress {
        Progress::Failed { reason, .. } => {
            world.event(
                "activity",
                target,
                format!("{} failed: {reason}", operation.name()),
            );
        }
        _ => world.event(
            "activity",
            target,
            format!("{} completed", operation.name()),
        ),
    }
    for step in after {
        match step {
            Aftermath::Boot(vm) => world.nodes.boot(world, &vm),
            Aftermath::Kill(vm) => world.nodes.kill(world, &vm),
        }
    }
}

fn set(world: &World, id: &str, progress: Progress) {
    if let Some(activity) = world.cloud().activities.get_mut(id) {
        activity.progress = progress;
    }
}
