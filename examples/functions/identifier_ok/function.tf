output "identifier_ok" {
  value = provider::managedk8s::identifier_ok("alpha", "production")
}
