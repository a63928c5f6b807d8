//! `/activate/{token}`: an account opens (R005, R025): the link proves the address, the person chooses a password and accepts
//! that the account is personal (R030). The same page ends a sign-up, whose account begins to exist here.
//!
//! Whoever comes from elsewhere with the digest of a password (R212) may keep it, by typing it here: the digest alone opens nothing. Where
//! it may not be kept, that password is not chosen anew either.
//!
//! The link is used up by the choice itself, so that looking at the page, as some mail filters do, costs nothing.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use habilis_keys::password::Verdict;
use habilis_keys::secret::Secret;
use habilis_keys::token::digest;
use habilis_policies::attributes::Attribute;
use habilis_policies::calendar;
use habilis_policies::passwords::{PasswordPolicy, PasswordRefusal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::attributes::{self, Field};
use super::declaration::{self, Declared};
use super::invite::PATH;
use super::landing::{self, Landing};
use super::logins;
use super::notice::{Told, tell};
use crate::app::App;
use crate::db::account_links::{self, Purpose};
use crate::db::audit::{self, Event};
use crate::db::people::{self, NewPerson, Person, Profile, fold_login};
use crate::db::{
    Conn, Tx, browsers, enrolments, imported_passwords, is_unique_violation, members, orders, organizations, passwords,
    sessions,
};
use crate::login::change::{self, Problem, Typed};
use crate::login::finish::{Arrival, second_step};
use crate::login::password_pages::{PasswordRule, problem_texts};
use crate::login::rules;
use crate::login::session::{self, Authenticated};
use crate::oidc::error::PageError;
use crate::oidc::interaction;
use crate::outcome::Outcome;
use crate::seats::{self, State as SeatState, Taking};
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::params::Params;
use crate::web::text::Locale;
use crate::web::{Form, Origin, chrome, render};

/// Longest token worth a look.
const MAX_TOKEN: usize = 128;
/// Which text was accepted, for the trail.
const ACCEPTED: &str = "personal_use.1";

/// Somebody who asked for an account, until the address is proven.
#[derive(Debug, Serialize, Deserialize)]
pub struct SignUp {
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// The address to prove.
    pub email: String,
    /// `fr` or `en`.
    pub locale: String,
    /// Where they go afterwards.
    pub landing: Landing,
    /// That what they entered is true and exact; none of a sign-up from before that was asked.
    #[serde(default)]
    pub declared: Option<Declared>,
}

impl SignUp {
    fn into_person(self, now: Timestamp) -> (Person, Landing, Option<Declared>) {
        let person = Person {
            id: habilis_keys::random::id("usr", now),
            login: fold_login(&self.email),
            email: Some(self.email),
            email_verified: true,
            given_name: self.given_name,
            family_name: self.family_name,
            locale: self.locale,
            claims: "{}".to_owned(),
            status: "pending".to_owned(),
            operator: false,
            privacy: false,
            version: 1,
            updated_at: now.into(),
            identity_changed_at: None,
        };
        (person, self.landing, self.declared)
    }
}

/// What a link opens.
struct Found {
    purpose: Purpose,
    person: Person,
    landing: Landing,
    organization: Option<String>,
    policy: PasswordPolicy,
    /// What the account does not say yet and must.
    missing: Vec<Field>,
    /// What was declared at the sign-up.
    declared: Option<Declared>,
    /// They came with the digest of a password.
    brought: bool,
    /// It may still be kept.
    keeps: bool,
}

impl Found {
    /// Whether the page asks to declare what is entered: unless that was done for all there is, a moment ago at the sign-up.
    fn declares(&self) -> bool {
        !self.missing.is_empty() || !self.declared.as_ref().is_some_and(Declared::is_current)
    }
}

/// Shows the form.
///
/// # Errors
/// The database or the template failed.
pub async fn get(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let now = app.clock.now();
    let Some(found) = find(&app, &token, now).await? else { return tell(&app, &origin, Told::LinkOver) };
    // Nobody fills in a form that cannot be taken.
    if !has_contract(&mut app.db.reader().await?, &app, &found.person.id, now).await? {
        return tell(&app, &origin, Told::NoContract);
    }
    let browser = cookies.browser.unwrap_or_else(Browser::named_at_random);
    let query = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let shown = page(&app, (&origin, query.get("ui_locales")), (&token, &found), &browser);
    let page = Activate { keeps: found.keeps && query.get("choose").is_none(), ..shown };
    answer(&app, (StatusCode::OK, page), &browser)
}

/// Takes the choice, and signs the person in.
///
/// # Errors
/// The database or the template failed, or too many digests are being computed.
pub async fn post(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    Path(token): Path<String>,
    Form(form): Form,
) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let Some(mut found) = find(&app, &token, now).await? else { return tell(&app, &origin, Told::LinkOver) };
    let complete = attributes::take(&mut found.missing, &mut found.person, &mut params, now)?;
    let known = cookies.browser.clone();
    let browser = known.clone().unwrap_or_else(Browser::named_at_random);
    let language = declaration::language(&params);
    let declared = declaration::take(&params, &origin, now);
    let shown = Activate {
        declared: declared.is_some(),
        accepted: params.get("accept") == Some("yes"),
        keeps: found.keeps && params.get("keep") == Some("yes"),
        ..page(&app, (&origin, language.as_deref()), (&token, &found), &browser)
    };
    if !known.is_some_and(|browser| browser.sent(&app, params.get("csrf"))) {
        return answer(&app, (StatusCode::FORBIDDEN, Activate { stale: true, ..shown }), &browser);
    }
    let (not_accepted, undeclared) = (!shown.accepted, shown.declares && declared.is_none());
    if not_accepted || undeclared || !complete {
        return render(StatusCode::UNPROCESSABLE_ENTITY, &Activate { undeclared, not_accepted, ..shown });
    }
    let (phc, chosen_at) = match password_of(&app, &found, &mut params, now).await? {
        Ok(password) => password,
        Err((problems, keeps)) => {
            return render(StatusCode::UNPROCESSABLE_ENTITY, &Activate { problems, keeps, ..shown });
        }
    };
    let waiting = match &found.landing.interaction {
        Some(id) => interaction::open(&app, &cookies, id, now).await?,
        None => None,
    };
    let way = found.landing.way(&app, waiting).await?;
    let portal = way.portal(&app, &browser, now).await?;
    let old = session::load(&app, &cookies, now).await?;
    let arrival = Arrival { origin: &origin, browser: &browser, old };
    let person = &found.person.id;
    let mut tx = app.db.begin().await?;
    // Nobody closes them while the account opens: the link is looked at after that (R033).
    members::lock_all(&mut tx, person).await?;
    people::lock(&mut tx, person).await?;
    if !account_links::use_up(&mut tx, &digest(&token), now).await? {
        return tell(&app, &origin, Told::LinkOver);
    }
    let made = Made { phc: &phc, chosen_at, declared: declared.filter(|_| shown.declares) };
    match open(&mut tx, &app, (&found, made, &origin), now).await? {
        Opened::Yes => {}
        Opened::NotPending => return tell(&app, &origin, Told::LinkOver),
        Opened::LoginTaken => return tell(&app, &origin, Told::AccountExists),
        // Nothing of this stays: the same link works once there is a seat.
        Opened::NoSeat => return tell(&app, &origin, Told::NoSeat),
        Opened::NoContract => return tell(&app, &origin, Told::NoContract),
    }
    // Whoever must have a second factor sets it up before there is a session, here as at any sign-in.
    if let Some(mut next) = second_step(&mut tx, &app, (&way, &arrival, person), (portal, now)).await? {
        browsers::seen(&mut tx, person, &browser.digest(), now).await?;
        tx.commit().await?;
        opened(&found);
        cookies::set_browser(&app, &mut next, &browser);
        return Ok(next);
    }
    let authenticated = Authenticated { person, amr: "pwd", since: None };
    let (session, cookie) = session::start(&mut tx, &app, (authenticated, arrival.old, &origin), now).await?;
    sessions::set_browser(&mut tx, &session.id, &browser.digest()).await?;
    browsers::seen(&mut tx, person, &browser.digest(), now).await?;
    let event = Event::new("session.started")
        .by(person)
        .about(person)
        .from(&origin)
        .with("session", session.id.clone())
        .with("amr", "pwd");
    audit::record(&mut tx, event, now).await?;
    let mut response = landing::go(&mut tx, &app, (way, &session), now).await?;
    tx.commit().await?;
    opened(&found);
    cookies::set_session(&app, &mut response, &cookie);
    cookies::set_browser(&app, &mut response, &browser);
    Ok(response)
}

/// The digest of the password the account opens with, and when it was chosen; or why there is none, and whether the one they had may be
/// typed again.
async fn password_of(
    app: &App,
    found: &Found,
    params: &mut Params,
    now: Timestamp,
) -> Outcome<Result<(String, Timestamp), (Vec<Problem>, bool)>> {
    let password = Secret::new(params.take("password").unwrap_or_default());
    if params.get("keep") != Some("yes") {
        let repeated = Secret::new(params.take("repeated").unwrap_or_default());
        let judged = change::judge(app, &found.person, Typed { password: password.clone(), repeated }).await?;
        if judged.is_ok() && came_along(app, found, password).await? {
            return Ok(Err((vec![Problem::Refused(PasswordRefusal::Reused)], false)));
        }
        return Ok(judged.map(|phc| (phc, now)).map_err(|problems| (problems, false)));
    }
    let not_kept = |again| Ok(Err((vec![Problem::NotKept], again)));
    if !found.keeps {
        return not_kept(false);
    }
    let mut tx = app.db.begin().await?;
    let stored = imported_passwords::look(&mut tx, &found.person.id).await?;
    let again = imported_passwords::find(&mut tx, &found.person.id).await?.is_some_and(|(_, keeps)| keeps);
    tx.commit().await?;
    let Some((stored, changed_at)) = stored else { return not_kept(false) };
    if app.hasher.verify(password.clone(), Some(stored)).await? == Verdict::Mismatch {
        return not_kept(again);
    }
    // Held against the rules of here, and computed anew at the cost of here.
    let judged = change::judge(app, &found.person, Typed { repeated: password.clone(), password }).await?;
    Ok(judged.map(|phc| (phc, changed_at.into())).map_err(|problems| (problems, false)))
}

/// Whether this is the password they came with, and the rule is that an earlier one does not come back. A match is not counted: however
/// often it is chosen, it is refused.
async fn came_along(app: &App, found: &Found, password: Secret<String>) -> Outcome<bool> {
    if !found.brought || found.policy.history == 0 {
        return Ok(false);
    }
    let person = &found.person.id;
    let mut tx = app.db.begin().await?;
    let stored = imported_passwords::compare(&mut tx, person).await?;
    tx.commit().await?;
    let Some(stored) = stored else { return Ok(false) };
    if app.hasher.verify(password, Some(stored)).await? == Verdict::Mismatch {
        return Ok(false);
    }
    let mut tx = app.db.begin().await?;
    imported_passwords::give_back(&mut tx, person).await?;
    tx.commit().await?;
    Ok(true)
}

fn opened(found: &Found) {
    metrics::counter!("habilis_accounts_opened_total", "by" => found.purpose.name()).increment(1);
}

enum Opened {
    Yes,
    NotPending,
    LoginTaken,
    NoSeat,
    NoContract,
}

/// What somebody chose and declared.
struct Made<'a> {
    /// The digest of the password.
    phc: &'a str,
    /// When it was chosen: before now when it is kept from elsewhere.
    chosen_at: Timestamp,
    declared: Option<Declared>,
}

/// Opens the account, or makes the one somebody asked for.
async fn open(
    tx: &mut Tx,
    app: &App,
    (found, made, origin): (&Found, Made<'_>, &Origin),
    now: Timestamp,
) -> Outcome<Opened> {
    let person = &found.person;
    if found.purpose == Purpose::SignUp {
        let new = NewPerson {
            id: &person.id,
            login: &person.login,
            email: person.email.as_deref().map(|email| (email, true)),
            names: (&person.given_name, &person.family_name),
            locale: &person.locale,
            claims: serde_json::from_str(&person.claims)?,
            status: "active",
            operator: false,
        };
        if let Some(address) = &person.email {
            logins::yield_to_owner(tx, app.into(), address, now).await?;
        }
        match people::insert(tx, new, now).await {
            Err(error) if is_unique_violation(&error) => return Ok(Opened::LoginTaken),
            inserted => inserted?,
        }
        let event = Event::new("account.created").by(&person.id).about(&person.id).from(origin).with("by", "sign_up");
        audit::record(tx, event, now).await?;
    } else {
        // Said before the account is open: what it says then is whose it is (R007).
        if !found.missing.is_empty() {
            let names = (person.given_name.as_str(), person.family_name.as_str());
            let profile = Profile { names, locale: &person.locale, claims: &person.claims };
            people::set_profile(tx, &person.id, &profile, now).await?;
        }
        if !people::activate(tx, &person.id, !found.landing.by_hand, now).await? {
            return Ok(Opened::NotPending);
        }
    }
    if !has_contract(tx, app, &person.id, now).await? {
        return Ok(Opened::NoContract);
    }
    // An invitation holds a seat, unless it was sent before its organization ordered any (R060).
    for membership in organizations::all_of_person(tx, &person.id).await? {
        let seat = Taking::again((&membership.id, &person.id), SeatState::Assigned, "activated");
        if seats::take(tx, app.into(), &seat, now).await?.is_err() {
            return Ok(Opened::NoSeat);
        }
    }
    seats::taken_up(tx, &person.id, "", now).await?;
    passwords::set(tx, &person.id, made.phc, made.chosen_at).await?;
    let kept = made.chosen_at < now;
    if kept {
        imported_passwords::forget(tx, &person.id).await?;
    } else {
        imported_passwords::outlive(tx, &person.id, now).await?;
    }
    // A link may have been handed over beside the one that was mailed.
    account_links::void(tx, &person.id, Purpose::Activate, now).await?;
    let mut declarations = Vec::new();
    for (declared, made_on) in [(&found.declared, "sign_up"), (&made.declared, "activation")] {
        if let Some(declared) = declared {
            declared.keep(tx, (&person.id, made_on)).await?;
            declarations.push(declared.traced(made_on));
        }
    }
    let given: Vec<&str> = found.missing.iter().map(Field::name).collect();
    let event = Event::new("account.activated")
        .by(&person.id)
        .about(&person.id)
        .from(origin)
        .with("accepted", ACCEPTED)
        .with("declarations", declarations)
        .with("given", given)
        .with("password_kept", kept);
    audit::record(tx, event, now).await?;
    Ok(Opened::Yes)
}

/// Whether a signed contract stands behind each membership of somebody for whose kind of organization the operator asks for one (R006).
async fn has_contract(c: &mut impl Conn, app: &App, person: &str, now: Timestamp) -> Outcome<bool> {
    let kinds = &app.config.accounts.contract_required_of;
    if kinds.is_empty() {
        return Ok(true);
    }
    let today = calendar::date_at(now);
    for membership in organizations::all_of_person(c, person).await? {
        if !kinds.iter().any(|kind| kind.name() == membership.kind) {
            continue;
        }
        let ordered = orders::all(c, &membership.id).await?.iter().any(|order| order.rule().is_in_force(today));
        if !ordered && !enrolments::has_signed(c, &membership.id, person).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn find(app: &App, token: &str, now: Timestamp) -> Outcome<Option<Found>> {
    if token.len() > MAX_TOKEN {
        return Ok(None);
    }
    let mut reader = app.db.reader().await?;
    let Some(link) = account_links::find(&mut reader, &digest(token), now).await? else { return Ok(None) };
    if link.is_for(Purpose::SignUp) {
        let (person, landing, declared) = serde_json::from_str::<SignUp>(&link.detail)?.into_person(now);
        let policy = app.config.password_policy();
        let missing = attributes::fields(&attributes::asked_of_all(&app.config), &person)?;
        let purpose = Purpose::SignUp;
        let (organization, brought, keeps) = (None, false, false);
        return Ok(Some(Found { purpose, person, landing, organization, policy, missing, declared, brought, keeps }));
    }
    let Some(id) = link.person_id.as_deref().filter(|_| link.is_for(Purpose::Activate)) else { return Ok(None) };
    let Some(person) = people::find(&mut reader, id).await?.filter(|person| person.status == "pending") else {
        return Ok(None);
    };
    let organization = organizations::of_person(&mut reader, id, now).await?.into_iter().next();
    let policy = rules::of_person(&mut reader, &app.config, id, now).await?;
    let asked = attributes::asked_of(&mut reader, &app.config, (id, now)).await?;
    let came = imported_passwords::find(&mut reader, id).await?;
    Ok(Some(Found {
        purpose: Purpose::Activate,
        declared: None,
        brought: came.is_some(),
        // One that has expired is renewed as any other.
        keeps: came.is_some_and(|(chosen, open)| open && rules::state(app, &policy, chosen.into(), now).may_sign_in()),
        missing: attributes::fields(&asked, &person)?,
        person,
        landing: serde_json::from_str(&link.detail)?,
        organization: organization.map(|membership| membership.name),
        policy,
    }))
}

fn page(
    app: &App,
    (origin, ui_locales): (&Origin, Option<&str>),
    (token, found): (&str, &Found),
    browser: &Browser,
) -> Activate {
    let path = format!("{PATH}{token}");
    let locale = origin.locale(ui_locales);
    Activate {
        chrome: chrome(app, locale, &path),
        rule: PasswordRule { locale, policy: found.policy },
        action: path,
        csrf: browser.csrf(app),
        name: found.person.given_name.clone(),
        organization: found.organization.clone(),
        login: found.person.login.clone(),
        fields: found.missing.clone(),
        problems: Vec::new(),
        keeps: found.keeps,
        declares: found.declares(),
        declaration: declaration::shown(locale),
        declared: false,
        undeclared: false,
        accepted: false,
        not_accepted: false,
        stale: false,
    }
}

fn answer(app: &App, (status, page): (StatusCode, Activate), browser: &Browser) -> Outcome<Response> {
    let mut response = render(status, &page)?;
    cookies::set_browser(app, &mut response, browser);
    Ok(response)
}

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "account/activate.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a box or a message of its own, and several may show")]
pub struct Activate {
    /// The frame.
    pub chrome: Chrome,
    /// Where the form is posted.
    pub action: String,
    /// The token that ties the form to the browser.
    pub csrf: String,
    /// Given name.
    pub name: String,
    /// The organization that invites, if any.
    pub organization: Option<String>,
    /// What they will sign in with.
    pub login: String,
    /// What else is asked.
    pub fields: Vec<Field>,
    /// What is asked of the password.
    pub rule: PasswordRule,
    /// Why the password was not taken.
    pub problems: Vec<Problem>,
    /// Whether the one they had elsewhere is asked for, to be kept.
    pub keeps: bool,
    /// Whether to declare that what is entered is true and exact.
    pub declares: bool,
    /// Which text of that is shown.
    pub declaration: String,
    /// It is ticked.
    pub declared: bool,
    /// It was left empty.
    pub undeclared: bool,
    /// The other box is ticked.
    pub accepted: bool,
    /// The other box was left empty.
    pub not_accepted: bool,
    /// The form had been open for too long.
    pub stale: bool,
}

impl Activate {
    fn problem_texts(&self) -> Vec<String> {
        problem_texts(&self.chrome, &self.problems)
    }
}

impl Sample for Activate {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            action: "/activate/abc".to_owned(),
            csrf: "c5f0".to_owned(),
            name: "Camille".to_owned(),
            organization: Some("Campus Formation".to_owned()),
            login: "camille.martin@cfa-lumiere.example".to_owned(),
            fields: Vec::new(),
            rule: PasswordRule { locale, policy: PasswordPolicy::DEFAULT },
            problems: Vec::new(),
            keeps: false,
            declares: true,
            declaration: declaration::shown(locale),
            declared: false,
            undeclared: false,
            accepted: false,
            not_accepted: false,
            stale: false,
        };
        vec![
            plain.clone(),
            Self { organization: None, not_accepted: true, declared: true, ..plain.clone() },
            Self { undeclared: true, accepted: true, ..plain.clone() },
            Self { keeps: true, problems: vec![Problem::NotKept], ..plain.clone() },
            Self { stale: true, declares: false, ..plain.clone() },
            Self {
                fields: Attribute::ALL
                    .into_iter()
                    .map(|attribute| Field { wrong: true, value: "\"><script>".to_owned(), ..Field::of(attribute) })
                    .collect(),
                ..plain.clone()
            },
            Self {
                name: "<script>alert('moi')</script>".to_owned(),
                organization: Some("<script>alert('moi')</script>".to_owned()),
                login: "\"><script>alert('moi')</script>".to_owned(),
                problems: vec![Problem::NotRepeated],
                ..plain
            },
        ]
    }
}
