//! The successful answer of the authorization endpoint: a code, or for clients of the `legacy` profile whatever their response
//! type asks for (OIDC Core §3.2.2.5, §3.3.2.5).
//!
//! Tokens that pass through the browser are bound to what comes with them (`at_hash`, `c_hash`), are never refreshed, and end
//! with their grant like any other.

use habilis_keys::jws::half_hash;
use habilis_keys::token::digest;
use habilis_policies::scopes::Scope;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::audience;
use super::claims::{self, ClaimsRequest, ORGANIZATION_SCOPE, Place, Wanted};
use super::client::SharedClient;
use super::issue::{self, Subject};
use super::life;
use super::request::Request;
use crate::app::App;
use crate::db::grants::{self, Grant};
use crate::db::sessions::Session;
use crate::db::{Tx, consents, people};
use crate::outcome::{Fault, Outcome};
use crate::seats::admission;

/// The parameters of an answer, names and values.
pub type Answer = Vec<(&'static str, String)>;

/// Stores a grant and gives what the request's response type asks for.
///
/// # Errors
/// The database failed, or signing did.
pub async fn answer(
    app: &App,
    tx: &mut Tx,
    (client, request, session, organization): (&SharedClient, &Request, &Session, Option<&str>),
    now: Timestamp,
) -> Outcome<Answer> {
    let code = issue::code(tx, (client, request), (session, organization), now).await?;
    let kind = request.response_type;
    let mut answer = Answer::new();
    if kind.has_code() {
        answer.push(("code", code.expose().clone()));
    }
    if !kind.is_front_channel() {
        return Ok(answer);
    }
    let found = grants::find_by_code(tx, &digest(code.expose()), now).await?;
    let mut grant = found.ok_or_else(|| Fault::new("the grant just stored is not there"))?;
    // The request was admitted a moment ago, in the same transaction: what is wanted here is until when.
    life::is_over(tx, &mut grant, client, now).await?;
    let scope = Scope::parse(&grant.scope).unwrap_or_default();
    if !kind.has_code() {
        // Nobody has the code: the grant is as good as claimed, and stays as long as its tokens.
        let keep = SignedDuration::from_secs(2 * i64::from(app.config.tokens.access_token_seconds));
        grants::claim_code(tx, &grant.id, now, now.saturating_add(keep)?).await?;
    }
    let access_token = if kind.has_token() {
        // The session has just been connected: this is to have the token counted for as long as it lives.
        admission::stay_connected(tx, client, life::issuing(app, &grant, now)?, now).await?;
        // One resource at most, known: `request` saw to it (RFC 8707 §2.1).
        let audience = audience::of_grant(app, (&grant, &scope), &[]).await?;
        let audience = audience.map_err(|refusal| Fault::new(refusal.description))?;
        let mut organization = Map::new();
        if audience.scope.contains(ORGANIZATION_SCOPE) && client.settings.claims.is_standard() {
            organization = claims::of_organization(tx, &grant, now).await?;
        }
        let subject = Subject::Person(&grant, &organization);
        let token = issue::access_token(app, client, (subject, &audience, None), now)?;
        answer.push(("access_token", token.clone()));
        answer.push(("token_type", "Bearer".to_owned()));
        answer.push(("expires_in", issue::expires_in(app, Some(&grant), now).to_string()));
        answer.push(("scope", audience.scope.to_string()));
        Some(token)
    } else {
        None
    };
    if kind.has_id_token() {
        // OIDC Core §5.4: without an access token there is no userinfo, so the ID token says what the scope allows.
        let place = if kind.has_code() || kind.has_token() { Place::IdToken } else { Place::IdTokenAlone };
        let mut claims = wanted(tx, client, (&grant, &scope, place), now).await?;
        if kind.has_code() {
            claims.insert("c_hash".to_owned(), json!(half_hash(client.id_token_algorithm, code.expose())));
        }
        let token = issue::id_token(app, client, (&grant, access_token.as_deref(), claims), now)?;
        answer.push(("id_token", token));
    }
    if !client.settings.first_party {
        consents::used(tx, (&grant.person_id, &client.id), now).await?;
    }
    metrics::counter!("habilis_tokens_total", "grant_type" => "implicit", "outcome" => "issued").increment(1);
    Ok(answer)
}

async fn wanted(
    tx: &mut Tx,
    client: &SharedClient,
    (grant, scope, place): (&Grant, &Scope, Place),
    now: Timestamp,
) -> Outcome<Map<String, Value>> {
    let request = grant.claims.as_deref().map(ClaimsRequest::parse).transpose()?.unwrap_or_default();
    let Some(person) = people::find(tx, &grant.person_id).await? else { return Ok(Map::new()) };
    let wanted = Wanted::new(client.settings.claims, scope, &request, place);
    let organization =
        if wanted.has_organization() { claims::of_organization(tx, grant, now).await? } else { Map::new() };
    wanted.collect(&person, &organization)
}
