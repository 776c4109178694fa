data "managedk8s_versions" "known" {}

output "newest_kubernetes" {
  value = data.managedk8s_versions.known.newest_kubernetes
}
