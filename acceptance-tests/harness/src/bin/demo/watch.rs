//! Runs `terraform apply` or `destroy` and shows what happens: terraform's own events for resources, the provider's log
//! for steps, the sandbox's inventory for machines.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use harness::{Cloud, Terraform};
use indicatif::ProgressBar;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::Result;
use crate::screen::Screen;

/// Runs the command to its end.
pub async fn change(
    terraform: &Terraform,
    cloud: &Cloud,
    command: &[&str],
    log: &Path,
    screen: &Screen,
) -> Result<()> {
    let arguments = command.iter().copied().chain(["-auto-approve", "-json"]);
    let mut child = terraform
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdout = child
        .stdout
        .take()
        .ok_or("terraform has no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let mut show = Show::new(screen);
    let mut steps = Steps::from(log);
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    let admin = cloud.admin();
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => show.event(&line),
                None => break,
            },
            _ = tick.tick() => {
                steps.read_on().iter().for_each(|step| show.step(step));
                if let Ok(inventory) = admin.inventory().await {
                    let running = inventory.vms.iter().filter(|vm| vm.running).count();
                    let ready = inventory.nodes.iter().filter(|node| node.stage == "running").count();
                    show.machines(inventory.vms.len(), running, ready);
                }
            }
        }
    }
    steps.read_on().iter().for_each(|step| show.step(step));
    let status = child.wait().await?;
    show.end();
    if status.success() {
        return Ok(());
    }
    Err(format!(
        "terraform {} failed:\n{}",
        command.join(" "),
        show.diagnostics.join("\n")
    )
    .into())
}

/// What is on screen.
struct Show<'s> {
    screen: &'s Screen,
    resources: BTreeMap<String, ProgressBar>,
    machines: Option<ProgressBar>,
    last: (usize, usize, usize),
    diagnostics: Vec<String>,
}

impl<'s> Show<'s> {
    fn new(screen: &'s Screen) -> Self {
        Self {
            screen,
            resources: BTreeMap::new(),
            machines: None,
            last: (0, 0, 0),
            diagnostics: Vec::new(),
        }
    }

    /// One line of terraform's machine-readable output.
    fn event(&mut self, line: &str) {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            return;
        };
        let text = |pointer: &str| {
            event
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let address = text("/hook/resource/addr");
        match text("/type").as_str() {
            "change_summary" | "planned_change" => self.screen.line(&text("/@message")),
            "apply_start" => {
                let spinner = self.screen.spinner(&address);
                if !self.screen.is_terminal() {
                    self.screen.line(&text("/@message"));
                }
                self.resources.insert(address, spinner);
            }
            "apply_complete" | "apply_errored" => {
                if let Some(spinner) = self.resources.remove(&address) {
                    spinner.finish_and_clear();
                }
                self.screen.line(&text("/@message"));
            }
            "diagnostic" => {
                let detail = text("/diagnostic/detail");
                self.diagnostics
                    .push(format!("{}\n{detail}", text("/@message")));
                self.screen.line(&text("/@message"));
            }
            _ => {}
        }
    }

    /// A step that the provider's log told of.
    fn step(&self, step: &str) {
        match self.resources.values().next() {
            Some(spinner) if self.screen.is_terminal() => {
                self.resources
                    .values()
                    .for_each(|spinner| spinner.set_message(step.to_owned()));
                let _ = spinner;
            }
            _ => self.screen.line(step),
        }
    }

    /// How many machines there are.
    fn machines(&mut self, made: usize, running: usize, ready: usize) {
        if (made, running, ready) == self.last {
            return;
        }
        self.last = (made, running, ready);
        let message = format!("{running} started, {ready} running Talos");
        if !self.screen.is_terminal() {
            self.screen
                .line(&format!("machines: {made} made, {message}"));
            return;
        }
        let bar = self
            .machines
            .get_or_insert_with(|| self.screen.bar("machines", 0));
        bar.set_length(bar.length().unwrap_or_default().max(made as u64));
        bar.set_position(ready as u64);
        bar.set_message(message);
    }

    fn end(&mut self) {
        self.resources
            .values()
            .for_each(ProgressBar::finish_and_clear);
        if let Some(bar) = self.machines.take() {
            bar.finish_and_clear();
        }
    }
}

/// The provider's log, read from where the last look ended.
struct Steps {
    file: Option<std::fs::File>,
    path: std::path::PathBuf,
    rest: String,
}

impl Steps {
    /// From the end of what is there: a later command appends to the same file.
    fn from(path: &Path) -> Self {
        let file = std::fs::File::open(path).ok().and_then(|mut file| {
            file.seek(SeekFrom::End(0)).ok()?;
            Some(file)
        });
        Self {
            file,
            path: path.to_owned(),
            rest: String::new(),
        }
    }

    /// Steps that began since the last look.
    fn read_on(&mut self) -> Vec<String> {
        if self.file.is_none() {
            self.file = std::fs::File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else {
            return Vec::new();
        };
        let mut bytes = Vec::new();
        if file.read_to_end(&mut bytes).is_err() {
            return Vec::new();
        }
        self.rest.push_str(&String::from_utf8_lossy(&bytes));
        let Some(end) = self.rest.rfind('\n') else {
            return Vec::new();
        };
        let whole: String = self.rest.drain(..=end).collect();
        whole.lines().filter_map(started).collect()
    }
}

/// The step a log line tells of: `... step started: ... step="make cp-02" ...`.
fn started(line: &str) -> Option<String> {
    if !line.contains("step started") {
        return None;
    }
    let field = |name: &str| {
        let rest = line.split_once(&format!(" {name}="))?.1;
        Some(match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or_default(),
            None => rest.split(' ').next().unwrap_or_default(),
        })
    };
    Some(format!("{}: {}", field("subject")?, field("step")?))
}
