//! Provider-defined functions: the arithmetic of the product, pure and without a cluster.

use std::sync::Arc;

use framework::{
    Arguments, Definition, Dynamic, Function, FunctionError, Parameter, ToValue, Type, Value,
};
use product::{
    Checked, Identifier, NodeNetwork, PLATFORM_RESERVED_GB, PublicZone, Role, SecretScope,
    Topology, Zones,
};

/// One function: its name, its signature, its work.
struct Pure {
    name: &'static str,
    definition: fn() -> Definition,
    call: fn(&Arguments) -> Result<Dynamic, FunctionError>,
}

impl Function for Pure {
    fn name(&self) -> &'static str {
        self.name
    }

    fn definition(&self) -> Definition {
        (self.definition)()
    }

    fn call(&self, arguments: Arguments) -> Result<Dynamic, FunctionError> {
        (self.call)(&arguments)
    }
}

/// All of them.
pub fn all() -> Vec<Arc<dyn Function>> {
    let all: [Pure; 8] = [
        Pure {
            name: "identifier_ok",
            definition: identifier_ok_definition,
            call: identifier_ok,
        },
        Pure {
            name: "address_plan",
            definition: address_plan_definition,
            call: address_plan,
        },
        Pure {
            name: "zone_spread",
            definition: zone_spread_definition,
            call: zone_spread,
        },
        Pure {
            name: "ceph_capacity",
            definition: ceph_capacity_definition,
            call: ceph_capacity,
        },
        Pure {
            name: "cluster_urls",
            definition: cluster_urls_definition,
            call: cluster_urls,
        },
        Pure {
            name: "supported_versions",
            definition: supported_versions_definition,
            call: supported_versions,
        },
        Pure {
            name: "secret_path",
            definition: secret_path_definition,
            call: secret_path,
        },
        Pure {
            name: "change_tokens",
            definition: change_tokens_definition,
            call: change_tokens,
        },
    ];
    all.into_iter()
        .map(|one| Arc::new(one) as Arc<dyn Function>)
        .collect()
}

/// A rule's refusal, blamed on an argument.
fn blame<T>(position: u32, checked: Checked<T>) -> Result<T, FunctionError> {
    checked.map_err(|problem| {
        FunctionError::argument(
            position,
            format!(
                "{}. {}",
                problem.summary,
                problem.detail().replace('\n', ". ")
            ),
        )
    })
}

fn topology_parameter() -> Parameter {
    Parameter::new("topology", Type::String, "`production` or `devtest`.")
}

fn topology(arguments: &Arguments, position: u32) -> Result<Topology, FunctionError> {
    blame(
        position,
        Topology::parse(&arguments.get::<String>(position)?),
    )
}

fn text(value: impl std::fmt::Display) -> Dynamic {
    Dynamic::string(value.to_string())
}

fn identifier_ok_definition() -> Definition {
    Definition::new(
        Type::Bool,
        "Whether an identifier keeps the rule of its topology",
        "Five lower-case letters in production, six in devtest.",
    )
    .parameter(Parameter::new(
        "identifier",
        Type::String,
        "The code of the cluster.",
    ))
    .parameter(topology_parameter())
}

fn identifier_ok(arguments: &Arguments) -> Result<Dynamic, FunctionError> {
    let identifier: String = arguments.get(0)?;
    Ok(Dynamic::Bool(product::identifier_ok(
        &identifier,
        topology(arguments, 1)?,
    )))
}

fn address_plan_definition() -> Definition {
    Definition::new(
        Type::object([
            ("vip", Type::String),
            ("git_runner", Type::String),
            ("control_planes", Type::list(Type::String)),
            ("storage_nodes", Type::list(Type::String)),
            ("workers", Type::list(Type::String)),
            ("internal_range", Type::String),
            ("external_range", Type::String),
            ("ingress_internal", Type::String),
            ("ingress_external", Type::String),
            ("ingress_external_secured", Type::String),
        ]),
        "Every address of a cluster",
        "The addresses that the provider gives to nodes, the Kubernetes API and the ingress controllers, so that firewall \
         and DNS resources elsewhere use the same arithmetic.",
    )
    .parameter(Parameter::new("node_cidr", Type::String, "The `/22` of the cluster."))
    .parameter(topology_parameter())
    .parameter(Parameter::new("workers", Type::Number, "How many workers."))
}

fn address_plan(arguments: &Arguments) -> Result<Dynamic, FunctionError> {
    let network = blame(0, NodeNetwork::parse(&arguments.get::<String>(0)?))?;
    let topology = topology(arguments, 1)?;
    let workers: u16 = arguments.get(2)?;
    let (_, most) = topology.worker_limits();
    if workers > most {
        return Err(FunctionError::argument(
            2,
            format!("{workers} workers; a {topology} cluster has at most {most}."),
        ));
    }
    let plan = product::address_plan(network, topology, workers);
    let of = |role: Role| -> Vec<Dynamic> {
        plan.iter()
            .filter(|one| one.node.role == role)
            .map(|one| text(one.address))
            .collect()
    };
    Ok(Dynamic::object([
        ("vip", text(network.at(0, 20))),
        (
            "git_runner",
            of(Role::GitRunner).pop().unwrap_or(Dynamic::Null),
        ),
        ("control_planes", Dynamic::list(of(Role::ControlPlane))),
        ("storage_nodes", Dynamic::list(of(Role::Storage))),
        ("workers", Dynamic::list(of(Role::Worker))),
        (
            "internal_range",
            Dynamic::string(format!("{}-{}", network.at(1, 1), network.at(1, 127))),
        ),
        (
            "external_range",
            Dynamic::string(format!("{}-{}", network.at(1, 128), network.at(1, 254))),
        ),
        ("ingress_internal", text(network.at(1, 1))),
        ("ingress_external", text(network.at(1, 128))),
        ("ingress_external_secured", text(network.at(1, 129))),
    ]))
}

fn zone_spread_definition() -> Definition {
    Definition::new(
        Type::map(Type::Number),
        "How many workers fall into each zone",
        "Worker n lies in zone (n - 1) modulo the number of zones; batches of three keep three zones balanced.",
    )
    .parameter(Parameter::new("zones", Type::list(Type::String), "The zones of the cluster, in order."))
    .parameter(Parameter::new("workers", Type::Number, "How many workers."))
}

fn zone_spread(arguments: &Arguments) -> Result<Dynamic, FunctionError> {
    let names: Vec<String> = arguments.get(0)?;
    let zones = names
        .iter()
        .map(|name| product::Zone::parse(name))
        .collect::<Checked<Vec<_>>>();
    let zones = blame(0, zones.and_then(Zones::new))?;
    let workers: u16 = arguments.get(1)?;
    Ok(Dynamic::map(
        zones
            .spread(workers)
            .into_iter()
            .map(|(zone, count)| (zone.to_string(), count.to_value())),
    ))
}

fn ceph_capacity_definition() -> Definition {
    Definition::new(
        Type::object([("raw_gb", Type::Number), ("usable_gb", Type::Number), ("customer_gb", Type::Number)]),
        "What a Ceph cluster offers",
        "Raw capacity, capacity after three copies, and what is left after the platform's own share.",
    )
    .parameter(Parameter::new("gb_per_node", Type::Number, "GB of Ceph on each node."))
    .parameter(Parameter::new("nodes", Type::Number, "How many nodes carry Ceph; three in both topologies."))
}

fn ceph_capacity(arguments: &Arguments) -> Result<Dynamic, FunctionError> {
    let capacity =
        product::ceph_capacity(arguments.get(0)?, arguments.get(1)?, PLATFORM_RESERVED_GB);
    Ok(Dynamic::object([
        ("raw_gb", capacity.raw_gb.to_value()),
        ("usable_gb", capacity.usable_gb.to_value()),
        ("customer_gb", capacity.customer_gb.to_value()),
    ]))
}

fn cluster_urls_definition() -> Definition {
    Definition::new(
        Type::map(Type::String),
        "Names and URLs of a cluster",
        "The API, the suffixes of the three ingress classes, and the consoles.",
    )
    .parameter(Parameter::new(
        "identifier",
        Type::String,
        "The code of the cluster.",
    ))
    .parameter(
        Parameter::new(
            "public_zone",
            Type::String,
            "The public DNS zone; null for the vendor's.",
        )
        .allow_null(),
    )
}

fn cluster_urls(arguments: &Arguments) -> Result<Dynamic, FunctionError> {
    let identifier = blame(0, Identifier::parse_free(&arguments.get::<String>(0)?))?;
    let zone: Option<String> = arguments.get(1)?;
    let zone = blame(
        1,
        PublicZone::parse(zone.as_deref().unwrap_or(product::PUBLIC_ZONE)),
    )?;
    let urls = product::cluster_urls(&identifier, &zone, false);
    Ok(Dynamic::map(
        urls.into_iter()
            .map(|(key, url)| (key, Dynamic::string(url))),
    ))
}

/// The type of the version table.
pub fn versions_type() -> [(&'static str, Type); 3] {
    [
        ("as_of", Type::String),
        (
            "kubernetes",
            Type::list(Type::object([
                ("minor", Type::String),
                ("release", Type::String),
                ("released", Type::String),
                ("end_of_life", Type::String),
                ("deadline", Type::String),
            ])),
        ),
        (
            "talos",
            Type::list(Type::object([
                ("version", Type::String),
                ("released", Type::String),
                ("kubernetes_from", Type::String),
                ("kubernetes_to", Type::String),
            ])),
        ),
    ]
}

/// The version table: the same at every run, since no day is applied.
pub fn versions() -> Dynamic {
    let table = product::supported_versions();
    let kubernetes = table.kubernetes.into_iter().map(|row| {
        Dynamic::object([
            ("minor", text(row.minor)),
            ("release", Dynamic::string(row.patch)),
            ("released", text(row.released)),
            ("end_of_life", text(row.end_of_life)),
            ("deadline", row.deadline.map_or(Dynamic::Null, text)),
        ])
    });
    let talos = table.talos.into_iter().map(|row| {
        Dynamic::object([
            ("version", text(row.version)),
            ("released", text(row.released)),
            ("kubernetes_from", text(row.kubernetes_from)),
            ("kubernetes_to", text(row.kubernetes_to)),
        ])
    });
    Dynamic::object([
        ("as_of", text(table.as_of)),
        ("kubernetes", Dynamic::list(kubernetes)),
        ("talos", Dynamic::list(talos)),
    ])
}

fn supported_versions_definition() -> Definition {
    Definition::new(
        Type::object(versions_type()),
        "The versions this provider knows",
        "Kubernetes minors with the patch they resolve to and their support windows, and the Talos releases that run them. \
         The table is part of the provider: the machine that plans may have no Internet.",
    )
}

fn supported_versions(_: &Arguments) -> Result<Dynamic, FunctionError> {
    Ok(versions())
}

fn secret_path_definition() -> Definition {
    Definition::new(
        Type::String,
        "Path of secrets in the tooling's vault",
        "The path of a scope, its wild card included.",
    )
    .parameter(Parameter::new(
        "scope",
        Type::String,
        "`global`, `namespace`, `cluster` or `cluster_namespace`.",
    ))
    .parameter(
        Parameter::new(
            "cluster",
            Type::String,
            "The cluster's identifier, where the scope has one.",
        )
        .allow_null(),
    )
    .parameter(
        Parameter::new(
            "namespace",
            Type::String,
            "The namespace, where the scope has one.",
        )
        .allow_null(),
    )
}

fn secret_path(arguments: &Arguments) -> Result<Dynamic, FunctionError> {
    let scope = blame(0, SecretScope::parse(&arguments.get::<String>(0)?))?;
    let cluster = match arguments.get::<Value<String>>(1)? {
        Value::Known(cluster) => Some(blame(1, Identifier::parse_free(&cluster))?),
        Value::Null | Value::Unknown => None,
    };
    let namespace: Option<String> = arguments.get(2)?;
    blame(
        0,
        product::secret_path(scope, cluster.as_ref(), namespace.as_deref()),
    )
    .map(Dynamic::string)
}

fn change_tokens_definition() -> Definition {
    Definition::new(
        Type::object([("title", Type::String), ("tokens", Type::Number)]),
        "Price of an item of the change catalogue",
        "What the change is and how many tokens it costs; null for a price by quote.",
    )
    .parameter(Parameter::new(
        "key",
        Type::String,
        "The item: K1 to K13 or C1 to C13.",
    ))
    .parameter(Parameter::new(
        "nodes",
        Type::Number,
        "How many nodes it concerns.",
    ))
}

fn change_tokens(arguments: &Arguments) -> Result<Dynamic, FunctionError> {
    let key: String = arguments.get(0)?;
    let (item, tokens) = blame(0, product::change_tokens(&key, arguments.get(1)?))?;
    Ok(Dynamic::object([
        ("title", Dynamic::string(item.title)),
        ("tokens", tokens.to_value()),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(
        name: &str,
        arguments: impl IntoIterator<Item = Dynamic>,
    ) -> Result<Dynamic, FunctionError> {
        let function = all()
            .into_iter()
            .find(|one| one.name() == name)
            .expect("a function");
        function.call(Arguments::new(arguments))
    }

    #[test]
    fn address_plan_is_that_of_the_product() {
        let plan = call(
            "address_plan",
            [
                Dynamic::string("10.20.0.0/22"),
                Dynamic::string("production"),
                205i64.to_value(),
            ],
        );
        assert_eq!(
            plan.unwrap_err().argument,
            Some(2),
            "production has at most 100 workers"
        );
        let plan = call(
            "address_plan",
            [
                Dynamic::string("10.20.0.0/22"),
                Dynamic::string("devtest"),
                205i64.to_value(),
            ],
        )
        .expect("fits");
        assert_eq!(plan.member("vip"), Some(&Dynamic::string("10.20.0.20")));
        let workers = plan
            .member("workers")
            .and_then(Dynamic::as_elements)
            .expect("a list");
        assert_eq!(workers[0], Dynamic::string("10.20.0.51"));
        assert_eq!(
            workers[204],
            Dynamic::string("10.20.2.1"),
            "worker 205 overflows"
        );
    }

    #[test]
    fn errors_name_their_argument() {
        let wrong = call(
            "address_plan",
            [
                Dynamic::string("10.20.0.0/24"),
                Dynamic::string("devtest"),
                3i64.to_value(),
            ],
        );
        assert_eq!(wrong.unwrap_err().argument, Some(0));
        let wrong = call(
            "identifier_ok",
            [Dynamic::string("alpha"), Dynamic::string("prod")],
        );
        assert_eq!(wrong.unwrap_err().argument, Some(1));
        assert_eq!(
            call(
                "identifier_ok",
                [Dynamic::string("alpha"), Dynamic::string("production")]
            ),
            Ok(Dynamic::Bool(true))
        );
    }
}
