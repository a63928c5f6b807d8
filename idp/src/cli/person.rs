//! `habilis person`: people and their invitations.

use std::fmt::Write as _;

use clap::Subcommand;
use habilis_policies::contact::{Email, Name};
use habilis_policies::memberships::ACTIVE;
use jiff::{SignedDuration, Timestamp};

use super::{master_key, open_migrated, say};
use crate::account::invite::{self, Incomplete, Invitation, Invited};
use crate::account::landing::Landing;
use crate::account::signatories;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::people::{self, Person, fold_login};
use crate::db::{Conn, Db, Tx, bounced_addresses, members, organizations, outbox, sharing_suspicions};
use crate::mail::Post;
use crate::outcome::{Fault, Outcome};
use crate::web::text::Locale;

/// Mails shown of one person.
const MAILS: u32 = 50;
/// Signs of sharing shown of one person, and of everybody.
const SUSPICIONS: (u32, u32) = (100, 1000);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Invite a person: the account waits until they choose a password by the link sent to their address. There is never an
    /// initial password.
    Invite(Box<Invite>),
    /// Send a fresh link to somebody invited who has not come yet. Earlier links no longer work.
    Resend {
        /// Id, login or mail address.
        person: String,
        /// Print a link as well, for an operator: as `habilis operator create --print-link`, where no mail goes out yet or the first one was
        /// lost.
        #[arg(long)]
        print_link: bool,
    },
    /// Show a person: status, organizations, the mails sent with what the mail server answered, signs of sharing.
    Show {
        /// Id, login or mail address.
        person: String,
    },
    /// List accounts that were used at the same time from distinct networks or devices (R002).
    Sharing {
        /// So many days back.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=90))]
        days: u32,
    },
}

/// Options of `habilis person invite`.
#[derive(Debug, clap::Args)]
pub(super) struct Invite {
    /// Where the link goes.
    #[arg(long, value_parser = email)]
    email: Email,
    /// Given name.
    #[arg(long, value_parser = name)]
    given_name: Name,
    /// Family name.
    #[arg(long, value_parser = name)]
    family_name: Name,
    /// What they sign in with; their address when not given.
    #[arg(long)]
    login: Option<String>,
    /// `fr` or `en`.
    #[arg(long, default_value = "fr", value_parser = ["fr", "en"])]
    locale: String,
    /// The organization they will belong to, `org_…`.
    #[arg(long)]
    organization: Option<String>,
    /// Their role there.
    #[arg(long, default_value = "member", value_parser = ["member", "administrator"], requires = "organization")]
    role: String,
    /// A right in a portal. May be given several times.
    #[arg(long, value_name = "CLIENT=ROLE", value_parser = right, requires = "organization")]
    right: Vec<(String, String)>,
    /// A product they take a seat of, where the organization ordered several. May be given several times.
    #[arg(long, value_name = "PRODUCT", requires = "organization")]
    product: Vec<String>,
    /// The portal they go to once the account is active, `client_id`.
    #[arg(long)]
    portal: Option<String>,
    /// The page of that portal they go to.
    #[arg(long, value_name = "URL", requires = "portal")]
    target: Option<String>,
}

pub(super) fn email(text: &str) -> Result<Email, String> {
    Email::parse(text).ok_or_else(|| "this is no mail address that mail servers take".to_owned())
}

pub(super) fn name(text: &str) -> Result<Name, String> {
    Name::parse(text)
        .ok_or_else(|| "a name has between 1 and 100 characters, letters among them, and no address".to_owned())
}

pub(super) fn right(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((client, role)) if !client.is_empty() && (1..=64).contains(&role.len()) => {
            Ok((client.to_owned(), role.to_owned()))
        }
        _ => Err("write CLIENT=ROLE".to_owned()),
    }
}

pub(super) async fn run(command: Command, config: Config) -> Outcome<()> {
    let now = Clock::System.now();
    let db = open_migrated(&config).await?;
    match command {
        Command::Invite(options) => {
            let login = options.login.as_deref().unwrap_or(options.email.as_str());
            let invitation = Invitation {
                login: &checked_login(login, &options.email)?,
                email: &options.email,
                names: (&options.given_name, &options.family_name),
                attributes: &[],
                incomplete: Incomplete::AskedLater,
                locale: Locale::negotiate(Some(&options.locale), None),
                organization: options.organization.as_deref().map(|id| (id, options.role.as_str())),
                rights: &options.right,
                products: (!options.product.is_empty()).then_some(&options.product[..]),
                initial_of: None,
                operator: false,
                landing: Landing { client: options.portal, target: options.target, interaction: None, by_hand: false },
                by: "cli",
            };
            let post = Post { config: &config, master: &master_key(&config.keys)? };
            let mut tx = db.begin().await?;
            let invited = invite(&mut tx, post, &invitation, now).await?;
            tx.commit().await?;
            say(format_args!("invited {login} ({}); the link is in mail {}", invited.person, invited.mail));
        }
        Command::Resend { person, print_link } => resend(&db, &config, (&person, print_link), now).await?,
        Command::Show { person } => {
            let mut reader = db.reader().await?;
            let person = one(&mut reader, &person).await?;
            show(&mut reader, &person).await?;
        }
        Command::Sharing { days } => {
            let since = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(days)))?;
            let place = (i64::MAX, "", SUSPICIONS.1);
            for found in sharing_suspicions::list(&mut db.reader().await?, ("", since), place).await? {
                let (many, counted) = (found.devices, found.counted);
                say(format_args!("{}  {}  {}  {many} {counted}", found.day, found.person_id, found.login));
            }
        }
    }
    db.close().await;
    Ok(())
}

async fn resend(db: &Db, config: &Config, (typed, print_link): (&str, bool), now: Timestamp) -> Outcome<()> {
    let person = one(&mut db.reader().await?, typed).await?;
    let login = &person.login;
    if print_link && !person.operator {
        return Err(Fault::new(format!("{login} is no operator: their link is mailed alone; nothing was changed")));
    }
    let master = master_key(&config.keys)?;
    let mut tx = db.begin().await?;
    let sent = invite::invite_again(&mut tx, Post { config, master: &master }, &person, now).await?;
    let sent = sent.map_err(|refusal| Fault::new(format!("{login}: {refusal}; nothing was changed")))?;
    let Some(mail) = sent else {
        return Err(Fault::new(format!("{login} is {}: only an invitation is sent again", person.status)));
    };
    let event = Event::new("account.invited_again").by("cli").about(&person.id).with("mail", mail.clone());
    audit::record(&mut tx, event, now).await?;
    let link = if print_link { Some(invite::hand_over(&mut tx, config, &person.id, now).await?) } else { None };
    tx.commit().await?;
    say(format_args!("invited {login} again; the link is in mail {mail}"));
    if let Some(link) = link {
        say(link.expose());
    }
    Ok(())
}

/// A login in the form it is stored in.
pub(super) fn checked_login(typed: &str, email: &Email) -> Outcome<String> {
    let login = fold_login(typed);
    if login.is_empty() || login.chars().count() > 256 || login.chars().any(char::is_control) {
        return Err(Fault::new("--login is between 1 and 256 characters, without control characters"));
    }
    if !email.may_have_login(&login) {
        return Err(Fault::new("--login reads as a mail address and is not that of --email; nothing was changed"));
    }
    Ok(login)
}

/// Invites; a refusal ends the command. The first administrator of an organization is appointed here, every other one by the organization (R054).
async fn invite(tx: &mut Tx, post: Post<'_>, invitation: &Invitation<'_>, now: Timestamp) -> Outcome<Invited> {
    let administers = invitation.organization.filter(|(_, role)| *role == "administrator");
    if let Some((organization, _)) = administers {
        members::lock(tx, organization).await?;
        if !members::is_vacant(tx, organization).await? {
            return Err(Fault::new(
                "the organization has an administrator and appoints others itself; on its written request an operator does by an override",
            ));
        }
    }
    let invited = invite::invite(tx, post, invitation, now).await?;
    let invited =
        invited.map_err(|refusal| Fault::new(format!("{}: {refusal}; nothing was changed", invitation.login)))?;
    if let Some((organization, _)) = administers
        && let Some(organization) = organizations::find(tx, organization).await?
    {
        signatories::administrator_changed(tx, post, (&organization, &invited.person), now).await?;
    }
    Ok(invited)
}

pub(super) async fn one(c: &mut impl Conn, typed: &str) -> Outcome<Person> {
    if let Some(person) = people::find(c, typed).await? {
        return Ok(person);
    }
    let mut found = people::find_by_login_or_email(c, typed).await?;
    match (found.pop(), found.pop()) {
        (Some(person), None) => Ok(person),
        (Some(_), Some(_)) => Err(Fault::new(format!("several people have {typed}; give the id or the login"))),
        (None, _) => Err(Fault::new(format!("there is nobody with {typed}"))),
    }
}

async fn show(c: &mut impl Conn, person: &Person) -> Outcome<()> {
    let verified = match (person.email_verified, bounced_addresses::is_noted(c, &person.id).await?) {
        (true, _) => "proven",
        (false, false) => "not proven",
        (false, true) => "not proven, takes no mail",
    };
    say(format_args!("{}  {}  {}", person.id, person.login, person.status));
    say(format_args!("{} {}", person.given_name, person.family_name));
    say(format_args!("address: {} ({verified})", person.email.as_deref().unwrap_or("none")));
    for membership in organizations::all_of_person(c, &person.id).await? {
        let mut said = format!("organization: {}  {}  {}", membership.id, membership.name, membership.role);
        if let Some(day) = &membership.ends_on {
            let _ = write!(said, "  until {day}");
        }
        if membership.status != ACTIVE {
            let _ = write!(said, "  membership {}", membership.status);
        }
        if membership.organization_status != ACTIVE {
            let _ = write!(said, "  organization {}", membership.organization_status);
        }
        say(said);
    }
    for mail in outbox::of_person(c, &person.id, (i64::MAX, "", MAILS)).await? {
        let answer = mail.answer.unwrap_or_default();
        let what = match mail.sent_at {
            Some(at) => format!("sent {}", Timestamp::from(at)),
            None if mail.attempts == 0 => "waiting".to_owned(),
            None => format!("not sent after {} attempt(s)", mail.attempts),
        };
        let written = Timestamp::from(mail.created_at);
        let digest = mail.body_digest.map(|digest| format!("  sha256:{digest}")).unwrap_or_default();
        say(format_args!("mail: {}  {}  written {written}  {what}  {answer}{digest}", mail.id, mail.template));
    }
    let (all, place) = ((person.id.as_str(), Timestamp::UNIX_EPOCH), (i64::MAX, "", SUSPICIONS.0));
    for found in sharing_suspicions::list(c, all, place).await? {
        let (day, many, counted) = (found.day, found.devices, found.counted);
        say(format_args!("sharing suspected: {day}  {many} {counted} at the same time"));
    }
    Ok(())
}
