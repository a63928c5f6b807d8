//! The letters about second factors: every change is told (R031, R035).

use askama::Template;
use jiff::Timestamp;

use super::letters::{Kind, Letter, device, paris};
use super::passwords::PasswordText;
use crate::app::App;
use crate::outcome::Outcome;
use crate::web::Origin;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// A change of somebody's second factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// An authenticator app was added.
    AppAdded,
    /// One was removed.
    AppRemoved,
    /// A passkey was added.
    PasskeyAdded,
    /// One was removed.
    PasskeyRemoved,
    /// New recovery codes were made.
    CodesMade,
}

impl Change {
    /// Every change.
    pub const ALL: [Self; 5] =
        [Self::AppAdded, Self::AppRemoved, Self::PasskeyAdded, Self::PasskeyRemoved, Self::CodesMade];

    /// Its name in the trail.
    pub fn event(self) -> &'static str {
        match self {
            Self::AppAdded => "authenticator_app.added",
            Self::AppRemoved => "authenticator_app.removed",
            Self::PasskeyAdded => "passkey.added",
            Self::PasskeyRemoved => "passkey.removed",
            Self::CodesMade => "recovery_codes.made",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::AppAdded => "mail-factor-app-added",
            Self::AppRemoved => "mail-factor-app-removed",
            Self::PasskeyAdded => "mail-factor-passkey-added",
            Self::PasskeyRemoved => "mail-factor-passkey-removed",
            Self::CodesMade => "mail-factor-codes-made",
        }
    }
}

/// Where something came from.
#[derive(Debug, Clone)]
pub struct Whence {
    at: Timestamp,
    address: String,
    device: String,
    href: String,
}

impl Whence {
    fn of(app: &App, origin: &Origin, now: Timestamp) -> Self {
        Self {
            at: now,
            address: origin.address.to_string(),
            device: device(&origin.user_agent),
            href: format!("{}/account", app.config.server.issuer),
        }
    }

    fn lines(&self, locale: Locale) -> [String; 5] {
        [
            locale.text_with("mail-new-sign-in-when", &[("when", &paris(self.at, locale))]),
            locale.text_with("mail-new-sign-in-device", &[("device", &self.device)]),
            locale.text_with("mail-new-sign-in-address", &[("address", &self.address)]),
            locale.text("mail-factor-if-not"),
            self.href.clone(),
        ]
    }
}

/// Who resets somebody's second factors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResetBy {
    /// The operator.
    Operator,
    /// An administrator of the organization of this name.
    Organization(String),
}

/// A letter about second factors. Has no `Debug`: one carries a link.
pub enum FactorLetter {
    /// They changed.
    Changed(Change, Whence),
    /// A recovery code was used.
    RecoveryUsed {
        /// How many are left.
        left: u64,
        /// Where.
        whence: Whence,
    },
    /// Somebody knows the password and tries codes.
    Guessed(Whence),
    /// Somebody asked for their removal by mail.
    RemovalAsked {
        /// The link.
        href: String,
        /// When it begins to work.
        ready_at: Timestamp,
    },
    /// They were removed by mail.
    RemovedByMail(Whence),
    /// They were reset for somebody who lost them.
    Reset {
        /// Whose act it was.
        by: ResetBy,
        /// When.
        at: Timestamp,
        /// Where to sign in.
        href: String,
    },
}

impl FactorLetter {
    /// The notice of a change that comes from `origin`.
    pub fn changed(app: &App, change: Change, origin: &Origin, now: Timestamp) -> Self {
        Self::Changed(change, Whence::of(app, origin, now))
    }

    /// The notice that a recovery code was used at `origin`.
    pub fn recovery_used(app: &App, left: i64, origin: &Origin, now: Timestamp) -> Self {
        Self::RecoveryUsed { left: u64::try_from(left).unwrap_or(0), whence: Whence::of(app, origin, now) }
    }

    /// The warning that wrong codes follow a right password.
    pub fn guessed(app: &App, origin: &Origin, now: Timestamp) -> Self {
        Self::Guessed(Whence::of(app, origin, now))
    }

    /// The notice of a removal by mail.
    pub fn removed_by_mail(app: &App, origin: &Origin, now: Timestamp) -> Self {
        Self::RemovedByMail(Whence::of(app, origin, now))
    }

    /// The notice of a reset.
    pub fn reset(app: &App, by: ResetBy, now: Timestamp) -> Self {
        Self::Reset { by, at: now, href: format!("{}/login", app.config.server.issuer) }
    }

    fn lines(&self, locale: Locale) -> Vec<String> {
        let with = |mut lines: Vec<String>, whence: &Whence| {
            lines.extend(whence.lines(locale));
            lines
        };
        match self {
            Self::Changed(change, whence) => with(vec![locale.text(change.text())], whence),
            Self::RecoveryUsed { left, whence } => with(
                vec![locale.text("mail-factor-recovery-used"), locale.text_count("mail-factor-recovery-left", *left)],
                whence,
            ),
            Self::Guessed(whence) => with(vec![locale.text("mail-factor-guessed")], whence),
            Self::RemovedByMail(whence) => with(vec![locale.text("mail-factor-removed")], whence),
            Self::RemovalAsked { href, ready_at } => vec![
                locale.text("mail-factor-removal-asked"),
                locale.text_with("mail-factor-removal-from", &[("when", &paris(*ready_at, locale))]),
                href.clone(),
                locale.text("mail-factor-removal-if-not"),
            ],
            Self::Reset { by, at, href } => vec![
                match by {
                    ResetBy::Operator => locale.text("mail-factor-reset"),
                    ResetBy::Organization(name) => {
                        locale.text_with("mail-factor-reset-by-organization", &[("organization", name)])
                    }
                },
                locale.text_with("mail-new-sign-in-when", &[("when", &paris(*at, locale))]),
                locale.text("mail-factor-reset-next"),
                href.clone(),
            ],
        }
    }
}

impl Letter for FactorLetter {
    fn kind(&self) -> Kind {
        match self {
            Self::Changed(..)
            | Self::RecoveryUsed { .. }
            | Self::Guessed(_)
            | Self::RemovalAsked { .. }
            | Self::RemovedByMail(_)
            | Self::Reset { .. } => Kind::Security,
        }
    }

    fn template(&self) -> &'static str {
        match self {
            Self::Changed(Change::AppAdded, _) => "authenticator_app_added.1",
            Self::Changed(Change::AppRemoved, _) => "authenticator_app_removed.1",
            Self::Changed(Change::PasskeyAdded, _) => "passkey_added.1",
            Self::Changed(Change::PasskeyRemoved, _) => "passkey_removed.1",
            Self::Changed(Change::CodesMade, _) => "recovery_codes_made.1",
            Self::RecoveryUsed { .. } => "recovery_code_used.1",
            Self::Guessed(_) => "second_step_guessed.1",
            Self::RemovalAsked { .. } => "second_factors_removal_asked.1",
            Self::RemovedByMail(_) => "second_factors_removed.1",
            Self::Reset { by: ResetBy::Operator, .. } => "second_factors_reset.2",
            Self::Reset { by: ResetBy::Organization(_), .. } => "second_factors_reset_by_organization.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        locale.text(match self {
            Self::Changed(..) => "mail-factor-changed-subject",
            Self::RecoveryUsed { .. } => "mail-factor-recovery-used-subject",
            Self::Guessed(_) => "mail-factor-guessed-subject",
            Self::RemovalAsked { .. } => "mail-factor-removal-asked-subject",
            Self::RemovedByMail(_) | Self::Reset { .. } => "mail-factor-removed-subject",
        })
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        Ok(PasswordText { lines: self.lines(chrome.locale), chrome }.render()?)
    }
}

#[cfg(test)]
impl FactorLetter {
    /// One of each.
    pub(super) fn samples() -> Vec<Self> {
        let href = || "https://compte.example/account".to_owned();
        let whence = Whence {
            at: Timestamp::UNIX_EPOCH,
            address: "192.0.2.7".to_owned(),
            device: "Firefox, Linux".to_owned(),
            href: href(),
        };
        let mut letters: Vec<_> = Change::ALL.into_iter().map(|change| Self::Changed(change, whence.clone())).collect();
        letters.extend([
            Self::RecoveryUsed { left: 1, whence: whence.clone() },
            Self::RecoveryUsed { left: 0, whence: whence.clone() },
            Self::Guessed(whence.clone()),
            Self::RemovalAsked { href: href(), ready_at: Timestamp::UNIX_EPOCH },
            Self::RemovedByMail(whence),
            Self::Reset { by: ResetBy::Operator, at: Timestamp::UNIX_EPOCH, href: href() },
            Self::Reset {
                by: ResetBy::Organization("Boulangeries Lefèvre".to_owned()),
                at: Timestamp::UNIX_EPOCH,
                href: href(),
            },
        ]);
        letters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::sample_chrome;

    #[test]
    fn every_letter_reads_in_every_language_and_leads_somewhere() {
        let letters = FactorLetter::samples();
        for locale in Locale::ALL {
            for letter in &letters {
                let body = letter.body(sample_chrome(locale)).unwrap();
                let all = format!("{}\n{body}", letter.subject(locale));
                assert!(!all.contains('⟦') && all.contains("https://compte.example/"), "{all}");
            }
        }
    }
}
