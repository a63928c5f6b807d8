//! How mail leaves: a mail server, a folder, or not at all.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::header::{self, ContentType};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::{AsyncTransport, Message, Tokio1Executor};

use crate::config::{Mail, MailTransport};
use crate::db::outbox::Claimed;
use crate::outcome::{Fault, Outcome};

/// Longest wait for the mail server, in seconds.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where mail goes.
pub enum Transport {
    /// A mail server.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    /// A folder of `.eml` files.
    Folder(PathBuf),
    /// Nowhere: the outbox keeps what was sent, sealed.
    Memory,
}

/// What became of a mail.
#[derive(Debug)]
pub enum Delivery {
    /// The other side took it, and said this.
    Accepted(String),
    /// Not now.
    Later(String),
    /// It will never be taken.
    Never(String),
    /// The address takes no mail at all.
    NoMailbox(String),
}

impl Transport {
    /// The transport of the configuration.
    ///
    /// # Errors
    /// The SMTP URL cannot be used, or the folder cannot be made.
    pub fn open(settings: &Mail) -> Outcome<Self> {
        Ok(match settings.transport {
            MailTransport::Memory => Self::Memory,
            MailTransport::Folder => {
                std::fs::create_dir_all(&settings.folder)
                    .map_err(|error| Fault::new(format!("mail.folder {}: {error}", settings.folder.display())))?;
                Self::Folder(settings.folder.clone())
            }
            MailTransport::Smtp => {
                let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(settings.smtp_url.expose())
                    .map_err(|error| Fault::new(format!("mail.smtp_url: {error}")))?;
                Self::Smtp(builder.timeout(Some(TIMEOUT)).build())
            }
        })
    }

    /// Sends a mail. Its `Message-ID` is its outbox id, so that a mail server recognises one sent twice after a crash.
    pub async fn send(&self, from: &str, (mail, text): (&Claimed, &str)) -> Delivery {
        let message = match message(from, mail, text) {
            Ok(message) => message,
            Err(error) => return Delivery::NoMailbox(error),
        };
        match self {
            Self::Memory => Delivery::Accepted("kept in memory".to_owned()),
            Self::Folder(folder) => {
                // Written aside and renamed: a reader of the folder never sees half a mail.
                let (partial, path) = (folder.join(format!(".{}", mail.id)), folder.join(format!("{}.eml", mail.id)));
                let written = match tokio::fs::write(&partial, message.formatted()).await {
                    Ok(()) => tokio::fs::rename(&partial, &path).await,
                    Err(error) => Err(error),
                };
                match written {
                    Ok(()) => Delivery::Accepted(path.display().to_string()),
                    Err(error) => Delivery::Later(error.to_string()),
                }
            }
            Self::Smtp(smtp) => match smtp.send(message).await {
                Ok(answer) => Delivery::Accepted(
                    format!("{} {}", answer.code(), answer.message().collect::<Vec<_>>().join(" "))
                        .chars()
                        .take(500)
                        .collect(),
                ),
                Err(error) => refused(&error),
            },
        }
    }
}

/// What a failure means. Whether the mail server refuses this mail for good (RFC 5321 §4.2.3), rather than us: a wrong password at
/// the mail server, or a command it does not know, is no fault of the address and ends when the operator mends it.
fn refused(error: &lettre::transport::smtp::Error) -> Delivery {
    let answer = error.to_string();
    match error.status().map(u16::from).filter(|_| error.is_permanent()) {
        Some(code) if concerns_the_address(code, &answer) => Delivery::NoMailbox(answer),
        Some(501 | 550..=556) => Delivery::Never(answer),
        _ => Delivery::Later(answer),
    }
}

/// Whether a permanent answer says that there is no such mailbox, rather than that this sender or this text is not welcome. The
/// enhanced status says it where there is one (RFC 3463 §3.2, §3.3); a full mailbox is no missing one.
fn concerns_the_address(code: u16, answer: &str) -> bool {
    let enhanced = answer.split_whitespace().find_map(|word| {
        let mut parts = word.splitn(3, '.').map(str::parse::<u16>);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(Ok(5)), Some(Ok(subject)), Some(Ok(detail))) => Some((subject, detail)),
            _ => None,
        }
    });
    match enhanced {
        Some(enhanced) => matches!(enhanced, (1, 0..=3 | 6 | 10) | (2, 1)),
        None => matches!(code, 550 | 551),
    }
}

fn message(from: &str, mail: &Claimed, text: &str) -> Result<Message, String> {
    let from: Mailbox = from.parse().map_err(|error| format!("mail.from: {error}"))?;
    let to: Mailbox = mail.recipient.parse().map_err(|error| format!("recipient: {error}"))?;
    let domain = from.email.domain().to_owned();
    Message::builder()
        .from(from)
        .to(to)
        .subject(mail.subject.clone())
        .message_id(Some(format!("<{}@{domain}>", mail.id)))
        .header(header::MIME_VERSION_1_0)
        .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(text.to_owned()))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(recipient: &str) -> Claimed {
        Claimed {
            id: "mail_1".to_owned(),
            recipient: recipient.to_owned(),
            subject: "Connexion à l’espace\r\nBcc: x@example.fr".to_owned(),
            sealed: None,
            person_id: None,
            attempts: 1,
            created_at: jiff::Timestamp::UNIX_EPOCH.into(),
        }
    }

    #[tokio::test]
    async fn a_folder_gets_one_file_a_mail_and_no_header_can_be_smuggled_in() {
        let folder = tempfile::tempdir().unwrap();
        let transport = Transport::Folder(folder.path().to_owned());
        let sent = transport.send("Habilis <ne-pas-repondre@example.fr>", (&mail("zoe@example.fr"), "Bonjour")).await;
        assert!(matches!(sent, Delivery::Accepted(_)), "{sent:?}");
        let text = std::fs::read_to_string(folder.path().join("mail_1.eml")).unwrap();
        assert!(text.contains("Message-ID: <mail_1@example.fr>"), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_address_is_blamed_for_what_concerns_it_alone() {
        for (code, answer, blamed) in [
            (550, "permanent error (550): 5.1.1 no such mailbox", true),
            (550, "permanent error (550): no such user", true),
            (551, "permanent error (551): user not local", true),
            (550, "permanent error (550): 5.2.1 mailbox disabled", true),
            (556, "permanent error (556): 5.1.10 the domain takes no mail", true),
            (552, "permanent error (552): 5.2.2 mailbox full", false),
            (552, "permanent error (552): too much mail data", false),
            (550, "permanent error (550): 5.7.1 sender not welcome", false),
            (553, "permanent error (553): 5.1.8 bad sender address", false),
            (554, "permanent error (554): 5.7.1 looks like spam", false),
            (554, "permanent error (554): see 192.0.2.7 for why", false),
        ] {
            assert_eq!(concerns_the_address(code, answer), blamed, "{answer}");
        }
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_given_up() {
        let sent = Transport::Memory.send("Habilis <ne-pas-repondre@example.fr>", (&mail("nowhere"), "Bonjour")).await;
        assert!(matches!(sent, Delivery::NoMailbox(_)), "{sent:?}");
    }
}
