//! What the engine of all that expires relies on, on both engines: leases, looks that notice changes, notices that are kept once.

use jiff::{SignedDuration, Timestamp};
use sqlx::{AssertSqlSafe, Executor as _};

use super::contract_moments::{self, Moment};
use super::notices::{self, NewNotice};
use super::tests::{postgres, sqlite};
use super::{At, Conn as _, Db, Raw, account_links, imported_passwords, leases, passwords};

async fn run(db: &Db, text: &str) {
    let mut tx = db.begin().await.unwrap();
    let text = AssertSqlSafe(text.to_owned());
    match tx.raw() {
        Raw::Sqlite(c) => drop(c.execute(text).await.unwrap()),
        Raw::Postgres(c) => drop(c.execute(text).await.unwrap()),
    }
    tx.commit().await.unwrap();
}

fn minute(minute: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
}

async fn take(db: &Db, holder: &str, now: i64) -> bool {
    let mut tx = db.begin().await.unwrap();
    let taken = leases::take(&mut tx, ("work", holder), (minute(now), minute(now + 3))).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

async fn leases_are_of_one_process(db: &Db) {
    assert!(take(db, "one", 0).await);
    assert!(!take(db, "other", 1).await, "it is held");
    assert!(take(db, "one", 2).await, "and held on to");
    assert!(!take(db, "other", 5).await, "until five minutes past");
    assert!(take(db, "other", 6).await, "a dead holder's lapses");
    assert!(!take(db, "one", 6).await, "whoever was too slow has lost it");
    let mut tx = db.begin().await.unwrap();
    leases::give_back(&mut tx, ("work", "one")).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!take(db, "one", 7).await, "nobody gives back another's");
    let mut tx = db.begin().await.unwrap();
    leases::give_back(&mut tx, ("work", "other")).await.unwrap();
    tx.commit().await.unwrap();
    assert!(take(db, "one", 7).await);
    // A clock that was a year ahead holds nobody up for a year.
    assert!(take(db, "wild", 7 + 365 * 24 * 60).await);
    assert!(take(db, "one", 8).await);
}

/// How many of the passwords looked at now can be planned after `between` has happened.
async fn planned_after(db: &Db, between: &str) -> usize {
    let due = passwords::all_from(&mut db.reader().await.unwrap(), "", 10).await.unwrap();
    run(db, between).await;
    let mut tx = db.begin().await.unwrap();
    let looks: Vec<_> = due.iter().map(|due| (due, Some(minute(1000)))).collect();
    let planned = passwords::plan(&mut tx, &looks).await.unwrap();
    tx.commit().await.unwrap();
    planned
}

async fn a_look_notices_what_its_plan_hangs_on(db: &Db) {
    for text in [
        "INSERT INTO organizations (id, kind, name, status, created_at) VALUES ('org_1', 'company', 'Une', 'active', 0)",
        "INSERT INTO people (id, login, given_name, family_name, locale, claims, status, operator, email_verified, created_at, updated_at)
         VALUES ('usr_1', 'a@b.example', 'A', 'B', 'fr', '{}', 'active', FALSE, FALSE, 0, 0)",
        "INSERT INTO passwords (person_id, phc, changed_at) VALUES ('usr_1', 'x', 0)",
    ] {
        run(db, text).await;
    }
    assert_eq!(planned_after(db, "UPDATE people SET given_name = 'C'").await, 1, "nothing to do with it");
    let changes = [
        "INSERT INTO memberships (person_id, organization_id, role, created_at) VALUES ('usr_1', 'org_1', 'member', 0)",
        "UPDATE memberships SET ends_on = '2030-01-01'",
        "UPDATE memberships SET status = 'suspended'",
        "UPDATE people SET status = 'suspended'",
        "UPDATE people SET operator = TRUE",
        "DELETE FROM memberships",
        "UPDATE passwords SET changed_at = 5, look_at = 0",
    ];
    for change in changes {
        assert_eq!(planned_after(db, change).await, 0, "planned before: {change}");
        // The second time in a row it was to be looked at anyway.
        run(db, "UPDATE passwords SET look_at = 0").await;
        let again = change.replace("2030", "2031").replace("'suspended'", "'closed'").replace("TRUE", "FALSE");
        if again != change {
            assert_eq!(planned_after(db, &again).await, 0, "waiting to be looked at: {again}");
        }
        assert_eq!(planned_after(db, "UPDATE people SET given_name = 'D'").await, 1, "then it is planned");
    }
    run(
        db,
        "INSERT INTO memberships (person_id, organization_id, role, created_at) VALUES ('usr_1', 'org_1', 'member', 0)",
    )
    .await;
    assert_eq!(planned_after(db, "UPDATE people SET given_name = 'E'").await, 1);
    let to_replan = async || passwords::to_replan(&mut db.reader().await.unwrap()).await.unwrap();
    assert_eq!(to_replan().await, None);
    run(db, "UPDATE organizations SET password_policy = '{}'").await;
    assert_eq!(to_replan().await, Some(("org_1".to_owned(), String::new())));
    for (limit, left) in [(1, true), (1, false)] {
        let from = to_replan().await.unwrap().1;
        let mut tx = db.begin().await.unwrap();
        passwords::replan(&mut tx, ("org_1", &from), limit).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(to_replan().await.is_some(), left, "batch by batch");
    }
    let mut reader = db.reader().await.unwrap();
    let first = (Timestamp::MIN.into(), "");
    let due = passwords::to_look_at(&mut reader, Timestamp::UNIX_EPOCH, first, 10).await.unwrap();
    assert_eq!(due.len(), 1, "and its people are looked at again");
}

async fn moments_are_paged_and_planned_once(db: &Db) {
    run(db, "INSERT INTO organizations (id, kind, name, status, created_at) VALUES ('org_2', 'company', 'Deux', 'active', 0)").await;
    let mut tx = db.begin().await.unwrap();
    for number in 0..25 {
        let due = [("opens", minute(9)), ("ends", minute(10))];
        contract_moments::set(&mut tx, ("order", &format!("ord_{number:02}"), "org_2"), &due, minute(1)).await.unwrap();
    }
    contract_moments::set(&mut tx, ("trial", "tri_1", "org_2"), &[("ends", minute(9))], minute(1)).await.unwrap();
    tx.commit().await.unwrap();
    let page = async |after: (At, &str)| {
        let page = (minute(1), after.0, after.1, 7);
        contract_moments::to_look_at(&mut db.reader().await.unwrap(), "order", page).await.unwrap()
    };
    let mut seen: Vec<Moment> = Vec::new();
    loop {
        let after = seen.last().map_or((Timestamp::MIN.into(), ""), |last| (last.look_at, last.place.as_str()));
        let rows = page(after).await;
        if rows.is_empty() {
            break;
        }
        seen.extend(rows);
    }
    let places: Vec<_> = seen.iter().map(|moment| moment.place.clone()).collect();
    let mut sorted = places.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((places.len(), &sorted), (50, &places), "each once, in order");
    // One was due anew meanwhile, one is planned by another.
    run(db, "UPDATE contract_moments SET due_at = 1 WHERE subject_id = 'ord_03' AND moment = 'ends'").await;
    run(db, "UPDATE contract_moments SET look_at = 5 WHERE subject_id = 'ord_04' AND moment = 'ends'").await;
    let looks: Vec<_> = seen.iter().map(|moment| (moment, (moment.moment == "ends").then(|| minute(1000)))).collect();
    let mut tx = db.begin().await.unwrap();
    assert_eq!(contract_moments::looked_at(&mut tx, &looks).await.unwrap(), 48);
    assert_eq!(contract_moments::looked_at(&mut tx, &looks).await.unwrap(), 0, "once");
    assert_eq!(contract_moments::looked_at(&mut tx, &[]).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(page((Timestamp::MIN.into(), "")).await.len(), 2, "these are looked at again");
    let (waiting, next) = contract_moments::waiting(&mut db.reader().await.unwrap(), "order").await.unwrap();
    assert_eq!((waiting, next.map(At::milliseconds)), (25, Some(0)));
}

async fn a_notice_is_kept_once(db: &Db) {
    let insert = async |id: &str, rung| {
        let mut tx = db.begin().await.unwrap();
        let new = NewNotice { id, kind: "password", subject: "usr_1", due: minute(9), rung };
        let kept = notices::insert(&mut tx, &new, minute(1)).await.unwrap();
        tx.commit().await.unwrap();
        kept
    };
    assert!(insert("ntc_1", 30).await);
    assert!(!insert("ntc_2", 30).await);
    assert!(insert("ntc_3", 7).await);
    // The version before, beside this one.
    run(db, "INSERT INTO password_notices (person_id, due_at, rung, sent_at) VALUES ('usr_1', 540000, 1, 60000)").await;
    assert!(!insert("ntc_4", 1).await);
    let mut sent = notices::sent(&mut db.reader().await.unwrap(), ("password", "usr_1"), minute(9)).await.unwrap();
    sent.sort_unstable();
    assert_eq!(sent, [1, 7, 30]);
    let mut tx = db.begin().await.unwrap();
    assert_eq!(notices::purge(&mut tx, minute(2), 2).await.unwrap(), 2);
    tx.commit().await.unwrap();
}

async fn of_an_invitation_the_last_open_link_lapses(db: &Db) {
    for (id, status) in [("usr_5", "pending"), ("usr_6", "active"), ("usr_7", "pending")] {
        run(db, &format!(
            "INSERT INTO people (id, login, given_name, family_name, locale, claims, status, operator, email_verified, created_at, updated_at)
             VALUES ('{id}', '{id}', 'A', 'B', 'fr', '{{}}', '{status}', FALSE, FALSE, 0, 0)"
        ))
        .await;
    }
    let links = [
        ("usr_5", 1, 10, ""),
        ("usr_5", 2, 10, "\"by_hand\":true"),
        ("usr_6", 3, 10, ""),
        ("usr_7", 4, 10, "\"by_hand\":true"),
        ("usr_7", 5, 20, "\"target\":\"https://p.example/?a=\\\"by_hand\\\":true\""),
    ];
    for (person, digest, end, detail) in links {
        let mut tx = db.begin().await.unwrap();
        let new = account_links::NewLink {
            digest: &[digest],
            purpose: account_links::Purpose::Activate,
            person: Some(person),
            detail: &format!("{{{detail}}}"),
            expires_at: minute(end),
        };
        account_links::insert(&mut tx, &new, minute(0)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let due = async |until: i64| {
        let first = (Timestamp::MIN.into(), "");
        let due = account_links::to_lapse(&mut db.reader().await.unwrap(), minute(until), first, 10).await.unwrap();
        due.into_iter().map(|link| link.person_id).collect::<Vec<_>>()
    };
    let lapse = async |person: &str, now: i64| {
        let mut tx = db.begin().await.unwrap();
        let lapsed = account_links::lapse(&mut tx, person, minute(now)).await.unwrap();
        tx.commit().await.unwrap();
        lapsed
    };
    assert_eq!(account_links::waiting_to_lapse(&mut db.reader().await.unwrap()).await.unwrap().0, 2);
    assert_eq!(due(15).await, ["usr_5"], "once; whoever came, or has a link that goes on, is not due");
    assert!(!lapse("usr_6", 15).await && !lapse("usr_7", 15).await && lapse("usr_5", 15).await);
    assert!(due(15).await.is_empty() && !lapse("usr_5", 15).await, "with both of its links");
    // A stranger's asking leaves what was handed over.
    let mut tx = db.begin().await.unwrap();
    assert_eq!(account_links::void_mailed(&mut tx, "usr_7", minute(5)).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(account_links::find(&mut db.reader().await.unwrap(), &[4], minute(5)).await.unwrap().is_some());
    assert_eq!(due(15).await, ["usr_7"]);
}

async fn a_digest_is_as_old_as_the_membership_and_compared_even_when_it_is_not_kept(db: &Db) {
    run(db, "INSERT INTO organizations (id, kind, name, status, created_at) VALUES ('org_8', 'company', 'Huit', 'active', 0)").await;
    for id in ["usr_8", "usr_9"] {
        run(db, &format!(
            "INSERT INTO people (id, login, given_name, family_name, locale, claims, status, operator, email_verified, created_at, updated_at)
             VALUES ('{id}', '{id}', 'A', 'B', 'fr', '{{}}', 'pending', FALSE, FALSE, 0, 0)"
        ))
        .await;
    }
    run(db, "INSERT INTO memberships (person_id, organization_id, role, created_at) VALUES ('usr_8', 'org_8', 'member', 60000)").await;
    // The kill switch comes between the entry and the digest.
    run(db, "UPDATE organizations SET renewal_at = 120000 WHERE id = 'org_8'").await;
    let mut tx = db.begin().await.unwrap();
    for id in ["usr_8", "usr_9"] {
        imported_passwords::add(&mut tx, id, ("phc", minute(0))).await.unwrap();
    }
    assert_eq!(imported_passwords::find(&mut tx, "usr_9").await.unwrap(), None, "no member any more");
    let keeps = imported_passwords::find(&mut tx, "usr_8").await.unwrap().map(|(_, keeps)| keeps);
    assert_eq!(keeps, Some(false));
    assert_eq!(imported_passwords::look(&mut tx, "usr_8").await.unwrap(), None);
    for _ in 0..20 {
        assert_eq!(imported_passwords::compare(&mut tx, "usr_8").await.unwrap().as_deref(), Some("phc"));
    }
    assert_eq!(imported_passwords::compare(&mut tx, "usr_8").await.unwrap(), None, "nobody guesses for ever");
    imported_passwords::give_back(&mut tx, "usr_8").await.unwrap();
    assert!(imported_passwords::compare(&mut tx, "usr_8").await.unwrap().is_some());
    imported_passwords::outlive(&mut tx, "usr_8", minute(3)).await.unwrap();
    assert_eq!(imported_passwords::find(&mut tx, "usr_8").await.unwrap(), None);
    assert_eq!(passwords::earlier(&mut tx, "usr_8", 5).await.unwrap(), ["phc"]);
}

#[tokio::test]
async fn leases_looks_and_notices_hold_on_sqlite() {
    let (db, _folder) = sqlite().await;
    leases_are_of_one_process(&db).await;
    a_look_notices_what_its_plan_hangs_on(&db).await;
    a_notice_is_kept_once(&db).await;
    moments_are_paged_and_planned_once(&db).await;
    of_an_invitation_the_last_open_link_lapses(&db).await;
    a_digest_is_as_old_as_the_membership_and_compared_even_when_it_is_not_kept(&db).await;
}

#[tokio::test]
async fn leases_looks_and_notices_hold_on_postgres() {
    let db = postgres("lifecycle").await;
    leases_are_of_one_process(&db).await;
    a_look_notices_what_its_plan_hangs_on(&db).await;
    a_notice_is_kept_once(&db).await;
    moments_are_paged_and_planned_once(&db).await;
    of_an_invitation_the_last_open_link_lapses(&db).await;
    a_digest_is_as_old_as_the_membership_and_compared_even_when_it_is_not_kept(&db).await;
}
