//! What is kept of a token, and values derived from one.
//!
//! Tokens made by [`crate::random`] carry 256 bits, so a plain SHA-256 is enough to store them: there is nothing to
//! guess and a stolen table gives no usable token. Passwords go through [`crate::password`] instead.

use std::fmt;

use ring::{digest as sha, hmac};
use subtle::ConstantTimeEq as _;

use crate::base64url;

/// The SHA-256 of a token: what the database keeps and looks up, 32 bytes.
pub fn digest(token: &str) -> Vec<u8> {
    sha::digest(&sha::SHA256, token.as_bytes()).as_ref().to_vec()
}

/// The same digest as 64 lower-case hexadecimal characters.
pub fn digest_hex(token: &str) -> String {
    hex(sha::digest(&sha::SHA256, token.as_bytes()).as_ref())
}

/// The SHA-256 of a file, as 64 lower-case hexadecimal characters.
pub fn file_digest_hex(bytes: &[u8]) -> String {
    hex(sha::digest(&sha::SHA256, bytes).as_ref())
}

/// Compares without telling, by the time it takes, where two values first differ. Lengths are not secret.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// A value only the holder of `key` can compute: base64url of HMAC-SHA-256 over `context`, 43 characters.
///
/// For CSRF tokens and `sid`s made from a session's secret. Start `context` with what the value is for (`csrf:`,
/// `sid:…`), so that one derived value is never accepted as another.
pub fn derive(key: &[u8], context: &str) -> String {
    HmacKey::new(key).derive(context)
}

/// A key prepared once for many derivations.
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// Prepares `key`, which should hold 32 random bytes or more.
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Same as [`derive()`], with this key.
    pub fn derive(&self, context: &str) -> String {
        base64url::encode(&self.index(context.as_bytes()))
    }

    /// The raw HMAC-SHA-256 of `value`: a blind index over a value that can be guessed, such as a NIR (requirement
    /// R171).
    pub fn index(&self, value: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, value).as_ref().to_vec()
    }

    /// Checks, in constant time, a value made by [`derive`](Self::derive) with this key and `context`.
    pub fn verify(&self, context: &str, derived: &str) -> bool {
        same(self.derive(context).as_bytes(), derived.as_bytes())
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_sha_256_of_the_token() {
        // FIPS 180-2 appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest_hex("abc"), abc);
        assert_eq!(hex(&digest("abc")), abc);
    }

    #[test]
    fn only_equal_values_are_the_same() {
        assert!(same(b"", b""));
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd"));
        assert!(!same(b"abc", b"abcd"));
    }

    #[test]
    fn a_derived_value_is_the_hmac_sha_256_of_its_context() {
        // RFC 4231 test case 2.
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let key = HmacKey::new(b"Jefe");
        assert_eq!(hex(&key.index(b"what do ya want for nothing?")), expected);
        let derived = derive(b"Jefe", "what do ya want for nothing?");
        assert_eq!(hex(&base64url::decode(&derived).unwrap()), expected);
        assert!(key.verify("what do ya want for nothing?", &derived));
        assert!(!key.verify("what do ya want for nothing!", &derived));
        assert!(!HmacKey::new(b"jefe").verify("what do ya want for nothing?", &derived));
        assert_eq!(format!("{key:?}"), "[secret]");
    }
}
