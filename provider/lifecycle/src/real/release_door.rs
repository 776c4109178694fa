//! Releases behind the Kubernetes door: looked at, deployed, removed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::helm::release::{
    CrdPolicy, Deviation, DriftOptions, Options, Release, Status, UninstallOptions, Wait,
};
use ::helm::{Cluster as _, DeleteOptions, Deleted, ObjectRef, ReleaseId, Releases};
use product::catalogue::namespace_labels;
use serde_json::{Map, Value, json};
use transport::{CancellationToken, pause};

use super::kubernetes::{KubernetesDoor, call, helm_fault, ours};
use super::releases::OWNER;
use crate::addon::{CrdRules, DesiredAddon, ReleaseSeen, post_render};
use crate::error::Fault;
use crate::ports::{Deployment, Kubernetes as _, Look};

/// The label of a release's record that tells an outdated one.
const FINGERPRINT: &str = "managedk8s-fingerprint";
/// The time that hooks get when nothing is waited for.
const HOOKS: Duration = Duration::from_mins(5);
/// How long a definition may take to go once it is deleted.
const DEFINITION_GONE: Duration = Duration::from_mins(1);

/// What of a release's objects deviates, in words.
#[derive(Default)]
struct Compared {
    changed: BTreeMap<String, String>,
    unready: BTreeMap<ObjectRef, String>,
}

impl KubernetesDoor {
    pub(super) async fn see_release(
        &self,
        namespace: &str,
        name: &str,
        look: Look<'_>,
        cancel: &CancellationToken,
    ) -> Result<ReleaseSeen, Fault> {
        let id = ReleaseId::new(namespace, name);
        let releases = if look.shared {
            &self.shared_releases
        } else {
            &self.releases
        };
        let newest = releases.newest(&id, cancel).await;
        let newest = newest.map_err(helm_fault(format!("read the release {namespace}/{name}")))?;
        let Some(release) = newest.filter(|release| release.info.status != Status::Uninstalled)
        else {
            return Ok(ReleaseSeen::Absent);
        };
        let deployed = release.info.status == Status::Deployed;
        let mut compared = if deployed && (look.drift.detect || look.health) {
            compare(releases, &release, look, cancel).await?
        } else {
            Compared::default()
        };
        self.leave_lost_nodes(&mut compared.unready, cancel).await?;
        let label = |key: &str| release.labels.get(key).cloned().unwrap_or_default();
        Ok(ReleaseSeen::Present {
            version: release.chart.metadata.version.clone(),
            fingerprint: label(FINGERPRINT),
            owner: label(OWNER),
            app_version: release.chart.metadata.app_version.clone(),
            deployed,
            changed: compared.changed,
            unready: compared
                .unready
                .into_iter()
                .map(|(object, why)| (object.to_string(), why))
                .collect(),
        })
    }

    /// Takes out daemons that lack pods on no more nodes than are not ready: a lost node is its pool's or the
    /// cluster's deviation, told once and not again by every release that runs on all nodes.
    async fn leave_lost_nodes(
        &self,
        unready: &mut BTreeMap<ObjectRef, String>,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        let daemons: Vec<ObjectRef> = unready
            .keys()
            .filter(|object| object.kind == "DaemonSet")
            .cloned()
            .collect();
        if daemons.is_empty() {
            return Ok(());
        }
        let nodes = self.nodes(cancel).await?;
        let lost = nodes.values().filter(|node| !node.ready).count();
        for daemon in daemons {
            let live = self.client.get(&daemon, cancel).await;
            let live = live.map_err(call(format!("read {daemon}")))?;
            if live.is_some_and(|live| pods_missing(&live) <= lost) {
                unready.remove(&daemon);
            }
        }
        Ok(())
    }

    pub(super) async fn deploy_release(
        &self,
        addon: &DesiredAddon,
        values: Option<&Value>,
        how: Deployment,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        let chart = self
            .charts
            .fetch(&addon.source, &addon.chart_digest, cancel)
            .await?;
        self.ensure_namespace(addon, cancel).await?;
        let values: Map<String, Value> = values
            .unwrap_or(&addon.values)
            .as_object()
            .cloned()
            .unwrap_or_default();
        let id = ReleaseId::new(addon.namespace.as_str(), addon.name.as_str());
        let releases = self.with_patches(addon)?;
        releases
            .deploy(&id, &chart, &values, &options(addon, how), cancel)
            .await
            .map(drop)
            .map_err(helm_fault(format!("deploy {}", addon.release())))
    }

    fn with_patches(&self, addon: &DesiredAddon) -> Result<Releases, Fault> {
        let releases = self.releases.clone();
        if addon.post_render.is_empty() {
            return Ok(releases);
        }
        let patches = post_render(&addon.post_render).map_err(|(position, why)| Fault::Failed {
            doing: format!("read post_render[{position}]"),
            source: why.into(),
        })?;
        let namespace = addon.namespace.clone();
        Ok(releases.with_post_render(Arc::new(move |rendered| {
            patches
                .apply(rendered, &namespace)
                .map_err(|error| error.to_string())
        })))
    }

    pub(super) async fn uninstall_release(
        &self,
        addon: &DesiredAddon,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        let id = ReleaseId::new(addon.namespace.as_str(), addon.name.as_str());
        // Read first: the record goes with the release.
        let definitions = if addon.options.crds.keep {
            Vec::new()
        } else {
            self.definitions(addon, &id, cancel).await?
        };
        let options = UninstallOptions {
            timeout: limit,
            hooks: addon.options.hooks,
            ..UninstallOptions::default()
        };
        self.releases
            .uninstall(&id, &options, cancel)
            .await
            .map(drop)
            .map_err(helm_fault(format!("uninstall {}", addon.release())))?;
        self.delete_definitions(&definitions, cancel).await
    }

    /// The CRDs of the chart's `crds/` folders. The record knows those of the chart itself alone, so it is asked only
    /// where the chart cannot be had.
    async fn definitions(
        &self,
        addon: &DesiredAddon,
        id: &ReleaseId,
        cancel: &CancellationToken,
    ) -> Result<Vec<ObjectRef>, Fault> {
        let chart = self
            .charts
            .fetch(&addon.source, &addon.chart_digest, cancel)
            .await;
        let crds = match chart {
            Ok(chart) => chart.crds(),
            Err(Fault::Cancelled) => return Err(Fault::Cancelled),
            Err(fault) => {
                tracing::warn!(release = %id, "the chart cannot be had: {fault}");
                let newest = self.releases.newest(id, cancel).await;
                let newest = newest.map_err(helm_fault(format!("read the release {id}")))?;
                newest
                    .map(|release| release.chart.crds())
                    .unwrap_or_default()
            }
        };
        let mut found = Vec::new();
        for crd in crds {
            let documents = ::helm::yaml::decode(&crd.content)
                .map_err(Fault::failed(format!("read {}", crd.path)))?;
            found.extend(documents.iter().filter_map(ObjectRef::of));
        }
        Ok(found)
    }

    async fn delete_definitions(
        &self,
        definitions: &[ObjectRef],
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        for definition in definitions {
            let doing = || format!("delete {definition}");
            let deleted = self
                .client
                .delete(definition, &DeleteOptions::default(), cancel)
                .await
                .map_err(call(doing()))?;
            if deleted == Deleted::Absent {
                continue;
            }
            let mut waited = Duration::ZERO;
            let nap = Duration::from_millis(250);
            while self
                .client
                .get(definition, cancel)
                .await
                .map_err(call(doing()))?
                .is_some()
            {
                if waited >= DEFINITION_GONE {
                    return Err(Fault::Unreachable(format!(
                        "{definition} is still there: objects of its kind have finalizers that nothing runs"
                    )));
                }
                pause(self.clock.as_ref(), nap, cancel)
                    .await
                    .map_err(|_| Fault::Cancelled)?;
                waited += nap;
            }
        }
        if !definitions.is_empty() {
            self.client.forget_discovery().await;
        }
        Ok(())
    }

    /// Makes the namespace of a release with its Pod Security labels, before anything is put into it.
    async fn ensure_namespace(
        &self,
        addon: &DesiredAddon,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        let labels: BTreeMap<&str, &str> =
            namespace_labels(addon.pod_security).into_iter().collect();
        if addon.namespace == "kube-system" || !addon.options.create_namespace {
            return Ok(());
        }
        let object = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": addon.namespace, "labels": labels },
        });
        self.client
            .apply(&object, &ours(), cancel)
            .await
            .map_err(call(format!("make the namespace {}", addon.namespace)))?;
        Ok(())
    }
}

fn options(addon: &DesiredAddon, how: Deployment) -> Options {
    let wanted = &addon.options;
    Options {
        timeout: if how.wait.is_zero() { HOOKS } else { how.wait },
        wait: match (how.wait.is_zero(), wanted.wait_for_jobs) {
            (true, _) => Wait::Hooks,
            (false, false) => Wait::Ready,
            (false, true) => Wait::ReadyAndJobs,
        },
        hooks: wanted.hooks,
        crds: crd_policy(wanted.crds),
        // Repairs what others changed; whoever wants a field for himself takes it out of the values.
        force_conflicts: true,
        replace_immutable: wanted.force_update,
        take_ownership: how.adopt || wanted.take_ownership,
        rollback_on_failure: wanted.atomic,
        cleanup_on_failure: wanted.cleanup_on_fail,
        history_max: wanted.max_history,
        description: wanted.description.clone(),
        skip_schema: wanted.skip_schema_validation,
        labels: BTreeMap::from([
            (FINGERPRINT.to_owned(), addon.fingerprint()),
            (OWNER.to_owned(), addon.owner.clone()),
        ]),
        ..Options::default()
    }
}

const fn crd_policy(rules: CrdRules) -> CrdPolicy {
    match (rules.install, rules.upgrade) {
        (true, true) => CrdPolicy::CreateAndUpdate,
        (true, false) => CrdPolicy::Create,
        (false, _) => CrdPolicy::Skip,
    }
}

/// The nodes on which a DaemonSet should have an available pod and has none, by its status.
fn pods_missing(daemon: &Value) -> usize {
    let number = |field: &str| {
        let number = daemon["status"][field].as_u64().unwrap_or_default();
        usize::try_from(number).unwrap_or(usize::MAX)
    };
    number("desiredNumberScheduled").saturating_sub(number("numberAvailable"))
}

/// Objects of a revision that are gone, changed or not ready.
async fn compare(
    releases: &Releases,
    release: &Release,
    look: Look<'_>,
    cancel: &CancellationToken,
) -> Result<Compared, Fault> {
    let options = DriftOptions {
        ignore_managers: look.drift.ignore_managers.clone(),
        health: look.health,
        ..DriftOptions::default()
    };
    let mut drift = releases
        .drift(release, &options, cancel)
        .await
        .map_err(helm_fault(format!("compare release {}", release.id)))?;
    let mut compared = Compared::default();
    for (object, deviations) in &mut drift.objects {
        deviations.retain(|deviation| match deviation {
            Deviation::NotReady(why) => {
                if !look.drift.ignores_object(object) {
                    compared.unready.insert(object.clone(), why.clone());
                }
                false
            }
            Deviation::Field { path, .. } => look.drift.detect && !look.drift.ignores(object, path),
            Deviation::Missing | Deviation::Refused(_) => {
                look.drift.detect && !look.drift.ignores_object(object)
            }
        });
    }
    drift.objects.retain(|_, deviations| !deviations.is_empty());
    compared.changed = drift.compact();
    Ok(compared)
}
