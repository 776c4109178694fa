import {
  to = managedk8s_addon.metallb
  identity = {
    identifier = "alpha"
    birth      = "0123456789abcdef0123456789abcdef"
    name       = "metallb"
    namespace  = "metallb-system" # the default: the catalogue's
  }
}
