//! Signed charts, judged by gpg, which makes keys and signatures, and by the real helm, which must come to the
//! same conclusions. Both are looked for; what is not there is skipped with a note.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use helm::source::{Error, Fetcher, Keyring, ProvenanceError, Request, Verify};
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

    // What collides proves nothing, though helm takes it.
    bench.sign(&signer, "SHA1", &bench.text());
    let keyring = Keyring::load(&ring).expect("a keyring");
    let archive = std::fs::read(&bench.archive).expect("an archive");
    let weak = std::fs::read(&prov).expect("a provenance");
    let refused = keyring.verify(&archive, &weak, NAME, jiff::Timestamp::now());
    let error = refused.expect_err("a weak hash").to_string();
    assert!(error.contains("insecure message hash algorithm"), "{error}");
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
