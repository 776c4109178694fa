//! The places at which runs die, generated from the writes that an undisturbed run makes.

use std::fmt;

use sandbox::admin::Inventory;
use sandbox::gate::{Call, PauseAt, PausePoint, Surface, WriteRecord};

/// What dies, or is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `kill -9` of the provider's processes.
    KillProvider,
    /// `kill -9` of terraform.
    KillTerraform,
    /// Ctrl-C: SIGINT to terraform's process group.
    Interrupt,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::KillProvider, Self::KillTerraform, Self::Interrupt];
}

/// One kind of write: method and route, with the objects' own names left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind(String);

impl Kind {
    /// The kind of a write.
    pub fn of(call: &Call) -> Self {
        let route = call.route();
        Self(match call.surface {
            Surface::Kubernetes => format!("{} {}", call.method, resource(&route)),
            Surface::Talos => format!("rpc {}", route.rsplit('/').next().unwrap_or_default()),
            Surface::Openiaas | Surface::Charts => format!("{} {route}", call.method),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Group and resource of a path of the Kubernetes API, without namespace and name.
fn resource(path: &str) -> String {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let group = match segments.next() {
        Some("apis") => segments.next().unwrap_or_default(),
        _ => "core",
    };
    let rest: Vec<&str> = segments.skip(1).collect();
    let rest = match rest.as_slice() {
        ["namespaces", _, inside @ ..] if !inside.is_empty() => inside,
        all => all,
    };
    match rest {
        [resource, _, part, ..] => format!("{group} {resource}/{part}"),
        [resource, ..] => format!("{group} {resource}"),
        [] => group.to_owned(),
    }
}

/// A place: one write of one kind.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its kind.
    pub kind: Kind,
    /// Which of its kind; 1 is the first.
    pub n: u64,
    /// It marks the cluster complete: a run that dies here leaves a complete cluster that no state knows.
    pub completes: bool,
    surface: Surface,
    method: String,
    path: String,
}

impl Place {
    fn new(call: &Call, n: u64) -> Self {
        let path = match call.surface {
            // The first object of a kind has the same name in every run.
            Surface::Kubernetes | Surface::Talos => {
                call.path.split('?').next().unwrap_or_default().to_owned()
            }
            Surface::Openiaas | Surface::Charts => {
                call.route().replace("{id}", "*").replace("{mac}", "*")
            }
        };
        Self {
            kind: Kind::of(call),
            n,
            completes: false,
            surface: call.surface,
            method: call.method.clone(),
            path,
        }
    }

    /// The pause point that waits for the next write which may be of this kind. Patterns cannot tell every route from
    /// a longer one: whoever reaches the point compares the kind.
    pub fn next(&self, at: PauseAt) -> PausePoint {
        PausePoint {
            surface: Some(self.surface),
            method: Some(self.method.clone()),
            path: Some(self.path.clone()),
            reads: false,
            n: 1,
            at,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.completes {
            " (the completion)"
        } else {
            ""
        };
        write!(f, "{} #{}{what}", self.kind, self.n)
    }
}

/// The first write of each kind, a VM in the middle, and the tag that completes the cluster.
pub fn places(writes: &[WriteRecord], inventory: &Inventory) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for write in writes {
        let kind = Kind::of(&write.call);
        if !places.iter().any(|place| place.kind == kind) {
            places.push(Place::new(&write.call, 1));
        }
    }
    let of_kind = |fits: fn(&Call) -> bool| {
        writes
            .iter()
            .map(|write| &write.call)
            .find(|call| fits(call))
    };
    let creates_vm = |call: &Call| {
        call.surface == Surface::Openiaas
            && call.method == "POST"
            && call.route().ends_with("/virtual_machines")
    };
    if let Some(call) = of_kind(creates_vm) {
        places.push(Place::new(call, inventory.vms.len() as u64 / 2));
    }
    let tags = |call: &Call| {
        call.surface == Surface::Openiaas && call.method == "POST" && call.route().contains("tag")
    };
    if let Some(call) = of_kind(tags) {
        // Each machine of the cluster has its owner's tag before the last one says that all of it is done.
        let of_cluster = inventory
            .vms
            .iter()
            .filter(|vm| !vm.tags.values().any(|tag| tag.contains(".default.")))
            .count();
        places.push(Place {
            completes: true,
            ..Place::new(call, of_cluster as u64 + 1)
        });
    }
    places
}

/// One case of the matrix.
#[derive(Clone, Debug)]
pub struct Case {
    /// Where.
    pub place: Place,
    /// In which moment of the call's life.
    pub at: PauseAt,
    /// What happens there.
    pub way: Way,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {}", self.way, self.at, self.place)
    }
}

/// How much of the matrix is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Each place once, in a way and a moment by turns; the completion in each way.
    Turns,
    /// Each place in each way, in a moment by turns.
    Ways,
    /// Everything.
    All,
}

impl Scope {
    /// The scope of a name.
    pub fn of(name: &str) -> Self {
        match name {
            "all" => Self::All,
            "ways" => Self::Ways,
            _ => Self::Turns,
        }
    }

    /// Whether the turn of a way (0 to 2) in a moment (0 or 1) at a place has come.
    const fn takes(self, place: &Place, turn: usize, way: usize, moment: usize) -> bool {
        match self {
            Self::All => true,
            Self::Ways => (turn + way) % 2 == moment,
            Self::Turns if place.completes => (turn + way) % 2 == moment,
            // Six turns in a row are the six combinations.
            Self::Turns => turn % 3 == way && turn / 3 % 2 == moment,
        }
    }
}

/// The cases of a scope; `seed` begins the turns, and six seeds in a row make every case.
pub fn matrix(places: &[Place], scope: Scope, seed: usize) -> Vec<Case> {
    let moments = [PauseAt::AfterWork, PauseAt::AfterAnswer];
    let mut cases = Vec::new();
    for (number, place) in places.iter().enumerate() {
        for (way_number, way) in Way::ALL.into_iter().enumerate() {
            for (moment, at) in moments.into_iter().enumerate() {
                if scope.takes(place, number + seed, way_number, moment) {
                    cases.push(Case {
                        place: place.clone(),
                        at,
                        way,
                    });
                }
            }
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Vec<Place> {
        let call = |path: &str| Call {
            surface: Surface::Openiaas,
            method: "POST".to_owned(),
            path: path.to_owned(),
            write: true,
            operation: None,
            target: None,
        };
        let mut places: Vec<Place> = ["/a", "/b", "/c", "/d"]
            .iter()
            .map(|path| Place::new(&call(path), 1))
            .collect();
        places[3].completes = true;
        places
    }

    #[test]
    fn six_days_of_turns_are_the_whole_matrix() {
        let places = places();
        let names = |cases: Vec<Case>| {
            let names = cases.iter().map(ToString::to_string);
            names.collect::<std::collections::BTreeSet<_>>()
        };
        let week: std::collections::BTreeSet<String> = (41..47)
            .flat_map(|seed| names(matrix(&places, Scope::Turns, seed)))
            .collect();
        let all = names(matrix(&places, Scope::All, 0));
        assert_eq!(all.len(), places.len() * 6);
        assert_eq!(week, all);
        // No kind of step is left out on any day.
        assert_eq!(matrix(&places, Scope::Turns, 41).len(), 3 + 3);
        assert_eq!(matrix(&places, Scope::Ways, 41).len(), places.len() * 3);
    }
}
