//! The identifiers of French business life, parsed once at the door and trusted afterwards.
//!
//! SIREN and SIRET (companies and their establishments), UAI (schools and apprenticeship centres), NDA (training bodies)
//! and NIR (social security number). All accept what people paste: spaces, no-break spaces, dots and dashes are dropped,
//! letters raised. A number that parses is well formed; it does not prove that it exists or belongs to the one who typed it.
//!
//! Domain facts 4.1–4.4. Requirements R008 (attributes of an organization) and R171 (NIR sealed at rest, never shown).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kinds of organization with rights of their own (R008).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganizationKind {
    /// A member company (entreprise), known by its SIRET.
    Company,
    /// A training body (organisme de formation), known by its NDA.
    TrainingBody,
    /// An apprenticeship centre (CFA), known by its UAI.
    Cfa,
    /// Another partner.
    Partner,
    /// Somebody who acts for nobody but themselves (particulier, indépendant).
    Individual,
}

impl OrganizationKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Company, Self::TrainingBody, Self::Cfa, Self::Partner, Self::Individual];

    /// Its name in tokens, settings and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::TrainingBody => "training_body",
            Self::Cfa => "cfa",
            Self::Partner => "partner",
            Self::Individual => "individual",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The longest text looked at, in bytes: 15 characters written with a separator after each fit easily.
const MAX_BYTES: usize = 64;

/// In which way an identifier is wrong. The page chooses the words; [`fmt::Display`] is for logs and never repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Nothing is left once separators are dropped.
    #[error("empty")]
    Empty,
    /// Far too long to be looked at: more than 64 bytes.
    #[error("text too long")]
    TooLong,
    /// Not the right number of characters, separators aside.
    #[error("{found} characters where {expected} were expected")]
    Length {
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A character that cannot stand there.
    #[error("unexpected character at position {position}")]
    Character {
        /// Its place, counted from 1, separators aside.
        position: usize,
    },
    /// Every digit is zero: the sum is right, the number is not.
    #[error("all digits are zero")]
    AllZeros,
    /// The check digit or key does not match: at least one character is mistyped.
    #[error("check digit does not match")]
    CheckDigit,
    /// The first nine digits of a SIRET are not a SIREN.
    #[error("the first nine digits are not a SIREN")]
    SirenPart,
    /// A Monegasque pseudo-SIRET with letters, to be handled by a person.
    #[error("Monegasque pseudo-SIRET")]
    Monaco,
}

/// Drops what people put between groups of characters and raises letters.
fn normalise(text: &str) -> Result<String, IdentifierError> {
    if text.len() > MAX_BYTES {
        return Err(IdentifierError::TooLong);
    }
    // U+2010..U+2015 hyphens and dashes, U+2212 minus, U+200B zero width space; NBSP and its kin are white space.
    let separator = |c: char| {
        c.is_whitespace()
            || matches!(c, '.' | '-' | '\u{00ad}' | '\u{200b}' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{feff}')
    };
    let kept: String = text.chars().filter(|&c| !separator(c)).map(|c| c.to_ascii_uppercase()).collect();
    if kept.is_empty() { Err(IdentifierError::Empty) } else { Ok(kept) }
}

/// Checks the length, then each character against what may stand at its place (0-based).
fn shape(text: &str, expected: usize, allowed: impl Fn(usize, char) -> bool) -> Result<(), IdentifierError> {
    let found = text.chars().count();
    if found != expected {
        return Err(IdentifierError::Length { expected, found });
    }
    match text.chars().enumerate().find(|&(place, c)| !allowed(place, c)) {
        Some((place, _)) => Err(IdentifierError::Character { position: place + 1 }),
        None if text.chars().all(|c| c == '0') => Err(IdentifierError::AllZeros),
        None => Ok(()),
    }
}

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.bytes().map(|byte| u32::from(byte.wrapping_sub(b'0')))
}

fn luhn(text: &str) -> bool {
    let sum: u32 = digits(text)
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn number(text: &str) -> u64 {
    digits(text).fold(0, |sum, digit| sum * 10 + u64::from(digit))
}

macro_rules! public_identifier {
    ($name:ident) => {
        impl $name {
            /// The normalised form, without separators.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = IdentifierError;
            fn from_str(text: &str) -> Result<Self, IdentifierError> {
                Self::parse(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdentifierError;
            fn try_from(text: String) -> Result<Self, IdentifierError> {
                Self::parse(&text)
            }
        }
        impl From<$name> for String {
            fn from(identifier: $name) -> Self {
                identifier.0
            }
        }
    };
}

/// A company: nine digits with a Luhn key (domain facts 4.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Siren(String);

public_identifier!(Siren);

impl Siren {
    /// Reads a SIREN.
    ///
    /// # Errors
    /// Length, characters, all zeros or key: see [`IdentifierError`].
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let text = normalise(text)?;
        shape(&text, 9, |_, c| c.is_ascii_digit())?;
        if luhn(&text) { Ok(Self(text)) } else { Err(IdentifierError::CheckDigit) }
    }

    /// The intra-community VAT number that goes with it: `FR`, two digits of key, the SIREN.
    pub fn vat_number(&self) -> String {
        format!("FR{:02}{}", (12 + 3 * (number(&self.0) % 97)) % 97, self.0)
    }
}

/// The SIREN of La Poste, whose many establishments outgrew the Luhn key.
const LA_POSTE: &str = "356000000";

/// An establishment: a SIREN and five digits, with a Luhn key over the whole (domain facts 4.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Siret(String);

public_identifier!(Siret);

impl Siret {
    /// Reads a SIRET. Establishments of La Poste are also right when their digits add up to a multiple of five.
    ///
    /// # Errors
    /// Length, characters, all zeros, SIREN part or key, or a Monegasque number: see [`IdentifierError`].
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let text = normalise(text)?;
        if text.starts_with("MONACO") {
            return Err(IdentifierError::Monaco);
        }
        shape(&text, 14, |_, c| c.is_ascii_digit())?;
        let (siren, _) = text.split_at(9);
        if !luhn(siren) {
            return Err(IdentifierError::SirenPart);
        }
        let post_office = siren == LA_POSTE && digits(&text).sum::<u32>().is_multiple_of(5);
        if luhn(&text) || post_office { Ok(Self(text)) } else { Err(IdentifierError::CheckDigit) }
    }

    /// The company it belongs to.
    pub fn siren(&self) -> Siren {
        Siren(self.0.chars().take(9).collect())
    }
}

/// A school or apprenticeship centre: seven digits and a key letter (formerly RNE; domain facts 4.2).
///
/// The first three digits are usually a department; unknown ones are accepted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uai(String);

public_identifier!(Uai);

/// The alphabet of the key letter: no I, O, Q.
const UAI_KEYS: &[u8; 23] = b"ABCDEFGHJKLMNPRSTUVWXYZ";

impl Uai {
    /// Reads a UAI code.
    ///
    /// # Errors
    /// Length, characters or key letter: see [`IdentifierError`].
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let text = normalise(text)?;
        shape(&text, 8, |place, c| if place < 7 { c.is_ascii_digit() } else { c.is_ascii_uppercase() })?;
        let (order, key) = text.split_at(7);
        let expected =
            UAI_KEYS.iter().zip(0_u64..).find(|&(_, place)| place == number(order) % 23).map(|(letter, _)| letter);
        if key.as_bytes().first() == expected { Ok(Self(text)) } else { Err(IdentifierError::CheckDigit) }
    }
}

/// A training body's declaration of activity: region, department, order, department (domain facts 4.3).
///
/// No public check digit is known, so there is little to refuse and one thing to [warn](Self::warning) about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nda(String);

public_identifier!(Nda);

/// What looks odd in a declaration number that is accepted all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NdaWarning {
    /// Positions 3–4 and 10–11 differ; overseas and old numbers may.
    DepartmentsDiffer,
}

impl Nda {
    /// Reads a declaration number: 11 characters, digits except for a Corsican `2A` or `2B` at 3–4 and 10–11.
    ///
    /// # Errors
    /// Length or characters: see [`IdentifierError`].
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let text = normalise(text)?;
        let bytes = text.as_bytes();
        let corsican = |place: usize, c: char| {
            matches!(place, 3 | 10) && matches!(c, 'A' | 'B') && bytes.get(place - 1) == Some(&b'2')
        };
        shape(&text, 11, |place, c| c.is_ascii_digit() || corsican(place, c))?;
        Ok(Self(text))
    }

    /// What a person should look at twice before relying on it.
    pub fn warning(&self) -> Option<NdaWarning> {
        (self.0.get(2..4) != self.0.get(9..11)).then_some(NdaWarning::DepartmentsDiffer)
    }
}

/// A social security number with its key: thirteen characters and two digits (domain facts 4.4).
///
/// Neither `Display` nor serialisation exists and `Debug` is redacted, so that it cannot reach a log, a token or an answer by
/// accident. Processing it needs a legal ground that most operators lack (décret 2019-341): seal it at once (R171).
#[derive(Clone, PartialEq, Eq)]
pub struct Nir(String);

/// What looks odd in a number that is accepted all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NirWarning {
    /// The first digit is none of 1, 2 or the provisional 3, 4, 7, 8.
    Sex,
    /// The month is outside 01–12, 20–42 and 50–99.
    Month,
    /// The department is `00`.
    Department,
}

impl Nir {
    /// Reads a number of 15 characters: digits, or Corsica's `2A`, `2B` at 6–7, and a key that matches.
    ///
    /// # Errors
    /// Length, characters, all zeros or key: see [`IdentifierError`].
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let text = normalise(text)?;
        let bytes = text.as_bytes();
        let corsican = |place: usize, c: char| place == 6 && matches!(c, 'A' | 'B') && bytes.get(5) == Some(&b'2');
        shape(&text, 15, |place, c| c.is_ascii_digit() || corsican(place, c))?;
        let (body, key) = text.split_at(13);
        let body = number(&body.replacen("2A", "19", 1).replacen("2B", "18", 1));
        if number(key) == 97 - body % 97 { Ok(Self(text)) } else { Err(IdentifierError::CheckDigit) }
    }

    /// The number itself, to be sealed or compared; the name is meant to stand out in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What a screen may show: the key alone, which says nothing of sex, age or place of birth (R166).
    pub fn masked(&self) -> String {
        format!("•••••••••••••{}", self.0.get(13..).unwrap_or_default())
    }

    /// What looks odd: such numbers exist, so they are accepted.
    pub fn warning(&self) -> Option<NirWarning> {
        let part = |range| self.0.get(range).map_or(0, number);
        if !matches!(part(0..1), 1..=4 | 7 | 8) {
            Some(NirWarning::Sex)
        } else if !matches!(part(3..5), 1..=12 | 20..=42 | 50..=99) {
            Some(NirWarning::Month)
        } else if self.0.get(5..7) == Some("00") {
            Some(NirWarning::Department)
        } else {
            None
        }
    }
}

impl fmt::Debug for Nir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nir(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use IdentifierError as E;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_siren_carries_its_luhn_key() {
        let table = [
            ("732829320", Ok("732829320")),
            ("356000000", Ok("356000000")),
            ("844 317 461", Ok("844317461")),
            ("552\u{a0}081\u{202f}317", Ok("552081317")),
            ("552.081-317", Ok("552081317")),
            ("123456789", Err(E::CheckDigit)),
            ("000000000", Err(E::AllZeros)),
            ("73282932", Err(E::Length { expected: 9, found: 8 })),
            ("7328293200", Err(E::Length { expected: 9, found: 10 })),
            ("73282932O", Err(E::Character { position: 9 })),
            ("٧32829320", Err(E::Character { position: 1 })),
            (" -. ", Err(E::Empty)),
            ("", Err(E::Empty)),
        ];
        for (text, expected) in table {
            assert_eq!(Siren::parse(text).map(String::from), expected.map(str::to_owned), "{text}");
        }
        assert_eq!(Siren::parse(&" ".repeat(65)), Err(E::TooLong));
    }

    #[test]
    fn a_siret_carries_two_keys_except_at_the_post_office() {
        let table = [
            ("73282932000074", Ok("73282932000074")),
            ("35600000000048", Ok("35600000000048")),
            ("35600000049837", Ok("35600000049837")),
            ("35600000010000", Ok("35600000010000")),
            ("130 025 265 00013", Ok("13002526500013")),
            ("18006701900430", Ok("18006701900430")),
            ("44306184100047", Ok("44306184100047")),
            ("552 081 317\u{a0}66522", Ok("55208131766522")),
            ("34329377500037", Err(E::CheckDigit)),
            ("35600000012345", Err(E::CheckDigit)),
            ("12345678900000", Err(E::SirenPart)),
            ("MONACOCONFO001", Err(E::Monaco)),
            ("00000000000000", Err(E::AllZeros)),
            ("732829320", Err(E::Length { expected: 14, found: 9 })),
            ("7328293200007X", Err(E::Character { position: 14 })),
        ];
        for (text, expected) in table {
            assert_eq!(Siret::parse(text).map(String::from), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_siret_leads_to_its_company_and_its_vat_number() {
        assert_eq!(Siret::parse("55208131766522").unwrap().siren(), Siren::parse("552081317").unwrap());
        assert_eq!(Siren::parse("552081317").unwrap().vat_number(), "FR03552081317");
        assert_eq!(Siren::parse("844317461").unwrap().vat_number(), "FR28844317461");
    }

    #[test]
    fn a_uai_carries_its_key_letter() {
        let table = [
            ("0750654D", Ok("0750654D")),
            ("0752524L", Ok("0752524L")),
            ("0920131t", Ok("0920131T")),
            ("075 1234 J", Ok("0751234J")),
            ("0010856A", Ok("0010856A")),
            ("0123456A", Err(E::CheckDigit)),
            ("0123456S", Ok("0123456S")),
            ("0750654I", Err(E::CheckDigit)),
            ("07506543", Err(E::Character { position: 8 })),
            ("A750654D", Err(E::Character { position: 1 })),
            ("750654D", Err(E::Length { expected: 8, found: 7 })),
        ];
        for (text, expected) in table {
            assert_eq!(Uai::parse(text).map(String::from), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_declaration_number_is_checked_for_shape_and_warned_about_when_odd() {
        let odd = Some(NdaWarning::DepartmentsDiffer);
        let table = [
            ("11756984975", Ok(None)),
            ("76 31 13136 31", Ok(None)),
            ("76311313631", Ok(None)),
            ("94 2a 00012 2A", Ok(None)),
            ("942B0001220", Ok(odd)),
            ("11756984992", Ok(odd)),
            ("943A0001220", Err(E::Character { position: 4 })),
            ("1175698497A", Err(E::Character { position: 11 })),
            ("1A756984975", Err(E::Character { position: 2 })),
            ("1175698497", Err(E::Length { expected: 11, found: 10 })),
        ];
        for (text, expected) in table {
            assert_eq!(Nda::parse(text).map(|nda| nda.warning()), expected, "{text}");
        }
    }

    const NIRS: [&str; 9] = [
        "295109912611193",
        "253072A07300443",
        "253072B07300470",
        "188057512301180",
        "206127511100564",
        "223115935012322",
        "185059712345661",
        "290019935104212",
        "295012A00412334",
    ];

    #[test]
    fn a_nir_carries_its_key() {
        for text in NIRS {
            let nir = Nir::parse(text).unwrap();
            assert_eq!((nir.expose(), nir.warning()), (text, None));
            let wrong = format!("{}{:02}", &text[..13], text[13..].parse::<u8>().unwrap() + 1);
            assert_eq!(Nir::parse(&wrong), Err(E::CheckDigit), "{wrong}");
        }
        let table = [
            ("2 95 10 99 126 111 93", Ok(())),
            ("2530\u{a0}72a 073 004-43", Ok(())),
            ("253072C07300443", Err(E::Character { position: 7 })),
            ("253073A07300443", Err(E::Character { position: 7 })),
            ("2A3071207300443", Err(E::Character { position: 2 })),
            ("2951099126111", Err(E::Length { expected: 15, found: 13 })),
            ("000000000000000", Err(E::AllZeros)),
        ];
        for (text, expected) in table {
            assert_eq!(Nir::parse(text).map(drop), expected, "{text}");
        }
    }

    #[test]
    fn a_nir_that_is_only_unusual_is_accepted_with_a_warning() {
        let with_key = |body: &str| format!("{body}{:02}", 97 - body.parse::<u64>().unwrap() % 97);
        let table = [
            ("5880575123011", Some(NirWarning::Sex)),
            ("1881375123011", Some(NirWarning::Month)),
            ("1880500123011", Some(NirWarning::Department)),
            ("7884275123011", None),
        ];
        for (body, expected) in table {
            assert_eq!(Nir::parse(&with_key(body)).unwrap().warning(), expected, "{body}");
        }
    }

    #[test]
    fn a_nir_shows_nothing_by_itself() {
        let nir = Nir::parse(NIRS[0]).unwrap();
        assert_eq!(format!("{nir:?}"), "Nir(redacted)");
        assert_eq!(nir.masked(), "•••••••••••••93");
        assert!(!Nir::parse("2951099126111X3").unwrap_err().to_string().contains("2951"));
    }

    #[test]
    fn identifiers_are_checked_when_read_from_json() {
        assert_eq!(serde_json::from_str::<Siret>("\"732 829 320 00074\"").unwrap().as_str(), "73282932000074");
        assert!(serde_json::from_str::<Siret>("\"73282932000075\"").is_err());
        assert_eq!(serde_json::to_string(&Uai::parse("0750654d").unwrap()).unwrap(), "\"0750654D\"");
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_parser(text in "\\PC{0,40}") {
            let _ = (Siren::parse(&text), Siret::parse(&text), Uai::parse(&text), Nda::parse(&text), Nir::parse(&text));
        }

        #[test]
        fn one_mistyped_digit_of_a_siren_is_always_seen(place in 0_usize..9, shift in 1_u8..10) {
            let mut bytes = *b"732829320";
            bytes[place] = b'0' + (bytes[place] - b'0' + shift) % 10;
            prop_assert!(Siren::parse(std::str::from_utf8(&bytes).unwrap()).is_err());
        }
    }
}
