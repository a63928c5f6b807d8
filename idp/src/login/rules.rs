//! The rule a password follows on this server, and where it stands today: `policies::passwords` with the configuration.

use habilis_policies::calendar;
use habilis_policies::passwords::{self, Campaign, Cause, PasswordPolicy, State};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::app::App;

/// The rule in force.
pub fn policy(app: &App) -> PasswordPolicy {
    app.config.password_policy()
}

/// The campaigns that may concern a password chosen at `changed`: that year's and the next one's. Its anniversary comes
/// before any later one.
fn campaigns(app: &App, changed: Timestamp) -> Vec<Campaign> {
    let set = &app.config.passwords;
    let Some(on) = set.campaign_on else { return Vec::new() };
    let year = calendar::date_at(changed).year();
    [year, year.saturating_add(1)]
        .into_iter()
        .filter_map(|year| Date::new(year, on.month, on.day).ok())
        .filter_map(|held_on| Campaign::new(held_on, set.campaign_min_age_days).ok())
        .collect()
}

/// Where a password chosen at `changed` stands.
pub fn state(app: &App, changed: Timestamp, now: Timestamp) -> State {
    passwords::state(changed, &policy(app), &campaigns(app, changed), now)
}

/// When a password chosen at `changed` expires, if ever, and why.
pub fn expires_on(app: &App, changed: Timestamp) -> Option<(Date, Cause)> {
    passwords::expires_on(changed, &policy(app), &campaigns(app, changed))
}
