//! API keys of apprenticeship centres: issue, rotation, exchange, check, end (R100–R104, R037).

use std::sync::Arc;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::dump::Dump;
use habilis_integration_tests::protocol::{Proof, post_as, post_token};
use habilis_integration_tests::{
    Answer, Api, Authenticator, Browser, Engine, Http, Inbox, Person, TestServer, database, jose,
};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::api::{in_days, operator, personnel, software_of};
use crate::forgot::local_sign_in;
use crate::seats::{product, step};

pub(crate) const READ: &str = "apicfa.dossiers.read";
const WRITE: &str = "apicfa.dossiers.write";
const DAY: u64 = 86_400;
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const KEY_TYPE: &str = "urn:habilis:params:oauth:token-type:api_key";

/// The administrator of the centre who has a second factor, or the one who has none.
fn administrator(server: &TestServer, kind: &str) -> Person {
    let found = server.people.iter().find(|person| {
        person.kind == kind && person.organization.as_ref().is_some_and(|organization| organization.kind == "cfa")
    });
    found.unwrap_or_else(|| panic!("no {kind} of a centre")).clone()
}

fn centre(server: &TestServer) -> String {
    administrator(server, "administrator").organization.unwrap().id
}

fn keys_of(organization: &str) -> String {
    format!("/organizations/{organization}/api-keys")
}

fn new_key(name: &str) -> Value {
    json!({ "name": name, "scopes": [READ, WRITE] })
}

/// Another centre, with a key.
async fn other_centre(server: &TestServer) -> (String, Value) {
    let boss = operator(server).await;
    let new = json!({ "kind": "cfa", "name": "CFA du Littoral", "siret": "73282932000074", "uai": "0752524L" });
    let id = boss.post("/organizations", &new).await.done(201)["id"].as_str().unwrap().to_owned();
    let key = boss.post(&keys_of(&id), &new_key("autre")).await.done(201);
    (id, key)
}

/// A key of the centre of the demonstration, issued by the operator.
pub(crate) async fn issue(server: &TestServer, body: &Value) -> Value {
    operator(server).await.post(&keys_of(&centre(server)), body).await.done(201)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

async fn exchange(server: &TestServer, client: &str, parameters: &[(&str, &str)]) -> Answer {
    post_as(server, server.client(client), ("/token", parameters)).await
}

/// The form of an exchange of a key (RFC 8693 §2.1).
fn exchange_of(key: &str) -> [(&str, &str); 3] {
    [("grant_type", EXCHANGE), ("subject_token", key), ("subject_token_type", KEY_TYPE)]
}

/// A token of the vendor with a key.
pub(crate) async fn token_with(server: &TestServer, key: &str) -> Answer {
    exchange(server, "demo-vendor", &[("grant_type", "client_credentials"), ("api_key", key)]).await
}

/// A token of the vendor alone.
pub(crate) async fn vendor_token(server: &TestServer) -> String {
    vendor_token_for(server, &[]).await
}

/// The same with further parameters.
pub(crate) async fn vendor_token_for(server: &TestServer, more: &[(&str, &str)]) -> String {
    let form = [&[("grant_type", "client_credentials")], more].concat();
    text(&exchange(server, "demo-vendor", &form).await.ok_json(), "access_token").to_owned()
}

/// What a gateway asks.
async fn check(server: &TestServer, query: &str, headers: &[(&str, &str)]) -> Answer {
    check_from(&Http::new(), (server, query), headers).await
}

/// The same from a known address; [`Http::new`] takes another each time.
pub(crate) async fn check_from(http: &Http, (server, query): (&TestServer, &str), headers: &[(&str, &str)]) -> Answer {
    let mut request = http.request("GET", &server.url(&format!("/api-keys/check{query}")));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    http.send(request).await
}

/// The same with the headers of the market.
pub(crate) async fn check_with(server: &TestServer, query: &str, (key, token): (&str, &str)) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("EDITEUR", "Ypareo"), ("LOGICIEL", "Suivi"), ("VERSION", "7.2")];
    if !key.is_empty() {
        headers.push(("X-API-KEY", key));
    }
    if !token.is_empty() {
        headers.push(("Authorization", &bearer));
    }
    check(server, query, &headers).await
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.header("x-habilis-error")), (status, code), "{}", answer.body);
    assert_eq!(answer.json()["error"], code);
}

#[track_caller]
fn not_exchanged(answer: &Answer, error: &str, code: &str) {
    let body = answer.json();
    assert!(answer.status == 400 || answer.status == 429, "{} {body}", answer.status);
    assert_eq!(body["error"], error, "{body}");
    assert!(text(&body, "error_description").starts_with(&format!("{code}: ")), "{body}");
}

async fn introspect(server: &TestServer, client: &str, token: &str) -> Value {
    let form = [("token", token), ("token_type_hint", "api_key")];
    post_as(server, server.client(client), ("/introspect", &form)).await.ok_json()
}

async fn revoke(server: &TestServer, key: &Value, reason: &str) -> Value {
    let path = format!("{}/{}/revocation", keys_of(&centre(server)), text(key, "id"));
    operator(server).await.put(&path, &json!({ "reason": reason })).await.done(200)
}

async fn set_status(server: &TestServer, organization: &str, status: &str) {
    let body = json!({ "status": status, "reason": "essai", "breach": "Convention.", "remedy": "Régulariser.", "irreparable": "Fraude." });
    operator(server).await.put(&format!("/organizations/{organization}/status"), &body).await.done(200);
}

/// Signs somebody with an authenticator app in and presses the button of the account.
async fn report_compromise(server: &TestServer, person: &Person) {
    let mut browser = Browser::new();
    let page = local_sign_in(server, &mut browser, &person.login, &person.password).await;
    assert!(page.has("second-step-page"), "{}", page.summary());
    let code = Authenticator::from_text(person.totp_secret.as_deref().unwrap()).code(server, 0).await;
    browser.submit("second-step-form", &[("code", &code)]).await.page();
    browser.get(&server.url("/account")).await.page();
    let page = browser.submit("compromise-form", &[]).await.page();
    assert!(page.has("compromise-reported-page"), "{}", page.summary());
}

/// The events of the trail of an organization.
async fn events(server: &TestServer, organization: &str) -> Vec<String> {
    let trail = operator(server).await.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
    trail["items"].as_array().unwrap().iter().map(|line| text(line, "event").to_owned()).collect()
}

/// Asks the check again and again, and nothing else, until it refuses all that was presented. What else would be asked in between
/// reads the client anew.
async fn refused_within_five_seconds(server: &TestServer, presented: [(&str, &str); 2]) {
    let began = std::time::Instant::now();
    let mut alive = presented.to_vec();
    while !alive.is_empty() {
        let mut still = Vec::new();
        for presented in alive {
            if check_with(server, "", presented).await.status == 200 {
                still.push(presented);
            }
        }
        alive = still;
        assert!(alive.is_empty() || began.elapsed().as_secs() < 5, "still alive after five seconds");
        tokio::task::yield_now().await;
    }
}

own_journeys! {
    async fn a_centre_issues_two_keys_rotates_them_and_nobody_else_does(mut server: TestServer) {
        let id = centre(&server);
        let keys = keys_of(&id);
        // Without a second factor: sign in again, better. Not a centre: never.
        let weak = Api::of_person(&server, &administrator(&server, "administrator"), ALL).await;
        weak.post(&keys, &new_key("trop faible")).await.problem(401, "insufficient_user_authentication");
        let (company, own) = personnel(&server).await;
        company.post(&keys_of(&own), &new_key("entreprise")).await.problem(403, "not_an_apprenticeship_centre");
        company.get(&keys_of(&own)).await.problem(403, "not_an_apprenticeship_centre");
        company.post(&keys, &new_key("étranger")).await.problem(404, "not_found");

        let strong = Api::of_person(&server, &administrator(&server, "second factor administrator"), ALL).await;
        let wrong = [
            (json!({ "name": "x", "scopes": [] }), "/scopes"),
            (json!({ "name": "x", "scopes": ["habilis.keys"] }), "/scopes"),
            (json!({ "name": "x", "scopes": [READ], "ends_on": in_days(&server, 366).await }), "/ends_on"),
            (json!({ "name": "x", "scopes": [READ], "ends_on": in_days(&server, -2).await }), "/ends_on"),
            (json!({ "name": "x", "scopes": [READ], "networks": ["192.0.2.0/24", "partout"] }), "/networks/1"),
            (json!({ "name": "", "scopes": [READ] }), "/name"),
            (json!({ "name": "x", "scopes": [READ], "siren": "130025265" }), "/siren"),
        ];
        for (body, pointer) in wrong {
            let problem = strong.post(&keys, &body).await.problem(422, "invalid_fields");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        let request = || strong.request("POST", &keys).header("idempotency-key", "une-fois").json(&new_key("Suivi"));
        let answer = strong.send(request()).await;
        let etag = answer.header("etag").to_owned();
        let first = answer.done(201);
        let (key, handle) = (text(&first, "key"), text(&first, "handle"));
        assert!(key.starts_with(&format!("{handle}_")) && handle.starts_with("hab_demo_"), "{handle}");
        assert_eq!((&first["status"], &first["scopes"]), (&json!("active"), &json!([READ, WRITE])));
        // Told once: neither the list nor the repeated request tells again.
        let again = strong.send(request()).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert!(again.done(201).get("key").is_none() && !again.body.contains(key));
        let second = strong.post(&keys, &json!({ "name": "Relève", "scopes": [READ], "networks": ["192.0.2.7"] })).await.done(201);
        let problem = strong.post(&keys, &new_key("troisième")).await.problem(409, "too_many_live_keys");
        assert_eq!(problem["most"], 2);
        let list = strong.get(&keys).await;
        assert!(!list.body.contains(key) && list.done(200)["items"].as_array().unwrap().len() == 2);
        // Changing where it works from is as sensitive as issuing it.
        let path = format!("{keys}/{}", text(&first, "id"));
        weak.patch(&path, &etag, &json!({ "networks": [] })).await.problem(401, "insufficient_user_authentication");
        let changed = strong.patch(&path, &etag, &json!({ "name": "Suivi 2", "networks": ["2001:DB8::/48"] })).await.done(200);
        assert_eq!((&changed["name"], &changed["networks"]), (&json!("Suivi 2"), &json!(["2001:db8::/48"])));
        strong.patch(&path, &etag, &json!({ "name": "tard" })).await.problem(412, "version_mismatch");
        // Rotation: the old one goes, another takes its place.
        let revocation = format!("{path}/revocation");
        let gone = weak.put(&revocation, &json!({ "reason": "replaced" })).await.done(200);
        assert_eq!((&gone["status"], &gone["revoked_reason"]), (&json!("revoked"), &json!("replaced")));
        assert_eq!(weak.put(&revocation, &json!({ "reason": "unused" })).await.done(200)["revoked_reason"], "replaced");
        strong.post(&keys, &new_key("troisième")).await.done(201);
        weak.get(&format!("{keys}/{}", text(&second, "id"))).await.done(200);
        let trail = events(&server, &id).await;
        for (event, times) in [("api_key.issued", 3), ("api_key.updated", 1), ("api_key.revoked", 1)] {
            assert_eq!(trail.iter().filter(|found| *found == event).count(), times, "{event}");
        }
        // Of another centre nothing is there, whatever one asks for.
        let (other, theirs) = other_centre(&server).await;
        let theirs = format!("{}/{}", keys_of(&other), text(&theirs, "id"));
        let swapped = format!("{keys}/{}", theirs.rsplit('/').next().unwrap());
        for path in [&theirs, &swapped] {
            strong.get(path).await.problem(404, "not_found");
            strong.get(&format!("{path}/usage")).await.problem(404, "not_found");
            strong.patch(path, "*", &json!({ "name": "à moi" })).await.problem(404, "not_found");
            strong.put(&format!("{path}/revocation"), &json!({ "reason": "unused" })).await.problem(404, "not_found");
        }
        server.kill();
    }

    async fn of_many_at_once_two_keys_are_issued(mut server: TestServer) {
        let (id, boss) = (centre(&server), operator(&server).await);
        let barrier = Arc::new(Barrier::new(8));
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let (boss, barrier, path) = (boss.clone(), Arc::clone(&barrier), keys_of(&id));
                tokio::spawn(async move {
                    barrier.wait().await;
                    boss.post(&path, &new_key(&format!("course {number}"))).await.status
                })
            })
            .collect();
        let mut made = 0;
        for task in tasks {
            made += usize::from(task.await.unwrap() == 201);
        }
        assert_eq!(made, 2);
        server.kill();
    }

    async fn a_key_is_exchanged_for_a_token_bound_to_vendor_and_centre(mut server: TestServer) {
        let issued = issue(&server, &new_key("échange")).await;
        let (key, id) = (text(&issued, "key").to_owned(), centre(&server));
        let siret = administrator(&server, "administrator").organization.unwrap().siret;
        let plain = token_with(&server, &key).await.ok_json();
        let form = [("grant_type", EXCHANGE), ("subject_token", &key), ("subject_token_type", KEY_TYPE), ("scope", READ)];
        let exchanged = exchange(&server, "demo-vendor", &form).await.ok_json();
        assert_eq!(exchanged["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
        assert!(plain.get("issued_token_type").is_none(), "{plain}");
        for (answer, scope) in [(&plain, format!("{READ} {WRITE}")), (&exchanged, READ.to_owned())] {
            assert_eq!((&answer["scope"], &answer["token_type"]), (&json!(scope), &json!("Bearer")));
            let claims = jose::claims(text(answer, "access_token"));
            let expected = [
                ("azp", json!("demo-vendor")), ("client_id", json!("demo-vendor")), ("act", json!({ "sub": "demo-vendor" })),
                ("sub", json!(id)), ("org_id", json!(id)), ("siret", json!(siret)), ("siren", json!(siret[..9])),
                ("key", issued["handle"].clone()), ("scope", json!(scope)), ("iss", json!(server.issuer)),
            ];
            for (name, value) in expected {
                assert_eq!(claims[name], value, "{name}: {claims}");
            }
            let told = introspect(&server, "demo-resource", text(answer, "access_token")).await;
            assert_eq!((&told["active"], &told["siret"], &told["azp"]), (&json!(true), &json!(siret), &json!("demo-vendor")));
        }
        // Such a token speaks for a centre at the operator's API and manages nothing here.
        let manager = Api::with_token(&server, text(&plain, "access_token"));
        manager.get("/me").await.problem(401, "invalid_token");

        // What is wrong is said by a word of its own.
        let vendor = "demo-vendor";
        let credentials = |key: &'static str| [("grant_type", "client_credentials"), ("api_key", key)];
        not_exchanged(&exchange(&server, vendor, &credentials("hab_demo_")).await, "invalid_grant", "key_malformed");
        not_exchanged(&token_with(&server, &key.replace("hab_demo", "hab_prod")).await, "invalid_grant", "key_malformed");
        not_exchanged(&token_with(&server, &key[..key.len() - 1]).await, "invalid_grant", "key_malformed");
        not_exchanged(&exchange(&server, "demo-service", &credentials("hab_demo_x")).await, "unauthorized_client", "vendor_not_allowed");
        for scope in ["apicfa.factures.read", "apicfa.factures.write", "openid"] {
            let form = [("grant_type", "client_credentials"), ("api_key", &key), ("scope", scope)];
            not_exchanged(&exchange(&server, vendor, &form).await, "invalid_scope", "scope_not_granted");
        }
        let bad: [&[(&str, &str)]; 4] = [
            &[("grant_type", EXCHANGE), ("subject_token_type", KEY_TYPE)],
            &[("grant_type", EXCHANGE), ("subject_token", &key)],
            &[("grant_type", EXCHANGE), ("subject_token", &key), ("subject_token_type", KEY_TYPE), ("actor_token", "x")],
            &[("grant_type", EXCHANGE), ("subject_token", &key), ("subject_token_type", KEY_TYPE), ("requested_token_type", KEY_TYPE)],
        ];
        for form in bad {
            exchange(&server, vendor, form).await.assert_oauth_error(400, "invalid_request");
        }
        // RFC 8693 §2.2.2: to an exchange a key that is no good makes the request invalid, not the grant.
        for (key, code) in [("hab_demo_", "key_malformed"), (&*forged(&key, 1), "key_unknown")] {
            not_exchanged(&exchange(&server, vendor, &exchange_of(key)).await, "invalid_request", code);
        }
        // Alone a centre may not come, unless the operator lets it.
        let form = credentials("hab_demo_x");
        Http::new().post_form(&server.url("/token"), &form).await.assert_oauth_error(401, "invalid_client");

        // RFC 7009 §2.2.1: it is not given back where tokens are, and works on.
        let given_back = post_as(&server, server.client(vendor), ("/revoke", &[("token", key.as_str())])).await;
        given_back.assert_oauth_error(400, "unsupported_token_type");
        assert_eq!(token_with(&server, &key).await.status, 200);

        revoke(&server, &issued, "replaced").await;
        not_exchanged(&token_with(&server, &key).await, "invalid_grant", "key_revoked");
        not_exchanged(&exchange(&server, vendor, &exchange_of(&key)).await, "invalid_request", "key_revoked");
        for answer in [&plain, &exchanged] {
            let told = introspect(&server, "demo-resource", text(answer, "access_token")).await;
            assert_eq!(told, json!({ "active": false }));
        }
        server.kill();
    }

    async fn a_key_dies_at_its_second_and_no_token_outlives_it(mut server: TestServer) {
        let last_day = in_days(&server, 30).await;
        let new = json!({ "name": "courte", "scopes": [READ], "ends_on": last_day });
        let issued = issue(&server, &new).await;
        let key = text(&issued, "key").to_owned();
        assert_eq!(issued["ends_on"], json!(last_day));
        let end: jiff::Timestamp = text(&issued, "expires_at").parse().unwrap();
        let before = |seconds: i64| (end - jiff::SignedDuration::from_secs(seconds)).to_string();
        server.set_clock(&json!({ "set": before(100) })).await.ok_json();
        let answer = token_with(&server, &key).await.ok_json();
        assert!(answer["expires_in"].as_u64().unwrap() <= 100, "{answer}");
        assert_eq!(jose::claims(text(&answer, "access_token"))["exp"], end.as_second());
        assert_eq!(introspect(&server, "demo-resource", &key).await["exp"], end.as_second());
        server.set_clock(&json!({ "set": before(3) })).await.ok_json();
        assert_eq!(token_with(&server, &key).await.status, 200);
        server.set_clock(&json!({ "set": end.to_string() })).await.ok_json();
        not_exchanged(&token_with(&server, &key).await, "invalid_grant", "key_expired");
        assert_eq!(introspect(&server, "demo-resource", &key).await, json!({ "active": false }));
        assert!(events(&server, &centre(&server)).await.contains(&"api_key.expired".to_owned()));
        let shown = operator(&server).await.get(&format!("{}/{}", keys_of(&centre(&server)), text(&issued, "id"))).await.done(200);
        assert_eq!(shown["status"], "expired");
        server.kill();
    }

    async fn gateways_learn_who_calls_or_why_not(mut server: TestServer) {
        let issued = issue(&server, &new_key("passerelle")).await;
        let (key, token) = (text(&issued, "key").to_owned(), vendor_token(&server).await);
        let siret = administrator(&server, "administrator").organization.unwrap().siret;
        let answer = check_with(&server, &format!("?scope={READ}&siren={}", &siret[..9]), (&key, &token)).await;
        let told = answer.ok_json();
        assert_eq!((&told["siret"], &told["client_id"]), (&json!(siret), &json!("demo-vendor")));
        assert_eq!((answer.header("x-habilis-siret"), answer.header("x-habilis-client")), (siret.as_str(), "demo-vendor"));
        assert_eq!((answer.header("x-habilis-scope"), answer.header("cache-control")), (&*format!("{READ} {WRITE}"), "no-store"));
        // A token the key was exchanged for stands for the key.
        let bound = text(&token_with(&server, &key).await.ok_json(), "access_token").to_owned();
        assert_eq!(check_with(&server, "", ("", &bound)).await.ok_json()["siret"], json!(siret));
        assert_eq!(check_with(&server, "", (&key, &bound)).await.status, 200);

        let (_, other) = other_centre(&server).await;
        let other = text(&other, "key");
        let stranger = exchange(&server, "demo-service", &[("grant_type", "client_credentials")]).await.ok_json();
        let stranger = text(&stranger, "access_token");
        let forged = format!("{key}0");
        let cases = [
            ("", "", token.as_str(), 401, "key_missing"),
            ("", &forged, &token, 401, "key_malformed"),
            ("", &key, "", 401, "vendor_missing"),
            ("", &key, "x.y.z", 401, "vendor_token_invalid"),
            ("", &key, stranger, 403, "vendor_not_allowed"),
            ("?siren=732829320", &key, &token, 403, "key_of_another_centre"),
            ("", other, &bound, 403, "key_of_another_centre"),
            ("?scope=apicfa.factures.read", &key, &token, 403, "scope_not_granted"),
            ("?siren=123", &key, &token, 400, "invalid_request"),
        ];
        for (query, key, token, status, code) in cases {
            refused(&check_with(&server, query, (key, token)).await, status, code);
        }
        let bearer = format!("Bearer {token}");
        let silent = check(&server, "", &[("X-API-KEY", &key), ("Authorization", &bearer), ("EDITEUR", "Ypareo")]).await;
        refused(&silent, 400, "software_missing");

        // As the market asks: in the query, or in the header.
        let info = |query: String, key: Option<String>| {
            let url = server.url(&format!("/v2/cfakeyinfo?{query}"));
            async move {
                let http = Http::new();
                let mut request = http.request("GET", &url);
                if let Some(key) = key {
                    request = request.header("X-API-KEY", key);
                }
                http.send(request).await
            }
        };
        let company = &siret[..9];
        let good = json!({ "status": "success", "dateFinValidite": issued["ends_on"], "comment": null });
        assert_eq!(info(format!("siren={company}&XAPIKEY={key}"), None).await.ok_json(), good);
        assert_eq!(info(format!("siren={company}"), Some(key.clone())).await.ok_json(), good);
        let cases = [
            (format!("siren={company}"), None, 403, Value::Null),
            ("siren=abc".to_owned(), Some(key.clone()), 400, Value::Null),
            ("siren=732829320".to_owned(), Some(key.clone()), 403, Value::Null),
            (format!("siren={company}&XAPIKEY=hab_demo_abc"), None, 401, Value::Null),
        ];
        for (query, header, status, date) in cases {
            let answer = info(query.clone(), header).await;
            assert_eq!((answer.status, &answer.json()["status"]), (status, &json!("error")), "{query}");
            assert_eq!(answer.json()["dateFinValidite"], date, "{query}");
        }
        revoke(&server, &issued, "unused").await;
        refused(&check_with(&server, "", (&key, &token)).await, 401, "key_revoked");
        let gone = info(String::new(), Some(key.clone())).await;
        assert_eq!((gone.status, &gone.json()["dateFinValidite"]), (401, &issued["ends_on"]));
        // Whose token was bound to it learns the same.
        refused(&check_with(&server, "", ("", &bound)).await, 401, "key_revoked");

        // What was used is told by day and software, once the jobs wrote it.
        server.advance(1).await;
        let path = format!("{}/{}", keys_of(&centre(&server)), text(&issued, "id"));
        let boss = operator(&server).await;
        assert!(boss.get(&path).await.done(200)["last_used_at"].is_string());
        let usage = boss.get(&format!("{path}/usage")).await.done(200);
        let days = usage["days"].as_array().unwrap();
        assert_eq!(days.len(), 30);
        let today = days.last().unwrap();
        assert!(today["granted"].as_u64().unwrap() >= 5 && today["refused"].as_u64().unwrap() >= 5, "{today}");
        let software = usage["software"].as_array().unwrap();
        let named = software.iter().find(|it| it["software"] == "Suivi" && it["client_id"] == "demo-vendor").unwrap();
        assert_eq!((&named["editor"], &named["version"]), (&json!("Ypareo"), &json!("7.2")));
        boss.get(&format!("{path}/usage?from=2020-01-01")).await.problem(400, "invalid_parameter");
        server.kill();
    }

    async fn a_token_obtained_for_one_api_is_refused_at_the_gateway_of_another(mut server: TestServer) {
        let issued = issue(&server, &new_key("deux interfaces")).await;
        let (key, token) = (text(&issued, "key").to_owned(), vendor_token(&server).await);
        let bound = text(&token_with(&server, &key).await.ok_json(), "access_token").to_owned();
        let (here, there) = ("https://dossiers.example/api", "https://ailleurs.example/api");
        let narrowed = vendor_token_for(&server, &[("resource", here)]).await;
        let also = vendor_token_for(&server, &[("resource", here), ("api_key", &key)]).await;
        for (query, key, token, good) in [
            (format!("?resource={here}"), key.as_str(), narrowed.as_str(), true),
            (format!("?scope={READ}&resource={here}"), "", &also, true),
            (format!("?resource={}", server.issuer), &key, &token, true),
            (format!("?resource={here}"), &key, &token, false),
            (format!("?resource={here}"), "", &bound, false),
            (format!("?resource={there}"), &key, &narrowed, false),
            (format!("?resource={there}"), "", &also, false),
            (String::new(), &key, &narrowed, false),
            (String::new(), "", &also, false),
        ] {
            let answer = check_with(&server, &query, (key, token)).await;
            if good {
                assert_eq!(answer.ok_json()["client_id"], "demo-vendor", "{query}");
            } else {
                refused(&answer, 401, "token_of_another_resource");
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{query}");
            }
        }
        for query in ["?resource=dossiers".to_owned(), format!("?resource={here}&resource={there}")] {
            refused(&check_with(&server, &query, (&key, &token)).await, 400, "invalid_request");
        }
        server.kill();
    }

    async fn what_happens_to_a_centre_and_its_people_happens_to_its_keys(mut server: TestServer) {
        let id = centre(&server);
        let (program, _) = software_of(&mut server, &id).await;
        let first = issue(&server, &new_key("une")).await;
        let key = text(&first, "key").to_owned();
        let token = vendor_token(&server).await;
        let bound = text(&token_with(&server, &key).await.ok_json(), "access_token").to_owned();
        // Suspended: nothing opens. Restored: the key does again, the tokens of before do not (R083, R084).
        server.advance(2).await;
        set_status(&server, &id, "suspended").await;
        refused(&check_with(&server, "", (&key, &token)).await, 403, "centre_inactive");
        not_exchanged(&token_with(&server, &key).await, "invalid_grant", "centre_inactive");
        assert_eq!(introspect(&server, "demo-resource", &bound).await, json!({ "active": false }));
        set_status(&server, &id, "active").await;
        assert_eq!(check_with(&server, "", (&key, &token)).await.status, 200);
        assert_eq!(introspect(&server, "demo-resource", &bound).await, json!({ "active": false }));
        refused(&check_with(&server, "", ("", &bound)).await, 401, "vendor_token_invalid");

        // The subscription ends on a day, and the keys with it (R087).
        let last_day = in_days(&server, 20).await;
        let body = json!({ "last_day": last_day });
        let path = format!("{}/last-day", keys_of(&id));
        let strong = administrator(&server, "second factor administrator");
        let person = Api::of_person(&server, &strong, ALL).await;
        person.put(&path, &body).await.problem(403, "forbidden");
        assert_eq!(operator(&server).await.put(&path, &body).await.done(200), json!({ "shortened": 1 }));
        assert_eq!(operator(&server).await.put(&path, &body).await.done(200), json!({ "shortened": 0 }));
        let shown = person.get(&format!("{}/{}", keys_of(&id), text(&first, "id"))).await.done(200);
        assert_eq!(shown["ends_on"], json!(last_day));

        // Who issued it leaves: it goes on, and those who stay are asked to replace it.
        let second = person.post(&keys_of(&id), &new_key("deuxième")).await.done(201);
        assert_eq!(second["ends_on"], json!(last_day), "one that is issued later, too");
        let me = text(&person.get("/me").await.done(200), "id").to_owned();
        let software = Api::of_program(&server, &program, ALL).await;
        assert_eq!(software.delete(&format!("/organizations/{id}/members/{me}")).await.status, 204);
        let stays = administrator(&server, "administrator").login;
        let mails = Inbox::of(&server).to(&stays).await;
        assert!(mails.iter().any(|mail| mail.subject.contains("deuxième") && mail.subject.contains("à renouveler")));
        assert_eq!(token_with(&server, text(&second, "key")).await.status, 200);
        let mine = Inbox::of(&server).to(&strong.login).await;
        assert!(!mine.iter().any(|mail| mail.subject.contains("deuxième")));

        // Their account was taken over: what they may have read is dead.
        server.advance(31).await;
        report_compromise(&server, &strong).await;
        // Read at most three seconds ago: another node's key is dead within five.
        let began = std::time::Instant::now();
        while token_with(&server, text(&second, "key")).await.status == 200 {
            assert!(began.elapsed().as_secs() < 5, "still alive after five seconds");
            tokio::task::yield_now().await;
        }
        not_exchanged(&token_with(&server, text(&second, "key")).await, "invalid_grant", "key_revoked");
        let mails = Inbox::of(&server).to(&stays).await;
        assert!(mails.iter().any(|mail| mail.subject.contains("deuxième") && mail.subject.contains("révoquée")));

        // Reported: dead at once. Terminated: all are.
        let third = issue(&server, &new_key("troisième")).await;
        assert_eq!(revoke(&server, &third, "compromised").await["revoked_reason"], "compromised");
        not_exchanged(&token_with(&server, text(&third, "key")).await, "invalid_grant", "key_revoked");
        set_status(&server, &id, "terminated").await;
        not_exchanged(&token_with(&server, &key).await, "invalid_grant", "key_revoked");
        server.kill();
    }

    async fn keys_live_and_end_with_the_subscription_of_their_centre(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        product(&boss, "cles").await;
        let (id, first) = other_centre(&server).await;
        let (keys, key) = (keys_of(&id), text(&first, "key").to_owned());
        let last_day = in_days(&server, 100).await;
        let form = json!({
            "number": "BC-CLES", "product": "cles", "seats": 3, "effect_on": in_days(&server, 0).await, "last_day": last_day, "renewal": "none",
            "administrator": { "email": "bc-cles@client.example", "given_name": "Anne", "family_name": "Prévost" },
        });
        let order = boss.post(&format!("/organizations/{id}/orders"), &form).await.done(201)["id"].as_str().unwrap().to_owned();
        let take = async |boss: &Api, name: &str| step(boss, &id, &order, json!({ "step": name })).await.done(200);
        let ends_on = async |boss: &Api| boss.get(&format!("{keys}/{}", text(&first, "id"))).await.done(200)["ends_on"].clone();
        assert!(text(&first, "ends_on") > last_day.as_str());
        take(&boss, "acknowledged").await;
        assert_eq!(ends_on(&boss).await, first["ends_on"], "not signed: no subscription");
        // The last day is known from the signature on, and the key says so (R087).
        take(&boss, "signed").await;
        assert_eq!(ends_on(&boss).await, json!(last_day));
        let mut late = new_key("tardive");
        late["ends_on"] = json!(in_days(&server, 101).await);
        assert_eq!(boss.post(&keys, &late).await.problem(422, "invalid_fields")["errors"][0]["pointer"], "/ends_on");

        // Suspended, the only order: nothing opens. Reinstated: the key does again, tokens of before do not (R083).
        let bound = text(&token_with(&server, &key).await.ok_json(), "access_token").to_owned();
        server.advance(2).await;
        let status = format!("/organizations/{id}/orders/{order}/status");
        let suspended = json!({ "status": "suspended", "reason": "signalement", "breach": "usage interdit", "remedy": "cesser" });
        boss.put(&status, &suspended).await.done(200);
        refused(&check_with(&server, "", (&key, &vendor_token(&server).await)).await, 403, "centre_inactive");
        assert_eq!(introspect(&server, "demo-resource", &bound).await, json!({ "active": false }));
        boss.post(&keys, &new_key("suspendue")).await.problem(403, "organization_not_active");
        boss.put(&status, &json!({ "status": "active", "reason": "cessé" })).await.done(200);
        assert_eq!(check_with(&server, "", (&key, &vendor_token(&server).await)).await.status, 200);
        assert_eq!(introspect(&server, "demo-resource", &bound).await, json!({ "active": false }));

        // Interrupted for an unpaid invoice, then paid: as before (R074).
        take(&boss, "unpaid").await;
        server.advance(15 * DAY).await;
        assert_eq!(check_with(&server, "", (&key, &vendor_token(&server).await)).await.status, 200);
        server.advance(DAY).await;
        refused(&check_with(&server, "", (&key, &vendor_token(&server).await)).await, 403, "centre_inactive");
        let boss = operator(&server).await;
        boss.post(&keys, &new_key("impayée")).await.problem(403, "organization_not_active");
        take(&boss, "paid").await;
        assert_eq!(check_with(&server, "", (&key, &vendor_token(&server).await)).await.status, 200);
        assert_eq!(ends_on(&boss).await, json!(last_day));

        // Unpaid again when it ends: it ends all the same, and nothing is issued afterwards.
        take(&boss, "unpaid").await;
        server.advance(84 * DAY).await;
        refused(&check_with(&server, "", (&key, &vendor_token(&server).await)).await, 403, "centre_inactive");
        server.advance(DAY).await;
        refused(&check_with(&server, "", (&key, &vendor_token(&server).await)).await, 401, "key_expired");
        let boss = operator(&server).await;
        boss.post(&keys, &new_key("finie")).await.problem(403, "organization_not_active");
        assert!(!events(&server, &id).await.iter().any(|event| event == "api_key.revoked"));
        server.kill();
    }

    async fn a_last_day_that_was_said_leaves_alone_what_is_signed_afterwards(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        product(&boss, "cles").await;
        let (id, first) = other_centre(&server).await;
        let keys = keys_of(&id);
        let sign = async |boss: &Api, number: &str, day: &str| {
            let form = json!({
                "number": number, "product": "cles", "seats": 3, "effect_on": day,
                "administrator": { "email": "bc-dit@client.example", "given_name": "Anne", "family_name": "Prévost" },
            });
            let order = boss.post(&format!("/organizations/{id}/orders"), &form).await.done(201)["id"].as_str().unwrap().to_owned();
            for name in ["acknowledged", "signed"] {
                step(boss, &id, &order, json!({ "step": name })).await.done(200);
            }
        };
        sign(&boss, "BC-DIT-1", &in_days(&server, 0).await).await;
        server.advance(60).await;
        let said = in_days(&server, 5).await;
        assert_eq!(boss.put(&format!("{keys}/last-day"), &json!({ "last_day": said })).await.done(200), json!({ "shortened": 1 }));
        server.advance(DAY).await;
        let boss = operator(&server).await;
        // Signed after it was said: what is issued lives as long as any key, what was shortened stays so.
        sign(&boss, "BC-DIT-2", &in_days(&server, 0).await).await;
        let second = boss.post(&keys, &new_key("suivante")).await.done(201);
        assert!(text(&second, "ends_on") > said.as_str(), "{second}");
        let shown = boss.get(&format!("{keys}/{}", text(&first, "id"))).await.done(200);
        assert_eq!(shown["ends_on"], json!(said));
        server.advance(6 * DAY).await;
        refused(&check_with(&server, "", (text(&first, "key"), &vendor_token(&server).await)).await, 401, "key_expired");
        assert_eq!(check_with(&server, "", (text(&second, "key"), &vendor_token(&server).await)).await.status, 200);
        operator(&server).await.post(&keys, &new_key("encore")).await.done(201);
        server.kill();
    }

    async fn an_order_terminated_for_a_breach_takes_the_keys_with_it(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        product(&boss, "cles").await;
        let (id, first) = other_centre(&server).await;
        let (keys, key) = (keys_of(&id), text(&first, "key").to_owned());
        let mut orders = Vec::new();
        for number in ["BC-RES-1", "BC-RES-2"] {
            let form = json!({
                "number": number, "product": "cles", "seats": 3, "effect_on": in_days(&server, 0).await,
                "administrator": { "email": "bc-res@client.example", "given_name": "Anne", "family_name": "Prévost" },
            });
            let order = boss.post(&format!("/organizations/{id}/orders"), &form).await.done(201)["id"].as_str().unwrap().to_owned();
            for name in ["acknowledged", "signed"] {
                step(&boss, &id, &order, json!({ "step": name })).await.done(200);
            }
            orders.push(order);
        }
        let ends_on = async |boss: &Api| boss.get(&format!("{keys}/{}", text(&first, "id"))).await.done(200)["ends_on"].clone();
        let terminated = json!({ "status": "terminated", "reason": "récidive", "breach": "usage interdit", "irreparable": "faux documents" });
        // One of two: the centre goes on, and so does its key.
        boss.put(&format!("/organizations/{id}/orders/{}/status", orders[0]), &terminated).await.done(200);
        assert_eq!(check_with(&server, "", (&key, &vendor_token(&server).await)).await.status, 200);
        assert_eq!(ends_on(&boss).await, first["ends_on"]);
        // The last one: dead at once, and for good.
        boss.put(&format!("/organizations/{id}/orders/{}/status", orders[1]), &terminated).await.done(200);
        refused(&check_with(&server, "", (&key, &vendor_token(&server).await)).await, 403, "centre_inactive");
        assert_eq!(ends_on(&boss).await, json!(in_days(&server, 0).await));
        boss.post(&keys, &new_key("résiliée")).await.problem(403, "organization_not_active");
        server.advance(DAY).await;
        refused(&check_with(&server, "", (&key, &vendor_token(&server).await)).await, 401, "key_expired");
        operator(&server).await.post(&keys, &new_key("résiliée")).await.problem(403, "organization_not_active");
        server.kill();
    }

    async fn a_vendor_who_may_no_longer_use_keys_loses_every_token_obtained_with_one(mut server: TestServer) {
        let issued = issue(&server, &new_key("éditeur")).await;
        let (key, token) = (text(&issued, "key").to_owned(), vendor_token(&server).await);
        let bound = text(&token_with(&server, &key).await.ok_json(), "access_token").to_owned();
        assert_eq!(introspect(&server, "demo-resource", &bound).await["active"], true);
        // The server has both in its memory, as fresh as can be.
        assert_eq!(check_with(&server, "", (&key, &token)).await.status, 200);
        assert_eq!(check_with(&server, "", ("", &bound)).await.status, 200);
        server.manage(&["client", "update", "demo-vendor", "--api-keys", "false"]).await.printed();
        refused_within_five_seconds(&server, [(&key, &token), ("", &bound)]).await;
        not_exchanged(&token_with(&server, &key).await, "unauthorized_client", "vendor_not_allowed");
        refused(&check_with(&server, "", (&key, &token)).await, 403, "vendor_not_allowed");
        refused(&check_with(&server, "", ("", &bound)).await, 401, "vendor_token_invalid");
        // The key itself goes on: another vendor may use it.
        assert_eq!(introspect(&server, "demo-resource", &key).await["active"], true);
        server.kill();
    }

    async fn uses_that_were_counted_are_written_when_the_server_stops(mut server: TestServer) {
        let issued = issue(&server, &new_key("arrêt")).await;
        let (key, token) = (text(&issued, "key").to_owned(), vendor_token(&server).await);
        for _ in 0..25 {
            assert_eq!(check_with(&server, "", (&key, &token)).await.status, 200);
        }
        let status = server.terminate(std::time::Duration::from_secs(15)).await.expect("it stops within seconds");
        assert!(status.success(), "{status}");
        server.restart().await;
        let path = format!("{}/{}/usage", keys_of(&centre(&server)), text(&issued, "id"));
        let usage = operator(&server).await.get(&path).await.done(200);
        assert_eq!(usage["days"].as_array().unwrap().last().unwrap()["granted"], 25, "{usage}");
        server.kill();
    }

    async fn administrators_are_reminded_sixty_thirty_seven_and_one_days_before(mut server: TestServer) {
        let issued = issue(&server, &new_key("Relances")).await;
        let end: jiff::Timestamp = text(&issued, "expires_at").parse().unwrap();
        let people = ["administrator", "second factor administrator"].map(|kind| administrator(&server, kind).login);
        let mut expected = 0;
        for (days, sends) in [(61, 0), (60, 1), (45, 0), (30, 1), (8, 0), (7, 1), (1, 1)] {
            // An hour of summer or winter time either way.
            let at = end - jiff::SignedDuration::from_hours(24 * days) + jiff::SignedDuration::from_hours(2);
            server.set_clock(&json!({ "set": at.to_string() })).await.ok_json();
            // A second run says nothing again.
            server.advance(60).await;
            expected += sends;
            for person in &people {
                let mails = Inbox::of(&server).to(person).await;
                let found: Vec<_> = mails.iter().filter(|mail| mail.subject.contains("Relances")).collect();
                assert_eq!(found.len(), expected, "{person} {days} days before");
            }
        }
        server.kill();
    }

    async fn no_usable_key_is_in_the_database_or_the_log(mut server: TestServer) {
        let body = new_key("secrète");
        let boss = operator(&server).await;
        let request = boss.request("POST", &keys_of(&centre(&server))).header("idempotency-key", "secret-1").json(&body);
        let issued = boss.send(request).await.done(201);
        let key = text(&issued, "key").to_owned();
        let token = vendor_token(&server).await;
        token_with(&server, &key).await.ok_json();
        check_with(&server, "", (&key, &token)).await.ok_json();
        Http::new().get(&server.url(&format!("/v2/cfakeyinfo?XAPIKEY={key}"))).await.ok_json();
        Http::new().get(&server.url(&format!("/nulle-part?XAPIKEY={key}"))).await;
        introspect(&server, "demo-resource", &key).await;
        server.advance(1).await;
        let secret = key.split('_').nth(3).unwrap();
        assert_eq!(secret.len(), 40);
        let dump = Dump::of(&server);
        assert!(dump.holds(text(&issued, "handle")), "the dump is one of this database");
        assert!(!dump.holds(&key) && !dump.holds(secret));
        for log in [server.log(), server.printed()] {
            assert!(!log.contains(&key) && !log.contains(secret), "a key in the log");
        }
        assert!(server.log().contains("/v2/cfakeyinfo"), "the log is that of these requests");
        server.kill();
    }
}

/// A key that is well-formed and that nobody has: another secret under the name of a key.
pub(crate) fn forged(key: &str, number: u32) -> String {
    let (body, _) = key.rsplit_once('_').unwrap();
    let (handle, secret) = body.rsplit_once('_').unwrap();
    let body = format!("{handle}_{number:05}{}", &secret[5..]);
    format!("{body}_{}", checksum(&body))
}

/// A key that is well-formed under a name that nobody has.
pub(crate) fn renamed(key: &str, number: u32) -> String {
    let (body, _) = key.rsplit_once('_').unwrap();
    let (handle, secret) = body.rsplit_once('_').unwrap();
    let (environment, _) = handle.rsplit_once('_').unwrap();
    let body = format!("{environment}_{number:08}_{secret}");
    format!("{body}_{}", checksum(&body))
}

/// CRC-32 in base62, written a second time from its definition.
fn checksum(body: &str) -> String {
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
        }
    }
    let digits: Vec<char> = ('0'..='9').chain('A'..='Z').chain('a'..='z').collect();
    let digit = |power: u32| digits[usize::try_from(!crc / 62_u32.pow(power) % 62).unwrap()];
    (0..6).rev().map(digit).collect()
}

on_both_engines! { guesses_are_limited_by_network_and_say_nothing }

async fn guesses_are_limited_by_network_and_say_nothing(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "api_keys.unknown_per_network_per_minute=20"]).await;
    let issued = issue(&server, &new_key("cible")).await;
    let (key, token) = (text(&issued, "key").to_owned(), vendor_token(&server).await);
    let there = Http::new();
    let from_there = async |key: &str| {
        let headers = [("EDITEUR", "e"), ("LOGICIEL", "l"), ("VERSION", "v"), ("X-API-KEY", key)];
        check_from(&there, (&server, ""), &headers).await
    };
    assert_eq!(
        limited(async |number| from_there(&forged(&key, number)).await).await,
        20,
        "so many guesses and no more"
    );
    // The right one says nothing either, for a minute, from there; elsewhere it works.
    let held = from_there(&key).await;
    refused(&held, 429, "too_many_attempts");
    assert_eq!(held.header("retry-after"), "60");
    let info = there.request("GET", &server.url("/v2/cfakeyinfo")).header("X-API-KEY", &key);
    assert_eq!(there.send(info).await.status, 429);
    assert_eq!(check_with(&server, "", (&key, &token)).await.status, 200);
    // A vendor who proved itself is somebody else than its network, at the check and at the exchange.
    let bearer = format!("Bearer {token}");
    let headers =
        [("EDITEUR", "e"), ("LOGICIEL", "l"), ("VERSION", "v"), ("Authorization", &bearer), ("X-API-KEY", &key)];
    assert_eq!(check_from(&there, (&server, ""), &headers).await.status, 200);
    let proof = Proof::of(server.client("demo-vendor"), &server).await;
    let form = [("grant_type", "client_credentials"), ("api_key", key.as_str())];
    post_token(&there, &server, &proof, &form).await.ok_json();
    server.kill();
}

/// Makes 40 guesses. Gives how many were looked at before the others had to wait.
async fn limited(guess: impl AsyncFn(u32) -> Answer) -> usize {
    let mut unknown = 0;
    for number in 0..40 {
        let answer = guess(number).await;
        match answer.status {
            401 => refused(&answer, 401, "key_unknown"),
            _ => refused(&answer, 429, "too_many_attempts"),
        }
        unknown += usize::from(answer.status == 401);
    }
    unknown
}

on_both_engines! { a_centre_that_guesses_shuts_out_no_other_of_its_vendor }

async fn a_centre_that_guesses_shuts_out_no_other_of_its_vendor(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "api_keys.unknown_per_network_per_minute=20"]).await;
    let issued = issue(&server, &new_key("première")).await;
    let (_, other) = other_centre(&server).await;
    let (key, other) = (text(&issued, "key").to_owned(), text(&other, "key").to_owned());
    let token = vendor_token(&server).await;
    // Wrong keys under the name of one: those wait, and nothing else does.
    assert_eq!(limited(async |number| check_with(&server, "", (&forged(&key, number), &token)).await).await, 20);
    for good in [&key, &other] {
        assert_eq!(check_with(&server, "", (good, &token)).await.status, 200);
        assert_eq!(token_with(&server, good).await.status, 200);
    }
    refused(&check_with(&server, "", (&forged(&other, 0), &token)).await, 401, "key_unknown");
    not_exchanged(&token_with(&server, &forged(&key, 41)).await, "invalid_grant", "too_many_attempts");
    // Names that nobody has are counted together.
    let nobody = async |number: u32| check_with(&server, "", (&renamed(&key, number), &token)).await;
    assert_eq!(limited(nobody).await, 20);
    assert_eq!(check_with(&server, "", (&other, &token)).await.status, 200);
    server.kill();
}

on_both_engines! { a_centre_may_come_alone_where_the_operator_lets_it }

async fn a_centre_may_come_alone_where_the_operator_lets_it(engine: Engine) {
    let options = [
        "--set",
        "api_keys.vendor_required=false",
        "--set",
        "api_keys.software_required=false",
        "--set",
        "server.trusted_proxies=127.0.0.1",
    ];
    let mut server = TestServer::own_with(engine, &options).await;
    let new = json!({ "name": "seul", "scopes": [READ], "networks": ["198.51.100.0/24"] });
    let issued = issue(&server, &new).await;
    let key = text(&issued, "key");
    let from = |address: &'static str| [("X-API-KEY", key), ("X-Forwarded-For", address)];
    let http = Http::from_address(std::net::Ipv4Addr::LOCALHOST);
    let known = check_from(&http, (&server, ""), &from("198.51.100.7")).await;
    assert_eq!(known.ok_json()["client_id"], Value::Null);
    refused(&check_from(&http, (&server, ""), &from("203.0.113.7")).await, 403, "address_not_allowed");
    // Who is no proxy of ours cannot say that he comes from there.
    refused(&check(&server, "", &from("198.51.100.7")).await, 403, "address_not_allowed");
    let form = [("grant_type", "client_credentials"), ("api_key", key)];
    let alone = async |address: &str| {
        let request = http.request("POST", &server.url("/token")).header("X-Forwarded-For", address).form(&form);
        http.send(request).await
    };
    not_exchanged(&alone("203.0.113.7").await, "invalid_grant", "address_not_allowed");
    let answer = alone("198.51.100.7").await.ok_json();
    let claims = jose::claims(text(&answer, "access_token"));
    assert!(claims.get("azp").is_none() && claims["client_id"] == issued["id"], "{claims}");
    assert_eq!(introspect(&server, "demo-resource", text(&answer, "access_token")).await["active"], true);
    assert_eq!(introspect(&server, "demo-resource", key).await["networks"], json!(["198.51.100.0/24"]));
    // To clients that are no resource servers a key is nothing.
    assert_eq!(introspect(&server, "demo-vendor", key).await, json!({ "active": false }));
    server.kill();
}

/// Two nodes on one database: what one revokes, the other refuses within five seconds.
#[tokio::test]
async fn a_revocation_reaches_every_node_within_five_seconds() {
    let url = database::create();
    let options = || vec!["--database".to_owned(), url.clone()];
    let mut one = TestServer::start_on(Engine::Postgres, options()).await.unwrap();
    let issued = issue(&one, &new_key("deux nœuds")).await;
    let key = text(&issued, "key").to_owned();
    // The other node has a master key of its own folder, which must be the same.
    let mut other = TestServer::beside(&one).await.unwrap();
    let token = vendor_token(&other).await;
    let bound = text(&token_with(&other, &key).await.ok_json(), "access_token").to_owned();
    assert_eq!(check_with(&other, "", (&key, &token)).await.status, 200);
    assert_eq!(check_with(&other, "", ("", &bound)).await.status, 200);
    revoke(&one, &issued, "replaced").await;
    let revoked = std::time::Instant::now();
    let mut last = std::time::Duration::ZERO;
    for (key, token) in [(key.as_str(), token.as_str()), ("", bound.as_str())] {
        while check_with(&other, "", (key, token)).await.status == 200 {
            last = revoked.elapsed();
            assert!(last.as_secs() < 5, "still alive after five seconds");
            tokio::task::yield_now().await;
        }
    }
    not_exchanged(&token_with(&other, &key).await, "invalid_grant", "key_revoked");
    assert_eq!(introspect(&other, "demo-resource", &bound).await, json!({ "active": false }));
    assert!(last.as_secs() < 5);
    one.kill();
    other.kill();
}

/// Two nodes on one database: a vendor that one node lets go no further, the other refuses within five seconds.
#[tokio::test]
async fn a_vendors_end_reaches_every_node_within_five_seconds() {
    let url = database::create();
    let mut one = TestServer::start_on(Engine::Postgres, vec!["--database".to_owned(), url]).await.unwrap();
    let issued = issue(&one, &new_key("éditeur de deux nœuds")).await;
    let key = text(&issued, "key").to_owned();
    let mut other = TestServer::beside(&one).await.unwrap();
    let (boss, token) = (operator(&one).await, vendor_token(&one).await);
    let bound = text(&token_with(&one, &key).await.ok_json(), "access_token").to_owned();
    let pairs = [(key.as_str(), token.as_str()), ("", bound.as_str())];
    let closed = json!({
        "status": "suspended", "reason": "essai", "breach": "Convention.", "remedy": "Régulariser.",
        "banner": { "fr": "Fermé.", "en": "Closed." },
    });
    // The other node hears of the vendor with these checks first: it remembers token and client from the same moment on.
    for node in [&one, &other] {
        for presented in pairs {
            assert_eq!(check_with(node, "", presented).await.status, 200);
        }
    }
    boss.put("/portals/demo-vendor/status", &closed).await.done(200);
    refused_within_five_seconds(&other, pairs).await;
    for presented in pairs {
        refused(&check_with(&one, "", presented).await, 401, "vendor_token_invalid");
        refused(&check_with(&other, "", presented).await, 401, "vendor_token_invalid");
    }
    one.kill();
    other.kill();
}
