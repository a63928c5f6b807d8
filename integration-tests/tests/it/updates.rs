//! Accounts for updates: years of access that count from the opening of a link. R077.

use std::sync::Arc;

use habilis_integration_tests::protocol::{AuthorizationRequest, refresh, tokens_for};
use habilis_integration_tests::{Answer, Browser, Engine, Http, Inbox, Page, TestServer};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::activation::link_to;
use crate::api::{all, in_days};
use crate::enrolments::{School, lives};
use crate::measures;

const DAY: u64 = 86_400;

/// The newest link to the account for updates of the school's learner, once there are so many.
async fn link(server: &TestServer, school: &School, count: usize) -> String {
    link_to(server, (&school.learner.login, "/updates/"), count).await
}

async fn resend(school: &School, id: &str) -> Answer {
    school.boss.send(school.boss.request("POST", &format!("{}/{id}/link", school.enrolments()))).await
}

/// The lines of the trail about openings.
async fn openings(school: &School) -> Vec<Value> {
    let lines = all(&school.boss, &format!("/organizations/{}/audit", school.organization)).await;
    lines.into_iter().filter(|line| line["event"] == "enrolment.opened").collect()
}

fn over(page: &Page) {
    assert!(page.status == 410 && page.has("updates-over-page"), "{}", page.summary());
}

fn instant(value: &Value) -> Timestamp {
    value.as_str().unwrap_or_else(|| panic!("no instant: {value}")).parse().unwrap()
}

/// Seconds from the server's now to an instant.
async fn until(server: &TestServer, at: Timestamp) -> u64 {
    u64::try_from(at.as_second() - server.now().await.as_second()).unwrap()
}

fn last_day(opened: Timestamp, years: i64) -> Date {
    opened.in_tz("Europe/Paris").unwrap().date().saturating_add(jiff::Span::new().years(years))
}

on_both_engines! { an_account_for_updates_opens_by_its_link_and_ends_five_years_later }

async fn an_account_for_updates_opens_by_its_link_and_ends_five_years_later(engine: Engine) {
    // A password of today still opens in five years.
    let mut server = TestServer::own_with(engine, &["--set", "passwords.yearly_renewal=false"]).await;
    let mut school = School::of(&mut server).await;
    let id = school.enrol(json!({ "counts_from": "opening" })).await;
    let link = link(&server, &school, 1).await;
    let mails = Inbox::of(&server).to(&school.learner.login).await;
    let letter = mails.iter().find(|mail| mail.links.contains(&link)).unwrap();
    assert!(letter.subject.contains("Anglais B2") && letter.text.contains("5 ans"), "{letter:?}");
    let waits = school.read(&id).await;
    assert_eq!(
        (&waits["status"], &waits["counts_from"], &waits["years"], &waits["at_end"]),
        (&json!("registered"), &json!("opening"), &json!(5), &json!("close"))
    );
    for name in
        ["not_before", "not_after", "opened_at", "opens_at", "closes_at", "signed_at", "return_by", "credentials"]
    {
        assert!(waits[name].is_null(), "{name}: {waits}");
    }
    assert!(waits["link_expires_at"].is_string(), "{waits}");

    // No access, and nothing is due.
    let mut browser = Browser::new();
    browser.get(&AuthorizationRequest::of(&school.client).url(&server)).await.page();
    let page = browser.sign_in(&school.learner).await.page();
    assert!(page.text("not-for-you-why").contains("inscription"), "{}", page.summary());
    let back = browser.click("not-for-you-back").await.left();
    assert!(back.as_str().contains("error=access_denied") && back.as_str().contains("enrolment_missing"), "{back}");
    let far = in_days(&server, 2_200).await;
    let dry_run = ["jobs", "run", "--dry-run", "--until", &far, "--limit", "5000"];
    let ahead = server.manage(&dry_run).await.printed();
    assert!(!ahead.contains(&id), "{ahead}");
    school.again(&server).await;

    // Whoever looks changes nothing: mail filters follow links.
    let would_be = last_day(server.now().await, 5);
    let mut browser = Browser::new();
    for _ in 0..3 {
        let page = browser.get(&link).await.page();
        assert!(page.status == 200 && page.has("updates-page") && page.has("updates-form"), "{}", page.summary());
        assert!(page.all_text().contains("Anglais B2"), "{}", page.summary());
        assert!(page.text("updates-term").contains("5 ans"), "{}", page.summary());
        assert!(page.text("updates-until").contains(&would_be.strftime("%d/%m/%Y").to_string()), "{}", page.summary());
    }
    let english = Browser::new().speaking("en").get(&link).await.page();
    assert_eq!(english.text("updates-submit"), "Open my access");
    assert!(school.read(&id).await["opened_at"].is_null());
    assert!(school.turned_away(&server).await.is_some());

    // The button opens, and leads on.
    let page = browser.submit("updates-form", &[]).await.page();
    assert!(page.status == 200 && page.has("updates-opened-page"), "{}", page.summary());
    let href = page.attribute("updates-next", "href").unwrap();
    assert!(href.starts_with(&server.portal), "{href}");
    school.again(&server).await;
    let shown = school.read(&id).await;
    let opened = instant(&shown["opened_at"]);
    let last = last_day(opened, 5);
    assert!(page.text("updates-until").contains(&last.strftime("%d/%m/%Y").to_string()), "{}", page.summary());
    assert_eq!((instant(&shown["opens_at"]), &shown["link_expires_at"]), (opened, &Value::Null), "{shown}");
    assert_eq!((&shown["not_before"], &shown["not_after"]), (&json!(last_day(opened, 0)), &json!(last)), "{shown}");
    let closes = instant(&shown["closes_at"]);
    assert_eq!(closes, last.tomorrow().unwrap().in_tz("Europe/Paris").unwrap().timestamp(), "{shown}");
    let opening = openings(&school).await.remove(0);
    assert_eq!((&opening["actor"], &opening["subject"]), (&json!(school.person), &json!(school.person)), "{opening}");
    assert_eq!(opening["detail"]["enrolment"], json!(id), "{opening}");
    assert_eq!(opening["detail"]["after"]["not_after"], json!(last), "{opening}");
    assert_eq!(school.turned_away(&server).await, None);
    let ahead = server.manage(&dry_run).await.printed();
    assert_eq!(
        ahead.lines().filter(|line| line.contains(&id)).count(),
        3,
        "a week and a day before, and the end: {ahead}"
    );

    // The end is told as that of any enrolment, and access lasts until it.
    for before in [7 * DAY - DAY / 2, DAY / 2] {
        let left = until(&server, closes).await;
        server.advance(left - before).await;
    }
    let told = Inbox::of(&server).to(&school.learner.login).await;
    let ends = told.iter().filter(|mail| mail.subject.contains("votre accès prend fin")).count();
    assert_eq!(ends, 2, "{told:?}");
    let left = until(&server, closes).await;
    server.advance(left - 300).await;
    let request = AuthorizationRequest::of(&school.client).offline();
    let tokens = tokens_for(&server, &request, &school.learner).await;
    assert!(lives(&server, &school.client, &tokens).await);
    let left = until(&server, closes).await;
    server.advance(left).await;
    assert!(!lives(&server, &school.client, &tokens).await);
    assert_eq!(refresh(&server, &school.client, tokens.refresh_token()).await.status, 400);
    assert!(school.turned_away(&server).await.unwrap().contains("a pris fin le"));
    over(&browser.get(&link).await.page());
    server.kill();
}

own_journeys! {
    async fn a_newer_link_voids_the_one_before_and_one_that_is_wrong_or_too_old_opens_nothing(mut server: TestServer) {
        let mut school = School::of(&mut server).await;
        let id = school.enrol(json!({ "counts_from": "opening", "years": 2 })).await;
        let first = link(&server, &school, 1).await;
        let limited = resend(&school, &id).await;
        assert!(!limited.header("retry-after").is_empty());
        limited.problem(429, "rate_limited");
        server.advance(301).await;
        school.again(&server).await;
        let shown = resend(&school, &id).await.done(200);
        let second = link(&server, &school, 2).await;
        assert_ne!(first, second);
        let (mut browser, http) = (Browser::new(), Http::new());
        let changed = if second.ends_with('A') { "B" } else { "A" };
        let tampered = format!("{changed}{}", second.rsplit_once('/').unwrap().1);
        for wrong in [first, server.url(&format!("/updates/{tampered}")), server.url(&format!("/updates/{}", "a".repeat(4000)))] {
            over(&browser.get(&wrong).await.page());
            assert_eq!(http.post_form(&wrong, &[]).await.status, 410, "{wrong}");
        }
        assert!(browser.get(&second).await.page().has("updates-form"));
        assert!(school.read(&id).await["opened_at"].is_null());

        // The link works until a year has passed, whole days counted. Then it is sent again.
        let ends = instant(&shown["link_expires_at"]);
        let left = until(&server, ends).await;
        server.advance(left - 60).await;
        assert!(browser.get(&second).await.page().has("updates-form"));
        let left = until(&server, ends).await;
        server.advance(left).await;
        over(&browser.get(&second).await.page());
        assert_eq!(http.post_form(&second, &[]).await.status, 410);
        school.again(&server).await;
        assert!(school.read(&id).await["link_expires_at"].is_null());
        resend(&school, &id).await.done(200);
        let third = link(&server, &school, 3).await;
        browser.get(&third).await.page();
        assert!(browser.submit("updates-form", &[]).await.page().has("updates-opened-page"));
        let shown = school.read(&id).await;
        assert_eq!(shown["not_after"], json!(last_day(instant(&shown["opened_at"]), 2)), "{shown}");

        // Used: it says so, and moves nothing.
        server.advance(3 * DAY).await;
        school.again(&server).await;
        let page = browser.get(&third).await.page();
        assert!(page.has("updates-opened-page") && !page.has("updates-form"), "{}", page.summary());
        assert_eq!(http.post_form(&third, &[]).await.status, 303);
        assert_eq!(school.read(&id).await, shown);
        assert_eq!(openings(&school).await.len(), 1);
        resend(&school, &id).await.problem(409, "conflict");
        server.kill();
    }

    async fn what_counts_from_an_opening_has_no_contract_of_its_own_and_can_be_given_up(mut server: TestServer) {
        let school = School::of(&mut server).await;
        let today = in_days(&server, 0).await;
        for (pointer, changes) in [
            ("/not_before", json!({ "counts_from": "opening", "not_before": today })),
            ("/not_after", json!({ "counts_from": "opening", "not_after": today })),
            ("/at_end", json!({ "counts_from": "opening", "at_end": "keep" })),
            ("/sent_on", json!({ "counts_from": "opening", "sent_on": today })),
            ("/withdrawal", json!({ "counts_from": "opening", "withdrawal": true })),
            ("/years", json!({ "counts_from": "opening", "years": 0 })),
            ("/years", json!({ "counts_from": "opening", "years": 11 })),
            ("/years", json!({ "counts_from": "opening", "years": "5" })),
            ("/years", json!({ "years": 5, "not_before": today, "not_after": today })),
            ("/counts_from", json!({ "counts_from": "never" })),
            ("/not_before", json!({ "not_after": today })),
            ("/not_after", json!({ "counts_from": "first_day", "not_before": today })),
        ] {
            let mut body = json!({ "person": school.person, "portal": "demo-portal", "title": "Anglais" });
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            let problem = school.boss.post(&school.enrolments(), &body).await.problem(422, "invalid_fields");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
        }
        let course = school.enrol(json!({ "not_before": today, "not_after": today })).await;
        resend(&school, &course).await.problem(409, "conflict");
        resend(&school, "enr_nothing").await.problem(404, "not_found");

        let id = school.enrol(json!({ "counts_from": "opening", "contract": "C-2027-14" })).await;
        let first = link(&server, &school, 1).await;
        for step in ["sent", "signed", "paid", "waived", "withdrawn"] {
            school.step(&id, json!({ "step": step })).await.problem(409, "conflict");
        }
        let day = in_days(&server, 10).await;
        school.step(&id, json!({ "step": "moved", "on": day, "reason": "prolongation" })).await.problem(409, "conflict");
        let report = school.boss.get(&format!("/organizations/{}/enrolment-report", school.organization)).await.done(200);
        assert_eq!(report["signed"], 0, "nothing is signed for it, and no access codes are due: {report}");
        let shown = school.step(&id, json!({ "step": "closed", "reason": "abandon" })).await.done(200);
        assert_eq!((&shown["status"], &shown["opens_at"], &shown["link_expires_at"]), (&json!("closed"), &Value::Null, &Value::Null));
        let mut browser = Browser::new();
        over(&browser.get(&first).await.page());
        assert_eq!(Http::new().post_form(&first, &[]).await.status, 410);
        resend(&school, &id).await.problem(409, "conflict");

        // Once it is open its last day is moved and it is given up as any other.
        let other = school.enrol(json!({ "counts_from": "opening", "years": 1 })).await;
        let second = link(&server, &school, 2).await;
        browser.get(&second).await.page();
        browser.submit("updates-form", &[]).await.page();
        assert_eq!(school.turned_away(&server).await, None);
        let shown = school.step(&other, json!({ "step": "moved", "on": day, "reason": "accord" })).await.done(200);
        assert_eq!((&shown["not_after"], &shown["years"]), (&json!(day), &json!(1)), "{shown}");
        assert!(browser.get(&second).await.page().has("updates-opened-page"));
        school.step(&other, json!({ "step": "closed", "reason": "abandon" })).await.done(200);
        over(&browser.get(&second).await.page());
        server.advance(2 * DAY).await;
        assert!(school.turned_away(&server).await.unwrap().contains("a pris fin le"));
        // It is told with everything that is kept of the organization.
        let mut school = school;
        school.again(&server).await;
        let lines = school.boss.get(&format!("/organizations/{}/export.jsonl", school.organization)).await;
        let line = lines.body.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find(|line| line["data"]["id"] == json!(id));
        let line = line.unwrap();
        assert_eq!((&line["type"], &line["data"]["counts_from"], &line["data"]["not_before"]), (&json!("enrolment"), &json!("opening"), &Value::Null));
        server.kill();
    }

    async fn of_eight_openings_at_once_one_counts(mut server: TestServer) {
        let school = School::of(&mut server).await;
        let id = school.enrol(json!({ "counts_from": "opening" })).await;
        let link = link(&server, &school, 1).await;
        let barrier = Arc::new(Barrier::new(8));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (barrier, link) = (Arc::clone(&barrier), link.clone());
                tokio::spawn(async move {
                    let http = Http::new();
                    barrier.wait().await;
                    http.post_form(&link, &[]).await.status
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 303);
        }
        assert_eq!(openings(&school).await.len(), 1);
        let shown = school.read(&id).await;
        assert_eq!(shown["not_after"], json!(last_day(instant(&shown["opened_at"]), 5)), "{shown}");
        assert_eq!(school.turned_away(&server).await, None);
        server.kill();
    }

    async fn no_year_is_lost_while_the_account_is_closed(mut server: TestServer) {
        let school = School::of(&mut server).await;
        let id = school.enrol(json!({ "counts_from": "opening" })).await;
        let link = link(&server, &school, 1).await;
        let mut browser = Browser::new();
        browser.get(&link).await.page();
        let account = format!("/people/{}/status", school.person);
        school.boss.put(&account, &measures::suspension()).await.done(200);
        let page = browser.submit("updates-form", &[]).await.page();
        assert!(page.status == 409 && page.has("updates-not-now-page"), "{}", page.summary());
        let page = browser.get(&link).await.page();
        assert!(page.status == 409 && page.has("updates-not-now-page"), "{}", page.summary());
        assert!(school.read(&id).await["opened_at"].is_null());
        school.boss.put(&account, &measures::lift()).await.done(200);
        browser.get(&link).await.page();
        assert!(browser.submit("updates-form", &[]).await.page().has("updates-opened-page"));
        assert!(school.read(&id).await["opened_at"].is_string());
        assert_eq!(openings(&school).await.len(), 1);
        server.kill();
    }
}
