//! Passkeys: adding, signing in with one, and every answer that is not one. Over HTTP with an authenticator of the harness,
//! and in Chromium with its virtual one (Web Authentication Level 3).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use habilis_integration_tests::protocol::{AuthorizationRequest, AuthorizationResponse, Code, Tokens, redeem};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Browser, Inbox, Page, Passkey, Person, TestServer, Visit, WebDriver};
use serde_json::{Value, json};

use crate::factors::codes;
use crate::forgot::local_sign_in;

/// Makes an authenticator say something wrong.
type Spoil = fn(&mut Passkey);

/// What the script of the open page fetches before it asks the authenticator.
pub(crate) async fn challenge(browser: &Browser, form: &str) -> Value {
    let path = browser.page().attribute(form, "data-options").expect("the form says where");
    let csrf = browser.page().attributes(&format!("#{form} input[name=csrf]"), "value").concat();
    browser.fetch(&path, &[("csrf", &csrf)]).await.ok_json()
}

/// Sends an answer in the form of the open page.
pub(crate) async fn send(browser: &mut Browser, form: &str, (ceremony, credential): (&Value, &str)) -> Visit {
    browser.submit(form, &[("ceremony", ceremony.as_str().unwrap()), ("credential", credential)]).await
}

/// Adds a passkey on the page that is open.
pub(crate) async fn add(browser: &mut Browser, passkey: &mut Passkey) -> Visit {
    let challenge = challenge(browser, "passkey-add-form").await;
    let answer = passkey.create(&challenge["options"]).to_string();
    send(browser, "passkey-add-form", (&challenge["ceremony"], &answer)).await
}

/// Uses a passkey on the page that is open.
pub(crate) async fn sign_in(browser: &mut Browser, passkey: &mut Passkey) -> Visit {
    let challenge = challenge(browser, "passkey-form").await;
    let answer = passkey.get(&challenge["options"]).to_string();
    send(browser, "passkey-form", (&challenge["ceremony"], &answer)).await
}

/// A person's passkey, added from the security page.
async fn equipped(server: &TestServer, person: &Person) -> (Browser, Passkey, Vec<String>) {
    equipped_with(server, person, Passkey::new(&server.issuer)).await
}

async fn equipped_with(server: &TestServer, person: &Person, mut passkey: Passkey) -> (Browser, Passkey, Vec<String>) {
    let mut browser = Browser::new();
    local_sign_in(server, &mut browser, &person.login, &person.password).await;
    browser.get(&server.url("/account/security")).await.page();
    let page = add(&mut browser, &mut passkey).await.page();
    (browser, passkey, codes(&page))
}

fn request(server: &TestServer) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client("demo-portal"))
}

async fn at_login(server: &TestServer) -> (Browser, AuthorizationRequest) {
    let (mut browser, request) = (Browser::new(), request(server));
    let page = browser.get(&request.url(server)).await.page();
    assert!(page.has("login-form"), "{}", page.summary());
    (browser, request)
}

async fn id_claims(server: &TestServer, request: &AuthorizationRequest, visit: Visit) -> Value {
    let response = AuthorizationResponse::from_url(visit.left());
    Tokens::from(&redeem(server, server.client("demo-portal"), &Code::from(request, &response)).await).id_claims()
}

#[track_caller]
fn assert_refused(page: &Page, why: &str) {
    assert_eq!(page.status, 401, "{why}: {}", page.summary());
    assert!(page.has("login-form") && page.has("login-error"), "{why}: {}", page.summary());
}

own_journeys! {
    async fn a_passkey_signs_in_alone_and_says_what_it_is(mut server: TestServer) {
        for (number, copied, kind) in [(0, false, "hwk"), (1, true, "swk")] {
            let person = server.learner_number(number).clone();
            let mut new = Passkey::new(&server.issuer);
            (new.copied, new.counts) = (copied, !copied);
            let (mut own, mut passkey, _) = equipped_with(&server, &person, new).await;
            for _ in 0..2 {
                let (mut browser, request) = at_login(&server).await;
                let claims = id_claims(&server, &request, sign_in(&mut browser, &mut passkey).await).await;
                assert_eq!(claims["amr"], json!(["pop", kind, "user", "mfa"]));
                assert_eq!(claims["acr"], "eidas1-mfa");
            }
            let mut local = Browser::new();
            local.get(&server.url("/login")).await.page();
            let page = sign_in(&mut local, &mut passkey).await.page();
            assert!(page.has("account-page") && page.text("account-profile").contains(&person.login), "{}", page.summary());
            let page = own.get(&server.url("/account/security")).await.page();
            assert!(!page.text("passkeys").contains("Jamais utilisée"), "{}", page.summary());
        }
        server.kill();
    }

    async fn a_passkey_is_the_second_step_of_a_password(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, mut passkey, codes) = equipped(&server, &person).await;
        let (mut browser, request) = at_login(&server).await;
        let page = browser.sign_in(&person).await.page();
        assert!(page.has("second-step-page") && !page.has("code"), "there is no app: {}", page.summary());
        let claims = id_claims(&server, &request, sign_in(&mut browser, &mut passkey).await).await;
        assert_eq!(claims["acr"], "eidas1-mfa");
        // Without the device: a recovery code.
        let (mut browser, request) = at_login(&server).await;
        browser.sign_in(&person).await.page();
        browser.click("step-recovery").await.page();
        let claims = id_claims(&server, &request, browser.submit("second-step-form", &[("code", &codes[0])]).await).await;
        assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]));
        server.kill();
    }

    async fn guesses_at_password_and_code_never_stop_a_passkey(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, mut passkey, codes) = equipped(&server, &person).await;
        let (mut guesser, _) = at_login(&server).await;
        guesser.sign_in(&person).await.page();
        guesser.click("step-recovery").await.page();
        for _ in 0..6 {
            guesser.submit("second-step-form", &[("code", "aaaa-aaaa-aaaa")]).await.page();
        }
        let page = guesser.submit("second-step-form", &[("code", &codes[0])]).await.page();
        assert_eq!(page.status, 429, "{}", page.summary());
        let (mut guesser, _) = at_login(&server).await;
        for _ in 0..12 {
            guesser.submit("login-form", &[("username", &person.login), ("password", "wrong")]).await.page();
        }
        let page = guesser.sign_in(&person).await.page();
        assert_eq!(page.status, 429, "{}", page.summary());
        let (mut browser, _) = at_login(&server).await;
        sign_in(&mut browser, &mut passkey).await.left();
        server.kill();
    }

    async fn an_answer_that_is_not_one_opens_nothing_and_breaks_nothing(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, mut passkey, _) = equipped(&server, &person).await;
        let (mut browser, _) = at_login(&server).await;

        // What an authenticator says wrongly.
        let issuer = server.issuer.clone();
        let wrong: [(&str, Spoil); 5] = [
            ("another origin", |passkey| "https://evil.example".clone_into(&mut passkey.origin)),
            ("another relying party", |passkey| "evil.example".clone_into(&mut passkey.relying_party)),
            ("an unchecked holder", |passkey| passkey.verifies = false),
            ("another handle", |passkey| passkey.user_handle = vec![7; 16]),
            ("an unknown key", |passkey| passkey.id = vec![7; 32]),
        ];
        for (why, spoil) in wrong {
            let (id, handle) = (passkey.id.clone(), passkey.user_handle.clone());
            spoil(&mut passkey);
            assert_refused(&sign_in(&mut browser, &mut passkey).await.page(), why);
            passkey.verifies = true;
            passkey.relying_party.clear();
            (passkey.id, passkey.user_handle, passkey.origin) = (id, handle, issuer.clone());
        }

        // What arrives wrongly.
        let good = challenge(&browser, "passkey-form").await;
        let answer = passkey.get(&good["options"]);
        let mut other_signature = answer.clone();
        other_signature["response"]["signature"] = json!(URL_SAFE_NO_PAD.encode([48, 6, 2, 1, 1, 2, 1, 1]));
        let mut no_data = answer.clone();
        no_data["response"]["authenticatorData"] = json!("AAAA");
        let mut no_handle = answer.clone();
        no_handle["response"]["userHandle"] = Value::Null;
        for (why, text) in [
            ("no JSON", "nonsense".to_owned()),
            ("an empty object", "{}".to_owned()),
            ("a list", "[]".to_owned()),
            ("deep nesting", "[".repeat(20_000)),
            ("a large one", format!("{{\"id\":\"{}\"}}", "A".repeat(40_000))),
            ("another signature", other_signature.to_string()),
            ("no authenticator data", no_data.to_string()),
            ("no handle", no_handle.to_string()),
            ("nothing", String::new()),
        ] {
            let fresh = challenge(&browser, "passkey-form").await;
            let page = send(&mut browser, "passkey-form", (&fresh["ceremony"], &text)).await.page();
            assert_refused(&page, why);
        }
        let page = send(&mut browser, "passkey-form", (&json!("cer_unknown"), &answer.to_string())).await.page();
        assert_refused(&page, "an unknown challenge");
        let other = challenge(&browser, "passkey-form").await;
        let page = send(&mut browser, "passkey-form", (&other["ceremony"], &answer.to_string())).await.page();
        assert_refused(&page, "an answer to another challenge");
        let page = browser.submit("passkey-form", &[("credential", &"A".repeat(100_000))]).await.page();
        assert!(matches!(page.status, 400 | 413), "more than a form may hold: {}", page.summary());

        // Nothing was lost by all that.
        let (mut browser, _) = at_login(&server).await;
        sign_in(&mut browser, &mut passkey).await.left();
        server.kill();
    }

    async fn a_challenge_is_answered_once_in_its_browser_within_five_minutes(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, mut passkey, _) = equipped(&server, &person).await;
        let (mut first, _) = at_login(&server).await;
        let (mut second, _) = at_login(&server).await;
        let given = challenge(&first, "passkey-form").await;
        let answer = passkey.get(&given["options"]).to_string();
        assert_refused(&send(&mut second, "passkey-form", (&given["ceremony"], &answer)).await.page(), "another browser");
        let mut twin = first.clone();
        send(&mut first, "passkey-form", (&given["ceremony"], &answer)).await.left();
        let page = send(&mut twin, "passkey-form", (&given["ceremony"], &answer)).await.page();
        assert!(page.status == 401 || page.has("error-page"), "{}", page.summary());
        let given = challenge(&second, "passkey-form").await;
        let answer = passkey.get(&given["options"]).to_string();
        server.advance(301).await;
        assert_refused(&send(&mut second, "passkey-form", (&given["ceremony"], &answer)).await.page(), "too late");
        let forged = second.fetch("/passkey/options", &[("csrf", "forged")]).await;
        assert_eq!(forged.status, 403, "{}", forged.body);
        server.kill();
    }

    async fn a_counter_that_goes_back_is_a_copy_and_is_refused(mut server: TestServer) {
        let person = server.learner().clone();
        let (_, mut passkey, _) = equipped(&server, &person).await;
        passkey.counter = 40;
        let (mut browser, _) = at_login(&server).await;
        sign_in(&mut browser, &mut passkey).await.left();
        let (mut browser, _) = at_login(&server).await;
        for counter in [10, 40] {
            passkey.counter = counter;
            passkey.counts = false;
            assert_refused(&sign_in(&mut browser, &mut passkey).await.page(), "an old counter");
        }
        passkey.counter = 42;
        sign_in(&mut browser, &mut passkey).await.left();
        server.kill();
    }

    async fn a_new_passkey_is_taken_only_as_asked(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, mut passkey, _) = equipped(&server, &person).await;
        let wrong: [(&str, Spoil); 3] = [
            ("another origin", |passkey| "https://evil.example".clone_into(&mut passkey.origin)),
            ("another relying party", |passkey| "evil.example".clone_into(&mut passkey.relying_party)),
            ("an unchecked holder", |passkey| passkey.verifies = false),
        ];
        for (why, spoil) in wrong {
            browser.get(&server.url("/account/security")).await.page();
            let mut new = Passkey::new(&server.issuer);
            spoil(&mut new);
            let page = add(&mut browser, &mut new).await.page();
            assert!(page.status == 422 && page.has("security-error"), "{why}: {}", page.summary());
        }
        for text in ["nonsense".to_owned(), "{}".to_owned(), "[".repeat(20_000), "A".repeat(40_000), String::new()] {
            browser.get(&server.url("/account/security")).await.page();
            let given = challenge(&browser, "passkey-add-form").await;
            let page = send(&mut browser, "passkey-add-form", (&given["ceremony"], &text)).await.page();
            assert!(page.status == 422 && page.has("security-error"), "{}", page.summary());
        }
        // The one that is known is named to the browser, and refused if it answers all the same.
        browser.get(&server.url("/account/security")).await.page();
        let given = challenge(&browser, "passkey-add-form").await;
        assert_eq!(given["options"]["excludeCredentials"][0]["id"], URL_SAFE_NO_PAD.encode(&passkey.id));
        let answer = passkey.create(&given["options"]).to_string();
        let page = send(&mut browser, "passkey-add-form", (&given["ceremony"], &answer)).await.page();
        assert!(page.status == 422, "{}", page.summary());
        // A challenge of a sign-in is none of a new passkey.
        let (login, _) = at_login(&server).await;
        let elsewhere = challenge(&login, "passkey-form").await;
        browser.get(&server.url("/account/security")).await.page();
        let page = send(&mut browser, "passkey-add-form", (&elsewhere["ceremony"], &answer)).await.page();
        assert!(page.status == 422, "{}", page.summary());
        // A browser left open adds nothing.
        let page = browser.get(&server.url("/account/security")).await.page();
        let csrf = page.attributes("#passkey-add-form input[name=csrf]", "value").concat();
        server.advance(16 * 60).await;
        let late = browser.fetch("/account/security/passkeys/options", &[("csrf", &csrf)]).await;
        assert_eq!(late.status, 403, "{}", late.body);
        let page = browser.submit("passkey-add-form", &[("credential", "{}")]).await.page();
        assert!(page.has("login-form"), "{}", page.summary());
        server.kill();
    }

    async fn passkeys_are_named_renamed_and_removed(mut server: TestServer) {
        let person = server.learner().clone();
        let (mut browser, mut first, _) = equipped(&server, &person).await;
        let mut second = Passkey::new(&server.issuer);
        browser.get(&server.url("/account/security")).await.page();
        let given = challenge(&browser, "passkey-add-form").await;
        let answer = second.create(&given["options"]).to_string();
        let fields = [("ceremony", given["ceremony"].as_str().unwrap()), ("credential", &answer), ("name", "Clé de secours")];
        let page = browser.submit("passkey-add-form", &fields).await.page();
        assert!(page.text("passkeys").contains("Clé de secours"), "{}", page.summary());
        let ids = |page: &Page, what: &str| -> Vec<String> {
            page.attributes("#passkeys form", "id").into_iter().filter(|id| id.starts_with(what)).collect()
        };
        let page = browser.submit(&ids(&page, "rename-")[0], &[("name", "  Portable ")]).await.page();
        assert!(page.text("passkeys").contains("Portable"), "{}", page.summary());
        let page = browser.get(&server.url("/account/activity")).await.page();
        assert_eq!(page.all_text().matches("Clé d’accès renommée").count(), 1, "{}", page.summary());
        let page = browser.get(&server.url("/account/security")).await.page();
        let page = browser.submit(&ids(&page, "remove-")[1], &[]).await.page();
        assert_eq!(ids(&page, "remove-").len(), 1, "{}", page.summary());
        let (mut elsewhere, _) = at_login(&server).await;
        assert_refused(&sign_in(&mut elsewhere, &mut second).await.page(), "a removed passkey");

        // A compromise takes the password away, and what was added lately: only the link opens the account.
        browser.get(&server.url("/account")).await.page();
        browser.submit("compromise-form", &[]).await.page();
        browser.get(&server.url("/login?to=security")).await.page();
        assert_refused(&sign_in(&mut browser, &mut first).await.page(), "a passkey that may be the thief's");
        let subjects: Vec<_> = Inbox::of(&server).to(&person.login).await.into_iter().map(|mail| mail.subject).collect();
        assert!(subjects.iter().filter(|subject| subject.contains("a changé")).count() >= 3, "{subjects:?}");
        server.kill();
    }

    async fn chromium_adds_a_passkey_and_signs_in_with_it(mut server: TestServer) {
        let person = server.learner().clone();
        let browser = WebDriver::start().await;
        browser.set_screen(Screen::Phone).await;
        let authenticator = browser.add_authenticator().await;
        browser.goto(&server.url("/login?to=security")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.text("#security-page").await;
        browser.fill("passkey-name", "Ce téléphone").await;
        browser.click("passkey-add-submit").await;
        browser.text("#recovery-codes-page").await;
        browser.click("codes-next").await;
        assert!(browser.text("#passkeys").await.contains("Ce téléphone"));
        browser.screenshot("security-passkey").await;
        let keys = browser.credentials(&authenticator).await;
        assert_eq!(keys.len(), 1, "{keys:?}");
        assert_eq!(keys[0]["isResidentCredential"], true, "{keys:?}");
        assert_eq!(keys[0]["rpId"], "localhost", "{keys:?}");

        // Again on the same device: the browser knows it.
        browser.click("passkey-add-submit").await;
        browser.text("#passkey-add-form [role=status]:not(:empty)").await;
        assert_eq!(browser.credentials(&authenticator).await.len(), 1);

        // A holder who is not recognised gets nowhere, and is told.
        browser.set_verified(&authenticator, false).await;
        browser.goto(&AuthorizationRequest::of(server.client("demo-portal")).with("prompt", "login").url(&server)).await;
        browser.click("passkey-submit").await;
        browser.text("#passkey-status:not(:empty)").await;
        browser.screenshot("passkey-cancelled").await;
        assert_eq!(browser.axe().await, Vec::<String>::new());

        // The password, then the passkey as the second step. Who it is, is known.
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.text("#second-step-page").await;
        browser.set_verified(&authenticator, true).await;
        browser.screenshot("second-step-passkey").await;
        browser.goto(&browser.url().await).await;
        browser.click("passkey-submit").await;
        assert!(browser.wait_for_url(&server.portal).await.contains("code="));
        server.kill();
    }

    async fn chromium_offers_the_passkey_where_the_name_is_typed(mut server: TestServer) {
        let person = server.learner().clone();
        let browser = WebDriver::start().await;
        let authenticator = browser.add_authenticator().await;
        browser.goto(&server.url("/login?to=security")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.text("#security-page").await;
        browser.click("passkey-add-submit").await;
        browser.text("#recovery-codes-page").await;
        assert_eq!(browser.credentials(&authenticator).await.len(), 1);
        // The virtual holder chooses what is suggested: the page answers without a click.
        browser.goto(&server.url("/login?to=security&again=1")).await;
        browser.text("#security-page").await;
        server.kill();
    }
}
