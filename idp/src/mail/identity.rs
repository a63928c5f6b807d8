//! The letters about an account whose names, day of birth and address became those of somebody else (R007).

use askama::Template as _;
use jiff::Timestamp;

use super::letters::{Kind, Letter, paris};
use super::passwords::PasswordText;
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The operator verified who the person is.
    Verified,
    /// The account says again what it said.
    Restored,
}

/// A letter about it.
#[derive(Debug)]
pub enum IdentityLetter {
    /// To the person, and to the address that the account had.
    Changed {
        /// When.
        at: Timestamp,
    },
    /// To an administrator of an organization of the person.
    OfMember {
        /// The name that the account had.
        before: String,
        /// The name that it has.
        after: String,
        /// When.
        at: Timestamp,
    },
    /// To an operator.
    ToVerify {
        /// `usr_…`.
        person: String,
        /// The name that the account had.
        before: String,
        /// The name that it has.
        after: String,
        /// When.
        at: Timestamp,
    },
    /// To the person: portals are open again.
    Settled {
        /// How.
        how: Settled,
        /// When.
        at: Timestamp,
    },
}

impl IdentityLetter {
    fn lines(&self, locale: Locale) -> Vec<String> {
        let when = |at: &Timestamp| locale.text_with("mail-new-sign-in-when", &[("when", &paris(*at, locale))]);
        match self {
            Self::Changed { at } => vec![
                locale.text("letter-identity-changed-what"),
                when(at),
                locale.text("letter-identity-changed-then"),
                locale.text("letter-identity-changed-undo"),
            ],
            Self::OfMember { before, after, at } => vec![
                locale.text_with("letter-identity-member-what", &[("before", before), ("after", after)]),
                when(at),
                locale.text("letter-identity-member-then"),
                locale.text("letter-identity-member-personal"),
            ],
            Self::ToVerify { person, before, after, at } => vec![
                locale.text_with("letter-identity-member-what", &[("before", before), ("after", after)]),
                locale.text_with("letter-identity-verify-account", &[("person", person)]),
                when(at),
                locale.text("letter-identity-verify-how"),
            ],
            Self::Settled { how, at } => {
                let what = match how {
                    Settled::Verified => "letter-identity-verified-what",
                    Settled::Restored => "letter-identity-restored-what",
                };
                vec![locale.text(what), when(at), locale.text("letter-identity-settled-then")]
            }
        }
    }
}

impl Letter for IdentityLetter {
    fn kind(&self) -> Kind {
        match self {
            Self::Changed { .. } => Kind::Security,
            Self::OfMember { .. } | Self::ToVerify { .. } | Self::Settled { .. } => Kind::Other,
        }
    }

    fn template(&self) -> &'static str {
        match self {
            Self::Changed { .. } => "identity_changed.1",
            Self::OfMember { .. } => "identity_changed_member.1",
            Self::ToVerify { .. } => "identity_to_verify.1",
            Self::Settled { how: Settled::Verified, .. } => "identity_verified.1",
            Self::Settled { how: Settled::Restored, .. } => "identity_restored.1",
        }
    }

    fn subject(&self, locale: Locale) -> String {
        match self {
            Self::Changed { .. } => locale.text("letter-identity-changed-subject"),
            Self::OfMember { before, .. } => locale.text_with("letter-identity-member-subject", &[("before", before)]),
            Self::ToVerify { .. } => locale.text("letter-identity-verify-subject"),
            Self::Settled { .. } => locale.text("letter-identity-settled-subject"),
        }
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        Ok(PasswordText { lines: self.lines(chrome.locale), chrome }.render()?)
    }
}

#[cfg(test)]
impl IdentityLetter {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let at = Timestamp::UNIX_EPOCH;
        let (before, after) = (|| "Zoé Martin".to_owned(), || "Paul Roux".to_owned());
        vec![
            Self::Changed { at },
            Self::OfMember { before: before(), after: after(), at },
            Self::ToVerify { person: "usr_1".to_owned(), before: before(), after: after(), at },
            Self::Settled { how: Settled::Verified, at },
            Self::Settled { how: Settled::Restored, at },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::sample_chrome;

    #[test]
    fn whoever_looks_into_it_reads_both_names_and_the_operator_which_account() {
        for locale in Locale::ALL {
            for letter in IdentityLetter::samples() {
                let body = letter.body(sample_chrome(locale)).unwrap() + &letter.subject(locale);
                assert!(!body.contains('⟦'), "{body}");
                let named = matches!(letter, IdentityLetter::OfMember { .. } | IdentityLetter::ToVerify { .. });
                assert_eq!(body.contains("Zoé Martin") && body.contains("Paul Roux"), named, "{body}");
                assert_eq!(body.contains("usr_1"), matches!(letter, IdentityLetter::ToVerify { .. }), "{body}");
            }
        }
    }
}
