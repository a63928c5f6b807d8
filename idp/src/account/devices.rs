//! Signing out one device (R002, R031).

use axum::extract::State;

use super::signed_in;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::sessions;
use crate::login::local::Place;
use crate::login::session;
use crate::oidc::backchannel_logout::deliver_soon;
use crate::outcome::Outcome;
use crate::web::cookies::Cookies;
use crate::web::{Form, Origin, see_other};

/// Ends one of the person's own sessions: what was granted in it ends too, and the portals it was used at are told.
pub(super) async fn sign_out(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let Some((_, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Account.login_path()));
    };
    let Ok(mut params) = form else { return Ok(see_other(Place::Account.path())) };
    let wanted = params.take("session").filter(|_| browser.sent(&app, params.get("csrf"))).unwrap_or_default();
    let mut tx = app.db.begin().await?;
    // Only one's own: a session of somebody else is not among them.
    let own = sessions::of_person(&mut tx, &person.id, now).await?;
    if own.iter().any(|found| found.id == wanted) {
        let ended = session::end_by_id(&mut tx, (&wanted, &person.id), now).await?;
        let event = Event::new("session.ended")
            .by(&person.id)
            .about(&person.id)
            .from(&origin)
            .with("session", wanted)
            .with("reason", "signed_out_from_account")
            .with("grants_revoked", ended.grants_revoked);
        audit::record(&mut tx, event, now).await?;
        tx.commit().await?;
        deliver_soon(&app, &ended);
    }
    Ok(see_other(Place::Account.path()))
}
