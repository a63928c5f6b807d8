//! `sub`: by what name a client knows a person (OIDC Core §8).
//!
//! A public client sees our own id. A pairwise one sees a keyed digest of its sector and that id: always the same, telling nothing
//! of the id, and another one in each sector. The key hangs on the master key, so a server that is given another master key gives
//! everybody another pairwise `sub`.

use habilis_keys::seal::MasterKey;
use habilis_keys::token::{HmacKey, derive};
use habilis_policies::subjects;

use super::client::{Client, Metadata, MetadataProblem};
use crate::fetch::Fetcher;

/// Names people to clients.
pub struct Subjects(HmacKey);

impl Subjects {
    /// Prepares the key.
    pub fn new(master: &MasterKey) -> Self {
        Self(HmacKey::new(derive(master.to_base64().expose().as_bytes(), "pairwise subjects").as_bytes()))
    }

    /// The `sub` by which `client` knows `person`.
    pub fn of(&self, client: &Client, person: &str) -> String {
        match &client.sector {
            None => person.to_owned(),
            Some(sector) => self.pairwise(sector, person),
        }
    }

    /// OIDC Core §8.1. A host holds no space, so no two pairs read alike.
    fn pairwise(&self, sector: &str, person: &str) -> String {
        self.0.derive(&format!("{sector} {person}"))
    }
}

/// Fetches the sector document of a client that names one, and looks for its redirect URIs there (OIDC Registration §5).
///
/// # Errors
/// The [`MetadataProblem`]: the address is not one to fetch from, nothing usable is there, or a redirect URI is missing in it.
pub async fn verify_sector(fetcher: &Fetcher, metadata: &Metadata) -> Result<(), MetadataProblem> {
    let problem = |description: String| MetadataProblem { error: "invalid_client_metadata", description };
    let Some(uri) = &metadata.sector_identifier_uri else { return Ok(()) };
    let document = fetcher.get(uri).await.map_err(|error| problem(format!("sector_identifier_uri: {error}")))?;
    match subjects::left_out(&document, &metadata.redirect_uris) {
        Err(error) => Err(problem(error.to_string())),
        Ok(Some(uri)) => Err(problem(format!("{uri} is not in the document at sector_identifier_uri"))),
        Ok(None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pairwise_subject_is_stable_and_another_in_each_sector_for_each_person_under_each_key() {
        let rest = format!("{}7f", "7f03".repeat(15));
        let subjects = |digit: &str| Subjects::new(&MasterKey::parse(&format!("{digit}{rest}")).unwrap());
        let named = |digit: &str, sector: &str, person: &str| subjects(digit).pairwise(sector, person);
        let one = named("0a", "rp.example", "usr_1");
        assert_eq!(one, named("0a", "rp.example", "usr_1"));
        assert_eq!(one.len(), 43);
        for other in [("0a", "rp.example", "usr_2"), ("0a", "other.example", "usr_1"), ("0b", "rp.example", "usr_1")] {
            assert_ne!(one, named(other.0, other.1, other.2), "{other:?}");
        }
    }
}
