//! Where in an object a value lies.

use std::borrow::Cow;
use std::fmt;

use proto_plugin::tfplugin6::{self, attribute_path::step::Selector};

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// A named attribute of an object.
    Attribute(Cow<'static, str>),
    /// An element of a list or tuple, counted from zero.
    Index(u64),
    /// An element of a map.
    Key(String),
    /// Some element of a set. Set elements have no key, so terraform is pointed at the set.
    Element,
}

/// Where a value lies, written as in HCL: `network.node_cidr`, `zones[1]`, `labels["team"]`.
/// The empty path is the whole object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

impl Path {
    /// The whole object.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// A path of attribute names; dots separate nested ones: `Path::of("network.node_cidr")`.
    pub fn of(dotted: &'static str) -> Self {
        Self(
            dotted
                .split('.')
                .map(|name| Step::Attribute(Cow::Borrowed(name)))
                .collect(),
        )
    }

    /// A path of these steps.
    pub fn from_steps(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(steps.into_iter().collect())
    }

    /// This path and one attribute more.
    pub fn attribute(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.0.push(Step::Attribute(name.into()));
        self
    }

    /// This path and one list index more.
    pub fn index(mut self, index: u64) -> Self {
        self.0.push(Step::Index(index));
        self
    }

    /// This path and one map key more.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.0.push(Step::Key(key.into()));
        self
    }

    /// This path and some element of a set.
    pub fn element(mut self) -> Self {
        self.0.push(Step::Element);
        self
    }

    /// The steps from the root down.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether this is the whole object.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path one step up; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, parent) = self.0.split_last()?;
        Some(Self(parent.to_vec()))
    }

    pub(crate) fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    /// The protocol's form; it ends at the first set.
    pub(crate) fn to_wire(&self) -> tfplugin6::AttributePath {
        let steps = self
            .0
            .iter()
            .map_while(|step| {
                let selector = match step {
                    Step::Attribute(name) => Selector::AttributeName(name.to_string()),
                    Step::Index(index) => Selector::ElementKeyInt(*index as i64),
                    Step::Key(key) => Selector::ElementKeyString(key.clone()),
                    Step::Element => return None,
                };
                Some(tfplugin6::attribute_path::Step {
                    selector: Some(selector),
                })
            })
            .collect();
        tfplugin6::AttributePath { steps }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => f.write_str(name)?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Element => f.write_str("[*]")?,
            }
        }
        Ok(())
    }
}
