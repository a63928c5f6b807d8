//! `/sign-up`: people make themselves an account, where the operator allows it (R003, R004, Q05).
//!
//! Against robots: a proof of work that the browser computes while the form is filled in, and limits by address, by network
//! and by name. A browser without JavaScript is served too, slowly and seldom. Nothing that could be signed in to exists until
//! the link in the mail was used; the answer is the same whether the address is known or not, and whoever holds a known one
//! is told by mail. A form is kept, sealed, in the transaction that counts it, and a job looks up whose address it is: a crash after the
//! answer loses nothing.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use habilis_keys::token::digest;
use habilis_keys::work;
use habilis_policies::contact::{Email, Name};
use habilis_policies::login::{self, TooEarly};
use jiff::{SignedDuration, Timestamp};

use super::activation::SignUp;
use super::declaration;
use super::invite;
use super::landing::Landing;
use super::notice::{Told, tell};
use crate::app::App;
use crate::db::account_links::{self, NewLink, Purpose};
use crate::db::audit::{self, Event};
use crate::db::failures::{self, Subject};
use crate::db::people::{self, fold_login};
use crate::db::sign_up_requests::{self, SignUpRequest};
use crate::db::{Tx, used_tokens};
use crate::login::forgot;
use crate::login::password::recent;
use crate::mail::accounts::AccountLetter;
use crate::mail::{self, Recipient};
use crate::oidc::error::PageError;
use crate::oidc::interaction;
use crate::oidc::pages::Advice;
use crate::outcome::Outcome;
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::params::Params;
use crate::web::text::Locale;
use crate::web::{Form, Origin, chrome, render};

/// The path.
pub const PATH: &str = "/sign-up";
/// How long a form may stay open.
const FORM_LIFE: SignedDuration = SignedDuration::from_hours(2);
/// How long the link in the mail works.
const LINK_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// Mails to one address in an hour.
const PER_NAME: u32 = 5;
const SEALED_FOR: &str = "sign-up-request";

/// Shows the form.
///
/// # Errors
/// The template failed.
pub async fn get(State(app): State<App>, origin: Origin, cookies: Cookies, RawQuery(query): RawQuery) -> Outcome {
    if !app.config.accounts.self_registration {
        return closed(&app, &origin);
    }
    let now = app.clock.now();
    let mut query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let browser = cookies.browser.unwrap_or_else(Browser::named_at_random);
    let ui_locales = query.take("ui_locales");
    let interaction = query.take("interaction").filter(|id| looks_like_an_id(id)).unwrap_or_default();
    let page = page(&app, (&origin, ui_locales.as_deref()), (&browser, &interaction), now)?;
    answer(&app, (StatusCode::OK, page), &browser)
}

/// Takes a form.
///
/// # Errors
/// The database or the template failed.
pub async fn post(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    if !app.config.accounts.self_registration {
        return closed(&app, &origin);
    }
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let known = cookies.browser.clone();
    let browser = known.clone().unwrap_or_else(Browser::named_at_random);
    let mut field = |name: &str| params.take(name).unwrap_or_default();
    let [given_name, family_name, email, locale] = ["given_name", "family_name", "email", "locale"].map(&mut field);
    let interaction = Some(field("interaction")).filter(|id| looks_like_an_id(id)).unwrap_or_default();
    let declared = declaration::take(&params, &origin, now);
    let shown_in = declaration::language(&params);
    let shown = SignUpForm {
        given_name,
        family_name,
        email,
        language: Locale::negotiate(Some(&locale), None),
        declared: declared.is_some(),
        ..page(&app, (&origin, shown_in.as_deref()), (&browser, &interaction), now)?
    };
    if !known.is_some_and(|browser| browser.sent(&app, params.get("csrf"))) {
        let page = SignUpForm { problem: Some(SignUpProblem::Stale), ..shown };
        return answer(&app, (StatusCode::FORBIDDEN, page), &browser);
    }
    let names = (Name::parse(&shown.given_name), Name::parse(&shown.family_name));
    let email = Email::parse(&shown.email);
    let ((Some(given), Some(family)), Some(email), Some(declared)) = (names, email, declared) else {
        let undeclared = !shown.declared;
        return render(StatusCode::UNPROCESSABLE_ENTITY, &SignUpForm { checked: true, undeclared, ..shown });
    };
    let Ok(work) = proof(&app, &browser, &mut params, now) else { return again(shown) };
    let waiting = interaction::open(&app, &cookies, &interaction, now).await?;
    let landing = Landing {
        client: waiting.map(|open| open.client.id.clone()),
        target: None,
        interaction: Some(interaction).filter(|id| !id.is_empty()),
        by_hand: false,
    };
    let mut tx = app.db.begin().await?;
    let proven = match &work {
        None => false,
        Some((challenge, end)) => {
            if !used_tokens::first_use(&mut tx, "sign-up", challenge, *end).await? {
                return again(shown);
            }
            true
        }
    };
    if let Err(too_early) = count(&mut tx, &app, (&origin, &email, proven), now).await? {
        metrics::counter!("habilis_sign_ups_total", "outcome" => "refused").increment(1);
        return too_many(shown, too_early, now);
    }
    let told = if proven { Told::SignUpSent } else { Told::SignUpQueued };
    let delay = if proven { 0 } else { i64::from(app.config.accounts.unproven_delay_minutes) };
    let due = now.saturating_add(SignedDuration::from_mins(delay))?;
    let asked = SignUp {
        given_name: given.as_str().to_owned(),
        family_name: family.as_str().to_owned(),
        email: email.as_str().to_owned(),
        locale: shown.language.tag().to_owned(),
        landing,
        declared: Some(declared),
    };
    keep(&mut tx, &app, (&origin, &asked), (due, now)).await?;
    tx.commit().await?;
    metrics::counter!("habilis_sign_ups_total", "outcome" => if proven { "sent" } else { "queued" }).increment(1);
    // The answer does not wait for what follows, so that its time tells nothing of who is known here.
    app.mail_waiting.notify_one();
    tell(&app, &origin, told)
}

/// Keeps a form until its mail, due at `due`, is written. The caller commits.
async fn keep(
    tx: &mut Tx,
    app: &App,
    (origin, asked): (&Origin, &SignUp),
    (due, now): (Timestamp, Timestamp),
) -> Outcome<()> {
    let id = sign_up_requests::new_id(now);
    let request = SignUpRequest {
        asked_sealed: app.keys.master().seal(SEALED_FOR, id.as_bytes(), &serde_json::to_vec(asked)?),
        id,
        address: origin.address.to_string(),
        request_id: origin.request_id.clone(),
        due_at: due.into(),
        created_at: now.into(),
    };
    Ok(sign_up_requests::insert(tx, &request).await?)
}

fn closed(app: &App, origin: &Origin) -> Outcome {
    PageError {
        advice: Advice::StartAgain,
        status: StatusCode::NOT_FOUND,
        ..PageError::new("not_found", "there is nothing at this address")
    }
    .show(app, origin, None)
}

fn looks_like_an_id(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whom a challenge is made for: this browser, for this form.
fn whom(browser: &Browser) -> String {
    use base64::Engine as _;
    format!("sign-up {}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(browser.digest()))
}

/// The challenge that was worked on, with its end; none from a browser without JavaScript.
fn proof(
    app: &App,
    browser: &Browser,
    params: &mut Params,
    now: Timestamp,
) -> Result<Option<(String, Timestamp)>, work::Refused> {
    let Some(proof) = params.take("proof") else { return Ok(None) };
    let challenge = params.take("challenge").unwrap_or_default();
    let end = work::check(&app.forms, &whom(browser), (&challenge, &proof), now)?;
    Ok(Some((challenge, end)))
}

/// Counts a sign-up against name, address and network, unless one of them had enough; then nothing is counted.
async fn count(
    tx: &mut Tx,
    app: &App,
    (origin, email, proven): (&Origin, &Email, bool),
    now: Timestamp,
) -> Outcome<Result<(), TooEarly>> {
    let limits = &app.config.accounts;
    let (address, network) = (origin.network(), origin.wider_network());
    let mut subjects = vec![
        (Subject::sign_ups(&address), limits.sign_ups_per_address_per_hour),
        (Subject::sign_ups(&network), limits.sign_ups_per_network_per_hour),
        (Subject::sign_ups(&format!("name {}", fold_login(email.as_str()))), PER_NAME),
    ];
    if !proven {
        subjects.push((Subject::sign_ups(&format!("unproven {address}")), limits.unproven_per_address_per_hour));
        subjects.push((Subject::sign_ups("unproven"), limits.unproven_per_hour));
    }
    let mut counted = Vec::with_capacity(subjects.len());
    for (subject, per_hour) in subjects {
        let so_far = recent(failures::lock(tx, &subject, now).await?, now);
        if let Err(too_early) = login::admit_network(Some(so_far), per_hour, now) {
            return Ok(Err(too_early));
        }
        counted.push((subject, so_far));
    }
    for (subject, so_far) in counted {
        failures::set(tx, &subject, i64::from(so_far.count) + 1, so_far.hour_of(now)).await?;
    }
    Ok(Ok(()))
}

/// Answers every sign-up that waits: called when one was just written, and by the clock, so that one that was written before a crash is
/// answered after it.
///
/// # Errors
/// The database or a template failed.
pub async fn answer_waiting(app: &App, now: Timestamp) -> Outcome<()> {
    loop {
        let mut tx = app.db.begin().await?;
        let Some(request) = sign_up_requests::take(&mut tx).await? else { return Ok(()) };
        // This round may have begun before the request came.
        send(&mut tx, app, &request, now.max(request.created_at.into())).await?;
        tx.commit().await?;
    }
}

async fn send(tx: &mut Tx, app: &App, request: &SignUpRequest, now: Timestamp) -> Outcome<()> {
    let opened = app.keys.master().open(SEALED_FOR, request.id.as_bytes(), &request.asked_sealed);
    let Some(asked) = opened.ok().and_then(|asked| serde_json::from_slice::<SignUp>(asked.expose()).ok()) else {
        // Sealed under a master key of another time; it must not keep the others waiting.
        tracing::error!(event = "sign_up_unreadable", request_id = request.request_id);
        return Ok(());
    };
    let mut event = Event::new("sign_up.requested");
    (event.address, event.request_id) = (Some(request.address.clone()), Some(request.request_id.clone()));
    let due = now.max(request.due_at.into());
    let mut known = people::find_by_login_or_email(tx, &asked.email).await?;
    // A stranger who signs in with the address keeps nobody out, and hears nothing of it.
    known.retain(|person| person.is_reached_at(&asked.email));
    let locale = Locale::negotiate(Some(&asked.locale), None);
    if known.is_empty() {
        let token = habilis_keys::random::token();
        let link = NewLink {
            digest: &digest(token.expose()),
            purpose: Purpose::SignUp,
            person: None,
            detail: &serde_json::to_string(&asked)?,
            expires_at: due.saturating_add(LINK_LIFE)?,
        };
        account_links::insert(tx, &link, now).await?;
        let href = format!("{}{}{}", app.config.server.issuer, invite::PATH, token.expose());
        let to = Recipient { address: &asked.email, person: None, locale };
        let mail = mail::write_to(tx, app.into(), (&to, &AccountLetter::SignUp { href }), (due, now)).await?;
        event = event.with("mail", mail);
    }
    // Whoever holds the address is told; somebody who was invited gets the invitation again.
    for person in &known {
        event = event.about(&person.id);
        if invite::send_again(tx, app.into(), person, now).await?.is_some() {
            continue;
        }
        let Some(address) = person.email.as_deref().filter(|_| person.status != "closed") else { continue };
        let href = format!("{}{}", app.config.server.issuer, forgot::PATH);
        let locale = Locale::negotiate(Some(&person.locale), None);
        let to = Recipient { address, person: Some(&person.id), locale };
        mail::write_to(tx, app.into(), (&to, &AccountLetter::AlreadyKnown { href }), (due, now)).await?;
    }
    Ok(audit::record(tx, event, now).await?)
}

/// Shows the form with a new challenge.
fn again(shown: SignUpForm) -> Outcome {
    render(StatusCode::UNPROCESSABLE_ENTITY, &SignUpForm { problem: Some(SignUpProblem::Again), ..shown })
}

fn too_many(shown: SignUpForm, TooEarly { retry_at }: TooEarly, now: Timestamp) -> Outcome {
    let seconds = u64::try_from(retry_at.duration_since(now).as_secs() + 1).unwrap_or(1);
    let problem = Some(SignUpProblem::TryLater { seconds });
    let mut response = render(StatusCode::TOO_MANY_REQUESTS, &SignUpForm { problem, ..shown })?;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    Ok(response)
}

fn page(
    app: &App,
    (origin, ui_locales): (&Origin, Option<&str>),
    (browser, interaction): (&Browser, &str),
    now: Timestamp,
) -> Outcome<SignUpForm> {
    let locale = origin.locale(ui_locales);
    let accounts = &app.config.accounts;
    let path = if interaction.is_empty() { PATH.to_owned() } else { format!("{PATH}?interaction={interaction}") };
    let end = now.saturating_add(FORM_LIFE)?;
    Ok(SignUpForm {
        chrome: chrome(app, locale, &path),
        csrf: browser.csrf(app),
        challenge: work::challenge(&app.forms, &whom(browser), (accounts.proof_of_work_bits, end)),
        bits: accounts.proof_of_work_bits,
        delay_minutes: (accounts.unproven_per_hour > 0).then_some(accounts.unproven_delay_minutes),
        interaction: interaction.to_owned(),
        given_name: String::new(),
        family_name: String::new(),
        email: String::new(),
        language: locale,
        declaration: declaration::shown(locale),
        declared: false,
        undeclared: false,
        checked: false,
        problem: None,
    })
}

fn answer(app: &App, (status, page): (StatusCode, SignUpForm), browser: &Browser) -> Outcome<Response> {
    let mut response = render(status, &page)?;
    cookies::set_browser(app, &mut response, browser);
    Ok(response)
}

/// Why a form was not taken as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUpProblem {
    /// Too many from there.
    TryLater {
        /// How long to wait, in seconds; shown in minutes.
        seconds: u64,
    },
    /// The form had been open for too long, or belongs to another browser.
    Stale,
    /// The proof of work is used up, expired or wrong.
    Again,
}

/// The form.
#[derive(Clone, Debug, Template)]
#[template(path = "account/sign_up.html")]
pub struct SignUpForm {
    /// The frame.
    pub chrome: Chrome,
    /// The token that ties the form to the browser.
    pub csrf: String,
    /// What the browser works on.
    pub challenge: String,
    /// How hard.
    pub bits: u8,
    /// How long it takes without JavaScript; none when that is not served.
    pub delay_minutes: Option<u32>,
    /// The request that waits; empty when none does.
    pub interaction: String,
    /// As typed.
    pub given_name: String,
    /// As typed.
    pub family_name: String,
    /// As typed.
    pub email: String,
    /// The language chosen.
    pub language: Locale,
    /// Which text is declared.
    pub declaration: String,
    /// Its box is ticked.
    pub declared: bool,
    /// It was left empty.
    pub undeclared: bool,
    /// Whether the fields were looked at; those that are wrong then say so.
    pub checked: bool,
    /// Why it was not taken as a whole.
    pub problem: Option<SignUpProblem>,
}

impl SignUpForm {
    fn problem_text(&self) -> Option<String> {
        self.problem.map(|problem| match problem {
            SignUpProblem::TryLater { seconds } => {
                self.chrome.locale.text_count("login-try-later", seconds.div_ceil(60).max(1))
            }
            SignUpProblem::Stale => self.chrome.t("password-stale"),
            SignUpProblem::Again => self.chrome.t("signup-again"),
        })
    }

    fn wrong_name(&self, typed: &str) -> bool {
        self.checked && Name::parse(typed).is_none()
    }

    fn wrong_email(&self) -> bool {
        self.checked && Email::parse(&self.email).is_none()
    }

    fn without_script(&self) -> String {
        match self.delay_minutes {
            Some(minutes) => self.chrome.locale.text_count("signup-without-script", u64::from(minutes)),
            None => self.chrome.t("signup-needs-script"),
        }
    }
}

impl Sample for SignUpForm {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            csrf: "c5f0".to_owned(),
            challenge: "1.17.abc.def".to_owned(),
            bits: 17,
            delay_minutes: Some(10),
            interaction: String::new(),
            given_name: String::new(),
            family_name: String::new(),
            email: String::new(),
            language: locale,
            declaration: declaration::shown(locale),
            declared: false,
            undeclared: false,
            checked: false,
            problem: None,
        };
        vec![
            plain.clone(),
            Self { problem: Some(SignUpProblem::Stale), delay_minutes: None, ..plain.clone() },
            Self { problem: Some(SignUpProblem::TryLater { seconds: 3000 }), ..plain.clone() },
            Self { problem: Some(SignUpProblem::Again), declared: true, ..plain.clone() },
            Self { checked: true, undeclared: true, ..plain.clone() },
            Self {
                given_name: "<script>alert('moi')</script>".to_owned(),
                family_name: "\"><script>alert('moi')</script>".to_owned(),
                email: "\"><script>alert('moi')</script>".to_owned(),
                checked: true,
                ..plain
            },
        ]
    }
}
