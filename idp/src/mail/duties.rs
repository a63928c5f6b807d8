//! The letters to operators and data protection officers about who is one of them.

use askama::Template as _;
use jiff::Timestamp;

use super::letters::{Kind, Letter, paris};
use super::passwords::PasswordText;
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// Where a change of duties stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DutyStage {
    /// It waits for a second operator.
    Requested,
    /// It is so.
    Done,
    /// It was refused.
    Refused,
}

/// The letter about a change of duties (R054).
#[derive(Debug)]
pub struct DutyLetter {
    /// Where it stands.
    pub stage: DutyStage,
    /// The name of the person concerned.
    pub person: String,
    /// The name of who asked, or decided.
    pub by: String,
    /// Operator and data protection officer, as was asked.
    pub duties: (bool, bool),
    /// When.
    pub at: Timestamp,
}

impl Letter for DutyLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.stage {
            DutyStage::Requested => "duties_requested.1",
            DutyStage::Done => "duties_done.1",
            DutyStage::Refused => "duties_refused.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        let subject = match self.stage {
            DutyStage::Requested => "letter-duties-requested-subject",
            DutyStage::Done => "letter-duties-done-subject",
            DutyStage::Refused => "letter-duties-refused-subject",
        };
        locale.text_with(subject, &[("person", &self.person)])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let what = match self.stage {
            DutyStage::Requested => "letter-duties-requested-what",
            DutyStage::Done => "letter-duties-done-what",
            DutyStage::Refused => "letter-duties-refused-what",
        };
        let duties = match self.duties {
            (true, _) => locale.text("letter-duties-operator"),
            (false, true) => locale.text("letter-duties-privacy"),
            (false, false) => locale.text("letter-duties-none"),
        };
        let lines = vec![
            locale.text_with(what, &[("person", &self.person)]),
            locale.text_with("letter-duties-then", &[("duties", &duties)]),
            locale.text_with("letter-members-by", &[("person", &self.by)]),
            locale.text_with("mail-new-sign-in-when", &[("when", &paris(self.at, locale))]),
            locale.text("letter-duties-if-not"),
        ];
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

#[cfg(test)]
impl DutyLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let duties = [
            (DutyStage::Requested, (true, false)),
            (DutyStage::Done, (false, true)),
            (DutyStage::Refused, (false, false)),
        ];
        let (person, by) = ("Zoé Bénard", "Luc Roy");
        let letter = |(stage, duties)| Self {
            stage,
            person: person.to_owned(),
            by: by.to_owned(),
            duties,
            at: Timestamp::UNIX_EPOCH,
        };
        duties.into_iter().map(letter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_names_whom_it_is_about_and_who_did_it() {
        for locale in Locale::ALL {
            for letter in DutyLetter::samples() {
                let text = letter.subject(locale) + &letter.body(Chrome::new(locale, "Habilis")).unwrap();
                assert!(text.contains("Zoé Bénard") && text.contains("Luc Roy"), "{text}");
                assert!(!text.contains('⟦'), "{text}");
            }
        }
    }
}
