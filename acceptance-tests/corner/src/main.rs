//! A provider of corner cases: every construct of the framework in one small program. Its objects
//! live in files of a directory, so that what terraform believes can be compared with what is.

mod action;
mod data;
mod ephemeral;
mod functions;
mod list;
mod provider;
mod store;
mod thing;

use std::process::ExitCode;

fn main() -> ExitCode {
    let debug = std::env::args().any(|argument| argument == "-debug");
    let options = framework::Options::new("example.test/test/corner")
        .debug(debug)
        .scrub(|line| line.replace("swordfish", "***"));
    framework::serve(provider::Corner, options)
}
