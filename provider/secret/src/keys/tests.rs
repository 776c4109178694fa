//! The literals were computed by another program, from RFC 5869 with an HMAC library.

use super::*;

const ROOT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const CLUSTER: &str =
    "v1.a0a1a2a3a4a5a6a7a8a9aaabacadaeaf.Bm8s483agNjMxu5HiI+lACnrOOkeKppMs43AFb6VpjM=";
const IDENTITY: Identity<'static> = Identity {
    tenant: "0a000000-0000-4000-8000-000000000071",
    identifier: "alpha",
};

fn cluster_key() -> ClusterKey {
    let birth = Birth::parse("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf").expect("a birth");
    parse(ROOT).cluster_key(birth, &IDENTITY)
}

fn parse(text: &str) -> RootKey {
    match RootKey::parse(text) {
        Ok(key) => key,
        Err(error) => panic!("{error}"),
    }
}

fn refusal(text: &str) -> KeyError {
    RootKey::parse(text).err().expect("not a key")
}

fn cluster_refusal(text: &str) -> KeyError {
    ClusterKey::parse(text).err().expect("not a cluster key")
}

#[test]
fn version_one_gives_these_bytes_for_ever() {
    let key = cluster_key();
    assert_eq!(key.to_text().expose_secret(), CLUSTER);
    assert_eq!(
        hex::encode(key.ed25519_seed("talos/ca").expose_secret()),
        "f96dffd00210a860b992cf4a68bbdfe2c927de9102dec859353066a4804f61e9"
    );
    assert_eq!(
        hex::encode(key.derive::<50>("fifty").expose_secret()),
        "41f759b1d093c42aeaddbf9796f5bb9da37437d9a599e1bb91ef2a5c79df6ed7f0c8627dab33c13bea56cd91\
         5edef14089b4"
    );
    assert_eq!(
        hex::encode(key.p256_scalar("kubernetes/ca").expose_secret()),
        "61bf0ad4a313a098ff61a68ecba11f31d8029fb4c6b081b52480a0e263693fcb"
    );
    assert_eq!(
        key.text("token", b"abcdefghijklmnopqrstuvwxyz0123456789", 70)
            .expose_secret(),
        "719c4kqggd4kj2f9ea0a55bu7scerh8vhqf59xmglqmdwp1j4r905n4d8qukhwfanns8ch"
    );
}

#[test]
fn fingerprints_are_pinned_and_do_not_depend_on_the_way_to_the_key() {
    assert_eq!(parse(ROOT).fingerprint(), "e5f097cc0ebe693f");
    assert_eq!(cluster_key().fingerprint(), "7148f3286572d58e");
    let read = ClusterKey::parse(CLUSTER).expect("a cluster key");
    assert_eq!(read.fingerprint(), "7148f3286572d58e");
    assert_eq!(read.birth(), cluster_key().birth());
}

#[test]
fn a_letter_moved_between_tenant_and_identifier_is_another_cluster() {
    let moved = Identity {
        tenant: "0a000000-0000-4000-8000-000000000071a",
        identifier: "lpha",
    };
    let key = parse(ROOT).cluster_key(cluster_key().birth(), &moved);
    assert_eq!(
        hex::encode(key.key.expose_secret()),
        "22244d31429d31d3f13837880b401f0a7e3b23b99ef353657a7174cbbe70fe56"
    );
}

#[test]
fn another_birth_and_another_root_give_other_keys() {
    let birth = Birth::at(1_700_000_000, [7; 12]);
    let mut prints = std::collections::BTreeSet::new();
    for root in [parse(ROOT), RootKey::generate().expect("randomness")] {
        for birth in [birth, cluster_key().birth()] {
            prints.insert(root.cluster_key(birth, &IDENTITY).fingerprint());
        }
    }
    assert_eq!(prints.len(), 4);
}

#[test]
fn a_generated_key_reads_back() {
    let key = RootKey::generate().expect("randomness");
    let text = key.to_text();
    let again = parse(&format!("  {}\n", text.expose_secret()));
    assert_eq!(again.fingerprint(), key.fingerprint());
    let bare = parse(text.expose_secret().trim_end_matches('='));
    assert_eq!(bare.fingerprint(), key.fingerprint());
}

#[test]
fn what_is_not_a_key_is_refused_with_lengths_only() {
    assert_eq!(refusal(" \n"), KeyError::Empty);
    assert_eq!(
        refusal("not base64!"),
        KeyError::NotBase64 { characters: 11 }
    );
    assert_eq!(refusal("c2hvcnQ="), KeyError::WrongLength { bytes: 5 });
    let long = STANDARD.encode([7_u8; 33]);
    assert_eq!(refusal(&long), KeyError::WrongLength { bytes: 33 });
    let zeros = STANDARD.encode([0_u8; 32]);
    assert_eq!(refusal(&zeros), KeyError::NotRandom);
    assert_eq!(
        refusal("hunter2hunter2!").to_string(),
        "the key (15 characters) is not base64; a key is 32 random bytes as base64, 44 \
         characters: make one with `terraform-provider-managedk8s key generate`"
    );
}

#[test]
fn what_is_not_a_cluster_key_is_refused() {
    assert_eq!(cluster_refusal(""), KeyError::Empty);
    assert_eq!(
        cluster_refusal(ROOT),
        KeyError::NotAClusterKey { characters: 44 }
    );
    let later = CLUSTER.replacen("v1", "v2", 1);
    assert_eq!(
        cluster_refusal(&later),
        KeyError::UnknownVersion { seen: "v2".into() }
    );
    let cut = CLUSTER.replacen("a0a1", "a0a", 1);
    assert_eq!(
        cluster_refusal(&cut),
        KeyError::NotABirth { characters: 31 }
    );
    let upper = CLUSTER.replacen("a0a1", "A0A1", 1);
    assert_eq!(
        cluster_refusal(&upper),
        KeyError::NotABirth { characters: 32 }
    );
}

#[test]
fn a_parsed_key_is_in_the_scrub_registry() {
    let text = STANDARD.encode(b"thirty-two bytes of a test key!!");
    drop(parse(&text));
    assert!(crate::scrub(&format!("key={text}")).starts_with("key=[secret]"));
}
