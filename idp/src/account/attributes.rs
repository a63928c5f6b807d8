//! What an account must say of its person (R004): what the installation asks of everybody (`accounts.mandatory`) and what each of the
//! person's organizations asks beyond it.
//!
//! Whoever makes an account for others says it all (management API, imports), or leaves it to the activation page where they know a
//! name and an address only (command line, order forms). The page asks for what is missing, and so do the acceptance of an offer and,
//! of accounts that are open already, the way from the next sign-in.

use habilis_policies::attributes::{Asked, Attribute};
use habilis_policies::calendar;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::identity;
use crate::app::App;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::people::{self, Person, Profile};
use crate::db::{Conn, Tx, organizations};
use crate::outcome::Outcome;
use crate::web::Origin;
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
    /// Whether it may stay empty.
    pub optional: bool,
    /// What tells it from another field of the same name on the page.
    pub prefix: String,
}

impl Field {
    /// An empty one.
    pub fn of(attribute: Attribute) -> Self {
        Self { attribute, value: String::new(), wrong: false, optional: false, prefix: String::new() }
    }

    /// Its name, that of the claim.
    pub fn name(&self) -> &'static str {
        self.attribute.claim()
    }

    /// What the page calls it.
    pub fn id(&self) -> String {
        format!("{}{}", self.prefix, self.name())
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

/// What the installation asks of everybody.
pub fn asked_of_all(config: &Config) -> Asked {
    config.accounts.mandatory.iter().copied().collect()
}

/// What is asked of the people of the organization `id`, as far as it and the installation are concerned.
///
/// # Errors
/// The database failed.
pub async fn asked_by(c: &mut impl Conn, config: &Config, id: &str) -> Outcome<Asked> {
    Ok(organizations::mandatory(c, id).await?.and(&asked_of_all(config)))
}

/// What is asked of `person` by all whose membership is in force.
///
/// # Errors
/// The database failed.
pub async fn asked_of(c: &mut impl Conn, config: &Config, (person, now): (&str, Timestamp)) -> Outcome<Asked> {
    let asking = organizations::asking(c, person, now).await?;
    Ok(asking.iter().fold(asked_of_all(config), |all, (_, asked)| all.and(asked)))
}

/// What of `asked` somebody of these names and claims (a JSON object) does not say.
///
/// # Errors
/// The claims cannot be read.
pub fn missing(asked: &Asked, (given, family, claims): (&str, &str, &str)) -> Outcome<Vec<Attribute>> {
    if asked.is_nothing() {
        return Ok(Vec::new());
    }
    let claims: Map<String, Value> = serde_json::from_str(claims)?;
    Ok(asked.missing(|attribute| match attribute {
        Attribute::GivenName => !given.trim().is_empty(),
        Attribute::FamilyName => !family.trim().is_empty(),
        Attribute::PhoneNumber | Attribute::Birthdate => {
            claims.get(attribute.claim()).and_then(Value::as_str).is_some_and(|value| !value.trim().is_empty())
        }
    }))
}

/// What of `asked` a person does not say.
///
/// # Errors
/// The claims of the person cannot be read.
pub fn missing_of(asked: &Asked, person: &Person) -> Outcome<Vec<Attribute>> {
    missing(asked, (&person.given_name, &person.family_name, &person.claims))
}

/// The fields in which `person` says what is missing of `asked`.
///
/// # Errors
/// The claims of the person cannot be read.
pub fn fields(asked: &Asked, person: &Person) -> Outcome<Vec<Field>> {
    Ok(missing_of(asked, person)?.into_iter().map(Field::of).collect())
}

/// Takes what was typed into `fields`, and writes what is good into `person`; true when everything is.
///
/// # Errors
/// The claims of the person cannot be read.
pub fn take(fields: &mut [Field], person: &mut Person, params: &mut Params, now: Timestamp) -> Outcome<bool> {
    let today = calendar::date_at(now);
    for field in fields.iter_mut() {
        field.value = params.take(field.name()).unwrap_or_default().chars().take(200).collect();
        match field.attribute.parse(&field.value, today) {
            Some(value) => put(person, field.attribute, Some(value))?,
            None => field.wrong = true,
        }
    }
    Ok(fields.iter().all(|field| !field.wrong))
}

/// Stores what a person of an open account said in `fields`, records it, and weighs whose account it is now. The caller holds the lock on
/// the person, commits, and wakes the jobs by `app.mail_waiting`.
///
/// # Errors
/// The database or a template failed.
pub async fn save(
    tx: &mut Tx,
    app: &App,
    (person, fields, origin): (&Person, &[Field], &Origin),
    now: Timestamp,
) -> Outcome<()> {
    let names = (person.given_name.as_str(), person.family_name.as_str());
    let profile = Profile { names, locale: &person.locale, claims: &person.claims };
    people::set_profile(tx, &person.id, &profile, now).await?;
    let given: Vec<&str> = fields.iter().map(Field::name).collect();
    let event = Event::new("account.profile_changed").by(&person.id).about(&person.id).from(origin);
    audit::record(tx, event.with("changed", given), now).await?;
    identity::weigh(tx, app, (&person.id, origin), now).await
}

/// Writes an attribute into `person`, or takes it away.
///
/// # Errors
/// The claims of the person cannot be read.
pub fn put(person: &mut Person, attribute: Attribute, value: Option<String>) -> Outcome<()> {
    match attribute {
        Attribute::GivenName => person.given_name = value.unwrap_or_default(),
        Attribute::FamilyName => person.family_name = value.unwrap_or_default(),
        Attribute::PhoneNumber | Attribute::Birthdate => {
            let mut claims: Map<String, Value> = serde_json::from_str(&person.claims)?;
            match value {
                Some(value) => claims.insert(attribute.claim().to_owned(), value.into()),
                None => claims.remove(attribute.claim()),
            };
            person.claims = Value::Object(claims).to_string();
        }
    }
    Ok(())
}

/// What the claims of somebody (a JSON object) say of an attribute that is no name.
pub fn claimed(claims: &str, attribute: Attribute) -> Option<String> {
    let claims: Map<String, Value> = serde_json::from_str(claims).ok()?;
    claims.get(attribute.claim())?.as_str().map(str::to_owned)
}
