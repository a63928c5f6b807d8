//! `/organizations/{organization}/api-keys`: the keys of an apprenticeship centre for the operator's API (R100–R104).

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::{api_key, random};
use habilis_policies::api_keys::{Centre, IssueRefusal, MAX_LIVE, Request, admit, dies_at, end_date};
use habilis_policies::authorization::Action;
use habilis_policies::calendar;
use habilis_policies::identifiers::OrganizationKind;
use habilis_policies::networks::{self, Network};
use habilis_policies::orders::Orders;
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields};
use super::caller::{Acting, Caller};
use super::page::{Asked, Page, Paging, cursor_before};
use super::precondition::{IfMatch, check_if_named, stale};
use super::problem::{Answer, Code, FieldError, Problem};
use super::write::{Write, Written, found};
use super::{Problems, instant};
use crate::account::signatories;
use crate::api_keys::{compromised, last_day, subscription_ends};
use crate::app::App;
use crate::db::api_keys::{self, ApiKey as Row, Live, NewApiKey};
use crate::db::{api_key_uses, audit, is_unique_violation, members, orders, subscription_ends as said};
use crate::mail::organizations::SensitiveAct;
use crate::seats;
use crate::web::routing::routes;

/// Days of usage told at once, at the most.
const MAX_DAYS: i32 = 400;
/// Rows of usage read at once, at the most.
const MAX_ROWS: u32 = 30_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(end_with_subscription))
        .routes(routes!(read, update))
        .routes(routes!(revoke))
        .routes(routes!(usage))
}

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApiKey {
    /// `key_…`.
    id: String,
    /// The readable part, by which a key found somewhere is recognised.
    handle: String,
    /// What it is for.
    name: String,
    /// What it opens.
    scopes: Vec<String>,
    /// Addresses and networks it works from; anywhere when empty.
    networks: Vec<String>,
    /// `active`, `expired` or `revoked`.
    status: &'static str,
    /// Last day, in Paris: `dateFinValidite`.
    ends_on: String,
    /// RFC 3339: 00:00 in Paris of the day after.
    expires_at: String,
    /// Who issued it: `usr_…`, or a client.
    issued_by: String,
    /// RFC 3339.
    issued_at: String,
    /// RFC 3339; some seconds late.
    last_used_at: Option<String>,
    /// RFC 3339.
    revoked_at: Option<String>,
    /// Who revoked it.
    revoked_by: Option<String>,
    /// Why.
    revoked_reason: Option<String>,
}

impl ApiKey {
    pub(super) fn new(row: Row, now: Timestamp) -> Self {
        let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect();
        let status = match row.revoked_at {
            Some(_) => "revoked",
            None if Timestamp::from(row.dies_at) <= now => "expired",
            None => "active",
        };
        Self {
            id: row.id,
            handle: row.handle,
            name: row.name,
            scopes: words(&row.scopes),
            networks: words(&row.networks),
            status,
            ends_on: row.ends_on,
            expires_at: instant(row.dies_at),
            issued_by: row.issued_by,
            issued_at: instant(row.created_at),
            last_used_at: row.last_used_at.map(instant),
            revoked_at: row.revoked_at.map(instant),
            revoked_by: row.revoked_by,
            revoked_reason: row.revoked_reason,
        }
    }
}

/// A key as it is issued.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IssuedApiKey {
    /// The key itself. It is shown this once; a repeated request (`Idempotency-Key`) does not show it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(flatten)]
    about: ApiKey,
}

/// A key to be issued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// What it is for.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: fields::Line,
    /// What it opens, of what the operator gives to keys.
    #[schema(min_items = 1, max_items = 64)]
    scopes: Vec<String>,
    /// Addresses and networks it works from (`192.0.2.7`, `192.0.2.0/24`, `2001:db8::/48`), at most 32; anywhere when empty.
    #[serde(default)]
    #[schema(max_items = 32)]
    networks: Vec<String>,
    /// Last day, in Paris; the latest possible when absent: the day before the anniversary, or the last day of the subscription.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, format = Date)]
    ends_on: Option<Date>,
}

/// What is changed of a key: what is absent stays (RFC 7396). Scopes and end never change: issue another key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyPatch {
    /// What it is for.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<fields::Line>,
    /// Where it works from; anywhere when empty.
    #[schema(max_items = 32)]
    networks: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ReasonName {
    Replaced,
    Unused,
    Compromised,
}

/// Why a key is revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Revocation {
    /// `replaced`, `unused` or `compromised`: known or suspected to be in other hands (R031); then the administrators are told.
    reason: ReasonName,
}

/// When the subscription of a centre ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscriptionEnd {
    /// Last day of the subscription, today or later.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, format = Date)]
    last_day: Date,
}

/// How many keys end earlier.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Shortened {
    /// Keys that end earlier than before.
    shortened: usize,
}

/// A day of use.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DayOfUse {
    /// Day in Paris.
    day: String,
    /// Exchanges and checks that were granted.
    granted: i64,
    /// Those that were refused, the key being right: expired, revoked, other centre, scope or address.
    refused: i64,
}

/// Who used a key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SoftwareUse {
    /// The vendor's client; empty without one.
    client_id: String,
    /// `EDITEUR`; empty when not said.
    editor: String,
    /// `LOGICIEL`.
    software: String,
    /// `VERSION`.
    version: String,
    /// Exchanges and checks that were granted.
    granted: i64,
    /// Those that were refused.
    refused: i64,
    /// RFC 3339.
    last_used_at: String,
}

/// How a key was used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Usage {
    /// Every day of the span, days without use too: ready to be drawn.
    days: Vec<DayOfUse>,
    /// By vendor and software, over the span.
    software: Vec<SoftwareUse>,
}

/// Which days.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageQuery {
    /// First day; 29 days before the last when absent.
    #[param(value_type = Option<String>, format = Date)]
    from: Option<Date>,
    /// Last day; today when absent.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Date>,
}

/// Keys are for apprenticeship centres alone (R101).
fn is_centre(acting: &Acting) -> Result<(), Problem> {
    if acting.organization.kind == OrganizationKind::Cfa.name() {
        return Ok(());
    }
    Err(Problem::bare(Code::NotAnApprenticeshipCentre))
}

fn networks(given: &[String]) -> Result<String, Problem> {
    if given.len() > networks::MAX {
        return Err(Problem::field("/networks", "too_many", format!("at most {} networks", networks::MAX)));
    }
    let mut read = Vec::new();
    let mut wrong = Vec::new();
    for (index, text) in given.iter().enumerate() {
        match Network::parse(text) {
            Ok(network) => read.push(network.to_string()),
            Err(error) => wrong.push(FieldError {
                pointer: format!("/networks/{index}"),
                code: "invalid",
                detail: error.to_string(),
            }),
        }
    }
    read.dedup();
    if wrong.is_empty() { Ok(read.join(" ")) } else { Err(Problem::fields(wrong)) }
}

/// What the audit trail keeps of a key.
fn traced(key: &ApiKey) -> Value {
    json!({ "handle": key.handle, "name": key.name, "scopes": key.scopes, "networks": key.networks, "ends_on": key.ends_on })
}

/// List the keys of a centre, newest first.
#[utoipa::path(
    get, path = "/organizations/{organization}/api-keys", tag = "api keys",
    params(("organization" = String, Path, description = "`org_…`"), Paging),
    responses((status = 200, description = "A page", body = Page<ApiKey>), Problems),
    security(("oauth2" = ["habilis.keys"]))
)]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadApiKeys, &organization).await?;
    is_centre(&acting)?;
    let (limit, (at, id)) = (paging.limit()?, paging.before()?);
    let now = app.clock.now();
    let mut reader = app.db.reader().await?;
    let rows = api_keys::list(&mut reader, &acting.organization.id, (at, &id), limit + 1).await?;
    let cursor = |row: &Row| cursor_before(row.created_at.milliseconds(), &row.id);
    Ok(Page::of(rows, limit, cursor, |row| ApiKey::new(row, now)).into_response())
}

/// Issue a key. Needs a recent sign-in with two factors.
#[utoipa::path(
    post, path = "/organizations/{organization}/api-keys", tag = "api keys", request_body = NewKey,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 201, description = "Issued; the key is shown this once", body = IssuedApiKey), Problems),
    security(("oauth2" = ["habilis.keys"]))
)]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<NewKey>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::IssueApiKey, &organization).await?;
    is_centre(&acting)?;
    let organization = &acting.organization;
    if organization.siren.is_none() && organization.siret.is_none() {
        return Err(
            Problem::new(Code::Conflict, "a key names its centre by SIREN: the operator records it first").into()
        );
    }
    let new = &body.value;
    let networks = networks(&new.networks)?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    // Two at once are counted one after the other.
    members::lock(&mut write.tx, &organization.id).await?;
    let mut scopes: Vec<&str> = new.scopes.iter().map(String::as_str).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let allowed: Vec<&str> = app.config.api_keys.scopes.iter().map(String::as_str).collect();
    let all = orders::all(&mut write.tx, &organization.id).await?;
    let rules: Vec<_> = all.iter().map(orders::Order::rule).collect();
    let last_day = last_day(&mut write.tx, (&organization.id, &rules)).await?;
    let (interrupted, _) = Orders(&rules).interrupted(write.now);
    let standing = if organization.status == "active" { Centre::Active } else { Centre::Suspended };
    let request = Request {
        kind: OrganizationKind::Cfa,
        centre: standing.subscribed(last_day, interrupted, calendar::date_at(write.now)),
        live_keys: api_keys::live(&mut write.tx, &organization.id, write.now).await?,
        scopes: &scopes,
        allowed: &allowed,
    };
    admit(&request).map_err(|refusal| refused(refusal, &allowed))?;
    let ends_on = end_date(write.now, new.ends_on, last_day)
        .map_err(|error| Problem::field("/ends_on", "out_of_range", error.to_string()))?;
    let id = random::id("key", write.now);
    let made = api_key::generate(&app.config.api_keys.environment);
    let row = NewApiKey {
        id: &id,
        handle: &made.handle,
        digest: &made.digest,
        name: &new.name.0,
        scopes: &scopes.join(" "),
        networks: &networks,
        ends_on: &ends_on.to_string(),
        dies_at: dies_at(ends_on),
        issued_by: caller.id(),
    };
    match api_keys::insert(&mut write.tx, &organization.id, &row, write.now).await {
        // One in two hundred million million; nothing was written.
        Err(error) if is_unique_violation(&error) => {
            return Err(Problem::new(Code::Conflict, "chance made a name that is taken: try again").into());
        }
        inserted => inserted?,
    }
    let (about, version) = show(&mut write, &organization.id, &id).await?;
    let event = acting.event(&caller, "api_key.issued").about(&id).changed(Value::Null, traced(&about));
    audit::record(&mut write.tx, event, write.now).await?;
    let person = signatories::acted(&mut write.tx, &app.config, caller.id()).await?;
    let act = SensitiveAct::ApiKeyIssued { person, key: new.name.0.clone() };
    signatories::tell(&mut write.tx, &app, (organization, act), write.now).await?;
    let location = format!("/api/v1/organizations/{}/api-keys/{id}", organization.id);
    let mut issued = IssuedApiKey { key: None, about };
    // Whoever repeats the request gets the answer without the key: it is kept nowhere.
    let kept = Written::created(location.clone(), &issued)?.with_version(version);
    issued.key = Some(made.key.expose().clone());
    let answer = write.finish_keeping(Written::created(location, &issued)?.with_version(version), kept).await;
    app.mail_waiting.notify_one();
    answer
}

fn refused(refusal: IssueRefusal, allowed: &[&str]) -> Problem {
    match refusal {
        IssueRefusal::NotACentre => Problem::bare(Code::NotAnApprenticeshipCentre),
        IssueRefusal::NoRights => {
            let detail = "suspended, unpaid, or its subscription has ended: no key is issued";
            Problem::new(Code::OrganizationNotActive, detail)
        }
        IssueRefusal::TooManyLive => {
            Problem::bare(Code::TooManyLiveKeys).with("most", u64::try_from(MAX_LIVE).unwrap_or(u64::MAX))
        }
        IssueRefusal::NoScope => Problem::field("/scopes", "missing", "a key opens something"),
        IssueRefusal::ScopeNotAllowed => Problem::field("/scopes", "not_allowed", allowed.join(", ")),
    }
}

async fn show(write: &mut Write, organization: &str, id: &str) -> Answer<(ApiKey, i64)> {
    let row = api_keys::find(&mut write.tx, organization, id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let version = row.version;
    Ok((ApiKey::new(row, write.now), version))
}

/// Read a key, without its secret.
#[utoipa::path(
    get, path = "/organizations/{organization}/api-keys/{key}", tag = "api keys",
    params(("organization" = String, Path, description = "`org_…`"), ("key" = String, Path, description = "`key_…`")),
    responses((status = 200, description = "Found", body = ApiKey), Problems),
    security(("oauth2" = ["habilis.keys"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path((organization, id)): Path<(String, String)>) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadApiKeys, &organization).await?;
    let row = api_keys::find(&mut app.db.reader().await?, &acting.organization.id, &id).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let version = row.version;
    found(&ApiKey::new(row, app.clock.now()), version)
}

/// Rename a key, or change where it works from. Needs a recent sign-in with two factors.
#[utoipa::path(
    patch, path = "/organizations/{organization}/api-keys/{key}", tag = "api keys", request_body = KeyPatch,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("key" = String, Path, description = "`key_…`"),
        ("If-Match" = String, Header, description = "`ETag` that was read")
    ),
    responses((status = 200, description = "As it is now", body = ApiKey), Problems),
    security(("oauth2" = ["habilis.keys"]))
)]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    if_match: IfMatch,
    body: Body<KeyPatch>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::IssueApiKey, &organization).await?;
    let organization = &acting.organization.id;
    let given = body.value.networks.as_deref().map(networks).transpose()?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let before = api_keys::find(&mut write.tx, organization, &id).await?;
    let Some(before) = before else { return Err(Problem::not_found().into()) };
    if_match.check(before.version)?;
    let name = body.value.name.as_ref().map_or(before.name.as_str(), |name| &name.0);
    let networks = given.as_deref().unwrap_or(&before.networks);
    let at = (organization.as_str(), id.as_str(), before.version);
    if !api_keys::update(&mut write.tx, at, (name, networks), write.now).await? {
        return Err(stale(before.version).into());
    }
    let (after, version) = show(&mut write, organization, &id).await?;
    let before = ApiKey::new(before, write.now);
    let event = acting.event(&caller, "api_key.updated").about(&id).changed(traced(&before), traced(&after));
    audit::record(&mut write.tx, event, write.now).await?;
    let answer = write.finish(Written::changed(&after)?.with_version(version)).await;
    app.api_keys.forget();
    answer
}

/// Revoke a key, and the tokens obtained with it, for good. Effective here at once, on every node within five seconds.
#[utoipa::path(
    put, path = "/organizations/{organization}/api-keys/{key}/revocation", tag = "api keys", request_body = Revocation,
    params(
        ("organization" = String, Path, description = "`org_…`"), ("key" = String, Path, description = "`key_…`"),
        ("If-Match" = Option<String>, Header, description = "`ETag` that was read; may be left out")
    ),
    responses((status = 200, description = "Revoked, now or before", body = ApiKey), Problems),
    security(("oauth2" = ["habilis.keys"]))
)]
async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    if_match: Option<IfMatch>,
    body: Body<Revocation>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::RevokeApiKey, &organization).await?;
    let organization = &acting.organization.id;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let before = api_keys::find(&mut write.tx, organization, &id).await?;
    let Some(before) = before else { return Err(Problem::not_found().into()) };
    check_if_named(if_match.as_ref(), before.version)?;
    if before.revoked_at.is_none() {
        let live = Live { id: id.clone(), organization_id: organization.clone(), name: before.name };
        if body.value.reason == ReasonName::Compromised {
            compromised(&mut write.tx, &app, (&live, caller.id()), write.now).await?;
        } else {
            let reason = if body.value.reason == ReasonName::Unused { "unused" } else { "replaced" };
            api_keys::revoke(&mut write.tx, &id, (caller.id(), reason), write.now).await?;
            let event = acting.event(&caller, "api_key.revoked").about(&id).with("reason", reason);
            audit::record(&mut write.tx, event, write.now).await?;
        }
    }
    let (after, version) = show(&mut write, organization, &id).await?;
    let answer = write.finish(Written::changed(&after)?.with_version(version)).await;
    app.api_keys.forget();
    app.mail_waiting.notify_one();
    answer
}

/// The subscription of a centre ends: its keys end with the last day, at the latest, and so do those that are issued later. A later day
/// takes the place of an earlier one for keys that are issued from then on. For the operator.
#[utoipa::path(
    put, path = "/organizations/{organization}/api-keys/last-day", tag = "api keys", request_body = SubscriptionEnd,
    params(("organization" = String, Path, description = "`org_…`")),
    responses((status = 200, description = "Done", body = Shortened), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn end_with_subscription(
    State(app): State<App>,
    caller: Caller,
    Path(organization): Path<String>,
    body: Body<SubscriptionEnd>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::WriteOrders, &organization).await?;
    is_centre(&acting)?;
    let last_day = body.value.last_day;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    if last_day < calendar::date_at(write.now) {
        return Err(Problem::field("/last_day", "past", "today or later").into());
    }
    let organization = &acting.organization.id;
    // A key that is issued at this moment is shortened, or ends in time.
    members::lock(&mut write.tx, organization).await?;
    said::say(&mut write.tx, organization, (last_day, caller.id()), write.now).await?;
    let shortened = subscription_ends(&mut write.tx, (organization, last_day, caller.id()), write.now).await?;
    let all: Vec<_> = orders::all(&mut write.tx, organization).await?.iter().map(orders::Order::rule).collect();
    seats::set_over(&mut write.tx, (organization, &all)).await?;
    let event = acting.event(&caller, "subscription.ends").about(organization);
    let event = event.with("last_day", last_day.to_string()).with("keys", u64::try_from(shortened).unwrap_or(u64::MAX));
    audit::record(&mut write.tx, event, write.now).await?;
    let answer = write.finish(Written::changed(&Shortened { shortened })?).await;
    app.api_keys.forget();
    answer
}

/// Read how a key was used, by day and by software.
#[utoipa::path(
    get, path = "/organizations/{organization}/api-keys/{key}/usage", tag = "api keys",
    params(("organization" = String, Path, description = "`org_…`"), ("key" = String, Path, description = "`key_…`"), UsageQuery),
    responses((status = 200, description = "At most 400 days", body = Usage), Problems),
    security(("oauth2" = ["habilis.keys"]))
)]
async fn usage(
    State(app): State<App>,
    caller: Caller,
    Path((organization, id)): Path<(String, String)>,
    Asked(span): Asked<UsageQuery>,
) -> Answer {
    let acting = caller.in_organization(&app, Action::ReadApiKeys, &organization).await?;
    let to = span.to.unwrap_or_else(|| calendar::date_at(app.clock.now()));
    let from = span.from.unwrap_or_else(|| calendar::add_days(to, -29));
    let length = calendar::days_between(from, to);
    if !(0..MAX_DAYS).contains(&length) {
        return Err(Problem::parameter("from", format!("0 to {} days before `to`", MAX_DAYS - 1)).into());
    }
    let mut reader = app.db.reader().await?;
    if api_keys::find(&mut reader, &acting.organization.id, &id).await?.is_none() {
        return Err(Problem::not_found().into());
    }
    let rows = api_key_uses::of_key(&mut reader, &id, (&from.to_string(), &to.to_string()), MAX_ROWS).await?;
    Ok(([(axum::http::header::CACHE_CONTROL, "no-store")], axum::Json(summed(rows, (from, length)))).into_response())
}

fn summed(rows: Vec<api_key_uses::Uses>, (from, length): (Date, i32)) -> Usage {
    let mut days: BTreeMap<String, (i64, i64)> =
        (0..=length).map(|after| (from.saturating_add(Span::new().days(after)).to_string(), (0, 0))).collect();
    let mut software: BTreeMap<[String; 4], (i64, i64, crate::db::At)> = BTreeMap::new();
    for row in rows {
        let day = days.entry(row.day).or_default();
        *day = (day.0 + row.granted, day.1 + row.refused);
        let sort = [row.client_id, row.editor, row.software, row.release];
        let sum = software.entry(sort).or_insert((0, 0, row.last_at));
        *sum = (sum.0 + row.granted, sum.1 + row.refused, sum.2.max(row.last_at));
    }
    let day = |(day, (granted, refused))| DayOfUse { day, granted, refused };
    let of_software = |(sort, (granted, refused, last_at)): ([String; 4], _)| {
        let [client_id, editor, software, version] = sort;
        SoftwareUse { client_id, editor, software, version, granted, refused, last_used_at: instant(last_at) }
    };
    Usage { days: days.into_iter().map(day).collect(), software: software.into_iter().map(of_software).collect() }
}
