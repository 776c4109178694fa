//! The official clients. They run when the environment names them: `MANAGEDK8S_KUBECTL`, `MANAGEDK8S_HELM`.

use std::process::Stdio;

use super::bed::Bed;

/// Runs a program on the bed; its output and whether it succeeded. Nothing when the environment does not name it.
async fn run(bed: &Bed, variable: &str, arguments: &[&str], input: &str) -> Option<(bool, String)> {
    use tokio::io::AsyncWriteExt as _;

    let program = std::env::var_os(variable)?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .env("KUBECONFIG", bed.path("config"))
        .env("HOME", bed.path(""))
        .env("HELM_CACHE_HOME", bed.path("helm-cache"))
        .env("HELM_CONFIG_HOME", bed.path("helm-config"))
        .env("HELM_DATA_HOME", bed.path("helm-data"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program named by the environment starts");
    let mut stdin = child.stdin.take().expect("it was piped");
    stdin
        .write_all(input.as_bytes())
        .await
        .expect("the program reads");
    drop(stdin);
    let output = child.wait_with_output().await.expect("the program ends");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Some((output.status.success(), text))
}

/// Serves until interrupted, for trying things by hand: `cargo test -p sandbox by_hand -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "serves until interrupted"]
async fn by_hand() {
    let bed = Bed::with_nodes().await;
    let marker = std::env::var("BY_HAND").unwrap_or_else(|_| "by-hand-kubeconfig".to_owned());
    std::fs::copy(bed.path("config"), marker).expect("the folder is writable");
    std::fs::copy(bed.path("reader"), std::env::temp_dir().join("reader"))
        .expect("the folder is writable");
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_version() {
    let bed = Bed::new().await;
    let Some((fine, text)) = run(&bed, "MANAGEDK8S_KUBECTL", &["version"], "").await else {
        return;
    };
    assert!(fine && text.contains("Server Version: v1.36.3"), "{text}");
}
