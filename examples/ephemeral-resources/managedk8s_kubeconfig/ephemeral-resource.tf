# Through a local: OpenTofu puts off an ephemeral resource that refers directly to a resource with a pending change.
locals {
  cluster = managedk8s_cluster.prod.handle
}

# For the kubernetes and helm providers: host, cluster_ca_certificate, client_certificate and client_key.
ephemeral "managedk8s_kubeconfig" "admin" {
  cluster = local.cluster
  ttl     = "30m"
}
