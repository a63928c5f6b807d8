//! The letters about API keys to the administrators of a centre (R104). None of them holds a key.

use askama::Template as _;
use jiff::civil::Date;

use super::letters::{Kind, Letter};
use super::passwords::{PasswordText, day};
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// What is said of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// It ends in so many days, on this last day.
    Ends { days: u16, last_day: Date },
    /// Who issued it is gone, and may have read it.
    Rotate,
    /// It was revoked after a compromise.
    Replace,
}

/// A letter about a key.
#[derive(Debug)]
pub struct KeyLetter {
    what: What,
    organization: String,
    key: String,
}

impl KeyLetter {
    fn new(what: What, organization: &str, key: &str) -> Self {
        Self { what, organization: organization.to_owned(), key: key.to_owned() }
    }

    /// The key ends soon.
    pub fn reminder(organization: &str, key: &str, (days, last_day): (u16, Date)) -> Self {
        Self::new(What::Ends { days, last_day }, organization, key)
    }

    /// The key should be replaced when convenient.
    pub fn rotate(organization: &str, key: &str) -> Self {
        Self::new(What::Rotate, organization, key)
    }

    /// The key is dead and has to be replaced.
    pub fn replace(organization: &str, key: &str) -> Self {
        Self::new(What::Replace, organization, key)
    }

    fn texts(&self) -> (&'static str, &'static str, &'static str) {
        match self.what {
            What::Ends { .. } => {
                ("letter-key-reminder-subject", "letter-key-reminder-what", "letter-key-reminder-todo")
            }
            What::Rotate => ("letter-key-rotate-subject", "letter-key-rotate-what", "letter-key-rotate-todo"),
            What::Replace => ("letter-key-replace-subject", "letter-key-replace-what", "letter-key-replace-todo"),
        }
    }
}

impl Letter for KeyLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.what {
            What::Ends { .. } => "api_key_reminder.1",
            What::Rotate => "api_key_rotate.1",
            What::Replace => "api_key_replace.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        locale.text_with(self.texts().0, &[("key", &self.key), ("organization", &self.organization)])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let (_, what, todo) = self.texts();
        let mut lines = match &self.what {
            What::Ends { days, last_day } => {
                let (days, last_day) = (days.to_string(), day(*last_day, locale));
                let values = [
                    ("key", self.key.as_str()),
                    ("organization", self.organization.as_str()),
                    ("days", days.as_str()),
                    ("date", last_day.as_str()),
                ];
                vec![locale.text_with(what, &values)]
            }
            What::Rotate | What::Replace => {
                vec![locale.text_with(what, &[("key", &self.key), ("organization", &self.organization)])]
            }
        };
        lines.push(locale.text(todo));
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

#[cfg(test)]
impl KeyLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let (organization, key) = ("CFA des Halles", "Suivi des dossiers");
        let last_day = jiff::civil::date(2027, 3, 9);
        vec![
            Self::reminder(organization, key, (30, last_day)),
            Self::rotate(organization, key),
            Self::replace(organization, key),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_reads_in_every_language_and_names_the_key_and_its_centre() {
        for locale in Locale::ALL {
            for letter in KeyLetter::samples() {
                let body = letter.body(Chrome::new(locale, "Habilis")).unwrap();
                assert!(body.contains("CFA des Halles") && body.contains("Suivi des dossiers"), "{body}");
                assert!(!body.contains('⟦') && !letter.subject(locale).contains('⟦'), "{body}");
            }
            let body = KeyLetter::samples()[0].body(Chrome::new(locale, "Habilis")).unwrap();
            assert!(body.contains("30") && body.contains("2027"), "{body}");
        }
    }
}
