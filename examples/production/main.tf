# A production cluster with every attribute written out. Those that repeat a default say so; leave them out.

terraform {
  required_version = ">= 1.11"
  required_providers {
    managedk8s = { source = "managedk8s/managedk8s" }
  }
}

# Secrets stay in the environment: CLOUDTEMPLE_CLIENT_ID, CLOUDTEMPLE_SECRET_ID, MANAGEDK8S_KEY (or
# MANAGEDK8S_CLUSTER_KEY for a runner that serves one cluster).
provider "managedk8s" {
  create_parallelism  = 4
  requests_per_second = 20
}

resource "managedk8s_cluster" "prod" {
  identifier         = "alpha"
  identifier_policy  = "strict" # the default
  topology           = "production"
  offering           = "complete" # the default
  region             = "fr1"      # the default
  zones              = ["AZ05", "AZ06", "AZ07"]
  kubernetes_version = "1.36"
  talos_version      = "1.13.9"

  network = {
    node_cidr    = "10.20.0.0/22"
    gateway      = "10.20.3.254"
    nameservers  = ["10.20.3.253"]
    ntp_servers  = ["10.20.3.253"]
    pod_cidr     = "10.244.0.0/16"
    service_cidr = "10.96.0.0/12"
    metallb = {
      mode           = "l2"
      internal_range = "10.20.1.1-10.20.1.127"
      external_range = "10.20.1.128-10.20.1.254"
    }
  }

  infrastructure = {
    template           = "talos-1.13"
    network            = "cluster-vlan"
    backup_policy      = "nobackup"
    storage_repository = null # that of the system disk
  }

  # The default: control planes share the virtual address of the plan. Where the network lets no address move,
  # strategy = "external" and the URL of a load balancer in front of them.
  api = {
    strategy = "vip"
    endpoint = "https://10.20.0.20:6443"
  }

  control_plane = {
    os_disk_gb = 64
  }

  storage = {
    ceph_gb_per_node = 500
    node = {
      vcpu       = 12
      memory_gib = 24
      os_disk_gb = 64
    }
  }

  deletion_protection = true

  timeouts = {
    create = "45m"
    update = "1h"
    delete = "30m"
  }

  # A cluster that is up but not as wanted stays in state and names what deviates; this fails the run without
  # marking the cluster for replacement, and the next apply repairs it.
  lifecycle {
    postcondition {
      condition     = length(self.drift) == 0
      error_message = "The cluster deviates from its configuration: ${jsonencode(self.drift)}. Run terraform apply again."
    }
  }
}

resource "managedk8s_worker_pool" "default" {
  cluster           = managedk8s_cluster.prod.handle
  name              = "default"
  size              = 3
  min_size          = 3
  max_size          = 9
  vcpu              = 12
  memory_gib        = 24
  os_disk_gb        = 64
  max_pods_per_node = 110
  template          = "talos-1.13"
  labels            = { "example.com/purpose" = "general" }
  taints            = []
  drain_timeout     = "10m"

  timeouts = {
    create = "45m"
    update = "1h"
    delete = "1h"
  }
}

# A component of the catalogue at its pinned version, with a value of our own.
resource "managedk8s_addon" "metallb" {
  cluster    = managedk8s_cluster.prod.handle
  name       = "metallb"
  namespace  = "metallb-system"
  wait       = true
  depends_on = [managedk8s_worker_pool.default]

  timeouts = {
    create = "15m"
    update = "15m"
    delete = "15m"
  }
}

# Any other chart, with everything that can be said of a release. Most of it is the default.
resource "managedk8s_addon" "podinfo" {
  cluster    = managedk8s_cluster.prod.handle
  name       = "podinfo"
  depends_on = [managedk8s_worker_pool.default]

  repository             = "https://charts.example.com/podinfo"
  repository_username    = "reader"
  repository_password_wo = var.chart_password
  chart                  = "podinfo"
  version                = "6.9.0"
  verify                 = false
  keyring                = "keys.gpg"

  namespace        = "demo"
  create_namespace = true
  pod_security     = "restricted"

  values = [
    "replicaCount: 1",
    { replicaCount = 2 },
  ]
  set = [{
    name  = "ingress.hosts[0]"
    value = "podinfo.example.com"
    type  = "string"
  }]
  values_wo = { redis = { password = ephemeral.managedk8s_generated_password.redis.password } }
  set_wo = [{
    name  = "admin.token"
    value = ephemeral.managedk8s_generated_password.redis.password
    type  = "literal"
  }]
  values_wo_version = 1

  post_render = [{
    target = { kind = "Service" }
    patch  = { metadata = { annotations = { "example.com/team" = "blue" } } }
  }]
  api_versions = ["monitoring.coreos.com/v1"]

  wait                   = true
  wait_for_jobs          = false
  atomic                 = true
  cleanup_on_fail        = false
  force_update           = false
  take_ownership         = false
  hooks                  = true
  skip_schema_validation = false
  max_history            = 10
  description            = "managed by terraform"

  crds = {
    install = true
    upgrade = true
    keep    = true
  }

  drift_detection = {
    mode   = "detect"
    repair = true
    ignore = [{
      group     = "apps"
      kind      = "Deployment"
      name      = "podinfo"
      namespace = "demo"
      fields    = [".spec.replicas"]
    }]
    ignore_managers = ["our-autoscaler"]
  }
}

variable "chart_password" {
  description = "The password of the chart repository."
  type        = string
  ephemeral   = true
  default     = null
}

ephemeral "managedk8s_generated_password" "redis" {
  cluster = local.cluster
  purpose = "demo/redis"
  version = 1
}

locals {
  cluster = managedk8s_cluster.prod.handle
}

# Access of minutes for other providers; in no plan and no state.
ephemeral "managedk8s_kubeconfig" "admin" {
  cluster = local.cluster
  ttl     = "30m"
}

# No secret inside: kubectl asks the provider's binary for a certificate of minutes when it needs one.
output "kubeconfig" {
  value = managedk8s_cluster.prod.kubeconfig
}

# No secret inside either; its first lines say how it is completed with a certificate of minutes.
output "talosconfig" {
  value = managedk8s_cluster.prod.talosconfig
}

output "workers_by_zone" {
  value = provider::managedk8s::zone_spread(managedk8s_cluster.prod.zones, managedk8s_worker_pool.default.size)
}
