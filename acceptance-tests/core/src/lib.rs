//! A protocol-level test client that plays Terraform core.
