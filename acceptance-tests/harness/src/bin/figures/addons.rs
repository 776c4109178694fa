//! What a plan without changes of a cluster with thirty add-ons costs: CPU of the provider, lists of the Kubernetes API.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use harness::{Binaries, Cloud, Terraform, repository};

use crate::Result;
use crate::table::Table;

/// How many.
const ADDONS: usize = 30;
/// How often the provider's times are read.
const SAMPLE: Duration = Duration::from_millis(5);
/// Clock ticks a second in `/proc/PID/stat`: Linux has this one figure for user space (proc(5)).
const TICKS: f64 = 100.0;

/// Thirty releases of the sandbox's own chart.
const RELEASES: &str = r#"
resource "managedk8s_addon" "shop" {
  count      = 30
  cluster    = managedk8s_cluster.dev.handle
  name       = "shop-${count.index}"
  namespace  = "shop"
  repository = "https://charts.suite.example/stable"
  chart      = "suite-shop"
  version    = "1.0.0"
  crds       = { install = count.index == 0 }
  depends_on = [managedk8s_worker_pool.default]
}
"#;

/// Installs them once and plans.
pub async fn measure(binaries: &Binaries, table: &mut Table) -> Result<()> {
    let home = std::env::temp_dir().join(format!("managedk8s-addons-{}", std::process::id()));
    std::fs::create_dir_all(&home)?;
    let result = measure_in(&home, binaries, table).await;
    std::fs::remove_dir_all(&home)?;
    result
}

async fn measure_in(home: &Path, binaries: &Binaries, table: &mut Table) -> Result<()> {
    let cloud = Cloud::start(binaries, home.join("sandbox.log"), ["--profile", "fast"]).await?;
    let mut ours = Terraform::new(home.join("ours"), binaries)?;
    ours.copy_example(&repository().join("examples/devtest"))?;
    ours.write("shop.tf", RELEASES)?;
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    let key = base64::engine::general_purpose::STANDARD.encode(key);
    cloud.connect(&mut ours, &key);
    ours.init().await?;
    ours.run(["apply", "-auto-approve"]).await?.expect_code(0)?;
    cloud.admin().reset_calls().await?;
    let running = tokio::spawn({
        let mirror = ours.folder().join(".mirror");
        async move { cpu_of(&mirror).await }
    });
    ours.run(["plan", "-detailed-exitcode"])
        .await?
        .expect_code(0)?;
    running.abort();
    let seconds = LAST
        .lock()
        .map(|last| last.values().sum::<f64>())
        .unwrap_or_default();
    let calls = cloud.admin().calls().await?;
    let lists: Vec<u64> = calls
        .iter()
        .filter(|(call, _)| call.starts_with("kubernetes") && !call.contains('{'))
        .map(|(_, count)| *count)
        .collect();
    table.row(
        &format!("no-change plan, {ADDONS} add-ons"),
        "CPU of the provider, cluster and pool included",
        format!("{seconds:.2} s"),
        "under 1 s",
    );
    table.row(
        "",
        "Kubernetes API calls in all",
        calls
            .iter()
            .filter(|(call, _)| call.starts_with("kubernetes"))
            .map(|(_, count)| *count)
            .sum::<u64>()
            .to_string(),
        "",
    );
    table.row(
        "",
        "lists of one kind, at most",
        lists.into_iter().max().unwrap_or_default().to_string(),
        "1",
    );
    cloud.stop().await?;
    Ok(())
}

/// The last times seen of each process of the provider.
static LAST: std::sync::Mutex<BTreeMap<u32, f64>> = std::sync::Mutex::new(BTreeMap::new());

/// Reads the times of every process whose program is below `mirror`, until it is aborted.
async fn cpu_of(mirror: &Path) {
    loop {
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let program = std::fs::read_link(entry.path().join("exe")).unwrap_or_default();
            if !program.starts_with(mirror) {
                continue;
            }
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // After the name in brackets: state, then times as the twelfth and thirteenth word.
            let words: Vec<&str> = stat
                .rsplit(") ")
                .next()
                .unwrap_or_default()
                .split(' ')
                .collect();
            let ticks = |at: usize| {
                let word = words.get(at).copied().unwrap_or_default();
                word.parse::<f64>().unwrap_or_default()
            };
            if let Ok(mut last) = LAST.lock() {
                last.insert(pid, (ticks(11) + ticks(12)) / TICKS);
            }
        }
        tokio::time::sleep(SAMPLE).await;
    }
}
