//! Where sessions of browsers live: in memory, bounded, found by the digest of their id.
//!
//! A copy of the memory, or of a core dump, holds no cookie that could be presented. Too many or too large: the one that was
//! saved longest ago goes, and its owner signs in again. A session that is gone never comes back by a late save.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use habilis_keys::token::digest;
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

/// How much a store may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most sessions.
    pub count: usize,
    /// Most bytes of all sessions together.
    pub bytes: usize,
    /// Most bytes of one session.
    pub session_bytes: usize,
}

impl Default for Limits {
    /// Ten thousand sessions, 64 MiB, 64 KiB each.
    fn default() -> Self {
        Self { count: 10_000, bytes: 64 << 20, session_bytes: 64 << 10 }
    }
}

/// The store. Clones share it.
#[derive(Clone, Default)]
pub struct Sessions {
    limits: Limits,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    by_key: HashMap<Vec<u8>, Kept>,
    /// Keys by when they were last saved, oldest first.
    by_turn: BTreeMap<u64, Vec<u8>>,
    next_turn: u64,
    bytes: usize,
}

struct Kept {
    turn: u64,
    data: Vec<u8>,
    expires: OffsetDateTime,
}

impl Sessions {
    /// An empty store that holds at most so much.
    pub fn within(limits: Limits) -> Self {
        Self { limits, held: Arc::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // INVARIANT: nothing under the lock can panic halfway through a change.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn encoded(&self, record: &Record) -> Result<Vec<u8>> {
        let data = serde_json::to_vec(&record.data).map_err(|error| Error::Encode(error.to_string()))?;
        if data.len() > self.limits.session_bytes {
            return Err(Error::Backend("the session is too large".to_owned()));
        }
        Ok(data)
    }
}

impl Held {
    fn put(&mut self, key: Vec<u8>, (data, expires): (Vec<u8>, OffsetDateTime), limits: Limits) {
        self.remove(&key);
        let turn = self.next_turn;
        self.next_turn += 1;
        self.bytes += data.len();
        self.by_turn.insert(turn, key.clone());
        self.by_key.insert(key, Kept { turn, data, expires });
        while self.by_key.len() > limits.count || self.bytes > limits.bytes {
            let Some((_, oldest)) = self.by_turn.pop_first() else { break };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(kept) = self.by_key.remove(key) {
            self.bytes -= kept.data.len();
            self.by_turn.remove(&kept.turn);
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("limits", &self.limits).finish_non_exhaustive()
    }
}

fn key_of(id: &Id) -> Vec<u8> {
    digest(&id.to_string())
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let data = self.encoded(record)?;
        let mut held = self.held();
        while held.by_key.contains_key(&key_of(&record.id)) {
            record.id = Id::default();
        }
        held.put(key_of(&record.id), (data, record.expiry_date), self.limits);
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (key, data) = (key_of(&record.id), self.encoded(record)?);
        let mut held = self.held();
        if held.by_key.contains_key(&key) {
            held.put(key, (data, record.expiry_date), self.limits);
        }
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let key = key_of(id);
        let mut held = self.held();
        let Some(kept) = held.by_key.get(&key) else { return Ok(None) };
        if kept.expires <= now() {
            held.remove(&key);
            return Ok(None);
        }
        let data = serde_json::from_slice(&kept.data).map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date: kept.expires }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.held().remove(&key_of(id));
        Ok(())
    }
}

/// The clock that `tower-sessions` reckons expiry by.
#[expect(clippy::disallowed_methods, reason = "expiry dates in records come from the machine's clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        let data = HashMap::from([("text".to_owned(), text.into())]);
        Record { id: Id::default(), data, expiry_date: now() + time::Duration::hours(1) }
    }

    async fn created(store: &Sessions, text: &str) -> Record {
        let mut record = record(text);
        store.create(&mut record).await.unwrap();
        record
    }

    #[tokio::test]
    async fn a_session_is_found_by_its_id_until_it_is_deleted_and_no_late_save_brings_it_back() {
        let store = Sessions::default();
        let mut record = created(&store, "a").await;
        record.data.insert("more".to_owned(), 1.into());
        store.save(&record).await.unwrap();
        assert_eq!(store.load(&record.id).await.unwrap(), Some(record.clone()));
        store.delete(&record.id).await.unwrap();
        store.save(&record).await.unwrap();
        assert_eq!(store.load(&record.id).await.unwrap(), None);
        let held = store.held();
        assert_eq!((held.bytes, held.by_key.len(), held.by_turn.len()), (0, 0, 0));
    }

    #[tokio::test]
    async fn an_id_in_use_is_not_given_twice() {
        let store = Sessions::default();
        let first = created(&store, "a").await;
        let mut second = Record { id: first.id, ..record("b") };
        store.create(&mut second).await.unwrap();
        assert_ne!(first.id, second.id);
        assert_eq!(store.load(&first.id).await.unwrap(), Some(first));
    }

    #[tokio::test]
    async fn an_expired_session_is_gone() {
        let store = Sessions::default();
        let mut old = record("a");
        old.expiry_date = now() - time::Duration::seconds(1);
        store.create(&mut old).await.unwrap();
        assert_eq!(store.load(&old.id).await.unwrap(), None);
        assert_eq!(store.held().by_key.len(), 0);
    }

    #[tokio::test]
    async fn beyond_the_count_the_one_saved_longest_ago_goes() {
        let store = Sessions::within(Limits { count: 2, ..Limits::default() });
        let (a, b) = (created(&store, "a").await, created(&store, "b").await);
        store.save(&a).await.unwrap();
        let c = created(&store, "c").await;
        assert_eq!(store.load(&b.id).await.unwrap(), None);
        assert!(store.load(&a.id).await.unwrap().is_some() && store.load(&c.id).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn beyond_the_bytes_the_one_saved_longest_ago_goes_and_one_too_large_is_refused() {
        let store = Sessions::within(Limits { count: 100, bytes: 1000, session_bytes: 600 });
        let (a, b) = (created(&store, &"a".repeat(500)).await, created(&store, &"b".repeat(500)).await);
        assert_eq!(store.load(&a.id).await.unwrap(), None);
        assert!(store.create(&mut record(&"c".repeat(700))).await.is_err());
        assert_eq!(store.load(&b.id).await.unwrap(), Some(b));
        assert!(store.held().bytes <= 1000);
    }

    #[tokio::test]
    async fn no_raw_id_is_kept_and_nothing_of_a_session_is_printed() {
        let store = Sessions::default();
        let record = created(&store, "a secret").await;
        let raw = record.id.to_string();
        let held = store.held();
        assert_eq!(held.by_key.keys().next().map(Vec::len), Some(32));
        for kept in held.by_key.values() {
            assert!(!String::from_utf8_lossy(&kept.data).contains(&raw));
        }
        assert!(
            held.by_key
                .keys()
                .all(|key| key.as_slice() != record.id.0.to_le_bytes() && key.as_slice() != raw.as_bytes())
        );
        drop(held);
        assert!(!format!("{store:?}").contains("a secret"));
    }
}
