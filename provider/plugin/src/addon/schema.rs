//! Attributes, with description, default and what a change of them does.

use framework::{Attribute, IdentitySchema, Schema, Type};

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
         cluster, or any chart. Releases are Helm's own: `helm list` shows them. Changed or missing objects show in \
         `drift` and are repaired by the next apply.",
    )
    .attributes([
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
                "Name of a chart in `repository`, or a folder or archive on this machine. Without it `name` is looked up \
                 in the catalogue. Change: in place.",
            )
            .optional(),
        ),
        (
            "repository",
            Attribute::string("Where `chart` is: `https://…` with an index, or `oci://…`. Change: in place.").optional(),
        ),
        (
            "version",
            Attribute::string(
                "Exact version of the chart. For the catalogue the pinned one when the add-on is created; it is kept \
                 until it is set here. Change: in place.",
            )
            .optional()
            .computed(),
        ),
        (
            "namespace",
            Attribute::string(
                "Namespace of the release, made when it does not exist. The catalogue's, or `default`. Change: replaces the \
                 add-on.",
            )
            .optional()
            .computed()
            .replace_on_change(),
        ),
        (
            "values",
            Attribute::any("Values for the chart, merged over the catalogue's as Helm does; null removes. Change: in place.")
                .optional(),
        ),
        (
            "wait",
            Attribute::bool("Waits until everything of the release is ready. Change: in place.").default(true),
        ),
        ("timeouts", timeouts("15m", "15m", "15m")),
        ("id", Attribute::string("`<identifier>/<birth>/<namespace>/<name>`.").computed()),
        (
            "fingerprint",
            Attribute::string("A fingerprint of chart, version, values and objects, kept with the release.").computed(),
        ),
        ("drift", drift()),
        ("plan_summary", plan_summary()),
    ])
}
