//! Whether an authorization code may be exchanged (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9700 §2.1.1).

use jiff::Timestamp;

/// How the PKCE verifier relates to the challenge of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verifier {
    /// Neither challenge nor verifier.
    NotUsed,
    /// The verifier belongs to the challenge.
    Matches,
    /// It does not.
    Differs,
    /// There was a challenge, and no verifier.
    Missing,
    /// There was no challenge: the verifier may come from an attacker who stripped it (RFC 9700 §4.8.2).
    Unexpected,
}

/// What is known when deciding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// To whom the code was given.
    pub issued_to: &'a str,
    /// Who presents it.
    pub presented_by: &'a str,
    /// Where the code was sent.
    pub sent_to: &'a str,
    /// What the token request repeats; it must, since the authorization request had it.
    pub redirect_uri: Option<&'a str>,
    /// End of the code.
    pub expires_at: Timestamp,
    /// PKCE.
    pub verifier: Verifier,
    /// Whether the grant was revoked, its session ended, or its person is no longer active.
    pub withdrawn: bool,
}

/// Why a code is refused. The client sees `invalid_grant` for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefusal {
    /// Another client presents it.
    #[error("the code was issued to another client")]
    OtherClient,
    /// Too late.
    #[error("the code has expired")]
    Expired,
    /// `redirect_uri` is missing or another.
    #[error("redirect_uri is not the one of the authorization request")]
    RedirectUri,
    /// PKCE failed.
    #[error("code_verifier does not belong to the code_challenge")]
    Verifier,
    /// Sign-out, suspension or revocation came first.
    #[error("the grant is no longer valid")]
    Withdrawn,
}

/// Says whether a code may be exchanged. That it was not used before is for the database to settle.
///
/// # Errors
/// [`CodeRefusal`]; the client is checked first, so another client learns nothing.
pub fn redeem(facts: &Facts<'_>, now: Timestamp) -> Result<(), CodeRefusal> {
    if facts.issued_to != facts.presented_by {
        return Err(CodeRefusal::OtherClient);
    }
    if now >= facts.expires_at {
        return Err(CodeRefusal::Expired);
    }
    if facts.redirect_uri != Some(facts.sent_to) {
        return Err(CodeRefusal::RedirectUri);
    }
    if !matches!(facts.verifier, Verifier::NotUsed | Verifier::Matches) {
        return Err(CodeRefusal::Verifier);
    }
    if facts.withdrawn { Err(CodeRefusal::Withdrawn) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_that_is_wrong_refuses() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let good = Facts {
            issued_to: "a",
            presented_by: "a",
            sent_to: "https://a.example/cb",
            redirect_uri: Some("https://a.example/cb"),
            expires_at: at(60),
            verifier: Verifier::Matches,
            withdrawn: false,
        };
        let cases = [
            (good, Ok(())),
            (Facts { verifier: Verifier::NotUsed, ..good }, Ok(())),
            (Facts { presented_by: "b", ..good }, Err(CodeRefusal::OtherClient)),
            (Facts { presented_by: "b", expires_at: at(1), ..good }, Err(CodeRefusal::OtherClient)),
            (Facts { expires_at: at(59), ..good }, Err(CodeRefusal::Expired)),
            (Facts { redirect_uri: None, ..good }, Err(CodeRefusal::RedirectUri)),
            (Facts { redirect_uri: Some("https://a.example/"), ..good }, Err(CodeRefusal::RedirectUri)),
            (Facts { verifier: Verifier::Differs, ..good }, Err(CodeRefusal::Verifier)),
            (Facts { verifier: Verifier::Missing, ..good }, Err(CodeRefusal::Verifier)),
            (Facts { verifier: Verifier::Unexpected, ..good }, Err(CodeRefusal::Verifier)),
            (Facts { withdrawn: true, ..good }, Err(CodeRefusal::Withdrawn)),
        ];
        for (facts, expected) in cases {
            assert_eq!(redeem(&facts, at(59)), expected, "{facts:?}");
        }
    }
}
