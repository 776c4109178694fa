//! Patches of users: read, and checked against what the provider owns.

use product::{Contract, Path, Problem};

use super::document::Identity;
use super::kinds::{self, Standing};
use crate::yaml::{self, Map, Yaml};

/// What a redacted configuration shows in place of a secret; applied, it would become the secret.
const REDACTED: &str = "******";

/// Places of the main document that follow from the resource or from the key.
const OWNED: [(&[&str], &str); 23] = [
    (&["machine", "type"], "the role of a node never changes"),
    (&["machine", "token"], "tokens are derived from the key"),
    (&["machine", "ca"], "certificates are derived from the key"),
    (
        &["machine", "network", "hostname"],
        "the name of a node follows from the identifier",
    ),
    (
        &["machine", "install"],
        "nodes start from an installed image; the image is talos_version and template",
    ),
    (
        &["machine", "kubelet", "image"],
        "the version is kubernetes_version",
    ),
    (
        &["machine", "features", "kubePrism"],
        "Cilium reaches the API through it",
    ),
    (
        &["cluster", "id"],
        "the identity of a cluster never changes",
    ),
    (&["cluster", "secret"], "secrets are derived from the key"),
    (
        &["cluster", "controlPlane"],
        "the endpoint is the attribute api",
    ),
    (&["cluster", "clusterName"], "the name is the identifier"),
    (
        &["cluster", "network"],
        "the networks follow from the attribute network",
    ),
    (&["cluster", "token"], "tokens are derived from the key"),
    (
        &["cluster", "aescbcEncryptionSecret"],
        "the encryption key is derived from the key",
    ),
    (
        &["cluster", "secretboxEncryptionSecret"],
        "the encryption key is derived from the key",
    ),
    (&["cluster", "ca"], "certificates are derived from the key"),
    (
        &["cluster", "aggregatorCA"],
        "certificates are derived from the key",
    ),
    (
        &["cluster", "serviceAccount"],
        "certificates are derived from the key",
    ),
    (
        &["cluster", "etcd", "ca"],
        "certificates are derived from the key",
    ),
    (
        &["cluster", "apiServer", "image"],
        "the version is kubernetes_version",
    ),
    (
        &["cluster", "controllerManager", "image"],
        "the version is kubernetes_version",
    ),
    (
        &["cluster", "scheduler", "image"],
        "the version is kubernetes_version",
    ),
    (&["cluster", "proxy"], "Cilium replaces kube-proxy"),
];

/// A strategic patch that was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Patch {
    pub(super) documents: Vec<Map>,
}

impl Patch {
    /// Reads a patch and checks it: YAML documents with known sections, nothing that follows from
    /// the resource, from the key or from another contract.
    ///
    /// # Errors
    /// All problems at once, relative to the patch's own path.
    pub fn parse(text: &str, contract: Contract) -> Result<Self, Vec<Problem>> {
        let documents = match yaml::parse(text) {
            Ok(documents) => documents,
            Err(error) => {
                return Err(vec![
                    Problem::error(Path::root(), "patch is not readable")
                        .seen(error)
                        .allowed("a stream of YAML mappings, as Talos' strategic patches")
                        .next("Correct the YAML; the line is counted in the patch."),
                ]);
            }
        };
        let mut checked = Vec::new();
        let mut problems = Vec::new();
        for document in documents {
            match document {
                Yaml::Map(map) => {
                    check_document(&map, contract, &mut problems);
                    checked.push(map);
                }
                Yaml::List(_) => problems.push(json_patch()),
                other => problems.push(
                    Problem::error(Path::root(), "patch is not a mapping")
                        .seen(other.kind())
                        .allowed("a mapping with `machine`, `cluster` or a document with `kind`")
                        .next("Write the part of the machine configuration that should change."),
                ),
            }
        }
        if problems.is_empty() {
            Ok(Self { documents: checked })
        } else {
            Err(problems)
        }
    }

    /// The kinds and sections that the patch touches, for logs: no values.
    pub fn outline(&self) -> Vec<String> {
        self.documents
            .iter()
            .map(|document| Identity::of(document).to_string())
            .collect()
    }
}

fn json_patch() -> Problem {
    Problem::error(Path::root(), "JSON patches are not possible")
        .seen("a list of operations")
        .allowed("strategic patches: the part of the configuration that should change")
        .next(
            "Talos accepts JSON patches for configurations of one document only, and those of \
             Talos 1.12 and later have several. To delete something write `$patch: delete` there.",
        )
}

fn check_document(document: &Map, contract: Contract, problems: &mut Vec<Problem>) {
    if holds_redacted(&Yaml::Map(document.clone())) {
        problems.push(
            Problem::error(Path::root(), "patch holds a redacted secret")
                .seen(REDACTED)
                .allowed("the value itself, or no value")
                .next(
                    "The text was copied from a redacted configuration; leave that key out, the \
                     provider fills it in.",
                ),
        );
    }
    match document.text("kind") {
        Some(kind) => check_kind(kind, document, contract, problems),
        None => check_main(document, contract, problems),
    }
}

fn holds_redacted(value: &Yaml) -> bool {
    match value {
        Yaml::Text(text) => text == REDACTED,
        Yaml::List(items) => items.iter().any(holds_redacted),
        Yaml::Map(map) => map.iter().any(|(_, value)| holds_redacted(value)),
        _ => false,
    }
}

fn check_kind(kind: &str, document: &Map, contract: Contract, problems: &mut Vec<Problem>) {
    if document.text("apiVersion") != Some("v1alpha1") {
        problems.push(
            Problem::error(Path::root(), "document has no API version of Talos")
                .seen(format!("kind {kind:?}"))
                .allowed("apiVersion: v1alpha1")
                .next(
                    "Add `apiVersion: v1alpha1`. Kubernetes objects are no patches: install them \
                     with an add-on.",
                ),
        );
    }
    let standing = kinds::KINDS
        .iter()
        .find_map(|(known, standing)| (*known == kind).then_some(standing));
    let problem = match standing {
        None => Problem::error(Path::root(), "kind of document is unknown")
            .seen(format!("{kind:?}"))
            .allowed("the kinds of Talos' configuration, for example UserVolumeConfig")
            .next("Correct the kind; names are case-sensitive."),
        Some(Standing::Since(since)) if *since > contract => {
            Problem::error(Path::root(), "kind of document is newer than the cluster")
                .seen(format!("{kind}, contract {contract}"))
                .allowed(format!("{kind} from contract {since} on"))
                .next("Use the older form of the setting: a cluster keeps its contract.")
        }
        Some(Standing::Since(_)) => return check_owned_link(kind, document, problems),
        Some(Standing::Instead(field)) => {
            Problem::error(Path::root(), "setting exists in an older form")
                .seen(kind)
                .allowed((*field).to_owned())
                .next(format!(
                    "Write it as `{field}`: this cluster's configuration uses that form, and both \
                     together are an error to Talos."
                ))
        }
        Some(Standing::Owned(reason)) => owned(kind, reason),
    };
    problems.push(problem);
}

fn owned(what: &str, reason: &str) -> Problem {
    Problem::error(Path::root(), "patch touches what the provider owns")
        .seen(what.to_owned())
        .allowed("other settings")
        .next(format!("Leave it out: {reason}."))
}

/// The one interface of a node is the provider's, further ones are free.
fn check_owned_link(kind: &str, document: &Map, problems: &mut Vec<Problem>) {
    let names_link = matches!(kind, "LinkConfig" | "LinkAliasConfig")
        && document.text("name") == Some("net0")
        && document.text("$patch") == Some("delete");
    if names_link {
        problems.push(owned(
            &format!("{kind} net0"),
            "without it a node has no address",
        ));
    }
}

fn check_main(document: &Map, contract: Contract, problems: &mut Vec<Problem>) {
    if contract == Contract::V1_12 {
        check_arguments(document, problems);
    }
    unknown_keys("", document, &kinds::ROOT, problems);
    for (section, allowed) in [
        ("machine", &kinds::MACHINE[..]),
        ("cluster", &kinds::CLUSTER[..]),
    ] {
        match document.get(section) {
            Some(Yaml::Map(map)) => unknown_keys(section, map, allowed, problems),
            None => {}
            Some(other) => problems.push(
                Problem::error(Path::root(), "section is not a mapping")
                    .seen(format!("{section}: {}", other.kind()))
                    .allowed("a mapping")
                    .next("Check the indentation."),
            ),
        }
    }
    for (path, reason) in OWNED {
        let Some((first, rest)) = path.split_first() else {
            continue;
        };
        if document
            .get(first)
            .and_then(|value| value.at(rest))
            .is_some()
        {
            problems.push(owned(&path.join("."), reason));
        }
    }
}

fn unknown_keys(section: &str, map: &Map, allowed: &[&str], problems: &mut Vec<Problem>) {
    for (key, _) in map.iter() {
        if !allowed.contains(&key) {
            let place = if section.is_empty() {
                key.to_owned()
            } else {
                format!("{section}.{key}")
            };
            problems.push(
                Problem::error(Path::root(), "setting does not exist")
                    .seen(place)
                    .allowed(allowed.join(", "))
                    .next("Correct the name; Talos refuses a configuration with unknown keys."),
            );
        }
    }
}

/// Talos 1.12 reads one text an argument, later releases lists too.
fn check_arguments(document: &Map, problems: &mut Vec<Problem>) {
    const PLACES: [&[&str]; 5] = [
        &["machine", "kubelet"],
        &["cluster", "apiServer"],
        &["cluster", "controllerManager"],
        &["cluster", "scheduler"],
        &["cluster", "etcd"],
    ];
    for place in PLACES {
        let arguments = document
            .get(place[0])
            .and_then(|section| section.at(&[place[1], "extraArgs"]));
        let Some(Yaml::Map(arguments)) = arguments else {
            continue;
        };
        for (name, value) in arguments.iter() {
            if matches!(value, Yaml::List(_)) {
                problems.push(
                    Problem::error(Path::root(), "argument is a list")
                        .seen(format!("{}.{}.extraArgs.{name}", place[0], place[1]))
                        .allowed("one text, at contract 1.12")
                        .next("Join the values as the component expects it, usually with commas."),
                );
            }
        }
    }
}
