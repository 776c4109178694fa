output "names" {
  value = provider::managedk8s::cluster_urls("alpha", null)
}
