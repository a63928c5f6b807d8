//! What people must say of themselves (R004), as bodies carry it and as it is refused.

use habilis_policies::attributes::{Attribute, phone};
use jiff::civil::Date;

use super::body::fields::{FromText, Patched};
use super::problem::{FieldError, Problem};

/// A telephone number of a person, in E.164; one that begins with a single zero is French.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PhoneNumber(pub(super) String);

impl FromText for PhoneNumber {
    fn from_text(text: &str) -> Result<Self, String> {
        phone(text).map(Self).ok_or_else(|| "no telephone number, such as +33612345678".to_owned())
    }
}

impl FromText for Attribute {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::named(text).ok_or_else(|| "one of given_name, family_name, phone_number, birthdate".to_owned())
    }
}

/// A day of birth, in the form it is kept in. `today` is the day in Paris.
///
/// # Errors
/// A day on which nobody was born who has an account.
pub(super) fn birthdate(day: Date, today: Date) -> Result<String, Problem> {
    Attribute::Birthdate
        .parse(&day.to_string(), today)
        .ok_or_else(|| Problem::field("/birthdate", "out_of_range", "people were born between 1900 and yesterday"))
}

/// What a merge patch changes, in the form it is kept in; none takes an attribute away.
///
/// # Errors
/// As [`birthdate`].
pub(super) fn patched_attributes(
    (number, day): (&Patched<PhoneNumber>, &Patched<Date>),
    today: Date,
) -> Result<Vec<(Attribute, Option<String>)>, Problem> {
    let mut changes = Vec::new();
    match number {
        Patched::Kept => {}
        Patched::Removed => changes.push((Attribute::PhoneNumber, None)),
        Patched::Set(number) => changes.push((Attribute::PhoneNumber, Some(number.0.clone()))),
    }
    match day {
        Patched::Kept => {}
        Patched::Removed => changes.push((Attribute::Birthdate, None)),
        Patched::Set(day) => changes.push((Attribute::Birthdate, Some(birthdate(*day, today)?))),
    }
    Ok(changes)
}

/// The refusal that names each attribute that is asked and missing.
pub(super) fn missing_problem(missing: &[Attribute]) -> Problem {
    let error = |attribute: &Attribute| FieldError {
        pointer: format!("/{}", attribute.claim()),
        code: "missing",
        detail: "asked of everybody here (R004)".to_owned(),
    };
    Problem::fields(missing.iter().map(error).collect())
}
