# A component of the catalogue, with the product's values for this cluster.
resource "managedk8s_addon" "metallb" {
  cluster = managedk8s_cluster.prod.handle
  name    = "metallb"
}

# Any other chart: an object, YAML files, or both, merged in order as helm does.
resource "managedk8s_addon" "shop" {
  cluster    = managedk8s_cluster.prod.handle
  name       = "shop"
  namespace  = "shop"
  repository = "https://charts.example.com/stable"
  chart      = "shop"
  version    = "6.9.0"

  values = [
    yamlencode({ replicaCount = 2 }),
    { service = { type = "LoadBalancer" } },
  ]
  set = [{ name = "ingress.hosts[0]", value = "shop.example.com" }]

  # Neither in state nor in plans nor in logs. Raise the version to have a change applied.
  values_wo         = { database = { password = ephemeral.managedk8s_generated_password.database.password } }
  values_wo_version = 1

  # Goes back to the last good revision when an upgrade fails.
  atomic   = true
  timeouts = { update = "10m" }

  crds = {
    upgrade = true  # Helm never does
    keep    = false # they go with the add-on, and every object of their kinds with them
  }

  # The autoscaler's field is nobody's drift, and an upgrade leaves it; everything else that others change is put back.
  drift_detection = {
    ignore = [{ kind = "Deployment", fields = [".spec.replicas"] }]
  }

  post_render = [
    {
      target = { kind = "Deployment", name = "shop" }
      patch = {
        spec = { template = { spec = { containers = [{ name = "shop", image = "mirror.example.com/shop:6.9.0" }] } } }
      }
    },
    {
      target = { kind = "Service" }
      patch  = [{ op = "remove", path = "/spec/externalTrafficPolicy" }]
    },
  ]
}

locals {
  cluster = managedk8s_cluster.prod.handle
}

# The same at every run and in no state.
ephemeral "managedk8s_generated_password" "database" {
  cluster = local.cluster
  purpose = "shop/database"
  version = 1
}
