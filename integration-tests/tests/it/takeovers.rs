//! What somebody who knows a password can prepare, and what is left of it after a report, a reset or a change: nothing (R031, R034,
//! R049).

use std::net::Ipv4Addr;
use std::sync::Arc;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse, Code, redeem};
use habilis_integration_tests::{Api, Authenticator, Browser, Engine, Inbox, Page, Passkey, Person, TestServer, Visit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use crate::activation::link_to;
use crate::api::{in_days, operator, organization_of_kind};
use crate::api_keys::READ;
use crate::device;
use crate::factors::add_app;
use crate::forgot::{self, NEW, ask, choose, local_sign_in};
use crate::passkeys::{add, sign_in};
use crate::sign_up::{fill, work};
use crate::throttling::attempt;

const DAY: u64 = 24 * 60 * 60;

/// Signs in with the password and adds a passkey, as whoever knows the password alone may.
async fn with_passkey(server: &TestServer, (login, password): (&str, &str)) -> (Browser, Passkey) {
    let (mut browser, mut passkey) = (Browser::new(), Passkey::new(&server.issuer));
    local_sign_in(server, &mut browser, login, password).await;
    browser.get(&server.url("/account/security")).await.page();
    let page = add(&mut browser, &mut passkey).await.page();
    assert!(page.has("recovery-codes-page"), "{}", page.summary());
    (browser, passkey)
}

/// What becomes of a sign-in with this passkey alone.
async fn by_passkey(server: &TestServer, passkey: &mut Passkey) -> Page {
    let mut browser = Browser::new();
    browser.get(&server.url("/login")).await.page();
    sign_in(&mut browser, passkey).await.page()
}

#[track_caller]
fn assert_shut(page: &Page, why: &str) {
    assert!(page.status == 401 && page.has("login-error"), "{why}: {}", page.summary());
}

/// Reports by the link of a mail, in a browser that is signed in nowhere.
async fn report(server: &TestServer, person: &Person) {
    let link = link_to(server, (&person.login, "/compromise/"), 1).await;
    let mut browser = Browser::new();
    browser.get(&link).await.page();
    let page = browser.submit("report-form", &[]).await.page();
    assert!(page.has("compromise-reported-page"), "{}", page.summary());
}

/// The text of the newest mail to this address whose subject has these words.
async fn letter(server: &TestServer, (address, words): (&str, &str)) -> String {
    for _ in 0..400 {
        let mails = Inbox::of(server).to(address).await;
        if let Some(mail) = mails.into_iter().find(|mail| mail.subject.contains(words)) {
            return mail.text;
        }
        // Mail goes out after the answer.
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("no “{words}” to {address}");
}

own_journeys! {
    async fn a_report_takes_away_the_passkey_that_a_thief_added(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, mut thiefs) = with_passkey(&server, (&person.login, &person.password)).await;
        report(&server, &person).await;
        assert_shut(&by_passkey(&server, &mut thiefs).await, "right after the report");
        let said = letter(&server, (&person.login, "est protégé")).await;
        assert!(said.contains("Une clé d’accès ajoutée") && said.contains("codes de secours créés"), "{said}");
        let link = link_to(&server, (&person.login, "/password/new/"), 1).await;
        assert!(choose(&mut Browser::new(), &link, NEW).await.has("password-changed-page"));
        assert_shut(&by_passkey(&server, &mut thiefs).await, "after the new password too");
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, NEW).await;
        assert!(page.has("account-page"), "no second step of the thief's stands in the way: {}", page.summary());
        server.kill();
    }

    async fn a_report_takes_away_the_app_that_a_thief_added(mut server: TestServer) {
        let person = server.learner().clone();
        let mut thief = Browser::new();
        local_sign_in(&server, &mut thief, &person.login, &person.password).await;
        add_app(&server, &mut thief).await;
        report(&server, &person).await;
        let link = link_to(&server, (&person.login, "/password/new/"), 1).await;
        choose(&mut Browser::new(), &link, NEW).await;
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, NEW).await;
        assert!(page.has("account-page"), "{}", page.summary());
        server.kill();
    }

    async fn an_older_passkey_stays_and_waits_for_the_new_password(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, mut own) = with_passkey(&server, (&person.login, &person.password)).await;
        server.advance(31 * DAY).await;
        let mut browser = Browser::new();
        browser.get(&server.url("/login")).await.page();
        assert!(sign_in(&mut browser, &mut own).await.page().has("account-page"));
        let page = browser.submit("compromise-form", &[]).await.page();
        assert!(page.has("compromise-reported-page"), "{}", page.summary());
        assert_shut(&by_passkey(&server, &mut own).await, "it may be the thief's all the same");
        let link = link_to(&server, (&person.login, "/password/new/"), 1).await;
        assert!(choose(&mut Browser::new(), &link, NEW).await.has("password-changed-page"));
        let page = by_passkey(&server, &mut own).await;
        assert!(page.has("account-page"), "{}", page.summary());
        server.kill();
    }

    async fn taking_an_address_back_leaves_the_thief_no_passkey_and_no_step(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut thief, mut thiefs) = with_passkey(&server, (&person.login, &person.password)).await;
        thief.get(&server.url("/account/profile")).await.page();
        thief.submit("email-form", &[("email", "voleur@ailleurs.example")]).await.page();
        let link = link_to(&server, ("voleur@ailleurs.example", "/account/email/"), 1).await;
        thief.get(&link).await.page();
        thief.submit("confirm-email-form", &[]).await.page();
        // A step that waits rests on the password of before.
        let mut waiting = Browser::new();
        let page = local_sign_in(&server, &mut waiting, "voleur@ailleurs.example", &person.password).await;
        assert!(page.has("second-step-page"), "{}", page.summary());
        let undo = link_to(&server, (&person.login, "/account/email/undo/"), 1).await;
        let mut browser = Browser::new();
        browser.get(&undo).await.page();
        assert!(browser.submit("undo-email-form", &[]).await.page().has("email-restored-page"));
        let page = waiting.get(page.url.as_str()).await.page();
        assert!(!page.has("second-step-page"), "{}", page.summary());
        assert_shut(&by_passkey(&server, &mut thiefs).await, "the passkey");
        let link = link_to(&server, (&person.login, "/password/new/"), 1).await;
        choose(&mut browser, &link, NEW).await;
        assert_shut(&by_passkey(&server, &mut thiefs).await, "the passkey, afterwards");
        let page = local_sign_in(&server, &mut browser, &person.login, NEW).await;
        assert!(page.has("account-page"), "{}", page.summary());
        server.kill();
    }

    async fn a_kill_switch_takes_away_the_passkey_that_a_thief_added(mut server: TestServer) {
        let cfa = organization_of_kind(&server, "cfa");
        let within = |person: &&Person| person.organization.as_ref().is_some_and(|found| found.id == cfa);
        let person = server.people.iter().filter(within).find(|person| person.kind == "learner").unwrap().clone();
        let (_, mut thiefs) = with_passkey(&server, (&person.login, &person.password)).await;
        let switch = format!("/organizations/{cfa}/kill-switch");
        operator(&server).await.post(&switch, &json!({ "reason": "vol" })).await.done(200);
        let said = letter(&server, (&person.login, "fermé par précaution")).await;
        assert!(said.contains("Une clé d’accès ajoutée"), "{said}");
        let mut browser = Browser::new();
        ask(&server, &mut browser, &person.login).await;
        let link = forgot::link_to(&server, &person.login, 1).await;
        assert!(choose(&mut browser, &link, NEW).await.has("password-changed-page"));
        assert_shut(&by_passkey(&server, &mut thiefs).await, "after the new password");
        let page = local_sign_in(&server, &mut browser, &person.login, NEW).await;
        assert!(page.has("account-page"), "{}", page.summary());
        server.kill();
    }

    async fn a_sign_in_under_way_does_not_outlive_a_report(mut server: TestServer) {
        let person = server.learner().clone();
        let mut own = Browser::new();
        local_sign_in(&server, &mut own, &person.login, &person.password).await;
        let barrier = Arc::new(Barrier::new(5));
        let mut thieves = Vec::new();
        for _ in 0..4 {
            let (mut browser, person, barrier) = (Browser::new(), person.clone(), Arc::clone(&barrier));
            browser.get(&server.url("/login")).await.page();
            thieves.push(tokio::spawn(async move {
                barrier.wait().await;
                browser.submit("login-form", &[("username", &person.login), ("password", &person.password)]).await.page();
                browser
            }));
        }
        barrier.wait().await;
        own.submit("compromise-form", &[]).await.page();
        for thief in thieves {
            let mut thief = thief.await.unwrap();
            let page = thief.get(&server.url("/account")).await.page();
            assert!(page.has("login-form"), "before the report or not at all: {}", page.summary());
        }
        server.kill();
    }

    async fn what_is_allowed_under_way_does_not_outlive_a_report(mut server: TestServer) {
        let person = server.learner().clone();
        let (portal, kiosk) = (server.client("demo-portal").clone(), device::kiosk(&server).await);
        let request = AuthorizationRequest::of(&portal).offline();
        let barrier = Arc::new(Barrier::new(7));
        let (mut portals, mut devices) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let (mut browser, waiting) = (Browser::new(), Arc::clone(&barrier));
            local_sign_in(&server, &mut browser, &person.login, &person.password).await;
            let page = browser.get(&request.url(&server)).await.page();
            assert!(page.has("consent-page"), "{}", page.summary());
            portals.push(tokio::spawn(async move {
                waiting.wait().await;
                browser.click("consent-allow").await
            }));
            let asked = device::ask(&server, &kiosk, "openid offline_access").await;
            let (mut browser, waiting) = (Browser::new(), Arc::clone(&barrier));
            device::enter(&server, &mut browser, asked["user_code"].as_str().unwrap()).await;
            let page = browser.sign_in(&person).await.page();
            assert!(page.has("device-allow"), "{}", page.summary());
            let thief = tokio::spawn(async move {
                waiting.wait().await;
                browser.click("device-allow").await
            });
            devices.push((asked, thief));
        }
        let mut own = Browser::new();
        local_sign_in(&server, &mut own, &person.login, &person.password).await;
        barrier.wait().await;
        let page = own.submit("compromise-form", &[]).await.page();
        assert!(page.has("compromise-reported-page"), "{}", page.summary());
        // Allowed before the report, and revoked by it, or not allowed at all.
        for thief in portals {
            let Visit::Left(url) = thief.await.unwrap() else { continue };
            let code = Code::from(&request, &AuthorizationResponse::from_url(url));
            redeem(&server, &portal, &code).await.assert_oauth_error(400, "invalid_grant");
        }
        for (asked, thief) in devices {
            thief.await.unwrap().page();
            let answer = device::poll(&server, &kiosk, &asked).await;
            assert_eq!(answer.status, 400, "{}", answer.body);
        }
        server.kill();
    }

    async fn a_password_chosen_under_way_does_not_outlive_a_report(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut own, mut thief) = (Browser::new(), Browser::new());
        for browser in [&mut own, &mut thief] {
            local_sign_in(&server, browser, &person.login, &person.password).await;
        }
        thief.get(&server.url("/account/password")).await.page();
        // By the link of the mail: it works whether or not the new password has ended this session.
        let link = link_to(&server, (&person.login, "/compromise/"), 1).await;
        own.get(&link).await.page();
        let barrier = Arc::new(Barrier::new(2));
        let task = tokio::spawn({
            let barrier = Arc::clone(&barrier);
            async move {
                barrier.wait().await;
                thief.submit("change-password-form", &[("password", NEW), ("repeated", NEW)]).await.page()
            }
        });
        barrier.wait().await;
        let page = own.submit("report-form", &[]).await.page();
        assert!(page.has("compromise-reported-page"), "{}", page.summary());
        task.await.unwrap();
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, NEW).await;
        assert_eq!(page.status, 401, "the thief's password opens nothing: {}", page.summary());
        server.kill();
    }

    async fn a_new_password_stops_a_change_of_address_that_waits(mut server: TestServer) {
        let person = server.learner().clone();
        let mut thief = Browser::new();
        local_sign_in(&server, &mut thief, &person.login, &person.password).await;
        thief.get(&server.url("/account/profile")).await.page();
        let page = thief.submit("email-form", &[("email", "voleur@ailleurs.example")]).await.page();
        assert!(page.has("email-sent-page"), "{}", page.summary());
        let link = link_to(&server, ("voleur@ailleurs.example", "/account/email/"), 1).await;
        let said = letter(&server, (&person.login, "Une autre adresse a été demandée")).await;
        assert!(said.contains("/compromise/") && !said.contains("/account/email/"), "{said}");
        let mut own = Browser::new();
        ask(&server, &mut own, &person.login).await;
        choose(&mut own, &forgot::link_to(&server, &person.login, 1).await, NEW).await;
        assert_eq!(thief.get(&link).await.page().status, 410);
        server.kill();
    }

    async fn a_new_address_voids_the_links_that_lie_in_the_former_mailbox(mut server: TestServer) {
        let person = server.learner().clone();
        let mut own = Browser::new();
        ask(&server, &mut Browser::new(), &person.login).await;
        let old = forgot::link_to(&server, &person.login, 1).await;
        local_sign_in(&server, &mut own, &person.login, &person.password).await;
        own.get(&server.url("/account/profile")).await.page();
        own.submit("email-form", &[("email", "nouvelle@ailleurs.example")]).await.page();
        let link = link_to(&server, ("nouvelle@ailleurs.example", "/account/email/"), 1).await;
        own.get(&link).await.page();
        assert!(own.submit("confirm-email-form", &[]).await.page().has("email-changed-page"));
        assert_eq!(Browser::new().get(&old).await.page().status, 410);
        server.kill();
    }

    async fn a_thousand_wrong_codes_do_not_keep_the_victim_out(mut server: TestServer) {
        let person = server.learner().clone();
        let mut own = Browser::new();
        local_sign_in(&server, &mut own, &person.login, &person.password).await;
        let (app, _) = add_app(&server, &mut own).await;
        server.advance(60).await;
        // The thief knows the password, and types codes from everywhere.
        let mut thief = Browser::new();
        local_sign_in(&server, &mut thief, &person.login, &person.password).await;
        let mut statuses = Vec::new();
        for _ in 0..7 {
            statuses.push(thief.submit("second-step-form", &[("code", "000000")]).await.page().status);
        }
        assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429]);
        let mut stranger = Browser::new();
        local_sign_in(&server, &mut stranger, &person.login, &person.password).await;
        let code = app.code(&server, 0).await;
        assert_eq!(stranger.submit("second-step-form", &[("code", &code)]).await.page().status, 429);
        // The victim's own browser is heard.
        attempt(&server, &mut own, (&person.login, &person.password)).await;
        let page = own.submit("second-step-form", &[("code", &code)]).await.page();
        assert!(page.has("account-page"), "{}", page.summary());
        // A stolen mailbox makes browsers known, and yet gets no more than twenty tries.
        let mut heard = 0;
        let mut password = person.password.clone();
        for (round, new) in [NEW, "Wq4?bressant-Hulo", "Bn8;cormoran-Vask"].into_iter().enumerate() {
            let mut browser = Browser::new();
            ask(&server, &mut browser, &person.login).await;
            choose(&mut browser, &forgot::link_to(&server, &person.login, round + 1).await, new).await;
            new.clone_into(&mut password);
            local_sign_in(&server, &mut browser, &person.login, &password).await;
            for _ in 0..9 {
                heard += usize::from(browser.submit("second-step-form", &[("code", "000000")]).await.page().status == 401);
                server.advance(60).await;
            }
        }
        assert!((9..=20).contains(&heard), "{heard}");
        server.kill();
    }

    async fn sign_ups_do_not_use_up_the_links_of_somebody_else(mut server: TestServer) {
        let person = server.learner().clone();
        for _ in 0..5 {
            let mut browser = Browser::new();
            let page = browser.get(&server.url("/sign-up")).await.page();
            fill(&mut browser, &person.login, &work(&page)).await;
        }
        let mut browser = Browser::new();
        let page = ask(&server, &mut browser, &person.login).await;
        assert!(page.has("link-sent-page"), "{}", page.summary());
        forgot::link_to(&server, &person.login, 1).await;
        server.kill();
    }

    async fn links_that_others_asked_for_leave_those_of_a_right_password(mut server: TestServer) {
        let person = server.learner().clone();
        server.advance(366 * DAY).await;
        for _ in 0..5 {
            ask(&server, &mut Browser::new(), &person.login).await;
        }
        forgot::link_to(&server, &person.login, 5).await;
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert!(page.has("password-expired-page"), "{}", page.summary());
        forgot::link_to(&server, &person.login, 6).await;
        server.kill();
    }

    async fn an_address_is_found_whatever_its_capitals(mut server: TestServer) {
        let invite = [
            "person", "invite", "--email", "Jeanne.MARTIN@ecole.example", "--login", "jmartin", "--given-name", "Jeanne",
            "--family-name", "Martin",
        ];
        server.manage(&invite).await.printed();
        let link = link_to(&server, ("Jeanne.MARTIN@ecole.example", "/activate/"), 1).await;
        crate::activation::activate(&mut Browser::new(), &link, NEW).await.page();
        for (count, typed) in ["jeanne.martin@ecole.example", "Jeanne.MARTIN@ecole.example", "JEANNE.MARTIN@ECOLE.EXAMPLE"].iter().enumerate() {
            ask(&server, &mut Browser::new(), typed).await;
            forgot::link_to(&server, "Jeanne.MARTIN@ecole.example", count + 1).await;
        }
        // And there is no second account for the same mailbox.
        let mut browser = Browser::new();
        let page = browser.get(&server.url("/sign-up")).await.page();
        fill(&mut browser, "jeanne.martin@ecole.example", &work(&page)).await;
        letter(&server, ("Jeanne.MARTIN@ecole.example", "Vous avez déjà un compte")).await;
        server.kill();
    }

    async fn a_consent_is_that_of_whoever_gave_it(mut server: TestServer) {
        let (first, second) = (server.learner().clone(), server.learner_number(1).clone());
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &first.login, &first.password).await;
        let request = AuthorizationRequest::of(server.client("demo-portal")).with("prompt", "login consent");
        let page = browser.get(&request.url(&server)).await.page();
        assert!(page.has("login-form"), "{}", page.summary());
        let path = page.url.path().replace("/login/", "/consent/");
        let page = browser.get(&server.url(&path)).await.page();
        assert!(page.has("consent-page"), "{}", page.summary());
        let page = browser.click("consent-allow").await.page();
        assert!(page.has("login-form"), "the sign-in is asked for still: {}", page.summary());
        browser.click("login-not-you").await.page();
        let page = browser.sign_in(&second).await.page();
        assert!(page.has("consent-page"), "what {} said is not what {} says: {}", first.login, second.login, page.summary());
        AuthorizationResponse::from_url(browser.click("consent-allow").await.left()).code();
        server.kill();
    }

    async fn a_step_ends_with_the_password_it_rests_on(mut server: TestServer) {
        let person = server.learner().clone();
        server.set_clock(&json!({ "set": "2027-12-01T12:00:00+01:00" })).await.ok_json();
        let mut browser = Browser::new();
        ask(&server, &mut browser, &person.login).await;
        choose(&mut browser, &forgot::link_to(&server, &person.login, 1).await, NEW).await;
        local_sign_in(&server, &mut browser, &person.login, NEW).await;
        let (app, _) = add_app(&server, &mut browser).await;
        server.set_clock(&json!({ "set": "2028-11-30T23:50:00+01:00" })).await.ok_json();
        for (seconds, good) in [(300, true), (301, false)] {
            let mut browser = Browser::new();
            let page = local_sign_in(&server, &mut browser, &person.login, NEW).await;
            assert!(page.has("second-step-page"), "{}", page.summary());
            server.advance(seconds).await;
            let page = browser.submit("second-step-form", &[("code", &app.code(&server, 0).await)]).await.page();
            assert_eq!(page.has("account-page"), good, "{}", page.summary());
        }
        server.kill();
    }
}

/// A request whose last byte is held back.
struct Held {
    stream: TcpStream,
    last: Vec<u8>,
}

impl Held {
    async fn post(server: &TestServer, api: &Api, (path, body): (&str, &Value)) -> Self {
        let body = serde_json::to_vec(body).unwrap();
        let request = api.request("POST", path).build().unwrap();
        let token = request.headers()["authorization"].to_str().unwrap();
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}:{}\r\nAuthorization: {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            request.url().path(),
            request.url().host_str().unwrap(),
            server.port(),
            body.len(),
        );
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        let (first, last) = body.split_at(body.len() - 1);
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(first).await.unwrap();
        stream.flush().await.unwrap();
        Self { stream, last: last.to_vec() }
    }

    /// Sends the rest, and gives status and body.
    async fn finish(mut self) -> (u16, String) {
        self.stream.write_all(&self.last).await.unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }
}

own_journeys! {
    async fn a_write_held_back_does_not_outlive_a_report_or_a_kill_switch(mut server: TestServer) {
        let cfa = organization_of_kind(&server, "cfa");
        let within = |person: &&Person| person.organization.as_ref().is_some_and(|found| found.id == cfa);
        let chief = server.people.iter().filter(within).find(|person| person.kind.starts_with("second factor")).unwrap().clone();
        let keys = format!("/organizations/{cfa}/api-keys");
        let new = json!({ "name": "Voleur", "scopes": [READ], "ends_on": in_days(&server, 300).await });
        // Held back alone, it is taken.
        let api = Api::of_person(&server, &chief, ALL).await;
        let (status, body) = Held::post(&server, &api, (&keys, &new)).await.finish().await;
        assert_eq!(status, 201, "{body}");
        let held = Held::post(&server, &api, (&keys, &new)).await;
        // The server has its head, and has given leave.
        api.get("/me").await.done(200);
        server.advance(60).await;
        let mut own = Browser::new();
        local_sign_in(&server, &mut own, &chief.login, &chief.password).await;
        let code = Authenticator::from_text(chief.totp_secret.as_deref().unwrap()).code(&server, 0).await;
        own.submit("second-step-form", &[("code", &code)]).await.page();
        own.get(&server.url("/account")).await.page();
        assert!(own.submit("compromise-form", &[]).await.page().has("compromise-reported-page"));
        let (status, body) = held.finish().await;
        assert!(status == 401 && body.to_ascii_lowercase().contains("www-authenticate"), "{body}");

        // The same around a kill switch.
        let link = link_to(&server, (&chief.login, "/password/new/"), 1).await;
        choose(&mut own, &link, NEW).await;
        server.advance(60).await;
        let chief = Person { password: NEW.to_owned(), ..chief };
        let api = Api::of_person(&server, &chief, ALL).await;
        let held = Held::post(&server, &api, (&keys, &new)).await;
        api.get("/me").await.done(200);
        let boss = operator(&server).await;
        boss.post(&format!("/organizations/{cfa}/kill-switch"), &json!({ "reason": "vol" })).await.done(200);
        let (status, body) = held.finish().await;
        assert!(matches!(status, 401 | 403), "{body}");
        let live = boss.get(&keys).await.done(200);
        let live = live["items"].as_array().unwrap().iter().filter(|key| key["status"] == "active").count();
        assert_eq!(live, 0);
        server.kill();
    }
}

on_both_engines! { parallel_guesses_from_one_address_do_not_pass_its_limit, links_from_one_address_are_as_many_as_is_set }

async fn parallel_guesses_from_one_address_do_not_pass_its_limit(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "sign_in.failures_per_address_per_hour=10"]).await;
    let address = Ipv4Addr::new(127, 80, 9, 1);
    let barrier = Arc::new(Barrier::new(30));
    let mut tasks = Vec::new();
    for n in 0..30 {
        let (mut browser, barrier) = (Browser::from_address(address), Arc::clone(&barrier));
        browser.get(&server.url("/login")).await.page();
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            let login = format!("nobody{n}@nowhere.example");
            browser.submit("login-form", &[("username", &login), ("password", "a guess")]).await.page().status
        }));
    }
    let mut heard = 0;
    for task in tasks {
        heard += usize::from(task.await.unwrap() == 401);
    }
    assert_eq!(heard, 10);
    // The hour is over an hour after it began, and right passwords are given back.
    server.advance(3600).await;
    for n in 0..12 {
        let mut browser = Browser::from_address(address);
        let person = server.learner_number(n % 5);
        let page = local_sign_in(&server, &mut browser, &person.login, &person.password).await;
        assert!(page.has("account-page"), "{n}: {}", page.summary());
    }
    server.kill();
}

async fn links_from_one_address_are_as_many_as_is_set(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "sign_in.links_per_address_per_hour=3"]).await;
    let address = Ipv4Addr::new(127, 80, 9, 2);
    let mut statuses = Vec::new();
    // One a quarter of an hour: the fourth is one too many, the fifth comes when the hour of the first is over.
    for n in 0..5 {
        let mut browser = Browser::from_address(address);
        statuses.push(ask(&server, &mut browser, &format!("personne{n}@nulle-part.example")).await.status);
        server.advance(15 * 60 + 1).await;
    }
    assert_eq!(statuses, [200, 200, 200, 429, 200]);
    server.kill();
}
