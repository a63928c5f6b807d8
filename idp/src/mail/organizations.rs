//! The letters to an organization's contacts.

use askama::Template as _;
use jiff::Timestamp;

use super::letters::{Kind, Letter, paris};
use super::passwords::PasswordText;
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// What an administrator did that the organization's signatory is told of (R055).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SensitiveAct {
    /// Somebody became an administrator, or is none any more.
    AdministratorChanged {
        /// Their name.
        person: String,
    },
}

impl SensitiveAct {
    /// The letter about it.
    pub fn letter(self, organization: &str, at: Timestamp) -> SensitiveActLetter {
        SensitiveActLetter { act: self, organization: organization.to_owned(), at }
    }
}

/// The letter to a signatory.
#[derive(Debug)]
pub struct SensitiveActLetter {
    act: SensitiveAct,
    organization: String,
    at: Timestamp,
}

impl Letter for SensitiveActLetter {
    /// The signatory may have no account here.
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.act {
            SensitiveAct::AdministratorChanged { .. } => "administrator_changed.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        locale.text_with("letter-administrator-changed-subject", &[("organization", &self.organization)])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let SensitiveAct::AdministratorChanged { person } = &self.act;
        let lines = vec![
            locale.text_with("letter-administrator-changed-what", &[("organization", &self.organization)]),
            locale.text_with("letter-administrator-changed-person", &[("person", person)]),
            locale.text_with("mail-new-sign-in-when", &[("when", &paris(self.at, locale))]),
            locale.text("letter-administrator-changed-if-not"),
        ];
        Ok(PasswordText { chrome, lines }.render()?)
    }
}
