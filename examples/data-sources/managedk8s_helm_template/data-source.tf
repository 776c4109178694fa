# What `helm template` prints, without a helm program and without a cluster.
data "managedk8s_helm_template" "shop" {
  name         = "shop"
  namespace    = "shop"
  repository   = "https://charts.example.com/stable"
  chart        = "shop"
  version      = "~6.9"
  kube_version = "1.36.2"
  api_versions = ["monitoring.coreos.com/v1"]
  include_crds = true
  values       = { replicaCount = 2 }
  set          = [{ name = "ingress.hosts[0]", value = "shop.example.com" }]
}

output "shop" {
  value = data.managedk8s_helm_template.shop.manifest
}
