//! Public keys as JSON Web Keys, sets of them, and their thumbprints (RFC 7517, RFC 7518 §6, RFC 7638, RFC 8037).
//!
//! Only what this server verifies with: RSA of 2048 to 8192 bits, EC on P-256, Ed25519. A key that carries a private
//! member is refused whatever else it holds: someone has just published a secret and must hear of it.

use ring::digest::{SHA256, digest};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::jws::Algorithm;
use crate::{base64url, json};

/// Most keys read from one set.
pub const MAX_KEYS: usize = 32;
/// Largest set read, in bytes of JSON.
pub const MAX_SET_BYTES: usize = 128 * 1024;
const MAX_KID_BYTES: usize = 256;
const MAX_NAME_BYTES: usize = 64;
/// RFC 7518 §6.2.2, §6.3.2, §6.4.1, and `priv` of the newer AKP keys.
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// Why a key or a set is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JwkError {
    /// Not a JSON object, or one that repeats a member.
    #[error("not a JSON object")]
    NotAnObject,
    /// Holds a private or symmetric key member.
    #[error("holds a private key")]
    Private,
    /// A key type or curve this server does not verify with.
    #[error("key type or curve not supported")]
    Unsupported,
    /// A member is missing, of the wrong type, or not strict base64url of the right length.
    #[error("member {0:?} is missing or malformed")]
    Malformed(&'static str),
    /// RSA modulus outside 2048 to 8192 bits, or an exponent that is even or out of range.
    #[error("RSA key size or exponent out of range")]
    RsaSize,
    /// More than [`MAX_KEYS`] keys, or more than [`MAX_SET_BYTES`] bytes.
    #[error("key set too large")]
    TooLarge,
}

/// A public key, with what its owner says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    material: Material,
    kid: Option<String>,
    alg: Option<String>,
    usage: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Material {
    /// Big-endian modulus and exponent, without leading zeros.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Coordinates on P-256. That they lie on the curve is checked by each verification.
    P256 {
        x: [u8; 32],
        y: [u8; 32],
    },
    Ed25519 {
        x: [u8; 32],
    },
}

impl Jwk {
    /// Reads a key out of JSON already parsed, such as the `jwk` header of a `DPoP` proof.
    ///
    /// # Errors
    /// Any [`JwkError`] but `TooLarge`.
    pub fn from_value(value: &Value) -> Result<Self, JwkError> {
        Self::from_members(value.as_object().ok_or(JwkError::NotAnObject)?)
    }

    fn from_members(members: &Map<String, Value>) -> Result<Self, JwkError> {
        // First, so that no other complaint hides it.
        if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(JwkError::Private);
        }
        let kty = members.get("kty").and_then(Value::as_str).ok_or(JwkError::Malformed("kty"))?;
        let material = match (kty, members.get("crv").and_then(Value::as_str)) {
            ("RSA", _) => Material::rsa(octets(members, "n")?, octets(members, "e")?)?,
            ("EC", Some("P-256")) => Material::P256 { x: coordinate(members, "x")?, y: coordinate(members, "y")? },
            ("OKP", Some("Ed25519")) => Material::Ed25519 { x: coordinate(members, "x")? },
            _ => return Err(JwkError::Unsupported),
        };
        Ok(Self {
            material,
            kid: label(members, "kid", MAX_KID_BYTES)?,
            alg: label(members, "alg", MAX_NAME_BYTES)?,
            usage: label(members, "use", MAX_NAME_BYTES)?,
        })
    }

    /// A signing key of this server, as published. RSA keys name no algorithm: the same one serves RS256 and PS256.
    pub(crate) fn published(material: Material, kid: &str) -> Self {
        let alg = match material {
            Material::Rsa { .. } => None,
            Material::P256 { .. } => Some(Algorithm::Es256.as_str().to_owned()),
            Material::Ed25519 { .. } => Some(Algorithm::EdDsa.as_str().to_owned()),
        };
        Self { material, kid: Some(kid.to_owned()), alg, usage: Some("sig".to_owned()) }
    }

    pub(crate) fn material(&self) -> &Material {
        &self.material
    }

    /// Key identifier, at most 256 bytes.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm the owner allows, as written.
    pub fn alg(&self) -> Option<&str> {
        self.alg.as_deref()
    }

    /// `sig`, `enc`, or another word; the `use` member.
    pub fn usage(&self) -> Option<&str> {
        self.usage.as_deref()
    }

    /// Says whether signatures of `algorithm` may be verified with this key: the type fits and the owner allows it.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let type_fits = match self.material {
            Material::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Material::P256 { .. } => algorithm == Algorithm::Es256,
            Material::Ed25519 { .. } => algorithm == Algorithm::EdDsa,
        };
        let alg_allows = self.alg().is_none_or(|alg| alg.parse() == Ok(algorithm));
        let use_allows = self.usage().is_none_or(|usage| usage == "sig");
        type_fits && alg_allows && use_allows
    }

    /// The key's SHA-256 thumbprint in base64url, 43 characters (RFC 7638 §3). Depends on the key alone, not on `kid`
    /// or `alg`.
    pub fn thumbprint(&self) -> String {
        let encode = |octets: &[u8]| base64url::encode(octets);
        // Members in lexicographic order, no white space. Base64url needs no escaping.
        let canonical = match &self.material {
            Material::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e), encode(n)),
            Material::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y))
            }
            Material::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x)),
        };
        base64url::encode(digest(&SHA256, canonical.as_bytes()).as_ref())
    }
}

impl Material {
    pub(crate) fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Self, JwkError> {
        // RFC 7518 §6.3.1: as few octets as possible. A second spelling would give a second thumbprint.
        if n.first().is_none_or(|&byte| byte == 0) {
            return Err(JwkError::Malformed("n"));
        }
        if e.first().is_none_or(|&byte| byte == 0) {
            return Err(JwkError::Malformed("e"));
        }
        let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
        let exponent_fits = e.len() <= 4 && e.last().is_some_and(|byte| byte % 2 == 1) && e != [1];
        if !(2048..=8192).contains(&bits) || !exponent_fits {
            return Err(JwkError::RsaSize);
        }
        Ok(Self::Rsa { n, e })
    }
}

fn octets(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    members.get(name).and_then(Value::as_str).and_then(base64url::decode).ok_or(JwkError::Malformed(name))
}

fn coordinate(members: &Map<String, Value>, name: &'static str) -> Result<[u8; 32], JwkError> {
    octets(members, name)?.try_into().map_err(|_| JwkError::Malformed(name))
}

fn label(members: &Map<String, Value>, name: &'static str, max_bytes: usize) -> Result<Option<String>, JwkError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= max_bytes => Ok(Some(text.clone())),
        Some(_) => Err(JwkError::Malformed(name)),
    }
}

impl Serialize for Jwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        match &self.material {
            Material::Rsa { n, e } => {
                members.serialize_entry("kty", "RSA")?;
                members.serialize_entry("n", &base64url::encode(n))?;
                members.serialize_entry("e", &base64url::encode(e))?;
            }
            Material::P256 { x, y } => {
                members.serialize_entry("kty", "EC")?;
                members.serialize_entry("crv", "P-256")?;
                members.serialize_entry("x", &base64url::encode(x))?;
                members.serialize_entry("y", &base64url::encode(y))?;
            }
            Material::Ed25519 { x } => {
                members.serialize_entry("kty", "OKP")?;
                members.serialize_entry("crv", "Ed25519")?;
                members.serialize_entry("x", &base64url::encode(x))?;
            }
        }
        for (name, value) in [("kid", &self.kid), ("alg", &self.alg), ("use", &self.usage)] {
            if let Some(value) = value {
                members.serialize_entry(name, value)?;
            }
        }
        members.end()
    }
}

impl<'de> Deserialize<'de> for Jwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_members(&Map::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A set of public keys: what this server publishes, or what a client registered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// The keys, in the order read.
    pub keys: Vec<Jwk>,
}

impl Jwks {
    /// Reads a set as fetched or registered. Keys that this server cannot use (other types or curves, sizes out of
    /// range, malformed) are skipped, as RFC 7517 §5 asks, so that a client may add a newer kind of key beside the
    /// ones it uses here.
    ///
    /// # Errors
    /// [`JwkError::TooLarge`] over 32 entries or 128 KiB; [`JwkError::Private`] when any entry holds a private or
    /// symmetric key;
    /// [`JwkError::NotAnObject`] or [`JwkError::Malformed`] when it is no set at all.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwkError> {
        if bytes.len() > MAX_SET_BYTES {
            return Err(JwkError::TooLarge);
        }
        Self::from_members(&json::object(bytes).ok_or(JwkError::NotAnObject)?)
    }

    fn from_members(members: &Map<String, Value>) -> Result<Self, JwkError> {
        let entries = members.get("keys").and_then(Value::as_array).ok_or(JwkError::Malformed("keys"))?;
        if entries.len() > MAX_KEYS {
            return Err(JwkError::TooLarge);
        }
        let mut keys = Vec::with_capacity(entries.len());
        for entry in entries {
            match Jwk::from_value(entry) {
                Ok(key) => keys.push(key),
                Err(JwkError::Private) => return Err(JwkError::Private),
                Err(_) => {}
            }
        }
        Ok(Self { keys })
    }

    /// The keys worth trying for a signature: those that [fit](Jwk::fits) `algorithm`, and bear `kid` when one is
    /// given.
    ///
    /// None at all means the owner may have rotated: fetch the set again, once. Tokens without `kid` try every fitting
    /// key (RFC 7515 §4.1.4; OpenID Connect Core §10.1).
    pub fn candidates<'a>(&'a self, kid: Option<&'a str>, algorithm: Algorithm) -> impl Iterator<Item = &'a Jwk> {
        self.keys.iter().filter(move |key| key.fits(algorithm) && (kid.is_none() || key.kid() == kid))
    }
}

impl<'de> Deserialize<'de> for Jwks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_members(&Map::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const RFC_7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_\
                              BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0\
                              _FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWh\
                              AI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    fn rsa() -> Value {
        json!({"kty": "RSA", "n": RFC_7638_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"})
    }

    fn p256() -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
               "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"})
    }

    fn ed25519() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    #[test]
    fn thumbprints_are_those_of_the_rfcs() {
        let thumbprint = |key| Jwk::from_value(&key).unwrap().thumbprint();
        assert_eq!(thumbprint(rsa()), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "RFC 7638 §3.1");
        assert_eq!(thumbprint(ed25519()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8037 A.3");
        assert_eq!(thumbprint(p256()), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "RFC 9449 §6.1");
    }

    #[test]
    fn the_public_set_of_rfc_7517_is_read_and_the_private_ones_are_refused() {
        let ec = json!({"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "use": "enc", "kid": "1"});
        let set = json!({ "keys": [ec, rsa()] });
        let read = Jwks::parse(set.to_string().as_bytes()).unwrap();
        let kids: Vec<_> = read.keys.iter().map(|key| (key.kid(), key.usage(), key.alg())).collect();
        assert_eq!(kids, [(Some("1"), Some("enc"), None), (Some("2011-04-29"), None, Some("RS256"))], "A.1");
        assert!(!read.keys[0].fits(Algorithm::Es256), "a key for encryption verifies nothing");
        let private = with(ec, "d", json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"));
        assert_eq!(Jwk::from_value(&private).err(), Some(JwkError::Private), "A.2");
        let symmetric = json!({"kty": "oct", "alg": "A128KW", "k": "GawgguFyGrWKav7AX4VKUg"});
        assert_eq!(Jwk::from_value(&symmetric).err(), Some(JwkError::Private), "A.3");
    }

    #[test]
    fn a_key_reads_as_it_was_written() {
        for value in [rsa(), p256(), with(with(ed25519(), "use", json!("sig")), "kid", json!("k1"))] {
            let key: Jwk = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&key).unwrap(), value);
        }
    }

    #[test]
    fn a_private_member_is_refused_whatever_the_key() {
        for name in PRIVATE_MEMBERS {
            for key in [rsa(), p256(), ed25519(), json!({"kty": "AKP"}), json!({})] {
                assert_eq!(Jwk::from_value(&with(key, name, json!("AA"))), Err(JwkError::Private), "{name}");
            }
        }
        let set = json!({"keys": [p256(), {"kty": "oct", "k": "AAAA"}]}).to_string();
        assert_eq!(Jwks::parse(set.as_bytes()), Err(JwkError::Private));
    }

    #[test]
    fn an_rsa_key_outside_2048_to_8192_bits_is_refused() {
        let modulus = |first: u8, length: usize| {
            let mut n = vec![0xff; length];
            n[0] = first;
            Jwk::from_value(&with(rsa(), "n", json!(base64url::encode(&n))))
        };
        assert_eq!(modulus(0x7f, 256), Err(JwkError::RsaSize), "2047 bits");
        assert!(modulus(0x80, 256).is_ok(), "2048 bits");
        assert!(modulus(0xff, 1024).is_ok(), "8192 bits");
        assert_eq!(modulus(0x01, 1025), Err(JwkError::RsaSize), "8193 bits");
        assert_eq!(modulus(0x00, 257), Err(JwkError::Malformed("n")), "leading zero");
        for (e, error) in [
            ("AQ", JwkError::RsaSize),
            ("Ag", JwkError::RsaSize),
            ("AQAA", JwkError::RsaSize),
            ("AQAAAAE", JwkError::RsaSize),
            ("AAEAAQ", JwkError::Malformed("e")),
            ("", JwkError::Malformed("e")),
        ] {
            assert_eq!(Jwk::from_value(&with(rsa(), "e", json!(e))), Err(error), "{e}");
        }
    }

    #[test]
    fn malformed_members_are_named() {
        let short = json!("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBA");
        let padded = json!("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs=");
        assert_eq!(Jwk::from_value(&with(p256(), "x", short)), Err(JwkError::Malformed("x")));
        assert_eq!(Jwk::from_value(&with(p256(), "y", padded)), Err(JwkError::Malformed("y")));
        assert_eq!(Jwk::from_value(&with(p256(), "kid", json!(7))), Err(JwkError::Malformed("kid")));
        assert_eq!(Jwk::from_value(&with(p256(), "kid", json!("k".repeat(257)))), Err(JwkError::Malformed("kid")));
        assert_eq!(Jwk::from_value(&json!({})), Err(JwkError::Malformed("kty")));
        assert_eq!(Jwk::from_value(&json!("kty")), Err(JwkError::NotAnObject));
    }

    #[test]
    fn a_set_skips_the_keys_it_does_not_know() {
        let set = json!({"keys": [
            {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"},
            {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
            with(rsa(), "n", json!("AQAB")),
            "not a key",
            p256(),
        ]});
        let set = Jwks::parse(set.to_string().as_bytes()).unwrap();
        assert_eq!(set.keys, [Jwk::from_value(&p256()).unwrap()]);
        assert_eq!(Jwks::parse(br#"{"keys":[]}"#), Ok(Jwks::default()));
    }

    #[test]
    fn a_set_of_33_keys_is_refused() {
        let set = |count: usize| json!({"keys": vec![p256(); count]}).to_string();
        assert_eq!(Jwks::parse(set(32).as_bytes()).unwrap().keys.len(), 32);
        assert_eq!(Jwks::parse(set(33).as_bytes()), Err(JwkError::TooLarge));
        assert_eq!(Jwks::parse(&vec![b' '; MAX_SET_BYTES + 1]), Err(JwkError::TooLarge));
        assert!(serde_json::from_str::<Jwks>(&set(33)).is_err());
    }

    #[test]
    fn candidates_bear_the_kid_and_fit_the_algorithm() {
        let key = |value: Value, kid: &str| with(value, "kid", json!(kid));
        let mut any_rsa = key(rsa(), "r2");
        any_rsa.as_object_mut().unwrap().remove("alg");
        let set = json!({"keys": [
            key(rsa(), "r1"), any_rsa, key(p256(), "e1"), key(p256(), "e2"),
            with(key(p256(), "enc"), "use", json!("enc")),
            with(key(ed25519(), "d1"), "alg", json!("Ed25519")),
        ]});
        let set = Jwks::parse(set.to_string().as_bytes()).unwrap();
        let kids = |kid, algorithm| set.candidates(kid, algorithm).filter_map(Jwk::kid).collect::<Vec<_>>();
        assert_eq!(kids(None, Algorithm::Rs256), ["r1", "r2"]);
        assert_eq!(kids(None, Algorithm::Ps256), ["r2"], "r1 says RS256");
        assert_eq!(kids(None, Algorithm::Es256), ["e1", "e2"], "not the encryption key");
        assert_eq!(kids(Some("e2"), Algorithm::Es256), ["e2"]);
        assert_eq!(kids(Some("e2"), Algorithm::Rs256), [""; 0], "kid of another type");
        assert_eq!(kids(None, Algorithm::EdDsa), ["d1"], "RFC 9864 name");
        assert_eq!(kids(None, Algorithm::Hs256), [""; 0], "no public key verifies an HMAC");
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_set_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
            let _ = Jwks::parse(&bytes);
            let _ = Jwks::parse(format!(r#"{{"keys":[{{"kty":"RSA","n":"{text}","e":"{text}"}}]}}"#).as_bytes());
        }
    }
}
