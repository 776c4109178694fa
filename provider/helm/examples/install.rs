//! What an installation costs besides the API's own time: a chart of a hundred objects is installed and upgraded
//! on a cluster in memory that answers at once. Prints the microseconds of each, for `cargo figures`.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]
#![expect(dead_code, reason = "the tests' cluster can more than is used here")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use helm::release::{Options, Wait};
use helm::{Chart, ReleaseId, Releases};
use tokio_util::sync::CancellationToken;
use transport::SystemClock;

const CHART: &str = "apiVersion: v2\nname: many\nversion: 1.0.0\n";
const TEMPLATE: &str = r#"{{ range until 100 }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "c{{ . }}", labels: {app: "{{ $.Release.Name }}"}}
data: {number: "{{ . }}", changed: "{{ $.Values.changed }}"}
{{ end }}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("helm-install-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("templates"))?;
    std::fs::write(folder.join("Chart.yaml"), CHART)?;
    std::fs::write(folder.join("templates/all.yaml"), TEMPLATE)?;
    let chart = Chart::load(&folder);
    std::fs::remove_dir_all(&folder)?;
    let chart = chart?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let (mut install, mut upgrade) = (u128::MAX, u128::MAX);
    for _ in 0..10 {
        let (one, two) = runtime.block_on(once(&chart))?;
        install = install.min(one);
        upgrade = upgrade.min(two);
    }
    println!("{install} {upgrade}");
    Ok(())
}

async fn once(chart: &Chart) -> Result<(u128, u128), Box<dyn Error>> {
    let cluster = support::Memory::default();
    let releases = Releases::new(Arc::new(cluster), SystemClock::shared());
    let id = ReleaseId::new("default", "many");
    let options = Options {
        wait: Wait::Hooks,
        ..Options::default()
    };
    let cancel = CancellationToken::new();
    let mut times = Vec::new();
    for changed in ["no", "yes"] {
        let mut values = serde_json::Map::new();
        values.insert("changed".to_owned(), changed.into());
        let start = Instant::now();
        releases
            .deploy(&id, chart, &values, &options, &cancel)
            .await?;
        times.push(start.elapsed().as_micros());
    }
    Ok((times[0], times[1]))
}
