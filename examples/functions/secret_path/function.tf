output "path" {
  value = provider::managedk8s::secret_path("cluster", "alpha", null)
}
