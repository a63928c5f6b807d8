//! Codes of authenticator apps (RFC 6238): SHA-1, six digits, thirty seconds, as every app reads them.
//!
//! A code says its time step, so that whoever keeps the last one used refuses it a second time (RFC 6238 §5.2).

use jiff::Timestamp;
use totp_rs::{Builder, Totp};

use crate::random;
use crate::secret::Secret;
use crate::token::same;

/// How long a code is shown, in seconds.
pub const STEP_SECONDS: u32 = 30;
/// Steps that a device's clock may be ahead or behind (RFC 6238 §5.2 recommends one).
const DRIFT: i64 = 1;
const DIGITS: u8 = 6;
/// Bytes of a secret: as long as the output of the hash (RFC 4226 §4, R6).
const SECRET_BYTES: usize = 20;

/// The secret cannot be one of an authenticator app: it is shorter than 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a secret of an authenticator app")]
pub struct NotASecret;

/// A new secret.
pub fn generate() -> Secret<Vec<u8>> {
    Secret::new(random::bytes::<SECRET_BYTES>().to_vec())
}

/// The secret as people type it into an app that cannot see: base32 (RFC 4648 §6) in groups of four.
pub fn to_text(secret: &Secret<Vec<u8>>) -> Secret<String> {
    let text = totp_rs::Secret::from(secret.expose().clone()).to_base32();
    let groups: Vec<String> = text
        .trim_end_matches('=')
        .as_bytes()
        .chunks(4)
        .map(|group| group.iter().copied().map(char::from).collect())
        .collect();
    Secret::new(groups.join(" "))
}

/// The secret as the picture says it to an app: an `otpauth:` URI, naming who asks and which account.
///
/// # Errors
/// [`NotASecret`].
pub fn to_uri(secret: &Secret<Vec<u8>>, (issuer, account): (&str, &str)) -> Result<Secret<String>, NotASecret> {
    // A colon separates the two in the URI.
    let plain = |text: &str| -> String { text.chars().map(|c| if c == ':' { ' ' } else { c }).take(80).collect() };
    let uri = totp(secret, (&plain(issuer), &plain(account)))?.to_url().map_err(|_| NotASecret)?;
    Ok(Secret::new(uri))
}

/// The code of a time step.
///
/// # Errors
/// [`NotASecret`].
pub fn code(secret: &Secret<Vec<u8>>, step: i64) -> Result<Secret<String>, NotASecret> {
    let totp = totp(secret, ("habilis", "account"))?;
    let time = u64::try_from(step).unwrap_or(0).saturating_mul(u64::from(STEP_SECONDS));
    Ok(Secret::new(totp.generate(time).to_string()))
}

/// The time step whose code was typed, within one step of `now`; none when it is no code of `secret`. Spaces are ignored.
///
/// # Errors
/// [`NotASecret`].
pub fn step_of(secret: &Secret<Vec<u8>>, typed: &str, now: Timestamp) -> Result<Option<i64>, NotASecret> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).take(2 * usize::from(DIGITS)).collect();
    let middle = now.as_second() / i64::from(STEP_SECONDS);
    let mut found = None;
    for step in middle - DRIFT..=middle + DRIFT {
        if same(code(secret, step)?.expose().as_bytes(), typed.as_bytes()) {
            found = Some(step);
        }
    }
    Ok(found)
}

fn totp(secret: &Secret<Vec<u8>>, (issuer, account): (&str, &str)) -> Result<Totp, NotASecret> {
    Builder::new()
        .with_secret(secret.expose().clone())
        .with_digits(DIGITS)
        .with_step_duration(u64::from(STEP_SECONDS))
        .with_issuer(Some(issuer))
        .with_account_name(account)
        .build()
        .map_err(|_| NotASecret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc() -> Secret<Vec<u8>> {
        Secret::new(b"12345678901234567890".to_vec())
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238 appendix B, the last six of eight digits.
        for (second, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(&rfc(), second / 30).unwrap().expose(), expected, "{second}");
        }
    }

    #[test]
    fn a_code_is_taken_one_step_early_or_late_and_says_which_step_it_is() {
        let now = Timestamp::from_second(1_234_567_890).unwrap();
        let step = 1_234_567_890 / 30;
        for (drift, expected) in [(-2, None), (-1, Some(step - 1)), (0, Some(step)), (1, Some(step + 1)), (2, None)] {
            let typed = code(&rfc(), step + drift).unwrap();
            assert_eq!(step_of(&rfc(), typed.expose(), now).unwrap(), expected, "{drift}");
        }
        for (typed, expected) in [
            ("005 924", Some(step)),
            (" 005924 ", Some(step)),
            ("5924", None),
            ("0059240", None),
            ("", None),
            ("००५९२४", None),
        ] {
            assert_eq!(step_of(&rfc(), typed, now).unwrap(), expected, "{typed}");
        }
    }

    #[test]
    fn the_uri_names_issuer_account_and_secret() {
        let uri = to_uri(&rfc(), ("Campus: Formation", "léa@example.fr")).unwrap();
        assert!(uri.expose().starts_with("otpauth://totp/"), "{}", uri.expose());
        assert!(uri.expose().contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{}", uri.expose());
        assert!(uri.expose().contains("issuer=Campus%20%20Formation"), "{}", uri.expose());
        assert_eq!(to_text(&rfc()).expose(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(generate().expose().len(), 20);
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(code(&Secret::new(b"short".to_vec()), 1).unwrap_err(), NotASecret);
    }
}
