//! One person, several devices: signing one out, the limit of simultaneous sessions, signs of sharing (R002, R031).

use std::net::Ipv4Addr;
use std::sync::Arc;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::protocol::{AuthorizationRequest, Code, Tokens, redeem, refresh, userinfo};
use habilis_integration_tests::{Api, Browser, Engine, Http, Inbox, Person, TestServer};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::api::{all, of_kind, operator};
use crate::forgot::local_sign_in;

async fn signed_in(server: &TestServer, person: &Person) -> Browser {
    let mut browser = Browser::new();
    let page = local_sign_in(server, &mut browser, &person.login, &person.password).await;
    assert!(page.has("account-page"), "{}", page.summary());
    browser
}

async fn is_signed_in(server: &TestServer, browser: &mut Browser) -> bool {
    browser.get(&server.url("/account")).await.page().has("account-page")
}

own_journeys! {
    async fn one_device_is_signed_out_and_the_others_stay(mut server: TestServer) {
        let person = server.learner().clone();
        let client = server.client("demo-portal").clone();
        // A device with a token of its own.
        let mut lost = Browser::new();
        let request = AuthorizationRequest::of(&client);
        let response = lost.authorize(&server, &request, &person).await;
        let tokens = Tokens::from(&redeem(&server, &client, &Code::from(&request, &response)).await);
        let mut kept = signed_in(&server, &person).await;
        let mut browser = signed_in(&server, &person).await;
        let page = browser.get(&server.url("/account")).await.page();
        let forms: Vec<String> = page.attributes("#account-devices form", "id");
        assert_eq!(forms.len(), 2, "this device has none: {forms:?}");
        // The one used longest ago stands last.
        let page = browser.submit(forms.last().unwrap(), &[]).await.page();
        assert_eq!(page.attributes("#account-devices form", "id").len(), 1, "{}", page.summary());
        assert!(!is_signed_in(&server, &mut lost).await);
        assert!(is_signed_in(&server, &mut kept).await && is_signed_in(&server, &mut browser).await);
        refresh(&server, &client, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        server.kill();
    }

    async fn nobody_signs_out_the_device_of_somebody_else(mut server: TestServer) {
        let (person, stranger) = (server.learner().clone(), server.learner_number(1).clone());
        let (mut victim, mut own) = (signed_in(&server, &person).await, signed_in(&server, &person).await);
        let page = own.get(&server.url("/account")).await.page();
        let session = page.attributes("#account-devices input[name=session]", "value")[0].clone();
        let form = page.attributes("#account-devices form", "id")[0].clone();
        // With a form of the stranger's own, and the victim's session in it.
        signed_in(&server, &stranger).await;
        let mut browser = signed_in(&server, &stranger).await;
        let page = browser.get(&server.url("/account")).await.page();
        let strangers_form = page.attributes("#account-devices form", "id")[0].clone();
        browser.submit(&strangers_form, &[("session", &session)]).await.page();
        assert!(is_signed_in(&server, &mut victim).await);
        own.submit(&form, &[("csrf", "forged")]).await.page();
        assert!(is_signed_in(&server, &mut victim).await);
        server.kill();
    }
}

on_both_engines! {
    beyond_the_limit_the_oldest_session_ends_and_its_person_is_told,
    beyond_the_limit_a_new_session_is_refused_where_the_policy_says_so
}

/// Signs in eight times at one moment, and says how many are signed in afterwards.
async fn eight_at_once(server: &TestServer, person: &Person) -> usize {
    let barrier = Arc::new(Barrier::new(8));
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (mut browser, person, barrier) = (Browser::new(), person.clone(), Arc::clone(&barrier));
        browser.get(&server.url("/login")).await.page();
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            let fields = [("username", person.login.as_str()), ("password", &person.password)];
            let page = browser.submit("login-form", &fields).await.page();
            assert!(matches!(page.status, 200 | 403 | 429), "{}", page.summary());
            browser
        }));
    }
    let mut browsers = Vec::new();
    for task in tasks {
        browsers.push(task.await.unwrap());
    }
    let mut alive = 0;
    for browser in &mut browsers {
        alive += usize::from(is_signed_in(server, browser).await);
    }
    alive
}

async fn beyond_the_limit_the_oldest_session_ends_and_its_person_is_told(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "accounts.sessions_per_person=2"]).await;
    let person = server.learner().clone();
    let mut first = signed_in(&server, &person).await;
    let mut second = signed_in(&server, &person).await;
    // The first one is used again, so the second is the one used longest ago.
    server.advance(120).await;
    assert!(is_signed_in(&server, &mut first).await);
    let mut third = signed_in(&server, &person).await;
    assert!(!is_signed_in(&server, &mut second).await);
    assert!(is_signed_in(&server, &mut first).await && is_signed_in(&server, &mut third).await);
    let mails = Inbox::of(&server).to(&person.login).await;
    let told: Vec<_> = mails.iter().filter(|mail| mail.subject == "Un de vos appareils a été déconnecté").collect();
    assert!(told.len() == 1 && told[0].text.contains("2 appareils"), "{mails:?}");
    // Signing in again in a browser that is signed in needs no room.
    third.get(&server.url("/login?again=yes")).await.page();
    let fields = [("username", person.login.as_str()), ("password", &person.password)];
    third.submit("login-form", &fields).await.page();
    assert!(is_signed_in(&server, &mut first).await && is_signed_in(&server, &mut third).await);
    let other = server.learner_number(1).clone();
    assert_eq!(eight_at_once(&server, &other).await, 2, "two stay, however many come together");
    server.kill();
}

async fn beyond_the_limit_a_new_session_is_refused_where_the_policy_says_so(engine: Engine) {
    let options = ["--set", "accounts.sessions_per_person=2", "--set", "accounts.sessions_beyond=refuse_new"];
    let mut server = TestServer::own_with(engine, &options).await;
    let person = server.learner().clone();
    let (mut first, mut second) = (signed_in(&server, &person).await, signed_in(&server, &person).await);
    let mut third = Browser::new();
    let page = local_sign_in(&server, &mut third, &person.login, &person.password).await;
    assert!(page.status == 403 && page.text("login-error").contains("appareils"), "{}", page.summary());
    assert!(!is_signed_in(&server, &mut third).await);
    assert!(is_signed_in(&server, &mut first).await && is_signed_in(&server, &mut second).await);
    let form = first.get(&server.url("/account")).await.page().attributes("#account-devices form", "id")[0].clone();
    first.submit(&form, &[]).await.page();
    let page = local_sign_in(&server, &mut third, &person.login, &person.password).await;
    assert!(page.has("account-page"), "{}", page.summary());
    let other = server.learner_number(1).clone();
    assert_eq!(eight_at_once(&server, &other).await, 2, "two get in, however many come together");
    server.kill();
}

/// A counter of the metrics; 0 while it was never counted.
async fn counter(server: &TestServer, name: &str) -> u64 {
    let metrics = Http::new().get(&format!("{}/metrics", server.metrics)).await.body;
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
}

const SUSPECTED: &str = "habilis_sharing_suspected_total ";

/// Signs in to the portal with this request.
async fn at_portal(
    server: &TestServer,
    browser: &mut Browser,
    (request, person): (AuthorizationRequest, &Person),
) -> Tokens {
    let response = browser.authorize(server, &request, person).await;
    Tokens::from(&redeem(server, server.client("demo-portal"), &Code::from(&request, &response)).await)
}

own_journeys! {
    async fn who_stays_at_a_portal_is_told_by_what_the_portal_uses(mut server: TestServer) {
        server.set_clock(&serde_json::json!({ "set": "2027-03-02T08:00:00Z" })).await;
        let client = server.client("demo-portal").clone();
        let plain = || AuthorizationRequest::of(&client);
        let at = |network: u8, host: u8| Browser::from_address(Ipv4Addr::new(127, 73, network, host));
        let [shared, asked, own, away] = [0, 1, 2, 3].map(|number| server.learner_number(number).clone());
        let (mut home, mut train) = (at(1, 5), at(2, 5));
        let first = at_portal(&server, &mut home, (plain(), &shared)).await;
        let second = at_portal(&server, &mut train, (plain(), &shared)).await;
        let info = at_portal(&server, &mut at(3, 5), (plain(), &asked)).await;
        at_portal(&server, &mut at(4, 5), (plain(), &asked)).await;
        // A computer and a phone in one network; and what a portal does while nobody need be there.
        let mut let_be = vec![at_portal(&server, &mut at(5, 5), (plain(), &own)).await];
        let_be.push(at_portal(&server, &mut at(5, 6), (plain(), &own)).await);
        let_be.push(at_portal(&server, &mut at(6, 5), (plain().offline(), &away)).await);
        let_be.push(at_portal(&server, &mut at(7, 5), (plain().offline(), &away)).await);

        server.advance(61).await;
        for tokens in let_be.iter().chain([&second]) {
            Tokens::from(&refresh(&server, &client, tokens.refresh_token()).await);
        }
        assert_eq!(counter(&server, SUSPECTED).await, 0, "the first of two may have gone when the second came");
        Tokens::from(&refresh(&server, &client, first.refresh_token()).await);
        assert_eq!(counter(&server, SUSPECTED).await, 1);
        assert_eq!(userinfo(&server, info.access_token()).await.status, 200);
        assert_eq!(counter(&server, SUSPECTED).await, 2);
        for _ in 0..4 {
            server.advance(31 * 60).await;
            Tokens::from(&refresh(&server, &client, first.refresh_token()).await);
        }
        assert!(!is_signed_in(&server, &mut home).await, "the session here lives no longer for it");
        assert_eq!(counter(&server, SUSPECTED).await, 2, "once a day");
        server.kill();
    }

    async fn a_device_that_signs_in_again_is_in_use(mut server: TestServer) {
        let person = server.learner().clone();
        let at = |network: u8| Browser::from_address(Ipv4Addr::new(127, 74, network, 9));
        server.set_clock(&serde_json::json!({ "set": "2027-03-02T08:00:00Z" })).await;
        let (mut home, mut train) = (at(1), at(2));
        for browser in [&mut home, &mut train] {
            local_sign_in(&server, browser, &person.login, &person.password).await;
            server.advance(10).await;
        }
        assert_eq!(counter(&server, SUSPECTED).await, 0);
        let again = AuthorizationRequest::of(server.client("demo-portal")).with("prompt", "login");
        at_portal(&server, &mut home, (again, &person)).await;
        assert_eq!(counter(&server, SUSPECTED).await, 1);
        server.kill();
    }

    async fn a_browser_that_signs_in_again_after_the_idle_time_is_one_device(mut server: TestServer) {
        let person = server.learner().clone();
        let at = |network: u8| Ipv4Addr::new(127, 75, network, 9);
        server.set_clock(&serde_json::json!({ "set": "2027-03-02T08:00:00Z" })).await;
        let client = server.client("demo-portal").clone();
        let mut browser = Browser::from_address(at(1));
        let tokens = at_portal(&server, &mut browser, (AuthorizationRequest::of(&client), &person)).await;
        // The portal goes on with it at home and at the office, where the person signs in again.
        for _ in 0..5 {
            server.advance(30 * 60).await;
            Tokens::from(&refresh(&server, &client, tokens.refresh_token()).await);
        }
        let mut browser = browser.moved_to(at(2));
        let page = local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        assert!(page.has("account-page"), "{}", page.summary());
        for _ in 0..2 {
            server.advance(61).await;
            Tokens::from(&refresh(&server, &client, tokens.refresh_token()).await);
            assert!(is_signed_in(&server, &mut browser).await);
        }
        assert_eq!(counter(&server, SUSPECTED).await, 0);
        server.kill();
    }

    async fn two_devices_used_at_the_same_time_from_two_networks_are_told_once_a_day(mut server: TestServer) {
        let person = server.learner().clone();
        let at = |network: u8| Browser::from_address(Ipv4Addr::new(127, 70, network, 9));
        // From 09:00, so that the day does not end meanwhile.
        server.set_clock(&serde_json::json!({ "set": "2027-03-02T08:00:00Z" })).await;
        let (mut home, mut train) = (at(1), at(2));
        for browser in [&mut home, &mut train] {
            local_sign_in(&server, browser, &person.login, &person.password).await;
        }
        assert_eq!(counter(&server, SUSPECTED).await, 0, "two sign-ins are no use at the same time yet");
        for _ in 0..3 {
            server.advance(61).await;
            assert!(is_signed_in(&server, &mut home).await && is_signed_in(&server, &mut train).await, "never blocked");
            assert_eq!(counter(&server, SUSPECTED).await, 1, "once a day");
        }
        server.advance(24 * 3600).await;
        for browser in [&mut home, &mut train] {
            local_sign_in(&server, browser, &person.login, &person.password).await;
        }
        server.advance(61).await;
        assert!(is_signed_in(&server, &mut home).await);
        assert_eq!(counter(&server, SUSPECTED).await, 2, "and the next day again");
        // What the operator reads: days and numbers, neither addresses nor devices.
        let shown = server.manage(&["person", "show", &person.login]).await.printed();
        for words in ["sharing suspected: 2027-03-02  2 networks", "sharing suspected: 2027-03-03  2 networks"] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        assert!(!shown.contains("127.70"), "{shown}");
        server.kill();
    }

    async fn signs_of_sharing_are_read_by_the_operators_staff_alone(mut server: TestServer) {
        let person = server.learner().clone();
        let at = |network: u8| Browser::from_address(Ipv4Addr::new(127, 73, network, 9));
        server.set_clock(&json!({ "set": "2027-03-02T08:00:00Z" })).await;
        let (mut home, mut train) = (at(1), at(2));
        for _ in 0..2 {
            for browser in [&mut home, &mut train] {
                local_sign_in(&server, browser, &person.login, &person.password).await;
            }
            server.advance(61).await;
            assert!(is_signed_in(&server, &mut home).await && is_signed_in(&server, &mut train).await);
            server.advance(24 * 3600).await;
        }
        let api = operator(&server).await;
        let found = all(&api, "/sharing-suspicions").await;
        let days: Vec<_> = found.iter().map(|found| found["day"].as_str().unwrap()).collect();
        assert_eq!(days, ["2027-03-03", "2027-03-02"], "newest first: {found:?}");
        let first = &found[0];
        assert_eq!((&first["login"], &first["counted"], &first["count"]), (&json!(person.login), &json!("networks"), &json!(2)));
        let id = first["person"].as_str().unwrap();
        let page = api.get("/sharing-suspicions?limit=1").await;
        assert!(!page.body.contains("127.73"), "{}", page.body);
        let next = page.done(200)["next"].as_str().unwrap().to_owned();
        let rest = api.get(&format!("/sharing-suspicions?limit=1&cursor={next}")).await.done(200);
        assert_eq!((&rest["items"][0], rest.get("next")), (&found[1], None));
        let count = async |query: &str| all(&api, &format!("/sharing-suspicions?{query}")).await.len();
        assert_eq!((count("days=1").await, count("days=90").await), (0, 2));
        assert_eq!(count(&format!("person={id}")).await, 2);
        let other = api.get(&format!("/people?q={}", server.learner_number(1).login)).await.done(200);
        assert_eq!(count(&format!("person={}", other["items"][0]["id"].as_str().unwrap())).await, 0);
        api.get("/sharing-suspicions?person=usr_none").await.problem(404, "not_found");
        for wrong in ["days=0", "days=91", "days=soon", "since=1", "limit=0"] {
            api.get(&format!("/sharing-suspicions?{wrong}")).await.problem(400, "invalid_parameter");
        }
        // It is a reason to ask, not a proof: administrators are not told.
        let administrator = Api::of_person(&server, &of_kind(&server, "administrator"), ALL).await;
        administrator.get("/sharing-suspicions").await.problem(403, "forbidden");
        let narrow = Api::of_client(&server, "demo-automation", "habilis.people.read").await;
        narrow.get("/sharing-suspicions").await.problem(403, "insufficient_scope");
        let own = of_kind(&server, "administrator").organization.unwrap().id;
        let told = all(&administrator, &format!("/organizations/{own}/audit")).await;
        assert!(told.iter().all(|line: &Value| line["event"] != "account.sharing_suspected"), "{told:?}");
        server.kill();
    }

    async fn devices_of_one_network_and_a_browser_that_moved_are_let_be(mut server: TestServer) {
        let at = |network: u8, host: u8| Ipv4Addr::new(127, 71, network, host);
        // A computer and a phone at home.
        let person = server.learner().clone();
        let (mut computer, mut phone) = (Browser::from_address(at(1, 5)), Browser::from_address(at(1, 6)));
        for browser in [&mut computer, &mut phone] {
            local_sign_in(&server, browser, &person.login, &person.password).await;
        }
        // One that leaves the house, and one that loses its cookies on the way.
        let other = server.learner_number(1).clone();
        let mut moving = Browser::from_address(at(2, 5));
        local_sign_in(&server, &mut moving, &other.login, &other.password).await;
        let mut forgetful = Browser::from_address(at(4, 5));
        let third = server.learner_number(2).clone();
        local_sign_in(&server, &mut forgetful, &third.login, &third.password).await;
        server.advance(61).await;
        for browser in [&mut computer, &mut phone, &mut moving, &mut forgetful] {
            assert!(is_signed_in(&server, browser).await);
        }
        let mut moving = moving.moved_to(at(3, 5));
        let mut forgetful = forgetful.moved_to(at(5, 5));
        forgetful.forget_cookies();
        local_sign_in(&server, &mut forgetful, &third.login, &third.password).await;
        server.advance(61).await;
        for browser in [&mut computer, &mut phone, &mut moving, &mut forgetful] {
            assert!(is_signed_in(&server, browser).await);
        }
        assert_eq!(counter(&server, SUSPECTED).await, 0);
        server.kill();
    }
}

async fn two_devices_of_one_network_are_told_where_devices_are_counted(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "accounts.sharing_by=devices"]).await;
    let at = |host: u8| Browser::from_address(Ipv4Addr::new(127, 72, 1, host));
    server.set_clock(&serde_json::json!({ "set": "2027-03-02T08:00:00Z" })).await;
    // One browser that is used alone, and one that loses its cookies on the way.
    let (other, third) = (server.learner_number(1).clone(), server.learner_number(2).clone());
    let (mut alone, mut forgetful) = (at(7), at(8));
    local_sign_in(&server, &mut alone, &other.login, &other.password).await;
    local_sign_in(&server, &mut forgetful, &third.login, &third.password).await;
    server.advance(61).await;
    assert!(is_signed_in(&server, &mut alone).await && is_signed_in(&server, &mut forgetful).await);
    forgetful.forget_cookies();
    local_sign_in(&server, &mut forgetful, &third.login, &third.password).await;
    server.advance(61).await;
    assert!(is_signed_in(&server, &mut alone).await && is_signed_in(&server, &mut forgetful).await);
    assert_eq!(counter(&server, SUSPECTED).await, 0);
    // A computer and a phone at home.
    let person = server.learner().clone();
    let (mut computer, mut phone) = (at(5), at(6));
    for browser in [&mut computer, &mut phone] {
        local_sign_in(&server, browser, &person.login, &person.password).await;
    }
    server.advance(61).await;
    assert!(is_signed_in(&server, &mut computer).await && is_signed_in(&server, &mut phone).await, "never blocked");
    assert_eq!(counter(&server, SUSPECTED).await, 1);
    let shown = server.manage(&["person", "show", &person.login]).await.printed();
    assert!(shown.contains("sharing suspected: 2027-03-02  2 devices"), "{shown}");
    server.kill();
}

on_both_engines! { two_devices_of_one_network_are_told_where_devices_are_counted }
