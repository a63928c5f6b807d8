//! An authenticator app (RFC 6238), written apart from the server's: SHA-1, six digits, thirty seconds.

use ring::hmac;

use crate::{Page, TestServer};

/// An app that has read a secret.
#[derive(Clone, Debug)]
pub struct Authenticator {
    secret: Vec<u8>,
}

impl Authenticator {
    /// The app that somebody typed this base32 text into.
    #[track_caller]
    pub fn from_text(text: &str) -> Self {
        let (mut secret, mut bits, mut count) = (Vec::new(), 0_u32, 0);
        for c in text.bytes().filter(|c| !c.is_ascii_whitespace()) {
            let value = match c {
                b'A'..=b'Z' => c - b'A',
                b'2'..=b'7' => c - b'2' + 26,
                _ => panic!("not base32: {text}"),
            };
            bits = bits << 5 | u32::from(value);
            count += 5;
            if count >= 8 {
                count -= 8;
                secret.push(u8::try_from(bits >> count & 0xff).expect("eight bits"));
            }
        }
        assert_eq!(secret.len(), 20, "{text}");
        Self { secret }
    }

    /// The app that read the page which adds one; the picture's own link must say the same secret.
    #[track_caller]
    pub fn from_page(page: &Page) -> Self {
        let text = page.text("app-secret");
        let uri = page.attribute("app-open", "href").unwrap_or_default();
        assert!(uri.starts_with("otpauth://totp/"), "{uri}");
        assert!(uri.contains(&format!("secret={}", text.replace(' ', ""))), "{uri} {text}");
        Self::from_text(&text)
    }

    /// The code of a time step.
    pub fn code_of_step(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[19] & 15);
        let number = u32::from_be_bytes([tag[at] & 0x7f, tag[at + 1], tag[at + 2], tag[at + 3]]);
        format!("{:06}", number % 1_000_000)
    }

    /// The code it shows now, by the server's clock, so many steps ahead.
    pub async fn code(&self, server: &TestServer, ahead: i64) -> String {
        self.code_of_step(server.now().await.as_second() / 30 + ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::Authenticator;

    #[test]
    fn codes_are_those_of_the_rfc() {
        let app = Authenticator::from_text("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(app.code_of_step(1), "287082");
        assert_eq!(app.code_of_step(1_111_111_109 / 30), "081804");
    }
}
