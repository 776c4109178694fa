# terraform apply -invoke=action.managedk8s_etcd_snapshot.before_upgrade
action "managedk8s_etcd_snapshot" "before_upgrade" {
  config {
    cluster = managedk8s_cluster.prod.handle
    path    = "${path.root}/etcd-before-upgrade.db"
  }
}

# The same without Terraform 1.14 and with OpenTofu, as a command:
#   terraform output -json handle | terraform-provider-managedk8s etcd-snapshot --path etcd-before-upgrade.db
output "handle" {
  value = managedk8s_cluster.prod.handle
}
