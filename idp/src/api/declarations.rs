//! What people declared true and exact, as it is shown to them, to the operator and to the data protection officer (R012).

use serde::Serialize;
use utoipa::ToSchema;

use super::instant;
use crate::db::declarations::Declaration as Row;

/// A declaration that what was entered is true and exact.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Declaration {
    /// `dcl_…`.
    id: String,
    /// Where: `sign_up` or `activation`.
    made_on: String,
    /// Which text, such as `exactness.1`.
    text_version: String,
    /// SHA-256 of that text in UTF-8, 64 hexadecimal characters.
    text_sha256: String,
    /// `fr` or `en`: the language of the text.
    locale: String,
    /// RFC 3339.
    declared_at: String,
    /// The address it came from.
    address: String,
}

impl From<Row> for Declaration {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            made_on: row.made_on,
            text_version: row.text_version,
            text_sha256: row.text_sha256,
            locale: row.locale,
            declared_at: instant(row.declared_at),
            address: row.address,
        }
    }
}
