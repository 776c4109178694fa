//! Values as people read them in messages.

use framework::Dynamic;

/// A value on one line, as HCL writes it.
pub fn inline(value: &Dynamic) -> String {
    match value {
        Dynamic::Null => "null".to_owned(),
        Dynamic::Unknown(_) => "(known after apply)".to_owned(),
        Dynamic::Bool(value) => value.to_string(),
        Dynamic::Number(number) => number.to_string(),
        Dynamic::String(text) => format!("{text:?}"),
        other => match (other.as_elements(), other.as_members()) {
            (Some(elements), _) => {
                format!(
                    "[{}]",
                    elements.iter().map(inline).collect::<Vec<_>>().join(", ")
                )
            }
            (None, Some(members)) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("{name} = {}", inline(value)))
                    .collect();
                format!("{{ {} }}", members.join(", "))
            }
            (None, None) => "a value".to_owned(),
        },
    }
}
