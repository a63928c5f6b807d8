//! Guesses are slowed by account, address and network, and never lock out whom they are meant for (CNIL délibération 2022-100).

use std::net::Ipv4Addr;
use std::sync::Arc;

use habilis_integration_tests::{Browser, Engine, Page, TestServer};
use tokio::sync::Semaphore;

use crate::forgot::{NEW, choose, link_to, local_sign_in};

/// Tries to sign in with the form as it is open; the page that refuses, or the account.
pub(crate) async fn attempt(server: &TestServer, browser: &mut Browser, (login, password): (&str, &str)) -> Page {
    browser.get(&server.url("/login?again=yes")).await.page();
    browser.submit("login-form", &[("username", login), ("password", password)]).await.page()
}

/// Guesses `count` times, each time from another address of another network, many at once; says how many were heard.
pub(crate) async fn guess(server: &TestServer, login: &str, count: u32) -> usize {
    let at_once = Arc::new(Semaphore::new(16));
    let mut tasks = Vec::new();
    for n in 0..count {
        let (url, login, at_once) = (server.url("/login"), login.to_owned(), Arc::clone(&at_once));
        tasks.push(tokio::spawn(async move {
            let _place = at_once.acquire().await.unwrap();
            let [_, high, low, _] = (n << 8).to_be_bytes();
            let mut browser = Browser::from_address(Ipv4Addr::new(127, 100 + high, low, 9));
            browser.get(&url).await.page();
            let fields = [("username", login.as_str()), ("password", "a guess")];
            let page = browser.submit("login-form", &fields).await.page();
            assert!(matches!(page.status, 401 | 429), "{}", page.summary());
            page.status == 401
        }));
    }
    let mut heard = 0;
    for task in tasks {
        heard += usize::from(task.await.unwrap());
    }
    heard
}

own_journeys! {
    async fn a_thousand_guesses_from_everywhere_do_not_keep_the_victim_out(mut server: TestServer) {
        let person = server.learner().clone();
        // The victim has signed in before, in this browser and in this other one.
        let (mut own, mut other) = (Browser::new(), Browser::new());
        for browser in [&mut own, &mut other] {
            let page = local_sign_in(&server, browser, &person.login, &person.password).await;
            assert_eq!(page.url.path(), "/account", "{}", page.summary());
        }
        let heard = guess(&server, &person.login, 1000).await;
        assert!((5..=10).contains(&heard), "of a thousand, no more than ten: {heard}");
        // A stranger has to wait now, even with the right password; the victim does not.
        let page = attempt(&server, &mut Browser::new(), (&person.login, &person.password)).await;
        assert_eq!(page.status, 429, "{}", page.summary());
        let page = attempt(&server, &mut own, (&person.login, &person.password)).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
        // That gives the guesser nothing back.
        let more = guess(&server, &person.login, 50).await;
        assert!(heard + more <= 10, "{heard} and {more}");
        // Somebody at the victim's own computer has tries of its own, counted as strictly; the other browser is let be.
        let mut statuses = Vec::new();
        for _ in 0..7 {
            statuses.push(attempt(&server, &mut own, (&person.login, "a guess")).await.status);
        }
        assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429]);
        let page = attempt(&server, &mut other, (&person.login, &person.password)).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
        server.kill();
    }

    async fn a_browser_is_known_to_the_account_it_signed_in_to_and_to_no_other(mut server: TestServer) {
        let (victim, guesser) = (server.learner().clone(), server.learner_number(1).clone());
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &guesser.login, &guesser.password).await;
        assert!(guess(&server, &victim.login, 20).await >= 5);
        let page = attempt(&server, &mut browser, (&victim.login, &victim.password)).await;
        assert_eq!(page.status, 429, "{}", page.summary());
        // A name it makes up is no name it was given.
        let mut forged = browser.clone();
        forged.forget_cookies();
        assert_eq!(attempt(&server, &mut forged, (&victim.login, &victim.password)).await.status, 429);
        server.kill();
    }

    async fn who_holds_the_mailbox_is_let_in_while_others_guess(mut server: TestServer) {
        let person = server.learner().clone();
        assert!(guess(&server, &person.login, 20).await >= 5);
        let mut browser = Browser::new();
        browser.get(&server.url("/password/forgot")).await.page();
        browser.submit("forgot-form", &[("username", &person.login)]).await.page();
        let link = link_to(&server, &person.login, 1).await;
        choose(&mut browser, &link, NEW).await;
        guess(&server, &person.login, 50).await;
        assert_eq!(attempt(&server, &mut Browser::new(), (&person.login, NEW)).await.status, 429, "the guesses count again");
        let page = attempt(&server, &mut browser, (&person.login, NEW)).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
        server.kill();
    }
}

on_both_engines! { a_network_that_tries_many_accounts_is_slowed_as_a_whole }

async fn a_network_that_tries_many_accounts_is_slowed_as_a_whole(engine: Engine) {
    let options = ["--set", "sign_in.failures_per_network_per_hour=12"];
    let mut server = TestServer::own_with(engine, &options).await;
    let person = server.learner().clone();
    let mut known = Browser::from_address(Ipv4Addr::new(127, 80, 3, 200));
    local_sign_in(&server, &mut known, &person.login, &person.password).await;
    let mut statuses = Vec::new();
    for n in 0..15 {
        // Each time another account from another address: neither has anything to be slowed for.
        let mut browser = Browser::from_address(Ipv4Addr::new(127, 80, 3, 10 + n));
        statuses.push(attempt(&server, &mut browser, (&format!("nobody{n}@nowhere.example"), "a guess")).await.status);
    }
    assert_eq!(statuses, [[401; 12].as_slice(), &[429; 3]].concat());
    let mut neighbour = Browser::from_address(Ipv4Addr::new(127, 80, 3, 99));
    assert_eq!(attempt(&server, &mut neighbour, (&person.login, &person.password)).await.status, 429);
    // In the same network, the browser the account knows goes in, and so does anybody from elsewhere.
    let elsewhere = Browser::from_address(Ipv4Addr::new(127, 80, 4, 10));
    for mut browser in [known, elsewhere] {
        let page = attempt(&server, &mut browser, (&person.login, &person.password)).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
    }
    server.kill();
}
