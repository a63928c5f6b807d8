//! The letters about measures of the operator (R085), and about an organization's kill switch (R033).

use askama::Template as _;
use habilis_policies::sanctions::Act;
use jiff::Timestamp;

use super::letters::{Kind, Letter, paris};
use super::passwords::PasswordText;
use crate::login::factors::Removed;
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// What a measure is about, as its letter says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// The reader's own account.
    Person,
    /// An organization, by name.
    Organization(String),
    /// An order, by the number of its form.
    Order(String),
    /// A portal, by name.
    Portal(String),
}

/// The letter to whom a measure concerns: what was not respected, and what restores the access.
#[derive(Debug)]
pub struct MeasureLetter {
    /// What was done.
    pub act: Act,
    /// To whom or what.
    pub about: About,
    /// What was not respected; empty when it is lifted.
    pub breach: String,
    /// What restores the access; empty when nothing does.
    pub remedy: String,
    /// Why it cannot be repaired.
    pub irreparable: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl MeasureLetter {
    fn what(&self, locale: Locale) -> String {
        let (person, organization, order, portal) = match self.act {
            Act::GiveNotice => (
                "letter-measure-notice-person",
                "letter-measure-notice-organization",
                "letter-measure-notice-order",
                "letter-measure-notice-portal",
            ),
            Act::Suspend => (
                "letter-measure-suspended-person",
                "letter-measure-suspended-organization",
                "letter-measure-suspended-order",
                "letter-measure-suspended-portal",
            ),
            Act::Terminate => (
                "letter-measure-terminated-person",
                "letter-measure-terminated-organization",
                "letter-measure-terminated-order",
                "letter-measure-terminated-portal",
            ),
            Act::Lift => (
                "letter-measure-lifted-person",
                "letter-measure-lifted-organization",
                "letter-measure-lifted-order",
                "letter-measure-lifted-portal",
            ),
        };
        match &self.about {
            About::Person => locale.text(person),
            About::Organization(name) => locale.text_with(organization, &[("name", name)]),
            About::Order(number) => locale.text_with(order, &[("number", number)]),
            About::Portal(name) => locale.text_with(portal, &[("name", name)]),
        }
    }
}

impl Letter for MeasureLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.act {
            Act::GiveNotice => "measure_formal_notice.1",
            Act::Suspend => "measure_suspended.1",
            Act::Terminate => "measure_terminated.1",
            Act::Lift => "measure_lifted.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        self.what(locale)
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let effect = match self.act {
            Act::GiveNotice => "letter-measure-effect-notice",
            Act::Suspend => "letter-measure-effect-suspended",
            Act::Terminate => "letter-measure-effect-terminated",
            Act::Lift => "letter-measure-effect-lifted",
        };
        let mut lines = vec![
            format!("{}.", self.what(locale)),
            locale.text(effect),
            locale.text_with("mail-new-sign-in-when", &[("when", &paris(self.at, locale))]),
        ];
        let said = [
            ("letter-measure-breach", Some(&self.breach)),
            ("letter-measure-irreparable", self.irreparable.as_ref()),
            ("letter-measure-remedy", Some(&self.remedy)),
        ];
        for (key, text) in said {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                lines.push(locale.text_with(key, &[("text", text)]));
            }
        }
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

/// The letter to somebody whose account an organization's kill switch closed.
#[derive(Debug)]
pub struct AccessClosedLetter {
    /// Where a link to choose another password is asked for.
    pub href: String,
    /// What was removed as doubtful.
    pub removed: Removed,
}

impl Letter for AccessClosedLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        "access_closed.1"
    }

    fn subject(&self, locale: Locale) -> String {
        locale.text("letter-access-closed-subject")
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let mut lines =
            vec![locale.text("letter-access-closed-what"), locale.text("letter-access-closed-how"), self.href.clone()];
        lines.extend(self.removed.lines(locale));
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

#[cfg(test)]
impl MeasureLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let subjects = || {
            let name = "Boulangeries Lefèvre".to_owned();
            [
                About::Person,
                About::Organization(name.clone()),
                About::Order("BC-2027-014".to_owned()),
                About::Portal(name),
            ]
        };
        let acts = [Act::GiveNotice, Act::Suspend, Act::Terminate, Act::Lift];
        let letter = |act, about| Self {
            act,
            about,
            breach: "Partage du compte.".to_owned(),
            remedy: "Renouveler le mot de passe.".to_owned(),
            irreparable: (act == Act::Terminate).then(|| "Faux documents.".to_owned()),
            at: Timestamp::UNIX_EPOCH,
        };
        acts.into_iter().flat_map(|act| subjects().map(|about| letter(act, about))).collect()
    }
}

#[cfg(test)]
impl AccessClosedLetter {
    /// One that has everything to say.
    pub(super) fn samples() -> Vec<Self> {
        let removed = Removed { passkeys: 2, apps: 1, codes: 10 };
        vec![Self { href: "https://compte.example.fr/forgot".to_owned(), removed }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_says_what_was_not_respected_and_what_restores_the_access() {
        for locale in Locale::ALL {
            for letter in MeasureLetter::samples() {
                let body = letter.body(Chrome::new(locale, "Habilis")).unwrap();
                assert!(body.contains("Partage du compte.") && body.contains("Renouveler le mot de passe."), "{body}");
                assert!(!body.contains('⟦') && !letter.subject(locale).contains('⟦'), "{body}");
            }
            let letter = AccessClosedLetter::samples().remove(0);
            let body = letter.body(Chrome::new(locale, "Habilis")).unwrap();
            assert!(body.contains(&letter.href) && !body.contains('⟦'), "{body}");
        }
    }
}
