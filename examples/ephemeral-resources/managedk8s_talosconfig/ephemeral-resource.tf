locals {
  cluster = managedk8s_cluster.prod.handle
}

ephemeral "managedk8s_talosconfig" "reader" {
  cluster = local.cluster
  role    = "reader"
}
