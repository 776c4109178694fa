//! A folder in which the real terraform runs.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

pub const CORNER: &str = env!("CARGO_BIN_EXE_terraform-provider-corner");

/// The program under which the tests run.
fn program() -> OsString {
    std::env::var_os("MANAGEDK8S_TERRAFORM").unwrap_or_else(|| "terraform".into())
}

/// Which program that is: its language grew with the years.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    pub tofu: bool,
    pub minor: u32,
}

impl Version {
    /// Asked once.
    pub fn get() -> Self {
        static VERSION: OnceLock<Version> = OnceLock::new();
        *VERSION.get_or_init(|| {
            let mut command = Command::new(program());
            command.arg("version").env("CHECKPOINT_DISABLE", "1");
            let output = command.output().expect("terraform is installed");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let minor = text
                .split_once(" v1.")
                .and_then(|(_, rest)| rest.split('.').next()?.parse().ok());
            Version {
                tofu: text.contains("OpenTofu v"),
                minor: minor.unwrap_or_else(|| panic!("no version in {text:?}")),
            }
        })
    }

    /// Whether it has what came with these minors; OpenTofu lacks some of it to this day.
    pub fn has(terraform: u32, tofu: Option<u32>) -> bool {
        let version = Self::get();
        let since = if version.tofu { tofu } else { Some(terraform) };
        since.is_some_and(|since| version.minor >= since)
    }

    /// Whether it knows ephemeral resources and write-only attributes.
    pub fn has_ephemeral_values() -> bool {
        Self::has(11, Some(11))
    }
}

/// A folder with a configuration, a store and settings of its own.
pub struct Workspace {
    pub dir: TempDir,
}

impl Workspace {
    pub fn new(body: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let binaries = Path::new(CORNER)
            .parent()
            .expect("a folder")
            .display()
            .to_string();
        let cli = format!(
            "provider_installation {{\n  dev_overrides {{\n    \"example.test/test/corner\" = \"{binaries}\"\n  }}\n  direct {{}}\n}}\n"
        );
        std::fs::write(dir.path().join("cli.tfrc"), cli).expect("written");
        std::fs::create_dir(dir.path().join("store")).expect("made");
        let workspace = Self { dir };
        workspace.write(body);
        workspace
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Replaces the configuration.
    pub fn write(&self, body: &str) {
        let store = self.path("store");
        let text = format!(
            "terraform {{\n  required_providers {{\n    corner = {{ source = \"example.test/test/corner\" }}\n  }}\n}}\n\
             provider \"corner\" {{\n  directory = \"{}\"\n}}\n{body}",
            store.display()
        );
        std::fs::write(self.path("main.tf"), text).expect("written");
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TF_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("TF_CLI_CONFIG_FILE", self.path("cli.tfrc"))
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .expect("terraform is installed")
    }

    /// Runs, expects success and returns standard output.
    pub fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = text(&output);
        assert!(output.status.success(), "{arguments:?}: {text}");
        text
    }

    /// Runs, expects failure and returns everything printed, on one line.
    pub fn fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        let words: Vec<_> = text
            .split_whitespace()
            .filter(|word| *word != "\u{2502}")
            .collect();
        words.join(" ")
    }

    pub fn apply(&self) -> String {
        self.succeed(&["apply", "-auto-approve", "-no-color"])
    }

    /// The exit code of a plan: 0 without changes, 2 with some.
    pub fn plan(&self) -> i32 {
        let output = self.run(&["plan", "-no-color", "-detailed-exitcode"]);
        let code = output.status.code().expect("a code");
        assert_ne!(code, 1, "{}", text(&output));
        code
    }

    /// The first instance of a thing in the state file.
    pub fn instance(&self) -> Json {
        let state = std::fs::read_to_string(self.path("terraform.tfstate")).expect("a state");
        let state: Json = serde_json::from_str(&state).expect("JSON");
        let things = state["resources"].as_array().expect("a list").iter();
        let mut things = things.filter(|r| r["type"] == "corner_thing" && r["mode"] == "managed");
        things
            .next()
            .map_or(Json::Null, |thing| thing["instances"][0].clone())
    }
}

pub fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// Waits for a condition, with a bound.
pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "not so: {what}");
        #[expect(
            clippy::disallowed_methods,
            reason = "another process gives no event to wait for, and there is no runtime here"
        )]
        std::thread::sleep(Duration::from_millis(20));
    }
}
