//! `terraform-provider-managedk8s`: serves Terraform and OpenTofu, and mints credentials for people.

mod actions;
mod addon;
mod attributes;
mod clients;
mod cluster;
mod credential;
mod data_sources;
mod deadline;
mod docs;
mod ephemeral;
mod functions;
#[cfg(test)]
mod golden;
mod handle;
mod helm_function;
mod import;
mod lists;
mod member;
mod problems;
mod protection;
mod provider;
mod settings;
mod show;
mod template;
mod worker_pool;

use std::process::ExitCode;

use clap::Parser as _;
use framework::Options;

fn main() -> ExitCode {
    // Terraform starts the program without arguments: do nothing before the handshake that it does not need.
    let arguments = credential::Arguments::parse();
    if let Some(command) = &arguments.command {
        return credential::run(command);
    }
    let options = Options::new(provider::ADDRESS)
        .debug(arguments.debug)
        .scrub(|line| secret::scrub(&line).into_owned());
    framework::serve(provider::ManagedK8s, options)
}
