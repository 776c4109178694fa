//! One type for each kind of identifier, so that they cannot be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The identifier with this text, as the API wrote it.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text, as the API wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether the API gave none.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )+};
}

id! {
    /// An activity: an operation that the platform carries out in its own time.
    ActivityId,
    /// A network adapter of a VM.
    AdapterId,
    /// A virtual disk.
    DiskId,
    /// A hypervisor host.
    HostId,
    /// A machine manager: one availability zone.
    MachineManagerId,
    /// A network of one pool.
    NetworkId,
    /// A backup policy of one machine manager.
    PolicyId,
    /// A pool of hosts.
    PoolId,
    /// A storage repository.
    StorageRepositoryId,
    /// A template of one machine manager.
    TemplateId,
    /// A virtual machine.
    VmId,
}
