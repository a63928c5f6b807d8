//! `/me` and below: what people do about their own account through the management API, as on its pages (R002, R030, R031, R049).

use habilis_integration_tests::protocol::{AuthorizationRequest, tokens_for, userinfo};
use habilis_integration_tests::{Api, Browser, TestServer};
use serde_json::{Value, json};

use crate::api::{of_kind, operator};
use crate::forgot::{NEW, choose, link_to, local_sign_in};

const OWN: &str = "habilis.self";

async fn items(api: &Api, path: &str) -> Vec<Value> {
    api.get(path).await.done(200)["items"].as_array().unwrap().clone()
}

async fn has_session(server: &TestServer, browser: &mut Browser) -> bool {
    browser.get(&server.url("/account")).await.page().has("account-page")
}

own_journeys! {
    async fn devices_are_seen_and_signed_out(mut server: TestServer) {
        let (person, stranger) = (server.learner().clone(), of_kind(&server, "trainer"));
        let (mut one, mut two) = (Browser::new(), Browser::new());
        for browser in [&mut one, &mut two] {
            local_sign_in(&server, browser, &person.login, &person.password).await;
        }
        let (api, other) = (Api::of_person(&server, &person, OWN).await, Api::of_person(&server, &stranger, OWN).await);
        let sessions = items(&api, "/me/sessions").await;
        assert_eq!(sessions.len(), 3, "{sessions:?}");
        let current: Vec<_> = sessions.iter().filter(|session| session["current"] == true).collect();
        assert_eq!(current.len(), 1, "{sessions:?}");
        let of = |session: &Value| format!("/me/sessions/{}", session["id"].as_str().unwrap());
        let own = of(current[0]);
        let elsewhere = of(sessions.iter().find(|session| session["current"] == false).unwrap());
        other.delete(&elsewhere).await.problem(404, "not_found");
        api.delete("/me/sessions/ses_%00").await.problem(404, "not_found");
        assert_eq!(api.delete(&elsewhere).await.status, 204);
        api.delete(&elsewhere).await.problem(404, "not_found");
        let left = [has_session(&server, &mut one).await, has_session(&server, &mut two).await];
        assert_eq!(left.iter().filter(|left| **left).count(), 1);
        assert_eq!(api.delete("/me/sessions").await.status, 204);
        assert!(!has_session(&server, &mut one).await && !has_session(&server, &mut two).await);
        assert_eq!(items(&api, "/me/sessions").await.len(), 1);
        assert_eq!(items(&other, "/me/sessions").await.len(), 1);
        assert_eq!(api.delete(&own).await.status, 204);
        api.get("/me").await.problem(401, "invalid_token");
        server.kill();
    }

    async fn an_application_loses_what_it_was_allowed(mut server: TestServer) {
        let person = server.learner().clone();
        let request = AuthorizationRequest::of(server.client("demo-third-party")).with("scope", "openid profile");
        let tokens = tokens_for(&server, &request, &person).await;
        let api = Api::of_person(&server, &person, OWN).await;
        let applications = items(&api, "/me/applications").await;
        let found = applications.iter().find(|one| one["client_id"] == "demo-third-party").unwrap();
        assert_eq!(found["scopes"], json!(["openid", "profile"]));
        assert!(found["used_at"].is_string() && found["name"].is_string(), "{found}");
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 200);
        assert_eq!(api.delete("/me/applications/demo-third-party").await.status, 204);
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 401);
        api.delete("/me/applications/demo-third-party").await.problem(404, "not_found");
        assert!(items(&api, "/me/applications").await.iter().all(|one| one["client_id"] != "demo-third-party"));
        server.kill();
    }

    async fn the_profile_changes_and_the_account_tells_of_it(mut server: TestServer) {
        let person = server.learner().clone();
        let api = Api::of_person(&server, &person, OWN).await;
        let read = api.get("/me").await;
        let (etag, before) = (read.header("etag").to_owned(), read.done(200));
        api.send(api.request("PATCH", "/me").json(&json!({ "given_name": "Zoé" }))).await.problem(428, "precondition_required");
        for (body, pointer) in [
            (json!({ "given_name": "" }), "/given_name"),
            (json!({ "family_name": "https://x.example" }), "/family_name"),
            (json!({ "locale": "de" }), "/locale"),
            (json!({ "zoneinfo": "Europe/Berlin" }), "/zoneinfo"),
            (json!({ "operator": true }), "/operator"),
            (json!({ "email": "a@b.example" }), "/email"),
        ] {
            let problem = api.patch("/me", &etag, &body).await.problem(422, "invalid_fields");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        let patch = json!({ "given_name": "Zoé", "locale": "en", "zoneinfo": "Indian/Reunion" });
        let changed = api.patch("/me", &etag, &patch).await;
        let now = changed.done(200);
        assert_eq!((&now["given_name"], &now["family_name"]), (&json!("Zoé"), &before["family_name"]));
        assert_eq!((&now["locale"], &now["zoneinfo"]), (&json!("en"), &json!("Indian/Reunion")));
        api.patch("/me", &etag, &patch).await.problem(412, "version_mismatch");
        let cleared = api.patch("/me", changed.header("etag"), &json!({ "zoneinfo": null })).await.done(200);
        assert_eq!((&cleared["zoneinfo"], &cleared["given_name"]), (&Value::Null, &json!("Zoé")));

        // Newest first, page by page, and nothing that is not for people.
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &person.login, "tout à fait faux").await;
        let (mut told, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = api.get(&format!("/me/activity?limit=2{cursor}")).await.done(200);
            told.extend(page["items"].as_array().unwrap().iter().map(|line| line["event"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(told[..3], ["sign_in.refused", "account.profile_changed", "account.profile_changed"], "{told:?}");
        assert!(told.iter().any(|event| event == "session.started"), "{told:?}");
        server.kill();
    }

    async fn factors_are_listed_and_no_program_has_an_account(mut server: TestServer) {
        let api = Api::of_person(&server, &of_kind(&server, "second factor administrator"), OWN).await;
        let factors = api.get("/me/factors").await.done(200);
        assert_eq!(factors["items"][0]["kind"], "authenticator_app");
        assert!(factors["items"][0]["used_at"].is_string() && factors["required"].is_boolean(), "{factors}");
        assert!(factors["items"][0].get("secret").is_none(), "{factors}");
        let plain = Api::of_person(&server, server.learner(), OWN).await;
        assert_eq!(plain.get("/me/factors").await.done(200)["items"], json!([]));
        let program = operator(&server).await;
        program.send(program.request("POST", "/me/compromise")).await.problem(404, "not_found");
        for path in ["/me", "/me/sessions", "/me/applications", "/me/activity", "/me/factors"] {
            program.get(path).await.problem(404, "not_found");
        }
        program.delete("/me/sessions").await.problem(404, "not_found");
        let narrow = Api::of_person(&server, server.learner(), "habilis.members.read").await;
        narrow.get("/me/sessions").await.problem(403, "insufficient_scope");
        narrow.send(narrow.request("POST", "/me/compromise")).await.problem(403, "insufficient_scope");
        server.kill();
    }

    async fn a_compromise_is_reported_through_an_application_and_closes_everything(mut server: TestServer) {
        let person = server.learner().clone();
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        let (api, other) = (Api::of_person(&server, &person, OWN).await, Api::of_person(&server, &person, OWN).await);
        let colleague = Api::of_person(&server, server.learner_number(1), OWN).await;
        let id = api.get("/me").await.done(200)["id"].clone();
        let report = async |api: &Api| {
            api.send(api.request("POST", "/me/compromise").header("idempotency-key", "report-1")).await
        };
        assert_eq!(report(&api).await.status, 204);
        // The token it was reported with is dead as well: who asks again is nobody.
        for dead in [&api, &other] {
            report(dead).await.problem(401, "invalid_token");
        }
        assert!(!has_session(&server, &mut browser).await);
        colleague.get("/me").await.done(200);
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert!(!page.has("account-page"), "{}", page.summary());
        let link = link_to(&server, &person.login, 1).await;
        assert!(choose(&mut browser, &link, NEW).await.has("password-changed-page"));

        let boss = operator(&server).await;
        let incidents = boss.get("/incidents?status=open").await.done(200);
        let incident = &incidents["items"][0];
        assert_eq!((&incident["cause"], &incident["person"]), (&json!("compromise"), &id), "{incidents}");
        let trail = boss.get("/audit?limit=200").await.done(200);
        let lines = trail["items"].as_array().unwrap().iter();
        let told: Vec<_> = lines.filter(|line| line["event"] == "account.compromise_reported").collect();
        assert_eq!(told.len(), 1, "{trail}");
        assert_eq!((&told[0]["actor"], &told[0]["client_id"]), (&id, &json!("demo-management")));
        assert_eq!((&told[0]["detail"]["by"], &told[0]["detail"]["sessions_ended"]), (&json!("api"), &json!(3)));
        server.kill();
    }
}
