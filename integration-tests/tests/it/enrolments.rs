//! Enrolments: access to a portal inside the window of a course. Issue 6; R020, R021, R028, R080–R082, R088, R089.

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::protocol::{AuthorizationRequest, Tokens, post_as, refresh, tokens_for, userinfo};
use habilis_integration_tests::{Answer, Api, Browser, Client, Inbox, Person, TestServer, Visit};
use serde_json::{Value, json};

use crate::api::{in_days, new_member, operator};

const DAY: u64 = 86_400;

/// A portal that works by enrolment, a learner and the training body they belong to.
pub(crate) struct School {
    pub(crate) boss: Api,
    pub(crate) organization: String,
    pub(crate) client: Client,
    pub(crate) learner: Person,
    pub(crate) person: String,
}

impl School {
    pub(crate) async fn of(server: &mut TestServer) -> Self {
        server.manage(&["client", "update", "demo-portal", "--enrolment", "true"]).await.printed();
        let boss = operator(server).await;
        let learner = server.learner().clone();
        let organization = learner.organization.clone().unwrap().id;
        let found = boss.get(&format!("/organizations/{organization}/members?q={}", learner.login)).await.done(200);
        let person = found["items"][0]["id"].as_str().unwrap().to_owned();
        Self { boss, organization, client: server.client("demo-portal").clone(), learner, person }
    }

    pub(crate) fn enrolments(&self) -> String {
        format!("/organizations/{}/enrolments", self.organization)
    }

    pub(crate) async fn enrol(&self, changes: Value) -> String {
        let mut body = json!({ "person": self.person, "portal": "demo-portal", "title": "Anglais B2" });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.boss.post(&self.enrolments(), &body).await.done(201)["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn step(&self, id: &str, body: Value) -> Answer {
        self.boss.post(&format!("{}/{id}/steps", self.enrolments()), &body).await
    }

    pub(crate) async fn read(&self, id: &str) -> Value {
        self.boss.get(&format!("{}/{id}", self.enrolments())).await.done(200)
    }

    /// What the portal shows them: a page that says why not, or nothing when they get in.
    pub(crate) async fn turned_away(&self, server: &TestServer) -> Option<String> {
        let mut browser = Browser::new();
        browser.get(&AuthorizationRequest::of(&self.client).url(server)).await;
        match browser.sign_in(&self.learner).await {
            Visit::Page(page) if page.has("not-for-you-page") => Some(page.text("not-for-you-why")),
            Visit::Left(url) if url.as_str().contains("code=") => None,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn again(&mut self, server: &TestServer) {
        self.boss = operator(server).await;
    }
}

pub(crate) async fn lives(server: &TestServer, client: &Client, tokens: &Tokens) -> bool {
    let told =
        post_as(server, client, ("/introspect", &[("token", tokens.access_token())])).await.ok_json()["active"] == true;
    assert_eq!(userinfo(server, tokens.access_token()).await.status == 200, told);
    told
}

own_journeys! {
    async fn access_opens_and_closes_with_the_window_and_no_session_inside_is_cut(mut server: TestServer) {
        let mut school = School::of(&mut server).await;
        assert!(school.turned_away(&server).await.unwrap().contains("inscription"));
        let id = school.enrol(json!({ "not_before": in_days(&server, 2).await, "not_after": in_days(&server, 5).await })).await;
        assert!(school.turned_away(&server).await.unwrap().contains("inscription"), "the contract is not signed");
        let shown = school.step(&id, json!({ "step": "signed" })).await.done(200);
        assert_eq!(shown["status"], "registered");
        assert!(school.turned_away(&server).await.unwrap().contains("commence le"));
        let opens: jiff::Timestamp = shown["opens_at"].as_str().unwrap().parse().unwrap();
        let closes: jiff::Timestamp = shown["closes_at"].as_str().unwrap().parse().unwrap();
        let until = |at: jiff::Timestamp, now: jiff::Timestamp| u64::try_from(at.as_second() - now.as_second()).unwrap();
        server.advance(until(opens, server.now().await) - 2).await;
        assert!(school.turned_away(&server).await.is_some());
        server.advance(2).await;
        assert_eq!(school.turned_away(&server).await, None);

        // Eight hours of a course, the tokens renewed every few minutes: nothing interrupts it (R082, Q06).
        let request = AuthorizationRequest::of(&school.client).offline();
        let mut tokens = tokens_for(&server, &request, &school.learner).await;
        for _ in 0..(8 * 12) {
            server.advance(300).await;
            assert!(lives(&server, &school.client, &tokens).await);
            tokens = Tokens::from(&refresh(&server, &school.client, tokens.refresh_token()).await);
        }
        // The last minutes: no token outlives the window.
        server.advance(until(closes, server.now().await) - 60).await;
        let last = refresh(&server, &school.client, tokens.refresh_token()).await;
        assert!(last.clone().ok_json()["expires_in"].as_u64().unwrap() <= 60);
        let tokens = Tokens::from(&last);
        assert!(lives(&server, &school.client, &tokens).await);
        server.advance(until(closes, server.now().await)).await;
        assert!(!lives(&server, &school.client, &tokens).await);
        assert_eq!(refresh(&server, &school.client, tokens.refresh_token()).await.status, 400);
        assert!(school.turned_away(&server).await.unwrap().contains("a pris fin le"));

        // Moved: open again. Closed: to the end of the day, and dead the day after (R088).
        school.again(&server).await;
        let day = in_days(&server, 10).await;
        school.step(&id, json!({ "step": "moved", "on": day })).await.problem(422, "invalid_fields");
        let shown = school.step(&id, json!({ "step": "moved", "on": day, "reason": "prolongation" })).await.done(200);
        assert_eq!(shown["not_after"], day);
        assert_eq!(school.turned_away(&server).await, None);
        school.step(&id, json!({ "step": "closed", "reason": "abandon" })).await.done(200);
        assert_eq!(school.turned_away(&server).await, None);
        server.advance(DAY).await;
        assert!(school.turned_away(&server).await.unwrap().contains("a pris fin le"));
        school.again(&server).await;
        school.step(&id, json!({ "step": "moved", "on": in_days(&server, 5).await, "reason": "x" })).await.problem(409, "conflict");
        server.kill();
    }

    async fn who_may_withdraw_waits_fourteen_days_from_the_payment_or_waives_it(mut server: TestServer) {
        let mut school = School::of(&mut server).await;
        let span = json!({ "not_before": in_days(&server, 0).await, "not_after": in_days(&server, 60).await, "withdrawal": true });
        let id = school.enrol(span.clone()).await;
        school.step(&id, json!({ "step": "signed" })).await.done(200);
        assert!(school.turned_away(&server).await.is_some(), "not paid");
        school.step(&id, json!({ "step": "informed", "text_version": "tutoriel-1" })).await.done(200);
        server.advance(1).await;
        let shown = school.step(&id, json!({ "step": "paid" })).await.done(200);
        assert_eq!(shown["opens_at"], shown["withdrawal_ends_at"]);
        for day in 0..15 {
            assert!(school.turned_away(&server).await.unwrap().contains("commence le"), "day {day}");
            server.advance(DAY).await;
        }
        assert_eq!(school.turned_away(&server).await, None);
        school.again(&server).await;
        school.step(&id, json!({ "step": "withdrawn" })).await.problem(409, "conflict");
        school.step(&id, json!({ "step": "closed", "reason": "fin" })).await.done(200);
        server.advance(DAY).await;
        school.again(&server).await;

        let other = school.enrol(span).await;
        school.step(&other, json!({ "step": "signed" })).await.done(200);
        school.step(&other, json!({ "step": "waived" })).await.problem(422, "invalid_fields");
        let shown = school.step(&other, json!({ "step": "waived", "text_version": "renonciation-2" })).await.done(200);
        assert_eq!((&shown["waiver_version"], shown["waived_at"].is_string()), (&json!("renonciation-2"), true));
        assert_eq!(school.turned_away(&server).await, None);
        school.step(&other, json!({ "step": "withdrawn" })).await.problem(409, "conflict");
        let third = school.enrol(json!({ "not_before": in_days(&server, 0).await, "not_after": in_days(&server, 9).await, "withdrawal": true })).await;
        assert_eq!(school.step(&third, json!({ "step": "withdrawn" })).await.done(200)["status"], "withdrawn");
        school.step(&third, json!({ "step": "signed" })).await.problem(409, "conflict");
        server.kill();
    }

    async fn a_consumer_is_told_how_to_pay_and_start_before_they_pay(mut server: TestServer) {
        let mut school = School::of(&mut server).await;
        server.advance_to_noon().await;
        school.again(&server).await;
        let (today, yesterday) = (in_days(&server, 0).await, in_days(&server, -1).await);
        let ends = in_days(&server, 60).await;
        let span = |withdrawal: bool| json!({ "not_before": today, "not_after": ends, "withdrawal": withdrawal });
        let now = server.now().await;
        let ago = |hours: i64| (now - jiff::SignedDuration::from_hours(hours)).to_string();
        // Paid first: refused, also of who waived the right to withdraw.
        let id = school.enrol(span(true)).await;
        school.step(&id, json!({ "step": "paid" })).await.problem(409, "not_informed");
        school.step(&id, json!({ "step": "waived", "text_version": "renonciation-2" })).await.done(200);
        school.step(&id, json!({ "step": "paid" })).await.problem(409, "not_informed");
        let problem = school.step(&id, json!({ "step": "informed" })).await.problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["pointer"], "/text_version");
        for wrong in [json!({ "step": "paid", "at": ago(1), "on": today }), json!({ "step": "signed", "at": ago(1) }), json!({ "step": "informed", "text_version": "1", "at": "2999-01-01T00:00:00Z" })] {
            let problem = school.step(&id, wrong.clone()).await.problem(422, "invalid_fields");
            assert_eq!(problem["errors"][0]["pointer"], "/at", "{wrong}");
        }
        let told = school.step(&id, json!({ "step": "informed", "text_version": "tutoriel-1", "at": ago(3) })).await.done(200);
        assert_eq!(told["informed_version"], "tutoriel-1", "{told}");
        // Told again: the first time counts.
        let again = school.step(&id, json!({ "step": "informed", "text_version": "tutoriel-2" })).await.done(200);
        assert_eq!((&again["informed_at"], &again["informed_version"]), (&told["informed_at"], &json!("tutoriel-1")));
        for when in [json!({ "at": ago(4) }), json!({ "at": ago(3) }), json!({ "on": yesterday })] {
            let mut body = when.clone();
            body["step"] = json!("paid");
            let refused = school.step(&id, body).await.problem(409, "not_informed");
            assert_eq!(refused["informed_at"], told["informed_at"], "{when}");
        }
        assert_eq!(school.read(&id).await["paid_at"], Value::Null);
        let paid = school.step(&id, json!({ "step": "paid", "at": ago(2) })).await.done(200);
        let instant = |shown: &Value| shown.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert!(instant(&paid["informed_at"]) < instant(&paid["paid_at"]), "{paid}");
        school.step(&id, json!({ "step": "informed", "text_version": "tutoriel-2" })).await.problem(409, "conflict");

        // Who is no consumer pays as ever; who was told all the same, was told before.
        let id = school.enrol(span(false)).await;
        school.step(&id, json!({ "step": "paid", "on": yesterday })).await.done(200);
        let id = school.enrol(span(false)).await;
        school.step(&id, json!({ "step": "informed", "text_version": "tutoriel-1", "on": yesterday })).await.done(200);
        school.step(&id, json!({ "step": "paid", "on": yesterday })).await.problem(409, "not_informed");
        school.step(&id, json!({ "step": "paid", "at": ago(1) })).await.done(200);
        let trail = school.boss.get(&format!("/organizations/{}/audit?limit=200", school.organization)).await.done(200);
        let line = trail["items"].as_array().unwrap().iter().find(|line| line["detail"]["text_version"] == "tutoriel-2").unwrap();
        assert_eq!((&line["event"], &line["detail"]["after"]["informed_version"]), (&json!("enrolment.changed"), &json!("tutoriel-1")), "{line}");
        server.kill();
    }

    async fn access_codes_leave_with_the_signature_and_the_report_says_how_many_in_time(mut server: TestServer) {
        let school = School::of(&mut server).await;
        let members = format!("/organizations/{}/members", school.organization);
        let newcomer = boss_member(&school, &members, "apprenante").await;
        server.advance(DAY).await;
        let school = School { boss: operator(&server).await, ..school };
        let body = json!({ "person": newcomer, "not_before": in_days(&server, 0).await, "not_after": in_days(&server, 60).await });
        let id = school.enrol(body.clone()).await;
        let shown = school.step(&id, json!({ "step": "signed" })).await.done(200);
        assert!(shown["credentials_sent_at"].is_string() && shown["credentials_due_at"].is_string(), "{shown}");
        let mails = Inbox::of(&server).to("apprenante@societe.example").await;
        assert_eq!(mails.len(), 2, "invited, and again when the contract was signed");
        // Signed five days ago: late, whatever is done now.
        let late = school.enrol(body).await;
        let other = boss_member(&school, &members, "apprenante-2").await;
        server.advance(600).await;
        let school = School { boss: operator(&server).await, ..school };
        let mut changes = json!({ "not_before": in_days(&server, 0).await, "not_after": in_days(&server, 60).await });
        changes["person"] = json!(other);
        let second = school.enrol(changes).await;
        school.step(&second, json!({ "step": "signed", "on": in_days(&server, -5).await })).await.done(200);
        let report = school.boss.get(&format!("/organizations/{}/enrolment-report", school.organization)).await.done(200);
        assert_eq!((&report["signed"], &report["on_time"], &report["late"], &report["on_time_percent"]), (&json!(2), &json!(1), &json!(1), &json!(50.0)), "{report}");
        assert_eq!(school.read(&late).await["status"], "pre_registered");
        let listed = school.boss.get(&format!("{}?status=registered&person={other}", school.enrolments())).await.done(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        // Bad input.
        for (pointer, changes) in [
            ("/person", json!({ "person": "usr_nobody" })),
            ("/portal", json!({ "portal": "demo-nothing" })),
            ("/not_after", json!({ "not_after": in_days(&server, -2).await })),
            ("/not_before", json!({ "not_before": "2001-01-01" })),
            ("/sent_on", json!({ "sent_on": in_days(&server, 3).await })),
        ] {
            let mut body = json!({
                "person": school.person, "portal": "demo-portal", "title": "Anglais", "not_before": in_days(&server, 0).await,
                "not_after": in_days(&server, 9).await,
            });
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            let problem = school.boss.post(&school.enrolments(), &body).await.problem(422, "invalid_fields");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
        }
        let learner = Api::of_person(&server, &school.learner, ALL).await;
        // A member sees nothing of the others.
        learner.get(&school.enrolments()).await.problem(404, "not_found");
        server.kill();
    }
}

own_journeys! {
    async fn who_could_not_come_in_when_the_contract_was_signed_has_access_codes_once_they_can(mut server: TestServer) {
        let school = School::of(&mut server).await;
        let id = school.enrol(json!({ "not_before": in_days(&server, 0).await, "not_after": in_days(&server, 60).await })).await;
        let account = format!("/people/{}/status", school.person);
        school.boss.put(&account, &crate::measures::suspension()).await.done(200);
        let shown = school.step(&id, json!({ "step": "signed" })).await.done(200);
        assert!(shown["credentials_sent_at"].is_null(), "{shown}");
        server.advance(DAY).await;
        let mut school = School { boss: operator(&server).await, ..school };
        school.boss.put(&account, &crate::measures::lift()).await.done(200);
        assert!(school.read(&id).await["credentials_sent_at"].is_string());
        // Nothing is late for good, and nobody is told that it is.
        server.advance(9 * DAY).await;
        school.again(&server).await;
        let report = school.boss.get(&format!("/organizations/{}/enrolment-report", school.organization)).await.done(200);
        assert_eq!((&report["signed"], &report["on_time"], &report["late"]), (&json!(1), &json!(1), &json!(0)), "{report}");
        let told = school.boss.get(&format!("/organizations/{}/notices?kind=enrolment", school.organization)).await.done(200);
        assert!(!told["items"].as_array().unwrap().iter().any(|one| one["subject"].as_str().unwrap().contains("/codes_")), "{told}");
        server.kill();
    }
}

own_journeys! {
    /// Whatever was before, and whatever others have: what is open now opens.
    async fn courses_that_ended_and_those_of_others_shut_nobody_out(mut server: TestServer) {
        let school = School::of(&mut server).await;
        let today = in_days(&server, 0).await;
        let id = school.enrol(json!({ "not_before": today, "not_after": today })).await;
        school.step(&id, json!({ "step": "signed" })).await.done(200);
        let other = server.people.iter().filter_map(|person| person.organization.as_ref()).find(|it| it.id != school.organization);
        let other = other.unwrap().id.clone();
        for (organization, prefix, closes) in [(&school.organization, "enr_past", 2), (&other, "enr_other", i64::from(i32::MAX) * 1000)] {
            let many = format!(
                "INSERT INTO enrolments (id, organization_id, person_id, client_id, title, not_before, not_after, at_end, signed_at, withdrawal,
                                         status, opens_at, closes_at, version, created_by, created_at, updated_at)
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
                 SELECT '{prefix}' || n.i, '{organization}', e.person_id, e.client_id, e.title, '2020-01-01', '2020-02-01', 'close', e.signed_at,
                        e.withdrawal, 'registered', 1, {closes}, 1, e.created_by, 1, 1
                 FROM enrolments e, n WHERE e.id = '{id}'"
            );
            server.rewrite(&many).await;
        }
        assert_eq!(school.turned_away(&server).await, None);
        let request = AuthorizationRequest::of(&school.client).offline();
        let tokens = tokens_for(&server, &request, &school.learner).await;
        assert!(lives(&server, &school.client, &tokens).await);
        let tokens = Tokens::from(&refresh(&server, &school.client, tokens.refresh_token()).await);
        assert!(lives(&server, &school.client, &tokens).await);
        // What ended last is what they read.
        server.advance(DAY).await;
        assert!(school.turned_away(&server).await.unwrap().contains("a pris fin le"));
        server.kill();
    }

    async fn a_member_has_so_many_enrolments_at_a_portal_and_no_more(mut server: TestServer) {
        const MOST: usize = 50;
        let mut school = School::of(&mut server).await;
        let span = json!({ "not_before": in_days(&server, 0).await, "not_after": in_days(&server, 9).await });
        let mut ids = Vec::with_capacity(MOST);
        for _ in 0..MOST {
            ids.push(school.enrol(span.clone()).await);
        }
        let opening = json!({ "person": school.person, "portal": "demo-portal", "title": "Anglais B2", "counts_from": "opening" });
        school.boss.post(&school.enrolments(), &opening).await.problem(409, "conflict");
        // Given up, it makes room; an account for updates whose link was mailed does not before a day has passed.
        school.step(&ids[0], json!({ "step": "closed", "reason": "abandon" })).await.done(200);
        let opened = school.boss.post(&school.enrolments(), &opening).await.done(201)["id"].as_str().unwrap().to_owned();
        school.step(&opened, json!({ "step": "closed", "reason": "abandon" })).await.done(200);
        school.boss.post(&school.enrolments(), &opening).await.problem(409, "conflict");
        server.advance(DAY + 1).await;
        school.again(&server).await;
        school.boss.post(&school.enrolments(), &opening).await.done(201);
        server.kill();
    }

    /// R021: it came back on the last day, and is typed in on the day after.
    async fn a_contract_that_came_back_in_time_counts_when_it_is_typed_in_late(mut server: TestServer) {
        let mut school = School::of(&mut server).await;
        server.advance_to_noon().await;
        school.again(&server).await;
        let (today, last, after) = (in_days(&server, 0).await, in_days(&server, 15).await, in_days(&server, 16).await);
        let id = school.enrol(json!({ "not_before": today, "not_after": in_days(&server, 60).await, "sent_on": today })).await;
        assert_eq!(school.read(&id).await["return_by"], last);
        server.advance(16 * DAY).await;
        school.again(&server).await;
        assert_eq!(school.read(&id).await["status"], "lapsed");
        for late in [json!({ "step": "signed" }), json!({ "step": "signed", "on": after }), json!({ "step": "paid", "on": last })] {
            school.step(&id, late).await.problem(409, "conflict");
        }
        let shown = school.step(&id, json!({ "step": "signed", "on": last })).await.done(200);
        assert!(shown["status"] == "registered" && shown["opens_at"].is_string(), "{shown}");
        assert_eq!(school.turned_away(&server).await, None);
        let trail = school.boss.get(&format!("/organizations/{}/audit?limit=200", school.organization)).await.done(200);
        let revived = |line: &&Value| line["event"] == "enrolment.changed" && line["detail"]["before"]["status"] == "lapsed";
        let revived = trail["items"].as_array().unwrap().iter().find(revived).unwrap();
        assert_eq!(revived["detail"]["after"]["status"], "registered", "{revived}");
        server.kill();
    }
}

async fn boss_member(school: &School, members: &str, name: &str) -> String {
    school.boss.post(members, &new_member(name)).await.done(201)["id"].as_str().unwrap().to_owned()
}
