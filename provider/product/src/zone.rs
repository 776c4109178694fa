//! Region and zones, and how nodes spread over them.

use std::fmt;

use crate::labels::is_label_value;
use crate::text_enum::{serde_as_text, text_enum};
use crate::{Checked, Path, Problem, Topology};

text_enum! {
    /// A region (ZON-01).
    Region, "region" {
        /// The Paris area: three sites with layer-2 continuity.
        Fr1 = "fr1",
    }
}

impl Region {
    /// The zones known when this version was made; a tenant's API has the last word.
    pub const fn zones(self) -> &'static [&'static str] {
        match self {
            Self::Fr1 => &["AZ05", "AZ06", "AZ07"],
        }
    }
}

/// A zone by its public name, which is the name of its machine manager and a node's label value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Zone(String);

impl Zone {
    /// Reads a zone name: any text that can be a label value, since it becomes one.
    pub fn parse(text: &str) -> Checked<Self> {
        if !text.is_empty() && is_label_value(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Box::new(
            Problem::error(Path::root(), "zone name cannot be a node label")
                .seen(format!("{text:?}"))
                .allowed(
                    "1 to 63 letters, digits, '-', '_' and '.', a letter or digit at both ends",
                )
                .next("Write the name of an availability zone, for example \"AZ05\"."),
        ))
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Zone, Zone::parse);

/// The zones of a cluster in the order of the configuration: one or more, distinct.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Vec<Zone>", into = "Vec<Zone>")]
pub struct Zones(Vec<Zone>);

impl Zones {
    /// Three distinct zones in production, one or two in devtest (ZON-02, TOP-04).
    pub fn parse<S: AsRef<str>>(names: &[S], topology: Topology) -> Checked<Self> {
        let mut zones = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            let place = Path::root().index(index as u64);
            let zone = Zone::parse(name.as_ref())
                .map_err(|problem| Box::new(problem.clone().under(&place)))?;
            zones.push(zone);
        }
        let allowed = match topology {
            Topology::Production => zones.len() == 3,
            Topology::DevTest => matches!(zones.len(), 1 | 2),
        };
        if !allowed {
            return Err(Box::new(
                Problem::error(Path::root(), "number of zones does not fit the topology")
                    .seen(format!("{} zones for topology {:?}", zones.len(), topology.as_str()))
                    .allowed(match topology {
                        Topology::Production => "exactly three zones",
                        Topology::DevTest => "one zone",
                    })
                    .next("Name the zones, for example [\"AZ05\", \"AZ06\", \"AZ07\"] in production or [\"AZ05\"] in devtest."),
            ));
        }
        Self::try_from(zones).map_err(Box::new)
    }

    /// Zones of an existing cluster: at least one, distinct.
    pub fn new(zones: Vec<Zone>) -> Checked<Self> {
        Self::try_from(zones).map_err(Box::new)
    }

    /// The zone of node `index` (from 1) of any role: `zones[(index - 1) mod zones]`.
    pub fn of(&self, index: u16) -> &Zone {
        let place = usize::from(index.saturating_sub(1)) % self.0.len();
        &self.0[place]
    }

    /// The zone of the Git Runner: the last (ZON-03).
    pub fn last(&self) -> &Zone {
        &self.0[self.0.len() - 1]
    }

    /// The zones in order.
    pub fn as_slice(&self) -> &[Zone] {
        &self.0
    }

    /// How many workers of `1..=workers` fall into each zone: the function `zone_spread`.
    pub fn spread(&self, workers: u16) -> Vec<(Zone, u16)> {
        let zones = self.0.len() as u16;
        self.0
            .iter()
            .zip(0u16..)
            .map(|(zone, position)| {
                let more = u16::from(position < workers % zones);
                (zone.clone(), workers / zones + more)
            })
            .collect()
    }
}

impl TryFrom<Vec<Zone>> for Zones {
    type Error = Problem;

    fn try_from(zones: Vec<Zone>) -> Result<Self, Problem> {
        if zones.is_empty() {
            return Err(Problem::error(Path::root(), "no zone given")
                .seen("an empty list")
                .allowed("one zone in devtest, three in production")
                .next("Name the zones."));
        }
        for (index, zone) in zones.iter().enumerate() {
            if zones[..index].contains(zone) {
                return Err(
                    Problem::error(Path::root().index(index as u64), "zone given twice")
                        .seen(format!("{:?}", zone.as_str()))
                        .allowed("distinct zones")
                        .next("Name another zone."),
                );
            }
        }
        Ok(Self(zones))
    }
}

impl From<Zones> for Vec<Zone> {
    fn from(zones: Zones) -> Self {
        zones.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Zones {
        Zones::parse(&["AZ05", "AZ06", "AZ07"], Topology::Production).expect("three zones")
    }

    #[test]
    fn workers_take_turns() {
        let zones = three();
        let names: Vec<&str> = (1..=4).map(|n| zones.of(n).as_str()).collect();
        assert_eq!(names, ["AZ05", "AZ06", "AZ07", "AZ05"]);
        assert_eq!(zones.last().as_str(), "AZ07");
    }

    #[test]
    fn spread_agrees_with_placement() {
        let zones = three();
        for workers in 0..20 {
            for (zone, count) in zones.spread(workers) {
                let placed = (1..=workers).filter(|n| zones.of(*n) == &zone).count();
                assert_eq!(placed, usize::from(count), "{zone} of {workers}");
            }
        }
    }

    #[test]
    fn production_wants_three_distinct() {
        let repeated =
            Zones::parse(&["AZ05", "AZ06", "AZ05"], Topology::Production).expect_err("twice");
        assert_eq!(repeated.path.to_string(), "[2]");
        assert!(Zones::parse(&["AZ05"], Topology::Production).is_err());
        assert!(Zones::parse(&["AZ05", "AZ06"], Topology::DevTest).is_ok());
        assert!(Zones::parse(&["AZ05", "AZ06", "AZ07"], Topology::DevTest).is_err());
    }
}
