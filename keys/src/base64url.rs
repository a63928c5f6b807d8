//! Base64url without padding, the only alphabet of JOSE and of our tokens (RFC 7515 §2, RFC 4648 §5).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Writes `bytes` as base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends `bytes` to `text` as base64url without padding.
pub(crate) fn encode_onto(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Reads base64url, or nothing when there is padding, a foreign character, white space or a stray trailing bit: one
/// value has one spelling, so that a token cannot be respelled past a list of seen tokens.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Reads exactly `N` bytes.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        assert_eq!(decode("_-8"), Some(vec![0xff, 0xef]));
        assert_eq!(decode("_-8="), None, "padding");
        assert_eq!(decode("/+8"), None, "standard alphabet");
        assert_eq!(decode("_-9"), None, "trailing bits");
        assert_eq!(decode("_-8\n"), None, "white space");
        assert_eq!(decode_array::<3>("_-8"), None, "wrong length");
    }
}
