use std::sync::Arc;

use jiff::SignedDuration;
use rustls::pki_types::UnixTime;
use rustls::server::WebPkiClientVerifier;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::*;

const CLUSTER: &str =
    "v1.a0a1a2a3a4a5a6a7a8a9aaabacadaeaf.Bm8s483agNjMxu5HiI+lACnrOOkeKppMs43AFb6VpjM=";

pub(crate) fn cluster_key() -> ClusterKey {
    ClusterKey::parse(CLUSTER).expect("a cluster key")
}

fn birth_time() -> Timestamp {
    "2026-11-21T10:00:00.5Z".parse().expect("a time")
}

pub(crate) fn pki() -> ClusterPki {
    ClusterPki::derive(&cluster_key(), birth_time()).expect("a PKI")
}

/// The PKI of another cluster.
pub(crate) fn other_pki() -> ClusterPki {
    let text = CLUSTER.replacen("Bm8s", "Bm8t", 1);
    let key = ClusterKey::parse(&text).expect("a key");
    ClusterPki::derive(&key, birth_time()).expect("a PKI")
}

fn minutes(count: i64) -> Validity {
    Validity::starting(birth_time(), SignedDuration::from_mins(count)).expect("in the calendar")
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What state stores depends on these bytes: they are part of derivation version 1.
#[test]
fn a_key_and_a_birth_give_these_certificates_for_ever() {
    let pki = pki();
    let cas = pki.ca_certificates();
    insta::assert_snapshot!(format!(
        "talos      {}\nkubernetes {}\naggregator {}\netcd       {}\nsa key     {}\ntrustd     {}\nbootstrap  {}\nsecretbox  {}\nsecret     {}\nid 1.13    {}\nid 1.14    {}\n",
        hash(cas.talos.as_bytes()),
        hash(cas.kubernetes.as_bytes()),
        hash(cas.aggregator.as_bytes()),
        hash(cas.etcd.as_bytes()),
        hash(pki.service_account.to_pem().expose_secret().as_bytes()),
        hash(pki.secrets.trustd_token.expose_secret().as_bytes()),
        hash(pki.secrets.bootstrap_token.expose_secret().as_bytes()),
        hash(pki.secrets.secretbox_key.expose_secret().as_bytes()),
        hash(pki.secrets.cluster_secret.expose_secret().as_bytes()),
        pki.secrets.cluster_id(Contract::V1_13),
        pki.secrets.cluster_id(Contract::V1_14),
    ));
}

#[test]
fn stored_certificates_are_kept_and_only_keys_are_derived() {
    let cas = pki().ca_certificates();
    let again = ClusterPki::from_stored_cas(&cluster_key(), &cas).expect("same key");
    assert_eq!(again.ca_certificates(), cas);
    assert!(
        again.talos.key().to_pem().expose_secret() == pki().talos.key().to_pem().expose_secret()
    );
}

#[test]
fn certificates_of_another_key_are_refused_by_name() {
    let mut cas = pki().ca_certificates();
    let other_birth = cluster_key()
        .to_text()
        .expose_secret()
        .replacen("Bm8s", "Bm8t", 1);
    let other = ClusterKey::parse(&other_birth).expect("a key");
    let refusal = ClusterPki::from_stored_cas(&other, &cas).err();
    assert!(matches!(
        refusal,
        Some(PkiError::OtherKey { which: "talos" })
    ));
    cas.etcd.clone_from(&cas.kubernetes);
    let refusal = ClusterPki::from_stored_cas(&cluster_key(), &cas).err();
    assert!(matches!(
        refusal,
        Some(PkiError::OtherKey { which: "etcd" })
    ));
    cas.etcd = "nothing".to_owned();
    let refusal = ClusterPki::from_stored_cas(&cluster_key(), &cas).err();
    assert!(matches!(
        refusal,
        Some(PkiError::Unreadable { which: "etcd", .. })
    ));
}

#[test]
fn authorities_have_the_profile_of_talos() {
    let pki = pki();
    for (authority, subject) in [
        (&pki.talos, "O=talos"),
        (&pki.kubernetes, "O=kubernetes"),
        (&pki.aggregator, ""),
        (&pki.etcd, "O=etcd"),
    ] {
        let der = authority.certificate().as_der();
        let (rest, certificate) = X509Certificate::from_der(der).expect("a certificate");
        assert!(rest.is_empty());
        assert_eq!(certificate.subject().to_string(), subject);
        assert_eq!(
            certificate.issuer().as_raw(),
            certificate.subject().as_raw()
        );
        assert_eq!(certificate.version(), x509_parser::x509::X509Version::V3);
        assert_eq!(
            certificate.validity().not_before.timestamp(),
            birth_time().as_second() - 3600
        );
        let lifetime = certificate.validity().not_after.timestamp()
            - certificate.validity().not_before.timestamp();
        assert_eq!(lifetime, 87_600 * 3600);
        let usage = certificate.key_usage().expect("readable").expect("present");
        assert!(
            usage.critical && usage.value.flags == 0x21,
            "{}",
            usage.value.flags
        );
        let extended = certificate
            .extended_key_usage()
            .expect("readable")
            .expect("present");
        assert!(!extended.critical && extended.value.server_auth && extended.value.client_auth);
        let basic = certificate
            .basic_constraints()
            .expect("readable")
            .expect("present");
        assert!(basic.critical && basic.value.ca && basic.value.path_len_constraint.is_none());
    }
}

#[test]
fn client_certificates_verify_and_carry_exactly_what_was_asked() {
    let pki = pki();
    let talos = pki
        .talos_client(TalosRole::Reader, minutes(10))
        .expect("minted");
    let groups = ["system:masters".to_owned(), "équipe".to_owned()];
    let kubernetes = pki
        .kubernetes_client("admin", &groups, minutes(10))
        .expect("minted");
    assert_subject(&talos, "O=os:reader");
    assert_subject(&kubernetes, "O=system:masters, O=équipe, CN=admin");
    verify(&pki.talos, &talos).expect("issued by the Talos CA");
    verify(&pki.kubernetes, &kubernetes).expect("issued by the Kubernetes CA");
    verify(&pki.etcd, &kubernetes).expect_err("not issued by etcd's CA");
    let front_proxy = pki
        .aggregator
        .issue(
            &Subject {
                organisations: Vec::new(),
                common_name: Some("front-proxy-client"),
            },
            minutes(10),
        )
        .expect("minted");
    verify(&pki.aggregator, &front_proxy).expect("an empty issuer name is a name");
}

fn assert_subject(credential: &ClientCredential, subject: &str) {
    let (_, certificate) =
        X509Certificate::from_der(credential.certificate.as_der()).expect("a certificate");
    assert_eq!(certificate.subject().to_string(), subject);
    let extended = certificate
        .extended_key_usage()
        .expect("readable")
        .expect("present");
    assert!(extended.value.client_auth && !extended.value.server_auth);
    assert!(certificate.basic_constraints().expect("readable").is_none());
    assert_eq!(
        certificate.public_key().raw,
        credential.key.public_key_info()
    );
}

fn verify(authority: &Authority, credential: &ClientCredential) -> Result<(), rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(authority.certificate().to_rustls())
        .expect("a trust anchor");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .expect("a verifier");
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        birth_time().as_second() as u64
    ));
    verifier.verify_client_cert(&credential.certificate.to_rustls(), &[], now)?;
    // The key is one that the TLS library can use, and it is the certificate's.
    let key = provider
        .key_provider
        .load_private_key(credential.key.to_rustls())
        .expect("a key of TLS");
    let certified = rustls::sign::CertifiedKey::new(vec![credential.certificate.to_rustls()], key);
    certified.keys_match()?;
    Ok(())
}

#[test]
fn pem_has_the_labels_and_bodies_that_talos_reads() {
    let pki = pki();
    let ed25519 = pki.talos.key().to_pem();
    assert!(
        ed25519
            .expose_secret()
            .starts_with("-----BEGIN ED25519 PRIVATE KEY-----\n")
    );
    // 48 bytes: version 1, without the public key that makes old readers stumble.
    assert!(ed25519.expose_secret().lines().nth(1).map(str::len) == Some(64));
    assert!(ed25519.expose_secret().lines().count() == 3);
    let p256 = pki.kubernetes.key().to_pem();
    assert!(
        p256.expose_secret()
            .starts_with("-----BEGIN EC PRIVATE KEY-----\n")
    );
    assert!(
        p256.expose_secret()
            .ends_with("-----END EC PRIVATE KEY-----\n")
    );
}

#[test]
fn pem_enters_the_scrub_registry() {
    let pem = pki().talos.key().to_pem();
    let body = pem.expose_secret();
    assert!(!secret::scrub(&format!("key: {body}")).contains("MC4CAQ"));
}

#[test]
fn tokens_have_the_shape_of_kubernetes() {
    let secrets = pki().secrets;
    for token in [&secrets.trustd_token, &secrets.bootstrap_token] {
        let (id, rest) = token.expose_secret().split_once('.').expect("a dot");
        assert!(id.len() == 6 && rest.len() == 16);
    }
    assert!(secrets.trustd_token.expose_secret() != secrets.bootstrap_token.expose_secret());
}
