//! Which documents and sections a machine configuration may hold (Talos docs, "Configuration").

use product::Contract;

/// Keys of the main document.
pub(super) const ROOT: [&str; 5] = ["version", "debug", "persist", "machine", "cluster"];

/// Keys of the `machine` section.
pub(super) const MACHINE: [&str; 28] = [
    "type",
    "token",
    "ca",
    "acceptedCAs",
    "certSANs",
    "controlPlane",
    "kubelet",
    "pods",
    "network",
    "disks",
    "install",
    "files",
    "env",
    "time",
    "sysctls",
    "sysfs",
    "registries",
    "systemDiskEncryption",
    "features",
    "udev",
    "logging",
    "kernel",
    "seccompProfiles",
    "baseRuntimeSpecOverrides",
    "nodeLabels",
    "nodeAnnotations",
    "nodeTaints",
    "$patch",
];

/// Keys of the `cluster` section.
pub(super) const CLUSTER: [&str; 25] = [
    "id",
    "secret",
    "controlPlane",
    "clusterName",
    "network",
    "token",
    "aescbcEncryptionSecret",
    "secretboxEncryptionSecret",
    "ca",
    "acceptedCAs",
    "aggregatorCA",
    "serviceAccount",
    "apiServer",
    "controllerManager",
    "proxy",
    "scheduler",
    "discovery",
    "etcd",
    "coreDNS",
    "externalCloudProvider",
    "extraManifests",
    "extraManifestHeaders",
    "inlineManifests",
    "adminKubeconfig",
    "allowSchedulingOnControlPlanes",
];

/// What a patch may do with a kind of document.
pub(super) enum Standing {
    /// Allowed from this contract on.
    Since(Contract),
    /// The provider writes the older field named here, and both together are an error.
    Instead(&'static str),
    /// The provider owns the document; the text says how to change what it holds.
    Owned(&'static str),
}

use Contract::{V1_12, V1_13, V1_14};
use Standing::{Instead, Owned, Since};

/// Every kind, sorted.
pub(super) const KINDS: [(&str, Standing); 89] = [
    ("BGPInstanceConfig", Since(V1_14)),
    ("BlackholeRouteConfig", Since(V1_13)),
    ("BondConfig", Since(V1_12)),
    ("BridgeConfig", Since(V1_12)),
    ("CRIBaseRuntimeSpecConfig", Since(V1_14)),
    ("CRICustomizationConfig", Since(V1_14)),
    ("ContainerConfig", Since(V1_14)),
    ("DHCPv4Config", Since(V1_12)),
    ("DHCPv6Config", Since(V1_12)),
    (
        "DiscoveryIdentityConfig",
        Owned("the identity of a cluster never changes"),
    ),
    ("DiscoveryServiceConfig", Instead("cluster.discovery")),
    ("DummyLinkConfig", Since(V1_12)),
    ("EnvironmentConfig", Since(V1_13)),
    ("EtcFileConfig", Since(V1_14)),
    ("EthernetConfig", Since(V1_12)),
    ("EventSinkConfig", Since(V1_12)),
    ("ExistingVolumeConfig", Since(V1_12)),
    ("ExtensionServiceConfig", Since(V1_12)),
    ("ExternalVolumeConfig", Since(V1_13)),
    ("FilesystemScrubConfig", Since(V1_14)),
    ("FilesystemTrimConfig", Since(V1_14)),
    (
        "HCloudVIPConfig",
        Owned("the address of the API is api.strategy"),
    ),
    ("HTTPProbeConfig", Since(V1_14)),
    (
        "HostnameConfig",
        Owned("the name of a node follows from the identifier"),
    ),
    ("ImageCacheConfig", Since(V1_14)),
    ("ImageVerificationConfig", Since(V1_13)),
    ("KernelModuleConfig", Since(V1_14)),
    ("KmsgLogConfig", Since(V1_12)),
    (
        "KubeAPIServerCAConfig",
        Owned("certificates are derived from the key"),
    ),
    ("KubeAPIServerConfig", Instead("cluster.apiServer")),
    (
        "KubeAdmissionControlConfig",
        Instead("cluster.apiServer.admissionControl"),
    ),
    (
        "KubeAggregatorCAConfig",
        Owned("certificates are derived from the key"),
    ),
    (
        "KubeAuditPolicyConfig",
        Instead("cluster.apiServer.auditPolicy"),
    ),
    (
        "KubeAuthenticationConfig",
        Instead("cluster.apiServer.extraArgs"),
    ),
    (
        "KubeAuthorizerConfig",
        Instead("cluster.apiServer.authorizationConfig"),
    ),
    (
        "KubeClusterConfig",
        Owned("name and endpoint follow from the resource"),
    ),
    (
        "KubeControllerManagerConfig",
        Instead("cluster.controllerManager"),
    ),
    ("KubeCoreDNSConfig", Instead("cluster.coreDNS")),
    (
        "KubeCredentialProviderConfig",
        Instead("machine.kubelet.credentialProviderConfig"),
    ),
    (
        "KubeEtcdEncryptionConfig",
        Owned("the encryption key is derived from the key"),
    ),
    (
        "KubeExternalManifestConfig",
        Instead("cluster.extraManifests"),
    ),
    ("KubeFlannelCNIConfig", Owned("the network is Cilium")),
    (
        "KubeInlineManifestConfig",
        Instead("cluster.inlineManifests"),
    ),
    (
        "KubeNetworkConfig",
        Owned("the networks follow from the attribute network"),
    ),
    (
        "KubeNodeConfig",
        Instead("machine.nodeLabels, machine.nodeTaints and machine.kubelet"),
    ),
    ("KubePrismConfig", Instead("machine.features.kubePrism")),
    ("KubeProxyConfig", Owned("Cilium replaces kube-proxy")),
    ("KubeSchedulerConfig", Instead("cluster.scheduler")),
    (
        "KubeServiceAccountConfig",
        Owned("the key is derived from the key"),
    ),
    ("KubeSpanConfig", Since(V1_13)),
    ("KubeSpanEndpointsConfig", Since(V1_12)),
    ("KubeStaticPodConfig", Instead("machine.pods")),
    (
        "KubeTalosAPIAccessConfig",
        Instead("machine.features.kubernetesTalosAPIAccess"),
    ),
    ("KubeletConfig", Instead("machine.kubelet")),
    ("LVMLogicalVolumeConfig", Since(V1_14)),
    ("LVMVolumeGroupConfig", Since(V1_14)),
    ("Layer2VIPConfig", Since(V1_12)),
    ("LinkAliasConfig", Since(V1_12)),
    ("LinkConfig", Since(V1_12)),
    ("NetworkDefaultActionConfig", Since(V1_12)),
    ("NetworkRuleConfig", Since(V1_12)),
    ("OOMConfig", Since(V1_12)),
    ("PCIDriverRebindConfig", Since(V1_12)),
    ("RAIDArrayConfig", Since(V1_14)),
    ("RawVolumeConfig", Since(V1_12)),
    ("RegistryAuthConfig", Since(V1_12)),
    ("RegistryMirrorConfig", Since(V1_12)),
    ("RegistryTLSConfig", Since(V1_12)),
    ("ResolverConfig", Since(V1_12)),
    ("RoutingRuleConfig", Since(V1_13)),
    ("SecurityProfileConfig", Since(V1_14)),
    (
        "SideroLinkConfig",
        Owned("the machine API is the provider's"),
    ),
    ("StaticHostConfig", Since(V1_12)),
    ("SwapVolumeConfig", Since(V1_12)),
    ("SysctlConfig", Since(V1_14)),
    ("SysfsConfig", Since(V1_14)),
    ("TCPProbeConfig", Since(V1_13)),
    ("TimeSyncConfig", Instead("machine.time")),
    ("TrustedRootsConfig", Since(V1_12)),
    ("UdevRulesConfig", Since(V1_14)),
    (
        "UnattendedInstallConfig",
        Owned("nodes start from an installed image"),
    ),
    ("UserVolumeConfig", Since(V1_12)),
    ("VLANConfig", Since(V1_12)),
    ("VRFConfig", Since(V1_13)),
    ("VethConfig", Since(V1_14)),
    ("VolumeConfig", Since(V1_12)),
    ("WatchdogTimerConfig", Since(V1_12)),
    ("WireguardConfig", Since(V1_12)),
    ("ZswapConfig", Since(V1_12)),
];
