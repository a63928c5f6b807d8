//! Portals over the management API: what the operator registers there works at the protocol's endpoints, and what they change too.

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::protocol::post_as;
use habilis_integration_tests::{Api, Http, TestServer};
use serde_json::{Value, json};

use crate::api::{of_kind, operator, organization_of_kind};
use crate::measures::{suspension, termination};

async fn chief(server: &TestServer) -> Api {
    Api::of_person(server, &of_kind(server, "second factor operator"), ALL).await
}

fn automation(client_id: &str, scope: &str) -> Value {
    json!({
        "client_id": client_id,
        "metadata": { "client_name": "Automate", "grant_types": ["client_credentials"], "response_types": [], "scope": scope },
    })
}

/// What the client is answered at the token endpoint.
async fn token(server: &TestServer, client_id: &str, secret: &str) -> (u16, Value) {
    let parameters = [("grant_type", "client_credentials")];
    let request =
        Http::new().request("POST", &server.url("/token")).basic_auth(client_id, Some(secret)).form(&parameters);
    let answer = Http::new().send(request).await;
    (answer.status, answer.json())
}

fn with_banner(mut measure: Value) -> Value {
    measure["banner"] = json!({ "fr": "Fermé.", "en": "Closed." });
    measure
}

async fn renewed_tag(api: &Api, client_id: &str) -> String {
    api.get(&format!("/portals/{client_id}")).await.header("etag").to_owned()
}

own_journeys! {
    async fn what_the_operator_registers_works_at_once_and_its_secret_is_shown_once(mut server: TestServer) {
        let api = chief(&server).await;
        let request = || {
            api.request("POST", "/portals")
                .header("idempotency-key", "portal-1")
                .json(&automation("portal-automation", "habilis.organizations.read"))
        };
        let made = api.send(request()).await.done(201);
        let secret = made["client_secret"].as_str().unwrap().to_owned();
        assert!(secret.len() >= 32, "{made}");
        // Whoever repeats the request gets the answer without the secret.
        let again = api.send(request()).await.done(201);
        assert_eq!((&again["client_id"], again.get("client_secret")), (&json!("portal-automation"), None));
        assert_eq!(token(&server, "portal-automation", &secret).await.0, 200);

        let read = api.get("/portals/portal-automation").await;
        let shown = read.done(200);
        assert_eq!((&shown["has_secret"], &shown["manages"], shown.get("client_secret")), (&json!(true), &Value::Null, None));
        assert_eq!(shown["metadata"]["grant_types"], json!(["client_credentials"]));
        let listed = api.get("/portals?limit=200").await.done(200);
        assert!(listed["items"].as_array().unwrap().iter().any(|portal| portal["client_id"] == "portal-automation"));
        assert!(!listed.to_string().contains(&secret));

        let renewed = api.post("/portals/portal-automation/secret", &Value::Null).await;
        renewed.problem(400, "malformed_request");
        let renewed = api.send(api.request("POST", "/portals/portal-automation/secret")).await.done(200);
        let second = renewed["client_secret"].as_str().unwrap();
        let (status, refused) = token(&server, "portal-automation", &secret).await;
        assert_eq!((status, &refused["error"]), (401, &json!("invalid_client")));
        assert_eq!(token(&server, "portal-automation", second).await.0, 200);

        // What it manages is said by the operator, and told by its tokens at once.
        let company = organization_of_kind(&server, "company");
        let change = json!({ "manages": company });
        api.patch("/portals/portal-automation", &renewed_tag(&api, "portal-automation").await, &change).await.done(200);
        let (_, granted) = token(&server, "portal-automation", second).await;
        let own = Api::with_token(&server, granted["access_token"].as_str().unwrap());
        own.get(&format!("/organizations/{company}")).await.done(200);

        // Closed for good, it is changed no more.
        api.put("/portals/portal-automation/status", &with_banner(termination())).await.done(200);
        let etag = renewed_tag(&api, "portal-automation").await;
        api.patch("/portals/portal-automation", &etag, &json!({ "manages": null })).await.problem(409, "conflict");
        api.send(api.request("POST", "/portals/portal-automation/secret")).await.problem(409, "conflict");
        server.kill();
    }

    async fn settings_and_metadata_change_under_the_version_that_was_read(mut server: TestServer) {
        let api = chief(&server).await;
        let portal = json!({
            "client_id": "portal-web",
            "metadata": { "client_name": "Portail", "redirect_uris": ["https://portail.example/cb"], "token_endpoint_auth_method": "none" },
            "settings": { "first_party": true, "organization_kinds": ["cfa", "company", "cfa"], "claims": "minimal" },
        });
        let made = api.post("/portals", &portal).await.done(201);
        assert_eq!((made.get("client_secret"), &made["has_secret"]), (None, &json!(false)));
        assert_eq!(made["settings"]["organization_kinds"], json!(["company", "cfa"]));
        let tag = renewed_tag(&api, "portal-web").await;
        api.send(api.request("PATCH", "/portals/portal-web").json(&json!({}))).await.problem(428, "precondition_required");

        // What is not named stays; a secret is made where the new metadata needs one.
        let change = json!({
            "metadata": { "client_name": "Portail neuf", "redirect_uris": ["https://portail.example/cb2"] },
            "settings": { "claims": "standard", "organization_kinds": [] },
        });
        let changed = api.patch("/portals/portal-web", &tag, &change).await.done(200);
        assert!(changed["client_secret"].as_str().is_some_and(|secret| secret.len() >= 32));
        assert_eq!(changed["settings"]["first_party"], true);
        assert_eq!(changed["settings"]["claims"], "standard");
        assert_eq!(changed["metadata"]["redirect_uris"], json!(["https://portail.example/cb2"]));
        api.patch("/portals/portal-web", &tag, &json!({})).await.problem(412, "version_mismatch");

        // A measure counts as a change.
        let tag = renewed_tag(&api, "portal-web").await;
        api.put("/portals/portal-web/status", &with_banner(suspension())).await.done(200);
        api.patch("/portals/portal-web", &tag, &json!({})).await.problem(412, "version_mismatch");
        let listed = api.get("/portals?status=suspended").await.done(200);
        assert!(listed["items"].as_array().unwrap().iter().any(|portal| portal["client_id"] == "portal-web"));

        // The trail says who changed what.
        let trail = operator(&server).await.get("/audit?limit=200").await.done(200);
        let line = trail["items"].as_array().unwrap().iter().find(|line| line["event"] == "client.changed" && line["subject"] == "portal-web").cloned();
        let line = line.expect("a line of the trail");
        assert_eq!(line["detail"]["before"]["settings"]["claims"], "minimal");
        assert_eq!(line["detail"]["after"]["settings"]["claims"], "standard");
        server.kill();
    }

    async fn programs_register_nothing_and_administrators_see_no_portals(mut server: TestServer) {
        let program = operator(&server).await;
        program.get("/portals").await.done(200);
        program.post("/portals", &automation("portal-of-a-program", "x")).await.problem(403, "forbidden");
        program.post("/initial-access-tokens", &json!({})).await.problem(403, "forbidden");
        let administrator = Api::of_person(&server, &of_kind(&server, "administrator"), ALL).await;
        for path in ["/portals", "/portals/demo-portal"] {
            administrator.get(path).await.problem(403, "forbidden");
        }
        administrator.post("/portals", &automation("portal-of-another", "x")).await.problem(403, "forbidden");
        program.get("/portals/portal-of-a-program").await.problem(404, "not_found");
        // The operator with one factor alone is sent for the second.
        let weak = Api::of_person(&server, &of_kind(&server, "operator"), ALL).await;
        let refused = weak.post("/portals", &automation("portal-weak", "x")).await;
        assert_eq!(refused.status, 401);
        assert!(refused.header("www-authenticate").contains("insufficient_user_authentication"));
        server.kill();
    }

    async fn wrong_metadata_is_named_and_nothing_is_kept(mut server: TestServer) {
        let api = chief(&server).await;
        let cases = [
            (json!({ "metadata": { "redirect_uris": ["http://elsewhere.example/cb"] } }), "/metadata"),
            (json!({ "metadata": { "redirect_uris": "https://p.example/cb" } }), "/metadata"),
            (json!({ "metadata": { "client_secret": "chosen" } }), "/metadata/client_secret"),
            (json!({ "metadata": {}, "client_id": "a/b" }), "/client_id"),
            (json!({ "metadata": {}, "client_id": "demo-portal" }), "/metadata"),
            (json!({ "metadata": { "grant_types": [], "response_types": [] }, "client_id": "demo-portal" }), "/client_id"),
            (json!({ "metadata": { "grant_types": [], "response_types": [] }, "settings": { "product": "nowhere" } }), "/settings/product"),
            (json!({ "metadata": { "grant_types": [], "response_types": [] }, "settings": { "profile": "legacy" } }), "/metadata"),
            (json!({ "metadata": { "grant_types": [], "response_types": [] }, "settings": { "profile": "saml" } }), "/settings/profile"),
            (json!({ "metadata": { "grant_types": [], "response_types": [] }, "settings": { "acr": [] } }), "/settings/acr"),
            (json!({ "metadata": { "grant_types": [], "response_types": [] }, "manages": "org_none" }), "/manages"),
        ];
        let count = async || api.get("/portals?limit=200").await.done(200)["items"].as_array().unwrap().len();
        let before = count().await;
        for (body, pointer) in cases {
            let refused = api.post("/portals", &body).await.problem(422, "invalid_fields");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
        }
        assert_eq!(count().await, before);
        server.kill();
    }

    async fn an_initial_access_token_registers_as_often_as_it_says(mut server: TestServer) {
        let api = chief(&server).await;
        for (body, pointer) in [(json!({ "uses": 0 }), "/uses"), (json!({ "days": 91 }), "/days")] {
            let refused = api.post("/initial-access-tokens", &body).await.problem(422, "invalid_fields");
            assert_eq!(refused["errors"][0]["pointer"], pointer);
        }
        let made = api.post("/initial-access-tokens", &json!({ "uses": 1, "days": 2 })).await.done(200);
        let token = made["initial_access_token"].as_str().unwrap();
        let register = async || {
            let metadata = json!({ "redirect_uris": ["https://self.example/cb"] });
            let request = Http::new().request("POST", &server.url("/register")).bearer_auth(token).json(&metadata);
            Http::new().send(request).await
        };
        let registered = register().await;
        assert_eq!(registered.status, 201);
        let id = registered.json()["client_id"].as_str().unwrap().to_owned();
        assert_eq!(register().await.status, 401);
        assert_eq!(api.get(&format!("/portals/{id}")).await.done(200)["self_registered"], true);
        // It changes itself, and the version counts it.
        let tag = renewed_tag(&api, &id).await;
        assert_eq!(tag, "\"v1\"");
        let parameters = [("grant_type", "client_credentials")];
        assert_eq!(post_as(&server, server.client("demo-automation"), ("/token", &parameters)).await.status, 200);
        server.kill();
    }
}
