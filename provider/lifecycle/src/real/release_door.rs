//! Releases behind the Kubernetes door: looked at, deployed, removed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::helm::release::{
    CrdPolicy, Deviation, DriftOptions, Note, Options, Release, Status, UninstallOptions, Wait,
};
use ::helm::{Cluster as _, ReleaseId, Releases};
use product::catalogue::namespace_labels;
use serde_json::{Map, Value, json};
use transport::CancellationToken;

use super::kubernetes::{KubernetesDoor, call, helm_fault, ours};
use super::releases::OWNER;
use crate::addon::{CrdRules, DesiredAddon, ReleaseSeen, post_render};
use crate::error::Fault;
use crate::ports::{Deployment, Kubernetes as _, Look};

/// The label of a release's record that tells an outdated one.
const FINGERPRINT: &str = "managedk8s-fingerprint";
/// The revision that the fingerprint was given with: helm hands labels on to the revisions that it makes.
const REVISION: &str = "managedk8s-revision";
/// The time that hooks get when nothing is waited for.
const HOOKS: Duration = Duration::from_mins(5);

/// What of a release's objects deviates, in words.
#[derive(Default)]
struct Compared {
    changed: BTreeMap<String, String>,
    unready: BTreeMap<String, Unready>,
}

/// Why an object is not ready, and on how many nodes alone if it is a DaemonSet.
struct Unready {
    why: String,
    shortfall: usize,
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
            fingerprint: if label(REVISION) == release.revision.to_string() {
                label(FINGERPRINT)
            } else {
                String::new()
            },
            owner: label(OWNER),
            app_version: release.chart.metadata.app_version.clone(),
            deployed,
            changed: compared.changed,
            unready: compared
                .unready
                .into_iter()
                .map(|(object, unready)| (object, unready.why))
                .collect(),
        })
    }

    /// Takes out daemons that lack pods on no more nodes than are not ready: a lost node is its pool's or the
    /// cluster's deviation, told once and not again by every release that runs on all nodes.
    async fn leave_lost_nodes(
        &self,
        unready: &mut BTreeMap<String, Unready>,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        if unready.values().all(|unready| unready.shortfall == 0) {
            return Ok(());
        }
        let nodes = self.nodes(cancel).await?;
        let lost = nodes.values().filter(|node| !node.ready).count();
        unready.retain(|_, unready| unready.shortfall == 0 || unready.shortfall > lost);
        Ok(())
    }

    pub(super) async fn deploy_release(
        &self,
        addon: &DesiredAddon,
        values: Option<&Value>,
        how: Deployment,
        cancel: &CancellationToken,
    ) -> Result<Vec<Note>, Fault> {
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
        let told = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&told);
        let releases = self.with_patches(addon)?.with_notes(Arc::new(move |note| {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.push(note);
        }));
        releases
            .deploy(&id, &chart, &values, &options(addon, how), cancel)
            .await
            .map_err(helm_fault(format!("deploy {}", addon.release())))?;
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *told))
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
    ) -> Result<Vec<String>, Fault> {
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
        let done = self
            .releases
            .uninstall(&id, &options, cancel)
            .await
            .map_err(helm_fault(format!("uninstall {}", addon.release())))?;
        self.delete_definitions(&definitions, cancel).await?;
        Ok(done.left)
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
        // Repairs what others changed, and tells whom it took a field from.
        force_conflicts: true,
        theirs: addon.drift.theirs(),
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
        stamp: Some(REVISION.to_owned()),
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

/// Objects of a revision that are gone, changed or not ready.
async fn compare(
    releases: &Releases,
    release: &Release,
    look: Look<'_>,
    cancel: &CancellationToken,
) -> Result<Compared, Fault> {
    let theirs = look.drift.theirs();
    let options = DriftOptions {
        theirs: theirs.clone(),
        health: look.health,
    };
    let mut drift = releases
        .drift(release, &options, cancel)
        .await
        .map_err(helm_fault(format!("compare release {}", release.id)))?;
    let mut compared = Compared::default();
    for (object, deviations) in &mut drift.objects {
        let whole = theirs.object(object);
        deviations.retain(|deviation| match deviation {
            Deviation::NotReady { why, shortfall } => {
                if !whole {
                    let unready = Unready {
                        why: why.clone(),
                        shortfall: *shortfall,
                    };
                    compared.unready.insert(object.to_string(), unready);
                }
                false
            }
            Deviation::Field { .. } => look.drift.detect,
            Deviation::Missing | Deviation::Refused(_) => look.drift.detect && !whole,
        });
    }
    drift.objects.retain(|_, deviations| !deviations.is_empty());
    compared.changed = drift.compact();
    Ok(compared)
}
