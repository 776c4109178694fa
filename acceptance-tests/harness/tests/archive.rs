//! Releases as registries and installers want them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Binaries, Error, Platform, Release, Terraform};
use sha2::Digest as _;
use tempfile::TempDir;

/// A release of what is no program, for platforms that are not this one.
fn release(folder: &Path) -> Release {
    let binaries = ["linux_amd64", "windows_amd64", "darwin_arm64"].map(|name| {
        let path = folder.join(name);
        std::fs::write(&path, format!("the program for {name}")).expect("written");
        (name.parse().expect("a platform"), path)
    });
    Release {
        provider: "acme".to_owned(),
        version: "1.2.3".to_owned(),
        binaries: binaries.into(),
        sign_with: None,
    }
}

fn named(files: &[PathBuf], end: &str) -> PathBuf {
    let mut found = files
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(end));
    let file = found
        .next()
        .unwrap_or_else(|| panic!("no {end} in {files:?}"));
    assert_eq!(found.next(), None, "one file ends in {end}");
    file.clone()
}

/// The files of a zip: name, permissions, content.
fn unpacked(path: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let file = std::fs::File::open(path).expect("readable");
    let mut zip = zip::ZipArchive::new(file).expect("a zip");
    let mut files = BTreeMap::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).expect("an entry");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("readable");
        let mode = entry.unix_mode().expect("permissions");
        let name = entry.name().expect("a name").into_owned();
        files.insert(name, (mode & 0o777, content));
    }
    files
}

#[test]
fn archives_have_the_registrys_layout() {
    let folder = TempDir::new().expect("a folder");
    let output = folder.path().join("made");
    let release = release(folder.path());
    let files = release.write(&output).expect("it is made");
    let names: Vec<_> = files
        .iter()
        .map(|path| path.file_name().expect("a name").to_string_lossy())
        .collect();
    assert_eq!(
        names,
        [
            "terraform-provider-acme_1.2.3_darwin_arm64.zip",
            "terraform-provider-acme_1.2.3_linux_amd64.zip",
            "terraform-provider-acme_1.2.3_windows_amd64.zip",
            "terraform-provider-acme_1.2.3_manifest.json",
            "terraform-provider-acme_1.2.3_SHA256SUMS",
        ]
    );
    for (platform, suffix) in [
        ("linux_amd64", ""),
        ("darwin_arm64", ""),
        ("windows_amd64", ".exe"),
    ] {
        let inside = unpacked(&named(&files, &format!("{platform}.zip")));
        let programs: Vec<_> = inside
            .iter()
            .filter(|(name, _)| name.starts_with("terraform-provider-acme"))
            .collect();
        let [(name, (mode, content))] = programs.as_slice() else {
            panic!("{programs:?}");
        };
        assert_eq!(**name, format!("terraform-provider-acme_v1.2.3{suffix}"));
        assert_eq!(*mode, 0o755, "installers keep what the zip says");
        assert_eq!(*content, format!("the program for {platform}").into_bytes());
        let others: Vec<_> = inside.keys().filter(|other| *other != *name).collect();
        assert_eq!(others, ["LICENSE"]);
    }
    let manifest = std::fs::read_to_string(named(&files, "manifest.json")).expect("readable");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    let wanted = serde_json::json!({ "version": 1, "metadata": { "protocol_versions": ["6.0"] } });
    assert_eq!(manifest, wanted);

    // A line for every zip and the manifest, and each is right.
    let sums = std::fs::read_to_string(named(&files, "SHA256SUMS")).expect("readable");
    let sums: BTreeMap<_, _> = sums
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .collect();
    assert_eq!(sums.len(), 4, "{sums:?}");
    for (name, sum) in &sums {
        let bytes = std::fs::read(output.join(name)).expect("it is there");
        assert_eq!(*sum, hex::encode(sha2::Sha256::digest(&bytes)), "{name}");
    }

    // Another run writes the same bytes.
    let zip = named(&files, "linux_amd64.zip");
    let first = std::fs::read(&zip).expect("readable");
    release.write(&output).expect("it is made");
    assert_eq!(std::fs::read(&zip).expect("readable"), first);
}

/// Runs gpg with a home of its own.
fn gpg(home: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new("gpg")
        .env("GNUPGHOME", home)
        .args([
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ])
        .args(arguments)
        .output()
        .expect("gpg can be run")
}

/// `cargo archive` itself, which hands its environment on to gpg.
#[test]
fn checksums_are_signed_for_a_registry() {
    if Command::new("gpg").arg("--version").output().is_err() {
        eprintln!("skipped: there is no gpg");
        return;
    }
    // A socket's path must be short.
    let home = tempfile::Builder::new()
        .prefix("g")
        .tempdir()
        .expect("a folder");
    let private = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(home.path(), private).expect("set");
    for (name, kind) in [("rsa@acme.test", "rsa2048"), ("ecc@acme.test", "ed25519")] {
        let made = gpg(
            home.path(),
            &["--quick-generate-key", name, kind, "sign", "1d"],
        );
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    }
    let folder = TempDir::new().expect("a folder");
    let program = folder.path().join("program");
    std::fs::write(&program, "no program").expect("written");
    let output = folder.path().join("made");
    let archive = |key: &str| {
        Command::new(env!("CARGO_BIN_EXE_archive"))
            .env("GNUPGHOME", home.path())
            .arg("--binary")
            .arg(format!("linux_amd64={}", program.display()))
            .args(["--sign-with", key, "--output"])
            .arg(&output)
            .output()
            .expect("it can be run")
    };
    let made = archive("rsa@acme.test");
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success(), "{said}");
    let files: Vec<PathBuf> = said.lines().map(PathBuf::from).collect();
    let signature = named(&files, "SHA256SUMS.sig");
    let bytes = std::fs::read(&signature).expect("readable");
    assert!(
        bytes.first().is_some_and(|byte| byte & 0x80 != 0),
        "binary, not armoured"
    );
    let sums = named(&files, "SHA256SUMS");
    let (signature_name, sums_name) = (signature.display().to_string(), sums.display().to_string());
    let checked = gpg(home.path(), &["--verify", &signature_name, &sums_name]);
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    std::fs::write(&sums, "something else").expect("written");
    let checked = gpg(home.path(), &["--verify", &signature_name, &sums_name]);
    assert!(!checked.status.success());

    // The registry would refuse this one; nothing is left of it.
    let refused = archive("ecc@acme.test");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    assert!(said.contains("RSA and DSA"), "{said}");
    assert!(!signature.exists());
    // The agent of this home ends with it.
    let _ = Command::new("gpgconf")
        .env("GNUPGHOME", home.path())
        .args(["--kill", "gpg-agent"])
        .output();
}

/// The archive as it is in a mirror, and unpacked there: `terraform init` takes both, to the same package.
#[tokio::test]
async fn terraform_installs_from_a_packed_and_from_an_unpacked_mirror() -> Result<(), Error> {
    const ADDRESS: &str = "example.test/test/corner";
    let binaries = Binaries::find()?;
    let folder = TempDir::new().expect("a folder");
    let platform = Platform::host().expect("a platform of registries");
    let release = Release {
        provider: "corner".to_owned(),
        version: "1.2.3".to_owned(),
        binaries: [(platform, binaries.corner.clone())].into(),
        sign_with: None,
    };
    let packed = folder.path().join("packed");
    let files = release.write(&packed.join(ADDRESS))?;
    let unpacked_mirror = folder.path().join("unpacked");
    let place = unpacked_mirror.join(format!("{ADDRESS}/1.2.3/{platform}"));
    std::fs::create_dir_all(&place).expect("made");
    for (name, (mode, content)) in unpacked(&named(&files, ".zip")) {
        let path = place.join(name);
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
    }
    let mut locks = Vec::new();
    for mirror in [&packed, &unpacked_mirror] {
        let work = TempDir::new().expect("a folder");
        let terraform = Terraform::new(work.path(), &binaries)?;
        terraform.mirror(mirror)?;
        terraform.write(
            "main.tf",
            &format!(
                "terraform {{\n  required_providers {{\n    corner = {{\n      source = \"{ADDRESS}\"\n      version = \"1.2.3\"\n    \
                 }}\n  }}\n}}\nprovider \"corner\" {{\n  directory = \"{}\"\n}}\n\
                 resource \"corner_thing\" \"a\" {{\n  name = \"a\"\n}}\n",
                work.path().display()
            ),
        )?;
        terraform.init().await?;
        let planned = terraform.plan().await?.expect_code(2)?;
        assert!(planned.stdout.contains("1 to add"), "{}", planned.text());
        let lock = work.path().join(".terraform.lock.hcl");
        locks.push(std::fs::read_to_string(lock).expect("a lock file"));
    }
    assert!(locks[0].contains("h1:"), "{}", locks[0]);
    assert_eq!(locks[0], locks[1], "one package, however it was laid out");
    Ok(())
}
