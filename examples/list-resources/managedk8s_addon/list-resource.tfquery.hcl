list "managedk8s_addon" "alpha" {
  provider = managedk8s
  limit    = 50

  config {
    identifier = "alpha"
  }
}
