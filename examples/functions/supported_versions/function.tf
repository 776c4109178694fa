output "talos" {
  value = provider::managedk8s::supported_versions().talos[*].version
}
