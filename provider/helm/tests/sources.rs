//! Fetching over real sockets: repositories, registries, redirects, credentials, digests, cache.

#[path = "support/server.rs"]
mod server;

use std::io::Write as _;
use std::sync::Arc;

use flate2::{Compression, write::GzEncoder};
use helm::source::{Credentials, Error, Fetcher, Request};
use secret::SecretString;
use server::Server;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use transport::{Dialer, SystemClock, Trust, http_client};

fn archive(version: &str) -> Vec<u8> {
    let text = format!("apiVersion: v2\nname: web\nversion: {version}\n");
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, "web/Chart.yaml", text.as_bytes())
        .expect("memory");
    let mut gzip = tar.into_inner().expect("memory");
    gzip.flush().expect("memory");
    gzip.finish().expect("memory")
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn fetcher() -> Fetcher {
    let client = http_client(&Trust::system(), &Dialer::direct(), "test").expect("sound settings");
    Fetcher::new(client, SystemClock::shared())
}

fn request(chart: &str, repository: Option<String>) -> Request {
    Request {
        chart: chart.to_owned(),
        repository,
        credentials: Some(Arc::new(Credentials {
            username: "me".into(),
            password: SecretString::new("pw"),
        })),
        ..Request::default()
    }
}

const BASIC: &str = "Basic bWU6cHc=";

#[tokio::test]
async fn a_repository_gives_the_newest_and_credentials_stay_on_its_host() {
    let (home, elsewhere) = (Server::start().await, Server::start().await);
    let bytes = archive("1.2.0");
    let index = format!(
        "apiVersion: v1\nentries:\n  web:\n  - version: 1.2.0\n    digest: {}\n    urls: [web.tgz]\n  - version: 1.1.0\n    urls: [{}/old.tgz]\n",
        digest(&bytes),
        elsewhere.base
    );
    home.page("/r/index.yaml", 200, "", index);
    let location = format!("location: {}/moved.tgz\r\n", elsewhere.base);
    home.page("/r/web.tgz", 302, &location, "");
    elsewhere.page("/moved.tgz", 200, "", bytes.clone());
    elsewhere.page("/old.tgz", 200, "", archive("1.1.0"));
    let (fetcher, cancel) = (fetcher(), CancellationToken::new());

    let mut wanted = request("web", Some(format!("{}/r", home.base)));
    let fetched = fetcher.fetch(&wanted, &cancel).await.expect("it is there");
    assert_eq!(
        (fetched.version.as_str(), fetched.digest),
        ("1.2.0", digest(&bytes))
    );
    assert_eq!(
        home.seen(),
        [
            format!("/r/index.yaml {BASIC}"),
            format!("/r/web.tgz {BASIC}")
        ]
    );
    assert_eq!(
        elsewhere.seen(),
        ["/moved.tgz -"],
        "no credentials for another host"
    );

    wanted.version = Some("~1.1".into());
    let fetched = fetcher.fetch(&wanted, &cancel).await.expect("it is there");
    assert_eq!(fetched.version, "1.1.0");
    assert_eq!(elsewhere.seen(), ["/old.tgz -"]);
    assert!(home.seen().is_empty(), "the index is read once");

    elsewhere.page("/moved.tgz", 200, "", archive("1.2.0-changed"));
    wanted.version = None;
    let error = fetcher
        .fetch(&wanted, &cancel)
        .await
        .expect_err("other bytes");
    assert!(matches!(error, Error::Digest { .. }), "{error}");
}

#[tokio::test]
async fn a_pinned_digest_is_held_and_answered_from_the_cache() {
    let server = Server::start().await;
    let bytes = archive("1.0.0");
    server.page("/web.tgz", 200, "", bytes.clone());
    let folder = tempfile::tempdir().expect("scratch");
    let fetcher = fetcher().cache(folder.path());
    let cancel = CancellationToken::new();
    let mut wanted = request(&format!("{}/web.tgz", server.base), None);
    wanted.digest = Some(digest(b"other"));
    let error = fetcher
        .fetch(&wanted, &cancel)
        .await
        .expect_err("other bytes");
    assert!(matches!(error, Error::Digest { .. }), "{error}");
    wanted.digest = Some(digest(&bytes));
    for _ in 0..2 {
        fetcher.fetch(&wanted, &cancel).await.expect("it is there");
    }
    assert_eq!(server.seen().len(), 2, "the third time needs no call");
}

#[tokio::test]
async fn a_registry_wants_a_token_first() {
    let server = Server::start().await;
    let bytes = archive("1.0.0+build");
    let layer = format!("sha256:{}", digest(&bytes));
    let manifest = format!(
        "{{\"layers\": [{{\"mediaType\": \"application/vnd.cncf.helm.chart.content.v1.tar+gzip\", \"digest\": \"{layer}\"}}]}}"
    );
    let challenge = format!(
        "www-authenticate: Bearer realm=\"{}/token\",service=\"s\",scope=\"repository:org/web:pull\"\r\n",
        server.base
    );
    for path in [
        "tags/list?n=1000".to_owned(),
        "manifests/1.0.0_build".to_owned(),
        format!("blobs/{layer}"),
    ] {
        server.page(&format!("/v2/org/web/{path}"), 401, &challenge, "");
    }
    let allowed = |path: &str| format!("/v2/org/web/{path} Bearer t0ken");
    server.page(
        &allowed("tags/list?n=1000"),
        200,
        "",
        r#"{"tags": ["0.9.0", "1.0.0_build", "x"]}"#,
    );
    server.page(&allowed("manifests/1.0.0_build"), 200, "", manifest);
    server.page(&allowed(&format!("blobs/{layer}")), 200, "", bytes);
    let token = format!("/token?service=s&scope=repository%3Aorg%2Fweb%3Apull {BASIC}");
    server.page(&token, 200, "", r#"{"token": "t0ken"}"#);
    let wanted = request(
        "web",
        Some(server.base.replace("http://", "oci://") + "/org"),
    );
    let fetched = fetcher().fetch(&wanted, &CancellationToken::new()).await;
    let fetched = fetched.unwrap_or_else(|error| panic!("{error}: {:?}", server.seen()));
    assert_eq!(fetched.version, "1.0.0+build");
    assert!(
        fetched.origin.ends_with("/org/web:1.0.0_build"),
        "{}",
        fetched.origin
    );
}

#[tokio::test]
async fn a_mirror_stands_for_every_host_and_gets_no_credentials() {
    let server = Server::start().await;
    server.page("/m/charts.example.com/x/index.yaml", 200, "", "entries:\n  web:\n  - version: 1.0.0\n    urls: [\"https://github.example.com/web.tgz\"]\n");
    server.page("/m/github.example.com/web.tgz", 200, "", archive("1.0.0"));
    let fetcher = fetcher()
        .mirror(&format!("{}/m", server.base))
        .expect("an address");
    let wanted = request("web", Some("https://charts.example.com/x".into()));
    fetcher
        .fetch(&wanted, &CancellationToken::new())
        .await
        .expect("it is there");
    assert_eq!(
        server.seen(),
        [
            "/m/charts.example.com/x/index.yaml -",
            "/m/github.example.com/web.tgz -"
        ]
    );
}

#[tokio::test]
async fn a_folder_that_changed_is_still_known_by_its_digest() {
    let (chart, kept) = (
        tempfile::tempdir().expect("scratch"),
        tempfile::tempdir().expect("scratch"),
    );
    let write = |text: &str| {
        std::fs::create_dir_all(chart.path().join("templates")).expect("a folder");
        std::fs::write(
            chart.path().join("Chart.yaml"),
            "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        )
        .expect("a file");
        std::fs::write(chart.path().join("templates/a.yaml"), text).expect("a file");
    };
    let fetcher = fetcher().cache(kept.path());
    let cancel = CancellationToken::new();
    let mut wanted = request(&chart.path().display().to_string(), None);
    write("a: 1\n");
    let first = fetcher.fetch(&wanted, &cancel).await.expect("a chart");
    write("a: 2\n");
    let second = fetcher.fetch(&wanted, &cancel).await.expect("a chart");
    assert_ne!(first.digest, second.digest);
    wanted.digest = Some(first.digest.clone());
    let again = fetcher.fetch(&wanted, &cancel).await.expect("it is kept");
    assert_eq!(again.digest, first.digest);
    assert_eq!(&again.chart.templates[0].data[..], b"a: 1\n");
    // Nobody knows what was never seen, and a broken file is nothing.
    wanted.digest = Some(digest(b"never"));
    let error = fetcher
        .fetch(&wanted, &cancel)
        .await
        .expect_err("other files");
    assert!(matches!(error, Error::Digest { .. }), "{error}");
    let file = kept
        .path()
        .join("sha256")
        .join(format!("{}.files", first.digest));
    std::fs::write(file, b"broken").expect("a file");
    wanted.digest = Some(first.digest);
    let error = fetcher.fetch(&wanted, &cancel).await.expect_err("broken");
    assert!(matches!(error, Error::Digest { .. }), "{error}");
}

#[tokio::test]
async fn an_archive_on_this_machine_that_changed_is_still_known_by_its_digest() {
    let folder = tempfile::tempdir().expect("scratch");
    let path = folder.path().join("web.tgz");
    let fetcher = fetcher().cache(folder.path().join("cache"));
    let cancel = CancellationToken::new();
    let mut wanted = request(&path.display().to_string(), None);
    std::fs::write(&path, archive("1.0.0")).expect("a file");
    let first = fetcher.fetch(&wanted, &cancel).await.expect("a chart");
    std::fs::write(&path, archive("2.0.0")).expect("a file");
    wanted.digest = Some(first.digest);
    let again = fetcher.fetch(&wanted, &cancel).await.expect("it is kept");
    assert_eq!(again.version, "1.0.0");
}

#[tokio::test]
async fn a_registry_that_wants_a_password_gets_it_and_nobody_else() {
    let (server, elsewhere) = (Server::start().await, Server::start().await);
    let bytes = archive("1.0.0");
    let layer = format!("sha256:{}", digest(&bytes));
    let manifest = format!(
        "{{\"layers\": [{{\"mediaType\": \"application/vnd.cncf.helm.chart.content.v1.tar+gzip\", \"digest\": \"{layer}\"}}]}}"
    );
    let challenge = "www-authenticate: Basic realm=\"charts\"\r\n";
    let manifests = "/v2/org/web/manifests/1.0.0";
    server.page(manifests, 401, challenge, "");
    server.page(&format!("{manifests} {BASIC}"), 200, "", manifest);
    // Blobs are often in a store on another host, which must not learn the password.
    let location = format!("location: {}/blob?signed=x\r\n", elsewhere.base);
    server.page(
        &format!("/v2/org/web/blobs/{layer} {BASIC}"),
        307,
        &location,
        "",
    );
    elsewhere.page("/blob?signed=x", 200, "", bytes);
    let mut wanted = request(
        "web",
        Some(server.base.replace("http://", "oci://") + "/org"),
    );
    wanted.version = Some("1.0.0".into());
    let fetched = fetcher().fetch(&wanted, &CancellationToken::new()).await;
    let fetched = fetched.unwrap_or_else(|error| panic!("{error}: {:?}", server.seen()));
    assert_eq!(fetched.version, "1.0.0");
    assert_eq!(elsewhere.seen(), ["/blob?signed=x -"]);

    // Who gives tokens is told by the registry: the password does not follow it to strangers.
    let stranger = elsewhere.base.replace("127.0.0.1", "localhost");
    let challenge =
        format!("www-authenticate: Bearer realm=\"{stranger}/token\",service=\"s\"\r\n");
    server.page(manifests, 401, &challenge, "");
    let refused = fetcher().fetch(&wanted, &CancellationToken::new()).await;
    assert!(refused.is_err());
    let seen = elsewhere.seen();
    assert!(seen.iter().all(|call| call.ends_with(" -")), "{seen:?}");
    assert!(
        seen.iter().any(|call| call.starts_with("/token")),
        "{seen:?}"
    );
}
