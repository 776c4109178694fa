//! A cluster's secrets and its machine configurations.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::pkcs8::DecodePrivateKey as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sandbox::Addresses;

use super::channel::{Channel, channel};

/// A certificate authority of a test cluster.
pub struct Authority {
    pub pem: String,
    pub key_pem: String,
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    pub fn new(ed25519: bool) -> Self {
        let key = if ed25519 {
            KeyPair::generate_for(&rcgen::PKCS_ED25519)
        } else {
            KeyPair::generate()
        }
        .expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "talos");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let key_pem = if ed25519 {
            // The short form of the key, under the label that Talos writes.
            let der = key.serialize_der();
            let seed_at = der
                .windows(2)
                .position(|pair| pair == [4, 32])
                .expect("a seed")
                + 2;
            let mut short = vec![
                0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
                0x04, 0x20,
            ];
            short.extend_from_slice(&der[seed_at..seed_at + 32]);
            format!(
                "-----BEGIN ED25519 PRIVATE KEY-----\n{}\n-----END ED25519 PRIVATE KEY-----\n",
                STANDARD.encode(short)
            )
        } else {
            // SEC1, as machine configurations carry it.
            p256::SecretKey::from_pkcs8_der(&key.serialize_der())
                .expect("a key on P-256")
                .to_sec1_pem(p256::pkcs8::LineEnding::LF)
                .expect("PEM")
                .to_string()
        };
        Self {
            pem,
            key_pem,
            params,
            key,
        }
    }

    /// A client certificate of these organisations and purposes.
    pub fn client(
        &self,
        organisation: &str,
        usages: &[ExtendedKeyUsagePurpose],
    ) -> (CertificateDer<'static>, KeyPair) {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, organisation);
        // Kubernetes takes the user from it; Talos does not look.
        params.distinguished_name.push(DnType::CommonName, "admin");
        params.extended_key_usages = usages.to_vec();
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let issuer = Issuer::from_params(&self.params, &self.key);
        (
            params
                .signed_by(&key, &issuer)
                .expect("a certificate")
                .der()
                .clone(),
            key,
        )
    }
}

/// The secrets of a test cluster, and its configurations.
pub struct Cluster {
    pub os: Authority,
    pub kubernetes: Authority,
    pub etcd: Authority,
    pub aggregator: Authority,
}

impl Cluster {
    pub fn new() -> Self {
        Self {
            os: Authority::new(true),
            kubernetes: Authority::new(false),
            etcd: Authority::new(false),
            aggregator: Authority::new(false),
        }
    }

    pub fn control_plane(&self, hostname: &str, address: &str, mac: &str) -> String {
        let pair = |authority: &Authority| {
            format!(
                "{{ crt: {}, key: {} }}",
                STANDARD.encode(&authority.pem),
                STANDARD.encode(&authority.key_pem)
            )
        };
        format!(
            "version: v1alpha1\ndebug: false\npersist: true\nmachine:\n    type: controlplane\n    token: abcdef.0123456789abcdef\n    \
             ca: {}\n    kubelet:\n        image: ghcr.io/siderolabs/kubelet:v1.36.3\n    nodeLabels:\n        example.org/pool: control\ncluster:\n    \
             id: aWQ=\n    secret: c2VjcmV0\n    controlPlane:\n        endpoint: https://10.20.0.20:6443\n    clusterName: alpha\n    \
             network:\n        cni:\n            name: none\n        dnsDomain: cluster.local\n        podSubnets: [10.244.0.0/16]\n        \
             serviceSubnets: [10.96.0.0/12]\n    token: ghijkl.0123456789abcdef\n    ca: {}\n    aggregatorCA: {}\n    serviceAccount:\n        key: {}\n    \
             apiServer:\n        image: registry.k8s.io/kube-apiserver:v1.36.3\n    proxy:\n        disabled: true\n    etcd:\n        ca: {}\n{}",
            pair(&self.os),
            pair(&self.kubernetes),
            pair(&self.aggregator),
            STANDARD.encode(&self.kubernetes.key_pem),
            pair(&self.etcd),
            documents(hostname, address, mac)
        ) + "---\napiVersion: v1alpha1\nkind: Layer2VIPConfig\nname: 10.20.0.20\nlink: net0\n"
    }

    pub fn worker(&self, hostname: &str, address: &str, mac: &str) -> String {
        let public = |authority: &Authority| {
            format!("{{ crt: {}, key: \"\" }}", STANDARD.encode(&authority.pem))
        };
        format!(
            "version: v1alpha1\nmachine:\n    type: worker\n    token: abcdef.0123456789abcdef\n    ca: {}\n    kubelet:\n        \
             image: ghcr.io/siderolabs/kubelet:v1.36.3\ncluster:\n    id: aWQ=\n    secret: c2VjcmV0\n    controlPlane:\n        \
             endpoint: https://10.20.0.20:6443\n    clusterName: alpha\n    token: ghijkl.0123456789abcdef\n    ca: {}\n{}",
            public(&self.os),
            public(&self.kubernetes),
            documents(hostname, address, mac)
        )
    }

    /// A channel to the machine API of a private address, with a client certificate of this role.
    pub async fn connect(
        &self,
        addresses: &Addresses,
        target: &str,
        role: &str,
    ) -> Result<Channel, String> {
        self.connect_with(
            addresses,
            target,
            role,
            &[ExtendedKeyUsagePurpose::ClientAuth],
        )
        .await
    }

    pub async fn connect_with(
        &self,
        addresses: &Addresses,
        target: &str,
        role: &str,
        usages: &[ExtendedKeyUsagePurpose],
    ) -> Result<Channel, String> {
        let (certificate, key) = self.os.client(role, usages);
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.os.pem.as_bytes()).expect("a certificate"))
            .expect("a root");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], key)
            .expect("a client configuration");
        channel(addresses, target, config).await
    }

    /// Tries until the machine API answers.
    pub async fn reach(&self, addresses: &Addresses, target: &str) -> Channel {
        let start = Instant::now();
        loop {
            match self.connect(addresses, target, "os:admin").await {
                Ok(channel) => return channel,
                Err(error) => assert!(
                    start.elapsed() < Duration::from_secs(10),
                    "{target}: {error}"
                ),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn documents(hostname: &str, address: &str, mac: &str) -> String {
    format!(
        "---\napiVersion: v1alpha1\nkind: HostnameConfig\nauto: \"off\"\nhostname: {hostname}\n---\napiVersion: v1alpha1\n\
         kind: LinkAliasConfig\nname: net0\nselector:\n    match: mac(link.permanent_addr) == \"{mac}\"\n---\napiVersion: v1alpha1\n\
         kind: LinkConfig\nname: net0\nup: true\naddresses:\n    - address: {address}/22\nroutes:\n    - gateway: 10.20.3.254\n"
    )
}
