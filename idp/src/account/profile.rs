//! `/account/profile`: names, language, time zone, and the address. Another address is proven by a link sent to it; the one it
//! replaces is told, with a link that takes the account back (R004, R005).

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use habilis_keys::token::digest;
use habilis_policies::attributes::Attribute;
use habilis_policies::contact::{Email, Name};
use habilis_policies::{calendar, login};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attributes::{self, Field};
use super::kept::Kept;
use super::logins;
use super::notice::{Told, tell};
use super::{compromise, identity, signed_in, still_open};
use crate::app::App;
use crate::db::account_links::{self, NewLink, Purpose};
use crate::db::audit::{self, Event};
use crate::db::failures::{self, Subject};
use crate::db::people::{self, Person, Profile, fold_login};
use crate::db::sessions::Session;
use crate::db::{Tx, is_unique_violation, password_links};
use crate::incidents;
use crate::login::forgot::ui_locales;
use crate::login::links::{self, Why};
use crate::login::local::Place;
use crate::login::password::recent;
use crate::mail::accounts::AccountLetter;
use crate::mail::incidents::About;
use crate::mail::{self, Recipient};
use crate::oidc::error::PageError;
use crate::outcome::Outcome;
use crate::web::cookies::{self, Browser, Cookies};
use crate::web::page::{Chrome, Sample, sample_chrome};
use crate::web::params::Params;
use crate::web::text::Locale;
use crate::web::{Form, Origin, chrome, render, see_other};

/// The path.
pub const PATH: &str = "/account/profile";
/// Where another address is asked for.
const EMAIL: &str = "/account/profile/email";
/// Where a new address is confirmed, before the token.
const CONFIRM: &str = "/account/email/";
/// Where a change is taken back, before the token.
const UNDO: &str = "/account/email/undo/";
/// How long the link to the new address works.
const CONFIRM_LIFE: SignedDuration = SignedDuration::from_mins(60);
/// How long a change can be taken back.
const UNDO_LIFE: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Changing the address, the names or the day of birth asks for a sign-in at most so old: a session left open must not give the account away.
const FRESH: SignedDuration = SignedDuration::from_mins(15);
/// Links to new addresses one person asks for in an hour.
const PER_PERSON: u32 = 5;
/// Longest token worth a look.
const MAX_TOKEN: usize = 128;

/// The time zones of France, which learners live in; any other one stays as it is.
const ZONES: [&str; 11] = [
    "Europe/Paris",
    "America/Guadeloupe",
    "America/Martinique",
    "America/Cayenne",
    "Indian/Reunion",
    "Indian/Mayotte",
    "America/Miquelon",
    "America/St_Barthelemy",
    "Pacific/Noumea",
    "Pacific/Tahiti",
    "Pacific/Wallis",
];

/// Shows the profile.
pub(super) async fn show(
    State(app): State<App>,
    origin: Origin,
    cookies: Cookies,
    RawQuery(query): RawQuery,
) -> Outcome {
    let now = app.clock.now();
    let Some((session, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Profile.login_path()));
    };
    let saved = query.as_deref().is_some_and(|query| query.split('&').any(|pair| pair == "saved=yes"));
    let page = page(&app, (&origin, ui_locales(query).as_deref()), (&session, &person, &browser), now).await?;
    let page = ProfilePage { saved, ..page };
    let kept = Kept::find(&app, &cookies, (&person.id, now)).filter(|_| page.fresh);
    let page = match kept {
        Some(kept) if kept.path == EMAIL => ProfilePage { new_email: kept.typed, ..page },
        Some(kept) if kept.path == PATH => match serde_json::from_str::<Typed>(&kept.typed) {
            Ok(typed) => typed.into_page(page),
            // What was too long to be kept whole.
            Err(_) => return render(StatusCode::OK, &page),
        },
        _ => return render(StatusCode::OK, &page),
    };
    let mut response = render(StatusCode::OK, &page)?;
    cookies::clear_kept(&app, &mut response);
    Ok(response)
}

/// What was typed into the form when its person had to confirm first that it is them.
#[derive(Debug, Serialize, Deserialize)]
struct Typed {
    #[serde(rename = "g")]
    given: String,
    #[serde(rename = "f")]
    family: String,
    #[serde(rename = "l")]
    locale: String,
    #[serde(rename = "z")]
    zone: String,
    /// By the names of the attributes.
    #[serde(rename = "s")]
    said: Vec<(String, String)>,
}

impl Typed {
    fn into_page(self, page: ProfilePage) -> ProfilePage {
        let said = |name: &str| self.said.iter().find(|(of, _)| of == name).map(|(_, value)| value.clone());
        let fields = page.fields.into_iter();
        ProfilePage {
            fields: fields.map(|field| Field { value: said(field.name()).unwrap_or_default(), ..field }).collect(),
            given_name: self.given,
            family_name: self.family,
            language: Locale::negotiate(Some(&self.locale), None),
            zone: self.zone,
            waiting: true,
            ..page
        }
    }
}

/// Takes names, language and time zone.
pub(super) async fn save(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let Some((session, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Profile.login_path()));
    };
    if !browser.sent(&app, params.get("csrf")) {
        return Ok(see_other(PATH));
    }
    let mut field = |name: &str| params.take(name).unwrap_or_default();
    let [given_name, family_name, locale, zone] = ["given_name", "family_name", "locale", "zoneinfo"].map(&mut field);
    let shown = page(&app, (&origin, None), (&session, &person, &browser), now).await?;
    let mut fields = shown.fields.clone();
    let changes = said(&mut fields, &mut params, now);
    let (Some(given), Some(family), Some(changes)) = (Name::parse(&given_name), Name::parse(&family_name), changes)
    else {
        let page = ProfilePage { given_name, family_name, zone, fields, checked: true, ..shown };
        return render(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let locale = Locale::negotiate(Some(&locale), None);
    let new_zone = match zone.as_str() {
        "" => NewZone::None,
        zone => Zone::parse(zone).map_or(NewZone::Kept, NewZone::Is),
    };
    let mut tx = app.db.begin().await?;
    if !still_open(&mut tx, &session, now).await? {
        return Ok(see_other(PATH));
    }
    let Some(person) = people::find(&mut tx, &person.id).await? else { return Ok(see_other(PATH)) };
    let event = Event::new("account.profile_changed").by(&person.id).from(&origin);
    let new = NewProfile { given: &given, family: &family, locale, zone: new_zone, attributes: &changes };
    if identity::touched(&person, &new) && !is_fresh(&session, now) {
        drop(tx);
        let said = fields.into_iter().map(|field| (field.name().to_owned(), field.value)).collect();
        let typed = Typed { given: given_name, family: family_name, locale: locale.tag().to_owned(), zone, said };
        let mut elsewhere = see_other(&Place::Profile.confirm_path());
        Kept::new(PATH, &serde_json::to_string(&typed)?, now)?.keep(&app, &person.id, &mut elsewhere)?;
        return Ok(elsewhere);
    }
    if let Err(taken) = change(&mut tx, &app, (&person, new, (event, &origin)), now).await? {
        drop(tx);
        for field in &mut fields {
            field.wrong = taken.contains(&field.attribute);
        }
        return render(StatusCode::UNPROCESSABLE_ENTITY, &ProfilePage { given_name, family_name, fields, ..shown });
    }
    tx.commit().await?;
    app.mail_waiting.notify_one();
    Ok(see_other(&format!("{PATH}?saved=yes&ui_locales={}", locale.tag())))
}

/// What was typed into `fields`, as changes of the account; none when one of them cannot be, and says so. What the form did not have
/// stays as it is: it names its fields, because one that is empty comes like one that is not there.
fn said(fields: &mut [Field], params: &mut Params, now: Timestamp) -> Option<Vec<(Attribute, Option<String>)>> {
    let today = calendar::date_at(now);
    let had = params.take("fields").unwrap_or_default();
    let mut changes = Vec::new();
    for field in fields.iter_mut().filter(|field| had.split(' ').any(|name| name == field.name())) {
        field.value = params.take(field.name()).unwrap_or_default().chars().take(200).collect();
        if field.value.trim().is_empty() && field.optional {
            changes.push((field.attribute, None));
            continue;
        }
        match field.attribute.parse(&field.value, today) {
            Some(value) => changes.push((field.attribute, Some(value))),
            None => field.wrong = true,
        }
    }
    fields.iter().all(|field| !field.wrong).then_some(changes)
}

/// One of the time zones to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(&'static str);

impl Zone {
    /// The zone of this name; none when it is not offered.
    pub fn parse(name: &str) -> Option<Self> {
        ZONES.iter().find(|zone| **zone == name).map(|zone| Self(zone))
    }
}

/// What becomes of the time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewZone {
    /// It stays as it is.
    Kept,
    /// There is none.
    None,
    /// It is this one.
    Is(Zone),
}

/// What a person says of themselves.
#[derive(Debug, Clone, Copy)]
pub struct NewProfile<'a> {
    /// Given name.
    pub given: &'a Name,
    /// Family name.
    pub family: &'a Name,
    /// The language they are written to in.
    pub locale: Locale,
    /// The time zone.
    pub zone: NewZone,
    /// What else changes, in the form it is kept in; none takes an attribute away.
    pub attributes: &'a [(Attribute, Option<String>)],
}

/// Changes what `person` says of themselves, records `event` when something did change, and weighs whose account it is now. The caller holds
/// the lock on the person, read them under it, commits, and wakes the jobs by `app.mail_waiting`. What is asked of the person cannot be taken away (R004): nothing is changed then, and the attributes
/// are told.
///
/// # Errors
/// The database or a template failed, or the person's claims cannot be read.
pub async fn change(
    tx: &mut Tx,
    app: &App,
    (person, new, (event, origin)): (&Person, NewProfile<'_>, (Event, &Origin)),
    now: Timestamp,
) -> Outcome<Result<(), Vec<Attribute>>> {
    let NewProfile { given, family, locale, zone, attributes: said_now } = new;
    if said_now.iter().any(|(_, value)| value.is_none()) {
        let asked = attributes::asked_of(tx, &app.config, (&person.id, now)).await?;
        let taken = said_now.iter().filter(|(attribute, value)| value.is_none() && asked.includes(*attribute));
        let taken: Vec<_> = taken.map(|(attribute, _)| *attribute).collect();
        if !taken.is_empty() {
            return Ok(Err(taken));
        }
    }
    let mut said = person.clone();
    for (attribute, value) in said_now {
        attributes::put(&mut said, *attribute, value.clone())?;
    }
    let mut claims: Map<String, Value> = serde_json::from_str(&said.claims)?;
    match zone {
        NewZone::Kept => {}
        NewZone::None => {
            claims.remove("zoneinfo");
        }
        NewZone::Is(Zone(zone)) => {
            claims.insert("zoneinfo".to_owned(), zone.into());
        }
    }
    let claims = Value::Object(claims).to_string();
    let locale = locale.tag();
    let differs = |attribute| attributes::claimed(&claims, attribute) != attributes::claimed(&person.claims, attribute);
    let mut changed = Vec::new();
    for (what, is_new) in [
        ("given_name", given.as_str() != person.given_name),
        ("family_name", family.as_str() != person.family_name),
        ("locale", locale != person.locale),
        ("zoneinfo", zone_of(&claims) != zone_of(&person.claims)),
        ("phone_number", differs(Attribute::PhoneNumber)),
        ("birthdate", differs(Attribute::Birthdate)),
    ] {
        if is_new {
            changed.push(what);
        }
    }
    if !changed.is_empty() {
        let profile = Profile { names: (given.as_str(), family.as_str()), locale, claims: &claims };
        people::set_profile(tx, &person.id, &profile, now).await?;
        audit::record(tx, event.about(&person.id).with("changed", changed), now).await?;
        identity::weigh(tx, app, (&person.id, origin), now).await?;
    }
    Ok(Ok(()))
}

/// Takes a new address, and sends a link there.
pub(super) async fn ask_email(State(app): State<App>, origin: Origin, cookies: Cookies, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return PageError::unreadable(&error).show(&app, &origin, None),
    };
    let Some((session, person, browser)) = signed_in(&app, &cookies, now).await? else {
        return Ok(see_other(&Place::Profile.login_path()));
    };
    if !browser.sent(&app, params.get("csrf")) {
        return Ok(see_other(PATH));
    }
    let new_email = params.take("email").unwrap_or_default();
    if !is_fresh(&session, now) {
        let mut elsewhere = see_other(&Place::Profile.confirm_path());
        Kept::new(EMAIL, &new_email, now)?.keep(&app, &person.id, &mut elsewhere)?;
        return Ok(elsewhere);
    }
    let page = page(&app, (&origin, None), (&session, &person, &browser), now).await?;
    let shown = ProfilePage { new_email: new_email.clone(), ..page };
    let Some(email) = Email::parse(&new_email) else {
        return render(StatusCode::UNPROCESSABLE_ENTITY, &ProfilePage { wrong_email: true, ..shown });
    };
    let mut tx = app.db.begin().await?;
    if !still_open(&mut tx, &session, now).await? {
        return Ok(see_other(&Place::Profile.login_path()));
    }
    let subject = Subject::new_email(&person.id);
    let so_far = recent(failures::lock(&mut tx, &subject, now).await?, now);
    if login::admit_network(Some(so_far), PER_PERSON, now).is_err() {
        return render(StatusCode::TOO_MANY_REQUESTS, &ProfilePage { too_many: true, ..shown });
    }
    failures::set(&mut tx, &subject, i64::from(so_far.count) + 1, so_far.hour_of(now)).await?;
    account_links::void(&mut tx, &person.id, Purpose::NewEmail, now).await?;
    let token = habilis_keys::random::token();
    let link = NewLink {
        digest: &digest(token.expose()),
        purpose: Purpose::NewEmail,
        person: Some(&person.id),
        detail: &serde_json::to_string(&Address { email: email.as_str().to_owned(), login: None })?,
        expires_at: now.saturating_add(CONFIRM_LIFE)?,
    };
    account_links::insert(&mut tx, &link, now).await?;
    let href = format!("{}{CONFIRM}{}", app.config.server.issuer, token.expose());
    let locale = Locale::negotiate(Some(&person.locale), None);
    let to = Recipient { address: email.as_str(), person: Some(&person.id), locale };
    let mail = mail::write_to(&mut tx, (&app).into(), (&to, &AccountLetter::NewEmail { href }), (now, now)).await?;
    // Who holds the account today learns of it while there is time.
    mail::write(&mut tx, &app, (&person.id, &AccountLetter::email_change_asked(&origin, now)), now).await?;
    let event =
        Event::new("account.email_change_asked").by(&person.id).about(&person.id).from(&origin).with("mail", mail);
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    tell(&app, &origin, Told::EmailSent)
}

/// An address in a link.
#[derive(Debug, Serialize, Deserialize)]
struct Address {
    email: String,
    /// What the person signed in with, where that is to come back with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<String>,
}

/// Whose address a link is about, and which.
async fn find(app: &App, (token, purpose): (&str, Purpose), now: Timestamp) -> Outcome<Option<(Person, Address)>> {
    if token.len() > MAX_TOKEN {
        return Ok(None);
    }
    let mut reader = app.db.reader().await?;
    let link = account_links::find(&mut reader, &digest(token), now).await?.filter(|link| link.is_for(purpose));
    let Some((link, id)) = link.and_then(|link| link.person_id.clone().map(|id| (link, id))) else { return Ok(None) };
    let person = people::find(&mut reader, &id).await?.filter(|person| links::may_be_sent(&person.status));
    Ok(person.map(|person| Ok::<_, serde_json::Error>((person, serde_json::from_str(&link.detail)?))).transpose()?)
}

/// Asks to press a button: some mail filters open every link they see.
pub(super) async fn confirm_page(
    State(app): State<App>,
    origin: Origin,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let found = find(&app, (&token, Purpose::NewEmail), app.clock.now()).await?;
    let Some((_, address)) = found else { return tell(&app, &origin, Told::LinkOver) };
    let path = format!("{CONFIRM}{token}");
    let chrome = chrome(&app, origin.locale(ui_locales(query).as_deref()), &path);
    render(StatusCode::OK, &EmailPage { chrome, action: path, email: address.email, step: EmailStep::Confirm })
}

/// Makes the proven address that of the account. The link is the proof; nobody need be signed in where it is opened.
pub(super) async fn confirm(State(app): State<App>, origin: Origin, Path(token): Path<String>) -> Outcome {
    let now = app.clock.now();
    let Some((found, new)) = find(&app, (&token, Purpose::NewEmail), now).await? else {
        return tell(&app, &origin, Told::LinkOver);
    };
    let mut tx = app.db.begin().await?;
    people::lock(&mut tx, &found.id).await?;
    let person = people::find(&mut tx, &found.id).await?;
    let Some(person) = person.filter(|_| new.login.is_none()) else { return tell(&app, &origin, Told::LinkOver) };
    if !account_links::use_up(&mut tx, &digest(&token), now).await? {
        return tell(&app, &origin, Told::LinkOver);
    }
    // Whoever signs in with the address goes on doing so.
    let by_address = person.is_reached_at(&person.login);
    let login = login_with(&new.email, if by_address { &new.email } else { &person.login });
    if login != person.login {
        logins::yield_to_owner(&mut tx, (&app).into(), &new.email, now).await?;
    }
    match people::set_email(&mut tx, &person.id, (&new.email, &login), now).await {
        Err(error) if is_unique_violation(&error) => return tell(&app, &origin, Told::AccountExists),
        set => set?,
    }
    // Links that lie in the former mailbox open nothing any more.
    password_links::void(&mut tx, &person.id, now).await?;
    if let Some(old) = person.email.as_deref().filter(|old| *old != new.email) {
        tell_old(&mut tx, &app, (&person, old), now).await?;
    }
    let event = Event::new("account.email_changed").by(&person.id).about(&person.id).from(&origin);
    audit::record(&mut tx, event.with("login_changed", login != person.login), now).await?;
    identity::weigh(&mut tx, &app, (&person.id, &origin), now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    tell(&app, &origin, Told::EmailChanged)
}

/// What somebody signs in with who had this login and is reached at `address` from now on: the same, unless it reads as another address.
fn login_with(address: &str, login: &str) -> String {
    let login = fold_login(login);
    let theirs = Email::parse(address).is_none_or(|address| address.may_have_login(&login));
    if theirs { login } else { fold_login(address) }
}

async fn tell_old(tx: &mut Tx, app: &App, (person, old): (&Person, &str), now: Timestamp) -> Outcome<()> {
    let token = habilis_keys::random::token();
    let detail = Address { email: old.to_owned(), login: Some(person.login.clone()) };
    let link = NewLink {
        digest: &digest(token.expose()),
        purpose: Purpose::UndoEmail,
        person: Some(&person.id),
        detail: &serde_json::to_string(&detail)?,
        expires_at: now.saturating_add(UNDO_LIFE)?,
    };
    account_links::insert(tx, &link, now).await?;
    let href = format!("{}{UNDO}{}", app.config.server.issuer, token.expose());
    let locale = Locale::negotiate(Some(&person.locale), None);
    let to = Recipient { address: old, person: Some(&person.id), locale };
    mail::write_to(tx, app.into(), (&to, &AccountLetter::EmailChanged { at: now, href }), (now, now)).await.map(drop)
}

/// Asks to press a button.
pub(super) async fn undo_page(
    State(app): State<App>,
    origin: Origin,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let found = find(&app, (&token, Purpose::UndoEmail), app.clock.now()).await?;
    let Some((_, address)) = found else { return tell(&app, &origin, Told::LinkOver) };
    let path = format!("{UNDO}{token}");
    let chrome = chrome(&app, origin.locale(ui_locales(query).as_deref()), &path);
    render(StatusCode::OK, &EmailPage { chrome, action: path, email: address.email, step: EmailStep::Undo })
}

/// Gives the account back to the former address, shut as after a report: see [`compromise::shut`]. A link to choose another password
/// goes there. The address that loses it is told too, and the data protection officer.
pub(super) async fn undo(State(app): State<App>, origin: Origin, Path(token): Path<String>) -> Outcome {
    let now = app.clock.now();
    let Some((person, Address { email, login: Some(login) })) = find(&app, (&token, Purpose::UndoEmail), now).await?
    else {
        return tell(&app, &origin, Told::LinkOver);
    };
    let mut tx = app.db.begin().await?;
    people::lock(&mut tx, &person.id).await?;
    if !account_links::use_up(&mut tx, &digest(&token), now).await? {
        return tell(&app, &origin, Told::LinkOver);
    }
    mail::write(&mut tx, &app, (&person.id, &AccountLetter::EmailTakenBack { at: now }), now).await?;
    match people::set_email(&mut tx, &person.id, (&email, &login_with(&email, &login)), now).await {
        Err(error) if is_unique_violation(&error) => return tell(&app, &origin, Told::AccountExists),
        set => set?,
    }
    account_links::void(&mut tx, &person.id, Purpose::UndoEmail, now).await?;
    // With the address that a link goes to from now on.
    let person = Person { email: Some(email), ..person };
    let shut = compromise::shut(&mut tx, &app, &person, now).await?;
    links::send(&mut tx, &app, (&person.id, Why::Compromised(shut.removed)), now).await?;
    let incident = incidents::of_account(&mut tx, &app, (&person, &origin), About::AddressRestored, now).await?;
    let event = Event::new("account.email_restored").about(&person.id).from(&origin).with("incident", incident);
    audit::record(&mut tx, shut.tell(event), now).await?;
    identity::weigh(&mut tx, &app, (&person.id, &origin), now).await?;
    tx.commit().await?;
    app.mail_waiting.notify_one();
    tell(&app, &origin, Told::EmailRestored)
}

fn is_fresh(session: &Session, now: Timestamp) -> bool {
    now.duration_since(session.auth_time.into()) <= FRESH
}

/// The time zone that a person's claims tell.
pub fn zone_of(claims: &str) -> Option<String> {
    let claims: Map<String, Value> = serde_json::from_str(claims).ok()?;
    claims.get("zoneinfo")?.as_str().map(str::to_owned)
}

async fn page(
    app: &App,
    (origin, ui_locales): (&Origin, Option<&str>),
    (session, person, browser): (&Session, &Person, &Browser),
    now: Timestamp,
) -> Outcome<ProfilePage> {
    let asked = attributes::asked_of(&mut app.db.reader().await?, &app.config, (&person.id, now)).await?;
    // What nobody asks and the person does not say is not asked here either.
    let field = |attribute: Attribute| {
        let said = attributes::claimed(&person.claims, attribute);
        (asked.includes(attribute) || said.is_some()).then(|| Field {
            value: said.unwrap_or_default(),
            optional: !asked.includes(attribute),
            ..Field::of(attribute)
        })
    };
    let zone = zone_of(&person.claims).unwrap_or_default();
    let other = Some(zone.clone()).filter(|zone| !zone.is_empty() && !ZONES.contains(&zone.as_str()));
    Ok(ProfilePage {
        chrome: chrome(app, origin.locale(ui_locales), PATH),
        fields: [Attribute::PhoneNumber, Attribute::Birthdate].into_iter().filter_map(field).collect(),
        csrf: browser.csrf(app),
        given_name: person.given_name.clone(),
        family_name: person.family_name.clone(),
        language: Locale::negotiate(Some(&person.locale), None),
        zones: ZONES.iter().map(|zone| (*zone).to_owned()).chain(other).collect(),
        zone,
        email: person.email.clone().unwrap_or_default(),
        new_email: String::new(),
        fresh: is_fresh(session, now),
        confirm_href: Place::Profile.confirm_path(),
        checked: false,
        saved: false,
        waiting: false,
        to_verify: person.identity_changed_at.is_some(),
        wrong_email: false,
        too_many: false,
    })
}

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "account/profile.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a message of its own, and several may show")]
pub struct ProfilePage {
    /// The frame.
    pub chrome: Chrome,
    /// The token of the forms.
    pub csrf: String,
    /// As it is, or as typed.
    pub given_name: String,
    /// As it is, or as typed.
    pub family_name: String,
    /// What else the account says, or has to.
    pub fields: Vec<Field>,
    /// The person's language.
    pub language: Locale,
    /// The time zones to choose from.
    pub zones: Vec<String>,
    /// The one chosen; empty for none.
    pub zone: String,
    /// The address; empty for none.
    pub email: String,
    /// The new address as typed.
    pub new_email: String,
    /// Whether the sign-in is recent enough to change the address.
    pub fresh: bool,
    /// Where to sign in again when it is not.
    pub confirm_href: String,
    /// Whether the names were looked at; those that are wrong then say so.
    pub checked: bool,
    /// It was saved.
    pub saved: bool,
    /// What is shown was typed before the person confirmed that it is them, and is not saved.
    pub waiting: bool,
    /// Portals wait until the identity is verified.
    pub to_verify: bool,
    /// The new address is none.
    pub wrong_email: bool,
    /// Too many links were asked for.
    pub too_many: bool,
}

impl ProfilePage {
    fn field_names(&self) -> String {
        self.fields.iter().map(Field::name).collect::<Vec<_>>().join(" ")
    }

    fn wrong_name(&self, typed: &str) -> bool {
        self.checked && Name::parse(typed).is_none()
    }
}

impl Sample for ProfilePage {
    fn samples(locale: Locale) -> Vec<Self> {
        let plain = Self {
            chrome: sample_chrome(locale),
            csrf: "c5f0".to_owned(),
            given_name: "Camille".to_owned(),
            family_name: "Martin".to_owned(),
            fields: Vec::new(),
            language: locale,
            zones: ZONES.map(str::to_owned).to_vec(),
            zone: "Europe/Paris".to_owned(),
            email: "camille.martin@cfa-lumiere.example".to_owned(),
            new_email: String::new(),
            fresh: true,
            confirm_href: "/login?to=profile&again=yes".to_owned(),
            checked: false,
            saved: false,
            waiting: false,
            to_verify: false,
            wrong_email: false,
            too_many: false,
        };
        vec![
            plain.clone(),
            Self { saved: true, fresh: false, email: String::new(), zone: String::new(), ..plain.clone() },
            Self {
                too_many: true,
                waiting: true,
                to_verify: true,
                fields: vec![Field { optional: true, ..Field::of(Attribute::PhoneNumber) }],
                ..plain.clone()
            },
            Self {
                given_name: "<script>alert('moi')</script>".to_owned(),
                family_name: "\"><script>alert('moi')</script>".to_owned(),
                email: "\"><script>alert('moi')</script>".to_owned(),
                new_email: "\"><script>alert('moi')</script>".to_owned(),
                zone: "<script>alert(1)</script>".to_owned(),
                zones: vec!["\"><script>alert(1)</script>".to_owned()],
                fields: vec![Field { wrong: true, value: "\"><script>".to_owned(), ..Field::of(Attribute::Birthdate) }],
                checked: true,
                wrong_email: true,
                ..plain
            },
        ]
    }
}

/// What the button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailStep {
    /// Makes the new address that of the account.
    Confirm,
    /// Takes the account back.
    Undo,
}

/// The page with one button.
#[derive(Clone, Debug, Template)]
#[template(path = "account/email.html")]
pub struct EmailPage {
    /// The frame.
    pub chrome: Chrome,
    /// Where the form is posted.
    pub action: String,
    /// The address.
    pub email: String,
    /// What the button does.
    pub step: EmailStep,
}

impl EmailPage {
    fn words(&self) -> [String; 3] {
        match self.step {
            EmailStep::Confirm => ["profile-confirm-title", "profile-confirm-text", "profile-confirm-submit"],
            EmailStep::Undo => ["profile-undo-title", "profile-undo-text", "profile-undo-submit"],
        }
        .map(|key| self.chrome.t(key))
    }

    fn marker(&self) -> &'static str {
        match self.step {
            EmailStep::Confirm => "confirm-email",
            EmailStep::Undo => "undo-email",
        }
    }
}

impl Sample for EmailPage {
    fn samples(locale: Locale) -> Vec<Self> {
        [EmailStep::Confirm, EmailStep::Undo]
            .into_iter()
            .flat_map(|step| {
                ["camille@campus.example", "\"><script>alert('moi')</script>"].map(|email| Self {
                    chrome: sample_chrome(locale),
                    action: "/account/email/abc".to_owned(),
                    email: email.to_owned(),
                    step,
                })
            })
            .collect()
    }
}
