//! Enrolments: from when until when somebody has access to a portal for a course (R020, R021, R080, R088, R089).

use habilis_policies::admission::Window;
use jiff::Timestamp;

use super::{At, Conn};

statements! {
    WINDOWS = "SELECT organization_id, opens_at, closes_at FROM enrolments
               WHERE person_id = $1 AND client_id = $2 AND status IN ('registered', 'closed')
               ORDER BY created_at, id LIMIT 100";
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

/// The windows of somebody at the portal `client`, at most 100.
///
/// # Errors
/// The engine failed.
pub async fn windows(c: &mut impl Conn, person: &str, client: &str) -> sqlx::Result<Vec<Opening>> {
    sql!(c, all Opening: WINDOWS, person, client)
}
