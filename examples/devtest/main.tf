# A cluster for development in one zone. Settings of the provider come from the environment:
# MANAGEDK8S_KEY, CLOUDTEMPLE_CLIENT_ID, CLOUDTEMPLE_SECRET_ID and the others of docs/index.md.

terraform {
  required_version = ">= 1.11"
  required_providers {
    managedk8s = { source = "managedk8s/managedk8s" }
  }
}

provider "managedk8s" {}

resource "managedk8s_cluster" "dev" {
  identifier         = "alphat"
  topology           = "devtest"
  zones              = ["AZ05"]
  kubernetes_version = "1.36"
  talos_version      = "1.13.9"

  network = {
    node_cidr   = "10.24.0.0/22"
    gateway     = "10.24.3.254"
    nameservers = ["10.24.3.253"]
    ntp_servers = ["10.24.3.253"]
  }

  infrastructure = {
    template      = "talos-1.13"
    network       = "cluster-vlan"
    backup_policy = "nobackup"
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
  cluster = managedk8s_cluster.dev.handle
  name    = "default"
  size    = 3
}

resource "managedk8s_addon" "metallb" {
  cluster    = managedk8s_cluster.dev.handle
  name       = "metallb"
  depends_on = [managedk8s_worker_pool.default]
}

# No secret inside: kubectl asks the provider's binary for a certificate of minutes when it needs one.
output "kubeconfig" {
  value = managedk8s_cluster.dev.kubeconfig
}
