//! For which organization somebody signs in: the choice, portals closed to kinds of organization, what tokens tell of it, and what
//! ends with a membership. Requirements R008, R009, R010, R011, R015, R056.

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::jose;
use habilis_integration_tests::protocol::{
    AuthorizationRequest, AuthorizationResponse, Code, Tokens, post_as, redeem, refresh, userinfo,
};
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Api, Browser, Http, Organization, Page, Person, TestServer, Visit, WebDriver};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::device::{ask, enter, kiosk, poll};

const SCOPE: &str = "openid organization";

/// The one who belongs to a company and to an apprenticeship centre.
fn both(server: &TestServer) -> (&Person, &Organization, &Organization) {
    let person = of_kind(server, "two organizations");
    (person, person.organization.as_ref().unwrap(), person.second_organization.as_ref().unwrap())
}

/// The operator's automation, and the path of a membership.
async fn membership(server: &TestServer, organization: &str, login: &str) -> (Api, String) {
    let (boss, members) = (crate::api::operator(server).await, format!("/organizations/{organization}/members"));
    let found = boss.get(&format!("{members}?q={login}")).await.done(200);
    let member = format!("{members}/{}", found["items"][0]["id"].as_str().unwrap());
    (boss, member)
}

/// What was granted for an organization that counts no more is dead, and the other one is all there is.
async fn nowhere(server: &TestServer, (person, other): (&Person, &str), tokens: &Tokens) {
    assert_alive(server, "demo-portal", tokens, false).await;
    let now = request(server, "demo-portal");
    let visit = arrive(server, &mut Browser::new(), &now, person).await;
    assert_eq!(organization(server, &now, visit).await, json!(other), "nothing to choose");
}

fn of_kind<'a>(server: &'a TestServer, kind: &str) -> &'a Person {
    server.people.iter().find(|person| person.kind == kind).unwrap_or_else(|| panic!("no {kind}"))
}

/// A learner of an organization of this kind, and of no other.
fn learner_of<'a>(server: &'a TestServer, kind: &str) -> &'a Person {
    let is = |person: &&Person| person.organization.as_ref().is_some_and(|organization| organization.kind == kind);
    server
        .people
        .iter()
        .filter(is)
        .find(|person| person.kind == "learner")
        .unwrap_or_else(|| panic!("none of a {kind}"))
}

fn request(server: &TestServer, client: &str) -> AuthorizationRequest {
    AuthorizationRequest::of(server.client(client)).with("scope", SCOPE)
}

/// Sends a request, and the password where it is asked; returns what comes next.
async fn arrive(server: &TestServer, browser: &mut Browser, request: &AuthorizationRequest, person: &Person) -> Visit {
    match browser.get(&request.url(server)).await {
        Visit::Page(page) if page.has("login-form") => browser.sign_in(person).await,
        other => other,
    }
}

/// The id of the button of an organization on the page that asks.
#[track_caller]
fn button(page: &Page, organization: &str) -> String {
    assert!(page.has("organization-page"), "{}", page.summary());
    let ids = page.attributes("button.organization", "id");
    let of = |id: &&String| page.text(id).contains(organization);
    ids.iter().find(of).unwrap_or_else(|| panic!("no {organization}: {}", page.summary())).clone()
}

async fn choose(browser: &mut Browser, page: &Page, organization: &str) -> Visit {
    browser.click(&button(page, organization)).await
}

async fn tokens(server: &TestServer, request: &AuthorizationRequest, visit: Visit) -> Tokens {
    let response = AuthorizationResponse::from_url(visit.left());
    Tokens::from(&redeem(server, server.client(request.get("client_id")), &Code::from(request, &response)).await)
}

/// The organization of an ID token; null without one.
async fn organization(server: &TestServer, request: &AuthorizationRequest, visit: Visit) -> Value {
    tokens(server, request, visit).await.id_claims()["org_id"].clone()
}

async fn introspect(server: &TestServer, client: &str, token: &str) -> Value {
    post_as(server, server.client(client), ("/introspect", &[("token", token)])).await.ok_json()
}

/// Asserts that an answer is this error, whose description begins with this word.
#[track_caller]
fn assert_refused(server: &TestServer, request: &AuthorizationRequest, visit: Visit, (error, word): (&str, &str)) {
    let response = AuthorizationResponse::from_url(visit.left());
    response.assert_error(error, request, server);
    let description = response.get("error_description").unwrap_or_default();
    assert!(description.starts_with(word), "{description}");
}

#[track_caller]
fn not_for_you(visit: Visit) -> Page {
    let page = visit.page();
    assert!(page.has("not-for-you-page"), "{}", page.summary());
    assert_eq!(page.status, 403);
    page
}

/// Somebody of both organizations in a session that was asked nothing yet.
async fn signed_in(server: &TestServer, person: &Person) -> Browser {
    let mut browser = Browser::new();
    let quiet = AuthorizationRequest::of(server.client("demo-portal")).with("scope", "openid");
    arrive(server, &mut browser, &quiet, person).await.left();
    browser
}

journeys! {
    async fn somebody_of_two_organizations_chooses_and_every_token_says_which(server: &TestServer) {
        let (person, company, cfa) = both(server);
        for (organization, role) in [(company, "commanditaire"), (cfa, "gestionnaire")] {
            let request = request(server, "demo-portal").with("scope", "openid organization offline_access").with("prompt", "consent");
            let mut browser = Browser::new();
            let page = arrive(server, &mut browser, &request, person).await.page();
            assert!(page.has("organization-page"), "{}", page.summary());
            let text = page.text(&button(&page, &company.name));
            assert!(text.contains("Entreprise") && text.contains("SIRET"), "{text}");
            assert!(page.text(&button(&page, &cfa.name)).contains("Centre de formation d’apprentis"), "{}", page.summary());
            let page = choose(&mut browser, &page, &organization.name).await.page();
            assert_eq!(page.text("consent-organization"), format!("Vous agissez pour {}.", organization.name));
            let tokens = tokens(server, &request, browser.click("consent-allow").await).await;
            let told = [
                tokens.id_claims(),
                jose::claims(tokens.access_token()),
                userinfo(server, tokens.access_token()).await.ok_json(),
                introspect(server, "demo-portal", tokens.access_token()).await,
                introspect(server, "demo-resource", tokens.access_token()).await,
            ];
            let siren = &organization.siret[..9];
            for claims in told {
                assert_eq!(claims["org_id"], json!(organization.id), "{claims}");
                assert_eq!(claims["org_name"], json!(organization.name));
                assert_eq!(claims["org_kind"], json!(organization.kind));
                assert_eq!((&claims["siret"], &claims["siren"]), (&json!(organization.siret), &json!(siren)));
                assert_eq!((&claims["roles"], &claims["mandate"]), (&json!([role]), &json!("invitation")));
                assert!(claims["organization_roles"].is_array() && claims.get("uai").is_none(), "{claims}");
            }
            let next = Tokens::from(&refresh(server, server.client("demo-portal"), tokens.refresh_token()).await);
            assert_eq!(next.id_claims()["org_id"], json!(organization.id));
            assert_eq!(jose::claims(next.access_token())["org_id"], json!(organization.id));
        }
    }

    async fn the_last_answer_at_a_portal_is_offered_first_and_holds_for_the_session(server: &TestServer) {
        let (person, company, cfa) = both(server);
        let request = request(server, "demo-eddsa");
        let mut browser = Browser::new();
        let page = arrive(server, &mut browser, &request, person).await.page();
        assert!(page.select(".organization--last").is_none(), "nothing was chosen yet: {}", page.summary());
        let visit = choose(&mut browser, &page, &cfa.name).await;
        assert_eq!(organization(server, &request, visit).await, json!(cfa.id));
        // Asked once a session: the next request is answered at once, aloud or not.
        for prompt in ["none", ""] {
            let again = AuthorizationRequest::of(server.client("demo-eddsa")).with("scope", SCOPE);
            let again = if prompt.is_empty() { again } else { again.with("prompt", prompt) };
            let visit = browser.get(&again.url(server)).await;
            assert_eq!(organization(server, &again, visit).await, json!(cfa.id), "{prompt}");
        }
        // Another session is asked, with that answer first.
        let mut other = Browser::new();
        let page = arrive(server, &mut other, &request, person).await.page();
        assert_eq!(button(&page, &cfa.name), "organization-1", "{}", page.summary());
        assert!(page.text("organization-1").contains("Votre dernier choix"));
        let visit = choose(&mut other, &page, &company.name).await;
        assert_eq!(organization(server, &request, visit).await, json!(company.id));
        // The first session keeps its own.
        let again = AuthorizationRequest::of(server.client("demo-eddsa")).with("scope", SCOPE).with("prompt", "none");
        let visit = browser.get(&again.url(server)).await;
        assert_eq!(organization(server, &again, visit).await, json!(cfa.id));
    }

    async fn silence_is_kept_until_the_person_has_answered_and_select_account_asks_again(server: &TestServer) {
        let (person, company, cfa) = both(server);
        let mut browser = signed_in(server, person).await;
        let silent = request(server, "demo-native").with("prompt", "none");
        let visit = browser.get(&silent.url(server)).await;
        assert_refused(server, &silent, visit, ("interaction_required", "the person must choose"));
        let aloud = request(server, "demo-native");
        let page = browser.get(&aloud.url(server)).await.page();
        let visit = choose(&mut browser, &page, &company.name).await;
        assert_eq!(organization(server, &aloud, visit).await, json!(company.id));
        let again = request(server, "demo-native").with("prompt", "select_account");
        let page = arrive(server, &mut browser, &again, person).await.page();
        let visit = choose(&mut browser, &page, &cfa.name).await;
        assert_eq!(organization(server, &again, visit).await, json!(cfa.id));
        let silent = request(server, "demo-native").with("prompt", "none");
        let visit = browser.get(&silent.url(server)).await;
        assert_eq!(organization(server, &silent, visit).await, json!(cfa.id), "the newest answer of the session");
    }

    async fn a_portal_may_name_the_organization(server: &TestServer) {
        let (person, company, cfa) = both(server);
        let mut browser = signed_in(server, person).await;
        for organization_asked in [company, cfa] {
            let named = request(server, "demo-post").with("organization", &organization_asked.id);
            let visit = browser.get(&named.url(server)).await;
            assert_eq!(organization(server, &named, visit).await, json!(organization_asked.id));
        }
        let foreign = &learner_of(server, "training_body").organization.as_ref().unwrap().id;
        for other in [foreign.as_str(), "org_of_nobody"] {
            let named = request(server, "demo-post").with("organization", other);
            let page = not_for_you(browser.get(&named.url(server)).await);
            assert!(page.all_text().contains("dont vous ne faites pas partie"), "{}", page.summary());
            let visit = browser.click("not-for-you-back").await;
            assert_refused(server, &named, visit, ("access_denied", "organization_not_a_member:"));
            let silent = request(server, "demo-post").with("organization", other).with("prompt", "none");
            let visit = browser.get(&silent.url(server)).await;
            assert_refused(server, &silent, visit, ("access_denied", "organization_not_a_member:"));
        }
        let long = request(server, "demo-post").with("organization", &"o".repeat(2049));
        let visit = browser.get(&long.url(server)).await;
        assert_refused(server, &long, visit, ("invalid_request", "organization is longer"));
    }

    async fn nobody_is_asked_where_it_does_not_matter(server: &TestServer) {
        let (person, ..) = both(server);
        // The portal does not ask for the organization: nothing is asked, nothing is told.
        let quiet = AuthorizationRequest::of(server.client("demo-eddsa")).with("scope", "openid profile");
        let visit = arrive(server, &mut Browser::new(), &quiet, person).await;
        let tokens = tokens(server, &quiet, visit).await;
        for claims in [tokens.id_claims(), jose::claims(tokens.access_token()), userinfo(server, tokens.access_token()).await.ok_json()] {
            for name in ["org_id", "org_name", "org_kind", "siret", "siren", "roles", "mandate", "organization_roles"] {
                assert!(claims.get(name).is_none(), "{name}: {claims}");
            }
        }
        // One organization, or none.
        let request = request(server, "demo-eddsa");
        let learner = learner_of(server, "cfa");
        let visit = arrive(server, &mut Browser::new(), &request, learner).await;
        assert_eq!(organization(server, &request, visit).await, json!(learner.organization.as_ref().unwrap().id));
        let visit = arrive(server, &mut Browser::new(), &request, of_kind(server, "trainer")).await;
        assert!(organization(server, &request, visit).await.is_string());
        // Rights in one of two: that one. Both belong to it, one gives rights.
        let visit = arrive(server, &mut Browser::new(), &AuthorizationRequest::of(server.client("demo-es256")).with("scope", SCOPE), person).await;
        let es256 = AuthorizationRequest::of(server.client("demo-es256"));
        assert!(AuthorizationResponse::from_url(visit.left()).get("code").is_some(), "{}", es256.get("client_id"));
    }

    async fn a_claims_request_asks_as_well(server: &TestServer) {
        let (person, company, _) = both(server);
        let claims = json!({ "userinfo": { "org_id": { "essential": true } } }).to_string();
        let request = AuthorizationRequest::of(server.client("demo-signed-userinfo")).with("claims", &claims);
        let mut browser = Browser::new();
        let page = arrive(server, &mut browser, &request, person).await.page();
        let visit = choose(&mut browser, &page, &company.name).await;
        let tokens = tokens(server, &request, visit).await;
        let told = jose::claims(&userinfo(server, tokens.access_token()).await.body);
        assert_eq!(told["org_id"], json!(company.id));
        assert!(told.get("siret").is_none() && tokens.id_claims().get("org_id").is_none(), "only what was asked for: {told}");
    }

    async fn what_is_not_offered_is_not_taken(server: &TestServer) {
        let (person, ..) = both(server);
        let request = request(server, "demo-third-party");
        let mut browser = Browser::new();
        let page = arrive(server, &mut browser, &request, person).await.page();
        assert!(page.has("organization-page"), "{}", page.summary());
        let path = page.url.path().to_owned();
        let csrf = page.attributes("input[name=csrf]", "value").remove(0);
        let foreign = &learner_of(server, "partner").organization.as_ref().unwrap().id;
        for (csrf, organization) in [
            (csrf.as_str(), foreign.as_str()), (&csrf, ""), (&csrf, "org_of_nobody"), ("", &both(server).1.id),
        ] {
            let answer = browser.fetch(&path, &[("csrf", csrf), ("organization", organization)]).await;
            assert_eq!((answer.status, answer.header("location")), (303, path.as_str()), "{organization:?}");
        }
        let stranger = Browser::new().get(&server.url(&path)).await.page();
        assert!(stranger.has("error-page"), "another browser sees nothing of it: {}", stranger.summary());
        let visit = browser.click("organization-cancel").await;
        assert_refused(server, &request, visit, ("access_denied", "the person declined"));
    }

    async fn a_portal_closed_to_a_kind_says_why_and_sends_back(server: &TestServer) {
        let person = learner_of(server, "company");
        let request = request(server, "demo-closed");
        let mut browser = Browser::new();
        let page = not_for_you(arrive(server, &mut browser, &request, person).await);
        let text = page.all_text();
        for words in ["organismes de formation", "centres de formation d’apprentis", &person.organization.as_ref().unwrap().name, "Entreprise", "assistance@organismes.example"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let visit = browser.click("not-for-you-back").await;
        assert_refused(server, &request, visit, ("access_denied", "organization_kind_not_admitted:"));
        // Whatever is asked, and silently too.
        for scope in ["openid", SCOPE] {
            let silent = AuthorizationRequest::of(server.client("demo-closed")).with("scope", scope).with("prompt", "none");
            let visit = browser.get(&silent.url(server)).await;
            assert_refused(server, &silent, visit, ("access_denied", "organization_kind_not_admitted:"));
        }
        // Who has no organization at all cannot come either.
        let page = not_for_you(arrive(server, &mut Browser::new(), &AuthorizationRequest::of(server.client("demo-closed")).with("scope", SCOPE), operator(server)).await);
        assert!(page.all_text().contains("rattaché à aucune organisation"), "{}", page.summary());
    }

    async fn a_closed_portal_takes_the_organization_it_admits(server: &TestServer) {
        let (person, company, cfa) = both(server);
        for scope in [SCOPE, "openid"] {
            let request = AuthorizationRequest::of(server.client("demo-closed")).with("scope", scope);
            let visit = arrive(server, &mut Browser::new(), &request, person).await;
            let tokens = tokens(server, &request, visit).await;
            let told = tokens.id_claims()["org_id"].clone();
            assert_eq!(told, if scope == SCOPE { json!(cfa.id) } else { Value::Null });
            assert_eq!(introspect(server, "demo-closed", tokens.access_token()).await["active"], json!(true));
        }
        let named = request(server, "demo-closed").with("organization", &company.id).with("prompt", "none");
        let visit = signed_in(server, person).await.get(&named.url(server)).await;
        assert_refused(server, &named, visit, ("access_denied", "organization_kind_not_admitted:"));
        for kind in ["training_body", "cfa", "partner"] {
            let request = request(server, "demo-closed");
            let learner = learner_of(server, kind);
            let visit = arrive(server, &mut Browser::new(), &request, learner).await;
            assert_eq!(organization(server, &request, visit).await, json!(learner.organization.as_ref().unwrap().id));
        }
    }

    async fn a_device_signs_in_for_the_organization_its_person_chooses(server: &TestServer) {
        let (person, company, cfa) = both(server);
        let client = kiosk(server).await;
        let asked = ask(server, &client, "openid organization offline_access").await;
        let mut browser = Browser::new();
        enter(server, &mut browser, asked["user_code"].as_str().unwrap()).await;
        let page = browser.sign_in(person).await.page();
        let page = choose(&mut browser, &page, &company.name).await.page();
        assert!(page.text("device-organization").contains(&company.name), "{}", page.summary());
        let page = browser.click("device-change-organization").await.page();
        assert_eq!(button(&page, &company.name), "organization-1");
        let page = choose(&mut browser, &page, &cfa.name).await.page();
        assert!(page.text("device-organization").contains(&cfa.name), "{}", page.summary());
        // The answer is to what the page says.
        let stale = browser.submit("device-form", &[("organization", &company.id)]).await.page();
        assert!(stale.has("device-allow"), "{}", stale.summary());
        poll(server, &client, &asked).await.assert_oauth_error(400, "authorization_pending");
        let page = browser.click("device-allow").await.page();
        assert!(page.has("device-outcome"), "{}", page.summary());
        let tokens = Tokens::from(&poll(server, &client, &asked).await);
        assert_eq!(tokens.id_claims()["org_id"], json!(cfa.id));
        assert_eq!(userinfo(server, tokens.access_token()).await.ok_json()["org_id"], json!(cfa.id));
    }
}

/// The operator's own, who belong to no organization.
fn operator(server: &TestServer) -> &Person {
    of_kind(server, "operator")
}

/// Tokens of somebody at a portal, for a named organization.
async fn named_tokens(server: &TestServer, client: &str, (person, organization): (&Person, &str)) -> Tokens {
    let request = request(server, client).with("organization", organization);
    let visit = arrive(server, &mut Browser::new(), &request, person).await;
    tokens(server, &request, visit).await
}

/// Asserts that tokens are worth something, or nothing.
async fn assert_alive(server: &TestServer, client: &str, tokens: &Tokens, alive: bool) {
    let refreshed = refresh(server, server.client(client), tokens.refresh_token()).await;
    if alive {
        Tokens::from(&refreshed);
    } else {
        refreshed.assert_oauth_error(400, "invalid_grant");
    }
    for token in [tokens.access_token(), tokens.refresh_token()] {
        let told = introspect(server, client, token).await;
        assert_eq!(told["active"], json!(alive), "{told}");
    }
    assert_eq!(userinfo(server, tokens.access_token()).await.status, if alive { 200 } else { 401 });
}

own_journeys! {
    async fn what_was_granted_for_an_organization_ends_with_the_last_day_of_the_membership(mut server: TestServer) {
        let (person, company, cfa) = both(&server);
        let (person, company, cfa) = (person.clone(), company.clone(), cfa.clone());
        let paris = TimeZone::get("Europe/Paris").unwrap();
        let last_day = server.now().await.to_zoned(paris).date().tomorrow().unwrap();
        let (last_day, midnight) = (last_day.to_string(), last_day.tomorrow().unwrap().in_tz("Europe/Paris").unwrap());
        let shown = server.manage(&["person", "show", &person.login]).await.printed();
        assert!(!shown.contains(&format!("until {last_day}")), "{shown}");
        let (boss, member) = membership(&server, &cfa.id, &person.login).await;
        let tag = boss.get(&member).await.header("etag").to_owned();
        let external = json!({ "affiliation": "external" });
        boss.patch(&member, &tag, &external).await.problem(422, "invalid_fields");
        let until = json!({ "affiliation": "external", "ends_on": last_day });
        assert_eq!(boss.patch(&member, &tag, &until).await.done(200)["ends_on"], json!(last_day));
        let end = midnight.timestamp();
        server.set_clock(&json!({ "set": end - SignedDuration::from_mins(5) })).await.ok_json();
        let for_cfa = named_tokens(&server, "demo-portal", (&person, &cfa.id)).await;
        let for_company = named_tokens(&server, "demo-portal", (&person, &company.id)).await;
        assert_alive(&server, "demo-portal", &for_cfa, true).await;
        server.set_clock(&json!({ "set": end })).await.ok_json();
        assert_alive(&server, "demo-portal", &for_cfa, false).await;
        assert_alive(&server, "demo-portal", &for_company, true).await;
        // There is nothing to choose any more, and the closed portal is closed.
        let request_now = request(&server, "demo-portal");
        let visit = arrive(&server, &mut Browser::new(), &request_now, &person).await;
        assert_eq!(organization(&server, &request_now, visit).await, json!(company.id));
        let closed = request(&server, "demo-closed");
        not_for_you(arrive(&server, &mut Browser::new(), &closed, &person).await);
        server.kill();
    }

    async fn a_suspended_membership_or_organization_counts_nowhere_until_it_is_resumed(mut server: TestServer) {
        let (person, company, cfa) = both(&server);
        let (person, company, cfa) = (person.clone(), company.clone(), cfa.clone());
        let for_cfa = named_tokens(&server, "demo-portal", (&person, &cfa.id)).await;
        let (boss, member) = membership(&server, &cfa.id, &person.login).await;
        let status = |status: &str| json!({ "status": status, "reason": "essai" });
        for off in [true, false] {
            let of_membership = if off { "suspended" } else { "active" };
            boss.put(&format!("{member}/status"), &status(of_membership)).await.done(200);
            if off {
                nowhere(&server, (&person, &company.id), &for_cfa).await;
            }
        }
        assert_alive(&server, "demo-portal", &for_cfa, true).await;
        let again = named_tokens(&server, "demo-portal", (&person, &cfa.id)).await;
        server.manage(&["organization", "suspend", &cfa.id, "--breach", "Convention.", "--remedy", "Régulariser."]).await.printed();
        nowhere(&server, (&person, &company.id), &again).await;
        server.manage(&["organization", "resume", &cfa.id]).await.printed();
        // What an organization was suspended after stays dead; a new sign-in is good.
        assert_alive(&server, "demo-portal", &again, false).await;
        let again = named_tokens(&server, "demo-portal", (&person, &cfa.id)).await;
        assert_alive(&server, "demo-portal", &again, true).await;
        server.kill();
    }

    async fn what_an_organization_asks_of_its_members_ends_with_the_membership(mut server: TestServer) {
        let (person, _, cfa) = both(&server);
        let (person, cfa) = (person.clone(), cfa.clone());
        server.manage(&["second-factor", "require", "--organization", &cfa.id]).await.printed();
        let quiet = AuthorizationRequest::of(server.client("demo-portal")).with("scope", "openid");
        let page = arrive(&server, &mut Browser::new(), &quiet, &person).await.page();
        assert!(page.has("enrol-page"), "{}", page.summary());
        let (boss, member) = membership(&server, &cfa.id, &person.login).await;
        boss.put(&format!("{member}/status"), &json!({ "status": "suspended", "reason": "essai" })).await.done(200);
        arrive(&server, &mut Browser::new(), &quiet, &person).await.left();
        server.manage(&["organization", "policy", "set", &cfa.id, "--renewal", "yearly"]).await.printed();
        let due = server.manage(&["passwords", "due", "--organization", &cfa.id]).await.printed();
        let before = server.people.iter().filter(|person| belongs(person, &cfa.id)).count();
        assert!(due.contains(&format!("active accounts with a password: {}", before - 1)), "{due}");
        server.kill();
    }

    async fn without_a_mandate_there_is_no_role_in_the_organization(mut server: TestServer) {
        let boss = crate::api::operator(&server).await;
        let person = of_kind(&server, "administrator").clone();
        let organization = person.organization.clone().unwrap().id;
        let members = format!("/organizations/{organization}/members");
        let found = boss.get(&format!("{members}?q={}", person.login)).await.done(200);
        let member = format!("{members}/{}", found["items"][0]["id"].as_str().unwrap());
        let read = boss.get(&member).await.header("etag").to_owned();
        for (mandate, expected) in [
            (Value::Null, None),
            (json!("legal_representative"), Some("legal_representative")),
            (json!("delegation"), Some("delegation")),
        ] {
            let tag = boss.get(&member).await.header("etag").to_owned();
            let changed = boss.patch(&member, &tag, &json!({ "mandate": mandate })).await;
            assert_eq!(changed.done(200)["mandate"], mandate);
            // What is not named stays.
            let same = boss.patch(&member, changed.header("etag"), &json!({})).await.done(200);
            assert_eq!(same["mandate"], mandate);
            let tokens = named_tokens(&server, "demo-portal", (&person, &organization)).await;
            let told = userinfo(&server, tokens.access_token()).await.ok_json();
            for claims in [told, tokens.id_claims(), jose::claims(tokens.access_token())] {
                assert_eq!(claims.get("mandate").and_then(Value::as_str), expected, "{claims}");
                assert_eq!(claims.get("organization_roles").is_some(), expected.is_some(), "{claims}");
                assert!(claims["roles"].is_array(), "rights in the portal need no mandate: {claims}");
            }
        }
        boss.patch(&member, &read, &json!({ "mandate": null })).await.problem(412, "version_mismatch");
        let now = boss.get(&member).await.header("etag").to_owned();
        for wrong in [json!(""), json!("none"), json!(7)] {
            let refused = boss.patch(&member, &now, &json!({ "mandate": wrong })).await.problem(422, "invalid_fields");
            assert_eq!(refused["errors"][0]["pointer"], "/mandate");
        }
        // An administrator's is changed with two factors, and nobody changes their own.
        let weak = Api::of_person(&server, of_kind(&server, "operator"), ALL).await;
        weak.patch(&member, &now, &json!({ "mandate": null })).await.problem(401, "insufficient_user_authentication");
        let own = Api::of_person(&server, &person, ALL).await;
        own.patch(&member, &now, &json!({ "mandate": null })).await.problem(403, "forbidden");
        let trail = boss.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
        let lines = trail["items"].as_array().unwrap();
        let taken = |line: &&Value| {
            line["event"] == "member.updated" && line["detail"]["before"]["mandate"].is_string() && line["detail"]["after"]["mandate"].is_null()
        };
        assert_eq!(lines.iter().filter(taken).count(), 1, "{trail}");
        server.kill();
    }

    async fn a_minimal_client_learns_names_and_address_and_nothing_else(mut server: TestServer) {
        let (person, ..) = both(&server);
        let person = person.clone();
        let shown = server.manage(&["client", "update", "demo-portal", "--claims", "minimal"]).await.printed();
        assert!(shown.contains("\"claims\": \"minimal\""), "{shown}");
        // A client is known for a few seconds as it was.
        server.kill();
        server.restart().await;
        let claims = json!({
            "userinfo": { "birthdate": null, "org_id": null, "locale": null, "phone_number": { "essential": true } },
            "id_token": { "org_id": null, "name": null, "email": null },
        });
        let request = AuthorizationRequest::of(server.client("demo-portal"))
            .with("scope", "openid profile email address phone organization")
            .with("claims", &claims.to_string());
        for person in [&person, server.learner()] {
            let visit = arrive(&server, &mut Browser::new(), &request, person).await;
            let tokens = tokens(&server, &request, visit).await;
            let told = userinfo(&server, tokens.access_token()).await.ok_json();
            let mut names: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, ["email", "family_name", "given_name", "sub"]);
            assert_eq!(tokens.response["scope"], "openid email profile");
            for claims in [tokens.id_claims(), jose::claims(tokens.access_token()), introspect(&server, "demo-portal", tokens.access_token()).await] {
                for name in ["org_id", "siret", "roles", "name", "birthdate", "phone_number", "email_verified"] {
                    assert!(claims.get(name).is_none(), "{name}: {claims}");
                }
            }
        }
        server.kill();
    }

    async fn a_portal_that_closes_ends_what_it_holds_of_others(mut server: TestServer) {
        let company = learner_of(&server, "company").clone();
        let cfa = learner_of(&server, "cfa").clone();
        let organization = |person: &Person| person.organization.clone().unwrap().id;
        let (of_company, of_cfa) = (
            named_tokens(&server, "demo-portal", (&company, &organization(&company))).await,
            named_tokens(&server, "demo-portal", (&cfa, &organization(&cfa))).await,
        );
        let shown = server.manage(&["client", "update", "demo-portal", "--organization-kind", "cfa", "--organization-kind", "training_body"]).await;
        assert!(shown.printed().contains("training_body"));
        server.kill();
        server.restart().await;
        assert_alive(&server, "demo-portal", &of_company, false).await;
        assert_alive(&server, "demo-portal", &of_cfa, true).await;
        server.manage(&["client", "update", "demo-portal"]).await.assert_refused(&["nothing to change"]);
        server.manage(&["client", "update", "demo-portal", "--organization-kind", "school"]).await.assert_refused(&["training_body"]);
        let shown = server.manage(&["client", "update", "demo-portal", "--any-organization"]).await.printed();
        assert!(!shown.contains("organization_kinds"), "{shown}");
        server.kill();
        server.restart().await;
        assert_alive(&server, "demo-portal", &of_company, true).await;
        server.kill();
    }

    async fn a_service_without_sign_in_sends_nobody_to_one_and_needs_no_cookie(mut server: TestServer) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client.json");
        let path = file.display().to_string();
        let write = |metadata: Value| std::fs::write(&file, metadata.to_string()).unwrap();
        let create = ["client", "create", &path, "--auth-required", "false"];
        for signs_in in [
            json!({ "client_id": "depot", "redirect_uris": ["https://depot.example/"] }),
            json!({ "client_id": "depot", "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"], "response_types": [], "token_endpoint_auth_method": "none" }),
        ] {
            write(signs_in);
            server.manage(&create).await.assert_refused(&["without sign-in"]);
        }
        write(json!({ "client_id": "depot", "grant_types": ["client_credentials"], "response_types": [], "scope": "depot.write" }));
        let created: Value = serde_json::from_str(&server.manage(&create).await.printed()).unwrap();
        let shown = server.manage(&["client", "show", "depot"]).await.printed();
        assert!(shown.contains("\"auth_required\": false"), "{shown}");
        server.manage(&["client", "update", "demo-portal", "--auth-required", "false"]).await.assert_refused(&["without sign-in"]);
        // It works for itself, without any cookie, and none is set.
        let secret = created["client_secret"].as_str().unwrap();
        let form = [("grant_type", "client_credentials"), ("scope", "depot.write")];
        let http = Http::new();
        let answer = http.send(http.request("POST", &server.url("/token")).basic_auth("depot", Some(secret)).form(&form)).await;
        assert!(answer.ok_json()["access_token"].is_string() && answer.header("set-cookie").is_empty());
        let page = Browser::new().get(&server.url("/authorize?client_id=depot&response_type=code&redirect_uri=https%3A%2F%2Fdepot.example%2F")).await;
        page.assert_error_page("invalid_request");
        server.kill();
    }

    async fn a_device_of_a_closed_portal_is_turned_away(mut server: TestServer) {
        let client = kiosk(&server).await;
        server.manage(&["client", "update", &client.client_id, "--organization-kind", "cfa"]).await.printed();
        server.kill();
        server.restart().await;
        let asked = ask(&server, &client, "openid").await;
        let mut browser = Browser::new();
        enter(&server, &mut browser, asked["user_code"].as_str().unwrap()).await;
        not_for_you(browser.sign_in(learner_of(&server, "company")).await);
        let page = browser.click("not-for-you-back").await.page();
        assert!(page.has("device-outcome"), "{}", page.summary());
        poll(&server, &client, &asked).await.assert_oauth_error(400, "access_denied");
        server.kill();
    }

    async fn the_choice_and_the_refusal_are_easy_on_a_phone_and_on_a_desktop(mut server: TestServer) {
        let (person, company, _) = both(&server);
        let (person, company) = (person.clone(), company.clone());
        for (screen, name) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            let browser = WebDriver::start().await;
            browser.set_screen(screen).await;
            browser.goto(&request(&server, "demo-eddsa").with("ui_locales", "fr").url(&server)).await;
            browser.fill("username", &person.login).await;
            browser.fill("password", &person.password).await;
            browser.click("login-submit").await;
            browser.text("#organization-page").await;
            browser.screenshot(&format!("organization-{name}")).await;
            assert_eq!(browser.axe().await, Vec::<String>::new(), "{name}");
            for scheme in ["dark", "light"] {
                browser.set_colour_scheme(scheme).await;
                browser.screenshot(&format!("organization-{name}-{scheme}")).await;
                assert_eq!(browser.axe().await, Vec::<String>::new(), "{name} {scheme}");
            }
            let english = browser.url().await + "?ui_locales=en";
            browser.goto(&english).await;
            assert!(browser.text("#content").await.contains("For which organization?"));
            browser.screenshot(&format!("organization-{name}-en")).await;
            browser.click("organization-1").await;
            browser.wait_for_url("https://rp.example/callback").await;

            let browser = WebDriver::start().await;
            browser.set_screen(screen).await;
            let other = learner_of(&server, "company");
            assert_eq!(other.organization.as_ref().unwrap().id, company.id);
            browser.goto(&format!("{}/closed", server.portal)).await;
            browser.click("portal-sign-in").await;
            browser.fill("username", &other.login).await;
            browser.fill("password", &other.password).await;
            browser.click("login-submit").await;
            browser.text("#not-for-you-page").await;
            browser.screenshot(&format!("not-for-you-{name}")).await;
            assert_eq!(browser.axe().await, Vec::<String>::new(), "{name}");
            let page = browser.url().await;
            browser.goto(&format!("{page}?ui_locales=fr")).await;
            browser.screenshot(&format!("not-for-you-{name}-fr")).await;
            browser.goto(&format!("{page}?ui_locales=en")).await;
            assert!(browser.text("#content").await.contains("not open to your organization"));
            browser.screenshot(&format!("not-for-you-{name}-en")).await;
            browser.click("not-for-you-back").await;
            browser.wait_for_url(&format!("{}/closed/callback", server.portal)).await;
            assert!(browser.text("#error-description").await.starts_with("organization_kind_not_admitted"));
        }
        server.kill();
    }
}

fn belongs(person: &Person, organization: &str) -> bool {
    [&person.organization, &person.second_organization].into_iter().flatten().any(|own| own.id == organization)
}
