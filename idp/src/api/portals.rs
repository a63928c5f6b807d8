//! `/portals`: the clients of this server, as the operator registers and changes them. Every client is a portal here: those that people
//! sign in to, the software of vendors, resource servers and automation.
//!
//! Metadata has the names of RFC 7591 and OIDC Registration, settings are what the operator decides and no registration sets. Whether a
//! portal is open is a measure ([`super::measures`]).

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_keys::random;
use habilis_policies::acr::{self, Level, Name, Vocabulary};
use habilis_policies::authorization::Action;
use habilis_policies::identifiers::OrganizationKind;
use habilis_policies::profiles::SecurityProfile;
use habilis_policies::second_factor::Rule;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, NoBody, fields};
use super::caller::Caller;
use super::page::{self, Asked, Page, Paging};
use super::precondition::{IfMatch, stale};
use super::problem::{Answer, Code, FieldError, Problem};
use super::products::ProductId;
use super::write::{Write, Written, found};
use super::{Problems, instant};
use crate::app::App;
use crate::db::clients::{self, MANAGES_ALL, ManagedClient};
use crate::db::{Conn, audit, is_unique_violation, organizations, products};
use crate::oidc::claims::ClaimsProfile;
use crate::oidc::client::{Authentication, Metadata, MetadataProblem, Registration, Settings, check_for_operator};
use crate::oidc::initial_access::Terms;
use crate::oidc::subject::verify_sector;
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, update))
        .routes(routes!(renew_secret))
        .routes(routes!(make_initial_access_token))
}

/// A portal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Portal {
    /// `client_id`.
    client_id: String,
    /// `active`, `suspended` or `terminated`; changed by a measure.
    status: String,
    /// Registration metadata (RFC 7591 §2, OIDC Registration §2), defaults included.
    #[schema(value_type = Object)]
    metadata: Value,
    /// What the operator decides about it.
    settings: PortalSettings,
    /// For whom it manages through this API when it acts for itself: `operator`, or an organization's id.
    manages: Option<String>,
    /// Whether it authenticates by a secret. The secret itself is shown once, when it is made.
    has_secret: bool,
    /// Whether it registered itself, and may change its metadata itself (RFC 7592).
    self_registered: bool,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
}

/// What the operator decides about a portal.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "one yes or no a line, as the operator says them")]
pub(super) struct PortalSettings {
    /// `oidc`, `fapi2_security`, `fapi2_message_signing` or `legacy`.
    profile: String,
    /// One of the operator's own: people are not asked for consent.
    first_party: bool,
    /// A resource server: introspection tells it of every access token (RFC 7662 §4).
    resource_server: bool,
    /// Software of a vendor that works with API keys of apprenticeship centres.
    api_keys: bool,
    /// What it calls the levels of a sign-in, weakest first.
    acr: Vec<AcrShown>,
    /// Whether its people need a second factor, whatever others ask.
    second_factor: bool,
    /// The kinds of organization it is open to; none: everybody (R009).
    organization_kinds: Vec<String>,
    /// `standard`: what its scopes ask for; `minimal`: names and mail address alone (R015).
    claims: String,
    /// Whether people sign in to use it (R010).
    auth_required: bool,
    /// The product it belongs to: people need a seat of it.
    product: Option<String>,
    /// Whether its people need an enrolment whose window is open.
    enrolment: bool,
}

/// A name for a level of sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AcrShown {
    /// The `acr` value.
    acr: String,
    /// `one_factor` or `two_factors`: the least it promises.
    level: &'static str,
}

impl Portal {
    fn of(client: ManagedClient) -> Answer<Self> {
        let settings: Settings = serde_json::from_str(&client.row.settings)?;
        Ok(Self {
            client_id: client.row.id,
            status: client.row.status,
            metadata: serde_json::from_str(&client.row.metadata)?,
            settings: PortalSettings::of(settings)?,
            manages: client.manages,
            has_secret: client.row.secret_digest.is_some(),
            self_registered: client.row.registration_token_digest.is_some(),
            created_at: instant(client.row.created_at),
            updated_at: instant(client.updated_at),
        })
    }
}

impl PortalSettings {
    fn of(settings: Settings) -> Answer<Self> {
        let acr = settings.acr.names().map(|name| AcrShown {
            acr: name.to_owned(),
            level: if settings.acr.reaches(name, Level::OneFactor) { "one_factor" } else { "two_factors" },
        });
        Ok(Self {
            profile: word(&settings.profile)?,
            first_party: settings.first_party,
            resource_server: settings.resource_server,
            api_keys: settings.api_keys,
            acr: acr.collect(),
            second_factor: !settings.second_factor.is_optional(),
            organization_kinds: settings.organization_kinds.iter().map(|kind| kind.name().to_owned()).collect(),
            claims: word(&settings.claims)?,
            auth_required: settings.auth_required,
            product: settings.product,
            enrolment: settings.enrolment,
        })
    }
}

/// The word under which serde writes a unit variant.
fn word(value: &impl Serialize) -> Answer<String> {
    Ok(serde_json::to_value(value)?.as_str().unwrap_or_default().to_owned())
}

/// A portal in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PortalListed {
    /// `client_id`.
    client_id: String,
    /// `client_name`.
    name: Option<String>,
    /// `active`, `suspended` or `terminated`.
    status: String,
    /// The product it belongs to.
    product: Option<String>,
    /// Whether it registered itself.
    self_registered: bool,
    /// RFC 3339.
    created_at: String,
}

impl PortalListed {
    fn of(client: ManagedClient) -> Answer<Self> {
        let metadata: Metadata = serde_json::from_str(&client.row.metadata)?;
        let settings: Settings = serde_json::from_str(&client.row.settings)?;
        Ok(Self {
            client_id: client.row.id,
            name: metadata.client_name,
            status: client.row.status,
            product: settings.product,
            self_registered: client.row.registration_token_digest.is_some(),
            created_at: instant(client.row.created_at),
        })
    }
}

/// A `client_id` that was chosen: it stands in paths.
#[derive(Debug)]
struct ClientId(String);

impl fields::FromText for ClientId {
    fn from_text(text: &str) -> Result<Self, String> {
        let good = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
            && text.bytes().any(|byte| byte.is_ascii_alphanumeric());
        if good { Ok(Self(text.to_owned())) } else { Err("1 to 64 of a-z, A-Z, 0-9, -, ., _ and ~".to_owned()) }
    }
}

/// For whom a client manages.
#[derive(Debug, Clone)]
struct Manages(String);

impl fields::FromText for Manages {
    fn from_text(text: &str) -> Result<Self, String> {
        let good = text == MANAGES_ALL
            || (text.starts_with("org_") && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic()));
        if good { Ok(Self(text.to_owned())) } else { Err("`operator`, or an organization's id".to_owned()) }
    }
}

macro_rules! from_word {
    ($($type:ty, $words:literal;)*) => {$(
        impl fields::FromText for $type {
            fn from_text(text: &str) -> Result<Self, String> {
                serde_json::from_value(text.into()).map_err(|_| concat!("one of ", $words).to_owned())
            }
        }
    )*};
}
from_word! {
    SecurityProfile, "oidc, fapi2_security, fapi2_message_signing, legacy";
    ClaimsProfile, "standard, minimal";
}

/// The value of an `acr`: a short text without spaces.
#[derive(Debug)]
struct AcrValue(String);

impl fields::FromText for AcrValue {
    fn from_text(text: &str) -> Result<Self, String> {
        let good = (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err("1 to 256 visible ASCII characters without quotes".to_owned())
        }
    }
}

/// A name for a level of sign-in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AcrName {
    /// The `acr` value.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 256)]
    acr: AcrValue,
    /// The least it promises.
    level: LevelName,
}

/// A level of sign-in.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LevelName {
    /// One factor.
    OneFactor,
    /// Two factors, or a key that checks its holder.
    TwoFactors,
}

impl LevelName {
    fn level(self) -> Level {
        match self {
            Self::OneFactor => Level::OneFactor,
            Self::TwoFactors => Level::TwoFactors,
        }
    }
}

/// What the operator decides; what is absent stays, or has its default in a new portal.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsPatch {
    /// `oidc` (default), `fapi2_security`, `fapi2_message_signing` or `legacy`.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 32)]
    profile: Option<SecurityProfile>,
    /// One of the operator's own: people are not asked for consent.
    first_party: Option<bool>,
    /// A resource server: introspection tells it of every access token.
    resource_server: Option<bool>,
    /// Software of a vendor that works with API keys of apprenticeship centres.
    api_keys: Option<bool>,
    /// What it calls the levels of a sign-in, weakest first, 16 at the most.
    #[schema(max_items = 16)]
    acr: Option<Vec<AcrName>>,
    /// Whether its people need a second factor.
    second_factor: Option<bool>,
    /// The kinds of organization it is open to; none: everybody.
    #[serde(default, deserialize_with = "fields::optional_list")]
    #[schema(value_type = Option<Vec<String>>, max_items = 5)]
    organization_kinds: Option<Vec<OrganizationKind>>,
    /// `standard` or `minimal`.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 16)]
    claims: Option<ClaimsProfile>,
    /// Whether people sign in to use it.
    auth_required: Option<bool>,
    /// The product it belongs to; null for none.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    product: fields::Patched<ProductId>,
    /// Whether its people need an enrolment.
    enrolment: Option<bool>,
}

impl SettingsPatch {
    fn over(&self, mut settings: Settings) -> Result<Settings, Problem> {
        settings.profile = self.profile.unwrap_or(settings.profile);
        settings.first_party = self.first_party.unwrap_or(settings.first_party);
        settings.resource_server = self.resource_server.unwrap_or(settings.resource_server);
        settings.api_keys = self.api_keys.unwrap_or(settings.api_keys);
        if let Some(names) = &self.acr {
            if names.is_empty() || names.len() > acr::MAX_NAMES {
                return Err(Problem::field("/settings/acr", "out_of_range", "1 to 16 names"));
            }
            let name = |name: &AcrName| Name { acr: name.acr.0.clone(), level: name.level.level() };
            settings.acr = names.iter().map(name).collect::<Vocabulary>();
        }
        if let Some(required) = self.second_factor {
            settings.second_factor = if required { Rule::Required } else { Rule::Optional };
        }
        if let Some(kinds) = &self.organization_kinds {
            settings.organization_kinds.clone_from(kinds);
            settings.organization_kinds.sort_unstable();
            settings.organization_kinds.dedup();
        }
        settings.claims = self.claims.unwrap_or(settings.claims);
        settings.auth_required = self.auth_required.unwrap_or(settings.auth_required);
        settings.product = self.product.over(settings.product.take(), |product| product.0.clone());
        settings.enrolment = self.enrolment.unwrap_or(settings.enrolment);
        Ok(settings)
    }
}

/// A portal to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPortal {
    /// Chosen here; one is made when it is absent.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64)]
    client_id: Option<ClientId>,
    /// Registration metadata, RFC 7591 names. A client that signs nobody in says `"response_types": []`.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// What the operator decides about it.
    #[serde(default)]
    settings: SettingsPatch,
    /// For whom it manages through this API when it acts for itself: `operator`, or an organization's id.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 64)]
    manages: Option<Manages>,
}

/// What changes of a portal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PortalPatch {
    /// The whole metadata: what is left out is back to its default, as in RFC 7592 §2.2. Absent: it stays.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// What the operator decides; what is absent stays.
    #[serde(default)]
    settings: SettingsPatch,
    /// For whom it manages when it acts for itself; null for nobody.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, max_length = 64)]
    manages: fields::Patched<Manages>,
}

/// What of a registration is not metadata: `client_id` has its own member, the others are this server's.
const NOT_METADATA: [&str; 6] = [
    "client_id",
    "client_secret",
    "client_secret_expires_at",
    "client_id_issued_at",
    "registration_access_token",
    "registration_client_uri",
];

fn refused(problem: &MetadataProblem) -> FieldError {
    FieldError { pointer: "/metadata".to_owned(), code: problem.error, detail: problem.description.clone() }
}

/// Reads metadata; `null` is the same as absent.
fn metadata_of(given: &Map<String, Value>) -> Result<Metadata, Problem> {
    if let Some(name) = NOT_METADATA.into_iter().find(|name| given.contains_key(*name)) {
        return Err(Problem::field(&format!("/metadata/{name}"), "not_allowed", "this is not metadata"));
    }
    let given: Map<_, _> =
        given.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect();
    serde_json::from_value(Value::Object(given))
        .map_err(|error| Problem::field("/metadata", "invalid_client_metadata", error.to_string()))
}

/// Whether metadata and settings go together, here and with what the sector says of itself.
async fn check(app: &App, metadata: &Metadata, settings: &Settings) -> Answer<()> {
    if let Err(problems) = check_for_operator(&app.config, &app.fetcher, (metadata, settings)) {
        return Err(Problem::fields(problems.iter().map(refused).collect()).into());
    }
    if let Err(problem) = verify_sector(&app.fetcher, metadata).await {
        return Err(Problem::fields(vec![refused(&problem)]).into());
    }
    Ok(())
}

/// Whether what is named is there: a portal of a product that is not would let nobody in.
async fn check_names(c: &mut impl Conn, settings: &Settings, manages: Option<&str>) -> Answer<()> {
    if let Some(product) = &settings.product
        && products::find(c, product).await?.is_none()
    {
        return Err(Problem::field("/settings/product", "unknown", "there is no such product").into());
    }
    if let Some(organization) = manages.filter(|whose| *whose != MANAGES_ALL)
        && !organizations::exists(c, organization).await?
    {
        return Err(Problem::field("/manages", "unknown", "there is no such organization").into());
    }
    Ok(())
}

/// Which portals.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PortalQuery {
    /// `active`, `suspended` or `terminated`.
    #[param(max_length = 16)]
    status: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

/// List the portals, by `client_id`.
#[utoipa::path(
    get, path = "/portals", tag = "portals", params(PortalQuery),
    responses((status = 200, description = "A page", body = Page<PortalListed>), Problems),
    security(("oauth2" = ["habilis.portals"]))
)]
async fn list(State(app): State<App>, caller: Caller, Asked(query): Asked<PortalQuery>) -> Answer {
    caller.may(&app, Action::ReadPortals).await?;
    let status = page::one_of("status", query.status.as_deref(), &["active", "suspended", "terminated"])?;
    let paging = Paging::new(query.limit, query.cursor);
    let (limit, (_, after)) = (paging.limit()?, paging.after()?);
    let rows = clients::list_managed(&mut app.db.reader().await?, (status, &after), limit + 1).await?;
    let rows = rows.into_iter().map(PortalListed::of).collect::<Answer<Vec<_>>>()?;
    Ok(Page::of(rows, limit, |row| page::cursor_before(0, &row.client_id), |row| row).into_response())
}

/// Register a portal. Its secret, where it uses one, is in the answer this once.
#[utoipa::path(
    post, path = "/portals", tag = "portals", request_body = NewPortal,
    responses((status = 201, description = "Registered; with `client_secret` where it uses one", body = Portal), Problems),
    security(("oauth2" = ["habilis.portals"]))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body<NewPortal>) -> Answer {
    let policy = caller.may(&app, Action::WritePortals).await?;
    let new = &body.value;
    let (metadata, settings) = (metadata_of(&new.metadata)?, new.settings.over(Settings::default())?);
    check(&app, &metadata, &settings).await?;
    let chosen = new.client_id.as_ref().map(|id| id.0.clone());
    let id = chosen.unwrap_or_else(|| random::id("cli", app.clock.now()));
    let mut made = Registration::new(id.clone(), &metadata, &settings, None)?;
    made.keep_secret(app.keys.master());
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let manages = new.manages.as_ref().map(|whose| whose.0.as_str());
    check_names(&mut write.tx, &settings, manages).await?;
    match clients::insert(&mut write.tx, &made.row, write.now).await {
        Err(error) if is_unique_violation(&error) => {
            return Err(Problem::field("/client_id", "taken", "another portal has this client_id").into());
        }
        inserted => inserted?,
    }
    if manages.is_some() {
        clients::set_manages(&mut write.tx, &id, manages).await?;
    }
    let after = somebody(&mut write.tx, &id).await?;
    let (version, shown) = (after.version, Portal::of(after)?);
    let event = caller.event("client.created").about(&id).with("policy", policy);
    audit::record(&mut write.tx, event.changed(Value::Null, serde_json::to_value(&shown)?), write.now).await?;
    let written = Written::created(format!("/api/v1/portals/{id}"), &shown)?.with_version(version);
    let written = match made.secret {
        Some(secret) => written.with_secret("client_secret", secret),
        None => written,
    };
    let answer = write.finish(written).await;
    app.clients.invalidate(&id).await;
    answer
}

async fn somebody(c: &mut impl Conn, id: &str) -> Answer<ManagedClient> {
    let found = if id.len() > 256 || id.contains('\0') { None } else { clients::find_managed(c, id).await? };
    found.ok_or_else(|| Problem::not_found().into())
}

/// Read a portal.
#[utoipa::path(
    get, path = "/portals/{client_id}", tag = "portals",
    params(("client_id" = String, Path, description = "`client_id` of the portal")),
    responses((status = 200, description = "Found", body = Portal), Problems),
    security(("oauth2" = ["habilis.portals"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(client_id): Path<String>) -> Answer {
    caller.may(&app, Action::ReadPortals).await?;
    let client = somebody(&mut app.db.reader().await?, &client_id).await?;
    let version = client.version;
    found(&Portal::of(client)?, version)
}

/// A terminated portal stays as it was.
fn is_open(client: &ManagedClient) -> Result<(), Problem> {
    if client.row.status == "terminated" {
        return Err(Problem::new(Code::Conflict, "the portal was closed for good"));
    }
    Ok(())
}

/// Change a portal. Every node goes by it within five seconds. A secret is made, and is in the answer this once, where it needs one that it
/// did not have.
#[utoipa::path(
    patch, path = "/portals/{client_id}", tag = "portals", request_body = PortalPatch,
    params(
        ("client_id" = String, Path, description = "`client_id` of the portal"),
        ("If-Match" = String, Header, description = "`ETag` that was read")
    ),
    responses((status = 200, description = "As it is now", body = Portal), Problems),
    security(("oauth2" = ["habilis.portals"]))
)]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(client_id): Path<String>,
    if_match: IfMatch,
    body: Body<PortalPatch>,
) -> Answer {
    let policy = caller.may(&app, Action::WritePortals).await?;
    let patch = &body.value;
    let seen = somebody(&mut app.db.reader().await?, &client_id).await?;
    if_match.check(seen.version)?;
    let metadata = match &patch.metadata {
        Some(given) => metadata_of(given)?,
        None => serde_json::from_str(&seen.row.metadata)?,
    };
    let settings = patch.settings.over(serde_json::from_str(&seen.row.settings)?)?;
    // Outside of the transaction: the sector may be asked over the net. What is written is held against what was read here.
    check(&app, &metadata, &settings).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let before = somebody(&mut write.tx, &client_id).await?;
    if_match.check(before.version)?;
    is_open(&before)?;
    if before.version != seen.version {
        return Err(stale(before.version).into());
    }
    let manages = patch.manages.over(before.manages.clone(), |whose| whose.0.clone());
    check_names(&mut write.tx, &settings, manages.as_deref()).await?;
    let mut made = Registration::new(client_id.clone(), &metadata, &settings, None)?;
    made.keep_secret(app.keys.master());
    let secret = keep(&mut made, &before);
    let changed = ManagedClient { row: made.row, manages, updated_at: before.updated_at, version: before.version };
    if !clients::change(&mut write.tx, &changed, write.now).await? {
        return Err(stale(before.version).into());
    }
    let after = somebody(&mut write.tx, &client_id).await?;
    let (version, before, after) = (after.version, Portal::of(before)?, Portal::of(after)?);
    let event = caller.event("client.changed").about(&client_id).with("policy", policy);
    let event = event.changed(serde_json::to_value(&before)?, serde_json::to_value(&after)?);
    audit::record(&mut write.tx, event, write.now).await?;
    let written = Written::changed(&after)?.with_version(version);
    let written = match secret {
        Some(secret) => written.with_secret("client_secret", secret),
        None => written,
    };
    let answer = write.finish(written).await;
    app.clients.invalidate(&client_id).await;
    answer
}

/// A secret stays as long as the client uses one, and as long as what is kept of it is enough for the way it is used. Gives the new one
/// otherwise.
fn keep(made: &mut Registration, before: &ManagedClient) -> Option<habilis_keys::secret::Secret<String>> {
    let secret = made.secret.take()?;
    let enough = made.row.secret_sealed.is_none() || before.row.secret_sealed.is_some();
    if before.row.secret_digest.is_none() || !enough {
        return Some(secret);
    }
    made.row.secret_digest.clone_from(&before.row.secret_digest);
    made.row.secret_sealed = made.row.secret_sealed.take().and_then(|_| before.row.secret_sealed.clone());
    None
}

/// Make the secret of a portal anew. The former one opens nothing from then on, on other nodes within five seconds.
#[utoipa::path(
    post, path = "/portals/{client_id}/secret", tag = "portals",
    params(("client_id" = String, Path, description = "`client_id` of the portal")),
    responses((status = 200, description = "The portal, with `client_secret` this once", body = Portal), Problems),
    security(("oauth2" = ["habilis.portals"]))
)]
async fn renew_secret(State(app): State<App>, caller: Caller, Path(client_id): Path<String>, body: NoBody) -> Answer {
    let policy = caller.may(&app, Action::WritePortals).await?;
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let before = somebody(&mut write.tx, &client_id).await?;
    is_open(&before)?;
    let metadata: Metadata = serde_json::from_str(&before.row.metadata)?;
    let method = Authentication::parse(&metadata.token_endpoint_auth_method);
    if !method.is_some_and(Authentication::uses_secret) {
        return Err(Problem::new(Code::Conflict, "the portal authenticates without a secret").into());
    }
    let settings: Settings = serde_json::from_str(&before.row.settings)?;
    let mut made = Registration::new(client_id.clone(), &metadata, &settings, None)?;
    made.keep_secret(app.keys.master());
    let changed = ManagedClient { row: made.row, ..before };
    if !clients::change(&mut write.tx, &changed, write.now).await? {
        return Err(stale(changed.version).into());
    }
    let after = somebody(&mut write.tx, &client_id).await?;
    let (version, shown) = (after.version, Portal::of(after)?);
    let event = caller.event("client.secret_renewed").about(&client_id).with("policy", policy);
    audit::record(&mut write.tx, event, write.now).await?;
    let written = Written::changed(&shown)?.with_version(version);
    let written = match made.secret {
        Some(secret) => written.with_secret("client_secret", secret),
        None => written,
    };
    let answer = write.finish(written).await;
    app.clients.invalidate(&client_id).await;
    answer
}

/// An initial access token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInitialAccessToken {
    /// How many clients it registers, 1 to 1000; 1 when absent.
    #[schema(minimum = 1, maximum = 1000)]
    uses: Option<u32>,
    /// How many days it is good for, 1 to 90; 7 when absent.
    #[schema(minimum = 1, maximum = 90)]
    days: Option<u32>,
}

/// An initial access token (RFC 7591 §3).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InitialAccessTokenMade {
    /// How many clients it registers.
    uses: u32,
    /// RFC 3339: the end of it.
    expires_at: String,
}

/// Make an initial access token: whoever has it registers clients at `/register`.
#[utoipa::path(
    post, path = "/initial-access-tokens", tag = "portals", request_body = NewInitialAccessToken,
    responses((status = 200, description = "With `initial_access_token` this once", body = InitialAccessTokenMade), Problems),
    security(("oauth2" = ["habilis.portals"]))
)]
async fn make_initial_access_token(
    State(app): State<App>,
    caller: Caller,
    body: Body<NewInitialAccessToken>,
) -> Answer {
    let policy = caller.may(&app, Action::WritePortals).await?;
    let (uses, days) = (body.value.uses.unwrap_or(1), body.value.days.unwrap_or(7));
    if !(1..=1000).contains(&uses) {
        return Err(Problem::field("/uses", "out_of_range", "between 1 and 1000").into());
    }
    if !(1..=90).contains(&days) {
        return Err(Problem::field("/days", "out_of_range", "between 1 and 90").into());
    }
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let expires_at = write.now.saturating_add(SignedDuration::from_hours(24 * i64::from(days)))?;
    let token = app.initial_access.make(Terms { uses, expires_at });
    let shown = InitialAccessTokenMade { uses, expires_at: expires_at.to_string() };
    let event = caller.event("client.initial_access_token_made").with("policy", policy);
    audit::record(&mut write.tx, event.with("after", json!(shown)), write.now).await?;
    write.finish(Written::changed(&shown)?.with_secret("initial_access_token", token)).await
}
