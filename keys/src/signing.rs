//! The keys this server signs with: made, kept as PKCS#8, used (RFC 7515, RFC 5958; NIST SP 800-131A for sizes).
//!
//! Signing is *ring*'s alone. *ring* cannot make RSA keys, so `rsa` finds the primes once and hands over PKCS#8; its
//! own private-key arithmetic, which leaks through timing (RUSTSEC-2023-0071), is never used.

use std::fmt;
use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use rsa::pkcs8::EncodePrivateKey as _;
use serde::Serialize;
use thiserror::Error;

use crate::base64url;
use crate::jwk::{Jwk, Material};
use crate::jws::Algorithm;
use crate::secret::Secret;

/// Size of the RSA keys made here. Larger ones, up to 4096 bits, can be brought along.
const RSA_BITS: usize = 2048;

/// Why a key cannot be made, read, or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// HS256 has no key pair.
    #[error("a symmetric algorithm has no key pair")]
    Symmetric,
    /// The key could not be generated.
    #[error("key generation failed")]
    Generation,
    /// Not PKCS#8 of a key of this algorithm, inconsistent, or RSA outside 2048 to 4096 bits.
    #[error("private key rejected")]
    Rejected,
    /// The key identifier is empty or longer than 256 bytes.
    #[error("key identifier empty or too long")]
    Kid,
    /// The key is of another type than the algorithm asked for.
    #[error("key does not fit the signature algorithm")]
    Algorithm,
    /// The claims do not serialize to a JSON object.
    #[error("claims are not a JSON object")]
    Claims,
    /// Signing failed, for want of randomness.
    #[error("signing failed")]
    Signing,
}

/// A private key ready to sign with one algorithm. Cheap to clone, shared between threads.
#[derive(Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
    public: Jwk,
    /// `{"alg":"…","kid":"…"`, to be closed or continued.
    header_start: String,
}

#[derive(Clone)]
enum Pair {
    Rsa(Arc<RsaKeyPair>),
    P256(Arc<EcdsaKeyPair>),
    Ed25519(Arc<Ed25519KeyPair>),
}

impl SigningKey {
    /// Makes a private key for `algorithm` as PKCS#8 DER, to be [sealed](crate::seal) and stored.
    ///
    /// An RSA key (2048 bits) takes from 50 ms to half a second: not on a request's thread. The others take
    /// microseconds.
    ///
    /// # Errors
    /// [`KeyError::Symmetric`] for HS256, [`KeyError::Generation`].
    pub fn generate(algorithm: Algorithm) -> Result<Secret<Vec<u8>>, KeyError> {
        let random = SystemRandom::new();
        let pkcs8 = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                // Both the key and its encoding wipe themselves when dropped.
                rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, RSA_BITS)
                    .ok()
                    .and_then(|key| key.to_pkcs8_der().ok())
                    .map(|der| der.as_bytes().to_vec())
            }
            Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                .ok()
                .map(|der| der.as_ref().to_vec()),
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random).ok().map(|der| der.as_ref().to_vec()),
            Algorithm::Hs256 => return Err(KeyError::Symmetric),
        };
        pkcs8.map(Secret::new).ok_or(KeyError::Generation)
    }

    /// Reads a private key made by [`generate`](Self::generate), or brought along as PKCS#8 DER.
    ///
    /// # Errors
    /// [`KeyError::Symmetric`] for HS256, [`KeyError::Rejected`], [`KeyError::Kid`].
    pub fn from_pkcs8(kid: &str, algorithm: Algorithm, pkcs8: &Secret<Vec<u8>>) -> Result<Self, KeyError> {
        if kid.is_empty() || kid.len() > 256 {
            return Err(KeyError::Kid);
        }
        let der = pkcs8.expose();
        let (pair, material) = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| KeyError::Rejected)?;
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                let material = Material::rsa(n, e).map_err(|_| KeyError::Rejected)?;
                (Pair::Rsa(Arc::new(pair)), material)
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new())
                    .map_err(|_| KeyError::Rejected)?;
                let point: [u8; 65] = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Rejected)?;
                let (mut x, mut y) = ([0; 32], [0; 32]);
                x.copy_from_slice(&point[1..33]);
                y.copy_from_slice(&point[33..]);
                (Pair::P256(Arc::new(pair)), Material::P256 { x, y })
            }
            Algorithm::EdDsa => {
                // Keys from other tools may leave the public half out; what they hold is still checked when present.
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::Rejected)?;
                let x = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Rejected)?;
                (Pair::Ed25519(Arc::new(pair)), Material::Ed25519 { x })
            }
            Algorithm::Hs256 => return Err(KeyError::Symmetric),
        };
        let header_start = header_start(algorithm, kid)?;
        Ok(Self { algorithm, pair, public: Jwk::published(material, kid), header_start })
    }

    /// The same key signing with another algorithm of its type: one RSA key serves both RS256 and PS256 under one
    /// `kid`.
    ///
    /// # Errors
    /// [`KeyError::Algorithm`] when the key is of another type.
    pub fn with_algorithm(&self, algorithm: Algorithm) -> Result<Self, KeyError> {
        if !self.public.fits(algorithm) {
            return Err(KeyError::Algorithm);
        }
        let header_start = header_start(algorithm, self.kid())?;
        Ok(Self { algorithm, header_start, ..self.clone() })
    }

    /// The algorithm this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key's identifier, in the header of all it signs.
    pub fn kid(&self) -> &str {
        self.public.kid().unwrap_or_default()
    }

    /// The public half, as published in the JWKS.
    pub fn public(&self) -> &Jwk {
        &self.public
    }

    /// Signs claims as a compact JWS with `alg`, `kid`, and `typ` when given (`at+jwt`, `logout+jwt`…).
    ///
    /// # Errors
    /// [`KeyError::Claims`] when they are no JSON object, [`KeyError::Signing`].
    pub fn sign(&self, typ: Option<&str>, claims: &impl Serialize) -> Result<String, KeyError> {
        let mut header = Vec::with_capacity(self.header_start.len() + 24);
        header.extend_from_slice(self.header_start.as_bytes());
        if let Some(typ) = typ {
            header.extend_from_slice(b",\"typ\":");
            serde_json::to_writer(&mut header, typ).map_err(|_| KeyError::Claims)?;
        }
        header.push(b'}');
        let payload = serde_json::to_vec(claims).map_err(|_| KeyError::Claims)?;
        if payload.first() != Some(&b'{') {
            return Err(KeyError::Claims);
        }
        self.sign_bytes(&header, &payload)
    }

    pub(crate) fn sign_bytes(&self, header: &[u8], payload: &[u8]) -> Result<String, KeyError> {
        let signature_bytes = match &self.pair {
            Pair::Rsa(pair) => pair.public().modulus_len(),
            Pair::P256(_) | Pair::Ed25519(_) => 64,
        };
        let mut token = String::with_capacity((header.len() + payload.len() + signature_bytes) * 4 / 3 + 8);
        base64url::encode_onto(header, &mut token);
        token.push('.');
        base64url::encode_onto(payload, &mut token);
        match &self.pair {
            Pair::Rsa(pair) => {
                let encoding: &dyn RsaEncoding =
                    if self.algorithm == Algorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; signature_bytes];
                pair.sign(encoding, &SystemRandom::new(), token.as_bytes(), &mut signature)
                    .map_err(|_| KeyError::Signing)?;
                token.push('.');
                base64url::encode_onto(&signature, &mut token);
            }
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), token.as_bytes()).map_err(|_| KeyError::Signing)?;
                token.push('.');
                base64url::encode_onto(signature.as_ref(), &mut token);
            }
            Pair::Ed25519(pair) => {
                let signature = pair.sign(token.as_bytes());
                token.push('.');
                base64url::encode_onto(signature.as_ref(), &mut token);
            }
        }
        Ok(token)
    }
}

fn header_start(algorithm: Algorithm, kid: &str) -> Result<String, KeyError> {
    let kid = serde_json::to_string(kid).map_err(|_| KeyError::Kid)?;
    Ok(format!(r#"{{"alg":"{algorithm}","kid":{kid}"#))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SigningKey")
            .field("kid", &self.kid())
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::jws::{JoseError, Unverified};

    const ASYMMETRIC: [Algorithm; 4] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

    static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| {
        let rsa = key("rsa", Algorithm::Rs256);
        vec![
            rsa.with_algorithm(Algorithm::Ps256).unwrap(),
            rsa,
            key("p256", Algorithm::Es256),
            key("ed25519", Algorithm::EdDsa),
        ]
    });

    pub(crate) fn key(kid: &str, algorithm: Algorithm) -> SigningKey {
        SigningKey::from_pkcs8(kid, algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap()
    }

    pub(crate) fn shared(algorithm: Algorithm) -> &'static SigningKey {
        KEYS.iter().find(|key| key.algorithm() == algorithm).unwrap()
    }

    #[test]
    fn what_a_key_signs_its_public_half_verifies() {
        let claims = json!({"sub": "usr_1", "nested": {"é": [1, null]}});
        for algorithm in ASYMMETRIC {
            let key = shared(algorithm);
            let compact = key.sign(Some("at+jwt"), &claims).unwrap();
            let token = Unverified::parse(&compact).unwrap();
            assert_eq!(token.header().alg, algorithm.as_str());
            assert_eq!(token.header().kid.as_deref(), Some(key.kid()));
            assert_eq!(token.header().typ.as_deref(), Some("at+jwt"));
            assert_eq!(token.verify(key.public(), algorithm).map(Value::from), Ok(claims.clone()), "{algorithm}");

            let untyped = Unverified::parse(&key.sign(None, &claims).unwrap()).unwrap();
            assert_eq!(untyped.header().typ, None);
            assert!(untyped.verify(key.public(), algorithm).is_ok());
        }
    }

    #[test]
    fn another_key_of_the_same_kind_verifies_nothing() {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let token = Unverified::parse(&shared(algorithm).sign(None, &json!({})).unwrap()).unwrap();
            let other = key("other", algorithm);
            assert_eq!(token.verify(other.public(), algorithm), Err(JoseError::Signature));
        }
    }

    #[test]
    fn a_signature_of_one_rsa_padding_is_not_taken_for_the_other() {
        for (algorithm, other) in [(Algorithm::Rs256, Algorithm::Ps256), (Algorithm::Ps256, Algorithm::Rs256)] {
            let header = format!(r#"{{"alg":"{other}"}}"#);
            let token = shared(algorithm).sign_bytes(header.as_bytes(), b"{}").unwrap();
            let token = Unverified::parse(&token).unwrap();
            assert_eq!(token.verify(shared(algorithm).public(), other), Err(JoseError::Signature));
        }
    }

    #[test]
    fn one_rsa_key_serves_rs256_and_ps256_and_is_published_once() {
        let (rs256, ps256) = (shared(Algorithm::Rs256), shared(Algorithm::Ps256));
        assert_eq!(rs256.public(), ps256.public());
        assert_eq!(rs256.public().alg(), None);
        assert_eq!(shared(Algorithm::Es256).public().alg(), Some("ES256"));
        assert_eq!(shared(Algorithm::EdDsa).public().alg(), Some("EdDSA"));
        assert_eq!(rs256.with_algorithm(Algorithm::Es256).err(), Some(KeyError::Algorithm));
        assert_eq!(rs256.with_algorithm(Algorithm::Hs256).err(), Some(KeyError::Algorithm));
    }

    #[test]
    fn a_published_key_holds_no_private_member() {
        for key in KEYS.iter() {
            let written = serde_json::to_value(key.public()).unwrap();
            assert_eq!(&Jwk::from_value(&written).unwrap(), key.public());
            assert_eq!((&written["kid"], &written["use"]), (&json!(key.kid()), &json!("sig")));
        }
    }

    #[test]
    fn ed25519_signs_as_rfc_8037_a_4_shows() {
        let seed = base64url::decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        // RFC 8410 §7: PKCS#8 of an Ed25519 seed.
        let mut der =
            vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        der.extend(seed);
        let key = SigningKey::from_pkcs8("k", Algorithm::EdDsa, &Secret::new(der)).unwrap();
        assert_eq!(key.public().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(
            key.sign_bytes(br#"{"alg":"EdDSA"}"#, b"Example of Ed25519 signing").unwrap(),
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbh\
             ijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn a_key_of_another_type_or_a_small_rsa_key_is_rejected() {
        let es256 = SigningKey::generate(Algorithm::Es256).unwrap();
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa] {
            assert_eq!(SigningKey::from_pkcs8("k", algorithm, &es256).err(), Some(KeyError::Rejected));
        }
        let small = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap().to_pkcs8_der().unwrap();
        let small = Secret::new(small.as_bytes().to_vec());
        assert_eq!(SigningKey::from_pkcs8("k", Algorithm::Rs256, &small).err(), Some(KeyError::Rejected));
        let nothing = Secret::new(Vec::new());
        for algorithm in ASYMMETRIC {
            assert_eq!(SigningKey::from_pkcs8("k", algorithm, &nothing).err(), Some(KeyError::Rejected));
        }
        assert_eq!(SigningKey::from_pkcs8("k", Algorithm::Hs256, &es256).err(), Some(KeyError::Symmetric));
        assert_eq!(SigningKey::generate(Algorithm::Hs256).err(), Some(KeyError::Symmetric));
        assert_eq!(SigningKey::from_pkcs8("", Algorithm::Es256, &es256).err(), Some(KeyError::Kid));
    }

    #[test]
    fn only_an_object_is_signed() {
        let key = shared(Algorithm::Es256);
        assert_eq!(key.sign(None, &"text"), Err(KeyError::Claims));
        assert_eq!(key.sign(None, &[1]), Err(KeyError::Claims));
        assert_eq!(key.sign(None, &Option::<u8>::None), Err(KeyError::Claims));
    }

    #[test]
    fn a_kid_or_typ_with_quotes_stays_inside_its_member() {
        let kid = "k\",\"alg\":\"none";
        let key =
            SigningKey::from_pkcs8(kid, Algorithm::EdDsa, &SigningKey::generate(Algorithm::EdDsa).unwrap()).unwrap();
        let token = Unverified::parse(&key.sign(Some("a\"b"), &json!({})).unwrap()).unwrap();
        assert_eq!((token.header().kid.as_deref(), token.header().typ.as_deref()), (Some(kid), Some("a\"b")));
    }

    #[test]
    fn a_signing_key_is_shared_between_threads_and_shows_nothing() {
        fn shareable<T: Send + Sync>(_: &T) {}
        let key = shared(Algorithm::Es256);
        shareable(key);
        assert_eq!(format!("{key:?}"), r#"SigningKey { kid: "p256", algorithm: Es256, .. }"#);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_claims_survive_signing(name in ".{0,20}", value in ".{0,40}", which in 0..4_usize) {
            let algorithm = ASYMMETRIC[which];
            let claims = json!({name: value});
            let token = Unverified::parse(&shared(algorithm).sign(None, &claims).unwrap()).unwrap();
            prop_assert_eq!(token.verify(shared(algorithm).public(), algorithm).map(Value::from), Ok(claims));
        }

        #[test]
        fn a_changed_character_is_noticed(which in 0..4_usize, at in any::<prop::sample::Index>()) {
            let algorithm = ASYMMETRIC[which];
            let compact = shared(algorithm).sign(None, &json!({"sub": "usr_1"})).unwrap();
            let mut changed = compact.clone().into_bytes();
            let at = at.index(changed.len());
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let verified = Unverified::parse(std::str::from_utf8(&changed).unwrap())
                .and_then(|token| token.verify(shared(algorithm).public(), algorithm));
            prop_assert!(verified.is_err());
        }
    }
}
