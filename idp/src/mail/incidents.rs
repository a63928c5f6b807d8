//! The letters to the data protection officer about what was reported (R032, R034).

use askama::Template as _;
use jiff::Timestamp;

use super::letters::{Kind, Letter, paris};
use super::passwords::PasswordText;
use super::{Recipient, write, write_to};
use crate::app::App;
use crate::db::{Tx, people};
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// An account whose person reported something, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Name and id.
    pub person: String,
    /// The names of their organizations.
    pub organizations: String,
    /// Browser and system, as far as they say.
    pub device: String,
    /// Where from.
    pub address: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The person reported that somebody else may have used their account (R031).
    Compromise(Account),
    /// The person took a change of their mail address back.
    AddressRestored(Account),
    /// Everything of an organization was closed (R033).
    KillSwitch {
        /// The organization, name and id.
        organization: String,
        /// How many accounts were closed.
        people: i64,
    },
    /// Somebody said so in words (R032).
    Report {
        /// The organization, name and id.
        organization: String,
        /// The person concerned, name and id.
        person: Option<String>,
        /// Who reports: a name, or the id of a client.
        by: String,
        /// What they say.
        description: String,
    },
}

impl About {
    /// What the queue calls it.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Compromise(_) => "compromise",
            Self::AddressRestored(_) => "address_restored",
            Self::KillSwitch { .. } => "kill_switch",
            Self::Report { .. } => "report",
        }
    }

    /// What was said of it, if anything.
    pub fn description(&self) -> Option<&str> {
        match self {
            Self::Report { description, .. } => Some(description),
            _ => None,
        }
    }

    fn lines(&self, locale: Locale) -> Vec<String> {
        let person = |name: &str| locale.text_with("mail-dpo-compromise-person", &[("name", name)]);
        let organization = |name: &str| locale.text_with("mail-dpo-compromise-organization", &[("name", name)]);
        let of_account = |what: String, of: &Account| {
            vec![
                what,
                person(&of.person),
                organization(&of.organizations),
                locale.text_with("mail-new-sign-in-device", &[("device", &of.device)]),
                locale.text_with("mail-new-sign-in-address", &[("address", &of.address)]),
                locale.text("mail-dpo-compromise-done"),
            ]
        };
        match self {
            Self::Compromise(of) => of_account(locale.text("mail-dpo-compromise-what"), of),
            Self::AddressRestored(of) => of_account(locale.text("mail-dpo-address-restored-what"), of),
            Self::KillSwitch { organization, people } => vec![
                locale.text_with("mail-dpo-kill-switch-what", &[("name", organization)]),
                locale.text_with("mail-dpo-kill-switch-people", &[("count", &people.to_string())]),
            ],
            Self::Report { organization: of, person: whom, by, description } => {
                let mut lines = vec![
                    locale.text_with("mail-dpo-report-what", &[("person", by)]),
                    organization(of),
                    locale.text("mail-dpo-report-description"),
                    description.clone(),
                ];
                if let Some(whom) = whom {
                    lines.insert(2, person(whom));
                }
                lines
            }
        }
    }
}

/// The letter about an incident.
#[derive(Debug, Clone)]
pub struct IncidentLetter {
    /// What happened.
    pub about: About,
    /// `inc_…`.
    pub incident: String,
    /// When.
    pub at: Timestamp,
    /// Whether it goes to the operators because nobody is the data protection officer.
    pub unappointed: bool,
}

impl Letter for IncidentLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.about {
            About::Compromise(_) => "dpo_compromise.2",
            About::AddressRestored(_) => "dpo_address_restored.1",
            About::KillSwitch { .. } => "dpo_kill_switch.2",
            About::Report { .. } => "dpo_report.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        match self.about {
            About::Compromise(_) => locale.text("mail-dpo-compromise-subject"),
            About::AddressRestored(_) => locale.text("mail-dpo-address-restored-subject"),
            About::KillSwitch { .. } => locale.text("mail-dpo-kill-switch-subject"),
            About::Report { .. } => locale.text("mail-dpo-report-subject"),
        }
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let mut lines = self.about.lines(locale);
        lines.push(locale.text_with("mail-new-sign-in-when", &[("when", &paris(self.at, locale))]));
        lines.push(locale.text_with("mail-dpo-queue", &[("incident", &self.incident)]));
        if self.unappointed {
            lines.push(locale.text("mail-dpo-unappointed"));
        }
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

/// Puts the letter into the outbox: to `mail.dpo` where it names an address, otherwise to the people who have that duty, and where there is
/// nobody to the operators.
///
/// # Errors
/// The database or the template failed.
pub async fn tell(tx: &mut Tx, app: &App, letter: IncidentLetter, now: Timestamp) -> Outcome<()> {
    if let Some(address) = &app.config.mail.dpo {
        let to = Recipient { address, person: None, locale: Locale::Fr };
        write_to(tx, app.into(), (&to, &letter), (now, now)).await?;
        return Ok(());
    }
    let officers = people::officers(tx).await?;
    let letter = IncidentLetter { unappointed: officers.is_empty(), ..letter };
    let to = if officers.is_empty() { people::staff(tx).await? } else { officers };
    for person in to {
        write(tx, app, (&person, &letter), now).await?;
    }
    Ok(())
}

#[cfg(test)]
impl IncidentLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let account = || Account {
            person: "Zoé Bénard, usr_1".to_owned(),
            organizations: "Campus Formation".to_owned(),
            device: "Firefox, Linux".to_owned(),
            address: "192.0.2.7".to_owned(),
        };
        let organization = || "Campus Formation, org_1".to_owned();
        let report = |person| About::Report {
            organization: organization(),
            person,
            by: "Luc Roy".to_owned(),
            description: "Un mot de passe affiché.".to_owned(),
        };
        let letter =
            |about| Self { about, incident: "inc_1".to_owned(), at: Timestamp::UNIX_EPOCH, unappointed: false };
        let mut letters: Vec<_> = [
            About::Compromise(account()),
            About::AddressRestored(account()),
            About::KillSwitch { organization: organization(), people: 240 },
            report(None),
            report(Some("Zoé Bénard, usr_1".to_owned())),
        ]
        .map(letter)
        .into();
        letters.push(Self { unappointed: true, ..letter(report(None)) });
        letters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_names_the_organization_and_the_incident_and_says_when_nobody_is_appointed() {
        for locale in Locale::ALL {
            for letter in IncidentLetter::samples() {
                let text = letter.subject(locale) + &letter.body(Chrome::new(locale, "Habilis")).unwrap();
                assert!(text.contains("Campus Formation") && text.contains("inc_1"), "{text}");
                assert!(!text.contains('⟦'), "{text}");
                assert_eq!(text.contains(&locale.text("mail-dpo-unappointed")), letter.unappointed, "{text}");
                let said = letter.about.description().is_none_or(|description| text.contains(description));
                assert!(said && (letter.about.cause() == "report") == letter.about.description().is_some(), "{text}");
            }
        }
    }
}
