//! Enrolments: from when until when somebody has access to a portal for a course (R020, R021, R077, R080, R088, R089). The rules are in
//! `policies::enrolments`; the window they give is kept with the row.

use habilis_policies::admission::Window;
use habilis_policies::calendar;
use habilis_policies::enrolments::{CODES_HOURS, Counts, Enrolment as Rule, Status, Withdrawal};
use habilis_policies::updates;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::{At, Conn, Tx, contract_moments};

/// The columns of [`Enrolment`].
macro_rules! enrolments {
    () => {
        "SELECT e.id, e.organization_id, e.person_id, e.client_id, e.title, e.not_before, e.not_after, e.at_end, e.contract, e.sent_on, e.signed_at,
                e.paid_at, e.withdrawal, e.waived_at, e.waiver_version, e.status, e.closed_on, e.closed_reason, e.credentials_sent_at, e.credentials_mail,
                 e.informed_at, e.informed_version, e.opens_at, e.closes_at, e.opens_years, e.opened_at, e.version, e.created_by, e.created_at, e.updated_at,
                 (SELECT MAX(l.expires_at) FROM enrolment_links l WHERE l.enrolment_id = e.id AND l.void_at IS NULL) AS link_expires_at
         FROM enrolments e "
    };
}

statements! {
    // What is open or opens later, and when the last that was open ended: how many ended does not count.
    WINDOWS = "SELECT organization_id, opens_at, closes_at FROM enrolments
               WHERE person_id = $1 AND client_id = $2 AND (CAST($3 AS TEXT) IS NULL OR organization_id = $3)
                 AND status IN ('registered', 'closed') AND opens_at IS NOT NULL AND (closes_at IS NULL OR closes_at > $4)
               UNION ALL
               SELECT organization_id, MIN(opens_at) AS opens_at, MAX(closes_at) AS closes_at FROM enrolments
               WHERE person_id = $1 AND client_id = $2 AND (CAST($3 AS TEXT) IS NULL OR organization_id = $3)
                 AND status IN ('registered', 'closed') AND closes_at <= $4 AND opens_at < closes_at
               GROUP BY organization_id";
    // Those that are open or may open, and accounts for updates whose link was mailed since a while.
    STANDING = "SELECT COUNT(*) FROM enrolments
                WHERE organization_id = $1 AND person_id = $2 AND client_id = $3
                  AND ((opens_at IS NOT NULL AND status IN ('registered', 'closed') AND (closes_at IS NULL OR closes_at > $4))
                       OR (opens_at IS NULL AND status IN ('pre_registered', 'registered')
                           AND (opens_years IS NOT NULL OR at_end = 'keep' OR not_after >= $5))
                       OR (opens_years IS NOT NULL AND created_at > $6))";
    SIGNED = "SELECT COUNT(*) FROM enrolments
              WHERE organization_id = $1 AND person_id = $2 AND signed_at IS NOT NULL AND status = 'registered'";
    INSERT = "INSERT INTO enrolments (id, organization_id, person_id, client_id, title, not_before, not_after, at_end, contract, sent_on, withdrawal, status,
                                      opens_years, version, created_by, created_at, updated_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, $15, $15)";
    FIND = (concat!(enrolments!(), "WHERE e.organization_id = $1 AND e.id = $2"));
    LIST = (concat!(enrolments!(), "WHERE e.organization_id = $1 AND (CAST($2 AS TEXT) IS NULL OR e.status = $2) AND (CAST($3 AS TEXT) IS NULL OR e.person_id = $3)
                                      AND (e.created_at < $4 OR (e.created_at = $4 AND e.id < $5)) ORDER BY e.created_at DESC, e.id DESC LIMIT $6"));
    RECORD = "UPDATE enrolments SET sent_on = $4, signed_at = $5, paid_at = $6, waived_at = $7, waiver_version = $8, status = $9, closed_on = $10, closed_reason = $11,
                     credentials_sent_at = $12, credentials_mail = $13, opens_at = $14, closes_at = $15, not_before = $16, not_after = $17,
                     informed_at = $18, informed_version = $19, updated_at = $20, version = version + 1
              WHERE organization_id = $1 AND id = $2 AND version = $3";
    OPEN = "UPDATE enrolments SET opened_at = $2, not_before = $3, not_after = $4, opens_at = $5, closes_at = $6, updated_at = $2, version = version + 1
            WHERE id = $1 AND opens_years IS NOT NULL AND opened_at IS NULL AND status = 'registered'";
    DROP_CODES = "DELETE FROM contract_moments
                  WHERE moment IN ('codes_due', 'codes_late')
                    AND subject_id IN (SELECT id FROM enrolments WHERE person_id = $1 AND status = 'registered' AND signed_at IS NOT NULL)";
    HAVE_CREDENTIALS = "UPDATE enrolments SET credentials_sent_at = $2, credentials_mail = $3, updated_at = $2, version = version + 1
                        WHERE person_id = $1 AND status = 'registered' AND signed_at IS NOT NULL AND credentials_sent_at IS NULL";
    REPORT = "SELECT COUNT(*),
                     COALESCE(SUM(CASE WHEN credentials_sent_at IS NOT NULL AND credentials_sent_at - signed_at <= $5 THEN 1 ELSE 0 END), 0),
                     COALESCE(SUM(CASE WHEN credentials_sent_at IS NULL AND $4 - signed_at <= $5 THEN 1 ELSE 0 END), 0)
              FROM enrolments WHERE organization_id = $1 AND signed_at >= $2 AND signed_at < $3";
}

/// An enrolment.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Enrolment {
    /// `enr_…`.
    pub id: String,
    /// The training body.
    pub organization_id: String,
    /// The learner.
    pub person_id: String,
    /// The portal.
    pub client_id: String,
    /// Of the course.
    pub title: String,
    /// First day, Paris; empty until the link is opened, where it counts from that.
    pub not_before: String,
    /// Last day, Paris; empty likewise.
    pub not_after: String,
    /// `close` or `keep`.
    pub at_end: String,
    /// Reference of the contract.
    pub contract: Option<String>,
    /// When the contract was sent.
    pub sent_on: Option<String>,
    /// When it came back signed.
    pub signed_at: Option<At>,
    /// When the learner was first told what comes before the payment (R028).
    pub informed_at: Option<At>,
    /// The version of what they were told.
    pub informed_version: Option<String>,
    /// When the course was paid.
    pub paid_at: Option<At>,
    /// Whether the learner may withdraw.
    pub withdrawal: bool,
    /// When they waived that.
    pub waived_at: Option<At>,
    /// In which text.
    pub waiver_version: Option<String>,
    /// See [`Status`].
    pub status: String,
    /// Last day, when closed before its end.
    pub closed_on: Option<String>,
    /// Why.
    pub closed_reason: Option<String>,
    /// When access codes were sent.
    pub credentials_sent_at: Option<At>,
    /// The mail that carried them.
    pub credentials_mail: Option<String>,
    /// The first instant of access; none while something is missing.
    pub opens_at: Option<At>,
    /// The first instant after; none when it does not end by itself.
    pub closes_at: Option<At>,
    /// How many years it counts from the opening of a link; none when it counts from a first day (R077).
    pub opens_years: Option<i64>,
    /// When that link was opened.
    pub opened_at: Option<At>,
    /// When the link stops working, if one is on its way.
    pub link_expires_at: Option<At>,
    /// For `ETag`.
    pub version: i64,
    /// Who recorded it.
    pub created_by: String,
    /// When.
    pub created_at: At,
    /// Last change.
    pub updated_at: At,
}

impl Enrolment {
    /// First day; none until the link is opened that it counts from.
    pub fn first_day(&self) -> Option<&str> {
        Some(self.not_before.as_str()).filter(|day| !day.is_empty())
    }

    /// Last day; none likewise.
    pub fn last_day(&self) -> Option<&str> {
        Some(self.not_after.as_str()).filter(|day| !day.is_empty())
    }

    /// How many years it counts from the opening of its link.
    pub fn years(&self) -> u8 {
        self.opens_years.and_then(|years| u8::try_from(years).ok()).unwrap_or(updates::YEARS)
    }

    /// As the rules see it. Days that cannot be read give no access.
    pub fn rule(&self) -> Rule {
        let day = |text: &str, otherwise| text.parse::<Date>().unwrap_or(otherwise);
        Rule {
            status: Status::parse(&self.status),
            counts: match self.opens_years {
                None => Counts::FirstDay,
                Some(_) => Counts::Opening(self.opened_at.map(Timestamp::from)),
            },
            not_before: day(&self.not_before, Date::MAX),
            not_after: day(&self.not_after, Date::MIN),
            ends_by_itself: self.at_end != "keep",
            sent_on: self.sent_on.as_deref().and_then(|day| day.parse().ok()),
            signed_at: self.signed_at.map(Timestamp::from),
            paid_at: self.paid_at.map(Timestamp::from),
            withdrawal: match (self.withdrawal, self.waived_at) {
                (false, _) => Withdrawal::None,
                (true, None) => Withdrawal::Waits,
                (true, Some(_)) => Withdrawal::Waived,
            },
            closed_on: self.closed_on.as_deref().map(|text| day(text, Date::MIN)),
            credentials_sent: self.credentials_sent_at.is_some(),
        }
    }
}

/// The days of an enrolment to record.
#[derive(Debug, Clone, Copy)]
pub enum Span {
    /// From a first day to a last one.
    Days(Date, Date),
    /// So many years from the opening of a link. There is no contract but that of the course before: it is registered at once.
    Years(u8),
}

/// An enrolment to record.
#[derive(Debug)]
#[expect(missing_docs, reason = "as in Enrolment")]
pub struct NewEnrolment<'a> {
    pub id: &'a str,
    pub organization: &'a str,
    pub person: &'a str,
    pub client: &'a str,
    pub title: &'a str,
    pub span: Span,
    pub at_end: &'a str,
    pub contract: Option<&'a str>,
    pub sent_on: Option<Date>,
    pub withdrawal: bool,
    pub by: &'a str,
}

/// Adds an enrolment.
///
/// # Errors
/// The engine failed.
pub async fn insert(tx: &mut Tx, new: &NewEnrolment<'_>, now: Timestamp) -> sqlx::Result<()> {
    let sent_on = new.sent_on.map(|day| day.to_string());
    let (first, last, years, status) = match new.span {
        Span::Days(first, last) => (first.to_string(), last.to_string(), None, Status::PreRegistered),
        Span::Years(years) => (String::new(), String::new(), Some(i64::from(years)), Status::Registered),
    };
    sql!(
        tx,
        execute INSERT,
        new.id,
        new.organization,
        new.person,
        new.client,
        new.title,
        first,
        last,
        new.at_end,
        new.contract,
        sent_on.as_deref(),
        new.withdrawal,
        status.name(),
        years,
        new.by,
        At::from(now),
    )
    .map(drop)
}

/// The enrolment `id` of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<Enrolment>> {
    // No id has a NUL, and PostgreSQL refuses to be asked for one.
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Enrolment: FIND, organization, id)
}

/// The enrolments of `organization`, of a status and of a person where they are named, newest first, from before the instant
/// (milliseconds since 1970) and id of another, at most so many.
///
/// # Errors
/// The engine failed.
pub async fn list(
    c: &mut impl Conn,
    (organization, status, person): (&str, Option<&str>, Option<&str>),
    (at, id, limit): (i64, &str, u32),
) -> sqlx::Result<Vec<Enrolment>> {
    sql!(c, all Enrolment: LIST, organization, status, person, at, id, i64::from(limit))
}

/// Stores what happened to an enrolment that is still at its version, with the window and the moments that follow; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn record(tx: &mut Tx, row: &Enrolment, now: Timestamp) -> sqlx::Result<bool> {
    let window = row.rule().window();
    let rows = sql!(
        tx,
        execute RECORD,
        &row.organization_id,
        &row.id,
        row.version,
        row.sent_on.as_deref(),
        row.signed_at,
        row.paid_at,
        row.waived_at,
        row.waiver_version.as_deref(),
        &row.status,
        row.closed_on.as_deref(),
        row.closed_reason.as_deref(),
        row.credentials_sent_at,
        row.credentials_mail.as_deref(),
        window.from.map(At::from),
        window.until.map(At::from),
        &row.not_before,
        &row.not_after,
        row.informed_at,
        row.informed_version.as_deref(),
        At::from(now),
    )?;
    plan(tx, row, now).await?;
    Ok(rows == 1)
}

/// Opens an account for updates, with its days, its window and what is due about it; false when somebody was first, or it was closed
/// meanwhile.
///
/// # Errors
/// The engine failed.
pub async fn open(tx: &mut Tx, row: &mut Enrolment, now: Timestamp) -> sqlx::Result<bool> {
    let (first, last) = updates::days(now, row.years());
    (row.not_before, row.not_after) = (first.to_string(), last.to_string());
    row.opened_at = Some(now.into());
    let window = row.rule().window();
    (row.opens_at, row.closes_at) = (window.from.map(At::from), window.until.map(At::from));
    let opened = sql!(
        tx,
        execute OPEN,
        &row.id,
        At::from(now),
        &row.not_before,
        &row.not_after,
        row.opens_at,
        row.closes_at,
    )?;
    if opened == 1 {
        plan(tx, row, now).await?;
    }
    Ok(opened == 1)
}

/// Notes, about the signed contracts of somebody who had no way in when they were signed, that they have one now: they were sent a link, or
/// their account is open again. Nothing is due about it any more.
///
/// # Errors
/// The engine failed.
pub async fn have_credentials(
    tx: &mut Tx,
    (person, mail): (&str, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<u64> {
    sql!(tx, execute DROP_CODES, person)?;
    sql!(tx, execute HAVE_CREDENTIALS, person, At::from(now), mail)
}

/// Says when something is due about an enrolment.
///
/// # Errors
/// The engine failed.
pub async fn plan(tx: &mut Tx, row: &Enrolment, now: Timestamp) -> sqlx::Result<()> {
    let due = row.rule().moments();
    let due: Vec<_> = due.into_iter().map(|(moment, at)| (moment.name(), at)).collect();
    contract_moments::set(tx, ("enrolment", &row.id, &row.organization_id), &due, now).await
}

/// Of the contracts of `organization` signed from one instant to before another: all of them, those whose access codes were sent
/// within 96 hours, and those that still may be at `now`.
///
/// # Errors
/// The engine failed.
pub async fn report(
    c: &mut impl Conn,
    organization: &str,
    (from, until): (Timestamp, Timestamp),
    now: Timestamp,
) -> sqlx::Result<(i64, i64, i64)> {
    let in_time = CODES_HOURS * 3_600_000;
    sql!(c, one (i64, i64, i64): REPORT, organization, At::from(from), At::from(until), At::from(now), in_time)
}

/// The window of an enrolment, and whose it is.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Opening {
    /// The training body.
    pub organization_id: String,
    opens_at: Option<At>,
    closes_at: Option<At>,
}

impl Opening {
    /// As the rules see it.
    pub fn window(&self) -> Window {
        Window { from: self.opens_at.map(Timestamp::from), until: self.closes_at.map(Timestamp::from) }
    }
}

/// Whether somebody has a course in `organization` whose contract came back signed (R020).
///
/// # Errors
/// The engine failed.
pub async fn has_signed(c: &mut impl Conn, organization: &str, person: &str) -> sqlx::Result<bool> {
    let (signed,) = sql!(c, one (i64,): SIGNED, organization, person)?;
    Ok(signed > 0)
}

/// The windows of somebody at the portal `client` that are open at `now` or open later, and one for all that ended in each organization; of
/// one organization where it is named.
///
/// # Errors
/// The engine failed.
pub async fn windows(
    c: &mut impl Conn,
    (person, client, organization): (&str, &str, Option<&str>),
    now: Timestamp,
) -> sqlx::Result<Vec<Opening>> {
    sql!(c, all Opening: WINDOWS, person, client, organization, At::from(now))
}

/// How many enrolments of a member at a portal are open at `now` or may open later, with the accounts for updates that were recorded since
/// the day before: each mails a link.
///
/// # Errors
/// The engine failed.
pub async fn standing(
    c: &mut impl Conn,
    (organization, person, client): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<i64> {
    let today = calendar::date_at(now).to_string();
    let day_before = At::from(now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN));
    let (count,) = sql!(c, one (i64,): STANDING, organization, person, client, At::from(now), today, day_before)?;
    Ok(count)
}
