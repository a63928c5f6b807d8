//! What who pays an order is told before they pay, and the payments that are refused until they were. R028. Enrolments have theirs in
//! `enrolments`.

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Inbox, TestServer};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::api::{in_days, new_organization, of_kind, operator};
use crate::seats::{product, step};

const TUTORIAL: &str = "https://www.habilis.example/tutoriel?langue=fr&page=1";

/// A product whose buyers are told something first.
async fn product_that_informs(boss: &Api, id: &str) {
    let body = json!({
        "id": id, "name": format!("Plateforme {id}"), "prior_information": { "url": TUTORIAL, "version": "tutoriel-1" },
    });
    let made = boss.post("/products", &body).await.done(201);
    assert_eq!(made["prior_information"], body["prior_information"], "{made}");
}

/// An order that has only been recorded; it names an administrator.
async fn order(boss: &Api, organization: &str, (day, number, product): (&str, &str, &str)) -> String {
    let body = json!({
        "number": number, "product": product, "seats": 3, "effect_on": day,
        "administrator": { "email": format!("{number}@client.example").to_lowercase(), "given_name": "Anne", "family_name": "Prévost" },
    });
    let made = boss.post(&format!("/organizations/{organization}/orders"), &body).await.done(201);
    assert_eq!((&made["informed_at"], &made["informed_version"]), (&Value::Null, &Value::Null));
    made["id"].as_str().unwrap().to_owned()
}

/// The letters to an address that say what to read before paying.
async fn letters(server: &TestServer, address: &str) -> Vec<String> {
    let mails = Inbox::of(server).to(address).await;
    mails.into_iter().filter(|mail| mail.subject.contains("à lire avant de payer")).map(|mail| mail.text).collect()
}

/// The notices of an order that say so.
async fn notices(boss: &Api, organization: &str, order: &str) -> Vec<Value> {
    let kept = boss.get(&format!("/organizations/{organization}/notices?kind=order")).await.done(200);
    let subject = format!("{order}/informed");
    kept["items"].as_array().unwrap().iter().filter(|notice| notice["subject"] == subject).cloned().collect()
}

fn instant(shown: &Value) -> Timestamp {
    shown.as_str().unwrap_or_else(|| panic!("an instant: {shown}")).parse().unwrap()
}

own_journeys! {
    async fn who_pays_an_order_is_told_how_to_pay_and_start_before(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Acheteuse").await;
        let of = format!("/organizations/{organization}");
        for url in ["http://www.habilis.example/", "https://moi@www.habilis.example/", "https:///x", "https://a b.example/", "javascript:alert(1)"] {
            let wrong = json!({ "id": "informe", "name": "Informe", "prior_information": { "url": url, "version": "1" } });
            let problem = boss.post("/products", &wrong).await.problem(422, "invalid_fields");
            assert_eq!(problem["errors"][0]["pointer"], "/prior_information/url", "{url}");
        }
        product_that_informs(&boss, "informe").await;
        // The last one has an address that was written to already.
        for (duty, email) in [("signatory", "gerance@acheteuse.example"), ("billing", "compta@acheteuse.example"), ("billing", "Gerance@acheteuse.example")] {
            let contact = json!({ "duty": duty, "name": "Léa Martin", "email": email });
            boss.post(&format!("{of}/contacts"), &contact).await.done(201);
        }
        let id = order(&boss, &organization, (&in_days(&server, 0).await, "BC-INF", "informe")).await;
        let told = ["bc-inf@client.example", "gerance@acheteuse.example", "compta@acheteuse.example"];

        // Paid first: refused, and nothing happened.
        let refused = step(&boss, &organization, &id, json!({ "step": "paid" })).await.problem(409, "not_informed");
        assert_eq!(refused["informed_at"], Value::Null);
        assert_eq!(boss.get(&format!("{of}/orders/{id}")).await.done(200)["paid_at"], Value::Null);
        // A letter leaves now; only who was told elsewhere was told on another day.
        let yesterday = in_days(&server, -1).await;
        let problem = step(&boss, &organization, &id, json!({ "step": "informed", "on": yesterday })).await.problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["pointer"], "/text_version");
        assert!(notices(&boss, &organization, &id).await.is_empty());

        // Told: exactly whom it concerns, once each, with the proof of it.
        let shown = step(&boss, &organization, &id, json!({ "step": "informed" })).await.done(200);
        assert_eq!(shown["informed_version"], "tutoriel-1", "{shown}");
        let first = instant(&shown["informed_at"]);
        // Whoever asks again at once, and many at once, flood nobody.
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (boss, organization, id) = (boss.clone(), organization.clone(), id.clone());
                tokio::spawn(async move { step(&boss, &organization, &id, json!({ "step": "informed" })).await })
            })
            .collect();
        for task in tasks {
            let answer = task.await.unwrap();
            answer.problem(429, "rate_limited");
            assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|left| left <= 301));
        }
        for address in told {
            let texts = letters(&server, address).await;
            assert_eq!(texts.len(), 1, "{address}: {texts:?}");
            assert!(texts[0].contains(TUTORIAL) && texts[0].contains("tutoriel-1") && texts[0].contains("Acheteuse"), "{}", texts[0]);
        }
        let kept = notices(&boss, &organization, &id).await;
        assert_eq!((kept.len(), kept[0]["mails"].as_array().unwrap().len()), (1, 3), "{kept:?}");
        for mail in kept[0]["mails"].as_array().unwrap() {
            assert_eq!(mail["template"], "order_information.1");
            assert!(mail["text_sha256"].is_string() && mail["outcome"].is_string(), "{mail}");
        }
        let trail = boss.get(&format!("{of}/audit?limit=200")).await.done(200);
        let line = trail["items"].as_array().unwrap().iter().find(|line| line["event"] == "order.informed").unwrap();
        let detail = &line["detail"];
        assert_eq!((&detail["text_version"], &detail["notice"]), (&json!("tutoriel-1"), &kept[0]["id"]), "{line}");
        assert_eq!((&detail["before"]["informed_at"], &detail["after"]["informed_at"]), (&Value::Null, &shown["informed_at"]), "{line}");

        // Another version: told again, and the first time counts.
        server.advance(301).await;
        let etag = boss.get("/products/informe").await.header("etag").to_owned();
        let other = json!({ "prior_information": { "url": TUTORIAL, "version": "tutoriel-2" } });
        let changed = boss.patch("/products/informe", &etag, &other).await.done(200);
        assert_eq!(changed["prior_information"]["version"], "tutoriel-2");
        let again = step(&boss, &organization, &id, json!({ "step": "informed" })).await.done(200);
        assert_eq!((instant(&again["informed_at"]), &again["informed_version"]), (first, &json!("tutoriel-1")));
        assert!(letters(&server, told[2]).await.iter().any(|text| text.contains("tutoriel-2")));
        assert_eq!(notices(&boss, &organization, &id).await.len(), 2);

        // A payment that is not after it is refused, whatever it is said by.
        server.advance(60).await;
        let earlier = (first - SignedDuration::from_secs(1)).to_string();
        for when in [json!({ "on": yesterday }), json!({ "at": earlier }), json!({ "at": first.to_string() })] {
            let mut body = when.clone();
            body["step"] = json!("paid");
            let refused = step(&boss, &organization, &id, body).await.problem(409, "not_informed");
            assert_eq!(instant(&refused["informed_at"]), first, "{when}");
        }
        let later = first + SignedDuration::from_secs(30);
        for (body, code) in [
            (json!({ "step": "paid", "at": "2999-01-01T00:00:00Z" }), "out_of_range"),
            (json!({ "step": "paid", "at": "2001-01-01T00:00:00Z" }), "out_of_range"),
            (json!({ "step": "paid", "at": later.to_string(), "on": in_days(&server, 0).await }), "contradiction"),
            (json!({ "step": "signed", "at": later.to_string() }), "contradiction"),
        ] {
            let problem = step(&boss, &organization, &id, body).await.problem(422, "invalid_fields");
            assert_eq!((&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]), (&json!("/at"), &json!(code)));
        }
        let problem = step(&boss, &organization, &id, json!({ "step": "paid", "text_version": "1" })).await.problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["pointer"], "/text_version");
        let paid = step(&boss, &organization, &id, json!({ "step": "paid", "at": later.to_string() })).await.done(200);
        assert_eq!((instant(&paid["paid_at"]), instant(&paid["informed_at"])), (later, first));

        // Afterwards nobody is told before; a later invoice is held to nothing.
        step(&boss, &organization, &id, json!({ "step": "informed" })).await.problem(409, "conflict");
        step(&boss, &organization, &id, json!({ "step": "unpaid" })).await.done(200);
        let shown = step(&boss, &organization, &id, json!({ "step": "paid", "on": yesterday })).await.done(200);
        assert_eq!((instant(&shown["paid_at"]), &shown["unpaid_since"]), (later, &Value::Null));
        let exported = boss.get(&format!("{of}/export.jsonl")).await.body;
        let mut lines = exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let line = lines.find(|line| line["type"] == "order").unwrap();
        assert_eq!((instant(&line["data"]["informed_at"]), &line["data"]["informed_version"]), (first, &json!("tutoriel-1")));
        server.kill();
    }

    async fn who_was_offered_to_administer_is_told_before_the_payment(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Offrante").await;
        product_that_informs(&boss, "offert").await;
        let person = of_kind(&server, "trainer");
        let today = in_days(&server, 0).await;
        let new = async |number: &str| {
            let body = json!({
                "number": number, "product": "offert", "seats": 3, "effect_on": today,
                "administrator": { "email": person.login, "given_name": "Nom", "family_name": "Supposé" },
            });
            let made = boss.post(&format!("/organizations/{organization}/orders"), &body).await.done(201);
            made["id"].as_str().unwrap().to_owned()
        };
        // They have an account elsewhere: the place is offered before the order opens, once.
        let id = new("BC-OFF-1").await;
        let shown = step(&boss, &organization, &id, json!({ "step": "acknowledged" })).await.done(200);
        assert!(shown["credentials_mail"].is_string(), "{shown}");
        let offers = boss.get(&format!("/organizations/{organization}/offers?status=open")).await.done(200);
        assert_eq!((offers["items"].as_array().unwrap().len(), &offers["items"][0]["role"]), (1, &json!("administrator")), "{offers}");
        let next = new("BC-OFF-2").await;
        let shown = step(&boss, &organization, &next, json!({ "step": "acknowledged" })).await.done(200);
        assert!(shown["credentials_mail"].is_null() && shown["credentials_sent_at"].is_string(), "{shown}");
        let trail = boss.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
        assert_eq!(trail["items"].as_array().unwrap().iter().filter(|line| line["event"] == "member.offered").count(), 1, "{trail}");

        // Not a member yet, and nobody else is: they are told, and who they are is not.
        step(&boss, &organization, &id, json!({ "step": "informed" })).await.done(200);
        assert_eq!(letters(&server, &person.login).await.len(), 1);
        let kept = notices(&boss, &organization, &id).await;
        let mails = kept[0]["mails"].as_array().unwrap();
        assert_eq!((mails.len(), &mails[0]["person"]), (1, &Value::Null), "{kept:?}");
        // Declined: nobody is left to write to.
        let api = Api::of_person(&server, &person, ALL).await;
        let offer = offers["items"][0]["id"].as_str().unwrap();
        assert_eq!(api.send(api.request("POST", &format!("/me/offers/{offer}/decline"))).await.status, 204);
        step(&boss, &organization, &id, json!({ "step": "informed" })).await.problem(409, "conflict");
        server.kill();
    }

    async fn who_was_told_through_another_channel_is_held_to_the_same_order_of_things(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Avertie").await;
        product_that_informs(&boss, "averti").await;
        product(&boss, "libre").await;
        let mut days = Vec::new();
        for day in [-3, -2, -1, 0] {
            days.push(in_days(&server, day).await);
        }
        let [before, day, after, today] = &days[..] else { unreachable!() };
        let new = async |number: &str, product: &str| order(&boss, &organization, (today, number, product)).await;
        let take = async |id: &str, body: Value| step(&boss, &organization, id, body).await;

        // Of a day that is over the information is certain at its end.
        let id = new("BC-AV1", "averti").await;
        let shown = take(&id, json!({ "step": "informed", "text_version": "papier-2", "on": day })).await.done(200);
        assert_eq!(shown["informed_version"], "papier-2");
        let told = instant(&shown["informed_at"]);
        assert_eq!(told.in_tz("Europe/Paris").unwrap().strftime("%Y-%m-%d %H:%M:%S").to_string(), format!("{day} 23:59:59"));
        assert!(letters(&server, "bc-av1@client.example").await.is_empty() && notices(&boss, &organization, &id).await.is_empty());
        take(&id, json!({ "step": "paid", "on": day })).await.problem(409, "not_informed");
        take(&id, json!({ "step": "paid", "on": before })).await.problem(409, "not_informed");
        let paid = take(&id, json!({ "step": "paid", "on": after })).await.done(200);
        assert!(instant(&paid["paid_at"]) > told, "{paid}");

        // An earlier one that is found later counts; none that is not before the payment.
        take(&id, json!({ "step": "informed", "text_version": "papier-3", "on": after })).await.problem(409, "conflict");
        let shown = take(&id, json!({ "step": "informed", "text_version": "papier-1", "on": before })).await.done(200);
        assert!(instant(&shown["informed_at"]) < told && shown["informed_version"] == "papier-1", "{shown}");

        // Both on one day: the instants say which was first.
        let id = new("BC-AV2", "averti").await;
        let hours = async |hours: i64| (server.now().await - SignedDuration::from_hours(hours)).to_string();
        take(&id, json!({ "step": "informed", "text_version": "papier-2", "at": hours(3).await })).await.done(200);
        take(&id, json!({ "step": "paid", "at": hours(4).await })).await.problem(409, "not_informed");
        take(&id, json!({ "step": "paid", "at": hours(2).await })).await.done(200);

        // Paid today is paid this morning, for all one knows; told today is told by now.
        let id = new("BC-AV4", "averti").await;
        let shown = take(&id, json!({ "step": "informed", "text_version": "papier-2", "on": today })).await.done(200);
        server.advance(60).await;
        let refused = take(&id, json!({ "step": "paid", "on": today })).await.problem(409, "not_informed");
        assert_eq!(refused["informed_at"], shown["informed_at"]);
        let paid = take(&id, json!({ "step": "paid" })).await.done(200);
        assert!(instant(&paid["paid_at"]) > instant(&shown["informed_at"]), "{paid}");

        // A product that asks nothing: paid as ever; who was told all the same, was told before.
        let id = new("BC-LIB1", "libre").await;
        take(&id, json!({ "step": "informed" })).await.problem(409, "conflict");
        take(&id, json!({ "step": "paid", "on": before })).await.done(200);
        let id = new("BC-LIB2", "libre").await;
        take(&id, json!({ "step": "informed", "text_version": "papier-2", "on": day })).await.done(200);
        take(&id, json!({ "step": "paid", "on": day })).await.problem(409, "not_informed");
        take(&id, json!({ "step": "paid" })).await.done(200);

        // Asked no more: nothing to wait for.
        let id = new("BC-AV3", "averti").await;
        take(&id, json!({ "step": "paid" })).await.problem(409, "not_informed");
        let etag = boss.get("/products/averti").await.header("etag").to_owned();
        let changed = boss.patch("/products/averti", &etag, &json!({ "prior_information": null })).await.done(200);
        assert_eq!(changed["prior_information"], Value::Null);
        take(&id, json!({ "step": "paid" })).await.done(200);
        server.kill();
    }
}
