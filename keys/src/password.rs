//! Password hashing with Argon2id, kept as PHC strings (RFC 9106; requirements R171, R212; CNIL deliberation 2022-100).
//!
//! A hash costs tens of milliseconds and tens of megabytes on purpose: run it on a bounded pool, never inside a
//! transaction.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Version};
use thiserror::Error;
use zeroize::Zeroize;

use crate::secret::Secret;
use crate::{random, token};

/// Longest password accepted, in bytes of UTF-8. Argon2's own work does not grow with it, but hashing megabytes would.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Longest stored hash read. Ours take about 100 bytes.
const MAX_PHC_BYTES: usize = 512;
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_ITERATIONS: u32 = 64;
const MAX_PARALLELISM: u32 = 64;
/// KiB written by one hash over all its passes: 4 GiB, some seconds of one core.
const MAX_WORK_KIB: u64 = 4 * 1024 * 1024;
/// KiB written over all passes, below which a hash is cheaper than every setting OWASP lists (7 MiB five times).
const MIN_WORK_KIB: u64 = 35 * 1024;
/// What a hash made elsewhere may cost here, unless the server's own are dearer: memory in KiB, KiB written over all passes (half a second
/// of one core), and lanes.
const FOREIGN: (u32, u64, u32) = (128 * 1024, 512 * 1024, 16);
/// The shortest salt and output of one. Its passes may be few: it is made anew, at the current cost, as soon as the password is typed.
const FOREIGN_BYTES: (usize, usize) = (8, 16);
const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// What one hash costs. The default is OWASP's first choice: 19 MiB, two passes, one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub iterations: u32,
    /// Lanes. More than one helps only an attacker here: we fill them one after the other.
    pub parallelism: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

impl Params {
    /// Parameters fit for production: memory 7,168 KiB to 1 GiB, 1 to 64 iterations, 1 to 64 lanes, and memory ×
    /// iterations between 35 MiB (the cheapest setting OWASP lists) and 4 GiB (some seconds of work).
    ///
    /// # Errors
    /// [`PasswordError::Params`] outside these ranges.
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, PasswordError> {
        let params = Self { memory_kib, iterations, parallelism };
        params.bounded()?;
        if memory_kib < 7_168 || params.work_kib() < MIN_WORK_KIB {
            return Err(PasswordError::Params);
        }
        Ok(params)
    }

    /// The limits that protect the server, whatever the security of the result.
    fn bounded(self) -> Result<argon2::Params, PasswordError> {
        let sane = self.memory_kib <= MAX_MEMORY_KIB
            && self.iterations <= MAX_ITERATIONS
            && self.parallelism <= MAX_PARALLELISM
            && self.work_kib() <= MAX_WORK_KIB;
        if !sane {
            return Err(PasswordError::Params);
        }
        argon2::Params::new(self.memory_kib, self.iterations, self.parallelism, None).map_err(|_| PasswordError::Params)
    }

    fn work_kib(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.iterations)
    }
}

/// What came of comparing a password with a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right.
    Match {
        /// The hash was made with other parameters than the current ones: hash again while the password is at hand.
        outdated: bool,
    },
    /// The password is wrong.
    Mismatch,
}

/// Why a password could not be hashed or compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PasswordError {
    /// The password is longer than [`MAX_PASSWORD_BYTES`].
    #[error("password longer than {MAX_PASSWORD_BYTES} bytes")]
    TooLong,
    /// Parameters, given or stored, outside the accepted ranges.
    #[error("Argon2 parameters out of range")]
    Params,
    /// The stored text is no Argon2id PHC string of version 19 with salt and hash.
    #[error("stored password hash is not readable")]
    Stored,
    /// Argon2 gave up, for want of memory.
    #[error("password hashing failed")]
    Failed,
}

/// Hashes a password for storage, with a fresh random salt of 16 bytes.
///
/// # Errors
/// [`PasswordError::TooLong`], [`PasswordError::Params`], or [`PasswordError::Failed`] when memory is short.
pub fn hash(password: &Secret<String>, params: Params) -> Result<String, PasswordError> {
    Memory::default().hash(password, params)
}

/// Compares a password with a stored hash, in time that depends on the stored parameters only.
///
/// A password longer than [`MAX_PASSWORD_BYTES`] is a [`Verdict::Mismatch`]: no such password was ever stored.
///
/// # Errors
/// [`PasswordError::Stored`] when `phc` cannot be read, [`PasswordError::Params`] when it asks for absurd work (over 1
/// GiB of memory, 64 iterations, 64 lanes, or 4 GiB in all): a planted hash must not bring the server down.
pub fn verify(password: &Secret<String>, phc: &str, current: Params) -> Result<Verdict, PasswordError> {
    Memory::default().verify(password, phc, current)
}

/// Says whether a hash that was made elsewhere may be kept here, to be compared with a password once: an Argon2id PHC string of version 19
/// with a salt of 8 bytes or more and an output of 16 or more, of at most 128 MiB of memory, 512 MiB written over all passes and 16 lanes,
/// or no more than `current` asks for: whoever fills in such texts must not bring the server down by them.
///
/// # Errors
/// [`PasswordError::Stored`] when it is another text, [`PasswordError::Params`] when it asks for more.
///
/// Requirement R212.
pub fn admit_foreign(phc: &str, current: Params) -> Result<(), PasswordError> {
    let Stored { params, salt, output } = Stored::parse(phc)?;
    if salt.len() < FOREIGN_BYTES.0 || output.len() < FOREIGN_BYTES.1 {
        return Err(PasswordError::Stored);
    }
    let (memory_kib, work_kib, lanes) = FOREIGN;
    let bounded = params.memory_kib <= memory_kib.max(current.memory_kib)
        && params.work_kib() <= work_kib.max(current.work_kib())
        && params.parallelism <= lanes.max(current.parallelism);
    if bounded { Ok(()) } else { Err(PasswordError::Params) }
}

/// A hash that no password matches, for accounts that do not exist: verifying against it costs what a real one costs.
///
/// Make one when the server starts and keep it. `params` out of range give a text that [`verify`] refuses.
pub fn decoy(params: Params) -> String {
    phc(params, &random::bytes::<SALT_BYTES>(), &random::bytes::<OUTPUT_BYTES>()).unwrap_or_default()
}

/// The memory that hashing works in, kept from one hash to the next and wiped when dropped.
///
/// Asking the system for it anew each time costs page faults, and allocators keep a copy for each thread that ever asked.
/// One `Memory` for each hash that runs at the same time bounds the whole: so many times [`Params::memory_kib`].
#[derive(Default)]
pub struct Memory(Vec<Block>);

impl Memory {
    /// Whether it is no more than a hash with `params` works in: what a dearer one from elsewhere needed is not worth keeping.
    pub fn fits(&self, params: Params) -> bool {
        // A block is one KiB.
        self.0.len() <= usize::try_from(params.memory_kib).unwrap_or(usize::MAX)
    }

    /// [`hash`] in this memory.
    ///
    /// # Errors
    /// Those of [`hash`].
    pub fn hash(&mut self, password: &Secret<String>, params: Params) -> Result<String, PasswordError> {
        if password.expose().len() > MAX_PASSWORD_BYTES {
            return Err(PasswordError::TooLong);
        }
        let salt = random::bytes::<SALT_BYTES>();
        let mut output = [0; OUTPUT_BYTES];
        self.compute((password, &salt), params, &mut output)?;
        phc(params, &salt, &output)
    }

    /// [`verify`] in this memory.
    ///
    /// # Errors
    /// Those of [`verify`].
    pub fn verify(&mut self, password: &Secret<String>, phc: &str, current: Params) -> Result<Verdict, PasswordError> {
        let stored = Stored::parse(phc)?;
        if password.expose().len() > MAX_PASSWORD_BYTES {
            return Ok(Verdict::Mismatch);
        }
        let mut computed = vec![0; stored.output.len()];
        self.compute((password, &stored.salt), stored.params, &mut computed)?;
        if !token::same(&computed, stored.output.as_bytes()) {
            return Ok(Verdict::Mismatch);
        }
        let outdated = stored.params != current || stored.salt.len() != SALT_BYTES || computed.len() != OUTPUT_BYTES;
        Ok(Verdict::Match { outdated })
    }

    fn compute(
        &mut self,
        (password, salt): (&Secret<String>, &[u8]),
        params: Params,
        output: &mut [u8],
    ) -> Result<(), PasswordError> {
        let params = params.bounded()?;
        let blocks = params.block_count();
        if self.0.len() < blocks {
            // Wiped and given back before more is asked for.
            *self = Self::default();
            self.0 = vec![Block::new(); blocks];
        }
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(password.expose().as_bytes(), salt, output, &mut self.0[..blocks])
            .map_err(|_| PasswordError::Failed)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for block in &mut self.0 {
            block.zeroize();
        }
    }
}

fn phc(params: Params, salt: &[u8], output: &[u8]) -> Result<String, PasswordError> {
    let params = ParamsString::try_from(params.bounded()?).map_err(|_| PasswordError::Params)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(Salt::new(salt).map_err(|_| PasswordError::Failed)?),
        hash: Some(Output::new(output).map_err(|_| PasswordError::Failed)?),
    };
    Ok(hash.to_string())
}

struct Stored {
    params: Params,
    salt: Salt,
    output: Output,
}

impl Stored {
    fn parse(phc: &str) -> Result<Self, PasswordError> {
        if phc.len() > MAX_PHC_BYTES {
            return Err(PasswordError::Stored);
        }
        let hash = PasswordHash::new(phc).map_err(|_| PasswordError::Stored)?;
        if hash.algorithm != Algorithm::Argon2id.ident() || hash.version != Some(Version::V0x13.into()) {
            return Err(PasswordError::Stored);
        }
        let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
            return Err(PasswordError::Stored);
        };
        // Exactly m, t and p: a hash made with a secret key or associated data is not one of ours.
        if hash.params.iter().count() != 3 {
            return Err(PasswordError::Stored);
        }
        let number = |name| hash.params.get_decimal(name).ok_or(PasswordError::Stored);
        let params = Params { memory_kib: number("m")?, iterations: number("t")?, parallelism: number("p")? };
        params.bounded()?;
        Ok(Self { params, salt, output })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHEAP: Params = Params { memory_kib: 64, iterations: 1, parallelism: 1 };

    fn password(text: &str) -> Secret<String> {
        Secret::from(text.to_owned())
    }

    #[test]
    fn a_hash_matches_its_password_and_no_other() {
        let params = Params::default();
        let phc = hash(&password("correct horse"), params).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert_eq!(verify(&password("correct horse"), &phc, params), Ok(Verdict::Match { outdated: false }));
        assert_eq!(verify(&password("correct horsf"), &phc, params), Ok(Verdict::Mismatch));
        assert_eq!(verify(&password(""), &phc, params), Ok(Verdict::Mismatch));
    }

    #[test]
    fn a_hash_made_by_the_reference_implementation_matches() {
        // From the test suite of the reference C implementation (argon2id, version 19, m=256, t=2, p=1).
        let phc = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert_eq!(verify(&password("password"), phc, CHEAP), Ok(Verdict::Match { outdated: true }));
        assert_eq!(verify(&password("passwore"), phc, CHEAP), Ok(Verdict::Mismatch));
    }

    #[test]
    fn the_same_password_never_gives_the_same_hash() {
        assert_ne!(hash(&password("a"), CHEAP).unwrap(), hash(&password("a"), CHEAP).unwrap());
    }

    #[test]
    fn a_hash_with_other_parameters_is_outdated() {
        let phc = hash(&password("a"), CHEAP).unwrap();
        let dearer = Params { iterations: 2, ..CHEAP };
        assert_eq!(verify(&password("a"), &phc, CHEAP), Ok(Verdict::Match { outdated: false }));
        assert_eq!(verify(&password("a"), &phc, dearer), Ok(Verdict::Match { outdated: true }));
    }

    #[test]
    fn a_password_of_1025_bytes_is_not_hashed_and_matches_nothing() {
        let longest = password(&"é".repeat(512));
        let phc = hash(&longest, CHEAP).unwrap();
        assert_eq!(verify(&longest, &phc, CHEAP), Ok(Verdict::Match { outdated: false }));
        let too_long = password(&format!("{}a", "é".repeat(512)));
        assert_eq!(hash(&too_long, CHEAP), Err(PasswordError::TooLong));
        assert_eq!(verify(&too_long, &phc, CHEAP), Ok(Verdict::Mismatch));
    }

    #[test]
    fn memory_that_a_dearer_hash_needed_fits_no_more() {
        let dearer = Params { memory_kib: 128, ..CHEAP };
        let (cheap, dear) = (hash(&password("a"), CHEAP).unwrap(), hash(&password("a"), dearer).unwrap());
        let mut memory = Memory::default();
        assert!(memory.fits(CHEAP));
        assert_eq!(memory.verify(&password("a"), &cheap, CHEAP), Ok(Verdict::Match { outdated: false }));
        assert!(memory.fits(CHEAP) && memory.fits(dearer));
        assert_eq!(memory.verify(&password("a"), &dear, CHEAP), Ok(Verdict::Match { outdated: true }));
        assert!(!memory.fits(CHEAP) && memory.fits(dearer));
        // It serves cheaper ones as well as before.
        assert_eq!(memory.verify(&password("b"), &cheap, CHEAP), Ok(Verdict::Mismatch));
    }

    #[test]
    fn a_planted_hash_cannot_ask_for_absurd_work() {
        for params in
            ["m=1048577,t=1,p=1", "m=4294967295,t=1,p=1", "m=64,t=65,p=1", "m=1024,t=1,p=65", "m=1048576,t=5,p=1"]
        {
            let phc = format!("$argon2id$v=19${params}$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4");
            assert_eq!(verify(&password("a"), &phc, CHEAP), Err(PasswordError::Params), "{params}");
        }
    }

    #[test]
    fn a_hash_from_elsewhere_is_kept_within_bounds_only() {
        let tail = "c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let phc = |params: &str| format!("$argon2id$v=19${params}${tail}");
        let current = Params::default();
        let table = [
            (phc("m=19456,t=2,p=1"), Ok(())),
            // What others' libraries make by default, and what they made long ago.
            (phc("m=65536,t=3,p=4"), Ok(())),
            (phc("m=4096,t=3,p=1"), Ok(())),
            (phc("m=131072,t=4,p=16"), Ok(())),
            (phc("m=131073,t=1,p=1"), Err(PasswordError::Params)),
            (phc("m=131072,t=5,p=1"), Err(PasswordError::Params)),
            (phc("m=65536,t=3,p=17"), Err(PasswordError::Params)),
            (phc("m=1048576,t=1,p=1"), Err(PasswordError::Params)),
            (phc("m=4294967295,t=4294967295,p=1"), Err(PasswordError::Params)),
            (phc("m=0,t=1,p=1"), Err(PasswordError::Params)),
            (phc("m=19456,t=0,p=1"), Err(PasswordError::Params)),
            (format!("$argon2i$v=19$m=19456,t=2,p=1${tail}"), Err(PasswordError::Stored)),
            ("$argon2id$v=19$m=19456,t=2,p=1$c29t$nf65EOgLrQMR/uIPnA4rEg".to_owned(), Err(PasswordError::Stored)),
            ("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA".to_owned(), Err(PasswordError::Stored)),
            ("Zk7!rouvent-Pliq".to_owned(), Err(PasswordError::Stored)),
            (String::new(), Err(PasswordError::Stored)),
        ];
        for (phc, expected) in table {
            assert_eq!(admit_foreign(&phc, current), expected, "{phc}");
        }
        // A server whose own are dearer takes back what it handed over.
        let dear = Params { memory_kib: 262_144, iterations: 3, parallelism: 1 };
        assert_eq!(admit_foreign(&phc("m=262144,t=3,p=1"), dear), Ok(()));
        assert_eq!(admit_foreign(&phc("m=262144,t=4,p=1"), dear), Err(PasswordError::Params));
        assert_eq!(admit_foreign(&hash(&password("a"), current).unwrap(), current), Ok(()));
    }

    #[test]
    fn other_algorithms_versions_and_broken_texts_are_refused() {
        let tail = "c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        for phc in [
            String::new(),
            "hunter2".to_owned(),
            format!("$argon2i$v=19$m=256,t=2,p=1${tail}"),
            format!("$argon2d$v=19$m=256,t=2,p=1${tail}"),
            format!("$argon2id$v=16$m=256,t=2,p=1${tail}"),
            format!("$argon2id$m=256,t=2,p=1${tail}"),
            format!("$argon2id$v=19$m=256,t=2${tail}"),
            format!("$argon2id$v=19$m=256,t=2,p=1,keyid=AAAA${tail}"),
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ".to_owned(),
            format!("$argon2id$v=19$m=256,t=2,p=1${tail}{}", "A".repeat(600)),
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW".to_owned(),
        ] {
            assert_eq!(verify(&password("password"), &phc, CHEAP), Err(PasswordError::Stored), "{phc}");
        }
    }

    #[test]
    fn a_decoy_is_compared_like_a_real_hash_and_never_matches() {
        let phc = decoy(CHEAP);
        assert_eq!(phc.len(), hash(&password("a"), CHEAP).unwrap().len());
        assert_ne!(phc, decoy(CHEAP));
        assert_eq!(verify(&password(""), &phc, CHEAP), Ok(Verdict::Mismatch));
    }

    #[test]
    fn parameters_weaker_than_every_owasp_setting_are_refused() {
        let default = Params::default();
        assert_eq!(Params::new(default.memory_kib, default.iterations, default.parallelism), Ok(default));
        for (memory, iterations) in [(47_104, 1), (12_288, 3), (9_216, 4), (7_168, 5), (65_536, 3)] {
            assert!(Params::new(memory, iterations, 1).is_ok(), "{memory} {iterations}");
        }
        for (memory, iterations, parallelism) in [
            (64, 1, 1),
            (19_456, 1, 1),
            (7_167, 64, 1),
            (1_048_577, 1, 1),
            (19_456, 0, 1),
            (19_456, 2, 0),
            (19_456, 2, 65),
        ] {
            assert_eq!(Params::new(memory, iterations, parallelism), Err(PasswordError::Params));
        }
    }

    proptest! {
        #[test]
        fn no_stored_text_makes_it_panic(phc in "(\\$argon2id\\$v=19\\$)?.{0,80}") {
            let _ = verify(&password("a"), &phc, CHEAP);
        }

        #[test]
        fn no_text_from_elsewhere_makes_it_panic_and_what_is_kept_is_bounded(
            phc in "(\\$argon2id\\$v=19\\$)?(m=[0-9]{1,10},t=[0-9]{1,3},p=[0-9]{1,3}\\$c29tZXNhbHQ\\$)?.{0,60}",
        ) {
            if admit_foreign(&phc, CHEAP).is_ok() {
                prop_assert!(Stored::parse(&phc).is_ok_and(|stored| stored.params.memory_kib <= FOREIGN.0));
            }
        }
    }
}
