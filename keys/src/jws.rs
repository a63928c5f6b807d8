//! Reading and verifying signed tokens in compact form (RFC 7515, RFC 7519, RFC 8725), and the half hashes of OpenID
//! Connect.
//!
//! The caller names the algorithm it expects; the token's own `alg` must agree and the key must be of that kind. So a
//! token can neither choose `none`, nor have a public key taken for an HMAC secret.

use std::fmt;
use std::str::FromStr;

use ring::digest::{SHA256, SHA512, digest};
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::jwk::{Jwk, Material};
use crate::secret::Secret;
use crate::{base64url, json};

/// Longest compact token read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// RFC 7518 §3.2: an HS256 secret is at least as long as the hash.
const MIN_HMAC_SECRET_BYTES: usize = 32;

/// The signature algorithms of this server (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// `EdDSA`, on Ed25519 only.
    EdDsa,
    /// HMAC with SHA-256, for clients that sign with their secret.
    Hs256,
}

impl Algorithm {
    /// The name in a JOSE header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A name that is none of our algorithms, `none` included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("signature algorithm not supported")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads a JOSE name, with its capitals. `Ed25519` (RFC 9864) reads as [`Algorithm::EdDsa`].
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        match name {
            "RS256" => Ok(Self::Rs256),
            "PS256" => Ok(Self::Ps256),
            "ES256" => Ok(Self::Es256),
            "EdDSA" | "Ed25519" => Ok(Self::EdDsa),
            "HS256" => Ok(Self::Hs256),
            _ => Err(UnknownAlgorithm),
        }
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Why a token is not read or not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JoseError {
    /// Longer than [`MAX_BYTES`].
    #[error("token longer than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not three parts separated by dots.
    #[error("not a compact token of three parts")]
    Parts,
    /// A part is not strict base64url without padding.
    #[error("part is not base64url")]
    Encoding,
    /// The header is no JSON object, repeats a member, lacks `alg`, or has a member of the wrong type.
    #[error("malformed header")]
    Header,
    /// The header lists extensions that must be understood (RFC 7515 §4.1.11); this server understands none.
    #[error("critical header extension")]
    Critical,
    /// The claims are no JSON object, or repeat a member.
    #[error("malformed claims")]
    Claims,
    /// The header's `alg` is not the one expected.
    #[error("unexpected signature algorithm")]
    Algorithm,
    /// The key is of another kind, or its owner reserves it for another use.
    #[error("key does not fit the signature algorithm")]
    Key,
    /// The HMAC secret is shorter than 32 bytes.
    #[error("secret too short for HS256")]
    WeakSecret,
    /// The signature is wrong.
    #[error("wrong signature")]
    Signature,
}

/// What a token says of itself. Nothing here is believed before the signature is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Algorithm name as written; may be one this server does not know, or `none`.
    pub alg: String,
    /// Key identifier.
    pub kid: Option<String>,
    /// Media type of the token, such as `JWT`, `at+jwt`, `dpop+jwt`.
    pub typ: Option<String>,
    /// Public key sent along. Never a reason to believe a token; only `DPoP` reads it.
    pub jwk: Option<Value>,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, JoseError> {
        let mut members = json::object(bytes).ok_or(JoseError::Header)?;
        if members.contains_key("crit") {
            return Err(JoseError::Critical);
        }
        let mut text = |name| match members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(JoseError::Header),
        };
        Ok(Self {
            alg: text("alg")?.ok_or(JoseError::Header)?,
            kid: text("kid")?,
            typ: text("typ")?,
            jwk: members.remove("jwk"),
        })
    }
}

/// A token that has been read but not believed.
#[derive(Clone)]
pub struct Unverified {
    header: Header,
    claims: Result<Map<String, Value>, JoseError>,
    /// Header and payload as they came: what is signed.
    signed: String,
    signature: Vec<u8>,
}

impl Unverified {
    /// Takes a compact token apart. A token with `alg` `none` is read, so that its sender gets a precise answer, and
    /// verifies with no key.
    ///
    /// # Errors
    /// [`JoseError::TooLarge`], [`JoseError::Parts`], [`JoseError::Encoding`], [`JoseError::Header`],
    /// [`JoseError::Critical`].
    pub fn parse(compact: &str) -> Result<Self, JoseError> {
        if compact.len() > MAX_BYTES {
            return Err(JoseError::TooLarge);
        }
        let (signed, signature) = compact.rsplit_once('.').ok_or(JoseError::Parts)?;
        let (header, payload) = signed.split_once('.').ok_or(JoseError::Parts)?;
        if payload.contains('.') {
            return Err(JoseError::Parts);
        }
        let decode = |part| base64url::decode(part).ok_or(JoseError::Encoding);
        let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
        Ok(Self {
            header: Header::parse(&header)?,
            claims: json::object(&payload).ok_or(JoseError::Claims),
            signed: signed.to_owned(),
            signature,
        })
    }

    /// What the token says of itself, for choosing a key.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The claims, not yet believed: for finding out whose key to ask for, and nothing else.
    ///
    /// # Errors
    /// [`JoseError::Claims`].
    pub fn claims_unverified(&self) -> Result<&Map<String, Value>, JoseError> {
        self.claims.as_ref().map_err(|error| *error)
    }

    /// Verifies the signature with a public key and gives the claims. Times, issuer and audience are the caller's to
    /// check.
    ///
    /// # Errors
    /// [`JoseError::Algorithm`] when the header names another algorithm, or `algorithm` is HS256; [`JoseError::Key`],
    /// [`JoseError::Signature`], [`JoseError::Claims`].
    pub fn verify(&self, key: &Jwk, algorithm: Algorithm) -> Result<Map<String, Value>, JoseError> {
        self.verify_signature(key, algorithm)?;
        self.claims_unverified().cloned()
    }

    /// Verifies the HS256 signature made with a client's secret (`client_secret_jwt`, OpenID Connect Core §9).
    ///
    /// # Errors
    /// [`JoseError::Algorithm`] when the header does not say HS256; [`JoseError::WeakSecret`] under 32 bytes;
    /// [`JoseError::Signature`], [`JoseError::Claims`].
    pub fn verify_hmac(&self, secret: &Secret<String>) -> Result<Map<String, Value>, JoseError> {
        self.verify_mac(secret.expose().as_bytes())?;
        self.claims_unverified().cloned()
    }

    fn expect(&self, algorithm: Algorithm) -> Result<(), JoseError> {
        if self.header.alg.parse() == Ok(algorithm) { Ok(()) } else { Err(JoseError::Algorithm) }
    }

    fn verify_signature(&self, key: &Jwk, algorithm: Algorithm) -> Result<(), JoseError> {
        self.expect(algorithm)?;
        if !key.fits(algorithm) {
            return Err(JoseError::Key);
        }
        let (signed, signature) = (self.signed.as_bytes(), self.signature.as_slice());
        let verified = match (key.material(), algorithm) {
            (Material::Rsa { n, e }, Algorithm::Rs256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            }
            (Material::Rsa { n, e }, Algorithm::Ps256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, signed, signature)
            }
            (Material::P256 { x, y }, Algorithm::Es256) => {
                let mut point = [4; 65];
                point[1..33].copy_from_slice(x);
                point[33..].copy_from_slice(y);
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            (Material::Ed25519 { x }, Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, x).verify(signed, signature)
            }
            _ => return Err(JoseError::Key),
        };
        verified.map_err(|_| JoseError::Signature)
    }

    fn verify_mac(&self, secret: &[u8]) -> Result<(), JoseError> {
        self.expect(Algorithm::Hs256)?;
        if secret.len() < MIN_HMAC_SECRET_BYTES {
            return Err(JoseError::WeakSecret);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::verify(&key, self.signed.as_bytes(), &self.signature).map_err(|_| JoseError::Signature)
    }
}

impl fmt::Debug for Unverified {
    /// Shows the header only: claims name people, and the whole is often a credential.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Unverified").field("header", &self.header).finish_non_exhaustive()
    }
}

/// The left half of the hash of `value`, in base64url: `at_hash`, `c_hash`, `s_hash` of an ID token signed with
/// `algorithm` (OpenID Connect Core §3.1.3.6, §3.3.2.11; FAPI 1 part 2 §5.1).
///
/// The hash is the one of the signature: SHA-256, but SHA-512 for `EdDSA`, since Ed25519 hashes with it (RFC 8032
/// §5.1). Relying parties compute it so, and refuse the token otherwise.
pub fn half_hash(algorithm: Algorithm, value: &str) -> String {
    let hash = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 | Algorithm::Hs256 => digest(&SHA256, value.as_bytes()),
        Algorithm::EdDsa => digest(&SHA512, value.as_bytes()),
    };
    let hash = hash.as_ref();
    base64url::encode(&hash[..hash.len() / 2])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Payload of RFC 7515 appendix A.
    const RFC_7515_PAYLOAD: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    fn rfc_7515_claims() -> Value {
        json!({"iss": "joe", "exp": 1_300_819_380, "http://example.com/is_root": true})
    }

    fn key(value: Value) -> Jwk {
        serde_json::from_value(value).unwrap()
    }

    fn token(header: &str, payload: &str, signature: &[u8]) -> String {
        let [header, payload, signature] = [header.as_bytes(), payload.as_bytes(), signature].map(base64url::encode);
        format!("{header}.{payload}.{signature}")
    }

    fn hmac_token(header: &str, payload: &str, secret: &[u8]) -> String {
        let signed = token(header, payload, b"");
        let signed = signed.strip_suffix('.').unwrap();
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        format!("{signed}.{}", base64url::encode(mac.as_ref()))
    }

    fn rfc_7515_a2() -> (Unverified, Jwk) {
        let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5\
                         jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb\
                         1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO\
                         YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR\
                 T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB\
                 dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia\
                 GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
        let token = format!("eyJhbGciOiJSUzI1NiJ9.{RFC_7515_PAYLOAD}.{signature}");
        (Unverified::parse(&token).unwrap(), key(json!({"kty": "RSA", "n": n, "e": "AQAB"})))
    }

    fn rfc_7515_a3() -> (Unverified, Jwk) {
        let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        let token = format!("eyJhbGciOiJFUzI1NiJ9.{RFC_7515_PAYLOAD}.{signature}");
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
        (Unverified::parse(&token).unwrap(), key(json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})))
    }

    fn ed25519() -> Jwk {
        key(json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}))
    }

    #[test]
    fn the_hs256_example_of_rfc_7515_a_1_verifies() {
        let token = format!(
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_7515_PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
        let token = Unverified::parse(&token).unwrap();
        let mut secret =
            base64url::decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
                .unwrap();
        assert_eq!(token.verify_mac(&secret), Ok(()));
        assert_eq!(token.header().typ.as_deref(), Some("JWT"));
        secret[0] ^= 1;
        assert_eq!(token.verify_mac(&secret), Err(JoseError::Signature));
    }

    #[test]
    fn the_rs256_and_es256_examples_of_rfc_7515_verify() {
        let (token, key) = rfc_7515_a2();
        assert_eq!(token.verify(&key, Algorithm::Rs256).map(Value::from), Ok(rfc_7515_claims()));
        let (token, key) = rfc_7515_a3();
        assert_eq!(token.verify(&key, Algorithm::Es256).map(Value::from), Ok(rfc_7515_claims()));
    }

    #[test]
    fn the_eddsa_example_of_rfc_8037_a_5_verifies() {
        let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let token = Unverified::parse(&format!("{signed}.{signature}")).unwrap();
        assert_eq!(token.verify_signature(&ed25519(), Algorithm::EdDsa), Ok(()));
        assert_eq!(token.verify(&ed25519(), Algorithm::EdDsa), Err(JoseError::Claims), "its payload is plain text");
    }

    #[test]
    fn a_token_verifies_with_no_key_but_its_own() {
        let (rs256, rsa) = rfc_7515_a2();
        let (es256, p256) = rfc_7515_a3();
        assert_eq!(rs256.verify(&p256, Algorithm::Rs256), Err(JoseError::Key));
        assert_eq!(rs256.verify(&p256, Algorithm::Es256), Err(JoseError::Algorithm));
        assert_eq!(rs256.verify(&rsa, Algorithm::Ps256), Err(JoseError::Algorithm));
        assert_eq!(es256.verify(&rsa, Algorithm::Es256), Err(JoseError::Key));
        assert_eq!(es256.verify(&ed25519(), Algorithm::Es256), Err(JoseError::Key));
        assert_eq!(es256.verify(&p256, Algorithm::EdDsa), Err(JoseError::Algorithm));
    }

    #[test]
    fn an_es256_token_that_claims_rs256_is_refused_by_every_key() {
        let (es256, p256) = rfc_7515_a3();
        let (_, rsa) = rfc_7515_a2();
        let claiming = Unverified::parse(&token(r#"{"alg":"RS256"}"#, "{}", &es256.signature)).unwrap();
        assert_eq!(claiming.verify(&p256, Algorithm::Rs256), Err(JoseError::Key));
        assert_eq!(claiming.verify(&p256, Algorithm::Es256), Err(JoseError::Algorithm));
        assert_eq!(claiming.verify(&rsa, Algorithm::Rs256), Err(JoseError::Signature));
    }

    #[test]
    fn a_public_key_never_serves_as_an_hmac_secret() {
        let (_, rsa) = rfc_7515_a2();
        let public_key = serde_json::to_string(&rsa).unwrap();
        let forged = Unverified::parse(&hmac_token(r#"{"alg":"HS256"}"#, "{}", public_key.as_bytes())).unwrap();
        assert_eq!(forged.verify(&rsa, Algorithm::Rs256), Err(JoseError::Algorithm));
        assert_eq!(forged.verify(&rsa, Algorithm::Hs256), Err(JoseError::Key));
    }

    #[test]
    fn alg_none_is_read_and_never_verifies() {
        for name in ["none", "None", "NONE", "nOnE", ""] {
            let token = Unverified::parse(&token(&format!(r#"{{"alg":"{name}"}}"#), r#"{"sub":"x"}"#, b"")).unwrap();
            assert_eq!(token.header().alg, name);
            assert_eq!(token.claims_unverified().unwrap()["sub"], "x");
            for (_, key) in [rfc_7515_a2(), rfc_7515_a3()] {
                for algorithm in
                    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa, Algorithm::Hs256]
                {
                    assert!(token.verify(&key, algorithm).is_err());
                }
            }
            assert_eq!(token.verify_hmac(&Secret::from("s".repeat(43))), Err(JoseError::Algorithm));
        }
    }

    #[test]
    fn a_client_secret_of_31_bytes_is_refused() {
        let verify = |length: usize| {
            let secret = "s".repeat(length);
            let token = hmac_token(r#"{"alg":"HS256"}"#, r#"{"sub":"x"}"#, secret.as_bytes());
            Unverified::parse(&token).unwrap().verify_hmac(&Secret::from(secret))
        };
        assert_eq!(verify(31), Err(JoseError::WeakSecret));
        assert_eq!(verify(32).unwrap()["sub"], "x");
    }

    #[test]
    fn a_token_of_any_other_shape_is_refused() {
        let parse = |text: &str| Unverified::parse(text).err();
        assert_eq!(parse(""), Some(JoseError::Parts));
        assert_eq!(parse("e30.e30"), Some(JoseError::Parts));
        assert_eq!(parse("e30.e30.e30.e30"), Some(JoseError::Parts));
        assert_eq!(parse("e30.e30.e30.e30.e30"), Some(JoseError::Parts), "encrypted token");
        assert_eq!(parse("eyJhbGciOiJFUzI1NiJ9=.e30.AA"), Some(JoseError::Encoding));
        assert_eq!(parse("eyJhbGciOiJFUzI1NiJ9.e30.AB"), Some(JoseError::Encoding), "stray bits");
        assert_eq!(parse(" eyJhbGciOiJFUzI1NiJ9.e30.AA"), Some(JoseError::Encoding));
        let header = |header| parse(&token(header, "{}", b"x"));
        assert_eq!(header(r#"{"alg":"ES256"}"#), None);
        assert_eq!(header("{}"), Some(JoseError::Header));
        assert_eq!(header(r#"{"alg":1}"#), Some(JoseError::Header));
        assert_eq!(header(r#"{"alg":"ES256","kid":1}"#), Some(JoseError::Header));
        assert_eq!(header(r#"["ES256"]"#), Some(JoseError::Header));
        assert_eq!(header(r#"{"alg":"none","alg":"ES256"}"#), Some(JoseError::Header), "duplicate member");
        assert_eq!(header(r#"{"alg":"ES256","crit":["exp"]}"#), Some(JoseError::Critical));
        assert_eq!(header(r#"{"alg":"ES256","crit":null}"#), Some(JoseError::Critical));
    }

    #[test]
    fn claims_that_repeat_a_member_are_refused() {
        let secret = "s".repeat(32);
        for payload in [r#"{"sub":"a","sub":"b"}"#, "[]", "\"sub\"", "", r#"{"a":{"b":1,"b":1}}"#] {
            let token = hmac_token(r#"{"alg":"HS256"}"#, payload, secret.as_bytes());
            let token = Unverified::parse(&token).unwrap();
            assert_eq!(token.claims_unverified(), Err(JoseError::Claims));
            assert_eq!(token.verify_hmac(&Secret::from(secret.clone())), Err(JoseError::Claims));
        }
    }

    #[test]
    fn a_token_over_16_kib_is_refused_unread() {
        let token = |length: usize| format!("eyJhbGciOiJFUzI1NiJ9.{}.AA", "A".repeat(length - 24));
        assert!(Unverified::parse(&token(MAX_BYTES)).is_ok());
        assert_eq!(Unverified::parse(&token(MAX_BYTES + 1)).err(), Some(JoseError::TooLarge));
    }

    #[test]
    fn debug_shows_no_claim() {
        let token = Unverified::parse(&token(r#"{"alg":"ES256"}"#, r#"{"sub":"jeanne"}"#, b"x")).unwrap();
        assert!(!format!("{token:?}").contains("jeanne"));
    }

    #[test]
    fn ed25519_is_read_as_eddsa_and_written_as_eddsa() {
        let read: Vec<Algorithm> =
            serde_json::from_str(r#"["RS256","PS256","ES256","EdDSA","Ed25519","HS256"]"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["RS256","PS256","ES256","EdDSA","EdDSA","HS256"]"#);
        for name in ["none", "rs256", "ES384", "Ed448", ""] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm));
        }
    }

    #[test]
    fn half_hashes_are_those_of_the_specifications() {
        // OpenID Connect Core appendix A.3: at_hash and c_hash of its RS256 examples.
        let access_token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(Algorithm::Rs256, access_token), "77QmUPtjPfzWtF2AnpK9RQ");
        let code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
        assert_eq!(half_hash(Algorithm::Es256, code), "LDktKdoQak3Pk0cnXxCltA");
        assert_eq!(half_hash(Algorithm::EdDsa, access_token), "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM", "SHA-512");
    }

    proptest! {
        #[test]
        fn no_text_makes_parsing_panic(text in ".{0,300}", header in ".{0,60}", payload in ".{0,60}") {
            let _ = Unverified::parse(&text);
            let _ = Unverified::parse(&token(&header, &payload, b"x"));
            let _ = Unverified::parse(&token(&format!(r#"{{"alg":"ES256","kid":"{header}"}}"#), &payload, b"x"));
        }

        #[test]
        fn any_signature_bytes_are_refused(signature in proptest::collection::vec(any::<u8>(), 0..300)) {
            for (algorithm, (_, key)) in [(Algorithm::Rs256, rfc_7515_a2()), (Algorithm::Es256, rfc_7515_a3())] {
                let token = Unverified::parse(&token(&format!(r#"{{"alg":"{algorithm}"}}"#), "{}", &signature)).unwrap();
                prop_assert_eq!(token.verify(&key, algorithm), Err(JoseError::Signature));
            }
        }
    }
}
