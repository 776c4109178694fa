//! The steps of a cluster's plan.

use std::time::Duration;

use futures::FutureExt as _;
use product::{NodeKey, Path, Problem};

use super::{Run, is_control_plane};
use crate::Error;
use crate::cluster::{Etcd, MachineSpec, ObservedCluster};
use crate::guard::{EtcdMember, may_add_member, may_remove_member};
use crate::plan::{Step, StepKind};
use crate::ports::Deployment;
use crate::run::config::{NodeConfig, machine_config, network_config};
use crate::run::machines::{Claim, FoundVm};
use crate::run::side_by_side;
use crate::run::turn::Disturbance;
use crate::seen::{MachineSeen, Seen};

impl Run<'_> {
    /// Runs the front of a plan: one step, or several of one kind side by side.
    pub(super) async fn execute(
        &mut self,
        front: &[Step],
        observed: &ObservedCluster,
    ) -> Result<(), Error> {
        if front[0].kind == StepKind::RemoveConfigDrive {
            return self.remove_drives(front).await;
        }
        let this = &*self;
        let (alone, together): (Vec<&Step>, Vec<&Step>) = front
            .iter()
            .partition(|step| changes_members(step, observed));
        let mut work = Vec::with_capacity(together.len());
        for step in together {
            work.push(this.told(step, this.one(step, observed)).boxed());
        }
        let mut results = side_by_side(this.engine.settings.parallelism, work).await;
        // Control planes join a living etcd one at a time; the rest of them wait for the next observation.
        if results.iter().all(Result::is_ok)
            && let Some(step) = alone.first()
        {
            results.push(this.told(step, this.one(step, observed)).await);
        }
        // Steps that ran side by side have all ended here: the first failure is told, none is cut off.
        results.into_iter().collect()
    }

    async fn one(&self, step: &Step, observed: &ObservedCluster) -> Result<(), Error> {
        let machine = step.object.machine();
        match (step.kind, machine) {
            (StepKind::Claim, Some(node)) => self.claim(node, true).await.map(drop),
            (StepKind::MakeMachine, Some(node)) if changes_members(step, observed) => {
                self.in_turn(step, observed, self.make(node, observed))
                    .await
            }
            (StepKind::MakeMachine, Some(node)) => self.make(node, observed).await,
            (StepKind::PowerOn, Some(node)) => self.power_on(node).await,
            (StepKind::RemoveMember, Some(node)) => {
                self.in_turn(step, observed, self.remove_member(node, observed))
                    .await
            }
            (StepKind::LabelNode, Some(node)) => self.label(node, observed).await,
            (StepKind::AwaitMachines, _) => self.await_machines(step).await,
            (StepKind::Bootstrap, _) => self.bootstrap(step).await,
            (StepKind::AwaitApi, _) => self.await_api(step).await,
            (StepKind::InstallNetwork, _) => self.install_network().await,
            (StepKind::AwaitNodes, _) => self.await_nodes(step).await,
            (StepKind::RecordInputs, _) => self
                .kubernetes
                .record_inputs(&self.inputs_name(), &self.inputs(), self.cancel)
                .await
                .map_err(Error::cluster("record the inputs in the cluster")),
            (StepKind::Complete, _) => self.complete().await,
            // Of pools and add-ons; a cluster's plan has none of them.
            (
                StepKind::InstallRelease
                | StepKind::UpgradeRelease
                | StepKind::AwaitHealth
                | StepKind::ApplyObjects
                | StepKind::RemoveWorker
                | StepKind::UninstallRelease
                | StepKind::RemoveConfigDrive,
                _,
            )
            | (
                StepKind::Claim
                | StepKind::MakeMachine
                | StepKind::PowerOn
                | StepKind::RemoveMember
                | StepKind::LabelNode,
                None,
            ) => Ok(()),
        }
    }

    /// Changes of etcd's members take turns with other runs, as long as the cluster answers; what is
    /// begun is ended.
    async fn in_turn(
        &self,
        step: &Step,
        observed: &ObservedCluster,
        work: impl Future<Output = Result<(), Error>> + Send,
    ) -> Result<(), Error> {
        let subject = self.subject();
        let answers = observed.api.known().is_some();
        let disturbance = Disturbance {
            cluster: &self.desired.identifier,
            kubernetes: answers.then_some(self.kubernetes.as_ref()),
            subject: &subject,
            step,
        };
        let work = work.boxed();
        self.engine
            .in_turn(disturbance, self.cancel, |_| work)
            .await
    }

    fn spec(&self, node: NodeKey) -> Result<MachineSpec, Error> {
        self.desired
            .machines()
            .into_iter()
            .find(|spec| spec.node == node)
            .ok_or_else(|| {
                Error::refused(
                    Problem::error(
                        Path::root(),
                        "a step names a machine that the cluster does not have",
                    )
                    .seen(node),
                )
            })
    }

    /// The machine's VM, tagged; with `proof` its tag is read back, before anything else is made.
    async fn claim(&self, node: NodeKey, proof: bool) -> Result<FoundVm, Error> {
        let spec = self.spec(node)?;
        let config = machine_config(
            &self.minted.pki,
            &self.handle,
            &self.engine.tenant,
            NodeConfig {
                node,
                labels: self.desired.labels(node),
                taints: self.desired.taints(node).into_iter().collect(),
                max_pods: 110,
            },
        );
        let network = network_config(&self.handle, &self.engine.tenant, node);
        let claim = Claim {
            owner: &self.tag(node),
            spec: &spec,
            names: &self.desired.infrastructure,
            config: &config,
            network_config: &network,
            prior: self.inventory.of(node),
            proof,
        };
        self.engine.machines.claim(&claim, self.cancel).await
    }

    async fn make(&self, node: NodeKey, observed: &ObservedCluster) -> Result<(), Error> {
        if is_control_plane(node)
            && let Seen::Known(Etcd::Members(members)) = &observed.etcd
        {
            let others = without(members, &node.name(&self.desired.identifier));
            may_add_member(&others)
                .map_err(|refusal| unsafe_now("a control plane cannot be added now", &refusal.0))?;
        }
        let found = self.claim(node, false).await?;
        let spec = self.spec(node)?;
        self.engine
            .machines
            .finish(&found, &spec, &self.desired.infrastructure, self.cancel)
            .await
    }

    /// A machine as the last observation listed it.
    fn found(&self, node: NodeKey) -> Result<&FoundVm, Error> {
        self.inventory.of(node).ok_or_else(|| {
            Error::refused(
                Problem::error(Path::root(), "a machine is not listed")
                    .seen(node.name(&self.desired.identifier))
                    .next("Apply again."),
            )
        })
    }

    async fn power_on(&self, node: NodeKey) -> Result<(), Error> {
        let found = self.found(node)?;
        self.engine.machines.power_on(found, self.cancel).await
    }

    async fn remove_member(&self, node: NodeKey, observed: &ObservedCluster) -> Result<(), Error> {
        let name = node.name(&self.desired.identifier);
        // Read just before the step: what was observed may be minutes old.
        let running = running_control_planes(observed);
        let Seen::Known(Etcd::Members(members)) = self.etcd(&running).await? else {
            return Err(unsafe_now(
                "an etcd member cannot be removed now",
                "etcd does not answer",
            ));
        };
        may_remove_member(&members, &name)
            .map_err(|refusal| unsafe_now("an etcd member cannot be removed now", &refusal.0))?;
        let through = running.iter().find(|other| {
            let other = other.name(&self.desired.identifier);
            members
                .iter()
                .any(|member| member.name == other && member.healthy)
        });
        let (Some(member), Some(through)) =
            (members.iter().find(|member| member.name == name), through)
        else {
            return Ok(());
        };
        let address = self.handle.network.address(*through);
        self.nodes
            .remove_member(address, member.id, self.cancel)
            .await
            .map_err(Error::cluster(format!("remove {name} from etcd")))?;
        self.kubernetes
            .delete_node(&name, self.cancel)
            .await
            .map_err(Error::cluster(format!("remove the node {name}")))
    }

    async fn label(&self, node: NodeKey, observed: &ObservedCluster) -> Result<(), Error> {
        let Some(seen) = observed.nodes.known().and_then(|nodes| nodes.get(&node)) else {
            return Ok(());
        };
        let name = node.name(&self.desired.identifier);
        self.kubernetes
            .set_node(
                &name,
                &self.desired.labels(node),
                &self.desired.taints(node),
                seen,
                self.cancel,
            )
            .await
            .map_err(Error::cluster(format!("label {name}")))
    }

    /// Installs the network without waiting for all of it: what has no node to run on yet must not hold up
    /// a cluster; that nodes become ready shows that its agents work.
    async fn install_network(&self) -> Result<(), Error> {
        let how = Deployment {
            wait: Duration::ZERO,
            adopt: false,
        };
        self.kubernetes
            .deploy(&self.network(), None, how, self.cancel)
            .await
            .map(drop)
            .map_err(Error::cluster("install the network"))
    }

    async fn complete(&self) -> Result<(), Error> {
        let first = self.desired.first();
        let found = self.found(first)?;
        self.engine
            .machines
            .complete(found, &self.tag(first), self.cancel)
            .await
    }

    /// The node whose drive the platform keeps, if it does.
    async fn remove_drive(&self, step: &Step) -> Result<Option<NodeKey>, Error> {
        let Some(node) = step.object.machine() else {
            return Ok(None);
        };
        let mut gone = true;
        self.told(step, async {
            let found = self.found(node)?;
            gone = self
                .engine
                .machines
                .remove_config_drive(found, self.cancel)
                .await?;
            Ok(())
        })
        .await?;
        Ok((!gone).then_some(node))
    }

    /// Removes configuration drives side by side; those that the platform keeps are remembered.
    async fn remove_drives(&mut self, front: &[Step]) -> Result<(), Error> {
        let this = &*self;
        let mut work = Vec::with_capacity(front.len());
        for step in front {
            work.push(this.remove_drive(step).boxed());
        }
        let removed = side_by_side(this.engine.settings.parallelism, work).await;
        for kept in removed {
            self.kept_drives.extend(kept?);
        }
        Ok(())
    }
}

/// Whether a step adds a member to an etcd that lives.
fn changes_members(step: &Step, observed: &ObservedCluster) -> bool {
    observed.bootstrapped()
        && step.kind == StepKind::MakeMachine
        && step.object.machine().is_some_and(is_control_plane)
}

fn without(members: &[EtcdMember], name: &str) -> Vec<EtcdMember> {
    members
        .iter()
        .filter(|member| member.name != name)
        .cloned()
        .collect()
}

fn running_control_planes(observed: &ObservedCluster) -> Vec<NodeKey> {
    observed
        .machines
        .iter()
        .filter(|(node, seen)| {
            is_control_plane(**node) && matches!(seen, Seen::Known(MachineSeen::Running { .. }))
        })
        .map(|(node, _)| *node)
        .collect()
}

fn unsafe_now(summary: &'static str, reason: &str) -> Error {
    Error::refused(
        Problem::error(Path::root(), summary)
            .seen(reason)
            .allowed("a change of one member while all others are healthy")
            .next("Wait until etcd is healthy, or repair it, then apply again."),
    )
}
