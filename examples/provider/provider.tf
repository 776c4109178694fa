terraform {
  required_version = ">= 1.11"
  required_providers {
    managedk8s = { source = "managedk8s/managedk8s" }
  }
}

# Every setting comes from the environment: CLOUDTEMPLE_CLIENT_ID, CLOUDTEMPLE_SECRET_ID and MANAGEDK8S_KEY at least.
# The key is made once with `terraform-provider-managedk8s key generate` and kept like a password.
provider "managedk8s" {
  create_parallelism = 4
}
