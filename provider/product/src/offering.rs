//! Offerings, topologies and the words of a configuration that follow from them.

use crate::text_enum::text_enum;

text_enum! {
    /// What is delivered on top of the cluster (product reference, 1.1).
    Offering, "offering" {
        /// The minimal base for teams that bring their own platform.
        Core = "core",
        /// The ready-made platform.
        Complete = "complete",
    }
}

text_enum! {
    /// How the machines are laid out (product reference, 2.1).
    Topology, "topology" {
        /// Three zones, three control planes, dedicated storage nodes.
        Production = "production",
        /// One zone, one control plane, storage on the first three workers.
        DevTest = "devtest",
    }
}

text_enum! {
    /// Whether the cluster is reached from the Internet (product reference, 4.6).
    Exposure, "exposure" {
        /// Public addresses are forwarded to the ingress and the API.
        Public = "public",
        /// Reached through private networks only.
        Private = "private",
    }
}

text_enum! {
    /// Who announces the addresses of LoadBalancer services (product reference, 4.5).
    LoadBalancerMode, "load balancer mode" {
        /// Layer 2 announcements on the cluster VLAN.
        L2 = "l2",
        /// BGP sessions with the firewall.
        Bgp = "bgp",
    }
}

text_enum! {
    /// What a worker is (product reference, 2.8).
    WorkerKind, "kind of worker" {
        /// A virtual machine.
        Vm = "vm",
        /// A blade of its own.
        BareMetal = "bare_metal",
    }
}

impl Topology {
    /// Control-plane nodes: three or one (product reference, 2.2 and 2.3).
    pub const fn control_planes(self) -> u16 {
        match self {
            Self::Production => 3,
            Self::DevTest => 1,
        }
    }

    /// Dedicated storage nodes when the configuration names no number.
    pub const fn storage_nodes(self) -> u16 {
        match self {
            Self::Production => 3,
            Self::DevTest => 0,
        }
    }

    /// Workers that carry a Ceph disk: the first three in devtest, none in production.
    pub const fn storage_workers(self) -> u16 {
        match self {
            Self::Production => 0,
            Self::DevTest => 3,
        }
    }

    /// Smallest and largest number of workers of a cluster (SIZ-01, SIZ-02).
    pub const fn worker_limits(self) -> (u16, u16) {
        match self {
            Self::Production => (3, 100),
            Self::DevTest => (3, 250),
        }
    }

    /// Zones a cluster spans.
    pub const fn zones(self) -> usize {
        match self {
            Self::Production => 3,
            Self::DevTest => 1,
        }
    }

    /// Smallest Ceph capacity of a storage node, in GB (CAP-01, CAP-02).
    pub const fn minimum_ceph_gb(self) -> u32 {
        match self {
            Self::Production => 500,
            Self::DevTest => 300,
        }
    }

    /// Letters of an identifier under the strict policy (IDN-01, IDN-02).
    pub const fn identifier_letters(self) -> usize {
        match self {
            Self::Production => 5,
            Self::DevTest => 6,
        }
    }

    /// Most nodes that Kubernetes will ever see, storage nodes as given.
    pub const fn most_nodes(self, storage_nodes: u16) -> u16 {
        self.control_planes() + storage_nodes + self.worker_limits().1
    }
}
