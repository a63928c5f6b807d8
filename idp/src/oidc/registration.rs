//! `/register`: client registration (RFC 7591, OIDC Registration §3), and `/register/{client_id}`, its management (RFC 7592).
//!
//! Open to anybody only where the operator says so, and then bounded per network; otherwise it takes an initial access token.
//! What is answered is the metadata in force, defaults included. The secret and the registration access token are shown once
//! and kept as digests, so later answers leave the secret out.

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use habilis_keys::secret::Secret;
use habilis_keys::token::{digest, same};
use habilis_policies::profiles::SecurityProfile;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::client::{Metadata, Registration, SCOPES, Settings};
use super::error::{Refusal, no_store};
use super::initial_access;
use super::subject::verify_sector;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::clients::{self, ClientRow, Replacement};
use crate::outcome::Outcome;
use crate::web::Origin;

/// What a client must leave out of its metadata (RFC 7592 §2.2).
const OURS: [&str; 4] =
    ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];

/// A JSON object, or why there is none. Never rejects: the answer is the endpoint's.
#[derive(Debug)]
pub struct Document(Result<Map<String, Value>, Refusal>);

impl<S: Send + Sync> FromRequest<S> for Document {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok()?.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        let Ok(body) = Bytes::from_request(request, state).await else {
            return Ok(Self(Err(invalid("the body is too large").with_status(StatusCode::PAYLOAD_TOO_LARGE))));
        };
        if !is_json {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Ok(Self(Err(invalid("the body must be application/json").with_status(status))));
        }
        Ok(Self(serde_json::from_slice(&body).map_err(|_| invalid("the body is not a JSON object"))))
    }
}

fn invalid(description: impl Into<String>) -> Refusal {
    Refusal::new("invalid_client_metadata", description)
}

/// RFC 6750 §3: the token is missing, wrong, expired or used up, and none of that is told apart.
fn unauthorized() -> Refusal {
    Refusal {
        status: StatusCode::UNAUTHORIZED,
        challenge: Some("Bearer realm=\"habilis\", error=\"invalid_token\""),
        ..Refusal::new("invalid_token", "a valid access token for registration is needed")
    }
}

fn bearer(headers: &HeaderMap) -> Option<Secret<String>> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= 256).then(|| Secret::new(token.trim().to_owned()))
}

/// Registers a client.
///
/// # Errors
/// The database failed.
pub async fn post(State(app): State<App>, origin: Origin, headers: HeaderMap, Document(document): Document) -> Outcome {
    let now = app.clock.now();
    let initial = bearer(&headers);
    if initial.is_none() {
        if !app.config.registration.open || headers.contains_key(header::AUTHORIZATION) {
            return Ok(unauthorized().into_response());
        }
        if !app.registered.admit(&origin.network()) {
            let description = "too many clients were registered from this network, try again in a minute";
            let refusal = Refusal::new("temporarily_unavailable", description);
            return Ok(refusal.with_status(StatusCode::TOO_MANY_REQUESTS).into_response());
        }
    }
    if let Some(initial) = &initial
        && !initial_access::serves(&app, initial, now).await?
    {
        return Ok(unauthorized().into_response());
    }
    let profile = document.as_ref().map_or_else(|_| SecurityProfile::default(), |document| profile(&app, document));
    let settings = Settings { profile, ..Settings::default() };
    let metadata = match document.and_then(|document| read(&app, document, (settings.profile, None))) {
        Ok(metadata) => metadata,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    if let Err(problem) = verify_sector(&app.fetcher, &metadata).await {
        return Ok(Refusal::new(problem.error, shown(&problem.description)).into_response());
    }
    let access_token = habilis_keys::random::token();
    let id = habilis_keys::random::id("cli", now);
    let mut registration = Registration::new(id, &metadata, &settings, None)?;
    registration.keep_secret(app.keys.master());
    registration.row.registration_token_digest = Some(digest(access_token.expose()));
    registration.row.created_at = now.into();
    let mut tx = app.db.begin().await?;
    if let Some(initial) = initial
        && !initial_access::spend(&mut tx, &app, &initial, now).await?
    {
        return Ok(unauthorized().into_response());
    }
    clients::insert(&mut tx, &registration.row, now).await?;
    let event = Event::new("client.registered").by("registration").at_client(&registration.row.id).from(&origin);
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;
    app.clients.invalidate(&registration.row.id).await;
    let shown = Shown { row: &registration.row, secret: registration.secret.as_ref(), access_token: &access_token };
    Ok(shown.answer(&app, StatusCode::CREATED, &metadata)?.into_response())
}

/// Shows a client its registration.
///
/// # Errors
/// The database failed.
pub async fn get(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Outcome {
    let Some((row, access_token)) = managed(&app, &id, &headers).await? else {
        return Ok(unauthorized().into_response());
    };
    let metadata: Metadata = serde_json::from_str(&row.metadata)?;
    let shown = Shown { row: &row, secret: None, access_token: &access_token };
    shown.answer(&app, StatusCode::OK, &metadata)
}

/// Replaces the metadata of a client: what is left out is back to its default (RFC 7592 §2.2).
///
/// # Errors
/// The database failed.
pub async fn put(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Document(document): Document,
) -> Outcome {
    let now = app.clock.now();
    let Some((row, access_token)) = managed(&app, &id, &headers).await? else {
        return Ok(unauthorized().into_response());
    };
    let settings: Settings = serde_json::from_str(&row.settings)?;
    let before: Metadata = serde_json::from_str(&row.metadata)?;
    let read = document.and_then(|document| {
        names_itself(&document, &row)?;
        let metadata = read(&app, document, (settings.profile, Some(&before)))?;
        settings.check(&metadata).map_err(|problem| Refusal::new(problem.error, problem.description))?;
        Ok(metadata)
    });
    let metadata = match read {
        Ok(metadata) => metadata,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    if metadata.sector_identifier_uri.is_some() && !app.registered.admit(&row.id) {
        let refusal = Refusal::new("temporarily_unavailable", "too many changes, try again in a minute");
        return Ok(refusal.with_status(StatusCode::TOO_MANY_REQUESTS).into_response());
    }
    if let Err(problem) = verify_sector(&app.fetcher, &metadata).await {
        return Ok(Refusal::new(problem.error, shown(&problem.description)).into_response());
    }
    let mut made = Registration::new(row.id.clone(), &metadata, &settings, None)?;
    made.keep_secret(app.keys.master());
    // A secret stays as long as the client uses one, and as long as what is kept of it is enough for the way it is used.
    let enough = made.row.secret_sealed.is_none() || row.secret_sealed.is_some();
    let keeps_secret = made.secret.is_some() && row.secret_digest.is_some() && enough;
    let secret = made.secret.filter(|_| !keeps_secret);
    let (secret_digest, secret_sealed) = if keeps_secret {
        (row.secret_digest.clone(), made.row.secret_sealed.and(row.secret_sealed.clone()))
    } else {
        (made.row.secret_digest, made.row.secret_sealed)
    };
    let replacement = Replacement {
        metadata: &made.row.metadata,
        secret_digest: secret_digest.as_deref(),
        secret_sealed: secret_sealed.as_deref(),
        registration_token_digest: &digest(access_token.expose()),
    };
    if !change(&app, &row.id, Change::Replace(replacement), now).await? {
        return Ok(unauthorized().into_response());
    }
    let shown = Shown { row: &row, secret: secret.as_ref(), access_token: &access_token };
    shown.answer(&app, StatusCode::OK, &metadata)
}

/// Removes a client with all that was granted to it (RFC 7592 §2.3).
///
/// # Errors
/// The database failed.
pub async fn delete(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Outcome {
    let now = app.clock.now();
    let Some((row, access_token)) = managed(&app, &id, &headers).await? else {
        return Ok(unauthorized().into_response());
    };
    if !change(&app, &row.id, Change::Delete(&digest(access_token.expose())), now).await? {
        return Ok(unauthorized().into_response());
    }
    Ok((StatusCode::NO_CONTENT, no_store()).into_response())
}

enum Change<'a> {
    Replace(Replacement<'a>),
    Delete(&'a [u8]),
}

/// Changes a client whose registration access token is still the one that was checked; false when somebody was faster.
async fn change(app: &App, id: &str, change: Change<'_>, now: Timestamp) -> Outcome<bool> {
    let mut tx = app.db.begin().await?;
    let (name, changed) = match change {
        Change::Replace(replacement) => ("client.changed", clients::replace(&mut tx, id, &replacement, now).await?),
        Change::Delete(digest) => ("client.deleted", clients::delete(&mut tx, id, digest).await?),
    };
    if !changed {
        return Ok(false);
    }
    audit::record(&mut tx, Event::new(name).by("registration").at_client(id), now).await?;
    tx.commit().await?;
    app.clients.invalidate(id).await;
    Ok(true)
}

/// The client at `id`, when the request bears its registration access token.
async fn managed(app: &App, id: &str, headers: &HeaderMap) -> Outcome<Option<(ClientRow, Secret<String>)>> {
    let Some(token) = bearer(headers) else { return Ok(None) };
    if id.len() > 256 || id.contains('\0') {
        return Ok(None);
    }
    let row = clients::find(&mut app.db.reader().await?, id).await?;
    let presented = digest(token.expose());
    let knows = |row: &ClientRow| row.registration_token_digest.as_ref().is_some_and(|kept| same(kept, &presented));
    Ok(row.filter(|row| row.status == "active" && knows(row)).map(|row| (row, token)))
}

/// RFC 7592 §2.2: the request names the client, and a secret in it is the one the client has.
fn names_itself(document: &Map<String, Value>, row: &ClientRow) -> Result<(), Refusal> {
    if document.get("client_id").and_then(Value::as_str) != Some(row.id.as_str()) {
        return Err(invalid("client_id must be that of the client"));
    }
    let own = |secret: &Value| {
        let digest = secret.as_str().map(digest);
        row.secret_digest.as_ref().zip(digest).is_some_and(|(kept, given)| same(kept, &given))
    };
    if document.get("client_secret").is_some_and(|secret| !own(secret)) {
        return Err(invalid("client_secret must be that of the client, or be left out"));
    }
    match OURS.into_iter().find(|name| document.contains_key(*name)) {
        Some(name) => Err(invalid(format!("{name} must be left out"))),
        None => Ok(()),
    }
}

/// The profile of a client that registers itself: `legacy` where the operator lets those who ask for it have it.
fn profile(app: &App, document: &Map<String, Value>) -> SecurityProfile {
    let members = ["response_types", "grant_types"].map(|name| (name.to_owned(), document.get(name).cloned()));
    let asked = members.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_null())?)));
    let metadata: Option<Metadata> = serde_json::from_value(Value::Object(asked.collect())).ok();
    if app.config.legacy.at_registration && metadata.is_some_and(|metadata| metadata.asks_for_legacy()) {
        SecurityProfile::Legacy
    } else {
        SecurityProfile::default()
    }
}

/// Reads and checks metadata, of a client that is new or had others `before`; `null` is the same as absent (RFC 7591 §2, RFC 7592 §2.2).
fn read(
    app: &App,
    mut document: Map<String, Value>,
    (profile, before): (SecurityProfile, Option<&Metadata>),
) -> Result<Metadata, Refusal> {
    document.retain(|_, value| !value.is_null());
    let metadata: Metadata =
        serde_json::from_value(Value::Object(document)).map_err(|error| invalid(shown(&error.to_string())))?;
    metadata.check(profile).map_err(|problems| {
        let error = problems.first().map_or("invalid_client_metadata", |problem| problem.error);
        let all: Vec<_> = problems.into_iter().map(|problem| problem.description).collect();
        Refusal::new(error, all.join("; ").chars().take(500).collect::<String>())
    })?;
    // Who registers itself gives itself no API, an initial access token or not.
    if let Some(token) = metadata.scope_beyond(before) {
        return Err(invalid(format!("scope {} is the operator's to give", shown(token))));
    }
    if let Some(name) = metadata.out_of_reach(&app.fetcher) {
        return Err(invalid(format!("{name} is not an address this server reaches out to")));
    }
    if !metadata.logout_uris_in_clear(&app.config).is_empty() {
        return Err(invalid("logout URIs are https URLs"));
    }
    Ok(metadata)
}

/// A text about what somebody else wrote, fit to be shown.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A registration to be answered.
struct Shown<'a> {
    row: &'a ClientRow,
    secret: Option<&'a Secret<String>>,
    access_token: &'a Secret<String>,
}

impl Shown<'_> {
    /// RFC 7591 §3.2.1: the metadata in force, and what only the client may see.
    fn answer(&self, app: &App, status: StatusCode, metadata: &Metadata) -> Outcome<Response> {
        let mut shown = serde_json::to_value(metadata)?;
        shown["client_id"] = json!(self.row.id);
        shown["client_id_issued_at"] = json!(Timestamp::from(self.row.created_at).as_second());
        if metadata.scope.is_none() {
            shown["scope"] = json!(SCOPES.join(" "));
        }
        if let Some(secret) = self.secret {
            shown["client_secret"] = json!(secret.expose());
        }
        // It never expires; a client without one is told nothing about it.
        if self.secret.is_some() || self.row.secret_digest.is_some() {
            shown["client_secret_expires_at"] = json!(0);
        }
        // Only ids made here are managed here, and they need no escape.
        shown["registration_client_uri"] = json!(format!("{}/register/{}", app.config.server.issuer, self.row.id));
        shown["registration_access_token"] = json!(self.access_token.expose());
        Ok((status, no_store(), axum::Json(shown)).into_response())
    }
}
