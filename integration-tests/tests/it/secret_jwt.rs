//! `client_secret_jwt`: assertions under a MAC of the client's secret. OIDC Core §9, RFC 7523.

use habilis_integration_tests::jose::{self, SigningKey};
use habilis_integration_tests::protocol::{Proof, assertion_claims, post_as, post_token};
use habilis_integration_tests::server::{run_in, run_with_input};
use habilis_integration_tests::{Answer, Client, Http, TestServer};
use serde_json::{Value, json};

use super::registration::{client, register, registered};

fn metadata() -> Value {
    json!({
        "grant_types": ["client_credentials"], "response_types": [],
        "token_endpoint_auth_method": "client_secret_jwt",
    })
}

async fn registration(server: &TestServer) -> Value {
    registered(&register(server, &metadata()).await)
}

fn secret(client: &Client) -> &str {
    client.client_secret.as_deref().unwrap()
}

async fn token(server: &TestServer, proof: &Proof) -> Answer {
    post_token(&Http::new(), server, proof, &[("grant_type", "client_credentials")]).await
}

async fn claims(server: &TestServer, client: &Client) -> Value {
    assertion_claims(client, server, server.now().await)
}

fn asserted(claims: &Value, secret: &str) -> Proof {
    Proof::assertion(&jose::sign_mac(secret, &json!({ "alg": "HS256" }), claims))
}

journeys! {
    async fn a_client_authenticates_itself_with_a_mac_of_its_secret_once_an_assertion(server: &TestServer) {
        let client = client(&registration(server).await);
        let proof = asserted(&claims(server, &client).await, secret(&client));
        assert_eq!(token(server, &proof).await.ok_json()["scope"], "");
        token(server, &proof).await.assert_oauth_error(400, "invalid_client");
        // The other endpoints take it just as well.
        let found = post_as(server, &client, ("/introspect", &[("token", "x")])).await.ok_json();
        assert_eq!(found, json!({ "active": false }));
        assert_eq!(post_as(server, &client, ("/revoke", &[("token", "x")])).await.status, 200);
    }

    async fn issuer_and_endpoint_are_good_audiences_and_nothing_else(server: &TestServer) {
        let client = client(&registration(server).await);
        let audiences = [
            (json!(server.issuer), true),
            (json!(server.url("/token")), true),
            (json!(["https://elsewhere.example", server.issuer]), true),
            (json!(server.url("/par")), false),
            (json!("https://elsewhere.example"), false),
            (json!([]), false),
            (json!(null), false),
        ];
        for (audience, good) in audiences {
            let mut claims = claims(server, &client).await;
            claims["aud"] = audience.clone();
            let answer = token(server, &asserted(&claims, secret(&client))).await;
            assert_eq!(answer.status == 200, good, "{audience}: {}", answer.body);
        }
    }

    async fn whatever_is_wrong_with_an_assertion_is_invalid_client(server: &TestServer) {
        let client = client(&registration(server).await);
        let other = client_of_another(server).await;
        let now = server.now().await.as_second();
        let bent = async |name: &str, value: Value| {
            let mut claims = claims(server, &client).await;
            claims[name] = value;
            asserted(&claims, secret(&client))
        };
        let good = claims(server, &client).await;
        let key = SigningKey::generate();
        let mac = |header: Value| Proof::assertion(&jose::sign_mac(secret(&client), &header, &good));
        let proofs = [
            ("another secret", asserted(&good, secret(&other))),
            ("half a secret", asserted(&good, &secret(&client)[..20])),
            ("no secret", asserted(&good, "")),
            ("a signature", Proof::assertion(&key.sign(&good))),
            ("none", Proof::assertion(&jose::unsigned(&jose::sign_mac(secret(&client), &json!({ "alg": "HS256" }), &good)))),
            ("another MAC", mac(json!({ "alg": "HS512" }))),
            ("another algorithm's name", mac(json!({ "alg": "RS256" }))),
            ("somebody else", bent("sub", json!(other.client_id)).await),
            ("issued by somebody else", bent("iss", json!(other.client_id)).await),
            ("expired", bent("exp", json!(now - 120)).await),
            ("no expiry", bent("exp", json!(null)).await),
            ("no jti", bent("jti", json!(null)).await),
            ("from the future", bent("iat", json!(now + 120)).await),
        ];
        for (what, proof) in proofs {
            let answer = token(server, &proof).await;
            assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_client")), "{what}: {}", answer.body);
        }
        token(server, &asserted(&claims(server, &client).await, secret(&client))).await.ok_json();
    }

    async fn the_secret_itself_is_not_taken(server: &TestServer) {
        let client = client(&registration(server).await);
        token(server, &Proof::basic(&client.client_id, secret(&client))).await.assert_oauth_error(401, "invalid_client");
        token(server, &Proof::post(&client.client_id, secret(&client))).await.assert_oauth_error(400, "invalid_client");
    }

    async fn a_client_with_keys_or_a_plain_secret_cannot_use_a_mac(server: &TestServer) {
        // The classic confusion: the public key, which everybody knows, as the secret of a MAC.
        let keyed = server.client("demo-jwt");
        let public = SigningKey::from_jwk(keyed.private_jwk.as_ref().unwrap()).public_jwk();
        for secret in [public.to_string(), public["x"].as_str().unwrap().to_owned()] {
            token(server, &asserted(&claims(server, keyed).await, &secret)).await.assert_oauth_error(400, "invalid_client");
        }
        let plain = server.client("demo-service");
        token(server, &asserted(&claims(server, plain).await, secret(plain))).await.assert_oauth_error(400, "invalid_client");
    }

    async fn a_client_that_changes_to_it_is_given_a_secret_that_can_be_kept(server: &TestServer) {
        let mut plain = metadata();
        plain["token_endpoint_auth_method"] = json!("client_secret_basic");
        let shown = registered(&register(server, &plain).await);
        let manage = async |metadata: &Value| {
            let http = Http::new();
            let bearer = format!("Bearer {}", shown["registration_access_token"].as_str().unwrap());
            let mut sent = metadata.clone();
            sent["client_id"] = shown["client_id"].clone();
            let request = http.request("PUT", shown["registration_client_uri"].as_str().unwrap());
            http.send(request.header("authorization", bearer).json(&sent)).await.ok_json()
        };
        let changed = manage(&metadata()).await;
        assert_ne!(changed["client_secret"], shown["client_secret"]);
        let with_mac = client(&changed);
        token(server, &asserted(&claims(server, &with_mac).await, secret(&with_mac))).await.ok_json();
        // It stays while nothing about it changes, and serves the plain way as well.
        let mut renamed = metadata();
        renamed["client_name"] = json!("Paie");
        assert!(manage(&renamed).await.get("client_secret").is_none());
        token(server, &asserted(&claims(server, &with_mac).await, secret(&with_mac))).await.ok_json();
        assert!(manage(&plain).await.get("client_secret").is_none());
        token(server, &Proof::basic(&with_mac.client_id, secret(&with_mac))).await.ok_json();
        // Back again, nothing was kept that could check a MAC.
        assert!(manage(&metadata()).await["client_secret"].is_string());
    }

    async fn the_algorithm_can_be_registered_and_only_that_one(server: &TestServer) {
        let mut wanted = metadata();
        wanted["token_endpoint_auth_signing_alg"] = json!("HS256");
        let client = client(&registered(&register(server, &wanted).await));
        token(server, &asserted(&claims(server, &client).await, secret(&client))).await.ok_json();
        for algorithm in ["HS512", "ES256", "none"] {
            wanted["token_endpoint_auth_signing_alg"] = json!(algorithm);
            register(server, &wanted).await.assert_oauth_error(400, "invalid_client_metadata");
        }
        let document = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        for endpoint in ["token", "introspection", "revocation"] {
            let has = |member: &str, value: &str| {
                document[format!("{endpoint}_endpoint_auth_{member}_supported")].as_array().unwrap().contains(&json!(value))
            };
            assert!(has("methods", "client_secret_jwt") && has("signing_alg_values", "HS256"), "{endpoint}");
        }
        // Only assertions of clients are under MACs, never what this server signs.
        assert!(!document["id_token_signing_alg_values_supported"].as_array().unwrap().contains(&json!("HS256")));
    }
}

async fn client_of_another(server: &TestServer) -> Client {
    client(&registration(server).await)
}

#[tokio::test]
async fn the_command_line_registers_it_with_the_master_key_and_not_for_the_strict_profiles() {
    let folder = tempfile::tempdir().unwrap();
    let create = async |arguments: &[&str]| {
        let arguments = [&["client", "create", "-"][..], arguments].concat();
        run_with_input(folder.path(), &arguments, &metadata().to_string()).await
    };
    create(&[]).await.assert_refused(&["master key"]);
    run_in(folder.path(), &["keys", "init"], &[]).await.printed();
    for profile in ["fapi2_security", "fapi2_message_signing"] {
        create(&["--profile", profile]).await.assert_refused(&["token_endpoint_auth_method"]);
    }
    let shown: Value = serde_json::from_str(&create(&[]).await.printed()).unwrap();
    assert!(shown["client_secret"].as_str().unwrap().len() >= 43);
}
