//! The `habilis` binary.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    habilis::cli::run(habilis::cli::Cli::parse())
}
