//! The letter to operators and data protection officers about a signing key that was withdrawn at once.

use askama::Template as _;
use jiff::Timestamp;

use super::letters::{Kind, Letter, paris};
use super::passwords::PasswordText;
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// A compromised signing key was withdrawn.
#[derive(Debug)]
pub struct KeyWithdrawn {
    /// Which.
    pub kid: String,
    /// What it signed with.
    pub algorithm: String,
    /// Why.
    pub reason: String,
    /// The name of who did it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Whether it was the one that signs: portals meet another one from now on.
    pub signed: bool,
}

impl Letter for KeyWithdrawn {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        "signing_key_withdrawn.1"
    }

    fn subject(&self, locale: Locale) -> String {
        locale.text_with("letter-signing-key-subject", &[("algorithm", &self.algorithm)])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let key = [("kid", self.kid.as_str()), ("algorithm", self.algorithm.as_str())];
        let mut lines = vec![
            locale.text_with("letter-signing-key-what", &key),
            locale.text_with("letter-signing-key-reason", &[("text", &self.reason)]),
            locale.text_with("letter-members-by", &[("person", &self.by)]),
            locale.text_with("mail-new-sign-in-when", &[("when", &paris(self.at, locale))]),
        ];
        if self.signed {
            lines.push(locale.text("letter-signing-key-then"));
        }
        lines.push(locale.text("letter-duties-if-not"));
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

#[cfg(test)]
impl KeyWithdrawn {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let one = |signed| Self {
            kid: "jwk_1".to_owned(),
            algorithm: "ES256".to_owned(),
            reason: "Sauvegarde égarée.".to_owned(),
            by: "Luc Roy".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            signed,
        };
        vec![one(true), one(false)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_names_the_key_who_withdrew_it_and_why() {
        for locale in Locale::ALL {
            for letter in KeyWithdrawn::samples() {
                let text = letter.subject(locale) + &letter.body(Chrome::new(locale, "Habilis")).unwrap();
                for said in ["jwk_1", "ES256", "Sauvegarde égarée.", "Luc Roy"] {
                    assert!(text.contains(said), "{said}: {text}");
                }
                let another = locale.text("letter-signing-key-then");
                assert_eq!(text.contains(another.split_once(". ").unwrap().0), letter.signed, "{text}");
                assert!(!text.contains('⟦'), "{text}");
            }
        }
    }
}
