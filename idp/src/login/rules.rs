//! The rule a password follows on this server, and where it stands today: `policies::passwords` with the configuration and what
//! the person's organizations ask (R040).

use std::collections::HashMap;

use habilis_policies::calendar;
use habilis_policies::passwords::{self, Campaign, Cause, PasswordPolicy, PolicyRefusal, State};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::app::App;
use crate::config::Config;
use crate::db::audit::{self, Event};
use crate::db::organizations::AskedPolicy;
use crate::db::{Conn, Tx, organizations};
use crate::outcome::{Fault, Outcome};

/// The rule in force for `person` `now`: the strictest of what their organizations ask, by memberships in force; the operator's
/// where one states none, and for the operator's own staff.
///
/// # Errors
/// The database failed, or a stored rule cannot be read.
pub async fn of_person(c: &mut impl Conn, config: &Config, person: &str, now: Timestamp) -> Outcome<PasswordPolicy> {
    let mut strictest: Option<PasswordPolicy> = None;
    for asked in organizations::password_policies_of(c, person, now).await? {
        strictest = Some(with(config, strictest, &asked)?);
    }
    Ok(strictest.unwrap_or_else(|| config.password_policy()))
}

/// The same for many people at once, by person. Somebody who is not there is left out.
///
/// # Errors
/// As [`of_person`].
pub async fn of_people(
    c: &mut impl Conn,
    config: &Config,
    people: &[&str],
    now: Timestamp,
) -> Outcome<HashMap<String, PasswordPolicy>> {
    let mut rules = HashMap::with_capacity(people.len());
    for (person, asked) in organizations::password_policies_of_many(c, people, now).await? {
        let so_far = rules.get(&person).copied();
        rules.insert(person, with(config, so_far, &asked)?);
    }
    Ok(rules)
}

/// The strictest so far, with what one more organization asks.
fn with(config: &Config, so_far: Option<PasswordPolicy>, asked: &AskedPolicy) -> Outcome<PasswordPolicy> {
    let (operator, floor) = (config.password_policy(), config.password_floor());
    let own = asked.policy.as_deref().map(read).transpose()?;
    let mut rule = PasswordPolicy::effective(own.as_ref(), &operator, &floor);
    if asked.operator {
        rule = rule.stricter(&operator);
    }
    Ok(so_far.map_or(rule, |so_far| so_far.stricter(&rule)))
}

fn read(stored: &str) -> Outcome<PasswordPolicy> {
    serde_json::from_str(stored).map_err(|error| Fault::new(format!("the password rule of an organization: {error}")))
}

/// The rule an organization states, if any.
///
/// # Errors
/// The database failed, or the stored rule cannot be read.
pub async fn of_organization(c: &mut impl Conn, organization: &str) -> Outcome<Option<PasswordPolicy>> {
    organizations::password_policy(c, organization).await?.as_deref().map(read).transpose()
}

/// States the rule of `organization`, or takes it back with `None`. The caller has made sure that the organization exists, and
/// commits.
///
/// # Errors
/// The database failed. A rule weaker than the operator's floor is refused, with every reason (R040).
pub async fn set_for_organization(
    tx: &mut Tx,
    config: &Config,
    (organization, policy): (&str, Option<&PasswordPolicy>),
    (actor, now): (&str, Timestamp),
) -> Outcome<Result<(), Vec<PolicyRefusal>>> {
    if let Some(Err(refusals)) = policy.map(|policy| policy.admit(&config.password_floor())) {
        return Ok(Err(refusals));
    }
    let stored = policy.map(serde_json::to_string).transpose()?;
    organizations::set_password_policy(tx, organization, stored.as_deref()).await?;
    let event = Event::new("organization.password_policy_set")
        .by(actor)
        .about(organization)
        .with("policy", serde_json::to_value(policy)?);
    audit::record(tx, event, now).await?;
    Ok(Ok(()))
}

/// The campaigns that may concern a password chosen at `changed`: that year's and the next one's. Its anniversary comes
/// before any later one.
fn campaigns(config: &Config, changed: Timestamp) -> Vec<Campaign> {
    let set = &config.passwords;
    let Some(on) = set.campaign_on else { return Vec::new() };
    let year = calendar::date_at(changed).year();
    [year, year.saturating_add(1)]
        .into_iter()
        .filter_map(|year| Date::new(year, on.month, on.day).ok())
        .filter_map(|held_on| Campaign::new(held_on, set.campaign_min_age_days).ok())
        .collect()
}

/// Where a password of this rule, chosen at `changed`, stands.
pub fn state(app: &App, policy: &PasswordPolicy, changed: Timestamp, now: Timestamp) -> State {
    passwords::state(changed, policy, &campaigns(&app.config, changed), now)
}

/// When a password of this rule, chosen at `changed`, expires, if ever, and why.
pub fn expires_on(config: &Config, policy: &PasswordPolicy, changed: Timestamp) -> Option<(Date, Cause)> {
    passwords::expires_on(changed, policy, &campaigns(config, changed))
}
