//! What the end of every session closes: portals are told of each, and a thief's browser is a stranger again (R031, R034; OpenID
//! Connect Back-Channel Logout 1.0).

use std::collections::BTreeSet;

use habilis_integration_tests::jose;
use habilis_integration_tests::protocol::{AuthorizationRequest, Code, Tokens, redeem};
use habilis_integration_tests::{Browser, Engine, Listener, TestServer};
use serde_json::Value;

use crate::activation::link_to;
use crate::forgot::{NEW, choose, local_sign_in};
use crate::throttling::{attempt, guess};

const BACK: &str = "/demo-logout/backchannel";
const BACK_2: &str = "/demo-logout-2/backchannel";

on_both_engines! {
    a_reported_compromise_is_told_to_every_portal_of_every_session,
    signing_out_everywhere_else_is_told_to_the_portals_of_the_other_sessions,
    a_new_password_is_told_to_the_portals_of_the_other_sessions,
}

async fn told(engine: Engine) -> (TestServer, Listener) {
    let listener = Listener::start().await;
    let server = TestServer::own_with(engine, &["--logout-base", &listener.base]).await;
    (server, listener)
}

/// Signs the first learner in to a portal in this browser, and gives the `sid` it learns.
async fn sid(server: &TestServer, browser: &mut Browser, client_id: &str) -> Value {
    let request = AuthorizationRequest::of(server.client(client_id));
    let response = browser.authorize(server, &request, server.learner()).await;
    let tokens = Tokens::from(&redeem(server, server.client(client_id), &Code::from(&request, &response)).await);
    tokens.id_claims()["sid"].clone()
}

/// The `sid`s that a portal was told of.
fn sids(listener: &Listener, path: &str) -> BTreeSet<String> {
    let told = listener.received(path);
    told.iter().map(|told| jose::claims(&told.fields["logout_token"])["sid"].as_str().unwrap().to_owned()).collect()
}

fn set(sids: &[&Value]) -> BTreeSet<String> {
    sids.iter().map(|sid| sid.as_str().unwrap().to_owned()).collect()
}

async fn a_reported_compromise_is_told_to_every_portal_of_every_session(engine: Engine) {
    let (mut server, listener) = told(engine).await;
    let (mut own, mut thief, mut other) = (Browser::new(), Browser::new(), Browser::new());
    let first = sid(&server, &mut own, "demo-logout").await;
    let second = sid(&server, &mut thief, "demo-logout").await;
    let third = sid(&server, &mut thief, "demo-logout-2").await;
    // Somebody else is not concerned.
    let stranger = AuthorizationRequest::of(server.client("demo-logout"));
    let response = other.authorize(&server, &stranger, server.learner_number(1)).await;
    redeem(&server, server.client("demo-logout"), &Code::from(&stranger, &response)).await;
    own.get(&server.url("/account")).await.page();
    let page = own.submit("compromise-form", &[]).await.page();
    assert!(page.has("compromise-reported-page"), "{}", page.summary());
    listener.wait_for(BACK, 2).await;
    listener.wait_for(BACK_2, 1).await;
    server.advance(3600).await;
    assert_eq!(sids(&listener, BACK), set(&[&first, &second]));
    assert_eq!(sids(&listener, BACK_2), set(&[&third]));
    assert_eq!((listener.received(BACK).len(), listener.received(BACK_2).len()), (2, 1), "once each");
    assert!(other.get(&server.url("/account")).await.page().has("account-page"));
}

async fn signing_out_everywhere_else_is_told_to_the_portals_of_the_other_sessions(engine: Engine) {
    let (mut server, listener) = told(engine).await;
    let (mut own, mut lost) = (Browser::new(), Browser::new());
    sid(&server, &mut own, "demo-logout-2").await;
    let first = sid(&server, &mut lost, "demo-logout").await;
    own.get(&server.url("/account")).await.page();
    own.submit("sign-out-others-form", &[]).await.page();
    listener.wait_for(BACK, 1).await;
    server.advance(3600).await;
    assert_eq!(sids(&listener, BACK), set(&[&first]));
    assert_eq!(listener.received(BACK_2).len(), 0, "the session that goes on is nobody's business");
    assert!(own.get(&server.url("/account")).await.page().has("account-page"));
    assert!(lost.get(&server.url("/account")).await.page().has("login-form"));
}

async fn a_new_password_is_told_to_the_portals_of_the_other_sessions(engine: Engine) {
    let (mut server, listener) = told(engine).await;
    let (mut own, mut lost) = (Browser::new(), Browser::new());
    sid(&server, &mut own, "demo-logout-2").await;
    let first = sid(&server, &mut lost, "demo-logout").await;
    own.get(&server.url("/account/password")).await.page();
    let page = own.submit("change-password-form", &[("password", NEW), ("repeated", NEW)]).await.page();
    assert!(page.has("password-changed-page"), "{}", page.summary());
    listener.wait_for(BACK, 1).await;
    server.advance(3600).await;
    assert_eq!(sids(&listener, BACK), set(&[&first]));
    assert_eq!(listener.received(BACK_2).len(), 0);
}

own_journeys! {
    async fn a_reported_compromise_makes_the_thiefs_browser_a_stranger(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut own, mut thief) = (Browser::new(), Browser::new());
        for browser in [&mut own, &mut thief] {
            let page = local_sign_in(&server, browser, &person.login, &person.password).await;
            assert!(page.has("account-page"), "{}", page.summary());
        }
        own.submit("compromise-form", &[]).await.page();
        let link = link_to(&server, (&person.login, "/password/new/"), 1).await;
        assert!(choose(&mut own, &link, NEW).await.has("password-changed-page"));
        // Others guess, so a stranger has to wait; a browser the account knew would be heard.
        assert!(guess(&server, &person.login, 20).await >= 5);
        let page = attempt(&server, &mut thief, (&person.login, "a guess")).await;
        assert_eq!(page.status, 429, "{}", page.summary());
        // Whoever held the mailbox is known again.
        let page = attempt(&server, &mut own, (&person.login, NEW)).await;
        assert!(page.has("account-page"), "{}", page.summary());
        server.kill();
    }

    async fn a_reported_compromise_stops_a_change_of_address_that_waits(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut own, mut thief) = (Browser::new(), Browser::new());
        local_sign_in(&server, &mut thief, &person.login, &person.password).await;
        thief.get(&server.url("/account/profile")).await.page();
        let page = thief.submit("email-form", &[("email", "voleur@ailleurs.example")]).await.page();
        assert!(page.has("email-sent-page"), "{}", page.summary());
        let link = link_to(&server, ("voleur@ailleurs.example", "/account/email/"), 1).await;
        local_sign_in(&server, &mut own, &person.login, &person.password).await;
        own.submit("compromise-form", &[]).await.page();
        let page = thief.get(&link).await.page();
        assert_eq!(page.status, 410, "{}", page.summary());
        server.kill();
    }
}
