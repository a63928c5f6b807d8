//! Pairwise subjects: one name a sector, wherever a `sub` reaches a client or comes from it. OIDC Core §8, Registration §5.

use habilis_integration_tests::fapi::verified;
use habilis_integration_tests::jose;
use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Tokens, post_as, redeem, refresh, userinfo,
};
use habilis_integration_tests::server::{run_in, run_with_input};
use habilis_integration_tests::stub::{Reply, Stub};
use habilis_integration_tests::{Answer, Browser, Client, Http, Listener, Person, TestServer, Visit};
use serde_json::{Value, json};

use super::registration::{client, register, registered};

/// A registered client of pairwise subjects with this redirect URI.
async fn pairwise(server: &TestServer, redirect_uri: &str) -> Client {
    pairwise_with(server, redirect_uri, &json!({})).await
}

async fn pairwise_with(server: &TestServer, redirect_uri: &str, more: &Value) -> Client {
    let mut metadata = json!({
        "redirect_uris": [redirect_uri], "subject_type": "pairwise",
        "grant_types": ["authorization_code", "refresh_token"],
    });
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client(&registered(&register(server, &metadata).await))
}

async fn sign_in(server: &TestServer, browser: &mut Browser, client: &Client, person: &Person) -> Tokens {
    let request = AuthorizationRequest::of(client).offline();
    let response = browser.authorize(server, &request, person).await;
    Tokens::from(&redeem(server, client, &Code::from(&request, &response)).await)
}

async fn subject(server: &TestServer, client: &Client) -> String {
    sub(&sign_in(server, &mut Browser::new(), client, server.learner()).await.id_claims())
}

fn sub(claims: &Value) -> String {
    claims["sub"].as_str().unwrap_or_else(|| panic!("no sub in {claims}")).to_owned()
}

/// What `prompt=none` brings in this browser with these parameters more.
async fn silently(
    server: &TestServer,
    browser: &mut Browser,
    client: &Client,
    more: &[(&str, &str)],
) -> (AuthorizationRequest, AuthorizationResponse) {
    let mut request = AuthorizationRequest::of(client).with("prompt", "none");
    for (name, value) in more {
        request = request.with(name, value);
    }
    let Visit::Left(url) = browser.get(&request.url(server)).await else { panic!("a page for prompt=none") };
    (request, AuthorizationResponse::from_url(url))
}

fn sector(stub: &Stub, redirect_uris: &[&str]) -> Value {
    json!({ "redirect_uris": redirect_uris, "subject_type": "pairwise", "sector_identifier_uri": stub.url() })
}

async fn change(registration: &Value, metadata: &Value) -> Answer {
    let http = Http::new();
    let token = registration["registration_access_token"].as_str().unwrap();
    let mut sent = metadata.clone();
    sent["client_id"] = registration["client_id"].clone();
    let request = http.request("PUT", registration["registration_client_uri"].as_str().unwrap()).json(&sent);
    http.send(request.header("authorization", format!("Bearer {token}"))).await
}

journeys! {
    async fn clients_of_one_host_know_a_person_by_one_name_and_others_by_another(server: &TestServer) {
        let one = pairwise(server, "https://one.example/cb").await;
        let same_host = pairwise(server, "https://one.example:8443/elsewhere").await;
        let two = pairwise(server, "https://two.example/cb").await;
        let public = client(&registered(&register(server, &json!({ "redirect_uris": ["https://one.example/cb"], "grant_types": ["authorization_code", "refresh_token"] })).await));
        let (first, again) = (subject(server, &one).await, subject(server, &one).await);
        assert_eq!(first, again, "stable");
        assert_eq!(first, subject(server, &same_host).await);
        let (other, id) = (subject(server, &two).await, subject(server, &public).await);
        assert_ne!(first, other);
        assert!(id.starts_with("usr_") && first != id && other != id, "{id} {first} {other}");
        let neighbour = sign_in(server, &mut Browser::new(), &one, server.learner_number(1)).await.id_claims();
        assert_ne!(first, sub(&neighbour));
    }

    async fn every_place_that_names_the_person_names_it_alike(server: &TestServer) {
        let client = pairwise(server, "https://one.example/cb").await;
        let tokens = sign_in(server, &mut Browser::new(), &client, server.learner()).await;
        let name = sub(&tokens.id_claims());
        assert!(!name.starts_with("usr_"), "{name}");
        assert_eq!(sub(&jose::claims(tokens.access_token())), name);
        assert_eq!(sub(&userinfo(server, tokens.access_token()).await.ok_json()), name);
        for token in [tokens.access_token(), tokens.refresh_token()] {
            assert_eq!(sub(&post_as(server, &client, ("/introspect", &[("token", token)])).await.ok_json()), name);
        }
        // A resource server learns the client's name for the person, never our own id.
        let resource = server.client("demo-resource");
        let found = post_as(server, resource, ("/introspect", &[("token", tokens.access_token())])).await.ok_json();
        assert_eq!(sub(&found), name);
        let refreshed = Tokens::from(&refresh(server, &client, tokens.refresh_token()).await);
        assert_eq!(sub(&refreshed.id_claims()), name);
        assert_eq!(sub(&jose::claims(refreshed.access_token())), name);
        assert_eq!(post_as(server, &client, ("/revoke", &[("token", tokens.access_token())])).await.status, 200);
        assert_eq!(userinfo(server, tokens.access_token()).await.status, 401);
    }

    async fn signed_userinfo_names_the_person_alike(server: &TestServer) {
        let more = json!({ "userinfo_signed_response_alg": "ES256" });
        let client = pairwise_with(server, "https://one.example/cb", &more).await;
        let tokens = sign_in(server, &mut Browser::new(), &client, server.learner()).await;
        let answer = userinfo(server, tokens.access_token()).await;
        assert_eq!(sub(&verified(server, &answer.body).await), sub(&tokens.id_claims()));
    }

    async fn a_hint_or_a_wanted_sub_is_read_as_the_client_knows_it(server: &TestServer) {
        let client = pairwise(server, "https://one.example/cb").await;
        let mut browser = Browser::new();
        let tokens = sign_in(server, &mut browser, &client, server.learner()).await;
        let name = sub(&tokens.id_claims());
        let wanted = |sub: &str| json!({ "id_token": { "sub": { "value": sub } } }).to_string();
        let id = sub(&sign_in(server, &mut Browser::new(), server.client("demo-portal"), server.learner()).await.id_claims());
        let neighbour = sign_in(server, &mut Browser::new(), &client, server.learner_number(1)).await;

        for more in [("id_token_hint", tokens.id_token()), ("claims", &wanted(&name))] {
            let (_, response) = silently(server, &mut browser, &client, &[more]).await;
            response.code();
        }
        for more in [("id_token_hint", neighbour.id_token()), ("claims", &wanted(&id)), ("claims", &wanted("x"))] {
            let (request, response) = silently(server, &mut browser, &client, &[more]).await;
            response.assert_error("login_required", &request, server);
        }
        let both = [("id_token_hint", tokens.id_token()), ("claims", &*wanted(&id))];
        let (request, response) = silently(server, &mut browser, &client, &both).await;
        response.assert_error("invalid_request", &request, server);
    }

    async fn a_hint_of_another_sector_is_refused_and_of_the_same_serves(server: &TestServer) {
        let one = pairwise(server, "https://one.example/cb").await;
        let same = pairwise(server, "https://one.example/other").await;
        let two = pairwise(server, "https://two.example/cb").await;
        let mut browser = Browser::new();
        let tokens = sign_in(server, &mut browser, &one, server.learner()).await;
        sign_in(server, &mut browser, &same, server.learner()).await;
        sign_in(server, &mut browser, &two, server.learner()).await;
        let hint = [("id_token_hint", tokens.id_token())];
        silently(server, &mut browser, &same, &hint).await.1.code();
        let (request, response) = silently(server, &mut browser, &two, &hint).await;
        response.assert_error("invalid_request", &request, server);
        let (request, response) = silently(server, &mut browser, server.client("demo-portal"), &hint).await;
        response.assert_error("invalid_request", &request, server);
    }

    async fn a_portal_signs_the_person_out_by_its_own_name_and_is_told_under_it(server: &TestServer) {
        let listener = Listener::start().await;
        let more = json!({
            "backchannel_logout_uri": format!("{}/pairwise", listener.base),
            "post_logout_redirect_uris": ["https://one.example/out"],
        });
        let client = pairwise_with(server, "https://one.example/cb", &more).await;
        let mut browser = Browser::new();
        let tokens = sign_in(server, &mut browser, &client, server.learner()).await;
        let mut url = url::Url::parse(&server.url("/end-session")).unwrap();
        url.query_pairs_mut()
            .append_pair("id_token_hint", tokens.id_token())
            .append_pair("post_logout_redirect_uri", "https://one.example/out");
        let visit = browser.get(url.as_str()).await;
        assert!(matches!(visit, Visit::Left(ref url) if url.as_str() == "https://one.example/out"), "no confirmation");
        let token = &listener.wait_for("/pairwise", 1).await[0].fields["logout_token"];
        let claims = verified(server, token).await;
        assert_eq!((sub(&claims), &claims["sid"]), (sub(&tokens.id_claims()), &tokens.id_claims()["sid"]));
    }

    async fn a_sector_document_brings_hosts_together(server: &TestServer) {
        let hosts = ["https://one.example/cb", "https://two.example/cb"];
        let (stub, other) = (Stub::with_keys(&[]).await, Stub::with_keys(&[]).await);
        stub.reply(Reply::Body(json!([hosts[0], hosts[1], "https://three.example/cb"]).to_string()));
        other.reply(Reply::Body(json!(["https://four.example/cb"]).to_string()));
        let shown = registered(&register(server, &sector(&stub, &hosts)).await);
        assert_eq!((&shown["subject_type"], &shown["sector_identifier_uri"]), (&json!("pairwise"), &json!(stub.url())));
        let three = registered(&register(server, &sector(&stub, &["https://three.example/cb"])).await);
        // The host counts, not the port: both documents are on 127.0.0.1.
        let four = registered(&register(server, &sector(&other, &["https://four.example/cb"])).await);
        assert_eq!((stub.asked(), other.asked()), (2, 1));
        let mut names = Vec::new();
        for registration in [shown, three, four] {
            let mut client = client(&registration);
            client.grant_types.clear();
            let request = AuthorizationRequest::of(&client);
            let response = Browser::new().authorize(server, &request, server.learner()).await;
            names.push(sub(&Tokens::from(&redeem(server, &client, &Code::from(&request, &response)).await).id_claims()));
        }
        assert!(names[0] == names[1] && names[1] == names[2], "{names:?}");
    }

    async fn a_redirect_uri_that_its_sector_does_not_list_is_refused(server: &TestServer) {
        let redirects = ["https://one.example/cb", "https://two.example/cb"];
        let stub = Stub::with_keys(&[]).await;
        let elsewhere = Stub::with_keys(&[]).await;
        elsewhere.reply(Reply::Body(json!(redirects).to_string()));
        let cases = [
            Reply::Body(json!([redirects[0]]).to_string()),
            Reply::Body(json!(["https://one.example/cb/", redirects[1]]).to_string()),
            Reply::Body(json!({ "redirect_uris": redirects }).to_string()),
            Reply::Body("not JSON".to_owned()),
            Reply::Body(format!("[\"{}\"]", "a".repeat(70_000))),
            Reply::Redirect(302, elsewhere.url().to_owned()),
            Reply::Broken,
        ];
        for reply in cases {
            stub.reply(reply.clone());
            let answer = register(server, &sector(&stub, &redirects)).await;
            assert_eq!(answer.status, 400, "{reply:?}");
            answer.assert_oauth_error(400, "invalid_client_metadata");
        }
        assert_eq!(elsewhere.asked(), 0, "a redirect is not followed");
        // Registration §5 asks for the document whatever the subject type is.
        stub.reply(Reply::Body("[]".to_owned()));
        let mut public = sector(&stub, &redirects);
        public["subject_type"] = json!("public");
        register(server, &public).await.assert_oauth_error(400, "invalid_client_metadata");
    }

    async fn without_a_sector_document_the_redirect_uris_share_a_host(server: &TestServer) {
        let pairwise = |redirects: Value| json!({ "redirect_uris": redirects, "subject_type": "pairwise" });
        let refused = [
            json!(["https://one.example/cb", "https://two.example/cb"]),
            json!(["http://127.0.0.1/cb"]),
            json!(["https://one.example/cb", "http://localhost/cb"]),
        ];
        for redirects in refused {
            register(server, &pairwise(redirects)).await.assert_oauth_error(400, "invalid_client_metadata");
        }
        registered(&register(server, &pairwise(json!(["https://one.example/a", "https://one.example/b"]))).await);
        register(server, &json!({ "redirect_uris": ["https://one.example/a"], "subject_type": "ephemeral" }))
            .await
            .assert_oauth_error(400, "invalid_client_metadata");
    }

    async fn a_change_is_held_against_the_sector_again(server: &TestServer) {
        let stub = Stub::with_keys(&[]).await;
        stub.reply(Reply::Body(json!(["https://one.example/cb"]).to_string()));
        let shown = registered(&register(server, &sector(&stub, &["https://one.example/cb"])).await);
        let wider = sector(&stub, &["https://one.example/cb", "https://two.example/cb"]);
        change(&shown, &wider).await.assert_oauth_error(400, "invalid_client_metadata");
        stub.reply(Reply::Body(json!(["https://one.example/cb", "https://two.example/cb"]).to_string()));
        let changed = change(&shown, &wider).await.ok_json();
        assert_eq!(changed["redirect_uris"], wider["redirect_uris"]);
    }

    async fn discovery_offers_both_kinds_of_subjects(server: &TestServer) {
        let metadata = Http::new().get(&server.url("/.well-known/openid-configuration")).await.ok_json();
        assert_eq!(metadata["subject_types_supported"], json!(["public", "pairwise"]));
    }
}

#[tokio::test]
async fn the_command_line_takes_pairwise_clients_and_holds_them_against_their_sector() {
    let folder = tempfile::tempdir().unwrap();
    let stub = Stub::with_keys(&[]).await;
    stub.reply(Reply::Body(json!(["https://one.example/cb"]).to_string()));
    let file = folder.path().join("client.json");
    let create = async |metadata: Value, private: &str| {
        std::fs::write(&file, metadata.to_string()).unwrap();
        let environment = [("HABILIS__FETCH__ALLOW_PRIVATE_ADDRESSES", private)];
        run_in(folder.path(), &["client", "create", "client.json"], &environment).await
    };
    let good = sector(&stub, &["https://one.example/cb"]);
    create(good.clone(), "false").await.assert_refused(&["sector_identifier_uri", "reach"]);
    create(sector(&stub, &["https://one.example/cb", "https://two.example/cb"]), "true")
        .await
        .assert_refused(&["https://two.example/cb"]);
    let shown: Value = serde_json::from_str(&create(good, "true").await.printed()).unwrap();
    assert_eq!((&shown["subject_type"], &shown["sector_identifier_uri"]), (&json!("pairwise"), &json!(stub.url())));
    let several =
        json!({ "subject_type": "pairwise", "redirect_uris": ["https://one.example/", "https://two.example/"] });
    run_with_input(folder.path(), &["client", "create", "-"], &several.to_string())
        .await
        .assert_refused(&["sector_identifier_uri"]);
}
