//! Resource indicators: tokens for one resource and no other. RFC 8707.

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::fapi::{self, object_claims, with_object};
use habilis_integration_tests::jose::{self, SigningKey};
use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Proof, Tokens, client_key, code_for, post_as, post_token,
    userinfo,
};
use habilis_integration_tests::server::run_in;
use habilis_integration_tests::{Answer, Api, Browser, Client, Http, TestServer, Visit};
use serde_json::{Value, json};

use crate::api::{all, of_kind, operator};

/// What the demo knows of resources.
const DOSSIERS: &str = "https://dossiers.example/api";
const AGENDA: &str = "urn:example:agenda";
const SCOPE: &str = "openid organization apicfa.dossiers.read";

fn client(server: &TestServer) -> &Client {
    server.client("demo-jwt")
}

/// A request for these resources.
fn request(server: &TestServer, resources: &[&str]) -> AuthorizationRequest {
    let mut request = AuthorizationRequest::of(client(server)).with("scope", SCOPE);
    for resource in resources {
        request = request.adding("resource", resource);
    }
    request
}

async fn redeem(server: &TestServer, code: &Code, resources: &[&str]) -> Answer {
    let proof = Proof::of(client(server), server).await;
    let mut parameters = code.parameters();
    parameters.extend(resources.iter().map(|resource| ("resource", *resource)));
    post_token(&Http::new(), server, &proof, &parameters).await
}

async fn refresh(server: &TestServer, refresh_token: &str, more: &[(&str, &str)]) -> Answer {
    let proof = Proof::of(client(server), server).await;
    let parameters = [&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)], more].concat();
    post_token(&Http::new(), server, &proof, &parameters).await
}

async fn tokens(server: &TestServer, resources: &[&str], at_token: &[&str]) -> Tokens {
    let code = code_for(server, &request(server, resources), server.learner()).await;
    Tokens::from(&redeem(server, &code, at_token).await)
}

/// Audience and scope of an access token; the scope is told with the token as well.
#[track_caller]
fn reach(tokens: &Tokens) -> (String, String) {
    let claims = jose::claims(tokens.access_token());
    assert_eq!(claims["scope"], tokens.response["scope"]);
    let text = |name: &str| claims[name].as_str().unwrap_or_else(|| panic!("{name} in {claims}")).to_owned();
    (text("aud"), text("scope"))
}

fn at(audience: &str, scope: &str) -> (String, String) {
    (audience.to_owned(), scope.to_owned())
}

async fn introspect(server: &TestServer, client_id: &str, token: &str) -> Value {
    post_as(server, server.client(client_id), ("/introspect", &[("token", token)])).await.ok_json()
}

async fn refused(server: &TestServer, request: &AuthorizationRequest, error: &str) {
    match Browser::new().get(&request.url(server)).await {
        Visit::Left(url) => AuthorizationResponse::from_url(url).assert_error(error, request, server),
        Visit::Page(page) => panic!("a page: {}", page.summary()),
    }
}

journeys! {
    async fn a_token_is_for_the_resource_that_was_named_with_what_means_something_there(server: &TestServer) {
        let tokens = tokens(server, &[DOSSIERS], &[]).await;
        assert_eq!(reach(&tokens), at(DOSSIERS, "apicfa.dossiers.read"));
        // The person signed in all the same.
        assert_eq!(tokens.id_claims()["aud"], "demo-jwt");
        assert_eq!(jose::header(tokens.access_token())["typ"], "at+jwt");
    }

    async fn without_a_resource_nothing_changes(server: &TestServer) {
        assert_eq!(reach(&tokens(server, &[], &[]).await), at(&server.issuer, SCOPE_IN_ORDER));
        assert_eq!(reach(&tokens(server, &[], &[&server.issuer]).await), at(&server.issuer, SCOPE_IN_ORDER));
        let code = code_for(server, &request(server, &[]), server.learner()).await;
        redeem(server, &code, &[DOSSIERS]).await.assert_oauth_error(400, "invalid_target");
        Tokens::from(&redeem(server, &code, &[]).await);
    }

    async fn a_token_for_a_resource_opens_nothing_here_and_is_told_to_its_resource_alone(server: &TestServer) {
        let (dossiers, agenda) = (tokens(server, &[DOSSIERS], &[]).await, tokens(server, &[AGENDA], &[]).await);
        let found = introspect(server, "demo-resource", dossiers.access_token()).await;
        assert_eq!((&found["active"], &found["aud"], &found["scope"]), (&json!(true), &json!(DOSSIERS), &json!("apicfa.dossiers.read")));
        assert_eq!(introspect(server, "demo-resource", agenda.access_token()).await, json!({ "active": false }));
        assert_eq!(introspect(server, "demo-portal", dossiers.access_token()).await, json!({ "active": false }));
        assert_eq!(introspect(server, "demo-jwt", agenda.access_token()).await["aud"], AGENDA);
        for token in [&dossiers, &agenda] {
            assert_eq!(userinfo(server, token.access_token()).await.status, 401);
        }
    }

    async fn of_several_resources_each_token_request_names_one(server: &TestServer) {
        let code = code_for(server, &request(server, &[DOSSIERS, AGENDA, DOSSIERS]), server.learner()).await;
        for wrong in [&[][..], &[DOSSIERS, AGENDA], &["urn:example:other"], &["not a URI"], &["https://dossiers.example/api#f"]] {
            redeem(server, &code, wrong).await.assert_oauth_error(400, "invalid_target");
        }
        let first = Tokens::from(&redeem(server, &code, &[AGENDA]).await);
        assert_eq!(reach(&first), at(AGENDA, "apicfa.dossiers.read organization"));
        let other = refresh(server, first.refresh_token(), &[("resource", DOSSIERS)]).await;
        assert_eq!(reach(&Tokens::from(&other)), at(DOSSIERS, "apicfa.dossiers.read"));
        // The person's identity is always to be had here.
        let here = Tokens::from(&refresh(server, first.refresh_token(), &[("resource", &server.issuer)]).await);
        assert_eq!(reach(&here), at(&server.issuer, "openid organization"));
        assert_eq!(userinfo(server, here.access_token()).await.ok_json()["sub"], first.id_claims()["sub"]);
    }

    async fn refreshing_narrows_and_never_widens(server: &TestServer) {
        let first = tokens(server, &[AGENDA], &[]).await;
        let narrower = refresh(server, first.refresh_token(), &[("scope", "organization")]).await;
        assert_eq!(reach(&Tokens::from(&narrower)), at(AGENDA, "organization"));
        let refusals = [
            ([("resource", DOSSIERS), ("scope", "openid")], "invalid_target"),
            ([("resource", AGENDA), ("scope", "openid")], "invalid_scope"),
            ([("resource", AGENDA), ("scope", "apicfa.dossiers.write")], "invalid_scope"),
            ([("resource", server.issuer.as_str()), ("scope", "organization")], "invalid_target"),
        ];
        for (more, error) in refusals {
            refresh(server, first.refresh_token(), &more).await.assert_oauth_error(400, error);
        }
        assert_eq!(reach(&Tokens::from(&refresh(server, first.refresh_token(), &[]).await)).0, AGENDA);
    }

    async fn what_is_no_known_resource_is_invalid_target(server: &TestServer) {
        let nine: Vec<String> = (0..9).map(|n| format!("urn:example:{n}")).collect();
        let nine: Vec<&str> = nine.iter().map(String::as_str).collect();
        for wrong in [&["https://unknown.example/"][..], &["relative"], &["https://dossiers.example/api#f"], &["https://dossiers.example/api/"], &nine] {
            refused(server, &request(server, wrong), "invalid_target").await;
        }
        refused(server, &request(server, &[DOSSIERS, "urn:example:unknown"]), "invalid_target").await;
        // Known, but nothing of what is asked means anything there.
        refused(server, &request(server, &[DOSSIERS]).with("scope", "openid"), "invalid_scope").await;
    }

    async fn a_service_asks_for_a_token_for_one_resource(server: &TestServer) {
        let service = server.client("demo-service");
        let ask = async |more: &[(&str, &str)]| {
            let parameters = [&[("grant_type", "client_credentials")], more].concat();
            post_token(&Http::new(), server, &Proof::of(service, server).await, &parameters).await
        };
        assert_eq!(reach(&Tokens::from(&ask(&[]).await)).0, server.issuer);
        assert_eq!(
            reach(&Tokens::from(&ask(&[("resource", DOSSIERS)]).await)),
            at(DOSSIERS, "apicfa.dossiers.read apicfa.dossiers.write"),
        );
        let narrower = ask(&[("resource", AGENDA)]).await;
        assert_eq!(reach(&Tokens::from(&narrower)), at(AGENDA, "apicfa.dossiers.read"));
        ask(&[("resource", AGENDA), ("scope", "apicfa.dossiers.write")]).await.assert_oauth_error(400, "invalid_scope");
        for wrong in ["https://unknown.example/", "relative"] {
            ask(&[("resource", wrong)]).await.assert_oauth_error(400, "invalid_target");
        }
        ask(&[("resource", AGENDA), ("resource", DOSSIERS)]).await.assert_oauth_error(400, "invalid_target");
    }

    async fn pushed_and_signed_requests_name_resources_alike(server: &TestServer) {
        let pushed = fapi::code_for(server, &request(server, &[DOSSIERS]), server.learner()).await;
        assert_eq!(reach(&Tokens::from(&redeem(server, &pushed, &[]).await)).0, DOSSIERS);
        fapi::push(server, &request(server, &["urn:example:unknown"]), &[]).await.assert_oauth_error(400, "invalid_target");

        let plain = request(server, &[]);
        let key: SigningKey = client_key(client(server));
        for (resource, redeemed) in [(json!(DOSSIERS), DOSSIERS), (json!([DOSSIERS, AGENDA]), AGENDA)] {
            let mut claims = object_claims(server, &plain, server.now().await.as_second());
            claims["resource"] = resource;
            let object = with_object(&plain, &key.sign_with(&json!({ "typ": "oauth-authz-req+jwt" }), &claims));
            let response = Browser::new().authorize(server, &object, server.learner()).await;
            let tokens = Tokens::from(&redeem(server, &Code::from(&plain, &response), &[redeemed]).await);
            assert_eq!(reach(&tokens).0, redeemed);
        }
    }

    async fn devices_get_tokens_for_this_server_alone(server: &TestServer) {
        let metadata = json!({
            "redirect_uris": [], "response_types": [], "token_endpoint_auth_method": "none",
            "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"],
        });
        let device = super::registration::client(&super::registration::registered(
            &super::registration::register(server, &metadata).await,
        ));
        let ask = async |more: &[(&str, &str)]| post_as(server, &device, ("/device_authorization", more)).await;
        ask(&[("scope", "openid"), ("resource", DOSSIERS)]).await.assert_oauth_error(400, "invalid_target");
        assert!(ask(&[("scope", "openid")]).await.ok_json()["device_code"].is_string());
    }

    async fn a_posted_request_keeps_its_resources_on_the_way(server: &TestServer) {
        let request = request(server, &[DOSSIERS, AGENDA]);
        let http = Http::new();
        let posted = http.send(http.request("POST", &server.url("/authorize")).form(&request.parameters)).await;
        let mut browser = Browser::new();
        let visit = browser.get(&server.url(posted.header("location"))).await;
        let response = browser.finish(visit, server.learner()).await;
        let tokens = Tokens::from(&redeem(server, &Code::from(&request, &response), &[AGENDA]).await);
        assert_eq!(reach(&tokens).0, AGENDA);
    }
}

own_journeys! {
    async fn the_operator_makes_resources_known_changes_them_and_forgets_them(mut server: TestServer) {
        const PLANNING: &str = "https://planning.example/api";
        let api = Api::of_person(&server, &of_kind(&server, "second factor operator"), ALL).await;
        let new = json!({ "uri": PLANNING, "scope": "b apicfa.dossiers.read", "server": "demo-resource" });
        let request = || api.request("POST", "/resources").header("idempotency-key", "resource-1").json(&new);
        let made = api.send(request()).await;
        let shown = made.done(201);
        let one = format!("/resources/{}", shown["id"].as_str().unwrap());
        assert!(one.starts_with("/resources/rsc_"), "{one}");
        assert_eq!((made.header("location"), &shown["scope"]), (format!("/api/v1{one}").as_str(), &json!("apicfa.dossiers.read b")));
        let again = api.send(request()).await;
        assert_eq!((again.header("idempotency-replayed"), again.done(201)), ("true", shown.clone()));
        let read = api.get(&one).await;
        assert_eq!((read.header("etag"), read.done(200)), (made.header("etag"), shown));
        let listed = all(&api, "/resources").await;
        assert!(listed.len() == 3 && listed.iter().all(|it| it["id"].as_str().unwrap().starts_with("rsc_")), "{listed:?}");
        let page = api.get("/resources?limit=2").await.done(200);
        let rest = api.get(&format!("/resources?limit=2&cursor={}", page["next"].as_str().unwrap())).await.done(200);
        assert_eq!((rest["items"].as_array().unwrap().len(), rest.get("next")), (1, None));

        api.post("/resources", &new).await.problem(409, "conflict");
        for (body, pointer) in [
            (json!({ "uri": "relative", "scope": "a" }), "/uri"),
            (json!({ "uri": "https://a.example/#f", "scope": "a" }), "/uri"),
            (json!({ "uri": server.issuer, "scope": "a" }), "/uri"),
            (json!({ "uri": "urn:x:a", "scope": " " }), "/scope"),
            (json!({ "uri": "urn:x:a", "scope": "a", "server": "nobody" }), "/server"),
        ] {
            let refused = api.post("/resources", &body).await.problem(422, "invalid_fields");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
        }

        // A token for it is told to its server, as long as that is its server.
        let service = server.client("demo-service");
        let ask = async || {
            let parameters = [("grant_type", "client_credentials"), ("resource", PLANNING)];
            post_token(&Http::new(), &server, &Proof::of(service, &server).await, &parameters).await
        };
        let token = Tokens::from(&ask().await);
        assert_eq!(reach(&token), at(PLANNING, "apicfa.dossiers.read"));
        let active = async || introspect(&server, "demo-resource", token.access_token()).await["active"] == true;
        let own = async || introspect(&server, "demo-service", token.access_token()).await;
        assert!(active().await && own().await["aud"] == PLANNING);
        api.send(api.request("PATCH", &one).json(&json!({}))).await.problem(428, "precondition_required");
        let nobody = api.patch(&one, made.header("etag"), &json!({ "server": null })).await;
        assert_eq!(nobody.done(200)["server"], Value::Null);
        assert!(!active().await && own().await["active"] == true);
        api.patch(&one, made.header("etag"), &json!({ "scope": "c" })).await.problem(412, "version_mismatch");
        let back = api.patch(&one, nobody.header("etag"), &json!({ "server": "demo-resource" })).await;
        assert_eq!(back.done(200)["scope"], "apicfa.dossiers.read b", "what is not named stays");
        assert!(active().await);

        // Forgotten: nothing more is issued, and nothing is known of what was.
        let remove = |etag: &str, key: &str| api.request("DELETE", &one).header("if-match", etag).header("idempotency-key", key);
        api.send(remove(nobody.header("etag"), "remove-1")).await.problem(412, "version_mismatch");
        for replayed in [false, true] {
            let removed = api.send(remove(back.header("etag"), "remove-2")).await;
            assert_eq!((removed.status, removed.headers.contains_key("idempotency-replayed")), (204, replayed));
        }
        assert!(!active().await);
        assert_eq!(own().await, json!({ "active": false }), "not even to whom it was issued");
        ask().await.assert_oauth_error(400, "invalid_target");
        api.get(&one).await.problem(404, "not_found");
        api.delete(&one).await.problem(404, "not_found");
        let trail = operator(&server).await.get("/audit?limit=200").await.done(200);
        let told = |event: &str| trail["items"].as_array().unwrap().iter().filter(|line| line["event"] == event).count();
        assert_eq!((told("resource.added"), told("resource.changed"), told("resource.removed")), (1, 2, 1), "{trail}");

        // Programs read and change nothing, administrators see nothing, one factor is not enough.
        let program = operator(&server).await;
        program.get("/resources").await.done(200);
        program.post("/resources", &new).await.problem(403, "forbidden");
        let administrator = Api::of_person(&server, &of_kind(&server, "administrator"), ALL).await;
        administrator.get("/resources").await.problem(403, "forbidden");
        administrator.post("/resources", &new).await.problem(403, "forbidden");
        let weak = Api::of_person(&server, &of_kind(&server, "operator"), ALL).await;
        weak.post("/resources", &new).await.problem(401, "insufficient_user_authentication");
        server.kill();
    }
}

const SCOPE_IN_ORDER: &str = "openid apicfa.dossiers.read organization";

#[tokio::test]
async fn the_command_line_makes_resources_known_and_forgets_them() {
    let folder = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| run_in(folder.path(), &[&["resource"][..], arguments].concat(), &[]).await;
    run(&["add", "https://api.example/", "--scope", "b a", "--server", "nobody"])
        .await
        .assert_refused(&["no client nobody"]);
    for (uri, scope) in [
        ("relative", "a"),
        ("https://api.example/#f", "a"),
        ("https://api.example/", " "),
        ("https://localhost:8443", "a"),
    ] {
        assert!(!run(&["add", uri, "--scope", scope]).await.success, "{uri} {scope}");
    }
    run(&["add", "https://api.example/", "--scope", "b a"]).await.printed();
    run(&["add", "https://api.example/", "--scope", "c"]).await.assert_refused(&["known already"]);
    assert_eq!(run(&["list"]).await.printed().trim(), "https://api.example/  -  a b");
    run(&["remove", "https://api.example/"]).await.printed();
    run(&["remove", "https://api.example/"]).await.assert_refused(&["no resource"]);
    assert_eq!(run(&["list"]).await.printed(), "");
}
