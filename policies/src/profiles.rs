//! Security profiles: one value a client carries, whose consequences all stand in the table below.
//!
//! `oidc` follows OpenID Connect Core with today's best practice (RFC 9700); the two FAPI 2.0 profiles are stricter and in
//! places contradict it (audience of client assertions); `legacy` is `oidc` plus the implicit and hybrid response types, off
//! unless the operator turns it on for one client.

use serde::{Deserialize, Serialize};

/// The security profile of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProfile {
    /// OpenID Connect Core, code flow.
    #[default]
    Oidc,
    /// FAPI 2.0 Security Profile Final.
    Fapi2Security,
    /// FAPI 2.0 Message Signing Final.
    Fapi2MessageSigning,
    /// OpenID Connect Core with implicit and hybrid.
    Legacy,
}

/// What a client assertion may name as audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssertionAudience {
    /// The issuer, the token endpoint or the endpoint called; a string or an array (RFC 7523 §3, OIDC Core §9).
    IssuerOrEndpoint,
    /// Exactly the issuer, as a string (FAPI 2.0 Security Profile §5.3.2.1).
    IssuerOnly,
}

/// Which claims a signed request object must have beside the request itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestObjectClaims {
    /// What is there must be right (OIDC Core §6.1, RFC 9101 §4).
    AsPresent,
    /// `iss`, `aud`, `client_id`, `nbf` and `exp`, within an hour (FAPI 2.0 Message Signing §5.3.1).
    Required,
}

/// The consequences of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a table a reviewer reads, one yes or no a line")]
pub struct Rules {
    /// Only pushed requests (RFC 9126) are answered.
    pub pushed_requests: bool,
    /// Requests are signed objects (RFC 9101) and answers signed JWTs.
    pub signed_messages: bool,
    /// Every authorization request carries a PKCE challenge, not just those of public clients.
    pub pkce_for_all: bool,
    /// Access tokens are bound to a key (RFC 9449).
    pub sender_constrained: bool,
    /// Claims of a signed request object.
    pub request_object_claims: RequestObjectClaims,
    /// Audience of client assertions.
    pub assertion_audience: AssertionAudience,
    /// Signature algorithms for client assertions, request objects and ID tokens, best first.
    pub algorithms: &'static [&'static str],
    /// Client authentication methods.
    pub client_authentication: &'static [&'static str],
    /// Grant types.
    pub grant_types: &'static [&'static str],
    /// Response types.
    pub response_types: &'static [&'static str],
    /// Life of an authorization code, in seconds.
    pub code_seconds: u16,
    /// How long a pushed request may be opened, in seconds (FAPI 2.0 §5.3.2.2: under ten minutes).
    pub pushed_request_seconds: u16,
    /// Life of a signed authorization response, in seconds (JARM §2.1: at most ten minutes).
    pub signed_response_seconds: u16,
}

/// The grant type of devices (RFC 8628 §3.4).
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The grant type of an exchange of tokens (RFC 8693 §2.1).
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

const OIDC: Rules = Rules {
    pushed_requests: false,
    signed_messages: false,
    pkce_for_all: false,
    sender_constrained: false,
    request_object_claims: RequestObjectClaims::AsPresent,
    assertion_audience: AssertionAudience::IssuerOrEndpoint,
    algorithms: &["ES256", "EdDSA", "PS256", "RS256"],
    client_authentication: &[
        "private_key_jwt",
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
        "none",
    ],
    grant_types: &["authorization_code", "refresh_token", "client_credentials", DEVICE_CODE, TOKEN_EXCHANGE],
    response_types: &["code"],
    code_seconds: 60,
    pushed_request_seconds: 90,
    signed_response_seconds: 300,
};

const FAPI2_SECURITY: Rules = Rules {
    pushed_requests: true,
    pkce_for_all: true,
    sender_constrained: true,
    request_object_claims: RequestObjectClaims::Required,
    assertion_audience: AssertionAudience::IssuerOnly,
    algorithms: &["ES256", "EdDSA", "PS256"],
    client_authentication: &["private_key_jwt"],
    grant_types: &["authorization_code", "refresh_token", "client_credentials", TOKEN_EXCHANGE],
    ..OIDC
};

const FAPI2_MESSAGE_SIGNING: Rules = Rules { signed_messages: true, ..FAPI2_SECURITY };

const LEGACY: Rules = Rules {
    grant_types: &[
        "authorization_code",
        "refresh_token",
        "client_credentials",
        DEVICE_CODE,
        TOKEN_EXCHANGE,
        "implicit",
    ],
    response_types: &["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"],
    ..OIDC
};

impl SecurityProfile {
    /// The consequences of this profile.
    pub const fn rules(self) -> &'static Rules {
        match self {
            Self::Oidc => &OIDC,
            Self::Fapi2Security => &FAPI2_SECURITY,
            Self::Fapi2MessageSigning => &FAPI2_MESSAGE_SIGNING,
            Self::Legacy => &LEGACY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fapi_profiles_take_neither_rs256_nor_shared_secrets() {
        for profile in [SecurityProfile::Fapi2Security, SecurityProfile::Fapi2MessageSigning] {
            let rules = profile.rules();
            assert!(!rules.algorithms.contains(&"RS256"));
            assert_eq!(rules.client_authentication, ["private_key_jwt"]);
            assert!(rules.pushed_requests && rules.pkce_for_all && rules.sender_constrained);
            assert!(rules.code_seconds <= 60);
            assert_eq!(rules.assertion_audience, AssertionAudience::IssuerOnly);
            assert_eq!(rules.request_object_claims, RequestObjectClaims::Required);
        }
    }

    #[test]
    fn every_profile_keeps_the_limits_of_the_standards() {
        use SecurityProfile::{Fapi2MessageSigning, Fapi2Security, Legacy, Oidc};
        for profile in [Oidc, Fapi2Security, Fapi2MessageSigning, Legacy] {
            let rules = profile.rules();
            assert!((60..=90).contains(&rules.pushed_request_seconds));
            assert!((10..=600).contains(&rules.signed_response_seconds));
            assert!(!rules.algorithms.contains(&"none") && !rules.algorithms.contains(&"HS256"));
            assert_eq!(rules.signed_messages, profile == Fapi2MessageSigning);
        }
    }

    #[test]
    fn only_legacy_knows_tokens_in_the_front_channel() {
        for profile in [SecurityProfile::Oidc, SecurityProfile::Fapi2Security, SecurityProfile::Fapi2MessageSigning] {
            assert_eq!(profile.rules().response_types, ["code"]);
            assert!(!profile.rules().grant_types.contains(&"implicit"));
        }
        let all = crate::response_types::ResponseType::ALL.map(crate::response_types::ResponseType::name);
        assert_eq!(SecurityProfile::Legacy.rules().response_types, all);
    }

    #[test]
    fn legacy_is_oidc_but_for_response_and_grant_types() {
        let alike = Rules { response_types: OIDC.response_types, grant_types: OIDC.grant_types, ..LEGACY };
        assert_eq!(alike, OIDC);
    }

    #[test]
    fn devices_sign_in_without_a_browser_of_their_own_where_fapi_does_not_reach() {
        use SecurityProfile::{Fapi2MessageSigning, Fapi2Security, Legacy, Oidc};
        let allows = |profile: SecurityProfile| profile.rules().grant_types.contains(&DEVICE_CODE);
        assert_eq!([Oidc, Legacy, Fapi2Security, Fapi2MessageSigning].map(allows), [true, true, false, false]);
    }
}
