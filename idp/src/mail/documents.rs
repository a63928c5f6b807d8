//! Letters to an organization's administrators about documents the operator asks for (R013, R091).

use askama::Template as _;
use jiff::civil::Date;

use super::letters::{Kind, Letter};
use super::passwords::{PasswordText, day};
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It has been made.
    Opened,
    /// Its last day is near.
    Reminder,
    /// Its last day has passed.
    Overdue,
    /// The answer does not do.
    Refused,
    /// The answer does.
    Accepted,
}

/// The letter.
#[derive(Debug)]
pub struct DocumentLetter {
    /// Where it stands.
    pub stage: Stage,
    /// The organization's name.
    pub organization: String,
    /// What the request is called.
    pub title: String,
    /// Which documents.
    pub wanted: String,
    /// The last day.
    pub due_on: Date,
    /// Whether the organization is suspended when nobody answers.
    pub suspends: bool,
    /// What the operator says to the answer.
    pub note: Option<String>,
}

impl Letter for DocumentLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.stage {
            Stage::Opened => "documents_opened.1",
            Stage::Reminder => "documents_reminder.1",
            Stage::Overdue => "documents_overdue.1",
            Stage::Refused => "documents_refused.1",
            Stage::Accepted => "documents_accepted.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        let subject = match self.stage {
            Stage::Opened => "letter-documents-opened-subject",
            Stage::Reminder => "letter-documents-reminder-subject",
            Stage::Overdue => "letter-documents-overdue-subject",
            Stage::Refused => "letter-documents-refused-subject",
            Stage::Accepted => "letter-documents-accepted-subject",
        };
        locale.text_with(subject, &[("organization", &self.organization), ("date", &day(self.due_on, locale))])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let what = match self.stage {
            Stage::Opened => "letter-documents-opened-what",
            Stage::Reminder => "letter-documents-reminder-what",
            Stage::Overdue => "letter-documents-overdue-what",
            Stage::Refused => "letter-documents-refused-what",
            Stage::Accepted => "letter-documents-accepted-what",
        };
        let date = day(self.due_on, locale);
        let values = [("organization", self.organization.as_str()), ("date", &date), ("title", &self.title)];
        let mut lines = vec![locale.text_with(what, &values)];
        if let Some(note) = &self.note {
            lines.push(locale.text_with("letter-documents-note", &[("note", note)]));
        }
        if self.stage != Stage::Accepted {
            lines.push(locale.text_with("letter-documents-wanted", &[("wanted", &self.wanted)]));
        }
        if self.suspends {
            lines.extend(match self.stage {
                Stage::Opened | Stage::Reminder | Stage::Refused => Some(locale.text("letter-documents-suspends")),
                Stage::Overdue => Some(locale.text("letter-documents-suspended")),
                Stage::Accepted => None,
            });
        }
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

#[cfg(test)]
impl DocumentLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let letter = |stage| Self {
            stage,
            organization: "Boulangeries Lefèvre".to_owned(),
            title: "Originaux des mandats".to_owned(),
            wanted: "Les mandats signés des administrateurs".to_owned(),
            due_on: jiff::civil::date(2027, 3, 31),
            suspends: true,
            note: (stage == Stage::Refused).then(|| "La signature manque".to_owned()),
        };
        [Stage::Opened, Stage::Reminder, Stage::Overdue, Stage::Refused, Stage::Accepted].map(letter).into()
    }
}
