//! `/interaction/login/{id}`: identifier and password.
//!
//! The same work and the same words for a wrong password, an unknown account and a closed one. An attempt is counted before
//! the password is looked at (CNIL délibération 2022-100), so that fifty at once are fifty.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use habilis_keys::password::Verdict;
use habilis_keys::secret::Secret;
use habilis_policies::login::{self, TooEarly, Trier};
use jiff::Timestamp;

use super::finish::{self, Arrival, Way, after_password};
use super::links::{self, Why};
use super::pages::{Login, LoginNotice, LoginProblem};
use super::passkey;
use super::password_pages::{Telling, Told};
use super::rules;
use super::session;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::browsers;
use crate::db::failures::{self, Failures, Subject};
use crate::db::people::{self, Credentials, fold_login};
use crate::db::sessions::Session;
use crate::db::{At, Tx, passwords};
use crate::oidc::error::PageError;
use crate::oidc::interaction::{Open, deny, open, stale, whole_path};
use crate::outcome::Outcome;
use crate::web::cookies::{Browser, Cookies};
use crate::web::params::Params;
use crate::web::{Form, Origin, chrome, render};

/// Longest password looked at, in bytes; longer ones are wrong.
const MAX_PASSWORD: usize = 1024;

/// Shows the sign-in page, or leads on to the second step when it is all that is asked of somebody signed in.
///
/// # Errors
/// The database or a template failed.
pub async fn get(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(id): Path<String>,
    axum::extract::RawQuery(query): axum::extract::RawQuery,
) -> Outcome {
    let now = app.clock.now();
    let Some(open) = open(&app, &cookies, &id, now).await? else { return stale(&app, &origin) };
    let session = session::load(&app, &cookies, now).await?;
    let mut query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    if let (Some(session), None) = (&session, query.get("again"))
        && let Some(second_step) = finish::step_up(&app, (&open, session, &origin), now).await?
    {
        return Ok(second_step);
    }
    let ui_locales = query.take("ui_locales").or_else(|| open.request.ui_locales.clone());
    let page = Login {
        notice: session.is_some().then_some(LoginNotice::ConfirmItIsYou),
        username: open.request.login_hint.clone().unwrap_or_default(),
        ..page(&app, &origin, &open, ui_locales.as_deref())
    };
    let page = match (session, query.get("again")) {
        (Some(session), None) => confirm(&app, (&open, &session), page).await?,
        _ => page,
    };
    render(StatusCode::OK, &page)
}

/// The page for somebody who is signed in and whom nobody but the client's clock asks to be so again: who they are is not asked. The
/// page as it is when the client means, or lets the person choose, somebody else.
async fn confirm(app: &App, (open, session): (&Open, &Session), page: Login) -> Outcome<Login> {
    let request = &open.request;
    let other = |subject: &String| *subject != app.subjects.of(&open.client, &session.person_id);
    if request.prompt.select_account || request.hint.as_ref().is_some_and(other) {
        return Ok(page);
    }
    let person = people::find(&mut app.db.reader().await?, &session.person_id).await?;
    let meant = |login: &str| request.login_hint.as_deref().is_none_or(|hint| fold_login(hint) == login);
    let Some(person) = person.filter(|person| meant(&person.login)) else { return Ok(page) };
    Ok(Login {
        username: person.login,
        not_you_href: Some(whole_path(&open.interaction.id)),
        sign_up_href: None,
        ..page
    })
}

/// Takes an attempt, or the person's "cancel".
///
/// # Errors
/// The database failed, or there are too many attempts at once.
pub async fn post(
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
    let Some(open) = open(&app, &cookies, &id, now).await? else { return stale(&app, &origin) };
    let username = params.take("username").unwrap_or_default();
    let ui_locales = params.take("ui_locales").or_else(|| open.request.ui_locales.clone());
    let shown = Login { username: username.clone(), ..page(&app, &origin, &open, ui_locales.as_deref()) };
    let shown = match (params.get("known"), session::load(&app, &cookies, now).await?) {
        (Some("yes"), Some(session)) => confirm(&app, (&open, &session), shown).await?,
        _ => shown,
    };
    if !open.browser.sent(&app, params.get("csrf")) {
        return render(StatusCode::FORBIDDEN, &Login { problem: Some(LoginProblem::Stale), ..shown });
    }
    if params.get("action") == Some("cancel") {
        return deny(&app, &open, now).await;
    }
    if params.get("action") == Some("passkey") {
        let old = session::load(&app, &cookies, now).await?;
        let browser = open.browser.clone();
        let arrival = Arrival { origin: &origin, browser: &browser, old };
        let way = Way::Request(Box::new(open));
        return match passkey::sign_in(&app, (way, arrival), &mut params, now).await? {
            Ok(response) => Ok(response),
            Err(problem) => refused(problem, shown),
        };
    }
    let password = Secret::new(params.take("password").unwrap_or_default());
    let login = fold_login(&username);
    match attempt(&app, (&origin, &open.browser), (&login, password), now).await? {
        Attempt::Right(credentials) => {
            let old = session::load(&app, &cookies, now).await?;
            let browser = open.browser.clone();
            let arrival = Arrival { origin: &origin, browser: &browser, old };
            match after_password(&app, (Way::Request(Box::new(open)), arrival), &credentials, now).await? {
                Ok(response) => Ok(response),
                Err(problem) => refused(problem, shown),
            }
        }
        Attempt::Expired => {
            let chrome = chrome(&app, origin.locale(ui_locales.as_deref()), "/");
            render(StatusCode::FORBIDDEN, &Told { chrome, telling: Telling::Expired })
        }
        Attempt::Wrong => {
            let problem = Some(LoginProblem::Refused);
            render(StatusCode::UNAUTHORIZED, &Login { problem, ..shown })
        }
        Attempt::TooEarly(retry_at) => too_early(shown, retry_at, now),
    }
}

/// Shows the form again with what stood in the way of somebody who proved who they are, or of a passkey.
pub(super) fn refused(problem: LoginProblem, shown: Login) -> Outcome {
    let status = if problem == LoginProblem::NoRoom { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
    render(status, &Login { problem: Some(problem), ..shown })
}

/// Shows the form again with the time to come back.
pub(super) fn too_early(shown: Login, retry_at: Timestamp, now: Timestamp) -> Outcome {
    let seconds = u64::try_from(retry_at.duration_since(now).as_secs() + 1).unwrap_or(1);
    let problem = Some(LoginProblem::TryLater { seconds });
    let mut response = render(StatusCode::TOO_MANY_REQUESTS, &Login { problem, ..shown })?;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Ok(response)
}

fn page(app: &App, origin: &Origin, open: &Open, ui_locales: Option<&str>) -> Login {
    let path = format!("/interaction/login/{}", open.interaction.id);
    let locale = origin.locale(ui_locales);
    Login {
        chrome: chrome(app, locale, &path),
        action: path,
        csrf: open.browser.csrf(app),
        username: String::new(),
        not_you_href: None,
        client: Some(open.client.card_in(locale)),
        notice: None,
        problem: None,
        forgot_href: Some(super::forgot::PATH.to_owned()),
        passkeys: app.passkeys.is_some(),
        sign_up_href: app
            .config
            .accounts
            .self_registration
            .then(|| format!("{}?interaction={}", crate::account::sign_up::PATH, open.interaction.id)),
    }
}

/// What became of an attempt.
pub(crate) enum Attempt {
    /// The password opens the account.
    Right(Verified),
    /// Wrong password, unknown or closed account.
    Wrong,
    /// The password was right but has expired: a link was sent, nothing is opened (R044).
    Expired,
    /// Too many failures; the next attempt is heard then.
    TooEarly(Timestamp),
}

/// Somebody whose password was right, with a digest in current parameters when the stored one is outdated.
pub(crate) struct Verified {
    pub(crate) person: String,
    /// The digest it was compared with, and when that password was chosen.
    phc: String,
    changed_at: Option<At>,
    renewed: Option<String>,
    /// The failures a success forgets: those of its own lane, so that the victim's success gives a guesser nothing.
    counted: Subject,
    /// Where it was counted beside others', and is given back.
    of_networks: Vec<Subject>,
}

impl Verified {
    /// Whether that is the person's password still, and may open the account: computing the digest took a while, in which it may have
    /// been changed or taken away. Another sign-in may have put the digest into current parameters, which changes nothing. The caller
    /// holds the lock on the person.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn holds(&self, tx: &mut Tx) -> Outcome<bool> {
        let Some(found) = people::find_credentials_of(tx, &self.person).await? else { return Ok(false) };
        let renewed_meanwhile = self.renewed.is_some() && found.phc.is_some() && found.changed_at == self.changed_at;
        Ok(found.phc.as_ref() == Some(&self.phc) || renewed_meanwhile)
    }

    /// Forgets the failures before it, and puts its digest into current parameters.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) async fn settle(&self, tx: &mut Tx) -> Outcome<()> {
        failures::clear(tx, &self.counted).await?;
        for subject in &self.of_networks {
            failures::give_back(tx, subject).await?;
        }
        if let Some(renewed) = &self.renewed {
            passwords::rehash(tx, &self.person, &self.phc, renewed).await?;
        }
        Ok(())
    }
}

/// Counts an attempt, then looks at the password.
///
/// # Errors
/// The database failed, or there are too many attempts at once.
pub(crate) async fn attempt(
    app: &App,
    (origin, browser): (&Origin, &Browser),
    (login, password): (&str, Secret<String>),
    now: Timestamp,
) -> Outcome<Attempt> {
    // What is not heard is not written down either: a flood must not fill the disk.
    let delayed = |TooEarly { retry_at }| {
        metrics::counter!("habilis_sign_ins_total", "outcome" => "delayed").increment(1);
        Ok(Attempt::TooEarly(retry_at))
    };
    let (counted, of_networks, trier) = trier(app, (origin, browser), login, now).await?;
    let limits = app.config.sign_in_limits();
    if let Err(too_early) = login::hear(&trier, &limits, now) {
        return delayed(too_early);
    }
    let mut tx = app.db.begin().await?;
    let own = recent(failures::lock(&mut tx, &counted, now).await?, now);
    let mut networks = Vec::with_capacity(of_networks.len());
    for subject in &of_networks {
        networks.push(recent(failures::lock(&mut tx, subject, now).await?, now));
    }
    // Others may have tried since: what is locked now is what counts.
    if let Err(too_early) = login::hear(&with(trier, own, &networks), &limits, now) {
        return delayed(too_early);
    }
    failures::set(&mut tx, &counted, i64::from(own.count) + 1, now).await?;
    for (subject, so_far) in of_networks.iter().zip(networks) {
        failures::set(&mut tx, subject, i64::from(so_far.count) + 1, so_far.hour_of(now)).await?;
    }
    let credentials = people::find_credentials(&mut tx, login).await?;
    tx.commit().await?;

    let too_long = password.expose().len() > MAX_PASSWORD;
    let phc = credentials.as_ref().and_then(|found| found.phc.clone()).filter(|_| !too_long);
    let typed = if too_long { Secret::new(String::new()) } else { password.clone() };
    let verdict = match app.hasher.verify(typed, phc.clone()).await {
        Ok(verdict) => verdict,
        Err(fault) => {
            // Nobody looked at it: an overload must not keep a whole network out.
            give_back(app, &of_networks).await?;
            return Err(fault);
        }
    };
    match (verdict, credentials, phc) {
        (Verdict::Match { .. }, Some(credentials), _) if is_too_old(app, &credentials, now).await? => {
            expired(app, origin, (&credentials.id, login, &of_networks), now).await?;
            Ok(Attempt::Expired)
        }
        (Verdict::Match { outdated }, Some(credentials), Some(phc)) if credentials.status == "active" => {
            let renewed = if outdated { Some(app.hasher.hash(password).await?) } else { None };
            let Credentials { id: person, changed_at, .. } = credentials;
            Ok(Attempt::Right(Verified { person, phc, changed_at, renewed, counted, of_networks }))
        }
        (_, credentials, _) => {
            refuse(app, origin, credentials.as_ref(), now).await?;
            Ok(Attempt::Wrong)
        }
    }
}

async fn give_back(app: &App, subjects: &[Subject]) -> Outcome<()> {
    if subjects.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.begin().await?;
    for subject in subjects {
        failures::give_back(&mut tx, subject).await?;
    }
    Ok(tx.commit().await?)
}

/// Whose failures an attempt adds to, one alone and those of networks, and who tries. The same look-ups for an account that exists and one that does not.
async fn trier(
    app: &App,
    (origin, browser): (&Origin, &Browser),
    login: &str,
    now: Timestamp,
) -> Outcome<(Subject, Vec<Subject>, Trier)> {
    let mut reader = app.db.reader().await?;
    let browser = browser.digest();
    let known = browsers::is_known(&mut reader, login, &browser).await?;
    let counted = if known { Subject::browser_of_account(&browser, login) } else { Subject::account(login) };
    let networks = [Subject::network(&origin.network()), Subject::wider_network(&origin.wider_network())];
    let found = failures::find_three(&mut reader, [&counted, &networks[0], &networks[1]]).await?;
    let [own, address, network] = found.map(|found| found.map(|found| recent(found, now)));
    if known {
        return Ok((counted, Vec::new(), Trier::KnownBrowser { own }));
    }
    Ok((counted, networks.into(), Trier::Stranger { account: own, address, network }))
}

/// The same with the failures that were locked.
fn with(trier: Trier, own: login::Failures, networks: &[login::Failures]) -> Trier {
    match trier {
        Trier::KnownBrowser { .. } => Trier::KnownBrowser { own: Some(own) },
        Trier::Stranger { .. } => {
            let [address, network] = [0, 1].map(|which| networks.get(which).copied());
            Trier::Stranger { account: Some(own), address, network }
        }
    }
}

/// Whether the account is one that only the e-mailed link opens (R044, R045).
pub(crate) async fn is_too_old(app: &App, credentials: &Credentials, now: Timestamp) -> Outcome<bool> {
    match (credentials.status.as_str(), credentials.changed_at) {
        // A kill switch of an organization: only a link opens the account (R033).
        ("active", _) if credentials.must_renew => Ok(true),
        ("active", Some(changed_at)) => {
            let rule = rules::of_person(&mut app.db.reader().await?, &app.config, &credentials.id, now).await?;
            Ok(!rules::state(app, &rule, changed_at.into(), now).may_sign_in())
        }
        (status, _) => Ok(status == "suspended_password"),
    }
}

/// Sends the link, five times an hour at most: these are counted by themselves, so that nobody who does not know the password uses
/// them up.
pub(crate) async fn expired(
    app: &App,
    origin: &Origin,
    (person, login, of_networks): (&str, &str, &[Subject]),
    now: Timestamp,
) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    for subject in of_networks {
        failures::give_back(&mut tx, subject).await?;
    }
    let subject = Subject::link_after_expiry(login);
    let so_far = recent(failures::lock(&mut tx, &subject, now).await?, now);
    if so_far.count < super::forgot::PER_NAME {
        failures::set(&mut tx, &subject, i64::from(so_far.count) + 1, so_far.hour_of(now)).await?;
        links::send(&mut tx, app, (person, Why::Expired), now).await?;
    }
    let event = Event::new("sign_in.expired").about(person).from(origin).with("method", "password");
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    metrics::counter!("habilis_sign_ins_total", "outcome" => "expired").increment(1);
    Ok(())
}

pub(crate) fn recent(found: Failures, now: Timestamp) -> login::Failures {
    let last_at = Timestamp::from(found.last_at);
    let forgotten = now.duration_since(last_at) >= login::MEMORY;
    login::Failures { count: if forgotten { 0 } else { u32::try_from(found.count).unwrap_or(u32::MAX) }, last_at }
}

async fn refuse(app: &App, origin: &Origin, credentials: Option<&Credentials>, now: Timestamp) -> Outcome<()> {
    let mut tx = app.db.begin().await?;
    let mut event = Event::new("sign_in.refused").from(origin).with("method", "password");
    if let Some(credentials) = credentials {
        event = event.about(&credentials.id);
    }
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    metrics::counter!("habilis_sign_ins_total", "outcome" => "refused").increment(1);
    Ok(())
}
