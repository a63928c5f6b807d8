//! What clients of the FAPI 2.0 profiles do beyond plain OpenID Connect: push their requests (RFC 9126), sign them (RFC 9101),
//! prove possession of a key (RFC 9449), and read signed responses (JARM).

use serde_json::{Value, json};
use url::Url;

use crate::jose::{self, SigningKey};
use crate::protocol::{AuthorizationRequest, AuthorizationResponse, Code, Proof, client_key, post_token, random_text};
use crate::{Answer, Browser, Client, Http, Person, TestServer};

/// A `DPoP` proof, to be bent before it is signed.
#[derive(Clone, Debug)]
pub struct DpopProof {
    /// The JOSE header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
}

impl DpopProof {
    /// A good proof of `key` for this request, made at `now` (seconds).
    pub fn new(key: &SigningKey, (method, url): (&str, &str), now: i64) -> Self {
        Self {
            header: json!({ "typ": "dpop+jwt", "alg": key.alg(), "jwk": key.public_jwk() }),
            claims: json!({ "jti": random_text(), "htm": method, "htu": url, "iat": now }),
        }
    }

    /// Goes with this access token.
    #[must_use]
    pub fn for_token(mut self, access_token: &str) -> Self {
        self.claims["ath"] = json!(jose::s256(access_token));
        self
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().expect("claims are an object").remove(name);
        self
    }

    /// Sets a member of the header.
    #[must_use]
    pub fn header(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    /// Signs it.
    pub fn sign(&self, key: &SigningKey) -> String {
        key.sign_with(&self.header, &self.claims)
    }
}

/// A good proof for this path of the server, signed.
pub async fn dpop(server: &TestServer, key: &SigningKey, target: (&str, &str), access_token: Option<&str>) -> String {
    let (method, path) = target;
    let proof = DpopProof::new(key, (method, &server.url(path)), server.now().await.as_second());
    let proof = match access_token {
        Some(token) => proof.for_token(token),
        None => proof,
    };
    proof.sign(key)
}

/// A POST of `parameters` to `path` under this proof of the client, perhaps with `DPoP` headers.
pub async fn post(
    server: &TestServer,
    path: &str,
    (proof, parameters): (&Proof, &[(String, String)]),
    dpop: &[&str],
) -> Answer {
    let http = Http::new();
    let mut form = parameters.to_vec();
    let mut request = http.request("POST", &server.url(path));
    match proof {
        Proof::Basic(header) => request = request.header("authorization", header),
        Proof::Form(fields) => form.extend(fields.iter().cloned()),
    }
    for proof in dpop {
        request = request.header("DPoP", *proof);
    }
    http.send(request.form(&form)).await
}

/// Pushes a request as its client, without `client_id` twice.
pub async fn push(server: &TestServer, request: &AuthorizationRequest, dpop: &[&str]) -> Answer {
    let client = server.client(request.get("client_id"));
    let proof = Proof::of(client, server).await;
    post(server, "/par", (&proof, &request.clone().without("client_id").parameters), dpop).await
}

/// The `request_uri` of a request that is taken.
#[track_caller]
pub fn request_uri(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.body);
    let body = answer.json();
    let uri = body["request_uri"].as_str().expect("a request_uri").to_owned();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"), "{uri}");
    assert!(answer.header("cache-control").contains("no-store"));
    uri
}

/// The browser's part of a pushed request: `client_id` and `request_uri` only.
pub fn reference(request: &AuthorizationRequest, request_uri: &str) -> AuthorizationRequest {
    AuthorizationRequest { parameters: Vec::new(), verifier: request.verifier.clone() }
        .with("client_id", request.get("client_id"))
        .with("request_uri", request_uri)
}

/// Pushes a request and walks it through a fresh browser.
pub async fn authorize(server: &TestServer, request: &AuthorizationRequest, person: &Person) -> AuthorizationResponse {
    let uri = request_uri(&push(server, request, &[]).await);
    Browser::new().authorize(server, &reference(request, &uri), person).await
}

/// A code by PAR.
pub async fn code_for(server: &TestServer, request: &AuthorizationRequest, person: &Person) -> Code {
    Code::from(request, &authorize(server, request, person).await)
}

/// Redeems a code, holding `key`.
pub async fn redeem(server: &TestServer, client: &Client, code: &Code, key: &SigningKey) -> Answer {
    let parameters: Vec<_> =
        code.parameters().into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let proof = Proof::of(client, server).await;
    let dpop = dpop(server, key, ("POST", "/token"), None).await;
    post(server, "/token", (&proof, &parameters), &[&dpop]).await
}

/// Uses a refresh token, holding `key`.
pub async fn refresh(server: &TestServer, client: &Client, refresh_token: &str, key: &SigningKey) -> Answer {
    let parameters = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let proof = Proof::of(client, server).await;
    let dpop = dpop(server, key, ("POST", "/token"), None).await;
    post(server, "/token", (&proof, &parameters), &[&dpop]).await
}

/// Redeems a code without any proof of possession.
pub async fn redeem_without_key(server: &TestServer, client: &Client, code: &Code) -> Answer {
    post_token(&Http::new(), server, &Proof::of(client, server).await, &code.parameters()).await
}

/// The token response, asserted to be one of tokens bound to a key.
#[track_caller]
pub fn bound(answer: &Answer) -> Value {
    let response = answer.ok_json();
    assert_eq!(response["token_type"], "DPoP", "{response}");
    assert!(response["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{response}");
    assert!(answer.header("cache-control").contains("no-store"));
    response
}

/// GET of a path with a bound token and a fresh proof of `key`.
pub async fn get_bound(server: &TestServer, path: &str, access_token: &str, key: &SigningKey) -> Answer {
    let proof = dpop(server, key, ("GET", path), Some(access_token)).await;
    get_with(server, path, &[("authorization", &format!("DPoP {access_token}")), ("DPoP", &proof)]).await
}

/// GET of a path with exactly these headers.
pub async fn get_with(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Answer {
    let http = Http::new();
    let mut request = http.request("GET", &server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    http.send(request).await
}

/// The claims of a request object that carries this request: for the issuer, five minutes long.
pub fn object_claims(server: &TestServer, request: &AuthorizationRequest, now: i64) -> Value {
    let client_id = request.get("client_id");
    let mut claims = json!({ "iss": client_id, "aud": server.issuer, "nbf": now, "iat": now, "exp": now + 300 });
    for (name, value) in &request.parameters {
        claims[name] = json!(value);
    }
    claims
}

/// A request that holds nothing but this object.
pub fn with_object(request: &AuthorizationRequest, object: &str) -> AuthorizationRequest {
    AuthorizationRequest { parameters: Vec::new(), verifier: request.verifier.clone() }
        .with("client_id", request.get("client_id"))
        .with("request", object)
}

/// The request as a signed object of its client.
pub async fn signed(server: &TestServer, request: &AuthorizationRequest) -> AuthorizationRequest {
    let claims = object_claims(server, request, server.now().await.as_second());
    let key = client_key(server.client(request.get("client_id")));
    with_object(request, &key.sign_with(&json!({ "typ": "oauth-authz-req+jwt" }), &claims))
}

/// The response inside a signed one (JARM): nothing else in the query, a key of the server, issuer, audience, and a short life.
pub async fn read_signed(
    server: &TestServer,
    response: &AuthorizationResponse,
    client_id: &str,
) -> AuthorizationResponse {
    let registered = server.client(client_id);
    let before: Vec<String> = registered
        .redirect_uris
        .iter()
        .filter(|uri| response.url.as_str().starts_with(uri.as_str()))
        .filter_map(|uri| Url::parse(uri).ok())
        .flat_map(|uri| uri.query_pairs().map(|(name, _)| name.into_owned()).collect::<Vec<_>>())
        .collect();
    let own: Vec<_> = response.parameters.keys().filter(|name| !before.contains(name)).collect();
    assert_eq!(own, ["response"], "nothing outside the JWT");
    let token = response.get("response").expect("a response");
    let claims = verified(server, token).await;
    let now = server.now().await.as_second();
    let left = claims["exp"].as_i64().expect("exp") - now;
    assert!((10..=600).contains(&left), "{left}");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!(client_id)));
    let mut read = AuthorizationResponse { url: response.url.clone(), parameters: std::collections::BTreeMap::new() };
    for (name, value) in claims.as_object().expect("claims") {
        if let Some(text) = value.as_str() {
            read.parameters.insert(name.clone(), text.to_owned());
        }
    }
    read.parameters.remove("aud");
    read
}

/// The claims of a token that a key of the server's JWKS signed, verified with ring.
pub async fn verified(server: &TestServer, token: &str) -> Value {
    let header = jose::header(token);
    let jwks = Http::new().get(&server.url("/jwks")).await.ok_json();
    let keys = jwks["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).expect("the kid is in the JWKS");
    assert_eq!(key["alg"], header["alg"]);
    jose::assert_signed(token, key);
    jose::claims(token)
}
