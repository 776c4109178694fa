//! Signed charts, judged by gpg, which makes keys and signatures, and by the real helm, which must come to the
//! same conclusions. Both are looked for; what is not there is skipped with a note.

#[path = "support/server.rs"]
mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use helm::source::{Error, Fetcher, Keyring, ProvenanceError, Request, Verify};
use server::Server;
use tokio_util::sync::CancellationToken;
use transport::{Dialer, SystemClock, Trust, http_client};

/// A folder with a packed chart and gpg's own folder.
struct Bench {
    folder: tempfile::TempDir,
    archive: PathBuf,
}

const NAME: &str = "web-1.0.0.tgz";

fn run(program: &mut Command) -> Output {
    program.output().expect("the program starts")
}

impl Bench {
    fn new() -> Option<Self> {
        if Command::new("gpg").arg("--version").output().is_err() {
            eprintln!("skipped: there is no gpg");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join("gpg");
        std::fs::create_dir(&home).expect("a folder");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(&home, private).expect("permissions");
        }
        let archive = folder.path().join(NAME);
        std::fs::write(&archive, pack("1.0.0")).expect("an archive");
        Some(Self { folder, archive })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn gpg(&self, arguments: &[&str]) -> Vec<u8> {
        let output = run(Command::new("gpg")
            .arg("--homedir")
            .arg(self.path("gpg"))
            .args(["--batch", "--yes", "--quiet", "--passphrase", ""])
            .args(["--pinentry-mode", "loopback"])
            .args(arguments));
        assert!(
            output.status.success(),
            "gpg {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    fn key(&self, algorithm: &str, usage: &str) -> String {
        let name = format!("{algorithm} <{algorithm}@example.com>");
        self.gpg(&["--quick-generate-key", &name, algorithm, usage, "2y"]);
        name
    }

    fn ring(&self, name: &str) -> PathBuf {
        let path = self.path(&format!("{}.gpg", name.replace([' ', '<', '>'], "_")));
        std::fs::write(&path, self.gpg(&["--export", name])).expect("a keyring");
        path
    }

    /// Signs what helm signs.
    fn sign(&self, signer: &str, hash: &str, text: &str) {
        let plain = self.path("text");
        std::fs::write(&plain, text).expect("a file");
        let path = plain.display().to_string();
        let signed = self.gpg(&[
            "--local-user",
            signer,
            "--digest-algo",
            hash,
            "--output",
            "-",
            "--clearsign",
            &path,
        ]);
        std::fs::write(self.path(&format!("{NAME}.prov")), signed).expect("a file");
    }

    /// As [`Self::sign`], with a hash that gpg has given up.
    fn gpg_old(&self, signer: &str, hash: &str) {
        let plain = self.path("text");
        std::fs::write(&plain, self.text()).expect("a file");
        let path = plain.display().to_string();
        let signed = self.gpg(&[
            "--allow-weak-digest-algos",
            "--local-user",
            signer,
            "--digest-algo",
            hash,
            "--output",
            "-",
            "--clearsign",
            &path,
        ]);
        std::fs::write(self.path(&format!("{NAME}.prov")), signed).expect("a file");
    }

    fn text(&self) -> String {
        use sha2::Digest as _;
        let bytes = std::fs::read(&self.archive).expect("an archive");
        let sum = hex::encode(sha2::Sha256::digest(bytes));
        format!(
            "apiVersion: v2\nname: web\nversion: 1.0.0\n- a line with a dash\n\n...\nfiles:\n  {NAME}: sha256:{sum}\n"
        )
    }

    /// Our word and helm's. The texts are compared where the rule says the same.
    fn judge(&self, ring: &Path) -> Result<Vec<String>, String> {
        let keyring = Keyring::load(ring).map_err(|error| error.to_string());
        let ours = keyring.and_then(|keyring| {
            let archive = std::fs::read(&self.archive).expect("an archive");
            let provenance =
                std::fs::read(self.path(&format!("{NAME}.prov"))).expect("a provenance");
            keyring
                .verify(&archive, &provenance, NAME, jiff::Timestamp::now())
                .map(|found| found.signed_by)
                .map_err(|error| error.to_string())
        });
        if let Some(helm) = std::env::var_os("MANAGEDK8S_HELM") {
            let output = run(Command::new(helm)
                .arg("verify")
                .arg(&self.archive)
                .arg("--keyring")
                .arg(ring));
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let words = words.trim_start_matches("Error: ").to_owned();
            match &ours {
                Ok(_) => assert!(output.status.success(), "helm refuses: {words}"),
                Err(own) => {
                    assert!(!output.status.success(), "helm accepts, we say {own}");
                    assert_eq!(*own, words);
                }
            }
        } else {
            eprintln!("MANAGEDK8S_HELM is not set: helm does not judge");
        }
        ours
    }
}

fn pack(version: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::default(),
    ));
    let metadata = format!("apiVersion: v2\nname: web\nversion: {version}\n");
    for (name, text) in [
        ("web/Chart.yaml", metadata.as_str()),
        ("web/templates/a.yaml", ""),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive
            .append_data(&mut header, name, text.as_bytes())
            .expect("an entry");
    }
    archive
        .into_inner()
        .and_then(flate2::write::GzEncoder::finish)
        .expect("an archive")
}

#[test]
fn signatures_of_every_kind_hold() {
    let Some(bench) = Bench::new() else { return };
    for (algorithm, hash) in [
        ("ed25519", "SHA512"),
        ("rsa2048", "SHA256"),
        ("dsa2048", "SHA256"),
        ("nistp256", "SHA512"),
        ("nistp384", "SHA384"),
        ("nistp521", "SHA512"),
    ] {
        let signer = bench.key(algorithm, "sign");
        bench.sign(&signer, hash, &bench.text());
        let ring = bench.ring(&signer);
        assert_eq!(bench.judge(&ring), Ok(vec![signer.clone()]), "{algorithm}");

        // The same with the keyring as text.
        let armoured = bench.gpg(&["--armor", "--export", &signer]);
        assert!(Keyring::read(&armoured).is_ok(), "{algorithm}");
    }
}

#[test]
fn a_subkey_signs_for_its_certificate_until_it_is_revoked() {
    let Some(bench) = Bench::new() else { return };
    let signer = bench.key("ed25519", "cert");
    let list = bench.gpg(&["--with-colons", "--list-keys", &signer]);
    let list = String::from_utf8_lossy(&list).into_owned();
    let print = list
        .lines()
        .find(|line| line.starts_with("fpr"))
        .and_then(|line| line.split(':').nth(9));
    bench.gpg(&[
        "--quick-add-key",
        print.expect("a fingerprint"),
        "rsa2048",
        "sign",
    ]);
    bench.sign(&signer, "SHA512", &bench.text());
    let ring = bench.ring(&signer);
    assert_eq!(bench.judge(&ring), Ok(vec![signer]));
}

#[test]
fn what_does_not_hold_is_refused_in_helms_words() {
    let Some(bench) = Bench::new() else { return };
    let signer = bench.key("ed25519", "sign");
    let other = bench.key("rsa2048", "sign");
    let (ring, others) = (bench.ring(&signer), bench.ring(&other));
    let prov = bench.path(&format!("{NAME}.prov"));

    bench.sign(&signer, "SHA512", &bench.text());
    let error = bench.judge(&others).expect_err("a stranger");
    assert_eq!(error, "openpgp: signature made by unknown entity");

    let good = std::fs::read_to_string(&prov).expect("a text");
    std::fs::write(&prov, good.replace("name: web", "name: wes")).expect("a file");
    let error = bench.judge(&ring).expect_err("a changed text");
    assert!(error.starts_with("openpgp: invalid signature"), "{error}");

    std::fs::write(&prov, "nothing").expect("a file");
    assert_eq!(
        bench.judge(&ring).expect_err("no signature"),
        "signature block not found"
    );

    bench.sign(&signer, "SHA512", "one part\n");
    let error = bench.judge(&ring).expect_err("one part");
    assert_eq!(error, "message block must have at least two parts");

    bench.sign(
        &signer,
        "SHA512",
        &bench.text().replace(NAME, "db-1.0.0.tgz"),
    );
    let error = bench.judge(&ring).expect_err("another file");
    assert!(
        error.starts_with("provenance does not contain a SHA"),
        "{error}"
    );

    bench.sign(&signer, "SHA512", &bench.text());
    std::fs::write(&bench.archive, pack("1.0.1")).expect("an archive");
    let error = bench.judge(&ring).expect_err("another archive");
    assert!(error.starts_with("sha256 sum does not match"), "{error}");

    // What helm's library does not even look at.
    bench.gpg_old(&signer, "RIPEMD160");
    let archive = std::fs::read(&bench.archive).expect("an archive");
    let weak = std::fs::read(&prov).expect("a provenance");
    let keyring = Keyring::load(&ring).expect("a keyring");
    let refused = keyring.verify(&archive, &weak, NAME, jiff::Timestamp::now());
    let error = refused.expect_err("a weak hash").to_string();
    assert!(error.contains("insecure message hash algorithm"), "{error}");
}

/// Old hashes and short keys hold as they do for helm, and are told.
#[test]
fn weak_signatures_hold_and_are_told() {
    let Some(bench) = Bench::new() else { return };
    for (algorithm, hash, weak) in [
        ("ed25519", "SHA1", Some("SHA-1")),
        ("ed25519", "SHA224", None),
        ("rsa2048", "SHA1", Some("SHA-1")),
        ("rsa2048", "SHA224", None),
        ("rsa2048", "SHA384", None),
        ("rsa1024", "SHA256", Some("1024 bits")),
        ("rsa1024", "SHA1", Some("SHA-1")),
        ("dsa1024", "SHA224", Some("1024 bits")),
    ] {
        let name = format!("{algorithm} <{algorithm}@example.com>");
        let ring = bench.path(&format!("{}.gpg", name.replace([' ', '<', '>'], "_")));
        let ring = if ring.exists() {
            ring
        } else {
            bench.key(algorithm, "sign");
            bench.ring(&name)
        };
        bench.sign(&name, hash, &bench.text());
        assert_eq!(bench.judge(&ring), Ok(vec![name]), "{algorithm} {hash}");
        let archive = std::fs::read(&bench.archive).expect("an archive");
        let prov = bench.path(&format!("{NAME}.prov"));
        let text = std::fs::read_to_string(&prov).expect("a provenance");
        let keyring = Keyring::load(&ring).expect("a keyring");
        let judge =
            |text: &str| keyring.verify(&archive, text.as_bytes(), NAME, jiff::Timestamp::now());
        let found = judge(&text).expect("helm takes it").weakness;
        match weak {
            None => assert_eq!(found, None, "{algorithm} {hash}"),
            Some(words) => assert!(
                found.is_some_and(|found| found.contains(words)),
                "{algorithm} {hash}"
            ),
        }
        // What is weak is checked all the same.
        assert!(
            judge(&text.replace("name: web", "name: wes")).is_err(),
            "{algorithm} {hash}"
        );
    }
}

/// What the real helm signs, we accept.
#[test]
fn helm_signs_and_we_verify() {
    let (Some(bench), Some(helm)) = (Bench::new(), std::env::var_os("MANAGEDK8S_HELM")) else {
        eprintln!("skipped: MANAGEDK8S_HELM is not set");
        return;
    };
    for algorithm in ["ed25519", "rsa3072"] {
        let signer = bench.key(algorithm, "sign");
        let secret = bench.path("secret.gpg");
        std::fs::write(&secret, bench.gpg(&["--export-secret-keys", &signer])).expect("a keyring");
        let chart = bench.path("web");
        std::fs::create_dir_all(chart.join("templates")).expect("a folder");
        std::fs::write(
            chart.join("Chart.yaml"),
            "apiVersion: v2\nname: web\nversion: 1.0.0\ndescription: 'é - x'\n",
        )
        .expect("a file");
        let output = run(Command::new(&helm)
            .args(["package", "--sign", "--key", &signer, "--keyring"])
            .arg(&secret)
            .arg("--destination")
            .arg(bench.folder.path())
            .arg(&chart));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let ring = bench.ring(&signer);
        assert_eq!(bench.judge(&ring), Ok(vec![signer.clone()]));
        // A secret keyring counts by its public halves, as for helm.
        assert_eq!(bench.judge(&secret), Ok(vec![signer]));
    }
}

#[test]
fn a_fetched_archive_is_verified_when_asked() {
    let Some(bench) = Bench::new() else { return };
    let signer = bench.key("ed25519", "sign");
    bench.sign(&signer, "SHA512", &bench.text());
    let keyring = Arc::new(Keyring::load(bench.ring(&signer)).expect("a keyring"));
    let fetch = |path: PathBuf, verify: Verify| {
        let client =
            http_client(&Trust::system(), &Dialer::direct(), "test").expect("sound settings");
        let fetcher = Fetcher::new(client, SystemClock::shared());
        let request = Request {
            chart: path.display().to_string(),
            verify,
            keyring: Some(keyring.clone()),
            ..Request::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime.block_on(fetcher.fetch(&request, &CancellationToken::new()))
    };
    let fetched = fetch(bench.archive.clone(), Verify::Always).expect("a signed chart");
    let found = fetched.verification.expect("a signature");
    assert_eq!(found.signed_by, [signer]);
    assert_eq!(found.fingerprint.len(), 40);
    assert!(
        fetch(bench.archive.clone(), Verify::Never)
            .is_ok_and(|fetched| fetched.verification.is_none())
    );

    std::fs::remove_file(bench.path(&format!("{NAME}.prov"))).expect("it was there");
    let refused = fetch(bench.archive.clone(), Verify::Always);
    assert!(matches!(
        refused,
        Err(Error::Provenance {
            source: ProvenanceError::Missing(_),
            ..
        })
    ));
    assert!(fetch(bench.archive.clone(), Verify::IfPossible).is_ok());
    let refused = fetch(bench.folder.path().to_owned(), Verify::Always);
    assert!(matches!(
        refused,
        Err(Error::Provenance {
            source: ProvenanceError::Unpacked,
            ..
        })
    ));
}

fn fetcher() -> Fetcher {
    let client = http_client(&Trust::system(), &Dialer::direct(), "test").expect("sound settings");
    Fetcher::new(client, SystemClock::shared())
}

fn sum(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}

#[tokio::test]
async fn a_repository_serves_signatures_beside_its_archives() {
    let Some(bench) = Bench::new() else { return };
    let server = Server::start().await;
    let signer = bench.key("ed25519", "sign");
    bench.sign(&signer, "SHA512", &bench.text());
    let bytes = std::fs::read(&bench.archive).expect("an archive");
    let prov = std::fs::read(bench.path(&format!("{NAME}.prov"))).expect("a provenance");
    let index = format!(
        "entries:\n  web:\n  - version: 1.0.0\n    digest: {}\n    urls: [{NAME}]\n",
        sum(&bytes)
    );
    server.page("/r/index.yaml", 200, "", index);
    server.page(&format!("/r/{NAME}"), 200, "", bytes.clone());
    let cache = bench.path("cache");
    let cancel = CancellationToken::new();
    let keyring = |name: &str| Arc::new(Keyring::load(bench.ring(name)).expect("a keyring"));
    let mut request = Request {
        chart: "web".into(),
        repository: Some(format!("{}/r", server.base)),
        verify: Verify::Always,
        keyring: Some(keyring(&signer)),
        ..Request::default()
    };

    // Without a signature: refused or taken, as asked.
    let refused = fetcher()
        .fetch(&request, &cancel)
        .await
        .expect_err("no signature");
    let Error::Provenance {
        source: ProvenanceError::Missing(place),
        ..
    } = refused
    else {
        panic!("{refused}")
    };
    assert!(place.ends_with(&format!("/r/{NAME}.prov")), "{place}");
    request.verify = Verify::IfPossible;
    let taken = fetcher()
        .fetch(&request, &cancel)
        .await
        .expect("none is needed");
    assert_eq!(taken.verification, None);

    // A server in trouble is not the absence of a signature.
    server.page(&format!("/r/{NAME}.prov"), 403, "", "");
    let error = fetcher()
        .fetch(&request, &cancel)
        .await
        .expect_err("nobody knows");
    assert!(
        matches!(error, Error::Status { status: 403, .. }),
        "{error}"
    );

    server.page(&format!("/r/{NAME}.prov"), 200, "", prov.clone());
    request.verify = Verify::Always;
    let signed = fetcher()
        .cache(&cache)
        .fetch(&request, &cancel)
        .await
        .expect("a signed chart");
    assert_eq!(
        signed
            .verification
            .as_ref()
            .expect("it is verified")
            .signed_by,
        std::slice::from_ref(&signer)
    );

    // What is pinned is in the cache with its signature: nobody is asked.
    server.seen();
    request.digest = Some(signed.digest.clone());
    let again = fetcher()
        .cache(&cache)
        .fetch(&request, &cancel)
        .await
        .expect("it is kept");
    assert_eq!(again.verification, signed.verification);
    assert_eq!(server.seen(), Vec::<String>::new());

    // Another keyring is another question: the repository may have another signature.
    let other = bench.key("rsa2048", "sign");
    request.keyring = Some(keyring(&other));
    let refused = fetcher().cache(&cache).fetch(&request, &cancel).await;
    assert!(
        matches!(refused, Err(Error::Provenance { .. })),
        "a stranger"
    );
    assert!(!server.seen().is_empty());
    bench.sign(&other, "SHA512", &bench.text());
    let prov = std::fs::read(bench.path(&format!("{NAME}.prov"))).expect("a provenance");
    server.page(&format!("/r/{NAME}.prov"), 200, "", prov);
    let signed = fetcher()
        .cache(&cache)
        .fetch(&request, &cancel)
        .await
        .expect("signed anew");
    assert_eq!(
        signed.verification.expect("it is verified").signed_by,
        [other]
    );
}

#[tokio::test]
async fn a_registry_keeps_the_signature_as_a_layer() {
    let Some(bench) = Bench::new() else { return };
    let server = Server::start().await;
    let signer = bench.key("ed25519", "sign");
    bench.sign(&signer, "SHA512", &bench.text());
    let bytes = std::fs::read(&bench.archive).expect("an archive");
    let prov = std::fs::read(bench.path(&format!("{NAME}.prov"))).expect("a provenance");
    let layer = |kind: &str, bytes: &[u8]| {
        format!(
            "{{\"mediaType\": \"application/vnd.cncf.helm.chart.{kind}\", \"digest\": \"sha256:{}\"}}",
            sum(bytes)
        )
    };
    let content = layer("content.v1.tar+gzip", &bytes);
    let with = |layers: &str| format!("{{\"layers\": [{layers}]}}");
    let manifest = "/v2/org/web/manifests/1.0.0";
    server.page(
        &format!("/v2/org/web/blobs/sha256:{}", sum(&bytes)),
        200,
        "",
        bytes.clone(),
    );
    server.page(
        &format!("/v2/org/web/blobs/sha256:{}", sum(&prov)),
        200,
        "",
        prov.clone(),
    );
    server.page(manifest, 200, "", with(&content));
    let cancel = CancellationToken::new();
    let mut request = Request {
        chart: "web".into(),
        repository: Some(server.base.replace("http://", "oci://") + "/org"),
        version: Some("1.0.0".into()),
        verify: Verify::Always,
        keyring: Some(Arc::new(
            Keyring::load(bench.ring(&signer)).expect("a keyring"),
        )),
        ..Request::default()
    };
    let refused = fetcher()
        .fetch(&request, &cancel)
        .await
        .expect_err("no such layer");
    assert!(
        matches!(
            refused,
            Error::Provenance {
                source: ProvenanceError::Missing(_),
                ..
            }
        ),
        "{refused}"
    );

    server.page(
        manifest,
        200,
        "",
        with(&format!(
            "{content}, {}",
            layer("provenance.v1.prov", &prov)
        )),
    );
    let cache = bench.path("cache");
    let signed = fetcher()
        .cache(&cache)
        .fetch(&request, &cancel)
        .await
        .expect("a signed chart");
    assert_eq!(
        signed
            .verification
            .as_ref()
            .expect("it is verified")
            .signed_by,
        [signer]
    );
    server.seen();
    request.digest = Some(signed.digest);
    fetcher()
        .cache(&cache)
        .fetch(&request, &cancel)
        .await
        .expect("it is kept");
    assert_eq!(server.seen(), Vec::<String>::new());

    // A registry that answers with another chart of the same signer is found out by the name.
    request.digest = None;
    request.chart = "wax".into();
    for path in [
        "manifests/1.0.0".to_owned(),
        format!("blobs/sha256:{}", sum(&bytes)),
        format!("blobs/sha256:{}", sum(&prov)),
    ] {
        let body = match path.as_str() {
            "manifests/1.0.0" => with(&format!(
                "{content}, {}",
                layer("provenance.v1.prov", &prov)
            ))
            .into_bytes(),
            path if path.ends_with(&sum(&prov)) => prov.clone(),
            _ => bytes.clone(),
        };
        server.page(&format!("/v2/org/wax/{path}"), 200, "", body);
    }
    let refused = fetcher()
        .fetch(&request, &cancel)
        .await
        .expect_err("another chart");
    let text = std::error::Error::source(&refused).map(ToString::to_string);
    assert_eq!(
        text.as_deref(),
        Some("provenance does not contain a SHA for a file named \"wax-1.0.0.tgz\"")
    );
}

/// Nothing that somebody could send makes us panic.
#[test]
fn broken_keyrings_and_messages_are_errors() {
    let Some(bench) = Bench::new() else { return };
    let signer = bench.key("ed25519", "sign");
    bench.sign(&signer, "SHA512", &bench.text());
    let ring = std::fs::read(bench.ring(&signer)).expect("a keyring");
    let prov = std::fs::read(bench.path(&format!("{NAME}.prov"))).expect("a provenance");
    let archive = std::fs::read(&bench.archive).expect("an archive");
    let now = jiff::Timestamp::now();
    let keyring = Keyring::read(&ring).expect("a keyring");
    for at in 0..ring.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut broken = ring.clone();
            broken[at] ^= change;
            if let Ok(broken) = Keyring::read(&broken) {
                let _ = broken.verify(&archive, &prov, NAME, now);
            }
        }
        let _ = Keyring::read(&ring[..at]);
    }
    for at in 0..prov.len() {
        let mut broken = prov.clone();
        broken[at] ^= 0x02;
        let _ = keyring.verify(&archive, &broken, NAME, now);
        let _ = keyring.verify(&archive, &prov[..at], NAME, now);
    }
}
