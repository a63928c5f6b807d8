//! `DPoP` proofs on requests (RFC 9449): exactly one header, checked by `keys::dpop`, used once.

use axum::http::HeaderMap;
use habilis_keys::dpop::{Expected, Proof, WINDOW_SECONDS};
use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::error::Refusal;
use crate::app::App;
use crate::db::used_tokens;
use crate::outcome::Outcome;

/// The algorithms of proofs, for discovery and challenges.
pub const ALGORITHMS: [&str; 3] = ["ES256", "PS256", "EdDSA"];

/// The request a proof must belong to.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// HTTP method, in capitals.
    pub method: &'a str,
    /// Path of the endpoint.
    pub path: &'a str,
    /// The access token presented with it, at resources.
    pub access_token: Option<&'a str>,
}

/// Checks the proof a request carries and gives the thumbprint of its key; none when it carries none.
///
/// # Errors
/// Outer: a fault. Inner: `invalid_dpop_proof` (RFC 9449 §5): two headers, a proof that does not fit, or one used before.
pub async fn proof(
    app: &App,
    headers: &HeaderMap,
    target: Target<'_>,
    now: Timestamp,
) -> Outcome<Result<Option<String>, Refusal>> {
    let refuse = |description: String| Ok(Err(Refusal::new("invalid_dpop_proof", description)));
    let mut fields = headers.get_all("dpop").iter();
    let Some(field) = fields.next() else { return Ok(Ok(None)) };
    if fields.next().is_some() {
        return refuse("DPoP proof: more than one header".to_owned());
    }
    let Ok(compact) = field.to_str() else { return refuse("DPoP proof: not ASCII".to_owned()) };
    let uri = Url::parse(&format!("{}{}", app.config.server.issuer, target.path))?;
    let expected = Expected { method: target.method, uri: &uri, now, access_token: target.access_token, nonce: None };
    let proof = match Proof::check(compact, &expected) {
        Ok(proof) => proof,
        // RFC 6749 §5.2: no quotation marks in a description.
        Err(error) => return refuse(error.to_string().replace('"', "")),
    };
    // One second more than the window, because `iat` is in whole seconds.
    let remember_until = proof.iat.saturating_add(SignedDuration::from_secs(WINDOW_SECONDS + 1))?;
    let issuer = format!("dpop {}", proof.jkt);
    let mut single = app.db.single().await?;
    let is_new = used_tokens::first_use(&mut single, &issuer, &proof.jti, remember_until).await?;
    single.commit().await?;
    if is_new { Ok(Ok(Some(proof.jkt))) } else { refuse("DPoP proof: jti was used before".to_owned()) }
}

/// Whether a text is a SHA-256 thumbprint in base64url, as `dpop_jkt` must be (RFC 9449 §10).
pub fn is_thumbprint(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
