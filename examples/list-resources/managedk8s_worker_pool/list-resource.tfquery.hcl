list "managedk8s_worker_pool" "alpha" {
  provider         = managedk8s
  include_resource = true

  config {
    identifier = "alpha"
  }
}
