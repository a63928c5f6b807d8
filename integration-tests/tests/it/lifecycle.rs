//! The one engine for all that expires: each notice once, whoever dies, sleeps or runs beside; what is due ahead of time.

use std::collections::BTreeMap;
use std::time::Duration;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Browser, Engine, Inbox, TestServer, database};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::{in_days, invited, new_administrator, new_member, new_organization, operator, personnel, software_of};
use crate::forgot::{NEW, ask, choose, link_to, local_sign_in};

const DAY: u64 = 86_400;
const ENDS: &str = "arrive à échéance";

/// So many externals of the company whose last day is in `days` days: the company, and the last day.
async fn externals(server: &TestServer, (prefix, count): (&str, usize), days: i64) -> (String, String) {
    let (hr, company) = personnel(server).await;
    let last_day = in_days(server, days).await;
    for index in 0..count {
        let mut new = new_member(&format!("{prefix}{index}"));
        new["family_name"] = json!(format!("{prefix}-{}", letters(index)));
        new["affiliation"] = json!("external");
        new["ends_on"] = json!(last_day);
        invited(&hr, &company, &new).await;
    }
    (company, last_day)
}

/// A number as letters: names have no digits.
fn letters(number: usize) -> String {
    number.to_string().bytes().map(|digit| char::from(b'a' + digit - b'0')).collect()
}

/// The instant so many days before 00:00 in Paris of the day after `last_day`, and ten minutes.
fn before_end(last_day: &str, days: i64) -> Timestamp {
    let date: jiff::civil::Date = last_day.parse().unwrap();
    let at = date.saturating_add(jiff::Span::new().days(1 - days)).in_tz("Europe/Paris").unwrap();
    at.timestamp() + jiff::SignedDuration::from_mins(10)
}

async fn set(server: &mut TestServer, at: Timestamp) {
    server.set_clock(&json!({ "set": at.to_string() })).await.ok_json();
}

/// Every notice of one kind in an organization.
async fn notices(server: &TestServer, organization: &str, kind: &str) -> Vec<Value> {
    let api = operator(server).await;
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/organizations/{organization}/notices?kind={kind}&limit=200{cursor}");
        let page = api.get(&path).await.done(200);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return items };
        cursor = format!("&cursor={next}");
    }
}

/// How many notices of each rung, and mails of them.
fn by_rung(notices: &[Value]) -> BTreeMap<i64, (usize, usize)> {
    let mut found: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
    for notice in notices {
        let (count, mails) = found.entry(notice["days_before"].as_i64().unwrap()).or_default();
        *count += 1;
        *mails += notice["mails"].as_array().unwrap().len();
    }
    found
}

async fn administrators(server: &TestServer, organization: &str) -> Vec<String> {
    let found = operator(server).await.get(&format!("/organizations/{organization}/members?role=administrator")).await;
    let found = found.done(200);
    found["items"].as_array().unwrap().iter().map(|item| item["login"].as_str().unwrap().to_owned()).collect()
}

/// How many mails about the end of a membership an address got, by subject.
async fn letters_to(server: &TestServer, address: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for mail in Inbox::of(server).to(address).await {
        if mail.subject.contains(ENDS) {
            *found.entry(mail.subject).or_default() += 1;
        }
    }
    found
}

async fn events(server: &TestServer, organization: &str, name: &str) -> usize {
    let trail = operator(server).await.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
    trail["items"].as_array().unwrap().iter().filter(|line| line["event"] == name).count()
}

async fn mails(server: &TestServer, address: &str, subject: &str) -> usize {
    Inbox::of(server).to(address).await.iter().filter(|mail| mail.subject == subject).count()
}

/// A password chosen at this instant, by the link.
async fn chosen(server: &mut TestServer, at: &str) -> String {
    let person = server.learner().clone();
    server.set_clock(&json!({ "set": at })).await.ok_json();
    let mut browser = Browser::new();
    ask(server, &mut browser, &person.login).await;
    let link = link_to(server, &person.login, 1).await;
    assert!(choose(&mut browser, &link, NEW).await.has("password-changed-page"));
    person.login
}

own_journeys! {
    async fn a_password_is_reminded_of_on_its_days_and_no_others_then_the_account_is_suspended(mut server: TestServer) {
        let login = chosen(&mut server, "2027-12-01T12:00:00+01:00").await;
        let end: jiff::civil::Date = "2028-12-01".parse().unwrap();
        let (mut reminded, mut suspended) = (Vec::new(), Vec::new());
        for before in (-33..=33_i64).rev() {
            let day = end.saturating_sub(jiff::Span::new().days(before));
            // The first minute of the day, then an hour later: a second run says nothing again.
            let at = day.in_tz("Europe/Paris").unwrap().timestamp() + jiff::SignedDuration::from_secs(30);
            set(&mut server, at).await;
            let count = |subject| mails(&server, &login, subject);
            if count("Votre mot de passe expire bientôt").await > reminded.len() {
                reminded.push(before);
            }
            if count("Votre compte est suspendu").await > suspended.len() {
                suspended.push(before);
            }
            server.advance(3600).await;
        }
        assert_eq!((reminded, suspended), (vec![30, 7, 1], vec![-30]));
        let api = operator(&server).await;
        let page = api.get("/notices?kind=password&limit=200").await.done(200);
        let found = page["items"].as_array().unwrap();
        // Everybody else of the demonstration came of age meanwhile as well.
        assert!(found.len() >= 4, "{page}");
        let suspension = found.iter().find(|notice| {
            notice["days_before"] == 0 && notice["due_at"].as_str().unwrap().starts_with("2028-11-30T23:00:00")
        });
        let mail = &suspension.unwrap_or_else(|| panic!("{page}"))["mails"][0];
        assert_eq!((&mail["template"], &mail["outcome"], &mail["attempts"]), (&json!("password_suspended.1"), &json!("sent"), &json!(1)));
        assert_eq!(mail["text_sha256"].as_str().unwrap().len(), 64);
        api.get("/notices?kind=no_such_kind").await.problem(400, "invalid_parameter");
        server.kill();
    }

    /// R053: nobody follows an administrator from outside whose last day comes.
    async fn the_last_administrator_from_outside_ends_too_and_the_signatory_knows_before(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Sans suite").await;
        let signatory = "signataire@sans-suite.example";
        let contact = json!({ "duty": "signatory", "name": "Anne Prévost", "email": signatory });
        boss.post(&format!("/organizations/{organization}/contacts"), &contact).await.done(201);
        let last_day = in_days(&server, 40).await;
        // An invitation is nobody's successor.
        let mut waits = new_member("attendue");
        waits["role"] = json!("administrator");
        invited(&boss, &organization, &waits).await;
        new_administrator((&server, &boss), &organization, "dernier", Some(&last_day)).await;
        for (days, sent) in [(31, 0), (30, 1), (7, 2)] {
            set(&mut server, before_end(&last_day, days)).await;
            let letters = Inbox::of(&server).to(signatory).await;
            let letters: Vec<_> = letters.iter().filter(|mail| mail.subject.contains(ENDS)).collect();
            assert_eq!(letters.len(), sent, "{days} days before: {letters:?}");
            assert!(letters.iter().all(|mail| mail.text.contains("plus personne n’administrera Sans suite")), "{letters:?}");
        }
        let changed = "administrateurs modifiés";
        let told = async |server: &TestServer| Inbox::of(server).to(signatory).await.iter().filter(|mail| mail.subject.contains(changed)).count();
        let before = told(&server).await;
        set(&mut server, before_end(&last_day, 0)).await;
        assert_eq!(told(&server).await, before + 1);
        let trail = operator(&server).await.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
        let ended = trail["items"].as_array().unwrap().iter().find(|line| line["event"] == "member.ended").unwrap();
        assert_eq!(ended["detail"]["administrators_left"], 0, "{ended}");
        server.kill();
    }

    async fn an_invitation_as_administrator_that_nobody_answers_is_sent_again_or_taken_back(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Sans réponse").await;
        let of = format!("/organizations/{organization}");
        let (program, _) = software_of(&mut server, &organization).await;
        let mut body = new_member("jamais.venue");
        body["role"] = json!("administrator");
        let waits = invited(&boss, &organization, &body).await;
        let chief = new_administrator((&server, &boss), &organization, "cheffe.seule", None).await;
        let link = crate::activation::link_to(&server, ("jamais.venue@societe.example", "/activate/"), 1).await;
        server.advance(60 * DAY).await;
        let boss = operator(&server).await;
        assert_eq!(events(&server, &organization, "account.invitation_lapsed").await, 1);
        assert_eq!(Browser::new().get(&link).await.page().status, 410);
        // The place is kept, and gives nothing: neither a way in nor a successor.
        let one = format!("{of}/members/{waits}");
        let member = boss.get(&one).await.done(200);
        assert_eq!((&member["role"], &member["account_status"]), (&json!("administrator"), &json!("pending")));
        let invitations = boss.get(&format!("{of}/invitations")).await.done(200);
        assert_eq!((&invitations["items"][0]["person"], &invitations["items"][0]["expires_at"]), (&json!(waits), &Value::Null));
        let software = Api::of_program(&server, &program, ALL).await;
        software.delete(&format!("{of}/members/{chief}")).await.problem(409, "last_administrator");
        boss.send(boss.request("POST", &format!("{one}/invitation"))).await.done(200);
        assert!(boss.get(&format!("{of}/invitations")).await.done(200)["items"][0]["expires_at"].is_string());
        // Taken back, the address is free for another invitation.
        let again = crate::activation::link_to(&server, ("jamais.venue@societe.example", "/activate/"), 2).await;
        assert_eq!(software.delete(&one).await.status, 204);
        assert_eq!(Browser::new().get(&again).await.page().status, 410);
        boss.get(&one).await.problem(404, "not_found");
        assert_ne!(invited(&software, &organization, &body).await, waits);
        server.kill();
    }

    async fn a_membership_that_ends_is_said_thirty_and_seven_days_before_and_ends_at_midnight(mut server: TestServer) {
        let (company, last_day) = externals(&server, ("Fin", 1), 50).await;
        let administrators = administrators(&server, &company).await;
        let mut expected = 0;
        for (days, sends) in [(31, 0), (30, 1), (15, 0), (8, 0), (7, 1), (6, 0), (1, 0)] {
            set(&mut server, before_end(&last_day, days)).await;
            server.advance(60).await;
            expected += sends;
            for person in &administrators {
                let found = letters_to(&server, person).await;
                assert_eq!(found.values().sum::<usize>(), expected, "{person} {days} days before: {found:?}");
            }
        }
        assert_eq!(events(&server, &company, "member.ended").await, 0);
        set(&mut server, before_end(&last_day, 0)).await;
        server.advance(DAY).await;
        assert_eq!(events(&server, &company, "member.ended").await, 1, "once");
        let found = notices(&server, &company, "membership").await;
        let each = administrators.len();
        assert_eq!(by_rung(&found), BTreeMap::from([(0, (1, 0)), (7, (1, each)), (30, (1, each))]));
        // Another last day is another end, with reminders of its own.
        let member = found[0]["subject"].as_str().unwrap().split_once('/').unwrap().1.to_owned();
        let later = in_days(&server, 20).await;
        let (hr, _) = personnel(&server).await;
        hr.patch(&format!("/organizations/{company}/members/{member}"), "*", &json!({ "ends_on": later })).await.done(200);
        set(&mut server, before_end(&later, 7)).await;
        let again = by_rung(&notices(&server, &company, "membership").await);
        assert_eq!(again, BTreeMap::from([(0, (1, 0)), (7, (2, 2 * each)), (30, (1, each))]));
        server.kill();
    }

    async fn a_server_killed_in_the_middle_of_a_run_says_each_thing_exactly_once(mut server: TestServer) {
        let count = 25;
        let (company, last_day) = externals(&server, ("Coupure", count), 60).await;
        let people = administrators(&server, &company).await;
        for (turn, (days, pause)) in [(30, 15), (7, 60), (0, 120)].into_iter().enumerate() {
            let at = before_end(&last_day, days);
            // A run that is cut short: the answer to this never comes.
            let url = server.url("/demo/clock");
            let asked = tokio::spawn(async move {
                let http = habilis_integration_tests::Http::new();
                let _ = tokio::time::timeout(
                    Duration::from_secs(20),
                    http.request("POST", &url).json(&json!({ "set": at.to_string() })).send(),
                )
                .await;
            });
            tokio::time::sleep(Duration::from_millis(pause)).await;
            server.kill();
            asked.abort();
            server.restart().await;
            set(&mut server, at).await;
            // The lease of the dead lapses, on PostgreSQL.
            server.advance(600).await;
            server.advance(600).await;
            let found = by_rung(&notices(&server, &company, "membership").await);
            let mails = if days == 0 { 0 } else { count * people.len() };
            assert_eq!(found.get(&days), Some(&(count, mails)), "turn {turn}: {found:?}");
        }
        for person in &people {
            let found = letters_to(&server, person).await;
            assert_eq!(found.len(), count, "{found:?}");
            assert!(found.values().all(|&mails| mails == 2), "thirty and seven days before, once each: {found:?}");
        }
        server.kill();
    }

    async fn after_a_month_of_downtime_only_the_most_urgent_is_said_and_what_ended_is_ended(mut server: TestServer) {
        let (company, last_day) = externals(&server, ("Absence", 2), 60).await;
        let (_, earlier) = externals(&server, ("Partie", 1), 20).await;
        assert!(earlier < last_day);
        let people = administrators(&server, &company).await;
        server.kill();
        server.restart().await;
        // Nobody looked for 55 days: both rungs were reached, the invitations have lapsed, and one membership is over.
        set(&mut server, before_end(&last_day, 5)).await;
        server.advance(600).await;
        let found = by_rung(&notices(&server, &company, "membership").await);
        assert_eq!(found, BTreeMap::from([(0, (1, 0)), (7, (2, 2 * people.len()))]));
        assert_eq!(events(&server, &company, "member.ended").await, 1);
        let lapsed = notices(&server, &company, "invitation").await;
        assert_eq!(by_rung(&lapsed), BTreeMap::from([(0, (3, 0))]));
        assert_eq!(events(&server, &company, "account.invitation_lapsed").await, 3);
        server.kill();
    }

    async fn what_is_due_is_told_ahead_and_done_once_from_the_command_line(mut server: TestServer) {
        let (company, last_day) = externals(&server, ("Annonce", 2), 40).await;
        // The end of its last day.
        let until = in_days(&server, 41).await;
        let ahead = server.manage(&["jobs", "run", "--dry-run", "--until", &until]).await.printed();
        let lines: Vec<&str> = ahead.lines().filter(|line| line.contains(&company) && line.contains(" membership ")).collect();
        let whats: Vec<_> = lines.iter().map(|line| line.split_once(": ").unwrap().1.split_once(" (").unwrap().0).collect();
        let end = "the membership gives no access any more";
        let (thirty, seven) = ("reminder, 30 day(s) before", "reminder, 7 day(s) before");
        assert_eq!(whats, [thirty, thirty, seven, seven, end, end], "{ahead}");
        let times: Vec<&str> = ahead.lines().filter(|line| line.contains("(due ")).map(|line| &line[..16]).collect();
        assert!(times.is_sorted(), "in the order of time: {ahead}");
        assert!(ahead.contains("2 × invitation: the link is void and its seat free"), "{ahead}");
        assert!(ahead.contains(&format!("2 × membership: {end}")) && ahead.contains("nothing was changed"), "{ahead}");
        let again = server.manage(&["jobs", "run", "--dry-run", "--until", &until, "--limit", "1"]).await.printed();
        assert_eq!(again.lines().filter(|line| line.contains("(due ")).count(), 1, "{again}");
        assert!(again.contains(" more") && again.lines().last() == ahead.lines().last(), "{again}");
        assert_eq!(notices(&server, &company, "membership").await, Vec::<Value>::new());
        // What was told ahead is what is done.
        for days in [30, 7, 0] {
            set(&mut server, before_end(&last_day, days)).await;
        }
        let found = by_rung(&notices(&server, &company, "membership").await);
        assert_eq!(found.iter().map(|(rung, (count, _))| (*rung, *count)).collect::<Vec<_>>(), [(0, 2), (7, 2), (30, 2)]);
        let ran = server.manage(&["jobs", "run"]).await.printed();
        assert!(ran.contains("membership: 0 looked at, 0 reminded, 0 ended, 0 failed"), "{ran}");
        let list = server.manage(&["jobs", "list"]).await.printed();
        for kind in ["password", "api_key", "invitation", "offer", "membership", "succession", "review_opening", "review", "override", "duty_change", "document_request"] {
            assert!(list.lines().any(|line| line.starts_with(&format!("{kind}: "))), "{kind}: {list}");
        }
        assert!(list.contains("last run") && list.contains("running: "), "{list}");
        server.command_with(&["jobs", "run", "--until", "2027-03-01"], &[]).await.assert_refused(&["--dry-run"]);
        server.command_with(&["jobs", "run", "--dry-run", "--until", "soon"], &[]).await.assert_refused(&["2027-03-01"]);
        server.kill();
    }

    async fn what_waits_and_what_is_due_are_told_to_operators_over_the_api(mut server: TestServer) {
        let (company, _) = externals(&server, ("Prevu", 2), 40).await;
        let api = operator(&server).await;
        let until = in_days(&server, 41).await;
        let path = format!("/lifecycle/forecast?until={until}");
        let ahead = api.get(&format!("{path}&limit=200")).await.done(200);
        let lines = ahead["items"].as_array().unwrap();
        let of_company = |line: &&Value| line["kind"] == "membership" && line["subject"].as_str().unwrap().contains(&company);
        let whats: Vec<_> = lines.iter().filter(of_company).map(|line| line["days_before"].as_u64().unwrap()).collect();
        assert_eq!(whats, [30, 30, 7, 7, 0, 0], "{ahead}");
        let times: Vec<Timestamp> = lines.iter().map(|line| line["at"].as_str().unwrap().parse().unwrap()).collect();
        assert!(times.is_sorted(), "in the order of time: {ahead}");
        let end = json!({ "kind": "membership", "what": "the membership gives no access any more", "count": 2 });
        assert!(ahead["counts"].as_array().unwrap().contains(&end), "{ahead}");
        assert_eq!((&ahead["truncated"], &ahead["stopped"]), (&json!(false), &json!(false)), "{ahead}");
        let first = api.get(&format!("{path}&limit=1")).await.done(200);
        assert_eq!((first["items"].as_array().unwrap().len(), &first["truncated"]), (1, &json!(true)));
        assert!(first["counts"].as_array().unwrap().contains(&end), "counts are of all: {first}");
        assert_eq!(notices(&server, &company, "membership").await, Vec::<Value>::new(), "nothing was changed");
        api.get("/lifecycle/forecast").await.done(200);

        server.advance(3600).await;
        let api = operator(&server).await;
        let overview = api.get("/lifecycle").await.done(200);
        let kinds = overview["items"].as_array().unwrap();
        let of = |kind: &str| kinds.iter().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {overview}"));
        for kind in ["password", "api_key", "offer", "succession", "review_opening", "review", "override", "duty_change", "order"] {
            assert!(of(kind)["waiting"].is_u64() && of(kind)["at_the_end"].is_string(), "{overview}");
        }
        for kind in ["membership", "invitation"] {
            let one = of(kind);
            assert!(one["waiting"].as_u64().unwrap() >= 2 && one["next_look_at"].is_string(), "{one}");
            assert!(one["ran_at"].is_string() && one["ran_by"].is_string(), "{one}");
        }

        let yesterday = in_days(&server, -1).await;
        for wrong in ["until=soon", &format!("until={yesterday}"), "until=2999-01-01", "until=2030-01-01T00:00:00Z", "limit=0", "most=1"] {
            api.get(&format!("/lifecycle/forecast?{wrong}")).await.problem(400, "invalid_parameter");
        }
        let (hr, _) = personnel(&server).await;
        let narrow = Api::of_client(&server, "demo-automation", "habilis.members.read").await;
        for path in ["/lifecycle", "/lifecycle/forecast"] {
            hr.get(path).await.problem(403, "forbidden");
            narrow.get(path).await.problem(403, "insufficient_scope");
        }
        server.kill();
    }

    async fn a_rule_that_changes_plans_the_reminders_anew(mut server: TestServer) {
        let subject = "Votre mot de passe expire bientôt";
        let person = server.learner().clone();
        let login = chosen(&mut server, "2027-12-01T12:00:00+01:00").await;
        let organization = person.organization.unwrap().id;
        // Thirty days of grace become five: the account is suspended on the fifth day.
        server.set_clock(&json!({ "set": "2028-11-30T12:00:00+01:00" })).await.ok_json();
        assert_eq!(mails(&server, &login, subject).await, 1);
        server.manage(&["organization", "policy", "set", &organization, "--grace-days", "5"]).await.printed();
        server.set_clock(&json!({ "set": "2028-12-05T12:00:00+01:00" })).await.ok_json();
        assert_eq!(mails(&server, &login, "Votre compte est suspendu").await, 0);
        server.set_clock(&json!({ "set": "2028-12-06T12:00:00+01:00" })).await.ok_json();
        assert_eq!(mails(&server, &login, "Votre compte est suspendu").await, 1);
        let page = local_sign_in(&server, &mut Browser::new(), &login, NEW).await;
        assert!(page.has("password-expired-page"), "{}", page.summary());
        server.kill();
    }

    async fn administrators_read_the_notices_of_their_own_and_long_work_is_followed(mut server: TestServer) {
        let (company, last_day) = externals(&server, ("Lecture", 1), 31).await;
        set(&mut server, before_end(&last_day, 30)).await;
        let (hr, _) = personnel(&server).await;
        let path = format!("/organizations/{company}/notices");
        let own = hr.get(&path).await.done(200);
        let notice = own["items"].as_array().unwrap().iter().find(|notice| notice["kind"] == "membership").unwrap();
        let mail = &notice["mails"][0];
        assert_eq!((&mail["template"], &mail["outcome"]), (&json!("membership_ends.1"), &json!("sent")), "{own}");
        let text = own.to_string();
        assert!(!text.contains("societe.example") && !text.contains('@'), "no address: {text}");
        hr.get("/notices").await.problem(403, "forbidden");
        let other = crate::api::organization_of_kind(&server, "cfa");
        hr.get(&format!("/organizations/{other}/notices")).await.problem(404, "not_found");
        assert_eq!(operator(&server).await.get(&format!("/organizations/{other}/notices?kind=membership")).await.done(200)["items"], json!([]));

        let file = "Nom;Prénom;Courriel\nKervadec;Anne;anne.kervadec@import.example\n";
        let request = hr.request("POST", &format!("/organizations/{company}/imports")).header("content-type", "text/csv").body(file);
        let import = hr.send(request).await.done(202);
        let job = import["progress"]["job"].as_str().unwrap().to_owned();
        let mut shown = hr.get(&format!("/jobs/{job}")).await.done(200);
        for _ in 0..400 {
            if shown["state"] == "done" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            shown = hr.get(&format!("/jobs/{job}")).await.done(200);
        }
        let expected = (&json!("done"), &json!("import_check"), &import["id"], &json!(company), &Value::Null);
        assert_eq!((&shown["state"], &shown["kind"], &shown["subject"], &shown["organization"], &shown["error"]), expected);
        for path in ["/jobs".to_owned(), format!("/jobs?organization={company}")] {
            assert_eq!(hr.get(&path).await.done(200)["items"][0], shown, "{path}");
        }
        let boss = operator(&server).await;
        assert_eq!(boss.get("/jobs").await.done(200)["items"][0], shown);
        assert_eq!(boss.get(&format!("/jobs?organization={other}")).await.done(200)["items"], json!([]));
        hr.get(&format!("/jobs?organization={other}")).await.problem(404, "not_found");
        hr.get("/jobs/job_00000000000000000000000000").await.problem(404, "not_found");
        let stranger = Api::of_person(&server, server.learner(), ALL).await;
        assert_eq!(stranger.get("/jobs").await.done(200)["items"], json!([]));
        assert!(matches!(stranger.get(&format!("/jobs/{job}")).await.status, 403 | 404));
        server.kill();
    }
}

/// Two nodes on one database whose clocks are a minute apart: whichever runs, each notice goes out once.
#[tokio::test]
async fn two_nodes_with_clocks_a_minute_apart_say_each_thing_once() {
    let count = 20;
    let mut one =
        TestServer::start_on(Engine::Postgres, vec!["--database".to_owned(), database::create()]).await.unwrap();
    let (company, last_day) = externals(&one, ("Deux", count), 60).await;
    let people = administrators(&one, &company).await;
    let mut other = TestServer::beside(&one).await.unwrap();
    for days in [30, 7, 0] {
        let at = before_end(&last_day, days);
        let later = at + jiff::SignedDuration::from_mins(1);
        tokio::join!(set(&mut one, at), set(&mut other, later));
        tokio::join!(one.advance(120), other.advance(120));
        let mails = if days == 0 { 0 } else { count * people.len() };
        // Whoever found the other at it left it to them: wait for the end of that run.
        for _ in 0..600 {
            if by_rung(&notices(&one, &company, "membership").await).get(&days) == Some(&(count, mails)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::join!(other.advance(60), one.advance(60));
        let found = by_rung(&notices(&other, &company, "membership").await);
        assert_eq!(found.get(&days), Some(&(count, mails)), "{days}: {found:?}");
    }
    for person in &people {
        let found = letters_to(&one, person).await;
        assert!(found.len() == count && found.values().all(|&mails| mails == 2), "{found:?}");
    }
    assert_eq!(events(&one, &company, "member.ended").await, count);
    one.kill();
    other.kill();
}
