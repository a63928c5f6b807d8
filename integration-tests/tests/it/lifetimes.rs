//! Every token ends on time, at every endpoint that takes it, by the movable clock.

use habilis_integration_tests::protocol::{
    AuthorizationRequest, Proof, Tokens, post_as, post_token, refresh, tokens_for, userinfo,
};
use habilis_integration_tests::{Answer, Browser, Http, TestServer, jose};
use serde_json::json;

use crate::token_status::{introspect, offline, revoke};

const PORTAL: &str = "demo-portal";
const DAY: u64 = 86_400;

/// The access token sent in a form.
async fn userinfo_by_form(server: &TestServer, token: &str) -> Answer {
    Http::new().post_form(&server.url("/userinfo"), &[("access_token", token)]).await
}

own_journeys! {
    async fn an_access_token_opens_everything_until_its_last_second_and_nothing_after(mut server: TestServer) {
        let tokens = offline(&server).await;
        let service = server.client("demo-service").clone();
        let proof = Proof::of(&service, &server).await;
        let answer = post_token(&Http::new(), &server, &proof, &[("grant_type", "client_credentials")]).await;
        let of_service = Tokens::from(&answer);
        let life = tokens.response["expires_in"].as_u64().unwrap();
        let claims = jose::claims(tokens.access_token());
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), life, "as said");

        server.advance(life - 10).await;
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 200);
        assert_eq!(userinfo_by_form(&server, tokens.access_token()).await.status, 200);
        assert_eq!(introspect(&server, PORTAL, tokens.access_token()).await["active"], true);
        assert_eq!(introspect(&server, "demo-resource", tokens.access_token()).await["active"], true);
        assert_eq!(introspect(&server, "demo-service", of_service.access_token()).await["active"], true);

        server.advance(15).await;
        for answer in [
            userinfo(&server, tokens.access_token()).await,
            userinfo_by_form(&server, tokens.access_token()).await,
        ] {
            answer.assert_oauth_error(401, "invalid_token");
            assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
        }
        for (client, token) in [
            (PORTAL, tokens.access_token()),
            ("demo-resource", tokens.access_token()),
            ("demo-service", of_service.access_token()),
            // An ID token is no token to introspect at any age.
            (PORTAL, tokens.id_token()),
        ] {
            assert_eq!(introspect(&server, client, token).await, json!({ "active": false }), "{client}");
        }
        // Giving back what has ended is no error, and takes nothing else with it.
        revoke(&server, PORTAL, tokens.access_token()).await;
        let fresh = Tokens::from(&refresh(&server, server.client(PORTAL), tokens.refresh_token()).await);
        assert_eq!(userinfo(&server, fresh.access_token()).await.status, 200);
    }

    async fn a_refresh_token_ends_after_thirty_days_everywhere(mut server: TestServer) {
        let tokens = offline(&server).await;
        let native = server.client("demo-native").clone();
        let rotated = tokens_for(&server, &AuthorizationRequest::of(&native).offline(), server.learner()).await;
        server.advance(29 * DAY).await;
        let portal = server.client(PORTAL).clone();
        Tokens::from(&refresh(&server, &portal, tokens.refresh_token()).await);
        assert_eq!(introspect(&server, PORTAL, tokens.refresh_token()).await["active"], true);
        let rotated = Tokens::from(&refresh(&server, &native, rotated.refresh_token()).await);
        server.advance(2 * DAY).await;
        refresh(&server, &portal, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        assert_eq!(introspect(&server, PORTAL, tokens.refresh_token()).await, json!({ "active": false }));
        revoke(&server, PORTAL, tokens.refresh_token()).await;
        // Each use of a public client's token begins thirty days anew, and they end as well.
        let rotated = Tokens::from(&refresh(&server, &native, rotated.refresh_token()).await);
        server.advance(31 * DAY).await;
        refresh(&server, &native, rotated.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
    }

    async fn an_id_token_that_has_ended_still_hints_and_opens_nothing(mut server: TestServer) {
        let (client, mut browser) = (server.client(PORTAL).clone(), Browser::new());
        let request = AuthorizationRequest::of(&client);
        let response = browser.authorize(&server, &request, server.learner()).await;
        let code = habilis_integration_tests::protocol::Code::from(&request, &response);
        let tokens = Tokens::from(&habilis_integration_tests::protocol::redeem(&server, &client, &code).await);
        server.advance(3_600).await;
        assert_eq!(userinfo(&server, tokens.id_token()).await.status, 401);
        let silent = AuthorizationRequest::of(&client).with("prompt", "none").with("id_token_hint", tokens.id_token());
        assert!(browser.authorize(&server, &silent, server.learner()).await.get("code").is_some());
    }

    async fn a_reference_and_a_code_of_a_device_end_when_they_said(mut server: TestServer) {
        let client = server.client(PORTAL).clone();
        let request = AuthorizationRequest::of(&client);
        let fields: Vec<(&str, &str)> =
            request.parameters.iter().filter(|(name, _)| name != "client_id").map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let pushed = post_as(&server, &client, ("/par", &fields)).await;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        let kiosk = crate::device::kiosk(&server).await;
        let asked = crate::device::ask(&server, &kiosk, "openid").await;
        let (reference, device) = (pushed.json(), asked["expires_in"].as_u64().unwrap());
        let life = reference["expires_in"].as_u64().unwrap();
        let opened = AuthorizationRequest { parameters: Vec::new(), verifier: String::new() }
            .with("client_id", &client.client_id)
            .with("request_uri", reference["request_uri"].as_str().unwrap());
        server.advance(life - 5).await;
        assert!(Browser::new().get(&opened.url(&server)).await.page().has("login-form"));
        server.advance(10).await;
        Browser::new().get(&opened.url(&server)).await.assert_error_page("invalid_request_uri");
        server.advance(device - life - 10).await;
        crate::device::poll(&server, &kiosk, &asked).await.assert_oauth_error(400, "authorization_pending");
        server.advance(10).await;
        crate::device::poll(&server, &kiosk, &asked).await.assert_oauth_error(400, "expired_token");
    }
}
