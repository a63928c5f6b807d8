//! The raw protocol: authorization requests and token requests with exactly the parameters a test wants, including the
//! wrong ones. What a well-behaved relying party does is in [`crate::RelyingParty`].

use std::collections::BTreeMap;

use openidconnect::CsrfToken;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::jose::{self, SigningKey};
use crate::{Answer, Browser, Client, Http, Person, TestServer, Visit};

/// 128 random bits in base64url.
pub fn random_text() -> String {
    CsrfToken::new_random().secret().clone()
}

/// An authorization request, parameter by parameter, in order; duplicates are possible.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// The parameters as they will be sent.
    pub parameters: Vec<(String, String)>,
    /// The PKCE verifier, kept for the token request.
    pub verifier: String,
}

impl AuthorizationRequest {
    /// A plain request of the code flow: scope `openid`, PKCE, state and nonce.
    pub fn of(client: &Client) -> Self {
        let verifier = format!("{}{}", random_text(), random_text());
        let redirect_uri = client.redirect_uris.first().expect("a client with a redirect URI");
        Self { parameters: Vec::new(), verifier: verifier.clone() }
            .with("response_type", "code")
            .with("client_id", &client.client_id)
            .with("redirect_uri", redirect_uri)
            .with("scope", "openid")
            .with("state", &random_text())
            .with("nonce", &random_text())
            .with("code_challenge", &jose::s256(&verifier))
            .with("code_challenge_method", "S256")
    }

    /// Sets a parameter, in its place when it is there already.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.parameters.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.parameters.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Adds a parameter, even when one of this name is there.
    #[must_use]
    pub fn adding(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a parameter out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(known, _)| known != name);
        self
    }

    /// Leaves PKCE out.
    #[must_use]
    pub fn without_pkce(self) -> Self {
        self.without("code_challenge").without("code_challenge_method")
    }

    /// Asks for a refresh token: the scope, and the consent that OpenID Connect Core §11 wants with it.
    #[must_use]
    pub fn offline(self) -> Self {
        self.with("scope", "openid offline_access").with("prompt", "consent")
    }

    /// The value of a parameter; empty when absent.
    pub fn get(&self, name: &str) -> &str {
        self.parameters.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The URL of the request at this server.
    pub fn url(&self, server: &TestServer) -> String {
        let mut url = Url::parse(&server.url("/authorize")).expect("the issuer is a URL");
        url.query_pairs_mut().extend_pairs(&self.parameters);
        url.into()
    }
}

/// What came back to the redirect URI.
#[derive(Clone, Debug)]
pub struct AuthorizationResponse {
    /// The redirect URI with the response.
    pub url: Url,
    /// The response's parameters.
    pub parameters: BTreeMap<String, String>,
}

impl AuthorizationResponse {
    /// Reads the response; asserts that it came by the query, each parameter once.
    #[track_caller]
    pub fn from_url(url: Url) -> Self {
        assert_eq!(url.fragment(), None, "the code flow answers in the query: {url}");
        let mut parameters = BTreeMap::new();
        for (name, value) in url.query_pairs() {
            let before = parameters.insert(name.into_owned(), value.into_owned());
            assert_eq!(before, None, "a parameter twice: {url}");
        }
        Self { url, parameters }
    }

    /// A parameter, if it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The authorization code.
    #[track_caller]
    pub fn code(&self) -> &str {
        self.get("code").unwrap_or_else(|| panic!("no code: {}", self.url))
    }

    /// Asserts a well-formed error response (RFC 6749 §4.1.2.1, RFC 9207 §2): the code, the request's state, the issuer, and
    /// no parameter beyond those the conformance suite allows.
    #[track_caller]
    pub fn assert_error(&self, error: &str, request: &AuthorizationRequest, server: &TestServer) {
        assert_eq!(self.get("error"), Some(error), "{}", self.url);
        assert!(self.url.as_str().starts_with(request.get("redirect_uri")), "{}", self.url);
        let state = request.get("state");
        assert_eq!(self.get("state"), (!state.is_empty()).then_some(state), "{}", self.url);
        assert_eq!(self.get("iss"), Some(server.issuer.as_str()), "{}", self.url);
        for name in self.parameters.keys() {
            assert!(
                ["error", "error_description", "error_uri", "state", "iss"].contains(&name.as_str()),
                "{}",
                self.url
            );
        }
        let description = self.get("error_description").unwrap_or_default();
        let allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
        assert!(description.chars().all(allowed), "outside the character set of RFC 6749: {description}");
    }
}

impl Browser {
    /// Follows an authorization request as the person would: signs in and consents where asked, until the redirect URI.
    pub async fn authorize(
        &mut self,
        server: &TestServer,
        request: &AuthorizationRequest,
        person: &Person,
    ) -> AuthorizationResponse {
        let visit = self.get(&request.url(server)).await;
        self.finish(visit, person).await
    }

    /// Continues from any page of an authorization until the redirect URI.
    pub async fn finish(&mut self, mut visit: Visit, person: &Person) -> AuthorizationResponse {
        // Login and consent are at most one page each; a third round is a loop.
        for _ in 0..3 {
            visit = match visit {
                Visit::Left(url) => return AuthorizationResponse::from_url(url),
                Visit::Page(page) if page.has("login-form") => self.sign_in(person).await,
                Visit::Page(page) if page.has("consent-page") => self.click("consent-allow").await,
                Visit::Page(page) => panic!("neither sign-in nor consent: {}", page.summary()),
            };
        }
        AuthorizationResponse::from_url(visit.left())
    }

    /// Fills the sign-in page that is open.
    pub async fn sign_in(&mut self, person: &Person) -> Visit {
        self.submit("login-form", &[("username", &person.login), ("password", &person.password)]).await
    }
}

/// A code with all that is needed to redeem it.
#[derive(Clone, Debug)]
pub struct Code {
    /// `code`.
    pub code: String,
    /// `redirect_uri` of the authorization request.
    pub redirect_uri: String,
    /// `code_verifier`.
    pub verifier: String,
}

impl Code {
    /// The code of this response to this request.
    #[track_caller]
    pub fn from(request: &AuthorizationRequest, response: &AuthorizationResponse) -> Self {
        Self {
            code: response.code().to_owned(),
            redirect_uri: request.get("redirect_uri").to_owned(),
            verifier: request.verifier.clone(),
        }
    }

    /// The parameters of the token request.
    pub fn parameters(&self) -> Vec<(&str, &str)> {
        vec![
            ("grant_type", "authorization_code"),
            ("code", &self.code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &self.verifier),
        ]
    }
}

/// A successful token response.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The whole response.
    pub response: Value,
}

impl Tokens {
    /// Asserts that the answer is a token response (RFC 6749 §5.1): type, lifetime, never stored by a cache.
    #[track_caller]
    pub fn from(answer: &Answer) -> Self {
        let response = answer.ok_json();
        assert_eq!(response["token_type"], "Bearer", "{response}");
        assert!(response["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{response}");
        assert!(answer.header("cache-control").contains("no-store"), "{}", answer.header("cache-control"));
        assert_eq!(answer.header("pragma"), "no-cache");
        Self { response }
    }

    /// `access_token`.
    #[track_caller]
    pub fn access_token(&self) -> &str {
        self.text("access_token")
    }

    /// `id_token`.
    #[track_caller]
    pub fn id_token(&self) -> &str {
        self.text("id_token")
    }

    /// `refresh_token`.
    #[track_caller]
    pub fn refresh_token(&self) -> &str {
        self.text("refresh_token")
    }

    /// The claims of the ID token.
    #[track_caller]
    pub fn id_claims(&self) -> Value {
        jose::claims(self.id_token())
    }

    #[track_caller]
    fn text(&self, name: &str) -> &str {
        self.response[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.response))
    }
}

/// How a client proves itself at the token endpoint.
#[derive(Clone, Debug)]
pub enum Proof {
    /// `client_secret_basic`: the `Authorization` header.
    Basic(String),
    /// Parameters of the form: `client_secret_post`, `private_key_jwt`, or `none`.
    Form(Vec<(String, String)>),
}

impl Proof {
    /// The proof that the client is registered for.
    pub async fn of(client: &Client, server: &TestServer) -> Self {
        let secret = || client.client_secret.as_deref().expect("a client with a secret");
        match client.token_endpoint_auth_method.as_str() {
            "client_secret_basic" => Self::basic(&client.client_id, secret()),
            "client_secret_post" => Self::post(&client.client_id, secret()),
            "none" => Self::Form(vec![("client_id".to_owned(), client.client_id.clone())]),
            "private_key_jwt" => {
                Self::assertion(&client_key(client).sign(&assertion_claims(client, server, server.now().await)))
            }
            "client_secret_jwt" => {
                let claims = assertion_claims(client, server, server.now().await);
                Self::assertion(&jose::sign_mac(secret(), &json!({ "alg": "HS256" }), &claims))
            }
            other => panic!("unknown authentication method {other}"),
        }
    }

    /// HTTP Basic with both halves form-encoded first, as RFC 6749 §2.3.1 asks.
    pub fn basic(client_id: &str, secret: &str) -> Self {
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        Self::raw_basic(&encode(client_id), &encode(secret))
    }

    /// HTTP Basic over the halves as they are.
    pub fn raw_basic(client_id: &str, secret: &str) -> Self {
        use base64::Engine as _;
        let pair = format!("{client_id}:{secret}");
        Self::Basic(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
    }

    /// Id and secret as form parameters.
    pub fn post(client_id: &str, secret: &str) -> Self {
        Self::Form(vec![
            ("client_id".to_owned(), client_id.to_owned()),
            ("client_secret".to_owned(), secret.to_owned()),
        ])
    }

    /// A signed assertion (RFC 7523 §2.2).
    pub fn assertion(jwt: &str) -> Self {
        Self::Form(vec![
            ("client_assertion_type".to_owned(), "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
            ("client_assertion".to_owned(), jwt.to_owned()),
        ])
    }
}

/// The signing key of a `private_key_jwt` client.
pub fn client_key(client: &Client) -> SigningKey {
    SigningKey::from_jwk(client.private_jwk.as_ref().expect("a client with a private key"))
}

/// The claims of a good client assertion: for the issuer, one minute long, used once (RFC 7523 §3).
pub fn assertion_claims(client: &Client, server: &TestServer, now: jiff::Timestamp) -> Value {
    json!({
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": server.issuer,
        "jti": random_text(),
        "iat": now.as_second(),
        "exp": now.as_second() + 60,
    })
}

/// A POST to the token endpoint.
pub async fn post_token(http: &Http, server: &TestServer, proof: &Proof, parameters: &[(&str, &str)]) -> Answer {
    http.send(token_request(http, server, proof, parameters)).await
}

/// A POST to the token endpoint, not yet sent.
pub fn token_request(
    http: &Http,
    server: &TestServer,
    proof: &Proof,
    parameters: &[(&str, &str)],
) -> reqwest::RequestBuilder {
    proven(http.request("POST", &server.url("/token")), proof, parameters)
}

/// A POST of a form by a client that proves itself at another endpoint, as its registration says.
pub async fn post_as(server: &TestServer, client: &Client, (path, parameters): (&str, &[(&str, &str)])) -> Answer {
    let (http, proof) = (Http::new(), Proof::of(client, server).await);
    http.send(proven(http.request("POST", &server.url(path)), &proof, parameters)).await
}

/// A form with the proof of a client.
pub fn proven(request: reqwest::RequestBuilder, proof: &Proof, parameters: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let mut form: Vec<(&str, &str)> = parameters.to_vec();
    let request = match proof {
        Proof::Basic(header) => request.header("authorization", header),
        Proof::Form(fields) => {
            form.extend(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            request
        }
    };
    request.form(&form)
}

/// Redeems a code as the client it was issued to.
pub async fn redeem(server: &TestServer, client: &Client, code: &Code) -> Answer {
    let proof = Proof::of(client, server).await;
    post_token(&Http::new(), server, &proof, &code.parameters()).await
}

/// Uses a refresh token as this client.
pub async fn refresh(server: &TestServer, client: &Client, refresh_token: &str) -> Answer {
    let proof = Proof::of(client, server).await;
    let parameters = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    post_token(&Http::new(), server, &proof, &parameters).await
}

/// GET of the userinfo endpoint with a bearer token.
pub async fn userinfo(server: &TestServer, access_token: &str) -> Answer {
    let http = Http::new();
    http.send(http.request("GET", &server.url("/userinfo")).bearer_auth(access_token)).await
}

/// A code for this person, in a fresh browser.
pub async fn code_for(server: &TestServer, request: &AuthorizationRequest, person: &Person) -> Code {
    let response = Browser::new().authorize(server, request, person).await;
    Code::from(request, &response)
}

/// The tokens that this request brings this person, in a fresh browser.
pub async fn tokens_for(server: &TestServer, request: &AuthorizationRequest, person: &Person) -> Tokens {
    let code = code_for(server, request, person).await;
    Tokens::from(&redeem(server, server.client(request.get("client_id")), &code).await)
}
