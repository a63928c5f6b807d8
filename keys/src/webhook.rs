//! Secrets and signatures of webhooks (Standard Webhooks 1.0): HMAC-SHA256 over id, time and body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::random;
use crate::secret::Secret;

/// How a secret begins.
const PREFIX: &str = "whsec_";

/// A new secret: 32 random bytes in base64.
pub fn secret() -> Secret<String> {
    let bytes = Secret::new(random::bytes::<32>());
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes.expose())))
}

/// The signature of a message, `v1,…`; none when the secret is not one.
pub fn sign(secret: &str, (id, seconds): (&str, i64), body: &str) -> Option<String> {
    let key = Secret::new(STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
    let mac = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_signed_as_there() {
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330),
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn a_secret_is_32_bytes_and_never_the_same() {
        let (one, two) = (secret(), secret());
        assert_ne!(one.expose(), two.expose());
        assert_eq!(STANDARD.decode(one.expose().strip_prefix(PREFIX).unwrap()).unwrap().len(), 32);
        for bad in ["", "whsec_!", "c2VjcmV0"] {
            assert_eq!(sign(bad, ("a", 1), ""), None, "{bad}");
        }
    }
}
