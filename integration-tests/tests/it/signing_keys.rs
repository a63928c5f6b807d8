//! Signing keys over the management API: operators with two factors announce new ones and withdraw one that is compromised.

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::jose;
use habilis_integration_tests::protocol::{AuthorizationRequest, Tokens, post_as, refresh, tokens_for, userinfo};
use habilis_integration_tests::{Api, Client, Http, Inbox, TestServer};
use serde_json::{Value, json};

use crate::api::{give_duties, of_kind, operator, two_operators};

const DAY: u64 = 86_400;

async fn chief(server: &TestServer) -> Api {
    Api::of_person(server, &of_kind(server, "second factor operator"), ALL).await
}

/// Tokens of a learner that outlive a day; access tokens are signed with ES256.
async fn offline(server: &TestServer) -> (Client, Tokens) {
    let client = server.client("demo-es256").clone();
    let tokens = tokens_for(server, &AuthorizationRequest::of(&client).offline(), server.learner()).await;
    (client, tokens)
}

fn kid(token: &str) -> String {
    jose::header(token)["kid"].as_str().unwrap().to_owned()
}

/// The ids of keys of an algorithm in a state.
fn ids(keys: &Value, algorithm: &str, state: &str) -> Vec<String> {
    let all = keys.as_array().unwrap().iter();
    let found = all.filter(|key| key["algorithm"] == algorithm && key["state"] == state);
    found.map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

/// The status of a sign-out with this hint, from a browser in which nobody is signed in.
async fn hinted(server: &TestServer, hint: &str) -> u16 {
    Http::new().get(&server.url(&format!("/end-session?id_token_hint={hint}"))).await.status
}

async fn published(server: &TestServer) -> Vec<String> {
    let keys = Http::new().get(&server.url("/jwks")).await.ok_json()["keys"].clone();
    keys.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

own_journeys! {
    async fn an_announced_key_is_published_at_once_and_signs_a_day_later(mut server: TestServer) {
        let api = chief(&server).await;
        let before = api.get("/signing-keys").await.done(200)["items"].clone();
        assert_eq!(before.as_array().unwrap().len(), 4, "{before}");
        let [old] = &ids(&before, "ES256", "signing")[..] else { panic!("{before}") };
        for key in before.as_array().unwrap() {
            let public = key["public_jwk"].as_object().unwrap();
            assert!(public.contains_key("kty") && ["d", "p", "q", "k"].iter().all(|secret| !public.contains_key(*secret)), "{key}");
        }
        let (client, tokens) = offline(&server).await;
        assert_eq!(kid(tokens.access_token()), *old);

        let one = json!({ "algorithm": "ES256" });
        let request = || api.request("POST", "/signing-keys/rotate").header("idempotency-key", "keys-1").json(&one);
        let announced = api.send(request()).await.done(200);
        let again = api.send(request()).await;
        assert_eq!((again.header("idempotency-replayed"), again.done(200)), ("true", announced.clone()));
        let [next] = &ids(&announced["keys"], "ES256", "next")[..] else { panic!("{announced}") };
        assert!(published(&server).await.contains(next));
        // While one is announced, nothing more is.
        let same = api.post("/signing-keys/rotate", &one).await.done(200);
        assert_eq!(same, announced);
        let fresh = Tokens::from(&refresh(&server, &client, tokens.refresh_token()).await);
        assert_eq!(kid(fresh.access_token()), *old, "not yet");
        let all = api.post("/signing-keys/rotate", &json!({})).await.done(200);
        assert_eq!(all["keys"].as_array().unwrap().len(), 8, "{all}");
        let refused = api.post("/signing-keys/rotate", &json!({ "algorithm": "HS256" })).await.problem(422, "invalid_fields");
        assert_eq!(refused["errors"][0]["pointer"], "/algorithm");

        server.advance(DAY + 60).await;
        let fresh = Tokens::from(&refresh(&server, &client, tokens.refresh_token()).await);
        assert_eq!(kid(fresh.access_token()), *next);
        assert_eq!(userinfo(&server, fresh.access_token()).await.status, 200);
        assert!(published(&server).await.contains(old), "kept until no token of it is alive");
        let trail = operator(&server).await.get("/audit?limit=200").await.done(200);
        let told = trail["items"].as_array().unwrap().iter().filter(|line| line["event"] == "signing_keys.announced");
        assert_eq!(told.count(), 2, "{trail}");
        server.kill();
    }

    async fn a_withdrawn_key_is_worthless_at_once_and_all_of_the_staff_are_told(mut server: TestServer) {
        let operators = two_operators(&server).await;
        let boss = operator(&server).await;
        let officer = of_kind(&server, "second factor");
        let found = boss.get(&format!("/people?q={}", officer.login)).await.done(200);
        let duties = json!({ "operator": false, "privacy": true, "reason": "nomination" });
        give_duties(&operators, found["items"][0]["id"].as_str().unwrap(), &duties).await;
        let api = &operators.0;
        let (client, tokens) = offline(&server).await;
        let compromised = kid(tokens.access_token());
        let path = format!("/signing-keys/{compromised}/withdraw");
        let reason = json!({ "reason": "Sauvegarde égarée." });
        api.post(&path, &json!({})).await.problem(422, "invalid_fields");
        api.post("/signing-keys/jwk_none/withdraw", &reason).await.problem(404, "not_found");
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 200);

        let withdraw = |api: &Api| api.request("POST", &path).header("idempotency-key", "keys-2").json(&reason);
        let left = api.send(withdraw(api)).await.done(200);
        let [signing] = &ids(&left["keys"], "ES256", "signing")[..] else { panic!("{left}") };
        assert!(*signing != compromised && !left.to_string().contains(&compromised), "{left}");
        let keys = published(&server).await;
        assert!(keys.contains(signing) && !keys.contains(&compromised), "{keys:?}");
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 401);
        // The token behind the call was signed with it as well.
        api.get("/signing-keys").await.problem(401, "invalid_token");
        let fresh = Tokens::from(&refresh(&server, &client, tokens.refresh_token()).await);
        assert_eq!(kid(fresh.access_token()), *signing);
        assert_eq!(userinfo(&server, fresh.access_token()).await.status, 200);

        for kind in ["operator", "second factor operator", "second factor second operator", "second factor"] {
            let told = Inbox::of(&server).to(&of_kind(&server, kind).login).await;
            let told: Vec<_> = told.iter().filter(|mail| mail.subject.contains("retirée d’urgence")).collect();
            assert_eq!(told.len(), 1, "{kind}");
            assert!(told[0].text.contains("Sauvegarde égarée.") && told[0].text.contains(&compromised), "{}", told[0].text);
        }
        // Signed in anew, the same request is answered and nothing is done again.
        server.advance(60).await;
        let api = chief(&server).await;
        let again = api.send(withdraw(&api)).await;
        assert_eq!((again.header("idempotency-replayed"), again.done(200)), ("true", left));
        api.post(&path, &reason).await.problem(404, "not_found");
        let trail = operator(&server).await.get("/audit?limit=200").await.done(200);
        let lines: Vec<_> = trail["items"].as_array().unwrap().iter().filter(|line| line["event"] == "signing_key.withdrawn").collect();
        assert_eq!(lines.len(), 1, "{trail}");
        assert_eq!((&lines[0]["subject"], &lines[0]["detail"]["reason"]), (&json!(compromised), &reason["reason"]));
        server.kill();
    }

    async fn of_a_key_whose_time_is_over_a_hint_is_good_and_no_access_token_until_it_is_withdrawn(mut server: TestServer) {
        const BACK: i64 = -(2 * 3_600 + 180);
        let (client, first) = offline(&server).await;
        let (old, hint) = (kid(first.id_token()), first.id_token());
        let announced = chief(&server).await.post("/signing-keys/rotate", &json!({ "algorithm": "ES256" })).await.done(200);
        let [next] = &ids(&announced["keys"], "ES256", "next")[..] else { panic!("{announced}") };
        server.advance(DAY - 120).await;
        let last = Tokens::from(&refresh(&server, &client, first.refresh_token()).await);
        assert_eq!((kid(last.access_token()), userinfo(&server, last.access_token()).await.status), (old.clone(), 200));
        // Until it expires, the new key signing or not.
        server.advance(180).await;
        assert_eq!(userinfo(&server, last.access_token()).await.status, 200);

        server.advance(2 * 3_600).await;
        let fresh = Tokens::from(&refresh(&server, &client, first.refresh_token()).await);
        assert_eq!(kid(fresh.access_token()), *next);
        let api = chief(&server).await;
        let listed = api.get("/signing-keys").await.done(200)["items"].clone();
        assert_eq!(ids(&listed, "ES256", "retired"), std::slice::from_ref(&old), "{listed}");
        assert!(!published(&server).await.contains(&old));
        assert_eq!(hinted(&server, hint).await, 200);

        // As if somebody who has the old key made a token today: one that has not expired, where the clock is back at its hour.
        server.set_clock(&json!({ "advance_seconds": BACK })).await.ok_json();
        let claims = jose::claims(last.access_token());
        assert!(claims["exp"].as_i64().unwrap() > server.now().await.as_second() + 5, "{claims}");
        assert_eq!(userinfo(&server, last.access_token()).await.status, 401);
        let told = post_as(&server, &client, ("/introspect", &[("token", last.access_token())])).await;
        assert_eq!(told.ok_json(), json!({ "active": false }));
        assert_eq!(userinfo(&server, fresh.access_token()).await.status, 200, "of the key that is published");
        server.set_clock(&json!({ "advance_seconds": -BACK })).await.ok_json();

        let (path, reason) = (format!("/signing-keys/{old}/withdraw"), json!({ "reason": "Ancienne sauvegarde égarée." }));
        let left = api.post(&path, &reason).await.done(200);
        assert!(!left.to_string().contains(&old), "{left}");
        assert_eq!(hinted(&server, hint).await, 400);
        api.post(&path, &reason).await.problem(404, "not_found");
        let trail = operator(&server).await.get("/audit?limit=200").await.done(200);
        let lines = trail["items"].as_array().unwrap();
        let found = lines.iter().filter(|line| line["event"] == "signing_key.withdrawn" && line["subject"] == old.as_str());
        assert_eq!(found.count(), 1, "{trail}");
        let removed = |line: &&Value| line["event"] == "signing_keys.rotated" && line["detail"]["removed"] == json!([old]);
        let removed = lines.iter().find(removed).unwrap_or_else(|| panic!("{trail}"));
        assert_eq!(removed["actor"], "schedule");
        server.kill();
    }

    async fn signing_keys_are_for_operators_with_two_factors_alone(mut server: TestServer) {
        let program = operator(&server).await;
        let administrator = Api::of_person(&server, &of_kind(&server, "second factor administrator"), ALL).await;
        let rotate = json!({});
        for api in [&program, &administrator] {
            api.get("/signing-keys").await.problem(403, "forbidden");
            api.post("/signing-keys/rotate", &rotate).await.problem(403, "forbidden");
            api.post("/signing-keys/jwk_none/withdraw", &json!({ "reason": "essai" })).await.problem(403, "forbidden");
        }
        assert_eq!(program.get("/signing-keys").await.json()["policy"], "people-decide");
        let weak = Api::of_person(&server, &of_kind(&server, "operator"), ALL).await;
        weak.get("/signing-keys").await.problem(401, "insufficient_user_authentication");
        weak.post("/signing-keys/rotate", &rotate).await.problem(401, "insufficient_user_authentication");
        let narrow = Api::of_client(&server, "demo-automation", "habilis.portals").await;
        narrow.get("/signing-keys").await.problem(403, "insufficient_scope");
        assert_eq!(published(&server).await.len(), 4);
        server.kill();
    }
}
