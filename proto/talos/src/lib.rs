//! Messages and services of the Talos machine API and COSI state.
//!
//! The `.proto` files under `proto/` are our own, cut to what is used; packages, names and numbers
//! are those of Talos 1.12 to 1.14, so that unknown fields are skipped and gRPC paths agree. Each
//! module below is one protobuf package; services come as `<service>_client` and `<service>_server`.

/// Declares the module of one protobuf package.
macro_rules! package {
    ($(#[$doc:meta])* $name:ident, $package:literal $(, { $($inner:tt)* })?) => {
        $(#[$doc])*
        #[allow(
            missing_docs,
            unused_qualifications,
            clippy::all,
            clippy::pedantic,
            reason = "generated from the .proto files, where the comments are"
        )]
        pub mod $name {
            tonic::include_proto!($package);
            $($($inner)*)?
        }
    };
}

package!(
    /// Metadata of replies, raw data, container runtimes and addresses.
    common, "common"
);
package!(
    /// The machine API: `MachineService`, `LifecycleService`, `ImageService` and events.
    machine, "machine"
);
package!(
    /// Cluster health as one control-plane node sees it.
    cluster, "cluster"
);
package!(
    /// Disks.
    storage, "storage"
);
package!(
    /// Time synchronisation.
    time, "time"
);
package!(
    /// trustd's certificate requests.
    securityapi, "securityapi"
);

/// COSI: the resource state of a node.
pub mod cosi {
    package!(
        /// The `State` service and its messages.
        resource, "cosi.resource", {
            #[doc = "Resources that describe the state itself."]
            pub mod meta { tonic::include_proto!("cosi.resource.meta"); }
        }
    );
}

/// Google's shared messages.
pub mod google {
    package!(
        /// gRPC status as a message.
        rpc, "google.rpc"
    );
}

/// Machine configuration as a resource.
pub mod resource {
    package!(
        /// `MachineConfigs` and `MachineTypes`.
        config, "resource.config"
    );
}

/// Specifications of Talos resources.
pub mod talos {
    /// Resources.
    pub mod resource {
        /// One module a group of types.
        pub mod definitions {
            package!(
                /// Disks and volumes.
                block, "talos.resource.definitions.block"
            );
            package!(
                /// Members of the cluster.
                cluster, "talos.resource.definitions.cluster"
            );
            package!(
                /// Enumerations.
                enums, "talos.resource.definitions.enums"
            );
            package!(
                /// The local etcd member.
                etcd, "talos.resource.definitions.etcd"
            );
            package!(
                /// System extensions.
                extensions, "talos.resource.definitions.extensions"
            );
            package!(
                /// Hardware identity.
                hardware, "talos.resource.definitions.hardware"
            );
            package!(
                /// Kubernetes on the node.
                k8s, "talos.resource.definitions.k8s"
            );
            package!(
                /// Links, addresses, names.
                network, "talos.resource.definitions.network"
            );
            package!(
                /// Stage, version, problems.
                runtime, "talos.resource.definitions.runtime"
            );
            package!(
                /// Time synchronisation.
                time, "talos.resource.definitions.time"
            );
            package!(
                /// Services.
                v1alpha1, "talos.resource.definitions.v1alpha1"
            );
        }
    }
}
