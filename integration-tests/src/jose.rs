//! The little of JOSE that tests need: reading a token's parts, bending them, and signing client assertions
//! (RFC 7515, RFC 7523). Verification is left to `openidconnect`, an implementation that is not ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, SHA384, SHA512, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Value, json};

/// Unpadded base64url.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of unpadded base64url.
pub fn from_base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap_or_else(|_| panic!("not unpadded base64url: {text}"))
}

/// The S256 challenge of a PKCE verifier (RFC 7636 §4.2).
pub fn s256(verifier: &str) -> String {
    base64url(digest(&SHA256, verifier.as_bytes()))
}

/// The left half of the hash that goes with `alg`: `at_hash` of an access token (OpenID Connect Core §3.1.3.6).
pub fn left_half_hash(alg: &str, value: &str) -> String {
    let algorithm = match alg {
        "EdDSA" => &SHA512,
        _ if alg.ends_with("384") => &SHA384,
        _ if alg.ends_with("512") => &SHA512,
        _ => &SHA256,
    };
    let hash = digest(algorithm, value.as_bytes());
    base64url(&hash.as_ref()[..hash.as_ref().len() / 2])
}

/// The header of a compact JWS.
pub fn header(token: &str) -> Value {
    part(token, 0)
}

/// The claims of a compact JWS, not verified.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, index: usize) -> Value {
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "not a compact JWS: {token}");
    serde_json::from_slice(&from_base64url(parts[index])).expect("a JSON object in each part of a JWS")
}

/// The same token with one claim changed and the old signature kept.
pub fn with_claim(token: &str, name: &str, value: Value) -> String {
    let mut claims = claims(token);
    claims[name] = value;
    let parts: Vec<&str> = token.split('.').collect();
    format!("{}.{}.{}", parts[0], base64url(claims.to_string()), parts[2])
}

/// The same claims under `alg: none`, without a signature.
pub fn unsigned(token: &str) -> String {
    let claims = token.split('.').nth(1).expect("a compact JWS");
    format!("{}.{claims}.", base64url(json!({ "alg": "none", "typ": "JWT" }).to_string()))
}

/// The same token with one bit of its signature turned.
pub fn with_broken_signature(token: &str) -> String {
    let (rest, signature) = token.rsplit_once('.').expect("a compact JWS");
    let mut bytes = from_base64url(signature);
    bytes[0] ^= 1;
    format!("{rest}.{}", base64url(bytes))
}

/// A private key that signs compact JWS.
#[derive(Debug)]
pub struct SigningKey {
    kind: Kind,
    kid: Option<String>,
}

#[derive(Debug)]
enum Kind {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl SigningKey {
    /// The key of a private JWK: P-256 or Ed25519 (RFC 7517, RFC 8037).
    pub fn from_jwk(jwk: &Value) -> Self {
        let member = |name: &str| {
            from_base64url(
                jwk[name].as_str().unwrap_or_else(|| panic!("the private JWK has no {name}: {}", jwk["kty"])),
            )
        };
        let kind = match (jwk["kty"].as_str(), jwk["crv"].as_str()) {
            (Some("EC"), Some("P-256")) => {
                let public = [&[4][..], &member("x"), &member("y")].concat();
                Kind::Es256(
                    EcdsaKeyPair::from_private_key_and_public_key(
                        &ECDSA_P256_SHA256_FIXED_SIGNING,
                        &member("d"),
                        &public,
                        &SystemRandom::new(),
                    )
                    .expect("a P-256 key pair"),
                )
            }
            (Some("OKP"), Some("Ed25519")) => Kind::EdDsa(
                Ed25519KeyPair::from_seed_and_public_key(&member("d"), &member("x")).expect("an Ed25519 key pair"),
            ),
            other => panic!("a client key of this kind is not supported by the harness: {other:?}"),
        };
        Self { kind, kid: jwk["kid"].as_str().map(str::to_owned) }
    }

    /// A fresh P-256 key, known to nobody.
    pub fn generate() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a P-256 key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
            .expect("the key just made");
        assert_eq!(pair.public_key().as_ref().len(), 65);
        Self { kind: Kind::Es256(pair), kid: None }
    }

    /// The same key, announcing this `kid`.
    #[must_use]
    pub fn announcing(mut self, kid: &str) -> Self {
        self.kid = Some(kid.to_owned());
        self
    }

    /// The name of its algorithm.
    pub fn alg(&self) -> &'static str {
        match self.kind {
            Kind::Es256(_) => "ES256",
            Kind::EdDsa(_) => "EdDSA",
        }
    }

    /// The public half as a JWK, without `kid`.
    pub fn public_jwk(&self) -> Value {
        match &self.kind {
            Kind::Es256(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "x": base64url(&point[1..33]), "y": base64url(&point[33..]) })
            }
            Kind::EdDsa(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key().as_ref()) })
            }
        }
    }

    /// The thumbprint of the key (RFC 7638).
    pub fn thumbprint(&self) -> String {
        let jwk = self.public_jwk();
        let canonical = match self.kind {
            Kind::Es256(_) => format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]),
            Kind::EdDsa(_) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":{}}}"#, jwk["x"]),
        };
        base64url(digest(&SHA256, canonical.as_bytes()))
    }

    /// A compact JWS over `claims`.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({ "typ": "JWT" }), claims)
    }

    /// A compact JWS over `claims` with these members in its header; `alg` and `kid` are added where they are not there.
    pub fn sign_with(&self, members: &Value, claims: &Value) -> String {
        let mut header = json!({ "alg": self.alg() });
        if let Some(kid) = &self.kid {
            header["kid"] = json!(kid);
        }
        for (name, value) in members.as_object().expect("a header is an object") {
            header[name] = value.clone();
        }
        let input = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = match &self.kind {
            Kind::Es256(pair) => {
                pair.sign(&SystemRandom::new(), input.as_bytes()).expect("a signature").as_ref().to_vec()
            }
            Kind::EdDsa(pair) => pair.sign(input.as_bytes()).as_ref().to_vec(),
        };
        format!("{input}.{}", base64url(signature))
    }
}

/// A compact JWS under HMAC-SHA-256 of `secret`, whatever the header says.
pub fn sign_mac(secret: &str, header: &Value, claims: &Value) -> String {
    let input = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    format!("{input}.{}", base64url(ring::hmac::sign(&key, input.as_bytes())))
}

/// Asserts that the public key `jwk` verifies a compact JWS.
#[track_caller]
pub fn assert_signed(token: &str, jwk: &Value) {
    let member = |name: &str| from_base64url(jwk[name].as_str().unwrap_or_else(|| panic!("no {name} in {jwk}")));
    let (signed, signature) = token.rsplit_once('.').expect("a compact JWS");
    let (signed, signature) = (signed.as_bytes(), from_base64url(signature));
    let verified = match header(token)["alg"].as_str() {
        Some("ES256") => {
            let key = [&[4][..], &member("x"), &member("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(signed, &signature)
        }
        Some("EdDSA") => UnparsedPublicKey::new(&ED25519, member("x")).verify(signed, &signature),
        Some("RS256") => RsaPublicKeyComponents { n: member("n"), e: member("e") }.verify(
            &RSA_PKCS1_2048_8192_SHA256,
            signed,
            &signature,
        ),
        other => panic!("the harness does not verify {other:?}"),
    };
    assert!(verified.is_ok(), "the signature does not verify: {}", header(token));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_of_the_standard_comes_out() {
        // RFC 7636 appendix B.
        assert_eq!(s256("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn bent_tokens_differ_from_the_good_one_where_they_should() {
        let good = SigningKey::generate().announcing("k").sign(&json!({ "sub": "a" }));
        assert_eq!((header(&good)["kid"].as_str(), claims(&good)["sub"].as_str()), (Some("k"), Some("a")));
        assert_eq!(claims(&with_claim(&good, "sub", json!("b")))["sub"], "b");
        assert_eq!(claims(&with_broken_signature(&good)), claims(&good));
        assert_ne!(with_broken_signature(&good), good);
        assert_eq!(header(&unsigned(&good))["alg"], "none");
        assert!(unsigned(&good).ends_with('.'));
    }
}
