locals {
  cluster = managedk8s_cluster.prod.handle
}

# The same at every run and in no state; raise the version to get another one.
ephemeral "managedk8s_generated_password" "grafana" {
  cluster = local.cluster
  purpose = "grafana/admin"
  version = 1
}
