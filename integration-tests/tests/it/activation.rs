//! `/activate/{token}`: an account opens by a one-time link, never with a password somebody else chose (R004, R005, R025, R026).

use std::time::Duration;

use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Browser, Engine, Inbox, Page, TestServer, Visit, WebDriver};
use serde_json::{Value, json};

use crate::api::{all, in_days, invited, new_member, operator};
use crate::forgot::{NEW, local_sign_in};
use crate::seats::{product, step};

const EMAIL: &str = "zoe.nouvelle@apprenante.example";
const INVITE: [&str; 8] =
    ["person", "invite", "--email", EMAIL, "--given-name", "Zoé", "--family-name", "L’Hostis-Kervadec"];

/// The newest link of this kind sent to an address, once there are `count` of them.
pub(crate) async fn link_to(server: &TestServer, (address, path): (&str, &str), count: usize) -> String {
    for _ in 0..400 {
        let mails = Inbox::of(server).to(address).await;
        let links: Vec<String> =
            mails.into_iter().flat_map(|mail| mail.links).filter(|link| link.contains(path)).collect();
        if links.len() >= count {
            return links[0].clone();
        }
        // Some mails are written after the answer, on purpose.
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no link {count} with {path} to {address}");
}

async fn invitation(server: &TestServer, count: usize) -> String {
    link_to(server, (EMAIL, "/activate/"), count).await
}

/// Opens a link and accepts with this password.
pub(crate) async fn activate(browser: &mut Browser, link: &str, password: &str) -> Visit {
    let page = browser.get(link).await.page();
    assert!(page.has("activate-form"), "{}", page.summary());
    let fields = [("password", password), ("repeated", password), ("accept", "yes"), ("declare", "yes")];
    // Who signed up has declared already.
    let asked = if page.has("declare") { fields.as_slice() } else { &fields[..3] };
    browser.submit("activate-form", asked).await
}

async fn ask_for_a_link(server: &TestServer, typed: &str) -> Page {
    let mut browser = Browser::new();
    browser.get(&server.url("/password/forgot")).await.page();
    browser.submit("forgot-form", &[("username", typed)]).await.page()
}

own_journeys! {
    async fn an_invited_person_chooses_a_password_once_and_lands_at_the_portal(mut server: TestServer) {
        let organization = server.learner().organization.clone().unwrap();
        let target = format!("{}/sign-in", server.portal);
        let options = ["--organization", &organization.id, "--right", "demo-portal=apprenant", "--portal", "demo-portal", "--target", &target];
        let invited = server.manage(&[&INVITE[..], &options].concat()).await.printed();
        let mail = invited.split_whitespace().last().unwrap().to_owned();
        assert!(mail.starts_with("mail_"), "{invited}");
        let link = invitation(&server, 1).await;

        // Nothing opens the account but the link.
        let page = local_sign_in(&server, &mut Browser::new(), EMAIL, NEW).await;
        assert_eq!(page.status, 401, "{}", page.summary());
        let mut browser = Browser::new();
        let page = browser.get(&link).await.page();
        assert!(page.all_text().contains(&organization.name) && page.all_text().contains("Zoé"), "{}", page.summary());
        assert_eq!(page.attribute("login", "value").as_deref(), Some(EMAIL));
        let page = browser.submit("activate-form", &[("password", NEW), ("repeated", NEW)]).await.page();
        assert!(page.status == 422 && page.has("accept-error") && page.has("declare-error"), "{}", page.summary());
        let fields = [("password", "court"), ("repeated", "court"), ("accept", "yes"), ("declare", "yes")];
        let page = browser.submit("activate-form", &fields).await.page();
        assert!(page.status == 422 && page.has("password-problems"), "{}", page.summary());

        let visit = activate(&mut browser, &link, NEW).await;
        let page = browser.walk_on(visit).await;
        assert!(page.url.as_str().starts_with(&server.portal), "{}", page.summary());
        assert!(page.text("portal-name").contains("Zoé"), "{}", page.summary());
        assert_eq!(page.text("portal-organization"), organization.name);

        let page = browser.get(&link).await.page();
        assert!(page.status == 410 && page.has("account-link-over-page"), "{}", page.summary());
        let page = local_sign_in(&server, &mut Browser::new(), EMAIL, NEW).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());

        // The proof of delivery: the mail's id, and what the mail server said.
        let shown = server.manage(&["person", "show", EMAIL]).await.printed();
        let notice = shown.lines().find(|line| line.contains(&mail)).unwrap_or_else(|| panic!("no {mail}: {shown}"));
        for words in ["account_invitation.1", "sent ", "kept in memory"] {
            assert!(notice.contains(words), "{words}: {notice}");
        }
        assert!(shown.contains("active") && shown.contains("(proven)") && shown.contains(&organization.id), "{shown}");
        server.kill();
    }

    async fn an_invitation_ends_after_its_days_and_a_fresh_one_comes_for_the_asking(mut server: TestServer) {
        server.manage(&INVITE).await.printed();
        let first = invitation(&server, 1).await;
        server.manage(&["person", "resend", EMAIL]).await.printed();
        let second = invitation(&server, 2).await;
        let mut browser = Browser::new();
        assert_eq!(browser.get(&first).await.page().status, 410, "a newer link voids it");
        assert_eq!(browser.get(&second).await.page().status, 200);
        server.advance(7 * 24 * 3600 - 60).await;
        assert_eq!(browser.get(&second).await.page().status, 200);
        server.advance(120).await;
        let page = browser.get(&second).await.page();
        assert_eq!(page.status, 410, "seven days are over");
        assert_eq!(page.attribute("notice-next", "href").as_deref(), Some("/password/forgot"));
        // "Forgot" is where people go; an account that was never opened gets its invitation again, and no password link.
        assert!(ask_for_a_link(&server, EMAIL).await.has("link-sent-page"));
        let third = invitation(&server, 3).await;
        let mails = Inbox::of(&server).to(EMAIL).await;
        assert!(mails.iter().all(|mail| mail.links.iter().all(|link| !link.contains("/password/new/"))), "{mails:?}");
        activate(&mut browser, &third, NEW).await.page();
        assert!(browser.page().has("account-page"), "{}", browser.page().summary());
        server.manage(&["person", "resend", EMAIL]).await.assert_refused(&["active"]);
        server.kill();
    }

    async fn of_concurrent_activations_exactly_one_opens_the_account(mut server: TestServer) {
        server.manage(&INVITE).await.printed();
        let link = invitation(&server, 1).await;
        let mut browsers = Vec::new();
        for _ in 0..8 {
            let mut browser = Browser::new();
            browser.get(&link).await.page();
            browsers.push(browser);
        }
        let mut tasks = Vec::new();
        for (n, mut browser) in browsers.into_iter().enumerate() {
            tasks.push(tokio::spawn(async move {
                let password = format!("{NEW}{n}");
                let fields = [("password", password.as_str()), ("repeated", &password), ("accept", "yes"), ("declare", "yes")];
                let page = browser.submit("activate-form", &fields).await.page();
                assert!(matches!(page.status, 200 | 410), "{}", page.summary());
                page.has("account-page")
            }));
        }
        let mut opened = 0;
        for task in tasks {
            opened += usize::from(task.await.unwrap());
        }
        assert_eq!(opened, 1);
        server.kill();
    }

    async fn what_makes_no_sense_is_not_invited(mut server: TestServer) {
        let login = server.learner().login.clone();
        let organization = server.learner().organization.clone().unwrap().id;
        for (options, words) in [
            (vec!["--login", login.as_str()], "mail address"),
            (vec!["--organization", "org_nowhere"], "org_nowhere"),
            (vec!["--organization", &organization, "--right", "nobody=apprenant"], "nobody"),
            (vec!["--portal", "nobody"], "nobody"),
            (vec!["--portal", "demo-portal", "--target", "https://evil.example/"], "target"),
            (vec!["--right", "demo-portal=apprenant"], "--organization"),
            (vec!["--locale", "de"], "fr"),
        ] {
            // Through the PostgreSQL of one engine and the file of the other, nothing is left behind.
            server.manage(&[&INVITE[..], &options].concat()).await.assert_refused(&[words]);
        }
        for email in ["nowhere", "a@b", "zoé@exemple.fr"] {
            let mut invite = INVITE;
            invite[3] = email;
            server.manage(&invite).await.assert_refused(&["mail address"]);
        }
        let mut invite = INVITE;
        invite[3] = &login;
        server.manage(&invite).await.assert_refused(&["exists"]);
        server.manage(&["person", "show", EMAIL]).await.assert_refused(&["nobody"]);
        assert!(Inbox::of(&server).to(EMAIL).await.is_empty());
        server.kill();
    }

    async fn an_operator_begins_by_a_link_too(mut server: TestServer) {
        let email = "odile@identite.example";
        let create = ["operator", "create", "--login", "odile", "--email", email, "--given-name", "Odile", "--family-name", "Garnier"];
        server.manage(&create).await.printed();
        let link = link_to(&server, (email, "/activate/"), 1).await;
        let mut browser = Browser::new();
        let page = activate(&mut browser, &link, NEW).await.page();
        assert!(page.has("account-page"), "{}", page.summary());
        assert!(page.all_text().contains("Odile Garnier"), "{}", page.summary());

        // Where no mail goes out yet, a link is printed: it opens the account once, and proves no address.
        let email = "yann@identite.example";
        let create = ["operator", "create", "--login", email, "--email", email, "--given-name", "Yann", "--family-name", "Garnier", "--print-link"];
        let link = server.manage(&create).await.printed().lines().last().unwrap().to_owned();
        let mailed = link_to(&server, (email, "/activate/"), 1).await;
        assert_ne!(link, mailed);
        activate(&mut Browser::new(), &link, NEW).await.page();
        for link in [link, mailed] {
            assert_eq!(Browser::new().get(&link).await.page().status, 410);
        }
        let found = operator(&server).await.get(&format!("/people?q={email}")).await.done(200);
        let found = found["items"].as_array().unwrap();
        assert_eq!(found.iter().map(|one| &one["email_verified"]).collect::<Vec<_>>(), [&json!(false)], "{found:?}");
        server.kill();
    }

    async fn a_printed_link_is_nobodys_to_take_away_and_is_printed_again(mut server: TestServer) {
        let email = "yann@identite.example";
        let create = ["operator", "create", "--login", email, "--email", email, "--given-name", "Yann", "--family-name", "Garnier", "--print-link"];
        let printed = server.manage(&create).await.printed().lines().last().unwrap().to_owned();
        let first = link_to(&server, (email, "/activate/"), 1).await;
        // Whoever types the login has a mail sent, and makes no link void but the one of the mail before.
        assert!(ask_for_a_link(&server, email).await.has("link-sent-page"));
        let second = link_to(&server, (email, "/activate/"), 2).await;
        let status = async |link: &str| Browser::new().get(link).await.page().status;
        assert_eq!([status(&printed).await, status(&first).await, status(&second).await], [200, 410, 200]);

        let resend = ["person", "resend", email, "--print-link"];
        let again = server.manage(&resend).await.printed().lines().last().unwrap().to_owned();
        let third = link_to(&server, (email, "/activate/"), 3).await;
        assert_ne!(again, third);
        for link in [&printed, &first, &second] {
            assert_eq!(status(link).await, 410, "the operator's word voids them all");
        }
        activate(&mut Browser::new(), &again, NEW).await.page();
        assert_eq!(status(&third).await, 410);
        server.manage(&resend).await.assert_refused(&["active"]);
        // Everybody else's address is proven by the mail.
        server.manage(&INVITE).await.printed();
        server.manage(&["person", "resend", EMAIL, "--print-link"]).await.assert_refused(&["no operator"]);
        server.kill();
    }

    async fn an_invitation_of_two_links_lapses_once_and_not_when_one_was_used(mut server: TestServer) {
        let (came, waits) = ("yann@identite.example", "rose@identite.example");
        let mut links = Vec::new();
        for email in [came, waits] {
            let create = ["operator", "create", "--login", email, "--email", email, "--given-name", "Odile", "--family-name", "Garnier", "--print-link"];
            links.push(server.manage(&create).await.printed().lines().last().unwrap().to_owned());
        }
        activate(&mut Browser::new(), &links[0], NEW).await.page();
        // The other is mailed a link that is good for longer than the printed one.
        server.advance(2 * 86_400).await;
        assert!(ask_for_a_link(&server, waits).await.has("link-sent-page"));
        link_to(&server, (waits, "/activate/"), 2).await;
        let boss = operator(&server).await;
        let id = async |email: &str| boss.get(&format!("/people?q={email}")).await.done(200)["items"][0]["id"].clone();
        let (came, waits) = (id(came).await, id(waits).await);
        let lapsed = async |server: &TestServer| {
            let trail = all(&operator(server).await, "/audit").await;
            let of = |person: &Value| {
                let lapsed = |line: &&Value| line["event"] == "account.invitation_lapsed" && line["subject"] == *person;
                trail.iter().filter(lapsed).count()
            };
            (of(&came), of(&waits))
        };
        server.advance(6 * 86_400).await;
        assert_eq!(lapsed(&server).await, (0, 0), "neither who came nor who still has a link");
        for _ in 0..2 {
            server.advance(2 * 86_400).await;
            assert_eq!(lapsed(&server).await, (0, 1), "once, with the last link");
        }
        server.kill();
    }

    async fn a_form_of_another_browser_activates_nothing(mut server: TestServer) {
        server.manage(&INVITE).await.printed();
        let link = invitation(&server, 1).await;
        let mut browser = Browser::new();
        browser.get(&link).await.page();
        let fields = [("password", NEW), ("repeated", NEW), ("accept", "yes"), ("declare", "yes"), ("csrf", "forged")];
        let page = browser.submit("activate-form", &fields).await.page();
        assert!(page.status == 403 && page.has("activate-error"), "{}", page.summary());
        let tampered = format!("{}x", &link[..link.len() - 1]);
        assert_eq!(browser.get(&tampered).await.page().status, 410);
        assert_eq!(browser.get(&server.url(&format!("/activate/{}", "a".repeat(4000)))).await.page().status, 410);
        activate(&mut browser, &link, NEW).await.page();
        server.kill();
    }

    async fn axe_finds_nothing_wrong_with_the_activation_page(mut server: TestServer) {
        let organization = server.learner().organization.clone().unwrap().id;
        server.manage(&[&INVITE[..], &["--organization", &organization]].concat()).await.printed();
        let link = invitation(&server, 1).await;
        let browser = WebDriver::start().await;
        for (screen, name) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            for language in ["fr", "en"] {
                browser.set_screen(screen).await;
                browser.goto(&format!("{link}?ui_locales={language}")).await;
                browser.text("#activate-form").await;
                browser.screenshot(&format!("activate-{name}-{language}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "{name} {language}");
                let wider = browser.script("return document.documentElement.scrollWidth > window.innerWidth").await;
                assert_eq!(wider, false, "nothing to scroll sideways: {name}");
            }
        }
        browser.fill("new-password", NEW).await;
        browser.fill("repeated", NEW).await;
        browser.click("declare").await;
        browser.click("accept").await;
        browser.click("activate-submit").await;
        browser.wait_for_url(&server.url("/account")).await;
        server.kill();
    }
}

on_both_engines! { where_a_contract_is_asked_for_no_account_opens_before_its_signature }

/// R006: access is for the beneficiary of a signed contract.
async fn where_a_contract_is_asked_for_no_account_opens_before_its_signature(engine: Engine) {
    let setting = "accounts.contract_required_of=individual,training_body";
    let mut server = TestServer::own_with(engine, &["--set", setting]).await;
    server.manage(&["client", "update", "demo-portal", "--enrolment", "true"]).await.printed();
    let boss = operator(&server).await;
    product(&boss, "contrat").await;
    let made = async |kind: &str| {
        let organization = json!({ "kind": kind, "name": format!("Sans contrat {kind}") });
        boss.post("/organizations", &organization).await.done(201)["id"].as_str().unwrap().to_owned()
    };
    let (alone, school, company) = (made("individual").await, made("training_body").await, made("company").await);
    let mut people = Vec::new();
    for (organization, name) in [(&alone, "seule"), (&school, "eleve"), (&school, "autre"), (&company, "salariee")] {
        people.push(invited(&boss, organization, &new_member(name)).await);
    }
    let state = async |organization: &str, person: &str| {
        let path = format!("/organizations/{organization}/members/{person}");
        boss.get(&path).await.done(200)["account_status"].as_str().unwrap().to_owned()
    };
    let opened = async |name: &str| {
        let link = link_to(&server, (&format!("{name}@societe.example"), "/activate/"), 1).await;
        // Who may not yet is told before they fill in anything.
        let page = Browser::new().get(&link).await.page();
        assert_eq!(page.status == 409, page.has("account-no-contract-page"), "{}", page.summary());
        page.status == 200 && activate(&mut Browser::new(), &link, NEW).await.page().status == 200
    };
    // Of a company nothing is asked.
    assert!(opened("salariee").await);
    for name in ["seule", "eleve", "autre"] {
        assert!(!opened(name).await, "{name}");
    }
    assert_eq!(
        (state(&alone, &people[0]).await, state(&school, &people[1]).await),
        ("pending".into(), "pending".into())
    );
    // An order that is only acknowledged is no contract; once it is signed, the same link works.
    let order = json!({
        "number": "BC-CONTRAT", "product": "contrat", "seats": 5, "effect_on": in_days(&server, 0).await,
        "last_day": in_days(&server, 2).await, "renewal": "none",
        "administrator": { "email": "cheffe@societe.example", "given_name": "Anne", "family_name": "Prévost" },
    });
    let order =
        boss.post(&format!("/organizations/{alone}/orders"), &order).await.done(201)["id"].as_str().unwrap().to_owned();
    step(&boss, &alone, &order, json!({ "step": "acknowledged" })).await.done(200);
    assert!(!opened("seule").await);
    assert!(!opened("cheffe").await, "nor for the administrator whom the order names");
    step(&boss, &alone, &order, json!({ "step": "signed" })).await.done(200);
    assert!(opened("seule").await && opened("cheffe").await);
    assert_eq!(state(&alone, &people[0]).await, "active");
    let portal = format!("/organizations/{school}/portals/demo-portal");
    boss.put(&portal, &json!({ "roles": ["apprenant"] })).await.done(200);
    // A learner's own contract opens their account and nobody else's.
    let course = json!({
        "person": people[1], "portal": "demo-portal", "title": "Anglais B2",
        "not_before": in_days(&server, 1).await, "not_after": in_days(&server, 9).await,
    });
    let enrolments = format!("/organizations/{school}/enrolments");
    let course = boss.post(&enrolments, &course).await.done(201)["id"].as_str().unwrap().to_owned();
    assert!(!opened("eleve").await);
    boss.post(&format!("{enrolments}/{course}/steps"), &json!({ "step": "signed" })).await.done(200);
    assert!(opened("eleve").await && !opened("autre").await);
    // Whoever had the form before them when the contract ended is told so, and stays as they were.
    let late = invited(&boss, &alone, &new_member("tard")).await;
    let link = link_to(&server, ("tard@societe.example", "/activate/"), 1).await;
    let mut browser = Browser::new();
    browser.get(&link).await.page();
    server.advance(3 * 86_400).await;
    let fields = [("password", NEW), ("repeated", NEW), ("accept", "yes"), ("declare", "yes")];
    let page = browser.submit("activate-form", &fields).await.page();
    assert!(page.status == 409 && page.has("account-no-contract-page"), "{}", page.summary());
    let member = operator(&server).await.get(&format!("/organizations/{alone}/members/{late}")).await.done(200);
    assert_eq!(member["account_status"], "pending");
    server.kill();
}
