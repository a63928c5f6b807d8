//! The letters about members who ask for a seat (R059): to the administrators, who decide, and to who asked.

use askama::Template as _;
use jiff::civil::Date;

use super::letters::{Kind, Letter};
use super::passwords::{PasswordText, day};
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatRequestStage {
    /// It waits for an administrator.
    Requested,
    /// It still does.
    Reminder,
    /// There is a seat.
    Granted,
    /// There will be none.
    Declined,
    /// Nobody answered.
    Expired,
}

/// The letter about a request.
#[derive(Debug)]
pub struct SeatRequestLetter {
    /// What became of it.
    pub stage: SeatRequestStage,
    /// The name of the organization.
    pub organization: String,
    /// The name of the product.
    pub product: String,
    /// The name of who asked.
    pub person: String,
    /// What they said, or what was said to them.
    pub words: Option<String>,
    /// The last day on which it waits, Paris.
    pub until: Date,
}

impl Letter for SeatRequestLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        match self.stage {
            SeatRequestStage::Requested => "seat_requested.1",
            SeatRequestStage::Reminder => "seat_request_reminder.1",
            SeatRequestStage::Granted => "seat_request_granted.1",
            SeatRequestStage::Declined => "seat_request_declined.1",
            SeatRequestStage::Expired => "seat_request_expired.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        let subject = match self.stage {
            SeatRequestStage::Requested => "letter-seat-requested-subject",
            SeatRequestStage::Reminder => "letter-seat-request-reminder-subject",
            SeatRequestStage::Granted => "letter-seat-request-granted-subject",
            SeatRequestStage::Declined => "letter-seat-request-declined-subject",
            SeatRequestStage::Expired => "letter-seat-request-expired-subject",
        };
        locale.text_with(subject, &[("person", &self.person), ("product", &self.product)])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let until = day(self.until, locale);
        let arguments = [
            ("person", self.person.as_str()),
            ("product", &self.product),
            ("organization", &self.organization),
            ("date", &until),
        ];
        let text = |key: &str| locale.text_with(key, &arguments);
        let words = |key: &str| self.words.as_ref().map(|words| locale.text_with(key, &[("text", &quoted(words))]));
        let lines = match self.stage {
            SeatRequestStage::Requested | SeatRequestStage::Reminder => vec![
                Some(text("letter-seat-requested-what")),
                words("letter-seat-requested-why"),
                Some(text("letter-seat-requested-billed")),
                Some(text("letter-seat-requested-until")),
            ],
            SeatRequestStage::Granted => vec![
                Some(text("letter-seat-request-granted-what")),
                words("letter-seat-request-words"),
                Some(text("letter-seat-request-granted-then")),
            ],
            SeatRequestStage::Declined => vec![
                Some(text("letter-seat-request-declined-what")),
                words("letter-seat-request-words"),
                Some(text("letter-seat-request-whom")),
            ],
            SeatRequestStage::Expired => {
                vec![Some(text("letter-seat-request-expired-what")), Some(text("letter-seat-request-whom"))]
            }
        };
        Ok(PasswordText { chrome, lines: lines.into_iter().flatten().collect() }.render()?)
    }
}

/// What somebody wrote, so that no line of it passes for one of the letter's own.
fn quoted(words: &str) -> String {
    words.lines().flat_map(|line| ["\n> ", line]).collect()
}

#[cfg(test)]
impl SeatRequestLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let stages = [
            (SeatRequestStage::Requested, Some("Je reprends les dossiers de Zoé.")),
            (SeatRequestStage::Reminder, None),
            (SeatRequestStage::Granted, None),
            (SeatRequestStage::Declined, Some("Voyez avec votre responsable.")),
            (SeatRequestStage::Expired, None),
        ];
        let letter = |(stage, words): (SeatRequestStage, Option<&str>)| Self {
            stage,
            organization: "Campus Formation".to_owned(),
            product: "Plateforme de cours".to_owned(),
            person: "Camille Martin".to_owned(),
            words: words.map(str::to_owned),
            until: jiff::civil::date(2027, 3, 31),
        };
        stages.into_iter().map(letter).collect()
    }
}
