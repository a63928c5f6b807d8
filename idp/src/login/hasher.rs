//! Password hashing, bounded: so many at the same time (memory × parallel is what it may take), a queue, then 503.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use habilis_keys::password::{self, Memory, Params, Verdict};
use habilis_keys::secret::Secret;
use tokio::sync::Semaphore;

use crate::config::PasswordHash;
use crate::outcome::{Fault, Outcome};

/// Runs Argon2id apart from the request threads.
pub struct Hasher {
    params: Params,
    running: Arc<Semaphore>,
    /// Working memory at rest: at most one for each place in `running`, and of the size that `params` ask for, so the whole is bounded.
    memories: Arc<Mutex<Vec<Memory>>>,
    waiting: AtomicUsize,
    queue: usize,
    decoy: OnceLock<String>,
}

impl Hasher {
    /// A hasher with these bounds; `parallel = 0` means one per processor.
    pub fn new(settings: &PasswordHash, params: Params) -> Self {
        let parallel = match settings.parallel {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            parallel => parallel,
        };
        Self {
            params,
            running: Arc::new(Semaphore::new(parallel)),
            memories: Arc::default(),
            waiting: AtomicUsize::new(0),
            queue: settings.queue,
            decoy: OnceLock::new(),
        }
    }

    /// Makes the digest of a new password.
    ///
    /// # Errors
    /// Overloaded, or Argon2 failed.
    pub async fn hash(&self, password: Secret<String>) -> Outcome<String> {
        let params = self.params;
        self.run(move |memory| Ok(memory.hash(&password, params)?)).await
    }

    /// Compares a password with a digest, or with a decoy for nobody: the same work either way.
    ///
    /// # Errors
    /// Overloaded, or a stored digest cannot be read.
    pub async fn verify(&self, password: Secret<String>, phc: Option<String>) -> Outcome<Verdict> {
        let params = self.params;
        let nobody = phc.is_none();
        let phc = phc.unwrap_or_else(|| self.decoy.get_or_init(|| password::decoy(params)).clone());
        let verdict = self.run(move |memory| Ok(memory.verify(&password, &phc, params)?)).await?;
        Ok(if nobody { Verdict::Mismatch } else { verdict })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        // INVARIANT: the counter goes down when the guard drops, also when the request is cancelled while it waits.
        let _place = Place::take(&self.waiting, self.queue)?;
        let permit = self.running.clone().acquire_owned().await?;
        let (memories, params) = (self.memories.clone(), self.params);
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let resting = || memories.lock().unwrap_or_else(PoisonError::into_inner);
            let mut memory = resting().pop().unwrap_or_default();
            let outcome = work(&mut memory);
            // A digest from elsewhere may have needed more: that goes back to the system.
            if memory.fits(params) {
                resting().push(memory);
            }
            outcome
        })
        .await?
    }
}

struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, queue: usize) -> Outcome<Self> {
        if waiting.fetch_add(1, Ordering::SeqCst) >= queue {
            waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(Fault::overloaded(2));
        }
        Ok(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(queue: usize) -> Hasher {
        let settings = PasswordHash { memory_kib: 7168, iterations: 5, parallelism: 1, parallel: 1, queue };
        Hasher::new(&settings, Params::new(7168, 5, 1).unwrap())
    }

    #[tokio::test]
    async fn a_full_queue_is_an_overload_and_places_come_back() {
        let hasher = Arc::new(hasher(3));
        let tries: Vec<_> = (0..10)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.hash(Secret::new("motdepasse".to_owned())).await })
            })
            .collect();
        let mut done = 0;
        for attempt in tries {
            match attempt.await.unwrap() {
                Ok(_) => done += 1,
                Err(fault) => assert_eq!(fault.retry_after(), Some(2)),
            }
        }
        assert_eq!(done, 3);
        assert_eq!(hasher.waiting.load(Ordering::SeqCst), 0);
        assert!(hasher.hash(Secret::new("encore".to_owned())).await.is_ok());
    }

    #[tokio::test]
    async fn what_a_dear_digest_needed_is_given_back() {
        let hasher = hasher(3);
        let resting = || hasher.memories.lock().unwrap().len();
        hasher.hash(Secret::new("motdepasse".to_owned())).await.unwrap();
        assert_eq!(resting(), 1);
        let dearer = Params::new(8192, 5, 1).unwrap();
        let phc = password::hash(&Secret::new("motdepasse".to_owned()), dearer).unwrap();
        let verdict = hasher.verify(Secret::new("motdepasse".to_owned()), Some(phc)).await.unwrap();
        assert!(matches!(verdict, Verdict::Match { outdated: true }));
        assert_eq!(resting(), 0);
        hasher.hash(Secret::new("motdepasse".to_owned())).await.unwrap();
        assert_eq!(resting(), 1);
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let verdict = hasher(3).verify(Secret::new(String::new()), None).await.unwrap();
        assert!(matches!(verdict, Verdict::Mismatch));
    }
}
