//! Signing out devices (R002, R031, R049): from the account page, and through the management API.

use axum::extract::State;
use jiff::Timestamp;

use super::signed_in;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::{Tx, grants, people, sessions};
use crate::login::local::Place;
use crate::login::session::{self, Ended};
use crate::oidc::backchannel_logout::deliver_soon;
use crate::outcome::Outcome;
use crate::web::cookies::Cookies;
use crate::web::{Form, Origin, see_other};

/// Ends one of the person's own sessions: what was granted in it ends too, and the portals it was used at are told. None when it is
/// none of theirs. The caller commits, then [`deliver_soon`].
///
/// # Errors
/// The database failed.
pub async fn end(tx: &mut Tx, (person, wanted, event): (&str, &str, Event), now: Timestamp) -> Outcome<Option<Ended>> {
    // Only one's own: a session of somebody else is not among them.
    let own = sessions::of_person(tx, person, now).await?;
    if !own.iter().any(|found| found.id == wanted) {
        return Ok(None);
    }
    let ended = session::end_by_id(tx, (wanted, person), now).await?;
    let event = event
        .about(person)
        .with("session", wanted)
        .with("reason", "signed_out_from_account")
        .with("grants_revoked", ended.grants_revoked);
    audit::record(tx, event, now).await?;
    Ok(Some(ended))
}

/// Ends every session of the person but `kept` (empty: every one), and what was granted outside of it. The caller commits, then wakes
/// the jobs by `app.mail_waiting`.
///
/// # Errors
/// The database failed.
pub async fn end_others(tx: &mut Tx, (person, kept, event): (&str, &str, Event), now: Timestamp) -> Outcome<()> {
    people::lock(tx, person).await?;
    let ended = session::end_of_person(tx, (person, kept), now).await?;
    let revoked = grants::revoke_of_person(tx, person, kept, now).await?;
    let event = event.about(person).with("sessions_ended", ended).with("grants_revoked", revoked);
    Ok(audit::record(tx, event, now).await?)
}

/// The button beside a device.
pub(super) async fn sign_out(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let Some((_, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Account.login_path()));
    };
    let Ok(mut params) = form else { return Ok(see_other(Place::Account.path())) };
    let wanted = params.take("session").filter(|_| browser.sent(&app, params.get("csrf"))).unwrap_or_default();
    let mut tx = app.db.begin().await?;
    let event = Event::new("session.ended").by(&person.id).from(&origin);
    if let Some(ended) = end(&mut tx, (&person.id, &wanted, event), now).await? {
        tx.commit().await?;
        deliver_soon(&app, &ended);
    }
    Ok(see_other(Place::Account.path()))
}

/// The button for all other devices.
pub(super) async fn sign_out_others(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Form(form): Form,
) -> Outcome {
    let now = app.clock.now();
    let Some((session, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Account.login_path()));
    };
    if !browser.sent(&app, form.ok().as_ref().and_then(|params| params.get("csrf"))) {
        return Ok(see_other(Place::Account.path()));
    }
    let mut tx = app.db.begin().await?;
    let event = Event::new("session.others_ended").by(&person.id).from(&origin);
    end_others(&mut tx, (&person.id, &session.id, event), now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(see_other(Place::Account.path()))
}
