//! The provider block and its environment variables. The only place that reads the environment.

use std::path::PathBuf;

use framework::{Attribute, Diagnostics, Dynamic, FromValue, Path, Schema, ToValue, Value};
use openiaas::{Credentials, Endpoint};
use secret::{ClusterKey, RootKey, SecretString};
use transport::Proxy;

/// The vendor's own address of the API.
const DEFAULT_ADDRESS: &str = "shiva.cloud-temple.com";

/// The environment variable of each setting.
mod variable {
    pub const ADDRESS: &str = "CLOUDTEMPLE_HTTP_ADDR";
    pub const SCHEME: &str = "CLOUDTEMPLE_HTTP_SCHEME";
    pub const CLIENT_ID: &str = "CLOUDTEMPLE_CLIENT_ID";
    pub const SECRET_ID: &str = "CLOUDTEMPLE_SECRET_ID";
    pub const KEY: &str = "MANAGEDK8S_KEY";
    pub const CLUSTER_KEY: &str = "MANAGEDK8S_CLUSTER_KEY";
    pub const PROXY_URL: &str = "MANAGEDK8S_PROXY_URL";
    pub const CHART_MIRROR: &str = "MANAGEDK8S_CHART_MIRROR";
    pub const CACHE_DIR: &str = "MANAGEDK8S_CACHE_DIR";
    pub const CA_FILE: &str = "MANAGEDK8S_CA_FILE";
    pub const CREATE_PARALLELISM: &str = "MANAGEDK8S_CREATE_PARALLELISM";
    pub const REQUESTS_PER_SECOND: &str = "MANAGEDK8S_REQUESTS_PER_SECOND";
}

/// The schema of the provider block.
pub fn schema() -> Schema {
    let setting = |text: &str, variable: &str| {
        Attribute::string(format!("{text} Environment variable: `{variable}`.")).optional()
    };
    Schema::new(
        "Managed Kubernetes on Cloud Temple OpenIaaS: clusters of Talos Linux machines, worker pools and add-ons. Every \
         setting has an environment variable, so that the block can be empty.",
    )
    .attributes([
        (
            "address",
            setting(
                "Host, or host and port, of the API; a whole `http://host:port` sets the scheme too. The vendor's by \
                 default.",
                variable::ADDRESS,
            ),
        ),
        ("scheme", setting("`https` (default) or `http`.", variable::SCHEME)),
        ("client_id", setting("Identifier of a personal access token.", variable::CLIENT_ID)),
        ("secret_id", setting("Secret of that token.", variable::SECRET_ID).sensitive()),
        (
            "key",
            setting(
                "The one key from which every secret of every cluster is derived: 32 random bytes as base64, made by \
                 `terraform-provider-managedk8s key generate`.",
                variable::KEY,
            )
            .sensitive(),
        ),
        (
            "cluster_key",
            setting(
                "Instead of `key`: the key of one cluster alone, made by `terraform-provider-managedk8s key cluster`, \
                 for a runner that should not hold the root. Such a runner cannot create clusters.",
                variable::CLUSTER_KEY,
            )
            .sensitive(),
        ),
        (
            "proxy_url",
            setting(
                "Proxy to the private addresses of the nodes, `http://host:port` (CONNECT) or `socks5://host:port`.",
                variable::PROXY_URL,
            ),
        ),
        (
            "chart_mirror",
            setting(
                "Base URL that replaces every chart repository: `https://charts.example.com/x` is then asked at \
                 `<chart_mirror>/charts.example.com/x`.",
                variable::CHART_MIRROR,
            ),
        ),
        (
            "ca_file",
            setting("PEM file of authorities to trust beside the system's, for the API and for charts.", variable::CA_FILE),
        ),
        (
            "cache_dir",
            setting(
                "Folder in which charts are kept by their SHA-256, shared by all runs of this machine; a folder of the \
                 user's cache by default. A plan compares with the chart that was applied last without fetching it again.",
                variable::CACHE_DIR,
            ),
        ),
        (
            "create_parallelism",
            Attribute::number(format!(
                "Machines of one cluster made at the same time; 4 by default. Environment variable: `{}`.",
                variable::CREATE_PARALLELISM
            ))
            .optional(),
        ),
        (
            "requests_per_second",
            Attribute::number(format!(
                "Upper limit of API requests; 20 by default, the platform allows 25 for each source address. \
                 Environment variable: `{}`.",
                variable::REQUESTS_PER_SECOND
            ))
            .optional(),
        ),
    ])
}

/// The provider block.
#[derive(Clone, Default, FromValue, ToValue)]
struct Block {
    address: Value<String>,
    scheme: Value<String>,
    client_id: Value<String>,
    secret_id: Value<String>,
    key: Value<String>,
    cluster_key: Value<String>,
    proxy_url: Value<String>,
    chart_mirror: Value<String>,
    cache_dir: Value<String>,
    ca_file: Value<String>,
    create_parallelism: Value<i64>,
    requests_per_second: Value<i64>,
}

/// The key that a run holds.
#[derive(Clone)]
pub enum HeldKey {
    /// Every cluster's.
    Root(RootKey),
    /// One cluster's.
    Cluster(ClusterKey),
    /// None: only what needs no secret works.
    None,
}

/// Settings, read and checked. A setting that depends on something not applied yet is `Unknown`; who needs it complains.
#[derive(Clone)]
pub struct Settings {
    /// Where the API is.
    pub endpoint: Value<Endpoint>,
    /// Who asks; null when not set.
    pub credentials: Value<Credentials>,
    /// The key.
    pub key: Value<HeldKey>,
    /// The proxy to nodes.
    pub proxy: Value<Proxy>,
    /// The proxy as written, without a password, for public kubeconfigs.
    pub proxy_url: Option<String>,
    /// The chart mirror.
    pub chart_mirror: Value<String>,
    /// Where charts are kept; null where no folder is known.
    pub cache_dir: Value<PathBuf>,
    /// More authorities.
    pub ca_file: Value<PathBuf>,
    /// Machines made at once.
    pub create_parallelism: usize,
    /// Requests a second.
    pub requests_per_second: f64,
}

/// The environment, as a function, so that rules are tested without touching the process's own.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's environment; an empty variable counts as not set.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The name of this run, for another one that waits for it: machine, process, and some digits that make it
/// unique where container images give every runner the same of both.
pub fn runner() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| environment("HOSTNAME"))
        .or_else(|| environment("COMPUTERNAME"))
        .unwrap_or_else(|| "unnamed host".to_owned());
    let mut random = [0; 4];
    // Without randomness host and process still tell most runs apart.
    let _ = getrandom::fill(&mut random);
    format!(
        "{host} (process {}, run {:08x})",
        std::process::id(),
        u32::from_be_bytes(random)
    )
}

impl Settings {
    /// Whether something in the block is known only after another object was applied.
    pub const fn is_open(&self) -> bool {
        self.endpoint.is_unknown()
            || self.credentials.is_unknown()
            || self.key.is_unknown()
            || self.proxy.is_unknown()
            || self.chart_mirror.is_unknown()
            || self.ca_file.is_unknown()
    }

    /// Reads the block, filled up from the environment.
    ///
    /// # Errors
    ///
    /// A diagnostic for each setting that cannot be used, naming the attribute or the variable.
    pub fn read(config: &Dynamic, environment: Environment<'_>) -> Result<Self, Diagnostics> {
        let block: Block = config.get()?;
        let mut problems = Diagnostics::new();
        let text = |value: &Value<String>, variable: &str| match value {
            Value::Null => environment(variable).map_or(Value::Null, Value::Known),
            other => other.clone(),
        };
        let address =
            text(&block.address, variable::ADDRESS).or_default_to(DEFAULT_ADDRESS.to_owned());
        let scheme = text(&block.scheme, variable::SCHEME).or_default_to("https".to_owned());
        let client_id = text(&block.client_id, variable::CLIENT_ID);
        let secret_id = text(&block.secret_id, variable::SECRET_ID);
        let key = text(&block.key, variable::KEY);
        let cluster_key = text(&block.cluster_key, variable::CLUSTER_KEY);
        let proxy_url = text(&block.proxy_url, variable::PROXY_URL);
        let chart_mirror = text(&block.chart_mirror, variable::CHART_MIRROR);
        let ca_file = text(&block.ca_file, variable::CA_FILE);
        let settings = Self {
            endpoint: endpoint(&address, &scheme, &mut problems),
            credentials: credentials(&client_id, &secret_id, &mut problems),
            key: held_key(&key, &cluster_key, &mut problems),
            proxy: parse(
                &proxy_url,
                "proxy_url",
                variable::PROXY_URL,
                Proxy::parse,
                &mut problems,
            ),
            proxy_url: proxy_url.as_known().map(|text| without_password(text)),
            chart_mirror,
            cache_dir: match text(&block.cache_dir, variable::CACHE_DIR) {
                Value::Null => default_cache(environment).map_or(Value::Null, Value::Known),
                other => other.map(PathBuf::from),
            },
            ca_file: ca_file.map(PathBuf::from),
            create_parallelism: whole(
                block.create_parallelism,
                ("create_parallelism", variable::CREATE_PARALLELISM),
                (4, 1, 32),
                environment,
                &mut problems,
            ),
            requests_per_second: whole(
                block.requests_per_second,
                ("requests_per_second", variable::REQUESTS_PER_SECOND),
                (20, 1, 1000),
                environment,
                &mut problems,
            ) as f64,
        };
        problems.into_result().map(|_| settings)
    }
}

/// The folder of the user's cache, by the conventions of XDG and Windows.
fn default_cache(environment: Environment<'_>) -> Option<PathBuf> {
    let folder = |name: &str| environment(name).map(PathBuf::from);
    folder("XDG_CACHE_HOME")
        .or_else(|| folder("LOCALAPPDATA"))
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("managedk8s"))
}

fn place(attribute: &'static str, variable: &str) -> String {
    format!("Set it in the provider block as {attribute}, or as {variable}.")
}

fn parse<T, E: std::fmt::Display>(
    value: &Value<String>,
    attribute: &'static str,
    variable: &str,
    read: impl Fn(&str) -> Result<T, E>,
    problems: &mut Diagnostics,
) -> Value<T> {
    match value {
        Value::Known(text) => match read(text) {
            Ok(value) => Value::Known(value),
            Err(error) => {
                problems.error_at(
                    Path::of(attribute),
                    format!("{attribute} cannot be used"),
                    format!("{error}.\n{}", place(attribute, variable)),
                );
                Value::Null
            }
        },
        Value::Null => Value::Null,
        Value::Unknown => Value::Unknown,
    }
}

fn endpoint(
    address: &Value<String>,
    scheme: &Value<String>,
    problems: &mut Diagnostics,
) -> Value<Endpoint> {
    let Value::Known(scheme) = scheme else {
        return Value::Unknown;
    };
    parse(
        address,
        "address",
        variable::ADDRESS,
        |text| Endpoint::parse(text, scheme, true),
        problems,
    )
}

fn credentials(
    client_id: &Value<String>,
    secret_id: &Value<String>,
    problems: &mut Diagnostics,
) -> Value<Credentials> {
    match (client_id, secret_id) {
        (Value::Known(id), Value::Known(secret)) => Value::Known(Credentials::new(
            id.clone(),
            SecretString::new(secret.clone()),
        )),
        (Value::Unknown, _) | (_, Value::Unknown) => Value::Unknown,
        (Value::Null, Value::Null) => Value::Null,
        (Value::Null, _) => {
            missing_half("client_id", variable::CLIENT_ID, "secret_id", problems);
            Value::Null
        }
        (_, Value::Null) => {
            missing_half("secret_id", variable::SECRET_ID, "client_id", problems);
            Value::Null
        }
    }
}

fn missing_half(missing: &'static str, variable: &str, given: &str, problems: &mut Diagnostics) {
    problems.error_at(
        Path::of(missing),
        format!("{missing} is missing"),
        format!(
            "Seen: {given} alone\nAllowed: both halves of a personal access token\n{}",
            place(missing, variable)
        ),
    );
}

fn held_key(
    key: &Value<String>,
    cluster_key: &Value<String>,
    problems: &mut Diagnostics,
) -> Value<HeldKey> {
    match (key, cluster_key) {
        (Value::Unknown, _) | (_, Value::Unknown) => Value::Unknown,
        (Value::Known(_), _) => parse(
            key,
            "key",
            variable::KEY,
            |text| RootKey::parse(text).map(HeldKey::Root),
            problems,
        ),
        (Value::Null, Value::Known(_)) => parse(
            cluster_key,
            "cluster_key",
            variable::CLUSTER_KEY,
            |text| ClusterKey::parse(text).map(HeldKey::Cluster),
            problems,
        ),
        (Value::Null, Value::Null) => Value::Known(HeldKey::None),
    }
}

fn whole(
    value: Value<i64>,
    (attribute, variable): (&'static str, &str),
    (default, least, most): (i64, i64, i64),
    environment: Environment<'_>,
    problems: &mut Diagnostics,
) -> usize {
    let seen = match value {
        Value::Known(number) => number.to_string(),
        Value::Null | Value::Unknown => {
            environment(variable).unwrap_or_else(|| default.to_string())
        }
    };
    let number = seen
        .parse()
        .ok()
        .filter(|number: &i64| (least..=most).contains(number));
    number.unwrap_or_else(|| {
        problems.error_at(
            Path::of(attribute),
            format!("{attribute} out of range"),
            format!(
                "Seen: {seen}\nAllowed: whole numbers from {least} to {most}\n{}",
                place(attribute, variable)
            ),
        );
        default
    }) as usize
}

/// A proxy URL as it may stand in a public file.
fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(members: &[(&'static str, &str)]) -> Dynamic {
        let names = [
            "address",
            "scheme",
            "client_id",
            "secret_id",
            "key",
            "cluster_key",
            "proxy_url",
            "chart_mirror",
            "cache_dir",
            "ca_file",
            "create_parallelism",
            "requests_per_second",
        ];
        Dynamic::object(names.map(|name| {
            let found = members.iter().find(|(member, _)| *member == name);
            (
                name,
                found.map_or(Dynamic::Null, |(_, text)| Dynamic::string(*text)),
            )
        }))
    }

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn complaints(config: &Dynamic, environment: Environment<'_>) -> Vec<(String, String)> {
        match Settings::read(config, environment) {
            Ok(_) => Vec::new(),
            Err(diagnostics) => diagnostics
                .iter()
                .map(|one| (one.path.to_string(), one.detail.clone()))
                .collect(),
        }
    }

    #[test]
    fn the_block_wins_over_the_environment() {
        let environment =
            |name: &str| (name == variable::ADDRESS).then(|| "ftp://wrong".to_owned());
        assert!(complaints(&block(&[("address", "http://127.0.0.1:1")]), &environment).is_empty());
        let found = complaints(&block(&[]), &environment);
        assert_eq!(found[0].0, "address");
        assert!(found[0].1.contains("CLOUDTEMPLE_HTTP_ADDR"), "{found:?}");
    }

    #[test]
    fn half_a_token_is_refused() {
        let found = complaints(&block(&[("client_id", "x")]), &nothing);
        assert_eq!(found[0].0, "secret_id");
    }

    #[test]
    fn a_wrong_key_is_not_repeated_in_the_message() {
        let found = complaints(&block(&[("key", "c2hvcnQ=")]), &nothing);
        assert_eq!(found[0].0, "key");
        assert!(!found[0].1.contains("c2hvcnQ="), "{found:?}");
    }

    #[test]
    fn passwords_never_reach_public_files() {
        assert_eq!(
            without_password("socks5://me:pw@host:1080"),
            "socks5://host:1080"
        );
        assert_eq!(without_password("http://host:8080"), "http://host:8080");
    }
}
