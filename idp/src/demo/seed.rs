//! The fictitious people, organizations and clients of the demonstration. The same seed gives the same ones, so that their
//! passwords and secrets can be shown again after a restart: nothing here is secret.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use habilis_keys::jws::Algorithm;
use habilis_keys::secret::Secret;
use habilis_keys::signing::SigningKey;
use habilis_keys::token::digest;
use habilis_keys::totp;
use habilis_policies::acr;
use habilis_policies::authorization::Action;
use habilis_policies::identifiers::OrganizationKind;
use habilis_policies::profiles::SecurityProfile;
use habilis_policies::second_factor::Rule;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::pages;
use crate::api::caller::MANAGES_ALL;
use crate::app::App;
use crate::db::organizations::{self, NewOrganization};
use crate::db::people::{self, NewPerson, fold_login};
use crate::db::{Tx, clients, passwords, portal_grants, totp_devices};
use crate::login::factors;
use crate::oidc::client::{Metadata, Registration, Settings};
use crate::outcome::{Fault, Outcome};

/// The portal that is closed to companies.
pub(super) const CLOSED: &str = "demo-closed";
pub(super) const CLOSED_NAME: &str = "Espace des organismes de formation";
const CLOSED_TO_COMPANIES: [OrganizationKind; 3] =
    [OrganizationKind::TrainingBody, OrganizationKind::Cfa, OrganizationKind::Partner];

/// The client of the console.
pub(super) const CONSOLE: &str = "demo-console";

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
const POSTS: [(Option<usize>, &str, &str, &[&str]); 15] = [
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

struct DemoClient {
    id: &'static str,
    metadata: Metadata,
    secret: Option<Secret<String>>,
    private_jwk: Option<Value>,
    first_party: bool,
    profile: SecurityProfile,
    acr: acr::Vocabulary,
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
        for client in &self.clients {
            client.plant(&mut tx, &self.organizations, now).await?;
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
            operator: self.kind.ends_with("operator"),
        };
        people::insert(tx, new, now).await?;
        passwords::set(tx, &id, phc, now).await?;
        if self.totp_secret.is_some() {
            let device = habilis_keys::random::id("otp", now);
            factors::add_app(tx, app, (&device, &id, "Application", &totp_secret(&self.login)), now).await?;
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

impl DemoClient {
    /// For whom it manages, when it acts for itself.
    fn manages(&self, organizations: &[DemoOrganization]) -> Option<String> {
        match self.id {
            "demo-automation" => Some(MANAGES_ALL.to_owned()),
            "demo-hr" => organizations.get(1).map(|organization| organization.id.clone()),
            _ => None,
        }
    }

    async fn plant(&self, tx: &mut Tx, organizations: &[DemoOrganization], now: Timestamp) -> Outcome<()> {
        let settings = Settings {
            first_party: self.first_party,
            profile: self.profile,
            resource_server: self.id == "demo-resource",
            acr: self.acr.clone(),
            second_factor: Rule::Optional,
            organization_kinds: if self.id == CLOSED { CLOSED_TO_COMPANIES.to_vec() } else { Vec::new() },
            ..Settings::default()
        };
        if let Err(problems) = self.metadata.check(settings.profile) {
            return Err(Fault::new(format!("{}: {problems:?}", self.id)));
        }
        let registration = Registration::new(self.id.to_owned(), &self.metadata, &settings, self.secret.clone())?;
        if clients::find(tx, self.id).await?.is_none() {
            clients::insert(tx, &registration.row, now).await?;
            clients::set_manages(tx, self.id, self.manages(organizations).as_deref()).await?;
        } else {
            // The portal's port may be another than last time.
            clients::replace_metadata(tx, self.id, &registration.row.metadata, now).await?;
        }
        Ok(())
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

/// The metadata of a portal, `extra` over what they all have.
fn web(name: &str, extra: Value) -> Value {
    let mut metadata = json!({
        "client_name": name,
        "redirect_uris": ["https://rp.example/callback", "https://rp.example/callback?portal=1"],
        "post_logout_redirect_uris": ["https://rp.example/signed-out"],
        "grant_types": ["authorization_code", "refresh_token"],
    });
    merge(&mut metadata, extra);
    metadata
}

fn demo_clients(number: u64, portal: &str) -> Vec<DemoClient> {
    let jwk = private_jwk(&number.to_string());
    let public = public_jwk(&jwk);
    let all = [
        (
            "demo-portal",
            true,
            web(
                "Campus Formation",
                json!({
                    "client_uri": portal,
                    "redirect_uris": [format!("{portal}/callback"), "https://rp.example/callback", "https://rp.example/callback?portal=1"],
                    "post_logout_redirect_uris": [format!("{portal}/signed-out"), "https://rp.example/signed-out"],
                }),
            ),
        ),
        ("demo-post", true, web("Espace entreprise", json!({ "token_endpoint_auth_method": "client_secret_post" }))),
        (
            "demo-es256",
            true,
            web(
                "Catalogue",
                json!({ "id_token_signed_response_alg": "ES256", "initiate_login_uri": "https://rp.example/begin" }),
            ),
        ),
        ("demo-eddsa", true, web("Dépôt", json!({ "id_token_signed_response_alg": "EdDSA" }))),
        (
            "demo-native",
            true,
            web(
                "Application mobile",
                json!({
                    "application_type": "native",
                    "token_endpoint_auth_method": "none",
                    "redirect_uris": ["http://127.0.0.1/callback", "http://[::1]/callback"],
                    "id_token_signed_response_alg": "ES256",
                }),
            ),
        ),
        (
            "demo-jwt",
            true,
            web(
                "Logiciel de gestion",
                json!({
                    "token_endpoint_auth_method": "private_key_jwt",
                    "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
                    "jwks": { "keys": [public] },
                    "scope": "openid profile email offline_access organization apicfa.dossiers.read",
                }),
            ),
        ),
        (
            "demo-third-party",
            false,
            web(
                "Outil partenaire",
                json!({
                    "logo_uri": "https://rp.example/logo.png",
                    "policy_uri": "https://rp.example/policy",
                    "tos_uri": "https://rp.example/terms",
                }),
            ),
        ),
        (
            CLOSED,
            true,
            web(
                CLOSED_NAME,
                json!({
                    "client_uri": format!("{portal}/closed"),
                    "redirect_uris": [format!("{portal}/closed/callback"), "https://rp.example/callback"],
                    "post_logout_redirect_uris": [format!("{portal}/closed/signed-out"), "https://rp.example/signed-out"],
                    "contacts": ["assistance@organismes.example"],
                    "id_token_signed_response_alg": "ES256",
                }),
            ),
        ),
    ];
    let clients = all.into_iter().filter_map(|(id, first_party, metadata)| {
        let metadata: Metadata = serde_json::from_value(metadata).ok()?;
        let with_secret = metadata.token_endpoint_auth_method.starts_with("client_secret");
        let secret = URL_SAFE_NO_PAD.encode(digest(&format!("demonstration {id} {number}")));
        Some(DemoClient {
            id,
            secret: with_secret.then(|| Secret::new(secret)),
            private_jwk: (id == "demo-jwt").then(|| jwk.clone()),
            metadata,
            first_party,
            profile: SecurityProfile::Oidc,
            acr: acr::Vocabulary::default(),
        })
    });
    clients.collect()
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

fn all_clients(number: u64, portal: &str) -> Vec<DemoClient> {
    let mut clients = demo_clients(number, portal);
    clients.extend(fapi_clients(number));
    clients.extend(signed_userinfo_client(number));
    clients.extend(resource_server(number));
    clients.extend(service_clients(number));
    clients
}

/// The console, which the operator's own people use.
fn console_client(number: u64, issuer: &str) -> Option<DemoClient> {
    let metadata = json!({
        "client_name": "Console",
        "redirect_uris": [format!("{issuer}/console/callback")],
        "post_logout_redirect_uris": [format!("{issuer}/console/signed-out")],
    });
    Some(DemoClient {
        id: CONSOLE,
        metadata: serde_json::from_value(metadata).ok()?,
        secret: Some(Secret::new(URL_SAFE_NO_PAD.encode(digest(&format!("demonstration {CONSOLE} {number}"))))),
        private_jwk: None,
        first_party: true,
        profile: SecurityProfile::Oidc,
        acr: acr::Vocabulary::default(),
    })
}

/// A resource server: it asks for no tokens, and what those of others are worth.
fn resource_server(number: u64) -> Option<DemoClient> {
    let id = "demo-resource";
    let metadata = json!({
        "client_name": "Interface des dossiers",
        "grant_types": [],
        "response_types": [],
        "introspection_signed_response_alg": "ES256",
    });
    Some(DemoClient {
        id,
        metadata: serde_json::from_value(metadata).ok()?,
        secret: Some(Secret::new(URL_SAFE_NO_PAD.encode(digest(&format!("demonstration {id} {number}"))))),
        private_jwk: None,
        first_party: true,
        profile: SecurityProfile::Oidc,
        acr: acr::Vocabulary::default(),
    })
}

/// Clients of the management API: one through which people manage, one that is the operator's own automation, and the personnel
/// software of one company; and a service that acts for itself elsewhere.
fn service_clients(number: u64) -> Vec<DemoClient> {
    let mut scopes: Vec<_> = Action::ALL.iter().map(|action| action.scope()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let scopes = scopes.join(" ");
    let own = |name: &str| {
        json!({
            "client_name": name, "grant_types": ["client_credentials"], "response_types": [], "scope": scopes,
        })
    };
    let all = [
        (
            "demo-management",
            json!({
                "client_name": "Gestion",
                "redirect_uris": ["https://rp.example/callback"],
                "grant_types": ["authorization_code", "refresh_token"],
                "scope": format!("openid profile email offline_access {scopes}"),
            }),
        ),
        ("demo-automation", own("Automatisation de l’opérateur")),
        ("demo-hr", own("Logiciel du personnel")),
        (
            "demo-service",
            json!({
                "client_name": "Service de paie",
                "grant_types": ["client_credentials"],
                "response_types": [],
                "scope": "apicfa.dossiers.read apicfa.dossiers.write",
            }),
        ),
    ];
    let clients = all.into_iter().filter_map(|(id, metadata)| {
        Some(DemoClient {
            id,
            metadata: serde_json::from_value(metadata).ok()?,
            secret: Some(Secret::new(URL_SAFE_NO_PAD.encode(digest(&format!("demonstration {id} {number}"))))),
            private_jwk: None,
            first_party: true,
            profile: SecurityProfile::Oidc,
            acr: acr::Vocabulary::default(),
        })
    });
    clients.collect()
}

/// Two portals at `base` that want to know when a session ends: one by both ways, one from server to server only.
fn logout_clients(number: u64, base: &str) -> Vec<DemoClient> {
    let all = [("demo-logout", "ES256", true), ("demo-logout-2", "RS256", false)];
    let clients = all.into_iter().filter_map(|(id, algorithm, front)| {
        let mut metadata = json!({
            "client_name": format!("Portail {id}"),
            "redirect_uris": ["https://rp.example/callback", format!("{base}/callback")],
            "post_logout_redirect_uris": ["https://rp.example/signed-out"],
            "grant_types": ["authorization_code", "refresh_token"],
            "id_token_signed_response_alg": algorithm,
            "backchannel_logout_uri": format!("{base}/{id}/backchannel"),
            "backchannel_logout_session_required": true,
        });
        if front {
            metadata["frontchannel_logout_uri"] = json!(format!("{base}/{id}/frontchannel?portal=1"));
            metadata["frontchannel_logout_session_required"] = json!(true);
        }
        Some(DemoClient {
            id,
            metadata: serde_json::from_value(metadata).ok()?,
            secret: Some(Secret::new(URL_SAFE_NO_PAD.encode(digest(&format!("demonstration {id} {number}"))))),
            private_jwk: None,
            first_party: true,
            profile: SecurityProfile::Oidc,
            acr: acr::Vocabulary::default(),
        })
    });
    clients.collect()
}

/// A client with signed userinfo and names of its own for the levels of a sign-in.
fn signed_userinfo_client(number: u64) -> Option<DemoClient> {
    let id = "demo-signed-userinfo";
    let metadata = json!({
        "client_name": "Fédération",
        "redirect_uris": ["https://rp.example/callback"],
        "id_token_signed_response_alg": "ES256",
        "userinfo_signed_response_alg": "ES256",
        "default_acr_values": ["urn:example:bronze"],
    });
    let acr = json!([
        { "acr": "eidas1", "level": "one_factor" },
        { "acr": "urn:example:bronze", "level": "one_factor" },
        { "acr": "urn:example:silver", "level": "two_factors" },
    ]);
    Some(DemoClient {
        id,
        metadata: serde_json::from_value(metadata).ok()?,
        secret: Some(Secret::new(URL_SAFE_NO_PAD.encode(digest(&format!("demonstration {id} {number}"))))),
        private_jwk: None,
        first_party: true,
        profile: SecurityProfile::Oidc,
        acr: serde_json::from_value(acr).ok()?,
    })
}

/// The clients of the FAPI 2.0 profiles: two as the conformance plans want them, one that signs its messages.
fn fapi_clients(number: u64) -> Vec<DemoClient> {
    let all = [
        ("demo-fapi", "Registre", SecurityProfile::Fapi2Security, "https://rp.example/callback"),
        (
            "demo-fapi-2",
            "Registre, second accès",
            SecurityProfile::Fapi2Security,
            "https://rp.example/callback?dummy1=lorem&dummy2=ipsum",
        ),
        ("demo-fapi-signed", "Coffre", SecurityProfile::Fapi2MessageSigning, "https://rp.example/callback"),
    ];
    let clients = all.into_iter().filter_map(|(id, name, profile, redirect_uri)| {
        let jwk = private_jwk(&format!("{id} {number}"));
        let metadata = json!({
            "client_name": name,
            "redirect_uris": [redirect_uri, format!("https://{id}.example/callback")],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt",
            "id_token_signed_response_alg": "ES256",
            "dpop_bound_access_tokens": true,
            "require_pushed_authorization_requests": true,
            "require_signed_request_object": profile.rules().signed_messages,
            "jwks": { "keys": [public_jwk(&jwk)] },
        });
        let metadata: Metadata = serde_json::from_value(metadata).ok()?;
        Some(DemoClient {
            id,
            metadata,
            secret: None,
            private_jwk: Some(jwk),
            first_party: true,
            profile,
            acr: acr::Vocabulary::default(),
        })
    });
    clients.collect()
}

/// The public half of [`private_jwk`].
fn public_jwk(jwk: &Value) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": "demo", "use": "sig", "alg": "EdDSA", "x": jwk["x"] })
}

/// An Ed25519 key made of the seed number (RFC 8037 §2): the client's key is the same after a restart.
fn private_jwk(number: &str) -> Value {
    const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let seed = digest(&format!("demonstration key {number}"));
    let pkcs8 = Secret::new([&PKCS8_HEAD[..], &seed].concat());
    let public = SigningKey::from_pkcs8("demo", Algorithm::EdDsa, &pkcs8).ok().map(|key| json!(key.public()));
    json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "demo", "use": "sig", "alg": "EdDSA",
        "x": public.map(|public| public["x"].clone()),
        "d": URL_SAFE_NO_PAD.encode(&seed),
    })
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
        assert_eq!(Seed::new(1, "http://localhost:1").clients.len(), 17);
    }

    #[test]
    fn the_organizations_have_valid_numbers() {
        for organization in Seed::new(7, "http://localhost:1").organizations {
            assert!(organization.siret.parse::<habilis_policies::identifiers::Siret>().is_ok(), "{organization:?}");
        }
    }
}
