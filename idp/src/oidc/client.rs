//! Clients: registration metadata (RFC 7591 §2, OIDC Registration §2), what makes it acceptable, and the operator's settings.

use std::sync::Arc;

use habilis_keys::jwk::Jwks;
use habilis_keys::jws::Algorithm;
use habilis_keys::seal::MasterKey;
use habilis_keys::secret::Secret;
use habilis_policies::identifiers::OrganizationKind;
use habilis_policies::profiles::{DEVICE_CODE, SecurityProfile, TOKEN_EXCHANGE};
use habilis_policies::redirects::{self, Application};
use habilis_policies::response_types::ResponseType;
use habilis_policies::scopes::Scope;
use habilis_policies::{acr, admission, second_factor, subjects};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::claims::ClaimsProfile;
use super::localized::Localized;
use crate::config::Config;
use crate::db::clients::ClientRow;
use crate::fetch::Fetcher;
use crate::outcome::{Fault, Outcome};
use crate::web::page::ClientCard;
use crate::web::text::Locale;

/// Scopes any client may ask for.
pub const SCOPES: [&str; 7] = ["openid", "profile", "email", "address", "phone", "offline_access", "organization"];

/// Registration metadata, names of RFC 7591 and OIDC Registration. Unknown members are ignored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each field is defined in RFC 7591 §2 or OIDC Registration §2")]
#[expect(clippy::struct_excessive_bools, reason = "the members that the standards define")]
pub struct Metadata {
    pub redirect_uris: Vec<String>,
    pub response_types: Vec<String>,
    pub grant_types: Vec<String>,
    pub application_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Jwks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    pub token_endpoint_auth_method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<String>,
    pub id_token_signed_response_alg: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u32>,
    pub require_auth_time: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    pub backchannel_logout_session_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    pub frontchannel_logout_session_required: bool,
    pub require_pushed_authorization_requests: bool,
    pub require_signed_request_object: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object_signing_alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_signed_response_alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_signed_response_alg: Option<String>,
    pub dpop_bound_access_tokens: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_acr_values: Vec<String>,
    pub subject_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_uris: Vec<String>,
    #[serde(flatten)]
    pub localized: Localized,
}

impl Default for Metadata {
    /// The defaults of RFC 7591 §2 and OIDC Registration §2.
    fn default() -> Self {
        Self {
            redirect_uris: Vec::new(),
            response_types: vec!["code".to_owned()],
            grant_types: vec!["authorization_code".to_owned()],
            application_type: "web".to_owned(),
            client_name: None,
            client_uri: None,
            logo_uri: None,
            policy_uri: None,
            tos_uri: None,
            contacts: Vec::new(),
            scope: None,
            jwks: None,
            jwks_uri: None,
            token_endpoint_auth_method: "client_secret_basic".to_owned(),
            token_endpoint_auth_signing_alg: None,
            id_token_signed_response_alg: "RS256".to_owned(),
            default_max_age: None,
            require_auth_time: false,
            post_logout_redirect_uris: Vec::new(),
            initiate_login_uri: None,
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            frontchannel_logout_uri: None,
            frontchannel_logout_session_required: false,
            require_pushed_authorization_requests: false,
            require_signed_request_object: false,
            request_object_signing_alg: None,
            authorization_signed_response_alg: None,
            userinfo_signed_response_alg: None,
            introspection_signed_response_alg: None,
            dpop_bound_access_tokens: false,
            default_acr_values: Vec::new(),
            subject_type: "public".to_owned(),
            sector_identifier_uri: None,
            request_uris: Vec::new(),
            localized: Localized::default(),
        }
    }
}

/// What the operator decides about a client; never set by registration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "one yes or no a line, as the operator says them")]
pub struct Settings {
    /// The security profile.
    pub profile: SecurityProfile,
    /// A portal of the operator's own: people are not asked for consent.
    pub first_party: bool,
    /// A resource server: introspection tells it of every access token (RFC 7662 §4).
    pub resource_server: bool,
    /// Software of a vendor that works with API keys of apprenticeship centres (R102).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub api_keys: bool,
    /// What the client calls the levels of a sign-in.
    pub acr: acr::Vocabulary,
    /// Whether its people need a second factor.
    #[serde(skip_serializing_if = "second_factor::Rule::is_optional")]
    pub second_factor: second_factor::Rule,
    /// The kinds of organization it is open to; none: it is open to everybody (R009).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organization_kinds: Vec<OrganizationKind>,
    /// What it may learn about people (R015).
    #[serde(skip_serializing_if = "ClaimsProfile::is_standard")]
    pub claims: ClaimsProfile,
    /// Whether people sign in to use it. A service that works without sign-in cannot send anybody to one (R010).
    #[serde(skip_serializing_if = "is_usual")]
    pub auth_required: bool,
    /// The product it belongs to: people need a seat of it (R060).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// Whether people need an enrolment whose window is open (R080).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enrolment: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_usual(auth_required: &bool) -> bool {
    *auth_required
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: SecurityProfile::default(),
            first_party: false,
            resource_server: false,
            api_keys: false,
            acr: acr::Vocabulary::default(),
            second_factor: second_factor::Rule::default(),
            organization_kinds: Vec::new(),
            claims: ClaimsProfile::default(),
            auth_required: true,
            product: None,
            enrolment: false,
        }
    }
}

impl Settings {
    /// What people need to use it, beside an account.
    pub fn access(&self) -> admission::Rule {
        admission::Rule { seat: self.product.is_some(), enrolment: self.enrolment }
    }

    /// What in `metadata` contradicts these settings.
    ///
    /// # Errors
    /// A service without sign-in that could send people to one (R010).
    pub fn check(&self, metadata: &Metadata) -> Result<(), MetadataProblem> {
        let signs_in = ["authorization_code", "implicit", DEVICE_CODE].iter().any(|grant| metadata.allows_grant(grant));
        if self.auth_required || (!signs_in && metadata.response_types.is_empty()) {
            return Ok(());
        }
        Err(MetadataProblem {
            error: "invalid_client_metadata",
            description: "a service without sign-in has no response_types and no grant that signs people in".to_owned(),
        })
    }
}

/// What stands against a client that the operator registers or changes: its metadata under these settings, here.
///
/// What its sector says of itself ([`verify_sector`](super::subject::verify_sector)) is asked for afterwards.
///
/// # Errors
/// Every [`MetadataProblem`], so that they can be mended together.
pub fn check_for_operator(
    config: &Config,
    fetcher: &Fetcher,
    (metadata, settings): (&Metadata, &Settings),
) -> Result<(), Vec<MetadataProblem>> {
    let mut problems = metadata.check(settings.profile).err().unwrap_or_default();
    problems.extend(settings.check(metadata).err());
    let mut refuse = |description: String| {
        problems.push(MetadataProblem { error: "invalid_client_metadata", description });
    };
    if settings.profile == SecurityProfile::Legacy && !config.legacy.response_types {
        refuse("the profile legacy is off; legacy.response_types in the configuration turns it on".to_owned());
    }
    if let Some(uri) = metadata.logout_uris_in_clear(config).first() {
        refuse(format!("{uri} is a logout URI without TLS"));
    }
    if let Some(name) = metadata.out_of_reach(fetcher) {
        refuse(format!("{name} is not an address this server reaches out to; see [fetch]"));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A client application, ready to be used.
#[derive(Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// Registration metadata.
    pub metadata: Metadata,
    /// Operator's settings.
    pub settings: Settings,
    /// SHA-256 of the secret.
    pub secret_digest: Option<Vec<u8>>,
    /// The secret sealed, for `client_secret_jwt` only.
    pub secret_sealed: Option<Vec<u8>>,
    /// The sector it shares its pairwise subjects with; none for public subjects (OIDC Core §8).
    pub sector: Option<String>,
    /// How it authenticates itself.
    pub authentication: Authentication,
    /// Algorithm of its ID tokens.
    pub id_token_algorithm: Algorithm,
    /// Algorithm of signed authorization responses (JARM §3).
    pub response_algorithm: Algorithm,
    /// Algorithm of signed introspection answers (RFC 9701 §6).
    pub introspection_algorithm: Algorithm,
    /// Algorithm of userinfo, when it is signed.
    pub userinfo_algorithm: Option<Algorithm>,
    /// Scope it may ask for.
    pub scope: Scope,
    /// Whether it may be used.
    pub active: bool,
    /// What people read while it may not (R090).
    pub banner: Option<Banner>,
    /// What was granted to it until then is dead (R083).
    pub access_ended_at: Timestamp,
}

/// What people read where a portal is closed (R090).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Banner {
    /// In French.
    pub fr: String,
    /// In English.
    pub en: String,
}

impl Banner {
    /// In this language.
    pub fn in_locale(&self, locale: Locale) -> &str {
        match locale {
            Locale::Fr => &self.fr,
            Locale::En => &self.en,
        }
    }
}

/// Client authentication methods (OIDC Core §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// None: a public client.
    None,
    /// Secret in the Authorization header.
    SecretBasic,
    /// Secret in the form.
    SecretPost,
    /// Assertion signed with the client's key.
    PrivateKeyJwt,
    /// Assertion under a MAC of the secret.
    SecretJwt,
}

/// Why metadata is refused; `error` is the code of RFC 7591 §3.2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataProblem {
    /// `invalid_redirect_uri` or `invalid_client_metadata`.
    pub error: &'static str,
    /// What is wrong.
    pub description: String,
}

impl Metadata {
    /// Says whether the metadata can be registered under `profile`.
    ///
    /// # Errors
    /// Every [`MetadataProblem`], so that they can be mended together.
    pub fn check(&self, profile: SecurityProfile) -> Result<(), Vec<MetadataProblem>> {
        let rules = profile.rules();
        let mut problems = Vec::new();
        let mut refuse = |wrong: bool, description: &str| {
            if wrong {
                problems
                    .push(MetadataProblem { error: "invalid_client_metadata", description: description.to_owned() });
            }
        };
        let code = self.allows_grant("authorization_code");
        let implicit = self.allows_grant("implicit");
        refuse(!matches!(self.application_type.as_str(), "web" | "native"), "application_type is web or native");
        refuse(
            !rules.client_authentication.contains(&self.token_endpoint_auth_method.as_str())
                || Authentication::parse(&self.token_endpoint_auth_method).is_none(),
            "token_endpoint_auth_method is not supported",
        );
        refuse(
            !rules.algorithms.contains(&self.id_token_signed_response_alg.as_str()),
            "id_token_signed_response_alg is not supported",
        );
        refuse(
            self.grant_types.iter().any(|grant| !rules.grant_types.contains(&grant.as_str())),
            "a grant type is not supported",
        );
        refuse(
            self.response_types
                .iter()
                .any(|name| ResponseType::parse(name).is_none_or(|kind| !rules.response_types.contains(&kind.name()))),
            "a response type is not supported",
        );
        refuse(
            code != self.asks(ResponseType::has_code) || implicit != self.asks(ResponseType::is_front_channel),
            "response_types and grant_types contradict each other",
        );
        refuse(
            self.allows_grant("refresh_token") && !code && !self.allows_grant(DEVICE_CODE),
            "the refresh_token grant needs a grant that gives refresh tokens",
        );
        refuse(
            self.acts_for_itself() && self.token_endpoint_auth_method == "none",
            "the grants client_credentials and token-exchange need a client that authenticates itself",
        );
        refuse(
            self.token_endpoint_auth_method == "private_key_jwt" && !self.has_keys(),
            "private_key_jwt needs a usable public key in jwks, or a jwks_uri",
        );
        let assertion_algorithms =
            if self.token_endpoint_auth_method == "client_secret_jwt" { &["HS256"] } else { rules.algorithms };
        refuse(
            self.token_endpoint_auth_signing_alg.as_deref().is_some_and(|alg| !assertion_algorithms.contains(&alg)),
            "token_endpoint_auth_signing_alg is not supported",
        );
        let algorithms = [
            (&self.request_object_signing_alg, "request_object_signing_alg is not supported"),
            (&self.authorization_signed_response_alg, "authorization_signed_response_alg is not supported"),
            (&self.userinfo_signed_response_alg, "userinfo_signed_response_alg is not supported"),
        ];
        for (algorithm, description) in algorithms {
            refuse(algorithm.as_deref().is_some_and(|alg| !rules.algorithms.contains(&alg)), description);
        }
        refuse(
            (self.require_signed_request_object || rules.signed_messages) && code && !self.has_keys(),
            "signed request objects need a usable public key in jwks, or a jwks_uri",
        );
        refuse(self.jwks.is_some() && self.jwks_uri.is_some(), "jwks and jwks_uri exclude each other");
        refuse(self.jwks_uri.as_deref().is_some_and(|uri| !is_web_url(uri)), "jwks_uri is an https URL");
        refuse(
            self.default_acr_values.len() > acr::MAX_NAMES
                || self
                    .default_acr_values
                    .iter()
                    .any(|acr| acr.is_empty() || acr.len() > 256 || !acr.bytes().all(|byte| byte.is_ascii_graphic())),
            "default_acr_values are at most 16 short words",
        );
        refuse(self.scope.as_deref().is_some_and(|scope| Scope::parse(scope).is_err()), "scope is malformed");
        refuse(self.default_max_age.is_some_and(|age| age > 31_536_000), "default_max_age is at most a year");
        refuse(self.redirect_uris.len() + self.post_logout_redirect_uris.len() > 64, "there are too many URIs");
        let mut redirect = |description: String| {
            problems.push(MetadataProblem { error: "invalid_redirect_uri", description });
        };
        if (code || implicit) && self.redirect_uris.is_empty() {
            redirect("redirect_uris is empty".to_owned());
        }
        for uri in self.redirect_uris.iter().chain(&self.post_logout_redirect_uris) {
            if let Err(problem) = redirects::check(uri, self.application()) {
                redirect(format!("{uri} {problem}"));
            }
        }
        problems.extend(self.problems_shown());
        problems.extend(self.problems_afterwards(profile));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// What is wrong with the members that people see.
    fn problems_shown(&self) -> Vec<MetadataProblem> {
        let links = [&self.client_uri, &self.logo_uri, &self.policy_uri, &self.tos_uri];
        let mut texts = self.contacts.iter().chain(&self.client_name);
        let begins = self.initiate_login_uri.as_deref();
        let checks = [
            (
                links.into_iter().flatten().any(|link| !is_web_url(link)),
                "client_uri, logo_uri, policy_uri and tos_uri are http or https URLs",
            ),
            (
                begins.is_some_and(|uri| !uri.starts_with("https://") || !is_web_url(uri) || uri.contains('#')),
                "initiate_login_uri is an https URL without fragment",
            ),
            (
                texts.any(|text| text.len() > 256 || text.chars().any(char::is_control)) || self.contacts.len() > 16,
                "client_name and contacts are short texts without control characters",
            ),
        ];
        let problem = |description: String| MetadataProblem { error: "invalid_client_metadata", description };
        let wrong = checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, text)| problem(text.to_owned()));
        wrong.chain(self.localized.problem().map(problem)).collect()
    }

    /// What is wrong with the members about tokens and sessions that are in use: RFC 9701 §6, OIDC Back-Channel Logout §2.2,
    /// OIDC Front-Channel Logout §2.
    fn problems_afterwards(&self, profile: SecurityProfile) -> Vec<MetadataProblem> {
        let (back, front) = (self.backchannel_logout_uri.as_deref(), self.frontchannel_logout_uri.as_deref());
        let introspection = self.introspection_signed_response_alg.as_deref();
        let checks = [
            (
                introspection.is_some_and(|alg| !profile.rules().algorithms.contains(&alg)),
                "introspection_signed_response_alg is not supported",
            ),
            (
                self.dpop_bound_access_tokens && self.asks(ResponseType::has_token),
                "tokens from the authorization endpoint cannot be bound to a key",
            ),
            (back.is_some_and(|uri| !is_logout_uri(uri)), "backchannel_logout_uri is an https URL without fragment"),
            (
                front.is_some_and(|uri| !is_logout_uri(uri) || !self.shares_origin(uri)),
                "frontchannel_logout_uri is an https URL without fragment, at the origin of a redirect URI",
            ),
        ];
        let problem = |description: String| MetadataProblem { error: "invalid_client_metadata", description };
        let wrong = checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, text)| problem(text.to_owned()));
        let sector = self.sector().err().map(problem);
        let requests = self.request_uris_problem().map(|text| problem(text.to_owned()));
        wrong.chain(sector).chain(requests).collect()
    }

    /// The sector of pairwise subjects, none for public ones; or what is wrong with what the metadata say of it.
    fn sector(&self) -> Result<Option<String>, String> {
        let uri = self.sector_identifier_uri.as_deref();
        if uri.is_some_and(|uri| redirects::check(uri, Application::Web).is_err()) {
            return Err("sector_identifier_uri is an https URL without fragment".to_owned());
        }
        match self.subject_type.as_str() {
            "public" => Ok(None),
            "pairwise" => subjects::sector(uri, &self.redirect_uris).map(Some).map_err(|problem| problem.to_string()),
            _ => Err("subject_type is public or pairwise".to_owned()),
        }
    }

    /// OIDC Core §6.2: at most 512 ASCII characters each; a fragment is allowed and tells versions apart.
    fn request_uris_problem(&self) -> Option<&'static str> {
        let fits = |uri: &String| {
            let address = uri.split_once('#').map_or(uri.as_str(), |(address, _)| address);
            uri.len() <= 512
                && redirects::check(address, Application::Web).is_ok()
                && uri.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if self.request_uris.len() > 16 {
            return Some("there are more than 16 request_uris");
        }
        (!self.request_uris.iter().all(fits)).then_some("request_uris are https URLs of at most 512 characters")
    }

    /// Whether `uri` has the scheme, host and port of a redirect URI (OIDC Front-Channel Logout §2).
    fn shares_origin(&self, uri: &str) -> bool {
        let origin = |uri: &str| Url::parse(uri).ok().map(|url| url.origin()).filter(url::Origin::is_tuple);
        origin(uri).is_some_and(|wanted| self.redirect_uris.iter().any(|uri| origin(uri).as_ref() == Some(&wanted)))
    }

    /// The logout URIs that `config` does not allow: plain http is for a provider that is itself on loopback http.
    pub fn logout_uris_in_clear(&self, config: &Config) -> Vec<&str> {
        let uris = [&self.backchannel_logout_uri, &self.frontchannel_logout_uri];
        uris.into_iter().flatten().map(String::as_str).filter(|uri| !is_safe_logout_uri(uri, config)).collect()
    }

    /// The first member with an address that this server does not reach out to: one inside the operator's network, say.
    pub fn out_of_reach(&self, fetcher: &Fetcher) -> Option<&'static str> {
        let single = [
            ("jwks_uri", &self.jwks_uri),
            ("sector_identifier_uri", &self.sector_identifier_uri),
            ("backchannel_logout_uri", &self.backchannel_logout_uri),
        ];
        let single = single.into_iter().filter_map(|(name, uri)| Some((name, uri.as_ref()?)));
        let requests = self.request_uris.iter().map(|uri| ("request_uris", uri));
        single.chain(requests).find(|(_, uri)| !fetcher.permits(uri)).map(|(name, _)| name)
    }

    /// Whether it asks for what the `legacy` profile alone has.
    pub fn asks_for_legacy(&self) -> bool {
        self.allows_grant("implicit") || self.asks(ResponseType::is_front_channel)
    }

    /// Whether a registered response type is so.
    fn asks(&self, what: fn(ResponseType) -> bool) -> bool {
        self.response_types.iter().filter_map(|name| ResponseType::parse(name)).any(what)
    }

    /// `application_type`.
    pub fn application(&self) -> Application {
        if self.application_type == "native" { Application::Native } else { Application::Web }
    }

    /// Whether the client says where its public keys are.
    fn has_keys(&self) -> bool {
        self.jwks_uri.is_some() || self.jwks.as_ref().is_some_and(|jwks| !jwks.keys.is_empty())
    }

    /// Whether it has a grant in which nobody says yes but the client itself: there the scope it registered is what it gets.
    pub fn acts_for_itself(&self) -> bool {
        ["client_credentials", TOKEN_EXCHANGE].iter().any(|grant| self.allows_grant(grant))
    }

    /// A token of its scope that a client cannot give itself by registration, unless it had it `before`: those of the management API,
    /// and those of other APIs where it acts for itself. What the operator gave is kept, and serves no grant that came later.
    pub fn scope_beyond(&self, before: Option<&Self>) -> Option<&str> {
        let acts = self.acts_for_itself();
        let given =
            before.filter(|before| before.acts_for_itself() || !acts).and_then(|before| before.scope.as_deref());
        let given = given.unwrap_or_default();
        let reserved = |token: &&str| token.starts_with("habilis.") || (acts && !SCOPES.contains(token));
        let mut tokens = self.scope.as_deref().unwrap_or_default().split(' ').filter(|token| !token.is_empty());
        tokens.find(|token| reserved(token) && !given.split(' ').any(|known| known == *token))
    }

    /// Whether the client may use a grant type.
    pub fn allows_grant(&self, grant: &str) -> bool {
        self.grant_types.iter().any(|allowed| allowed == grant)
    }
}

fn is_web_url(text: &str) -> bool {
    // The URL parser forgives blanks, control characters and missing slashes; what is shown as a link must not need that.
    let lower = text.get(..8).unwrap_or_default().to_ascii_lowercase();
    text.len() <= redirects::MAX_LENGTH
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && (lower == "https://" || lower.starts_with("http://"))
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.username().is_empty())
}

/// An https URL without fragment, or http on this machine, which only a provider on loopback http uses.
fn is_logout_uri(uri: &str) -> bool {
    redirects::check(uri, Application::Web).is_ok()
}

/// Whether a registered logout URI may be used by this provider.
fn is_safe_logout_uri(uri: &str, config: &Config) -> bool {
    is_logout_uri(uri) && (uri.starts_with("https://") || config.is_loopback_http())
}

impl Authentication {
    /// Reads the registered method.
    pub fn parse(method: &str) -> Option<Self> {
        Some(match method {
            "none" => Self::None,
            "client_secret_basic" => Self::SecretBasic,
            "client_secret_post" => Self::SecretPost,
            "private_key_jwt" => Self::PrivateKeyJwt,
            "client_secret_jwt" => Self::SecretJwt,
            _ => return None,
        })
    }

    /// Whether a secret is shared with the client.
    pub fn uses_secret(self) -> bool {
        matches!(self, Self::SecretBasic | Self::SecretPost | Self::SecretJwt)
    }
}

impl Client {
    /// Reads a stored client.
    ///
    /// # Errors
    /// What is stored cannot be read: a fault, since registration checked it.
    pub fn from_row(row: ClientRow) -> Outcome<Self> {
        let metadata: Metadata = serde_json::from_str(&row.metadata)?;
        let broken = |what: &str| Fault::new(format!("client {}: stored {what} cannot be read", row.id));
        let scope = match &metadata.scope {
            Some(scope) => Scope::parse(scope).map_err(|_| broken("scope"))?,
            None => Scope::parse(&SCOPES.join(" ")).map_err(|_| broken("scope"))?,
        };
        let algorithm_of = |name: &Option<String>, what: &str| {
            name.as_ref().map(|name| name.parse::<Algorithm>()).transpose().map_err(|_| broken(what))
        };
        let settings: Settings = serde_json::from_str(&row.settings)?;
        let scope = settings.claims.idle_scopes().iter().fold(scope, |scope, idle| scope.without(idle));
        let id_token_algorithm =
            metadata.id_token_signed_response_alg.parse().map_err(|_| broken("id_token_signed_response_alg"))?;
        // JARM §3: RS256 when nothing is registered; where the profile refuses that, what it let the ID token have.
        let default_algorithm =
            if settings.profile.rules().algorithms.contains(&"RS256") { Algorithm::Rs256 } else { id_token_algorithm };
        Ok(Self {
            response_algorithm: algorithm_of(
                &metadata.authorization_signed_response_alg,
                "authorization_signed_response_alg",
            )?
            .unwrap_or(default_algorithm),
            introspection_algorithm: algorithm_of(
                &metadata.introspection_signed_response_alg,
                "introspection_signed_response_alg",
            )?
            .unwrap_or(default_algorithm),
            userinfo_algorithm: algorithm_of(&metadata.userinfo_signed_response_alg, "userinfo_signed_response_alg")?,
            authentication: Authentication::parse(&metadata.token_endpoint_auth_method)
                .ok_or_else(|| broken("token_endpoint_auth_method"))?,
            id_token_algorithm,
            sector: metadata.sector().map_err(|_| broken("subject_type"))?,
            settings,
            active: row.status == "active",
            banner: row.banner.as_deref().map(serde_json::from_str).transpose()?,
            access_ended_at: row.access_ended_at.into(),
            secret_digest: row.secret_digest,
            secret_sealed: row.secret_sealed,
            id: row.id,
            metadata,
            scope,
        })
    }

    /// Whether what was granted to it at `at` ended since with a suspension.
    pub fn ended_since(&self, at: Timestamp) -> bool {
        at <= self.access_ended_at
    }

    /// The name people see.
    pub fn name(&self) -> &str {
        self.metadata.client_name.as_deref().unwrap_or(&self.id)
    }

    /// The name people see on a page in this language.
    pub fn name_in(&self, locale: Locale) -> &str {
        self.metadata.localized.find("client_name", locale).unwrap_or_else(|| self.name())
    }

    /// Whom it names as its contact, for people who cannot go on.
    pub fn contact(&self) -> Option<&str> {
        self.metadata.contacts.first().map(String::as_str)
    }

    /// Where logout tokens are posted to, when `config` allows it (OIDC Back-Channel Logout §2.2).
    pub fn backchannel_logout_uri(&self, config: &Config) -> Option<&str> {
        self.metadata.backchannel_logout_uri.as_deref().filter(|uri| is_safe_logout_uri(uri, config))
    }

    /// What the person's browser loads at logout, when `config` allows it (OIDC Front-Channel Logout §2).
    pub fn frontchannel_logout_uri(&self, config: &Config) -> Option<&str> {
        self.metadata.frontchannel_logout_uri.as_deref().filter(|uri| is_safe_logout_uri(uri, config))
    }

    /// What pages in this language show of it.
    pub fn card_in(&self, locale: Locale) -> ClientCard {
        let metadata = &self.metadata;
        let link = |name: &str, otherwise: &Option<String>| {
            metadata.localized.find(name, locale).map(str::to_owned).or_else(|| otherwise.clone())
        };
        ClientCard {
            name: self.name_in(locale).to_owned(),
            logo_href: link("logo_uri", &metadata.logo_uri),
            policy_href: link("policy_uri", &metadata.policy_uri),
            tos_href: link("tos_uri", &metadata.tos_uri),
        }
    }

    /// Whether `uri` is a registered redirect URI.
    pub fn redirects_to(&self, uri: &str) -> bool {
        let application = self.metadata.application();
        self.metadata.redirect_uris.iter().any(|registered| redirects::matches(registered, uri, application))
    }

    /// Whether its authorization requests are only taken through PAR (RFC 9126 §6).
    pub fn must_push(&self) -> bool {
        self.settings.profile.rules().pushed_requests || self.metadata.require_pushed_authorization_requests
    }

    /// Whether its authorization requests are only taken signed (RFC 9101 §10.5).
    pub fn must_sign(&self) -> bool {
        self.settings.profile.rules().signed_messages || self.metadata.require_signed_request_object
    }

    /// Whether its access tokens are always bound to a key (RFC 9449 §5.2).
    pub fn must_bind(&self) -> bool {
        self.settings.profile.rules().sender_constrained || self.metadata.dpop_bound_access_tokens
    }

    /// Whether it takes part in signing out, by asking for it or by being told: then its ID tokens name the session.
    pub fn follows_sessions(&self) -> bool {
        let metadata = &self.metadata;
        !metadata.post_logout_redirect_uris.is_empty()
            || metadata.backchannel_logout_uri.is_some()
            || metadata.frontchannel_logout_uri.is_some()
    }

    /// A link that begins a sign-in at the client, which learns from `iss` where (OIDC Core §4), for a page in this language.
    pub fn sign_in_link(&self, issuer: &str, locale: Locale) -> Option<crate::web::page::Link> {
        let href = super::answer::with_query(self.metadata.initiate_login_uri.as_deref()?, &[("iss", issuer)]);
        Some(crate::web::page::Link { name: self.name_in(locale).to_owned(), href })
    }

    /// A link back to the client, when it gave one, for a page in this language.
    pub fn link(&self, issuer: &str, locale: Locale) -> Option<crate::web::page::Link> {
        let home = || {
            let localized = self.metadata.localized.find("client_uri", locale);
            let href = localized.or(self.metadata.client_uri.as_deref())?.to_owned();
            Some(crate::web::page::Link { name: self.name_in(locale).to_owned(), href })
        };
        self.sign_in_link(issuer, locale).or_else(home)
    }
}

/// A client to register: metadata that was checked, and its secret when it uses one.
#[derive(Debug)]
pub struct Registration {
    /// The row to store.
    pub row: ClientRow,
    /// The secret, to be shown once.
    pub secret: Option<Secret<String>>,
    needs_secret_kept: bool,
}

impl Registration {
    /// Prepares a client under `id` with checked metadata; makes a secret unless `secret` brings one.
    ///
    /// # Errors
    /// The metadata cannot be written as JSON.
    pub fn new(id: String, metadata: &Metadata, settings: &Settings, secret: Option<Secret<String>>) -> Outcome<Self> {
        let authentication = Authentication::parse(&metadata.token_endpoint_auth_method);
        let uses_secret = authentication.is_some_and(Authentication::uses_secret);
        let secret = uses_secret.then(|| secret.unwrap_or_else(habilis_keys::random::token));
        let row = ClientRow {
            id,
            metadata: serde_json::to_string(metadata)?,
            settings: serde_json::to_string(settings)?,
            secret_digest: secret.as_ref().map(|secret| habilis_keys::token::digest(secret.expose())),
            secret_sealed: None,
            registration_token_digest: None,
            status: "active".to_owned(),
            created_at: Timestamp::UNIX_EPOCH.into(),
            banner: None,
            access_ended_at: Timestamp::UNIX_EPOCH.into(),
        };
        Ok(Self { row, secret, needs_secret_kept: authentication == Some(Authentication::SecretJwt) })
    }

    /// Keeps the secret itself, sealed under `master`, when the client authenticates with a MAC of it, whose check needs it;
    /// otherwise its digest is all that is kept.
    pub fn keep_secret(&mut self, master: &MasterKey) {
        self.row.secret_sealed = match &self.secret {
            Some(secret) if self.needs_secret_kept => Some(seal_secret(master, &self.row.id, secret)),
            _ => None,
        };
    }
}

/// What secrets of clients are sealed for.
const SECRET_PURPOSE: &str = "client-secret";

fn seal_secret(master: &MasterKey, client: &str, secret: &Secret<String>) -> Vec<u8> {
    master.seal(SECRET_PURPOSE, client.as_bytes(), secret.expose().as_bytes())
}

/// The secret that [`Registration::keep_secret`] kept.
///
/// # Errors
/// It was sealed under another master key, or for another client.
pub fn open_secret(master: &MasterKey, client: &str, sealed: &[u8]) -> Outcome<Secret<String>> {
    let opened = master.open(SECRET_PURPOSE, client.as_bytes(), sealed)?;
    Ok(Secret::new(std::str::from_utf8(opened.expose())?.to_owned()))
}

/// A client shared between requests.
pub type SharedClient = Arc<Client>;

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(json: serde_json::Value) -> Metadata {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_smallest_registration_gets_the_defaults_of_the_rfc() {
        let metadata = metadata(serde_json::json!({ "redirect_uris": ["https://p.example/cb"], "unknown": 1 }));
        assert_eq!(metadata.check(SecurityProfile::Oidc), Ok(()));
        assert_eq!(metadata.token_endpoint_auth_method, "client_secret_basic");
        assert_eq!(metadata.id_token_signed_response_alg, "RS256");
        assert_eq!(metadata.response_types, ["code"]);
    }

    #[test]
    fn each_contradiction_is_named_with_its_code() {
        use serde_json::json;
        let cases = [
            (json!({ "redirect_uris": [] }), "invalid_redirect_uri"),
            (json!({ "redirect_uris": ["https://p.example/#f"] }), "invalid_redirect_uri"),
            (
                json!({ "redirect_uris": ["https://p.example/"], "response_types": ["id_token"] }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "grant_types": ["password"] }),
                "invalid_client_metadata",
            ),
            (json!({ "grant_types": ["client_credentials"] }), "invalid_client_metadata"),
            (
                json!({ "grant_types": ["client_credentials"], "response_types": [], "token_endpoint_auth_method": "none" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "token_endpoint_auth_method": "private_key_jwt" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "id_token_signed_response_alg": "none" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "logo_uri": "javascript:alert(1)" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "initiate_login_uri": "http://p.example/" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "backchannel_logout_uri": "http://p.example/" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "backchannel_logout_uri": "https://p.example/#f" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "frontchannel_logout_uri": "https://q.example/" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "introspection_signed_response_alg": "none" }),
                "invalid_client_metadata",
            ),
            (json!({ "redirect_uris": ["https://p.example/"], "subject_type": "both" }), "invalid_client_metadata"),
            (
                json!({ "redirect_uris": ["https://p.example/", "https://q.example/"], "subject_type": "pairwise" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "sector_identifier_uri": "http://p.example/s" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "ES256" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "token_endpoint_auth_signing_alg": "HS256" }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "request_uris": ["http://p.example/r"] }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "request_uris": [format!("https://p.example/{}", "a".repeat(500))] }),
                "invalid_client_metadata",
            ),
            (
                json!({ "redirect_uris": ["https://p.example/"], "request_uris": vec!["https://p.example/r"; 17] }),
                "invalid_client_metadata",
            ),
            (json!({ "redirect_uris": ["https://p.example/"], "client_name#fr": "a\u{7}" }), "invalid_client_metadata"),
        ];
        for (json, expected) in cases {
            let problems = metadata(json.clone()).check(SecurityProfile::Oidc).unwrap_err();
            assert_eq!(problems[0].error, expected, "{json}");
        }
    }

    #[test]
    fn nobody_registers_a_scope_that_is_the_operators_to_give() {
        let read = |(grants, scope): &(Vec<&str>, &str)| {
            metadata(serde_json::json!({ "grant_types": grants, "response_types": [], "scope": scope }))
        };
        let of = |grants: &[&'static str], scope: &'static str| (grants.to_vec(), scope);
        let (person, service, exchange) =
            (&["authorization_code"][..], &["client_credentials"][..], &[TOKEN_EXCHANGE][..]);
        let table = [
            (None, of(person, "openid a"), None),
            (None, of(service, "openid email"), None),
            (None, of(service, ""), None),
            (None, of(service, "openid a b"), Some("a")),
            (None, of(exchange, "a"), Some("a")),
            (None, of(&[person, service].concat(), "a"), Some("a")),
            (None, of(person, "habilis.keys"), Some("habilis.keys")),
            // What was given is kept, and not widened.
            (Some(of(service, "a b")), of(service, "a"), None),
            (Some(of(service, "a b")), of(&[service, exchange].concat(), "b a"), None),
            (Some(of(service, "a b")), of(service, "a c"), Some("c")),
            (Some(of(service, "ab")), of(service, "a"), Some("a")),
            (Some(of(service, "habilis.keys")), of(service, "habilis.keys"), None),
            // A scope that people say yes to is none that the client has by itself.
            (Some(of(person, "a")), of(&[person, service].concat(), "a"), Some("a")),
            (Some(of(person, "habilis.keys")), of(person, "habilis.keys"), None),
            (Some(of(person, "habilis.keys")), of(service, "habilis.keys"), Some("habilis.keys")),
            (Some(of(service, "a")), of(person, "a c"), None),
        ];
        for (before, after, expected) in table {
            let kept = before.as_ref().map(read);
            assert_eq!(read(&after).scope_beyond(kept.as_ref()), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn only_a_mac_client_has_its_secret_kept_and_never_in_the_strict_profiles() {
        let master = MasterKey::generate();
        for (method, kept) in
            [("client_secret_basic", false), ("client_secret_post", false), ("client_secret_jwt", true)]
        {
            let metadata = metadata(serde_json::json!({
                "redirect_uris": ["https://p.example/"], "token_endpoint_auth_method": method,
            }));
            assert_eq!(metadata.check(SecurityProfile::Oidc), Ok(()));
            assert!(metadata.check(SecurityProfile::Fapi2Security).is_err());
            let mut made = Registration::new("c".to_owned(), &metadata, &Settings::default(), None).unwrap();
            made.keep_secret(&master);
            assert_eq!(made.row.secret_sealed.is_some(), kept, "{method}");
            if let Some(sealed) = &made.row.secret_sealed {
                let opened = open_secret(&master, "c", sealed).unwrap();
                assert_eq!(opened.expose(), made.secret.as_ref().unwrap().expose());
                assert!(open_secret(&master, "d", sealed).is_err());
            }
        }
    }
}
