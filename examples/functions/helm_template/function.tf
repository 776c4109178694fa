# A chart of this module, rendered as a function of its files: usable where no provider is configured.
locals {
  shop = provider::managedk8s::helm_template("${path.module}/charts/shop", { replicaCount = 2 }, {
    name      = "shop"
    namespace = "shop"
    show_only = ["templates/deployment.yaml"]
  })
}

output "deployment" {
  value = yamldecode(local.shop.manifest)
}
