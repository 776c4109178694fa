//! Checks of configurations.

use super::walk::visit;
use crate::schema::ValidateRequest;
use crate::{Diagnostics, Dynamic, Path, Schema};

/// Runs the schema's validators over what is known.
pub(crate) fn validate(schema: &Schema, config: &Dynamic) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    visit(
        &schema.attributes,
        config,
        &mut Path::root(),
        &mut |attribute, path, value| {
            if value.is_null() || value.is_unknown() {
                return;
            }
            for validator in &attribute.validators {
                let request = ValidateRequest {
                    path,
                    value,
                    config,
                };
                validator.validate(&request, &mut diagnostics);
            }
        },
    );
    for validator in &schema.validators {
        validator.validate(config, &mut diagnostics);
    }
    diagnostics
}

/// A caller that does not know write-only attributes would store them: refuse their use.
pub(crate) fn refuse_write_only(schema: &Schema, config: &Dynamic) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    visit(
        &schema.attributes,
        config,
        &mut Path::root(),
        &mut |attribute, path, value| {
            if attribute.write_only && !value.is_null() {
                diagnostics.error_at(
                path.clone(),
                "write-only attribute not supported here",
                format!(
                    "This version of Terraform would store {path} in the state. Write-only attributes need Terraform 1.11 or OpenTofu 1.11, or later."
                ),
            );
            }
        },
    );
    diagnostics
}
