# terraform query -generate-config-out=clusters.tf
list "managedk8s_cluster" "all" {
  provider         = managedk8s
  include_resource = true
}
