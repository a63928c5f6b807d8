//! What an account must say of its person before it opens (`accounts.mandatory`, R004): what is missing is asked on the activation
//! page.

use habilis_policies::attributes::Attribute;
use habilis_policies::calendar;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::app::App;
use crate::db::people::Person;
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::params::Params;

/// A field of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What it asks.
    pub attribute: Attribute,
    /// What was typed.
    pub value: String,
    /// Whether that is missing or cannot be.
    pub wrong: bool,
}

impl Field {
    /// An empty one.
    pub fn of(attribute: Attribute) -> Self {
        Self { attribute, value: String::new(), wrong: false }
    }

    /// Its name, that of the claim.
    pub fn name(&self) -> &'static str {
        self.attribute.claim()
    }

    /// The kind of the field.
    pub fn kind(&self) -> &'static str {
        match self.attribute {
            Attribute::GivenName | Attribute::FamilyName => "text",
            Attribute::PhoneNumber => "tel",
            Attribute::Birthdate => "date",
        }
    }

    /// What browsers know it by.
    pub fn autocomplete(&self) -> &'static str {
        match self.attribute {
            Attribute::GivenName => "given-name",
            Attribute::FamilyName => "family-name",
            Attribute::PhoneNumber => "tel",
            Attribute::Birthdate => "bday",
        }
    }

    /// What it is called.
    pub fn label(&self, chrome: &Chrome) -> String {
        chrome.t(match self.attribute {
            Attribute::GivenName => "signup-given-name",
            Attribute::FamilyName => "signup-family-name",
            Attribute::PhoneNumber => "activation-phone-number",
            Attribute::Birthdate => "activation-birthdate",
        })
    }

    /// What is wrong with it.
    pub fn problem(&self, chrome: &Chrome) -> String {
        chrome.t(match self.attribute {
            Attribute::GivenName => "activation-missing-given-name",
            Attribute::FamilyName => "activation-missing-family-name",
            Attribute::PhoneNumber => "activation-missing-phone-number",
            Attribute::Birthdate => "activation-missing-birthdate",
        })
    }
}

/// The fields that `person` has to fill in.
///
/// # Errors
/// The claims of the person cannot be read.
pub fn missing(app: &App, person: &Person) -> Outcome<Vec<Field>> {
    let claims: Map<String, Value> = serde_json::from_str(&person.claims)?;
    let is_missing = |attribute: &Attribute| match attribute {
        Attribute::GivenName => person.given_name.trim().is_empty(),
        Attribute::FamilyName => person.family_name.trim().is_empty(),
        Attribute::PhoneNumber | Attribute::Birthdate => {
            claims.get(attribute.claim()).and_then(Value::as_str).is_none_or(|value| value.trim().is_empty())
        }
    };
    let mandatory = &app.config.accounts.mandatory;
    Ok(Attribute::ALL
        .into_iter()
        .filter(|attribute| mandatory.contains(attribute) && is_missing(attribute))
        .map(Field::of)
        .collect())
}

/// Takes what was typed into `fields`, and writes what is good into `person`; true when everything is.
///
/// # Errors
/// The claims of the person cannot be read.
pub fn take(fields: &mut [Field], person: &mut Person, params: &mut Params, now: Timestamp) -> Outcome<bool> {
    let today = calendar::date_at(now);
    let mut claims: Map<String, Value> = serde_json::from_str(&person.claims)?;
    for field in fields.iter_mut() {
        field.value = params.take(field.name()).unwrap_or_default().chars().take(200).collect();
        let Some(value) = field.attribute.parse(&field.value, today) else {
            field.wrong = true;
            continue;
        };
        match field.attribute {
            Attribute::GivenName => person.given_name = value,
            Attribute::FamilyName => person.family_name = value,
            Attribute::PhoneNumber | Attribute::Birthdate => {
                claims.insert(field.name().to_owned(), value.into());
            }
        }
    }
    person.claims = Value::Object(claims).to_string();
    Ok(fields.iter().all(|field| !field.wrong))
}
