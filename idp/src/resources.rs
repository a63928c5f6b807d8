//! The protected resources that access tokens can be issued for (RFC 8707), as the operator makes them known: from the management API and
//! from the command line. Each is done with its line in the trail; the caller commits.
//!
//! What is removed is no audience any more: no further token is issued for it, not by a refresh either, and introspection knows nothing of
//! those that were. A resource that verifies their signature itself lets them in until they end.

use habilis_policies::resources::{Problem, check, check_scope};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::db::audit::{self, Event};
use crate::db::resources::{self as rows, Resource, Written};
use crate::db::{Tx, clients, is_unique_violation};
use crate::outcome::Outcome;

/// What a resource is to be.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The scope tokens that mean something there, space separated.
    pub scope: &'a str,
    /// `client_id` of the resource server that may introspect its tokens.
    pub server: Option<&'a str>,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The rule about addresses and scopes.
    #[error(transparent)]
    Rule(#[from] Problem),
    /// The resource server is not there.
    #[error("there is no client {0}; create it first")]
    NoServer(String),
    /// Another resource has the address.
    #[error("{0} is known already")]
    Taken(String),
    /// There is no such resource.
    #[error("there is no such resource")]
    Unknown,
    /// It has this version by now.
    #[error("it has changed meanwhile")]
    Changed(i64),
}

/// Makes a resource known.
///
/// # Errors
/// Outer: the database failed. Inner: [`Refused`]; nothing was written then.
pub async fn add(
    tx: &mut Tx,
    (uri, issuer): (&str, &str),
    (terms, event): (Terms<'_>, Event),
    now: Timestamp,
) -> Outcome<Result<Resource, Refused>> {
    if let Err(problem) = check(uri, issuer) {
        return Ok(Err(problem.into()));
    }
    let scope = match checked(tx, terms).await? {
        Ok(scope) => scope,
        Err(refused) => return Ok(Err(refused)),
    };
    let id = habilis_keys::random::id("rsc", now);
    match rows::insert(tx, (&id, uri), Written { client_id: terms.server, scopes: &scope }, now).await {
        Err(error) if is_unique_violation(&error) => return Ok(Err(Refused::Taken(uri.to_owned()))),
        inserted => inserted?,
    }
    let Some(after) = rows::find_by_id(tx, &id).await? else { return Ok(Err(Refused::Unknown)) };
    audit::record(tx, told(event, &after).changed(Value::Null, traced(&after)), now).await?;
    Ok(Ok(after))
}

/// Changes a resource that was read as `before`. Tokens that were issued keep the scope they have; who may introspect them is asked anew.
///
/// # Errors
/// As [`add`].
pub async fn change(
    tx: &mut Tx,
    before: &Resource,
    (terms, event): (Terms<'_>, Event),
    now: Timestamp,
) -> Outcome<Result<Resource, Refused>> {
    let scope = match checked(tx, terms).await? {
        Ok(scope) => scope,
        Err(refused) => return Ok(Err(refused)),
    };
    let written = Written { client_id: terms.server, scopes: &scope };
    let done = rows::update(tx, (&before.id, before.version), written).await?;
    let after = rows::find_by_id(tx, &before.id).await?;
    let Some(after) = after else { return Ok(Err(Refused::Unknown)) };
    if !done {
        return Ok(Err(Refused::Changed(after.version)));
    }
    audit::record(tx, told(event, &after).changed(traced(before), traced(&after)), now).await?;
    Ok(Ok(after))
}

/// Forgets a resource.
///
/// # Errors
/// As [`add`].
pub async fn remove(tx: &mut Tx, before: &Resource, event: Event, now: Timestamp) -> Outcome<Result<(), Refused>> {
    if !rows::delete(tx, &before.id).await? {
        return Ok(Err(Refused::Unknown));
    }
    audit::record(tx, told(event, before).changed(traced(before), Value::Null), now).await?;
    Ok(Ok(()))
}

/// The scope as it is kept, when it and the resource server may be so.
async fn checked(tx: &mut Tx, terms: Terms<'_>) -> Outcome<Result<String, Refused>> {
    let scope = match check_scope(terms.scope) {
        Ok(scope) => scope,
        Err(problem) => return Ok(Err(problem.into())),
    };
    if let Some(server) = terms.server
        && clients::find(tx, server).await?.is_none()
    {
        return Ok(Err(Refused::NoServer(server.to_owned())));
    }
    Ok(Ok(scope.to_string()))
}

fn told(event: Event, resource: &Resource) -> Event {
    event.about(&resource.id).with("resource", resource.uri.clone())
}

fn traced(resource: &Resource) -> Value {
    json!({ "uri": resource.uri, "scope": resource.scopes, "server": resource.client_id })
}
