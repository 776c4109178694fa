import {
  to = managedk8s_worker_pool.default
  identity = {
    identifier = "alpha"
    birth      = "0123456789abcdef0123456789abcdef"
    name       = "default"
  }
}
