//! `habilis operator`: the operator's own staff.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use habilis_keys::secret::Secret;
use habilis_policies::contact::{Email, Name};

use super::person::{checked_login, email, invite, name};
use super::{master_key, open_migrated, say};
use crate::account::invite::{Incomplete, Invitation};
use crate::account::landing::Landing;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::people::{self, NewPerson};
use crate::db::{Tx, is_unique_violation, passwords};
use crate::login::change::judge_first;
use crate::login::hasher::Hasher;
use crate::login::leaked::LeakedList;
use crate::mail::Post;
use crate::outcome::{Fault, Outcome};
use crate::web::text::Locale;

/// Shortest password of an operator, in characters (ANSSI: 16 for administrators).
const MIN_PASSWORD: usize = 16;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create an operator. They choose their password by the link sent to their address.
    Create {
        /// What they sign in with.
        #[arg(long)]
        login: String,
        /// Mail address.
        #[arg(long, value_parser = email)]
        email: Email,
        /// Given name.
        #[arg(long, value_parser = name)]
        given_name: Name,
        /// Family name.
        #[arg(long, value_parser = name)]
        family_name: Name,
        /// For scripted set-up: a file that holds the password, `-` for standard input. No link is sent. It is judged as any other
        /// password is; whoever wrote the script knows it, so choose another one on the account page at once.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}

pub(super) async fn run(command: Command, config: Config) -> Outcome<()> {
    let Command::Create { login, email, given_name, family_name, password_file } = command;
    let login = checked_login(&login, &email)?;
    let password = password_file.as_deref().map(read_password).transpose()?;
    let now = Clock::System.now();
    let db = open_migrated(&config).await?;
    let Some(password) = password else {
        let invitation = Invitation {
            login: &login,
            email: &email,
            names: (&given_name, &family_name),
            attributes: &[],
            incomplete: Incomplete::AskedLater,
            locale: Locale::Fr,
            organization: None,
            rights: &[],
            products: None,
            initial_of: None,
            operator: true,
            landing: Landing::default(),
            by: "cli",
        };
        let post = Post { config: &config, master: &master_key(&config.keys)? };
        let invited = invite(&db, post, &invitation, now).await?;
        db.close().await;
        say(format_args!(
            "created operator {login} ({}); the link to choose a password is in mail {}, sent once the server runs",
            invited.person, invited.mail
        ));
        return Ok(());
    };
    let personal = [login.as_str(), email.as_str(), given_name.as_str(), family_name.as_str()].map(str::to_owned);
    judge(&config, (&password, personal.into())).await?;
    let phc = Hasher::new(&config.password_hash, config.hash_params()).hash(password).await?;
    let id = habilis_keys::random::id("usr", now);
    let new = NewPerson {
        id: &id,
        login: &login,
        email: Some((email.as_str(), false)),
        names: (given_name.as_str(), family_name.as_str()),
        locale: "fr",
        claims: serde_json::Map::new(),
        status: "active",
        operator: true,
    };
    let mut tx = db.begin().await?;
    insert(&mut tx, new, now).await?;
    passwords::set(&mut tx, &id, &phc, now).await?;
    audit::record(&mut tx, Event::new("operator.created").by("cli").about(&id), now).await?;
    tx.commit().await?;
    db.close().await;
    say(format_args!("created operator {login} ({id})"));
    Ok(())
}

/// Refuses a password that its person could not choose either (R025, R040).
async fn judge(config: &Config, (password, personal): (&Secret<String>, Vec<String>)) -> Outcome<()> {
    let list = LeakedList::open(config.passwords.leaked_file.as_ref()).map_err(Fault::new)?;
    let refusals = judge_first(&config.password_policy(), Arc::new(list), (password, personal)).await?;
    if refusals.is_empty() {
        return Ok(());
    }
    let why: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    Err(Fault::new(format!("the password is not accepted: {}; nothing was created", why.join(", "))))
}

async fn insert(tx: &mut Tx, new: NewPerson<'_>, now: jiff::Timestamp) -> Outcome<()> {
    let login = new.login.to_owned();
    match people::insert(tx, new, now).await {
        Err(error) if is_unique_violation(&error) => {
            Err(Fault::new(format!("the login {login} exists already; nothing was changed")))
        }
        inserted => Ok(inserted?),
    }
}

fn read_password(file: &Path) -> Outcome<Secret<String>> {
    let mut text = String::new();
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        let opened = std::fs::File::open(file);
        Box::new(opened.map_err(|error| Fault::new(format!("--password-file {}: {error}", file.display())))?)
    };
    source.take(4096).read_to_string(&mut text)?;
    let password = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
    if password.expose().chars().count() < MIN_PASSWORD {
        return Err(Fault::new(format!("an operator's password has at least {MIN_PASSWORD} characters")));
    }
    Ok(password)
}
