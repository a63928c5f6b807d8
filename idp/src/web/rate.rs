//! A bounded count of events a minute by key, in memory: each node counts for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::sync::Cache;

/// Keys remembered at the most; beyond it the least used are forgotten.
const MAX_KEYS: u64 = 100_000;

/// So many events a minute for each key.
pub struct RateLimit {
    most: u32,
    counts: Cache<String, Arc<AtomicU32>>,
}

impl RateLimit {
    /// Admits `most` events a minute for each key; the minute begins with the first.
    pub fn per_minute(most: u32) -> Self {
        let counts = Cache::builder().max_capacity(MAX_KEYS).time_to_live(Duration::from_mins(1)).build();
        Self { most, counts }
    }

    /// Whether further events of `key` are refused in this minute. Counts nothing.
    pub fn is_exhausted(&self, key: &str) -> bool {
        self.counts.get(key).is_some_and(|count| count.load(Ordering::SeqCst) >= self.most)
    }

    /// Counts an event of `key`; false when there were too many in this minute.
    pub fn admit(&self, key: &str) -> bool {
        let count = self.counts.get_with_by_ref(key, Arc::default);
        // Saturating: a flood must not wrap round to zero.
        let before = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| Some(count.saturating_add(1)));
        before.is_ok_and(|before| before < self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_allowance() {
        let limit = RateLimit::per_minute(2);
        assert!(limit.admit("a") && limit.admit("a") && !limit.admit("a"));
        assert!(limit.is_exhausted("a") && !limit.is_exhausted("b") && !limit.is_exhausted("b"));
        assert!(limit.admit("b"));
    }
}
