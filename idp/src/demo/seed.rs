//! The fictitious people and organizations of the demonstration, and what is planted of it. The same seed gives the same ones, so that their
//! passwords and secrets can be shown again after a restart: nothing here is secret.

use habilis_keys::secret::Secret;
use habilis_keys::token::digest;
use habilis_keys::totp;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::clients::{CONSOLE, DemoClient, all_clients, console_client, logout_clients};
use super::pages;
use crate::app::App;
use crate::db::organizations::{self, NewOrganization};
use crate::db::people::{self, NewPerson, fold_login};
use crate::db::{Tx, passwords, portal_grants, totp_devices};
use crate::login::factors;
use crate::outcome::Outcome;

const GIVEN: [&str; 24] = [
    "Camille",
    "Léa",
    "Manon",
    "Zoé",
    "Inès",
    "Chloé",
    "Jeanne",
    "Louise",
    "Aïcha",
    "Maëlys",
    "Nadia",
    "Françoise",
    "Hugo",
    "Jules",
    "Léo",
    "Mathéo",
    "Noël",
    "Raphaël",
    "Théo",
    "Yanis",
    "Karim",
    "Loïc",
    "Jérôme",
    "Benoît",
];
const FAMILY: [&str; 24] = [
    "Martin",
    "Lefèvre",
    "Dubois",
    "Moreau",
    "Garçon",
    "Bénard",
    "Faure",
    "Girard",
    "L’Hostis",
    "Mercier",
    "Noël",
    "Prévost",
    "Renaud",
    "Béchet",
    "D’Almeida",
    "Kervadec",
    "Le Goff",
    "Müller",
    "Benali",
    "Diallo",
    "Nguyen",
    "Castaño",
    "Élie",
    "Çelik",
];
const WORDS: [&str; 16] = [
    "cerise",
    "voilier",
    "marronnier",
    "tambour",
    "boussole",
    "hirondelle",
    "moulin",
    "verger",
    "granit",
    "lanterne",
    "pinson",
    "fougere",
    "galet",
    "noisette",
    "rivage",
    "turbine",
];

/// Name, kind, first eight digits of the SIREN.
const ORGANIZATIONS: [(&str, &str, &str); 4] = [
    ("Campus Formation", "training_body", "13000000"),
    ("Boulangeries Lefèvre", "company", "84431746"),
    ("CFA des Halles", "cfa", "18006701"),
    ("Réseau Compétences Ouest", "partner", "44306184"),
];

/// Organization, role there, kind shown, rights in the portal; the operator's staff has no organization.
const POSTS: [(Option<usize>, &str, &str, &[&str]); 17] = [
    (Some(0), "member", "learner", &["apprenant"]),
    (Some(0), "administrator", "administrator", &["apprenant", "gestionnaire"]),
    (Some(0), "member", "trainer", &["formateur"]),
    (Some(1), "administrator", "administrator", &["commanditaire"]),
    (Some(1), "member", "learner", &["apprenant"]),
    (Some(1), "member", "learner", &["apprenant"]),
    (Some(2), "administrator", "administrator", &["gestionnaire"]),
    (Some(2), "member", "learner", &["apprenant"]),
    (Some(3), "member", "learner", &[]),
    (None, "", "operator", &[]),
    (Some(0), "member", SECOND_FACTOR, &["apprenant"]),
    (Some(0), "administrator", "second factor administrator", &["gestionnaire"]),
    (Some(1), "administrator", "second factor administrator", &["commanditaire"]),
    (None, "", "second factor operator", &[]),
    (Some(1), "administrator", SEVERAL, &["commanditaire"]),
    (Some(2), "administrator", "second factor administrator", &["gestionnaire"]),
    // What one operator asks for another decides.
    (None, "", "second factor second operator", &[]),
];

/// The kind of the person who belongs to two organizations, and what the second one is: organization, role there, rights.
const SEVERAL: &str = "two organizations";
const SECOND: (usize, &str, &[&str]) = (2, "member", &["gestionnaire"]);

/// Where people of the demonstration have rights.
const PORTALS: [&str; 3] = ["demo-portal", "demo-es256", CONSOLE];

/// What every organization of the demonstration may give there.
fn roles() -> Vec<String> {
    ["apprenant", "commanditaire", "formateur", "gestionnaire"].map(str::to_owned).to_vec()
}

/// The kind of the person who has an authenticator app; further words say what else they are.
const SECOND_FACTOR: &str = "second factor";

/// Somebody in the demonstration.
#[derive(Debug, Serialize)]
pub(super) struct DemoPerson {
    pub(super) login: String,
    pub(super) password: String,
    given_name: String,
    family_name: String,
    organization: Option<DemoOrganization>,
    roles: Vec<String>,
    pub(super) kind: &'static str,
    /// The secret of the authenticator app, base32.
    totp_secret: Option<String>,
    /// The second organization of the one who belongs to two.
    second_organization: Option<DemoOrganization>,
    #[serde(skip)]
    membership: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct DemoOrganization {
    id: String,
    name: &'static str,
    kind: &'static str,
    siret: String,
}

/// Everything the demonstration begins with.
pub(super) struct Seed {
    pub(super) people: Vec<DemoPerson>,
    organizations: Vec<DemoOrganization>,
    clients: Vec<DemoClient>,
    number: u64,
}

impl Seed {
    /// The people, organizations and clients of `number`; `portal` is the origin of the sample portal.
    pub(super) fn new(number: u64, portal: &str) -> Self {
        let organizations: Vec<_> =
            ORGANIZATIONS.iter().map(|organization| demo_organization(number, organization)).collect();
        let mut draw = Draw::new(number);
        let (given, family) = (draw.shuffled(GIVEN.len()), draw.shuffled(FAMILY.len()));
        let people = POSTS.iter().enumerate().map(|(index, (organization, membership, kind, rights))| {
            let (given_name, family_name) = (GIVEN[given[index]], FAMILY[family[index]]);
            let login = format!("{}.{}@demo.example", plain(given_name), plain(family_name));
            DemoPerson {
                totp_secret: kind
                    .starts_with(SECOND_FACTOR)
                    .then(|| totp::to_text(&totp_secret(&login)).expose().clone()),
                login,
                password: format!(
                    "{}-{}-{}-{}",
                    WORDS[draw.below(WORDS.len())],
                    WORDS[draw.below(WORDS.len())],
                    WORDS[draw.below(WORDS.len())],
                    10 + draw.below(90)
                ),
                given_name: given_name.to_owned(),
                family_name: family_name.to_owned(),
                organization: organization.map(|index| organizations[index].clone()),
                second_organization: (*kind == SEVERAL).then(|| organizations[SECOND.0].clone()),
                roles: rights.iter().map(|right| (*right).to_owned()).collect(),
                kind,
                membership,
            }
        });
        Self { people: people.collect(), clients: all_clients(number, portal), organizations, number }
    }

    /// The same with a client for the console of the provider `issuer`.
    pub(super) fn with_console(mut self, issuer: &str) -> Self {
        self.clients.extend(console_client(self.number, issuer));
        self
    }

    /// The same with the clients that are told of sign-outs, at `base`.
    pub(super) fn with_logout_at(mut self, number: u64, base: &str) -> Self {
        self.clients.extend(logout_clients(number, base));
        self
    }

    /// Writes what is not there yet, in one transaction.
    pub(super) async fn plant(&self, app: &App) -> Outcome<()> {
        let now = app.clock.now();
        let mut digests = Vec::new();
        let mut reader = app.db.reader().await?;
        for (index, person) in self.people.iter().enumerate() {
            let known = people::find_credentials(&mut reader, &fold_login(&person.login)).await?.is_some();
            if !known {
                let phc = app.hasher.hash(Secret::new(person.password.clone())).await?;
                digests.push((index, person, phc));
            }
        }
        drop(reader);
        let mut tx = app.db.begin().await?;
        // The personnel software is the second organization's, a company.
        let company = self.organizations.get(1).map(|organization| organization.id.as_str());
        for client in &self.clients {
            client.plant(&mut tx, company, now).await?;
        }
        super::resource::plant(&mut tx, now).await?;
        for organization in &self.organizations {
            if !organizations::exists(&mut tx, &organization.id).await? {
                let new = NewOrganization {
                    id: &organization.id,
                    kind: organization.kind,
                    name: organization.name,
                    siret: Some(&organization.siret),
                };
                organizations::insert(&mut tx, &new, now).await?;
            }
        }
        for organization in &self.organizations {
            for client in PORTALS {
                if portal_grants::roles(&mut tx, &organization.id, client).await?.is_empty() {
                    portal_grants::replace(&mut tx, (&organization.id, client), &roles(), now).await?;
                }
            }
        }
        for (index, person, phc) in &digests {
            person.plant(&mut tx, app, (phc, *index), now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The secret of a client that has one.
    pub(super) fn secret(&self, client: &str) -> Option<String> {
        self.clients.iter().find(|known| known.id == client)?.secret.as_ref().map(|secret| secret.expose().clone())
    }

    /// The clients with their secrets: a demonstration has none.
    pub(super) fn clients_json(&self) -> Value {
        let clients = self.clients.iter().map(|client| {
            let mut shown = json!(client.metadata);
            shown["client_id"] = json!(client.id);
            shown["client_secret"] = json!(client.secret.as_ref().map(Secret::expose));
            shown["private_jwk"] = json!(client.private_jwk);
            shown
        });
        clients.collect()
    }
}

impl DemoPerson {
    /// As the demonstration's page shows them.
    pub(super) fn row(&self) -> pages::DemoPerson {
        pages::DemoPerson {
            name: format!("{} {}", self.given_name, self.family_name),
            login: self.login.clone(),
            password: self.password.clone(),
            organization: [&self.organization, &self.second_organization]
                .into_iter()
                .flatten()
                .map(|organization| organization.name)
                .collect::<Vec<_>>()
                .join(", "),
            roles: self.roles.clone(),
            kind: self.kind.to_owned(),
            totp_secret: self.totp_secret.clone().unwrap_or_default(),
        }
    }

    async fn plant(&self, tx: &mut Tx, app: &App, (phc, index): (&str, usize), now: Timestamp) -> Outcome<()> {
        let id = habilis_keys::random::id("usr", now);
        let new = NewPerson {
            id: &id,
            login: &fold_login(&self.login),
            email: Some((&self.login, true)),
            names: (&self.given_name, &self.family_name),
            locale: "fr",
            claims: if index == 0 { every_claim() } else { Map::new() },
            status: "active",
            operator: self.kind.ends_with("operator"),
        };
        people::insert(tx, new, now).await?;
        passwords::set(tx, &id, phc, now).await?;
        if self.totp_secret.is_some() {
            // They have had it for long: a report of a compromise does not doubt it.
            let long_ago = now.saturating_sub(factors::DOUBTED * 2)?;
            let device = habilis_keys::random::id("otp", now);
            factors::add_app(tx, app, (&device, &id, "Application", &totp_secret(&self.login)), long_ago).await?;
            totp_devices::confirm(tx, (&device, &id), 0, now).await?;
        }
        if let Some(organization) = &self.organization {
            organizations::add_member(tx, &id, (&organization.id, self.membership), now).await?;
            for role in &self.roles {
                for client in PORTALS {
                    organizations::give_right(tx, (&id, &organization.id), (client, role), now).await?;
                }
            }
        }
        if let Some(second) = &self.second_organization {
            let (_, membership, rights) = SECOND;
            organizations::add_member(tx, &id, (&second.id, membership), now).await?;
            for role in rights {
                organizations::give_right(tx, (&id, &second.id), ("demo-portal", role), now).await?;
            }
        }
        Ok(())
    }
}

/// Of a fictitious person: as public as their password.
fn totp_secret(login: &str) -> Secret<Vec<u8>> {
    let mut secret = digest(&format!("demonstration authenticator app {login}"));
    secret.truncate(20);
    Secret::new(secret)
}

/// The first learner holds every standard claim (OIDC Core §5.1).
fn every_claim() -> Map<String, Value> {
    let claims = json!({
        "middle_name": "Anne",
        "nickname": "Cam",
        "profile": "https://campus.example/profils/1",
        "picture": "https://campus.example/profils/1.png",
        "website": "https://blog.example/",
        "gender": "female",
        "birthdate": "1987-10-16",
        "zoneinfo": "Europe/Paris",
        "locale": "fr-FR",
        "phone_number": "+33199001234",
        "phone_number_verified": true,
        "address": {
            "formatted": "12 rue des Lilas\n35000 Rennes\nFrance",
            "street_address": "12 rue des Lilas",
            "locality": "Rennes",
            "region": "Bretagne",
            "postal_code": "35000",
            "country": "France",
        },
    });
    match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    }
}

fn demo_organization(number: u64, (name, kind, siren): &(&'static str, &'static str, &str)) -> DemoOrganization {
    let siren = luhn_completed(siren);
    DemoOrganization {
        id: format!("org_{}", &habilis_keys::token::digest_hex(&format!("{name} {number}"))[..26]),
        name,
        kind,
        siret: luhn_completed(&format!("{siren}0001")),
    }
}

/// Adds the check digit of SIREN and SIRET.
fn luhn_completed(digits: &str) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            let doubled = if place % 2 == 0 { 2 * digit } else { digit };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// A name as it stands in an address: no accents, no signs.
fn plain(name: &str) -> String {
    name.chars()
        .flat_map(char::to_lowercase)
        .filter_map(|c| match c {
            'a'..='z' => Some(c),
            'é' | 'è' | 'ê' | 'ë' => Some('e'),
            'ï' | 'î' => Some('i'),
            'ô' | 'ö' => Some('o'),
            'ü' | 'û' | 'ù' => Some('u'),
            'à' | 'â' => Some('a'),
            'ç' => Some('c'),
            'ñ' => Some('n'),
            _ => None,
        })
        .collect()
}

/// A reproducible draw: SHA-256 of seed and counter. For fictitious names, not for secrets.
struct Draw {
    number: u64,
    counter: u64,
}

impl Draw {
    fn new(number: u64) -> Self {
        Self { number, counter: 0 }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.counter += 1;
        let bytes = digest(&format!("draw {} {}", self.number, self.counter));
        let number = bytes.iter().take(4).fold(0_usize, |number, byte| (number << 8) | usize::from(*byte));
        number % limit
    }

    fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_people_and_another_gives_others() {
        let logins =
            |number| Seed::new(number, "http://localhost:1").people.into_iter().map(|p| p.login).collect::<Vec<_>>();
        assert_eq!(logins(1), logins(1));
        assert_ne!(logins(1), logins(2));
        assert_eq!(Seed::new(1, "http://localhost:1").clients.len(), 18);
    }

    #[test]
    fn the_organizations_have_valid_numbers() {
        for organization in Seed::new(7, "http://localhost:1").organizations {
            assert!(organization.siret.parse::<habilis_policies::identifiers::Siret>().is_ok(), "{organization:?}");
        }
    }
}
