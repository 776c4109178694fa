//! Sets of nodes, small in state: `cp 1-3, wrk 2,5`.

use std::collections::BTreeMap;
use std::fmt;

use product::{IndexSet, NodeKey, Role};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A set of machines of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeSet(BTreeMap<Role, IndexSet>);

impl NodeSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// A set of one.
    pub fn one(node: NodeKey) -> Self {
        [node].into_iter().collect()
    }

    /// Adds a machine.
    pub fn insert(&mut self, node: NodeKey) {
        self.0.entry(node.role).or_default().insert(node.index);
    }

    /// Adds every machine of another set.
    pub fn extend(&mut self, other: &Self) {
        other.iter().for_each(|node| self.insert(node));
    }

    /// Whether the machine is in the set.
    pub fn contains(&self, node: NodeKey) -> bool {
        self.0
            .get(&node.role)
            .is_some_and(|indexes| indexes.contains(node.index))
    }

    /// Whether every machine of the other set is in this one.
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|node| self.contains(node))
    }

    /// The machines, by role and number.
    pub fn iter(&self) -> impl Iterator<Item = NodeKey> + '_ {
        self.0
            .iter()
            .flat_map(|(role, indexes)| indexes.iter().map(|index| NodeKey { role: *role, index }))
    }

    /// How many machines.
    pub fn len(&self) -> usize {
        self.0.values().map(IndexSet::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn parse(text: &str) -> Option<Self> {
        let mut set = Self::new();
        for part in text.split(", ").filter(|_| !text.is_empty()) {
            let (role, indexes) = part.split_once(' ')?;
            let role = Role::parse(role).ok()?;
            for index in IndexSet::parse(indexes).ok()?.iter() {
                set.insert(NodeKey { role, index });
            }
        }
        Some(set)
    }
}

impl FromIterator<NodeKey> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeKey>>(nodes: I) -> Self {
        let mut set = Self::new();
        nodes.into_iter().for_each(|node| set.insert(node));
        set
    }
}

impl fmt::Display for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (role, indexes)) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{role} {indexes}")?;
        }
        Ok(())
    }
}

impl Serialize for NodeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NodeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format!("not a set of nodes: {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let set: NodeSet = [
            NodeKey::worker(5),
            NodeKey::control_plane(1),
            NodeKey::control_plane(2),
            NodeKey::worker(2),
        ]
        .into_iter()
        .collect();
        assert_eq!(set.to_string(), "cp 1-2, wrk 2,5");
        assert_eq!(NodeSet::parse("cp 1-2, wrk 2,5"), Some(set));
        assert_eq!(NodeSet::parse(""), Some(NodeSet::new()));
        assert_eq!(NodeSet::parse("cp"), None);
    }
}
