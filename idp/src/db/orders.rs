//! Orders of organizations. What they mean is in `policies::orders`; what they open is kept in [`super::seats`].

use habilis_policies::orders::{Kind, Opening, Order as Rule, Renewal};
use habilis_policies::seats::Mode;
use jiff::Timestamp;
use jiff::civil::Date;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO orders (id, organization_id, number, product_id, seats, mode, options, option_of, supersedes, opening, renewal, effect_on, last_day,
                                  administrator, version, created_by, created_at, updated_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1, $15, $16, $16)";
    FIND = "SELECT id, organization_id, number, product_id, seats, mode, options, option_of, supersedes, opening, renewal, effect_on, last_day, administrator,
                   acknowledged_at, signed_at, informed_at, informed_version, paid_at, credentials_sent_at, credentials_mail, notice_presented_on,
                   terminated_on, termination_reason, unpaid_since, suspended_at, version, created_by, created_at, updated_at
            FROM orders WHERE organization_id = $1 AND id = $2";
    OF_ORGANIZATION = "SELECT id, organization_id, number, product_id, seats, mode, options, option_of, supersedes, opening, renewal, effect_on, last_day, administrator,
                  acknowledged_at, signed_at, informed_at, informed_version, paid_at, credentials_sent_at, credentials_mail, notice_presented_on,
                  terminated_on, termination_reason, unpaid_since, suspended_at, version, created_by, created_at, updated_at
           FROM orders WHERE organization_id = $1 ORDER BY created_at, id LIMIT $2";
    WHOSE = "SELECT organization_id FROM orders WHERE id = $1";
    RECORD = "UPDATE orders SET acknowledged_at = $4, signed_at = $5, paid_at = $6, credentials_sent_at = $7, credentials_mail = $8, notice_presented_on = $9,
                     terminated_on = $10, termination_reason = $11, unpaid_since = $12, suspended_at = $13, administrator = $14, informed_at = $15, informed_version = $16, updated_at = $17,
                     version = version + 1
              WHERE organization_id = $1 AND id = $2 AND version = $3";
}

/// Orders of one organization at the most: what is read together.
pub const MOST: usize = 500;

/// An order.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Order {
    /// `ord_…`.
    pub id: String,
    /// Whose.
    pub organization_id: String,
    /// Of the order form.
    pub number: String,
    /// Of what.
    pub product_id: String,
    /// How many seats.
    pub seats: i64,
    /// `named` or `concurrent`.
    pub mode: String,
    /// JSON array of words.
    pub options: String,
    /// The subscription that it is an option on.
    pub option_of: Option<String>,
    /// The order that it takes the place of (R066).
    pub supersedes: Option<String>,
    /// `signature` or `payment`.
    pub opening: String,
    /// `tacit` or `none`.
    pub renewal: String,
    /// First day, Paris.
    pub effect_on: String,
    /// Last day of the first term.
    pub last_day: Option<String>,
    /// Whom the order form names as administrator, JSON, until they are invited.
    pub administrator: Option<String>,
    /// When its reception was acknowledged (R023).
    pub acknowledged_at: Option<At>,
    /// When it was signed.
    pub signed_at: Option<At>,
    /// When who pays was first told what comes before the payment (R028).
    pub informed_at: Option<At>,
    /// The version of what they were told.
    pub informed_version: Option<String>,
    /// When it was first paid.
    pub paid_at: Option<At>,
    /// When the administrator's credentials were sent (R024).
    pub credentials_sent_at: Option<At>,
    /// The mail that carried them.
    pub credentials_mail: Option<String>,
    /// When a notice of non-renewal was first presented.
    pub notice_presented_on: Option<String>,
    /// Its last day, when it was terminated.
    pub terminated_on: Option<String>,
    /// Why.
    pub termination_reason: Option<String>,
    /// When the reminder of an unpaid invoice was first presented (R074).
    pub unpaid_since: Option<String>,
    /// Since when it is suspended.
    pub suspended_at: Option<At>,
    /// For `ETag`.
    pub version: i64,
    /// Who recorded it.
    pub created_by: String,
    /// When.
    pub created_at: At,
    /// Last change.
    pub updated_at: At,
}

fn day(text: &str) -> Option<Date> {
    text.parse().ok()
}

impl Order {
    /// As the rules see it. A day that cannot be read closes the order: nothing opens by mistake.
    pub fn rule(&self) -> Rule {
        let opt = |text: &Option<String>| text.as_deref().map(|text| day(text).unwrap_or(Date::MIN));
        Rule {
            id: self.id.clone(),
            product: self.product_id.clone(),
            seats: u32::try_from(self.seats).unwrap_or(0),
            mode: self.mode(),
            kind: match &self.option_of {
                Some(of) => Kind::Option { of: of.clone() },
                None => Kind::Subscription,
            },
            acknowledged_at: self.acknowledged_at.map(Timestamp::from),
            signed_at: self.signed_at.map(Timestamp::from),
            paid_at: self.paid_at.map(Timestamp::from),
            opening: if self.opening == "payment" { Opening::OnPayment } else { Opening::OnSignature },
            credentials_sent_at: self.credentials_sent_at.map(Timestamp::from),
            effect_on: day(&self.effect_on).unwrap_or(Date::MAX),
            last_day: opt(&self.last_day),
            renewal: if self.renewal == "tacit" { Renewal::Tacit } else { Renewal::None },
            notice_presented_on: self.notice_presented_on.as_deref().and_then(day),
            terminated_on: opt(&self.terminated_on),
            unpaid_since: opt(&self.unpaid_since),
            supersedes: self.supersedes.clone(),
            suspended_at: self.suspended_at.map(Timestamp::from),
        }
    }

    /// How its seats are counted.
    pub fn mode(&self) -> Mode {
        Mode::parse(&self.mode)
    }
}

/// An order to record.
#[derive(Debug)]
pub struct NewOrder<'a> {
    /// `ord_…`.
    pub id: &'a str,
    /// Whose.
    pub organization: &'a str,
    /// Of the order form.
    pub number: &'a str,
    /// Of what.
    pub product: &'a str,
    /// How many seats.
    pub seats: u32,
    /// How they are counted.
    pub mode: Mode,
    /// JSON array of words.
    pub options: &'a str,
    /// See [`Order::option_of`].
    pub option_of: Option<&'a str>,
    /// See [`Order::supersedes`].
    pub supersedes: Option<&'a str>,
    /// See [`Order::opening`].
    pub opening: &'a str,
    /// See [`Order::renewal`].
    pub renewal: &'a str,
    /// First day.
    pub effect_on: Date,
    /// Last day of the first term.
    pub last_day: Option<Date>,
    /// See [`Order::administrator`].
    pub administrator: Option<&'a str>,
    /// Who records it.
    pub by: &'a str,
}

/// Adds an order.
///
/// # Errors
/// A unique violation when its number exists; the engine failed.
pub async fn insert(tx: &mut Tx, new: &NewOrder<'_>, now: Timestamp) -> sqlx::Result<()> {
    let (effect_on, last_day) = (new.effect_on.to_string(), new.last_day.map(|day| day.to_string()));
    sql!(
        tx,
        execute INSERT,
        new.id,
        new.organization,
        new.number,
        new.product,
        i64::from(new.seats),
        new.mode.name(),
        new.options,
        new.option_of,
        new.supersedes,
        new.opening,
        new.renewal,
        &effect_on,
        last_day.as_deref(),
        new.administrator,
        new.by,
        At::from(now),
    )
    .map(drop)
}

/// Whose order `id` is.
///
/// # Errors
/// The engine failed.
pub async fn whose(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<String>> {
    let found = sql!(c, optional (String,): WHOSE, id)?;
    Ok(found.map(|(organization,)| organization))
}

/// The order `id` of `organization`.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, organization: &str, id: &str) -> sqlx::Result<Option<Order>> {
    // No id has a NUL, and PostgreSQL refuses to be asked for one.
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Order: FIND, organization, id)
}

/// The orders of `organization`, the oldest first, [`MOST`] at the most.
///
/// # Errors
/// The engine failed.
pub async fn all(c: &mut impl Conn, organization: &str) -> sqlx::Result<Vec<Order>> {
    sql!(c, all Order: OF_ORGANIZATION, organization, i64::try_from(MOST).unwrap_or(i64::MAX))
}

/// Stores what happened to an order that is still at its version; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn record(tx: &mut Tx, order: &Order, now: Timestamp) -> sqlx::Result<bool> {
    let rows = sql!(
        tx,
        execute RECORD,
        &order.organization_id,
        &order.id,
        order.version,
        order.acknowledged_at,
        order.signed_at,
        order.paid_at,
        order.credentials_sent_at,
        order.credentials_mail.as_deref(),
        order.notice_presented_on.as_deref(),
        order.terminated_on.as_deref(),
        order.termination_reason.as_deref(),
        order.unpaid_since.as_deref(),
        order.suspended_at,
        order.administrator.as_deref(),
        order.informed_at,
        order.informed_version.as_deref(),
        At::from(now),
    )?;
    Ok(rows == 1)
}

