//! `habilis organization`: what the operator sets for organizations beside the running server.

use clap::{Args, Subcommand, ValueEnum};
use habilis_policies::passwords::{PasswordPolicy, Renewal};
use habilis_policies::sanctions::Act;

use super::{master_key, open_migrated, say};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::audit::Event;
use crate::db::{Db, organizations};
use crate::login::rules;
use crate::mail::Post;
use crate::measures::{self, Decision, Refused, Subject};
use crate::outcome::{Fault, Outcome};

/// Most organizations listed.
const LISTED: u32 = 10_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the organizations, those with a password rule of their own marked.
    List,
    /// Suspend an organization: nobody signs in for it, and what was granted for it is worth nothing from now on. Its
    /// administrators and signatories are told in writing.
    Suspend {
        /// `org_…`.
        organization: String,
        /// What it did not respect, as the letter says it.
        #[arg(long)]
        breach: String,
        /// What it has to do to be reinstated, as the letter says it.
        #[arg(long)]
        remedy: String,
        /// Why, for the audit trail; the breach when absent.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Open a suspended organization again, and tell it.
    Resume {
        /// `org_…`.
        organization: String,
        /// Why, for the audit trail.
        #[arg(long)]
        reason: Option<String>,
    },
    /// The rule an organization's members follow when they choose a password.
    #[command(subcommand)]
    Policy(PolicyCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Show the rule in force.
    Show {
        /// `org_…`.
        organization: String,
    },
    /// Change the rule. What is not named stays as it is in force.
    Set {
        /// `org_…`.
        organization: String,
        #[command(flatten)]
        changes: Changes,
    },
    /// Take the organization's own rule back: the operator's rule is in force again.
    Clear {
        /// `org_…`.
        organization: String,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Changes {
    /// Shortest password with lower case, upper case, digits and special characters.
    #[arg(long, value_name = "CHARACTERS")]
    four_classes_min: Option<u16>,
    /// Shortest password with lower case, upper case and digits.
    #[arg(long, value_name = "CHARACTERS")]
    three_classes_min: Option<u16>,
    /// Fewest words of a passphrase.
    #[arg(long, value_name = "WORDS")]
    passphrase_words_min: Option<u16>,
    /// Lowest guessability score accepted, up to 4.
    #[arg(long, value_name = "SCORE")]
    strength_min: Option<u8>,
    /// How many previous passwords may not come back.
    #[arg(long, value_name = "COUNT")]
    history: Option<u8>,
    /// Whether passwords are renewed every year.
    #[arg(long)]
    renewal: Option<RenewalName>,
    /// Days an expired password may wait before the account is suspended.
    #[arg(long, value_name = "DAYS")]
    grace_days: Option<u16>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RenewalName {
    Yearly,
    Off,
}

impl Changes {
    fn over(&self, rule: PasswordPolicy) -> PasswordPolicy {
        PasswordPolicy {
            four_classes_min: self.four_classes_min.unwrap_or(rule.four_classes_min),
            three_classes_min: self.three_classes_min.unwrap_or(rule.three_classes_min),
            passphrase_words_min: self.passphrase_words_min.unwrap_or(rule.passphrase_words_min),
            strength_min: self.strength_min.unwrap_or(rule.strength_min),
            history: self.history.unwrap_or(rule.history),
            renewal: self.renewal.map_or(rule.renewal, |name| match name {
                RenewalName::Yearly => Renewal::Yearly,
                RenewalName::Off => Renewal::Off,
            }),
            grace_days: self.grace_days.unwrap_or(rule.grace_days),
        }
    }
}

pub(super) async fn run(command: Command, config: Config) -> Outcome<()> {
    let db = open_migrated(&config).await?;
    let (organization, wanted) = match command {
        Command::List => {
            for found in organizations::list(&mut db.reader().await?, LISTED).await? {
                let rule = if found.password_policy.is_some() { "own password rule" } else { "" };
                let siret = found.siret.unwrap_or_else(|| "-".to_owned());
                say(format_args!(
                    "{}  {:13}  {:9}  {siret:14}  {}  {rule}",
                    found.id, found.kind, found.status, found.name
                ));
            }
            db.close().await;
            return Ok(());
        }
        Command::Policy(PolicyCommand::Show { organization }) => (organization, None),
        Command::Policy(PolicyCommand::Set { organization, changes }) => (organization, Some(Some(changes))),
        Command::Policy(PolicyCommand::Clear { organization }) => (organization, Some(None)),
        Command::Suspend { organization, breach, remedy, reason } => {
            let order = Decision {
                act: Act::Suspend,
                breach: &breach,
                remedy: &remedy,
                irreparable: None,
                reason: reason.as_deref().unwrap_or(&breach),
                banner: None,
                by: "cli",
            };
            return set_status(&config, db, (&organization, order)).await;
        }
        Command::Resume { organization, reason } => {
            let order = Decision {
                act: Act::Lift,
                breach: "",
                remedy: "",
                irreparable: None,
                reason: reason.as_deref().unwrap_or("resumed"),
                banner: None,
                by: "cli",
            };
            return set_status(&config, db, (&organization, order)).await;
        }
    };
    let mut tx = db.begin().await?;
    if !organizations::exists(&mut tx, &organization).await? {
        return Err(Fault::new(format!(
            "there is no organization {organization}; `habilis organization list` names them"
        )));
    }
    let (operator, floor) = (config.password_policy(), config.password_floor());
    let mut own = rules::of_organization(&mut tx, &organization).await?;
    if let Some(changes) = wanted {
        own = changes.map(|changes| changes.over(PasswordPolicy::effective(own.as_ref(), &operator, &floor)));
        let by = ("cli", Clock::System.now());
        if let Err(refusals) = rules::set_for_organization(&mut tx, &config, (&organization, own.as_ref()), by).await? {
            let reasons: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            return Err(Fault::new(format!("nothing was changed: {}", reasons.join("; "))));
        }
    }
    tx.commit().await?;
    db.close().await;
    show(own.as_ref(), &PasswordPolicy::effective(own.as_ref(), &operator, &floor));
    Ok(())
}

/// Suspends an organization, or ends its suspension.
async fn set_status(config: &Config, db: Db, (organization, order): (&str, Decision<'_>)) -> Outcome<()> {
    let now = Clock::System.now();
    let master = master_key(&config.keys)?;
    let mut tx = db.begin().await?;
    let subject = Subject::Organization(organization);
    let event = Event::new(subject.event(order.act)).by("cli");
    let post = Post { config, master: &master };
    let done = measures::apply(&mut tx, post, (subject, &order, event), now).await?;
    let done = done.map_err(|refused| match refused {
        Refused::Unknown => Fault::new(format!("there is no organization {organization}")),
        Refused::Changed | Refused::LastOperator => Fault::new(format!("{organization} has another status by now")),
        Refused::Rule(refusal) => Fault::new(format!("{organization}: {refusal}")),
    })?;
    tx.commit().await?;
    db.close().await;
    say(format_args!("{organization}  {}; the running server sends the notice", done.to));
    Ok(())
}

fn show(own: Option<&PasswordPolicy>, rule: &PasswordPolicy) {
    say(if own.is_some() { "its own rule:" } else { "the operator's rule:" });
    say(format_args!("  four-classes-min      {}", rule.four_classes_min));
    say(format_args!("  three-classes-min     {}", rule.three_classes_min));
    say(format_args!("  passphrase-words-min  {}", rule.passphrase_words_min));
    say(format_args!("  strength-min          {}", rule.strength_min));
    say(format_args!("  history               {}", rule.history));
    say(format_args!("  renewal               {}", if rule.renewal == Renewal::Yearly { "yearly" } else { "off" }));
    say(format_args!("  grace-days            {}", rule.grace_days));
}
