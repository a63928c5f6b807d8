//! `habilis mail`: what the operator's mail server learns after it took a mail.

use clap::Subcommand;

use super::{master_key, open_migrated, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{outbox, people};
use crate::mail::Post;
use crate::mail::bounces::{self, Source};
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
    let mut concerned = Vec::new();
    let mail = mail_of(&returned);
    if let Some(mail) = mail {
        let found = outbox::returned(&mut tx, mail, now).await?;
        let found = found.ok_or_else(|| Fault::new(format!("there is no mail {mail}; nothing was changed")))?;
        concerned.extend(found.person_id.map(|person| (person, found.recipient)));
    } else {
        let folded = people::fold_login(&returned);
        for person in people::find_by_login_or_email(&mut tx, &returned).await? {
            let address = person.email.filter(|email| people::fold_login(email) == folded);
            concerned.extend(address.map(|address| (person.id, address)));
        }
        if concerned.is_empty() {
            return Err(Fault::new(format!("nobody has the address {returned}; nothing was changed")));
        }
    }
    for (person, address) in &concerned {
        let source = Source { by: "cli", mail };
        let first = bounces::note(&mut tx, post, (person, address, source), now).await?;
        let what =
            if first { "not proven any more, administrators told" } else { "noted before, or not in use any more" };
        say(format_args!("{person}: {what}"));
    }
    tx.commit().await?;
    db.close().await;
    Ok(())
}

/// The id of a mail: `mail_…`, or `<mail_…@domain>`. An address of that look is an address.
fn mail_of(text: &str) -> Option<&str> {
    let id = match text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
        Some(message_id) => message_id.split_once('@')?.0,
        None => text,
    };
    (id.starts_with("mail_") && !id.contains('@')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::mail_of;

    #[test]
    fn a_mail_is_named_by_its_id_or_message_id_and_an_address_is_an_address() {
        let id = "mail_01h455vb4pex5vsknk084sn02q";
        for (text, expected) in [
            (id, Some(id)),
            ("<mail_01h455vb4pex5vsknk084sn02q@example.fr>", Some(id)),
            ("<zoe@example.fr>", None),
            ("zoe@example.fr", None),
            ("mail_zoe@example.fr", None),
            ("", None),
        ] {
            assert_eq!(mail_of(text), expected, "{text}");
        }
    }
}
