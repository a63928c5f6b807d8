//! Products: what organizations order. Portals say in their settings which product they belong to.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    INSERT = "INSERT INTO products (id, name, trial_seats, sold, information_url, information_version, version, created_at, updated_at)
              VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7)";
    FIND = "SELECT id, name, trial_seats, sold, information_url, information_version, version, created_at, updated_at FROM products WHERE id = $1";
    LIST = "SELECT id, name, trial_seats, sold, information_url, information_version, version, created_at, updated_at FROM products
            WHERE id > $1 ORDER BY id LIMIT $2";
    UPDATE = "UPDATE products SET name = $3, trial_seats = $4, sold = $5, information_url = $6, information_version = $7, updated_at = $8,
                     version = version + 1
              WHERE id = $1 AND version = $2";
}

/// A product.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Product {
    /// A word of the operator's.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Seats of a trial; 0 for no trials.
    pub trial_seats: i64,
    /// Whether it can be ordered.
    pub sold: bool,
    /// Where the tutorial is that buyers are told of before they pay; none when nothing is to be told (R028).
    pub information_url: Option<String>,
    /// Its version.
    pub information_version: Option<String>,
    /// For `ETag`.
    pub version: i64,
    /// Since when.
    pub created_at: At,
    /// Last change.
    pub updated_at: At,
}

impl Product {
    /// What buyers are told before they pay: the address of the tutorial, and its version.
    pub fn information(&self) -> Option<(&str, &str)> {
        self.information_url.as_deref().zip(self.information_version.as_deref())
    }
}

/// What a product is written from.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// Its name.
    pub name: &'a str,
    /// See [`Product::trial_seats`].
    pub trial_seats: i64,
    /// See [`Product::sold`].
    pub sold: bool,
    /// See [`Product::information`].
    pub information: Option<(&'a str, &'a str)>,
}

/// Adds a product.
///
/// # Errors
/// A unique violation when the id exists; the engine failed.
pub async fn insert(tx: &mut Tx, id: &str, new: Written<'_>, now: Timestamp) -> sqlx::Result<()> {
    let (url, version) = new.information.unzip();
    sql!(tx, execute INSERT, id, new.name, new.trial_seats, new.sold, url, version, At::from(now)).map(drop)
}

/// Finds a product.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Product>> {
    // No id has a NUL, and PostgreSQL refuses to be asked for one.
    if id.contains('\0') {
        return Ok(None);
    }
    sql!(c, optional Product: FIND, id)
}

/// At most `limit` products with an id after `after`, in order of id.
///
/// # Errors
/// The engine failed.
pub async fn list(c: &mut impl Conn, after: &str, limit: u32) -> sqlx::Result<Vec<Product>> {
    sql!(c, all Product: LIST, after, i64::from(limit))
}

/// Changes a product that is still at `version`; false when somebody was faster.
///
/// # Errors
/// The engine failed.
pub async fn update(tx: &mut Tx, (id, version): (&str, i64), new: Written<'_>, now: Timestamp) -> sqlx::Result<bool> {
    let (url, told) = new.information.unzip();
    let rows = sql!(tx, execute UPDATE, id, version, new.name, new.trial_seats, new.sold, url, told, At::from(now))?;
    Ok(rows == 1)
}
