//! What a password must be: the CNIL's patterns, the rule of the organization, the list of leaked ones, and the page that says
//! so as one types (R040, Q03).

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::server::{run_in, run_with_input};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Api, Browser, Engine, Page, Person, TestServer, WebDriver};

use crate::api::{all, of_kind, operator};
use crate::forgot::{NEW, ask, choose, link_to, local_sign_in};

/// On the list inside the program, and acceptable but for that.
const COMMON: &str = "N8zGt5p0sHw=";

/// A link to choose a password for the person with this login, the `count`th they ask for.
async fn new_link(server: &TestServer, login: &str, count: usize) -> String {
    ask(server, &mut Browser::new(), login).await;
    link_to(server, login, count).await
}

/// What the page says against a password; empty when it takes it.
async fn refusal(link: &str, password: &str) -> String {
    let page = choose(&mut Browser::new(), link, password).await;
    if page.has("password-changed-page") { String::new() } else { page.text("password-problems") }
}

fn organization(server: &TestServer) -> String {
    server.learner().organization.as_ref().expect("a learner belongs somewhere").id.clone()
}

own_journeys! {
    async fn each_pattern_of_the_cnil_is_accepted_and_256_characters_are_not_too_long(mut server: TestServer) {
        let words = "cheval agrafe lundi tapis nuage forêt silex";
        let long: String = "tR8!xqLm2?vBé-".chars().cycle().take(256).collect();
        for (n, password) in ["tR8!xqLm2?vB", "tR8xqLm2vBnPw4", words, &long].into_iter().enumerate() {
            let person = server.learner_number(n).clone();
            let link = new_link(&server, &person.login, 1).await;
            assert_eq!(refusal(&link, &format!("{long}x")).await.matches("256").count(), 1, "one reason alone");
            assert_eq!(refusal(&link, password).await, "", "{password}");
            let page = local_sign_in(&server, &mut Browser::new(), &person.login, password).await;
            assert_eq!(page.url.path(), "/account", "{}", page.summary());
        }
        server.kill();
    }

    async fn an_organization_may_ask_more_than_the_operator_and_never_less_than_the_floor(mut server: TestServer) {
        let person = server.learner().clone();
        let organization = organization(&server);
        server.kill();
        let set = ["organization", "policy", "set", &organization];
        let weaker = server.command_with(&[&set[..], &["--four-classes-min", "11", "--history", "25"]].concat(), &[]).await;
        weaker.assert_refused(&["nothing was changed", "at least 12 characters", "at most the last 24"]);
        let yearly = [("PASSWORD_FLOOR__YEARLY_RENEWAL", "true")];
        let off = server.command_with(&[&set[..], &["--renewal", "off"]].concat(), &yearly).await;
        off.assert_refused(&["yearly renewal is required"]);
        server.command_with(&["organization", "policy", "set", "org_nowhere", "--history", "6"], &[]).await.assert_refused(&["org_nowhere"]);
        let shown = server.command_with(&["organization", "policy", "show", &organization], &[]).await.printed();
        assert!(shown.contains("the operator's rule") && shown.contains("renewal               yearly"), "{shown}");
        let shown = server.command_with(&[&set[..], &["--four-classes-min", "20", "--three-classes-min", "22"]].concat(), &[]).await.printed();
        assert!(shown.contains("its own rule") && shown.contains("four-classes-min      20"), "{shown}");
        server.restart().await;
        let link = new_link(&server, &person.login, 1).await;
        let page = Browser::new().get(&link).await.page();
        assert_eq!(page.attribute("password-rules", "data-four").as_deref(), Some("20"));
        assert!(page.text("password-rules").contains("20 caractères"), "{}", page.summary());
        assert!(refusal(&link, NEW).await.contains("trois modèles"));
        assert_eq!(refusal(&link, "Zk7!rouvent-Pliq-Zk7").await, "");
        let stranger = server.people.iter().find(|other| other.organization.as_ref().is_some_and(|its| its.id != organization)).unwrap();
        let link = new_link(&server, &stranger.login, 1).await;
        assert_eq!(refusal(&link, NEW).await, "", "others keep the operator's rule");
        server.kill();
        let cleared = server.command_with(&["organization", "policy", "clear", &organization], &[]).await.printed();
        assert!(cleared.contains("the operator's rule") && cleared.contains("four-classes-min      12"), "{cleared}");
        let listed = server.command_with(&["organization", "list"], &[]).await.printed();
        assert!(listed.contains(&organization) && !listed.contains("own password rule"), "{listed}");
    }

    async fn an_organization_that_turns_renewal_off_keeps_its_passwords_and_the_others_lose_theirs(mut server: TestServer) {
        let person = server.learner().clone();
        let operator = server.people.iter().find(|person| person.kind == "operator").unwrap().clone();
        let organization = organization(&server);
        server.kill();
        server.command_with(&["organization", "policy", "set", &organization, "--renewal", "off"], &[]).await.printed();
        server.restart().await;
        server.advance(500 * 86_400).await;
        let page = local_sign_in(&server, &mut Browser::new(), &person.login, &person.password).await;
        assert_eq!(page.url.path(), "/account", "{}", page.summary());
        let page = local_sign_in(&server, &mut Browser::new(), &operator.login, &operator.password).await;
        assert!(page.has("password-expired-page"), "{}", page.summary());
        server.kill();
    }

    async fn a_password_on_the_list_is_refused_in_any_case_and_the_last_ones_do_not_come_back(mut server: TestServer) {
        let person = server.learner().clone();
        let link = new_link(&server, &person.login, 1).await;
        for leaked in [COMMON, "DOOMsayer.2.7mords.v"] {
            let said = refusal(&link, leaked).await;
            assert!(said.contains("divulgués") && !said.contains("trois modèles"), "{leaked}: {said}");
        }
        let chosen: Vec<String> = (0..6).map(|n| format!("{NEW}{n}")).collect();
        assert_eq!(refusal(&link, &chosen[0]).await, "");
        for (n, password) in chosen.iter().enumerate().skip(1) {
            // Five links an hour for one name.
            server.advance(3700).await;
            let link = new_link(&server, &person.login, n + 1).await;
            assert!(refusal(&link, &chosen[n - 1]).await.contains("récemment"));
            assert_eq!(refusal(&link, password).await, "", "{password}");
        }
        server.advance(3700).await;
        let link = new_link(&server, &person.login, 7).await;
        for recent in &chosen[1..] {
            assert!(refusal(&link, recent).await.contains("récemment"), "{recent} is among the last five");
        }
        assert_eq!(refusal(&link, &chosen[0]).await, "", "the sixth last may come back");
        server.kill();
    }
}

own_journeys! {
    async fn operators_and_administrators_see_whose_password_is_due(mut server: TestServer) {
        let (soon, late, fresh) = (server.learner_number(0).clone(), server.learner_number(1).clone(), server.learner_number(2).clone());
        let today = server.now().await;
        // The command line lives by the machine's clock, so the server goes back to when the passwords were chosen.
        for (person, days) in [(&late, 367), (&soon, 364)] {
            let then = today - jiff::SignedDuration::from_hours(24 * days);
            server.set_clock(&serde_json::json!({ "set": then.to_string() })).await.ok_json();
            let link = new_link(&server, &person.login, 1).await;
            assert_eq!(refusal(&link, NEW).await, "");
        }
        server.kill();
        let said = server.command_with(&["passwords", "due", "--days", "3"], &[]).await.printed();
        let line = |person: &Person| said.lines().find(|line| line.contains(&person.login)).unwrap_or_default();
        assert!(line(&late).starts_with("expired "), "{said}");
        assert!(line(&soon).starts_with("expires ") && line(&soon).ends_with(&soon.family_name), "{said}");
        assert_eq!(line(&fresh), "", "{said}");
        let figure = |of: &str, name: &str| -> u64 {
            let line = of.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {of}"));
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert_eq!((figure(&said, "of them expired"), figure(&said, "expiring within 3 days")), (1, 1), "{said}");
        assert_eq!(figure(&said, "suspended for not renewing"), 0);
        let own = server.command_with(&["passwords", "due", "--summary", "--organization", &late.organization.clone().unwrap().id], &[]).await;
        let own = own.printed();
        assert!(figure(&own, "active accounts") < figure(&said, "active accounts"), "{own} of {said}");
        assert_eq!(figure(&own, "of them expired"), 1);
        assert!(!own.contains(&late.login), "figures alone: {own}");
        server.command_with(&["passwords", "due", "--organization", "org_nowhere"], &[]).await.assert_refused(&["org_nowhere"]);
    }

    async fn whose_password_is_due_is_told_to_the_operator_wherever_they_belong(mut server: TestServer) {
        let (soon, late) = (server.learner_number(0).clone(), server.learner_number(2).clone());
        let today = server.now().await;
        for (person, days) in [(&late, 367), (&soon, 364)] {
            let then = today - jiff::SignedDuration::from_hours(24 * days);
            server.set_clock(&serde_json::json!({ "set": then.to_string() })).await.ok_json();
            let link = new_link(&server, &person.login, 1).await;
            assert_eq!(refusal(&link, NEW).await, "");
        }
        server.set_clock(&serde_json::json!({ "set": today.to_string() })).await.ok_json();
        let api = operator(&server).await;
        let found = all(&api, "/passwords?due_within=3").await;
        let due = |person: &Person| found.iter().find(|one| one["login"] == person.login).unwrap_or_else(|| panic!("{found:?}"));
        assert!(["expired", "suspended"].contains(&due(&late)["status"].as_str().unwrap()), "{found:?}");
        assert!(due(&late)["expires_on"].is_string() && due(&soon)["person"].is_string(), "{found:?}");
        // Page by page, in the same order.
        let first = api.get("/passwords?due_within=3&limit=1").await.done(200);
        let next = first["next"].as_str().unwrap();
        let second = api.get(&format!("/passwords?due_within=3&limit=1&cursor={next}")).await.done(200);
        assert_eq!((&first["items"][0], &second["items"][0]), (&found[0], &found[1]));
        for wrong in ["due_within=0", "due_within=397", "cursor=x"] {
            assert_eq!(api.get(&format!("/passwords?{wrong}")).await.status, 400, "{wrong}");
        }
        let administrator = Api::of_person(&server, &of_kind(&server, "administrator"), ALL).await;
        administrator.get("/passwords").await.problem(403, "forbidden");
        server.kill();
    }
}

async fn with_list(lines: &str, output: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let said = run_with_input(folder.path(), &["passwords", "filter", "-", "--output", output], lines).await.printed();
    assert!(said.contains(output) && said.contains("passwords"), "{said}");
    folder
}

#[tokio::test]
async fn the_operators_list_takes_the_place_of_the_one_inside() {
    // The second line is the SHA-1 of "tR8!xqLm2?vB", with a count as published lists have it.
    let folder = with_list(&format!("{NEW}\n20A87058EAC316289850A156F084DCD0A65AD127:37\n"), "leaked.filter").await;
    let file = folder.path().join("leaked.filter");
    let setting = format!("passwords.leaked_file={}", file.display());
    let server = TestServer::own_with(Engine::Sqlite, &["--set", &setting]).await;
    let link = new_link(&server, &server.learner().login, 1).await;
    for leaked in [NEW, "tR8!xqLm2?vB"] {
        assert!(refusal(&link, leaked).await.contains("divulgués"), "{leaked}");
    }
    assert!(!refusal(&link, COMMON).await.contains("divulgués"), "the list inside is out of use");
}

#[tokio::test]
async fn a_list_that_cannot_be_used_stops_the_start_with_a_clear_word() {
    let folder = with_list("123456\nmotdepasse\n", "leaked.filter").await;
    let file = folder.path().join("leaked.filter");
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for (bytes, word) in [(&whole[..whole.len() - 1], "cut short"), (&damaged, "damaged"), (b"123456\n", "no list")] {
        std::fs::write(&file, bytes).unwrap();
        let setting = format!("passwords.leaked_file={}", file.display());
        let error = TestServer::start_on(Engine::Sqlite, vec!["--set".to_owned(), setting]).await.unwrap_err();
        assert!(error.contains(word) && error.contains("leaked.filter"), "{error}");
        let environment = [("HABILIS__PASSWORDS__LEAKED_FILE", file.to_str().unwrap())];
        run_in(folder.path(), &["keys", "init"], &[]).await;
        let checked = run_in(folder.path(), &["config", "check"], &environment).await;
        checked.assert_refused(&["passwords.leaked_file", word]);
    }
}

/// What the page says of what is typed.
async fn said(browser: &WebDriver, typed: &str) -> String {
    browser.fill("new-password", typed).await;
    browser.text("#password-strength").await
}

async fn ticked(browser: &WebDriver) -> String {
    let script =
        "return [...document.querySelectorAll('#password-rules [data-met]')].map(one => one.dataset.rule).join(' ')";
    browser.script(script).await.as_str().unwrap().to_owned()
}

own_journeys! {
    async fn the_page_says_as_one_types_what_a_password_is_worth_and_sends_nothing(mut server: TestServer) {
        let person = server.learner().clone();
        let link = new_link(&server, &person.login, 1).await;
        let browser = WebDriver::start().await;
        for (screen, size) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            for language in ["fr", "en"] {
                browser.set_screen(screen).await;
                browser.goto(&format!("{link}?ui_locales={language}")).await;
                browser.screenshot(&format!("password-empty-{size}-{language}")).await;
                said(&browser, "Soleil2024!!").await;
                browser.screenshot(&format!("password-weak-{size}-{language}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "weak {size} {language}");
                said(&browser, "tR8!xqLm2?vB").await;
                browser.screenshot(&format!("password-strong-{size}-{language}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "strong {size} {language}");
            }
        }
        browser.set_colour_scheme("dark").await;
        browser.screenshot("password-strong-desktop-dark").await;
        assert_eq!(browser.axe().await, Vec::<String>::new(), "dark");
        browser.goto(&format!("{link}?ui_locales=fr")).await;
        let table = [
            ("court", "Pas encore assez long ou assez varié. Facile à deviner.", ""),
            ("azertyuiop", "Pas encore assez long ou assez varié. Très facile à deviner.", ""),
            ("Aaaaaaaaaaaa1!", "Ce mot de passe suit un modèle accepté. Facile à deviner.", "four three"),
            ("Motdepasse2024!", "Ce mot de passe suit un modèle accepté. Facile à deviner.", "four three"),
            ("tR8!xqLm2?vB", "Ce mot de passe suit un modèle accepté. Très difficile à deviner.", "four"),
            ("tR8xqLm2vBnPw4", "Ce mot de passe suit un modèle accepté. Très difficile à deviner.", "three"),
            ("cheval agrafe lundi tapis nuage foret silex", "Ce mot de passe suit un modèle accepté. Très difficile à deviner.", "words"),
        ];
        for (typed, expected, rules) in table {
            assert_eq!((said(&browser, typed).await.as_str(), ticked(&browser).await.as_str()), (expected, rules), "{typed}");
        }
        let personal = said(&browser, &format!("Zk7!-{}", person.login)).await;
        assert!(personal.ends_with("Il contient une partie de votre identifiant."), "{personal}");
        let kind = "return document.getElementById('new-password').type + document.getElementById('repeated').type";
        assert_eq!(browser.script(kind).await, "passwordpassword");
        browser.click("password-toggle").await;
        assert_eq!((browser.script(kind).await, browser.text("#password-toggle").await.as_str()), ("texttext".into(), "Masquer le mot de passe"));
        assert_eq!(browser.axe().await, Vec::<String>::new(), "shown");
        browser.click("password-toggle").await;
        assert_eq!(browser.script(kind).await, "passwordpassword");
        let asked = "return performance.getEntriesByType('resource').filter(one => !one.name.includes('/assets/')).length";
        assert_eq!(browser.script(asked).await, 0, "nothing was asked of any server while typing");
        browser.fill("new-password", NEW).await;
        browser.fill("repeated", NEW).await;
        browser.click("new-password-submit").await;
        browser.text("#password-changed-page").await;
        server.kill();
    }
}

journeys! {
    async fn without_scripts_the_rules_stand_in_words_and_the_toggle_is_not_there(server: &TestServer) {
        let link = new_link(server, &server.learner_number(8).login, 1).await;
        let page: Page = Browser::new().get(&link).await.page();
        for words in ["12 caractères au moins", "14 caractères au moins", "7 mots différents", "5 derniers mots de passe"] {
            assert!(page.text("password-rules").contains(words), "{words}: {}", page.summary());
        }
        assert!(page.attribute("password-toggle", "hidden").is_some() && page.text("password-strength").is_empty());
        assert_eq!(page.attribute("new-password", "maxlength").as_deref(), Some("256"));
        assert_eq!(page.attribute("new-password", "autocomplete").as_deref(), Some("new-password"));
    }
}
