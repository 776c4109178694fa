data "managedk8s_cluster" "prod" {
  id = "alpha/0123456789abcdef0123456789abcdef"
}

# Its handle serves pools and add-ons of this state.
resource "managedk8s_addon" "metallb" {
  cluster = data.managedk8s_cluster.prod.handle
  name    = "metallb"
}
