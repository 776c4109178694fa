output "workers_by_zone" {
  value = provider::managedk8s::zone_spread(["AZ05", "AZ06", "AZ07"], 5)
}
