//! An authorization request while a person deals with it: what it needs next, the consent page, and the end.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use habilis_policies::acr::{self, Sufficiency};
use habilis_policies::authorize::{self, Consent, Facts, Hint, Next};
use habilis_policies::memberships::Standing;
use habilis_policies::scopes::Scope;
use habilis_policies::second_factor::Rule;
use jiff::{SignedDuration, Timestamp};

use super::answer::RedirectError;
use super::authorize::refused;
use super::client::SharedClient;
use super::error::PageError;
use super::front_channel;
use super::issue;
use super::organization::{self, Said, organization_path};
use super::pages::{Consent as ConsentPage, ScopeWords, Stale};
use super::par;
use super::request::Request;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::interactions::{self, Interaction};
use crate::db::sessions::Session;
use crate::db::{Conn, Tx, consents, people, second_factors};
use crate::login::{finish, session};
use crate::outcome::Outcome;
use crate::seats::admission::connect;
use crate::web::cookies::{Browser, Cookies};
use crate::web::params::Params;
use crate::web::{Form, Origin, chrome, render, see_other};

/// An interaction open in this browser.
#[derive(Debug)]
pub struct Open {
    /// The row.
    pub interaction: Interaction,
    /// The request that waits.
    pub request: Request,
    /// Who asks.
    pub client: SharedClient,
    /// The browser it began in.
    pub browser: Browser,
}

/// Where the person signs in.
pub fn login_path(id: &str) -> String {
    format!("/interaction/login/{id}")
}

/// Where somebody who is signed in begins from the beginning, as somebody else perhaps.
pub fn whole_path(id: &str) -> String {
    format!("{}?again=yes", login_path(id))
}

/// Where the person consents.
pub fn consent_path(id: &str) -> String {
    format!("/interaction/consent/{id}")
}

/// Where somebody goes on who has signed in.
pub fn continue_path(id: &str) -> String {
    format!("/interaction/continue/{id}")
}

/// Finds the open interaction `id` of this browser; none when it ended, expired, or belongs to another browser.
///
/// # Errors
/// The database failed.
pub async fn open(app: &App, cookies: &Cookies, id: &str, now: Timestamp) -> Outcome<Option<Open>> {
    let Some(browser) = cookies.browser.clone() else { return Ok(None) };
    let found = interactions::find(&mut app.db.reader().await?, id, &browser.digest(), now).await?;
    let Some(interaction) = found else { return Ok(None) };
    let Some(client) = app.client(&interaction.client_id).await?.filter(|client| client.active) else {
        return Ok(None);
    };
    let request = serde_json::from_str(&interaction.request)?;
    Ok(Some(Open { interaction, request, client, browser }))
}

/// Answers for an interaction that is no longer open.
///
/// # Errors
/// The template failed.
pub fn stale(app: &App, origin: &Origin) -> Outcome {
    let page =
        Stale { chrome: chrome(app, origin.locale(None), "/"), request_id: origin.request_id.clone(), portal: None };
    render(StatusCode::BAD_REQUEST, &page)
}

/// What a request needs next, and for which organization it is when that is an answer.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What comes next.
    pub next: Next,
    /// The organization the person signs in for.
    pub organization: Option<String>,
}

/// Says what a request needs next.
///
/// # Errors
/// The database failed.
pub async fn next(
    app: &App,
    c: &mut impl Conn,
    (client, request, session, interaction): (&SharedClient, &Request, Option<&Session>, Option<&Interaction>),
    now: Timestamp,
) -> Outcome<Verdict> {
    let signed_in_for_this = match (session, interaction.and_then(|interaction| interaction.authenticated_at)) {
        (Some(session), Some(at)) => session.auth_time >= at,
        _ => false,
    };
    let hint = match (&request.hint, session) {
        (None, _) => Hint::Absent,
        (Some(subject), Some(session)) if *subject != app.subjects.of(client, &session.person_id) => Hint::Differs,
        _ => Hint::Agrees,
    };
    // The consent of one person lets nothing out about another who signs in under the same request.
    let consented_by = interaction.filter(|of| of.consented_at.is_some()).and_then(|of| of.consented_by.as_deref());
    let consent = match session {
        Some(session) if consented_by == Some(session.person_id.as_str()) => Consent::GivenNow,
        _ if client.settings.first_party => Consent::NotNeeded,
        None => Consent::Missing,
        Some(session) => remembered(c, client, request, session).await?,
    };
    let mut acr = acr::suffices(&client.settings.acr, &request.acr, (reached(session), issue::STRONGEST));
    let (mut second_factor, mut good_for) = (Rule::Optional, SignedDuration::ZERO);
    if let Some(session) = session.filter(|session| acr::Level::of(&session.amr) < acr::Level::TwoFactors) {
        let found = second_factors::find(c, &session.person_id, now).await?;
        second_factor = finish::asked(app, &found, client.settings.second_factor);
        good_for = finish::good_for(app, &found);
        if acr == Sufficiency::Preferable && !found.any() {
            acr = Sufficiency::Enough;
        }
    }
    let (mut standing, mut chosen) = (Standing::Settled, None);
    if let Some(session) = session {
        let said = Said::by(client, request, interaction)?;
        let found = organization::find(c, (client, session), &said, now).await?;
        (standing, chosen) = (found.standing, found.chosen);
    }
    let facts = Facts {
        auth_time: session.map(|session| session.auth_time.into()),
        signed_in_for_this,
        prompt: request.prompt,
        max_age: request.max_age,
        hint,
        consent,
        acr,
        second_factor,
        good_for,
        organization: standing,
    };
    Ok(Verdict { next: authorize::next(&facts, now), organization: chosen })
}

/// The level of a session; of none, one that suffices for whatever can be reached, since the sign-in is still to come.
fn reached(session: Option<&Session>) -> acr::Level {
    session.map_or(issue::STRONGEST, |session| acr::Level::of(&session.amr))
}

async fn remembered(
    c: &mut impl Conn,
    client: &SharedClient,
    request: &Request,
    session: &Session,
) -> Outcome<Consent> {
    let given = consents::find(c, &session.person_id, &client.id).await?;
    let covers = given
        .and_then(|given| Scope::parse(&given).ok())
        .zip(Scope::parse(&request.scope).ok())
        .is_some_and(|(given, asked)| asked.is_within(&given));
    Ok(if covers { Consent::Remembered } else { Consent::Missing })
}

/// Goes on after the person did something: an answer to the client, or the next page. The caller has opened the session in this
/// transaction or found it [`session::still_open`], and commits.
///
/// # Errors
/// The database or a template failed.
pub async fn proceed(tx: &mut Tx, app: &App, (open, session): (&Open, &Session), now: Timestamp) -> Outcome<Response> {
    let id = &open.interaction.id;
    let facts = (&open.client, &open.request, Some(session), Some(&open.interaction));
    let Verdict { next, organization } = next(app, tx, facts, now).await?;
    match next {
        // The sign-in page knows who needs the second step alone.
        Next::SignIn(_) | Next::StepUp => Ok(see_other(&login_path(id))),
        Next::AskOrganization | Next::TurnAway(_) => Ok(see_other(&organization_path(id))),
        Next::AskConsent => Ok(see_other(&consent_path(id))),
        Next::Refuse(refusal) => {
            interactions::finish(tx, id, now).await?;
            if !par::answer(tx, &open.request, now).await? {
                return Ok(see_other(&login_path(id)));
            }
            open.request.return_to.error(app, &refused(refusal), now)
        }
        Next::Answer => {
            if !connect(tx, &open.client, (organization.as_deref(), session), now).await? {
                return Ok(see_other(&organization_path(id)));
            }
            // A second answer to one request finds it finished and sends the person to the page that says so.
            if !interactions::finish(tx, id, now).await? || !par::answer(tx, &open.request, now).await? {
                return Ok(see_other(&login_path(id)));
            }
            let facts = (&open.client, &open.request, session, organization.as_deref());
            let answer = front_channel::answer(app, tx, facts, now).await?;
            open.request.return_to.answer(app, &answer, now)
        }
    }
}

/// Goes on with a request after its sign-in showed something in between.
///
/// # Errors
/// The database or a template failed.
pub async fn resume(State(app): State<App>, origin: Origin, cookies: Cookies, Path(id): Path<String>) -> Outcome {
    let now = app.clock.now();
    let Some(open) = open(&app, &cookies, &id, now).await? else { return stale(&app, &origin) };
    let Some(session) = session::load(&app, &cookies, now).await? else { return Ok(see_other(&login_path(&id))) };
    let mut tx = app.db.begin().await?;
    if !session::still_open(&mut tx, &session, now).await? {
        return Ok(see_other(&login_path(&id)));
    }
    let response = proceed(&mut tx, &app, (&open, &session), now).await?;
    tx.commit().await?;
    Ok(response)
}

/// Ends an interaction the person does not want: `access_denied` to the client.
///
/// # Errors
/// The database or a template failed.
pub async fn deny(app: &App, open: &Open, now: Timestamp) -> Outcome {
    let mut tx = app.db.begin().await?;
    interactions::finish(&mut tx, &open.interaction.id, now).await?;
    let first = par::answer(&mut tx, &open.request, now).await?;
    tx.commit().await?;
    if !first {
        return Ok(see_other(&login_path(&open.interaction.id)));
    }
    open.request.return_to.error(app, &RedirectError::new("access_denied", "the person declined"), now)
}

/// Shows the consent page.
///
/// # Errors
/// The database or a template failed.
pub async fn consent(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let now = app.clock.now();
    let Some(open) = open(&app, &cookies, &id, now).await? else { return stale(&app, &origin) };
    let Some(session) = session::load(&app, &cookies, now).await? else { return Ok(see_other(&login_path(&id))) };
    let Some(person) = people::find(&mut app.db.reader().await?, &session.person_id).await? else {
        return stale(&app, &origin);
    };
    let chosen =
        Params::parse(query.unwrap_or_default().as_bytes()).ok().and_then(|mut params| params.take("ui_locales"));
    let locale = origin.locale(chosen.as_deref().or(open.request.ui_locales.as_deref()));
    let scope = Scope::parse(&open.request.scope).unwrap_or_default();
    let said = Said::by(&open.client, &open.request, Some(&open.interaction))?;
    let found = organization::find(&mut app.db.reader().await?, (&open.client, &session), &said, now).await?;
    let page = ConsentPage {
        organization: found.chosen().map(|organization| organization.name.clone()),
        chrome: chrome(&app, locale, &consent_path(&id)),
        action: consent_path(&id),
        csrf: open.browser.csrf(&app),
        client: open.client.card_in(locale),
        person: format!("{} {}", person.given_name, person.family_name),
        not_you_href: Some(whole_path(&id)),
        scopes: scope.iter().filter(|token| *token != "openid").map(|token| ScopeWords::of(token, locale)).collect(),
    };
    render(StatusCode::OK, &page)
}

/// Takes the person's decision.
///
/// # Errors
/// The database or a template failed.
pub async fn decide(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    Form(form): Form,
) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let Some(mut open) = open(&app, &cookies, &id, now).await? else { return stale(&app, &origin) };
    let Some(session) = session::load(&app, &cookies, now).await? else { return Ok(see_other(&login_path(&id))) };
    if !open.browser.sent(&app, params.take("csrf").as_deref()) {
        return Ok(see_other(&consent_path(&id)));
    }
    if params.get("action") != Some("allow") {
        return deny(&app, &open, now).await;
    }
    let mut tx = app.db.begin().await?;
    if !session::still_open(&mut tx, &session, now).await? {
        return Ok(see_other(&login_path(&id)));
    }
    interactions::consented(&mut tx, (&id, &session.person_id), now).await?;
    open.interaction.consented_at = Some(now.into());
    open.interaction.consented_by = Some(session.person_id.clone());
    consents::set(&mut tx, (&session.person_id, &open.client.id), &open.request.scope, now).await?;
    let event = Event::new("consent.given")
        .by(&session.person_id)
        .about(&session.person_id)
        .at_client(&open.client.id)
        .from(&origin)
        .with("scope", open.request.scope.clone());
    audit::record(&mut tx, event, now).await?;
    let response = proceed(&mut tx, &app, (&open, &session), now).await?;
    tx.commit().await?;
    Ok(response)
}
