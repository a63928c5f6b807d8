//! Leaked passwords as a filter: no password can be read back from it, and a billion of them fit into 2.3 GB.
//!
//! A binary fuse filter (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters", 2022) with three slots a
//! password and fingerprints of 16 bits. A password that is in it is always found; another one is taken for one in it once in
//! 65,536 times. What goes in is the beginning of the SHA-1 of a password, because that is how lists of leaked passwords are
//! published; the secrecy of nothing rests on it.
//!
//! The filter is a shape and a row of numbers. Where the row lies, in memory or in a file, is up to the caller, who is asked for
//! three of its numbers at a time.

use ring::digest;
use thiserror::Error;

/// Length of a [`Shape`] in bytes.
pub const SHAPE_BYTES: usize = 16;

/// Seeds tried. Each fails with a probability of a few percent at worst.
const TRIES: u64 = 128;
/// Longest segment, as a power of two.
const MAX_SEGMENT_BITS: u32 = 18;
/// Most slots of one filter: half a gigabyte.
const MAX_SLOTS: u64 = 1 << 28;

/// What stands for a password in a filter: the first eight bytes of its SHA-1.
pub fn fingerprint(password: &[u8]) -> u64 {
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password);
    let mut first = [0; 8];
    first.copy_from_slice(&sha1.as_ref()[..8]);
    u64::from_be_bytes(first)
}

/// The same for a password known by its SHA-1 in 40 hexadecimal digits; `None` for any other text.
pub fn fingerprint_of_sha1(hex: &[u8]) -> Option<u64> {
    if hex.len() != 40 || !hex.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(&hex[..16]).ok()?, 16).ok()
}

/// The SHA-256 of a file that is read or written piece by piece.
pub struct Checksum(digest::Context);

impl Checksum {
    /// That of nothing.
    #[expect(clippy::new_without_default, reason = "an empty checksum is a beginning, not a default")]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Goes on with `bytes`.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The result, 32 bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

/// Why a shape cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not the shape of a filter")]
pub struct ShapeError;

/// No filter holds these passwords: they are not different from each other, or more than two hundred million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a filter cannot be made of these passwords")]
pub struct Unbuildable;

/// How a filter is laid out: overlapping windows of three segments, a power of two of slots each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    seed: u64,
    segment_bits: u32,
    /// Windows: segments, less the two that the last window reaches into.
    windows: u32,
}

impl Shape {
    /// The layout for so many passwords: 13 % more slots than passwords for many, up to a half more for a few.
    fn of(passwords: usize, seed: u64) -> Self {
        let passwords = passwords.max(2) as u64;
        let log2 = passwords.ilog2();
        // log₃.₃₃(n) + 2.25 bits, and 0.875 + 0.25 ln(10⁶) / ln(n) slots a password, in thousandths (§4 of the paper).
        let segment_bits = ((log2 * 576 + 2250) / 1000).min(MAX_SEGMENT_BITS);
        let factor = (875 + 4983 / u64::from(log2)).max(1125);
        let segments = (passwords * factor).div_ceil(1000 << segment_bits);
        Self { seed, segment_bits, windows: u32::try_from(segments.saturating_sub(2).max(1)).unwrap_or(u32::MAX) }
    }

    /// How many numbers the row has.
    pub fn slots(&self) -> u64 {
        (u64::from(self.windows) + 2) << self.segment_bits
    }

    /// As bytes, for a file.
    pub fn to_bytes(self) -> [u8; SHAPE_BYTES] {
        let mut bytes = [0; SHAPE_BYTES];
        bytes[..8].copy_from_slice(&self.seed.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.segment_bits.to_le_bytes());
        bytes[12..].copy_from_slice(&self.windows.to_le_bytes());
        bytes
    }

    /// From [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`ShapeError`] when no filter has this shape.
    pub fn from_bytes(bytes: [u8; SHAPE_BYTES]) -> Result<Self, ShapeError> {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
        let shape = Self {
            seed: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            segment_bits: u32::from_le_bytes([i, j, k, l]),
            windows: u32::from_le_bytes([m, n, o, p]),
        };
        let sane = shape.segment_bits <= MAX_SEGMENT_BITS && shape.windows >= 1 && shape.slots() <= MAX_SLOTS;
        if sane { Ok(shape) } else { Err(ShapeError) }
    }

    /// Says whether a password is in the filter; `slot` gives the numbers of the row.
    ///
    /// # Errors
    /// Those of `slot`.
    pub fn contains<E>(&self, fingerprint: u64, mut slot: impl FnMut(u64) -> Result<u16, E>) -> Result<bool, E> {
        let hash = mix(fingerprint, self.seed);
        let mut found = mark(hash);
        for position in self.positions(hash) {
            found ^= slot(position)?;
        }
        Ok(found == 0)
    }

    /// One slot in each of three neighbouring segments. Each is below [`Self::slots`].
    fn positions(&self, hash: u64) -> [u64; 3] {
        let length = 1_u64 << self.segment_bits;
        let within = length - 1;
        let first = high(u128::from(hash) * u128::from(u64::from(self.windows) << self.segment_bits));
        [first, (first + length) ^ ((hash >> 18) & within), (first + 2 * length) ^ (hash & within)]
    }
}

/// The upper half.
fn high(product: u128) -> u64 {
    u64::try_from(product >> 64).unwrap_or(u64::MAX)
}

/// A good mixer of 64 bits (the finalizer of `MurmurHash3`).
fn mix(fingerprint: u64, seed: u64) -> u64 {
    let mut hash = fingerprint.wrapping_add(seed);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The number that the three slots of a password add up to.
fn mark(hash: u64) -> u16 {
    let [a, b, ..] = (hash ^ (hash >> 32)).to_le_bytes();
    u16::from_le_bytes([a, b])
}

/// Makes a filter of different fingerprints. The same ones, in any order, give the same filter.
///
/// Takes about forty bytes of memory a fingerprint while it works.
///
/// # Errors
/// [`Unbuildable`] when two are the same, or there are too many.
pub fn build(fingerprints: &[u64]) -> Result<(Shape, Vec<u16>), Unbuildable> {
    for attempt in 0..TRIES {
        let shape = Shape::of(fingerprints.len(), mix(attempt, 0x9e37_79b9_7f4a_7c15));
        if shape.slots() > MAX_SLOTS {
            return Err(Unbuildable);
        }
        if let Some(row) = fill(&shape, fingerprints) {
            return Ok((shape, row));
        }
    }
    Err(Unbuildable)
}

/// Takes the passwords away one by one, each by a slot that it has to itself by then, and fills the slots the other way round.
fn fill(shape: &Shape, fingerprints: &[u64]) -> Option<Vec<u16>> {
    let index = |position: u64| usize::try_from(position).ok();
    let slots = index(shape.slots())?;
    let (mut users, mut hashes) = (vec![0_u32; slots], vec![0_u64; slots]);
    for &fingerprint in fingerprints {
        let hash = mix(fingerprint, shape.seed);
        for position in shape.positions(hash) {
            let slot = index(position)?;
            users[slot] += 1;
            hashes[slot] ^= hash;
        }
    }
    let mut alone: Vec<usize> = (0..slots).filter(|&slot| users[slot] == 1).collect();
    let mut taken = Vec::with_capacity(fingerprints.len());
    while let Some(slot) = alone.pop() {
        if users[slot] != 1 {
            continue;
        }
        let hash = hashes[slot];
        taken.push((hash, slot));
        for position in shape.positions(hash) {
            let other = index(position)?;
            users[other] -= 1;
            hashes[other] ^= hash;
            if users[other] == 1 {
                alone.push(other);
            }
        }
    }
    if taken.len() != fingerprints.len() {
        return None;
    }
    let mut row = vec![0_u16; slots];
    for (hash, slot) in taken.into_iter().rev() {
        let mut number = mark(hash);
        for position in shape.positions(hash) {
            // The slot itself is still nought.
            number ^= row[index(position)?];
        }
        row[slot] = number;
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn holds((shape, row): &(Shape, Vec<u16>), fingerprint: u64) -> bool {
        let slot = |position: u64| Ok::<_, Infallible>(row[usize::try_from(position).unwrap()]);
        shape.contains(fingerprint, slot).unwrap()
    }

    fn numbered(range: std::ops::Range<u32>) -> Vec<u64> {
        range.map(|n| fingerprint(format!("motdepasse{n}").as_bytes())).collect()
    }

    #[test]
    fn a_password_and_its_sha1_are_the_same_to_a_filter() {
        // "password" is the first line of every published list.
        let sha1 = b"5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8";
        assert_eq!(fingerprint_of_sha1(sha1), Some(fingerprint(b"password")));
        assert_eq!(fingerprint_of_sha1(&sha1.to_ascii_lowercase()), Some(0x5baa_61e4_c9b9_3f3f));
        for other in [&b""[..], b"5BAA61E4", &sha1[1..], b"5BAA61E4C9B93F3F0682250B6CF8331B7EE68FDG", &[0xff; 40]] {
            assert_eq!(fingerprint_of_sha1(other), None);
        }
    }

    #[test]
    fn what_went_in_is_found_whatever_the_number() {
        for count in [0, 1, 2, 3, 7, 50, 1000, 20_000] {
            let leaked = numbered(0..count);
            let filter = build(&leaked).unwrap();
            assert!(leaked.iter().all(|&one| holds(&filter, one)), "{count}");
        }
    }

    #[test]
    fn one_in_65536_others_is_taken_for_a_leaked_one() {
        let filter = build(&numbered(0..100_000)).unwrap();
        let wrong = numbered(100_000..1_000_000).into_iter().filter(|&other| holds(&filter, other)).count();
        // 13.7 are to be expected; the numbers are the same every time, so this is no gamble.
        assert!((4..=28).contains(&wrong), "{wrong} of 900,000");
    }

    #[test]
    fn a_filter_takes_little_more_than_eighteen_bits_a_password() {
        let (shape, row) = build(&numbered(0..200_000)).unwrap();
        assert_eq!(shape.slots(), row.len() as u64);
        assert!(row.len() < 240_000, "{}", row.len());
    }

    #[test]
    fn the_order_does_not_matter_and_twice_the_same_is_refused() {
        let leaked = numbered(0..500);
        let backwards: Vec<u64> = leaked.iter().rev().copied().collect();
        assert_eq!(build(&leaked), build(&backwards));
        let twice = [leaked.as_slice(), &leaked[..1]].concat();
        assert_eq!(build(&twice), Err(Unbuildable));
    }

    proptest! {
        #[test]
        fn no_shape_points_beyond_its_row(bytes in any::<[u8; SHAPE_BYTES]>(), bits in 0_u8..20, windows in 0_u8..9, key in any::<u64>()) {
            let mut small = bytes;
            small[8..16].copy_from_slice(&[bits, 0, 0, 0, windows, 0, 0, 0]);
            for bytes in [bytes, small] {
                let Ok(shape) = Shape::from_bytes(bytes) else { continue };
                prop_assert_eq!(shape.to_bytes(), bytes);
                let slots = shape.slots();
                let inside = |position| if position < slots { Ok(0) } else { Err(position) };
                prop_assert!(shape.contains(key, inside).is_ok());
            }
        }

        #[test]
        fn any_set_can_be_built(mut keys in proptest::collection::vec(any::<u64>(), 0..300)) {
            keys.sort_unstable();
            keys.dedup();
            let filter = build(&keys).unwrap();
            prop_assert!(keys.iter().all(|&key| holds(&filter, key)));
        }
    }
}
