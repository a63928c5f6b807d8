//! A passkey in software, by hand from the specification (Web Authentication Level 3 §6, RFC 9052): what a browser and its
//! authenticator would answer, and, where a test wants it, what they never would.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

/// An authenticator with one key pair.
#[derive(Debug)]
pub struct Passkey {
    key: EcdsaKeyPair,
    /// The credential's id.
    pub id: Vec<u8>,
    /// Whose it is, as the server named them.
    pub user_handle: Vec<u8>,
    /// The signature counter; stays 0 for one that does not count.
    pub counter: u32,
    /// Whether it counts.
    pub counts: bool,
    /// Whether it checks its holder.
    pub verifies: bool,
    /// Whether it can be copied to other devices.
    pub copied: bool,
    /// The origin its browser says it is at.
    pub origin: String,
    /// The relying party it believes it answers; empty: the one that asks.
    pub relying_party: String,
}

impl Passkey {
    /// An authenticator bound to its device, which counts and checks its holder, in a browser at `origin`.
    pub fn new(origin: &str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key can be generated");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
            .expect("a key of our own reads back");
        let mut id = vec![0; 32];
        random.fill(&mut id).expect("random bytes");
        Self {
            key,
            id,
            user_handle: Vec::new(),
            counter: 0,
            counts: true,
            verifies: true,
            copied: false,
            origin: origin.to_owned(),
            relying_party: String::new(),
        }
    }

    /// Answers `navigator.credentials.create` with these options.
    #[track_caller]
    pub fn create(&mut self, options: &Value) -> Value {
        let selection = &options["authenticatorSelection"];
        assert_eq!(selection["residentKey"], "required", "discoverable: {options}");
        assert_eq!(selection["userVerification"], "required", "{options}");
        assert_eq!(options["attestation"].as_str().unwrap_or("none"), "none", "nothing is asked of the maker");
        self.user_handle = decode(&options["user"]["id"]);
        let point = self.key.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..65]);
        // COSE_Key: kty EC2, alg ES256, crv P-256, x, y.
        let cose = [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..], x, &[0x22, 0x58, 32], y].concat();
        let length = u16::try_from(self.id.len()).expect("a short id").to_be_bytes();
        let mut data = self.authenticator_data(options["rp"]["id"].as_str().expect("rp.id"), 0x40);
        data.extend([[0; 16].as_slice(), &length, &self.id, &cose].concat());
        let head =
            [&[0xa3, 0x63][..], b"fmt", &[0x64], b"none", &[0x67], b"attStmt", &[0xa0, 0x68], b"authData"].concat();
        let size = u16::try_from(data.len()).expect("short").to_be_bytes();
        let attestation = [&head[..], &[0x59], &size, &data].concat();
        self.credential(&json!({
            "attestationObject": encode(&attestation),
            "clientDataJSON": encode(self.client_data("webauthn.create", options).as_bytes()),
            "transports": ["internal"],
        }))
    }

    /// Answers `navigator.credentials.get` with these options.
    #[track_caller]
    pub fn get(&mut self, options: &Value) -> Value {
        assert_eq!(options["userVerification"], "required", "{options}");
        assert!(options["allowCredentials"].as_array().is_none_or(Vec::is_empty), "nobody is named: {options}");
        if self.counts {
            self.counter += 1;
        }
        let data = self.authenticator_data(options["rpId"].as_str().expect("rpId"), 0);
        let client_data = self.client_data("webauthn.get", options);
        let signed = [&data[..], digest(&SHA256, client_data.as_bytes()).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("a signature");
        self.credential(&json!({
            "authenticatorData": encode(&data),
            "clientDataJSON": encode(client_data.as_bytes()),
            "signature": encode(signature.as_ref()),
            "userHandle": encode(&self.user_handle),
        }))
    }

    fn credential(&self, response: &Value) -> Value {
        let id = encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "extensions": {} })
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false })
            .to_string()
    }

    fn authenticator_data(&self, asked: &str, further_flags: u8) -> Vec<u8> {
        let relying_party = if self.relying_party.is_empty() { asked } else { &self.relying_party };
        // User present, user verified, backup eligible and backed up.
        let flags = 1 | if self.verifies { 4 } else { 0 } | if self.copied { 0x18 } else { 0 } | further_flags;
        let mut data = digest(&SHA256, relying_party.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().expect("text")).expect("base64url")
}
