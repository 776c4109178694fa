//! One case's own sandbox and working folder, and what is done in them.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use harness::{Binaries, Cloud, Finished, Terraform, repository};
use sandbox::admin::{Client, Inventory};
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use crate::Result;
use crate::judge;
use crate::kinds::{Case, Kind, Way};
use crate::processes;

/// How long a run may take on a busy machine.
const RUN_LIMIT: Duration = Duration::from_mins(4);
/// How long processes may take to end once they have a reason to.
const END_LIMIT: Duration = Duration::from_secs(20);

/// A sandbox and one user's working folder.
pub struct World {
    /// The sandbox.
    cloud: Cloud,
    /// The working folder of the first user.
    pub terraform: Terraform,
    key: String,
    binaries: Binaries,
    folder: TempDir,
}

impl World {
    /// A fresh one, with the quickstart example.
    pub async fn start() -> Result<Self> {
        let binaries = Binaries::find()?;
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("sandbox.log");
        let cloud = Cloud::start(&binaries, log, ["--profile", "fast"]).await?;
        let bytes: [u8; 32] = std::array::from_fn(|place| (place * 7 + 3) as u8);
        let key = base64::engine::general_purpose::STANDARD.encode(bytes);
        let terraform = workspace(&binaries, &cloud, &key, &folder.path().join("work")).await?;
        Ok(Self {
            cloud,
            terraform,
            key,
            binaries,
            folder,
        })
    }

    /// Another user's working folder on the same sandbox: the same configuration, another state.
    pub async fn second_workspace(&self) -> Result<Terraform> {
        let folder = self.folder.path().join("second");
        workspace(&self.binaries, &self.cloud, &self.key, &folder).await
    }

    /// The sandbox's admin endpoint.
    pub fn admin(&self) -> Client {
        self.cloud.admin()
    }

    /// Everything that is there.
    pub async fn inventory(&self) -> Result<Inventory> {
        Ok(self.admin().inventory().await?)
    }

    /// `terraform apply` that must succeed, destroy nothing, and leave nothing to do.
    pub async fn apply_to_the_end(&self) -> Result<Finished> {
        let applied = limited(self.terraform.apply()).await?.expect_code(0)?;
        if !applied.stdout.contains(" 0 destroyed") {
            return Err(format!("the apply destroyed something:\n{}", applied.text()).into());
        }
        limited(self.terraform.plan()).await?.expect_code(0)?;
        Ok(applied)
    }

    /// Starts an apply, lets the accident of `case` happen at its place, and waits until no process is left of it.
    /// Answers what was there at that moment.
    pub async fn accident(&self, case: &Case) -> Result<Inventory> {
        let log = self.folder.path().join("accident.log");
        let output = std::fs::File::create(&log)?;
        let mut command = self
            .terraform
            .command(["apply", "-auto-approve", "-no-color"]);
        command
            .stdout(Stdio::from(output.try_clone()?))
            .stderr(Stdio::from(output))
            .process_group(0);
        let admin = self.admin();
        let mut point = admin.pause_at(&case.place.next(case.at)).await?;
        let mut child = command.spawn()?;
        let pid = child.id().ok_or("terraform ended at once")?;
        let outcome = async {
            self.reach(case, &mut point, &mut child, &log).await?;
            let before = self.inventory().await?;
            let providers = processes::children(pid);
            if providers.is_empty() {
                return Err("terraform has no provider process to kill".into());
            }
            strike(case.way, pid, &providers, &mut child).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((before, providers))
        }
        .await;
        // Whatever happened, the sandbox must not stay frozen.
        admin.release(point).await?;
        let (before, providers) = outcome?;
        timeout(END_LIMIT * 3, child.wait())
            .await
            .map_err(|_| format!("terraform does not end:\n{}", read(&log)))??;
        processes::gone(&providers, END_LIMIT).await?;
        Ok(before)
    }

    /// Waits until the sandbox stands still at the place; `point` becomes the pause point that holds it.
    async fn reach(&self, case: &Case, point: &mut u64, child: &mut Child, log: &Path) -> Result {
        let admin = self.admin();
        let end = Instant::now() + RUN_LIMIT;
        let mut seen = 0;
        loop {
            let state = admin
                .pause_state(*point, Duration::from_millis(250))
                .await?;
            if let Some(call) = &state.reached {
                seen += u64::from(Kind::of(call) == case.place.kind);
                if seen == case.place.n {
                    return Ok(());
                }
                // The next point stands before this one lets go, so that no write passes in between.
                let next = admin.pause_at(&case.place.next(case.at)).await?;
                admin.release(*point).await?;
                *point = next;
            } else if let Some(status) = child.try_wait()? {
                let log = read(log);
                return Err(
                    format!("the run ended with {status} before this write:\n{log}").into(),
                );
            } else if Instant::now() > end {
                return Err(format!("the run never made this write:\n{}", read(log)).into());
            }
        }
    }

    /// What the next user does: apply again. Where a complete cluster is in no state that is refused, nothing is
    /// touched, and the `import` block of the refusal ends it.
    pub async fn recover(&self, case: &Case, before: &Inventory, wanted: &[String]) -> Result {
        if case.place.completes && case.way != Way::Interrupt {
            self.import_as_told().await?;
        } else {
            self.apply_to_the_end().await?;
        }
        let after = self.inventory().await?;
        judge::none_replaced(before, &after)?;
        judge::same(wanted, &after)
    }

    /// The apply of a state that lacks the complete cluster is refused with an `import` block; with it, the next one
    /// ends complete.
    pub async fn import_as_told(&self) -> Result {
        let before = self.inventory().await?;
        self.admin().reset_calls().await?;
        let refused = limited(self.terraform.apply()).await?.expect_code(1)?;
        let words = refused.words();
        if !words.contains("a complete cluster of this identifier exists") {
            return Err(format!("refused for another reason:\n{words}").into());
        }
        let writes = self.admin().writes().await?;
        if !writes.is_empty() || self.inventory().await? != before {
            return Err(format!("a refused apply wrote: {writes:#?}").into());
        }
        let block = import_block(&refused)?;
        self.terraform.write("import.tf", &block)?;
        let applied = self.apply_to_the_end().await?;
        if !applied.stdout.contains("1 imported") {
            return Err(format!("nothing was imported:\n{}", applied.text()).into());
        }
        Ok(())
    }
}

/// A working folder with the quickstart example, connected and initialised.
async fn workspace(
    binaries: &Binaries,
    cloud: &Cloud,
    key: &str,
    folder: &Path,
) -> Result<Terraform> {
    let mut terraform = Terraform::new(folder, binaries)?;
    terraform.copy_example(&repository().join("examples/quickstart"))?;
    cloud.connect(&mut terraform, key);
    terraform.init().await?;
    Ok(terraform)
}

/// What happens at the place.
async fn strike(way: Way, pid: u32, providers: &[u32], child: &mut Child) -> Result {
    match way {
        Way::KillProvider => {
            for provider in providers {
                processes::signal("KILL", &provider.to_string()).await?;
            }
            // The sandbox still stands: nothing but the kill ends the run.
            timeout(END_LIMIT, child.wait())
                .await
                .map_err(|_| "terraform does not end without its provider")??;
        }
        Way::KillTerraform => {
            processes::signal("KILL", &pid.to_string()).await?;
            processes::gone(providers, END_LIMIT).await?;
        }
        Way::Interrupt => {
            processes::signal("INT", &format!("-{pid}")).await?;
            // A call under way may still get its answer: give the run the time to see the signal first.
            sleep(Duration::from_millis(300)).await;
        }
    }
    Ok(())
}

/// The block to paste, as the message holds it, with the resource's name put in.
fn import_block(refused: &Finished) -> Result<String> {
    let missing = || format!("no import block in:\n{}", refused.text());
    let text = refused.text();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim_start_matches(['│', ' ']))
        .collect();
    let text = lines.join("\n");
    let start = text.find("import {").ok_or_else(missing)?;
    let length = text[start..].find("\n}").ok_or_else(missing)? + 2;
    let block = &text[start..start + length];
    if !block.contains("managedk8s_cluster.NAME") {
        return Err(missing().into());
    }
    Ok(block.replace("managedk8s_cluster.NAME", "managedk8s_cluster.prod"))
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}

/// A command that must end in time.
pub async fn limited(
    command: impl Future<Output = std::result::Result<Finished, harness::Error>>,
) -> Result<Finished> {
    Ok(timeout(RUN_LIMIT, command)
        .await
        .map_err(|_| format!("terraform does not end within {RUN_LIMIT:?}"))??)
}
