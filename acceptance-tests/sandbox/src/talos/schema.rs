//! Which keys the documents of a machine configuration may hold.
//!
//! The notation: `name` is a scalar or a list of scalars, `name*` is anything, `name{...}` a mapping with these keys,
//! `name[...]` a list of such mappings, `name<...>` a mapping whose values are such mappings.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

const MACHINE: &str = "type token ca{crt key} acceptedCAs[crt] certSANs \
controlPlane{controllerManager{disabled} scheduler{disabled}} \
kubelet{image clusterDNS extraArgs* extraMounts* extraConfig* credentialProviderConfig* \
  defaultRuntimeSeccompProfileEnabled registerWithFQDN nodeIP{validSubnets} skipNodeRegistration \
  disableManifestsDirectory} \
pods* \
network{hostname nameservers searchDomains disableSearchDomain extraHostEntries[ip aliases] \
  kubespan{enabled advertiseKubernetesNetworks allowDownPeerBypass harvestExtraEndpoints mtu \
    filters{endpoints excludeAdvertisedNetworks}} \
  interfaces[interface deviceSelector{busPath hardwareAddr permanentAddr pciID driver physical} addresses cidr \
    routes[network gateway source metric mtu] bond* bridge* bridgePort* \
    vlans[vlanId addresses routes[network gateway source metric mtu] dhcp mtu vip* dhcpOptions*] mtu dhcp ignore \
    dummy dhcpOptions* wireguard* vip{ip equinixMetal* hcloud*}]} \
disks[device partitions[size mountpoint]] \
install{disk diskSelector* extraKernelArgs image extensions[image] bootloader wipe legacyBIOSSupport \
  grubUseUKICmdline} \
files[content permissions path op] env* time{disabled servers bootTimeout} sysctls* sysfs* \
registries{mirrors<endpoints overridePath skipFallback> \
  config<tls{clientIdentity{crt key} ca insecureSkipVerify} auth{username password auth identityToken}>} \
systemDiskEncryption* \
features{rbac stableHostname kubernetesTalosAPIAccess{enabled allowedRoles allowedKubernetesNamespaces} \
  apidCheckExtKeyUsage diskQuotaSupport kubePrism{enabled port} \
  hostDNS{enabled forwardKubeDNSToHost resolveMemberNames} imageCache{localEnabled} nodeAddressSortAlgorithm} \
udev{rules} logging{destinations[endpoint format extraTags*]} kernel{modules[name parameters]} \
seccompProfiles* baseRuntimeSpecOverrides* nodeLabels* nodeAnnotations* nodeTaints*";

const CLUSTER: &str = "id secret controlPlane{endpoint localAPIServerPort} clusterName \
network{cni{name urls flannel{extraArgs kubeNetworkPoliciesEnabled}} dnsDomain podSubnets serviceSubnets} token \
aescbcEncryptionSecret secretboxEncryptionSecret ca{crt key} acceptedCAs[crt] aggregatorCA{crt key} \
serviceAccount{key} \
apiServer{image extraArgs* extraVolumes* env* certSANs disablePodSecurityPolicy admissionControl[name configuration*] \
  auditPolicy* resources* authorizationConfig*} \
controllerManager{image extraArgs* extraVolumes* env* resources*} \
proxy{disabled image mode extraArgs* resources*} \
scheduler{image extraArgs* extraVolumes* env* resources* config*} \
discovery{enabled registries{kubernetes{disabled} service{disabled endpoint}}} \
etcd{image ca{crt key} extraArgs* subnet advertisedSubnets listenSubnets} coreDNS{disabled image} \
externalCloudProvider{enabled manifests} extraManifests extraManifestHeaders* inlineManifests[name contents] \
adminKubeconfig{certLifetime} allowSchedulingOnControlPlanes";

const LINK: &str = "up mtu addresses[address routePriority] routes[destination gateway source metric mtu table] multicast";

/// Kind, first minor version, whether it has a name, fields.
const DOCUMENTS: &[(&str, u32, bool, &str)] = &[
    ("HostnameConfig", 12, false, "auto hostname"),
    ("LinkConfig", 12, true, "@"),
    ("LinkAliasConfig", 12, true, "selector{match}"),
    ("VLANConfig", 12, true, "vlanID vlanMode parent @"),
    (
        "BondConfig",
        12,
        true,
        "links bondMode hardwareAddr miimon updelay downdelay useCarrier xmitHashPolicy arpInterval \
      arpIpTargets nsIp6Targets arpValidate arpAllTargets lacpRate failOverMac adSelect adActorSysPrio adUserPortKey \
      adLACPActive primaryReselect resendIGMP minLinks lpInterval packetsPerSlave numPeerNotif tlbLogicalLb \
      allSlavesActive peerNotifDelay missedMax @",
    ),
    (
        "BridgeConfig",
        12,
        true,
        "links hardwareAddr stp{enabled} vlan{filtering} @",
    ),
    ("DummyLinkConfig", 12, true, "hardwareAddr @"),
    ("VRFConfig", 13, true, "links table @"),
    ("VethConfig", 14, true, "peer* @"),
    (
        "WireguardConfig",
        12,
        true,
        "privateKey listenPort firewallMark peers* @",
    ),
    (
        "DHCPv4Config",
        12,
        true,
        "routeMetric ignoreHostname ignoreRoutes clientIdentifier duidRaw",
    ),
    (
        "DHCPv6Config",
        12,
        true,
        "routeMetric ignoreHostname clientIdentifier duidRaw",
    ),
    ("Layer2VIPConfig", 12, true, "link"),
    ("HCloudVIPConfig", 12, true, "link apiToken"),
    (
        "ResolverConfig",
        12,
        false,
        "nameservers[address protocol tlsServerName] searchDomains{domains disableDefault} \
      hostDNS{enabled forwardKubeDNSToHost resolveMemberNames}",
    ),
    (
        "TimeSyncConfig",
        12,
        false,
        "enabled bootTimeout ntp{servers useNTS} ptp{devices}",
    ),
    ("StaticHostConfig", 12, true, "hostnames"),
    (
        "EthernetConfig",
        12,
        true,
        "features* rings* channels* wakeOnLan",
    ),
    ("NetworkDefaultActionConfig", 12, false, "ingress"),
    (
        "NetworkRuleConfig",
        12,
        true,
        "portSelector{ports protocol} ingress[subnet except]",
    ),
    ("BlackholeRouteConfig", 12, true, "metric"),
    ("RoutingRuleConfig", 13, true, "*"),
    ("TCPProbeConfig", 13, true, "*"),
    ("HTTPProbeConfig", 14, true, "*"),
    ("BGPInstanceConfig", 14, true, "*"),
    (
        "KubeSpanConfig",
        13,
        false,
        "enabled advertiseKubernetesNetworks allowDownPeerBypass harvestExtraEndpoints mtu \
      filters{endpoints excludeAdvertisedNetworks}",
    ),
    (
        "KubespanEndpointsConfig",
        12,
        false,
        "extraAnnouncedEndpoints",
    ),
    (
        "KubeSpanEndpointsConfig",
        12,
        false,
        "extraAnnouncedEndpoints",
    ),
    (
        "VolumeConfig",
        12,
        true,
        "provisioning{diskSelector{match} grow minSize maxSize} filesystem* encryption* mount* \
      trim* scrub*",
    ),
    (
        "UserVolumeConfig",
        12,
        true,
        "volumeType provisioning{diskSelector{match} grow minSize maxSize} \
      filesystem{type projectQuotaSupport xfs*} encryption* mount* trim* scrub*",
    ),
    (
        "RawVolumeConfig",
        12,
        true,
        "provisioning{diskSelector{match} grow minSize maxSize} encryption*",
    ),
    (
        "SwapVolumeConfig",
        12,
        true,
        "provisioning{diskSelector{match} grow minSize maxSize} encryption*",
    ),
    ("ZswapConfig", 12, false, "maxPoolPercent shrinkerEnabled"),
    (
        "ExistingVolumeConfig",
        12,
        true,
        "discovery{volumeSelector{match}} mount*",
    ),
    ("ExternalVolumeConfig", 13, true, "filesystemType mount*"),
    ("FilesystemTrimConfig", 14, false, "interval"),
    ("FilesystemScrubConfig", 14, false, "interval"),
    ("LVMVolumeGroupConfig", 14, true, "*"),
    ("LVMLogicalVolumeConfig", 14, true, "*"),
    ("RAIDArrayConfig", 14, true, "*"),
    (
        "RegistryMirrorConfig",
        12,
        true,
        "endpoints[url overridePath] skipFallback",
    ),
    (
        "RegistryAuthConfig",
        12,
        true,
        "username password auth identityToken",
    ),
    (
        "RegistryTLSConfig",
        12,
        true,
        "clientIdentity{cert key} ca insecureSkipVerify",
    ),
    ("ImageCacheConfig", 14, false, "local{enabled}"),
    ("CRIBaseRuntimeSpecConfig", 14, false, "overrides*"),
    ("CRICustomizationConfig", 14, true, "content"),
    ("TrustedRootsConfig", 12, true, "certificates"),
    ("ImageVerificationConfig", 13, false, "rules*"),
    ("EnvironmentConfig", 13, false, "variables*"),
    ("SysctlConfig", 14, false, "params*"),
    ("SysfsConfig", 14, false, "params*"),
    ("KernelModuleConfig", 14, true, "parameters"),
    ("UdevRulesConfig", 14, false, "rules"),
    ("EtcFileConfig", 14, true, "mode contents"),
    ("WatchdogTimerConfig", 12, false, "device timeout"),
    (
        "OOMConfig",
        12,
        false,
        "triggerExpression cgroupRankingExpression strictCgroupClassOrdering sampleInterval",
    ),
    ("SecurityProfileConfig", 14, false, "workloadIsolation"),
    (
        "UnattendedInstallConfig",
        14,
        false,
        "reboot installer{image} provisioning{diskSelector{match} wipe}",
    ),
    ("EventSinkConfig", 12, false, "endpoint"),
    ("KmsgLogConfig", 12, true, "url"),
    (
        "ExtensionServiceConfig",
        12,
        true,
        "configFiles[content mountPath] environment",
    ),
    ("PCIDriverRebindConfig", 12, true, "targetDriver"),
    ("SideroLinkConfig", 12, false, "apiUrl uniqueToken tunnel"),
    ("ContainerConfig", 14, true, "*"),
    ("DiscoveryServiceConfig", 14, true, "endpoint"),
    (
        "DiscoveryIdentityConfig",
        14,
        false,
        "clusterID clusterSecret",
    ),
    ("KubeClusterConfig", 14, false, "clusterName endpoint"),
    (
        "KubeNodeConfig",
        14,
        false,
        "skipNodeRegistration registerWithFQDN nodeIP{validSubnets} labels* annotations* taints*",
    ),
    (
        "KubeletConfig",
        14,
        false,
        "image config* extraArgs* clusterDNS defaultRuntimeSeccompProfileEnabled",
    ),
    (
        "KubeNetworkConfig",
        14,
        false,
        "dnsDomain podSubnets serviceSubnets nodeCIDRMaskSizeIPv4 nodeCIDRMaskSizeIPv6",
    ),
    (
        "KubeAPIServerConfig",
        14,
        false,
        "image extraArgs* env* resources* apiPort certExtraSANs startupProbes*",
    ),
    (
        "KubeAPIServerCAConfig",
        14,
        false,
        "issuingCA{cert key} acceptedCAs",
    ),
    (
        "KubeAggregatorCAConfig",
        14,
        false,
        "issuingCA{cert key} acceptedCAs",
    ),
    ("KubeAdmissionControlConfig", 14, true, "configuration*"),
    ("KubeAuditPolicyConfig", 14, false, "configuration*"),
    ("KubeAuthenticationConfig", 14, false, "configuration*"),
    ("KubeCredentialProviderConfig", 14, false, "configuration*"),
    ("KubeAuthorizerConfig", 14, true, "type webhook*"),
    ("KubeEtcdEncryptionConfig", 14, false, "config*"),
    (
        "KubeServiceAccountConfig",
        14,
        false,
        "issuer{privateKey issuerURL} accepted{publicKeys issuers audiences}",
    ),
    (
        "KubeControllerManagerConfig",
        14,
        false,
        "enabled image extraArgs* env* resources*",
    ),
    (
        "KubeSchedulerConfig",
        14,
        false,
        "enabled image extraArgs* env* resources* config*",
    ),
    (
        "KubeProxyConfig",
        14,
        false,
        "enabled image mode config* extraArgs* resources*",
    ),
    (
        "KubeFlannelCNIConfig",
        14,
        false,
        "backendType backendPort backendMTU backendExtraConfig resources* extraArgs \
      kubeNetworkPoliciesEnabled",
    ),
    ("KubeCoreDNSConfig", 14, false, "enabled image"),
    ("KubePrismConfig", 14, false, "port tlsServerName"),
    ("KubeInlineManifestConfig", 14, true, "manifest"),
    ("KubeExternalManifestConfig", 14, true, "url headers*"),
    ("KubeStaticPodConfig", 14, true, "pod*"),
    (
        "KubeTalosAPIAccessConfig",
        14,
        false,
        "allowedRoles allowedKubernetesNamespaces",
    ),
];

#[derive(Debug)]
enum Shape {
    Scalars,
    Anything,
    Object(BTreeMap<String, Shape>),
    List(BTreeMap<String, Shape>),
    Map(BTreeMap<String, Shape>),
}

/// What is known of a kind of document.
#[derive(Debug)]
pub struct Kind {
    /// First minor version of Talos 1 that has it.
    pub since: u32,
    /// Documents have a name.
    pub named: bool,
    shape: Shape,
}

fn kinds() -> &'static BTreeMap<&'static str, Kind> {
    static KINDS: OnceLock<BTreeMap<&'static str, Kind>> = OnceLock::new();
    KINDS.get_or_init(|| {
        let mut kinds = BTreeMap::new();
        for (kind, since, named, fields) in DOCUMENTS {
            let shape = if *fields == "*" {
                Shape::Anything
            } else {
                Shape::Object(fields_of(&fields.replace('@', LINK)))
            };
            kinds.insert(
                *kind,
                Kind {
                    since: *since,
                    named: *named,
                    shape,
                },
            );
        }
        kinds
    })
}

fn main_shape() -> &'static Shape {
    static MAIN: OnceLock<Shape> = OnceLock::new();
    MAIN.get_or_init(|| {
        Shape::Object(fields_of(&format!(
            "version debug persist machine{{{MACHINE}}} cluster{{{CLUSTER}}}"
        )))
    })
}

fn fields_of(text: &str) -> BTreeMap<String, Shape> {
    let mut letters = text.chars().peekable();
    read_fields(&mut letters)
}

fn read_fields(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> BTreeMap<String, Shape> {
    let mut fields = BTreeMap::new();
    let mut name = String::new();
    while let Some(letter) = letters.next() {
        let shape = match letter {
            '{' => Shape::Object(read_fields(letters)),
            '[' => Shape::List(read_fields(letters)),
            '<' => Shape::Map(read_fields(letters)),
            '*' => Shape::Anything,
            '}' | ']' | '>' => {
                if !name.is_empty() {
                    fields.insert(name, Shape::Scalars);
                }
                return fields;
            }
            letter if letter.is_whitespace() => {
                if name.is_empty() {
                    continue;
                }
                Shape::Scalars
            }
            letter => {
                name.push(letter);
                continue;
            }
        };
        fields.insert(std::mem::take(&mut name), shape);
    }
    if !name.is_empty() {
        fields.insert(name, Shape::Scalars);
    }
    fields
}

/// The kind of a document.
pub fn kind(name: &str) -> Option<&'static Kind> {
    kinds().get(name)
}

/// The path of every key of the main document that is not known.
pub fn unknown_keys(document: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    walk(main_shape(), document, "", &mut unknown);
    unknown
}

impl Kind {
    /// The path of every key of a document of this kind that is not known.
    pub fn unknown_keys(&self, document: &Value) -> Vec<String> {
        let mut document = document.clone();
        if let Some(map) = document.as_object_mut() {
            map.remove("apiVersion");
            map.remove("kind");
            if self.named {
                map.remove("name");
            }
        }
        let mut unknown = Vec::new();
        walk(&self.shape, &document, "", &mut unknown);
        unknown
    }
}

fn walk(shape: &Shape, value: &Value, path: &str, unknown: &mut Vec<String>) {
    match (shape, value) {
        (Shape::Anything, _) | (_, Value::Null) => {}
        (Shape::Object(fields), Value::Object(map)) => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                match fields.get(key) {
                    Some(shape) => walk(shape, value, &path, unknown),
                    None => unknown.push(path),
                }
            }
        }
        (Shape::List(fields), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                walk_fields(fields, item, &format!("{path}[{index}]"), unknown);
            }
        }
        (Shape::Map(fields), Value::Object(map)) => {
            for (key, value) in map {
                walk_fields(fields, value, &format!("{path}.{key}"), unknown);
            }
        }
        (Shape::Scalars, Value::Object(_)) => unknown.push(path.to_owned()),
        (Shape::Scalars, Value::Array(items))
            if items.iter().any(|item| item.is_object() || item.is_array()) =>
        {
            unknown.push(path.to_owned());
        }
        (Shape::Scalars, _) => {}
        _ => unknown.push(path.to_owned()),
    }
}

fn walk_fields(
    fields: &BTreeMap<String, Shape>,
    value: &Value,
    path: &str,
    unknown: &mut Vec<String>,
) {
    let Value::Object(map) = value else {
        unknown.push(path.to_owned());
        return;
    };
    for (key, value) in map {
        let path = format!("{path}.{key}");
        match fields.get(key) {
            Some(shape) => walk(shape, value, &path, unknown),
            None => unknown.push(path),
        }
    }
}
