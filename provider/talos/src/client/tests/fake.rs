//! A node that plays just what the client asks, behind a TLS door of choice.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use prost::Message;
use proto_talos::common::{Data, Metadata as ReplyMetadata};
use proto_talos::cosi::resource::{
    self as cosi, GetRequest, GetResponse, ListRequest, ListResponse,
};
use proto_talos::machine::{self as wire, image_service_pull_response as pull};
use proto_talos::resource::config::MachineConfigSpec;
use proto_talos::storage::{self, Disk, Disks, DisksResponse};
use proto_talos::talos::resource::definitions::extensions::{Layer, Metadata};
use proto_talos::talos::resource::definitions::network::LinkStatusSpec;
use proto_talos::talos::resource::definitions::runtime::{
    DiagnosticSpec, MachineStatusSpec, MachineStatusStatus, UnmetCondition, VersionSpec,
};
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, Issuer, KeyPair, SanType};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_stream::Stream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService};
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};
use transport::crypto_provider;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::pki::ClusterPki;
use crate::pki::tests::pki;

/// What the node does when it is asked.
#[derive(Clone)]
pub struct Plan {
    pub maintenance: bool,
    pub ready: bool,
    pub etcd: bool,
    pub bootstrap: Option<Code>,
    pub refuse_config: bool,
    pub config: Vec<u8>,
    pub boot: u32,
    pub lifecycle: bool,
    pub exit_code: Option<i32>,
    pub damage_snapshot: bool,
    pub inner_error: bool,
    pub hang: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            maintenance: false,
            ready: false,
            etcd: true,
            bootstrap: None,
            refuse_config: false,
            config: b"version: v1alpha1\n".to_vec(),
            boot: 1,
            lifecycle: true,
            exit_code: Some(0),
            damage_snapshot: false,
            inner_error: false,
            hang: false,
        }
    }
}

impl Plan {
    pub fn maintenance() -> Self {
        Self {
            maintenance: true,
            ..Self::default()
        }
    }
}

/// What the node was told.
#[derive(Clone, Default)]
pub struct Seen {
    pub calls: Vec<String>,
    pub connections: usize,
    pub mode: Option<i32>,
    pub dry_run: bool,
    pub removed: Option<u64>,
    pub wiped: Vec<String>,
    pub role: String,
    pub serial: String,
}

struct Inner {
    plan: Plan,
    seen: Seen,
}

/// Who issued the node's certificate, and whose clients it lets in.
pub struct Door {
    issuer: Option<ClusterPki>,
    clients: Option<ClusterPki>,
}

impl Door {
    pub fn ours() -> Self {
        Self::of(&pki(), &pki())
    }

    pub fn of(issuer: &ClusterPki, clients: &ClusterPki) -> Self {
        Self {
            issuer: Some(issuer.clone()),
            clients: Some(clients.clone()),
        }
    }

    pub fn maintenance() -> Self {
        Self {
            issuer: None,
            clients: None,
        }
    }

    fn tls(&self, address: IpAddr) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.subject_alt_names = vec![SanType::IpAddress(address)];
        let certificate = match &self.issuer {
            None => params.self_signed(&key),
            Some(pki) => {
                let authority = KeyPair::try_from(&pki.talos.key().to_rustls()).expect("a key");
                let mut name = DistinguishedName::new();
                let organisation = "talos".try_into().expect("printable");
                name.push(
                    DnType::OrganizationName,
                    DnValue::PrintableString(organisation),
                );
                let mut of_authority = CertificateParams::default();
                of_authority.distinguished_name = name;
                let issuer = Issuer::new(of_authority, authority);
                params.signed_by(&key, &issuer)
            }
        }
        .expect("a certificate");
        let builder = ServerConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(pki) => {
                let mut roots = RootCertStore::empty();
                roots
                    .add(pki.talos.certificate().to_rustls())
                    .expect("a root");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto_provider())
                        .build()
                        .expect("a verifier");
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut tls = builder
            .with_single_cert(
                vec![certificate.der().clone()],
                key.serialize_der().try_into().expect("PKCS#8"),
            )
            .expect("a pair");
        tls.alpn_protocols = vec![b"h2".to_vec()];
        tls
    }
}

#[derive(Clone)]
struct Service(Arc<Mutex<Inner>>);

pub struct FakeNode {
    pub address: IpAddr,
    service: Service,
    server: tokio::task::JoinHandle<()>,
}

impl FakeNode {
    pub async fn start(address: IpAddr, plan: Plan, door: Door) -> Self {
        let service = Service(Arc::new(Mutex::new(Inner {
            plan,
            seen: Seen::default(),
        })));
        let listener = TcpListener::bind((address, 50_000)).await.expect("a port");
        let acceptor = TlsAcceptor::from(Arc::new(door.tls(address)));
        let server = tokio::spawn(serve(listener, acceptor, service.clone()));
        Self {
            address,
            service,
            server,
        }
    }

    /// Ends the listener and every connection.
    pub async fn stop(&self) {
        self.server.abort();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    pub fn plan(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.service.lock().plan);
    }

    pub fn seen<T>(&self, read: impl FnOnce(&Seen) -> T) -> T {
        read(&self.service.lock().seen)
    }

    pub fn calls(&self) -> Vec<String> {
        self.seen(|seen| seen.calls.clone())
    }

    pub fn connections(&self) -> usize {
        self.seen(|seen| seen.connections)
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, service: Service) {
    let routes = Routes::new(Machine(service.clone()))
        .add_service(State(service.clone()))
        .add_service(Storage(service.clone()))
        .add_service(Image(service.clone()))
        .add_service(Lifecycle(service.clone()));
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, service, routes) = (acceptor.clone(), service.clone(), routes.clone());
        connections.spawn(async move {
            let Ok(session) = acceptor.accept(stream).await else {
                return;
            };
            service.connected(session.get_ref().1.peer_certificates());
            // An aborted connection ends with an error, which is what the tests look at from the
            // other side.
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(session), TowerToHyperService::new(routes))
                .await;
        });
    }
}

type Items = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Status>> + Send>>;
type Messages = Result<Vec<Vec<u8>>, Status>;

/// Messages as bytes: which they are is decided by the path.
#[derive(Clone, Copy, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining()).to_vec()))
    }
}

/// One gRPC service by name; all of them answer through [`Service::answer`].
macro_rules! service {
    ($name:ident, $full:literal) => {
        #[derive(Clone)]
        struct $name(Service);

        impl NamedService for $name {
            const NAME: &'static str = $full;
        }

        impl tower::Service<http::Request<tonic::body::Body>> for $name {
            type Response = http::Response<tonic::body::Body>;
            type Error = Infallible;
            type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
                let service = self.0.clone();
                let path = request.uri().path().to_owned();
                let handler = tower::service_fn(move |request: Request<Vec<u8>>| {
                    let (service, path) = (service.clone(), path.clone());
                    async move {
                        let messages = service.answer(&path, &request.into_inner()).await?;
                        let items = tokio_stream::iter(messages.into_iter().map(Ok));
                        Ok::<_, Status>(Response::new(Box::pin(items) as Items))
                    }
                });
                Box::pin(
                    async move { Ok(Grpc::new(Bytes).server_streaming(handler, request).await) },
                )
            }
        }
    };
}

service!(Machine, "machine.MachineService");
service!(Image, "machine.ImageService");
service!(Lifecycle, "machine.LifecycleService");
service!(Storage, "storage.StorageService");
service!(State, "cosi.resource.State");

fn one(message: &impl Message) -> Messages {
    Ok(vec![message.encode_to_vec()])
}

fn many<T: Message>(messages: &[T]) -> Messages {
    Ok(messages.iter().map(Message::encode_to_vec).collect())
}

fn read<T: Message + Default>(bytes: &[u8]) -> T {
    T::decode(bytes).expect("a message of this call")
}

const MEMBER: u64 = 0xfeed_0000_0000_0001;

impl Service {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("no panic")
    }

    fn connected(&self, certificates: Option<&[rustls_pki_types::CertificateDer<'_>]>) {
        let seen = &mut self.lock().seen;
        seen.connections += 1;
        if let Some([own, ..]) = certificates {
            let (_, certificate) = X509Certificate::from_der(own).expect("a certificate");
            seen.role = certificate.subject().to_string();
            seen.serial = certificate.raw_serial_as_string();
        }
    }

    async fn answer(&self, path: &str, body: &[u8]) -> Messages {
        let call = path.trim_start_matches('/');
        let plan = self.lock().plan.clone();
        match call {
            "cosi.resource.State/Get" => return self.get(&plan, &read(body)),
            "cosi.resource.State/List" => return self.list(&read(body)),
            _ => {}
        }
        let (service, name) = call.split_once('/').expect("a path of gRPC");
        self.lock().seen.calls.push(name.to_owned());
        if name.starts_with("Etcd") && !plan.etcd {
            return Err(Status::unavailable("etcd does not run"));
        }
        match (service, name) {
            ("machine.MachineService", "Version") => version(&plan).await,
            ("machine.MachineService", "ServiceList") => services(),
            ("machine.MachineService", "Read") => boot_id(&plan, &read(body)),
            ("machine.MachineService", "ApplyConfiguration") => self.apply(&plan, read(body)),
            ("machine.MachineService", "Bootstrap") => match plan.bootstrap {
                Some(code) => Err(Status::new(code, "no")),
                None => one(&wire::BootstrapResponse {
                    messages: vec![wire::Bootstrap::default()],
                }),
            },
            ("machine.MachineService", "Reboot") => {
                self.lock().plan.boot += 1;
                one(&wire::RebootResponse {
                    messages: vec![wire::Reboot::default()],
                })
            }
            ("machine.MachineService", "Shutdown") => one(&wire::ShutdownResponse {
                messages: vec![wire::Shutdown::default()],
            }),
            ("machine.MachineService", "Reset") => {
                let partitions = read::<wire::ResetRequest>(body).system_partitions_to_wipe;
                self.lock().seen.wiped = partitions.into_iter().map(|spec| spec.label).collect();
                one(&wire::ResetResponse {
                    messages: vec![wire::Reset::default()],
                })
            }
            ("machine.MachineService", "Upgrade") => one(&wire::UpgradeResponse {
                messages: vec![wire::Upgrade::default()],
            }),
            ("machine.MachineService", "EtcdRemoveMemberByID") => {
                let request = read::<wire::EtcdRemoveMemberByIdRequest>(body);
                self.lock().seen.removed = Some(request.member_id);
                one(&wire::EtcdRemoveMemberByIdResponse {
                    messages: vec![wire::EtcdRemoveMemberById::default()],
                })
            }
            ("machine.MachineService", _) => etcd(name, &plan),
            ("machine.ImageService", "Pull") if plan.lifecycle => pulled(),
            ("machine.LifecycleService", "Upgrade") => installed(&plan),
            ("storage.StorageService", "Disks") => disks(),
            _ => Err(Status::unimplemented("unknown call")),
        }
    }

    fn apply(&self, plan: &Plan, request: wire::ApplyConfigurationRequest) -> Messages {
        if plan.refuse_config {
            return Err(Status::invalid_argument("configuration validation failed"));
        }
        let mut inner = self.lock();
        inner.seen.mode = Some(request.mode);
        inner.seen.dry_run = request.dry_run;
        if !request.dry_run {
            inner.plan.config = request.data;
        }
        one(&wire::ApplyConfigurationResponse {
            messages: vec![wire::ApplyConfiguration {
                warnings: vec!["use a document".to_owned()],
                mode: 2,
                ..wire::ApplyConfiguration::default()
            }],
        })
    }

    fn get(&self, plan: &Plan, request: &GetRequest) -> Messages {
        let kind = short(&request.r#type);
        self.lock().seen.calls.push(format!("Get {kind}"));
        let id = request.id.as_str();
        let found = match (kind, id) {
            ("MachineStatuses", "machine") => resource(id, &machine_status(plan)),
            ("MachineConfigs", "v1alpha1") => resource(
                id,
                &MachineConfigSpec {
                    yaml_marshalled: plan.config.clone(),
                },
            ),
            ("Versions", "version") => resource(
                id,
                &VersionSpec {
                    version: "v1.13.9".to_owned(),
                    ..VersionSpec::default()
                },
            ),
            _ => return Err(Status::not_found("no such resource")),
        };
        one(&GetResponse {
            resource: Some(found),
        })
    }

    fn list(&self, request: &ListRequest) -> Messages {
        let kind = short(&request.r#type);
        self.lock().seen.calls.push(format!("List {kind}"));
        let found = match kind {
            "ExtensionStatuses" => vec![
                extension("xen-guest-agent", "1"),
                extension("schematic", "5ch3"),
                extension("iscsi-tools", "2"),
            ],
            "Diagnostics" => vec![resource(
                "address-overlap",
                &DiagnosticSpec {
                    message: "address-overlap".to_owned(),
                    ..DiagnosticSpec::default()
                },
            )],
            "LinkStatuses" => vec![resource(
                "eth0",
                &LinkStatusSpec {
                    hardware_addr: vec![2, 0, 0, 0xaa, 0xbb, 1],
                    ..LinkStatusSpec::default()
                },
            )],
            _ => Vec::new(),
        };
        let list: Vec<ListResponse> = found
            .into_iter()
            .map(|resource| ListResponse {
                resource: Some(resource),
            })
            .collect();
        many(&list)
    }
}

async fn version(plan: &Plan) -> Messages {
    if plan.hang {
        tokio::time::sleep(Duration::from_hours(1)).await;
    }
    let metadata = plan.inner_error.then(|| ReplyMetadata {
        error: "the other node is down".to_owned(),
        ..ReplyMetadata::default()
    });
    one(&wire::VersionResponse {
        messages: vec![wire::Version {
            metadata,
            version: Some(wire::VersionInfo {
                tag: "v1.13.9".to_owned(),
                ..wire::VersionInfo::default()
            }),
            ..wire::Version::default()
        }],
    })
}

fn services() -> Messages {
    let service = |id: &str, healthy| wire::ServiceInfo {
        id: id.to_owned(),
        state: "Running".to_owned(),
        health: Some(wire::ServiceHealth {
            healthy,
            ..wire::ServiceHealth::default()
        }),
        ..wire::ServiceInfo::default()
    };
    one(&wire::ServiceListResponse {
        messages: vec![wire::ServiceList {
            services: vec![service("etcd", true), service("kubelet", false)],
            ..wire::ServiceList::default()
        }],
    })
}

fn data(bytes: &[u8]) -> Data {
    Data {
        bytes: bytes.to_vec(),
        ..Data::default()
    }
}

fn boot_id(plan: &Plan, request: &wire::ReadRequest) -> Messages {
    assert_eq!(request.path, "/proc/sys/kernel/random/boot_id");
    let rest = format!("{}\n", plan.boot);
    many(&[data(b"boot-"), data(rest.as_bytes())])
}

fn etcd(name: &str, plan: &Plan) -> Messages {
    match name {
        "EtcdMemberList" => one(&wire::EtcdMemberListResponse {
            messages: vec![wire::EtcdMembers {
                members: vec![wire::EtcdMember {
                    id: MEMBER,
                    hostname: "alpha-cp-01".to_owned(),
                    ..wire::EtcdMember::default()
                }],
                ..wire::EtcdMembers::default()
            }],
        }),
        "EtcdStatus" => one(&wire::EtcdStatusResponse {
            messages: vec![wire::EtcdStatus {
                member_status: Some(wire::EtcdMemberStatus {
                    member_id: MEMBER,
                    leader: MEMBER,
                    ..wire::EtcdMemberStatus::default()
                }),
                ..wire::EtcdStatus::default()
            }],
        }),
        "EtcdAlarmList" => {
            let alarm = |alarm| wire::EtcdMemberAlarm {
                member_id: MEMBER,
                alarm,
            };
            one(&wire::EtcdAlarmListResponse {
                messages: vec![wire::EtcdAlarm {
                    member_alarms: vec![alarm(0), alarm(1)],
                    ..wire::EtcdAlarm::default()
                }],
            })
        }
        "EtcdLeaveCluster" => one(&wire::EtcdLeaveClusterResponse {
            messages: vec![wire::EtcdLeaveCluster::default()],
        }),
        "EtcdForfeitLeadership" => one(&wire::EtcdForfeitLeadershipResponse {
            messages: vec![wire::EtcdForfeitLeadership {
                member: "alpha-cp-02".to_owned(),
                ..wire::EtcdForfeitLeadership::default()
            }],
        }),
        "EtcdSnapshot" => {
            let mut bytes = vec![7_u8; 512];
            let sum = Sha256::digest(&bytes);
            bytes.extend_from_slice(&sum);
            bytes[0] ^= u8::from(plan.damage_snapshot);
            many(&bytes.chunks(100).map(data).collect::<Vec<_>>())
        }
        _ => Err(Status::unimplemented("unknown call")),
    }
}

fn pulled() -> Messages {
    let progress = wire::ImageServicePullProgress {
        layer_id: "layer".to_owned(),
        progress: Some(wire::ImageServicePullLayerProgress {
            offset: 5,
            total: 10,
            ..wire::ImageServicePullLayerProgress::default()
        }),
    };
    let item = |response| wire::ImageServicePullResponse {
        response: Some(response),
    };
    many(&[
        item(pull::Response::PullProgress(progress)),
        item(pull::Response::Name("name".to_owned())),
    ])
}

fn installed(plan: &Plan) -> Messages {
    use wire::lifecycle_service_install_progress::Response as Installed;
    let item = |response| wire::LifecycleServiceUpgradeResponse {
        progress: Some(wire::LifecycleServiceInstallProgress {
            response: Some(response),
        }),
    };
    let mut list = vec![item(Installed::Message("writing\n".to_owned()))];
    list.extend(plan.exit_code.map(|code| item(Installed::ExitCode(code))));
    many(&list)
}

fn disks() -> Messages {
    let disk = |name: &str, kind: storage::disk::DiskType, system_disk| Disk {
        device_name: name.to_owned(),
        r#type: kind.into(),
        system_disk,
        ..Disk::default()
    };
    one(&DisksResponse {
        messages: vec![Disks {
            disks: vec![
                disk("/dev/xvda", storage::disk::DiskType::Hdd, true),
                disk("/dev/sr0", storage::disk::DiskType::Cd, false),
            ],
            ..Disks::default()
        }],
    })
}

fn machine_status(plan: &Plan) -> MachineStatusSpec {
    let unmet = UnmetCondition {
        name: "nodeReady".to_owned(),
        reason: "no CNI".to_owned(),
    };
    MachineStatusSpec {
        stage: if plan.maintenance { 3 } else { 4 },
        status: Some(MachineStatusStatus {
            ready: plan.ready,
            unmet_conditions: if plan.ready { Vec::new() } else { vec![unmet] },
        }),
    }
}

fn resource(id: &str, spec: &impl Message) -> cosi::Resource {
    cosi::Resource {
        metadata: Some(cosi::Metadata {
            id: id.to_owned(),
            version: "1".to_owned(),
            ..cosi::Metadata::default()
        }),
        spec: Some(cosi::Spec {
            proto_spec: spec.encode_to_vec(),
            ..cosi::Spec::default()
        }),
    }
}

fn extension(name: &str, version: &str) -> cosi::Resource {
    let layer = Layer {
        metadata: Some(Metadata {
            name: name.to_owned(),
            version: version.to_owned(),
            ..Metadata::default()
        }),
        ..Layer::default()
    };
    resource(name, &layer)
}

fn short(kind: &str) -> &str {
    kind.split('.').next().unwrap_or(kind)
}
