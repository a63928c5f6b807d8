//! Initial access tokens of client registration (RFC 7591 §3), made by `habilis client initial-access-token`.
//!
//! A token says itself how often and until when it serves, under a MAC whose key hangs on the master key. Making one therefore
//! needs that key alone, not the database, and works while the server runs on `SQLite`, which is one process's at a time. The
//! server counts the uses from the first one on.

use habilis_keys::seal::MasterKey;
use habilis_keys::secret::Secret;
use habilis_keys::token::{HmacKey, derive, digest};
use jiff::Timestamp;

use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::{Tx, initial_access_tokens};
use crate::outcome::Outcome;

/// Makes tokens, and knows its own.
pub struct InitialAccess(HmacKey);

/// What a token of ours says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How many clients it registers.
    pub uses: u32,
    /// The end of it.
    pub expires_at: Timestamp,
}

impl InitialAccess {
    /// Prepares the key.
    pub fn new(master: &MasterKey) -> Self {
        Self(HmacKey::new(derive(master.to_base64().expose().as_bytes(), "initial access tokens").as_bytes()))
    }

    /// Makes a token under these terms.
    pub fn make(&self, terms: Terms) -> Secret<String> {
        let signed =
            format!("{}.{}.{}", terms.uses, terms.expires_at.as_second(), habilis_keys::random::token().expose());
        Secret::new(format!("{signed}.{}", self.0.derive(&signed)))
    }

    /// The terms of a token made under this key; none for any other text.
    fn read(&self, token: &str) -> Option<Terms> {
        let (signed, mac) = token.rsplit_once('.')?;
        if !self.0.verify(signed, mac) {
            return None;
        }
        let mut parts = signed.split('.');
        let uses = parts.next()?.parse().ok()?;
        let expires_at = Timestamp::from_second(parts.next()?.parse().ok()?).ok()?;
        Some(Terms { uses, expires_at })
    }
}

/// Whether a token would serve now. Asked before anything is fetched for whoever bears it; [`spend`] decides.
///
/// # Errors
/// The database failed.
pub async fn serves(app: &App, token: &Secret<String>, now: Timestamp) -> Outcome<bool> {
    let left = initial_access_tokens::uses_left(&mut app.db.reader().await?, &digest(token.expose()), now).await?;
    let fresh =
        || app.initial_access.read(token.expose()).is_some_and(|terms| terms.uses > 0 && terms.expires_at > now);
    Ok(left.map_or_else(fresh, |left| left > 0))
}

/// Takes one use of a token; false when it is unknown, expired or used up. Undone with the transaction.
///
/// # Errors
/// The database failed.
pub async fn spend(tx: &mut Tx, app: &App, token: &Secret<String>, now: Timestamp) -> Outcome<bool> {
    let digest = digest(token.expose());
    if let Some(terms) = app.initial_access.read(token.expose()).filter(|terms| terms.expires_at > now)
        && initial_access_tokens::insert(tx, &digest, (terms.uses, terms.expires_at), now).await?
    {
        let event = Event::new("initial_access_token.first_used").by("registration").with("uses", terms.uses);
        audit::record(tx, event, now).await?;
    }
    Ok(initial_access_tokens::spend(tx, &digest, now).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_serves_under_its_own_terms_and_key_only() {
        let ours = InitialAccess::new(&MasterKey::generate());
        let terms = Terms { uses: 3, expires_at: Timestamp::from_second(1_800_000_000).unwrap() };
        let token = ours.make(terms);
        assert_eq!(ours.read(token.expose()), Some(terms));
        assert!(token.expose().len() <= 256);
        assert_ne!(token.expose(), ours.make(terms).expose());
        assert_eq!(InitialAccess::new(&MasterKey::generate()).read(token.expose()), None);
        let more = token.expose().replacen("3.", "9.", 1);
        let longer = token.expose().replacen(".18", ".19", 1);
        for bent in [more.as_str(), &longer, &token.expose()[1..], "", ".", "3.1800000000.x.y"] {
            assert_eq!(ours.read(bent), None, "{bent}");
        }
    }
}
