//! Messages and services of Terraform's plugin protocol 6 and of go-plugin.
