//! `cargo demo`: builds the provider, starts the simulated cloud and lets the real terraform create
//! `examples/quickstart` on it; shows an empty second plan and how to use kubectl. Stays until Ctrl-C, or with
//! `--destroy` ends by destroying everything.

mod screen;
mod watch;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use clap::Parser;
use harness::{Binaries, Cloud, Terraform, repository};

use screen::Screen;

/// Watches the real terraform create a production cluster on a simulated cloud.
#[derive(Debug, Parser)]
#[command(name = "cargo demo", version)]
struct Options {
    /// End by destroying everything and showing that nothing is left
    #[arg(long)]
    destroy: bool,
    /// The example to apply, a folder below `examples`
    #[arg(long, default_value = "quickstart")]
    example: String,
    /// Durations of the simulated cloud are divided by this
    #[arg(long, default_value_t = 4.0)]
    speed: f64,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let screen = Screen::new();
    match run(&options, &screen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen.failure(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options, screen: &Screen) -> Result<()> {
    screen.title("building terraform-provider-managedk8s and the sandbox");
    let binaries = Binaries::find()?;
    let home = home()?;
    screen.title("starting the simulated cloud: OpenIaaS, Talos nodes, Kubernetes, charts");
    let speed = options.speed.to_string();
    let arguments = ["--profile", "demo", "--speed", &speed];
    let cloud = Cloud::start(&binaries, home.join("sandbox.log"), arguments).await?;
    screen.line(&format!(
        "API {}   admin {}",
        cloud.addresses.api, cloud.addresses.admin
    ));
    let example = repository().join("examples").join(&options.example);
    let mut terraform = Terraform::new(home.join("work"), &binaries)?;
    terraform.copy_example(&example)?;
    let key = new_key()?;
    cloud.connect(&mut terraform, &key);
    let log = home.join("provider.log");
    terraform
        .env("TF_LOG_PROVIDER", "INFO")
        .env("TF_LOG_PATH", &log);

    screen.title("terraform init");
    terraform.init().await?;
    screen.title(&format!("terraform apply   (examples/{})", options.example));
    watch::change(&terraform, &cloud, &["apply"], &log, screen).await?;
    screen.title("terraform plan, a second time");
    let plan = terraform.plan().await?;
    if plan.code != 0 {
        return Err(format!("the second plan is not empty:\n{}", plan.text()).into());
    }
    screen.good("no changes: what runs is what is written");
    kubectl(&terraform, &binaries, &cloud, &key, &home, screen).await?;
    if options.destroy {
        screen.title("terraform destroy");
        watch::change(&terraform, &cloud, &["destroy"], &log, screen).await?;
        let left = cloud.admin().inventory().await?;
        if !left.vms.is_empty() || !left.disks.is_empty() || !left.addresses.is_empty() {
            return Err(format!("left over after destroy: {left:?}").into());
        }
        screen.good("nothing is left: no machine, no disk, no address");
        return Ok(());
    }
    screen.good("everything stays up until Ctrl-C");
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// A fresh folder for this run, below the build folder: state, logs, kubeconfig.
fn home() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository().join("target"), PathBuf::from);
    let home = target.join("demo");
    if home.exists() {
        std::fs::remove_dir_all(&home)?;
    }
    std::fs::create_dir_all(&home)?;
    Ok(home)
}

/// As `terraform-provider-managedk8s key generate` makes it.
fn new_key() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Writes the kubeconfig and, where kubectl is installed, shows it at work.
async fn kubectl(
    terraform: &Terraform,
    binaries: &Binaries,
    cloud: &Cloud,
    key: &str,
    home: &Path,
    screen: &Screen,
) -> Result<()> {
    let output = terraform
        .run(["output", "-raw", "kubeconfig"])
        .await?
        .expect_code(0)?;
    let kubeconfig = home.join("kubeconfig");
    std::fs::write(&kubeconfig, &output.stdout)?;
    let programs = binaries
        .provider
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default();
    let quote = |value: &std::ffi::OsStr| format!("'{}'", value.to_string_lossy());
    let mut exports = vec![
        format!("export PATH={}:\"$PATH\"", quote(programs.as_os_str())),
        format!("export KUBECONFIG={}", quote(kubeconfig.as_os_str())),
        format!("export MANAGEDK8S_KEY='{key}'"),
    ];
    exports.extend(
        cloud
            .environment()
            .iter()
            .map(|(name, value)| format!("export {name}={}", quote(value))),
    );
    let settings = home.join("env");
    std::fs::write(&settings, exports.join("\n"))?;
    screen.title("kubectl get nodes");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        std::iter::once(programs.clone()).chain(std::env::split_paths(&path)),
    )?;
    let kubectl = std::env::var_os("MANAGEDK8S_KUBECTL").unwrap_or_else(|| "kubectl".into());
    let shown = tokio::process::Command::new(kubectl)
        .args(["get", "nodes", "--output", "wide"])
        .env("PATH", &path)
        .env("KUBECONFIG", &kubeconfig)
        .env("MANAGEDK8S_KEY", key)
        .output()
        .await;
    match shown {
        Ok(output) if output.status.success() => {
            screen.block(&String::from_utf8_lossy(&output.stdout));
        }
        Ok(output) => return Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        Err(_) => screen
            .line("kubectl is not installed here; with it, use the cluster from another terminal:"),
    }
    screen.line(&format!(
        "in another terminal:  . {}   then  kubectl get pods -A",
        settings.display()
    ));
    Ok(())
}
