//! All the randomness of the house: tokens, identifiers, codes that people type.
//!
//! Everything comes from the operating system's generator through *ring*.

use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroize as _;

use crate::base64url;
use crate::secret::Secret;

/// Crockford's base32 in lower case: digits and letters without i, l, o, u.
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The characters [`text`] draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// `0`–`9`, for codes typed on a telephone: 3.3 bits a character.
    Digits,
    /// Lower-case Crockford base32, for codes copied from paper, without i, l, o, u: 5 bits a character.
    Crockford,
    /// Twenty consonants, for codes copied from one screen to another without making words (RFC 8628 §6.1): 4.3 bits a
    /// character.
    Consonants,
    /// `0`–`9`, `A`–`Z`, `a`–`z`, for keys that are pasted: 5.95 bits a character.
    Base62,
}

impl Alphabet {
    fn characters(self) -> &'static [u8] {
        match self {
            Self::Digits => b"0123456789",
            Self::Crockford => CROCKFORD,
            Self::Consonants => b"BCDFGHJKLMNPQRSTVWXZ",
            Self::Base62 => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        }
    }
}

/// `N` unpredictable bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

#[expect(clippy::expect_used, reason = "an operating system that cannot give random bytes leaves nothing safe to do")]
pub(crate) fn fill(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the operating system gives random bytes");
}

/// A bearer token: 32 random bytes (256 bits) as 43 characters of base64url.
pub fn token() -> Secret<String> {
    let mut bytes = bytes::<32>();
    let token = base64url::encode(&bytes);
    bytes.zeroize();
    Secret::new(token)
}

/// A secret of `length` characters, each drawn evenly from `alphabet`.
pub fn text(alphabet: Alphabet, length: usize) -> Secret<String> {
    let characters = alphabet.characters();
    // The largest multiple of the alphabet's size that fits a byte: bytes above it would favour the first characters.
    let fair = 256 - 256 % characters.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut pool = bytes::<64>();
        let drawn = pool.iter().map(|&byte| usize::from(byte)).filter(|&byte| byte < fair);
        for byte in drawn.take(length - text.len()) {
            text.push(char::from(characters[byte % characters.len()]));
        }
        pool.zeroize();
    }
    Secret::new(text)
}

/// A new identifier: `prefix`, an underscore, and a `UUIDv7` as 26 characters of lower-case Crockford base32.
///
/// Identifiers of one prefix sort by the millisecond they were made in (RFC 9562 §5.7); within a millisecond, at
/// random. The 74 random bits make them unique, not secret: an identifier is never a credential. Instants before 1970
/// count as 1970.
pub fn id(prefix: &str, now: Timestamp) -> String {
    let milliseconds = u128::try_from(now.as_millisecond()).unwrap_or(0) & 0xffff_ffff_ffff;
    let random = u128::from_be_bytes(bytes());
    let version_and_variant = (0x7 << 76) | (0b10 << 62);
    let free = !((0xffff_ffff_ffff << 80) | (0xf << 76) | (0b11 << 62));
    let uuid = (milliseconds << 80) | version_and_variant | (random & free);

    let mut id = String::with_capacity(prefix.len() + 27);
    id.push_str(prefix);
    id.push('_');
    for position in (0..26_u32).rev() {
        let [.., digit] = (uuid >> (position * 5)).to_be_bytes();
        id.push(char::from(CROCKFORD[usize::from(digit & 31)]));
    }
    id
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use proptest::prelude::*;

    use super::*;

    fn uuid_of(id: &str) -> u128 {
        id.bytes().fold(0, |uuid, character| {
            (uuid << 5) | u128::try_from(CROCKFORD.iter().position(|&c| c == character).unwrap()).unwrap()
        })
    }

    #[test]
    fn a_token_is_43_characters_and_never_the_same() {
        let tokens: HashSet<_> = (0..1000).map(|_| token().expose().clone()).collect();
        assert_eq!(tokens.len(), 1000);
        assert!(tokens.iter().all(|token| token.len() == 43 && base64url::decode(token).unwrap().len() == 32));
    }

    #[test]
    fn an_id_is_a_uuid_version_7_with_a_prefix() {
        let now: Timestamp = "2026-01-31T12:00:00.123Z".parse().unwrap();
        let id = id("usr", now);
        let (prefix, body) = id.split_once('_').unwrap();
        assert_eq!((prefix, body.len()), ("usr", 26));
        let uuid = uuid_of(body);
        assert_eq!(uuid >> 80, u128::try_from(now.as_millisecond()).unwrap());
        assert_eq!((uuid >> 76) & 0xf, 7, "version");
        assert_eq!((uuid >> 62) & 0b11, 0b10, "variant");
    }

    #[test]
    fn ids_of_one_instant_differ_in_every_free_bit() {
        let now = Timestamp::UNIX_EPOCH;
        let (mut ones, mut zeros) = (0, 0);
        for _ in 0..200 {
            let uuid = uuid_of(id("x", now).strip_prefix("x_").unwrap());
            ones |= uuid;
            zeros |= !uuid;
        }
        assert_eq!((ones & zeros).count_ones(), 74);
    }

    #[test]
    fn a_code_uses_its_whole_alphabet_evenly() {
        for (alphabet, size) in
            [(Alphabet::Digits, 10), (Alphabet::Crockford, 32), (Alphabet::Consonants, 20), (Alphabet::Base62, 62)]
        {
            let text = text(alphabet, 620_000);
            assert_eq!(text.expose().len(), 620_000);
            let mut counts = BTreeMap::new();
            for character in text.expose().chars() {
                *counts.entry(character).or_insert(0_u32) += 1;
            }
            assert_eq!(counts.len(), size);
            // Within seven standard deviations. Taking bytes modulo 62 would be twenty off.
            let expected = 620_000 / u32::try_from(size).unwrap();
            assert!(counts.values().all(|&count| count.abs_diff(expected).pow(2) < 49 * expected), "{counts:?}");
        }
        assert!(text(Alphabet::Digits, 0).expose().is_empty());
    }

    proptest! {
        #[test]
        fn ids_sort_by_time(a in 0_i64..4_000_000_000_000, b in 0_i64..4_000_000_000_000) {
            prop_assume!(a != b);
            let make = |ms| id("key", Timestamp::from_millisecond(ms).unwrap());
            prop_assert_eq!(make(a) < make(b), a < b);
        }
    }
}
