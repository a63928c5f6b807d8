//! `/account/activity`: what happened to an account, in plain words, for the person it belongs to (R030, R031). Read from the audit
//! trail, newest first; what is of no use to a person is left out.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;

use super::signed_in;
use crate::app::App;
use crate::db::audit::{self, Line};
use crate::login::local::Place;
use crate::mail::letters::paris;
use crate::outcome::Outcome;
use crate::web::cookies::Cookies;
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::params::Params;
use crate::web::text::Locale;
use crate::web::{Origin, chrome, render, see_other};

/// The path.
pub const PATH: &str = "/account/activity";
/// Lines of a page.
const PAGE: u32 = 50;

/// The events people are told of, and the text of each.
const WORDS: &[(&str, &str)] = &[
    ("session.started", "activity-session-started"),
    ("session.ended", "activity-session-ended"),
    ("session.others_ended", "activity-session-others-ended"),
    ("session.no_room", "activity-session-no-room"),
    ("sign_in.refused", "activity-sign-in-refused"),
    ("sign_in.expired", "activity-sign-in-expired"),
    ("second_step.refused", "activity-second-step-refused"),
    ("recovery_code.used", "activity-recovery-code-used"),
    ("second_factors.removal_asked", "activity-second-factors-removal-asked"),
    ("second_factors.removal_stopped", "activity-second-factors-removal-stopped"),
    ("second_factors.removed_by_mail", "activity-second-factors-removed-by-mail"),
    ("second_factors.reset", "activity-second-factors-reset"),
    ("password.changed", "activity-password-changed"),
    ("password.link_requested", "activity-password-link-requested"),
    ("password.reminder_sent", "activity-password-reminder-sent"),
    ("account.created", "activity-account-created"),
    ("account.invited", "activity-account-invited"),
    ("account.invited_again", "activity-account-invited-again"),
    ("account.activated", "activity-account-activated"),
    ("account.suspended", "activity-account-suspended"),
    ("account.reactivated", "activity-account-reactivated"),
    ("person.status_changed", "activity-person-status-changed"),
    ("account.password_hash_exported", "activity-account-password-hash-exported"),
    ("account.compromise_reported", "activity-account-compromise-reported"),
    ("account.profile_changed", "activity-account-profile-changed"),
    ("account.email_change_asked", "activity-account-email-change-asked"),
    ("account.email_changed", "activity-account-email-changed"),
    ("account.email_restored", "activity-account-email-restored"),
    ("account.identity_changed", "activity-account-identity-changed"),
    ("account.identity_restored", "activity-account-identity-restored"),
    ("account.identity_verified", "activity-account-identity-verified"),
    ("account.login_yielded", "activity-account-login-yielded"),
    ("account.sharing_suspected", "activity-account-sharing-suspected"),
    ("enrolment.opened", "activity-enrolment-opened"),
    ("consent.given", "activity-consent-given"),
    ("consent.revoked", "activity-consent-revoked"),
    ("device.allowed", "activity-device-allowed"),
    ("device.denied", "activity-device-denied"),
    ("authenticator_app.added", "activity-authenticator-app-added"),
    ("authenticator_app.removed", "activity-authenticator-app-removed"),
    ("passkey.added", "activity-passkey-added"),
    ("passkey.removed", "activity-passkey-removed"),
    ("passkey.renamed", "activity-passkey-renamed"),
    ("recovery_codes.made", "activity-recovery-codes-made"),
];

/// Whether people are told of events of this name.
pub fn is_told(event: &str) -> bool {
    WORDS.iter().any(|(name, _)| *name == event)
}

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "account/activity.html")]
pub struct Activity {
    /// The frame.
    pub chrome: Chrome,
    /// What happened, newest first.
    pub entries: Vec<Entry>,
    /// Where what happened before is.
    pub older: Option<String>,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// In plain words.
    pub what: String,
    /// The application it happened for; empty for none.
    pub application: String,
    /// When.
    pub when: String,
    /// The address it came from; empty for none.
    pub address: String,
}

impl Sample for Activity {
    fn samples(locale: Locale) -> Vec<Self> {
        let entry = |key| Entry {
            what: locale.text(key),
            application: "<script>alert('nom')</script>".to_owned(),
            when: "15/12/2027 à 09:30 (heure de Paris)".to_owned(),
            address: "203.0.113.7".to_owned(),
        };
        let none = Self { chrome: sample_chrome(locale), entries: Vec::new(), older: None };
        let all = WORDS.iter().map(|(_, key)| entry(key)).collect();
        vec![none.clone(), Self { entries: all, older: Some(format!("{PATH}?before=1.evt_1")), ..none }]
    }
}

/// Shows the page. `before` in the query is where the page before ended.
///
/// # Errors
/// The database or the template failed.
pub async fn show(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let Some((_, person, _)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Activity.login_path()));
    };
    let query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let locale = origin.locale(query.get("ui_locales"));
    let before = query.get("before").and_then(place).unwrap_or((i64::MAX, ""));
    let mut lines = audit::of_person(&mut app.db.reader().await?, &person.id, before, PAGE + 1).await?;
    let more = lines.len() > PAGE as usize;
    lines.truncate(PAGE as usize);
    let older =
        lines.last().filter(|_| more).map(|line| format!("{PATH}?before={}.{}", line.at.milliseconds(), line.id));
    let mut entries = Vec::with_capacity(lines.len());
    for line in lines {
        entries.extend(entry(&app, line, locale).await?);
    }
    render(StatusCode::OK, &Activity { chrome: chrome(&app, locale, PATH), entries, older })
}

/// Reads `MILLISECONDS.ID`.
fn place(text: &str) -> Option<(i64, &str)> {
    let (at, id) = text.split_once('.')?;
    let is_id = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    Some((at.parse().ok()?, id)).filter(|_| is_id)
}

async fn entry(app: &App, line: Line, locale: Locale) -> Outcome<Option<Entry>> {
    let Some((_, key)) = WORDS.iter().find(|(event, _)| *event == line.event) else { return Ok(None) };
    let client = match &line.client_id {
        Some(id) => app.client(id).await?,
        None => None,
    };
    Ok(Some(Entry {
        what: locale.text(key),
        application: client.map(|client| client.name_in(locale).to_owned()).unwrap_or_default(),
        when: paris(line.at.into(), locale),
        address: line.address.unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn only_places_of_ours_are_read() {
        assert_eq!(place("1829.evt_01m8"), Some((1829, "evt_01m8")));
        for other in ["", "1829", "evt_01.1829", "1829.evt'--", "99999999999999999999.evt_1"] {
            assert_eq!(place(other), None, "{other}");
        }
        assert_eq!(place(&format!("1.{}", "e".repeat(65))), None);
    }
}
