//! `/register`: clients register themselves (RFC 7591, OIDC Registration §3) where the operator opened it, and manage what they
//! registered with the registration access token they got (RFC 7592).

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use habilis_keys::token::{digest, same};
use habilis_policies::scopes::Scope;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::client::{Metadata, Registration, SCOPES, Settings};
use super::error::{Refusal, no_store};
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::clients::{self, ClientRow};
use crate::db::failures::{self, Subject};
use crate::outcome::Outcome;
use crate::web::Origin;

type Body = Result<Bytes, BytesRejection>;

/// POST: registers a client.
///
/// # Errors
/// The database failed.
pub async fn post(State(app): State<App>, origin: Origin, body: Body) -> Outcome {
    let now = app.clock.now();
    if !app.config.registration.open {
        return Ok(unauthorized().into_response());
    }
    let settings = Settings::default();
    let metadata = match read(body).and_then(|json| accept(json, &settings)) {
        Ok(metadata) => metadata,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let mut registration = Registration::new(habilis_keys::random::id("cli", now), &metadata, &settings, None)?;
    let token = habilis_keys::random::token();
    registration.row.registration_token_digest = Some(digest(token.expose()));
    registration.row.created_at = now.into();

    let mut tx = app.db.begin().await?;
    if !may_register(&app, &mut tx, &origin, now).await? {
        let refusal = Refusal::invalid_request("too many clients were registered from here, try again in an hour");
        return Ok(refusal.with_status(StatusCode::TOO_MANY_REQUESTS).into_response());
    }
    clients::insert(&mut tx, &registration.row, now).await?;
    let event = Event::new("client.registered").at_client(&registration.row.id).from(&origin);
    audit::record(&mut tx, event, now).await?;
    tx.commit().await?;

    let mut answer = shown(&app, &registration.row, &metadata)?;
    answer["registration_access_token"] = json!(token.expose());
    if let Some(secret) = &registration.secret {
        answer["client_secret"] = json!(secret.expose());
    }
    Ok((StatusCode::CREATED, no_store(), axum::Json(answer)).into_response())
}

/// GET: what is registered. The secret is kept as a digest, so it is not shown again.
///
/// # Errors
/// The database failed.
pub async fn get(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Outcome {
    let Some(row) = authorized(&app, &id, &headers).await? else { return Ok(unauthorized().into_response()) };
    let answer = shown(&app, &row, &serde_json::from_str(&row.metadata)?)?;
    Ok((no_store(), axum::Json(answer)).into_response())
}

/// PUT: replaces all that is registered (RFC 7592 §2.2).
///
/// # Errors
/// The database failed.
pub async fn put(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, body: Body) -> Outcome {
    let now = app.clock.now();
    let Some(mut row) = authorized(&app, &id, &headers).await? else { return Ok(unauthorized().into_response()) };
    let json = match read(body) {
        Ok(json) => json,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    if json.get("client_id").and_then(Value::as_str) != Some(&row.id) {
        return Ok(Refusal::invalid_request("client_id must be the client's own").into_response());
    }
    let settings: Settings = serde_json::from_str(&row.settings)?;
    let metadata = match accept(json, &settings) {
        Ok(metadata) => metadata,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let renewed = Registration::new(row.id.clone(), &metadata, &settings, None)?;
    // The secret stays as it is; one is made only for a client that had none and now needs it.
    let new_secret = if row.secret_digest.is_none() { renewed.secret } else { None };
    if renewed.row.secret_digest.is_none() || new_secret.is_some() {
        row.secret_digest = renewed.row.secret_digest;
    }
    let mut tx = app.db.begin().await?;
    clients::replace(&mut tx, &row.id, (&renewed.row.metadata, row.secret_digest.as_deref()), now).await?;
    audit::record(&mut tx, Event::new("client.changed").by(&row.id).at_client(&row.id), now).await?;
    tx.commit().await?;
    app.clients.invalidate(&row.id).await;
    let mut answer = shown(&app, &row, &metadata)?;
    if let Some(secret) = &new_secret {
        answer["client_secret"] = json!(secret.expose());
    }
    Ok((no_store(), axum::Json(answer)).into_response())
}

/// DELETE: the client is gone, with everything granted to it.
///
/// # Errors
/// The database failed.
pub async fn delete(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap) -> Outcome {
    let now = app.clock.now();
    let Some(row) = authorized(&app, &id, &headers).await? else { return Ok(unauthorized().into_response()) };
    let mut tx = app.db.begin().await?;
    clients::delete(&mut tx, &row.id).await?;
    audit::record(&mut tx, Event::new("client.deleted").by(&row.id).at_client(&row.id), now).await?;
    tx.commit().await?;
    app.clients.invalidate(&row.id).await;
    Ok((StatusCode::NO_CONTENT, no_store()).into_response())
}

fn unauthorized() -> Refusal {
    let refusal = Refusal::new("invalid_token", "the token does not open this registration");
    Refusal { challenge: Some("Bearer realm=\"habilis\""), ..refusal.with_status(StatusCode::UNAUTHORIZED) }
}

/// The client whose registration access token was sent; unknown clients and wrong tokens are answered alike.
async fn authorized(app: &App, id: &str, headers: &HeaderMap) -> Outcome<Option<ClientRow>> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        value.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else { return Ok(None) };
    let row = clients::find(&mut app.db.reader().await?, id).await?;
    let opens = |row: &ClientRow| {
        row.registration_token_digest.as_ref().is_some_and(|stored| same(stored, &digest(token.trim())))
    };
    Ok(row.filter(|row| row.status == "active" && opens(row)))
}

/// The members sent; null means absent (RFC 7592 §2.2).
fn read(body: Body) -> Result<Value, Refusal> {
    let body = body.map_err(|rejection| {
        Refusal::invalid_request("the body cannot be read").with_status(rejection.into_response().status())
    })?;
    let json: Value = serde_json::from_slice(&body).map_err(|_| invalid("the body is not JSON"))?;
    let Value::Object(members) = json else { return Err(invalid("the body is not a JSON object")) };
    Ok(Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect()))
}

fn invalid(description: impl Into<String>) -> Refusal {
    Refusal::new("invalid_client_metadata", description)
}

/// The effective metadata. Scopes beyond those any client may have are for the operator to give.
fn accept(json: Value, settings: &Settings) -> Result<Metadata, Refusal> {
    if json.get("subject_type").is_some_and(|kind| kind != "public") {
        return Err(invalid("the only subject_type is public"));
    }
    if json.get("jwks_uri").is_some() {
        return Err(invalid("jwks_uri is not supported; send jwks"));
    }
    let mut metadata: Metadata = serde_json::from_value(json).map_err(|error| invalid(error.to_string()))?;
    metadata.check(settings.profile).map_err(|problems| {
        let error = problems.first().map_or("invalid_client_metadata", |problem| problem.error);
        let texts: Vec<_> = problems.into_iter().map(|problem| problem.description).collect();
        Refusal::new(error, texts.join("; "))
    })?;
    let for_all = Scope::parse(&SCOPES.join(" ")).unwrap_or_default();
    let scope = match metadata.scope.as_deref().map(Scope::parse) {
        None => for_all,
        Some(asked) => asked.unwrap_or_default().common(&for_all),
    };
    metadata.scope = Some(scope.to_string());
    Ok(metadata)
}

/// What the answer tells of a client, its secrets apart (RFC 7591 §3.2.1).
fn shown(app: &App, row: &ClientRow, metadata: &Metadata) -> Outcome<Value> {
    let mut answer = serde_json::to_value(metadata)?;
    answer["client_id"] = json!(row.id);
    answer["client_id_issued_at"] = json!(Timestamp::from(row.created_at).as_second());
    answer["subject_type"] = json!("public");
    answer["registration_client_uri"] = json!(format!("{}/register/{}", app.config.server.issuer, row.id));
    if row.secret_digest.is_some() {
        answer["client_secret_expires_at"] = json!(0);
    }
    Ok(answer)
}

/// Counts a registration; false when the network had its share of this hour.
async fn may_register(app: &App, tx: &mut crate::db::Tx, origin: &Origin, now: Timestamp) -> Outcome<bool> {
    let subject = Subject::registrations(&origin.network());
    let counted = failures::lock(tx, &subject, now).await?;
    let begun = Timestamp::from(counted.last_at);
    let (count, begun) =
        if now.duration_since(begun) < SignedDuration::from_hours(1) { (counted.count, begun) } else { (0, now) };
    failures::set(tx, &subject, count + 1, begun).await?;
    Ok(count < i64::from(app.config.registration.clients_per_network_per_hour))
}
