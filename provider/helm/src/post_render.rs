//! Patches on rendered objects, between rendering and the cluster: strategic merge patches and JSON
//! patches (RFC 6902), aimed by selectors as kustomize aims them. Pure.
//!
//! ```
//! use helm::post_render::{Patch, PostRender, Target};
//! use serde_json::json;
//!
//! let patches = PostRender::new(vec![Patch::strategic(
//!     Target::default().kind("Deployment").name("web"),
//!     json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "mirror/web:1"}]}}}}),
//! )]);
//! let mut objects = vec![json!({
//!     "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
//!     "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "web:1", "tty": true}]}}},
//! })];
//! patches.apply_to(&mut objects, "default")?;
//! let container = &objects[0]["spec"]["template"]["spec"]["containers"][0];
//! assert_eq!(container, &json!({"name": "app", "image": "mirror/web:1", "tty": true}));
//! # Ok::<(), helm::post_render::Error>(())
//! ```

mod json;
mod strategic;
mod target;

use serde_json::Value;

pub use json::{JsonPatch, Operation};
pub use target::Target;

use crate::render::{Rendered, from_yaml_numbers};

/// What a patch does to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Merges, lists of Kubernetes' own kinds by their keys; null removes, `$patch: delete` removes an
    /// element or the object.
    Strategic(Value),
    /// Runs operations one after the other, all or none.
    Json(JsonPatch),
}

/// A change of every object that the target selects.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// Which objects.
    pub target: Target,
    /// What happens to them.
    pub change: Change,
}

impl Patch {
    /// A strategic merge patch.
    pub const fn strategic(target: Target, patch: Value) -> Self {
        Self {
            target,
            change: Change::Strategic(patch),
        }
    }

    /// A JSON patch.
    pub const fn json(target: Target, patch: JsonPatch) -> Self {
        Self {
            target,
            change: Change::Json(patch),
        }
    }
}

/// Why patches cannot be applied. `patch` counts from 0. No text holds a value of an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No object is selected: most likely a name is wrong.
    #[error("patch {patch} selects no object ({target})")]
    NoTarget {
        /// Which patch.
        patch: usize,
        /// Its selector.
        target: String,
    },
    /// The selector is no regular expression or no label selector.
    #[error("the target of patch {patch}: {reason}")]
    Target {
        /// Which patch.
        patch: usize,
        /// What is wrong.
        reason: String,
    },
    /// The change does not fit the object.
    #[error("patch {patch} does not fit {object}: {reason}")]
    Misfit {
        /// Which patch.
        patch: usize,
        /// Kind and name.
        object: String,
        /// What is wrong.
        reason: String,
    },
}

/// Patches in the order in which they are applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PostRender {
    patches: Vec<Patch>,
}

impl PostRender {
    /// These patches, in this order.
    pub const fn new(patches: Vec<Patch>) -> Self {
        Self { patches }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.patches.is_empty()
    }

    /// Changes the objects and hooks of a rendering; objects without a namespace count as being in
    /// `namespace`.
    ///
    /// # Errors
    ///
    /// The first patch that selects nothing or does not fit; the rendering may then be half changed.
    pub fn apply(&self, rendered: &mut Rendered, namespace: &str) -> Result<(), Error> {
        for (number, patch) in self.patches.iter().enumerate() {
            let matcher = patch.target.matcher(number, namespace)?;
            let mut hits = 0;
            let mut failed = Ok(());
            rendered.manifests.retain_mut(|manifest| {
                if failed.is_err() || !matcher.selects(&manifest.object) {
                    return true;
                }
                hits += 1;
                match patch.change_one(number, manifest.to_api()) {
                    Ok(Some(object)) => {
                        manifest.set_object(object);
                        true
                    }
                    Ok(None) => false,
                    Err(error) => {
                        failed = Err(error);
                        true
                    }
                }
            });
            rendered.hooks.retain_mut(|hook| {
                if failed.is_err() || !matcher.selects(&hook.object) {
                    return true;
                }
                hits += 1;
                match patch.change_one(number, from_yaml_numbers(hook.object.clone())) {
                    Ok(Some(object)) => {
                        hook.set_object(object);
                        true
                    }
                    Ok(None) => false,
                    Err(error) => {
                        failed = Err(error);
                        true
                    }
                }
            });
            failed?;
            patch.hit(number, hits)?;
        }
        Ok(())
    }

    /// Changes plain objects.
    ///
    /// # Errors
    ///
    /// As [`Self::apply`].
    pub fn apply_to(&self, objects: &mut Vec<Value>, namespace: &str) -> Result<(), Error> {
        for (number, patch) in self.patches.iter().enumerate() {
            let matcher = patch.target.matcher(number, namespace)?;
            let mut hits = 0;
            let mut changed = Vec::with_capacity(objects.len());
            for object in objects.drain(..) {
                if matcher.selects(&object) {
                    hits += 1;
                    changed.extend(patch.change_one(number, object)?);
                } else {
                    changed.push(object);
                }
            }
            *objects = changed;
            patch.hit(number, hits)?;
        }
        Ok(())
    }

    /// Everything here as one text: equal texts mean equal patches.
    pub(crate) fn canonical(&self) -> String {
        format!("{:?}", self.patches)
    }
}

impl Patch {
    /// The object after the change; `None` when the patch deletes it.
    fn change_one(&self, number: usize, object: Value) -> Result<Option<Value>, Error> {
        let name = format!(
            "{} {}",
            object["kind"].as_str().unwrap_or_default(),
            object["metadata"]["name"].as_str().unwrap_or_default()
        );
        let misfit = |reason: String| Error::Misfit {
            patch: number,
            object: name.clone(),
            reason,
        };
        match &self.change {
            Change::Strategic(patch) => strategic::merge(object, patch).map_err(misfit),
            Change::Json(patch) => patch.apply(object).map(Some).map_err(misfit),
        }
    }

    fn hit(&self, number: usize, hits: usize) -> Result<(), Error> {
        if hits > 0 {
            return Ok(());
        }
        Err(Error::NoTarget {
            patch: number,
            target: self.target.to_string(),
        })
    }
}
