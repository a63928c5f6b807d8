//! `habilis operator`: the operator's own staff.

use std::io::{IsTerminal, Read};

use clap::Subcommand;
use habilis_keys::secret::Secret;
use lettre::Address;

use super::{open_migrated, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::people::{self, NewPerson, fold_login};
use crate::db::{is_unique_violation, passwords};
use crate::login::hasher::Hasher;
use crate::outcome::{Fault, Outcome};

/// Shortest password of an operator, in characters (ANSSI: 16 for administrators).
const MIN_PASSWORD: usize = 16;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create an operator. The password is read from standard input, so that it never stands on a command line.
    Create {
        /// What they sign in with.
        #[arg(long)]
        login: String,
        /// Mail address.
        #[arg(long)]
        email: String,
        /// Given name.
        #[arg(long)]
        given_name: String,
        /// Family name.
        #[arg(long)]
        family_name: String,
    },
}

pub(super) async fn run(command: Command, config: Config) -> Outcome<()> {
    let Command::Create { login, email, given_name, family_name } = command;
    let login = fold_login(&login);
    if login.is_empty() || login.chars().count() > 256 || login.chars().any(char::is_control) {
        return Err(Fault::new("--login is between 1 and 256 characters, without control characters"));
    }
    email.parse::<Address>().map_err(|error| Fault::new(format!("--email: {error}")))?;
    let password = read_password()?;
    let now = Clock::System.now();
    let db = open_migrated(&config).await?;
    let phc = Hasher::new(&config.password_hash, config.hash_params()).hash(password).await?;
    let id = habilis_keys::random::id("usr", now);
    let new = NewPerson {
        id: &id,
        login: &login,
        email: Some((&email, false)),
        names: (&given_name, &family_name),
        locale: "fr",
        claims: serde_json::Map::new(),
        operator: true,
    };
    let mut tx = db.begin().await?;
    match people::insert(&mut tx, new, now).await {
        Err(error) if is_unique_violation(&error) => {
            return Err(Fault::new(format!("the login {login} exists already; nothing was changed")));
        }
        inserted => inserted?,
    }
    passwords::set(&mut tx, &id, &phc, now).await?;
    audit::record(&mut tx, Event::new("operator.created").by("cli").about(&id), now).await?;
    tx.commit().await?;
    db.close().await;
    say(format_args!("created operator {login} ({id})"));
    Ok(())
}

fn read_password() -> Outcome<Secret<String>> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        return Err(Fault::new(
            "give the password on standard input, for example: habilis operator create … < password-file",
        ));
    }
    let mut text = String::new();
    input.by_ref().take(4096).read_to_string(&mut text)?;
    let password = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
    if password.expose().chars().count() < MIN_PASSWORD {
        return Err(Fault::new(format!("an operator's password has at least {MIN_PASSWORD} characters")));
    }
    Ok(password)
}
