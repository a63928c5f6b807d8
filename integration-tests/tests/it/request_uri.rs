//! Requests by reference: the object at an address of the client. OIDC Core §6.2, RFC 9101 §5.2.

use habilis_integration_tests::fapi::object_claims;
use habilis_integration_tests::jose::SigningKey;
use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse, Code, Tokens, post_as, redeem};
use habilis_integration_tests::stub::{Reply, Stub};
use habilis_integration_tests::{Browser, Client, Engine, Http, TestServer, Visit};
use serde_json::{Value, json};

use super::registration::{client, register, registered};

const REDIRECT: &str = "https://rp.example/cb";

/// Journeys with a server of their own that takes requests by reference.
async fn by_reference(engine: Engine) -> TestServer {
    TestServer::own_with(engine, &["--request-uris"]).await
}

/// A client with a key, an object at its site, and the address it registered.
struct Party {
    client: Client,
    key: SigningKey,
    site: Stub,
}

impl Party {
    async fn at(server: &TestServer, fragment: &str, more: &Value) -> Self {
        let (key, site) = (SigningKey::generate(), Stub::with_keys(&[]).await);
        let mut metadata = json!({
            "redirect_uris": [REDIRECT], "jwks": { "keys": [key.public_jwk()] },
            "request_uris": [format!("{}{fragment}", site.url())],
        });
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let shown = registered(&register(server, &metadata).await);
        assert_eq!(shown["request_uris"], metadata["request_uris"]);
        Self { client: client(&shown), key, site }
    }

    /// Puts an object that holds this request at the site.
    async fn publish(&self, server: &TestServer, request: &AuthorizationRequest) {
        let claims = object_claims(server, request, server.now().await.as_second());
        self.site.reply(Reply::Body(format!("{}\n", self.key.sign(&claims))));
    }

    /// The request that names the object, with what OIDC Core §6.2 wants beside it.
    fn reference(&self, request: &AuthorizationRequest, fragment: &str) -> AuthorizationRequest {
        AuthorizationRequest { parameters: Vec::new(), verifier: request.verifier.clone() }
            .with("client_id", &self.client.client_id)
            .with("response_type", "code")
            .with("scope", "openid")
            .with("redirect_uri", REDIRECT)
            .with("request_uri", &format!("{}{fragment}", self.site.url()))
    }
}

/// The error a request brings to its redirect URI.
async fn refused(server: &TestServer, request: &AuthorizationRequest, error: &str) {
    match Browser::new().get(&request.url(server)).await {
        Visit::Left(url) => AuthorizationResponse::from_url(url).assert_error(error, request, server),
        Visit::Page(page) => panic!("a page: {}", page.summary()),
    }
}

journeys_on! {
    by_reference;

    async fn a_signed_object_at_a_registered_address_is_answered(server: TestServer) {
        let party = Party::at(&server, "", &json!({})).await;
        let request = AuthorizationRequest::of(&party.client).with("nonce", "inside").with("state", "s1");
        party.publish(&server, &request).await;
        let response = Browser::new().authorize(&server, &party.reference(&request, ""), server.learner()).await;
        assert_eq!(response.get("state"), Some("s1"));
        let tokens = Tokens::from(&redeem(&server, &party.client, &Code::from(&request, &response)).await);
        assert_eq!(tokens.id_claims()["nonce"], "inside");
        assert_eq!(party.site.asked(), 1, "pages of the request do not ask again");

        // Without a fragment each request asks anew: here the object is another by then.
        let other = request.clone().with("state", "s2");
        party.publish(&server, &other).await;
        let response = Browser::new().authorize(&server, &party.reference(&other, ""), server.learner()).await;
        assert_eq!((response.get("state"), party.site.asked()), (Some("s2"), 2));

        let metadata = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        assert_eq!(metadata["request_uri_parameter_supported"], json!(true));
        assert_eq!(metadata["require_request_uri_registration"], json!(true));
    }

    async fn an_object_is_remembered_under_its_fragment(server: TestServer) {
        // As the conformance suite does it: the fragment is registered with the address, and is no digest of what lies there.
        let fixed = Party::at(&server, "#47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", &json!({})).await;
        let fragment = "#47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        let request = AuthorizationRequest::of(&fixed.client).with("state", "s1");
        fixed.publish(&server, &request).await;
        for _ in 0..2 {
            let response = Browser::new().authorize(&server, &fixed.reference(&request, fragment), server.learner()).await;
            assert_eq!(response.get("state"), Some("s1"));
        }
        assert_eq!(fixed.site.asked(), 1);
        refused(&server, &fixed.reference(&request, "#other"), "invalid_request_uri").await;
        refused(&server, &fixed.reference(&request, ""), "invalid_request_uri").await;
        assert_eq!(fixed.site.asked(), 1);

        let free = Party::at(&server, "", &json!({})).await;
        for (round, version) in [(1, "#v1"), (1, "#v1"), (2, "#v2")] {
            let request = AuthorizationRequest::of(&free.client).with("state", version);
            free.publish(&server, &request).await;
            let response = Browser::new().authorize(&server, &free.reference(&request, version), server.learner()).await;
            assert_eq!((response.get("state"), free.site.asked()), (Some(version), round));
        }
    }

    async fn what_cannot_be_fetched_is_invalid_request_uri(server: TestServer) {
        let party = Party::at(&server, "", &json!({})).await;
        let elsewhere = Stub::with_keys(&[]).await;
        let request = AuthorizationRequest::of(&party.client);
        let good = party.key.sign(&object_claims(&server, &request, server.now().await.as_second()));
        elsewhere.reply(Reply::Body(good.clone()));
        let replies =
            [Reply::Broken, Reply::Redirect(302, elsewhere.url().to_owned()), Reply::Body("a".repeat(70_000))];
        for (asked, reply) in (1..).zip(replies) {
            party.site.reply(reply);
            // A failure is not remembered, fragment or not.
            refused(&server, &party.reference(&request, "#v1"), "invalid_request_uri").await;
            assert_eq!((party.site.asked(), elsewhere.asked()), (asked, 0));
        }
        party.site.reply(Reply::Body(good.clone()));
        Browser::new().authorize(&server, &party.reference(&request, "#v1"), server.learner()).await.code();

        // An empty document is no reason to believe what stands beside the address.
        party.site.reply(Reply::Body(" \n".to_owned()));
        refused(&server, &party.reference(&request, ""), "invalid_request_uri").await;

        let unregistered = party.reference(&request, "").with("request_uri", elsewhere.url());
        refused(&server, &unregistered, "invalid_request_uri").await;
        for uri in ["https://rp.example/request.jwt", "file:///etc/passwd", "x", "urn:ietf:params:oauth:request_uri"] {
            refused(&server, &party.reference(&request, "").with("request_uri", uri), "invalid_request_uri").await;
        }
        assert_eq!(elsewhere.asked(), 0, "nothing is fetched from where the client did not register");
        refused(&server, &party.reference(&request, "").with("request", &good), "invalid_request").await;
        let nowhere = party.reference(&request, "").without("redirect_uri").with("request_uri", elsewhere.url());
        Browser::new().get(&nowhere.url(&server)).await.assert_error_page("invalid_request_uri");
        let evil = party.reference(&request, "").with("redirect_uri", "https://evil.example/").with("request_uri", "x");
        Browser::new().get(&evil.url(&server)).await.assert_error_page("invalid_request_uri");
    }

    async fn what_lies_there_is_read_as_strictly_as_an_object_at_hand(server: TestServer) {
        let party = Party::at(&server, "", &json!({})).await;
        let request = AuthorizationRequest::of(&party.client);
        let now = server.now().await.as_second();
        let claims = object_claims(&server, &request, now);
        let bent = |name: &str, value: Value| {
            let mut claims = claims.clone();
            claims[name] = value;
            party.key.sign(&claims)
        };
        let objects = [
            SigningKey::generate().sign(&claims),
            bent("exp", json!(now - 120)),
            bent("aud", json!("https://elsewhere.example")),
            bent("client_id", json!("demo-portal")),
            bent("request_uri", json!(party.site.url())),
            "no object".to_owned(),
        ];
        for object in objects {
            party.site.reply(Reply::Body(object.clone()));
            let visit = Browser::new().get(&party.reference(&request, "").url(&server)).await;
            let Visit::Left(url) = visit else { panic!("a page for {object}") };
            let error = AuthorizationResponse::from_url(url).get("error").unwrap().to_owned();
            assert_eq!(error, "invalid_request_object", "{object}");
        }
        party.site.reply(Reply::Body(habilis_integration_tests::jose::unsigned(&party.key.sign(&claims))));
        refused(&server, &party.reference(&request, ""), "request_not_supported").await;
    }

    async fn clients_that_must_push_are_not_served_and_references_are_not_pushed(server: TestServer) {
        let party = Party::at(&server, "", &json!({ "require_pushed_authorization_requests": true })).await;
        let request = AuthorizationRequest::of(&party.client);
        party.publish(&server, &request).await;
        refused(&server, &party.reference(&request, ""), "invalid_request_uri").await;
        let parameters = [("request_uri", party.site.url())];
        post_as(&server, &party.client, ("/par", &parameters)).await.assert_oauth_error(400, "invalid_request");
        assert_eq!(party.site.asked(), 0);
    }
}
