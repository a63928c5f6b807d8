//! Makes a list of leaked passwords (`login::leaked`) of a text file of any length, in bounded memory: the fingerprints are
//! spread over 256 files beside the output, then each of them is sorted and built into filters on its own.
//!
//! A billion passwords take eight gigabytes beside the output while this works, and a hundred megabytes of memory.

use std::fs::{File, Permissions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use habilis_keys::leaked::{Checksum, build, fingerprint, fingerprint_of_sha1};
use tempfile::{NamedTempFile, TempDir};

use crate::login::leaked::{HEADER_BYTES, Header, MAX_SHARD_BITS, SHARD_BYTES, shard_of};

/// Longest line looked at, in bytes: a password has 256 characters at most, a hash is followed by a count.
const MAX_LINE: usize = 1100;
/// Files the fingerprints are spread over, as a power of two.
const SPREAD_BITS: u32 = 8;
/// Passwords one filter holds on average, at most.
const PER_SHARD: u64 = 1 << 19;
/// Most lines: 256 files of 128 megabytes each are sorted in memory, one at a time.
const MAX_LINES: u64 = 1 << 32;

/// What was made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) passwords: u64,
    pub(super) bytes: u64,
    pub(super) skipped: u64,
}

/// Makes `output` of the lines of `list`, and puts it in place when it is complete.
pub(super) fn make(list: &Path, output: &Path) -> Result<Made, String> {
    let beside = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let at_output = |error: io::Error| format!("{}: {error}", output.display());
    let at_list = |error: io::Error| format!("{}: {error}", list.display());
    let input: Box<dyn Read> =
        if list == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(list).map_err(at_list)?) };
    let mut spread = Spread::beside(beside).map_err(at_output)?;
    let skipped = read_lines(&mut BufReader::with_capacity(1 << 20, input), &mut spread).map_err(at_list)?;
    if spread.lines == 0 {
        return Err(format!("{} has no passwords", list.display()));
    }
    let (passwords, bytes) = write(spread, (beside, output)).map_err(at_output)?;
    Ok(Made { passwords, bytes, skipped })
}

/// Spreads every line; says how many were too long.
fn read_lines(input: &mut impl BufRead, spread: &mut Spread) -> io::Result<u64> {
    let (mut line, mut skipped) = (Vec::new(), 0);
    loop {
        line.clear();
        if input.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(skipped);
        }
        if line.len() == MAX_LINE && !line.ends_with(b"\n") {
            skipped += 1;
            input.skip_until(b'\n')?;
            continue;
        }
        let text = line.trim_ascii_end();
        if text.is_empty() {
            continue;
        }
        let hash = text.split(|&byte| byte == b':').next().and_then(fingerprint_of_sha1);
        if let Some(hash) = hash {
            spread.add(hash)?;
            continue;
        }
        // Spaces at the end belong to a password; the end of the line does not.
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        spread.add(fingerprint(text))?;
        if let Some(lower) = std::str::from_utf8(text).ok().map(str::to_lowercase)
            && lower.as_bytes() != text
        {
            spread.add(fingerprint(lower.as_bytes()))?;
        }
    }
}

/// Fingerprints in 256 files, by their first bits. The files go when this does.
struct Spread {
    _folder: TempDir,
    files: Vec<BufWriter<File>>,
    lines: u64,
}

impl Spread {
    fn beside(folder: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(".habilis-filter-").tempdir_in(folder)?;
        let file = |number: u32| File::create_new(folder.path().join(number.to_string()));
        let reopened =
            |number: u32| File::options().read(true).write(true).open(folder.path().join(number.to_string()));
        let files = (0..1 << SPREAD_BITS)
            .map(|number| {
                file(number).and_then(|_| reopened(number)).map(|file| BufWriter::with_capacity(1 << 14, file))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { _folder: folder, files, lines: 0 })
    }

    fn add(&mut self, fingerprint: u64) -> io::Result<()> {
        self.lines += 1;
        if self.lines > MAX_LINES {
            return Err(io::Error::other("more than four billion lines"));
        }
        self.files[shard_of(fingerprint, SPREAD_BITS)].write_all(&fingerprint.to_le_bytes())
    }

    /// The different fingerprints of one file, sorted.
    fn sorted(&mut self, number: usize) -> io::Result<Vec<u64>> {
        let file = &mut self.files[number];
        file.flush()?;
        let file = file.get_mut();
        file.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        file.set_len(0)?;
        let mut found: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|&bytes| u64::from_le_bytes(bytes)).collect();
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

/// So many shards, as a power of two, that none holds too many.
fn shard_bits(lines: u64) -> u32 {
    (0..MAX_SHARD_BITS).find(|bits| lines >> bits <= PER_SHARD).unwrap_or(MAX_SHARD_BITS)
}

/// Builds the shards one after the other; says how many passwords there are and how long the file is.
fn write(mut spread: Spread, (beside, output): (&Path, &Path)) -> io::Result<(u64, u64)> {
    let shard_bits = shard_bits(spread.lines);
    let mut file = NamedTempFile::new_in(beside)?;
    let empty = Header { shard_bits, passwords: 0, body_bytes: 0 };
    let mut slots = BufWriter::new(file.as_file_mut());
    slots.seek(SeekFrom::Start(empty.slots_at()))?;
    let (mut table, mut passwords, mut first) = (Vec::new(), 0, 0);
    let mut emit = |shard: &[u64]| -> io::Result<()> {
        let (shape, row) = build(shard).map_err(io::Error::other)?;
        table.extend(u64::to_le_bytes(first));
        table.extend(shape.to_bytes());
        first += row.len() as u64;
        passwords += shard.len() as u64;
        row.iter().try_for_each(|slot| slots.write_all(&slot.to_le_bytes()))
    };
    let mut waiting = Vec::new();
    for number in 0..1_usize << SPREAD_BITS {
        waiting.extend(spread.sorted(number)?);
        if shard_bits <= SPREAD_BITS {
            // Several files make one shard.
            if (number + 1) % (1 << (SPREAD_BITS - shard_bits)) == 0 {
                emit(&waiting)?;
                waiting.clear();
            }
            continue;
        }
        // One file makes several shards; none is left out, empty or not.
        let parts = 1_usize << (shard_bits - SPREAD_BITS);
        let mut rest = waiting.as_slice();
        for shard in number * parts..(number + 1) * parts {
            let end = rest.partition_point(|&one| shard_of(one, shard_bits) <= shard);
            emit(&rest[..end])?;
            rest = &rest[end..];
        }
        waiting.clear();
    }
    slots.flush()?;
    drop(slots);
    let body_bytes = table.len() as u64 + first * 2;
    let header = Header { shard_bits, passwords, body_bytes };
    seal(file.as_file_mut(), &header, &table)?;
    // Nothing in it is secret, and the server may run as somebody else.
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(output).map_err(|error| error.error)?;
    Ok((passwords, HEADER_BYTES as u64 + body_bytes))
}

/// Writes header and table before the slots, with the checksum of the whole.
fn seal(file: &mut File, header: &Header, table: &[u8]) -> io::Result<()> {
    debug_assert_eq!(table.len(), SHARD_BYTES << header.shard_bits);
    let mut checksum = Checksum::new();
    checksum.add(&header.to_bytes());
    checksum.add(table);
    file.seek(SeekFrom::Start(header.slots_at()))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        checksum.add(&buffer[..length]);
    }
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header.to_bytes())?;
    file.write_all(&checksum.finish())?;
    file.write_all(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::leaked::LeakedList;

    fn made_of(lines: &str) -> (TempDir, Result<Made, String>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("list"), lines).unwrap();
        let made = make(&folder.path().join("list"), &folder.path().join("leaked.filter"));
        (folder, made)
    }

    fn opened(folder: &TempDir) -> LeakedList {
        LeakedList::open(Some(&folder.path().join("leaked.filter"))).unwrap()
    }

    #[test]
    fn passwords_and_hashes_mix_and_what_follows_a_hash_does_not_matter() {
        // The second is the SHA-1 of "password", the third that of "hello".
        let (folder, made) = made_of(
            "Zk7!rouvent-Pliq\r\n5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:10434004\n\naaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d\nune phrase \nZk7!rouvent-Pliq\nmot:passe",
        );
        // One of them counts twice: as it is, and in lower case.
        assert_eq!(made.unwrap().passwords, 6);
        let list = opened(&folder);
        for known in [
            "Zk7!rouvent-Pliq",
            "ZK7!ROUVENT-PLIQ",
            "zk7!rouvent-pliq",
            "password",
            "hello",
            "une phrase ",
            "mot:passe",
        ] {
            assert!(list.contains(known).unwrap(), "{known}");
        }
        for other in ["une phrase", "mot", "", "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8"] {
            assert!(!list.contains(other).unwrap(), "{other}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn endless_lines_are_left_out_and_bytes_that_are_no_text_are_passwords_too() {
        let folder = tempfile::tempdir().unwrap();
        let list = [&[b'a'; 5000][..], b"\n\xff\xfe\n", &[b'b'; MAX_LINE - 1], b"\nfin"].concat();
        std::fs::write(folder.path().join("list"), list).unwrap();
        let made = make(&folder.path().join("list"), &folder.path().join("leaked.filter")).unwrap();
        assert_eq!((made.passwords, made.skipped), (3, 1));
        let list = opened(&folder);
        assert!(list.contains("fin").unwrap() && list.contains(&"b".repeat(MAX_LINE - 1)).unwrap());
    }

    #[test]
    fn an_empty_list_is_refused_and_what_was_there_stays() {
        let (folder, made) = made_of("\n\r\n");
        assert!(made.unwrap_err().contains("no passwords"));
        assert!(!folder.path().join("leaked.filter").exists());
        let nowhere = make(Path::new("/nowhere/at/all"), &folder.path().join("x"));
        assert!(nowhere.unwrap_err().contains("/nowhere/at/all"));
        let nowhere = make(&folder.path().join("list"), Path::new("/nowhere/at/all"));
        assert!(nowhere.unwrap_err().contains("/nowhere/at/all"));
    }

    #[test]
    fn a_long_list_is_cut_into_shards_and_loses_nothing() {
        assert_eq!([0, 1, PER_SHARD, PER_SHARD + 1, 1 << 30, u64::MAX].map(shard_bits), [0, 0, 0, 1, 11, 16]);
        assert_eq!(shard_bits(2 * PER_SHARD + 2), 2);
        for (bits, count) in [(3, 4000_u32), (10, 20_000)] {
            let folder = tempfile::tempdir().unwrap();
            let mut spread = Spread::beside(folder.path()).unwrap();
            for n in 0..count {
                spread.add(fingerprint(format!("motdepasse{n}").as_bytes())).unwrap();
            }
            // So many lines as ask for that many shards.
            spread.lines = PER_SHARD << bits;
            let output = folder.path().join("leaked.filter");
            let (passwords, bytes) = write(spread, (folder.path(), &output)).unwrap();
            assert_eq!((passwords, bytes), (u64::from(count), std::fs::metadata(&output).unwrap().len()));
            let list = LeakedList::open(Some(&output)).unwrap();
            assert!((0..count).all(|n| list.contains(&format!("motdepasse{n}")).unwrap()));
            let wrong = (0..2000).filter(|n| list.contains(&format!("rouvent{n}")).unwrap()).count();
            assert!(wrong <= 2, "{wrong}");
        }
    }
}
