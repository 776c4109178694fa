//! Attributes, with description, default and what a change of them does.

use framework::{Attribute, IdentitySchema, Schema, Type, validators};

use crate::attributes::{drift, plan_summary, timeouts};
use crate::handle::handle_type;

/// The identity: what an import needs.
pub fn identity() -> IdentitySchema {
    IdentitySchema::new()
        .required("identifier", Type::String, "The cluster's identifier.")
        .required("name", Type::String, "The pool's name.")
        .required(
            "birth",
            Type::String,
            "The cluster's birth, 32 hexadecimal digits.",
        )
}

/// The schema of a pool.
pub fn schema() -> Schema {
    Schema::new(
        "Workers of one shape. Worker n of a cluster lies in zone (n - 1) modulo the number of zones; numbers are global \
         to the cluster, kept for life, and freed ones are used again, lowest first.",
    )
    .attributes([
        (
            "cluster",
            Attribute::new(handle_type(), "The `handle` of a `managedk8s_cluster`. Another birth: replaces the pool.")
                .required(),
        ),
        (
            "name",
            Attribute::string("A short DNS label. Change: replaces the pool.").required().replace_on_change(),
        ),
        (
            "size",
            Attribute::number(
                "How many workers. Without it the pool keeps its size between `min_size` and `max_size`. Change: in \
                 place; workers that go are drained first, the highest numbers first.",
            )
            .optional()
            .computed(),
        ),
        ("min_size", Attribute::number("Least number of workers when `size` is not set. Change: in place.").optional()),
        ("max_size", Attribute::number("Greatest number of workers when `size` is not set. Change: in place.").optional()),
        (
            "vcpu",
            Attribute::number("Processors of each worker, 12 to 112. Change: refused for now.").default(12),
        ),
        (
            "memory_gib",
            Attribute::number("Memory of each worker in GiB, 24 to 1536. Change: refused for now.").default(24),
        ),
        (
            "os_disk_gb",
            Attribute::number("System disk of each worker in GB, 64 at least. Change: refused for now.").default(64),
        ),
        (
            "ceph_gb",
            Attribute::number(
                "devtest only: GB of Ceph on those of the cluster's first three workers that belong to this pool; 300 by \
                 default and at least. Change: refused for now.",
            )
            .optional(),
        ),
        (
            "max_pods_per_node",
            Attribute::number("Pods a worker runs, 110 at most. Change: refused for now.").default(110),
        ),
        (
            "template",
            Attribute::string("Another VM template than the cluster's, for new workers. Change: in place.").optional(),
        ),
        (
            "labels",
            Attribute::map(Type::String, "Labels of the workers' nodes. Change: in place.").optional(),
        ),
        (
            "taints",
            Attribute::set_of(
                [
                    ("key", Attribute::string("The key.").required()),
                    ("value", Attribute::string("The value; none by default.").optional()),
                    (
                        "effect",
                        Attribute::string("`NoSchedule`, `PreferNoSchedule` or `NoExecute`.").required(),
                    ),
                ],
                "Taints of the workers' nodes. Change: in place.",
            )
            .optional(),
        ),
        (
            "drain_timeout",
            Attribute::string(
                "How long evicting the pods of a worker that goes may take, such as `10m`. When it ends the apply stops \
                 and says which pods stay.",
            )
            .default("10m")
            .validate(validators::duration()),
        ),
        ("timeouts", timeouts("45m", "60m", "60m")),
        ("id", Attribute::string("`<identifier>/<birth>/<name>`.").computed()),
        (
            "workers",
            Attribute::string("The numbers of the pool's workers, such as `1-3,7`.").computed(),
        ),
        ("drift", drift()),
        ("plan_summary", plan_summary()),
    ])
}
