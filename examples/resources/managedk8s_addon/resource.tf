# A component of the catalogue, with the product's values for this cluster.
resource "managedk8s_addon" "metallb" {
  cluster = managedk8s_cluster.prod.handle
  name    = "metallb"
}

# Any other chart.
resource "managedk8s_addon" "podinfo" {
  cluster    = managedk8s_cluster.prod.handle
  name       = "podinfo"
  namespace  = "demo"
  repository = "https://charts.example.com/podinfo"
  chart      = "podinfo"
  version    = "6.9.0"
  values     = { replicaCount = 2 }
}
