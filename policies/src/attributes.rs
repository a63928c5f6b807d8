//! What an account must say of its person before it opens (R004), and in what form.
//!
//! Two ask: the installation, of everybody, and each organization, of its people. They add up; nobody asks less than the other.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::contact::Name;

/// An attribute that can be mandatory, by the name of its claim (OIDC Core §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// Given name.
    GivenName,
    /// Family name.
    FamilyName,
    /// Telephone number.
    PhoneNumber,
    /// Date of birth.
    Birthdate,
}

/// Nobody was born before.
const EARLIEST: Date = Date::constant(1900, 1, 1);

impl Attribute {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::GivenName, Self::FamilyName, Self::PhoneNumber, Self::Birthdate];

    /// The name of its claim.
    pub fn claim(self) -> &'static str {
        match self {
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
            Self::PhoneNumber => "phone_number",
            Self::Birthdate => "birthdate",
        }
    }

    /// The attribute of this name.
    pub fn named(claim: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.claim() == claim)
    }

    /// What somebody typed, in the form it is kept in; none when it is no such thing. `today` is the day in Paris.
    pub fn parse(self, typed: &str, today: Date) -> Option<String> {
        match self {
            Self::GivenName | Self::FamilyName => Name::parse(typed).map(|name| name.as_str().to_owned()),
            Self::PhoneNumber => phone(typed),
            Self::Birthdate => {
                let date: Date = typed.trim().parse().ok()?;
                (typed.trim().len() == 10 && (EARLIEST..today).contains(&date)).then(|| date.to_string())
            }
        }
    }
}

/// What is asked, each attribute once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked(BTreeSet<Attribute>);

impl FromIterator<Attribute> for Asked {
    fn from_iter<T: IntoIterator<Item = Attribute>>(attributes: T) -> Self {
        Self(attributes.into_iter().collect())
    }
}

impl Asked {
    /// As it is stored: names with spaces between them. A name that nothing is known of, of a newer version, asks nothing.
    pub fn stored(text: &str) -> Self {
        text.split_ascii_whitespace().filter_map(Attribute::named).collect()
    }

    /// What both ask: the one adds to the other.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.extend(&other.0);
        self
    }

    /// Whether `attribute` is asked.
    pub fn includes(&self, attribute: Attribute) -> bool {
        self.0.contains(&attribute)
    }

    /// Whether nothing is asked.
    pub fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of what is asked, in the order of forms.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|attribute| attribute.claim()).collect()
    }

    /// What is asked of somebody of whom `says` tells what is known, and is not known; in the order of forms.
    pub fn missing(&self, says: impl Fn(Attribute) -> bool) -> Vec<Attribute> {
        self.0.iter().copied().filter(|attribute| !says(*attribute)).collect()
    }
}

/// A number in E.164, as OIDC Core §5.1 recommends. One that begins with a single zero is French.
pub fn phone(typed: &str) -> Option<String> {
    // As in +33 (0)6: the zero is dialled at home only.
    let typed =
        if typed.trim_start().starts_with(['+', '0']) { typed.replacen("(0)", "", 1) } else { typed.to_owned() };
    let bare: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '.' | '-' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}'))
        .take(24)
        .collect();
    let number = match (bare.strip_prefix('+'), bare.strip_prefix("00"), bare.strip_prefix('0')) {
        (Some(number), _, _) | (None, Some(number), _) => number.to_owned(),
        (None, None, Some(national)) if national.len() == 9 => format!("33{national}"),
        _ => return None,
    };
    let good = (8..=15).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with('0');
    good.then(|| format!("+{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = Date::constant(2027, 3, 2);

    #[test]
    fn telephone_numbers_are_kept_in_one_form() {
        for (typed, expected) in [
            ("06 12 34 56 78", Some("+33612345678")),
            ("06.12.34.56.78", Some("+33612345678")),
            ("06\u{a0}12\u{202f}34-56-78", Some("+33612345678")),
            ("+33 6 12 34 56 78", Some("+33612345678")),
            ("0033 6 12 34 56 78", Some("+33612345678")),
            ("+32 470 12 34 56", Some("+32470123456")),
            ("+262 692 12 34 56", Some("+262692123456")),
            ("", None),
            ("0", None),
            ("6 12 34 56 78", None),
            ("06 12 34 56 7", None),
            ("06 12 34 56 78 9", None),
            ("+33 (0)6 12 34 56 78", Some("+33612345678")),
            ("0033 (0)6 12 34 56 78", Some("+33612345678")),
            ("+33 (0)6 12 34 56 78 90 12 34", None),
            ("+0612345678", None),
            ("+33 six", None),
            ("0612345678<script>", None),
            ("٠٦١٢٣٤٥٦٧٨", None),
        ] {
            assert_eq!(Attribute::PhoneNumber.parse(typed, TODAY).as_deref(), expected, "{typed:?}");
        }
        assert_eq!(phone(&"0".repeat(100_000)), None);
    }

    #[test]
    fn people_were_born_before_today() {
        for (typed, expected) in [
            ("1987-10-16", Some("1987-10-16")),
            (" 2027-03-01 ", Some("2027-03-01")),
            ("2027-03-02", None),
            ("1899-12-31", None),
            ("1987-02-30", None),
            ("16/10/1987", None),
            ("1987-10-16T00:00:00", None),
            ("-001987-10-16", None),
            ("", None),
        ] {
            assert_eq!(Attribute::Birthdate.parse(typed, TODAY).as_deref(), expected, "{typed:?}");
        }
    }

    #[test]
    fn an_organization_asks_more_and_never_less() {
        let installation: Asked = [Attribute::GivenName, Attribute::FamilyName].into_iter().collect();
        for (own, expected) in [
            ("", vec!["given_name", "family_name"]),
            ("birthdate", vec!["given_name", "family_name", "birthdate"]),
            ("birthdate phone_number birthdate", vec!["given_name", "family_name", "phone_number", "birthdate"]),
            ("given_name", vec!["given_name", "family_name"]),
            ("shoe_size phone_number", vec!["given_name", "family_name", "phone_number"]),
        ] {
            let asked = Asked::stored(own).and(&installation);
            assert_eq!(asked.names(), expected, "{own}");
            assert_eq!(Asked::stored(&asked.names().join(" ")), asked);
        }
        let asked = Asked::stored("phone_number birthdate");
        assert_eq!(asked.missing(|attribute| attribute == Attribute::Birthdate), [Attribute::PhoneNumber]);
        assert!(asked.missing(|_| true).is_empty() && Asked::default().missing(|_| false).is_empty());
    }

    #[test]
    fn names_are_those_of_people_and_attributes_are_called_as_claims() {
        assert_eq!(Attribute::GivenName.parse(" Zoé ", TODAY).as_deref(), Some("Zoé"));
        assert_eq!(Attribute::FamilyName.parse("http://x.example", TODAY), None);
        for attribute in Attribute::ALL {
            assert_eq!(serde_json::to_string(&attribute).unwrap(), format!("\"{}\"", attribute.claim()));
        }
    }
}
