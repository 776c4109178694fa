//! What the demo shows: bars on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The screen.
#[derive(Clone, Debug)]
pub struct Screen {
    bars: Arc<MultiProgress>,
    terminal: bool,
}

impl Screen {
    /// Bars when standard error is a terminal, lines otherwise.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bars: Arc::new(MultiProgress::with_draw_target(target)),
            terminal,
        }
    }

    /// Whether bars are drawn.
    pub const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// What begins now.
    pub fn title(&self, text: &str) {
        self.print(&if self.terminal {
            format!("\n\x1b[1m{text}\x1b[0m")
        } else {
            format!("== {text}")
        });
    }

    /// Something that went well.
    pub fn good(&self, text: &str) {
        self.print(&if self.terminal {
            format!("\x1b[32m✓ {text}\x1b[0m")
        } else {
            format!("ok: {text}")
        });
    }

    /// Something that went wrong.
    pub fn failure(&self, text: &str) {
        self.print(&if self.terminal {
            format!("\x1b[31m✗ {text}\x1b[0m")
        } else {
            format!("failed: {text}")
        });
    }

    /// A line of detail.
    pub fn line(&self, text: &str) {
        self.print(&format!("  {text}"));
    }

    /// Several lines of detail.
    pub fn block(&self, text: &str) {
        text.lines().for_each(|line| self.line(line));
    }

    fn print(&self, text: &str) {
        if self.terminal {
            // A terminal that cannot be written to has nobody watching.
            let _ = self.bars.println(text);
        } else {
            eprintln!("{text}");
        }
    }

    /// A bar that counts to `length`.
    pub fn bar(&self, name: &str, length: u64) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(length));
        let style = ProgressStyle::with_template(
            "  {prefix:<34} {bar:24.cyan/blue} {pos:>2}/{len:<2} {msg}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_prefix(name.to_owned());
        bar
    }

    /// A line that turns while something is under way.
    pub fn spinner(&self, name: &str) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("  {prefix:<34} {spinner} {elapsed:>4} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        bar.set_style(style);
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        bar
    }
}
