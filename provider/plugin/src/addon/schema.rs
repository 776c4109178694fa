//! Attributes, with description, default and what a change of them does.

use framework::{Attribute, IdentitySchema, Schema, Type, validators};
use product::catalogue::PodSecurity;

use crate::attributes::{drift, plan_summary, timeouts};
use crate::handle::handle_type;

/// The identity: what an import needs.
pub fn identity() -> IdentitySchema {
    IdentitySchema::new()
        .required("identifier", Type::String, "The cluster's identifier.")
        .required("name", Type::String, "The add-on's name.")
        .required(
            "birth",
            Type::String,
            "The cluster's birth, 32 hexadecimal digits.",
        )
        .optional(
            "namespace",
            Type::String,
            "The release's namespace; the catalogue's by default.",
        )
}

/// The schema of an add-on.
pub fn schema() -> Schema {
    Schema::new(
        "One Helm release in a cluster: a component of the catalogue by its name, with the product's values for this \
         cluster, or any chart. Releases are Helm's own: `helm list` shows them, and the command line can take one over \
         and give it back. A plan shows in `changes` what happens to each object, and in `drift` what others did to them.",
    )
    .attributes(chart_attributes())
    .attributes(value_attributes())
    .attributes(operation_attributes())
    .attributes(drift_attributes())
    .attributes(computed_attributes())
}

fn chart_attributes() -> Vec<(&'static str, Attribute)> {
    vec![
        (
            "cluster",
            Attribute::new(handle_type(), "The `handle` of a `managedk8s_cluster`. Another birth: replaces the add-on.")
                .required(),
        ),
        (
            "name",
            Attribute::string(
                "A component of the catalogue, such as `metallb`; with `chart`, the name of the release. Change: \
                 replaces the add-on.",
            )
            .required()
            .replace_on_change(),
        ),
        (
            "chart",
            Attribute::string(
                "Name of a chart in `repository`, `oci://…`, the address of an archive, or a folder or archive on this \
                 machine (`./charts/web`, `${path.module}/charts/web`). Without it `name` is looked up in the catalogue. \
                 Change: in place.",
            )
            .optional(),
        ),
        (
            "repository",
            Attribute::string("Where `chart` is: `https://…` with an index, or `oci://…`. Change: in place.").optional(),
        ),
        (
            "repository_username",
            Attribute::string("User of the repository. It is sent to the repository's own host only. Change: in place.")
                .optional(),
        ),
        (
            "repository_password_wo",
            Attribute::string("Password or token of that user. Never stored.").optional().write_only(),
        ),
        (
            "verify",
            Attribute::bool(
                "Takes the chart only with a signature of a key in `keyring`, as `helm --verify` does; weak ones with a warning. \
                 Change: in place.",
            )
            .optional(),
        ),
        (
            "keyring",
            Attribute::string(
                "Public keys that may sign the chart: a file that `gpg --export` wrote, or its armoured text. Change: in place.",
            )
            .optional(),
        ),
        (
            "version",
            Attribute::string(
                "Exact version of the chart. For the catalogue the pinned one when the add-on is created; it is kept \
                 until it is set here. A folder on this machine has the version that it says itself. Change: in place.",
            )
            .optional()
            .computed(),
        ),
        (
            "namespace",
            Attribute::string("Namespace of the release. The catalogue's, or `default`. Change: replaces the add-on.")
                .optional()
                .computed()
                .replace_on_change(),
        ),
        (
            "create_namespace",
            Attribute::bool("Makes the namespace when it does not exist. It stays when the add-on is destroyed. Change: in place.")
                .default(true),
        ),
        (
            "pod_security",
            Attribute::string(
                "What Pod Security Admission enforces in the namespace. The catalogue's; for other charts the labels are \
                 left alone, and Talos enforces `baseline`. Change: in place.",
            )
            .optional()
            .validate(validators::one_of(
                PodSecurity::ALL.iter().map(|level| level.as_str()),
            )),
        ),
    ]
}

/// A line of `set` or `set_wo`.
fn set_members(write_only: bool) -> Vec<(&'static str, Attribute)> {
    let text = |description: &str| {
        let attribute = Attribute::string(description);
        if write_only {
            attribute.write_only()
        } else {
            attribute
        }
    };
    vec![
        ("name", text("The key, as in `--set`: `controller.args[0]`, `labels.a\\.b`.").required()),
        ("value", text("The value.").required()),
        (
            "type",
            text(
                "`auto` (default; `--set`: `true`, `12`, `null` and `{a,b}` get their types), `string` (`--set-string`), \
                 `literal` (`--set-literal`: nothing in it is special) or `json` (`--set-json`).",
            )
            .optional()
            .validate(validators::one_of(["auto", "string", "literal", "json"])),
        ),
    ]
}

fn value_attributes() -> Vec<(&'static str, Attribute)> {
    vec![
        (
            "values",
            Attribute::any(
                "Values for the chart, merged over the catalogue's as Helm does; null removes a chart's default. An object, \
                 a YAML text, or a list of these, merged in order: `[file(\"base.yaml\"), { replicas = 3 }]`. What is \
                 written here is stored in state and in the release's record: secrets belong in `values_wo`. Change: in \
                 place.",
            )
            .optional(),
        ),
        (
            "set",
            Attribute::list_of(
                set_members(false),
                "Single values in the grammar of `--set`, merged after `values`, in order. Change: in place.",
            )
            .optional(),
        ),
        (
            "values_wo",
            Attribute::any(
                "Values as in `values`, merged after `set`, that are neither in plans nor in state nor in logs. They are in \
                 the release's record, as Helm keeps it: a Secret in the cluster. They may come from ephemeral resources. \
                 A change is applied when `values_wo_version` changes, or when something else is applied.",
            )
            .optional()
            .write_only()
            .validate(validators::requires(&["values_wo_version"])),
        ),
        (
            "set_wo",
            Attribute::list_of(
                set_members(true),
                "Lines as in `set`, merged after `values_wo`, kept as secret.",
            )
            .optional()
            .write_only()
            .validate(validators::requires(&["values_wo_version"])),
        ),
        (
            "values_wo_version",
            Attribute::number(
                "Raise it to have changed write-only values applied: nobody else can tell that they changed. Change: in \
                 place.",
            )
            .optional()
            .validate(validators::at_least(0)),
        ),
        (
            "post_render",
            Attribute::any(
                "Patches of the rendered objects and hooks, in order: a list of `{ target = { group, version, kind, name, \
                 namespace, label_selector, annotation_selector }, patch = … }`. The texts of a target are regular \
                 expressions for the whole; what is not said selects everything. A patch that is an object is merged \
                 (Kubernetes' strategic merge: lists of pods by their keys, `$patch = \"delete\"`, null removes), a list is \
                 a JSON patch (RFC 6902), a text is YAML of one of them. Without a target, the object that the patch names. \
                 Change: in place.",
            )
            .optional(),
        ),
        (
            "api_versions",
            Attribute::list(
                Type::String,
                "What plans take the cluster to offer besides Kubernetes' own API versions, such as \
                 `monitoring.coreos.com/v1`: a plan asks no cluster. The apply uses what the cluster really offers. \
                 Change: in place.",
            )
            .optional(),
        ),
    ]
}

fn operation_attributes() -> Vec<(&'static str, Attribute)> {
    let switch = |text: &str| Attribute::bool(format!("{text} Change: in place."));
    vec![
        (
            "wait",
            switch(
                "Waits until everything of the release is ready, and tells in `drift` when it is no more (kstatus' rules, \
                 as Helm 4). The limit is that of `timeouts`, one second at least; without it the catalogue's, or 10 minutes.",
            )
            .default(true),
        ),
        (
            "wait_for_jobs",
            switch("Waits until jobs of the release are complete, not only started.").default(false),
        ),
        (
            "atomic",
            switch("When an upgrade fails, goes back to the last good revision; when an install fails, removes it.")
                .default(false),
        ),
        (
            "cleanup_on_fail",
            switch("When an upgrade fails, deletes the objects that it created.").default(false),
        ),
        (
            "force_update",
            switch("Deletes and makes again objects whose change the API refuses because a field is immutable.")
                .default(false),
        ),
        (
            "take_ownership",
            switch("Takes over objects that exist without the marks of this release.").default(false),
        ),
        (
            "hooks",
            switch(
                "Runs the chart's hooks. When one fails, the message shows the end of what its pods printed, without the \
                 texts of the release's Secrets.",
            )
            .default(true),
        ),
        (
            "skip_schema_validation",
            switch("Leaves the chart's `values.schema.json` alone.").default(false),
        ),
        (
            "max_history",
            Attribute::number("Revisions kept in the cluster; 0 for all. Change: in place.")
                .default(10)
                .validate(validators::int_between(0, 1000)),
        ),
        (
            "description",
            Attribute::string("The description of revisions in `helm history`. Change: in place.").optional(),
        ),
        (
            "crds",
            Attribute::single(
                [
                    ("install", Attribute::bool("Creates missing ones; true by default.").optional()),
                    (
                        "upgrade",
                        Attribute::bool("Brings existing ones to the chart's version, which Helm never does; true by default.")
                            .optional(),
                    ),
                    (
                        "keep",
                        Attribute::bool(
                            "Leaves them in place when the add-on is destroyed; true by default. With false they go, and with \
                             them every object of their kinds in the cluster.",
                        )
                        .optional(),
                    ),
                ],
                "What happens to the definitions of the chart's `crds/` folders. Definitions among its templates are objects \
                 like others. Change: in place.",
            )
            .optional(),
        ),
    ]
}

fn drift_attributes() -> Vec<(&'static str, Attribute)> {
    let list = |text: &str| Attribute::list(Type::String, text).optional();
    let text = |text: &str| Attribute::string(text).optional();
    vec![(
        "drift_detection",
        Attribute::single(
            [
                (
                    "mode",
                    text(
                        "`detect` (default): each refresh compares the release's objects with the cluster by a dry run, and \
                         `drift` tells which fields others changed, who, and what is not ready. `ignore`: it does not.",
                    )
                    .validate(validators::one_of(["detect", "ignore"])),
                ),
                (
                    "repair",
                    Attribute::bool(
                        "Whether a plan proposes to put back what was found; true by default. With false it is told, and \
                         nothing else.",
                    )
                    .optional(),
                ),
                (
                    "ignore",
                    Attribute::list_of(
                        [
                            (
                                "fields",
                                list(
                                    "Paths as `drift` shows them, with everything below: `.spec.replicas`, `[*]` for every \
                                     element of a list; JSON pointers too. An upgrade leaves these fields as they are in the \
                                     cluster. Without it the objects as a whole are not compared; an upgrade writes them.",
                                ),
                            ),
                            ("group", text("API group of the objects; empty for the core group.")),
                            ("kind", text("Their kind.")),
                            ("name", text("Their name.")),
                            ("namespace", text("Their namespace.")),
                        ],
                        "What is somebody else's. Everything that is said of an object must hold.",
                    )
                    .optional(),
                ),
                (
                    "ignore_managers",
                    list(
                        "Field managers whose changes are wanted, as `kubectl get --show-managed-fields` names them: what they \
                         own is no drift, and an upgrade leaves it to them. Those of Kubernetes' own controllers and \
                         autoscalers are known. From others an apply takes back what is the chart's, with a warning that \
                         names them.",
                    ),
                ),
            ],
            // `drift` is the computed map that every resource has; this is what it is made by.
            "What counts as drift. Change: in place.",
        )
        .optional(),
    )]
}

fn computed_attributes() -> Vec<(&'static str, Attribute)> {
    vec![
        ("timeouts", timeouts("15m", "15m", "15m")),
        ("id", Attribute::string("`<identifier>/<birth>/<namespace>/<name>`.").computed()),
        (
            "chart_digest",
            Attribute::string(
                "SHA-256 of the chart. Other bytes under the same version are refused until the version changes.",
            )
            .computed(),
        ),
        (
            "app_version",
            Attribute::string("Version of what the chart installs, as the chart says.").computed(),
        ),
        (
            "objects",
            Attribute::map(
                Type::String,
                "The objects and hooks as planned, `Kind/namespace/name`, each with a digest without secrets and generated \
                 values.",
            )
            .computed(),
        ),
        (
            "changes",
            Attribute::map(
                Type::String,
                "What the latest change did to each object, leaf by leaf; empty after the next refresh. Secrets are masked, \
                 and what only repeats the chart's version is left out.",
            )
            .computed(),
        ),
        (
            "fingerprint",
            Attribute::string("A fingerprint of chart, version, values and patches, kept with the release.").computed(),
        ),
        ("drift", drift()),
        ("plan_summary", plan_summary()),
    ]
}
