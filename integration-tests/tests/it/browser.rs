//! A real Chromium: the whole path of a learner, and the sign-in page as axe sees it (WCAG 2.2 AA, RGAA 4.1).

use habilis_integration_tests::protocol::AuthorizationRequest;
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{TestServer, WebDriver};

journeys! {
    async fn a_learner_walks_from_the_portal_to_the_portal_and_signs_out_everywhere(server: &TestServer) {
        let browser = WebDriver::start().await;
        let person = server.learner();
        browser.set_screen(Screen::Desktop).await;
        browser.goto(&server.portal).await;
        browser.click("portal-sign-in").await;
        browser.wait_for_url(&server.url("/interaction/login/")).await;
        browser.fill("username", &person.login).await;
        browser.fill("password", &person.password).await;
        browser.click("login-submit").await;
        browser.wait_for_url(&server.portal).await;
        let name = browser.text("#portal-name").await;
        assert!(name.contains(&person.given_name) && name.contains(&person.family_name), "{name}");
        assert_eq!(browser.text("#portal-organization").await, person.organization.as_ref().unwrap().name);
        browser.screenshot("portal-learner").await;
        browser.click("portal-sign-out").await;
        browser.wait_for_url(&server.portal).await;
        browser.text("#portal-home-page").await;
        // Asked by the portal itself, so that the browser has somewhere to arrive.
        let uris = server.clients.iter().flat_map(|client| client.redirect_uris.iter().map(move |uri| (client, uri)));
        let (portal, callback) =
            uris.into_iter().find(|(_, uri)| uri.starts_with(&server.portal)).expect("the portal is among the demo's clients");
        let silent = AuthorizationRequest::of(portal).with("redirect_uri", callback).with("prompt", "none");
        browser.goto(&silent.url(server)).await;
        let url = browser.url().await;
        let page = browser.text("body").await;
        assert!(url.contains("error=login_required") || page.contains("login_required"), "{url}: {page}");
    }

    async fn axe_finds_nothing_wrong_with_the_sign_in_page(server: &TestServer) {
        let browser = WebDriver::start().await;
        let request = AuthorizationRequest::of(server.client("demo-portal"));
        for (screen, name) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            for scheme in ["light", "dark"] {
                browser.set_screen(screen).await;
                browser.set_colour_scheme(scheme).await;
                browser.goto(&request.url(server)).await;
                browser.text("#login-form").await;
                browser.screenshot(&format!("login-{name}-{scheme}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "{name} {scheme}");
                let wider = browser.script("return document.documentElement.scrollWidth > window.innerWidth").await;
                assert_eq!(wider, false, "nothing to scroll sideways: {name}");
            }
        }
    }

    async fn axe_finds_nothing_wrong_with_a_refused_attempt(server: &TestServer) {
        let browser = WebDriver::start().await;
        browser.goto(&AuthorizationRequest::of(server.client("demo-portal")).url(server)).await;
        browser.fill("username", "personne@nulle-part.example").await;
        browser.fill("password", "un mot de passe").await;
        browser.click("login-submit").await;
        assert!(!browser.text("#login-error").await.is_empty());
        assert_eq!(browser.axe().await, Vec::<String>::new());
        browser.screenshot("login-refused").await;
    }

    async fn axe_finds_nothing_wrong_with_an_error_page(server: &TestServer) {
        let browser = WebDriver::start().await;
        browser.goto(&AuthorizationRequest::of(server.client("demo-portal")).with("client_id", "nobody").url(server)).await;
        browser.text("#error-page").await;
        assert_eq!(browser.axe().await, Vec::<String>::new());
    }

    async fn the_sign_in_page_works_with_scripts_switched_off_by_its_own_policy(server: &TestServer) {
        let browser = WebDriver::start().await;
        browser.goto(&AuthorizationRequest::of(server.client("demo-portal")).url(server)).await;
        let ran = browser
            .script(
                "const s = document.createElement('script'); s.textContent = 'window.ran = true';
                 document.body.appendChild(s); return window.ran === true",
            )
            .await;
        assert_eq!(ran, false, "the content security policy refuses inline scripts");
    }
}
