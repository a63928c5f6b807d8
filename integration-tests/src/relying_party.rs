//! A relying party on the `openidconnect` crate: an implementation that is not ours judges what the server says.

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreGenderClaim, CoreIdToken, CoreIdTokenClaims, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreTokenResponse,
};
use openidconnect::{
    AccessTokenHash, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EmptyAdditionalClaims,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, Scope, TokenResponse, UserInfoClaims,
};
use url::Url;

use crate::{Client, Http, TestServer};

type Configured =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// The standard claims of the userinfo endpoint.
pub type UserInfo = UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim>;

/// A relying party that has read the provider's metadata and keys.
#[derive(Debug)]
pub struct RelyingParty {
    http: Http,
    client: Configured,
    /// The provider's metadata as the library understood it.
    pub metadata: CoreProviderMetadata,
}

/// A sign-in that has begun: where to send the person, and what to remember.
#[derive(Debug)]
pub struct SignIn {
    /// The authorization request.
    pub url: Url,
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// A finished sign-in, its ID token verified.
#[derive(Debug)]
pub struct SignedIn {
    /// The claims of the ID token, verified.
    pub claims: CoreIdTokenClaims,
    /// The algorithm that signed the ID token.
    pub algorithm: CoreJwsSigningAlgorithm,
    /// The token response.
    pub tokens: CoreTokenResponse,
}

impl RelyingParty {
    /// Reads discovery document and keys of the server; the client is one of the demo's, with a secret or public.
    pub async fn discover(server: &TestServer, client: &Client) -> Self {
        let http = Http::new();
        let issuer = IssuerUrl::new(server.issuer.clone()).expect("the issuer is a URL");
        let metadata = CoreProviderMetadata::discover_async(issuer, &|request| send(http.clone(), request))
            .await
            .expect("openidconnect accepts the discovery document and the keys");
        let redirect_uri = client.redirect_uris.first().expect("a client with a redirect URI").clone();
        let auth_type = match client.token_endpoint_auth_method.as_str() {
            "client_secret_basic" => AuthType::BasicAuth,
            _ => AuthType::RequestBody,
        };
        let client = CoreClient::from_provider_metadata(
            metadata.clone(),
            ClientId::new(client.client_id.clone()),
            client.client_secret.clone().map(ClientSecret::new),
        )
        .set_redirect_uri(RedirectUrl::new(redirect_uri).expect("a redirect URI is a URL"))
        .set_auth_type(auth_type);
        Self { http, client, metadata }
    }

    /// Begins a sign-in with these scopes beside `openid`.
    pub fn begin(&self, scopes: &[&str]) -> SignIn {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = self
            .client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(scopes.iter().map(|&scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(challenge)
            .url();
        SignIn { url, state, nonce, verifier }
    }

    /// Finishes a sign-in with the URL that the browser brought back: checks state and issuer, redeems the code, verifies the
    /// ID token with nonce and `at_hash`.
    pub async fn finish(&self, sign_in: SignIn, callback: &Url) -> SignedIn {
        let get =
            |name: &str| callback.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
        assert_eq!(get("state").as_ref(), Some(sign_in.state.secret()), "{callback}");
        assert_eq!(get("iss").as_deref(), Some(self.metadata.issuer().as_str()), "{callback}");
        let code = get("code").unwrap_or_else(|| panic!("no code: {callback}"));
        let tokens = self
            .client
            .exchange_code(AuthorizationCode::new(code))
            .expect("the metadata names a token endpoint")
            .set_pkce_verifier(sign_in.verifier)
            .request_async(&|request| send(self.http.clone(), request))
            .await
            .expect("a token response");
        let id_token = tokens.id_token().expect("an ID token");
        let (claims, algorithm) = self.verify(id_token, &sign_in.nonce, &tokens);
        SignedIn { claims, algorithm, tokens }
    }

    fn verify(
        &self,
        id_token: &CoreIdToken,
        nonce: &Nonce,
        tokens: &CoreTokenResponse,
    ) -> (CoreIdTokenClaims, CoreJwsSigningAlgorithm) {
        let verifier = self.client.id_token_verifier().set_allowed_algs([
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            CoreJwsSigningAlgorithm::EdDsa,
        ]);
        let claims = id_token.claims(&verifier, nonce).expect("openidconnect accepts the ID token");
        let algorithm = id_token.signing_alg().expect("a signed ID token").clone();
        if let Some(expected) = claims.access_token_hash() {
            let key = id_token.signing_key(&verifier).expect("a key of the JWKS");
            let actual = AccessTokenHash::from_token(tokens.access_token(), &algorithm, key).expect("a hash");
            assert_eq!(&actual, expected, "at_hash");
        }
        (claims.clone(), algorithm)
    }

    /// Asks the userinfo endpoint; the library checks that `sub` is the ID token's.
    pub async fn userinfo(&self, signed_in: &SignedIn) -> UserInfo {
        self.client
            .user_info(signed_in.tokens.access_token().clone(), Some(signed_in.claims.subject().clone()))
            .expect("the metadata names a userinfo endpoint")
            .request_async(&|request| send(self.http.clone(), request))
            .await
            .expect("openidconnect accepts the userinfo response")
    }

    /// Uses a refresh token.
    pub async fn refresh(&self, refresh_token: &RefreshToken) -> CoreTokenResponse {
        self.client
            .exchange_refresh_token(refresh_token)
            .expect("the metadata names a token endpoint")
            .request_async(&|request| send(self.http.clone(), request))
            .await
            .expect("a token response")
    }
}

/// Carries a request of the library over our client, because the library's own would bring a second TLS provider.
async fn send(http: Http, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let (parts, body) = request.into_parts();
    let request = http.request(parts.method.as_str(), &parts.uri.to_string()).headers(parts.headers).body(body);
    let answer = http.try_send(request).await?;
    let mut response = HttpResponse::new(answer.body.into_bytes());
    *response.status_mut() = answer.status.try_into().expect("a status code");
    *response.headers_mut() = answer.headers;
    Ok(response)
}
