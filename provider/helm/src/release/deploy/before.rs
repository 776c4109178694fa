//! What a release needs before its objects: the definitions of its chart, its namespace.

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::chart::Chart;
use crate::cluster::{ClusterError, ObjectRef, WriteOptions};
use crate::release::apply::Writer;
use crate::release::objects::{Scopes, parse, place};
use crate::release::{CrdPolicy, Error, ReleaseId, Releases};

impl Releases {
    pub(super) async fn apply_crds(&self, writer: &Writer<'_>, chart: &Chart) -> Result<(), Error> {
        let crds = chart.crds();
        if writer.options.crds == CrdPolicy::Skip || crds.is_empty() {
            return Ok(());
        }
        let discovery = self
            .cluster
            .discovery(writer.cancel)
            .await
            .map_err(Error::cluster(writer.id, "reading what the cluster offers"))?;
        let mut objects = Vec::new();
        for crd in crds {
            let values = parse(&String::from_utf8_lossy(&crd.content)).map_err(|error| {
                Error::Manifest(format!("failed to install CRD {}: {error}", crd.path))
            })?;
            let scopes = Scopes::new(discovery.clone(), &values);
            for value in values {
                objects.extend(place(value, writer.id, &scopes)?);
            }
        }
        let mut written = Vec::new();
        for object in objects {
            let doing = || format!("failed to install CRD {}", object.reference.name);
            let options = WriteOptions {
                // CRDs have many writers: operators, other releases, people. The chart's word counts.
                force: true,
                ..WriteOptions::default()
            };
            let outcome = match writer.options.crds {
                CrdPolicy::Skip => continue,
                CrdPolicy::Create => {
                    match self
                        .cluster
                        .create(&object.value, &options, writer.cancel)
                        .await
                    {
                        Err(ClusterError::AlreadyExists { .. }) => continue,
                        outcome => outcome,
                    }
                }
                CrdPolicy::CreateAndUpdate => {
                    self.cluster
                        .apply(&object.value, &options, writer.cancel)
                        .await
                }
            };
            outcome.map_err(Error::cluster(writer.id, doing()))?;
            written.push(object);
        }
        if written.is_empty() {
            return Ok(());
        }
        writer.crds_ready(&written).await
    }

    pub(super) async fn create_namespace(
        &self,
        id: &ReleaseId,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let namespace = ObjectRef::cluster("v1", "Namespace", &id.namespace);
        let doing = format!("creating namespace {}", id.namespace);
        match self.cluster.get(&namespace, cancel).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => {}
            // Who may not read namespaces may still be allowed to use this one.
            Err(ClusterError::Denied { .. }) => {}
            Err(error) => return Err(Error::cluster(id, doing)(error)),
        }
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": id.namespace, "labels": {"name": id.namespace}},
        });
        let options = WriteOptions::default();
        match self.cluster.create(&object, &options, cancel).await {
            Ok(_) | Err(ClusterError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(Error::cluster(id, doing)(error)),
        }
    }
}
