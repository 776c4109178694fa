output "capacity_for_volumes" {
  value = provider::managedk8s::ceph_capacity(500, 3).customer_gb
}
