//! A relying party of `OpenID` Connect on the `openidconnect` crate: code flow with PKCE, state, nonce and `iss`.
//!
//! `OpenID` Connect Core §3.1, RFC 7636, RFC 9207, RP-Initiated Logout 1.0. It knows nothing of the provider but its issuer
//! and its own client id and secret; everything else is discovered, at the first request that needs it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use habilis_keys::secret::Secret;
use habilis_keys::token::same;
use jiff::Timestamp;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreGenderClaim, CoreIdToken};
use openidconnect::{
    AccessToken, AdditionalClaims, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, ProviderMetadataWithLogout, RedirectUrl, RequestTokenError, Scope,
    SubjectIdentifier, TokenResponse, UserInfoClaims, UserInfoError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

/// How long a connection to the provider may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one answer of the provider may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const ANSWER_BYTES: usize = 1 << 20;

type CodeClient =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What time it is, for judging ID tokens; a demonstration may move its clock.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a relying party is told.
pub struct Settings {
    /// The provider's issuer.
    pub issuer: String,
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`.
    pub client_secret: Secret<String>,
    /// Where the provider answers to.
    pub redirect_uri: String,
    /// Where the provider sends people after signing out.
    pub post_logout_redirect_uri: String,
    /// Scopes beside `openid`.
    pub scopes: Vec<String>,
    /// Certificates (PEM) to trust beside the usual ones.
    pub certificates: Option<Vec<u8>>,
    /// The time.
    pub now: Now,
}

/// A relying party, see the module.
pub struct RelyingParty {
    settings: Settings,
    http: reqwest::Client,
    provider: Mutex<Option<Arc<Provider>>>,
}

/// The provider as its discovery document and its keys describe it.
struct Provider {
    client: CodeClient,
    end_session: Option<Url>,
}

/// A sign-in under way, to be kept in the session of the browser that began it.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignIn {
    state: CsrfToken,
    nonce: Nonce,
    verifier: Verifier,
}

/// The crate's verifier, which is not `Clone`, as text.
#[derive(Clone, Serialize, Deserialize)]
struct Verifier(String);

/// The provider's answer as it came to the redirect URI, nothing of it believed yet.
#[derive(Default)]
pub struct Answer {
    state: Option<String>,
    iss: Option<String>,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Somebody who has signed in, to be kept in the session.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedIn {
    /// The ID token, as a hint when signing out.
    pub id_token: String,
    access_token: String,
    subject: String,
}

/// Claims about a person, as userinfo told them.
pub type Claims = BTreeMap<String, Value>;

/// Why the protocol did not go on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A setting makes no sense.
    #[error("a setting of the relying party makes no sense: {0}")]
    Settings(String),
    /// The provider gives no answer, or none that can be read.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
    /// The answer belongs to no question this browser asked.
    #[error("the answer does not belong to the question")]
    Foreign,
    /// The provider, or the person there, said no.
    #[error("the provider refused: {error}")]
    Denied {
        /// `error` (RFC 6749 §4.1.2.1).
        error: String,
        /// `error_description`; may be empty.
        description: String,
    },
    /// The provider no longer, or not, accepts the code or the token.
    #[error("the provider did not accept: {0}")]
    Refused(String),
    /// What the provider sent does not stand verification.
    #[error("the provider's answer does not stand verification: {0}")]
    Unverified(String),
}

impl Answer {
    /// Reads a query. A name that comes twice makes the whole of it unreadable (RFC 6749 §3.1), which nobody's `state` equals.
    pub fn parse(query: &str) -> Self {
        let mut answer = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let field = match name.as_ref() {
                "state" => &mut answer.state,
                "iss" => &mut answer.iss,
                "code" => &mut answer.code,
                "error" => &mut answer.error,
                "error_description" => &mut answer.error_description,
                _ => continue,
            };
            if field.replace(value.into_owned()).is_some() {
                return Self::default();
            }
        }
        answer
    }
}

impl SignIn {
    /// Whether `answer` answers this very request.
    pub fn is_answered_by(&self, answer: &Answer) -> bool {
        answer.state.as_ref().is_some_and(|state| same(state.as_bytes(), self.state.secret().as_bytes()))
    }
}

/// Every claim of userinfo as it came, beside those the crate knows.
#[derive(Debug, Serialize, Deserialize)]
struct AllClaims {
    #[serde(flatten)]
    all: Claims,
}

impl AdditionalClaims for AllClaims {}

impl RelyingParty {
    /// A relying party that has not spoken to its provider yet. The process has installed a `rustls` provider before.
    ///
    /// # Errors
    /// [`Failure::Settings`]: an address or a certificate cannot be read.
    pub fn new(settings: Settings) -> Result<Self, Failure> {
        let wrong = |error: &dyn fmt::Display| Failure::Settings(error.to_string());
        for address in [&settings.issuer, &settings.redirect_uri, &settings.post_logout_redirect_uri] {
            Url::parse(address).map_err(|error| wrong(&error))?;
        }
        // Following redirects would send the client's secret to wherever they lead.
        let mut http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT);
        if let Some(pem) = &settings.certificates {
            let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| wrong(&error))?;
            http = http.tls_certs_merge(certificates);
        }
        let http = http.build().map_err(|error| wrong(&error))?;
        Ok(Self { settings, http, provider: Mutex::new(None) })
    }

    /// Begins a sign-in: where to send the browser, and what to keep in its session.
    ///
    /// # Errors
    /// [`Failure::Unreachable`]: the provider could not be discovered.
    pub async fn begin(&self) -> Result<(Url, SignIn), Failure> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let provider = self.provider().await?;
        let (url, state, nonce) = provider
            .client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        Ok((url, SignIn { state, nonce, verifier: Verifier(verifier.into_secret()) }))
    }

    /// Finishes a sign-in: exchanges the code, verifies the ID token, asks userinfo who it is.
    ///
    /// # Errors
    /// [`Failure`], of every kind but `Settings`.
    pub async fn finish(&self, sign_in: SignIn, answer: Answer) -> Result<(SignedIn, Claims), Failure> {
        if !sign_in.is_answered_by(&answer) || answer.iss.as_ref() != Some(&self.settings.issuer) {
            return Err(Failure::Foreign);
        }
        if let Some(error) = answer.error {
            return Err(Failure::Denied { error, description: answer.error_description.unwrap_or_default() });
        }
        let code = answer.code.ok_or(Failure::Foreign)?;
        let provider = self.provider().await?;
        let tokens = provider
            .client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Failure::Settings(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(sign_in.verifier.0))
            .request_async(&self.carrier())
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(refusal) => Failure::Refused(refusal.to_string()),
                other => Failure::Unreachable(told(&other)),
            })?;
        let id_token = tokens.id_token().ok_or_else(|| Failure::Unverified("there is no ID token".to_owned()))?;
        let subject = self.subject(&provider, id_token, &sign_in.nonce).await?;
        let signed_in = SignedIn {
            id_token: id_token.to_string(),
            access_token: tokens.access_token().secret().clone(),
            subject: subject.to_string(),
        };
        let claims = self.claims(&signed_in).await?;
        Ok((signed_in, claims))
    }

    /// What userinfo says of somebody now, asked with their own token.
    ///
    /// # Errors
    /// [`Failure::Refused`]: the token has ended. [`Failure::Unreachable`], [`Failure::Unverified`]: somebody else's claims
    /// among them.
    pub async fn claims(&self, signed_in: &SignedIn) -> Result<Claims, Failure> {
        let provider = self.provider().await?;
        let token = AccessToken::new(signed_in.access_token.clone());
        let subject = SubjectIdentifier::new(signed_in.subject.clone());
        let info: UserInfoClaims<AllClaims, CoreGenderClaim> = provider
            .client
            .user_info(token, Some(subject))
            .map_err(|error| Failure::Settings(error.to_string()))?
            .request_async(&self.carrier())
            .await
            .map_err(|error| match error {
                UserInfoError::Response(status, ..) if status.is_client_error() => Failure::Refused(status.to_string()),
                UserInfoError::ClaimsVerification(error) => Failure::Unverified(told(&error)),
                other => Failure::Unreachable(told(&other)),
            })?;
        // The crate keeps the standard claims apart from the others; its JSON has them all.
        match serde_json::to_value(&info) {
            Ok(Value::Object(claims)) => Ok(claims.into_iter().collect()),
            _ => Err(Failure::Unverified("userinfo is no object".to_owned())),
        }
    }

    /// Where to send the browser to sign out at the provider (RP-Initiated Logout 1.0 §2).
    ///
    /// A provider without such an address leaves us with the page that says that the person is signed out here.
    ///
    /// # Errors
    /// [`Failure::Unreachable`]: the provider could not be discovered.
    pub async fn sign_out_url(&self, id_token: &str) -> Result<String, Failure> {
        let back = &self.settings.post_logout_redirect_uri;
        let Some(mut url) = self.provider().await?.end_session.clone() else { return Ok(back.clone()) };
        url.query_pairs_mut().append_pair("id_token_hint", id_token).append_pair("post_logout_redirect_uri", back);
        Ok(url.into())
    }

    /// Whose ID token it is. The provider may have new keys since it was discovered: then it is asked again, once.
    async fn subject(
        &self,
        provider: &Arc<Provider>,
        id_token: &CoreIdToken,
        nonce: &Nonce,
    ) -> Result<SubjectIdentifier, Failure> {
        match self.verify(provider, id_token, nonce) {
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                let renewed = self.discover().await?;
                *self.provider.lock().await = Some(Arc::clone(&renewed));
                self.verify(&renewed, id_token, nonce)
            }
            verified => verified,
        }
        .map_err(|error| Failure::Unverified(told(&error)))
    }

    fn verify(
        &self,
        provider: &Provider,
        id_token: &CoreIdToken,
        nonce: &Nonce,
    ) -> Result<SubjectIdentifier, ClaimsVerificationError> {
        let now = || {
            DateTime::<Utc>::from_timestamp_millis((self.settings.now)().as_millisecond())
                .unwrap_or(DateTime::<Utc>::MAX_UTC)
        };
        let verifier = provider.client.id_token_verifier().set_time_fn(now);
        Ok(id_token.claims(&verifier, nonce)?.subject().clone())
    }

    /// The provider; discovered when it is not known yet, so that one that was down is asked again at the next request.
    async fn provider(&self) -> Result<Arc<Provider>, Failure> {
        let mut known = self.provider.lock().await;
        if let Some(provider) = known.as_ref() {
            return Ok(Arc::clone(provider));
        }
        let provider = self.discover().await?;
        *known = Some(Arc::clone(&provider));
        Ok(provider)
    }

    async fn discover(&self) -> Result<Arc<Provider>, Failure> {
        let wrong = |error: url::ParseError| Failure::Settings(error.to_string());
        let settings = &self.settings;
        let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(wrong)?;
        let redirect_uri = RedirectUrl::new(settings.redirect_uri.clone()).map_err(wrong)?;
        let metadata = ProviderMetadataWithLogout::discover_async(issuer, &self.carrier())
            .await
            .map_err(|error| Failure::Unreachable(told(&error)))?;
        let end_session = metadata.additional_metadata().end_session_endpoint.as_ref().map(|url| url.url().clone());
        let secret = ClientSecret::new(settings.client_secret.expose().clone());
        let client =
            CoreClient::from_provider_metadata(metadata, ClientId::new(settings.client_id.clone()), Some(secret))
                .set_redirect_uri(redirect_uri);
        Ok(Arc::new(Provider { client, end_session }))
    }

    /// Carries the crate's requests: its own HTTP client would bring another TLS provider.
    fn carrier(&self) -> impl Fn(HttpRequest) -> Carried + use<> {
        let http = self.http.clone();
        move |request| Box::pin(send(http.clone(), request))
    }
}

type Carried = std::pin::Pin<Box<dyn Future<Output = Result<HttpResponse, SendError>> + Send>>;

async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, SendError> {
    let mut response = http.execute(reqwest::Request::try_from(request)?).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES {
            return Err(SendError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = HttpResponse::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// The provider could not be spoken to.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("the answer is longer than {ANSWER_BYTES} bytes")]
    TooLong,
}

/// An error and its causes in one line, for the log.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in() -> SignIn {
        SignIn {
            state: CsrfToken::new("s1".to_owned()),
            nonce: Nonce::new("n".to_owned()),
            verifier: Verifier("v".to_owned()),
        }
    }

    fn party() -> RelyingParty {
        // The binary does this when it starts; the second test here finds it done.
        let _ = rustls::crypto::ring::default_provider().install_default();
        RelyingParty::new(Settings {
            // Nobody listens on port 1: whatever asks the provider fails as unreachable.
            issuer: "http://127.0.0.1:1".to_owned(),
            client_id: "c".to_owned(),
            client_secret: Secret::new("s".to_owned()),
            redirect_uri: "http://127.0.0.1:2/callback".to_owned(),
            post_logout_redirect_uri: "http://127.0.0.1:2/signed-out".to_owned(),
            scopes: Vec::new(),
            certificates: None,
            now: Arc::new(|| Timestamp::UNIX_EPOCH),
        })
        .unwrap()
    }

    #[test]
    fn an_answer_belongs_to_the_question_with_its_state_alone() {
        for (query, expected) in [
            ("state=s1&code=c", true),
            ("state=s2&code=c", false),
            ("state=&code=c", false),
            ("code=c", false),
            ("state=s1&code=c&state=s1", false),
            ("state=s1&code=c&code=d", false),
        ] {
            assert_eq!(sign_in().is_answered_by(&Answer::parse(query)), expected, "{query}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_a_wrong_setting() {
        let mut settings = party().settings;
        settings.redirect_uri = "callback".to_owned();
        assert!(matches!(RelyingParty::new(settings), Err(Failure::Settings(_))));
    }

    #[tokio::test]
    async fn an_answer_is_judged_before_the_provider_is_asked_anything() {
        let iss = "iss=http%3A%2F%2F127.0.0.1%3A1";
        let party = party();
        for (query, expected) in [
            ("state=s1&code=c".to_owned(), "the answer does not belong to the question"),
            ("state=s1&code=c&iss=http%3A%2F%2F127.0.0.1%3A3".to_owned(), "the answer does not belong to the question"),
            (format!("state=s2&code=c&{iss}"), "the answer does not belong to the question"),
            (format!("state=s1&{iss}"), "the answer does not belong to the question"),
            (format!("state=s1&error=access_denied&{iss}"), "the provider refused: access_denied"),
        ] {
            let failure = party.finish(sign_in(), Answer::parse(&query)).await.err().unwrap();
            assert_eq!(failure.to_string(), expected, "{query}");
        }
        let good = Answer::parse(&format!("state=s1&code=c&{iss}"));
        assert!(matches!(party.finish(sign_in(), good).await, Err(Failure::Unreachable(_))));
    }
}
