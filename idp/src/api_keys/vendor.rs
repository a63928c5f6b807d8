//! The access token of a software vendor beside a key: verified once, then remembered for three seconds.

use std::sync::Arc;

use habilis_keys::token::digest;
use habilis_policies::api_keys::{Attempt, KeyRefusal};
use habilis_policies::identifiers::Siren;
use habilis_policies::scopes::Scope;
use jiff::Timestamp;
use serde_json::Value;

use crate::app::App;
use crate::oidc::resource::{self, Standing};
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
    /// The centre it is bound to, when it was obtained with a key.
    pub siren: Option<Siren>,
    /// The readable part of that key.
    pub key: Option<String>,
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
    if let Some(kept) = app.api_keys.vendors.get(&id).await {
        return Ok(if kept.expires_at > now { Ok(kept) } else { Err(KeyRefusal::VendorTokenInvalid) });
    }
    let invalid = Ok(Err(KeyRefusal::VendorTokenInvalid));
    let Some(claims) = resource::read(app, token, now) else { return invalid };
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // A token bound to a key of the client's (RFC 9449) is of no use to whoever cannot prove to hold that; a gateway cannot.
    if claims.contains_key("cnf") {
        return invalid;
    }
    if !matches!(resource::standing(app, &claims, now).await?, Standing::OfClient) {
        // Dead with the key it was obtained with: then that is the reason.
        let known = match text("key") {
            Some(handle) => super::find(app, handle).await?,
            None => None,
        };
        let anything = Attempt { about: None, address: None, needs: &Scope::default() };
        let reason = known.and_then(|known| known.admits(&anything, now).err());
        return Ok(Err(reason.unwrap_or(KeyRefusal::VendorTokenInvalid)));
    }
    let expires_at = claims.get("exp").and_then(Value::as_i64).and_then(|at| Timestamp::from_second(at).ok());
    let (Some(expires_at), Some(scope)) = (expires_at, text("scope").and_then(|scope| Scope::parse(scope).ok())) else {
        return invalid;
    };
    let key = text("key").map(str::to_owned);
    let by_itself = key.is_some() && text("azp").is_none();
    let client = if by_itself { "" } else { text("client_id").unwrap_or_default() };
    if !by_itself && !app.client(client).await?.is_some_and(|client| client.settings.api_keys) {
        return Ok(Err(KeyRefusal::VendorNotAllowed));
    }
    let siren = text("siren").filter(|_| key.is_some()).and_then(|siren| Siren::parse(siren).ok());
    let vendor = Arc::new(Vendor { client: client.to_owned(), scope, siren, key, expires_at });
    app.api_keys.vendors.insert(id, Arc::clone(&vendor)).await;
    Ok(Ok(vendor))
}
