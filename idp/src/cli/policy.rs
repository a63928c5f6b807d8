//! `habilis policy`: what decides about the management API, to read and to check.

use std::path::PathBuf;

use clap::Subcommand;
use habilis_policies::authorization::{EMBEDDED, Engine, SCHEMA, source};

use super::say;
use crate::authorization::engine;
use crate::config::Config;
use crate::outcome::{Fault, Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check the policies of this version, and rules of your own: every problem with its line and column.
    Check {
        /// A file of rules; without it, the one that `authorization.rules_file` names, when it names one.
        file: Option<PathBuf>,
    },
    /// Print the policies of this version with their comments.
    Show {
        /// One policy only, by the id that the audit and the log name.
        id: Option<String>,
        /// Print what rules can speak of instead: acts, attributes, circumstances.
        #[arg(long, conflicts_with = "id")]
        schema: bool,
    },
}

pub(super) fn run(command: Command, load: impl Fn() -> Outcome<Config>) -> Outcome<()> {
    match command {
        Command::Check { file } => {
            Engine::check_embedded()?;
            let file = match file {
                Some(file) => Some(file),
                None => load()?.authorization.rules_file,
            };
            let ours = Engine::embedded()?.ids().len();
            say(format_args!("{ours} policies of this version: valid"));
            if let Some(file) = file {
                let shown = file.display();
                let all = engine(Some(&file)).map_err(|problems| {
                    Fault::new(format!("{} problem(s) in {shown}:\n{}", problems.len(), problems.join("\n")))
                })?;
                say(format_args!("{} rule(s) in {shown}: valid", all.ids().len() - ours));
            }
            Ok(())
        }
        Command::Show { schema: true, .. } => {
            say(SCHEMA.trim_end());
            Ok(())
        }
        Command::Show { id: Some(id), .. } => match source(&id) {
            Some(policy) => {
                say(policy);
                Ok(())
            }
            None => Err(Fault::new(format!(
                "no policy of this version has the id {id:?}; there are: {}",
                Engine::embedded()?.ids().join(", ")
            ))),
        },
        Command::Show { .. } => {
            for (file, text) in EMBEDDED {
                say(format_args!("// ======== {file} ========\n\n{}\n", text.trim_end()));
            }
            Ok(())
        }
    }
}
