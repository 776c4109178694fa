//! The attributes as a Rust type, and what they mean.

use std::collections::{BTreeMap, BTreeSet};

use framework::{Dynamic, FromValue, Path, ToValue, Value};
use lifecycle::cluster::Infrastructure;
use lifecycle::pool::DesiredPool;
use lifecycle::run::{ClusterHandle, RecordedPool, ShownPool};
use lifecycle::{Deviation, DeviationKind, Drift, Object};
use product::rules::{PoolInput, TaintInput};
use product::{IndexSet, MachineSize, PoolName, Taint, TaintEffect};

use crate::handle::KnownFacts;

/// `managedk8s_worker_pool` as configuration, plan and state.
#[derive(Clone, Debug, FromValue, ToValue)]
pub struct PoolModel {
    pub cluster: Dynamic,
    pub name: Value<String>,
    pub size: Value<i64>,
    pub min_size: Value<i64>,
    pub max_size: Value<i64>,
    pub vcpu: Value<i64>,
    pub memory_gib: Value<i64>,
    pub os_disk_gb: Value<i64>,
    pub ceph_gb: Value<i64>,
    pub max_pods_per_node: Value<i64>,
    pub template: Value<String>,
    pub labels: Value<BTreeMap<String, Value<String>>>,
    pub taints: Value<Vec<TaintModel>>,
    pub drain_timeout: Value<String>,
    pub timeouts: Dynamic,
    pub id: Value<String>,
    pub workers: Value<String>,
    pub drift: Value<BTreeMap<String, String>>,
    pub plan_summary: Value<String>,
}

/// One of `taints`.
#[derive(Clone, Debug, FromValue, ToValue)]
pub struct TaintModel {
    pub key: Value<String>,
    pub value: Value<String>,
    pub effect: Value<String>,
}

impl TaintModel {
    /// The taint, once every part is known.
    fn known(&self) -> Option<TaintInput<'_>> {
        let value = match &self.value {
            Value::Known(value) => value,
            Value::Null => "",
            Value::Unknown => return None,
        };
        Some(TaintInput {
            key: self.key.as_known()?,
            value,
            effect: self.effect.as_known()?,
        })
    }
}

impl PoolModel {
    /// The input of the product's rules: whatever is known.
    pub fn rules_input(&self, facts: Option<&KnownFacts>) -> PoolInput<'_> {
        let known = |value: &Value<i64>| value.known();
        PoolInput {
            name: self.name.as_known().map(String::as_str),
            kind: Some("vm"),
            topology: facts.map(|facts| facts.facts.topology),
            size: known(&self.size),
            min_size: known(&self.min_size),
            max_size: known(&self.max_size),
            other_workers: None,
            vcpu: known(&self.vcpu),
            memory_gib: known(&self.memory_gib),
            os_disk_gb: known(&self.os_disk_gb),
            ceph_gb: known(&self.ceph_gb),
            max_pods_per_node: known(&self.max_pods_per_node),
            labels: self
                .labels
                .as_known()
                .into_iter()
                .flatten()
                .filter_map(|(key, value)| Some((key.as_str(), value.as_known()?.as_str())))
                .collect(),
            taints: self
                .taints
                .as_known()
                .into_iter()
                .flatten()
                .filter_map(TaintModel::known)
                .collect(),
        }
    }

    /// What the configuration asks for, once everything it depends on is known and valid.
    pub fn desired(&self, facts: &KnownFacts) -> Option<DesiredPool> {
        let whole = |value: &Value<i64>| value.known();
        let topology = facts.facts.topology;
        let default_ceph = i64::from(facts.worker_ceph_gb);
        let infrastructure = &facts.infrastructure;
        Some(DesiredPool {
            name: PoolName::parse(self.name.as_known()?).ok()?,
            size: whole(&self.size)?.try_into().ok()?,
            machine: MachineSize {
                vcpu: whole(&self.vcpu)?.try_into().ok()?,
                memory_gib: whole(&self.memory_gib)?.try_into().ok()?,
                os_disk_gb: whole(&self.os_disk_gb)?.try_into().ok()?,
            },
            ceph_gb: self
                .ceph_gb
                .or_default_to(default_ceph)
                .known()?
                .try_into()
                .ok()?,
            labels: self.known_labels()?,
            taints: self.known_taints()?,
            max_pods_per_node: whole(&self.max_pods_per_node)?.try_into().ok()?,
            drain_timeout_minutes: self.drain_minutes()?,
            topology,
            region: facts.facts.region,
            zones: facts.facts.zones.clone(),
            infrastructure: Infrastructure {
                template: match self.template.clone().settled()? {
                    Some(template) => template,
                    None => infrastructure.template.clone(),
                },
                network: infrastructure.network.clone(),
                backup_policy: infrastructure.backup_policy.clone(),
                storage_repository: infrastructure.storage_repository.clone(),
            },
        })
    }

    fn known_labels(&self) -> Option<BTreeMap<String, String>> {
        let labels = self.labels.clone().settled()?.unwrap_or_default();
        labels
            .into_iter()
            .map(|(key, value)| Some((key, value.known()?)))
            .collect()
    }

    fn known_taints(&self) -> Option<BTreeSet<Taint>> {
        let taints = match &self.taints {
            Value::Known(taints) => taints.as_slice(),
            Value::Null => &[],
            Value::Unknown => return None,
        };
        taints
            .iter()
            .map(|taint| {
                let taint = taint.known()?;
                Some(Taint {
                    key: taint.key.to_owned(),
                    value: taint.value.to_owned(),
                    effect: TaintEffect::parse(taint.effect).ok()?,
                })
            })
            .collect()
    }

    fn drain_minutes(&self) -> Option<u32> {
        let limit = framework::timeouts::parse_duration(self.drain_timeout.as_known()?)?;
        u32::try_from(limit.as_secs().div_ceil(60)).ok()
    }

    /// The state of an imported pool. Where the recorded value is the default of an attribute that has none in the
    /// schema, the attribute is taken as not set.
    pub fn imported(handle: Dynamic, cluster: &ClusterHandle, recorded: &RecordedPool) -> Dynamic {
        let desired = &recorded.desired;
        let text = |value: &dyn std::fmt::Display| Value::Known(value.to_string());
        let whole = |value: u32| Value::Known(i64::from(value));
        let unless = |same: bool, value: Value<i64>| if same { Value::Null } else { value };
        let template = &desired.infrastructure.template;
        let labels = desired
            .labels
            .iter()
            .map(|(key, value)| (key.clone(), Value::Known(value.clone())));
        let model = Self {
            cluster: handle,
            name: text(&desired.name),
            size: whole(desired.size.into()),
            min_size: Value::Null,
            max_size: Value::Null,
            vcpu: whole(desired.machine.vcpu.into()),
            memory_gib: whole(desired.machine.memory_gib),
            os_disk_gb: whole(desired.machine.os_disk_gb),
            ceph_gb: unless(
                desired.ceph_gb == cluster.worker_ceph_gb,
                whole(desired.ceph_gb),
            ),
            max_pods_per_node: whole(desired.max_pods_per_node.into()),
            template: if *template == cluster.infrastructure.template {
                Value::Null
            } else {
                text(template)
            },
            labels: if desired.labels.is_empty() {
                Value::Null
            } else {
                Value::Known(labels.collect())
            },
            taints: Value::Null,
            drain_timeout: text(&format_args!("{}m", desired.drain_timeout_minutes)),
            timeouts: Dynamic::Null,
            id: text(&format_args!("{}/{}", cluster.id, desired.name)),
            workers: text(&recorded.indexes),
            drift: Value::Known(BTreeMap::new()),
            plan_summary: Value::Null,
        };
        let mut state = model.to_value();
        if !desired.taints.is_empty() {
            let taints = desired.taints.iter().map(|taint| {
                Dynamic::object([
                    ("key", Dynamic::string(taint.key.clone())),
                    (
                        "value",
                        if taint.value.is_empty() {
                            Dynamic::Null
                        } else {
                            Dynamic::string(taint.value.clone())
                        },
                    ),
                    ("effect", Dynamic::string(taint.effect.to_string())),
                ])
            });
            state.set_at(&Path::of("taints"), Dynamic::set(taints));
        }
        state
    }

    /// The state of a pool that an import could only see from outside: its machines.
    pub fn shown(handle: Dynamic, id: &str, name: &PoolName, shown: &ShownPool) -> Dynamic {
        let number = |value: u64| i64::try_from(value).map_or(Dynamic::Null, |n| n.to_value());
        let unread = Deviation::new(
            Object::Pool,
            DeviationKind::Inputs,
            "they could not be read",
        );
        Dynamic::object([
            ("cluster", handle),
            ("id", Dynamic::string(id)),
            ("name", Dynamic::string(name.to_string())),
            ("size", number(shown.indexes.len() as u64)),
            ("vcpu", number(shown.vcpu.into())),
            ("memory_gib", number(shown.memory_gib)),
            ("workers", Dynamic::string(shown.indexes.to_string())),
            ("drift", Drift::of(&[unread]).as_map().to_value()),
        ])
    }

    /// Whether a state is what an import saw from outside: an applied one has a system disk.
    pub fn is_shown(state: &Dynamic) -> bool {
        let null = |name: &str| state.member(name).is_none_or(Dynamic::is_null);
        !null("name") && null("os_disk_gb")
    }

    /// The numbers in state.
    pub fn stored_workers(&self) -> IndexSet {
        self.workers
            .as_known()
            .and_then(|text| IndexSet::parse(text).ok())
            .unwrap_or_default()
    }
}
