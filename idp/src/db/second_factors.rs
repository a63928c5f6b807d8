//! What second factors a person has, and who they are for the rules about them: one look for both.

use jiff::Timestamp;

use super::Conn;
use super::organizations::today;

statements! {
    FIND = "SELECT (SELECT COUNT(*) FROM totp_devices d WHERE d.person_id = p.id AND d.confirmed_at IS NOT NULL) AS apps,
                   (SELECT COUNT(*) FROM passkeys k WHERE k.person_id = p.id) AS passkeys,
                   (SELECT COUNT(*) FROM recovery_codes c WHERE c.person_id = p.id AND c.used_at IS NULL) AS codes,
                   (SELECT COUNT(*) FROM passwords w WHERE w.person_id = p.id) AS passwords,
                   p.operator, p.privacy,
                   EXISTS (SELECT 1 FROM memberships m JOIN organizations o ON o.id = m.organization_id
                           WHERE m.person_id = p.id AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2)
                             AND o.status = 'active' AND m.role = 'administrator') AS administrator,
                   EXISTS (SELECT 1 FROM memberships m JOIN organizations o ON o.id = m.organization_id
                           WHERE m.person_id = p.id AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2)
                             AND o.status = 'active' AND o.second_factor = 'required') AS organization_requires
            FROM people p WHERE p.id = $1";
}

/// What a person signs in with, and what rules concern them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, sqlx::FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "what a person is, each by itself")]
pub struct Found {
    /// Confirmed authenticator apps.
    pub apps: i64,
    /// Passkeys.
    pub passkeys: i64,
    /// Recovery codes that were not used.
    pub codes: i64,
    /// One, or none.
    pub passwords: i64,
    /// Staff of the operator.
    pub operator: bool,
    /// Data protection officer.
    pub privacy: bool,
    /// Administrator of an active organization, by a membership that is in force.
    pub administrator: bool,
    /// Member of an active organization that requires a second factor, by a membership that is in force.
    pub organization_requires: bool,
}

impl Found {
    /// Whether there is an authenticator app or a passkey. Recovery codes alone are no second factor.
    pub fn any(&self) -> bool {
        self.apps + self.passkeys > 0
    }
}

/// Looks; nothing of somebody who is not there.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, person: &str, now: Timestamp) -> sqlx::Result<Found> {
    Ok(sql!(c, optional Found: FIND, person, today(now))?.unwrap_or_default())
}
