//! The clients of the demonstration: portals, services and a resource server, with secrets and keys made from its number.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use habilis_keys::jws::Algorithm;
use habilis_keys::secret::Secret;
use habilis_keys::signing::SigningKey;
use habilis_keys::token::digest;
use habilis_policies::acr;
use habilis_policies::authorization::SCOPES;
use habilis_policies::identifiers::OrganizationKind;
use habilis_policies::profiles::{SecurityProfile, TOKEN_EXCHANGE};
use habilis_policies::second_factor::Rule;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::db::clients::MANAGES_ALL;
use crate::db::{Tx, clients};
use crate::oidc::client::{Metadata, Registration, Settings};
use crate::outcome::{Fault, Outcome};

/// The portal that is closed to companies.
pub(super) const CLOSED: &str = "demo-closed";
pub(super) const CLOSED_NAME: &str = "Espace des organismes de formation";
const CLOSED_TO_COMPANIES: [OrganizationKind; 3] =
    [OrganizationKind::TrainingBody, OrganizationKind::Cfa, OrganizationKind::Partner];

/// The client of the console.
pub(super) const CONSOLE: &str = "demo-console";

/// A client of the demonstration.
pub(super) struct DemoClient {
    pub(super) id: &'static str,
    pub(super) metadata: Metadata,
    pub(super) secret: Option<Secret<String>>,
    pub(super) private_jwk: Option<Value>,
    first_party: bool,
    profile: SecurityProfile,
    acr: acr::Vocabulary,
}

impl DemoClient {
    /// A portal or service of the operator's own with a secret.
    fn confidential(id: &'static str, metadata: Value, number: u64) -> Option<Self> {
        Some(Self {
            id,
            metadata: serde_json::from_value(metadata).ok()?,
            secret: Some(Secret::new(URL_SAFE_NO_PAD.encode(digest(&format!("demonstration {id} {number}"))))),
            private_jwk: None,
            first_party: true,
            profile: SecurityProfile::Oidc,
            acr: acr::Vocabulary::default(),
        })
    }

    /// For whom it manages, when it acts for itself.
    fn manages(&self, company: Option<&str>) -> Option<String> {
        match self.id {
            "demo-automation" => Some(MANAGES_ALL.to_owned()),
            "demo-hr" => company.map(str::to_owned),
            _ => None,
        }
    }

    /// Writes it, unless it is there; `company` is whose personnel software it may be.
    ///
    /// # Errors
    /// The metadata is wrong, or the database failed.
    pub(super) async fn plant(&self, tx: &mut Tx, company: Option<&str>, now: Timestamp) -> Outcome<()> {
        let settings = Settings {
            first_party: self.first_party,
            profile: self.profile,
            resource_server: self.id == "demo-resource",
            api_keys: self.id == "demo-vendor",
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
            clients::set_manages(tx, self.id, self.manages(company).as_deref()).await?;
        } else {
            // The portal's port may be another than last time.
            clients::replace_metadata(tx, self.id, &registration.row.metadata, now).await?;
        }
        Ok(())
    }
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
        let mut client = DemoClient { first_party, ..DemoClient::confidential(id, metadata, number)? };
        if !client.metadata.token_endpoint_auth_method.starts_with("client_secret") {
            client.secret = None;
        }
        client.private_jwk = (id == "demo-jwt").then(|| jwk.clone());
        Some(client)
    });
    clients.collect()
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// The clients there always are; `portal` is the origin of the sample portal.
pub(super) fn all_clients(number: u64, portal: &str) -> Vec<DemoClient> {
    let mut clients = demo_clients(number, portal);
    clients.extend(fapi_clients(number));
    clients.extend(signed_userinfo_client(number));
    clients.extend(resource_server(number));
    clients.extend(service_clients(number));
    clients
}

/// The console, which the operator's own people use.
pub(super) fn console_client(number: u64, issuer: &str) -> Option<DemoClient> {
    let metadata = json!({
        "client_name": "Console",
        "redirect_uris": [format!("{issuer}/console/callback")],
        "post_logout_redirect_uris": [format!("{issuer}/console/signed-out")],
    });
    DemoClient::confidential(CONSOLE, metadata, number)
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
    DemoClient::confidential(id, metadata, number)
}

/// Clients of the management API: one through which people manage, one that is the operator's own automation, and the personnel
/// software of one company; and a service that acts for itself elsewhere.
fn service_clients(number: u64) -> Vec<DemoClient> {
    let scopes = SCOPES.join(" ");
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
            "demo-vendor",
            json!({
                "client_name": "Éditeur de logiciels pour CFA",
                "grant_types": ["client_credentials", TOKEN_EXCHANGE],
                "response_types": [],
                "scope": "apicfa.dossiers.read apicfa.dossiers.write apicfa.factures.read",
            }),
        ),
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
    let clients = all.into_iter().filter_map(|(id, metadata)| DemoClient::confidential(id, metadata, number));
    clients.collect()
}

/// Two portals at `base` that want to know when a session ends: one by both ways, one from server to server only.
pub(super) fn logout_clients(number: u64, base: &str) -> Vec<DemoClient> {
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
        DemoClient::confidential(id, metadata, number)
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
    let acr = serde_json::from_value(acr).ok()?;
    Some(DemoClient { acr, ..DemoClient::confidential(id, metadata, number)? })
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
        let client = DemoClient::confidential(id, metadata, number)?;
        Some(DemoClient { secret: None, private_jwk: Some(jwk), profile, ..client })
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
