resource "managedk8s_worker_pool" "default" {
  cluster = managedk8s_cluster.prod.handle
  name    = "default"
  size    = 3
}

# Larger workers that only take what asks for them.
resource "managedk8s_worker_pool" "batch" {
  cluster    = managedk8s_cluster.prod.handle
  name       = "batch"
  size       = 3
  vcpu       = 16
  memory_gib = 64
  labels     = { "example.com/purpose" = "batch" }
  taints     = [{ key = "example.com/batch", value = "only", effect = "NoSchedule" }]
}
