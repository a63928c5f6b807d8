//! The yearly expiry of passwords, by the demonstration's clock (R041–R047).

use habilis_integration_tests::{Browser, Inbox, Passkey, TestServer};
use serde_json::json;

use crate::forgot::{NEW, ask, choose, link_to, local_sign_in};
use crate::passkeys;

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

    async fn an_expired_password_is_not_changed_in_the_account_either(mut server: TestServer) {
        let login = chosen_on(&mut server, "2027-12-01").await;
        // Somebody else chooses theirs the same day, and adds a passkey.
        let other = server.learner_number(1).clone();
        let mut browser = Browser::new();
        ask(&server, &mut browser, &other.login).await;
        choose(&mut browser, &link_to(&server, &other.login, 1).await, NEW).await;
        local_sign_in(&server, &mut browser, &other.login, NEW).await;
        browser.get(&server.url("/account/security")).await.page();
        let mut passkey = Passkey::new(&server.issuer);
        assert!(passkeys::add(&mut browser, &mut passkey).await.page().has("recovery-codes-page"));

        server.set_clock(&json!({ "set": "2028-11-30T23:55:00+01:00" })).await.ok_json();
        let mut early = Browser::new();
        let page = local_sign_in(&server, &mut early, &login, NEW).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
        server.advance(8 * 60).await;
        let mut late = Browser::new();
        late.get(&server.url("/login")).await.page();
        let page = passkeys::sign_in(&mut late, &mut passkey).await.page();
        assert!(page.has("account-page"), "{}", page.summary());
        let renewed = "Wq4?bressant-Hulo";
        for (browser, login) in [(&mut early, &login), (&mut late, &other.login)] {
            let page = browser.get(&server.url("/account/password")).await.page();
            assert!(page.has("change-password-form") && !page.has("present"), "{}", page.summary());
            let page = browser.submit("change-password-form", &[("password", renewed), ("repeated", renewed)]).await.page();
            assert!(page.status == 403 && page.has("password-expired-page"), "{}", page.summary());
            let page = local_sign_in(&server, &mut Browser::new(), login, renewed).await;
            assert_eq!(page.status, 401, "{}", page.summary());
            let link = link_to(&server, login, 2).await;
            assert!(choose(&mut Browser::new(), &link, renewed).await.has("password-changed-page"));
        }
        let page = local_sign_in(&server, &mut early, &login, renewed).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
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

/// The link to choose a password that was mailed to this address at this time or later.
async fn link_since(server: &TestServer, address: &str, since: jiff::Timestamp) -> String {
    for _ in 0..400 {
        let mails = Inbox::of(server).to(address).await;
        let fresh = mails.into_iter().filter(|mail| mail.time.parse::<jiff::Timestamp>().unwrap() >= since);
        if let Some(link) = fresh.flat_map(|mail| mail.links).find(|link| link.contains("/password/new/")) {
            return link;
        }
        // The link is written after the answer, on purpose.
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("no link to {address} since {since}");
}

/// Small steps and long ones, the same in every run.
fn steps(count: usize) -> impl Iterator<Item = u64> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Hours: mostly within a season, now and then more than a year.
        if state.is_multiple_of(5) { 24 * 300 + state % (24 * 150) } else { state % (24 * 90) }
    })
    .take(count)
}

own_journeys! {
    /// Sixty visits at any hours over more than ten years, leap days, summer time and campaigns among them: whoever gets in
    /// chose the password less than a year ago, and whoever does not is given the link, which always leads back in.
    async fn no_password_older_than_a_year_ever_opens_the_account(mut server: TestServer) {
        let person = server.learner().clone();
        let mut password = person.password.clone();
        let mut chosen = server.now().await;
        let (mut inside, mut outside, mut links) = (0, 0, 0);
        for (visit, hours) in steps(60).enumerate() {
            server.advance(hours * 3600).await;
            let now = server.now().await;
            let paris = |at: jiff::Timestamp| at.in_tz("Europe/Paris").unwrap().date();
            // 29 February comes of age on the 28th.
            let anniversary = paris(chosen).saturating_add(jiff::Span::new().years(1));
            let page = local_sign_in(&server, &mut Browser::new(), &person.login, &password).await;
            if page.url.path() == "/account" {
                assert!(paris(now) < anniversary, "visit {visit}: chosen {chosen}, now {now}");
                inside += 1;
                continue;
            }
            outside += 1;
            assert!(page.has("password-expired-page") || page.status == 401, "{visit}: {}", page.summary());
            // The link is mailed to the right password; whoever is suspended by then asks for it.
            server.advance(3601).await;
            let mut browser = Browser::new();
            let since = server.now().await;
            ask(&server, &mut browser, &person.login).await;
            links += 1;
            let link = link_since(&server, &person.login, since).await;
            password = format!("{NEW}{links}");
            let page = choose(&mut browser, &link, &password).await;
            assert!(page.has("password-changed-page"), "{visit}: {}", page.summary());
            chosen = server.now().await;
            let page = local_sign_in(&server, &mut Browser::new(), &person.login, &password).await;
            assert_eq!(page.url.path(), "/account", "{visit}: {}", page.summary());
        }
        assert!(inside > 20 && outside > 8, "both happen: {inside} in, {outside} out");
        server.kill();
    }
}
