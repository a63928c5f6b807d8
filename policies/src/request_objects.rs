//! Whether a signed request object is to be believed (RFC 9101 §6.2 and §10.8, FAPI 2.0 Message Signing §5.3.1).
//!
//! The signature was verified before; here are the claims that are about the object itself.

use jiff::{SignedDuration, Timestamp};

use crate::assertions::SKEW;
use crate::profiles::RequestObjectClaims;

/// Longest life of an object, and oldest `nbf` (FAPI 2.0 Message Signing §5.3.1).
pub const MAX_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// The claims of a request object that are about the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims<'a> {
    /// `iss`
    pub issuer: Option<&'a str>,
    /// `sub`
    pub subject: Option<&'a str>,
    /// Whether `aud` names this server, as a string or within an array; none when it is absent.
    pub names_us: Option<bool>,
    /// `client_id`
    pub client_id: Option<&'a str>,
    /// `exp`
    pub expires_at: Option<Timestamp>,
    /// `nbf`
    pub not_before: Option<Timestamp>,
    /// Whether it refers to another object: `request` or `request_uri`.
    pub is_nested: bool,
}

/// Why an object is not believed. The client is told `invalid_request_object` for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObjectRefusal {
    /// It holds `request` or `request_uri` (RFC 9101 §4).
    #[error("a request object holds neither request nor request_uri")]
    Nested,
    /// `iss` or `client_id` is missing or somebody else.
    #[error("iss and client_id must be the client")]
    NotTheClient,
    /// `sub` is the client: that makes it a client assertion (RFC 9101 §10.8).
    #[error("sub must not be the client")]
    Assertion,
    /// `aud` is missing or another server.
    #[error("aud does not name this server")]
    Audience,
    /// `exp` is missing, past, or too far away.
    #[error("exp must be in the future, at most an hour away")]
    Expiry,
    /// `nbf` is missing, in the future or too old.
    #[error("nbf must be in the past, at most an hour ago")]
    NotBefore,
}

/// Says whether the claims are those of a request that `client` makes here and now.
///
/// # Errors
/// [`ObjectRefusal`].
pub fn check(
    claims: &Claims<'_>,
    client: &str,
    rule: RequestObjectClaims,
    now: Timestamp,
) -> Result<(), ObjectRefusal> {
    let may_lack = rule == RequestObjectClaims::AsPresent;
    if claims.is_nested {
        return Err(ObjectRefusal::Nested);
    }
    let is_client = |name: Option<&str>| name.map_or(may_lack, |name| name == client);
    if !is_client(claims.issuer) || !is_client(claims.client_id) {
        return Err(ObjectRefusal::NotTheClient);
    }
    if claims.subject == Some(client) {
        return Err(ObjectRefusal::Assertion);
    }
    if !claims.names_us.unwrap_or(may_lack) {
        return Err(ObjectRefusal::Audience);
    }
    let expiry_holds = claims.expires_at.map_or(may_lack, |at| {
        let left = at.duration_since(now);
        left > -SKEW && left <= MAX_LIFE + SKEW
    });
    if !expiry_holds {
        return Err(ObjectRefusal::Expiry);
    }
    let begin_holds = claims.not_before.map_or(may_lack, |at| {
        let age = now.duration_since(at);
        age >= -SKEW && age <= MAX_LIFE + SKEW
    });
    if begin_holds { Ok(()) } else { Err(ObjectRefusal::NotBefore) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ObjectRefusal::{Assertion, Audience, Expiry, Nested, NotBefore, NotTheClient};
    use RequestObjectClaims::{AsPresent, Required};

    #[test]
    fn each_claim_must_hold() {
        const NOW: i64 = 1_800_000_000;
        let at = |offset: i64| Timestamp::from_second(NOW + offset).ok();
        let good = Claims {
            issuer: Some("c"),
            subject: None,
            names_us: Some(true),
            client_id: Some("c"),
            expires_at: at(300),
            not_before: at(0),
            is_nested: false,
        };
        let bare = Claims { issuer: None, names_us: None, client_id: None, expires_at: None, not_before: None, ..good };
        let cases = [
            (Required, good, Ok(())),
            (AsPresent, bare, Ok(())),
            (Required, bare, Err(NotTheClient)),
            (AsPresent, Claims { is_nested: true, ..bare }, Err(Nested)),
            (AsPresent, Claims { issuer: Some("d"), ..bare }, Err(NotTheClient)),
            (Required, Claims { client_id: None, ..good }, Err(NotTheClient)),
            (AsPresent, Claims { client_id: Some("d"), ..bare }, Err(NotTheClient)),
            (AsPresent, Claims { subject: Some("c"), ..bare }, Err(Assertion)),
            (Required, Claims { names_us: None, ..good }, Err(Audience)),
            (AsPresent, Claims { names_us: Some(false), ..bare }, Err(Audience)),
            (Required, Claims { expires_at: None, ..good }, Err(Expiry)),
            (AsPresent, Claims { expires_at: at(-60), ..bare }, Err(Expiry)),
            (Required, Claims { expires_at: at(70 * 60), ..good }, Err(Expiry)),
            (Required, Claims { expires_at: at(60 * 60), ..good }, Ok(())),
            (Required, Claims { not_before: None, ..good }, Err(NotBefore)),
            (Required, Claims { not_before: at(8), ..good }, Ok(())),
            (AsPresent, Claims { not_before: at(62), ..bare }, Err(NotBefore)),
            (Required, Claims { not_before: at(-70 * 60), ..good }, Err(NotBefore)),
        ];
        for (rule, claims, expected) in cases {
            assert_eq!(
                check(&claims, "c", rule, Timestamp::from_second(NOW).unwrap()),
                expected,
                "{rule:?} {claims:?}"
            );
        }
    }
}
