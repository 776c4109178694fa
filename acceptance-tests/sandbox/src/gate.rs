//! What stands before and after every call of every surface: counters, faults, pause points.
//!
//! A surface asks [`Gate::admit`] before it works on a call, [`Gate::worked`] when the work is done and the answer is
//! not yet given, and drops its [`Ticket`] when the answer is on its way. So a test can refuse a call, lose its answer,
//! or freeze the whole sandbox at an exact place between two bytes of a client's life.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The socket a call came in on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    /// The OpenIaaS HTTP API.
    Openiaas,
    /// The machine API of a node.
    Talos,
    /// The Kubernetes API of a cluster.
    Kubernetes,
    /// The chart repositories.
    Charts,
}

/// One call as faults and pause points see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Where it came in.
    pub surface: Surface,
    /// The HTTP method; `GRPC` for the machine API.
    pub method: String,
    /// The path with query, without the `/api` prefix; for the machine API `/<service>/<rpc>`.
    pub path: String,
    /// Whether the call can change something.
    pub write: bool,
    /// The operation in words, when the surface knows it before working (`vm.create`).
    #[serde(default)]
    pub operation: Option<String>,
    /// What it is about: a VM name, a node address, an object name.
    #[serde(default)]
    pub target: Option<String>,
}

impl Call {
    /// The path with identifiers replaced, so that calls can be counted by route.
    pub fn route(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        path.split('/')
            .map(|segment| {
                if uuid::Uuid::try_parse(segment).is_ok() {
                    "{id}"
                } else if segment.len() == 17 && segment.matches([':', '-']).count() == 5 {
                    "{mac}"
                } else {
                    segment
                }
            })
            .collect::<Vec<_>>()
            .join("/")
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// The connection is closed before anything is done.
    Refuse,
    /// An error answer instead of the work.
    Status {
        /// HTTP status, or the gRPC code on the machine API.
        status: u16,
        /// The body, or the gRPC message.
        #[serde(default)]
        body: Option<String>,
        /// Extra headers, such as `Retry-After`.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// No answer and no work; for ever when no time is given, else the work goes on afterwards.
    Hang {
        /// How long.
        #[serde(default)]
        milliseconds: Option<u64>,
    },
    /// The work is done, then the connection is cut.
    LostAnswer,
    /// The call waits, then works.
    Delay {
        /// How long.
        milliseconds: u64,
    },
    /// The operation's activity fails.
    FailActivity {
        /// The text of `state.failed.reason`.
        reason: String,
        /// Do the work all the same, and leave what it made behind.
        #[serde(default)]
        leave_behind: bool,
        /// Name the made object in `concernedItems`.
        #[serde(default)]
        concerned: bool,
    },
    /// The operation's activity stays `waiting` for ever.
    StuckActivity,
    /// The activity completes, and nothing was done.
    NotApplied,
    /// The activity takes this much longer.
    SlowActivity {
        /// How much.
        milliseconds: u64,
    },
    /// The activity answers 404 to its first reads.
    HiddenActivity {
        /// How many.
        reads: u32,
    },
    /// The machine powers on and its port 50000 never opens.
    NoBoot,
    /// The machine boots this much later.
    SlowBoot {
        /// How much.
        milliseconds: u64,
    },
    /// The machine's clock never gets in sync: bootstrap is refused.
    TimeNotInSync,
    /// The installer of an upgrade ends with this code.
    InstallerExit {
        /// The code, not zero.
        code: i32,
    },
    /// The upgraded system does not come up; the machine returns to the old one.
    Rollback,
}

impl Effect {
    /// Whether the effect is on a call, and not on an operation behind it.
    fn is_of_call(&self) -> bool {
        matches!(
            self,
            Self::Refuse
                | Self::Status { .. }
                | Self::Hang { .. }
                | Self::LostAnswer
                | Self::Delay { .. }
        )
    }
}

/// A fault: which calls or operations it is for, how often, and what happens. Patterns may hold `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Only on this surface.
    #[serde(default)]
    pub surface: Option<Surface>,
    /// Only this HTTP method (`GRPC` on the machine API).
    #[serde(default)]
    pub method: Option<String>,
    /// Pattern of the path with its query; without a `?` in the pattern the query is not looked at.
    #[serde(default)]
    pub path: Option<String>,
    /// Pattern of the operation: `vm.create`, `vm.power_on`, `disk.*`, `node.boot`, ...
    #[serde(default)]
    pub operation: Option<String>,
    /// Pattern of the target: mostly the name of the VM.
    #[serde(default)]
    pub target: Option<String>,
    /// How many matches pass before the first effect.
    #[serde(default)]
    pub skip: u64,
    /// How many matches are hit; all when absent.
    #[serde(default)]
    pub count: Option<u64>,
    /// What happens.
    pub effect: Effect,
}

impl Fault {
    /// A fault without conditions.
    pub fn new(effect: Effect) -> Self {
        Self {
            surface: None,
            method: None,
            path: None,
            operation: None,
            target: None,
            skip: 0,
            count: None,
            effect,
        }
    }

    /// Only for this method and this path pattern of one surface.
    pub fn on_call(mut self, surface: Surface, method: &str, path: &str) -> Self {
        self.surface = Some(surface);
        self.method = Some(method.to_owned());
        self.path = Some(path.to_owned());
        self
    }

    /// Only for this operation pattern.
    pub fn on_operation(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Only for this target pattern.
    pub fn on_target(mut self, target: &str) -> Self {
        self.target = Some(target.to_owned());
        self
    }

    /// At most this often.
    pub fn times(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// Not for the first matches.
    pub fn after(mut self, skip: u64) -> Self {
        self.skip = skip;
        self
    }
}

/// A fault with what it has done so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveFault {
    /// Its number.
    pub id: u64,
    /// What was asked for.
    pub fault: Fault,
    /// How many calls or operations matched.
    pub matched: u64,
    /// How many of them were hit.
    pub hit: u64,
}

/// Where in a call's life the sandbox freezes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseAt {
    /// The call has come in, nothing is done (released, the work goes on when the client still waits).
    BeforeWork,
    /// "After the send": the work is done, the client has no answer.
    AfterWork,
    /// "After the answer": the client has the answer, its next call waits.
    AfterAnswer,
}

/// A pause point: the n-th matching write, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausePoint {
    /// Only on this surface.
    #[serde(default)]
    pub surface: Option<Surface>,
    /// Only this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Pattern of the path.
    #[serde(default)]
    pub path: Option<String>,
    /// Count reads as well.
    #[serde(default)]
    pub reads: bool,
    /// Which match freezes; 1 is the first after the pause point was set.
    pub n: u64,
    /// Where in its life.
    pub at: PauseAt,
}

/// What became of a pause point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseState {
    /// Its number.
    pub id: u64,
    /// What was asked for.
    pub point: PausePoint,
    /// Matches so far.
    pub seen: u64,
    /// The call that froze the sandbox; absent until then.
    pub reached: Option<Call>,
}

/// A write that came in, in order of arrival.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteRecord {
    /// Counts from 1 over all surfaces.
    pub number: u64,
    /// The call.
    pub call: Call,
}

/// What a surface does with a call.
#[derive(Debug)]
pub enum Admission {
    /// Work on it, keep the ticket until the answer leaves.
    Proceed(Ticket),
    /// Give this answer and do nothing.
    Answer {
        /// HTTP status or gRPC code.
        status: u16,
        /// Extra headers.
        headers: BTreeMap<String, String>,
        /// Body or gRPC message.
        body: String,
    },
    /// Close the connection without an answer.
    Cut,
}

/// A call under way. Dropping it says that the answer is on its way.
#[derive(Debug)]
pub struct Ticket {
    gate: Gate,
    lose_answer: bool,
    hold_after_work: Option<u64>,
    freeze_after_answer: Option<u64>,
    call: Option<Call>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let (Some(id), Some(call)) = (self.freeze_after_answer.take(), self.call.take()) {
            self.gate.freeze(id, call);
        }
    }
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    faults: Vec<ActiveFault>,
    pauses: Vec<PauseState>,
    calls: BTreeMap<String, u64>,
    writes: VecDeque<WriteRecord>,
    write_count: u64,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Number of the pause point that holds everything, 0 when none does.
    frozen: watch::Sender<u64>,
}

/// The gate; a cheap handle. The default one lets everything through and only counts.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Inner>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            frozen: watch::Sender::new(0),
        }))
    }
}

/// The write log keeps this many entries.
const WRITE_LOG: usize = 20_000;

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the call, waits while the sandbox is frozen, and says what to do with it.
    pub async fn admit(&self, call: Call) -> Admission {
        self.thaw().await;
        let (hold_before, ticket, effect) = self.enter(&call);
        if let Some(id) = hold_before {
            self.freeze(id, call.clone());
            self.thaw().await;
        }
        match effect {
            Some(Effect::Refuse) => return Admission::Cut,
            Some(Effect::Status {
                status,
                body,
                headers,
            }) => {
                return Admission::Answer {
                    status,
                    headers,
                    body: body.unwrap_or_default(),
                };
            }
            Some(Effect::Hang { milliseconds: None }) => std::future::pending::<()>().await,
            Some(
                Effect::Hang {
                    milliseconds: Some(time),
                }
                | Effect::Delay { milliseconds: time },
            ) => {
                tokio::time::sleep(Duration::from_millis(time)).await;
            }
            _ => {}
        }
        Admission::Proceed(ticket)
    }

    fn enter(&self, call: &Call) -> (Option<u64>, Ticket, Option<Effect>) {
        let mut state = self.state();
        let route = format!("{:?} {} {}", call.surface, call.method, call.route()).to_lowercase();
        *state.calls.entry(route).or_default() += 1;
        if call.write {
            state.write_count += 1;
            let number = state.write_count;
            state.writes.push_back(WriteRecord {
                number,
                call: call.clone(),
            });
            if state.writes.len() > WRITE_LOG {
                state.writes.pop_front();
            }
        }
        let mut ticket = Ticket {
            gate: self.clone(),
            lose_answer: false,
            hold_after_work: None,
            freeze_after_answer: None,
            call: Some(call.clone()),
        };
        let mut hold_before = None;
        for pause in &mut state.pauses {
            if pause.reached.is_some() || !pause.point.matches(call) {
                continue;
            }
            pause.seen += 1;
            if pause.seen == pause.point.n {
                match pause.point.at {
                    PauseAt::BeforeWork => hold_before = Some(pause.id),
                    PauseAt::AfterWork => ticket.hold_after_work = Some(pause.id),
                    PauseAt::AfterAnswer => ticket.freeze_after_answer = Some(pause.id),
                }
            }
        }
        let effect = state.take_fault(|fault| {
            fault.effect.is_of_call()
                && fault.surface.is_none_or(|surface| surface == call.surface)
                && fault
                    .method
                    .as_deref()
                    .is_none_or(|method| method.eq_ignore_ascii_case(&call.method))
                && fault
                    .path
                    .as_deref()
                    .is_none_or(|pattern| path_matches(pattern, &call.path))
                && matches_option(fault.operation.as_deref(), call.operation.as_deref())
                && matches_option(fault.target.as_deref(), call.target.as_deref())
        });
        ticket.lose_answer = effect == Some(Effect::LostAnswer);
        (hold_before, ticket, effect)
    }

    /// The work of the call is done. False: cut the connection instead of answering.
    pub async fn worked(&self, ticket: &Ticket) -> bool {
        if let (Some(id), Some(call)) = (ticket.hold_after_work, ticket.call.clone()) {
            self.freeze(id, call);
            self.thaw().await;
        }
        !ticket.lose_answer
    }

    /// The effect, if any, on an operation behind the calls; counts as a match.
    pub fn operation(&self, operation: &str, target: &str) -> Option<Effect> {
        self.state().take_fault(|fault| {
            !fault.effect.is_of_call()
                && fault
                    .operation
                    .as_deref()
                    .is_none_or(|pattern| glob(pattern, operation))
                && fault
                    .target
                    .as_deref()
                    .is_none_or(|pattern| glob(pattern, target))
                && effect_fits(&fault.effect, operation)
        })
    }

    fn freeze(&self, id: u64, call: Call) {
        if let Some(pause) = self.state().pauses.iter_mut().find(|pause| pause.id == id) {
            pause.reached = Some(call);
        } else {
            return;
        }
        self.0.frozen.send_replace(id);
    }

    /// Waits while a pause point holds the sandbox.
    pub async fn thaw(&self) {
        let mut frozen = self.0.frozen.subscribe();
        // The sender lives in self.
        let _ = frozen.wait_for(|held| *held == 0).await;
    }

    /// Adds a fault and returns its number.
    pub fn add_fault(&self, fault: Fault) -> u64 {
        let mut state = self.state();
        state.next_id += 1;
        let id = state.next_id;
        state.faults.push(ActiveFault {
            id,
            fault,
            matched: 0,
            hit: 0,
        });
        id
    }

    /// Removes one fault; false when there is none of that number.
    pub fn remove_fault(&self, id: u64) -> bool {
        let mut state = self.state();
        let before = state.faults.len();
        state.faults.retain(|fault| fault.id != id);
        before != state.faults.len()
    }

    /// Removes every fault.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// All faults with their counts.
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.state().faults.clone()
    }

    /// Sets a pause point and returns its number.
    pub fn add_pause(&self, point: PausePoint) -> u64 {
        let mut state = self.state();
        state.next_id += 1;
        let id = state.next_id;
        state.pauses.push(PauseState {
            id,
            point,
            seen: 0,
            reached: None,
        });
        id
    }

    /// The state of a pause point.
    pub fn pause(&self, id: u64) -> Option<PauseState> {
        self.state()
            .pauses
            .iter()
            .find(|pause| pause.id == id)
            .cloned()
    }

    /// Waits until the pause point holds the sandbox; false when the time is over or there is none of that number.
    pub async fn reached(&self, id: u64, within: Duration) -> bool {
        let mut frozen = self.0.frozen.subscribe();
        let wait = frozen.wait_for(|_| self.pause(id).is_none_or(|pause| pause.reached.is_some()));
        let over = tokio::time::timeout(within, wait).await.is_err();
        !over && self.pause(id).is_some_and(|pause| pause.reached.is_some())
    }

    /// Removes a pause point and lets everything go on when it was the one that held.
    pub fn release(&self, id: u64) -> bool {
        let found = {
            let mut state = self.state();
            let before = state.pauses.len();
            state.pauses.retain(|pause| pause.id != id);
            before != state.pauses.len()
        };
        self.0.frozen.send_if_modified(|held| {
            let ours = *held == id;
            if ours {
                *held = 0;
            }
            ours
        });
        found
    }

    /// Calls by surface, method and route.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.state().calls.clone()
    }

    /// Sets the call counters and the write log back.
    pub fn reset_calls(&self) {
        let mut state = self.state();
        state.calls.clear();
        state.writes.clear();
        state.write_count = 0;
    }

    /// The writes that came in, oldest first.
    pub fn writes(&self) -> Vec<WriteRecord> {
        self.state().writes.iter().cloned().collect()
    }
}

impl State {
    fn take_fault(&mut self, mut fits: impl FnMut(&Fault) -> bool) -> Option<Effect> {
        for active in &mut self.faults {
            if !fits(&active.fault) || active.fault.count.is_some_and(|count| active.hit >= count) {
                continue;
            }
            active.matched += 1;
            if active.matched > active.fault.skip {
                active.hit += 1;
                return Some(active.fault.effect.clone());
            }
        }
        None
    }
}

impl PausePoint {
    fn matches(&self, call: &Call) -> bool {
        (self.reads || call.write)
            && self.surface.is_none_or(|surface| surface == call.surface)
            && self
                .method
                .as_deref()
                .is_none_or(|method| method.eq_ignore_ascii_case(&call.method))
            && self
                .path
                .as_deref()
                .is_none_or(|pattern| path_matches(pattern, &call.path))
    }
}

/// Effects of machines are asked for under `node.*`, effects of activities under everything else.
fn effect_fits(effect: &Effect, operation: &str) -> bool {
    match effect {
        Effect::NoBoot | Effect::SlowBoot { .. } => operation == "node.boot",
        Effect::TimeNotInSync => operation == "node.time",
        Effect::InstallerExit { .. } => operation == "node.install",
        Effect::Rollback => operation == "node.upgrade_boot",
        Effect::HiddenActivity { .. } => operation == "activity.read",
        _ => !operation.starts_with("node.") && operation != "activity.read",
    }
}

fn matches_option(pattern: Option<&str>, value: Option<&str>) -> bool {
    match (pattern, value) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(pattern), Some(value)) => glob(pattern, value),
    }
}

fn path_matches(pattern: &str, path: &str) -> bool {
    if pattern.contains('?') {
        glob(pattern, path)
    } else {
        glob(pattern, path.split('?').next().unwrap_or_default())
    }
}

/// Whether the text fits the pattern, in which `*` stands for any text.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, path: &str) -> Call {
        Call {
            surface: Surface::Openiaas,
            method: method.into(),
            path: path.into(),
            write: method != "GET",
            operation: None,
            target: None,
        }
    }

    #[test]
    fn patterns() {
        assert!(glob("*", "anything"));
        assert!(glob("/a/*/c", "/a/b/c"));
        assert!(!glob("/a/*/c", "/a/b/d"));
        assert!(glob("vm.*", "vm.create"));
        assert!(!glob("vm", "vm.create"));
        assert!(glob("a*b*c", "a-b-b-c"));
        assert!(path_matches("/x", "/x?y=1"));
    }

    #[tokio::test]
    async fn a_fault_is_hit_as_often_as_it_says() {
        let gate = Gate::default();
        let effect = Effect::Status {
            status: 503,
            body: None,
            headers: BTreeMap::new(),
        };
        gate.add_fault(
            Fault::new(effect)
                .on_call(Surface::Openiaas, "GET", "/a")
                .after(1)
                .times(1),
        );
        assert!(matches!(
            gate.admit(call("GET", "/a")).await,
            Admission::Proceed(_)
        ));
        assert!(matches!(
            gate.admit(call("GET", "/a")).await,
            Admission::Answer { status: 503, .. }
        ));
        assert!(matches!(
            gate.admit(call("GET", "/a")).await,
            Admission::Proceed(_)
        ));
    }

    #[tokio::test]
    async fn a_pause_point_holds_until_released() {
        let gate = Gate::default();
        let id = gate.add_pause(PausePoint {
            surface: None,
            method: None,
            path: None,
            reads: false,
            n: 2,
            at: PauseAt::AfterAnswer,
        });
        drop(gate.admit(call("POST", "/a")).await);
        assert!(!gate.reached(id, Duration::from_millis(5)).await);
        drop(gate.admit(call("POST", "/b")).await);
        assert!(gate.reached(id, Duration::from_millis(5)).await);
        let other = gate.clone();
        let held = tokio::spawn(async move { drop(other.admit(call("GET", "/c")).await) });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!held.is_finished());
        assert!(gate.release(id));
        held.await.expect("the held call ends");
    }
}
