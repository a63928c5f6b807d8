//! Client metadata in several languages (RFC 7591 §2.2): `client_name#fr`, `logo_uri#fr-CA`, … beside the plain members.

use std::collections::BTreeMap;
use std::fmt;

use habilis_policies::redirects::{self, Application};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::web::text::Locale;

/// The members that may carry a language.
const NAMES: [&str; 5] = ["client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri"];
/// Most of them together.
const MAX_COUNT: usize = 64;
/// Longest name of a client, in bytes, as without a language.
const MAX_NAME_BYTES: usize = 256;
/// Longest language tag (RFC 5646 §4.4.1).
const MAX_TAG_BYTES: usize = 35;

/// The members with a language, under their whole names. Of other members nothing is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Localized(BTreeMap<String, String>);

impl Localized {
    /// The value of `name` for a page in this language: the language itself first, then any of its regions.
    pub fn find(&self, name: &str, locale: Locale) -> Option<&str> {
        let tagged = || self.0.iter().filter_map(|(key, value)| Some((key.split_once('#')?, value)));
        let of_name = || tagged().filter(|((base, _), _)| *base == name);
        let exact = of_name().find(|((_, tag), _)| tag.eq_ignore_ascii_case(locale.tag()));
        let region = || {
            of_name().find(|((_, tag), _)| {
                tag.split_once('-').is_some_and(|(language, _)| language.eq_ignore_ascii_case(locale.tag()))
            })
        };
        exact.or_else(region).map(|(_, value)| value.as_str())
    }

    /// What is wrong with them, if anything is.
    pub fn problem(&self) -> Option<String> {
        if self.0.len() > MAX_COUNT {
            return Some(format!("there are more than {MAX_COUNT} members with a language"));
        }
        self.0.iter().find_map(|(key, value)| {
            let (name, tag) = key.split_once('#')?;
            if !is_tag(tag) {
                return Some(format!("{name} has a language that is not one of BCP 47"));
            }
            let fits = if name == "client_name" {
                !value.is_empty() && value.len() <= MAX_NAME_BYTES && !value.chars().any(char::is_control)
            } else {
                value.starts_with("https://") && redirects::check(value, Application::Web).is_ok()
            };
            let wanted = if name == "client_name" { "a short text without control characters" } else { "an https URL" };
            (!fits).then(|| format!("{key} is {wanted}"))
        })
    }
}

/// Letters and digits in parts of at most eight, the first of letters (RFC 5646 §2.1, without the registry).
fn is_tag(tag: &str) -> bool {
    let language = tag.split('-').next().unwrap_or_default();
    tag.len() <= MAX_TAG_BYTES
        && language.len() >= 2
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && tag
            .split('-')
            .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

impl<'de> Deserialize<'de> for Localized {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// Picks the members with a language out of whatever else a client sent.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Localized;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of client metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Localized, A::Error> {
        let mut found = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let ours = key.split_once('#').is_some_and(|(name, _)| NAMES.contains(&name));
            if ours && found.len() <= MAX_COUNT {
                let value = map.next_value()?;
                found.insert(key, value);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Localized(found))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: Value) -> Localized {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_members_with_a_language_are_kept() {
        let found = read(
            json!({ "client_name": "a", "client_name#fr": "b", "x#fr": "c", "contacts#fr": [1], "d": { "e": 1 } }),
        );
        assert_eq!(serde_json::to_value(&found).unwrap(), json!({ "client_name#fr": "b" }));
        assert!(serde_json::from_value::<Localized>(json!({ "client_name#fr": 1 })).is_err());
    }

    #[test]
    fn the_language_itself_comes_before_its_regions() {
        let found = read(json!({
            "client_name#fr-CA": "caribou", "client_name#FR": "renne", "client_name#en-GB": "reindeer", "tos_uri#fr": "https://a/",
        }));
        assert_eq!(found.find("client_name", Locale::Fr), Some("renne"));
        assert_eq!(found.find("client_name", Locale::En), Some("reindeer"));
        assert_eq!(found.find("tos_uri", Locale::Fr), Some("https://a/"));
        assert_eq!(found.find("tos_uri", Locale::En), None);
        assert_eq!(found.find("logo_uri", Locale::Fr), None);
    }

    #[test]
    fn values_are_short_texts_and_https_urls_under_real_languages() {
        let cases = [
            ("client_name#fr", "Centre", true),
            ("client_name#zh-Hant-TW", "中心", true),
            ("client_name#fr", "", false),
            ("client_name#fr", "a\u{7}", false),
            ("client_name#fr", &"a".repeat(257), false),
            ("client_name#", "Centre", false),
            ("client_name#f", "Centre", false),
            ("client_name#fr_FR", "Centre", false),
            ("client_name#fr-", "Centre", false),
            ("client_name#fr#x", "Centre", false),
            ("client_name#fr-abcdefghi", "Centre", false),
            ("logo_uri#fr", "https://rp.example/logo.png", true),
            ("logo_uri#fr", "http://rp.example/logo.png", false),
            ("logo_uri#fr", "javascript:alert(1)", false),
            ("policy_uri#fr", "https://user@rp.example/", false),
            ("tos_uri#en", "https://rp.example/a b", false),
        ];
        for (name, value, fits) in cases {
            assert_eq!(read(json!({ name: value })).problem().is_none(), fits, "{name}: {value}");
        }
        let many: serde_json::Map<_, _> = (0..70).map(|n| (format!("client_name#fr-a{n}"), json!("a"))).collect();
        assert!(read(Value::Object(many)).problem().is_some());
    }
}
