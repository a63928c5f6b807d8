//! The OpenAPI description is of this very server: each endpoint that discovery names is in it, and what is in it answers.

use habilis_integration_tests::server::run_in;
use habilis_integration_tests::{Http, TestServer};
use serde_json::{Value, json};

async fn document() -> Value {
    let folder = tempfile::tempdir().unwrap();
    serde_json::from_str(&run_in(folder.path(), &["openapi"], &[]).await.printed()).unwrap()
}

journeys! {
    async fn every_endpoint_of_discovery_is_described(server: &TestServer) {
        let document = document().await;
        let metadata = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        let mut count = 0;
        for (name, url) in metadata.as_object().unwrap() {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                let path = url.as_str().unwrap().strip_prefix(&server.issuer).unwrap();
                assert!(document["paths"].get(path).is_some(), "{name}: {path}");
                count += 1;
            }
        }
        assert!(count >= 9, "{count}");
        for path in ["/register/{client_id}", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
            assert!(document["paths"].get(path).is_some(), "{path}");
        }
    }

    async fn what_is_described_answers_as_described(server: &TestServer) {
        let http = Http::new();
        for (path, methods) in document().await["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let url = server.url(&path.replace("{client_id}", "nobody"));
                let request = http.request(&method.to_uppercase(), &url);
                let kind = operation["requestBody"]["content"].as_object().and_then(|kinds| kinds.keys().next());
                let request = match kind.map(String::as_str) {
                    Some("application/json") => request.json(&json!({})),
                    Some(_) => request.form(&[("a", "b")]),
                    None => request,
                };
                let status = http.send(request).await.status.to_string();
                assert!(operation["responses"].get(&status).is_some(), "{method} {path} answers {status}");
            }
        }
    }

    async fn registration_is_described_with_every_member_that_is_answered(server: &TestServer) {
        let document = document().await;
        let operation = &document["paths"]["/register"]["post"];
        let described = |at: &str| operation.pointer(at).and_then(Value::as_object).unwrap_or_else(|| panic!("{at}"));
        let sent = described("/requestBody/content/application~1json/schema/properties");
        let answered = described("/responses/201/content/application~1json/schema/properties");
        let shown = super::registration::register(server, &json!({ "redirect_uris": ["https://rp.example/cb"] })).await;
        for name in super::registration::registered(&shown).as_object().unwrap().keys() {
            assert!(sent.contains_key(name) || answered.contains_key(name), "{name}");
        }
    }
}
