# For firewall rules and DNS records elsewhere.
output "ingress" {
  value = provider::managedk8s::address_plan("10.20.0.0/22", "production", 3).ingress_external
}
