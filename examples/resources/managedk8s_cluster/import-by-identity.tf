import {
  to = managedk8s_cluster.prod
  identity = {
    identifier = "alpha"
    birth      = "0123456789abcdef0123456789abcdef"
  }
}
