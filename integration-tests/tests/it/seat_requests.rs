//! Members ask for a seat, an administrator decides, and what is billed is itemised. Issue 5; R059, R068, R078.

use std::collections::BTreeMap;
use std::sync::Arc;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::protocol::AuthorizationRequest;
use habilis_integration_tests::webdriver::Screen;
use habilis_integration_tests::{Answer, Api, Browser, Inbox, Person, TestServer, Visit, WebDriver};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::api::{in_days, of_kind, operator};
use crate::forgot::local_sign_in;
use crate::seats::{open_order, product};

const DAY: u64 = 86_400;

/// The people of the organization of the first learner.
struct House {
    organization: String,
    learner: Person,
    trainer: Person,
    administrator: Person,
    chief: Person,
}

impl House {
    fn of(server: &TestServer) -> Self {
        let learner = server.learner().clone();
        let organization = learner.organization.clone().unwrap().id;
        let of = |kind: &str| {
            let inside = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == organization);
            server.people.iter().filter(inside).find(|person| person.kind == kind).unwrap().clone()
        };
        let (trainer, administrator, chief) = (of("trainer"), of("administrator"), of("second factor administrator"));
        Self { organization, learner, trainer, administrator, chief }
    }

    fn path(&self, rest: &str) -> String {
        format!("/organizations/{}/{rest}", self.organization)
    }

    fn asks(&self, product: &str) -> Value {
        json!({ "organization": self.organization, "product": product, "reason": "Je reprends les dossiers de Zoé.\nMerci !" })
    }

    async fn holders(&self, api: &Api, product: &str) -> Vec<Value> {
        let found = api.get(&self.path(&format!("seats/{product}/holders"))).await.done(200);
        found["items"].as_array().unwrap().iter().map(|holder| holder["login"].clone()).collect()
    }
}

fn id(shown: &Value) -> &str {
    shown["id"].as_str().unwrap()
}

async fn subjects(server: &TestServer, address: &str, words: &str) -> usize {
    Inbox::of(server).to(address).await.iter().filter(|mail| mail.subject.contains(words)).count()
}

/// The lines of a table by their headers.
fn table(answer: &Answer) -> Vec<BTreeMap<String, String>> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let text = answer.body.strip_prefix('\u{feff}').expect("a byte order mark");
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
    reader.deserialize().map(|line| line.unwrap()).collect()
}

fn cells<'a>(line: &'a BTreeMap<String, String>, names: &[&str]) -> Vec<&'a str> {
    names.iter().map(|name| line[*name].as_str()).collect()
}

async fn approve(api: &Api, path: &str) -> Answer {
    api.post(&format!("{path}/approve"), &json!({ "note": "Bienvenue." })).await
}

own_journeys! {
    async fn a_member_asks_for_a_seat_and_an_administrator_decides(mut server: TestServer) {
        let boss = operator(&server).await;
        product(&boss, "cours").await;
        product(&boss, "jamais").await;
        server.manage(&["client", "update", "demo-portal", "--product", "cours"]).await.printed();
        let boss = operator(&server).await;
        let house = House::of(&server);
        open_order(&boss, &server, &house.organization, ("BC-COURS", "cours", 2)).await;

        // The portal turns the learner away, and leads to where a seat is asked for.
        let mut browser = Browser::new();
        browser.get(&AuthorizationRequest::of(server.client("demo-portal")).url(&server)).await;
        let Visit::Page(page) = browser.sign_in(&house.learner).await else { panic!("a page") };
        assert!(page.text("not-for-you-why").contains("place à votre nom"), "{}", page.summary());
        let page = browser.click("not-for-you-ask").await.page();
        assert!(page.has("seats-page") && page.has("seat-1") && !page.has("seat-2"), "only what is missing: {}", page.summary());
        assert!(page.text("seats-billed").contains("facturée"), "{}", page.summary());
        let value = page.attribute("seat-1", "value").unwrap();
        let page = browser.submit("seats-form", &[("seat", &value), ("reason", &"x".repeat(501))]).await.page();
        assert!(page.has("reason-error") && page.attribute("seat-1", "checked").is_some(), "{}", page.summary());
        let page = browser.submit("seats-form", &[("seat", &value), ("reason", "Je reprends les dossiers de Zoé.")]).await.page();
        assert!(page.text("seats-done").contains("enregistrée"), "{}", page.summary());
        assert!(page.text("seat-requests").contains("en attente"), "{}", page.summary());

        // It waits: nothing changed but that both administrators were written to, with who asks, why, and that it is billed.
        assert_eq!(house.holders(&boss, "cours").await, [json!("bc-cours@client.example")]);
        let told = Inbox::of(&server).to(&house.administrator.login).await;
        let told: Vec<_> = told.iter().filter(|mail| mail.subject.contains("demande une place")).collect();
        assert_eq!(told.len(), 1);
        for words in [house.learner.family_name.as_str(), "dossiers de Zoé", "Plateforme cours", "facturation", "BC-COURS"] {
            assert_eq!(told[0].text.contains(words), words != "BC-COURS", "{words}: {}", told[0].text);
        }
        assert_eq!(subjects(&server, &house.chief.login, "demande une place").await, 1);
        assert_eq!(subjects(&server, &house.trainer.login, "demande une place").await, 0);

        let learner = Api::of_person(&server, &house.learner, ALL).await;
        let administrator = Api::of_person(&server, &house.administrator, ALL).await;
        let mine = learner.get("/me/seat-requests").await.done(200)["items"][0].clone();
        assert_eq!((&mine["status"], &mine["product"], &mine["decided_by"]), (&json!("requested"), &json!("cours"), &Value::Null));
        learner.post("/me/seat-requests", &house.asks("cours")).await.problem(409, "conflict");
        let path = house.path(&format!("seat-requests/{}", id(&mine)));
        // Members, who asked among them, decide nothing, and administrators of others find nothing.
        learner.post(&format!("{path}/approve"), &json!({})).await.problem(404, "not_found");
        learner.get(&house.path("seat-requests")).await.problem(404, "not_found");
        let elsewhere = |person: &&Person| {
            person.kind == "administrator" && person.organization.as_ref().is_some_and(|it| it.id != house.organization)
        };
        let stranger = Api::of_person(&server, server.people.iter().find(elsewhere).unwrap(), ALL).await;
        approve(&stranger, &path).await.problem(404, "not_found");
        stranger.post(&format!("/me/seat-requests/{}/withdraw", id(&mine)), &json!({})).await.problem(404, "not_found");
        stranger.post("/me/seat-requests", &house.asks("cours")).await.problem(422, "invalid_fields");
        assert_eq!(administrator.get(&house.path("seat-requests?status=requested")).await.done(200)["items"][0]["id"], mine["id"]);

        // The operator, who bills, does not agree for its client.
        approve(&boss, &path).await.problem(403, "forbidden");
        let granted = approve(&administrator, &path).await.done(200);
        assert_eq!((&granted["status"], &granted["note"]), (&json!("granted"), &json!("Bienvenue.")));
        approve(&administrator, &path).await.problem(409, "conflict");
        administrator.post(&format!("{path}/decline"), &json!({})).await.problem(409, "conflict");
        assert!(house.holders(&administrator, "cours").await.contains(&json!(house.learner.login)));
        let told = Inbox::of(&server).to(&house.learner.login).await;
        assert!(told.iter().any(|mail| mail.subject.contains("est ouverte") && mail.text.contains("Bienvenue.")), "{told:?}");
        let mut browser = Browser::new();
        browser.get(&AuthorizationRequest::of(server.client("demo-portal")).url(&server)).await;
        let visit = browser.sign_in(&house.learner).await;
        assert!(matches!(&visit, Visit::Left(url) if url.as_str().contains("code=")), "a seat opens the portal");
        learner.post("/me/seat-requests", &house.asks("cours")).await.problem(409, "conflict");

        // The next one finds no seat: the request waits for an order. Nothing was ordered of the other product at all.
        let trainer = Api::of_person(&server, &house.trainer, ALL).await;
        let second = trainer.post("/me/seat-requests", &house.asks("cours")).await.done(201);
        let path = house.path(&format!("seat-requests/{}", id(&second)));
        let seated = trainer.get(&format!("/me/seat-requests/{}", id(&second))).await.done(200);
        assert_eq!((&seated["status"], &seated["family_name"]), (&json!("requested"), &json!(house.trainer.family_name)));
        let full = approve(&administrator, &path).await.problem(409, "seat_limit_reached");
        assert_eq!((&full["limit"], &full["taken"]), (&json!(2), &json!(2)));
        let never = trainer.post("/me/seat-requests", &house.asks("jamais")).await.done(201);
        let other = house.path(&format!("seat-requests/{}", id(&never)));
        assert_eq!(approve(&administrator, &other).await.problem(409, "seat_limit_reached")["limit"], json!(0));
        trainer.post("/me/seat-requests", &house.asks("inconnu")).await.problem(422, "invalid_fields");
        assert_eq!(administrator.get(&path).await.done(200)["status"], "requested");
        open_order(&boss, &server, &house.organization, ("BC-COURS-2", "cours", 2)).await;
        // Who cannot use a seat is given none. Who comes back has one, and with it what they asked for.
        let status = house.path(&format!("members/{}/status", second["person"].as_str().unwrap()));
        let status_of = |status: &str| json!({ "status": status, "reason": "absence" });
        administrator.put(&status, &status_of("suspended")).await.done(200);
        approve(&administrator, &path).await.problem(409, "conflict");
        administrator.put(&status, &status_of("active")).await.done(200);
        assert_eq!(administrator.get(&path).await.done(200)["status"], "granted");
        approve(&administrator, &path).await.problem(409, "conflict");
        let trainer = Api::of_person(&server, &house.trainer, ALL).await;
        let declined = administrator.post(&format!("{other}/decline"), &json!({ "note": "Pas cette année." })).await.done(200);
        assert_eq!(declined["status"], "declined");
        let told = Inbox::of(&server).to(&house.trainer.login).await;
        assert!(told.iter().any(|mail| mail.subject.contains("est refusée") && mail.text.contains("Pas cette année.")), "{told:?}");
        // The same is asked for once a day.
        let soon = trainer.post("/me/seat-requests", &house.asks("jamais")).await;
        soon.problem(429, "rate_limited");
        assert!(soon.header("retry-after").parse::<u64>().is_ok_and(|left| left > DAY - 600 && left <= DAY));
        // A seat that is not sold any more is not asked for (R078).
        let etag = boss.get("/products/jamais").await.header("etag").to_owned();
        boss.patch("/products/jamais", &etag, &json!({ "sold": false })).await.done(200);
        learner.post("/me/seat-requests", &house.asks("jamais")).await.problem(422, "invalid_fields");

        // The trail has all of it, and others are told.
        let trail = administrator.get(&house.path("audit?limit=200")).await.done(200);
        let of_first = trail["items"].as_array().unwrap().iter().filter(|line| line["detail"]["seat_request"] == mine["id"]);
        // The last two are of one instant.
        let mut of_first: Vec<_> = of_first.map(|line| line["event"].as_str().unwrap()).collect();
        of_first.sort_unstable();
        assert_eq!(of_first, ["seat.assigned", "seat.request_granted", "seat.requested"]);
        server.kill();
    }

    async fn a_request_that_nobody_answers_is_remembered_and_lapses(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        product(&boss, "oubli").await;
        let house = House::of(&server);
        open_order(&boss, &server, &house.organization, ("BC-OUBLI", "oubli", 5)).await;
        let learner = Api::of_person(&server, &house.learner, ALL).await;
        let asked = learner.post("/me/seat-requests", &house.asks("oubli")).await.done(201);
        let address = &house.administrator.login;
        let reminders = async |server: &TestServer| subjects(server, address, "attend votre réponse").await;
        let mut seen = Vec::new();
        for day in 1..=31 {
            server.advance(DAY).await;
            let now = reminders(&server).await;
            if seen.last().map_or(0, |(_, count)| *count) != now {
                seen.push((day, now));
            }
        }
        assert_eq!(seen, [(3, 1), (23, 2)], "three days after, and a week before the end");
        let learner = Api::of_person(&server, &house.learner, ALL).await;
        assert_eq!(learner.get("/me/seat-requests").await.done(200)["items"][0]["status"], "expired");
        assert_eq!(subjects(&server, &house.learner.login, "restée sans réponse").await, 1);
        let boss = operator(&server).await;
        let administrator = Api::of_person(&server, &house.administrator, ALL).await;
        let path = house.path(&format!("seat-requests/{}", id(&asked)));
        approve(&administrator, &path).await.problem(409, "conflict");
        let notices = boss.get(&house.path("notices?kind=seat_request")).await.done(200);
        assert_eq!(notices["items"].as_array().unwrap().len(), 3, "{notices}");

        // It may be made again, and taken back; who is given the seat meanwhile has what they asked for.
        let again = learner.post("/me/seat-requests", &house.asks("oubli")).await.done(201);
        let withdrawn = learner.post(&format!("/me/seat-requests/{}/withdraw", id(&again)), &json!({})).await.done(200);
        assert_eq!((&withdrawn["status"], &withdrawn["decided_by"]), (&json!("withdrawn"), &withdrawn["person"]));
        approve(&administrator, &house.path(&format!("seat-requests/{}", id(&again)))).await.problem(409, "conflict");
        server.advance(DAY).await;
        let (learner, boss) = (Api::of_person(&server, &house.learner, ALL).await, operator(&server).await);
        let third = learner.post("/me/seat-requests", &house.asks("oubli")).await.done(201);
        let person = third["person"].as_str().unwrap();
        let seat = house.path(&format!("members/{person}/seats/oubli"));
        assert_eq!(boss.send(boss.request("PUT", &seat)).await.status, 204);
        let settled = learner.get("/me/seat-requests").await.done(200)["items"][0].clone();
        assert_eq!((&settled["status"], &settled["decided_by"]), (&json!("granted"), &json!("operator")), "{settled}");
        // Who leaves asks for nothing any more.
        assert_eq!(boss.delete(&seat).await.status, 204);
        server.advance(DAY).await;
        let (learner, boss) = (Api::of_person(&server, &house.learner, ALL).await, operator(&server).await);
        let last = learner.post("/me/seat-requests", &house.asks("oubli")).await.done(201);
        assert_eq!(boss.delete(&house.path(&format!("members/{person}"))).await.status, 204);
        let path = house.path(&format!("seat-requests/{}", id(&last)));
        let shown = boss.get(&path).await.done(200);
        assert_eq!((&shown["status"], &shown["decided_by"]), (&json!("withdrawn"), &Value::Null));
        let trail = boss.get(&house.path("audit?limit=200")).await.done(200);
        let line = trail["items"].as_array().unwrap().iter().find(|line| line["event"] == "seat.request_withdrawn").unwrap();
        assert_eq!(line["detail"]["seat_request"], last["id"]);
        // Who left is told of by their id alone.
        let administrator = Api::of_person(&server, &house.administrator, ALL).await;
        let shown = administrator.get(&path).await.done(200);
        assert_eq!((&shown["person"], &shown["family_name"]), (&last["person"], &Value::Null));
        server.kill();
    }

    async fn an_organization_says_what_becomes_of_requests(mut server: TestServer) {
        let boss = operator(&server).await;
        product(&boss, "regle").await;
        let house = House::of(&server);
        open_order(&boss, &server, &house.organization, ("BC-REGLE", "regle", 2)).await;
        let rules = house.path("rules");
        let contact = json!({ "duty": "signatory", "name": "Léa Martin", "email": "gerance@regle.example" });
        boss.post(&house.path("contacts"), &contact).await.done(201);
        let chief = Api::of_person(&server, &house.chief, ALL).await;
        let set_by = async |api: &Api, rule: &str| {
            let answer = api.get(&rules).await;
            api.patch(&rules, answer.header("etag"), &json!({ "seat_requests": rule })).await
        };
        let set = async |rule: &str| set_by(&chief, rule).await;
        // What is billed is agreed to by the organization, not by the operator.
        set_by(&boss, "automatic").await.problem(403, "forbidden");
        assert_eq!(boss.get(&rules).await.done(200)["seat_requests"], "approval");
        set("perhaps").await.problem(422, "invalid_fields");
        let learner = Api::of_person(&server, &house.learner, ALL).await;
        let trainer = Api::of_person(&server, &house.trainer, ALL).await;

        // Off: there is nothing to ask for, on the page and by the API.
        assert_eq!(learner.get("/me/askable-seats").await.done(200)["items"][0]["product"], "regle");
        assert_eq!(set("off").await.done(200)["seat_requests"], "off");
        assert_eq!(learner.get("/me/askable-seats").await.done(200)["items"], json!([]));
        learner.post("/me/seat-requests", &house.asks("regle")).await.problem(409, "conflict");
        let mut browser = Browser::new();
        local_sign_in(&server, &mut browser, &house.learner.login, &house.learner.password).await;
        let page = browser.get(&server.url("/account/seats")).await.page();
        assert!(page.has("seats-none") && !page.has("seats-form"), "{}", page.summary());

        // Automatic: of two at once for the last seat one has it, and the other waits.
        set("automatic").await.done(200);
        let told = Inbox::of(&server).to("gerance@regle.example").await;
        let told: Vec<_> = told.iter().filter(|mail| mail.subject.contains("demandes de place")).map(|mail| &mail.text).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().any(|text| text.contains("d’office")) && told.iter().any(|text| text.contains("ne peuvent plus")), "{told:?}");
        let barrier = Arc::new(Barrier::new(2));
        let tasks: Vec<_> = [learner.clone(), trainer.clone()].into_iter().map(|api| {
            let (barrier, body) = (barrier.clone(), house.asks("regle"));
            tokio::spawn(async move {
                barrier.wait().await;
                api.post("/me/seat-requests", &body).await.done(201)["status"].as_str().unwrap().to_owned()
            })
        }).collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, ["granted", "requested"]);
        assert_eq!(house.holders(&boss, "regle").await.len(), 2);
        assert_eq!(subjects(&server, &house.administrator.login, "demande une place").await, 1, "only what waits is told");

        let administrator = Api::of_person(&server, &house.administrator, ALL).await;
        // Twenty approvals at once of one request give one seat and one letter.
        open_order(&boss, &server, &house.organization, ("BC-REGLE-2", "regle", 3)).await;
        let waiting = boss.get(&house.path("seat-requests?status=requested")).await.done(200)["items"][0].clone();
        let path = house.path(&format!("seat-requests/{}", id(&waiting)));
        let barrier = Arc::new(Barrier::new(20));
        let tasks: Vec<_> = (0..20).map(|_| {
            let (administrator, path, barrier) = (administrator.clone(), path.clone(), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                approve(&administrator, &path).await.status
            })
        }).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        assert_eq!((answers.iter().filter(|status| **status == 200).count(), answers.iter().filter(|status| **status == 409).count()), (1, 19));
        let granted = [&house.learner.login, &house.trainer.login];
        let mut letters = 0;
        for address in granted {
            letters += subjects(&server, address, "est ouverte").await;
        }
        assert_eq!(letters, 1);

        // What an administrator took back no rule gives again.
        let person = id(&learner.get("/me").await.done(200)).to_owned();
        assert_eq!(administrator.delete(&house.path(&format!("members/{person}/seats/regle"))).await.status, 204);
        server.advance(DAY).await;
        let learner = Api::of_person(&server, &house.learner, ALL).await;
        assert_eq!(learner.post("/me/seat-requests", &house.asks("regle")).await.done(201)["status"], "requested");
        // Five may wait, and no more.
        let boss = operator(&server).await;
        for n in 0..5 {
            product(&boss, &format!("autre-{n}")).await;
            let answer = learner.post("/me/seat-requests", &house.asks(&format!("autre-{n}"))).await;
            if n < 4 { answer.done(201) } else { answer.problem(409, "conflict") };
        }
        // The kill switch takes them back with everything else that waits.
        boss.post(&house.path("kill-switch"), &json!({ "reason": "essai" })).await.done(200);
        let waiting = boss.get(&house.path("seat-requests?status=requested")).await.done(200);
        assert_eq!(waiting["items"], json!([]));
        server.kill();
    }

    async fn the_bill_itemises_how_long_each_seat_was_whose(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        product(&boss, "releve").await;
        let house = House::of(&server);
        let first_day = in_days(&server, 0).await;
        open_order(&boss, &server, &house.organization, ("=BC-RELEVE", "releve", 3)).await;
        let learner = Api::of_person(&server, &house.learner, ALL).await;
        let asked = learner.post("/me/seat-requests", &house.asks("releve")).await.done(201);
        let chief = Api::of_person(&server, &house.chief, ALL).await;
        approve(&chief, &house.path(&format!("seat-requests/{}", id(&asked)))).await.done(200);
        server.advance(3 * DAY).await;
        let boss = operator(&server).await;
        let (from, to) = (asked["person"].as_str().unwrap(), Api::of_person(&server, &house.trainer, ALL).await.get("/me").await.done(200));
        let moved = json!({ "from": from, "to": id(&to), "reason": "Remplacement" });
        boss.post(&house.path("seats/releve/transfers"), &moved).await.done(200);
        server.advance(2 * DAY).await;
        let boss = operator(&server).await;
        let today = in_days(&server, 0).await;
        let far = in_days(&server, 200).await;

        let query = |from: &str, to: &str| format!("usage.csv?from={from}&to={to}");
        for (from, to) in [(today.as_str(), first_day.as_str()), ("2020-01-01", "2021-01-01"), (far.as_str(), far.as_str()), ("hier", "demain")] {
            boss.get(&house.path(&query(from, to))).await.problem(400, "invalid_parameter");
        }
        let told = house.path(&query(&first_day, &far));
        let administrator = Api::of_person(&server, &house.administrator, ALL).await;
        administrator.get(&told).await.problem(401, "insufficient_user_authentication");
        learner_refused(&server, &house, &told).await;
        let chief = Api::of_person(&server, &house.chief, ALL).await;
        let answer = chief.get(&told).await;
        let lines = table(&answer);
        let by = |login: &str| lines.iter().find(|line| line["Identifiant"] == login).unwrap_or_else(|| panic!("{lines:?}"));
        let names = ["Origine", "Demande", "Approuvée par", "Jours comptés"];
        assert_eq!(lines.len(), 3, "{lines:?}");
        let chief_id = id(&chief.get("/me").await.done(200)).to_owned();
        assert_eq!(cells(by(&house.learner.login), &names), ["Demande", id(&asked), &chief_id, "4"]);
        assert_eq!(cells(by(&house.trainer.login), &names), ["Transfert", "", "", "3"]);
        assert_eq!(cells(by("'=bc-releve@client.example"), &names), ["Invitation", "", "", "6"]);
        let day = |day: &str| day.split('-').rev().collect::<Vec<_>>().join("/");
        for line in &lines {
            assert_eq!(cells(line, &["Organisation", "Produit", "Commandes", "Dernier jour compté"])[..3], [house.organization.as_str(), "releve", "'=BC-RELEVE"]);
        }
        assert_eq!(by(&house.trainer.login)["Dernier jour compté"], day(&today), "nothing beyond today");
        assert_eq!(by(&house.learner.login)["Libérée le"], by(&house.trainer.login)["Attribuée le"]);
        // Who left is told of by their id alone.
        let left = house.path(&format!("members/{}", id(&to)));
        assert_eq!(boss.delete(&left).await.status, 204);
        let lines = table(&chief.get(&told).await);
        let line = lines.iter().find(|line| line["Personne"] == id(&to)).unwrap();
        assert_eq!(cells(line, &["Identifiant", "Nom", "Prénom", "Jours comptés"]), ["", "", "", "3"]);
        // One day alone.
        let lines = table(&chief.get(&house.path(&query(&today, &today))).await);
        assert_eq!(lines.iter().map(|line| line["Jours comptés"].as_str()).collect::<Vec<_>>(), ["1", "1"]);

        // Without days: this month, until today.
        let lines = table(&chief.get(&house.path("usage.csv")).await);
        let month = today[..8].to_owned() + "01";
        let begun = day(if month.as_str() > first_day.as_str() { &month } else { &first_day });
        assert!(lines.iter().any(|line| cells(line, &["Premier jour compté", "Dernier jour compté"]) == [begun.as_str(), &day(&today)]), "{lines:?}");

        // The operator has that of everybody, with a strong sign-in or by its automation, and nobody else.
        let whole = table(&boss.get(&format!("/{}", query(&first_day, &far))).await);
        assert_eq!(whole.iter().filter(|line| line["Organisation"] == house.organization).count(), 3);
        chief.get(&format!("/{}", query(&first_day, &far))).await.problem(403, "forbidden");
        let weak = Api::of_person(&server, &of_kind(&server, "operator"), ALL).await;
        weak.get(&format!("/{}", query(&first_day, &far))).await.problem(401, "insufficient_user_authentication");
        let trail = boss.get(&house.path("audit?limit=200")).await.done(200);
        assert!(trail["items"].as_array().unwrap().iter().filter(|line| line["event"] == "usage.exported").count() == 4, "{trail}");
        server.kill();
    }

    async fn asking_is_easy_on_a_phone_and_on_a_desktop(mut server: TestServer) {
        let boss = operator(&server).await;
        product(&boss, "cours").await;
        product(&boss, "suivi").await;
        server.manage(&["client", "update", "demo-portal", "--product", "cours"]).await.printed();
        let boss = operator(&server).await;
        let house = House::of(&server);
        open_order(&boss, &server, &house.organization, ("BC-COURS", "cours", 5)).await;
        for (screen, size) in [(Screen::Phone, "phone"), (Screen::Desktop, "desktop")] {
            let person = if size == "phone" { &house.learner } else { &house.trainer };
            let browser = WebDriver::start().await;
            browser.set_screen(screen).await;
            browser.goto(&AuthorizationRequest::of(server.client("demo-portal")).url(&server)).await;
            browser.fill("username", &person.login).await;
            browser.fill("password", &person.password).await;
            browser.click("login-submit").await;
            browser.text("#not-for-you-page").await;
            let turned_away = browser.url().await;
            for language in ["en", "fr"] {
                browser.goto(&format!("{turned_away}?ui_locales={language}")).await;
                browser.text("#not-for-you-page").await;
                fine(&browser, &format!("no-seat-{size}-{language}")).await;
            }
            browser.click("not-for-you-ask").await;
            browser.text("#seats-page").await;
            browser.fill("reason", "Je reprends les dossiers de Zoé.").await;
            browser.click("seats-submit").await;
            assert!(!browser.text("#seats-done").await.is_empty());
            for language in ["en", "fr"] {
                browser.goto(&server.url(&format!("/account/seats?done=asked&ui_locales={language}"))).await;
                browser.text("#seat-requests").await;
                fine(&browser, &format!("seats-{size}-{language}")).await;
            }
            browser.click("withdraw-1").await;
            browser.wait_for_url(&server.url("/account/seats?done=withdrawn")).await;
        }
        server.kill();
    }
}

async fn learner_refused(server: &TestServer, house: &House, path: &str) {
    let learner = Api::of_person(server, &house.learner, ALL).await;
    learner.get(path).await.problem(404, "not_found");
}

/// Nothing is wrong with the page, and nothing has to be scrolled sideways.
async fn fine(browser: &WebDriver, name: &str) {
    browser.screenshot(name).await;
    assert_eq!(browser.axe().await, Vec::<String>::new(), "{name}");
    let wider = browser.script("return document.documentElement.scrollWidth > window.innerWidth").await;
    assert_eq!(wider, false, "nothing to scroll sideways: {name}");
}
