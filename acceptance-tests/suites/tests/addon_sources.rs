//! Where charts come from, with the real terraform, gpg and helm: passwords, signatures, folders that change.

use std::path::{Path, PathBuf};
use std::process::Output;

use sandbox::{CHARTS_PASSWORD, CHARTS_USER};
use serde_json::json;
use suites::{Bench, Result, SHOP, shop};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

/// The shop from another repository.
fn shop_from(repository: &str, attributes: &str) -> String {
    shop(attributes).replace("https://charts.suite.example/stable", repository)
}

/// Puts a file into the sandbox's repositories.
async fn upload(bench: &Bench, path: &str, bytes: &[u8]) -> Result {
    let address = bench.cloud.addresses.charts.replace("http://", "");
    let mut stream = TcpStream::connect(&address).await?;
    let head = format!(
        "PUT /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        bytes.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(bytes).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 201") {
        Ok(())
    } else {
        Err(format!("{path}: {answer}").into())
    }
}

/// The calls of the chart server since the counters were set back.
async fn chart_calls(bench: &Bench) -> Result<Vec<String>> {
    let calls = bench.admin().calls().await?;
    let charts = calls.into_keys().filter(|call| call.starts_with("charts "));
    Ok(charts.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_repository_gets_its_password_and_nobody_else_does() -> Result {
    let mut bench = Bench::with_shop("").await?;
    bench.apply().await?;
    // A mirror stands for every host and gets no password: without one the repositories are asked themselves.
    bench.terraform.env("MANAGEDK8S_CHART_MIRROR", "");
    let charts = bench.cloud.addresses.charts.clone();
    let password = |password: &str| {
        format!(
            "  repository_username = \"{CHARTS_USER}\"\n  repository_password_wo = \"{password}\"\n"
        )
    };

    let private = format!("{charts}/private/stable");
    for attributes in [String::new(), password("another-password")] {
        bench.set_shop(&shop_from(&private, &attributes))?;
        let refused = bench.terraform.plan().await?.expect_code(1)?.words();
        assert!(
            refused.contains("no such chart") && refused.contains("401"),
            "{refused}"
        );
        assert!(refused.contains("user name and password"), "{refused}");
        assert!(!refused.contains("another-password"), "{refused}");
    }
    bench.set_shop(&shop_from(&private, &password(CHARTS_PASSWORD)))?;
    let mut shown = bench.apply().await?.text();
    bench.expect_empty_plan().await?;

    // The index leads to another host, which answers an error to whoever sends a password.
    let stranger = charts.replace("127.0.0.1", "localhost");
    let index = json!({"apiVersion": "v1", "entries": {"suite-shop": [{"name": "suite-shop", "version": "1.0.0",
        "urls": [format!("{stranger}/strangers/stable/suite-shop-1.0.0.tgz")]}]}});
    upload(&bench, "linked/index.yaml", index.to_string().as_bytes()).await?;
    bench.set_shop(&shop_from(
        &format!("{charts}/linked"),
        &password(CHARTS_PASSWORD),
    ))?;
    shown.push_str(&bench.apply().await?.text());

    // A registry gives a token for the password.
    let registry = charts.replace("http://", "oci://");
    bench.set_shop(&shop_from(&format!("{registry}/private/charts"), ""))?;
    let refused = bench.terraform.plan().await?.expect_code(1)?.words();
    assert!(refused.contains("401"), "{refused}");
    bench.set_shop(&shop_from(
        &format!("{registry}/private/charts"),
        &password(CHARTS_PASSWORD),
    ))?;
    shown.push_str(&bench.apply().await?.text());
    bench.expect_empty_plan().await?;
    bench.expect_nowhere(CHARTS_PASSWORD, &[&shown])?;
    Ok(())
}

/// A folder with gpg's own, in which charts are packed and signed.
struct Signer<'b> {
    bench: &'b Bench,
    helm: PathBuf,
    folder: PathBuf,
}

const AUTHOR: &str = "Author <author@suite.example>";
const STRANGER: &str = "Stranger <stranger@suite.example>";
const REPOSITORY: &str = "signed.example/stable";

impl<'b> Signer<'b> {
    /// `None`, with a line that says so, where a program is missing.
    async fn new(bench: &'b Bench) -> Result<Option<Self>> {
        let helm = std::env::var_os("MANAGEDK8S_HELM").map(PathBuf::from);
        let gpg = Command::new("gpg").arg("--version").output().await;
        let (Some(helm), Ok(_)) = (helm, gpg) else {
            eprintln!("PART SKIPPED: MANAGEDK8S_HELM is not set, or there is no gpg");
            return Ok(None);
        };
        let folder = bench.folder().join("signer");
        std::fs::create_dir_all(folder.join("gpg"))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(folder.join("gpg"), private)?;
        }
        let signer = Self {
            bench,
            helm,
            folder,
        };
        for name in [AUTHOR, STRANGER] {
            signer
                .gpg(&["--quick-generate-key", name, "rsa2048", "sign", "2y"])
                .await?;
            let ring = signer.gpg(&["--export", name]).await?;
            std::fs::write(signer.ring(name), ring)?;
        }
        let secret = signer.gpg(&["--export-secret-keys", AUTHOR]).await?;
        std::fs::write(signer.folder.join("secret.gpg"), secret)?;
        Ok(Some(signer))
    }

    fn ring(&self, name: &str) -> PathBuf {
        let first = name.split(' ').next().unwrap_or_default();
        self.folder.join(format!("{first}.gpg"))
    }

    async fn gpg(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = Command::new("gpg")
            .arg("--homedir")
            .arg(self.folder.join("gpg"))
            .args(["--batch", "--yes", "--quiet", "--passphrase", ""])
            .args(["--pinentry-mode", "loopback"])
            .args(arguments)
            .output()
            .await?;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(format!("gpg {arguments:?}: {words}").into())
        }
    }

    async fn helm(&self, arguments: &[&str]) -> Result<Output> {
        let home = self.folder.join("helm");
        let output = Command::new(&self.helm)
            .args(arguments)
            .current_dir(&self.folder)
            .env("HELM_CACHE_HOME", &home)
            .env("HELM_CONFIG_HOME", &home)
            .env("HELM_DATA_HOME", &home)
            .output()
            .await?;
        Ok(output)
    }

    async fn helm_does(&self, arguments: &[&str]) -> Result {
        let output = self.helm(arguments).await?;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(())
        } else {
            Err(format!("helm {arguments:?}: {words}").into())
        }
    }

    /// Packs a version with helm, signed or not; answers the archive.
    async fn pack(&self, version: &str, signed: bool) -> Result<PathBuf> {
        let chart = self.folder.join("web");
        std::fs::create_dir_all(chart.join("templates"))?;
        std::fs::write(
            chart.join("Chart.yaml"),
            format!("apiVersion: v2\nname: web\nversion: {version}\n"),
        )?;
        std::fs::write(
            chart.join("templates/all.yaml"),
            "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: web }\ndata: { size: {{ .Values.size | default 1 | quote }} }\n",
        )?;
        let mut arguments = vec!["package", "web"];
        if signed {
            arguments.extend(["--sign", "--key", AUTHOR, "--keyring", "secret.gpg"]);
        }
        self.helm_does(&arguments).await?;
        Ok(self.folder.join(format!("web-{version}.tgz")))
    }

    /// The version goes to the repository, with what lies beside it, and a new index.
    async fn publish(&self, archives: &[&Path]) -> Result {
        for archive in archives {
            let name = archive.file_name().unwrap_or_default().to_string_lossy();
            upload(
                self.bench,
                &format!("{REPOSITORY}/{name}"),
                &std::fs::read(archive)?,
            )
            .await?;
            if let Ok(text) = std::fs::read(format!("{}.prov", archive.display())) {
                upload(self.bench, &format!("{REPOSITORY}/{name}.prov"), &text).await?;
            }
        }
        self.helm_does(&["repo", "index", "."]).await?;
        let index = std::fs::read(self.folder.join("index.yaml"))?;
        upload(self.bench, &format!("{REPOSITORY}/index.yaml"), &index).await
    }

    /// What helm says to the same chart.
    async fn helm_verifies(&self, version: &str, signer: &str) -> Result<bool> {
        let repository = format!("{}/{REPOSITORY}", self.bench.cloud.addresses.charts);
        let keyring = self.ring(signer).display().to_string();
        let arguments = [
            "pull",
            "web",
            "--repo",
            &repository,
            "--version",
            version,
            "--verify",
            "--keyring",
            &keyring,
            "--destination",
            "helm",
        ];
        Ok(self.helm(&arguments).await?.status.success())
    }
}

fn web(repository: &str, version: &str, keyring: &Path, more: &str) -> String {
    format!(
        r#"
resource "managedk8s_addon" "shop" {{
  cluster    = managedk8s_cluster.dev.handle
  name       = "web"
  repository = "{repository}"
  chart      = "web"
  version    = "{version}"
  verify     = true
  keyring    = "{}"
{more}
}}
"#,
        keyring.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_charts_are_verified_as_helm_does() -> Result {
    let bench = Bench::with_shop("").await?;
    let Some(signer) = Signer::new(&bench).await? else {
        return Ok(());
    };
    let signed = signer.pack("1.0.0", true).await?;
    let unsigned = signer.pack("2.0.0", false).await?;
    let old = signer.pack("3.0.0", true).await?;
    // As it was signed ten years ago.
    let text = std::fs::read_to_string(format!("{}.prov", old.display()))?;
    let begin = text.find("\n\n").ok_or("no message")? + 2;
    let end = text
        .find("-----BEGIN PGP SIGNATURE")
        .ok_or("no signature")?;
    let plain = signer.folder.join("text");
    std::fs::write(&plain, &text[begin..end])?;
    let plain = plain.display().to_string();
    let weak = signer
        .gpg(&[
            "--local-user",
            AUTHOR,
            "--digest-algo",
            "SHA1",
            "--output",
            "-",
            "--clearsign",
            &plain,
        ])
        .await?;
    std::fs::write(format!("{}.prov", old.display()), weak)?;
    signer.publish(&[&signed, &unsigned, &old]).await?;

    let (author, stranger) = (signer.ring(AUTHOR), signer.ring(STRANGER));
    let repository = format!("https://{REPOSITORY}");
    for (version, ring, name, sound) in [
        ("1.0.0", &author, AUTHOR, true),
        ("1.0.0", &stranger, STRANGER, false),
        ("2.0.0", &author, AUTHOR, false),
        ("3.0.0", &author, AUTHOR, true),
    ] {
        assert_eq!(
            signer.helm_verifies(version, name).await?,
            sound,
            "helm: {version} {name}"
        );
        bench.set_shop(&web(&repository, version, ring, ""))?;
        let planned = bench.terraform.plan().await?;
        let words = planned.words();
        assert_eq!(planned.code == 2, sound, "{version} {name}: {words}");
        if !sound {
            assert!(
                words.contains("not signed by a key of the keyring"),
                "{words}"
            );
        }
        assert_eq!(
            words.contains("signature is weak"),
            version == "3.0.0",
            "{words}"
        );
    }

    // What is pinned needs no network for its signature, and the keyring may be a text.
    bench.set_shop(&web(&repository, "1.0.0", &author, ""))?;
    bench.apply().await?;
    bench.admin().reset_calls().await?;
    bench.set_shop(&web(
        &repository,
        "1.0.0",
        &author,
        "  values = { size = 2 }",
    ))?;
    let change = bench.planned("pinned", SHOP).await?;
    assert_eq!(
        change["after"]["changes"]["ConfigMap/default/web"],
        "~ .data.size: \"1\" -> \"2\""
    );
    bench.apply_plan("pinned").await?;
    assert_eq!(chart_calls(&bench).await?, Vec::<String>::new());
    let armoured = signer.gpg(&["--armor", "--export", AUTHOR]).await?;
    let text = String::from_utf8(armoured)?;
    let inline = web(&repository, "1.0.0", &author, "  values = { size = 2 }").replace(
        &format!("\"{}\"", author.display()),
        &format!("<<-EOT\n{text}EOT"),
    );
    bench.set_shop(&inline)?;
    bench.apply().await?;

    // A registry keeps the signature as a layer: helm pushes it.
    let registry = bench.cloud.addresses.charts.replace("http://", "oci://");
    let archive = signed.display().to_string();
    let target = format!("{registry}/registry.signed.example/charts");
    signer
        .helm_does(&["push", &archive, &target, "--plain-http"])
        .await?;
    let repository = "oci://registry.signed.example/charts";
    bench.set_shop(&web(repository, "1.0.0", &stranger, ""))?;
    let refused = bench.terraform.plan().await?.expect_code(1)?.words();
    assert!(
        refused.contains("not signed by a key of the keyring"),
        "{refused}"
    );
    bench.set_shop(&web(repository, "1.0.0", &author, ""))?;
    bench.apply().await?;
    bench.expect_empty_plan().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_changes_is_compared_leaf_by_leaf() -> Result {
    let bench = Bench::with_shop("").await?;
    let chart = bench.terraform.folder().join("charts/web");
    std::fs::create_dir_all(chart.join("templates"))?;
    let write = |version: &str, message: &str| -> Result {
        std::fs::write(
            chart.join("Chart.yaml"),
            format!("apiVersion: v2\nname: web\nversion: {version}\n"),
        )?;
        let map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: web }}\ndata: {{ a: {message}, b: same }}\n"
        );
        Ok(std::fs::write(chart.join("templates/all.yaml"), map)?)
    };
    write("1.0.0", "one")?;
    bench.set_shop(
        r#"
resource "managedk8s_addon" "shop" {
  cluster = managedk8s_cluster.dev.handle
  name    = "web"
  chart   = "${path.module}/charts/web"
}
"#,
    )?;
    bench.apply().await?;
    bench.expect_empty_plan().await?;
    assert_eq!(bench.attribute(SHOP, "version").await?, "1.0.0");
    write("1.1.0", "two")?;
    let change = bench.planned("changed", SHOP).await?;
    assert_eq!(
        change["after"]["changes"],
        json!({"ConfigMap/default/web": "~ .data.a: \"one\" -> \"two\""})
    );
    assert_eq!(change["after"]["version"], "1.1.0");
    bench.apply_plan("changed").await?;
    write("1.2.0", "three")?;
    let Some(tools) = bench.tools().await? else {
        return Ok(());
    };
    let map = tools.get(&["configmap", "web", "-n", "default"]).await?;
    assert_eq!(map["data"]["a"], "two");
    let change = bench.planned("again", SHOP).await?;
    assert_eq!(
        change["after"]["changes"]["ConfigMap/default/web"],
        "~ .data.a: \"two\" -> \"three\""
    );
    Ok(())
}
