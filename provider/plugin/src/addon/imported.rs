//! The state of an imported add-on.

use framework::{Diagnostics, Dynamic, Path};
use lifecycle::addon::OWNER_ADDON;
use lifecycle::run::AddonRead;
use serde_json::{Value as Json, json};
use transport::{CancellationToken, chain};

use super::model::RECORD;
use super::resource::{ID_FORM, Job};
use super::schema;
use crate::clients::Data;
use crate::handle::Handle;
use crate::import;
use crate::problems::{diagnostic, error};

/// The state of an imported add-on: from what its last apply recorded. Of a component of the catalogue without a record, the
/// one that the catalogue describes, at the version of its release.
pub async fn installed(
    state: &Dynamic,
    data: &Data,
    cancel: &CancellationToken,
) -> Result<Option<Dynamic>, Diagnostics> {
    let id = import::text(state, "id").to_owned();
    let (cluster, [namespace, name]) = import::parse(&id, ID_FORM)?;
    let handle = import::handle(&cluster, data, cancel).await?;
    let known = Handle::read(&handle)?;
    let engine = data.engine_for(&known, cancel).await?;
    let inside = known.cluster()?;
    let recorded = engine
        .recorded_addon(&inside, namespace, name, cancel)
        .await
        .map_err(error)?;
    let has_record = recorded.is_some();
    let inputs = match recorded {
        Some(inputs) => inputs,
        None => unrecorded(namespace, name)?,
    };
    let mut state = from_record(&inputs, handle)?;
    state.set_at(&Path::of("id"), Dynamic::string(id.clone()));
    let job = Job::new(&state)?;
    let (cluster, desired) = (&job.member.cluster, &job.member.desired);
    let read = engine.read_addon(cluster, desired, cancel).await;
    let facts = match read.map_err(error)? {
        AddonRead::Unreachable(problem) => {
            let mut problem = *problem;
            problem.severity = product::Severity::Error;
            return Err(Diagnostics::from(diagnostic(&problem)));
        }
        AddonRead::Seen { facts, .. } => facts,
    };
    if facts.version.is_empty() {
        return Ok(None);
    }
    if !facts.owner.is_empty() && facts.owner != OWNER_ADDON {
        return Err(Diagnostics::one_error(
            "something else manages this release",
            format!(
                "Seen: {namespace}/{name} belongs to {:?}\nAllowed: a release of an add-on, or one that nothing manages\n\
                 Remove the import.",
                facts.owner
            ),
        ));
    }
    if !has_record {
        state.set_at(&Path::of("version"), Dynamic::string(facts.version));
    }
    state.set_at(&Path::of("fingerprint"), Dynamic::string(facts.fingerprint));
    state.set_at(&Path::of("app_version"), Dynamic::string(facts.app_version));
    Ok(Some(state))
}

/// What a component of the catalogue would have recorded.
fn unrecorded(namespace: &str, name: &str) -> Result<Json, Diagnostics> {
    let Some(component) = product::catalogue::component(name) else {
        return Err(Diagnostics::one_error(
            "nothing is recorded of this release",
            format!(
                "Seen: {namespace}/{name}, without inputs that an add-on recorded\nAllowed: a release of an add-on, or a \
                 component of the catalogue\nWrite the resource without an import: its first apply takes a release over that \
                 nothing manages."
            ),
        ));
    };
    let mut attributes = json!({
        "name": name,
        "namespace": namespace,
        "version": component.version,
    });
    for (member, attribute) in schema::schema().members().iter() {
        if let Some(default) = attribute.default_value() {
            let text = framework::wire::to_json(default);
            attributes[member] = serde_json::from_str(&text).unwrap_or_default();
        }
    }
    Ok(json!({ "schema": RECORD, "chart_digest": "", "attributes": attributes }))
}

fn from_record(inputs: &Json, handle: Dynamic) -> Result<Dynamic, Diagnostics> {
    let unreadable = |why: String| {
        Diagnostics::one_error(
            "the recorded inputs cannot be read",
            format!(
                "Seen: {why}\nWrite the resource without an import, with the provider version that applied it last."
            ),
        )
    };
    if inputs["schema"] != RECORD {
        return Err(unreadable(format!("form {}", inputs["schema"])));
    }
    let ty = schema::schema().object_type();
    let text = inputs["attributes"].to_string();
    let mut state = framework::wire::from_json(text.as_bytes(), &ty)
        .map_err(|error| unreadable(chain(&error)))?;
    state.set_at(&Path::of("cluster"), handle);
    match inputs["chart_digest"].as_str() {
        Some("") | None => {}
        Some(digest) => {
            state.set_at(&Path::of("chart_digest"), Dynamic::string(digest));
        }
    }
    state.set_at(&Path::of("drift"), Dynamic::map::<String>([]));
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::super::AddonModel;
    use super::*;

    /// What is recorded reads back as the same state: nothing may change by an import.
    #[test]
    fn a_record_reads_back() {
        let ty = schema::schema().object_type();
        let text = json!({
            "name": "web", "namespace": "shop", "chart": "web", "repository": "https://charts.example.org", "version": "1.0.0",
            "values": {"type": ["object", {"n": "number", "list": ["tuple", ["string", "bool"]]}], "value": {"n": 1.5, "list": ["a", true]}},
            "set": [{"name": "a", "value": "b", "type": null}],
            "crds": {"install": null, "upgrade": false, "keep": null},
            "wait": true, "max_history": 3,
        });
        let state = framework::wire::from_json(text.to_string().as_bytes(), &ty).expect("a state");
        let model: AddonModel = state.get().expect("a model");
        let back = from_record(&model.inputs("ab"), Dynamic::Null).expect("a record");
        let again: AddonModel = back.get().expect("a model");
        assert_eq!(again.inputs("ab"), model.inputs("ab"));
        assert_eq!(back.member("values"), state.member("values"));
        assert_eq!(back.member("chart_digest"), Some(&Dynamic::string("ab")));
    }

    #[test]
    fn components_are_described_without_a_record() {
        let inputs = unrecorded("metallb-system", "metallb").expect("in the catalogue");
        let state = from_record(&inputs, Dynamic::Null).expect("a record");
        assert_eq!(state.member("wait"), Some(&Dynamic::Bool(true)));
        assert_eq!(state.member("atomic"), Some(&Dynamic::Bool(false)));
        assert!(unrecorded("shop", "web").is_err());
    }
}
