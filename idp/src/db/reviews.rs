//! Reviews of access: for each member, whether they still need it (R052, R057).

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO reviews (id, organization_id, opened_by, opened_at, due_on, notice_at, status) VALUES ($1, $2, $3, $4, $5, $6, 'open')";
    FILL = {
        sqlite "INSERT INTO review_items (review_id, person_id, role, affiliation, ends_on, rights, signed_in_at)
                SELECT $1, m.person_id, m.role, m.affiliation, m.ends_on,
                       COALESCE((SELECT group_concat(r.client_id || ' ' || r.role, char(10)) FROM
                                 (SELECT client_id, role FROM rights WHERE person_id = m.person_id AND organization_id = m.organization_id
                                  ORDER BY client_id, role) r), ''), m.signed_in_at
                FROM memberships m JOIN people p ON p.id = m.person_id
                WHERE m.organization_id = $2 AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $3) AND NOT p.operator AND NOT p.privacy",
        postgres "INSERT INTO review_items (review_id, person_id, role, affiliation, ends_on, rights, signed_in_at)
                  SELECT $1, m.person_id, m.role, m.affiliation, m.ends_on,
                         COALESCE((SELECT string_agg(r.client_id || ' ' || r.role, chr(10) ORDER BY r.client_id, r.role)
                                   FROM rights r WHERE r.person_id = m.person_id AND r.organization_id = m.organization_id), ''), m.signed_in_at
                  FROM memberships m JOIN people p ON p.id = m.person_id
                  WHERE m.organization_id = $2 AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $3) AND NOT p.operator AND NOT p.privacy"
    };
    FIND = "SELECT id, organization_id, opened_by, opened_at, due_on, notice_at, status, signed_by, signed_at, statement, evidence_sha256, signing, job_id, stopped
            FROM reviews WHERE organization_id = $1 AND id = $2";
    LOCK = "UPDATE reviews SET status = status WHERE organization_id = $1 AND id = $2 AND status = 'open' AND signing IS NULL";
    LIST = "SELECT id, organization_id, opened_by, opened_at, due_on, notice_at, status, signed_by, signed_at, statement, evidence_sha256, signing, job_id, stopped
            FROM reviews WHERE organization_id = $1 AND (opened_at < $2 OR (opened_at = $2 AND id < $3)) ORDER BY opened_at DESC, id DESC LIMIT $4";
    COUNTS = "SELECT COUNT(*), COUNT(decision) FROM review_items WHERE review_id = $1";
    ITEMS = "SELECT i.person_id, p.given_name, p.family_name, i.role, i.affiliation, i.ends_on, i.rights, i.signed_in_at, i.decision, i.decided_by, i.decided_at, i.note
             FROM review_items i JOIN people p ON p.id = i.person_id
             WHERE i.review_id = $1 AND (i.signed_in_at, i.person_id) > ($2, $3) AND (CAST($4 AS TEXT) IS NULL OR COALESCE(i.decision, 'undecided') = $4)
             ORDER BY i.signed_in_at, i.person_id LIMIT $5";
    DECIDE = "UPDATE review_items SET decision = $3, decided_by = $4, decided_at = $5, note = $6 WHERE review_id = $1 AND person_id = $2";
    GONE = "UPDATE review_items SET decision = 'gone', decided_by = $3, decided_at = $4
            WHERE review_id = $1 AND decision IS NULL AND NOT EXISTS
                  (SELECT 1 FROM memberships m WHERE m.organization_id = $2 AND m.person_id = review_items.person_id)";
    COUNT_TO_CARRY_OUT = "SELECT COUNT(*) FROM review_items WHERE review_id = $1 AND decision IN ('suspend', 'remove')";
    NOT_FOR = "SELECT i.person_id FROM review_items i JOIN people p ON p.id = i.person_id
               WHERE i.review_id = $1 AND i.decision IN ('suspend', 'remove') AND (i.person_id = $2 OR (NOT $3 AND (p.operator OR p.privacy)))
               ORDER BY i.person_id LIMIT 1";
    ADMINISTRATORS_LEAVING = "SELECT i.person_id FROM review_items i WHERE i.review_id = $1 AND i.decision IN ('suspend', 'remove') AND i.role = 'administrator'";
    ENDS_ADMINISTRATORS = "SELECT EXISTS (SELECT 1 FROM review_items i JOIN memberships m ON m.organization_id = $1 AND m.person_id = i.person_id
                                          WHERE i.review_id = $2 AND i.decision IN ('suspend', 'remove') AND m.role = 'administrator')";
    BEGIN_SIGNING = "UPDATE reviews SET signing = $3, job_id = $4, stopped = NULL WHERE organization_id = $1 AND id = $2 AND status = 'open' AND signing IS NULL";
    STOP_SIGNING = "UPDATE reviews SET signing = NULL, stopped = $3 WHERE organization_id = $1 AND id = $2 AND status = 'open'";
    UNDECIDE = "UPDATE review_items SET decision = NULL, decided_by = NULL, decided_at = NULL, note = NULL WHERE review_id = $1 AND person_id = $2";
    LEFT = "SELECT i.person_id, i.decision FROM review_items i JOIN memberships m ON m.organization_id = $1 AND m.person_id = i.person_id
            WHERE i.review_id = $2 AND (i.decision = 'remove' OR (i.decision = 'suspend' AND m.status = 'active'))
            ORDER BY i.person_id LIMIT $3";
    TO_CARRY_OUT = "SELECT person_id, decision FROM review_items WHERE review_id = $1 AND decision IN ('suspend', 'remove') ORDER BY person_id";
    EVIDENCE = "SELECT person_id, role, affiliation, ends_on, rights, signed_in_at, decision, decided_by, decided_at, note
                FROM review_items WHERE review_id = $1 AND person_id > $2 ORDER BY person_id LIMIT $3";
    SIGN = "UPDATE reviews SET status = 'signed_off', signed_by = $3, signed_at = $4, statement = $5, evidence_sha256 = $6, notice_at = NULL, signing = NULL, stopped = NULL
            WHERE organization_id = $1 AND id = $2 AND status = 'open'";
    CANCEL = "UPDATE reviews SET status = 'cancelled', signed_by = $3, signed_at = $4, statement = $5, notice_at = NULL
              WHERE organization_id = $1 AND id = $2 AND status = 'open' AND signing IS NULL";
    TO_OPEN = "SELECT id, review_at FROM organizations WHERE status = 'active' AND review_at <= $1 AND (review_at, id) > ($2, $3)
               ORDER BY review_at, id LIMIT $4";
    WAITING_TO_OPEN = "SELECT COUNT(*), MIN(review_at) FROM organizations WHERE status = 'active' AND review_at IS NOT NULL";
    UNPLANNED = "SELECT id, created_at FROM organizations WHERE review_at IS NULL ORDER BY id LIMIT $1";
    PLAN_FIRST = "UPDATE organizations SET review_at = $2 WHERE id = $1 AND review_at IS NULL";
    PLAN = "UPDATE organizations SET review_at = $3 WHERE id = $1 AND review_at = $2";
    TO_NOTICE = "SELECT id, organization_id, opened_by, opened_at, due_on, notice_at, status, signed_by, signed_at, statement, evidence_sha256, signing, job_id, stopped
                 FROM reviews WHERE notice_at <= $1 AND (notice_at, id) > ($2, $3) ORDER BY notice_at, id LIMIT $4";
    WAITING_TO_NOTICE = "SELECT COUNT(*), MIN(notice_at) FROM reviews WHERE notice_at IS NOT NULL";
    NOTICED = "UPDATE reviews SET notice_at = $3 WHERE id = $1 AND notice_at = $2";
}

/// A review.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Review {
    /// `rev_…`.
    pub id: String,
    /// Where.
    pub organization_id: String,
    /// A person, a client, or `schedule`.
    pub opened_by: String,
    /// When.
    pub opened_at: At,
    /// Civil day (Paris) by which it is to be signed.
    pub due_on: String,
    /// When administrators are written to next.
    pub notice_at: Option<At>,
    /// `open`, `signed_off` or `cancelled`.
    pub status: String,
    /// Who signed, or cancelled.
    pub signed_by: Option<String>,
    /// When.
    pub signed_at: Option<At>,
    /// What they declared.
    pub statement: Option<String>,
    /// SHA-256 of the evidence, lower-case hexadecimal.
    pub evidence_sha256: Option<String>,
    /// How it is being signed off by a job, JSON.
    pub signing: Option<String>,
    /// That job, or the last.
    pub job_id: Option<String>,
    /// Why the job stopped, a stable word.
    pub stopped: Option<String>,
}

/// A member in a review.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Item {
    /// `usr_…`.
    pub person_id: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// As the review opened, like all that follows.
    pub role: String,
    /// `employee` or `external`.
    pub affiliation: String,
    /// Last day.
    pub ends_on: Option<String>,
    /// Lines of client and role.
    pub rights: String,
    /// 1970 for never.
    pub signed_in_at: At,
    /// `keep`, `suspend`, `remove`, `gone` (left meanwhile) or `own` (the one who signed).
    pub decision: Option<String>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<At>,
    /// Why.
    pub note: Option<String>,
}

/// What of a member goes into the evidence: no name, so that it stays what it is when somebody has theirs erased.
#[derive(Debug, Clone, sqlx::FromRow)]
#[expect(missing_docs, reason = "as in Item")]
pub struct Evidence {
    pub person_id: String,
    pub role: String,
    pub affiliation: String,
    pub ends_on: Option<String>,
    pub rights: String,
    pub signed_in_at: At,
    pub decision: Option<String>,
    pub decided_by: Option<String>,
    pub decided_at: Option<At>,
    pub note: Option<String>,
}

/// Opens a review of everybody who is a member on the civil day `today`, the operator's staff left out. At most one is open: another
/// violates a unique index.
///
/// # Errors
/// The engine failed.
pub async fn open(
    tx: &mut Tx,
    (id, organization, by): (&str, &str, &str),
    (today, due_on, notice_at): (&str, &str, Timestamp),
    now: Timestamp,
) -> sqlx::Result<u64> {
    sql!(tx, execute INSERT, id, organization, by, At::from(now), due_on, At::from(notice_at))?;
    sql!(tx, execute FILL, id, organization, today)
}

/// The review `id` of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<Review>> {
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Review: FIND, organization, id)
}

/// Keeps others from deciding in a review until the transaction ends; false when it is not open.
///
/// # Errors
/// The engine failed.
pub async fn lock(tx: &mut Tx, organization: &str, id: &str) -> sqlx::Result<bool> {
    sql!(tx, execute LOCK, organization, id).map(|rows| rows == 1)
}

/// Those of `organization`, newest first, from before the instant (milliseconds since 1970) and id of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    organization: &str,
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Review>> {
    sql!(c, all Review: LIST, organization, at, id, i64::from(limit))
}

/// How many members a review has, and how many are decided.
///
/// # Errors
/// The engine failed.
pub async fn counts(c: &mut impl Conn, id: &str) -> sqlx::Result<(i64, i64)> {
    sql!(c, one (i64, i64): COUNTS, id)
}

/// The members of a review, the least recently signed in first, after the instant and person of another, with one decision
/// (`undecided` for none), at most so many.
///
/// # Errors
/// The engine failed.
pub async fn items(
    c: &mut impl Conn,
    (id, decision): (&str, Option<&str>),
    (at, person, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Item>> {
    sql!(c, all Item: ITEMS, id, at, person, decision, i64::from(limit))
}

/// Notes what was decided about a member; false when the review has no such member.
///
/// # Errors
/// The engine failed.
pub async fn decide(
    tx: &mut Tx,
    (id, person): (&str, &str),
    (decision, by, note): (&str, &str, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute DECIDE, id, person, decision, by, At::from(now), note).map(|rows| rows == 1)
}

/// Notes who left of themselves meanwhile.
///
/// # Errors
/// The engine failed.
pub async fn gone(
    tx: &mut Tx,
    (id, organization): (&str, &str),
    by: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute GONE, id, organization, by, At::from(now)).map(drop)
}

/// Whom to suspend or remove, with the decision.
///
/// # Errors
/// The engine failed.
pub async fn to_carry_out(c: &mut impl Conn, id: &str) -> sqlx::Result<Vec<(String, String)>> {
    sql!(c, all (String, String): TO_CARRY_OUT, id)
}

/// What goes into the evidence, in the order of persons, after `person`, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn evidence(c: &mut impl Conn, id: &str, (person, limit): (&str, u32)) -> sqlx::Result<Vec<Evidence>> {
    sql!(c, all Evidence: EVIDENCE, id, person, i64::from(limit))
}

/// How many decisions there are to carry out.
///
/// # Errors
/// The engine failed.
pub async fn count_to_carry_out(c: &mut impl Conn, id: &str) -> sqlx::Result<i64> {
    sql!(c, one (i64,): COUNT_TO_CARRY_OUT, id).map(|(count,)| count)
}

/// Somebody whose removal or suspension is not for `by` to sign: themselves, or staff of the operator unless `staff`.
///
/// # Errors
/// The engine failed.
pub async fn not_for(c: &mut impl Conn, id: &str, (by, staff): (&str, bool)) -> sqlx::Result<Option<String>> {
    Ok(sql!(c, optional (String,): NOT_FOR, id, by, staff)?.map(|(person,)| person))
}

/// Who was an administrator and is to be one no more.
///
/// # Errors
/// The engine failed.
pub async fn administrators_leaving(c: &mut impl Conn, id: &str) -> sqlx::Result<Vec<String>> {
    Ok(sql!(c, all (String,): ADMINISTRATORS_LEAVING, id)?.into_iter().map(|(person,)| person).collect())
}

/// Whether somebody who administers `organization` now is to be suspended or removed.
///
/// # Errors
/// The engine failed.
pub async fn ends_administrators(c: &mut impl Conn, (organization, id): (&str, &str)) -> sqlx::Result<bool> {
    if id.contains('\0') {
        return Ok(false);
    }
    sql!(c, one (bool,): ENDS_ADMINISTRATORS, organization, id).map(|(ends,)| ends)
}

/// Hands an open review over to a job that carries it out; false when it is not open.
///
/// # Errors
/// The engine failed.
pub async fn begin_signing(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (signing, job): (&str, &str),
) -> sqlx::Result<bool> {
    sql!(tx, execute BEGIN_SIGNING, organization, id, signing, job).map(|rows| rows == 1)
}

/// Gives a review back that cannot be carried out: somebody decides about `person` again.
///
/// # Errors
/// The engine failed.
pub async fn stop_signing(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (person, why): (&str, &str),
) -> sqlx::Result<()> {
    sql!(tx, execute UNDECIDE, id, person)?;
    sql!(tx, execute STOP_SIGNING, organization, id, why).map(drop)
}

/// What is left to carry out of a review, person and decision, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn left(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    limit: u32,
) -> sqlx::Result<Vec<(String, String)>> {
    sql!(tx, all (String, String): LEFT, organization, id, i64::from(limit))
}

/// Signs a review off.
///
/// # Errors
/// The engine failed.
pub async fn sign(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (by, statement, sha256): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute SIGN, organization, id, by, At::from(now), statement, sha256).map(|rows| rows == 1)
}

/// Cancels a review.
///
/// # Errors
/// The engine failed.
pub async fn cancel(
    tx: &mut Tx,
    (organization, id): (&str, &str),
    (by, reason): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    sql!(tx, execute CANCEL, organization, id, by, At::from(now), reason).map(|rows| rows == 1)
}

/// An organization whose next review is planned.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Opening {
    /// `org_…`.
    pub id: String,
    /// When it opens.
    pub review_at: At,
}

/// Active organizations whose next review opens at `until` or before, from behind a place, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_open(
    c: &mut impl Conn,
    until: Timestamp,
    (at, id): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<Opening>> {
    sql!(c, all Opening: TO_OPEN, At::from(until), at, id, i64::from(limit))
}

/// In how many active organizations a review is planned, and when the first opens.
///
/// # Errors
/// The engine failed.
pub async fn waiting_to_open(c: &mut impl Conn) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING_TO_OPEN)
}

/// Organizations whose next review was never planned, with their age.
///
/// # Errors
/// The engine failed.
pub async fn unplanned(c: &mut impl Conn, limit: u32) -> sqlx::Result<Vec<(String, At)>> {
    sql!(c, all (String, At): UNPLANNED, i64::from(limit))
}

/// Plans the first review of an organization, unless it is planned.
///
/// # Errors
/// The engine failed.
pub async fn plan_first(tx: &mut Tx, organization: &str, at: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute PLAN_FIRST, organization, At::from(at)).map(drop)
}

/// Plans the review after this one; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn plan(tx: &mut Tx, this: &Opening, next: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute PLAN, &this.id, this.review_at, At::from(next)).map(|rows| rows == 1)
}

/// Open reviews whose administrators are to be written to at `until` or before, from behind a place, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn to_notice(
    c: &mut impl Conn,
    until: Timestamp,
    (at, id): (At, &str),
    limit: u32,
) -> sqlx::Result<Vec<Review>> {
    sql!(c, all Review: TO_NOTICE, At::from(until), at, id, i64::from(limit))
}

/// Of how many open reviews administrators will be written to, and when first.
///
/// # Errors
/// The engine failed.
pub async fn waiting_to_notice(c: &mut impl Conn) -> sqlx::Result<(i64, Option<At>)> {
    sql!(c, one (i64, Option<At>): WAITING_TO_NOTICE)
}

/// Moves the next notice from one instant to another; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn noticed(tx: &mut Tx, id: &str, (from, to): (At, Option<Timestamp>)) -> sqlx::Result<bool> {
    sql!(tx, execute NOTICED, id, from, to.map(At::from)).map(|rows| rows == 1)
}
