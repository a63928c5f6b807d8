//! The two honesty tests: every statement prepares on both engines, and both schemas agree.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Either, Executor, Statement as _};

use super::purges::{KEPT, REMOVED, REMOVED_BESIDE, words};
use super::{Conn, Db, Raw, all_statements};
use crate::outcome::Fault;

/// A fresh, migrated `SQLite` in a folder that goes away with the guard.
pub(crate) async fn sqlite() -> (Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite://{}/habilis.db", folder.path().display()), 1).await.unwrap();
    db.migrate(Timestamp::UNIX_EPOCH).await.unwrap();
    (db, folder)
}

/// A fresh, migrated database on the throwaway cluster that `integration-tests/run` starts.
pub(crate) async fn postgres(name: &str) -> Db {
    let cluster = std::env::var("HABILIS_TEST_POSTGRES")
        .expect("HABILIS_TEST_POSTGRES names a throwaway PostgreSQL; run integration-tests/run");
    let admin = sqlx::PgPool::connect(&cluster).await.unwrap();
    let name = format!("unit_{name}_{}", std::process::id());
    admin.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let mut url = url::Url::parse(&cluster).unwrap();
    url.set_path(&name);
    let db = Db::open(url.as_str(), 2).await.unwrap();
    db.migrate(Timestamp::UNIX_EPOCH).await.unwrap();
    db
}

#[tokio::test]
async fn every_statement_prepares_on_both_engines_with_the_same_parameters() {
    let (sqlite, _folder) = sqlite().await;
    let postgres = postgres("statements").await;
    let (mut lite, mut pg) = (sqlite.reader().await.unwrap(), postgres.reader().await.unwrap());
    let mut checked = 0;
    for statement in all_statements() {
        let wanted = statement.parameters();
        let Raw::Sqlite(c) = lite.raw() else { unreachable!() };
        let prepared = c
            .prepare(sqlx::SqlStr::from_static(statement.sqlite))
            .await
            .unwrap_or_else(|error| panic!("{} on SQLite: {error}", statement.name));
        assert_eq!(count(prepared.parameters()), wanted, "{} on SQLite", statement.name);
        let Raw::Postgres(c) = pg.raw() else { unreachable!() };
        let prepared = c
            .prepare(sqlx::SqlStr::from_static(statement.postgres))
            .await
            .unwrap_or_else(|error| panic!("{} on PostgreSQL: {error}", statement.name));
        assert_eq!(count(prepared.parameters()), wanted, "{} on PostgreSQL", statement.name);
        checked += 1;
    }
    assert!(checked > 40, "the walk reaches the tables: {checked} statements");
}

/// The `ETag` of a member is the sum of the versions of membership, person and organization: whatever changes what is told counts.
#[test]
fn what_changes_what_is_told_of_a_member_counts_as_a_change() {
    let told: [(&str, &[&str]); 3] = [
        (
            "people",
            &[
                "login",
                "email",
                "email_verified",
                "given_name",
                "family_name",
                "locale",
                "claims",
                "status",
                "identity_changed_at",
            ],
        ),
        ("memberships", &["role", "status", "affiliation", "ends_on", "mandate"]),
        ("organizations", &["mandatory_attributes"]),
    ];
    let mut checked = 0;
    for statement in all_statements() {
        for text in [statement.sqlite, statement.postgres] {
            let Some((table, rest)) = text.strip_prefix("UPDATE ").and_then(|rest| rest.split_once(" SET ")) else {
                continue;
            };
            let Some((_, columns)) = told.iter().find(|(of, _)| *of == table) else { continue };
            let set = rest.split("WHERE").next().unwrap_or_default();
            let sets = |column: &&str| set.split(',').any(|one| one.trim().starts_with(&format!("{column} =")));
            if columns.iter().any(sets) {
                assert!(sets(&"version"), "{}: {text}", statement.name);
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "the walk reaches the changes: {checked}");
}

fn count<T>(parameters: Option<Either<&[T], usize>>) -> usize {
    match parameters {
        Some(Either::Left(types)) => types.len(),
        Some(Either::Right(count)) => count,
        None => 0,
    }
}

#[tokio::test]
async fn both_schemas_have_the_same_tables_columns_nullability_and_keys() {
    let (sqlite, _folder) = sqlite().await;
    let postgres = postgres("schemas").await;

    let lite_columns: Vec<(String, String, String, i64)> = rows(
        &sqlite,
        "SELECT m.name, c.name, c.type, c.\"notnull\" FROM sqlite_schema m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'",
    )
    .await;
    let pg_columns: Vec<(String, String, String, i64)> = rows(
        &postgres,
        "SELECT table_name::text, column_name::text,
                upper(CASE WHEN domain_name IS NOT NULL THEN domain_name ELSE data_type END)::text,
                CASE is_nullable WHEN 'NO' THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END
         FROM information_schema.columns WHERE table_schema = 'public'",
    )
    .await;
    let lite: BTreeSet<_> = lite_columns.into_iter().collect();
    assert!(lite.len() > 100, "the comparison sees the schema: {} columns", lite.len());
    assert_eq!(lite, pg_columns.into_iter().collect());

    let lite_keys: Vec<(String, String)> = rows(
        &sqlite,
        "SELECT m.name, (SELECT group_concat(x.name, ',') FROM (SELECT k.name FROM pragma_index_info(i.name) k ORDER BY k.seqno) x)
         FROM sqlite_schema m JOIN pragma_index_list(m.name) i
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND i.\"unique\" = 1
         UNION SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND c.pk = 1 AND c.type = 'BIGINT' AND m.name = 'schema_migrations'",
    )
    .await;
    let pg_keys: Vec<(String, String)> = rows(
        &postgres,
        "SELECT c.relname::text, (SELECT string_agg(a.attname::text, ',' ORDER BY k.n)
                                  FROM unnest(i.indkey) WITH ORDINALITY k(attnum, n)
                                  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                                  WHERE k.n <= i.indnkeyatts)
         FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace s ON s.oid = c.relnamespace
         WHERE i.indisunique AND s.nspname = 'public'",
    )
    .await;
    let lite: BTreeSet<_> = lite_keys.into_iter().collect();
    assert!(lite.len() > 15, "the comparison sees the keys: {}", lite.len());
    assert_eq!(lite, pg_keys.into_iter().collect());
}

async fn rows<T>(db: &Db, text: &'static str) -> Vec<T>
where
    T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>
        + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>
        + Send
        + Unpin,
{
    match db.reader().await.unwrap().raw() {
        Raw::Sqlite(c) => sqlx::query_as(text).fetch_all(c).await.unwrap(),
        Raw::Postgres(c) => sqlx::query_as(text).fetch_all(c).await.unwrap(),
    }
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let (db, _folder) = sqlite().await;
    assert_eq!(db.migrate(Timestamp::UNIX_EPOCH).await.unwrap(), 0);
}

#[tokio::test]
async fn a_second_process_is_refused_the_sqlite_file() {
    let (_db, folder) = sqlite().await;
    // The lock belongs to the open file, so a second open in one process meets it like another process would.
    let error = Db::open(&format!("sqlite://{}/habilis.db", folder.path().display()), 1).await.unwrap_err();
    assert!(error.to_string().contains("in use by another habilis process"), "{error}");
}

#[tokio::test]
async fn the_audit_trail_refuses_update_and_delete_on_both_engines() {
    let (sqlite, _folder) = sqlite().await;
    for db in [sqlite, postgres("audit").await] {
        let mut tx = db.begin().await.unwrap();
        super::audit::record(&mut tx, super::audit::Event::new("test"), Timestamp::UNIX_EPOCH).await.unwrap();
        tx.commit().await.unwrap();
        for text in ["UPDATE audit SET event = 'other'", "DELETE FROM audit"] {
            let mut tx = db.begin().await.unwrap();
            let error = match tx.raw() {
                Raw::Sqlite(c) => sqlx::query(text).execute(c).await.unwrap_err(),
                Raw::Postgres(c) => sqlx::query(text).execute(c).await.unwrap_err(),
            };
            assert!(error.to_string().contains("append-only"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_transaction_dropped_without_commit_leaves_nothing() {
    let (db, _folder) = sqlite().await;
    let mut tx = db.begin().await.unwrap();
    insert_organization(&mut tx, "org_1").await;
    drop(tx);
    let left: Vec<(i64,)> = rows(&db, "SELECT COUNT(*) FROM organizations").await;
    assert_eq!(left, [(0,)]);
}

/// Sixteen rounds of parts that commit, give up, or are cancelled at every stage; then what is there is exactly what was
/// answered `Ok`, and the writer goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn shared_commits_hold_exactly_what_was_answered() {
    let (db, _folder) = sqlite().await;
    let mut expected = BTreeSet::new();
    for round in 0..16 {
        let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(48));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..48 {
            let (db, barrier) = (db.clone(), barrier.clone());
            tasks.spawn(async move {
                let id = format!("org_{round}_{number}");
                barrier.wait().await;
                let part = async {
                    let mut tx = db.begin().await.unwrap();
                    insert_organization(&mut tx, &id).await;
                    if number % 4 == 1 {
                        return None;
                    }
                    tx.commit().await.unwrap();
                    Some(id.clone())
                };
                if number % 4 != 2 {
                    return (part.await, None);
                }
                // Cancelled after so many polls: in line, at a statement, or at the commit. Whether it counts is open.
                let mut part = Box::pin(part);
                let mut polls = 0;
                let kept = std::future::poll_fn(|context| {
                    polls += 1;
                    match part.as_mut().poll(context) {
                        std::task::Poll::Pending if polls > number / 4 => std::task::Poll::Ready(None),
                        other => other,
                    }
                })
                .await;
                (kept, Some(id.clone()))
            });
        }
        let mut open = BTreeSet::new();
        while let Some(done) = tasks.join_next().await {
            match done.unwrap() {
                (Some(id), _) => assert!(expected.insert(id)),
                (None, Some(id)) => assert!(open.insert(id)),
                (None, None) => {}
            }
        }
        assert_eq!(expected.iter().filter(|id| id.starts_with(&format!("org_{round}_"))).count() / 24, 1);
        // A last part waits behind all ends, those of the cancelled ones included.
        db.begin().await.unwrap().commit().await.unwrap();
        let there: Vec<(String,)> = rows(&db, "SELECT id FROM organizations").await;
        let there: BTreeSet<_> = there.into_iter().map(|(id,)| id).collect();
        assert!(expected.is_subset(&there), "answered, but not there");
        expected.extend(there.intersection(&open).cloned());
        assert_eq!(there, expected);
    }
}

/// The engine ends a transaction by itself when the disk is full: whoever shares it is told, and nothing of it is there.
#[tokio::test]
async fn a_shared_transaction_that_the_engine_ended_fails_for_all_who_share_it() {
    let (db, _folder) = sqlite().await;
    let mut first = db.begin().await.unwrap();
    insert_organization(&mut first, "org_first").await;
    let second = tokio::spawn({
        let db = db.clone();
        async move {
            let mut tx = db.begin().await.unwrap();
            let Raw::Sqlite(c) = tx.raw() else { unreachable!() };
            sqlx::raw_sql("ROLLBACK").execute(c).await.unwrap();
            tx.commit().await
        }
    });
    while !db.others_wait() {
        tokio::task::yield_now().await;
    }
    let first = first.commit().await;
    assert!(first.is_err(), "{first:?}");
    assert!(second.await.unwrap().is_err());
    let left: Vec<(i64,)> = rows(&db, "SELECT COUNT(*) FROM organizations").await;
    assert_eq!(left, [(0,)]);

    let mut third = db.begin().await.unwrap();
    insert_organization(&mut third, "org_third").await;
    third.commit().await.unwrap();
    let left: Vec<(String,)> = rows(&db, "SELECT id FROM organizations").await;
    assert_eq!(left, [("org_third".to_owned(),)]);
}

async fn insert_organization(tx: &mut super::Tx, id: &str) {
    let new = super::organizations::NewOrganization { id, kind: "cfa", name: "CFA des Halles", siret: None };
    super::organizations::insert(tx, &new, Timestamp::UNIX_EPOCH).await.unwrap();
}

/// What the version before 0011 writes and claims on this schema, word for word.
const WRITTEN_BEFORE: &str = "INSERT INTO outbox (id, recipient, person_id, template, locale, subject, body, created_at, next_attempt_at, attempts)
    VALUES ('mail_waiting', 'zoe@example.fr', NULL, 'x.1', 'fr', 'Lien', 'https://compte.example/password/new/abc', 0, 0, 0),
           ('mail_sent', 'zoe@example.fr', NULL, 'x.1', 'fr', 'Lien', 'https://compte.example/password/new/def', 0, NULL, 1)";
const CLAIMED_BEFORE: &str = "UPDATE outbox SET claimed_until = 1, attempts = attempts + 1
    WHERE id IN (SELECT id FROM outbox WHERE next_attempt_at <= 0 AND (claimed_until IS NULL OR claimed_until < 0))
    RETURNING id, body";

#[tokio::test]
async fn mails_of_an_earlier_version_are_sealed_and_it_never_sends_one_without_its_text() {
    let master = habilis_keys::seal::MasterKey::generate();
    let (sqlite, _folder) = sqlite().await;
    for db in [sqlite, postgres("letters").await] {
        let now = Timestamp::UNIX_EPOCH;
        let mut tx = db.begin().await.unwrap();
        match tx.raw() {
            Raw::Sqlite(c) => drop(sqlx::query(WRITTEN_BEFORE).execute(c).await.unwrap()),
            Raw::Postgres(c) => drop(sqlx::query(WRITTEN_BEFORE).execute(c).await.unwrap()),
        }
        tx.commit().await.unwrap();
        assert_eq!(super::outbox::waiting(&mut db.reader().await.unwrap()).await.unwrap(), 1);
        crate::mail::seal_what_lies_in_clear(&db, &master, now).await.unwrap();
        let left: Vec<(String, String)> =
            rows(&db, "SELECT body, COALESCE(body_digest, '') FROM outbox ORDER BY id DESC").await;
        let digest = habilis_keys::token::digest_hex;
        let expected =
            ["https://compte.example/password/new/abc", "https://compte.example/password/new/def"].map(digest);
        assert_eq!(left, expected.map(|digest| (String::new(), digest)), "no text, and the proof of it");
        // The earlier version finds nothing to send, this one does.
        let mut tx = db.begin().await.unwrap();
        let found: Vec<(String, String)> = match tx.raw() {
            Raw::Sqlite(c) => sqlx::query_as(CLAIMED_BEFORE).fetch_all(c).await.unwrap(),
            Raw::Postgres(c) => sqlx::query_as(CLAIMED_BEFORE).fetch_all(c).await.unwrap(),
        };
        assert_eq!(found, []);
        let claimed = super::outbox::claim(&mut tx, now, now, 10).await.unwrap();
        tx.commit().await.unwrap();
        let [claimed] = &claimed[..] else { panic!("one waits: {claimed:?}") };
        let sealed = claimed.sealed.as_deref().unwrap();
        let text = master.open("mail", claimed.id.as_bytes(), sealed).unwrap();
        assert_eq!(text.expose(), b"https://compte.example/password/new/abc");
    }
}

#[tokio::test]
async fn what_was_undone_for_the_sake_of_another_may_be_asked_again_and_what_is_wrong_may_not() {
    let cluster = std::env::var("HABILIS_TEST_POSTGRES").expect("integration-tests/run names one");
    let pool = sqlx::PgPool::connect(&cluster).await.unwrap();
    let (mut one, mut other) = (pool.begin().await.unwrap(), pool.begin().await.unwrap());
    one.execute("SELECT pg_advisory_xact_lock(7301, 1)").await.unwrap();
    other.execute("SELECT pg_advisory_xact_lock(7301, 2)").await.unwrap();
    // Each wants what the other has: the engine lets one of them go on. Who is refused gives back what they hold.
    let crossed = async |mut tx: sqlx::Transaction<'_, sqlx::Postgres>, wanted: &'static str| {
        let got = tx.execute(wanted).await.map(drop);
        tx.rollback().await.unwrap();
        got
    };
    let (one, other) = tokio::join!(
        crossed(one, "SELECT pg_advisory_xact_lock(7301, 2)"),
        crossed(other, "SELECT pg_advisory_xact_lock(7301, 1)")
    );
    let undone: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
    assert_eq!(undone.len(), 1, "{undone:?}");
    let (_db, folder) = sqlite().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("habilis.db"));
    let options = options.busy_timeout(std::time::Duration::ZERO);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let (mut one, mut other) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    one.execute("BEGIN IMMEDIATE").await.unwrap();
    let busy = other.execute("BEGIN IMMEDIATE").await.unwrap_err();
    let wrong = one.execute("INSERT INTO people (id) VALUES (NULL)").await.unwrap_err();
    for error in undone.into_iter().chain([busy]) {
        let shown = error.to_string();
        assert_eq!(Fault::from(error).retry_after(), Some(1), "{shown}");
    }
    assert_eq!(Fault::from(wrong).retry_after(), None);
}

/// What is told of a member beyond the rows that statements change directly.
#[tokio::test]
async fn second_factors_rights_and_resource_servers_that_go_count_as_changes_and_resources_have_ids() {
    let (sqlite, _folder) = sqlite().await;
    for db in [sqlite, postgres("counted").await] {
        plant_a_member(&db).await;
        // As the version before adds them.
        run(&db, &["INSERT INTO resources (uri, client_id, scopes, created_at) VALUES ('urn:x:a', 'portal', 'a', 0), ('urn:x:b', NULL, 'a', 0)"])
            .await;
        let mut last = version_of(&db).await;
        for text in [
            "INSERT INTO passkeys (id, person_id, credential_id, credential, name, created_at) VALUES ('pky_1', 'usr_1', 'a', '{}', 'Clé', 0)",
            "DELETE FROM passkeys WHERE person_id = 'usr_1'",
            "UPDATE totp_devices SET confirmed_at = 1",
            "DELETE FROM totp_devices WHERE person_id = 'usr_1'",
            "DELETE FROM clients WHERE id = 'portal'",
        ] {
            let mut tx = db.begin().await.unwrap();
            for before in [
                "INSERT INTO rights (person_id, organization_id, client_id, role, created_at)
                 SELECT 'usr_1', 'org_1', 'portal', 'a', 0 WHERE NOT EXISTS (SELECT 1 FROM rights)",
                "INSERT INTO totp_devices (id, person_id, name, secret_sealed, created_at, last_step)
                 SELECT 'app_1', 'usr_1', 'App', CAST('a' AS blob), 0, 0 WHERE NOT EXISTS (SELECT 1 FROM totp_devices)",
            ] {
                execute(&mut tx, before).await;
            }
            execute(&mut tx, text).await;
            tx.commit().await.unwrap();
            let now = version_of(&db).await;
            assert!(now > last, "{text}: {now}");
            last = now;
        }
        let resources: Vec<(String, i64, Option<String>)> =
            rows(&db, "SELECT id, version, client_id FROM resources ORDER BY uri").await;
        let [(first, 2, None), (second, 1, None)] = &resources[..] else { panic!("{resources:?}") };
        assert!(first.starts_with("rsc_") && second.starts_with("rsc_") && first != second, "{resources:?}");
    }
}

/// Rights, memberships and what is granted are written as the version before does: by statements that count nothing.
#[tokio::test]
async fn versions_of_members_and_of_what_is_granted_never_come_back() {
    const JOINED: &str =
        "INSERT INTO memberships (person_id, organization_id, role, created_at) VALUES ('usr_1', 'org_1', 'member', 0)";
    const LEFT: &str = "DELETE FROM memberships WHERE person_id = 'usr_1'";
    const RIGHT: &str = "INSERT INTO rights (person_id, organization_id, client_id, role, created_at)
                         VALUES ('usr_1', 'org_1', 'portal', 'a', 0)";
    const GRANTED: &str = "INSERT INTO portal_grants (organization_id, client_id, role, created_at)
                           VALUES ('org_1', 'portal', 'a', 0), ('org_1', 'portal', 'b', 0)";
    const WITHDRAWN: &str = "DELETE FROM portal_grants WHERE organization_id = 'org_1' AND client_id = 'portal'";
    let (sqlite, _folder) = sqlite().await;
    for db in [sqlite, postgres("growing").await] {
        plant_a_member(&db).await;
        let mut last = version_of(&db).await;
        for texts in [&[RIGHT][..], &[LEFT, JOINED], &[RIGHT, LEFT, JOINED, RIGHT], &[LEFT, JOINED]] {
            run(&db, texts).await;
            let now = version_of(&db).await;
            assert!(now > last, "{texts:?}: {now}");
            last = now;
        }
        assert_eq!(granted_version(&db).await, None);
        let mut last = 0;
        for texts in [&[GRANTED][..], &[WITHDRAWN, GRANTED], &[WITHDRAWN], &[GRANTED]] {
            run(&db, texts).await;
            let now = granted_version(&db).await.unwrap();
            assert!(now > last, "{texts:?}: {now}");
            last = now;
        }
        // This version counts even where nothing was granted and nothing is.
        for roles in [&["c".to_owned()][..], &[], &[]] {
            let mut tx = db.begin().await.unwrap();
            super::portal_grants::replace(&mut tx, ("org_1", "portal"), roles, Timestamp::UNIX_EPOCH).await.unwrap();
            tx.commit().await.unwrap();
            let now = granted_version(&db).await.unwrap();
            assert!(now > last, "{roles:?}: {now}");
            last = now;
        }
        run(&db, &[GRANTED, "DELETE FROM clients WHERE id = 'portal'"]).await;
        assert_eq!(granted_version(&db).await, None, "a client takes its versions with it");
    }
}

/// A member of an organization, and a portal.
async fn plant_a_member(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    insert_organization(&mut tx, "org_1").await;
    tx.commit().await.unwrap();
    run(db, &[
        "INSERT INTO people (id, login, email_verified, given_name, family_name, locale, claims, status, operator, created_at, updated_at)
         VALUES ('usr_1', 'un', FALSE, 'A', 'B', 'fr', '{}', 'active', FALSE, 0, 0)",
        "INSERT INTO memberships (person_id, organization_id, role, created_at) VALUES ('usr_1', 'org_1', 'member', 0)",
        "INSERT INTO clients (id, metadata, settings, status, created_at, updated_at) VALUES ('portal', '{}', '{}', 'active', 0, 0)",
    ])
    .await;
}

async fn run(db: &Db, texts: &[&'static str]) {
    let mut tx = db.begin().await.unwrap();
    for text in texts {
        execute(&mut tx, text).await;
    }
    tx.commit().await.unwrap();
}

async fn granted_version(db: &Db) -> Option<i64> {
    super::portal_grants::version(&mut db.reader().await.unwrap(), "org_1", "portal").await.unwrap()
}

async fn execute(tx: &mut super::Tx, text: &'static str) {
    match tx.raw() {
        Raw::Sqlite(c) => drop(c.execute(text).await.unwrap()),
        Raw::Postgres(c) => drop(c.execute(text).await.unwrap()),
    }
}

async fn version_of(db: &Db) -> i64 {
    super::members::find(&mut db.reader().await.unwrap(), "org_1", "usr_1").await.unwrap().unwrap().version
}

/// What is kept of an organization, by the type of the line of its export that tells it.
const EXPORTED: [(&str, &str); 25] = [
    ("api_keys", "api_key"),
    ("audit", "audit"),
    ("data_returns", "data_return"),
    ("document_requests", "document_request"),
    ("enrolments", "enrolment"),
    ("group_members", "group_member"),
    ("imports", "import"),
    ("member_groups", "group"),
    ("membership_offers", "offer"),
    ("memberships", "member"),
    ("notice_organizations", "notice"),
    ("orders", "order"),
    ("organization_contacts", "contact"),
    ("overrides", "override"),
    ("portal_grants", "portal_right"),
    ("purges", "data_removal"),
    ("reviews", "review"),
    ("rights", "member"),
    ("seat_history", "seat_event"),
    ("seat_pools", "seats"),
    ("seat_requests", "seat_request"),
    ("seats", "member"),
    ("subscription_ends", "subscription_end"),
    ("successions", "succession"),
    ("trials", "trial"),
];

/// Types of lines about what is found by way of others.
const EXPORTED_BESIDE: [&str; 8] =
    ["organization", "webhook", "declaration", "consent", "invitation", "measure", "review_item", "end"];

/// What is not told, and why.
const NOT_EXPORTED: [(&str, &str); 13] = [
    ("contract_moments", "reckoned from orders, trials and enrolments"),
    ("events", "what webhooks and the list of events tell of the audit trail, for some days"),
    ("grants", "tokens of an application in use"),
    (
        "incidents",
        "what people reported in confidence to the data protection officer; that they did is in the audit trail",
    ),
    ("interactions", "a sign-in under way"),
    ("jobs", "work on imports and reviews, told with them and by the audit trail"),
    ("member_words", "an index for searches"),
    ("organization_choices", "a person's own last choice at a portal"),
    ("organization_words", "an index for searches"),
    ("portal_grant_versions", "how often the rights in a portal changed, which are told"),
    ("seat_connections", "sessions in use"),
    ("seat_leases", "tokens in use"),
    ("session_organizations", "a session in use"),
];

#[tokio::test]
async fn everything_that_is_kept_of_an_organization_is_exported_or_left_out_for_a_reason() {
    let (sqlite, _folder) = sqlite().await;
    let kept: Vec<(String,)> = rows(
        &sqlite,
        "SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND c.name = 'organization_id' ORDER BY m.name",
    )
    .await;
    let kept: BTreeSet<&str> = kept.iter().map(|(table,)| table.as_str()).collect();
    let told: Vec<&str> = EXPORTED.iter().chain(&NOT_EXPORTED).map(|(table, _)| *table).collect();
    assert_eq!(
        told.iter().copied().collect::<BTreeSet<_>>(),
        kept,
        "export.jsonl tells every table, or says here why not"
    );
    assert_eq!(told.len(), kept.len(), "each once");
    assert!(NOT_EXPORTED.iter().all(|(_, reason)| !reason.is_empty()));
    let code = concat!(include_str!("../api/whole.rs"), include_str!("../api/whole_kinds.rs"));
    let documented = include_str!("../../docs/orders.md");
    for kind in EXPORTED.iter().map(|(_, kind)| *kind).chain(EXPORTED_BESIDE) {
        assert!(code.contains(&format!("lines.add(\"{kind}\", ")), "{kind} is written");
        assert!(documented.contains(&format!("| `{kind}` |")), "{kind} is documented");
    }
}

/// What the certificate of a removal does not name, and why.
const NOT_CERTIFIED: [(&str, &str); 9] = [
    ("contract_moments", "reckoned from orders, trials and enrolments, and gone with the removal"),
    ("grants", "ended with the memberships, and forgotten a day after"),
    ("interactions", "a sign-in under way"),
    ("member_words", "an index for searches, gone with the memberships"),
    ("organization_words", "an index for searches of the name, which is kept"),
    ("portal_grant_versions", "how often the rights in a portal changed, which are kept"),
    ("seat_connections", "sessions in use, ended"),
    ("seat_leases", "tokens in use, ended"),
    ("session_organizations", "a session in use, forgotten with it"),
];

#[tokio::test]
async fn the_certificate_of_a_removal_names_everything_that_is_kept_of_an_organization_or_removed() {
    let (sqlite, _folder) = sqlite().await;
    let found: Vec<(String,)> = rows(
        &sqlite,
        "SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND (c.name IN ('organization_id', 'audience', 'manages') OR m.name IN ('measures', 'organizations') AND c.name = 'id')",
    )
    .await;
    let found: BTreeSet<&str> = found.iter().map(|(table,)| table.as_str()).collect();
    let told: Vec<&str> = REMOVED.iter().chain(&KEPT).chain(&NOT_CERTIFIED).map(|(table, _)| *table).collect();
    assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), found, "removed or kept, or said here why neither");
    assert_eq!(told.len(), found.len(), "each once");
    let statements: Vec<&str> = all_statements().map(|statement| statement.sqlite).collect();
    for (table, _) in REMOVED {
        let deletes = format!("DELETE FROM {table} ");
        assert!(statements.iter().any(|text| text.starts_with(&deletes)), "{table} can be emptied");
    }
    let documented = include_str!("../../docs/orders.md");
    for word in words(&REMOVED, &REMOVED_BESIDE).union(&words(&KEPT, &[])) {
        assert!(documented.contains(&format!("`{word}`")), "{word} is documented");
    }
}
