//! Envelope encryption of what the database must keep but not show: signing keys, TOTP secrets, vendor credentials,
//! the NIR (requirements R123, R171; Q27).
//!
//! Each record gets its own random data key (AES-256-GCM). The data key is wrapped, also by AES-256-GCM, under a key
//! derived by HKDF-SHA256 (RFC 5869) from the master key and the record's purpose. Purpose and context are
//! authenticated, so a sealed value moved to another column or another row does not open.
//!
//! ```text
//! version 1 | master key fingerprint 8 | wrapping nonce 12 | wrapped data key 32 + 16 | sealed text n + 16
//! ```

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
use thiserror::Error;

use crate::secret::Secret;
use crate::{random, token};

const VERSION: u8 = 1;
const FINGERPRINT_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const WRAPPED_BYTES: usize = KEY_BYTES + TAG_BYTES;
const SALT: &[u8] = b"habilis seal v1";

/// Why a master key is not read, or a sealed value does not open. None of them tells anything secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// The text is not 32 bytes as base64 (44 characters) or hexadecimal (64).
    #[error("master key is not 32 bytes in base64 or hexadecimal")]
    MasterKey,
    /// The value is too short to be a sealed one.
    #[error("sealed value is cut short")]
    Truncated,
    /// The value was sealed by a newer version.
    #[error("sealed value is of an unknown version")]
    Version,
    /// The value was sealed under another master key.
    #[error("sealed under another master key")]
    OtherMasterKey,
    /// The value was changed, or sealed for another purpose or context.
    #[error("sealed value does not open")]
    Refused,
}

/// The key everything sealed hangs on. It lives outside the database; losing it loses all that it sealed.
#[derive(Clone)]
pub struct MasterKey(Secret<[u8; KEY_BYTES]>);

impl MasterKey {
    /// Makes a new random key.
    pub fn generate() -> Self {
        Self(Secret::new(random::bytes()))
    }

    /// Reads a key: 32 bytes as base64 (either alphabet, padding optional) or as 64 hexadecimal digits. White space
    /// around it, such as a file's last newline, is ignored.
    ///
    /// # Errors
    /// [`SealError::MasterKey`].
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        let bytes = Secret::new(
            if text.len() == KEY_BYTES * 2 { from_hex(text) } else { from_base64(text) }.unwrap_or_default(),
        );
        let mut key = [0; KEY_BYTES];
        if bytes.expose().len() != KEY_BYTES {
            return Err(SealError::MasterKey);
        }
        key.copy_from_slice(bytes.expose());
        // A key of one repeated byte is a placeholder someone forgot to replace.
        if key.iter().all(|byte| *byte == key[0]) {
            return Err(SealError::MasterKey);
        }
        Ok(Self(Secret::new(key)))
    }

    /// The key as 44 characters of base64, for the file or variable it is kept in.
    pub fn to_base64(&self) -> Secret<String> {
        Secret::new(base64::engine::general_purpose::STANDARD.encode(self.0.expose()))
    }

    /// A name for the key that gives nothing of it away: 16 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        token::hex(&self.fingerprint_bytes())
    }

    fn fingerprint_bytes(&self) -> [u8; FINGERPRINT_BYTES] {
        hkdf_sha256(SALT, self.0.expose(), &[b"fingerprint"])
    }

    /// Encrypts `plaintext` (at most 64 GiB) for one `purpose`, such as `signing-key`, and binds it to `aad`, such as
    /// the row's id.
    ///
    /// The result is 85 bytes longer than the plaintext and different each time. One purpose may seal 2³² values.
    pub fn seal(&self, purpose: &str, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let fingerprint = self.fingerprint_bytes();
        let context = context(fingerprint, purpose, aad);
        let data_key = Secret::new(random::bytes::<KEY_BYTES>());
        let nonce = random::bytes::<NONCE_BYTES>();

        let mut sealed =
            Vec::with_capacity(1 + FINGERPRINT_BYTES + NONCE_BYTES + WRAPPED_BYTES + plaintext.len() + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend(fingerprint);
        sealed.extend(nonce);
        sealed.extend(encrypt(self.wrapping_key(purpose).expose(), nonce, &context, data_key.expose()));
        // INVARIANT: a data key seals one value only, so its nonce never repeats.
        sealed.extend(encrypt(data_key.expose(), [0; NONCE_BYTES], &context, plaintext));
        sealed
    }

    /// Decrypts what [`seal`](Self::seal) made, given the same purpose and `aad`.
    ///
    /// # Errors
    /// [`SealError::Truncated`], [`SealError::Version`], [`SealError::OtherMasterKey`], [`SealError::Refused`].
    pub fn open(&self, purpose: &str, aad: &[u8], sealed: &[u8]) -> Result<Secret<Vec<u8>>, SealError> {
        let (&version, rest) = sealed.split_first().ok_or(SealError::Truncated)?;
        if version != VERSION {
            return Err(SealError::Version);
        }
        let (fingerprint, rest) = rest.split_first_chunk::<FINGERPRINT_BYTES>().ok_or(SealError::Truncated)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Truncated)?;
        let (wrapped, text) = rest.split_first_chunk::<WRAPPED_BYTES>().ok_or(SealError::Truncated)?;
        if text.len() < TAG_BYTES {
            return Err(SealError::Truncated);
        }
        if *fingerprint != self.fingerprint_bytes() {
            return Err(SealError::OtherMasterKey);
        }
        let context = context(*fingerprint, purpose, aad);
        let data_key = decrypt(self.wrapping_key(purpose).expose(), *nonce, &context, wrapped)?;
        let data_key = data_key.expose().first_chunk::<KEY_BYTES>().ok_or(SealError::Refused)?;
        decrypt(data_key, [0; NONCE_BYTES], &context, text)
    }

    fn wrapping_key(&self, purpose: &str) -> Secret<[u8; KEY_BYTES]> {
        Secret::new(hkdf_sha256(SALT, self.0.expose(), &[b"wrap:", purpose.as_bytes()]))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MasterKey({})", self.fingerprint())
    }
}

/// The [fingerprint](MasterKey::fingerprint) of the master key a value was sealed under, to find what still has to be
/// sealed again after a change of master key. Nothing when `sealed` is not a sealed value.
pub fn sealed_under(sealed: &[u8]) -> Option<String> {
    let (&version, rest) = sealed.split_first()?;
    let fingerprint = rest.first_chunk::<FINGERPRINT_BYTES>()?;
    (version == VERSION).then(|| token::hex(fingerprint))
}

/// All that is authenticated beside the text. Lengths come first, so that no two contexts read alike.
fn context(fingerprint: [u8; FINGERPRINT_BYTES], purpose: &str, aad: &[u8]) -> Vec<u8> {
    let mut context = vec![VERSION];
    context.extend(fingerprint);
    context.extend((purpose.len() as u64).to_be_bytes());
    context.extend(purpose.as_bytes());
    context.extend(aad);
    context
}

#[expect(clippy::expect_used, reason = "AES-256 takes any 32 bytes")]
fn cipher(key: &[u8; KEY_BYTES]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key is 32 bytes long"))
}

#[expect(clippy::expect_used, reason = "AES-GCM refuses only texts over 64 GiB")]
fn encrypt(key: &[u8; KEY_BYTES], nonce: [u8; NONCE_BYTES], context: &[u8], text: &[u8]) -> Vec<u8> {
    // Room for the tag at once: growing would leave a copy of the plaintext behind.
    let mut buffer = Vec::with_capacity(text.len() + TAG_BYTES);
    buffer.extend(text);
    cipher(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut buffer)
        .expect("the text is shorter than 64 GiB");
    buffer
}

fn decrypt(
    key: &[u8; KEY_BYTES],
    nonce: [u8; NONCE_BYTES],
    context: &[u8],
    sealed: &[u8],
) -> Result<Secret<Vec<u8>>, SealError> {
    let mut buffer = sealed.to_vec();
    let opened = cipher(key).open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut buffer);
    let length = opened.map_err(|_| SealError::Refused)?.len();
    buffer.truncate(length);
    Ok(Secret::new(buffer))
}

/// HKDF-SHA256, extract then expand, to `N` bytes (at most 8160).
#[expect(clippy::expect_used, reason = "HKDF refuses only lengths over 255 hashes")]
fn hkdf_sha256<const N: usize>(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> [u8; N] {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    const { assert!(N <= 255 * 32) };
    let mut output = [0; N];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(info, Length(N))
        .and_then(|material| material.fill(&mut output))
        .expect("the length is within HKDF's limit");
    output
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config).decode(text).ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(KEY_BYTES);
    for pair in text.as_bytes().chunks(2) {
        let [high, low] = pair else { return None };
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn key() -> MasterKey {
        MasterKey::parse(HEX).unwrap()
    }

    #[test]
    fn hkdf_is_that_of_rfc_5869() {
        // Appendix A.1.
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let output: [u8; 42] = hkdf_sha256(&salt, &[0x0b; 22], &[&info]);
        assert_eq!(
            token::hex(&output),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
        let split: [u8; 42] = hkdf_sha256(&salt, &[0x0b; 22], &[&info[..3], &info[3..]]);
        assert_eq!(split, output, "info may come in pieces");
    }

    #[test]
    fn a_master_key_reads_the_same_in_every_spelling() {
        let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        for text in [HEX, &HEX.to_uppercase(), base64, base64.trim_end_matches('='), &format!(" {base64}\r\n")] {
            assert_eq!(MasterKey::parse(text).unwrap().fingerprint(), key().fingerprint(), "{text:?}");
        }
        assert_eq!(key().to_base64().expose(), base64);
        let url_safe = "-_8CAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let standard = url_safe.replace('-', "+").replace('_', "/");
        assert_eq!(
            MasterKey::parse(url_safe).unwrap().fingerprint(),
            MasterKey::parse(&standard).unwrap().fingerprint()
        );
    }

    #[test]
    fn a_master_key_of_any_other_length_or_of_one_repeated_byte_is_refused() {
        for text in [
            "",
            "secret",
            &HEX[..62],
            &format!("{HEX}00"),
            &HEX.replace("1f", "1g"),
            &"0".repeat(64),
            "AAAA",
            &"é".repeat(32),
        ] {
            assert_eq!(MasterKey::parse(text).err(), Some(SealError::MasterKey), "{text:?}");
        }
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_purpose_and_context() {
        let sealed = key().seal("totp", b"usr_1", b"secret");
        assert_eq!(sealed.len(), 85 + 6);
        assert_eq!(key().open("totp", b"usr_1", &sealed).unwrap().expose(), b"secret");
        assert_eq!(key().open("totp", b"usr_1", &key().seal("totp", b"usr_1", b"")).unwrap().expose(), b"");
        assert_ne!(key().seal("totp", b"usr_1", b"secret"), sealed, "never the same twice");
    }

    #[test]
    fn another_purpose_context_or_master_key_does_not_open_it() {
        let sealed = key().seal("totp", b"usr_1", b"secret");
        let open = |key: MasterKey, purpose, aad| key.open(purpose, aad, &sealed).err();
        assert_eq!(open(key(), "totp", b"usr_2"), Some(SealError::Refused));
        assert_eq!(open(key(), "totp", b""), Some(SealError::Refused));
        assert_eq!(open(key(), "nir", b"usr_1"), Some(SealError::Refused));
        assert_eq!(open(key(), "totpu", b"sr_1"), Some(SealError::Refused), "the boundary counts");
        assert_eq!(open(MasterKey::generate(), "totp", b"usr_1"), Some(SealError::OtherMasterKey));
    }

    #[test]
    fn even_with_a_forged_fingerprint_another_master_key_does_not_open_it() {
        let mut sealed = key().seal("totp", b"usr_1", b"secret");
        let other = MasterKey::generate();
        sealed[1..9].copy_from_slice(&other.fingerprint_bytes());
        assert_eq!(other.open("totp", b"usr_1", &sealed).err(), Some(SealError::Refused));
    }

    #[test]
    fn a_sealed_value_says_which_master_key_it_needs() {
        let sealed = key().seal("totp", b"usr_1", b"secret");
        assert_eq!(sealed_under(&sealed), Some(key().fingerprint()));
        assert_eq!(sealed_under(&sealed[..8]), None);
        assert_eq!(sealed_under(&[2; 100]), None);
    }

    #[test]
    fn a_newer_version_is_named_as_such() {
        let mut sealed = key().seal("totp", b"", b"secret");
        sealed[0] = 2;
        assert_eq!(key().open("totp", b"", &sealed).err(), Some(SealError::Version));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let printed = format!("{:?}", key());
        assert_eq!(printed, format!("MasterKey({})", key().fingerprint()));
        assert!(!HEX.contains(&key().fingerprint()));
        assert_ne!(key().fingerprint(), MasterKey::generate().fingerprint());
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed_wherever_it_is(
            plaintext in proptest::collection::vec(any::<u8>(), 0..100),
            at in any::<prop::sample::Index>(),
            change in 1_u8..,
        ) {
            let mut sealed = key().seal("p", b"aad", &plaintext);
            let at = at.index(sealed.len());
            sealed[at] ^= change;
            prop_assert!(key().open("p", b"aad", &sealed).is_err());
        }

        #[test]
        fn a_value_cut_short_or_lengthened_is_noticed(
            keep in 0_usize..100,
            more in proptest::collection::vec(any::<u8>(), 1..20),
        ) {
            let sealed = key().seal("p", b"aad", &[7; 15]);
            prop_assert!(key().open("p", b"aad", &sealed[..keep]).is_err());
            prop_assert!(key().open("p", b"aad", &[sealed, more].concat()).is_err());
        }

        #[test]
        fn anything_sealed_opens(
            purpose in ".{0,20}",
            aad in ".{0,40}",
            plaintext in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let sealed = key().seal(&purpose, aad.as_bytes(), &plaintext);
            let opened = key().open(&purpose, aad.as_bytes(), &sealed).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,70}") {
            prop_assert!(key().open("p", b"", &bytes).is_err());
            let _ = MasterKey::parse(&text);
        }
    }
}
