//! Listings, and what they prove.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The elements of a listing, and whether it may serve as proof of absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// The elements that could be read, in the order of the answer.
    pub items: Vec<T>,
    /// Whether the answer was complete (exactly 200) and every element readable with an identifier.
    pub strict: bool,
}

impl<T: DeserializeOwned> Listing<T> {
    /// Reads an array element by element, so that one odd element does not lose the others. An
    /// element that is left out makes the listing unfit as proof.
    pub(crate) fn read(status: u16, value: Value) -> Result<Self, String> {
        let Value::Array(elements) = value else {
            return Err("an array was expected".to_owned());
        };
        let mut strict = status == 200;
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            let id = element
                .get("id")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let id = id.to_owned();
            strict &= !id.is_empty();
            match serde_json::from_value(element) {
                Ok(item) => items.push(item),
                Err(error) => {
                    tracing::warn!(id, %error, "an element of a listing was left out");
                    strict = false;
                }
            }
        }
        Ok(Self { items, strict })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::MachineManager;

    #[test]
    fn an_odd_element_is_left_out_and_spoils_the_proof() {
        let read = |status, value| Listing::<MachineManager>::read(status, value);
        let listing = read(200, json!([{"id":"a","name":"AZ05"},{"id":"b"}])).expect("array");
        assert!(listing.strict);
        let listing = read(200, json!([{"id":"a"},{"id":"b","name":7}])).expect("array");
        assert_eq!((listing.items.len(), listing.strict), (1, false));
        let listing = read(200, json!([{"name":"x"}])).expect("array");
        assert_eq!((listing.items.len(), listing.strict), (1, false));
        assert!(!read(206, json!([])).expect("array").strict);
        assert!(read(200, json!({})).is_err());
        assert!(read(200, Value::Null).is_err());
    }
}
