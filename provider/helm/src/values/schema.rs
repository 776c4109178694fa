//! `values.schema.json`: every chart's values against its schema, all findings at once.

use std::fmt::Write as _;

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{PatternOptions, ValidationError};
use serde_json::Value;

use super::coalesce::Warnings;
use crate::chart::Chart;

/// Checks the values of `chart` and of each subchart that has values.
///
/// # Errors
///
/// All findings in Helm's layout. They name paths and rules, never a value.
pub(crate) fn validate(
    chart: &Chart,
    values: &Value,
    warnings: &mut Warnings,
) -> Result<(), String> {
    let mut report = String::new();
    collect(chart, values, &mut report, warnings);
    if report.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "values don't meet the specifications of the schema(s) in the following chart(s):\n{report}"
        ))
    }
}

fn collect(chart: &Chart, values: &Value, report: &mut String, warnings: &mut Warnings) {
    if let Some(schema) = &chart.schema {
        let findings = single(schema, values, warnings);
        if !findings.is_empty() {
            let _ = writeln!(report, "{}:", chart.name());
            report.push_str(&findings);
        }
    }
    for subchart in &chart.dependencies {
        match values.get(subchart.name()) {
            None | Some(Value::Null) => {}
            Some(table @ Value::Object(_)) => collect(subchart, table, report, warnings),
            Some(_) => {
                let _ = writeln!(
                    report,
                    "{}:\ninvalid type for values: expected object (map)",
                    subchart.name()
                );
            }
        }
    }
}

fn single(schema: &[u8], values: &Value, warnings: &mut Warnings) -> String {
    let mut schema: Value = match serde_json::from_slice(schema) {
        Ok(schema) => schema,
        Err(error) => return format!("values.schema.json is no JSON: {error}\n"),
    };
    let remote = cut_remote_references(&mut schema);
    if !remote.is_empty() {
        warnings.push(format!(
            "values.schema.json refers to {}: not fetched, everything there is permitted",
            remote.join(", ")
        ));
    }
    let validator = match jsonschema::options()
        .with_base_uri("file:///values.schema.json")
        .offline()
        // What RE2 refuses is refused here too.
        .with_pattern_options(PatternOptions::regex())
        .build(&schema)
    {
        Ok(validator) => validator,
        Err(error) => return format!("values.schema.json is no usable schema: {error}\n"),
    };
    let mut findings = Vec::new();
    // Draft 4 tells 1.0 from 1; all numbers of values are floats.
    for error in validator.iter_errors(&whole(values)) {
        explain(&error, 0, &mut findings);
    }
    let lines: Vec<String> = findings.iter().map(Finding::line).collect();
    lines.iter().fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "{line}");
        all
    })
}

/// Removes the references that leave the file, and lists where they point: nothing is fetched while
/// rendering, a schema elsewhere permits everything.
fn cut_remote_references(schema: &mut Value) -> Vec<String> {
    let mut own = Vec::new();
    collect_ids(schema, &mut own);
    let mut found = Vec::new();
    cut(schema, &own, &mut found);
    found.sort();
    found.dedup();
    found
}

fn collect_ids(schema: &Value, own: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            for key in ["$id", "id"] {
                if let Some(id) = map.get(key).and_then(Value::as_str) {
                    own.push(id.trim_end_matches('#').to_owned());
                }
            }
            map.values().for_each(|value| collect_ids(value, own));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_ids(value, own)),
        _ => {}
    }
}

fn cut(schema: &mut Value, own: &[String], found: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                let file = reference.split('#').next().unwrap_or(reference);
                let near = file.is_empty()
                    || own
                        .iter()
                        .any(|id| id == file || id.ends_with(&format!("/{file}")));
                if !near {
                    found.push(file.to_owned());
                    map.remove("$ref");
                }
            }
            map.values_mut().for_each(|value| cut(value, own, found));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| cut(value, own, found)),
        _ => {}
    }
}

const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn quoted<T: AsRef<str>>(names: &[T]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("'{}'", n.as_ref())).collect();
    quoted.join(", ")
}

const fn is_container(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

/// The same with whole numbers as integers.
fn whole(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => Value::from(float as i64),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(whole).collect(),
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| (key.clone(), whole(value)));
            Value::Object(entries.collect())
        }
        other => other.clone(),
    }
}

/// One line of a report.
struct Finding {
    depth: usize,
    path: String,
    what: What,
}

enum What {
    /// Properties that are not there, and the rule that asks for them.
    Missing(Vec<String>, String),
    Said(String),
}

impl Finding {
    fn line(&self) -> String {
        let what = match &self.what {
            What::Said(text) => text.clone(),
            What::Missing(names, _) if names.len() == 1 => {
                format!("missing property {}", quoted(names))
            }
            What::Missing(names, _) => format!("missing properties {}", quoted(names)),
        };
        format!("{}- at '{}': {what}", "  ".repeat(self.depth), self.path)
    }
}

fn explain(error: &ValidationError<'_>, depth: usize, findings: &mut Vec<Finding>) {
    let path = error.instance_path().as_str().to_owned();
    let add = |findings: &mut Vec<Finding>, path: String, what: What| {
        findings.push(Finding { depth, path, what });
    };
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default().to_owned();
            let rule = error.schema_path().as_str().to_owned();
            // What one rule misses in one place is one finding.
            if let Some(Finding {
                depth: its_depth,
                path: its_path,
                what: What::Missing(names, before),
            }) = findings.last_mut()
                && *its_depth == depth
                && (&*its_path, &*before) == (&path, &rule)
            {
                names.push(name);
            } else {
                add(findings, path, What::Missing(vec![name], rule));
            }
        }
        Kind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                let said = What::Said("false schema".to_owned());
                add(findings, format!("{path}/{escaped}"), said);
            }
        }
        _ => add(findings, path, What::Said(message(error))),
    }
    match error.kind() {
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            for inner in context.iter().flatten() {
                explain(inner, depth + 1, findings);
            }
        }
        Kind::PropertyNames { error } => explain(error, depth + 1, findings),
        _ => {}
    }
}

fn message(error: &ValidationError<'_>) -> String {
    let value = error.instance();
    let size = || match &**value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            format!("additional properties {} not allowed", quoted(unexpected))
        }
        Kind::Type { kind } => {
            let wanted: Vec<String> = match kind {
                TypeKind::Single(one) => vec![one.to_string()],
                TypeKind::Multiple(many) => many.iter().map(|kind| kind.to_string()).collect(),
            };
            format!("got {}, want {}", type_name(value), wanted.join(" or "))
        }
        Kind::Enum { options } => {
            let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
            if options.iter().any(is_container) {
                return "'enum' failed".to_owned();
            }
            let options: Vec<String> = options.iter().map(literal).collect();
            format!("value must be one of {}", options.join(", "))
        }
        Kind::Constant { expected_value } if is_container(expected_value) => {
            "'const' failed".to_owned()
        }
        Kind::Constant { expected_value } => format!("value must be {}", literal(expected_value)),
        Kind::Minimum { limit } => format!("minimum: want {limit}"),
        Kind::Maximum { limit } => format!("maximum: want {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("exclusiveMinimum: want {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("exclusiveMaximum: want {limit}"),
        Kind::MultipleOf { multiple_of } => format!("multipleOf: want {multiple_of}"),
        Kind::MinLength { limit } => format!("minLength: got {}, want {limit}", size()),
        Kind::MaxLength { limit } => format!("maxLength: got {}, want {limit}", size()),
        Kind::MinItems { limit } => format!("minItems: got {}, want {limit}", size()),
        Kind::MaxItems { limit } => format!("maxItems: got {}, want {limit}", size()),
        Kind::MinProperties { limit } => format!("minProperties: got {}, want {limit}", size()),
        Kind::MaxProperties { limit } => format!("maxProperties: got {}, want {limit}", size()),
        Kind::Pattern { pattern } => format!("does not match pattern '{pattern}'"),
        Kind::Format { format } => format!("is not valid {format}"),
        Kind::UniqueItems => "items are not unique".to_owned(),
        Kind::Contains => "no items match contains schema".to_owned(),
        Kind::FalseSchema => "false schema".to_owned(),
        Kind::Not { .. } => "'not' failed".to_owned(),
        Kind::AnyOf { .. } => "'anyOf' failed".to_owned(),
        Kind::OneOfNotValid { .. } => "'oneOf' failed, none matched".to_owned(),
        Kind::OneOfMultipleValid { .. } => "'oneOf' failed, several subschemas matched".to_owned(),
        Kind::PropertyNames { .. } => "invalid propertyName".to_owned(),
        Kind::AdditionalItems { limit } => format!("last item(s) after {limit} not allowed"),
        other => format!("{} failed", other.keyword()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Metadata;
    use serde_json::json;

    fn check(schema: &Value, values: &Value) -> Result<(), String> {
        let mut chart = Chart::bare(Metadata {
            name: "web".to_owned(),
            ..Metadata::default()
        });
        chart.schema = Some(schema.to_string().into());
        validate(&chart, values, &mut Warnings::new())
    }

    #[test]
    fn findings_name_path_and_rule_but_no_value() {
        let schema = json!({"type": "object", "required": ["must"], "properties": {
            "n": {"type": "integer"}, "p": {"pattern": "^a+$"},
            "o": {"type": "object", "properties": {"x": {"type": ["string", "null"]}}}}});
        let error = check(
            &schema,
            &json!({"n": "hunter2", "p": "hunter2", "o": {"x": 1.0}}),
        )
        .expect_err("four findings");
        for line in [
            "web:\n",
            "- at '': missing property 'must'\n",
            "- at '/n': got string, want integer\n",
            "- at '/p': does not match pattern '^a+$'\n",
            "- at '/o/x': got number, want ",
        ] {
            assert!(error.contains(line), "{line} in {error}");
        }
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn whole_floats_are_integers_and_remote_schemas_permit() {
        let schema = json!({"properties": {"n": {"type": "integer"},
            "r": {"$ref": "https://example.com/other.json#/definitions/x"}}});
        assert_eq!(check(&schema, &json!({"n": 3.0, "r": "anything"})), Ok(()));
        assert!(check(&schema, &json!({"n": 3.5})).is_err());
    }
}
