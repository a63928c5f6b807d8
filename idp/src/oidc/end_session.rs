//! `/end-session` (OIDC RP-Initiated Logout 1.0): signs the person out of the provider and of everything granted in the session.
//!
//! A portal that names this very session (`id_token_hint` with its `sid`) is believed; anybody else's request is first
//! confirmed by the person. The person is sent back only to a registered URI of a client that is known for sure.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use habilis_keys::jws::Unverified;
use jiff::Timestamp;
use serde_json::Value;

use super::answer::with_query;
use super::client::SharedClient;
use super::error::PageError;
use super::issue::sid;
use super::pages::{LoggedOut, LogoutConfirm};
use super::{backchannel_logout, frontchannel_logout};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::people;
use crate::db::sessions::Session;
use crate::login::session;
use crate::outcome::Outcome;
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::params::Params;
use crate::web::{Form, FormError, Origin, chrome, render, see_other};

/// What an `id_token_hint` tells; it may be expired.
#[derive(Debug, Clone)]
pub struct IdTokenHint {
    /// Who it was about.
    pub subject: String,
    /// Whom it was for.
    pub client: String,
    /// Which session.
    pub sid: Option<String>,
}

/// Reads an ID token of ours, expired or not; none for anything else.
pub fn read_hint(app: &App, hint: &str) -> Option<IdTokenHint> {
    let token = Unverified::parse(hint).ok()?;
    // Access and logout tokens carry a type; ID tokens of ours carry none.
    if token.header().typ.is_some() {
        return None;
    }
    let claims = app.keys.verify_hint(&token)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    (text("iss")? == app.config.server.issuer).then_some(())?;
    Some(IdTokenHint { subject: text("sub")?, client: text("aud")?, sid: text("sid") })
}

/// A valid logout request.
struct Request {
    hint: Option<IdTokenHint>,
    client: Option<SharedClient>,
    /// Where to go afterwards: registered, with `state` appended.
    back_to: Option<String>,
    /// The parameters, to be sent again with the person's confirmation.
    fields: Vec<(String, String)>,
    ui_locales: Option<String>,
}

impl Request {
    /// The page that says that nobody is signed in any more: this endpoint again, where by then nobody is.
    fn signed_out_page(&self) -> String {
        let client = self.client.as_ref().map(|client| ("client_id", client.id.as_str()));
        let locales = self.ui_locales.as_deref().map(|locales| ("ui_locales", locales));
        with_query("/end-session", &client.into_iter().chain(locales).collect::<Vec<_>>())
    }
}

/// GET.
///
/// # Errors
/// The database or a template failed.
pub async fn get(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let params = Params::parse(query.unwrap_or_default().as_bytes()).map_err(FormError::Params);
    answer(&app, &origin, &cookies, params).await
}

/// POST. A portal's page posts from its own site, so the session cookie stays behind: the browser is sent round to a GET of the
/// same request, which brings it.
///
/// # Errors
/// A template failed.
pub async fn post(State(app): State<App>, origin: Origin, Form(form): Form) -> Outcome {
    match form {
        Ok(params) => Ok(see_other(&format!("/end-session?{}", params.to_query()))),
        Err(error) => PageError::unreadable(&error).show(&app, &origin, None),
    }
}

async fn answer(app: &App, origin: &Origin, cookies: &Cookies, params: Result<Params, FormError>) -> Outcome {
    let now = app.clock.now();
    let request = match read(app, params).await? {
        Ok(request) => request,
        Err(error) => return error.show(app, origin, None),
    };
    let Some(session) = session::load(app, cookies, now).await? else {
        return leave(app, origin, &request);
    };
    let names_this_session = request.hint.as_ref().zip(request.client.as_ref()).is_some_and(|(hint, client)| {
        let subject = app.subjects.of(client, &session.person_id);
        hint.subject == subject && hint.sid.as_deref() == Some(&sid(&session.id, &client.id))
    });
    if names_this_session {
        return sign_out(app, (origin, &request, &session), now).await;
    }
    ask(app, (origin, cookies), (&request, &session)).await
}

/// Takes the person's confirmation.
///
/// # Errors
/// The database or a template failed.
pub async fn confirm(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let (csrf, action) = match &form {
        Ok(params) => (params.get("csrf").map(str::to_owned), params.get("action").map(str::to_owned)),
        Err(_) => (None, None),
    };
    let request = match read(&app, form).await? {
        Ok(request) => request,
        Err(error) => return error.show(&app, &origin, None),
    };
    let Some(session) = session::load(&app, &cookies, now).await? else {
        return leave(&app, &origin, &request);
    };
    if !cookies.browser.as_ref().is_some_and(|browser| browser.sent(&app, csrf.as_deref())) {
        return ask(&app, (&origin, &cookies), (&request, &session)).await;
    }
    if action.as_deref() == Some("confirm") {
        return sign_out(&app, (&origin, &request, &session), now).await;
    }
    let locale = origin.locale(request.ui_locales.as_deref());
    let link = request.client.and_then(|client| client.link(&app.config.server.issuer, locale));
    let home = link.map_or_else(|| "/".to_owned(), |link| link.href);
    Ok(see_other(&home))
}

async fn read(app: &App, params: Result<Params, FormError>) -> Outcome<Result<Request, PageError>> {
    let refuse = |description: &str| Ok(Err(PageError::new("invalid_request", description)));
    let mut params = match params {
        Ok(params) => params,
        Err(error) => return Ok(Err(PageError::unreadable(&error))),
    };
    let names = ["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"];
    let fields = names.iter().filter_map(|name| Some(((*name).to_owned(), params.get(name)?.to_owned()))).collect();
    let hint = match params.take("id_token_hint") {
        None => None,
        Some(hint) => match read_hint(app, &hint) {
            Some(hint) => Some(hint),
            None => return refuse("id_token_hint was not issued here"),
        },
    };
    let client_id = params.take("client_id");
    if let (Some(hint), Some(client_id)) = (&hint, &client_id)
        && hint.client != *client_id
    {
        return refuse("id_token_hint was issued to another client");
    }
    let client = match hint.as_ref().map(|hint| &hint.client).or(client_id.as_ref()) {
        None => None,
        Some(id) => app.client(id).await?.filter(|client| client.active),
    };
    let back_to = match (params.take("post_logout_redirect_uri"), &client) {
        (None, _) => None,
        (Some(_), None) => return refuse("post_logout_redirect_uri needs id_token_hint or client_id"),
        (Some(uri), Some(client)) if client.metadata.post_logout_redirect_uris.contains(&uri) => {
            let state = params.take("state");
            let parameters: Vec<_> = state.iter().map(|state| ("state", state.as_str())).collect();
            Some(with_query(&uri, &parameters))
        }
        (Some(_), Some(_)) => return refuse("post_logout_redirect_uri is not registered for this client"),
    };
    Ok(Ok(Request { hint, client, back_to, fields, ui_locales: params.take("ui_locales") }))
}

async fn ask(app: &App, (origin, cookies): (&Origin, &Cookies), (request, session): (&Request, &Session)) -> Outcome {
    let (browser, is_new) = match &cookies.browser {
        Some(browser) => (browser.clone(), false),
        None => (Browser::named_at_random(), true),
    };
    let person = people::find(&mut app.db.reader().await?, &session.person_id).await?;
    let locale = origin.locale(request.ui_locales.as_deref());
    let page = LogoutConfirm {
        chrome: chrome(app, locale, "/end-session"),
        action: "/end-session/confirm".to_owned(),
        csrf: browser.csrf(app),
        fields: request.fields.clone(),
        client_name: request.client.as_ref().map(|client| client.name_in(locale).to_owned()),
        person: person.map(|person| format!("{} {}", person.given_name, person.family_name)),
    };
    let mut response = render(StatusCode::OK, &page)?;
    if is_new {
        cookies::set_browser(app, &mut response, &browser);
    }
    Ok(response)
}

async fn sign_out(app: &App, (origin, request, session): (&Origin, &Request, &Session), now: Timestamp) -> Outcome {
    let mut tx = app.db.begin().await?;
    let ended = session::end(&mut tx, session, now).await?;
    let event = Event::new("session.ended")
        .by(&session.person_id)
        .about(&session.person_id)
        .from(origin)
        .with("session", session.id.clone())
        .with("grants_revoked", ended.grants_revoked);
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    backchannel_logout::deliver_soon(app, &ended);
    let frames = frontchannel_logout::frames(app, &ended, &session.id);
    let mut response = if frames.is_empty() {
        leave(app, origin, request)?
    } else {
        let next = request.back_to.clone().unwrap_or_else(|| request.signed_out_page());
        frontchannel_logout::page(app, (origin, request.ui_locales.as_deref()), (frames, next))?
    };
    cookies::clear_session(app, &mut response);
    Ok(response)
}

/// Nobody is signed in any more: back to the portal, or the page that says so.
fn leave(app: &App, origin: &Origin, request: &Request) -> Outcome {
    if let Some(back_to) = &request.back_to {
        return Ok(see_other(back_to));
    }
    let locale = origin.locale(request.ui_locales.as_deref());
    let page = LoggedOut {
        chrome: chrome(app, locale, "/end-session"),
        portal: request.client.as_ref().and_then(|client| client.link(&app.config.server.issuer, locale)),
    };
    render(StatusCode::OK, &page)
}
