//! Subscriptions over time: the clock moves day by day, and every letter is accounted for. Issue 6; R020, R021, R064, R071, R074, R087.

use std::collections::BTreeMap;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Browser, Inbox, Person, TestServer};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use crate::activation::{activate, link_to};
use crate::api::{in_days, invited, new_member, new_organization, of_kind, operator, personnel};
use crate::forgot::NEW;
use crate::imports::checked;
use crate::seats::{product, step};

const DAY: u64 = 86_400;

fn paris(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::get("Europe/Paris").unwrap()).date()
}

/// The letters to an address: on which day after `start`, and the text of each by the beginning of its subject.
async fn letters(server: &TestServer, address: &str, start: Date) -> Vec<(i32, String)> {
    let mails = Inbox::of(server).to(address).await;
    // Whatever else comes is one letter too many, those about seats included: these have journeys of their own.
    let others = ["Votre compte vous attend", "revue des accès", "administrateurs modifiés"];
    let mut found: Vec<_> = mails
        .into_iter()
        .filter(|mail| !others.iter().any(|words| mail.subject.contains(words)))
        .map(|mail| {
            let day = paris(mail.time.parse().unwrap());
            (start.until(day).unwrap().get_days(), mail.subject)
        })
        .collect();
    found.sort();
    found
}

fn assert_letters(found: &[(i32, String)], expected: &[(i32, &str)]) {
    let shown: Vec<_> = found.iter().map(|(day, subject)| (*day, subject.as_str())).collect();
    assert_eq!(found.len(), expected.len(), "{shown:#?}");
    for ((day, subject), (on, words)) in shown.iter().zip(expected) {
        assert!(day == on && subject.contains(words), "({on}, {words}): {shown:#?}");
    }
}

/// Invites somebody who opens their account.
async fn joined((server, boss): (&TestServer, &Api), organization: &str, mail: &str) -> Person {
    invited(boss, organization, &new_member(mail)).await;
    let login = format!("{mail}@societe.example");
    let link = link_to(server, (&login, "/activate/"), 1).await;
    activate(&mut Browser::new(), &link, NEW).await.page();
    Person { login, password: NEW.to_owned(), organization: None, ..of_kind(server, "trainer") }
}

/// Offers somebody who has an account a membership, which they accept.
async fn accepted((server, boss): (&TestServer, &Api), organization: &str, person: &Person) {
    let body = json!({ "email": person.login, "given_name": "Nom", "family_name": "Supposé" });
    let offer = boss.post(&format!("/organizations/{organization}/members"), &body).await.done(202);
    let offer = offer["id"].as_str().unwrap();
    let api = Api::of_person(server, person, ALL).await;
    assert_eq!(api.send(api.request("POST", &format!("/me/offers/{offer}/accept"))).await.status, 204);
}

/// The first removal of an organization's data, once it is done.
async fn removal(server: &TestServer, organization: &str) -> Value {
    loop {
        let boss = operator(server).await;
        let found = boss.get(&format!("/organizations/{organization}/data-removals")).await.done(200);
        if found["items"][0]["finished_at"].is_string() {
            return found["items"][0].clone();
        }
        tokio::task::yield_now().await;
    }
}

/// The day on which data are removed whose last day this is.
fn purge_on(last_day: &str) -> String {
    let last_day: Date = last_day.parse().unwrap();
    last_day.checked_add(Span::new().years(1)).unwrap().tomorrow().unwrap().to_string()
}

pub(crate) async fn set_out(boss: &Api, organization: &str, body: Value) -> String {
    let made = boss.post(&format!("/organizations/{organization}/orders"), &body).await.done(201);
    let id = made["id"].as_str().unwrap().to_owned();
    step(boss, organization, &id, json!({ "step": "acknowledged" })).await.done(200);
    step(boss, organization, &id, json!({ "step": "signed" })).await.done(200);
    id
}

own_journeys! {
    async fn every_letter_of_a_subscription_comes_on_its_day_and_once(mut server: TestServer) {
        let mut boss = operator(&server).await;
        product(&boss, "vie").await;
        server.advance_to_noon().await;
        boss = operator(&server).await;
        let start = paris(server.now().await);
        let day = |days: i64| start.checked_add(Span::new().days(days)).unwrap().to_string();
        let form = |number: &str, changes: Value| {
            let mut body = json!({
                "number": number, "product": "vie", "seats": 5, "effect_on": day(0), "last_day": day(99),
                "administrator": { "email": format!("{number}@client.example").to_lowercase(), "given_name": "Anne", "family_name": "Prévost" },
            });
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            body
        };
        let mut organizations = BTreeMap::new();
        for name in ["ends", "renews", "stops", "unpaid", "tried"] {
            organizations.insert(name, new_organization(&boss, &format!("Vie {name}")).await);
        }
        let of = |name: &str| organizations[name].clone();
        let ends = set_out(&boss, &of("ends"), form("BV-ENDS", json!({ "renewal": "none" }))).await;
        let renews = set_out(&boss, &of("renews"), form("BV-RENEWS", json!({}))).await;
        let stops = set_out(&boss, &of("stops"), form("BV-STOPS", json!({}))).await;
        let unpaid = set_out(&boss, &of("unpaid"), form("BV-UNPAID", json!({}))).await;
        let trial = json!({ "product": "vie", "terms_version": "1", "terms_accepted_at": server.now().await.to_string() });
        boss.post(&format!("/organizations/{}/trials", of("tried")), &trial).await.done(201);
        let curious = json!({ "email": "bv-tried@client.example", "given_name": "Anne", "family_name": "Prévost", "role": "administrator" });
        boss.post(&format!("/organizations/{}/members", of("tried")), &curious).await.done(201);

        // What is due now is said today.
        server.advance(60).await;
        let mut standing: BTreeMap<&str, Vec<(i64, String)>> = BTreeMap::new();
        for today in 0..=104 {
            let orders = [("ends", &ends), ("renews", &renews), ("stops", &stops), ("unpaid", &unpaid)];
            if today % 50 == 0 || [16, 17, 25, 26, 69, 70, 99, 100].contains(&today) {
                boss = operator(&server).await;
                for (name, id) in orders {
                    let shown = boss.get(&format!("/organizations/{}/orders/{id}", of(name))).await.done(200);
                    standing.entry(name).or_default().push((today, shown["standing"].as_str().unwrap().to_owned()));
                }
            }
            match today {
                10 => {
                    boss = operator(&server).await;
                    step(&boss, &of("unpaid"), &unpaid, json!({ "step": "unpaid" })).await.done(200);
                }
                50 => {
                    step(&boss, &of("unpaid"), &unpaid, json!({ "step": "paid" })).await.done(200);
                }
                // A month before the renewal: in time by either rule.
                65 => {
                    boss = operator(&server).await;
                    let shown = step(&boss, &of("stops"), &stops, json!({ "step": "non_renewal" })).await.done(200);
                    assert_eq!((&shown["final_day"], &shown["notice"]), (&json!(day(99)), &json!("in_time")), "{shown}");
                }
                _ => {}
            }
            server.advance(DAY).await;
        }

        let mails = |name: &str| format!("bv-{name}@client.example");
        assert_letters(
            &letters(&server, &mails("ends"), start).await,
            &[(0, "accès ouverts"), (40, "fin le"), (70, "fin le"), (93, "fin le"), (99, "fin le"), (100, "terminée")],
        );
        assert_letters(
            &letters(&server, &mails("renews"), start).await,
            &[(0, "accès ouverts"), (40, "reconduction le"), (60, "reconduction le"), (100, "reconduite")],
        );
        assert_letters(
            &letters(&server, &mails("stops"), start).await,
            &[
                (0, "accès ouverts"), (40, "reconduction le"), (60, "reconduction le"), (70, "fin le"), (93, "fin le"), (99, "fin le"),
                (100, "terminée"),
            ],
        );
        assert_letters(
            &letters(&server, &mails("unpaid"), start).await,
            &[
                (0, "accès ouverts"), (10, "impayée"), (26, "interrompus"), (40, "reconduction le"), (60, "reconduction le"),
                (100, "reconduite"),
            ],
        );
        assert_letters(
            &letters(&server, &mails("tried"), start).await,
            &[(9, "fin le"), (13, "fin le"), (15, "fin le"), (16, "terminé")],
        );
        let at = |name: &str, day: i64| standing[name].iter().find(|(on, _)| *on == day).unwrap().1.clone();
        for (name, day, expected) in [
            ("ends", 99, "open"), ("ends", 100, "closed"), ("renews", 100, "open"), ("stops", 99, "open"), ("stops", 100, "closed"),
            ("unpaid", 25, "open"), ("unpaid", 26, "closed"), ("unpaid", 69, "open"),
        ] {
            assert_eq!(at(name, day), expected, "{name} on day {day}");
        }
        // The letters are on record, with the text they had and what the mail server said.
        boss = operator(&server).await;
        let notices = boss.get(&format!("/organizations/{}/notices?kind=order&limit=200", of("ends"))).await.done(200);
        let mut rungs: Vec<_> = notices["items"].as_array().unwrap().iter().map(|notice| notice["days_before"].as_i64().unwrap()).collect();
        rungs.sort_unstable();
        assert_eq!(rungs, [0, 0, 1, 7, 30, 60], "{notices}");
        assert!(notices["items"].as_array().unwrap().iter().all(|notice| notice["mails"][0]["outcome"] == "sent"), "{notices}");
        server.kill();
    }

    async fn an_enrolment_lapses_unsigned_and_late_access_codes_are_told(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "École").await;
        boss.put(&format!("/organizations/{organization}/portals/demo-portal"), &json!({ "roles": ["formateur"] })).await.done(200);
        let members = format!("/organizations/{organization}/members");
        let mut head = new_member("directrice");
        head["role"] = json!("administrator");
        boss.post(&members, &head).await.done(201);
        let learner = boss.post(&members, &new_member("eleve")).await.done(201)["id"].as_str().unwrap().to_owned();
        let enrolments = format!("/organizations/{organization}/enrolments");
        let (first, last) = (in_days(&server, 0).await, in_days(&server, 20).await);
        let body = json!({ "person": learner, "portal": "demo-portal", "title": "Soudure", "not_before": first, "not_after": last, "sent_on": first });
        let id = boss.post(&enrolments, &body).await.done(201)["id"].as_str().unwrap().to_owned();
        let signed = boss.post(&enrolments, &body).await.done(201)["id"].as_str().unwrap().to_owned();
        boss.post(&format!("{enrolments}/{signed}/steps"), &json!({ "step": "signed" })).await.done(200);
        for _ in 0..23 {
            server.advance(DAY).await;
        }
        let boss = operator(&server).await;
        assert_eq!(boss.get(&format!("{enrolments}/{id}")).await.done(200)["status"], "lapsed");
        assert_eq!(boss.get(&format!("{enrolments}/{signed}")).await.done(200)["status"], "registered");
        let subjects: Vec<_> = Inbox::of(&server).to("directrice@societe.example").await.into_iter().map(|mail| mail.subject).collect();
        assert_eq!(subjects.iter().filter(|subject| subject.contains("caduque")).count(), 1, "{subjects:?}");
        // The learner is reminded of the end, a week and a day before.
        let told: Vec<_> = Inbox::of(&server).to("eleve@societe.example").await.into_iter().map(|mail| mail.subject).collect();
        assert_eq!(told.iter().filter(|subject| subject.contains("votre accès prend fin")).count(), 2, "{told:?}");
        server.kill();
    }

    async fn a_year_after_the_last_order_its_data_are_removed_and_a_certificate_stays(mut server: TestServer) {
        let boss = operator(&server).await;
        product(&boss, "court").await;
        let organization = new_organization(&boss, "Éphémère").await;
        let of = format!("/organizations/{organization}");
        let signatory = json!({ "duty": "signatory", "name": "Anne Prévost", "email": "signataire@client.example" });
        boss.post(&format!("{of}/contacts"), &signatory).await.done(201);
        let last = in_days(&server, 2).await;
        let today = in_days(&server, 0).await;
        let form = json!({
            "number": "BC-COURT", "product": "court", "seats": 5, "effect_on": today,
            "administrator": { "email": "bc-court@client.example", "given_name": "Anne", "family_name": "Prévost" },
        });
        let first = set_out(&boss, &organization, form).await;
        // The first goes on without an end, but for the order that takes its place; its option follows.
        let option = json!({ "number": "BC-COURT-O", "product": "court", "seats": 1, "effect_on": today, "option_of": first });
        set_out(&boss, &organization, option).await;
        let form = json!({
            "number": "BC-COURT-2", "product": "court", "seats": 8, "effect_on": today, "last_day": last, "renewal": "none",
            "supersedes": first,
        });
        set_out(&boss, &organization, form).await;
        let staying = of_kind(&server, "trainer");
        accepted((&server, &boss), &organization, &staying).await;
        let fleeting = invited(&boss, &organization, &new_member("ephemere")).await;
        // Whose account was opened here, is wanted elsewhere, or was there before and has nothing else any more.
        let gone = joined((&server, &boss), &organization, "parti").await;
        let wanted = joined((&server, &boss), &organization, "attendu").await;
        let elsewhere = new_organization(&boss, "Ailleurs").await;
        let known = joined((&server, &boss), &elsewhere, "venu").await;
        accepted((&server, &boss), &organization, &known).await;
        let found = boss.get(&format!("/organizations/{elsewhere}/members?q={}", known.login)).await.done(200);
        let path = format!("/organizations/{elsewhere}/members/{}", found["items"][0]["id"].as_str().unwrap());
        assert_eq!(boss.delete(&path).await.status, 204);
        let group = boss.post(&format!("{of}/groups"), &json!({ "name": "Pairs", "size_limit": 4 })).await.done(201);
        let inside = format!("{of}/groups/{}/members/{fleeting}", group["id"].as_str().unwrap());
        boss.send(boss.request("PUT", &inside)).await.done(200);
        boss.post(&format!("{of}/webhooks"), &json!({ "url": "https://lms.example/", "active": false })).await.done(201);

        // What is to become of it: said by somebody who proved who they are, told in the certificate (R157).
        let fate = format!("{of}/data-return");
        assert_eq!(boss.get(&fate).await.done(200)["choice"], Value::Null);
        boss.put(&fate, &json!({ "choice": "keep" })).await.problem(422, "invalid_fields");
        boss.put(&fate, &json!({ "choice": "destruction" })).await.done(200);
        let chosen = boss.put(&fate, &json!({ "choice": "return" })).await.done(200);
        assert_eq!((&chosen["choice"], &chosen["exported_at"]), (&json!("return"), &Value::Null));

        // Everything of it, as JSON Lines: whole, and with as many lines as it says.
        let exported = boss.get(&format!("{of}/export.jsonl")).await;
        assert_eq!(exported.status, 200);
        let lines: Vec<Value> = exported.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (end, rest) = lines.split_last().unwrap();
        assert_eq!((&end["type"], &end["data"]["lines"]), (&json!("end"), &json!(rest.len())));
        let count = |kind: &str| rest.iter().filter(|line| line["type"] == kind).count();
        assert_eq!((count("organization"), count("contact"), count("order"), count("member"), count("seats")), (1, 1, 3, 6, 1));
        assert!(count("audit") >= 6 && count("seat_event") >= 3);
        assert!(rest.iter().filter(|line| line["type"] == "member").all(|line| line["data"]["seats"] == json!(["court"])));

        let handed = boss.get(&fate).await.done(200);
        let at = |name: &str| handed[name].as_str().unwrap().parse::<Timestamp>().unwrap();
        assert!(at("exported_at") >= at("chosen_at"), "{handed}");

        // On the day before the first anniversary is over, everything is there (R156, Q11).
        server.advance(366 * DAY).await;
        let boss = operator(&server).await;
        assert_eq!(boss.get(&format!("{of}/data-removals")).await.done(200)["items"], json!([]));
        assert_eq!(boss.get(&format!("{of}/members")).await.done(200)["items"].as_array().unwrap().len(), 6);
        checked(&boss, &organization, "Nom;Prénom;Courriel\nRoy;Anne;anne@import.example\n").await;
        let body = json!({ "email": wanted.login, "given_name": "Nom", "family_name": "Supposé" });
        boss.post(&format!("/organizations/{elsewhere}/members"), &body).await.done(202);
        server.advance(3 * DAY).await;
        let removed = removal(&server, &organization).await;
        assert_eq!((&removed["memberships"], &removed["accounts"], &removed["last_day"]), (&json!(6), &json!(3), &json!(last)), "{removed}");
        let certificate: Value = serde_json::from_str(removed["certificate"].as_str().unwrap()).unwrap();
        assert_eq!((&certificate["name"], &certificate["accounts_erased"]), (&json!("Éphémère"), &json!(3)));
        let says = |what: &str, word: &str| certificate[what].as_array().unwrap().contains(&json!(word));
        assert!(says("removed", "groups") && says("kept", "measures") && !says("removed", "revoked_api_keys"), "{certificate}");
        assert_eq!((&certificate["choice"], &certificate["exported_at"]), (&json!("return"), &handed["exported_at"]), "{certificate}");
        let boss = operator(&server).await;
        boss.put(&fate, &json!({ "choice": "destruction" })).await.problem(409, "conflict");
        for empty in ["members", "groups", "webhooks", "imports", "offers", "contacts"] {
            assert_eq!(boss.get(&format!("{of}/{empty}")).await.done(200)["items"], json!([]), "{empty}");
        }
        assert_eq!(boss.get(&of).await.done(200)["status"], "terminated");
        for gone in ["ephemere@societe.example", "bc-court@client.example", gone.login.as_str()] {
            assert_eq!(boss.get(&format!("/people?q={gone}")).await.done(200)["items"], json!([]), "{gone}");
        }
        for stays in [&staying, &known, &wanted] {
            let found = boss.get(&format!("/people?q={}", stays.login)).await.done(200);
            assert_eq!(found["items"].as_array().unwrap().len(), 1, "{}", stays.login);
        }
        // Who lost an account is told so, and nobody else.
        for (person, told) in [(&gone, 1), (&known, 0), (&wanted, 0)] {
            let mails = Inbox::of(&server).to(&person.login).await;
            assert_eq!(mails.iter().filter(|mail| mail.subject == "Votre compte a été supprimé").count(), told, "{}", person.login);
        }
        let mails = Inbox::of(&server).to("signataire@client.example").await;
        assert_eq!(mails.iter().filter(|mail| mail.subject.contains("données supprimées")).count(), 1);
        server.kill();
    }

    async fn a_contract_counts_from_its_signature_for_the_removal_paid_or_not(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        product(&boss, "tiers").await;
        let (today, last) = (in_days(&server, 0).await, in_days(&server, 2).await);
        let form = |number: &str, changes: Value| {
            let mut body = json!({
                "number": number, "product": "tiers", "seats": 5, "effect_on": today, "last_day": last, "renewal": "none",
                "administrator": { "email": format!("{number}@client.example").to_lowercase(), "given_name": "Anne", "family_name": "Prévost" },
            });
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            body
        };
        // Tried, then signed and never paid.
        let tried = new_organization(&boss, "Jamais payée").await;
        let trial = json!({ "product": "tiers", "terms_version": "1", "terms_accepted_at": server.now().await.to_string() });
        boss.post(&format!("/organizations/{tried}/trials"), &trial).await.done(201);
        let never_paid = set_out(&boss, &tried, form("BC-TIERS-1", json!({}))).await;
        // Over, but for a contract whose payment is awaited.
        let going_on = new_organization(&boss, "Virement en cours").await;
        let over = set_out(&boss, &going_on, form("BC-TIERS-2", json!({}))).await;
        let beside = json!({ "opening": "payment", "last_day": null, "renewal": "tacit" });
        let awaited = set_out(&boss, &going_on, form("BC-TIERS-3", beside)).await;
        let read = async |boss: &Api, organization: &str, order: &str| {
            boss.get(&format!("/organizations/{organization}/orders/{order}")).await.done(200)
        };
        for (organization, order) in [(&tried, &never_paid), (&going_on, &awaited)] {
            let shown = read(&boss, organization, order).await;
            assert_eq!((&shown["missing"], &shown["purge_on"]), (&json!("payment"), &Value::Null), "{shown}");
        }

        // Ended: the removal is announced where it will be, and nowhere else.
        server.advance(3 * DAY).await;
        let boss = operator(&server).await;
        assert_eq!(read(&boss, &tried, &never_paid).await["purge_on"], purge_on(&last));
        assert_eq!(read(&boss, &going_on, &over).await["purge_on"], Value::Null);
        for (address, said, unsaid) in [
            ("bc-tiers-1@client.example", "supprimées le", "sont conservées"),
            ("bc-tiers-2@client.example", "sont conservées", "supprimées le"),
        ] {
            let mails = Inbox::of(&server).to(address).await;
            let ended: Vec<_> = mails.iter().filter(|mail| mail.subject.contains("BC-TIERS") && mail.subject.contains("terminée")).collect();
            let [told] = &ended[..] else { panic!("one letter about the end to {address}: {mails:?}") };
            assert!(told.text.contains(said) && !told.text.contains(unsaid), "{}", told.text);
        }

        // A year later.
        server.advance(366 * DAY).await;
        let removed = removal(&server, &tried).await;
        assert_eq!((&removed["last_day"], &removed["memberships"]), (&json!(last), &json!(1)), "{removed}");
        let boss = operator(&server).await;
        assert_eq!(boss.get(&format!("/organizations/{going_on}/data-removals")).await.done(200)["items"], json!([]));
        assert_eq!(boss.get(&format!("/organizations/{going_on}")).await.done(200)["status"], "active");
        assert_eq!(boss.get(&format!("/organizations/{going_on}/members")).await.done(200)["items"].as_array().unwrap().len(), 2);
        server.kill();
    }

    /// Whether the organization is named or not, the same work is told.
    async fn work_of_an_organization_whose_subscription_is_over_is_told_nowhere(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        product(&boss, "suivi").await;
        let person = of_kind(&server, "administrator");
        let chief = Api::of_person(&server, &person, ALL).await;
        let offered = json!({ "email": person.login, "given_name": "Peu", "family_name": "Importe", "role": "administrator" });
        let mut work = Vec::new();
        for name in ["Suivie", "Échue"] {
            let organization = new_organization(&boss, name).await;
            let of = format!("/organizations/{organization}");
            let offer = boss.post(&format!("{of}/members"), &offered).await.done(202)["id"].as_str().unwrap().to_owned();
            assert_eq!(chief.send(chief.request("POST", &format!("/me/offers/{offer}/accept"))).await.status, 204);
            let file = chief.request("POST", &format!("{of}/imports")).header("content-type", "text/csv");
            chief.send(file.body("Nom;Prénom;Courriel\n")).await.done(202);
            let job = chief.get(&format!("/jobs?organization={organization}")).await.done(200)["items"][0].clone();
            work.push((organization, job["id"].as_str().unwrap().to_owned()));
        }
        let told = async |api: &Api| -> Vec<String> {
            let shown = api.get("/jobs").await.done(200);
            shown["items"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
        };
        let [(open, followed), (over, hidden)] = &work[..] else { panic!("two organizations") };
        assert_eq!(told(&chief).await.len(), 2);
        let (today, last) = (in_days(&server, 0).await, in_days(&server, 2).await);
        let form = json!({ "number": "BC-SUIVI", "product": "suivi", "seats": 5, "effect_on": today, "last_day": last, "renewal": "none" });
        set_out(&boss, over, form).await;
        server.advance(2 * DAY).await;
        server.advance(DAY).await;
        let chief = Api::of_person(&server, &person, ALL).await;
        chief.get(&format!("/jobs?organization={over}")).await.problem(403, "subscription_over");
        chief.get(&format!("/jobs/{hidden}")).await.problem(403, "subscription_over");
        chief.get(&format!("/jobs?organization={open}")).await.done(200);
        assert_eq!(told(&chief).await, std::slice::from_ref(followed));
        // The operator follows all of it.
        let boss = operator(&server).await;
        boss.get(&format!("/jobs/{hidden}")).await.done(200);
        server.kill();
    }

    async fn data_are_closed_to_an_organization_whose_subscription_is_over(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        product(&boss, "clos").await;
        let (program, organization) = personnel(&server).await;
        let of = format!("/organizations/{organization}");
        let (members, whole) = (format!("{of}/members"), format!("{of}/export.jsonl"));
        let agreements = format!("{of}/data-return/agreements");
        // No order: nothing is over.
        program.get(&members).await.done(200);
        let (today, last) = (in_days(&server, 0).await, in_days(&server, 2).await);
        let form = json!({ "number": "BC-CLOS", "product": "clos", "seats": 5, "effect_on": today, "last_day": last, "renewal": "none" });
        set_out(&boss, &organization, form).await;
        let person = invited(&program, &organization, &new_member("clos")).await;
        program.put(&agreements, &json!({ "export_after_end": true, "reference": "Avenant 3" })).await.problem(403, "forbidden");
        server.advance(2 * DAY).await;
        let (program, _) = personnel(&server).await;
        program.get(&members).await.done(200);

        // From midnight on, what they need to go on is left to them (R087).
        server.advance(DAY).await;
        let (program, _) = personnel(&server).await;
        let refused = program.get(&members).await.problem(403, "subscription_over");
        assert_eq!(refused["policy"], "subscription-over", "{refused}");
        program.get(&format!("{members}/{person}")).await.problem(403, "subscription_over");
        program.get(&whole).await.problem(403, "subscription_over");
        program.get(&format!("{of}/contacts")).await.problem(403, "subscription_over");
        program.post(&members, &new_member("tard")).await.problem(403, "subscription_over");
        for open in ["", "/orders", "/notices", "/document-requests", "/data-return"] {
            program.get(&format!("{of}{open}")).await.done(200);
        }
        let chosen = program.put(&format!("{of}/data-return"), &json!({ "choice": "destruction" })).await.done(200);
        assert_eq!((&chosen["choice"], &chosen["restitution"]), (&json!("destruction"), &Value::Null));
        let inside = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == organization);
        let administrator = server.people.iter().filter(inside).find(|person| person.kind == "second factor administrator");
        let administrator = administrator.expect("an administrator of the company").clone();
        let chief = Api::of_person(&server, &administrator, ALL).await;
        chief.get(&members).await.problem(403, "subscription_over");
        let myself = chief.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        chief.get(&format!("{members}/{myself}")).await.done(200);
        let boss = operator(&server).await;
        boss.get(&members).await.done(200);
        boss.get(&format!("{members}/{person}")).await.done(200);

        // Agreed in writing: they read and export for thirty days, and change nothing (Q10).
        boss.put(&agreements, &json!({ "export_after_end": true })).await.problem(422, "invalid_fields");
        let agreed = json!({ "export_after_end": true, "reference": "Avenant 3" });
        let shown = boss.put(&agreements, &agreed).await.done(200);
        assert!(shown["export_after_end"] == true && shown["export_agreed_at"].is_string(), "{shown}");
        let until = paris(shown["export_until"].as_str().unwrap().parse().unwrap());
        assert_eq!(until.to_string(), in_days(&server, 30).await);
        program.get(&members).await.done(200);
        assert_eq!(program.get(&whole).await.status, 200);
        assert_eq!(chief.get(&whole).await.status, 200);
        let refused = program.post(&members, &new_member("tard")).await.problem(403, "subscription_over");
        assert_eq!(refused["policy"], "subscription-export", "{refused}");
        // Taken back, and given again.
        boss.put(&agreements, &json!({ "export_after_end": false, "reference": "Erreur" })).await.done(200);
        program.get(&members).await.problem(403, "subscription_over");
        boss.put(&agreements, &agreed).await.done(200);
        server.advance(29 * DAY).await;
        personnel(&server).await.0.get(&members).await.done(200);
        server.advance(DAY).await;
        let (program, _) = personnel(&server).await;
        program.get(&members).await.problem(403, "subscription_over");

        // A new order: everything is as it was.
        let boss = operator(&server).await;
        let form = json!({ "number": "BC-CLOS-2", "product": "clos", "seats": 5, "effect_on": in_days(&server, 0).await });
        let id = boss.post(&format!("{of}/orders"), &form).await.done(201)["id"].as_str().unwrap().to_owned();
        step(&boss, &organization, &id, json!({ "step": "acknowledged" })).await.done(200);
        program.get(&members).await.problem(403, "subscription_over");
        step(&boss, &organization, &id, json!({ "step": "signed" })).await.done(200);
        program.get(&members).await.done(200);
        invited(&program, &organization, &new_member("retour")).await;
        server.kill();
    }

    async fn data_are_given_back_to_who_asks_in_time_and_kept_as_long_as_was_agreed(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        product(&boss, "rendu").await;
        let organization = new_organization(&boss, "Rendue").await;
        let fate = format!("/organizations/{organization}/data-return");
        let back = json!({ "choice": "return" });
        let eligibility = |shown: &Value| shown["restitution"]["eligibility"].as_str().unwrap_or_default().to_owned();
        assert_eq!(eligibility(&boss.put(&fate, &back).await.done(200)), "early", "no end is known");
        let form = json!({
            "number": "BC-RENDU", "product": "rendu", "seats": 5, "effect_on": in_days(&server, 0).await, "last_day": in_days(&server, 50).await,
            "renewal": "none",
            "administrator": { "email": "bc-rendu@client.example", "given_name": "Anne", "family_name": "Prévost" },
        });
        let order = set_out(&boss, &organization, form).await;
        assert_eq!(eligibility(&boss.put(&fate, &back).await.done(200)), "early");
        for days in [1, -400] {
            let on = json!({ "choice": "return", "requested_on": in_days(&server, days).await });
            boss.put(&fate, &on).await.problem(422, "invalid_fields");
        }

        // In the month before the end (R211).
        server.advance(25 * DAY).await;
        let boss = operator(&server).await;
        let (yesterday, due) = (in_days(&server, -1).await, in_days(&server, 14).await);
        let extra = json!({ "choice": "return", "requested_on": yesterday, "extra_reversibility": true });
        let shown = boss.put(&fate, &extra).await.done(200);
        let restitution = &shown["restitution"];
        assert_eq!((eligibility(&shown), &restitution["due_on"]), ("owed".to_owned(), &json!(due)), "{shown}");
        assert_eq!((&restitution["requested_on"], &restitution["extra_reversibility"]), (&json!(yesterday), &json!(true)));
        // Not while an invoice is unpaid; nothing stands in the way of their destruction.
        step(&boss, &organization, &order, json!({ "step": "unpaid" })).await.done(200);
        let refused = boss.put(&fate, &back).await.problem(409, "restitution_excluded");
        assert_eq!(refused["why"], "unpaid", "{refused}");
        let shown = boss.get(&fate).await.done(200);
        assert_eq!((eligibility(&shown), &shown["restitution"]["excluded"]), ("excluded".to_owned(), &json!("unpaid")));
        step(&boss, &organization, &order, json!({ "step": "paid" })).await.done(200);
        assert_eq!(eligibility(&boss.get(&fate).await.done(200)), "owed");
        server.advance(15 * DAY).await;
        let boss = operator(&server).await;
        let late = json!({ "choice": "return", "extra_reversibility": true });
        assert_eq!(boss.put(&fate, &late).await.problem(409, "restitution_excluded")["why"], "extra_too_late");
        assert_eq!(eligibility(&boss.put(&fate, &back).await.done(200)), "owed");

        // Terminated for a breach: nothing is given back.
        let other = new_organization(&boss, "Rompue").await;
        let form = json!({
            "number": "BC-ROMPU", "product": "rendu", "seats": 5, "effect_on": in_days(&server, 0).await,
            "administrator": { "email": "bc-rompu@client.example", "given_name": "Anne", "family_name": "Prévost" },
        });
        let broken = set_out(&boss, &other, form).await;
        let over = json!({ "status": "terminated", "reason": "fraude", "breach": "faux", "irreparable": "faux documents" });
        boss.put(&format!("/organizations/{other}/orders/{broken}/status"), &over).await.done(200);
        let fate_of_other = format!("/organizations/{other}/data-return");
        assert_eq!(boss.put(&fate_of_other, &back).await.problem(409, "restitution_excluded")["why"], "breach");
        boss.put(&fate_of_other, &json!({ "choice": "destruction" })).await.done(200);

        // Kept longer, as agreed (R156); the operators are told that nobody took the data.
        let agreements = format!("{fate}/agreements");
        let day = |until: String| json!({ "export_after_end": false, "reversibility_until": until, "reference": "Avenant 7" });
        boss.put(&agreements, &day(in_days(&server, -1).await)).await.problem(422, "invalid_fields");
        let until = in_days(&server, 500).await;
        let shown = boss.put(&agreements, &day(until.clone())).await.done(200);
        assert_eq!((&shown["reversibility_until"], &shown["choice"]), (&json!(until), &json!("return")), "{shown}");
        server.advance(12 * DAY).await;
        let boss = operator(&server).await;
        assert_eq!(eligibility(&boss.put(&fate, &back).await.done(200)), "late");
        let told = of_kind(&server, "second factor operator").login;
        let mails = Inbox::of(&server).to(&told).await;
        assert_eq!(mails.iter().filter(|mail| mail.subject.contains("Rendue") && mail.subject.contains("données à rendre")).count(), 1, "{mails:?}");
        let removals = format!("/organizations/{organization}/data-removals");
        for days in [400, 88] {
            server.advance(days * DAY).await;
            let boss = operator(&server).await;
            assert_eq!(boss.get(&removals).await.done(200)["items"], json!([]), "after {days}");
        }
        server.advance(2 * DAY).await;
        let removed = loop {
            let boss = operator(&server).await;
            let found = boss.get(&removals).await.done(200);
            if found["items"][0]["finished_at"].is_string() {
                break found["items"][0].clone();
            }
            tokio::task::yield_now().await;
        };
        let certificate: Value = serde_json::from_str(removed["certificate"].as_str().unwrap()).unwrap();
        assert_eq!((&certificate["reversibility_until"], &certificate["choice"]), (&json!(until), &json!("return")), "{certificate}");
        assert_eq!(certificate["exported_at"], Value::Null);
        let boss = operator(&server).await;
        boss.put(&agreements, &day(in_days(&server, 9).await)).await.problem(409, "conflict");
        server.kill();
    }
}
