//! The order of events, on both engines: what commits late comes late, and nothing comes behind a cursor.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinSet;

use super::audit::{Event, record};
use super::events::{self, OPERATOR};
use super::tests::{postgres, sqlite};
use super::{Db, Tx};

const ORGANIZATION: &str = "org_1";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

async fn write(tx: &mut Tx, now: Timestamp) {
    let event =
        Event::new("organization.updated").in_organization(ORGANIZATION).changed(json!({}), json!({ "name": "A" }));
    record(tx, event, now).await.unwrap();
}

async fn place(db: &Db) -> usize {
    let mut tx = db.begin().await.unwrap();
    let placed = events::place(&mut tx, 7).await.unwrap();
    tx.commit().await.unwrap();
    placed.len()
}

/// What is after a position, and the position to go on from.
async fn read(db: &Db, after: i64) -> (Vec<String>, i64) {
    let mut reader = db.reader().await.unwrap();
    let end = events::state(&mut reader).await.unwrap().last_position;
    let rows = events::after(&mut reader, ORGANIZATION, (after, end), (&[], 200)).await.unwrap();
    (rows.into_iter().map(|row| row.id).collect(), end)
}

#[tokio::test]
async fn a_transaction_that_commits_late_is_placed_after_what_was_read() {
    // SQLite has one writer, so there is no late commit.
    let db = postgres("late_event").await;
    let mut late = db.begin().await.unwrap();
    write(&mut late, at(10)).await;
    let mut early = db.begin().await.unwrap();
    write(&mut early, at(20)).await;
    early.commit().await.unwrap();
    assert_eq!(place(&db).await, 2, "one for the operator, one for the organization");
    let (first, cursor) = read(&db, 0).await;
    assert_eq!(first.len(), 1);
    late.commit().await.unwrap();
    assert_eq!(read(&db, cursor).await, (Vec::new(), cursor), "committed, and without a place yet");
    place(&db).await;
    let (second, _) = read(&db, cursor).await;
    assert_eq!(second.len(), 1);
    assert!(second[0] < first[0], "the older event comes behind, and is not lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_misses_nothing_while_many_write_and_several_give_places() {
    let (lite, _folder) = sqlite().await;
    for db in [lite, postgres("event_order").await] {
        let done = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for writer in 0..6 {
            let db = db.clone();
            writers.spawn(async move {
                for number in 0..20 {
                    let mut tx = db.begin().await.unwrap();
                    write(&mut tx, at(1000 * writer - number)).await;
                    tokio::task::yield_now().await;
                    tx.commit().await.unwrap();
                }
            });
        }
        let mut placers = JoinSet::new();
        for _ in 0..2 {
            let (db, done) = (db.clone(), done.clone());
            placers.spawn(async move { while place(&db).await > 0 || !done.load(Ordering::SeqCst) {} });
        }
        let reader = tokio::spawn({
            let (db, done) = (db.clone(), done.clone());
            async move {
                let (mut seen, mut cursor) = (Vec::new(), 0);
                loop {
                    let over =
                        done.load(Ordering::SeqCst) && !events::waiting(&mut db.reader().await.unwrap()).await.unwrap();
                    let (ids, end) = read(&db, cursor).await;
                    seen.extend(ids);
                    cursor = end;
                    if over {
                        return seen;
                    }
                }
            }
        });
        writers.join_all().await;
        done.store(true, Ordering::SeqCst);
        placers.join_all().await;
        let seen = reader.await.unwrap();
        assert_eq!((seen.len(), seen.into_iter().collect::<BTreeSet<_>>().len()), (120, 120));
    }
}

#[tokio::test]
async fn what_is_removed_is_remembered_and_what_waits_stays() {
    let (lite, _folder) = sqlite().await;
    for db in [lite, postgres("event_purge").await] {
        for second in [10, 20, 30] {
            let mut tx = db.begin().await.unwrap();
            write(&mut tx, at(second)).await;
            tx.commit().await.unwrap();
            if second < 30 {
                place(&db).await;
            }
        }
        let mut tx = db.begin().await.unwrap();
        assert_eq!(events::purge(&mut tx, at(15)).await.unwrap(), 2);
        tx.commit().await.unwrap();
        let state = events::state(&mut db.reader().await.unwrap()).await.unwrap();
        assert_eq!((state.last_position, state.forgotten), (4, 2));
        let mut tx = db.begin().await.unwrap();
        assert_eq!(events::purge(&mut tx, at(100)).await.unwrap(), 2, "the last has no place yet");
        tx.commit().await.unwrap();
        assert_eq!(place(&db).await, 2);
        let mut reader = db.reader().await.unwrap();
        assert_eq!(events::after(&mut reader, OPERATOR, (0, 99), (&["account.created"], 9)).await.unwrap().len(), 0);
        assert_eq!(
            events::after(&mut reader, OPERATOR, (0, 99), (&["organization.updated"], 9)).await.unwrap().len(),
            1
        );
    }
}
