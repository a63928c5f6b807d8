//! The yearly expiry of passwords, by the demonstration's clock (R041–R047).

use habilis_integration_tests::{Browser, Inbox, TestServer};
use serde_json::json;

use crate::forgot::{NEW, choose, link_to, local_sign_in};

const DAY: u64 = 86_400;

/// How many mails of this subject the address got.
async fn mails(server: &TestServer, address: &str, subject: &str) -> usize {
    Inbox::of(server).to(address).await.iter().filter(|mail| mail.subject == subject).count()
}

/// Sets the clock to midday in Paris on this day.
async fn set_day(server: &mut TestServer, day: &str) {
    server.set_clock(&json!({ "set": format!("{day}T12:00:00+01:00") })).await.ok_json();
}

/// Gives somebody a password chosen on this day, by the link.
async fn chosen_on(server: &mut TestServer, day: &str) -> String {
    let person = server.learner().clone();
    set_day(server, day).await;
    let mut browser = Browser::new();
    browser.get(&server.url("/password/forgot")).await.page();
    browser.submit("forgot-form", &[("username", &person.login)]).await.page();
    let link = link_to(server, &person.login, 1).await;
    assert!(choose(&mut browser, &link, NEW).await.has("password-changed-page"));
    person.login
}

own_journeys! {
    async fn an_expired_password_opens_nothing_but_sends_the_link_and_an_operator_is_no_exception(mut server: TestServer) {
        server.advance(366 * DAY).await;
        let operator = server.people.iter().find(|person| person.kind == "operator").unwrap().clone();
        for person in [server.learner().clone(), operator] {
            let mut browser = Browser::new();
            let page = local_sign_in(&server, &mut browser, &person.login, &person.password).await;
            assert!(page.status == 403 && page.has("password-expired-page"), "{}", page.summary());
            let page = browser.get(&server.url("/login")).await.page();
            assert!(page.has("login-form"), "no session: {}", page.summary());
            let page = local_sign_in(&server, &mut browser, &person.login, "wrong password").await;
            assert_eq!(page.status, 401, "only the right password learns that it expired");
            let link = link_to(&server, &person.login, 1).await;
            assert!(choose(&mut browser, &link, NEW).await.has("password-changed-page"));
            let page = local_sign_in(&server, &mut browser, &person.login, NEW).await;
            assert_eq!(page.url.path(), "/account", "{}", page.summary());
        }
    }

    async fn the_anniversary_is_the_day_at_midnight_in_paris(mut server: TestServer) {
        // Chosen within ninety days of the campaign, which therefore passes it by (Q01).
        let login = chosen_on(&mut server, "2027-12-01").await;
        server.set_clock(&json!({ "set": "2028-11-30T23:59:00+01:00" })).await.ok_json();
        let page = local_sign_in(&server, &mut Browser::new(), &login, NEW).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
        server.set_clock(&json!({ "set": "2028-12-01T00:00:00+01:00" })).await.ok_json();
        let page = local_sign_in(&server, &mut Browser::new(), &login, NEW).await;
        assert!(page.has("password-expired-page"), "{}", page.summary());
    }

    async fn the_campaign_of_mid_december_forces_passwords_older_than_ninety_days(mut server: TestServer) {
        let login = chosen_on(&mut server, "2027-09-01").await;
        set_day(&mut server, "2027-12-14").await;
        let page = local_sign_in(&server, &mut Browser::new(), &login, NEW).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
        set_day(&mut server, "2027-12-15").await;
        let page = local_sign_in(&server, &mut Browser::new(), &login, NEW).await;
        assert!(page.has("password-expired-page"), "{}", page.summary());
    }

    async fn reminders_go_out_once_each_and_the_most_urgent_alone_after_a_downtime(mut server: TestServer) {
        let subject = "Votre mot de passe expire bientôt";
        let login = chosen_on(&mut server, "2027-12-01").await;
        for (day, expected) in [("2028-10-30", 0), ("2028-11-02", 1), ("2028-11-03", 1), ("2028-11-30", 2)] {
            set_day(&mut server, day).await;
            // A second run finds nothing left to do.
            server.advance(60).await;
            assert_eq!(mails(&server, &login, subject).await, expected, "{day}");
        }
        server.kill();
        server.restart().await;
        set_day(&mut server, "2028-11-30").await;
        assert_eq!(mails(&server, &login, subject).await, 2, "also after a restart");
    }

    async fn after_the_grace_the_account_is_suspended_and_the_link_brings_it_back(mut server: TestServer) {
        let subject = "Votre compte est suspendu";
        let login = chosen_on(&mut server, "2027-12-01").await;
        set_day(&mut server, "2028-12-30").await;
        assert_eq!(mails(&server, &login, subject).await, 0);
        set_day(&mut server, "2028-12-31").await;
        server.advance(DAY).await;
        assert_eq!(mails(&server, &login, subject).await, 1, "said once");
        let page = local_sign_in(&server, &mut Browser::new(), &login, NEW).await;
        assert!(page.has("password-expired-page"), "{}", page.summary());
        let link = link_to(&server, &login, 2).await;
        let mut browser = Browser::new();
        let renewed = "Wq4?bressant-Hulo";
        assert!(choose(&mut browser, &link, renewed).await.has("password-changed-page"));
        let page = local_sign_in(&server, &mut browser, &login, renewed).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
    }
}
