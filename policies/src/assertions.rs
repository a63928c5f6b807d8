//! Whether a client assertion proves who a client is (RFC 7523 §3, OIDC Core §9, FAPI 2.0 Security Profile §5.3.2.1).
//!
//! The signature was verified before; here are the claims. That a `jti` is used once is for the database to settle.

use jiff::{SignedDuration, Timestamp};

use crate::profiles::AssertionAudience;

/// Clocks may differ by this much: eight seconds pass, a minute does not.
pub const SKEW: SignedDuration = SignedDuration::from_secs(30);
/// Longest life of an assertion, which bounds how long its `jti` is remembered.
pub const MAX_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// Longest `jti`, in bytes.
pub const MAX_JTI: usize = 256;

/// The claims of an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims<'a> {
    /// `iss`
    pub issuer: Option<&'a str>,
    /// `sub`
    pub subject: Option<&'a str>,
    /// `aud`
    pub audience: Audience<'a>,
    /// `exp`
    pub expires_at: Option<Timestamp>,
    /// `nbf`
    pub not_before: Option<Timestamp>,
    /// `iat`
    pub issued_at: Option<Timestamp>,
    /// `jti`
    pub id: Option<&'a str>,
}

/// `aud` as it was written; whether it was a string or an array matters to FAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience<'a> {
    /// Absent, or of another type.
    Missing,
    /// A string.
    One(&'a str),
    /// An array; true when one of ours is among its strings.
    Many {
        /// Whether an accepted audience is in it.
        names_us: bool,
    },
}

/// Why an assertion proves nothing. The client sees `invalid_client` for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionRefusal {
    /// `iss` or `sub` is not the client.
    #[error("iss and sub must both be the client_id")]
    NotTheClient,
    /// `aud` is not this server as the profile wants it.
    #[error("aud does not name this server")]
    Audience,
    /// `exp` is missing, past, or more than an hour away.
    #[error("exp must be in the future, at most an hour away")]
    Expiry,
    /// `nbf` or `iat` lies in the future.
    #[error("the assertion is not valid yet")]
    TooEarly,
    /// `jti` is missing or longer than 256 bytes.
    #[error("jti is missing or too long")]
    Id,
}

/// Says whether the claims prove that `client` is asking; gives the instant until which the `jti` must be remembered.
///
/// `accepted` are the audiences of this server: the issuer first, then the endpoints.
///
/// # Errors
/// [`AssertionRefusal`].
pub fn check(
    claims: &Claims<'_>,
    client: &str,
    (rule, accepted): (AssertionAudience, &[&str]),
    now: Timestamp,
) -> Result<Timestamp, AssertionRefusal> {
    if claims.issuer != Some(client) || claims.subject != Some(client) {
        return Err(AssertionRefusal::NotTheClient);
    }
    let named = match (rule, claims.audience) {
        (AssertionAudience::IssuerOnly, Audience::One(name)) => accepted.first() == Some(&name),
        (AssertionAudience::IssuerOrEndpoint, Audience::One(name)) => accepted.contains(&name),
        (AssertionAudience::IssuerOrEndpoint, Audience::Many { names_us }) => names_us,
        _ => false,
    };
    if !named {
        return Err(AssertionRefusal::Audience);
    }
    let expires_at = claims.expires_at.ok_or(AssertionRefusal::Expiry)?;
    let left = expires_at.duration_since(now);
    if left <= -SKEW || left > MAX_LIFE + SKEW {
        return Err(AssertionRefusal::Expiry);
    }
    let in_future = |at: Option<Timestamp>| at.is_some_and(|at| at.duration_since(now) > SKEW);
    if in_future(claims.not_before) || in_future(claims.issued_at) {
        return Err(AssertionRefusal::TooEarly);
    }
    if claims.id.is_none_or(|id| id.is_empty() || id.len() > MAX_JTI) {
        return Err(AssertionRefusal::Id);
    }
    Ok(expires_at.saturating_add(SKEW).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use AssertionAudience::{IssuerOnly, IssuerOrEndpoint};

    #[test]
    fn each_claim_must_hold() {
        let at = |second| Timestamp::from_second(second).ok();
        let accepted = ["https://op", "https://op/token"];
        let good = Claims {
            issuer: Some("c"),
            subject: Some("c"),
            audience: Audience::One("https://op"),
            expires_at: at(1060),
            not_before: None,
            issued_at: at(1000),
            id: Some("1"),
        };
        let cases = [
            (IssuerOnly, good, Ok(())),
            (IssuerOrEndpoint, Claims { audience: Audience::One("https://op/token"), ..good }, Ok(())),
            (IssuerOrEndpoint, Claims { audience: Audience::Many { names_us: true }, ..good }, Ok(())),
            (
                IssuerOnly,
                Claims { audience: Audience::One("https://op/token"), ..good },
                Err(AssertionRefusal::Audience),
            ),
            (
                IssuerOnly,
                Claims { audience: Audience::Many { names_us: true }, ..good },
                Err(AssertionRefusal::Audience),
            ),
            (IssuerOrEndpoint, Claims { audience: Audience::Missing, ..good }, Err(AssertionRefusal::Audience)),
            (IssuerOnly, Claims { subject: None, ..good }, Err(AssertionRefusal::NotTheClient)),
            (IssuerOnly, Claims { issuer: Some("d"), ..good }, Err(AssertionRefusal::NotTheClient)),
            (IssuerOnly, Claims { expires_at: None, ..good }, Err(AssertionRefusal::Expiry)),
            (IssuerOnly, Claims { expires_at: at(700), ..good }, Err(AssertionRefusal::Expiry)),
            (IssuerOnly, Claims { expires_at: at(9000), ..good }, Err(AssertionRefusal::Expiry)),
            (IssuerOnly, Claims { not_before: at(1008), ..good }, Ok(())),
            (IssuerOnly, Claims { not_before: at(1062), ..good }, Err(AssertionRefusal::TooEarly)),
            (IssuerOnly, Claims { issued_at: at(1062), ..good }, Err(AssertionRefusal::TooEarly)),
            (IssuerOnly, Claims { id: None, ..good }, Err(AssertionRefusal::Id)),
        ];
        for (rule, claims, expected) in cases {
            let found = check(&claims, "c", (rule, &accepted), Timestamp::from_second(1000).unwrap());
            assert_eq!(found.map(drop), expected, "{rule:?} {claims:?}");
        }
    }
}
