//! Proof of work: a form that costs its sender some computing before it is taken (R003), instead of a puzzle for people.
//!
//! The server signs a challenge for one browser, with its difficulty and its end; the browser looks for a number that, put
//! behind the challenge, gives a SHA-256 digest with so many leading zero bits. Checking is one digest. That a challenge
//! serves once is for the caller to see to.

use jiff::Timestamp;
use ring::digest as sha;

use crate::random;
use crate::token::HmacKey;

/// The longest challenge and proof worth a look, in bytes.
const MAX_LENGTH: usize = 200;

/// Makes a challenge of `bits` for `whom`, good until `expires_at`.
pub fn challenge(key: &HmacKey, whom: &str, (bits, expires_at): (u8, Timestamp)) -> String {
    let head = format!("{}.{bits}.{}", expires_at.as_second(), random::token().expose());
    let seal = key.derive(&context(whom, &head));
    format!("{head}.{seal}")
}

/// Why a proof is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The challenge is not ours, or was made for somebody else.
    Forged,
    /// Its time is over.
    Expired,
    /// The digest has too few zero bits.
    NotDone,
}

/// Checks a proof that `whom` sends for `challenge`, and gives the end of the challenge's time.
///
/// # Errors
/// See [`Refused`].
pub fn check(
    key: &HmacKey,
    whom: &str,
    (challenge, proof): (&str, &str),
    now: Timestamp,
) -> Result<Timestamp, Refused> {
    if challenge.len() > MAX_LENGTH || proof.len() > MAX_LENGTH {
        return Err(Refused::Forged);
    }
    let (head, seal) = challenge.rsplit_once('.').ok_or(Refused::Forged)?;
    if !key.verify(&context(whom, head), seal) {
        return Err(Refused::Forged);
    }
    let mut parts = head.split('.');
    let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok()).ok_or(Refused::Forged);
    let (end, bits) = (number()?, number()?);
    let end = Timestamp::from_second(end).map_err(|_| Refused::Forged)?;
    if now >= end {
        return Err(Refused::Expired);
    }
    let bits = u32::try_from(bits).map_err(|_| Refused::Forged)?;
    if zero_bits(challenge, proof) < bits { Err(Refused::NotDone) } else { Ok(end) }
}

fn context(whom: &str, head: &str) -> String {
    format!("proof of work {whom} {head}")
}

/// How many zero bits the digest of `challenge:proof` begins with.
fn zero_bits(challenge: &str, proof: &str) -> u32 {
    let digest = sha::digest(&sha::SHA256, format!("{challenge}:{proof}").as_bytes());
    let mut count = 0;
    for byte in digest.as_ref() {
        count += byte.leading_zeros();
        if *byte != 0 {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solve(challenge: &str, bits: u32) -> String {
        (0..u32::MAX).map(|number| number.to_string()).find(|proof| zero_bits(challenge, proof) >= bits).unwrap()
    }

    #[test]
    fn only_work_done_in_time_for_ones_own_challenge_is_taken() {
        let key = HmacKey::new(b"a key of thirty-two bytes or more");
        let at = |second| Timestamp::from_second(second).unwrap();
        let given = challenge(&key, "zoe", (8, at(100)));
        let proof = solve(&given, 8);
        assert_eq!(check(&key, "zoe", (&given, &proof), at(99)), Ok(at(100)));
        assert_eq!(check(&key, "zoe", (&given, &proof), at(100)), Err(Refused::Expired));
        assert_eq!(check(&key, "max", (&given, &proof), at(99)), Err(Refused::Forged));
        let other = HmacKey::new(b"another key of thirty-two bytes..");
        assert_eq!(check(&other, "zoe", (&given, &proof), at(99)), Err(Refused::Forged));
        let idle = (0..u32::MAX).map(|number| number.to_string()).find(|proof| zero_bits(&given, proof) < 8).unwrap();
        assert_eq!(check(&key, "zoe", (&given, &idle), at(99)), Err(Refused::NotDone));
        let eased = given.replacen(".8.", ".0.", 1);
        assert_eq!(check(&key, "zoe", (&eased, &idle), at(99)), Err(Refused::Forged));
        let later = given.replacen("100.", "999.", 1);
        assert_eq!(check(&key, "zoe", (&later, &proof), at(99)), Err(Refused::Forged));
        for broken in ["", ".", "a.b.c", &"x".repeat(1000)] {
            assert_eq!(check(&key, "zoe", (broken, &proof), at(99)), Err(Refused::Forged), "{broken}");
        }
        assert_eq!(check(&key, "zoe", (&given, &"1".repeat(1000)), at(99)), Err(Refused::Forged));
    }

    #[test]
    fn no_two_challenges_are_alike() {
        let key = HmacKey::new(b"a key of thirty-two bytes or more");
        let one = || challenge(&key, "zoe", (8, Timestamp::UNIX_EPOCH));
        assert_ne!(one(), one());
    }
}
