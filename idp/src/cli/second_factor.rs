//! `habilis second-factor`: rules about second factors, and the reset for somebody who lost theirs.

use clap::Subcommand;

use super::{master_key, open_migrated, say};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::organizations;
use crate::db::people::{self, fold_login};
use crate::login::factors;
use crate::outcome::{Fault, Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Remove every second factor of somebody who lost them and has proven who they are. They are told by mail, signed out
    /// everywhere, and set up another at the next sign-in where one is required.
    Reset {
        /// What they sign in with.
        #[arg(long)]
        login: String,
    },
    /// Require a second factor of the people of an organization.
    Require {
        /// `org_…`.
        #[arg(long)]
        organization: String,
    },
    /// Require it no longer.
    Release {
        /// `org_…`.
        #[arg(long)]
        organization: String,
    },
}

pub(super) async fn run(command: Command, config: Config) -> Outcome<()> {
    match command {
        Command::Reset { login } => reset(config, &fold_login(&login)).await,
        Command::Require { organization } => set(config, &organization, "required").await,
        Command::Release { organization } => set(config, &organization, "optional").await,
    }
}

async fn reset(config: Config, login: &str) -> Outcome<()> {
    let master = master_key(&config.keys)?;
    let db = open_migrated(&config).await?;
    let app = App::start(config, Clock::System, db, master).await?;
    let found = people::find_credentials(&mut app.db.reader().await?, login).await?;
    let id = found.ok_or_else(|| Fault::new(format!("there is no account {login}; nothing was changed")))?.id;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let person = people::find(&mut tx, &id).await?;
    let person = person.ok_or_else(|| Fault::new(format!("there is no account {login}; nothing was changed")))?;
    let removed = factors::reset(&mut tx, &app, (&person, "cli"), now).await?;
    tx.commit().await?;
    app.db.close().await;
    say(format_args!("removed {removed} second factor(s) of {login} ({id}); the running server sends the notice"));
    Ok(())
}

async fn set(config: Config, organization: &str, rule: &str) -> Outcome<()> {
    let now = Clock::System.now();
    let db = open_migrated(&config).await?;
    let mut tx = db.begin().await?;
    if !organizations::set_second_factor(&mut tx, organization, rule).await? {
        return Err(Fault::new(format!("there is no organization {organization}; nothing was changed")));
    }
    let event = Event::new("organization.second_factor_set").by("cli").about(organization).with("rule", rule);
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    db.close().await;
    say(format_args!("second factor of {organization}: {rule}"));
    Ok(())
}
