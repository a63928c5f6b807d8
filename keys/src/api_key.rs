//! API keys as text: `hab_<environment>_<name>_<secret>_<checksum>`.
//!
//! The fixed beginning lets scanners recognise a leaked key; the name (eight characters, no secret) finds it; the secret is 40
//! characters of base62, 238 bits; the checksum, a CRC-32 of all before it, tells a typing error from a guess without a look-up.
//! What is kept is the SHA-256 of the whole text: with so many bits there is nothing to guess (see [`crate::token`]).
//!
//! Requirement R103; the convention of the market asks for an opaque text.

use crate::random::{self, Alphabet};
use crate::secret::Secret;
use crate::token::digest;

/// What every key begins with.
pub const PREFIX: &str = "hab_";
/// Longest name of an environment.
pub const MAX_ENVIRONMENT: usize = 8;

const NAME: usize = 8;
const SECRET: usize = 40;
/// 62^6 > 2^32.
const CHECKSUM: usize = 6;
/// Longest key, in bytes.
const MAX_KEY: usize = PREFIX.len() + MAX_ENVIRONMENT + NAME + SECRET + CHECKSUM + 3;

/// A new key, to be shown once.
#[derive(Debug)]
pub struct NewKey {
    /// The whole key.
    pub key: Secret<String>,
    /// The readable part, `hab_<environment>_<name>`: names the key in lists and logs.
    pub handle: String,
    /// SHA-256 of the whole key.
    pub digest: Vec<u8>,
}

/// A key that was presented and is well-formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// The readable part.
    pub handle: String,
    /// SHA-256 of the whole key.
    pub digest: Vec<u8>,
}

/// The text is no key of this environment: too short or long, another beginning, or a wrong checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key")]
pub struct Malformed;

/// Whether `name` can be the name of an environment: 1 to 8 lower-case letters and digits.
pub fn is_environment(name: &str) -> bool {
    (1..=MAX_ENVIRONMENT).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A new key of `environment`.
pub fn generate(environment: &str) -> NewKey {
    let (name, secret) = (random::text(Alphabet::Base62, NAME), random::text(Alphabet::Base62, SECRET));
    let handle = format!("{PREFIX}{environment}_{}", name.expose());
    let body = Secret::new(format!("{handle}_{}", secret.expose()));
    let key = Secret::new(format!("{}_{}", body.expose(), checksum(body.expose())));
    let digest = digest(key.expose());
    NewKey { key, handle, digest }
}

/// Reads a key that was presented to `environment`.
///
/// # Errors
/// [`Malformed`]; of a key of another environment too, which is no key here.
pub fn parse(text: &str, environment: &str) -> Result<Presented, Malformed> {
    if text.len() > MAX_KEY || !text.is_ascii() {
        return Err(Malformed);
    }
    let (body, given) = text.rsplit_once('_').ok_or(Malformed)?;
    let (handle, secret) = body.rsplit_once('_').ok_or(Malformed)?;
    let name = handle
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_prefix(environment))
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or(Malformed)?;
    let plain = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !plain(name, NAME) || !plain(secret, SECRET) || given != checksum(body) {
        return Err(Malformed);
    }
    Ok(Presented { handle: handle.to_owned(), digest: digest(text) })
}

/// Whether `text` looks like a key of any environment, good or not.
pub fn looks_like_one(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// CRC-32 (ISO 3309) in six characters of base62.
fn checksum(text: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    crc = !crc;
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        let rest = usize::try_from(crc % 62).unwrap_or(0);
        *digit = DIGITS.get(rest).copied().unwrap_or(b'0');
        crc /= 62;
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_the_crc_32_of_the_standard() {
        // The check value of CRC-32/ISO-HDLC: 0xcbf43926 = 3421780262.
        let digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let value = checksum("123456789")
            .chars()
            .fold(0_u64, |value, digit| value * 62 + u64::try_from(digits.find(digit).unwrap()).unwrap());
        assert_eq!(value, 0xcbf4_3926);
    }

    #[test]
    fn a_new_key_reads_back_and_is_never_the_same() {
        let (one, other) = (generate("prod"), generate("prod"));
        let read = parse(one.key.expose(), "prod").unwrap();
        assert_eq!((&read.handle, &read.digest), (&one.handle, &one.digest));
        assert!(one.handle.starts_with("hab_prod_") && one.handle.len() == 17 && one.digest.len() == 32);
        assert_ne!(parse(other.key.expose(), "prod").unwrap().digest, read.digest);
        assert!(!format!("{one:?}").contains(one.key.expose()));
    }

    #[test]
    fn what_is_no_key_of_this_environment_is_malformed() {
        let key = generate("prod");
        let key = key.key.expose();
        let long = format!("{key}{key}");
        for bad in ["", "hab_", "hab_prod___", "é", &key[1..], &key[..key.len() - 1], &long, &key.replace("hab", "Hab")]
        {
            assert_eq!(parse(bad, "prod"), Err(Malformed), "{bad}");
        }
        for environment in ["test", "pro", "prod_", ""] {
            assert_eq!(parse(key, environment), Err(Malformed), "{environment}");
        }
        for (name, good) in
            [("prod", true), ("t1", true), ("", false), ("Prod", false), ("a_b", false), ("abcdefghi", false)]
        {
            assert_eq!(is_environment(name), good, "{name}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_noticed(at in 0_usize..64, with in "[0-9A-Za-z]") {
            let key = generate("prod");
            let mut text = key.key.expose().clone();
            let at = at % text.len();
            prop_assume!(text[at..=at] != with);
            text.replace_range(at..=at, &with);
            prop_assert_eq!(parse(&text, "prod"), Err(Malformed));
        }

        #[test]
        fn nothing_that_is_presented_breaks_the_reader(text in ".{0,100}") {
            let _ = parse(&text, "prod");
        }
    }
}
