//! A provider of corner cases: every construct of the framework in one small program. Its objects
//! live in files of a directory, so that what terraform believes can be compared with what is.

mod action;
mod data;
mod ephemeral;
mod functions;
mod heap;
mod list;
mod note;
mod provider;
mod section;
mod store;
mod thing;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("check") => return check(),
        Some("docs") => return docs(arguments.get(2)),
        _ => {}
    }
    let debug = arguments.iter().any(|argument| argument == "-debug");
    let options = framework::Options::new("example.test/test/corner")
        .debug(debug)
        .scrub(|line| line.replace("swordfish", "***"));
    framework::serve(provider::Corner, options)
}

/// Tells which rules the schemas break.
fn check() -> ExitCode {
    let problems = framework::check_provider(&provider::Corner);
    for problem in &problems {
        eprintln!("{problem}");
    }
    ExitCode::from(u8::from(!problems.is_empty()))
}

/// Writes the reference pages into a folder.
fn docs(folder: Option<&String>) -> ExitCode {
    let Some(folder) = folder else {
        return ExitCode::FAILURE;
    };
    let pages = framework::docs::generate(&provider::Corner, &framework::docs::Options::default());
    for (path, text) in pages {
        let path = std::path::Path::new(folder).join(path);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, text));
        if let Err(error) = written {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
