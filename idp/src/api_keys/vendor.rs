//! The access token of a software vendor beside a key: its signature is verified once, and what it says remembered for three seconds.
//! Whether its client and its key still stand is asked at each check.

use std::sync::Arc;

use habilis_keys::token::digest;
use habilis_policies::api_keys::{Attempt, KeyRefusal};
use habilis_policies::identifiers::Siren;
use habilis_policies::scopes::Scope;
use jiff::Timestamp;
use serde_json::Value;

use crate::app::App;
use crate::db::revoked_tokens;
use crate::oidc::resource;
use crate::outcome::Outcome;

/// Longest token worth a look, in bytes.
const MAX_TOKEN: usize = 8192;

/// What a vendor's token says.
#[derive(Debug, Clone)]
pub struct Vendor {
    /// The vendor's client; empty for a token that a centre got by itself.
    pub client: String,
    /// What the token opens.
    pub scope: Scope,
    /// Whom it is for: this server, or one resource (RFC 8707).
    pub audience: String,
    /// The centre it is bound to, when it was obtained with a key.
    pub siren: Option<Siren>,
    /// The readable part of that key.
    pub key: Option<String>,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

/// Reads a bearer token as that of a software vendor.
///
/// # Errors
/// Outer: the database failed. Inner: the token is no good, or its client may not work with keys.
pub async fn vendor(app: &App, token: &str, now: Timestamp) -> Outcome<Result<Arc<Vendor>, KeyRefusal>> {
    if token.len() > MAX_TOKEN {
        return Ok(Err(KeyRefusal::VendorTokenInvalid));
    }
    let id = digest(token);
    let vendor = if let Some(kept) = app.api_keys.vendors.get(&id).await {
        kept
    } else {
        let Some(said) = read(app, token, now).await? else { return Ok(Err(KeyRefusal::VendorTokenInvalid)) };
        let said = Arc::new(said);
        app.api_keys.vendors.insert(id, Arc::clone(&said)).await;
        said
    };
    if vendor.expires_at <= now {
        return Ok(Err(KeyRefusal::VendorTokenInvalid));
    }
    Ok(stands(app, &vendor, now).await?.map(|()| vendor))
}

/// What a good token says, unless it was given back.
async fn read(app: &App, token: &str, now: Timestamp) -> Outcome<Option<Vendor>> {
    let Some(claims) = resource::read(app, token, now) else { return Ok(None) };
    // A token bound to a key of the client's (RFC 9449) is of no use to whoever cannot prove to hold that; a gateway cannot. One
    // with a grant is a person's.
    if claims.contains_key("cnf") || claims.contains_key("grant_id") {
        return Ok(None);
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let instant = |name: &str| claims.get(name).and_then(Value::as_i64).and_then(|at| Timestamp::from_second(at).ok());
    let scope = text("scope").and_then(|scope| Scope::parse(scope).ok());
    let (Some(issued_at), Some(expires_at), Some(audience), Some(scope)) =
        (instant("iat"), instant("exp"), text("aud"), scope)
    else {
        return Ok(None);
    };
    if revoked_tokens::contains(&mut app.db.reader().await?, text("jti").unwrap_or_default()).await? {
        return Ok(None);
    }
    let key = text("key").map(str::to_owned);
    let client = if key.is_some() { text("azp") } else { text("client_id") }.unwrap_or_default().to_owned();
    let siren = text("siren").filter(|_| key.is_some()).and_then(|siren| Siren::parse(siren).ok());
    Ok(Some(Vendor { client, scope, audience: audience.to_owned(), siren, key, issued_at, expires_at }))
}

/// Whether the client and the key behind a token still stand. Both are read from memory, where they are for seconds of their own:
/// those in which the token is remembered must not come on top (R083).
async fn stands(app: &App, vendor: &Vendor, now: Timestamp) -> Outcome<Result<(), KeyRefusal>> {
    let client = if vendor.client.is_empty() { None } else { app.client(&vendor.client).await? };
    let lives = client.as_ref().is_some_and(|client| client.active && !client.ended_since(vendor.issued_at));
    let works = client.as_ref().is_some_and(|client| client.settings.api_keys);
    let Some(handle) = vendor.key.as_deref() else {
        return Ok(match (lives, works) {
            (true, true) => Ok(()),
            (true, false) => Err(KeyRefusal::VendorNotAllowed),
            (false, _) => Err(KeyRefusal::VendorTokenInvalid),
        });
    };
    let alone = vendor.client.is_empty() && !app.config.api_keys.vendor_required;
    let known = super::find(app, handle).await?;
    let carried = known.as_ref().is_some_and(|known| known.carries(vendor.issued_at, now));
    if carried && (alone || (lives && works)) {
        return Ok(Ok(()));
    }
    // Dead with the key it was obtained with: then that is the reason.
    let anything = Attempt { about: None, address: None, needs: &Scope::default() };
    let reason = known.and_then(|known| known.admits(&anything, now).err());
    Ok(Err(reason.unwrap_or(KeyRefusal::VendorTokenInvalid)))
}
