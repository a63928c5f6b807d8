//! `habilis operator`: the operator's own staff.

use clap::Subcommand;
use habilis_policies::contact::{Email, Name};

use super::person::{checked_login, email, name};
use super::{master_key, open_migrated, say};
use crate::account::invite::{self, Incomplete, Invitation};
use crate::account::landing::Landing;
use crate::clock::Clock;
use crate::config::Config;
use crate::mail::Post;
use crate::outcome::{Fault, Outcome};
use crate::web::text::Locale;

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
        /// Print a link as well, good for the same days as the one that is mailed, where no mail goes out yet. Whoever opens it chooses the
        /// password: hand it to nobody else. An account that it opened has an address that is not proven.
        #[arg(long)]
        print_link: bool,
    },
}

pub(super) async fn run(command: Command, config: Config) -> Outcome<()> {
    let Command::Create { login, email, given_name, family_name, print_link } = command;
    let login = checked_login(&login, &email)?;
    let now = Clock::System.now();
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
    let master = master_key(&config.keys)?;
    let db = open_migrated(&config).await?;
    let mut tx = db.begin().await?;
    let post = Post { config: &config, master: &master };
    let invited = invite::invite(&mut tx, post, &invitation, now).await?;
    let invited = invited.map_err(|refusal| Fault::new(format!("{login}: {refusal}; nothing was changed")))?;
    let mut link = None;
    if print_link {
        link = Some(invite::hand_over(&mut tx, &config, &invited.person, now).await?);
    }
    tx.commit().await?;
    db.close().await;
    say(format_args!(
        "created operator {login} ({}); the link to choose a password is in mail {}, sent once the server runs",
        invited.person, invited.mail
    ));
    if let Some(link) = link {
        say(link.expose());
    }
    Ok(())
}
