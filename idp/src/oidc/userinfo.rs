//! `/userinfo` (OIDC Core §5.3): who the person is, to a client that holds an access token of a living grant; as JSON, or signed
//! for a client that registered so (§5.3.2).

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::claims::{self, ClaimsRequest, Place, Wanted};
use super::client::Client;
use super::error::no_store;
use super::resource::{self, Challenge, Presented};
use crate::account::sharing;
use crate::app::App;
use crate::db::people;
use crate::outcome::Outcome;
use crate::web::{Form, FormError};

/// GET, with the token in the Authorization header.
///
/// # Errors
/// The database failed.
pub async fn get(State(app): State<App>, headers: HeaderMap) -> Outcome {
    let presented = Presented { headers: &headers, method: "GET", path: "/userinfo", in_form: None };
    Ok(resource::with_interaction_id(answer(&app, presented).await?, &headers))
}

/// POST, with the token in the Authorization header or as `access_token` in the form (RFC 6750 §2.2), not both.
///
/// # Errors
/// The database failed.
pub async fn post(State(app): State<App>, headers: HeaderMap, Form(form): Form) -> Outcome {
    let in_form = match form {
        Ok(mut params) => params.take("access_token"),
        Err(FormError::NotAForm) if headers.contains_key(header::AUTHORIZATION) => None,
        Err(error) => return Ok(super::error::Refusal::from(error).into_response()),
    };
    let presented = Presented { headers: &headers, method: "POST", path: "/userinfo", in_form: in_form.as_deref() };
    Ok(resource::with_interaction_id(answer(&app, presented).await?, &headers))
}

async fn answer(app: &App, presented: Presented<'_>) -> Outcome {
    let now = app.clock.now();
    let access = match resource::open(app, presented, now).await? {
        Ok(access) => access,
        Err(challenge) => return Ok(challenge.into_response()),
    };
    let Some(grant) = &access.grant else { return Ok(Challenge::invalid_token().into_response()) };
    if let Err(challenge) = access.needs_scope("openid") {
        return Ok(challenge.into_response());
    }
    let Some(client) = app.client(&grant.client_id).await? else {
        return Ok(Challenge::invalid_token().into_response());
    };
    let mut reader = app.db.reader().await?;
    let Some(person) = people::find(&mut reader, &grant.person_id).await? else {
        return Ok(Challenge::invalid_token().into_response());
    };
    let request = grant.claims.as_deref().map(ClaimsRequest::parse).transpose()?.unwrap_or_default();
    let wanted = Wanted::new(client.settings.claims, &access.scope, &request, Place::UserInfo);
    let organization =
        if wanted.has_organization() { claims::of_organization(&mut reader, grant, now).await? } else { Map::new() };
    drop(reader);
    sharing::used_at_portal(app, grant, now).await?;
    let mut info = wanted.collect(&person, &organization)?;
    info.insert("sub".to_owned(), json!(app.subjects.of(&client, &person.id)));
    send(app, &client, info, now)
}

fn send(app: &App, client: &Client, mut info: Map<String, Value>, now: Timestamp) -> Outcome<Response> {
    let Some(algorithm) = client.userinfo_algorithm else {
        return Ok((no_store(), axum::Json(info)).into_response());
    };
    info.insert("iss".to_owned(), json!(app.config.server.issuer));
    info.insert("aud".to_owned(), json!(client.id));
    let signed = app.keys.sign(algorithm, None, &info, now)?;
    Ok((no_store(), [(header::CONTENT_TYPE, "application/jwt")], signed).into_response())
}
