resource "managedk8s_cluster" "prod" {
  identifier         = "alpha"
  topology           = "production"
  zones              = ["AZ05", "AZ06", "AZ07"]
  kubernetes_version = "1.36"
  talos_version      = "1.13.9"

  network = {
    node_cidr   = "10.20.0.0/22"
    gateway     = "10.20.3.254"
    nameservers = ["10.20.3.253"]
    ntp_servers = ["10.20.3.253"]
  }

  infrastructure = {
    template      = "talos-1.13"
    network       = "cluster-vlan"
    backup_policy = "nobackup"
  }

  # Fails the run without marking the cluster for replacement; the next apply repairs what deviates.
  lifecycle {
    postcondition {
      condition     = length(self.drift) == 0
      error_message = "The cluster deviates from its configuration: ${jsonencode(self.drift)}. Run terraform apply again."
    }
  }
}
