//! `/authorize`: the authorization endpoint (OIDC Core §3.1.2, RFC 6749 §3.1).
//!
//! A browser with a session that needs nothing more gets its answer at once; otherwise the request waits as an interaction
//! while the person signs in or consents.

use axum::extract::{RawQuery, State};
use habilis_policies::authorize::{Next, Refusal};
use jiff::{SignedDuration, Timestamp};

use super::answer::RedirectError;
use super::client::SharedClient;
use super::closed;
use super::error::PageError;
use super::front_channel;
use super::interaction::{self, login_path};
use super::organization::{organization_path, turned_away};
use super::par;
use super::request::{self, Invalid, Request};
use crate::app::App;
use crate::db::interactions::{self, NewInteraction};
use crate::login::session;
use crate::outcome::Outcome;
use crate::seats::admission::connect;
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::params::Params;
use crate::web::{Form, Origin, see_other};

/// How long a person may take to sign in and consent.
const INTERACTION: SignedDuration = SignedDuration::from_mins(30);

/// GET.
///
/// # Errors
/// The database or a template failed.
pub async fn get(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    match Params::parse(query.unwrap_or_default().as_bytes()) {
        Ok(params) => begin(&app, &origin, cookies, params).await,
        Err(error) => PageError::new("invalid_request", error.to_string()).show(&app, &origin, None),
    }
}

/// POST. A portal's page posts from its own site, so `SameSite=Lax` cookies stay behind: the browser is sent round to a GET
/// of the same request, which brings them.
///
/// # Errors
/// A template failed.
pub async fn post(State(app): State<App>, origin: Origin, Form(form): Form) -> Outcome {
    match form {
        Ok(params) => Ok(see_other(&format!("/authorize?{}", params.to_query()))),
        Err(error) => PageError::unreadable(&error).show(&app, &origin, None),
    }
}

async fn begin(app: &App, origin: &Origin, cookies: Cookies, mut params: Params) -> Outcome {
    let now = app.clock.now();
    let ui_locales = params.get("ui_locales").map(str::to_owned);
    let (client, request) = match request::read(app, &mut params, now).await? {
        Ok(valid) => valid,
        Err(Invalid::Page(error)) => return error.show(app, origin, ui_locales.as_deref()),
        Err(Invalid::Closed(client)) => return closed::show(app, origin, (&client, ui_locales.as_deref())),
        Err(Invalid::Redirect(return_to, error)) => return return_to.error(app, &error, now),
    };
    let session = session::load(app, &cookies, now).await?;
    let facts = (&client, &request, session.as_ref(), None);
    let mut verdict = interaction::next(app, &mut app.db.reader().await?, facts, now).await?;
    if let (Next::Answer, Some(session)) = (verdict.next, &session) {
        let mut tx = app.db.begin().await?;
        // A report or a new password may have ended the session meanwhile: then nobody is signed in.
        let session = session::still_open(&mut tx, session, now).await?.then_some(session);
        if session.is_none() || !client.settings.first_party {
            // The person may be taking the consent back: looked at again where that has to wait.
            verdict = interaction::next(app, &mut tx, (&client, &request, session, None), now).await?;
        }
        if let (Next::Answer, Some(session)) = (verdict.next, session) {
            if !connect(&mut tx, &client, (verdict.organization.as_deref(), session), now).await? {
                drop(tx);
                return wait(app, (origin, cookies), (&client, &request, organization_path), now).await;
            }
            if !par::answer(&mut tx, &request, now).await? {
                return answered_before().show(app, origin, ui_locales.as_deref());
            }
            let facts = (&client, &request, session, verdict.organization.as_deref());
            let answer = front_channel::answer(app, &mut tx, facts, now).await?;
            tx.commit().await?;
            return request.return_to.answer(app, &answer, now);
        }
    }
    match verdict.next {
        Next::Refuse(refusal) => {
            let mut single = app.db.single().await?;
            let is_first = par::answer(&mut single, &request, now).await?;
            single.commit().await?;
            if !is_first {
                return answered_before().show(app, origin, ui_locales.as_deref());
            }
            request.return_to.error(app, &refused(refusal), now)
        }
        Next::AskOrganization | Next::TurnAway(_) => {
            wait(app, (origin, cookies), (&client, &request, organization_path), now).await
        }
        Next::AskConsent => wait(app, (origin, cookies), (&client, &request, interaction::consent_path), now).await,
        Next::SignIn(_) | Next::StepUp | Next::Answer => {
            wait(app, (origin, cookies), (&client, &request, login_path), now).await
        }
    }
}

/// Two browsers opened one pushed request, and the other was faster.
pub fn answered_before() -> PageError {
    PageError::new("invalid_request_uri", "the pushed request was answered before")
}

/// The error a client is told when the person cannot be asked.
pub fn refused(refusal: Refusal) -> RedirectError {
    match refusal {
        Refusal::LoginRequired => RedirectError::new("login_required", "the person must sign in"),
        Refusal::ConsentRequired => RedirectError::new("consent_required", "the person must consent"),
        Refusal::InteractionRequired => {
            RedirectError::new("interaction_required", "the person must choose an organization")
        }
        Refusal::TurnedAway(reason) => turned_away(reason),
        Refusal::UnmetAuthentication => {
            RedirectError::new("unmet_authentication_requirements", "no sign-in reaches the essential acr")
        }
    }
}

async fn wait(
    app: &App,
    (origin, cookies): (&Origin, Cookies),
    (client, request, path): (&SharedClient, &Request, fn(&str) -> String),
    now: Timestamp,
) -> Outcome {
    // A waiting request is a row: how many one network may leave behind is bounded.
    if !app.begun.admit(&origin.network()) {
        return PageError::too_many().show(app, origin, request.ui_locales.as_deref());
    }
    let (browser, is_new) = match cookies.browser {
        Some(browser) => (browser, false),
        None => (Browser::named_at_random(), true),
    };
    let id = habilis_keys::random::id("int", now);
    let new = NewInteraction {
        id: &id,
        browser_digest: &browser.digest(),
        client: &client.id,
        request: &serde_json::to_string(request)?,
        expires_at: now.saturating_add(INTERACTION)?,
    };
    let mut single = app.db.single().await?;
    interactions::insert(&mut single, &new, now).await?;
    single.commit().await?;
    let mut response = see_other(&path(&id));
    if is_new {
        cookies::set_browser(app, &mut response, &browser);
    }
    Ok(response)
}
