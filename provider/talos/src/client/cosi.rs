//! Resources: what Talos knows about itself.

use std::marker::PhantomData;

use prost::Message;
use proto_talos::cosi::resource::state_client::StateClient;
use proto_talos::cosi::resource::{GetRequest, ListRequest, Resource as WireResource};
use tonic::Code;

use super::connect::{READ, sized, timed};
use super::{Node, TalosError};

/// A type of resource: where it is and what its specification is.
pub struct ResourceType<T> {
    namespace: &'static str,
    name: &'static str,
    spec: PhantomData<fn() -> T>,
}

impl<T> ResourceType<T> {
    /// The type of this full name in this namespace.
    pub const fn new(namespace: &'static str, name: &'static str) -> Self {
        Self {
            namespace,
            name,
            spec: PhantomData,
        }
    }
}

/// The types that are read (Talos docs, "Resources").
pub mod types {
    use proto_talos::resource::config::MachineConfigSpec;
    use proto_talos::talos::resource::definitions::extensions::Layer;
    use proto_talos::talos::resource::definitions::network::{HostnameStatusSpec, LinkStatusSpec};
    use proto_talos::talos::resource::definitions::runtime::{
        DiagnosticSpec, MachineStatusSpec, VersionSpec,
    };

    use super::ResourceType;

    /// Configurations of the machine; ids `v1alpha1` (active) and `persistent`.
    pub const MACHINE_CONFIG: ResourceType<MachineConfigSpec> =
        ResourceType::new("config", "MachineConfigs.config.talos.dev");
    /// Stage and readiness; id `machine`.
    pub const MACHINE_STATUS: ResourceType<MachineStatusSpec> =
        ResourceType::new("runtime", "MachineStatuses.runtime.talos.dev");
    /// The running version; id `version`.
    pub const VERSION: ResourceType<VersionSpec> =
        ResourceType::new("runtime", "Versions.runtime.talos.dev");
    /// System extensions, one of which is the schematic.
    pub const EXTENSION: ResourceType<Layer> =
        ResourceType::new("runtime", "ExtensionStatuses.runtime.talos.dev");
    /// Problems that the node sees in itself.
    pub const DIAGNOSTIC: ResourceType<DiagnosticSpec> =
        ResourceType::new("runtime", "Diagnostics.runtime.talos.dev");
    /// The name in use; id `hostname`.
    pub const HOSTNAME: ResourceType<HostnameStatusSpec> =
        ResourceType::new("network", "HostnameStatuses.net.talos.dev");
    /// Network interfaces.
    pub const LINK: ResourceType<LinkStatusSpec> =
        ResourceType::new("network", "LinkStatuses.net.talos.dev");
}

/// One resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource<T> {
    /// Its id.
    pub id: String,
    /// Its version: a number that grows by one with each update.
    pub version: String,
    /// What it says.
    pub spec: T,
}

impl Node {
    /// A resource, or `None` when the node says that there is none.
    ///
    /// # Errors
    /// [`TalosError`]; a type that the node's release does not know is refused, not absent.
    pub async fn get<T: Message + Default>(
        &self,
        kind: &ResourceType<T>,
        id: &str,
    ) -> Result<Option<Resource<T>>, TalosError> {
        const RPC: &str = "State.Get";
        let request = GetRequest {
            namespace: kind.namespace.to_owned(),
            r#type: kind.name.to_owned(),
            id: id.to_owned(),
            options: None,
        };
        let mut client = sized!(StateClient::new(self.channel.clone()));
        let reply = self.call(RPC, READ, client.get(timed(request, READ))).await;
        match reply {
            Ok(reply) => {
                let wire = reply
                    .resource
                    .ok_or_else(|| self.unexpected(RPC, "no resource in the answer"))?;
                self.decoded(RPC, wire).map(Some)
            }
            Err(error) if error.code() == Some(Code::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All resources of a type.
    ///
    /// # Errors
    /// [`TalosError`].
    pub async fn list<T: Message + Default>(
        &self,
        kind: &ResourceType<T>,
    ) -> Result<Vec<Resource<T>>, TalosError> {
        const RPC: &str = "State.List";
        let request = ListRequest {
            namespace: kind.namespace.to_owned(),
            r#type: kind.name.to_owned(),
            options: None,
        };
        let mut client = sized!(StateClient::new(self.channel.clone()));
        let mut stream = self
            .call(RPC, READ, client.list(timed(request, READ)))
            .await?;
        let mut resources = Vec::new();
        while let Some(item) = self.bounded(RPC, READ, stream.message()).await? {
            let wire = item
                .resource
                .ok_or_else(|| self.unexpected(RPC, "no resource in an item"))?;
            resources.push(self.decoded(RPC, wire)?);
        }
        Ok(resources)
    }

    fn decoded<T: Message + Default>(
        &self,
        rpc: &'static str,
        wire: WireResource,
    ) -> Result<Resource<T>, TalosError> {
        let metadata = wire.metadata.unwrap_or_default();
        let spec = wire.spec.unwrap_or_default();
        let spec = T::decode(spec.proto_spec.as_slice())
            .map_err(|error| self.unexpected(rpc, error.to_string()))?;
        Ok(Resource {
            id: metadata.id,
            version: metadata.version,
            spec,
        })
    }
}
