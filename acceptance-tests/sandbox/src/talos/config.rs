//! The machine configuration: strictly read, validated as the node does, and what the node needs of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::{IpNet, Ipv4Net};
use serde_json::Value;

use super::schema;

/// Why a configuration is refused, in the words of the node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// Role of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs etcd and the control plane.
    ControlPlane,
    /// Runs workloads only.
    Worker,
}

impl Role {
    /// As in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::ControlPlane => "controlplane",
            Self::Worker => "worker",
        }
    }
}

/// A certificate and, on nodes that may sign, its key; PEM.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pair {
    /// Certificate.
    pub certificate: String,
    /// Key; empty when the node does not have it.
    pub key: String,
}

/// A complete configuration.
#[derive(Clone)]
pub struct MachineConfig {
    /// The exact text.
    pub text: String,
    /// Its documents.
    pub documents: Vec<Value>,
    /// Role.
    pub role: Role,
    /// OS authority.
    pub os_ca: Pair,
    /// Further OS authorities that clients may come with.
    pub accepted_os_cas: Vec<String>,
    /// Token of trustd.
    pub token: String,
    /// Extra names of the machine API's certificate.
    pub cert_sans: Vec<String>,
    /// Host name, when one is given.
    pub hostname: Option<String>,
    /// Addresses, by the link they are for.
    pub addresses: Vec<(LinkRef, Ipv4Net)>,
    /// Shared address.
    pub vip: Option<Ipv4Addr>,
    /// Name of the cluster.
    pub cluster_name: String,
    /// Identity of the cluster.
    pub cluster_id: String,
    /// URL of the Kubernetes API.
    pub endpoint: String,
    /// Kubernetes authority.
    pub kubernetes_ca: Pair,
    /// Aggregation authority.
    pub aggregator_ca: Pair,
    /// Service account key, PEM.
    pub service_account_key: String,
    /// etcd authority.
    pub etcd_ca: Pair,
    /// Bootstrap token of kubelets.
    pub bootstrap_token: String,
    /// Domain of the cluster.
    pub dns_domain: String,
    /// Pod networks.
    pub pod_subnets: Vec<IpNet>,
    /// Service networks.
    pub service_subnets: Vec<IpNet>,
    /// Images by component: `kubelet`, `kube-apiserver`, ...
    pub images: BTreeMap<String, String>,
    /// Extra names of the Kubernetes API's certificate.
    pub api_cert_sans: Vec<String>,
    /// Labels of the node.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the node.
    pub annotations: BTreeMap<String, String>,
    /// Taints of the node, `key=value:Effect` or `key:Effect`.
    pub taints: Vec<String>,
    /// Workloads may run on control planes.
    pub schedulable: bool,
    /// `flannel`, `custom` or `none`.
    pub cni: String,
    /// kube-proxy runs.
    pub kube_proxy: bool,
    /// Provider id given to the kubelet.
    pub provider_id: Option<String>,
}

/// Which link an address is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkRef {
    /// A link by name.
    Name(String),
    /// The link with this MAC address.
    Mac(String),
}

/// What a text is.
pub enum Loaded {
    /// A configuration to boot with.
    Complete(Box<MachineConfig>),
    /// Documents without the main one: the machine stays in maintenance.
    Partial,
}

fn fail<T>(text: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError(text.into()))
}

/// Reads and validates a configuration as Talos 1.`minor` does.
pub fn load(text: &str, minor: u32) -> Result<Loaded, ConfigError> {
    let documents = crate::yaml::documents(text).map_err(|error| ConfigError(error.to_string()))?;
    let mut main = None;
    let mut seen: Vec<(String, String)> = Vec::new();
    for document in &documents {
        let Some(map) = document.as_object() else {
            return fail("a configuration document must be a mapping");
        };
        let version = map
            .get("apiVersion")
            .or_else(|| map.get("version"))
            .and_then(Value::as_str);
        let Some(kind) = map.get("kind").and_then(Value::as_str) else {
            if map.get("version").and_then(Value::as_str) != Some("v1alpha1") {
                return fail("missing kind");
            }
            if main.replace(document).is_some() {
                return fail("not allowed to have duplicate v1alpha1 documents");
            }
            keys(&schema::unknown_keys(document))?;
            continue;
        };
        let known =
            schema::kind(kind).filter(|known| version == Some("v1alpha1") && known.since <= minor);
        let Some(known) = known else {
            return fail(format!(
                "\"{kind}\" \"{}\": not registered",
                version.unwrap_or_default()
            ));
        };
        keys(&known.unknown_keys(document))?;
        let name = map
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if known.named && name.is_empty() {
            return fail(format!("{kind}: name is required"));
        }
        if seen.contains(&(kind.to_owned(), name.clone())) {
            return fail(format!("duplicate document: {kind}/v1alpha1/{name}"));
        }
        seen.push((kind.to_owned(), name));
    }
    let Some(main) = main.cloned() else {
        return Ok(Loaded::Partial);
    };
    let reader = Reader {
        main: &main,
        documents: &documents,
    };
    let config = reader.read(text)?;
    reader.validate(&config)?;
    Ok(Loaded::Complete(Box::new(config)))
}

fn keys(unknown: &[String]) -> Result<(), ConfigError> {
    if unknown.is_empty() {
        return Ok(());
    }
    fail(format!(
        "unknown keys found during decoding:\n{}",
        unknown.join("\n")
    ))
}

struct Reader<'a> {
    main: &'a Value,
    documents: &'a [Value],
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => String::new(),
    }
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .map(|list| list.iter().map(text).collect())
        .unwrap_or_default()
}

fn map(value: &Value) -> BTreeMap<String, String> {
    value
        .as_object()
        .map(|map| {
            map.iter()
                .map(|(key, value)| (key.clone(), text(value)))
                .collect()
        })
        .unwrap_or_default()
}

fn decoded(value: &Value, path: &str) -> Result<String, ConfigError> {
    let encoded = text(value);
    let bytes = STANDARD
        .decode(encoded.trim())
        .map_err(|_| ConfigError(format!("{path} is not base64")))?;
    String::from_utf8(bytes).map_err(|_| ConfigError(format!("{path} is not PEM")))
}

fn pair(value: &Value, path: &str) -> Result<Pair, ConfigError> {
    Ok(Pair {
        certificate: decoded(&value["crt"], &format!("{path}.crt"))?,
        key: decoded(&value["key"], &format!("{path}.key"))?,
    })
}

impl Reader<'_> {
    fn document(&self, kind: &str) -> &Value {
        self.documents
            .iter()
            .find(|document| document["kind"] == kind)
            .unwrap_or(&Value::Null)
    }

    fn all(&self, kind: &'static str) -> impl Iterator<Item = &Value> {
        self.documents
            .iter()
            .filter(move |document| document["kind"] == kind)
    }

    fn pem_pair(&self, kind: &str) -> Pair {
        let issuing = &self.document(kind)["issuingCA"];
        let accepted = texts(&self.document(kind)["acceptedCAs"]);
        let certificate = text(&issuing["cert"]);
        Pair {
            certificate: if certificate.is_empty() {
                accepted.concat()
            } else {
                certificate
            },
            key: text(&issuing["key"]),
        }
    }

    fn read(&self, source: &str) -> Result<MachineConfig, ConfigError> {
        let (machine, cluster) = (&self.main["machine"], &self.main["cluster"]);
        let role = match machine["type"].as_str().unwrap_or_default() {
            "controlplane" | "init" => Role::ControlPlane,
            "worker" => Role::Worker,
            "" => return fail("1 error occurred:\n\t* machine.type is required"),
            other => {
                return fail(format!(
                    "1 error occurred:\n\t* machine.type: unknown machine type: \"{other}\""
                ));
            }
        };
        let or = |pair: Pair, kind: &str| {
            if pair.certificate.is_empty() {
                self.pem_pair(kind)
            } else {
                pair
            }
        };
        let node = self.document("KubeNodeConfig");
        let network = self.document("KubeNetworkConfig");
        let first = |old: &Value, new: &Value| if old.is_null() { text(new) } else { text(old) };
        let subnets =
            |old: &Value, new: &Value, default: &str| -> Result<Vec<IpNet>, ConfigError> {
                let mut given = if old.is_null() {
                    texts(new)
                } else {
                    texts(old)
                };
                if given.is_empty() {
                    given.push(default.to_owned());
                }
                given
                    .iter()
                    .map(|cidr| {
                        cidr.parse()
                            .map_err(|_| ConfigError(format!("{cidr} is not a valid subnet")))
                    })
                    .collect()
            };
        let mut labels = map(&machine["nodeLabels"]);
        labels.extend(map(&node["labels"]));
        let mut annotations = map(&machine["nodeAnnotations"]);
        annotations.extend(map(&node["annotations"]));
        let service_account = decoded(
            &cluster["serviceAccount"]["key"],
            "cluster.serviceAccount.key",
        )?;
        let kubelet_args = if machine["kubelet"]["extraArgs"].is_null() {
            &self.document("KubeletConfig")["extraArgs"]
        } else {
            &machine["kubelet"]["extraArgs"]
        };
        let domain = first(&cluster["network"]["dnsDomain"], &network["dnsDomain"]);
        Ok(MachineConfig {
            text: source.to_owned(),
            documents: self.documents.to_vec(),
            role,
            os_ca: pair(&machine["ca"], "machine.ca")?,
            accepted_os_cas: machine["acceptedCAs"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|ca| decoded(&ca["crt"], "machine.acceptedCAs"))
                .collect::<Result<_, _>>()?,
            token: text(&machine["token"]),
            cert_sans: texts(&machine["certSANs"]),
            hostname: self.hostname(),
            addresses: self.addresses()?,
            vip: self.vip(),
            cluster_name: first(
                &cluster["clusterName"],
                &self.document("KubeClusterConfig")["clusterName"],
            ),
            cluster_id: first(
                &cluster["id"],
                &self.document("DiscoveryIdentityConfig")["clusterID"],
            ),
            endpoint: first(
                &cluster["controlPlane"]["endpoint"],
                &self.document("KubeClusterConfig")["endpoint"],
            ),
            kubernetes_ca: or(pair(&cluster["ca"], "cluster.ca")?, "KubeAPIServerCAConfig"),
            aggregator_ca: or(
                pair(&cluster["aggregatorCA"], "cluster.aggregatorCA")?,
                "KubeAggregatorCAConfig",
            ),
            service_account_key: if service_account.is_empty() {
                text(&self.document("KubeServiceAccountConfig")["issuer"]["privateKey"])
            } else {
                service_account
            },
            etcd_ca: pair(&cluster["etcd"]["ca"], "cluster.etcd.ca")?,
            bootstrap_token: text(&cluster["token"]),
            dns_domain: if domain.is_empty() {
                "cluster.local".into()
            } else {
                domain
            },
            pod_subnets: subnets(
                &cluster["network"]["podSubnets"],
                &network["podSubnets"],
                "10.244.0.0/16",
            )?,
            service_subnets: subnets(
                &cluster["network"]["serviceSubnets"],
                &network["serviceSubnets"],
                "10.96.0.0/12",
            )?,
            images: self.images(),
            api_cert_sans: {
                let mut names = texts(&cluster["apiServer"]["certSANs"]);
                names.extend(texts(
                    &self.document("KubeAPIServerConfig")["certExtraSANs"],
                ));
                names
            },
            labels,
            annotations,
            taints: taints(&machine["nodeTaints"])?
                .into_iter()
                .chain(taints(&node["taints"])?)
                .collect(),
            schedulable: cluster["allowSchedulingOnControlPlanes"] == true
                || (!node.is_null()
                    && node["taints"]["node-role.kubernetes.io/control-plane"].is_null()),
            cni: self.cni(),
            kube_proxy: cluster["proxy"]["disabled"] != true
                && self.document("KubeProxyConfig")["enabled"] != false,
            provider_id: kubelet_args["provider-id"].as_str().map(str::to_owned),
        })
    }

    fn images(&self) -> BTreeMap<String, String> {
        let (machine, cluster) = (&self.main["machine"], &self.main["cluster"]);
        let sources = [
            ("kubelet", &machine["kubelet"]["image"], "KubeletConfig"),
            (
                "kube-apiserver",
                &cluster["apiServer"]["image"],
                "KubeAPIServerConfig",
            ),
            (
                "kube-controller-manager",
                &cluster["controllerManager"]["image"],
                "KubeControllerManagerConfig",
            ),
            (
                "kube-scheduler",
                &cluster["scheduler"]["image"],
                "KubeSchedulerConfig",
            ),
            ("kube-proxy", &cluster["proxy"]["image"], "KubeProxyConfig"),
        ];
        sources
            .into_iter()
            .map(|(name, old, kind)| {
                let image = if old.is_null() {
                    text(&self.document(kind)["image"])
                } else {
                    text(old)
                };
                (name.to_owned(), image)
            })
            .filter(|(_, image)| !image.is_empty())
            .collect()
    }

    fn cni(&self) -> String {
        let old = text(&self.main["cluster"]["network"]["cni"]["name"]);
        if !old.is_empty() {
            return old;
        }
        let new_style = !self.document("KubeClusterConfig").is_null();
        if new_style && self.document("KubeFlannelCNIConfig").is_null() {
            "none".into()
        } else {
            "flannel".into()
        }
    }

    fn hostname(&self) -> Option<String> {
        let old = text(&self.main["machine"]["network"]["hostname"]);
        let name = if old.is_empty() {
            text(&self.document("HostnameConfig")["hostname"])
        } else {
            old
        };
        (!name.is_empty()).then_some(name)
    }

    fn vip(&self) -> Option<Ipv4Addr> {
        let mut interfaces = self.main["machine"]["network"]["interfaces"]
            .as_array()
            .into_iter()
            .flatten();
        let old = interfaces.find_map(|interface| text(&interface["vip"]["ip"]).parse().ok());
        old.or_else(|| {
            self.all("Layer2VIPConfig")
                .find_map(|document| text(&document["name"]).parse().ok())
        })
    }

    fn addresses(&self) -> Result<Vec<(LinkRef, Ipv4Net)>, ConfigError> {
        let mut found = Vec::new();
        let mut add = |link: &LinkRef, address: &str| -> Result<(), ConfigError> {
            match address.parse::<IpNet>() {
                Ok(IpNet::V4(address)) => found.push((link.clone(), address)),
                Ok(IpNet::V6(_)) => {}
                Err(_) => {
                    return fail(format!(
                        "1 error occurred:\n\t* invalid network address \"{address}\""
                    ));
                }
            }
            Ok(())
        };
        for interface in self.main["machine"]["network"]["interfaces"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let selector = &interface["deviceSelector"];
            let mac = [&selector["hardwareAddr"], &selector["permanentAddr"]]
                .into_iter()
                .find(|mac| mac.is_string());
            let link = match (interface["interface"].as_str(), mac) {
                (Some(name), _) => LinkRef::Name(name.to_owned()),
                (None, Some(mac)) => LinkRef::Mac(text(mac).to_lowercase()),
                (None, None) => LinkRef::Name("*".into()),
            };
            for address in texts(&interface["addresses"]) {
                add(&link, &address)?;
            }
        }
        for document in self.all("LinkConfig") {
            let name = text(&document["name"]);
            let link = self.alias(&name).unwrap_or(LinkRef::Name(name));
            for address in document["addresses"].as_array().into_iter().flatten() {
                add(&link, &text(&address["address"]))?;
            }
        }
        Ok(found)
    }

    /// The MAC address that an alias selects.
    fn alias(&self, name: &str) -> Option<LinkRef> {
        let document = self
            .all("LinkAliasConfig")
            .find(|document| document["name"] == name)?;
        let expression = text(&document["selector"]["match"]);
        let mac = expression
            .split(['"', '\''])
            .find(|part| part.len() == 17 && part.matches(':').count() == 5)
            .unwrap_or_default();
        Some(LinkRef::Mac(mac.to_lowercase()))
    }

    /// The rules that the node checks, in its words.
    fn validate(&self, config: &MachineConfig) -> Result<(), ConfigError> {
        let (machine, cluster) = (&self.main["machine"], &self.main["cluster"]);
        let mut errors: Vec<String> = Vec::new();
        let mut demand = |right: bool, text: &str| {
            if !right {
                errors.push(text.to_owned());
            }
        };
        demand(self.main["persist"] != false, "persist should be enabled");
        let endpoint = url::Url::parse(&config.endpoint).ok();
        demand(
            endpoint.is_some_and(|url| url.scheme() == "https" && url.host_str().is_some()),
            "invalid controlplane endpoint: url must be an absolute https URL",
        );
        demand(
            !config.os_ca.certificate.is_empty(),
            "machine.ca is required",
        );
        demand(!config.token.is_empty(), "machine.token is required");
        demand(
            !config.bootstrap_token.is_empty(),
            "cluster.token is required",
        );
        match config.role {
            Role::ControlPlane => {
                demand(
                    !config.os_ca.key.is_empty(),
                    "issuing Talos API CA key is required on controlplane",
                );
                demand(
                    !config.kubernetes_ca.key.is_empty(),
                    "issuing Kubernetes API CA key is required on controlplane",
                );
                demand(
                    !config.etcd_ca.key.is_empty(),
                    "issuing etcd CA is required on controlplane",
                );
                demand(
                    !config.aggregator_ca.key.is_empty(),
                    "aggregator CA is required on controlplane",
                );
                demand(
                    !config.service_account_key.is_empty(),
                    "service account key is required on controlplane",
                );
            }
            Role::Worker => {
                demand(
                    config.os_ca.key.is_empty(),
                    "issuing Talos API CA key is not allowed on non-controlplane nodes",
                );
                demand(
                    config.kubernetes_ca.key.is_empty(),
                    "issuing Kubernetes API CA key is not allowed on non-controlplane nodes",
                );
                demand(
                    cluster["etcd"].is_null(),
                    "etcd config is only allowed on control plane machines",
                );
                demand(
                    config.vip.is_none(),
                    "virtual (shared) IP is not allowed on non-controlplane nodes",
                );
                for kind in CONTROL_PLANE_ONLY {
                    demand(
                        self.document(kind).is_null(),
                        &format!("{kind} is not allowed on non-controlplane nodes"),
                    );
                }
            }
        }
        let cni = &cluster["network"]["cni"];
        demand(
            ["flannel", "custom", "none"].contains(&config.cni.as_str()),
            "cluster.network.cni.name should be one of [custom,flannel,none]",
        );
        demand(
            cni["name"] != "custom" || !texts(&cni["urls"]).is_empty(),
            "\"urls\" field should be set for custom CNI",
        );
        demand(
            cluster["discovery"]["enabled"] != true
                || (!text(&cluster["id"]).is_empty() && !text(&cluster["secret"]).is_empty()),
            "cluster discovery service requires .cluster.id and .cluster.secret",
        );
        demand(
            machine["install"]["grubUseUKICmdline"] != true
                || texts(&machine["install"]["extraKernelArgs"]).is_empty(),
            "install.extraKernelArgs and install.grubUseUKICmdline can't be used together",
        );
        for key in machine["kubelet"]["extraConfig"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
        {
            demand(
                !RESERVED_KUBELET.contains(&key.as_str()),
                &format!("kubelet configuration field \"{key}\" can't be overridden"),
            );
        }
        for interface in machine["network"]["interfaces"]
            .as_array()
            .into_iter()
            .flatten()
        {
            demand(
                interface["interface"].is_null() != interface["deviceSelector"].is_null(),
                "exactly one of interface name and device selector must be set",
            );
        }
        let hostname = self.document("HostnameConfig");
        if !hostname.is_null() {
            let (auto, name) = (text(&hostname["auto"]), text(&hostname["hostname"]));
            demand(
                !auto.is_empty() || !name.is_empty(),
                "either 'auto' or 'hostname' must be set",
            );
            demand(
                name.is_empty() || auto.is_empty() || auto == "off",
                "'auto' and 'hostname' cannot be set at the same time",
            );
            demand(
                ["", "stable", "off"].contains(&auto.as_str()),
                &format!("{auto} is not a valid AutoHostnameKind"),
            );
            demand(
                text(&machine["network"]["hostname"]).is_empty(),
                "static hostname is already set in v1alpha1 config",
            );
            demand(
                machine["features"]["stableHostname"] != true,
                "stableHostname feature is already set in v1alpha1 config",
            );
        }
        if let Some(name) = &config.hostname {
            demand(
                name.len() <= 253 && name.split('.').all(label),
                &format!("invalid hostname \"{name}\""),
            );
        }
        if errors.is_empty() {
            return Ok(());
        }
        let count = errors.len();
        let plural = if count == 1 { "error" } else { "errors" };
        fail(format!(
            "{count} {plural} occurred:\n\t* {}\n\n",
            errors.join("\n\t* ")
        ))
    }
}

const CONTROL_PLANE_ONLY: [&str; 10] = [
    "KubeAPIServerConfig",
    "KubeAggregatorCAConfig",
    "KubeAdmissionControlConfig",
    "KubeAuditPolicyConfig",
    "KubeAuthenticationConfig",
    "KubeEtcdEncryptionConfig",
    "KubeServiceAccountConfig",
    "KubeControllerManagerConfig",
    "KubeSchedulerConfig",
    "Layer2VIPConfig",
];

const RESERVED_KUBELET: [&str; 13] = [
    "apiVersion",
    "kind",
    "authentication",
    "authorization",
    "cgroupRoot",
    "kubeletCgroups",
    "systemCgroups",
    "port",
    "protectKernelDefaults",
    "resolvConf",
    "rotateCertificates",
    "staticPodPath",
    "seccompDefault",
];

fn label(part: &str) -> bool {
    (1..=63).contains(&part.len())
        && part
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        && !part.starts_with('-')
        && !part.ends_with('-')
}

fn taints(value: &Value) -> Result<Vec<String>, ConfigError> {
    map(value)
        .into_iter()
        .map(|(key, value)| {
            let (text, effect) = match value.split_once(':') {
                Some((value, effect)) => (value, effect),
                None => ("", value.as_str()),
            };
            if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect) {
                return fail(format!(
                    "1 error occurred:\n\t* invalid node taint effect \"{effect}\""
                ));
            }
            Ok(if text.is_empty() {
                format!("{key}:{effect}")
            } else {
                format!("{key}={text}:{effect}")
            })
        })
        .collect()
}

impl MachineConfig {
    /// Version of a component's image, such as `v1.36.3`.
    pub fn version_of(&self, component: &str) -> String {
        self.images
            .get(component)
            .and_then(|image| image.split('@').next())
            .and_then(|image| image.rsplit_once(':'))
            .map(|(_, tag)| tag.to_owned())
            .unwrap_or_default()
    }

    /// Host of the endpoint.
    pub fn endpoint_host(&self) -> String {
        url::Url::parse(&self.endpoint)
            .ok()
            .and_then(|url| {
                url.host_str()
                    .map(|host| host.trim_matches(['[', ']']).to_owned())
            })
            .unwrap_or_default()
    }

    /// Addresses that belong to one of these links.
    pub fn addresses_on(&self, macs: &[String]) -> Vec<Ipv4Addr> {
        let fits = |link: &LinkRef| match link {
            LinkRef::Mac(wanted) => macs.iter().any(|mac| crate::gate::glob(wanted, mac)),
            LinkRef::Name(name) if name == "*" => true,
            LinkRef::Name(name) => (0..macs.len())
                .any(|index| *name == format!("eth{index}") || *name == format!("enX{index}")),
        };
        self.addresses
            .iter()
            .filter(|(link, _)| fits(link))
            .map(|(_, address)| address.addr())
            .collect()
    }

    /// Everything the machine API's certificate is for.
    pub fn machine_names(&self, hostname: &str, addresses: &[Ipv4Addr]) -> Vec<String> {
        let mut names: Vec<String> = addresses.iter().map(Ipv4Addr::to_string).collect();
        names.extend([
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
            hostname.to_owned(),
        ]);
        names.extend(self.cert_sans.iter().cloned());
        names.retain(|name| !name.is_empty());
        names.dedup();
        names
    }

    /// Everything the Kubernetes API's certificate is for, beside the standard names.
    pub fn api_names(&self, hostname: &str, addresses: &[Ipv4Addr]) -> Vec<String> {
        let mut names: Vec<String> = addresses.iter().map(Ipv4Addr::to_string).collect();
        names.extend([hostname.to_owned(), self.endpoint_host()]);
        names.extend(self.vip.map(|vip| vip.to_string()));
        names.extend(self.api_cert_sans.iter().cloned());
        names.retain(|name| {
            !name.is_empty() && name.parse::<IpAddr>().is_ok() | !name.contains(':')
        });
        names.sort();
        names.dedup();
        names
    }
}

/// Addresses that the network configuration of the config drive gives to one of these links (cloud-init versions 1
/// and 2).
pub fn platform_addresses(network: &str, macs: &[String]) -> Vec<Ipv4Addr> {
    let Ok(documents) = crate::yaml::documents(network) else {
        return Vec::new();
    };
    let Some(document) = documents.first() else {
        return Vec::new();
    };
    let document = if document["network"].is_object() {
        &document["network"]
    } else {
        document
    };
    let mut found = Vec::new();
    let ours = |mac: &Value| {
        mac.as_str()
            .is_none_or(|mac| macs.contains(&mac.to_lowercase()))
    };
    let mut add = |address: &str| {
        let address = address.split('/').next().unwrap_or_default();
        found.extend(address.parse::<Ipv4Addr>().ok());
    };
    for item in document["config"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|item| ours(&item["mac_address"]))
    {
        for subnet in item["subnets"].as_array().into_iter().flatten() {
            add(subnet["address"].as_str().unwrap_or_default());
        }
    }
    for item in document["ethernets"]
        .as_object()
        .into_iter()
        .flat_map(|map| map.values())
    {
        if ours(&item["match"]["macaddress"]) {
            for address in item["addresses"].as_array().into_iter().flatten() {
                add(address.as_str().unwrap_or_default());
            }
        }
    }
    found
}
