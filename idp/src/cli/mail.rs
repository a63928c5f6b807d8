//! `habilis mail`: what the operator's mail server learns after it took a mail.

use clap::Subcommand;

use super::{master_key, open_migrated, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::audit::Event;
use crate::mail::Post;
use crate::mail::bounces::{self, Returned};
use crate::outcome::{Fault, Outcome};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// A mail came back: its address takes none. For the script that reads bounces. The address counts as unproven from then on
    /// and the organization's administrators are told, once. On SQLite, stop the server first.
    Bounced {
        /// The address, or the `Message-ID` of the mail that came back.
        returned: String,
    },
}

pub(super) async fn run(command: Command, config: Config) -> Outcome<()> {
    let Command::Bounced { returned } = command;
    let now = Clock::System.now();
    let master = master_key(&config.keys)?;
    let post = Post { config: &config, master: &master };
    let db = open_migrated(&config).await?;
    let mut tx = db.begin().await?;
    let (what, event) = (Returned::parse(&returned), Event::new(bounces::EVENT).by("cli"));
    let concerned = bounces::returned(&mut tx, post, (what, &event), now).await?;
    let concerned = concerned.ok_or_else(|| {
        Fault::new(match what {
            Returned::Mail(mail) => format!("there is no mail {mail}; nothing was changed"),
            Returned::Address(address) => format!("nobody has the address {address}; nothing was changed"),
        })
    })?;
    for one in &concerned {
        let what =
            if one.first { "not proven any more, administrators told" } else { "noted before, or not in use any more" };
        say(format_args!("{}: {what}", one.person));
    }
    tx.commit().await?;
    db.close().await;
    Ok(())
}
