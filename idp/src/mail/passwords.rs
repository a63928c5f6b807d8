//! The letters about passwords: links, reminders, notices (R026, R044–R049).

use askama::Template;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::strtime;

use super::letters::{Kind, Letter, device, paris};
use crate::app::App;
use crate::login::factors::Removed;
use crate::outcome::Outcome;
use crate::web::Origin;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::text::Locale;

/// A letter about the person's password. Has no `Debug`: some carry a link.
pub enum PasswordLetter {
    /// The link somebody asked for.
    Link {
        /// The one-time link.
        href: String,
    },
    /// The link after an attempt with an expired password.
    Expired {
        /// The one-time link.
        href: String,
    },
    /// The link that an administrator sends.
    Reissued {
        /// The name of the administrator's organization.
        organization: String,
        /// The one-time link.
        href: String,
    },
    /// The link after a compromise was reported.
    Compromised {
        /// The one-time link.
        href: String,
        /// What was removed as doubtful.
        removed: Removed,
    },
    /// The password was changed.
    Changed {
        /// When.
        at: Timestamp,
        /// Where from.
        address: String,
        /// What device.
        device: String,
        /// Where to ask for a link.
        href: String,
    },
    /// It expires soon.
    Reminder {
        /// Days left.
        days: u16,
        /// The day it expires.
        date: Date,
        /// Where to ask for a link.
        href: String,
    },
    /// The account is suspended for its age.
    Suspended {
        /// Where to ask for a link.
        href: String,
    },
}

fn forgot(app: &App) -> String {
    format!("{}{}", app.config.server.issuer, crate::login::forgot::PATH)
}

impl PasswordLetter {
    /// The notice of a change that comes from `origin`.
    pub fn changed(app: &App, origin: &Origin, now: Timestamp) -> Self {
        let (address, device) = (origin.address.to_string(), device(&origin.user_agent));
        Self::Changed { at: now, address, device, href: forgot(app) }
    }

    /// The reminder that so many days are left.
    pub fn reminder(app: &App, days: u16, date: Date) -> Self {
        Self::Reminder { days, date, href: forgot(app) }
    }

    /// The notice of suspension.
    pub fn suspended(app: &App) -> Self {
        Self::Suspended { href: forgot(app) }
    }

    fn lines(&self, locale: Locale) -> Vec<String> {
        let text = |key: &str| locale.text(key);
        match self {
            Self::Link { href } => {
                vec![text("mail-password-link-what"), href.clone(), text("mail-password-link-if-not")]
            }
            Self::Expired { href } => vec![text("mail-password-expired-what"), href.clone()],
            Self::Suspended { href } => vec![text("mail-password-suspended-what"), href.clone()],
            Self::Reissued { organization, href } => vec![
                locale.text_with("mail-password-reissued-what", &[("organization", organization)]),
                href.clone(),
                text("mail-password-reissued-if-not"),
            ],
            Self::Compromised { href, removed } => {
                let mut lines = vec![text("mail-password-compromised-what"), href.clone()];
                lines.extend(removed.lines(locale));
                lines.push(text("mail-password-compromised-elsewhere"));
                lines
            }
            Self::Changed { at, address, device, href } => vec![
                text("mail-password-changed-what"),
                locale.text_with("mail-new-sign-in-when", &[("when", &paris(*at, locale))]),
                locale.text_with("mail-new-sign-in-device", &[("device", device)]),
                locale.text_with("mail-new-sign-in-address", &[("address", address)]),
                text("mail-password-changed-if-not"),
                href.clone(),
            ],
            Self::Reminder { days, date, href } => vec![
                locale.text_count("mail-password-reminder-what", u64::from(*days)),
                locale.text_with("mail-password-reminder-on", &[("date", &day(*date, locale))]),
                text("mail-password-reminder-how"),
                href.clone(),
            ],
        }
    }
}

/// A civil date as people read it.
pub(crate) fn day(date: Date, locale: Locale) -> String {
    let format = match locale {
        Locale::Fr => "%d/%m/%Y",
        Locale::En => "%-d %B %Y",
    };
    strtime::format(format, date).unwrap_or_else(|_| date.to_string())
}

impl Letter for PasswordLetter {
    fn template(&self) -> &'static str {
        match self {
            Self::Link { .. } => "password_link.1",
            Self::Expired { .. } => "password_expired.1",
            Self::Compromised { .. } => "account_compromised.1",
            Self::Changed { .. } => "password_changed.1",
            Self::Reminder { .. } => "password_reminder.1",
            Self::Suspended { .. } => "password_suspended.1",
            Self::Reissued { .. } => "password_reissued.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        locale.text(match self {
            Self::Link { .. } | Self::Reissued { .. } => "mail-password-link-subject",
            Self::Expired { .. } => "mail-password-expired-subject",
            Self::Compromised { .. } => "mail-password-compromised-subject",
            Self::Changed { .. } => "mail-password-changed-subject",
            Self::Reminder { .. } => "mail-password-reminder-subject",
            Self::Suspended { .. } => "mail-password-suspended-subject",
        })
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Changed { .. } | Self::Expired { .. } => Kind::Security,
            Self::Link { .. }
            | Self::Reissued { .. }
            | Self::Compromised { .. }
            | Self::Reminder { .. }
            | Self::Suspended { .. } => Kind::Other,
        }
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        Ok(PasswordText { lines: self.lines(chrome.locale), chrome }.render()?)
    }
}

impl PasswordLetter {
    /// One of each.
    pub(super) fn samples() -> Vec<Self> {
        let href = || "https://compte.example/password/forgot".to_owned();
        vec![
            Self::Link { href: href() },
            Self::Expired { href: href() },
            Self::Compromised { href: href(), removed: Removed::default() },
            Self::Compromised { href: href(), removed: Removed { passkeys: 1, apps: 2, codes: 10 } },
            Self::Changed {
                at: Timestamp::UNIX_EPOCH,
                address: "192.0.2.7".to_owned(),
                device: "Firefox, Linux".to_owned(),
                href: href(),
            },
            Self::Reminder { days: 7, date: Date::constant(2027, 12, 15), href: href() },
            Self::Suspended { href: href() },
            Self::Reissued { organization: "Boulangeries Lefèvre".to_owned(), href: href() },
        ]
    }
}

/// The text of a [`PasswordLetter`].
#[derive(Clone, Template)]
#[template(path = "mail/password.txt")]
pub struct PasswordText {
    /// Language and name of the operator.
    pub chrome: Chrome,
    /// The paragraphs.
    pub lines: Vec<String>,
}

impl Sample for PasswordText {
    fn samples(locale: Locale) -> Vec<Self> {
        PasswordLetter::samples()
            .iter()
            .map(|letter| {
                let mut lines = letter.lines(locale);
                lines.push(letter.subject(locale));
                Self { chrome: sample_chrome(locale), lines }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_reads_in_every_language_and_keeps_its_link() {
        for locale in Locale::ALL {
            for text in PasswordText::samples(locale) {
                let body = text.render().unwrap();
                assert!(!body.contains('⟦') && body.contains("https://compte.example/"), "{body}");
            }
        }
    }
}
