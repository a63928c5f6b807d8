//! Lives of tokens, and what a refresh token is good for (RFC 6749 §6, RFC 9700 §4.14, FAPI 2.0 §5.3.2.1).
//!
//! Confidential clients keep their refresh token: it is bound to their authentication, and rotation would only lose sessions
//! to lost answers. Public clients get a new one each time; the old one still works for a short grace (the answer was lost on
//! the way), after which its use means that somebody copied it, and the whole grant dies.

use jiff::{SignedDuration, Timestamp};

/// How long a replaced refresh token of a public client still answers.
pub const ROTATION_GRACE: SignedDuration = SignedDuration::from_secs(30);

/// What is known when a refresh token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// To whom the token was given.
    pub issued_to: &'a str,
    /// Who presents it.
    pub presented_by: &'a str,
    /// Whether the client authenticates itself.
    pub client: Kind,
    /// End of the token.
    pub expires_at: Timestamp,
    /// When it was exchanged for another.
    pub replaced_at: Option<Timestamp>,
    /// Whether the grant was revoked, its session ended (unless it may outlive it), or its person is no longer active.
    pub withdrawn: bool,
}

/// Whether a client can keep a secret (RFC 6749 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It authenticates itself.
    Confidential,
    /// It cannot.
    Public,
}

/// What a refresh token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// A new access token; the refresh token stays.
    Keep,
    /// A new access token and a new refresh token.
    Rotate,
    /// `invalid_grant`.
    Refuse(RefreshRefusal),
    /// `invalid_grant`, and the whole grant is revoked: the token was copied.
    Revoke,
}

/// Why a refresh token is refused. The client sees `invalid_grant` for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefreshRefusal {
    /// Another client presents it.
    #[error("the refresh token was issued to another client")]
    OtherClient,
    /// Too late.
    #[error("the refresh token has expired")]
    Expired,
    /// Sign-out, suspension or revocation came first.
    #[error("the grant is no longer valid")]
    Withdrawn,
}

/// Decides what a refresh token is good for.
pub fn refresh(facts: &Facts<'_>, now: Timestamp) -> Refresh {
    if facts.issued_to != facts.presented_by {
        return Refresh::Refuse(RefreshRefusal::OtherClient);
    }
    if facts.replaced_at.is_some_and(|replaced| now.duration_since(replaced) > ROTATION_GRACE) {
        return Refresh::Revoke;
    }
    if now >= facts.expires_at {
        return Refresh::Refuse(RefreshRefusal::Expired);
    }
    if facts.withdrawn {
        return Refresh::Refuse(RefreshRefusal::Withdrawn);
    }
    match facts.client {
        Kind::Confidential => Refresh::Keep,
        Kind::Public => Refresh::Rotate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_kept_rotated_refused_or_ends_its_family() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let good = Facts {
            issued_to: "a",
            presented_by: "a",
            client: Kind::Confidential,
            expires_at: at(10_000),
            replaced_at: None,
            withdrawn: false,
        };
        let public = Facts { client: Kind::Public, ..good };
        let cases = [
            (good, Refresh::Keep),
            (public, Refresh::Rotate),
            (Facts { presented_by: "b", ..good }, Refresh::Refuse(RefreshRefusal::OtherClient)),
            (Facts { expires_at: at(1000), ..good }, Refresh::Refuse(RefreshRefusal::Expired)),
            (Facts { withdrawn: true, ..good }, Refresh::Refuse(RefreshRefusal::Withdrawn)),
            (Facts { replaced_at: Some(at(970)), ..public }, Refresh::Rotate),
            (Facts { replaced_at: Some(at(969)), ..public }, Refresh::Revoke),
            (Facts { replaced_at: Some(at(969)), expires_at: at(980), ..public }, Refresh::Revoke),
            (
                Facts { replaced_at: Some(at(969)), presented_by: "b", ..public },
                Refresh::Refuse(RefreshRefusal::OtherClient),
            ),
        ];
        for (facts, expected) in cases {
            assert_eq!(refresh(&facts, at(1000)), expected, "{facts:?}");
        }
    }
}
