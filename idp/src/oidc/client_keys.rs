//! The public keys of a client, and what it signed with them: assertions (RFC 7523) and request objects (RFC 9101).

use habilis_keys::jwk::Jwks;
use habilis_keys::jws::{Algorithm, Unverified};
use serde_json::{Map, Value};

use super::client::Client;
use crate::app::App;
use crate::outcome::Outcome;

/// The keys a client signs with.
pub fn client_keys(client: &Client) -> Option<&Jwks> {
    client.metadata.jwks.as_ref()
}

/// The algorithm a token of the client is signed with, if its profile and its registration allow it.
pub fn allowed_algorithm(client: &Client, token: &Unverified, registered: Option<&str>) -> Option<Algorithm> {
    let allowed = client.settings.profile.rules().algorithms;
    token.header().alg.parse::<Algorithm>().ok().filter(|algorithm| {
        let name = algorithm.as_str();
        allowed.contains(&name) && registered.is_none_or(|registered| registered == name)
    })
}

/// The claims of a token that one of the client's keys signed; none when none did.
///
/// # Errors
/// A fault while getting at the keys.
pub async fn signed_by(
    _: &App,
    client: &Client,
    (token, algorithm): (&Unverified, Algorithm),
) -> Outcome<Option<Map<String, Value>>> {
    let kid = token.header().kid.as_deref();
    Ok(client_keys(client)
        .and_then(|keys| keys.candidates(kid, algorithm).find_map(|key| token.verify(key, algorithm).ok())))
}
