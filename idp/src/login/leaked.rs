//! The list of leaked passwords: a file of filters (`keys::leaked`), or the list of common passwords inside this program.
//!
//! ```text
//! "HABILISL" | version 1: 4 | shards, as a power of two: 4 | passwords: 8 | length of what follows: 8 | SHA-256: 32
//! for each shard: number of its first slot: 8 | shape: 16
//! slots: 2 each
//! ```
//! Numbers are little-endian. A password belongs to the shard that the first bits of its SHA-1 name. The SHA-256 is that of
//! everything but itself. A file is read where it lies, six bytes a password asked about: a list of a billion costs no memory.
//!
//! A password that is not on the list is taken for one on it once in 32,768 times: it is looked up as it is and in lower case.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use habilis_keys::leaked::{Checksum, SHAPE_BYTES, Shape, fingerprint};

/// Length of the header in bytes.
pub(crate) const HEADER_BYTES: usize = 64;
/// Length of a line of the table of shards.
pub(crate) const SHARD_BYTES: usize = 8 + SHAPE_BYTES;
/// Most shards, as a power of two: enough for thirty billion passwords.
pub(crate) const MAX_SHARD_BITS: u32 = 16;

const MAGIC: &[u8; 8] = b"HABILISL";
const VERSION: u32 = 1;

/// 55,860 common passwords; where they come from stands in `idp/leaked/SOURCES.md`.
const COMMON: &[u8] = include_bytes!("../../leaked/common.filter");

/// What stands at the beginning of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) shard_bits: u32,
    pub(crate) passwords: u64,
    /// Length of the table and the slots.
    pub(crate) body_bytes: u64,
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
    /// It is something else.
    #[error("is no list of leaked passwords; make one with `habilis passwords filter`")]
    NotAList,
    /// It was made by a newer version.
    #[error("has format {0}, which this version does not know; make it again with `habilis passwords filter`")]
    Newer(u32),
    /// Its end is missing, or something follows it.
    #[error("is {found} bytes long instead of {told}; it was cut short, or not written to its end")]
    Length {
        /// What the header tells.
        told: u64,
        /// What there is.
        found: u64,
    },
    /// It was changed.
    #[error("is damaged: its checksum does not match")]
    Damaged,
}

impl Header {
    /// The header without its checksum.
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES - 32] {
        let mut bytes = [0; HEADER_BYTES - 32];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.shard_bits.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.passwords.to_le_bytes());
        bytes[24..].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Result<Self, ListError> {
        let version = u32::from_le_bytes(part(bytes, 8));
        let header = Self {
            shard_bits: u32::from_le_bytes(part(bytes, 12)),
            passwords: u64::from_le_bytes(part(bytes, 16)),
            body_bytes: u64::from_le_bytes(part(bytes, 24)),
        };
        if part(bytes, 0) != *MAGIC {
            return Err(ListError::NotAList);
        }
        if version != VERSION {
            return Err(ListError::Newer(version));
        }
        if header.shard_bits > MAX_SHARD_BITS { Err(ListError::NotAList) } else { Ok(header) }
    }

    /// Where the slots begin.
    pub(crate) fn slots_at(self) -> u64 {
        (HEADER_BYTES as u64) + (SHARD_BYTES as u64) * (1 << self.shard_bits)
    }
}

/// `N` bytes of `bytes`, which has them.
fn part<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[from..from + N]);
    part
}

enum Bytes {
    Inside(&'static [u8]),
    File(File),
}

impl Bytes {
    fn length(&self) -> io::Result<u64> {
        match self {
            Self::Inside(bytes) => Ok(bytes.len() as u64),
            Self::File(file) => Ok(file.metadata()?.len()),
        }
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(into, at),
            Self::Inside(bytes) => {
                let from = usize::try_from(at).map_err(io::Error::other)?;
                let found = bytes.get(from..).and_then(|rest| rest.get(..into.len()));
                into.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// A list of leaked passwords.
pub struct LeakedList {
    bytes: Bytes,
    header: Header,
    shards: Vec<(u64, Shape)>,
}

impl LeakedList {
    /// Opens the list in `file`, or the one inside this program, and reads it once to its end to compare its checksum.
    ///
    /// # Errors
    /// [`ListError`], with the name of the file before it.
    pub fn open(file: Option<&PathBuf>) -> Result<Self, String> {
        let Some(path) = file else { return Self::check(Bytes::Inside(COMMON)).map_err(|error| error.to_string()) };
        Self::open_file(path).map_err(|error| format!("passwords.leaked_file {} {error}", path.display()))
    }

    fn open_file(path: &Path) -> Result<Self, ListError> {
        let file = File::open(path)?;
        // A folder opens, and a pipe would never end.
        if !file.metadata()?.is_file() {
            return Err(ListError::NotAList);
        }
        Self::check(Bytes::File(file))
    }

    fn check(bytes: Bytes) -> Result<Self, ListError> {
        let mut head = [0; HEADER_BYTES];
        bytes.read(0, &mut head).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ListError::NotAList,
            _ => ListError::Unreadable(error),
        })?;
        let header = Header::from_bytes(&head)?;
        let (told, found) = ((HEADER_BYTES as u64).saturating_add(header.body_bytes), bytes.length()?);
        if told != found {
            return Err(ListError::Length { told, found });
        }
        if told < header.slots_at() {
            return Err(ListError::Damaged);
        }
        if checksum(&bytes, &head, found)? != head[HEADER_BYTES - 32..] {
            return Err(ListError::Damaged);
        }
        let mut shards = Vec::new();
        for number in 0..1_u64 << header.shard_bits {
            let mut line = [0; SHARD_BYTES];
            bytes.read(HEADER_BYTES as u64 + number * SHARD_BYTES as u64, &mut line)?;
            let (first, shape) = (u64::from_le_bytes(part(&line, 0)), Shape::from_bytes(part(&line, 8)));
            let shape = shape.map_err(|_| ListError::Damaged)?;
            let end = first.saturating_add(shape.slots()).saturating_mul(2).saturating_add(header.slots_at());
            if end > told {
                return Err(ListError::Damaged);
            }
            shards.push((first, shape));
        }
        Ok(Self { bytes, header, shards })
    }

    /// How many passwords are on it.
    pub fn passwords(&self) -> u64 {
        self.header.passwords
    }

    /// Says whether a password is on the list, as it is or in lower case. Reads a few bytes of the file: not for the threads
    /// that serve requests.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn contains(&self, password: &str) -> io::Result<bool> {
        let lower = password.to_lowercase();
        Ok(self.holds(password)? || (lower != password && self.holds(&lower)?))
    }

    fn holds(&self, password: &str) -> io::Result<bool> {
        let fingerprint = fingerprint(password.as_bytes());
        let Some((first, shape)) = self.shards.get(shard_of(fingerprint, self.header.shard_bits)) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        shape.contains(fingerprint, |slot| {
            let mut number = [0; 2];
            self.bytes.read(self.header.slots_at() + (first + slot) * 2, &mut number)?;
            Ok(u16::from_le_bytes(number))
        })
    }
}

/// The shard of a password: the first bits of its fingerprint.
pub(crate) fn shard_of(fingerprint: u64, shard_bits: u32) -> usize {
    usize::try_from(fingerprint.checked_shr(u64::BITS - shard_bits).unwrap_or(0)).unwrap_or(usize::MAX)
}

fn checksum(bytes: &Bytes, head: &[u8; HEADER_BYTES], end: u64) -> io::Result<Vec<u8>> {
    let mut digest = Checksum::new();
    digest.add(&head[..HEADER_BYTES - 32]);
    let (mut at, mut buffer) = (HEADER_BYTES as u64, vec![0; 1 << 20]);
    while at < end {
        let length = usize::try_from((end - at).min(buffer.len() as u64)).map_err(io::Error::other)?;
        bytes.read(at, &mut buffer[..length])?;
        digest.add(&buffer[..length]);
        at += length as u64;
    }
    Ok(digest.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_inside_is_sound_and_small_and_knows_common_passwords_in_any_case() {
        let list = LeakedList::open(None).unwrap();
        assert_eq!(list.passwords(), 55_860);
        assert!(COMMON.len() < 200_000, "{}", COMMON.len());
        for known in ["123456", "azerty", "Azerty", "n8zgt5p0shw=", "N8zGt5p0sHw="] {
            assert!(list.contains(known).unwrap(), "{known}");
        }
        for other in ["tR8!xqLm2?vB", "", "cheval agrafe lundi tapis nuage forêt silex", "N8zGt5p0sHw=x"] {
            assert!(!list.contains(other).unwrap(), "{other}");
        }
    }

    #[test]
    fn one_in_32768_others_is_taken_for_a_leaked_one_when_it_has_capitals() {
        let list = LeakedList::open(None).unwrap();
        let wrong = (0..400_000).filter(|n| list.contains(&format!("Zkrouvent-{n}")).unwrap()).count();
        // 12.2 are to be expected; the numbers are the same every time, so this is no gamble.
        assert!((3..=28).contains(&wrong), "{wrong} of 400,000");
    }

    #[test]
    fn a_file_that_is_no_list_or_damaged_is_refused_with_a_clear_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leaked.filter");
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            LeakedList::open(Some(&path)).err().unwrap()
        };
        let mut newer = COMMON.to_vec();
        newer[8] = 2;
        let mut shards = COMMON.to_vec();
        shards[12] = 17;
        let mut flipped = COMMON.to_vec();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        let mut more = COMMON.to_vec();
        more.push(0);
        for (bytes, word) in [
            (&b""[..], "no list"),
            (b"123456\npassword\n", "no list"),
            (&[0; 200], "no list"),
            (&shards, "no list"),
            (&newer, "format 2"),
            (&COMMON[..COMMON.len() - 1], "cut short"),
            (&more, "bytes long"),
            (&flipped, "damaged"),
        ] {
            let error = refused(bytes);
            assert!(error.contains(word) && error.contains("leaked.filter"), "{error}");
        }
        let nowhere = folder.path().join("nowhere");
        assert!(LeakedList::open(Some(&nowhere)).err().unwrap().contains("nowhere"));
        assert!(LeakedList::open(Some(&folder.path().to_owned())).err().unwrap().contains("no list"));
    }

    #[test]
    fn a_header_with_a_true_checksum_may_still_lie_about_its_shards() {
        let sound = [0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0];
        let table = |shape: [u8; SHAPE_BYTES]| [&u64::MAX.to_le_bytes()[..], &shape].concat();
        for (shard_bits, body) in
            [(0, table([0xff; SHAPE_BYTES])), (0, table(sound)), (0, Vec::new()), (3, table(sound))]
        {
            let header = Header { shard_bits, passwords: 1, body_bytes: body.len() as u64 };
            let mut digest = Checksum::new();
            digest.add(&header.to_bytes());
            digest.add(&body);
            let bytes = [&header.to_bytes()[..], &digest.finish(), &body].concat();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("lying.filter");
            std::fs::write(&path, bytes).unwrap();
            assert!(LeakedList::open(Some(&path)).err().unwrap().contains("damaged"));
        }
    }
}
