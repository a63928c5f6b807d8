//! Proof Key for Code Exchange, method S256 only (RFC 7636).

use ring::digest::{SHA256, digest};

use crate::{base64url, token};

/// Says whether `challenge` is what S256 can produce: 43 characters of base64url that stand for 32 bytes (RFC 7636
/// §4.2).
///
/// To be asked when the authorization request comes in, so that a client learns of its mistake before the person signs
/// in.
pub fn is_s256_challenge(challenge: &str) -> bool {
    challenge.len() == 43 && base64url::decode_array::<32>(challenge).is_some()
}

/// Says whether `verifier` is the secret behind `challenge` (RFC 7636 §4.6).
///
/// False as well when the verifier is not 43 to 128 unreserved characters (§4.1), or the challenge is not one S256
/// makes.
pub fn matches_s256(verifier: &str, challenge: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) || !is_s256_challenge(challenge) {
        return false;
    }
    let computed = base64url::encode(digest(&SHA256, verifier.as_bytes()).as_ref());
    token::same(computed.as_bytes(), challenge.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn challenge_of(verifier: &str) -> String {
        base64url::encode(&token::digest(verifier))
    }

    #[test]
    fn the_example_of_rfc_7636_appendix_b_matches() {
        assert!(matches_s256(VERIFIER, CHALLENGE));
        assert!(is_s256_challenge(CHALLENGE));
    }

    #[test]
    fn another_verifier_does_not_match() {
        assert!(!matches_s256(&VERIFIER.replace('d', "e"), CHALLENGE));
        assert!(!matches_s256(VERIFIER, VERIFIER), "plain");
        assert!(!matches_s256(VERIFIER, ""));
        assert!(!matches_s256("", ""));
    }

    #[test]
    fn a_verifier_of_42_or_129_characters_is_refused_even_when_its_hash_matches() {
        for (length, accepted) in [(42, false), (43, true), (128, true), (129, false)] {
            let verifier = "a".repeat(length);
            assert_eq!(matches_s256(&verifier, &challenge_of(&verifier)), accepted, "{length}");
        }
    }

    #[test]
    fn a_verifier_with_a_reserved_character_is_refused_even_when_its_hash_matches() {
        for character in [' ', '+', '/', '=', '%', 'é', '\n'] {
            let verifier = format!("{}{character}", "a".repeat(50));
            assert!(!matches_s256(&verifier, &challenge_of(&verifier)), "{character:?}");
        }
        let verifier = format!("{}-._~", "a".repeat(50));
        assert!(matches_s256(&verifier, &challenge_of(&verifier)));
    }

    #[test]
    fn a_padded_or_short_challenge_is_refused_at_the_door() {
        assert!(!is_s256_challenge(&format!("{CHALLENGE}=")));
        assert!(!is_s256_challenge(&CHALLENGE[..42]));
        assert!(!is_s256_challenge(&CHALLENGE.replace('-', "+")));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(verifier in ".*", challenge in ".*") {
            prop_assert!(!matches_s256(&verifier, &challenge));
        }
    }
}
