//! `/sign-in/step/{id}`: the second step of a sign-in whose password was right, or the setting up of a second factor by
//! somebody who must have one and has none.
//!
//! No session exists yet: what was proven so far is a row bound to this browser for half an hour. Or there is one, a portal asks
//! for more than the password it began with, and the row says which session the second factor is added to (RFC 9470).

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::Timestamp;

use super::factor_pages::{Codes, Enrol, EnrolProblem, NewApp, SecondStep, StepProblem, With};
use super::factors::{self, Checked};
use super::finish::{self, Arrival, Proven, Way};
use super::pages::LoginProblem;
use super::passkey::{self, Registered};
use super::{removal, session};
use crate::account::completion;
use crate::app::App;
use crate::db::Tx;
use crate::db::people::{self, Person};
use crate::db::second_factors::{self, Found};
use crate::db::sessions::{self, Session};
use crate::db::sign_in_steps::{self, Step};
use crate::oidc::error::PageError;
use crate::oidc::interaction::{deny, stale};
use crate::outcome::Outcome;
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::params::Params;
use crate::web::routing::{form, post};
use crate::web::text::Locale;
use crate::web::{Form, Origin, chrome, render, see_other};

/// The routes of the second step.
pub fn router() -> Router<App> {
    Router::new()
        .route(passkey::OPTIONS_PATH, post(passkey::options))
        .route("/sign-in/step/{id}", form(show, answer))
        .route("/sign-in/step/{id}/app/{app}", form(show_app, confirm_app))
        .route("/sign-in/step/{id}/passkey-options", post(passkey_options))
        .route("/sign-in/removal/{token}", form(removal::get, removal::post))
}

/// Where the step `id` is taken.
pub fn path(id: &str) -> String {
    format!("/sign-in/step/{id}")
}

fn app_path(id: &str, app: &str) -> String {
    format!("{}/app/{app}", path(id))
}

/// A sign-in that waits in this browser.
struct Waiting {
    step: Step,
    way: Way,
    browser: Browser,
    found: Found,
    /// The session that is added to.
    before: Option<Session>,
}

async fn waiting(app: &App, cookies: &Cookies, id: &str, now: Timestamp) -> Outcome<Option<Waiting>> {
    let Some(browser) = cookies.browser.clone() else { return Ok(None) };
    let (step, found) = {
        let mut reader = app.db.reader().await?;
        let Some(step) = sign_in_steps::find(&mut reader, id, &browser.digest(), now).await? else { return Ok(None) };
        let found = second_factors::find(&mut reader, &step.person_id, now).await?;
        (step, found)
    };
    let Some(way) = Way::of(app, cookies, &step, now).await? else { return Ok(None) };
    let before = match &step.session_id {
        Some(id) => {
            let open = session::load(app, cookies, now).await?;
            let Some(open) = open.filter(|open| open.id == *id && open.person_id == step.person_id) else {
                return Ok(None);
            };
            Some(open)
        }
        None => None,
    };
    Ok(Some(Waiting { step, way, browser, found, before }))
}

impl Waiting {
    /// What is proven with `methods` added, and since when if there is a session.
    fn proven(&self, methods: &str) -> (String, Option<Timestamp>) {
        let amr = self.before.as_ref().map_or("pwd", |before| before.amr.as_str());
        (finish::with_methods(amr, methods), self.before.as_ref().map(|before| before.auth_time.into()))
    }

    /// Takes the step, once. A session that is added to must still be open, and stays so until the transaction ends.
    async fn finish(&self, tx: &mut Tx, amr: &str, now: Timestamp) -> Outcome<bool> {
        if let Some(before) = &self.before
            && !sessions::strengthen(tx, &before.id, amr).await?
        {
            return Ok(false);
        }
        Ok(sign_in_steps::finish(tx, &self.step.id, now).await?)
    }

    fn ui_locales(&self, chosen: Option<String>) -> Option<String> {
        chosen.or_else(|| match &self.way {
            Way::Request(open) => open.request.ui_locales.clone(),
            Way::Place(_) | Way::Landing(_) => None,
        })
    }

    fn second_step(&self, app: &App, origin: &Origin, (with, ui_locales): (With, Option<&str>)) -> SecondStep {
        let path = path(&self.step.id);
        let shown_at = if with == With::Recovery { format!("{path}?with=recovery") } else { path.clone() };
        let locale = origin.locale(ui_locales);
        SecondStep {
            chrome: chrome(app, locale, &shown_at),
            csrf: self.browser.csrf(app),
            client: self.client(locale),
            with: if self.found.apps == 0 && with == With::App { With::Passkey } else { with },
            passkey: self.found.passkeys > 0,
            recovery_href: (self.found.codes > 0).then(|| format!("{path}?with=recovery")),
            back_href: path.clone(),
            again_href: match self.before {
                Some(_) => self.way.whole_path(),
                None => self.way.login_path(),
            },
            signed_in: self.before.is_some(),
            removal: removal::is_offered(app),
            action: path,
            problem: None,
        }
    }

    fn enrol(&self, app: &App, origin: &Origin, ui_locales: Option<&str>) -> Enrol {
        let path = path(&self.step.id);
        let locale = origin.locale(ui_locales);
        Enrol {
            chrome: chrome(app, locale, &path),
            csrf: self.browser.csrf(app),
            client: self.client(locale),
            options: format!("{path}/passkey-options"),
            passkeys: app.passkeys.is_some(),
            action: path,
            problem: None,
        }
    }

    fn client(&self, locale: Locale) -> Option<crate::web::page::ClientCard> {
        match &self.way {
            Way::Request(open) => Some(open.client.card_in(locale)),
            Way::Place(_) | Way::Landing(_) => None,
        }
    }
}

async fn show(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let now = app.clock.now();
    let Some(waiting) = waiting(&app, &cookies, &id, now).await? else { return stale(&app, &origin) };
    let mut query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let ui_locales = waiting.ui_locales(query.take("ui_locales"));
    if !waiting.found.any() {
        return render(StatusCode::OK, &waiting.enrol(&app, &origin, ui_locales.as_deref()));
    }
    let with = With::of(query.get("with"));
    render(StatusCode::OK, &waiting.second_step(&app, &origin, (with, ui_locales.as_deref())))
}

/// Takes a code, a passkey, the choice of a factor to set up, or "cancel".
async fn answer(
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
    let Some(waiting) = waiting(&app, &cookies, &id, now).await? else { return stale(&app, &origin) };
    if !waiting.browser.sent(&app, params.get("csrf")) {
        return Ok(see_other(&path(&id)));
    }
    match (params.take("action").as_deref(), waiting.found.any()) {
        (Some("cancel"), _) => cancel(&app, waiting, now).await,
        (Some("passkey"), true) => by_passkey(&app, &origin, (waiting, cookies), (&mut params, now)).await,
        (Some("lost"), true) if removal::is_offered(&app) => {
            removal::ask(&app, &origin, (&waiting.step, &waiting.browser), now).await
        }
        (Some("app"), false) => begin_app(&app, &origin, &waiting, now).await,
        (Some("passkey-add"), false) => add_passkey(&app, &origin, (waiting, cookies), (&mut params, now)).await,
        (None, true) => by_code(&app, &origin, (waiting, cookies), (&mut params, now)).await,
        _ => Ok(see_other(&path(&id))),
    }
}

async fn cancel(app: &App, waiting: Waiting, now: Timestamp) -> Outcome {
    let mut tx = app.db.begin().await?;
    sign_in_steps::finish(&mut tx, &waiting.step.id, now).await?;
    tx.commit().await?;
    match waiting.way {
        Way::Request(open) => deny(app, &open, now).await,
        way => Ok(see_other(&way.login_path())),
    }
}

async fn by_code(
    app: &App,
    origin: &Origin,
    (waiting, cookies): (Waiting, Cookies),
    (params, now): (&mut Params, Timestamp),
) -> Outcome {
    let person = waiting.step.person_id.clone();
    let with = With::of(params.get("with"));
    let ui_locales = waiting.ui_locales(None);
    let shown = waiting.second_step(app, origin, (with, ui_locales.as_deref()));
    let old = session::load(app, &cookies, now).await?;
    let mut tx = app.db.begin().await?;
    people::lock(&mut tx, &person).await?;
    let typed = params.take("code").unwrap_or_default();
    match factors::check(&mut tx, app, (&person, &typed), (origin, &waiting.browser), now).await? {
        Checked::Right => {
            // A step taken twice at once is taken once; the code of the other is not used up.
            let (amr, since) = waiting.proven(factors::OTP);
            if !waiting.finish(&mut tx, &amr, now).await? {
                return stale(app, origin);
            }
            let arrival = Arrival { origin, browser: &waiting.browser, old };
            let proven = Proven { person: &person, amr: &amr, since };
            match finish::finish(tx, app, (waiting.way, arrival, proven), now).await? {
                Ok(response) => Ok(response),
                Err(problem) => refused(problem, shown),
            }
        }
        Checked::Wrong => {
            tx.commit().await?;
            app.mail_waiting.notify_one();
            metrics::counter!("habilis_sign_ins_total", "outcome" => "refused").increment(1);
            render(StatusCode::UNAUTHORIZED, &SecondStep { problem: Some(StepProblem::Wrong), ..shown })
        }
        Checked::TooEarly(retry_at) => {
            tx.commit().await?;
            metrics::counter!("habilis_sign_ins_total", "outcome" => "delayed").increment(1);
            let seconds = u64::try_from(retry_at.duration_since(now).as_secs() + 1).unwrap_or(1);
            let problem = Some(StepProblem::TryLater { seconds });
            let mut response = render(StatusCode::TOO_MANY_REQUESTS, &SecondStep { problem, ..shown })?;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            Ok(response)
        }
    }
}

async fn by_passkey(
    app: &App,
    origin: &Origin,
    (waiting, cookies): (Waiting, Cookies),
    (params, now): (&mut Params, Timestamp),
) -> Outcome {
    let ui_locales = waiting.ui_locales(None);
    let shown = waiting.second_step(app, origin, (With::App, ui_locales.as_deref()));
    let old = session::load(app, &cookies, now).await?;
    let arrival = Arrival { origin, browser: &waiting.browser, old };
    match passkey::sign_in(app, (waiting.way, arrival), params, now).await? {
        Ok(response) => Ok(response),
        Err(problem) => refused(problem, shown),
    }
}

fn refused(problem: LoginProblem, shown: SecondStep) -> Outcome {
    let (status, problem) = match problem {
        LoginProblem::NoRoom => (StatusCode::FORBIDDEN, StepProblem::NoRoom),
        _ => (StatusCode::UNAUTHORIZED, StepProblem::PasskeyRefused),
    };
    render(status, &SecondStep { problem: Some(problem), ..shown })
}

async fn begin_app(app: &App, origin: &Origin, waiting: &Waiting, now: Timestamp) -> Outcome {
    let name = origin.locale(waiting.ui_locales(None).as_deref()).text("factors-default-name");
    let mut tx = app.db.begin().await?;
    let id = factors::begin_app(&mut tx, app, (&waiting.step.person_id, &name), now).await?;
    tx.commit().await?;
    Ok(see_other(&app_path(&waiting.step.id, &id)))
}

async fn show_app(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path((id, device)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let now = app.clock.now();
    let Some(waiting) = waiting(&app, &cookies, &id, now).await? else { return stale(&app, &origin) };
    let mut query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let ui_locales = waiting.ui_locales(query.take("ui_locales"));
    match new_app(&app, &origin, (&waiting, &device, ui_locales.as_deref()), now).await? {
        Some(page) => render(StatusCode::OK, &page),
        None => Ok(see_other(&path(&id))),
    }
}

/// The page of the enrolment `device`; none when it is over, or the person has a second factor by now.
async fn new_app(
    app: &App,
    origin: &Origin,
    (waiting, device, ui_locales): (&Waiting, &str, Option<&str>),
    now: Timestamp,
) -> Outcome<Option<NewApp>> {
    if waiting.found.any() {
        return Ok(None);
    }
    let mut reader = app.db.reader().await?;
    let Some(person) = people::find(&mut reader, &waiting.step.person_id).await? else { return Ok(None) };
    let Some(secret) = factors::enrolment(&mut reader, app, (device, &person.id), now).await? else { return Ok(None) };
    let action = app_path(&waiting.step.id, device);
    let page = NewApp::new(
        chrome(app, origin.locale(ui_locales), &action),
        (action.clone(), waiting.browser.csrf(app), path(&waiting.step.id)),
        (&secret, &person.login),
    )?;
    Ok(Some(page))
}

async fn confirm_app(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path((id, device)): Path<(String, String)>,
    Form(form): Form,
) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let Some(waiting) = waiting(&app, &cookies, &id, now).await? else { return stale(&app, &origin) };
    let ui_locales = waiting.ui_locales(None);
    let page = new_app(&app, &origin, (&waiting, &device, ui_locales.as_deref()), now).await?;
    let (Some(page), true) = (page, waiting.browser.sent(&app, params.get("csrf"))) else {
        return Ok(see_other(&path(&id)));
    };
    let typed = params.take("code").unwrap_or_default();
    let person = waiting.step.person_id.clone();
    let old = session::load(&app, &cookies, now).await?;
    let mut tx = app.db.begin().await?;
    people::lock(&mut tx, &person).await?;
    // Whoever knows the password alone must not add a second factor beside the first.
    if second_factors::find(&mut tx, &person, now).await?.any() {
        return Ok(see_other(&path(&id)));
    }
    if !factors::confirm_app(&mut tx, &app, (&device, &person, &typed, &origin), now).await? {
        return render(StatusCode::UNAUTHORIZED, &NewApp { wrong: true, ..page });
    }
    set_up(tx, (&app, &origin, old), (waiting, factors::OTP), now).await
}

async fn passkey_options(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    Form(form): Form,
) -> Outcome {
    let now = app.clock.now();
    let Some(browser) = passkey::sender(&app, &cookies, form.ok().as_ref()) else { return Ok(passkey::stale_script()) };
    let waiting = waiting(&app, &cookies, &id, now).await?.filter(|waiting| !waiting.found.any());
    let Some(waiting) = waiting else { return Ok(passkey::stale_script()) };
    match person(&app, &waiting).await? {
        Some(person) if app.passkeys.is_some() && app.begun.admit(&origin.network()) => {
            passkey::new_options(&app, (&browser, &person), now).await
        }
        _ => Ok(passkey::stale_script()),
    }
}

async fn person(app: &App, waiting: &Waiting) -> Outcome<Option<Person>> {
    Ok(people::find(&mut app.db.reader().await?, &waiting.step.person_id).await?)
}

async fn add_passkey(
    app: &App,
    origin: &Origin,
    (waiting, cookies): (Waiting, Cookies),
    (params, now): (&mut Params, Timestamp),
) -> Outcome {
    let person = waiting.step.person_id.clone();
    let old = session::load(app, &cookies, now).await?;
    let mut tx = app.db.begin().await?;
    people::lock(&mut tx, &person).await?;
    if second_factors::find(&mut tx, &person, now).await?.any() {
        return Ok(see_other(&path(&waiting.step.id)));
    }
    match passkey::register(&mut tx, app, (&person, &waiting.browser, origin), (params, now)).await? {
        Registered::Added(methods) => set_up(tx, (app, origin, old), (waiting, methods), now).await,
        Registered::Refused | Registered::TooMany => {
            let ui_locales = waiting.ui_locales(None);
            let page = waiting.enrol(app, origin, ui_locales.as_deref());
            render(StatusCode::UNPROCESSABLE_ENTITY, &Enrol { problem: Some(EnrolProblem::Passkey), ..page })
        }
    }
}

/// The end of a sign-in that set up a second factor: the session opens, and the recovery codes are shown on the way.
async fn set_up(
    mut tx: Tx,
    (app, origin, old): (&App, &Origin, Option<Session>),
    (mut waiting, methods): (Waiting, &str),
    now: Timestamp,
) -> Outcome<Response> {
    let person = waiting.step.person_id.clone();
    let (amr, since) = waiting.proven(methods);
    if !waiting.finish(&mut tx, &amr, now).await? {
        return stale(app, origin);
    }
    let codes = factors::first_codes(&mut tx, app, (&person, origin), now).await?;
    let arrival = Arrival { origin, browser: &waiting.browser, old };
    let known = people::at_sign_in(&mut tx, &person, now).await?;
    if !known.may_sign_in() || !finish::has_room(&mut tx, app, (&person, &arrival), now).await? {
        return Ok(see_other(&waiting.way.login_path()));
    }
    let incomplete = match since {
        None => completion::on_the_way(&mut tx, app, (&waiting.way, &person, known), now).await?,
        Some(_) => None,
    };
    let proven = Proven { person: &person, amr: &amr, since };
    let (_, cookie) = finish::open(&mut tx, app, (&mut waiting.way, arrival, proven), now).await?;
    tx.commit().await?;
    finish::accepted(app);
    let next = incomplete.unwrap_or_else(|| waiting.way.next_path());
    let mut response = if codes.is_empty() {
        see_other(&next)
    } else {
        let ui_locales = waiting.ui_locales(None);
        render(StatusCode::OK, &Codes::new(chrome_of(app, origin, ui_locales.as_deref()), &codes, next))?
    };
    cookies::set_session(app, &mut response, &cookie);
    cookies::set_browser(app, &mut response, &waiting.browser);
    Ok(response)
}

/// A frame without a language switch: the page is the answer to a form, and cannot be asked for again.
pub fn chrome_of(app: &App, origin: &Origin, ui_locales: Option<&str>) -> crate::web::page::Chrome {
    crate::web::page::Chrome { languages: Vec::new(), ..chrome(app, origin.locale(ui_locales), "/") }
}
