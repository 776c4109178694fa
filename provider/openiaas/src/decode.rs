//! Answers as the API writes them, made ready for typed reading.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Names whose casing is not proven: they are matched without regard to case.
const NAMES: &[&str] = &[
    "accessible",
    "addresses",
    "areUpToDate",
    "attached",
    "autoPowerOn",
    "bootFirmware",
    "bootOrder",
    "bootable",
    "concernedItems",
    "connected",
    "cores",
    "cpu",
    "creationDate",
    "description",
    "detected",
    "disks",
    "dvdDrive",
    "freeCapacity",
    "highAvailability",
    "highAvailabilityEnabled",
    "host",
    "hosts",
    "id",
    "internalId",
    "ipAddress",
    "ipv4Address",
    "ipv6Address",
    "isSnapshot",
    "label",
    "macAddress",
    "machineManager",
    "maintenanceMode",
    "maintenanceStatus",
    "managementAgent",
    "master",
    "maxCapacity",
    "maximumTransmissionUnit",
    "memory",
    "metrics",
    "mode",
    "mtu",
    "name",
    "network",
    "networkAdapter",
    "networkAdapters",
    "numCoresPerSocket",
    "operatingSystemName",
    "osName",
    "osVersion",
    "pool",
    "powerState",
    "privateNetwork",
    "pvDrivers",
    "readOnly",
    "rebootRequired",
    "running",
    "schedulers",
    "secureBoot",
    "shared",
    "size",
    "sockets",
    "source",
    "state",
    "status",
    "storageRepository",
    "storageType",
    "templates",
    "tools",
    "txChecksumming",
    "type",
    "updateData",
    "uptime",
    "usage",
    "version",
    "virtualDisks",
    "virtualMachine",
    "virtualMachineId",
    "virtualMachines",
    "vpc",
];

fn canonical(name: &str) -> Option<&'static str> {
    static TABLE: OnceLock<HashMap<String, &'static str>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        NAMES
            .iter()
            .map(|name| (name.to_ascii_lowercase(), *name))
            .collect()
    });
    table.get(&name.to_ascii_lowercase()).copied()
}

/// Names in their documented casing, and no nulls in objects: null means the same as absent.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(fields) => {
            let names: Vec<(String, &'static str)> = fields
                .keys()
                .filter_map(|name| {
                    let wanted = canonical(name)?;
                    (wanted != name.as_str()).then(|| (name.clone(), wanted))
                })
                .collect();
            for (name, wanted) in names {
                if let Some(value) = fields.remove(&name) {
                    fields.entry(wanted).or_insert(value);
                }
            }
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(tidy);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The JSON value of a body, tidied.
pub(crate) fn value(body: &[u8]) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::from_slice(body)?;
    tidy(&mut value);
    Ok(value)
}

/// A typed answer from a body.
pub(crate) fn typed<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_value(value(body)?)
}

/// The words of an error body: `error.message`, else `message`, else the beginning of the text.
pub(crate) fn message(body: &[u8]) -> String {
    const LONGEST: usize = 500;
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let words = json.as_ref().and_then(|json| {
        let nested = json.pointer("/error/message");
        nested
            .or_else(|| json.get("message"))
            .and_then(Value::as_str)
    });
    let text = words.map_or_else(|| String::from_utf8_lossy(body), Into::into);
    let text = secret::scrub(text.trim());
    if text.is_empty() {
        return "no explanation".to_owned();
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &text[..end]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casing_and_nulls_are_forgiven() {
        let body = br#"[{"ID":"a","MachineManager":null,"numcorespersocket":2,"addresses":{"0/ipv4/0":"x"}}]"#;
        let tidy = value(body).expect("json");
        assert_eq!(
            tidy.to_string(),
            r#"[{"addresses":{"0/ipv4/0":"x"},"id":"a","numCoresPerSocket":2}]"#
        );
    }

    #[test]
    fn the_words_of_an_error_are_found_or_cut() {
        let nested = br#"{"error":{"status":"429","message":"Too Many Requests"}}"#;
        assert_eq!(message(nested), "Too Many Requests");
        assert_eq!(message(br#"{"message":"no"}"#), "no");
        assert_eq!(message(b"<html>\n502"), "<html>\n502");
        assert_eq!(message(b"  "), "no explanation");
        assert_eq!(message("é".repeat(501).as_bytes()).chars().count(), 504);
    }
}
