//! The Lease under which disruptive steps of different processes take turns.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use helm::{Cluster as _, ClusterError, ObjectRef, WriteOptions};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use transport::{CancellationToken, Pace, pause};

use crate::{Client, Error, FIELD_MANAGER};

/// The namespace of the Lease.
pub const LEASE_NAMESPACE: &str = "kube-system";
/// The name of the Lease.
pub const LEASE_NAME: &str = "managedk8s";

/// How to hold the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseOptions {
    /// Our own name, unique to this process: host, process number, something random.
    pub holder: String,
    /// How long the Lease is good without renewal. It is renewed at a third of this.
    pub duration: Duration,
    /// How long to wait for another holder.
    pub limit: Duration,
}

/// Who is waited for, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseHolder {
    /// Its name for itself.
    pub holder: String,
    /// When it took the Lease, by its own clock; empty when it did not say.
    pub since: String,
}

impl fmt::Display for LeaseHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.holder)?;
        if self.since.is_empty() {
            return Ok(());
        }
        write!(f, ", since {} by its clock", self.since)
    }
}

/// The Lease, held and renewed until it is released or dropped. After a drop without release it
/// expires.
pub struct LeaseGuard {
    client: Client,
    holder: String,
    lost: CancellationToken,
    renewal: JoinHandle<()>,
}

/// What a read of the Lease tells about its holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Record {
    holder: String,
    renewed: String,
    acquired: String,
    transitions: u64,
    /// How long the holder asked for.
    seconds: u64,
    version: String,
}

impl Record {
    fn read(value: &Value) -> Self {
        let text = |path: &str| {
            let text = value.pointer(path).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let number = |path: &str| value.pointer(path).and_then(Value::as_u64);
        Self {
            holder: text("/spec/holderIdentity"),
            renewed: text("/spec/renewTime"),
            acquired: text("/spec/acquireTime"),
            transitions: number("/spec/leaseTransitions").unwrap_or_default(),
            seconds: number("/spec/leaseDurationSeconds").unwrap_or_default(),
            version: text("/metadata/resourceVersion"),
        }
    }
}

impl Client {
    /// Takes the Lease, waiting for another holder until it lets go or its record has not changed
    /// for as long as it asked for. That is measured on our own clock: clocks of runners differ.
    /// `waiting` is told who is waited for, once for each holder.
    ///
    /// # Errors
    /// [`Error::LeaseHeld`] after the limit; those of reads and writes.
    pub async fn acquire_lease(
        &self,
        options: &LeaseOptions,
        waiting: &(dyn Fn(&LeaseHolder) + Send + Sync),
        cancel: &CancellationToken,
    ) -> Result<LeaseGuard, Error> {
        let clock = Arc::clone(&self.0.clock);
        let start = clock.now();
        let mut pace = Pace::new();
        let mut seen: Option<(Record, Instant)> = None;
        let mut told = None;
        loop {
            let asked = clock.now();
            let value = self.read(&lease(), cancel).await?;
            let now = clock.now();
            pace.answered(now.saturating_duration_since(asked));
            let record = value.as_ref().map(Record::read);
            let holder = match &record {
                None => None,
                Some(record) if record.holder.is_empty() || record.holder == options.holder => None,
                Some(record) => {
                    let since = match &seen {
                        Some((before, since)) if before == record => *since,
                        _ => {
                            pace.progressed();
                            now
                        }
                    };
                    seen = Some((record.clone(), since));
                    let idle = now.saturating_duration_since(since);
                    (idle < Duration::from_secs(record.seconds.max(1)))
                        .then(|| record.holder.clone())
                }
            };
            let Some(holder) = holder else {
                match self.write_lease(options, record.as_ref(), cancel).await {
                    Ok(_) => {
                        tracing::debug!(holder = options.holder, "lease acquired");
                        return Ok(self.guard(options));
                    }
                    // Another one was quicker: look again.
                    Err(Error::Call(
                        ClusterError::Stale { .. } | ClusterError::AlreadyExists { .. },
                    )) => continue,
                    Err(error) => return Err(error),
                }
            };
            let other = LeaseHolder {
                since: record.map(|record| record.acquired).unwrap_or_default(),
                holder,
            };
            if told.as_ref() != Some(&other) {
                waiting(&other);
            }
            let holder = other.to_string();
            told = Some(other);
            let elapsed = now.saturating_duration_since(start);
            if elapsed >= options.limit {
                return Err(Error::LeaseHeld { holder, elapsed });
            }
            let wait = pace.next_wait().min(options.limit.saturating_sub(elapsed));
            pause(clock.as_ref(), wait, cancel).await?;
        }
    }

    /// Writes us into the Lease, under the resource version that was read.
    async fn write_lease(
        &self,
        options: &LeaseOptions,
        before: Option<&Record>,
        cancel: &CancellationToken,
    ) -> Result<Record, Error> {
        let now = Timestamp::try_from(self.0.clock.wall()).unwrap_or(Timestamp::UNIX_EPOCH);
        let now = format!("{now:.6}");
        let ours = before.is_some_and(|record| record.holder == options.holder);
        let transitions = match before {
            None => 0,
            Some(record) => record.transitions + u64::from(!ours),
        };
        let acquired = before
            .filter(|record| ours && !record.acquired.is_empty())
            .map_or_else(|| now.clone(), |record| record.acquired.clone());
        let mut object = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEASE_NAME, "namespace": LEASE_NAMESPACE},
            "spec": {
                "holderIdentity": options.holder,
                "leaseDurationSeconds": options.duration.as_secs().max(1),
                "renewTime": now,
                "acquireTime": acquired,
                "leaseTransitions": transitions,
            },
        });
        let write = WriteOptions {
            field_manager: FIELD_MANAGER.to_owned(),
            ..WriteOptions::default()
        };
        let written = match before {
            None => self.create(&object, &write, cancel).await?,
            Some(record) => {
                object["metadata"]["resourceVersion"] = json!(record.version);
                self.replace(&object, &write, cancel).await?
            }
        };
        Ok(Record::read(&written))
    }

    fn guard(&self, options: &LeaseOptions) -> LeaseGuard {
        let lost = CancellationToken::new();
        let renewal = tokio::spawn(renew(self.clone(), options.clone(), lost.clone()));
        LeaseGuard {
            client: self.clone(),
            holder: options.holder.clone(),
            lost,
            renewal,
        }
    }
}

/// Renews until the Lease is somebody else's, or could not be renewed for as long as it is good.
async fn renew(client: Client, options: LeaseOptions, lost: CancellationToken) {
    let clock = Arc::clone(&client.0.clock);
    let mut renewed = clock.now();
    loop {
        if pause(clock.as_ref(), options.duration / 3, &lost)
            .await
            .is_err()
        {
            return;
        }
        let asked = clock.now();
        let result = async {
            let value = client.read(&lease(), &lost).await?;
            let record = value.as_ref().map(Record::read).unwrap_or_default();
            if record.holder != options.holder {
                return Ok(false);
            }
            client.write_lease(&options, Some(&record), &lost).await?;
            Ok::<_, Error>(true)
        }
        .await;
        match result {
            Ok(true) => renewed = asked,
            Ok(false) => {
                tracing::warn!(holder = options.holder, "the lease was taken over");
                lost.cancel();
            }
            Err(error) => {
                tracing::debug!(%error, "the lease could not be renewed");
                if clock.now().saturating_duration_since(renewed) >= options.duration {
                    lost.cancel();
                }
            }
        }
    }
}

impl LeaseGuard {
    /// Fires when the Lease is not ours any more: a disruptive step must not begin then.
    pub const fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Lets the next one have it at once. Errors do not matter much: the Lease expires.
    ///
    /// # Errors
    /// As every write.
    pub async fn release(self, cancel: &CancellationToken) -> Result<(), Error> {
        self.renewal.abort();
        let write = WriteOptions {
            field_manager: FIELD_MANAGER.to_owned(),
            ..WriteOptions::default()
        };
        // A renewal that was cut off may still arrive after our read: then the second try sees it.
        for _ in 0..3 {
            let Some(mut object) = self.client.read(&lease(), cancel).await? else {
                return Ok(());
            };
            if Record::read(&object).holder != self.holder {
                return Ok(());
            }
            object["spec"]["holderIdentity"] = json!("");
            object["spec"]["leaseDurationSeconds"] = json!(1);
            match self.client.replace(&object, &write, cancel).await {
                Ok(_) | Err(ClusterError::NotFound { .. }) => return Ok(()),
                Err(ClusterError::Stale { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

fn lease() -> ObjectRef {
    ObjectRef::namespaced(
        "coordination.k8s.io/v1",
        "Lease",
        LEASE_NAMESPACE,
        LEASE_NAME,
    )
}
