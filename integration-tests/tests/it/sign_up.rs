//! `/sign-up`: people make themselves an account, robots do not (R003, R004, Q05).

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Browser, Engine, Http, Inbox, Page, TestServer, WebDriver};
use tokio::sync::Barrier;

use crate::activation::{activate, link_to};
use crate::forgot::{NEW, local_sign_in};

/// The answer to the challenge of a sign-up page, as its script would find it.
pub(crate) fn work(page: &Page) -> String {
    let challenge = page.attribute("challenge", "value").expect("a challenge");
    let bits: u32 = page.attribute("sign-up-form", "data-bits").expect("its difficulty").parse().unwrap();
    (0..u64::MAX)
        .map(|number| number.to_string())
        .find(|number| {
            let digest = ring::digest::digest(&ring::digest::SHA256, format!("{challenge}:{number}").as_bytes());
            let word = u32::from_be_bytes(digest.as_ref()[..4].try_into().unwrap());
            word.leading_zeros() >= bits
        })
        .unwrap()
}

/// Fills in the form as it is open, with this proof.
pub(crate) async fn fill(browser: &mut Browser, email: &str, proof: &str) -> Page {
    let fields =
        [("given_name", "Zoé"), ("family_name", "Martin"), ("email", email), ("proof", proof), ("declare", "yes")];
    browser.submit("sign-up-form", &fields).await.page()
}

/// Opens the form, does the work and sends it.
async fn sign_up(server: &TestServer, browser: &mut Browser, email: &str) -> Page {
    let page = browser.get(&server.url("/sign-up")).await.page();
    let proof = work(&page);
    fill(browser, email, &proof).await
}

/// How many mails with a link to open an account were written, once there are at least `count`.
async fn links_sent(server: &TestServer, count: usize) -> usize {
    let mut found = 0;
    for _ in 0..400 {
        let mails = Inbox::of(server).all().await;
        found = mails.iter().filter(|mail| mail.links.iter().any(|link| link.contains("/activate/"))).count();
        if found >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    found
}

/// A server whose challenges cost next to nothing, for those who send a hundred.
async fn easy(engine: Engine, more: &[&str]) -> TestServer {
    let options = [&["--set", "accounts.proof_of_work_bits=8"], more].concat();
    TestServer::own_with(engine, &options).await
}

on_both_engines! {
    one_hundred_scripted_sign_ups_from_one_address_do_not_get_through,
    one_hundred_from_one_network_do_not_get_through_either,
    without_its_script_the_mail_waits_and_there_are_few,
    where_it_is_not_allowed_there_is_nothing
}

/// Sends a hundred forms, several at a time, and says how many were taken; all others were told to come back later.
async fn hundred(server: &TestServer, address: impl Fn(u8) -> Ipv4Addr, proven: bool) -> usize {
    let mut tasks = Vec::new();
    for n in 0..100_u8 {
        let (mut browser, url) = (Browser::from_address(address(n)), server.url("/sign-up"));
        tasks.push(tokio::spawn(async move {
            let page = browser.get(&url).await.page();
            let proof = if proven { work(&page) } else { String::new() };
            let page = fill(&mut browser, &format!("robot{n}@scripted.example"), &proof).await;
            match page.status {
                200 => true,
                429 => {
                    let seconds = page.header("retry-after").parse::<u64>();
                    assert!(
                        page.has("sign-up-error") && seconds.is_ok_and(|seconds| seconds <= 3601),
                        "{}",
                        page.summary()
                    );
                    false
                }
                _ => panic!("{}", page.summary()),
            }
        }));
    }
    let mut taken = 0;
    for task in tasks {
        taken += usize::from(task.await.unwrap());
    }
    taken
}

async fn one_hundred_scripted_sign_ups_from_one_address_do_not_get_through(engine: Engine) {
    let mut server = easy(engine, &[]).await;
    let address = Ipv4Addr::new(127, 90, 1, 7);
    assert_eq!(hundred(&server, |_| address, true).await, 5, "five an hour from one address");
    assert_eq!(links_sent(&server, 5).await, 5);
    // And none of them exists before its address is proven.
    for n in 0..100 {
        let shown = local_sign_in(&server, &mut Browser::new(), &format!("robot{n}@scripted.example"), NEW).await;
        assert_eq!(shown.status, 401);
    }
    // Others are not concerned, and an hour later the address is heard again.
    let other = Browser::from_address(Ipv4Addr::new(127, 91, 1, 7));
    assert_eq!(sign_up(&server, &mut other.clone(), "personne@ailleurs.example").await.status, 200);
    server.advance(3601).await;
    assert_eq!(sign_up(&server, &mut Browser::from_address(address), "personne@ici.example").await.status, 200);
    server.kill();
}

async fn one_hundred_from_one_network_do_not_get_through_either(engine: Engine) {
    let mut server = easy(engine, &[]).await;
    let taken = hundred(&server, |n| Ipv4Addr::new(127, 92, 1, 10 + n), true).await;
    assert_eq!(taken, 20, "twenty an hour from one /24");
    assert_eq!(links_sent(&server, 20).await, 20);
    server.kill();
}

async fn without_its_script_the_mail_waits_and_there_are_few(engine: Engine) {
    let mut server = easy(engine, &[]).await;
    assert_eq!(hundred(&server, |_| Ipv4Addr::new(127, 93, 1, 7), false).await, 1, "one an hour from one address");
    assert_eq!(links_sent(&server, 1).await, 1);
    let sent = async |server: &TestServer| {
        let mails = Http::new().get(&server.url("/demo/mailbox.json")).await.ok_json();
        let mails = mails.as_array().unwrap().clone();
        mails.into_iter().find(|mail| mail["to"].as_str().unwrap().ends_with("@scripted.example")).unwrap()["sent"]
            .clone()
    };
    // Moving the clock runs the jobs that are due.
    server.advance(9 * 60).await;
    assert!(sent(&server).await.is_null(), "ten minutes are not over");
    server.advance(61).await;
    assert!(!sent(&server).await.is_null());
    // From a hundred networks at once, there are no more than twenty in all; the first one above is among them.
    assert_eq!(hundred(&server, |n| Ipv4Addr::new(127, 94, n, 7), false).await, 19);
    server.kill();
}

async fn where_it_is_not_allowed_there_is_nothing(engine: Engine) {
    let mut server = easy(engine, &["--set", "accounts.self_registration=false"]).await;
    let mut browser = Browser::new();
    let page = browser.get(&server.url("/login")).await.page();
    assert!(!page.has("login-sign-up"), "{}", page.summary());
    assert_eq!(browser.get(&server.url("/sign-up")).await.page().status, 404);
    let fields = [("given_name", "Zoé"), ("family_name", "Martin"), ("email", "z@exemple.example")];
    assert_eq!(Http::new().post_form(&server.url("/sign-up"), &fields).await.status, 404);
    server.kill();
}

own_journeys! {
    async fn a_person_signs_up_on_the_way_to_a_portal_and_comes_out_there(mut server: TestServer) {
        let request = AuthorizationRequest::of(server.client("demo-portal"));
        let mut browser = Browser::new();
        browser.get(&request.url(&server)).await.page();
        let page = browser.click("login-sign-up").await.page();
        let proof = work(&page);
        let page = fill(&mut browser, " Zoe.Martin@Apprenante.EXAMPLE ", &proof).await;
        assert!(page.status == 200 && page.has("sign-up-sent-page"), "{}", page.summary());
        let email = "Zoe.Martin@apprenante.example";
        let link = link_to(&server, (email, "/activate/"), 1).await;
        assert_eq!(local_sign_in(&server, &mut Browser::new(), email, NEW).await.status, 401, "nothing exists yet");
        let left = activate(&mut browser, &link, NEW).await.left();
        let response = AuthorizationResponse::from_url(left);
        response.code();
        let page = local_sign_in(&server, &mut Browser::new(), email, NEW).await;
        assert!(page.url.path() == "/account" && page.all_text().contains("Zoé Martin"), "{}", page.summary());
        assert_eq!(Browser::new().get(&link).await.page().status, 410);
        server.kill();
    }

    async fn a_known_address_gets_the_same_answer_and_its_holder_is_told(mut server: TestServer) {
        let person = server.learner().clone();
        let known = sign_up(&server, &mut Browser::new(), &person.login).await;
        let unknown = sign_up(&server, &mut Browser::new(), "personne@nulle-part.example").await;
        assert_eq!((known.status, &known.html), (unknown.status, &unknown.html));
        link_to(&server, ("personne@nulle-part.example", "/activate/"), 1).await;
        link_to(&server, (&person.login, "/password/forgot"), 1).await;
        let mails = Inbox::of(&server).to(&person.login).await;
        assert!(mails.iter().any(|mail| mail.subject == "Vous avez déjà un compte"), "{mails:?}");
        assert!(mails.iter().all(|mail| mail.links.iter().all(|link| !link.contains("/activate/"))), "{mails:?}");
        // Not even its holder is mailed without end.
        for _ in 0..4 {
            sign_up(&server, &mut Browser::new(), &person.login).await;
        }
        assert_eq!(sign_up(&server, &mut Browser::new(), &person.login).await.status, 429);
        server.kill();
    }

    async fn a_sign_up_that_was_answered_survives_a_kill(mut server: TestServer) {
        let addresses = ["un", "deux", "trois"].map(|name| format!("{name}@exemple.example"));
        for address in &addresses {
            let page = sign_up(&server, &mut Browser::new(), address).await;
            assert!(page.has("sign-up-sent-page"), "{}", page.summary());
        }
        server.kill();
        server.restart().await;
        for address in &addresses {
            let link = link_to(&server, (address, "/activate/"), 1).await;
            let page = activate(&mut Browser::new(), &link, NEW).await.page();
            assert!(page.has("account-page"), "{}", page.summary());
        }
        // Each was answered once.
        assert_eq!(links_sent(&server, addresses.len()).await, addresses.len());
        server.kill();
    }

    async fn a_proof_serves_once_in_its_own_browser_and_time(mut server: TestServer) {
        let mut browser = Browser::new();
        let page = browser.get(&server.url("/sign-up")).await.page();
        let proof = work(&page);
        let refused = |page: &Page| page.status == 422 && page.has("sign-up-error");
        let page = fill(&mut browser, "a@exemple.example", "not a number").await;
        assert!(refused(&page), "{}", page.summary());
        // In another browser, with that browser's own form token.
        let mut other = Browser::new();
        let first = browser.get(&server.url("/sign-up")).await.page();
        let proof_of_first = work(&first);
        other.get(&server.url("/sign-up")).await.page();
        let challenge = first.attribute("challenge", "value").unwrap();
        let fields = [
            ("given_name", "Zoé"), ("family_name", "Martin"), ("email", "b@exemple.example"),
            ("challenge", &challenge), ("proof", &proof_of_first), ("declare", "yes"),
        ];
        let page = other.submit("sign-up-form", &fields).await.page();
        assert!(refused(&page), "{}", page.summary());
        // Eight times at once, it is taken once.
        let barrier = Arc::new(Barrier::new(8));
        let mut tasks = Vec::new();
        for n in 0..8 {
            let (mut browser, barrier, proof) = (browser.clone(), Arc::clone(&barrier), proof_of_first.clone());
            tasks.push(tokio::spawn(async move {
                barrier.wait().await;
                let page = fill(&mut browser, &format!("c{n}@exemple.example"), &proof).await;
                assert!(matches!(page.status, 200 | 422), "{}", page.summary());
                page.status == 200
            }));
        }
        let mut taken = 0;
        for task in tasks {
            taken += usize::from(task.await.unwrap());
        }
        assert_eq!(taken, 1);
        assert_ne!(proof, String::new());
        // After two hours the form is too old; the page brings a new challenge, and what was typed.
        let page = browser.get(&server.url("/sign-up")).await.page();
        let proof = work(&page);
        server.advance(2 * 3600).await;
        let page = fill(&mut browser, "d@exemple.example", &proof).await;
        assert!(refused(&page), "{}", page.summary());
        assert_eq!(page.attribute("email", "value").as_deref(), Some("d@exemple.example"));
        let proof = work(&page);
        let page = fill(&mut browser, "d@exemple.example", &proof).await;
        assert!(page.has("sign-up-sent-page"), "{}", page.summary());
        server.kill();
    }

    async fn fields_are_checked_one_by_one_and_nothing_is_sent(mut server: TestServer) {
        let mut browser = Browser::new();
        let long = "é".repeat(101);
        for (given, family, email, wrong) in [
            ("", "Martin", "z@exemple.example", "given-name-error"),
            ("Zoé", "https://evil.example/gagnez", "z@exemple.example", "family-name-error"),
            (long.as_str(), "Martin", "z@exemple.example", "given-name-error"),
            ("Zoé", "Martin", "pas une adresse", "email-error"),
            ("Zoé", "Martin", "z@localhost", "email-error"),
        ] {
            browser.get(&server.url("/sign-up")).await.page();
            let fields = [("given_name", given), ("family_name", family), ("email", email), ("declare", "yes")];
            let page = browser.submit("sign-up-form", &fields).await.page();
            assert!(page.status == 422 && page.has(wrong), "{wrong}: {}", page.summary());
            let errors = ["given-name-error", "family-name-error", "email-error", "declare-error"].into_iter().filter(|id| page.has(id));
            assert_eq!(errors.count(), 1, "{}", page.summary());
        }
        let fields = [("given_name", "Zoé"), ("family_name", "Martin"), ("email", "z@exemple.example"), ("csrf", "forged")];
        assert_eq!(browser.submit("sign-up-form", &fields).await.page().status, 403);
        let oversized = [("given_name", "a".repeat(100_000))];
        let http = Http::new();
        let answer = http.send(http.request("POST", &server.url("/sign-up")).form(&oversized)).await;
        assert_eq!(answer.status, 413, "{}", answer.body);
        let mails = Inbox::of(&server).all().await;
        assert!(mails.is_empty(), "{mails:?}");
        server.kill();
    }

    async fn two_links_to_one_address_make_one_account(mut server: TestServer) {
        let email = "zoe@exemple.example";
        for count in 1..=2 {
            sign_up(&server, &mut Browser::new(), email).await;
            link_to(&server, (email, "/activate/"), count).await;
        }
        let links: Vec<String> = Inbox::of(&server).to(email).await.into_iter().flat_map(|mail| mail.links).collect();
        assert_eq!(links.len(), 2, "{links:?}");
        let page = activate(&mut Browser::new(), &links[0], NEW).await.page();
        assert!(page.has("account-page"), "{}", page.summary());
        let mut browser = Browser::new();
        browser.get(&links[1]).await.page();
        let other = format!("{NEW}-autre");
        let fields = [("password", other.as_str()), ("repeated", &other), ("accept", "yes")];
        let page = browser.submit("activate-form", &fields).await.page();
        assert!(page.status == 409 && page.has("account-exists-page"), "{}", page.summary());
        assert_eq!(local_sign_in(&server, &mut Browser::new(), email, NEW).await.url.path(), "/account");
        // A link that is a day old makes nothing either.
        sign_up(&server, &mut Browser::new(), "tard@exemple.example").await;
        let link = link_to(&server, ("tard@exemple.example", "/activate/"), 1).await;
        server.advance(24 * 3600 + 1).await;
        assert_eq!(Browser::new().get(&link).await.page().status, 410);
        server.kill();
    }

    async fn the_script_does_the_work_while_the_form_is_filled_in_and_axe_finds_nothing_wrong(mut server: TestServer) {
        let browser = WebDriver::start().await;
        for (screen, name) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            for language in ["fr", "en"] {
                browser.set_screen(screen).await;
                browser.goto(&server.url(&format!("/sign-up?ui_locales={language}"))).await;
                browser.text("#sign-up-form").await;
                browser.screenshot(&format!("sign-up-{name}-{language}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "{name} {language}");
                let wider = browser.script("return document.documentElement.scrollWidth > window.innerWidth").await;
                assert_eq!(wider, false, "nothing to scroll sideways: {name}");
            }
        }
        browser.fill("given-name", "Zoé").await;
        browser.fill("family-name", "Martin").await;
        browser.fill("email", "zoe@exemple.example").await;
        browser.click("declare").await;
        // Whether the work is done by then or not: the form goes when it is.
        browser.click("sign-up-submit").await;
        browser.text("#sign-up-sent-page").await;
        assert_eq!(browser.axe().await, Vec::<String>::new(), "sent");
        browser.screenshot("sign-up-sent").await;
        let text = browser.text(".lead").await;
        assert!(text.contains("has just been sent"), "not queued: {text}");
        let link = link_to(&server, ("zoe@exemple.example", "/activate/"), 1).await;
        activate(&mut Browser::new(), &link, NEW).await.page();
        server.kill();
    }
}
