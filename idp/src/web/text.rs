//! The words people read: which language they get, and the sentences themselves.
//!
//! French comes first: it is the default, and the language every missing preference falls back to. Sentences live in
//! `idp/locales/{fr,en}/`, one file an area; a key starts with the name of its file (`login-title` is in `login.ftl`).
//! Language choice follows `ui_locales` (`OpenID` Connect Core §3.1.2.1), then `Accept-Language` (RFC 9110 §12.5.4).

use std::{borrow::Cow, collections::HashMap};

use fluent_templates::{LanguageIdentifier, Loader, fluent_bundle::FluentValue, langid, static_loader};

static_loader! {
    static TEXTS = {
        locales: "./locales",
        fallback_language: "fr",
        // Otherwise every name is wrapped in invisible direction marks, which spoil copies and comparisons.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

static FRENCH: LanguageIdentifier = langid!("fr");
static ENGLISH: LanguageIdentifier = langid!("en");

/// How many language tags of a request are looked at; the rest is ignored, never an error.
const TAGS_READ: usize = 16;

/// A language the pages and mails exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Locale {
    /// French, the default.
    #[default]
    Fr,
    /// English.
    En,
}

impl Locale {
    /// Every language, in the order shown to people.
    pub const ALL: [Self; 2] = [Self::Fr, Self::En];

    /// The language tag for `lang` attributes, `ui_locales` links and the `locale` claim (BCP 47).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::En => "en",
        }
    }

    /// The name of the language in that language, for the language switch.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::Fr => "Français",
            Self::En => "English",
        }
    }

    /// Picks the language of an answer.
    ///
    /// `ui_locales` wins when it names a language we have: a list parted by spaces, best first. Then `accept_language`
    /// decides by its weights. Unknown, malformed and surplus tags are passed over; with nothing left the answer is
    /// French. At most sixteen tags of each are read.
    pub fn negotiate(ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        ui_locales.and_then(first_known).or_else(|| accept_language.and_then(most_wanted)).unwrap_or_default()
    }

    /// The sentence filed under `key`.
    ///
    /// An unknown key gives `⟦key⟧`, which the page tests refuse, so it never reaches a person.
    pub fn text(self, key: &str) -> String {
        TEXTS.try_lookup(self.identifier(), key).unwrap_or_else(|| unresolved(key))
    }

    /// The sentence filed under `key`, with `arguments` (name, value) put in as they are.
    ///
    /// Values are plain text: whoever prints the sentence escapes it, as the templates do.
    pub fn text_with(self, key: &str, arguments: &[(&str, &str)]) -> String {
        let arguments = arguments
            .iter()
            .map(|(name, value)| (Cow::Owned((*name).to_owned()), FluentValue::String(Cow::Borrowed(*value))))
            .collect();
        self.complete(key, &arguments)
    }

    /// The sentence filed under `key` in the singular or plural that suits `count`, available to it as `$count`.
    pub fn text_count(self, key: &str, count: u64) -> String {
        let arguments = HashMap::from([(Cow::Borrowed("count"), FluentValue::from(count))]);
        self.complete(key, &arguments)
    }

    fn complete(self, key: &str, arguments: &HashMap<Cow<'static, str>, FluentValue>) -> String {
        TEXTS.try_lookup_with_args(self.identifier(), key, arguments).unwrap_or_else(|| unresolved(key))
    }

    fn identifier(self) -> &'static LanguageIdentifier {
        match self {
            Self::Fr => &FRENCH,
            Self::En => &ENGLISH,
        }
    }

    /// The language of a tag such as `fr-CA`, judged by its first part alone.
    fn of_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(language))
    }
}

fn unresolved(key: &str) -> String {
    format!("⟦{key}⟧")
}

fn first_known(ui_locales: &str) -> Option<Locale> {
    ui_locales.split_ascii_whitespace().take(TAGS_READ).find_map(Locale::of_tag)
}

fn most_wanted(accept_language: &str) -> Option<Locale> {
    let mut best: Option<(u16, Locale)> = None;
    for range in accept_language.split(',').take(TAGS_READ) {
        let mut parts = range.split(';').map(str::trim);
        let Some(locale) = parts.next().and_then(Locale::of_tag) else {
            continue;
        };
        let Some(weight) = weight_thousandths(parts.next()) else {
            continue;
        };
        // The first of equals stays: browsers list the preferred language first.
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, locale));
        }
    }
    best.map(|(_, locale)| locale)
}

/// Reads `q=0.8` as 800; absent means 1000. RFC 9110 §12.4.2: at most three digits after the point.
fn weight_thousandths(parameter: Option<&str>) -> Option<u16> {
    let Some(parameter) = parameter else {
        return Some(1000);
    };
    let value = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match whole {
        "0" => format!("{fraction:0<3}").parse().ok(),
        "1" if fraction.bytes().all(|byte| byte == b'0') => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Locale;

    #[test]
    fn the_language_follows_ui_locales_then_accept_language_then_french() {
        for (ui_locales, accept_language, expected) in [
            (None, None, Locale::Fr),
            (Some("se"), None, Locale::Fr),
            (Some("se"), Some("en-GB,en;q=0.9"), Locale::En),
            (Some("fr-CA fr en"), Some("en"), Locale::Fr),
            (Some("se EN_us"), Some("fr"), Locale::En),
            (Some(""), Some("de, en;q=0.5, fr;q=0.4"), Locale::En),
            (None, Some("en;q=0.2, fr;q=0.25"), Locale::Fr),
            (None, Some("en;q=0"), Locale::Fr),
            (None, Some("fr, en"), Locale::Fr),
            (None, Some("en, fr"), Locale::En),
            (None, Some("en;q=1.000"), Locale::En),
            (None, Some("en;q=2, *"), Locale::Fr),
            (None, Some("en;q=0.9999"), Locale::Fr),
            (None, Some(";;;,=,q=,é-,"), Locale::Fr),
        ] {
            assert_eq!(
                Locale::negotiate(ui_locales, accept_language),
                expected,
                "ui_locales {ui_locales:?}, Accept-Language {accept_language:?}"
            );
        }
    }

    #[test]
    fn a_language_named_after_a_flood_of_tags_is_not_looked_for() {
        let flood = format!("{}en", "se ".repeat(10_000));
        assert_eq!(Locale::negotiate(Some(&flood), None), Locale::Fr);
        let flood = format!("{}en", "se,".repeat(10_000));
        assert_eq!(Locale::negotiate(None, Some(&flood)), Locale::Fr);
    }

    #[test]
    fn a_value_is_put_in_as_it_is_without_direction_marks() {
        assert_eq!(Locale::En.text_with("common-signed-in-as", &[("name", "007")]), "Signed in as 007");
    }

    #[test]
    fn a_count_chooses_singular_or_plural() {
        let [one, many] = [1, 5].map(|minutes| Locale::Fr.text_count("login-try-later", minutes));
        assert!(one.ends_with("1 minute."), "{one}");
        assert!(many.ends_with("5 minutes."), "{many}");
    }

    #[test]
    fn an_unknown_key_is_marked_so_that_tests_see_it() {
        let key = "no-such-key";
        assert_eq!(Locale::Fr.text(key), "⟦no-such-key⟧");
    }
}
