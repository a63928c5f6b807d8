//! For which of their organizations people sign in: what they answered last at a portal, and what they answered in a session.

use jiff::Timestamp;

use super::{At, Conn, Tx};

statements! {
    LAST = "SELECT organization_id FROM organization_choices WHERE person_id = $1 AND client_id = $2";
    REMEMBER = "INSERT INTO organization_choices (person_id, client_id, organization_id, chosen_at) VALUES ($1, $2, $3, $4)
                ON CONFLICT (person_id, client_id) DO UPDATE
                SET organization_id = excluded.organization_id, chosen_at = excluded.chosen_at";
    OF_SESSION = "SELECT organization_id FROM session_organizations WHERE session_id = $1 AND client_id = $2";
    KEEP = "INSERT INTO session_organizations (session_id, client_id, organization_id, chosen_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (session_id, client_id) DO UPDATE
            SET organization_id = excluded.organization_id, chosen_at = excluded.chosen_at";
}

/// What `person` answered last at `client`, in whatever session.
///
/// # Errors
/// The engine failed.
pub async fn last(c: &mut impl Conn, person: &str, client: &str) -> sqlx::Result<Option<String>> {
    Ok(sql!(c, optional (String,): LAST, person, client)?.map(|(organization,)| organization))
}

/// What was answered at `client` in this session.
///
/// # Errors
/// The engine failed.
pub async fn of_session(c: &mut impl Conn, session: &str, client: &str) -> sqlx::Result<Option<String>> {
    Ok(sql!(c, optional (String,): OF_SESSION, session, client)?.map(|(organization,)| organization))
}

/// Notes what `person` answered at `client`: for the session, and to be offered first the next time.
///
/// # Errors
/// The engine failed.
pub async fn remember(
    tx: &mut Tx,
    (person, session): (&str, &str),
    (client, organization): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute REMEMBER, person, client, organization, At::from(now))?;
    sql!(tx, execute KEEP, session, client, organization, At::from(now)).map(drop)
}
