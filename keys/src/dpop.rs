//! Proofs of possession: a token is worth something only beside a fresh signature of its holder's key (RFC 9449 §4.3).
//!
//! What is checked here needs the proof alone. The caller still has to see that there is exactly one `DPoP` header,
//! that
//! [`jti`](Proof::jti) is new within the window (twice [`WINDOW_SECONDS`]), and that [`jkt`](Proof::jkt) is the key
//! the token is bound to.

use jiff::Timestamp;
use serde_json::{Map, Value};
use thiserror::Error;
use url::Url;

use crate::jwk::{Jwk, JwkError};
use crate::jws::{Algorithm, JoseError, Unverified};
use crate::{base64url, token};

/// How far, in seconds, a proof's `iat` may lie from now on either side.
pub const WINDOW_SECONDS: i64 = 60;
/// Longest `jti` accepted, in bytes: it is kept until the window closes.
pub const MAX_JTI_BYTES: usize = 256;
const TYP: &str = "dpop+jwt";
/// FAPI 2 Security Profile §5.4.1: no RSA PKCS#1 v1.5.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa];

/// What the request at hand looks like to the server.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// HTTP method, in capitals.
    pub method: &'a str,
    /// Public address of the endpoint, as clients write it.
    pub uri: &'a Url,
    /// The time of the request.
    pub now: Timestamp,
    /// The access token presented with the proof, at resources; nothing where a token is only being asked for.
    pub access_token: Option<&'a str>,
    /// The nonce the server gave out, when it insists on one.
    pub nonce: Option<&'a str>,
}

/// Why a proof is refused. All but [`Nonce`](Self::Nonce) are answered by `invalid_dpop_proof`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DpopError {
    /// Not a token at all, or its signature is wrong.
    #[error("DPoP proof: {0}")]
    Jose(#[from] JoseError),
    /// `typ` is not `dpop+jwt`.
    #[error("DPoP proof: typ is not {TYP}")]
    Typ,
    /// Symmetric, unknown, `none` or RS256.
    #[error("DPoP proof: signature algorithm not accepted")]
    Algorithm,
    /// No `jwk` in the header.
    #[error("DPoP proof: no public key")]
    NoKey,
    /// The `jwk` is unusable or private.
    #[error("DPoP proof: {0}")]
    Key(#[from] JwkError),
    /// `jti` is missing, empty, or longer than [`MAX_JTI_BYTES`].
    #[error("DPoP proof: jti missing or out of bounds")]
    Jti,
    /// `htm` is missing or another method.
    #[error("DPoP proof: htm is not the request's method")]
    Method,
    /// `htu` is missing or another address.
    #[error("DPoP proof: htu is not the request's address")]
    Uri,
    /// `iat` is missing or more than [`WINDOW_SECONDS`] away.
    #[error("DPoP proof: iat missing or outside the window")]
    IssuedAt,
    /// `ath` is missing or the hash of another token.
    #[error("DPoP proof: ath is not the access token's hash")]
    AccessToken,
    /// `nonce` is missing or not the one given out: answer `use_dpop_nonce` with a fresh one.
    #[error("DPoP proof: nonce missing or not current")]
    Nonce,
}

/// A proof that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Thumbprint of the holder's key, for `cnf.jkt` (RFC 9449 §6.1).
    pub jkt: String,
    /// The proof's identifier, 1 to [`MAX_JTI_BYTES`] bytes, to be used once.
    pub jti: String,
    /// When the holder says it was made, to the second.
    pub iat: Timestamp,
}

impl Proof {
    /// Checks a proof against the request it came with (RFC 9449 §4.3, points 2 to 11). Members it does not know,
    /// `exp` and `nbf` among them, are ignored.
    ///
    /// # Errors
    /// Any [`DpopError`]. The nonce is looked at last, so that [`DpopError::Nonce`] means all the rest was right.
    pub fn check(compact: &str, expected: &Expected<'_>) -> Result<Self, DpopError> {
        let proof = Unverified::parse(compact)?;
        let header = proof.header();
        if header.typ.as_deref() != Some(TYP) {
            return Err(DpopError::Typ);
        }
        let algorithm = header.alg.parse().map_err(|_| DpopError::Algorithm)?;
        if !ALGORITHMS.contains(&algorithm) {
            return Err(DpopError::Algorithm);
        }
        let key = Jwk::from_value(header.jwk.as_ref().ok_or(DpopError::NoKey)?)?;
        let claims = proof.verify(&key, algorithm)?;

        let jti = text(&claims, "jti").filter(|jti| (1..=MAX_JTI_BYTES).contains(&jti.len())).ok_or(DpopError::Jti)?;
        if text(&claims, "htm") != Some(expected.method) {
            return Err(DpopError::Method);
        }
        if !text(&claims, "htu").is_some_and(|htu| same_target(htu, expected.uri)) {
            return Err(DpopError::Uri);
        }
        let iat = claims.get("iat").and_then(seconds).ok_or(DpopError::IssuedAt)?;
        if expected.now.as_second().abs_diff(iat.as_second()) > WINDOW_SECONDS.unsigned_abs() {
            return Err(DpopError::IssuedAt);
        }
        if let Some(access_token) = expected.access_token {
            let hash = base64url::encode(&token::digest(access_token));
            if !text(&claims, "ath").is_some_and(|ath| token::same(ath.as_bytes(), hash.as_bytes())) {
                return Err(DpopError::AccessToken);
            }
        }
        if let Some(nonce) = expected.nonce
            && !text(&claims, "nonce").is_some_and(|given| token::same(given.as_bytes(), nonce.as_bytes()))
        {
            return Err(DpopError::Nonce);
        }
        Ok(Self { jkt: key.thumbprint(), jti: jti.to_owned(), iat })
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str()
}

/// A `NumericDate` (RFC 7519 §2): seconds, perhaps with a fraction, which is dropped.
fn seconds(value: &Value) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "dropping the fraction is meant; out of range saturates, then fails"
    )]
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))?;
    Timestamp::from_second(seconds).ok()
}

/// Compares addresses without query and fragment, after the normalisation of RFC 3986 §6.2.2 and §6.2.3: case of
/// scheme and host, default port, dot segments, percent-encoding.
fn same_target(htu: &str, expected: &Url) -> bool {
    let Ok(htu) = Url::parse(htu) else {
        return false;
    };
    matches!(htu.scheme(), "https" | "http")
        && htu.username().is_empty()
        && htu.password().is_none()
        && htu.scheme() == expected.scheme()
        && htu.host() == expected.host()
        && htu.port_or_known_default() == expected.port_or_known_default()
        && normal_path(htu.path()) == normal_path(expected.path())
}

/// Writes escaped characters that need no escaping (RFC 3986 §2.3) plainly, and the other escapes in capitals.
fn normal_path(path: &str) -> Vec<u8> {
    let mut normal = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let escaped = if byte == b'%' { tail.first_chunk::<2>() } else { None };
        let Some(digits) = escaped.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit)) else {
            normal.push(byte);
            continue;
        };
        rest = &tail[2..];
        let value = digits.iter().fold(0, |value, &digit| value << 4 | hex_value(digit));
        if value.is_ascii_alphanumeric() || matches!(value, b'-' | b'.' | b'_' | b'~') {
            normal.push(value);
        } else {
            normal.push(b'%');
            normal.extend(digits.to_ascii_uppercase());
        }
    }
    normal
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::signing::SigningKey;
    use crate::signing::tests::shared;

    const NOW: i64 = 1_790_000_000;
    const ACCESS_TOKEN: &str = "access";

    /// A request for a resource and the proof that goes with it, to be spoilt by each test.
    struct Case {
        header: Value,
        claims: Value,
        key: &'static SigningKey,
        uri: Url,
        nonce: Option<&'static str>,
    }

    impl Case {
        fn new(algorithm: Algorithm) -> Self {
            let key = shared(algorithm);
            Self {
                header: json!({"typ": "dpop+jwt", "alg": algorithm, "jwk": key.public()}),
                claims: json!({
                    "jti": "j-1", "htm": "GET", "htu": "https://idp.example/userinfo", "iat": NOW,
                    "ath": base64url::encode(&token::digest(ACCESS_TOKEN)),
                }),
                key,
                uri: Url::parse("https://idp.example/userinfo").unwrap(),
                nonce: None,
            }
        }

        fn es256() -> Self {
            Self::new(Algorithm::Es256)
        }

        fn claim(mut self, name: &str, value: Value) -> Self {
            self.claims[name] = value;
            self
        }

        fn without(mut self, name: &str) -> Self {
            self.claims.as_object_mut().unwrap().remove(name);
            self
        }

        fn header(mut self, name: &str, value: Value) -> Self {
            self.header[name] = value;
            self
        }

        fn compact(&self) -> String {
            self.key.sign_bytes(self.header.to_string().as_bytes(), self.claims.to_string().as_bytes()).unwrap()
        }

        fn expected(&self) -> Expected<'_> {
            Expected {
                method: "GET",
                uri: &self.uri,
                now: Timestamp::from_second(NOW).unwrap(),
                access_token: Some(ACCESS_TOKEN),
                nonce: self.nonce,
            }
        }

        fn check(&self) -> Result<Proof, DpopError> {
            Proof::check(&self.compact(), &self.expected())
        }

        fn refusal(&self) -> Option<DpopError> {
            self.check().err()
        }
    }

    const RFC_9449_HEADER: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaH\
                                   gtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRs\
                                   Y3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";

    #[test]
    fn the_token_request_of_rfc_9449_is_accepted() {
        let payload = "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY2\
                       9tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ";
        let signature = "2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
        let expected = Expected {
            method: "POST",
            uri: &Url::parse("https://server.example.com/token").unwrap(),
            now: Timestamp::from_second(1_562_262_618).unwrap(),
            access_token: None,
            nonce: None,
        };
        let proof = Proof::check(&format!("{RFC_9449_HEADER}.{payload}.{signature}"), &expected).unwrap();
        assert_eq!(proof.jkt, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        assert_eq!(proof.jti, "-BwC3ESc6acc2lTc");
        assert_eq!(proof.iat.as_second(), 1_562_262_616);
    }

    #[test]
    fn the_resource_request_of_rfc_9449_is_accepted_with_its_token_only() {
        let payload = "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm\
                       9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhX\
                       WG9hTnk1OUlpS0NBcWtzbVFFbyJ9";
        let signature = "2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
        let proof = format!("{RFC_9449_HEADER}.{payload}.{signature}");
        let uri = Url::parse("https://resource.example.org/protectedresource").unwrap();
        let mut expected = Expected {
            method: "GET",
            uri: &uri,
            now: Timestamp::from_second(1_562_262_618).unwrap(),
            access_token: Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
            nonce: None,
        };
        assert!(Proof::check(&proof, &expected).is_ok());
        expected.access_token = Some("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxV");
        assert_eq!(Proof::check(&proof, &expected), Err(DpopError::AccessToken));
    }

    #[test]
    fn es256_ps256_and_eddsa_are_accepted() {
        for algorithm in ALGORITHMS {
            let case = Case::new(algorithm);
            assert_eq!(case.check().unwrap().jkt, case.key.public().thumbprint(), "{algorithm}");
        }
        assert_eq!(Case::new(Algorithm::EdDsa).header("alg", json!("Ed25519")).refusal(), None, "RFC 9864 name");
    }

    #[test]
    fn a_wrong_typ_is_refused() {
        for typ in [json!("JWT"), json!("dpop"), json!("application/dpop+jwt"), json!("")] {
            assert_eq!(Case::es256().header("typ", typ).refusal(), Some(DpopError::Typ));
        }
        let mut case = Case::es256();
        case.header.as_object_mut().unwrap().remove("typ");
        assert_eq!(case.refusal(), Some(DpopError::Typ));
    }

    #[test]
    fn alg_none_rs256_and_hs256_are_refused() {
        for alg in ["none", "RS256", "HS256", "ES384", ""] {
            assert_eq!(Case::es256().header("alg", json!(alg)).refusal(), Some(DpopError::Algorithm), "{alg}");
        }
        assert_eq!(Case::new(Algorithm::Rs256).refusal(), Some(DpopError::Algorithm), "even rightly signed");
    }

    #[test]
    fn an_alg_that_is_not_the_key_s_is_refused() {
        assert_eq!(Case::es256().header("alg", json!("PS256")).refusal(), Some(DpopError::Jose(JoseError::Key)));
    }

    #[test]
    fn a_proof_without_a_key_is_refused() {
        let mut case = Case::es256();
        case.header.as_object_mut().unwrap().remove("jwk");
        assert_eq!(case.refusal(), Some(DpopError::NoKey));
        assert_eq!(Case::es256().header("jwk", json!("key")).refusal(), Some(DpopError::Key(JwkError::NotAnObject)));
    }

    #[test]
    fn a_private_or_symmetric_key_is_refused() {
        let mut case = Case::es256();
        case.header["jwk"]["d"] = json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
        assert_eq!(case.refusal(), Some(DpopError::Key(JwkError::Private)));
        let symmetric = json!({"kty": "oct", "k": "AAAA"});
        assert_eq!(Case::es256().header("jwk", symmetric).refusal(), Some(DpopError::Key(JwkError::Private)));
    }

    #[test]
    fn a_bad_signature_is_refused() {
        let other = crate::signing::tests::key("other", Algorithm::Es256);
        let case = Case::es256().header("jwk", serde_json::to_value(other.public()).unwrap());
        assert_eq!(case.refusal(), Some(DpopError::Jose(JoseError::Signature)));
        let mut compact = Case::es256().compact();
        compact.truncate(compact.rfind('.').unwrap() + 1);
        assert_eq!(
            Proof::check(&compact, &Case::es256().expected()),
            Err(DpopError::Jose(JoseError::Signature)),
            "no signature at all"
        );
    }

    #[test]
    fn a_missing_empty_or_huge_jti_is_refused() {
        assert_eq!(Case::es256().without("jti").refusal(), Some(DpopError::Jti));
        for jti in [json!(""), json!(1), json!("j".repeat(257))] {
            assert_eq!(Case::es256().claim("jti", jti).refusal(), Some(DpopError::Jti));
        }
        assert_eq!(Case::es256().claim("jti", json!("j".repeat(256))).check().unwrap().jti.len(), 256);
    }

    #[test]
    fn a_missing_or_wrong_htm_is_refused() {
        assert_eq!(Case::es256().without("htm").refusal(), Some(DpopError::Method));
        for htm in ["POST", "get", "GET ", ""] {
            assert_eq!(Case::es256().claim("htm", json!(htm)).refusal(), Some(DpopError::Method), "{htm:?}");
        }
    }

    #[test]
    fn a_missing_or_wrong_htu_is_refused() {
        assert_eq!(Case::es256().without("htu").refusal(), Some(DpopError::Uri));
        for htu in [
            "https://idp.example/token",
            "https://idp.example/userinfo/",
            "https://idp.example/Userinfo",
            "http://idp.example/userinfo",
            "https://idp.example:8443/userinfo",
            "https://idp.example.org/userinfo",
            "https://idp.example@evil.example/userinfo",
            "https://someone@idp.example/userinfo",
            "https://idp.example/userinfo%2F",
            "/userinfo",
            "data:text/plain,https://idp.example/userinfo",
            "",
        ] {
            assert_eq!(Case::es256().claim("htu", json!(htu)).refusal(), Some(DpopError::Uri), "{htu}");
        }
    }

    #[test]
    fn htu_spelled_otherwise_is_accepted() {
        for htu in [
            "https://idp.example/userinfo?foo=bar",
            "https://idp.example/userinfo#fragment",
            "https://idp.example/userinfo?a=b#c",
            "HTTPS://idp.example/userinfo",
            "https://IDP.Example/userinfo",
            "https://idp.example:443/userinfo",
            "https://idp.example/./a/../userinfo",
            "https://idp.example/%75serinf%6F",
        ] {
            assert_eq!(Case::es256().claim("htu", json!(htu)).refusal(), None, "{htu}");
        }
    }

    #[test]
    fn percent_encoding_is_compared_after_normalisation() {
        let target = Url::parse("https://idp.example/a%2fb~%C3%A9%zz?query").unwrap();
        assert!(same_target("https://idp.example/a%2Fb%7e%c3%a9%zz", &target));
        assert!(!same_target("https://idp.example/a/b~%C3%A9%zz", &target), "an escaped slash is no slash");
    }

    #[test]
    fn iat_is_accepted_up_to_60_seconds_away() {
        for (offset, accepted) in [
            (0, true),
            (-10, true),
            (10, true),
            (-60, true),
            (60, true),
            (-61, false),
            (61, false),
            (-3600, false),
            (3600, false),
        ] {
            let refusal = Case::es256().claim("iat", json!(NOW + offset)).refusal();
            assert_eq!(refusal, if accepted { None } else { Some(DpopError::IssuedAt) }, "{offset}");
        }
    }

    #[test]
    fn a_missing_or_senseless_iat_is_refused() {
        assert_eq!(Case::es256().without("iat").refusal(), Some(DpopError::IssuedAt));
        for iat in [json!("1790000000"), json!(null), json!(i64::MAX), json!(i64::MIN), json!(1e300), json!(-1e300)] {
            assert_eq!(Case::es256().claim("iat", iat.clone()).refusal(), Some(DpopError::IssuedAt), "{iat}");
        }
        assert_eq!(Case::es256().claim("iat", json!(1_790_000_000.75)).check().unwrap().iat.as_second(), NOW);
    }

    #[test]
    fn a_missing_or_wrong_ath_is_refused_at_a_resource() {
        assert_eq!(Case::es256().without("ath").refusal(), Some(DpopError::AccessToken));
        let other = base64url::encode(&token::digest("other"));
        for ath in [json!(other), json!(ACCESS_TOKEN), json!("")] {
            assert_eq!(Case::es256().claim("ath", ath).refusal(), Some(DpopError::AccessToken));
        }
        let case = Case::es256().without("ath");
        let expected = Expected { access_token: None, ..case.expected() };
        assert!(Proof::check(&case.compact(), &expected).is_ok(), "not asked for where there is no token yet");
    }

    #[test]
    fn a_nonce_is_asked_for_last() {
        let mut case = Case::es256();
        case.nonce = Some("n-1");
        assert_eq!(case.refusal(), Some(DpopError::Nonce));
        case = case.claim("nonce", json!("n-0"));
        assert_eq!(case.refusal(), Some(DpopError::Nonce));
        case = case.claim("nonce", json!("n-1"));
        assert_eq!(case.refusal(), None);
        case = case.claim("htm", json!("PUT")).claim("nonce", json!("n-0"));
        assert_eq!(case.refusal(), Some(DpopError::Method));
        assert_eq!(Case::es256().claim("nonce", json!("unasked")).refusal(), None);
    }

    #[test]
    fn unknown_claims_exp_and_nbf_are_ignored() {
        let case =
            Case::es256().claim("exp", json!(NOW - 7200)).claim("nbf", json!(NOW + 7200)).claim("x", json!({"y": 1}));
        assert_eq!(case.refusal(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = Proof::check(&text, &Case::es256().expected());
            prop_assert!(Case::es256().claim("htu", json!(text)).refusal().is_some());
            let _ = normal_path(&text);
        }
    }
}
