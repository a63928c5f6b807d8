//! Devices that sign in through another browser (RFC 8628): `/device_authorization` for the device, `/device` for the person.
//!
//! The person types the code first: what is guessed is counted here, by network and by browser, before anybody signs in. The
//! code is then tied to that browser, and an answer is taken from it alone, after sign-in, on a page that shows who asks.
//! Polls are answered in `token::device_code`.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use habilis_keys::random::{Alphabet, text};
use habilis_keys::token::digest;
use habilis_policies::acr::{Level, Wanted};
use habilis_policies::device::{self, UserCode};
use habilis_policies::login::{self, TooEarly};
use habilis_policies::memberships::Standing;
use habilis_policies::scopes::Scope;
use habilis_policies::second_factor::Rule;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::client::SharedClient;
use super::client_auth;
use super::error::{PageError, Refusal, no_store};
use super::organization::{self, Found, Said, Scene};
use super::pages::{DeviceCode, DeviceConfirm, DeviceDone, DeviceOutcome, DeviceProblem, ScopeWords};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::device_requests::{self, NewDeviceRequest, Typed};
use crate::db::failures::{self, Subject};
use crate::db::grants::{self, NewGrant};
use crate::db::second_factors;
use crate::db::sessions::Session;
use crate::db::{consents, people};
use crate::login::local::Place;
use crate::login::password::recent;
use crate::login::{finish, session};
use crate::outcome::{Fault, Outcome};
use crate::seats::admission::{Issuing, stay_connected};
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::params::Params;
use crate::web::{Form, Origin, chrome, render, see_other};

/// The grant type of polls.
pub const GRANT_TYPE: &str = habilis_policies::profiles::DEVICE_CODE;

/// Where people type the code.
pub const PATH: &str = "/device";

/// How often a user code is drawn anew when it is in use; of 20⁸ codes few ever are.
const DRAWS: u8 = 4;

/// POST `/device_authorization` (RFC 8628 §3.1).
///
/// # Errors
/// The database failed.
pub async fn authorize(State(app): State<App>, origin: Origin, headers: HeaderMap, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return Ok(Refusal::from(error).into_response()),
    };
    let client = match client_auth::authenticate(&app, (&headers, &mut params), "/device_authorization", now).await? {
        Ok(client) => client,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    if !client.metadata.allows_grant(GRANT_TYPE) {
        let refusal = Refusal::new("unauthorized_client", "this client may not use that grant type");
        return Ok(refusal.into_response());
    }
    let scope = match Scope::parse(&params.take("scope").unwrap_or_default()) {
        Ok(asked) => granted(&asked, &client),
        Err(error) => return Ok(Refusal::new("invalid_scope", error.to_string()).into_response()),
    };
    // RFC 8707 §2: what is not offered here is refused rather than passed over.
    if params.get("resource").is_some() {
        let refusal = Refusal::new("invalid_target", "tokens of devices are for this server alone");
        return Ok(refusal.into_response());
    }
    // A request is a row: how many one network may leave behind is bounded.
    if !app.begun.admit(&origin.network()) {
        let description = "too many requests were made from this network, try again in a minute";
        let refusal = Refusal::new("temporarily_unavailable", description);
        return Ok(refusal.with_status(StatusCode::TOO_MANY_REQUESTS).into_response());
    }
    begin(&app, &client, &scope, now).await
}

/// What of the scope asked the client may have; what gives refresh tokens only where it may use them.
fn granted(asked: &Scope, client: &SharedClient) -> Scope {
    let scope = asked.common(&client.scope);
    if client.metadata.allows_grant("refresh_token") { scope } else { scope.without("offline_access") }
}

async fn begin(app: &App, client: &SharedClient, scope: &Scope, now: Timestamp) -> Outcome {
    let settings = &app.config.device;
    let device_code = habilis_keys::random::token();
    let life = SignedDuration::from_mins(i64::from(settings.code_minutes));
    for _ in 0..DRAWS {
        let letters = text(Alphabet::Consonants, device::LENGTH);
        let Some(user_code) = UserCode::parse(letters.expose()) else {
            return Err(Fault::new("a user code of other letters than the rule's"));
        };
        let new = NewDeviceRequest {
            device_digest: &digest(device_code.expose()),
            user_code: user_code.letters(),
            client: &client.id,
            scope: &scope.to_string(),
            expires_at: now.saturating_add(life)?,
            interval_seconds: settings.interval_seconds,
        };
        let mut single = app.db.single().await?;
        let is_new = device_requests::insert(&mut single, &new, now).await?;
        single.commit().await?;
        if !is_new {
            continue;
        }
        let verification_uri = format!("{}{PATH}", app.config.server.issuer);
        let body = json!({
            "device_code": device_code.expose(),
            "user_code": user_code.to_string(),
            "verification_uri": verification_uri,
            "verification_uri_complete": format!("{verification_uri}?user_code={user_code}"),
            "expires_in": life.as_secs(),
            "interval": settings.interval_seconds,
        });
        return Ok((no_store(), axum::Json(body)).into_response());
    }
    Err(Fault::new("no free user code was found"))
}

/// Asks for the code; a complete address brings it, and the person sends it (RFC 8628 §3.3.1).
///
/// # Errors
/// The template failed.
pub async fn ask(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let mut query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let browser = cookies.browser.unwrap_or_else(Browser::named_at_random);
    let brought = query.take("user_code").and_then(|code| UserCode::parse(&code));
    let page = code_page(&app, &origin, (&browser, brought.as_ref()), query.get("ui_locales"));
    let mut response = render(StatusCode::OK, &page)?;
    cookies::set_browser(&app, &mut response, &browser);
    Ok(response)
}

fn code_page(
    app: &App,
    origin: &Origin,
    (browser, code): (&Browser, Option<&UserCode>),
    ui_locales: Option<&str>,
) -> DeviceCode {
    let path = code.map_or_else(|| PATH.to_owned(), |code| format!("{PATH}?user_code={code}"));
    DeviceCode {
        chrome: chrome(app, origin.locale(ui_locales), &path),
        action: PATH.to_owned(),
        csrf: browser.csrf(app),
        user_code: code.map(ToString::to_string).unwrap_or_default(),
        problem: None,
    }
}

/// What became of a code that was typed.
enum Entered {
    /// It waits for the answer of this browser's person.
    Found,
    /// Unknown, mistyped, answered or expired.
    Unknown,
    /// Too many wrong ones; the next is heard then.
    TooEarly(Timestamp),
}

/// Takes the code.
///
/// # Errors
/// The database or the template failed.
pub async fn enter(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let Some(browser) = cookies.browser.filter(|browser| browser.sent(&app, params.get("csrf"))) else {
        return Ok(see_other(PATH));
    };
    let typed = params.take("user_code").unwrap_or_default();
    let code = UserCode::parse(&typed);
    let (status, problem, retry_after) = match look_up(&app, &origin, (&browser, code.as_ref()), now).await? {
        Entered::Found => return Ok(see_other(Place::Device.path())),
        Entered::Unknown => (StatusCode::UNPROCESSABLE_ENTITY, DeviceProblem::UnknownCode, None),
        Entered::TooEarly(retry_at) => {
            let seconds = u64::try_from(retry_at.duration_since(now).as_secs() + 1).unwrap_or(1);
            (StatusCode::TOO_MANY_REQUESTS, DeviceProblem::TryLater { seconds }, Some(seconds))
        }
    };
    let page = code_page(&app, &origin, (&browser, code.as_ref()), None);
    let shown: String = typed.chars().take(32).collect();
    let mut response = render(status, &DeviceCode { user_code: shown, problem: Some(problem), ..page })?;
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

/// Looks for the request of a code, unless too many wrong ones came from this network or this browser (RFC 8628 §5.1). A right
/// one forgets nothing: whoever guesses could ask for codes of their own.
async fn look_up(
    app: &App,
    origin: &Origin,
    (browser, code): (&Browser, Option<&UserCode>),
    now: Timestamp,
) -> Outcome<Entered> {
    let digest = browser.digest();
    let subjects = [Subject::device_codes_of_network(&origin.network()), Subject::device_codes_of_browser(&digest)];
    let mut tx = app.db.begin().await?;
    let of_network = recent(failures::lock(&mut tx, &subjects[0], now).await?, now);
    let of_browser = recent(failures::lock(&mut tx, &subjects[1], now).await?, now);
    let most = app.config.device.wrong_codes_per_address_per_hour;
    let heard = login::admit_network(Some(of_network), most, now).and_then(|()| login::admit(Some(of_browser), now));
    if let Err(TooEarly { retry_at }) = heard {
        return Ok(Entered::TooEarly(retry_at));
    }
    let found = match code {
        Some(code) => device_requests::typed(&mut tx, code.letters(), &digest, now).await?,
        None => false,
    };
    if !found {
        let [network, browser] = &subjects;
        failures::set(&mut tx, network, i64::from(of_network.count) + 1, of_network.hour_of(now)).await?;
        failures::set(&mut tx, browser, i64::from(of_browser.count) + 1, now).await?;
    }
    tx.commit().await?;
    Ok(if found { Entered::Found } else { Entered::Unknown })
}

/// Who answers which device, and for which of their organizations.
struct Asked {
    session: Session,
    browser: Browser,
    typed: Typed,
    client: SharedClient,
    found: Found,
}

/// Where the person says for which organization the device signs in, or reads why its portal is not for them.
const ORGANIZATION_PATH: &str = "/device/organization";

/// The request this browser is to answer; else where the person goes instead.
async fn asked(app: &App, cookies: &Cookies, now: Timestamp) -> Outcome<Result<Asked, Response>> {
    let Some(browser) = cookies.browser.clone() else { return Ok(Err(see_other(PATH))) };
    let Some(typed) = device_requests::find_typed(&mut app.db.reader().await?, &browser.digest(), now).await? else {
        return Ok(Err(see_other(PATH)));
    };
    let Some(session) = session::load(app, cookies, now).await? else {
        return Ok(Err(see_other(&Place::Device.login_path())));
    };
    let Some(client) = app.client(&typed.client_id).await?.filter(|client| client.active) else {
        return Ok(Err(see_other(PATH)));
    };
    if Level::of(&session.amr) < Level::TwoFactors {
        let found = second_factors::find(&mut app.db.reader().await?, &session.person_id, now).await?;
        if finish::asked(app, &found, client.settings.second_factor) == Rule::Required {
            return Ok(Err(see_other(&Place::Device.confirm_path())));
        }
    }
    let said = Said::by_device(&client, &typed.scope);
    let found = organization::find(&mut app.db.reader().await?, (&client, &session), &said, now).await?;
    Ok(Ok(Asked { session, browser, typed, client, found }))
}

/// Asks for which organization the device signs in, or says why its portal is not for the person; goes on when there is nothing to
/// ask.
///
/// # Errors
/// The database or a template failed.
pub async fn ask_organization(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    RawQuery(query): RawQuery,
) -> Outcome {
    let now = app.clock.now();
    let asked = match asked(&app, &cookies, now).await? {
        Ok(asked) => asked,
        Err(elsewhere) => return Ok(elsewhere),
    };
    if asked.found.standing == Standing::Settled && !asked.found.has_choice() {
        return Ok(see_other(Place::Device.path()));
    }
    let query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let scene = Scene {
        client: &asked.client,
        session: &asked.session,
        browser: &asked.browser,
        action: ORGANIZATION_PATH.to_owned(),
        not_you_href: Place::Device.whole_path(),
        locale: origin.locale(query.get("ui_locales")),
    };
    scene.show(&app, &asked.found).await
}

/// Takes the answer to it; "cancel" turns the device away.
///
/// # Errors
/// The database or a template failed.
pub async fn choose_organization(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Form(form): Form,
) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let asked = match asked(&app, &cookies, now).await? {
        Ok(asked) => asked,
        Err(elsewhere) => return Ok(elsewhere),
    };
    if !asked.browser.sent(&app, params.take("csrf").as_deref()) {
        return Ok(see_other(ORGANIZATION_PATH));
    }
    if params.get("action") == Some("cancel") {
        let outcome = DeviceOutcome::Denied;
        if let Err(elsewhere) = answer(&app, &origin, (&asked, outcome), now).await? {
            return Ok(elsewhere);
        }
        return render(StatusCode::OK, &DeviceDone { chrome: chrome(&app, origin.locale(None), PATH), outcome });
    }
    if let Some(chosen) = params.take("organization").filter(|id| asked.found.offers(id)) {
        let mut tx = app.db.begin().await?;
        organization::remember(&mut tx, (&asked.client, &asked.session, &origin), &chosen, now).await?;
        tx.commit().await?;
    }
    Ok(see_other(Place::Device.path()))
}

/// Shows who asks for what, beside the code to compare (RFC 8628 §3.3, §5.4).
///
/// # Errors
/// The database or the template failed.
pub async fn confirm(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    let now = app.clock.now();
    let asked = match asked(&app, &cookies, now).await? {
        Ok(asked) => asked,
        Err(elsewhere) => return Ok(elsewhere),
    };
    if asked.found.standing != Standing::Settled {
        return Ok(see_other(ORGANIZATION_PATH));
    }
    let Some(person) = people::find(&mut app.db.reader().await?, &asked.session.person_id).await? else {
        return Ok(see_other(PATH));
    };
    let query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let locale = origin.locale(query.get("ui_locales"));
    let scope = Scope::parse(&asked.typed.scope).unwrap_or_default();
    let page = DeviceConfirm {
        chrome: chrome(&app, locale, Place::Device.path()),
        action: Place::Device.path().to_owned(),
        csrf: asked.browser.csrf(&app),
        user_code: UserCode::parse(&asked.typed.user_code).map(|code| code.to_string()).unwrap_or_default(),
        client: asked.client.card_in(locale),
        person: format!("{} {}", person.given_name, person.family_name),
        organization: asked.found.chosen().map(|chosen| (chosen.id.clone(), chosen.name.clone())),
        change_href: asked.found.has_choice().then(|| ORGANIZATION_PATH.to_owned()),
        scopes: scope.iter().filter(|token| *token != "openid").map(|token| ScopeWords::of(token, locale)).collect(),
    };
    render(StatusCode::OK, &page)
}

/// Takes the person's answer.
///
/// # Errors
/// The database or the template failed.
pub async fn decide(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let asked = match asked(&app, &cookies, now).await? {
        Ok(asked) => asked,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let shown = params.take("user_code").and_then(|code| UserCode::parse(&code));
    // The answer is to what was on the page, even when another code was typed or another organization chosen meanwhile.
    let organization = params.take("organization").filter(|id| !id.is_empty());
    let is_shown = shown.is_some_and(|code| code.letters() == asked.typed.user_code)
        && organization == asked.found.chosen
        && asked.found.standing == Standing::Settled;
    if !is_shown || !asked.browser.sent(&app, params.get("csrf")) {
        return Ok(see_other(Place::Device.path()));
    }
    let outcome = match params.get("action") {
        Some("allow") => DeviceOutcome::Allowed,
        _ => DeviceOutcome::Denied,
    };
    if let Err(elsewhere) = answer(&app, &origin, (&asked, outcome), now).await? {
        return Ok(elsewhere);
    }
    render(StatusCode::OK, &DeviceDone { chrome: chrome(&app, origin.locale(None), PATH), outcome })
}

/// Writes the answer down; else where the person goes instead: there was one already, time ran out, or they are signed out.
async fn answer(
    app: &App,
    origin: &Origin,
    (asked, outcome): (&Asked, DeviceOutcome),
    now: Timestamp,
) -> Outcome<Result<(), Response>> {
    let Asked { session, browser, typed, client, found } = asked;
    let person = &session.person_id;
    let event = |name| Event::new(name).by(person).about(person).at_client(&client.id).from(origin);
    let over = || Ok(Err(see_other(PATH)));
    let mut tx = app.db.begin().await?;
    // The grant outlives the session: one that a report or a new password has ended meanwhile gives none.
    if !session::still_open(&mut tx, session, now).await? {
        return Ok(Err(see_other(&Place::Device.login_path())));
    }
    if outcome == DeviceOutcome::Denied {
        let first = device_requests::deny(&mut tx, &typed.user_code, &browser.digest(), now).await?;
        if !first {
            return over();
        }
        audit::record(&mut tx, event("device.denied"), now).await?;
        tx.commit().await?;
        return Ok(Ok(()));
    }
    let grant = habilis_keys::random::id("gra", now);
    let expires_at = typed.expires_at.into();
    let new = NewGrant {
        id: &grant,
        client: &client.id,
        person,
        // A device stays signed in when the browser that let it in signs out.
        session: None,
        scope: &typed.scope,
        claims: None,
        resources: "",
        organization: found.chosen.as_deref(),
        redirect_uri: "",
        nonce: None,
        code_challenge: None,
        auth_time: session.auth_time.into(),
        amr: &session.amr,
        acr: client.settings.acr.name(&Wanted::default(), Level::of(&session.amr)).unwrap_or_default(),
        dpop_jkt: None,
        // Nobody knows this code: the grant is claimed by the device code alone.
        code_digest: &digest(habilis_keys::random::token().expose()),
        code_expires_at: expires_at,
        expires_at,
    };
    grants::insert(&mut tx, &new, now).await?;
    // The device is connected, not the browser that lets it in.
    let issuing = Issuing { organization: found.chosen.as_deref(), grant: &grant, session: None, until: expires_at };
    if !stay_connected(&mut tx, client, issuing, now).await? {
        return over();
    }
    if !device_requests::allow(&mut tx, &typed.user_code, (&browser.digest(), &grant), now).await? {
        return over();
    }
    if !client.settings.first_party {
        consents::extend(&mut tx, (person, &client.id), &typed.scope, now).await?;
    }
    let event = event("device.allowed").with("scope", typed.scope.clone()).with("grant", grant);
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_is_drawn_can_be_typed() {
        for _ in 0..200 {
            let letters = text(Alphabet::Consonants, device::LENGTH);
            let code = UserCode::parse(letters.expose()).unwrap();
            assert_eq!(UserCode::parse(&code.to_string().to_lowercase()), Some(code));
        }
    }
}
