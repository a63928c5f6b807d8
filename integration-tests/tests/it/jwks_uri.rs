//! Keys of clients at their `jwks_uri`: fetched with limits, asked for again when a new key appears, kept when the site is down.

use std::time::{Duration, Instant};

use habilis_integration_tests::jose::SigningKey;
use habilis_integration_tests::protocol::{Proof, assertion_claims, post_token};
use habilis_integration_tests::stub::{Reply, Stub};
use habilis_integration_tests::{Answer, Client, Http, TestServer};
use serde_json::{Value, json};

use super::registration::{client, register, registered};

fn key(kid: &str) -> (SigningKey, Value) {
    let key = SigningKey::generate().announcing(kid);
    let mut public = key.public_jwk();
    public["kid"] = json!(kid);
    (key, public)
}

async fn at(server: &TestServer, stub: &Stub) -> Client {
    let metadata = json!({
        "grant_types": ["client_credentials"], "response_types": [], "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": stub.url(),
    });
    client(&registered(&register(server, &metadata).await))
}

/// A token request under an assertion of this key.
async fn token(server: &TestServer, client: &Client, key: &SigningKey) -> Answer {
    let proof = Proof::assertion(&key.sign(&assertion_claims(client, server, server.now().await)));
    post_token(&Http::new(), server, &proof, &[("grant_type", "client_credentials")]).await
}

journeys! {
    async fn a_client_authenticates_itself_with_keys_at_its_jwks_uri(server: &TestServer) {
        let (signs, public) = key("a");
        let stub = Stub::with_keys(&[public]).await;
        let client = at(server, &stub).await;
        for _ in 0..3 {
            token(server, &client, &signs).await.ok_json();
        }
        assert_eq!(stub.asked(), 1, "the keys are remembered");
    }

    async fn unknown_keys_make_the_server_ask_once_not_each_time(server: &TestServer) {
        let (signs, public) = key("a");
        let stub = Stub::with_keys(&[public]).await;
        let client = at(server, &stub).await;
        token(server, &client, &signs).await.ok_json();
        for kid in ["x", "y", "z"] {
            token(server, &client, &key(kid).0).await.assert_oauth_error(400, "invalid_client");
        }
        token(server, &client, &key("a").0).await.assert_oauth_error(400, "invalid_client");
        assert_eq!(stub.asked(), 1, "not again within thirty seconds");
        token(server, &client, &signs).await.ok_json();
    }

    async fn a_redirect_is_not_followed(server: &TestServer) {
        let (signs, public) = key("a");
        let (stub, target) = (Stub::with_keys(&[]).await, Stub::with_keys(&[public]).await);
        stub.reply(Reply::Redirect(302, target.url().to_owned()));
        let client = at(server, &stub).await;
        token(server, &client, &signs).await.assert_oauth_error(400, "invalid_client");
        assert_eq!((stub.asked(), target.asked()), (1, 0));
    }

    async fn a_document_that_is_too_large_is_not_read(server: &TestServer) {
        let (signs, public) = key("a");
        let stub = Stub::with_keys(&[]).await;
        let large = json!({ "keys": [public], "padding": "a".repeat(70_000) });
        stub.reply(Reply::Body(large.to_string()));
        let client = at(server, &stub).await;
        token(server, &client, &signs).await.assert_oauth_error(400, "invalid_client");
        assert_eq!(stub.asked(), 1);
    }

    async fn a_site_that_never_answers_is_given_five_seconds(server: &TestServer) {
        let stub = Stub::with_keys(&[]).await;
        stub.reply(Reply::Never);
        let client = at(server, &stub).await;
        let began = Instant::now();
        token(server, &client, &key("a").0).await.assert_oauth_error(400, "invalid_client");
        assert!((Duration::from_secs(4)..Duration::from_secs(20)).contains(&began.elapsed()), "{:?}", began.elapsed());
    }

    async fn a_document_that_holds_a_private_key_serves_nobody(server: &TestServer) {
        let (signs, mut public) = key("a");
        public["d"] = public["x"].clone();
        let stub = Stub::with_keys(&[public]).await;
        let client = at(server, &stub).await;
        token(server, &client, &signs).await.assert_oauth_error(400, "invalid_client");
    }
}

own_journeys! {
    async fn a_new_key_is_found_a_withdrawn_one_ends_and_a_broken_site_changes_nothing(mut server: TestServer) {
        let ((old, old_public), (new, new_public)) = (key("old"), key("new"));
        let stub = Stub::with_keys(&[old_public]).await;
        let client = at(&server, &stub).await;
        token(&server, &client, &old).await.ok_json();

        stub.publish(&[new_public]);
        server.advance(60).await;
        token(&server, &client, &new).await.ok_json();
        token(&server, &client, &old).await.assert_oauth_error(400, "invalid_client");
        assert_eq!(stub.asked(), 2);

        stub.reply(Reply::Broken);
        server.advance(3_600).await;
        token(&server, &client, &new).await.ok_json();
        assert_eq!(stub.asked(), 3, "asked for again after a while, in vain");
    }
}
