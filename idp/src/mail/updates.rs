//! The letter with the link that opens an account for updates (R077).

use askama::Template as _;
use jiff::civil::Date;

use super::letters::{Kind, Letter};
use super::passwords::{PasswordText, day};
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// An account for updates waits to be opened. Has no `Debug`: it carries a link.
pub struct UpdatesLetter {
    /// The organization that gives the access.
    pub organization: String,
    /// Of the course.
    pub title: String,
    /// How many years there are from the opening.
    pub years: u64,
    /// The last day on which the link works.
    pub last_day: Date,
    /// The one-time link.
    pub href: String,
}

impl UpdatesLetter {
    fn lines(&self, locale: Locale) -> Vec<String> {
        vec![
            locale.text_with("letter-updates-what", &[("organization", &self.organization), ("title", &self.title)]),
            locale.text_count("letter-updates-years", self.years),
            self.href.clone(),
            locale.text_with("letter-updates-last-day", &[("date", &day(self.last_day, locale))]),
        ]
    }
}

impl Letter for UpdatesLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        "updates_link.1"
    }

    fn subject(&self, locale: Locale) -> String {
        locale.text_with("letter-updates-subject", &[("title", &self.title)])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        Ok(PasswordText { lines: self.lines(chrome.locale), chrome }.render()?)
    }
}

#[cfg(test)]
impl UpdatesLetter {
    /// For several years, and for one.
    pub(super) fn samples() -> Vec<Self> {
        let letter = |years| Self {
            organization: "Campus Formation".to_owned(),
            title: "Anglais B2".to_owned(),
            years,
            last_day: jiff::civil::date(2028, 5, 10),
            href: "https://compte.example/x".to_owned(),
        };
        vec![letter(5), letter(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::sample_chrome;

    #[test]
    fn the_letter_says_for_how_long_and_until_when_and_keeps_its_link() {
        for (locale, years, date) in [(Locale::Fr, "5 ans", "10/05/2028"), (Locale::En, "5 years", "10 May 2028")] {
            for letter in UpdatesLetter::samples() {
                let body = letter.body(sample_chrome(locale)).unwrap() + &letter.subject(locale);
                assert!(!body.contains('⟦'), "{body}");
                assert_eq!(body.contains(years), letter.years == 5, "{body}");
                for words in [date, "Anglais B2", "Campus Formation", "https://compte.example/x"] {
                    assert!(body.contains(words), "{words}: {body}");
                }
            }
        }
    }
}
