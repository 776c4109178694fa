//! A Terraform provider framework: tfplugin6 server, schema, values, semantics.
