//! Attributes, with description, default and what a change of them does.

use framework::{Attribute, IdentitySchema, Schema, Type};
use product::{PUBLIC_ZONE, PodNetwork, ServiceNetwork};

use crate::attributes::{drift, plan_summary, timeouts};
use crate::handle::handle_type;

/// The identity: what an import needs.
pub fn identity() -> IdentitySchema {
    IdentitySchema::new()
        .required("identifier", Type::String, "The cluster's identifier.")
        .required(
            "birth",
            Type::String,
            "The cluster's birth, 32 hexadecimal digits.",
        )
}

/// The schema of the cluster.
pub fn schema() -> Schema {
    Schema::new(
        "A Kubernetes cluster on OpenIaaS: control plane and storage nodes on Talos Linux, etcd, and the network. \
         Workers are `managedk8s_worker_pool`, everything installed on top `managedk8s_addon`.\n\n\
         A cluster that is up but not as wanted is kept in state and names what deviates in `drift`; the next apply \
         repairs it. Put a `postcondition` on an empty `drift` to make such a run fail.",
    )
    .attributes(naming())
    .attributes(versions())
    .attribute("network", network())
    .attribute("infrastructure", infrastructure())
    .attribute("api", api())
    .attribute("control_plane", control_plane())
    .attribute("storage", storage())
    .attribute(
        "deletion_protection",
        Attribute::bool(
            "Refuses to destroy or replace the cluster while true. Change of this attribute: in place.",
        )
        .default(false),
    )
    .attribute("timeouts", timeouts("45m", "60m", "30m"))
    .attributes(computed())
}

fn naming() -> [(&'static str, Attribute); 6] {
    [
        (
            "identifier",
            Attribute::string(
                "The code that builds every host name, URL and certificate of the cluster: five letters in \
                 production, six in devtest. Change: replaces the cluster.",
            )
            .required()
            .replace_on_change(),
        ),
        (
            "identifier_policy",
            Attribute::string(
                "`strict`: the identifier follows the rule of its topology. `free`: any short DNS label. Change: in \
                 place.",
            )
            .default("strict"),
        ),
        (
            "topology",
            Attribute::string(
                "`production`: three zones, three control planes, dedicated storage nodes. `devtest`: one zone, one \
                 control plane, storage on the first three workers. Change: replaces the cluster.",
            )
            .required()
            .replace_on_change(),
        ),
        (
            "offering",
            Attribute::string(
                "`complete`: the whole platform. `core`: the minimal base for expert teams. Change: in place.",
            )
            .default("complete"),
        ),
        (
            "region",
            Attribute::string("The region. Change: replaces the cluster.").default("fr1").replace_on_change(),
        ),
        (
            "zones",
            Attribute::list(
                Type::String,
                "The availability zones, in order: node n of a role lies in zone (n - 1) modulo their number. Three \
                 distinct ones in production, one in devtest. Change: refused.",
            )
            .required(),
        ),
    ]
}

fn versions() -> [(&'static str, Attribute); 3] {
    [
        (
            "kubernetes_version",
            Attribute::string(
                "A minor (`1.36`) or a patch (`1.36.3`) of Kubernetes. A minor means the newest patch this version of \
                 the provider knows when the cluster is created or the attribute is changed; it is never raised by a \
                 newer provider alone. The patch chosen is `kubernetes_release`.",
            )
            .required(),
        ),
        (
            "talos_version",
            Attribute::string("The release of Talos Linux, `1.13.9`. Its minor at create pins the form of machine \
                 configurations.")
            .required(),
        ),
        (
            "cilium_version",
            Attribute::string(
                "Version of the Cilium chart. Chosen from the catalogue at create and kept until it is set here.",
            )
            .optional()
            .computed(),
        ),
    ]
}

fn network() -> Attribute {
    Attribute::single(
        [
            (
                "node_cidr",
                Attribute::string(
                    "The private `/22` of the cluster; every address follows from it. Change: replaces the cluster.",
                )
                .required()
                .replace_on_change(),
            ),
            (
                "gateway",
                Attribute::string("Default gateway, inside `node_cidr` and outside the address plan. Change: refused.")
                    .required(),
            ),
            (
                "nameservers",
                Attribute::list(Type::String, "IPv4 addresses of name servers. Change: refused.").required(),
            ),
            (
                "ntp_servers",
                Attribute::list(Type::String, "Addresses or names of time servers. Change: refused.").required(),
            ),
            (
                "pod_cidr",
                Attribute::string("Addresses of pods, one `/24` a node. Change: replaces the cluster.")
                    .default(PodNetwork::DEFAULT)
                    .replace_on_change(),
            ),
            (
                "service_cidr",
                Attribute::string("Addresses of services. Change: replaces the cluster.")
                    .default(ServiceNetwork::DEFAULT)
                    .replace_on_change(),
            ),
            (
                "public_zone",
                Attribute::string("The public DNS zone below which the cluster's names lie. Change: refused.")
                    .default(PUBLIC_ZONE),
            ),
            (
                "metallb",
                Attribute::single(
                    [
                        (
                            "mode",
                            Attribute::string("`l2` or `bgp`. Change: in place.").optional(),
                        ),
                        (
                            "internal_range",
                            Attribute::string(
                                "`FIRST-LAST` inside `node_cidr`; the address plan's by default. Change: in place.",
                            )
                            .optional(),
                        ),
                        (
                            "external_range",
                            Attribute::string(
                                "`FIRST-LAST` inside `node_cidr`; the address plan's by default. Change: in place.",
                            )
                            .optional(),
                        ),
                    ],
                    "Addresses of LoadBalancer services.",
                )
                .optional(),
            ),
        ],
        "The cluster's network. Every address of the plan is computed from `node_cidr`; see \
         `provider::managedk8s::address_plan`.",
    )
    .required()
}

fn infrastructure() -> Attribute {
    Attribute::single(
        [
            (
                "template",
                Attribute::string(
                    "Name of the VM template with Talos Linux (nocloud), present in every zone. Change: in place, for \
                     new nodes.",
                )
                .required(),
            ),
            (
                "network",
                Attribute::string("Name of the private network of the nodes, present in every zone. Change: refused.")
                    .required(),
            ),
            (
                "backup_policy",
                Attribute::string(
                    "Name of the backup policy of every machine; one without a policy cannot be started. Change: in \
                     place, for new nodes.",
                )
                .required(),
            ),
            (
                "storage_repository",
                Attribute::string(
                    "Name of the storage repository of data disks; that of the system disk by default. Change: in \
                     place, for new nodes.",
                )
                .optional(),
            ),
        ],
        "What the tenant provides, by name; the same name is looked up in each zone.",
    )
    .required()
}

fn api() -> Attribute {
    Attribute::single(
        [
            (
                "endpoint",
                Attribute::string(
                    "URL of the Kubernetes API for people and nodes, `https://host:port`; the virtual address of the plan \
                     by default. The API's certificates name its host, the virtual address, the public DNS name and every \
                     control plane. Change: refused.",
                )
                .optional()
                .computed(),
            ),
            (
                "strategy",
                Attribute::string(
                    "Who stands behind the endpoint. `vip` (default): the control planes share the virtual address of the \
                     plan on layer 2; a DNS name as endpoint leads there. `external`: a load balancer or DNS that you keep, \
                     in front of port 6443 of the control planes, where the network does not let an address move; needs \
                     `endpoint`. Change: refused.",
                )
                .optional()
                .computed(),
            ),
            ("vip", Attribute::string("The virtual address of the plan.").computed()),
            ("name", Attribute::string("The public DNS name of the API.").computed()),
        ],
        "The Kubernetes API. This provider never needs the endpoint: it dials the control planes themselves.",
    )
    .optional()
    .computed()
}

fn control_plane() -> Attribute {
    Attribute::single(
        [(
            "os_disk_gb",
            Attribute::number(
                "System disk of each control plane, in GB; 64 by default. Change: refused.",
            )
            .optional(),
        )],
        "The control plane: 8 vCPU and 12 GiB each.",
    )
    .optional()
}

fn storage() -> Attribute {
    Attribute::single(
        [
            (
                "ceph_gb_per_node",
                Attribute::number(
                    "GB of Ceph on each storage node; 500 by default and at least. In devtest, on each of the first three \
                     workers: 300. Change: refused for now.",
                )
                .optional(),
            ),
            (
                "node",
                Attribute::single(
                    [
                        ("vcpu", Attribute::number("Processors; 12 by default and at least.").optional()),
                        ("memory_gib", Attribute::number("Memory in GiB; 24 by default and at least.").optional()),
                        ("os_disk_gb", Attribute::number("System disk in GB; 64 by default and at least.").optional()),
                    ],
                    "Size of the three storage nodes of a production cluster. Change: refused for now.",
                )
                .optional(),
            ),
        ],
        "Distributed storage.",
    )
    .optional()
}

fn computed() -> Vec<(&'static str, Attribute)> {
    vec![
        ("id", Attribute::string("`<identifier>/<birth>`.").computed().keep_known()),
        (
            "handle",
            Attribute::new(
                handle_type(),
                "Everything public about the cluster. Pools, add-ons and ephemeral resources take it as `cluster`.",
            )
            .computed(),
        ),
        (
            "kubernetes_release",
            Attribute::string("The patch release of Kubernetes that `kubernetes_version` resolved to.").computed(),
        ),
        (
            "cluster_domain",
            Attribute::string("DNS domain inside the cluster: `<identifier>-cluster.local`.").computed(),
        ),
        (
            "urls",
            Attribute::map(Type::String, "Public and internal names of the cluster's consoles.").computed(),
        ),
        (
            "private_dns_records",
            Attribute::map(Type::String, "Records for the customer's private DNS: name to address.").computed(),
        ),
        (
            "totals",
            Attribute::new(
                Type::object([
                    ("vcpu", Type::Number),
                    ("memory_gib", Type::Number),
                    ("os_disk_gb", Type::Number),
                    ("ceph_raw_gb", Type::Number),
                ]),
                "Sum of the machines of this resource, workers not included.",
            )
            .computed(),
        ),
        (
            "kubeconfig",
            Attribute::string(
                "A kubeconfig without any secret: kubectl asks `terraform-provider-managedk8s credential` for a \
                 certificate of minutes, made from `MANAGEDK8S_KEY` at use.",
            )
            .computed(),
        ),
        (
            "talosconfig",
            Attribute::string(
                "A talosconfig without any secret. talosctl cannot run a program for a credential, so that this one has to \
                 be completed: `terraform output -raw talosconfig | terraform-provider-managedk8s credential talosconfig \
                 ...` prints it with a certificate of minutes, made from `MANAGEDK8S_KEY`; the whole command is in its \
                 first lines.",
            )
            .computed(),
        ),
        ("drift", drift()),
        ("plan_summary", plan_summary()),
    ]
}
