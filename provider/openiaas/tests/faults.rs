//! The client against a scripted server on loopback: each test writes the answers down, in order,
//! and reads what was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openiaas::{
    ActivityId, Client, CloudInit, Credentials, Endpoint, Error, Failure, Freshness, Handle,
    MachineManagerId, NetworkId, NewVm, Settings, TemplateId, VmAdapter, VmId, VmLookup, VmPatch,
};
use secret::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use transport::{CancellationToken, Clock as _, ManualClock};

/// One answer of the script.
#[derive(Clone)]
enum Say {
    /// Status and body.
    Body(u16, &'static str),
    /// 201 with `Location`.
    Started(&'static str),
    /// 429 with `Retry-After` in seconds.
    Busy(&'static str),
    /// Reads the request and closes the connection.
    HangUp,
}
use Say::{Body, Busy, HangUp, Started};

#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Say>>>,
    asked: Arc<Mutex<Vec<String>>>,
    logins: Arc<Mutex<u32>>,
}

struct Bench {
    client: Client,
    script: Script,
    clock: ManualClock,
    cancel: CancellationToken,
}

impl Bench {
    async fn new(answers: &[Say]) -> Self {
        Self::with_token_life(answers, 1800).await
    }

    async fn with_token_life(answers: &[Say], life: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound").to_string();
        let script = Script::default();
        script
            .answers
            .lock()
            .expect("no panic")
            .extend(answers.iter().cloned());
        let server = script.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, server.clone(), life));
            }
        });
        let clock = ManualClock::leaping(SystemTime::UNIX_EPOCH);
        let endpoint = Endpoint::parse(&address, "http", true).expect("sound");
        let credentials = Credentials::new("client", SecretString::new("s3cr3t-of-the-test"));
        let settings = Settings::new(endpoint, credentials, "terraform-provider-managedk8s/0.0.0");
        Self {
            client: Client::new(settings, Arc::new(clock.clone())).expect("a client"),
            script,
            clock,
            cancel: CancellationToken::new(),
        }
    }

    fn asked(&self) -> Vec<String> {
        self.script.asked.lock().expect("no panic").clone()
    }

    fn logins(&self) -> u32 {
        *self.script.logins.lock().expect("no panic")
    }

    async fn read(&self) -> Result<Option<String>, Error> {
        let vm = self
            .client
            .virtual_machine(&VmId::new("vm-1"), &self.cancel)
            .await?;
        Ok(vm.map(|vm| vm.name))
    }

    async fn create(&self) -> Result<VmId, Error> {
        let vm = NewVm {
            name: "alpha-cp-1".into(),
            template: TemplateId::new("tpl-1"),
            cpu: 4,
            memory: 8 << 30,
            cloud_init: Some(CloudInit {
                config: SecretString::new("machine"),
                network: None,
            }),
            adapters: vec![VmAdapter {
                network: NetworkId::new("net-1"),
                mac: Some("02:00:5e:10:20:01".into()),
                address: None,
            }],
        };
        self.client.create_vm(&vm, &self.cancel).await
    }
}

async fn serve(mut stream: TcpStream, script: Script, life: u32) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    let head = String::from_utf8(head).expect("text");
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut body).await.expect("a body");
    let body = String::from_utf8(body).expect("text");
    assert_eq!(header("user-agent"), "terraform-provider-managedk8s/0.0.0");
    let line = head
        .lines()
        .next()
        .expect("a line")
        .replace(" HTTP/1.1", "");
    if line.ends_with("/api/iam/v2/auth/personal_access_token") {
        let number = {
            let mut logins = script.logins.lock().expect("no panic");
            *logins += 1;
            *logins
        };
        let claims = format!(r#"{{"iat":0,"exp":{life},"scope":{{"id":"t-1"}},"n":{number}}}"#);
        let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims));
        send(&mut stream, 200, "", &token).await;
        return;
    }
    assert!(header("authorization").starts_with("Bearer e30."), "{head}");
    let asked = format!("{} {body}", line.replacen(" /api/", " /", 1));
    script
        .asked
        .lock()
        .expect("no panic")
        .push(asked.trim().to_owned());
    let say = script.answers.lock().expect("no panic").pop_front();
    match say {
        Some(Body(status, body)) => send(&mut stream, status, "", body).await,
        Some(Started(id)) => send(&mut stream, 201, &format!("Location: {id}\r\n"), "").await,
        Some(Busy(seconds)) => {
            send(&mut stream, 429, &format!("Retry-After: {seconds}\r\n"), "").await;
        }
        Some(HangUp) => drop(stream),
        None => send(&mut stream, 418, "", "the script is over").await,
    }
}

async fn send(stream: &mut TcpStream, status: u16, header: &str, body: &str) {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{header}\r\n{body}"
    );
    stream
        .write_all(answer.as_bytes())
        .await
        .expect("an open connection");
}

const VM: Say = Body(200, r#"{"id":"vm-1","name":"alpha-cp-1"}"#);
const DONE: Say = Body(
    200,
    r#"{"id":"act-1","state":{"completed":{"result":"vm-1"}}}"#,
);
const RUNNING: Say = Body(
    200,
    r#"{"id":"act-1","state":{"running":{"progression":0.4}}}"#,
);

#[tokio::test]
async fn reads_are_repeated_after_passing_faults_with_growing_rests() {
    let bench = Bench::new(&[Body(503, "<html>"), HangUp, Busy("3"), VM]).await;
    assert_eq!(
        bench.read().await.expect("in the end").as_deref(),
        Some("alpha-cp-1")
    );
    assert_eq!(bench.asked().len(), 4);
    // 0.5 s, 1 s and 2 s with a fifth of jitter; the rest of 3 s runs beside the last of them.
    let passed = bench.clock.passed().as_millis();
    assert!((4100..5000).contains(&passed), "{passed}");
    assert_eq!(bench.client.metrics().repeated, 3);
}

#[tokio::test]
async fn reads_give_up_after_five_attempts_and_tell_the_status() {
    let bench = Bench::new(&[const { Body(502, "<html>nginx</html>") }; 9]).await;
    let error = bench.read().await.expect_err("an outage");
    assert_eq!(
        error.to_string(),
        "GET /compute/v1/open_iaas/virtual_machines/vm-1: the API answered HTTP 502: <html>nginx</html>"
    );
    assert_eq!(bench.asked().len(), 5);
}

#[tokio::test]
async fn a_definite_answer_is_not_asked_again() {
    let bench = Bench::new(&[
        Body(404, ""),
        Body(403, r#"{"message":"no"}"#),
        Body(400, "x"),
    ])
    .await;
    assert_eq!(bench.read().await.expect("an answer"), None);
    let error = bench.read().await.expect_err("denied");
    assert!(
        matches!(
            &error,
            Error::Denied {
                right: "compute_iaas_opensource_read",
                ..
            }
        ),
        "{error}"
    );
    assert!(matches!(
        bench.read().await,
        Err(Error::Status { status: 400, .. })
    ));
    assert_eq!(bench.asked().len(), 3);
}

#[tokio::test]
async fn one_login_serves_all_until_its_time_is_up() {
    let bench = Bench::with_token_life(&[VM, VM, VM, VM], 300).await;
    let (one, two) = tokio::join!(bench.read(), bench.read());
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(bench.logins(), 1);
    bench.clock.advance(Duration::from_secs(239));
    bench.read().await.expect("a read");
    assert_eq!(bench.logins(), 1);
    bench.clock.advance(Duration::from_secs(1));
    bench.read().await.expect("a read");
    assert_eq!(bench.logins(), 2);
    assert_eq!(
        bench.client.tenant(&bench.cancel).await.expect("a tenant"),
        "t-1"
    );
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_even_for_a_write() {
    let bench = Bench::new(&[
        Body(401, ""),
        Started("act-1"),
        DONE,
        Body(401, ""),
        Body(401, "x"),
    ])
    .await;
    assert_eq!(bench.create().await.expect("a VM"), VmId::new("vm-1"));
    assert_eq!(bench.logins(), 2);
    assert!(matches!(
        bench.read().await,
        Err(Error::Status { status: 401, .. })
    ));
    assert_eq!(bench.logins(), 3);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_sent_once_and_names_its_handle() {
    for lost in [HangUp, Body(502, "<html>"), Body(500, "{}")] {
        let bench = Bench::new(&[lost, Started("act-1"), DONE]).await;
        let error = bench.create().await.expect_err("a lost answer");
        assert!(error.may_have_written() && !error.is_transient(), "{error}");
        let Error::AnswerLost { find_by, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(find_by, Handle::VmName("alpha-cp-1".into()));
        assert_eq!(bench.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_write_that_was_surely_not_carried_out_is_sent_again() {
    let bench = Bench::new(&[Busy("1"), Busy("60"), Started("act-1"), DONE]).await;
    bench.create().await.expect("a VM");
    assert_eq!(bench.asked().len(), 4);
    // The longest rest is five seconds, whatever the platform asks for.
    assert!(
        bench.clock.passed() < Duration::from_secs(9),
        "{:?}",
        bench.clock.passed()
    );
}

#[tokio::test]
async fn a_refused_write_says_so_and_may_not_have_written() {
    let bench = Bench::new(&[Body(
        400,
        r#"{"error":{"message":"Must be a MAC address"}}"#,
    )])
    .await;
    let error = bench.create().await.expect_err("a refusal");
    assert_eq!(
        error.to_string(),
        "POST /compute/v1/open_iaas/virtual_machines: the API answered HTTP 400: Must be a MAC address"
    );
    assert!(!error.may_have_written());
}

#[tokio::test]
async fn an_activity_may_be_invisible_at_first_and_its_reads_may_fail() {
    let mut script = vec![Started("act-1"), Body(404, ""), Body(404, ""), RUNNING];
    script.extend(vec![Body(503, ""); 8]);
    script.extend([RUNNING, HangUp, DONE]);
    let bench = Bench::new(&script).await;
    assert_eq!(bench.create().await.expect("a VM"), VmId::new("vm-1"));
    assert_eq!(bench.client.metrics().by_class["poll"], 14);
    assert_eq!(bench.client.metrics().without_polls(), 1);
}

#[tokio::test]
async fn nine_faults_in_a_row_or_a_vanished_activity_end_the_wait() {
    let mut script = vec![RUNNING];
    script.extend(vec![Body(503, ""); 9]);
    let wait = async |script: &[Say]| {
        let bench = Bench::new(script).await;
        let limit = Duration::from_mins(10);
        bench
            .client
            .wait(&ActivityId::new("act-1"), limit, &bench.cancel)
            .await
    };
    assert!(matches!(
        wait(&script).await,
        Err(Error::Status { status: 503, .. })
    ));
    let vanished = wait(&[RUNNING, Body(404, "")]).await;
    assert!(
        matches!(vanished, Err(Error::ActivityMissing { .. })),
        "{vanished:?}"
    );
    let never = wait(&vec![Body(404, ""); 40]).await;
    assert!(
        matches!(never, Err(Error::ActivityMissing { .. })),
        "{never:?}"
    );
    let denied = wait(&[Body(403, "")]).await;
    assert!(
        matches!(
            denied,
            Err(Error::Denied {
                right: "activity_read",
                ..
            })
        ),
        "{denied:?}"
    );
    let forever = wait(&vec![RUNNING; 400]).await;
    let Err(Error::ActivityTimeout { last, elapsed, .. }) = forever else {
        panic!("{forever:?}");
    };
    assert_eq!((last.as_str(), elapsed.as_secs()), ("running, 40 %", 600));
}

#[tokio::test]
async fn a_failed_activity_is_told_with_its_reason_and_meaning() {
    const FAILED: Say = Body(
        200,
        r#"{"id":"act-1","description":"Create VM","state":{"failed":{"reason":"Limited storage capacity"}}}"#,
    );
    let bench = Bench::new(&[Started("act-1"), FAILED]).await;
    let error = bench.create().await.expect_err("a failure");
    assert_eq!(
        error.to_string(),
        "activity act-1 (Create VM) failed: Limited storage capacity"
    );
    assert!(error.may_have_written());
    assert!(matches!(
        error,
        Error::ActivityFailed {
            failure: Failure::StorageFull,
            ..
        }
    ));
}

#[tokio::test]
async fn a_create_without_an_activity_or_a_result_is_an_error_that_may_have_written() {
    let bench = Bench::new(&[Body(201, "")]).await;
    let error = bench.create().await.expect_err("no activity");
    assert!(matches!(error, Error::NoActivity { status: 201, .. }) && error.may_have_written());
    let empty = Body(200, r#"{"state":{"completed":{"result":""}}}"#);
    let bench = Bench::new(&[Started("act-1"), empty]).await;
    let error = bench.create().await.expect_err("no result");
    assert!(matches!(error, Error::NoResult { .. }) && error.may_have_written());
}

#[tokio::test]
async fn deleting_what_is_gone_is_success_and_an_empty_patch_sends_nothing() {
    let bench = Bench::new(&[Body(404, "")]).await;
    let vm = VmId::new("vm-1");
    bench
        .client
        .delete_vm(&vm, &bench.cancel)
        .await
        .expect("success");
    let patch = VmPatch::default();
    bench
        .client
        .update_vm(&vm, &patch, &bench.cancel)
        .await
        .expect("nothing to do");
    assert_eq!(
        bench.asked(),
        ["DELETE /compute/v1/open_iaas/virtual_machines/vm-1"]
    );
}

#[tokio::test]
async fn absence_needs_a_complete_listing() {
    let zone = MachineManagerId::new("mm-1");
    let presence = async |listing: Say| {
        let bench = Bench::new(&[Body(404, ""), listing]).await;
        bench
            .client
            .vm_presence(&VmId::new("vm-1"), &zone, &bench.cancel)
            .await
    };
    assert!(matches!(
        presence(Body(200, r#"[{"id":"vm-2"}]"#)).await,
        Ok(None)
    ));
    for doubtful in [
        Body(206, "[]"),
        Body(200, r#"[{"id":"vm-1"}]"#),
        Body(200, r#"[{"name":"x"}]"#),
        Body(200, "null"),
        Body(403, ""),
    ] {
        assert!(presence(doubtful).await.is_err());
    }
}

#[tokio::test]
async fn a_lost_create_is_looked_up_by_name_and_mac() {
    const OURS: &str = r#"[{"id":"vm-1","name":"alpha-cp-1"},{"id":"vm-2","name":"other"}]"#;
    let look = async |answers: &[Say]| {
        let bench = Bench::new(answers).await;
        let zone = MachineManagerId::new("mm-1");
        let found = bench
            .client
            .look_up_vm(&zone, "alpha-cp-1", "02:00:5E:10:20:01", &bench.cancel)
            .await
            .expect("an answer");
        (found, bench.asked())
    };
    let (found, asked) = look(&[
        Body(200, OURS),
        Body(200, r#"[{"id":"na","macAddress":"02:00:5e:10:20:01"}]"#),
    ])
    .await;
    assert!(matches!(found, VmLookup::Ours(vm) if vm.id.as_str() == "vm-1"));
    assert_eq!(
        asked,
        [
            "GET /compute/v1/open_iaas/virtual_machines?machineManagerId=mm-1",
            "GET /compute/v1/open_iaas/network_adapters?virtualMachineId=vm-1",
        ]
    );
    let (found, _) = look(&[
        Body(200, OURS),
        Body(200, r#"[{"id":"na","macAddress":"02:00:5e:ff:ff:ff"}]"#),
    ])
    .await;
    assert!(matches!(found, VmLookup::Foreign(_)));
    let (found, _) = look(&[Body(200, OURS), Body(200, "[]")]).await;
    assert!(matches!(found, VmLookup::Bare(_)));
    let (found, _) = look(&[Body(200, "[]")]).await;
    assert_eq!(found, VmLookup::Absent);
    let twice = r#"[{"id":"a","name":"alpha-cp-1"},{"id":"b","name":"alpha-cp-1"}]"#;
    let (found, _) = look(&[Body(200, twice)]).await;
    assert_eq!(
        found,
        VmLookup::Several(vec![VmId::new("a"), VmId::new("b")])
    );
}

#[tokio::test]
async fn resources_of_one_plan_share_a_listing_until_a_write() {
    let all = Body(200, r#"[{"id":"vm-1"}]"#);
    let more = [all.clone(), all.clone()];
    let script = [&[all.clone(), Started("act-1"), DONE, all][..], &more].concat();
    let bench = Bench::new(&script).await;
    let zone = MachineManagerId::new("mm-1");
    let start = bench.clock.now();
    let within = Freshness::Within(Duration::from_secs(30));
    let list = async |freshness| {
        let listing = bench
            .client
            .virtual_machines(&zone, freshness, &bench.cancel)
            .await;
        listing.expect("a listing").items.len()
    };
    assert_eq!(list(within).await + list(within).await, 2);
    assert_eq!(bench.asked().len(), 1);
    bench.create().await.expect("a VM");
    // Whoever knows what the write did may do with what was asked before it.
    list(Freshness::Since(start)).await;
    assert_eq!(bench.asked().len(), 3);
    list(within).await;
    assert_eq!(bench.asked().len(), 4);
    list(Freshness::Now).await;
    assert_eq!(bench.asked().len(), 5);
    let later = bench.clock.now() + Duration::from_millis(1);
    list(Freshness::Since(later)).await;
    assert_eq!(bench.asked().len(), 6);
}

#[tokio::test]
async fn names_are_resolved_in_their_zone_and_a_wrong_one_lists_what_there_is() {
    let zones = Body(
        200,
        r#"[{"id":"mm-1","name":"az05"},{"id":"mm-2","name":"AZ06"}]"#,
    );
    let policies = r#"[{"id":"p1","name":"nobackup","machineManager":{"id":"mm-2"}},
        {"id":"p2","name":"nobackup","machineManager":{"id":"mm-1"}},
        {"id":"p3","name":"daily","machineManager":{"id":"mm-1"}}]"#;
    let templates = r#"[{"id":"t1","name":"talos-1.12"},{"id":"t2","name":"debian"}]"#;
    let bench = Bench::new(&[zones, Body(200, policies), Body(200, templates)]).await;
    let zone = bench
        .client
        .zone("AZ05", &bench.cancel)
        .await
        .expect("a zone");
    let policy = zone
        .policy("nobackup", &bench.cancel)
        .await
        .expect("a policy");
    assert_eq!(policy.id.as_str(), "p2");
    let error = zone
        .template("talos-1.13", &bench.cancel)
        .await
        .expect_err("missing");
    assert_eq!(
        error.to_string(),
        "no template named \"talos-1.13\" in zone az05; there are: \"debian\", \"talos-1.12\""
    );
    let error = bench
        .client
        .zone("AZ09", &bench.cancel)
        .await
        .err()
        .expect("missing");
    assert_eq!(
        error.to_string(),
        "no availability zone named \"AZ09\" in the tenant; there are: \"AZ06\", \"az05\""
    );
}

#[tokio::test]
async fn tags_are_read_written_and_removed() {
    let tags = Body(
        200,
        r#"[{"key":"managedk8s","value":"v","tenant":"t-1","resource":"vm-1"}]"#,
    );
    let bench = Bench::new(&[Body(200, "[]"), Body(201, ""), tags, Body(204, "")]).await;
    let (client, cancel, vm) = (&bench.client, &bench.cancel, VmId::new("vm-1"));
    assert!(client.tags(&vm, cancel).await.expect("tags").is_empty());
    client
        .create_tag(&vm, "managedk8s", "v", cancel)
        .await
        .expect("success");
    assert_eq!(
        client.tags(&vm, cancel).await.expect("tags")["managedk8s"],
        "v"
    );
    client
        .delete_tag(&vm, "managedk8s", cancel)
        .await
        .expect("success");
    assert_eq!(
        bench.asked()[1],
        r#"POST /tag/v1/tags {"key":"managedk8s","resources":[{"source":"iaas_opensource","type":"iaas_opensource_virtual_machine","uuid":"vm-1"}],"value":"v"}"#
    );
}

#[tokio::test]
async fn an_interrupt_ends_reads_and_waits_at_once() {
    let bench = Bench::new(&[VM, RUNNING]).await;
    bench.read().await.expect("a read");
    bench.cancel.cancel();
    assert!(matches!(bench.read().await, Err(Error::Cancelled)));
    let (id, limit) = (ActivityId::new("a"), Duration::from_secs(9));
    let wait = bench.client.wait(&id, limit, &bench.cancel).await;
    assert!(matches!(wait, Err(Error::Cancelled)));
    assert_eq!(bench.asked().len(), 1);
}

#[tokio::test]
async fn a_closed_port_is_unreachable_and_was_not_written() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound").to_string();
    drop(listener);
    let clock = ManualClock::leaping(SystemTime::UNIX_EPOCH);
    let endpoint = Endpoint::parse(&address, "http", true).expect("sound");
    let credentials = Credentials::new("client", SecretString::new("s3cr3t-of-the-test"));
    let settings = Settings::new(endpoint, credentials, "agent");
    let client = Client::new(settings, Arc::new(clock)).expect("a client");
    let cancel = CancellationToken::new();
    let error = client
        .delete_vm(&VmId::new("vm-1"), &cancel)
        .await
        .expect_err("closed");
    assert!(
        matches!(error, Error::Unreachable { attempts: 4, .. }),
        "{error}"
    );
    assert!(error.is_transient() && !error.may_have_written());
}
