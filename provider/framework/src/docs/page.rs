//! One page.

use std::fmt::Write as _;

use super::schema;
use crate::{Definition, IdentitySchema, Schema};

/// A page under construction.
pub(super) struct Page {
    text: String,
}

impl Page {
    /// Front matter, title and description.
    pub fn new(page_title: &str, subcategory: &str, description: &str, title: &str) -> Self {
        let first = description.lines().next().unwrap_or_default();
        let mut text = String::new();
        let _ = write!(
            text,
            "---\npage_title: \"{page_title}\"\nsubcategory: \"{subcategory}\"\ndescription: |-\n  {first}\n---\n\n# {title}\n\n{description}\n"
        );
        Self { text }
    }

    pub fn deprecated(&mut self, message: &str) {
        let _ = write!(self.text, "\n~> **Deprecated** {message}\n");
    }

    pub fn examples(&mut self, examples: &[String]) {
        if examples.is_empty() {
            return;
        }
        self.text.push_str("\n## Example Usage\n");
        for example in examples {
            let _ = write!(self.text, "\n```terraform\n{example}\n```\n");
        }
    }

    pub fn schema(&mut self, schema: &Schema) {
        self.text.push_str("\n## Schema\n");
        schema::write(&mut self.text, schema);
    }

    pub fn import(
        &mut self,
        by_id: Option<&str>,
        by_identity: Option<&str>,
        identity: Option<&IdentitySchema>,
    ) {
        if by_id.is_none() && by_identity.is_none() {
            return;
        }
        self.text.push_str("\n## Import\n");
        if let Some(identity) = identity {
            self.text
                .push_str("\nThe identity, for `import` blocks of Terraform 1.12 and later:\n\n");
            for member in identity.members() {
                let need = if member.required_for_import {
                    "required"
                } else {
                    "optional"
                };
                let _ = writeln!(
                    self.text,
                    "- `{}` ({}, {need}) {}",
                    member.name,
                    schema::type_name(&member.ty),
                    member.description
                );
            }
        }
        if let Some(example) = by_identity {
            let _ = write!(self.text, "\n```terraform\n{example}\n```\n");
        }
        if let Some(example) = by_id {
            let _ = write!(self.text, "\n```shell\n{example}\n```\n");
        }
    }

    pub fn function(&mut self, name: &str, definition: &Definition, examples: &[String]) {
        if let Some(message) = &definition.deprecated {
            self.deprecated(message);
        }
        if definition.description != definition.summary {
            let _ = write!(self.text, "\n{}\n", definition.description);
        }
        self.examples(examples);
        let parameters: Vec<_> = definition
            .parameters
            .iter()
            .map(|p| format!("{} {}", p.name, p.ty))
            .chain(
                definition
                    .variadic
                    .iter()
                    .map(|p| format!("{} {}...", p.name, p.ty)),
            )
            .collect();
        let _ = write!(
            self.text,
            "\n## Signature\n\n```text\n{name}({}) {}\n```\n",
            parameters.join(", "),
            definition.returns
        );
        if parameters.is_empty() {
            return;
        }
        self.text.push_str("\n## Arguments\n\n");
        let all = definition
            .parameters
            .iter()
            .chain(definition.variadic.iter());
        for (position, parameter) in all.enumerate() {
            let variadic = if position >= definition.parameters.len() {
                "Variadic, "
            } else {
                ""
            };
            let null = if parameter.allow_null {
                ", Nullable"
            } else {
                ""
            };
            let _ = writeln!(
                self.text,
                "1. `{}` ({variadic}{}{null}) {}",
                parameter.name,
                schema::type_name(&parameter.ty),
                parameter.description
            );
        }
    }

    pub fn finish(self) -> String {
        self.text
    }
}
