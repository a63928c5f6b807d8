//! `/me`: who the token speaks for, and what they may manage: the first call of a console. Below it what people do about their own
//! account, by the operations of the account's pages: devices, applications, activity, profile, second factors.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use habilis_policies::attributes::Attribute;
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::contact::Name;
use habilis_policies::second_factor::Rule;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::attributes::{PhoneNumber, missing_problem, patched_attributes};
use super::body::{Body, NoBody, fields};
use super::caller::Caller;
use super::declarations::Declaration;
use super::page::{self, Asked, Page, Paging};
use super::people::identity_status;
use super::precondition::IfMatch;
use super::problem::{Answer, Problem};
use super::write::{Write, Written, found};
use super::{Problems, instant};
use crate::account::profile::{self, NewProfile, NewZone, Zone};
use crate::account::{activity, applications, attributes, devices, identity};
use crate::app::App;
use crate::db::people::Person;
use crate::db::{
    Conn, audit, consents, declarations, members, organizations, passkeys, people, second_factors, sessions,
    totp_devices,
};
use crate::login::finish::asked;
use crate::mail::letters::device;
use crate::oidc::backchannel_logout::deliver_soon;
use crate::web::routing::routes;
use crate::web::text::Locale;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(me, update))
        .routes(routes!(list_sessions, end_other_sessions))
        .routes(routes!(end_session))
        .routes(routes!(list_applications))
        .routes(routes!(end_application))
        .routes(routes!(list_activity))
        .routes(routes!(list_factors))
}

/// Who calls.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// `usr_…`.
    id: String,
    /// Given name.
    given_name: String,
    /// Family name.
    family_name: String,
    /// Mail address.
    email: Option<String>,
    /// `fr` or `en`.
    locale: String,
    /// Time zone, as of the tz database; none when they said none.
    zoneinfo: Option<String>,
    /// Telephone number, in E.164.
    phone_number: Option<String>,
    /// Day of birth.
    birthdate: Option<String>,
    /// What is asked of one and the account does not say (R004), by the names of the claims.
    missing_attributes: Vec<&'static str>,
    /// Staff of the operator.
    operator: bool,
    /// Data protection officer of the operator.
    privacy: bool,
    /// `settled`, or `to_be_verified`: what the account says became all of somebody else, and portals refuse it, the tokens of this API
    /// included (R007).
    identity_status: &'static str,
    /// What one declared true and exact, the oldest first (R012).
    declarations: Vec<Declaration>,
    /// Where the person belongs today.
    organizations: Vec<Mine>,
}

/// An organization of the person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Mine {
    /// `org_…`.
    id: String,
    /// Its kind.
    kind: String,
    /// Name as registered.
    name: String,
    /// `active`, `suspended` or `terminated`.
    status: String,
    /// `administrator` or `member`.
    role: String,
}

/// Read who calls. Clients that act for themselves are nobody: 404.
#[utoipa::path(
    get, path = "/me", tag = "me",
    responses((status = 200, description = "The person", body = Me), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn me(State(app): State<App>, caller: Caller) -> Answer {
    caller.on_self(&app, Action::ReadSelf).await?;
    let mut reader = app.db.reader().await?;
    let person = myself(&mut reader, &caller).await?;
    let version = person.version;
    let me = shown(&mut reader, &app, person).await?;
    let mut response = found(&me, version)?;
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn myself(c: &mut impl Conn, caller: &Caller) -> Answer<Person> {
    let Some(id) = caller.person() else { return Err(Problem::not_found().into()) };
    Ok(people::find(c, id).await?.ok_or_else(Problem::not_found)?)
}

async fn shown(c: &mut impl Conn, app: &App, person: Person) -> Answer<Me> {
    let today = calendar::date_at(app.clock.now()).to_string();
    let mut mine = Vec::new();
    for of in members::in_force(c, &person.id, &today).await? {
        let Some(row) = organizations::find(c, &of.organization_id).await? else { continue };
        mine.push(Mine { id: row.id, kind: row.kind, name: row.name, status: row.status, role: of.role });
    }
    let asked = attributes::asked_of(c, &app.config, (&person.id, app.clock.now())).await?;
    let declared = declarations::of_person(c, &person.id).await?;
    Ok(Me {
        declarations: declared.into_iter().map(Declaration::from).collect(),
        missing_attributes: attributes::missing_of(&asked, &person)?.into_iter().map(Attribute::claim).collect(),
        phone_number: attributes::claimed(&person.claims, Attribute::PhoneNumber),
        birthdate: attributes::claimed(&person.claims, Attribute::Birthdate),
        zoneinfo: profile::zone_of(&person.claims),
        identity_status: identity_status(person.identity_changed_at),
        id: person.id,
        given_name: person.given_name,
        family_name: person.family_name,
        email: person.email,
        locale: person.locale,
        operator: person.operator,
        privacy: person.privacy,
        organizations: mine,
    })
}

/// What is changed of one's own profile: what is absent stays (RFC 7396).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfilePatch {
    /// Given name.
    #[serde(default, deserialize_with = "fields::kept")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    given_name: Option<Name>,
    /// Family name.
    #[serde(default, deserialize_with = "fields::kept")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    family_name: Option<Name>,
    /// `fr` or `en`.
    #[serde(default, deserialize_with = "fields::kept_value")]
    #[schema(value_type = Language)]
    locale: Option<Language>,
    /// A time zone of France, such as `Indian/Reunion`; null for none.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, max_length = 40)]
    zoneinfo: fields::Patched<Zone>,
    /// Telephone number; one that begins with a single zero is French. Null takes it away, where nobody asks for it (R004).
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, max_length = 32)]
    phone_number: fields::Patched<PhoneNumber>,
    /// Day of birth; null takes it away, where nobody asks for it.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, format = Date)]
    birthdate: fields::Patched<Date>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Language {
    Fr,
    En,
}

impl fields::FromText for Zone {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "no time zone that can be chosen".to_owned())
    }
}

/// Change one's own profile. Names and day of birth need a recent sign-in (RFC 9470); another address is proven on the profile page. When name,
/// address and day of birth have all become others than those the account was opened with, `identity_status` says so, and this token ends.
#[utoipa::path(
    patch, path = "/me", tag = "me", request_body = ProfilePatch,
    params(("If-Match" = String, Header, description = "`ETag` that was read")),
    responses((status = 200, description = "As it is now", body = Me), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn update(State(app): State<App>, caller: Caller, if_match: IfMatch, body: Body<ProfilePatch>) -> Answer {
    caller.on_self(&app, Action::UpdateSelf).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    people::lock(&mut write.tx, caller.id()).await?;
    let before = myself(&mut write.tx, &caller).await?;
    if_match.check(before.version)?;
    let patch = &body.value;
    let stored = |name: &str, pointer: &str| {
        Name::parse(name).ok_or_else(|| Problem::field(pointer, "missing", "there is no good one yet: give it too"))
    };
    let given = patch.given_name.clone().map_or_else(|| stored(&before.given_name, "/given_name"), Ok)?;
    let family = patch.family_name.clone().map_or_else(|| stored(&before.family_name, "/family_name"), Ok)?;
    let locale = match patch.locale {
        Some(Language::Fr) => Locale::Fr,
        Some(Language::En) => Locale::En,
        None => Locale::negotiate(Some(&before.locale), None),
    };
    let zone = match patch.zoneinfo {
        fields::Patched::Kept => NewZone::Kept,
        fields::Patched::Removed => NewZone::None,
        fields::Patched::Set(zone) => NewZone::Is(zone),
    };
    let changes = patched_attributes((&patch.phone_number, &patch.birthdate), calendar::date_at(write.now))?;
    let new = NewProfile { given: &given, family: &family, locale, zone, attributes: &changes };
    if identity::touched(&before, &new) {
        caller.signed_in_lately(&app, write.now)?;
    }
    let event = (caller.event("account.profile_changed"), &caller.origin);
    if let Err(taken) = profile::change(&mut write.tx, &app, (&before, new, event), write.now).await? {
        return Err(missing_problem(&taken).into());
    }
    let after = myself(&mut write.tx, &caller).await?;
    let version = after.version;
    let me = shown(&mut write.tx, &app, after).await?;
    let answer = write.finish(Written::changed(&me)?.with_version(version)).await;
    app.mail_waiting.notify_one();
    answer
}

/// A browser in which one is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MySession {
    /// `ses_…`.
    id: String,
    /// Browser and system, as far as they say.
    device: String,
    /// The address it began from.
    address: String,
    /// RFC 3339.
    signed_in_at: String,
    /// RFC 3339, to within a minute.
    used_at: String,
    /// Whether this very call is of it.
    current: bool,
}

/// List where one is signed in, last used first.
#[utoipa::path(
    get, path = "/me/sessions", tag = "me",
    responses((status = 200, description = "All of them, at most 100", body = Page<MySession>), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn list_sessions(State(app): State<App>, caller: Caller) -> Answer {
    caller.on_self(&app, Action::ReadSelf).await?;
    let rows = sessions::of_person(&mut app.db.reader().await?, caller.id(), app.clock.now()).await?;
    let show = |row: sessions::Device| MySession {
        current: caller.session() == Some(&row.id),
        id: row.id,
        device: device(&row.user_agent),
        address: row.address,
        signed_in_at: instant(row.created_at),
        used_at: instant(row.last_seen_at),
    };
    Ok(Page { items: rows.into_iter().map(show).collect(), next: None }.into_response())
}

/// Sign one device out; what was granted in it ends too. One's own ends this token.
#[utoipa::path(
    delete, path = "/me/sessions/{session}", tag = "me",
    params(("session" = String, Path, description = "`ses_…`")),
    responses((status = 204, description = "Ended"), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn end_session(State(app): State<App>, caller: Caller, Path(session): Path<String>, request: NoBody) -> Answer {
    caller.on_self(&app, Action::UpdateSelf).await?;
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    let event = caller.event("session.ended");
    let ended = devices::end(&mut write.tx, (caller.id(), &session, event), write.now).await?;
    let Some(ended) = ended else { return Err(Problem::not_found().into()) };
    let answer = write.finish(Written::nothing()).await;
    deliver_soon(&app, &ended);
    answer
}

/// Sign every device out but the one this token was granted in, and end what was granted elsewhere. A token without a session ends too.
#[utoipa::path(
    delete, path = "/me/sessions", tag = "me",
    responses((status = 204, description = "Ended"), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn end_other_sessions(State(app): State<App>, caller: Caller, request: NoBody) -> Answer {
    caller.on_self(&app, Action::UpdateSelf).await?;
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    let kept = caller.session().unwrap_or_default();
    let event = caller.event("session.others_ended");
    devices::end_others(&mut write.tx, (caller.id(), kept, event), write.now).await?;
    let answer = write.finish(Written::nothing()).await;
    app.mail_waiting.notify_one();
    answer
}

/// An application that one let in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MyApplication {
    /// `client_id`.
    client_id: String,
    /// Its name, in one's language.
    name: String,
    /// What it may know and do.
    scopes: Vec<String>,
    /// RFC 3339.
    allowed_at: String,
    /// RFC 3339, to within an hour; none when that is not known.
    used_at: Option<String>,
}

/// List the applications of others that one let in.
#[utoipa::path(
    get, path = "/me/applications", tag = "me",
    responses((status = 200, description = "All of them, at most 200", body = Page<MyApplication>), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn list_applications(State(app): State<App>, caller: Caller) -> Answer {
    caller.on_self(&app, Action::ReadSelf).await?;
    let mut reader = app.db.reader().await?;
    let locale = Locale::negotiate(Some(&myself(&mut reader, &caller).await?.locale), None);
    let given = consents::of_person(&mut reader, caller.id(), applications::MOST).await?;
    drop(reader);
    let mut items = Vec::with_capacity(given.len());
    for consent in given {
        // A suspended one is shown too: what it holds would be worth something again.
        let Some(client) = app.client(&consent.client_id).await? else { continue };
        items.push(MyApplication {
            name: client.name_in(locale).to_owned(),
            scopes: consent.scope.split_ascii_whitespace().map(str::to_owned).collect(),
            allowed_at: instant(consent.created_at),
            used_at: consent.used_at.map(instant),
            client_id: consent.client_id,
        });
    }
    Ok(Page { items, next: None }.into_response())
}

/// Take an application's access back: its tokens are dead at once, and it has to ask again.
#[utoipa::path(
    delete, path = "/me/applications/{client_id}", tag = "me",
    params(("client_id" = String, Path, description = "`client_id`")),
    responses((status = 204, description = "Taken back"), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn end_application(
    State(app): State<App>,
    caller: Caller,
    Path(client_id): Path<String>,
    request: NoBody,
) -> Answer {
    caller.on_self(&app, Action::UpdateSelf).await?;
    if client_id.contains('\0') {
        return Err(Problem::not_found().into());
    }
    let mut write = Write::begin(&app, &caller, &request.idempotency).await?;
    let event = caller.event("consent.revoked").with("by_client", caller.client());
    if !applications::end(&mut write.tx, (caller.id(), &client_id, event), write.now).await? {
        return Err(Problem::not_found().into());
    }
    write.finish(Written::nothing()).await
}

/// Something that happened to one's account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MyActivity {
    /// `evt_…`.
    id: String,
    /// RFC 3339.
    at: String,
    /// Stable dotted name, such as `session.started`.
    event: String,
    /// The application it happened for.
    client_id: Option<String>,
    /// The address it came from.
    address: Option<String>,
}

/// List what happened to one's account, newest first. A page may have fewer rows than were asked for while there are more.
#[utoipa::path(
    get, path = "/me/activity", tag = "me", params(Paging),
    responses((status = 200, description = "A page", body = Page<MyActivity>), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn list_activity(State(app): State<App>, caller: Caller, Asked(paging): Asked<Paging>) -> Answer {
    caller.on_self(&app, Action::ReadSelf).await?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let lines = audit::of_person(&mut app.db.reader().await?, caller.id(), (at, &id), limit + 1).await?;
    let cursor = |line: &audit::Line| page::cursor_before(line.at.milliseconds(), &line.id);
    let mut page = Page::of(lines, limit, cursor, |line| MyActivity {
        id: line.id,
        at: instant(line.at),
        event: line.event,
        client_id: line.client_id,
        address: line.address,
    });
    page.items.retain(|line| activity::is_told(&line.event));
    Ok(page.into_response())
}

/// How one signs in, beside the password.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MyFactors {
    /// Whether a second factor is asked of one.
    required: bool,
    /// Passkeys and authenticator apps, in this order.
    items: Vec<MyFactor>,
    /// Recovery codes not used.
    recovery_codes_left: i64,
}

/// A passkey or an authenticator app.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MyFactor {
    /// `pky_…` or `otp_…`.
    id: String,
    /// `passkey` or `authenticator_app`.
    kind: &'static str,
    /// What one calls it.
    name: String,
    /// RFC 3339.
    added_at: String,
    /// RFC 3339.
    used_at: Option<String>,
}

/// List one's second factors. They are added and removed on the security page, after a fresh sign-in.
#[utoipa::path(
    get, path = "/me/factors", tag = "me",
    responses((status = 200, description = "All of them", body = MyFactors), Problems),
    security(("oauth2" = ["habilis.self"]))
)]
async fn list_factors(State(app): State<App>, caller: Caller) -> Answer {
    caller.on_self(&app, Action::ReadSelf).await?;
    let mut reader = app.db.reader().await?;
    let about = second_factors::find(&mut reader, caller.id(), app.clock.now()).await?;
    let keys = passkeys::of_person(&mut reader, caller.id()).await?.into_iter().map(|key| MyFactor {
        id: key.id,
        kind: "passkey",
        name: key.name,
        added_at: instant(key.created_at),
        used_at: key.last_used_at.map(instant),
    });
    let apps = totp_devices::of_person(&mut reader, caller.id()).await?.into_iter().map(|device| MyFactor {
        id: device.id,
        kind: "authenticator_app",
        name: device.name,
        added_at: instant(device.created_at),
        used_at: device.last_used_at.map(instant),
    });
    let factors = MyFactors {
        required: asked(&app, &about, Rule::Optional) == Rule::Required,
        items: keys.chain(apps).collect(),
        recovery_codes_left: about.codes,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(factors)).into_response())
}
