//! Running the hooks of one moment: by weight, then by name, one after the other.

use tokio_util::sync::CancellationToken;

use super::apply::Writer;
use super::objects::{Object, Scopes, describe, parse, place};
use super::store::Store;
use super::{Error, HookRecord, Note, Phase, Release};
use crate::cluster::{ClusterError, DeleteOptions, ObjectRef, WriteOptions};
use crate::render::{HookDeletePolicy, HookEvent, HookLogPolicy};

/// Runs the hooks of `event`. Their runs are noted in `release`, and stored when `store` is given.
pub(super) async fn run(
    writer: &Writer<'_>,
    store: Option<&Store>,
    release: &mut Release,
    event: &HookEvent,
) -> Result<(), Error> {
    let mut order: Vec<usize> = (0..release.hooks.len())
        .filter(|&index| release.hooks[index].events.contains(event))
        .collect();
    order.sort_by(|&a, &b| {
        let key = |index: usize| (release.hooks[index].weight, &release.hooks[index].name);
        key(a).cmp(&key(b))
    });
    for (done, &index) in order.iter().enumerate() {
        let hook = &mut release.hooks[index];
        if hook.delete_policies.is_empty() {
            hook.delete_policies
                .push(HookDeletePolicy::BeforeHookCreation);
        }
        let objects = build(writer, hook).await?;
        if hook
            .delete_policies
            .contains(&HookDeletePolicy::BeforeHookCreation)
        {
            remove(writer, hook, &objects).await?;
        }
        if let Some(store) = store {
            hook.started_at = Some(store.now());
            hook.completed_at = None;
            hook.phase = Phase::Running;
            record(store, release, writer.cancel).await?;
        }
        tracing::info!(release = %writer.id, %event, hook = %release.hooks[index].name, "running a hook");
        let outcome = one(writer, &objects).await;
        let hook = &mut release.hooks[index];
        hook.completed_at = store.map(Store::now);
        if let Err((reason, object)) = outcome {
            hook.phase = Phase::Failed;
            let hook = hook.clone();
            // Before it is tidied up.
            let output = match &object {
                Some(object) if !writer.cancel.is_cancelled() => {
                    writer.output(object, release).await
                }
                _ => String::new(),
            };
            let error = Error::Hook {
                event: event.to_string(),
                hook: described(&hook),
                reason,
                output,
            };
            if hook.delete_policies.contains(&HookDeletePolicy::HookFailed) {
                // What matters is the hook's failure, not that of tidying up after it.
                let _ = remove(writer, &hook, &objects).await;
            }
            succeeded(writer, release, &order[..done]).await?;
            return Err(error);
        }
        hook.phase = Phase::Succeeded;
        if hook.log_policies.contains(&HookLogPolicy::HookSucceeded) {
            let hook = described(hook);
            for object in outcome.unwrap_or_default() {
                let output = writer.output(&object, release).await;
                writer.tell(Note::HookOutput {
                    hook: hook.clone(),
                    output,
                });
            }
        }
    }
    succeeded(writer, release, &order).await
}

fn described(hook: &HookRecord) -> String {
    format!("{} ({} {})", hook.path, hook.kind, hook.name)
}

async fn record(store: &Store, release: &Release, cancel: &CancellationToken) -> Result<(), Error> {
    let mut release = release.clone();
    release.heartbeat = Some(store.now());
    store.update(&release, cancel).await
}

/// Removes the objects of hooks that succeeded, last first.
async fn succeeded(writer: &Writer<'_>, release: &Release, order: &[usize]) -> Result<(), Error> {
    for &index in order.iter().rev() {
        let hook = &release.hooks[index];
        if hook
            .delete_policies
            .contains(&HookDeletePolicy::HookSucceeded)
        {
            let objects = build(writer, hook).await?;
            remove(writer, hook, &objects).await?;
        }
    }
    Ok(())
}

async fn build(writer: &Writer<'_>, hook: &HookRecord) -> Result<Vec<Object>, Error> {
    let values = parse(&hook.manifest)?;
    let discovery = writer
        .cluster
        .discovery(writer.cancel)
        .await
        .map_err(Error::cluster(writer.id, "reading what the cluster offers"))?;
    let scopes = Scopes::new(discovery, &values);
    let mut objects = Vec::new();
    for value in values {
        let kind = value["kind"].as_str().unwrap_or_default().to_owned();
        match place(value, writer.id, &scopes)? {
            Some(object) => objects.push(object),
            None => {
                return Err(Error::Manifest(format!(
                    "hook {}: no matches for kind {kind:?}",
                    hook.path
                )));
            }
        }
    }
    Ok(objects)
}

/// Runs the objects of a hook; answers those that ran, or why one did not, with that one if it was made.
async fn one(
    writer: &Writer<'_>,
    objects: &[Object],
) -> Result<Vec<ObjectRef>, (String, Option<ObjectRef>)> {
    let mut ran = Vec::new();
    for object in objects {
        let options = WriteOptions::default();
        let written = if object.generated() {
            writer
                .cluster
                .create(&object.value, &options, writer.cancel)
                .await
        } else {
            writer
                .cluster
                .apply(&object.value, &options, writer.cancel)
                .await
        };
        let live =
            written.map_err(|error| (format!("{}: {error}", describe(&object.reference)), None))?;
        let reference = ObjectRef::of(&live).unwrap_or_else(|| object.reference.clone());
        let waiter = writer.waiter(writer.options.timeout);
        if let Err(reason) = waiter.ran(&reference).await {
            return Err((reason, Some(reference)));
        }
        ran.push(reference);
    }
    Ok(ran)
}

async fn remove(writer: &Writer<'_>, hook: &HookRecord, objects: &[Object]) -> Result<(), Error> {
    if hook.kind == "CustomResourceDefinition" {
        return Ok(());
    }
    let mut references = Vec::new();
    for object in objects.iter().filter(|object| !object.generated()) {
        let outcome = writer
            .cluster
            .delete(&object.reference, &DeleteOptions::default(), writer.cancel)
            .await;
        match outcome {
            Ok(_) => references.push(object.reference.clone()),
            Err(ClusterError::UnknownKind { .. }) => {}
            Err(error) => {
                let doing = format!("deleting the hook {}", describe(&object.reference));
                return Err(Error::cluster(writer.id, doing)(error));
            }
        }
    }
    writer
        .waiter(writer.options.timeout)
        .gone(&references)
        .await
}
