//! “What I entered is true and exact” (R012): ticked where an account is asked for and where it opens, and kept with the digest of the
//! very words the person had before them.
//!
//! The form carries which text it shows and in which language. A text of another version than today's is not what is declared: the
//! form is shown again.

use habilis_keys::random;
use habilis_keys::token::file_digest_hex;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::db::Tx;
use crate::db::declarations::{self, Declaration};
use crate::outcome::Outcome;
use crate::web::Origin;
use crate::web::params::Params;
use crate::web::text::Locale;

/// The version of the text. Another text takes another version: a test holds both to each other.
pub const VERSION: &str = "exactness.1";

/// What somebody ticked, before or while their account opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    version: String,
    sha256: String,
    locale: String,
    /// Milliseconds since 1970.
    at: i64,
    address: String,
}

/// What the form says of the text it shows: version and language.
pub fn shown(locale: Locale) -> String {
    format!("{VERSION} {}", locale.tag())
}

/// The language of the text that a form showed, as far as it says.
pub fn language(params: &Params) -> Option<String> {
    let (_, tag) = params.get("declaration")?.split_once(' ')?;
    Locale::ALL.into_iter().find(|locale| locale.tag() == tag).map(|locale| locale.tag().to_owned())
}

/// What was ticked in a form; none when it was not, or not today's text.
pub fn take(params: &Params, origin: &Origin, now: Timestamp) -> Option<Declared> {
    if params.get("declare") != Some("yes") {
        return None;
    }
    let shown_text = params.get("declaration")?;
    let locale = Locale::ALL.into_iter().find(|locale| shown(*locale) == shown_text)?;
    Some(Declared {
        version: VERSION.to_owned(),
        sha256: digest(locale),
        locale: locale.tag().to_owned(),
        at: now.as_millisecond(),
        address: origin.address.to_string(),
    })
}

/// SHA-256 of the text in UTF-8, hexadecimal.
fn digest(locale: Locale) -> String {
    file_digest_hex(locale.text("declaration-text").as_bytes())
}

impl Declared {
    /// Whether it is today's text that was declared.
    pub fn is_current(&self) -> bool {
        self.version == VERSION
    }

    /// As the trail keeps it.
    pub fn traced(&self, made_on: &str) -> Value {
        json!({ "on": made_on, "text": self.version, "sha256": self.sha256, "locale": self.locale })
    }

    /// Keeps it with the account of `person`. The caller commits.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep(&self, tx: &mut Tx, (person, made_on): (&str, &str)) -> Outcome<()> {
        let at = Timestamp::from_millisecond(self.at)?;
        let declaration = Declaration {
            id: random::id("dcl", at),
            made_on: made_on.to_owned(),
            text_version: self.version.clone(),
            text_sha256: self.sha256.clone(),
            locale: self.locale.clone(),
            declared_at: at.into(),
            address: self.address.clone(),
        };
        Ok(declarations::insert(tx, person, &declaration).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_text_takes_another_version() {
        let digests = Locale::ALL.map(|locale| (locale.tag(), digest(locale)));
        let digests: Vec<_> = digests.iter().map(|(tag, digest)| (*tag, digest.as_str())).collect();
        assert_eq!(
            (VERSION, digests.as_slice()),
            (
                "exactness.1",
                [
                    ("fr", "102fe8b56917f1142045ad2be2a37df85e50c25f78dda5963cf39488c227cef0"),
                    ("en", "951a5ef4b907b803bb587a8fcdc02cc9a0dad813d90d5b21c54c1dcd5282701e")
                ]
                .as_slice()
            )
        );
    }

    #[test]
    fn what_is_declared_is_what_was_shown() {
        for (declaration, language_said) in [
            ("exactness.1 fr", Some("fr")),
            ("exactness.1 en", Some("en")),
            ("exactness.0 en", Some("en")),
            ("exactness.1 de", None),
            ("fr", None),
            ("", None),
        ] {
            let query = format!("declare=yes&declaration={}", declaration.replace(' ', "+"));
            let params = Params::parse(query.as_bytes()).unwrap();
            assert_eq!(language(&params).as_deref(), language_said, "{declaration}");
        }
    }
}
