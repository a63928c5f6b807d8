//! `habilis passwords`: whose come of age, and the list of leaked ones.

mod due;
mod filter;

use std::path::PathBuf;

use clap::Subcommand;

use super::say;
use crate::config::Config;
use crate::outcome::{Fault, Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List whose passwords expire, with the figures of the campaign.
    Due {
        /// So many days ahead; those that have expired are always listed.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(0..=366))]
        days: u16,
        /// Of one organization only, `org_…`.
        #[arg(long)]
        organization: Option<String>,
        /// The figures alone.
        #[arg(long)]
        summary: bool,
    },
    /// Make a list of leaked passwords for `passwords.leaked_file`.
    Filter {
        /// One password a line, or its SHA-1 in 40 hexadecimal digits, whatever follows a colon after it; `-` reads standard
        /// input.
        list: PathBuf,
        /// The file to write, 2.3 bytes a password. One that exists is replaced when the new one is complete.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
}

pub(super) async fn run(command: Command, load: impl Fn() -> Outcome<Config>) -> Outcome<()> {
    match command {
        Command::Due { days, organization, summary } => {
            let shown = if summary { due::Shown::Figures } else { due::Shown::People };
            due::run(&load()?, organization.as_deref().unwrap_or_default(), (days, shown)).await
        }
        Command::Filter { list, output } => {
            let shown = output.display().to_string();
            let made = tokio::task::spawn_blocking(move || filter::make(&list, &output)).await?.map_err(Fault::new)?;
            say(format_args!("{shown}: {} passwords, {} bytes", made.passwords, made.bytes));
            if made.skipped > 0 {
                say(format_args!("{} lines were longer than a password may be, and were left out", made.skipped));
            }
            Ok(())
        }
    }
}
