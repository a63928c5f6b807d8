//! `/introspect` (RFC 7662): what a token is worth right now, to its own client and to resource servers; as JSON, or signed
//! (RFC 9701).
//!
//! `{"active":false}` is all that is said of a token that is unknown, expired, revoked, malformed or another client's.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use habilis_keys::api_key;
use habilis_keys::token::digest;
use habilis_policies::scopes::Scope;
use habilis_policies::tokens::{Facts, Kind, Refresh, refresh};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::claims::of_organization;
use super::client::{Authentication, Client};
use super::client_auth;
use super::error::{Refusal, no_store};
use super::life;
use super::resource::{self, Standing};
use crate::api_keys::{self, Caller, Used, attempt};
use crate::app::App;
use crate::db::{grants, refresh_tokens, resources};
use crate::outcome::Outcome;
use crate::web::Form;

/// Media type of a signed answer (RFC 9701 §5), also the `typ` of the token without `application/`.
const SIGNED: &str = "application/token-introspection+jwt";

/// What is told of any token, as far as it says it.
const OF_ANY: [&str; 11] = ["iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti", "cnf", "acr", "auth_time"];
/// What is told besides of a token that an API key was exchanged for.
const OF_CENTRE: [&str; 7] = ["azp", "act", "org_id", "siren", "siret", "uai", "key"];

/// POST.
///
/// # Errors
/// The database failed, or signing did.
pub async fn post(State(app): State<App>, headers: HeaderMap, Form(form): Form) -> Outcome {
    let now = app.clock.now();
    let mut params = match form {
        Ok(params) => params,
        Err(error) => return Ok(Refusal::from(error).into_response()),
    };
    let client = match client_auth::authenticate(&app, (&headers, &mut params), "/introspect", now).await? {
        Ok(client) if client.authentication == Authentication::None => return Ok(unproven().into_response()),
        Ok(client) => client,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    let Some(token) = params.take("token") else {
        return Ok(Refusal::invalid_request("token is missing").into_response());
    };
    // `token_type_hint` only helps a server that cannot tell its tokens apart (§2.1); signed ones have dots.
    let found = if api_key::looks_like_one(&token) {
        api_key(&app, &client, &token, now).await?
    } else if token.contains('.') {
        access_token(&app, &client, &token, now).await?
    } else {
        refresh_token(&app, &client, &token, now).await?
    };
    let answer = match found {
        Some(mut members) => {
            members.insert("active".to_owned(), json!(true));
            Value::Object(members)
        }
        None => json!({ "active": false }),
    };
    answer_as(&app, (&headers, &client), answer, now)
}

/// A client that cannot prove itself could be anybody who found a token (§4).
fn unproven() -> Refusal {
    Refusal {
        status: StatusCode::UNAUTHORIZED,
        challenge: Some("Basic realm=\"habilis\", charset=\"UTF-8\""),
        ..Refusal::new("invalid_client", "introspection needs a client that authenticates itself")
    }
}

/// What a living access token says, to its own client or to a resource server.
async fn access_token(app: &App, client: &Client, token: &str, now: Timestamp) -> Outcome<Option<Map<String, Value>>> {
    let Some(claims) = resource::read(app, token, now) else { return Ok(None) };
    if !may_know(app, client, &claims).await? {
        return Ok(None);
    }
    let grant = match resource::standing(app, &claims, now).await? {
        Standing::Dead => return Ok(None),
        Standing::OfClient => None,
        Standing::OfPerson(grant) => Some(grant),
    };
    let of_centre = OF_CENTRE.iter().filter(|_| claims.contains_key("key"));
    let names = OF_ANY.iter().chain(of_centre);
    let mut members: Map<_, _> =
        names.filter_map(|name| Some(((*name).to_owned(), claims.get(*name)?.clone()))).collect();
    let token_type = if members.contains_key("cnf") { "DPoP" } else { "Bearer" };
    members.insert("token_type".to_owned(), json!(token_type));
    // What the token said of the organization when it was issued is told as it is now.
    if let Some(grant) = grant
        && claims.contains_key("org_id")
        && client.settings.claims.is_standard()
    {
        members.extend(of_organization(&mut app.db.reader().await?, &grant, now).await?);
    }
    Ok(Some(members))
}

/// What a key of an apprenticeship centre opens, to resource servers only (`token_type_hint=api_key`). Where the call came from is
/// not known here, so the addresses the key is bound to are told.
async fn api_key(app: &App, client: &Client, token: &str, now: Timestamp) -> Outcome<Option<Map<String, Value>>> {
    if !client.settings.resource_server {
        return Ok(None);
    }
    let Ok(known) = api_keys::open(app, Caller::ResourceServer, Some(token)).await? else { return Ok(None) };
    let anything = Scope::default();
    let admitted = known.admits(&attempt(&known, &[], (None, &anything)), now).is_ok();
    app.api_keys.used(Used { key: &known.id, vendor: &client.id, software: None, granted: admitted }, now);
    if !admitted {
        return Ok(None);
    }
    let mut members = known.claims();
    let mut set = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    set("iss", json!(app.config.server.issuer));
    set("sub", json!(known.organization));
    set("scope", json!(known.rule.scope.to_string()));
    set("exp", json!(known.dies_at().as_second()));
    set("iat", json!(known.issued_at().as_second()));
    set("token_type", json!("api_key"));
    if !known.rule.networks.is_empty() {
        set("networks", json!(known.rule.networks.iter().map(ToString::to_string).collect::<Vec<_>>()));
    }
    Ok(Some(members))
}

/// Whether `client` is told of a token: of its own, and of those that are meant for it as a resource server (RFC 7662 §4, RFC 8707 §3):
/// tokens for this server are told to any, those for a resource to its own. Of a resource that was forgotten nobody is.
async fn may_know(app: &App, client: &Client, claims: &Map<String, Value>) -> Outcome<bool> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let own = text("client_id") == Some(&client.id);
    let Some(audience) = text("aud") else { return Ok(false) };
    if audience == app.config.server.issuer {
        return Ok(own || client.settings.resource_server);
    }
    let Some(resource) = resources::find(&mut app.db.reader().await?, audience).await? else { return Ok(false) };
    Ok(own || resource.client_id.is_some_and(|server| server == client.id))
}

/// What a living refresh token stands for, to its own client only: a resource server that took one for an access token would
/// let it in. It has no `token_type` for the same reason.
async fn refresh_token(app: &App, client: &Client, token: &str, now: Timestamp) -> Outcome<Option<Map<String, Value>>> {
    let mut reader = app.db.reader().await?;
    let Some(stored) = refresh_tokens::find(&mut reader, &digest(token)).await? else { return Ok(None) };
    let Some(mut grant) = grants::find(&mut reader, &stored.grant_id, now).await? else { return Ok(None) };
    let Some(owner) = app.client(&grant.client_id).await? else { return Ok(None) };
    let withdrawn = life::is_over(&mut reader, &mut grant, &owner, now).await?;
    drop(reader);
    let facts = Facts {
        issued_to: &grant.client_id,
        presented_by: &client.id,
        client: Kind::Confidential,
        expires_at: stored.expires_at.into(),
        replaced_at: stored.replaced_at.map(Timestamp::from),
        withdrawn,
    };
    if !matches!(refresh(&facts, now), Refresh::Keep | Refresh::Rotate) {
        return Ok(None);
    }
    let seconds = |at: Timestamp| json!(at.as_second());
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    set("iss", json!(app.config.server.issuer));
    set("sub", json!(app.subjects.of(client, &grant.person_id)));
    set("client_id", json!(grant.client_id));
    set("scope", json!(grant.scope));
    set("exp", seconds(stored.expires_at.into()));
    set("iat", seconds(stored.created_at.into()));
    set("auth_time", seconds(grant.auth_time.into()));
    if !grant.acr.is_empty() {
        set("acr", json!(grant.acr));
    }
    if let Some(jkt) = &stored.dpop_jkt {
        set("cnf", json!({ "jkt": jkt }));
    }
    Ok(Some(members))
}

/// JSON, or a JWT for the caller when it asks for one (RFC 9701 §4 and §5). The JWT has no `sub` and no `exp`, so that it can be
/// taken for no other token (§8.1).
fn answer_as(app: &App, (headers, client): (&HeaderMap, &Client), answer: Value, now: Timestamp) -> Outcome<Response> {
    if !wants_signed(headers) {
        return Ok((no_store(), axum::Json(answer)).into_response());
    }
    let claims = json!({
        "iss": app.config.server.issuer,
        "aud": client.id,
        "iat": now.as_second(),
        "token_introspection": answer,
    });
    let typ = SIGNED.strip_prefix("application/");
    let signed = app.keys.sign(client.introspection_algorithm, typ, &claims, now)?;
    Ok((no_store(), [(header::CONTENT_TYPE, SIGNED)], signed).into_response())
}

fn wants_signed(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(SIGNED));
        // RFC 9110 §12.4.2: a weight of nought means "not this".
        let unwanted = |part: &str| {
            let weight = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
            weight.is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0))
        };
        named && !parts.any(unwanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_answer_is_given_only_where_it_is_asked_for() {
        let cases = [
            ("application/token-introspection+jwt", true),
            ("application/json, Application/Token-Introspection+JWT;q=0.5", true),
            ("application/json", false),
            ("*/*", false),
            ("application/token-introspection+jwt;q=0", false),
            ("application/token-introspection+jwt; q=0.000", false),
        ];
        for (accept, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, header::HeaderValue::from_static(accept));
            assert_eq!(wants_signed(&headers), expected, "{accept}");
        }
        assert!(!wants_signed(&HeaderMap::new()));
    }
}
