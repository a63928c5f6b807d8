//! Orders, seats and trials: what opens access, how many get in, and when it stops. Issue 6; R020–R024, R060–R074, R087.

use std::collections::BTreeSet;
use std::sync::Arc;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::protocol::{
    AuthorizationRequest, Tokens, post_as, redeem, refresh, tokens_for, userinfo,
};
use habilis_integration_tests::{Answer, Api, Browser, Client, Engine, Inbox, Person, TestServer, Visit};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::activation::{activate, link_to};
use crate::api::{in_days, invited, new_member, new_organization, of_kind, operator, organization_of_kind, personnel};
use crate::forgot::{NEW, ask, local_sign_in};

const DAY: u64 = 86_400;

/// A product of one's own.
pub(crate) async fn product(boss: &Api, id: &str) {
    boss.post("/products", &json!({ "id": id, "name": format!("Plateforme {id}"), "trial_seats": 3 })).await.done(201);
}

/// An order that has only been recorded.
async fn order(boss: &Api, organization: &str, body: Value) -> String {
    let made = boss.post(&format!("/organizations/{organization}/orders"), &body).await.done(201);
    made["id"].as_str().unwrap().to_owned()
}

fn form(server_day: &str, number: &str, product: &str, seats: u32) -> Value {
    json!({
        "number": number, "product": product, "seats": seats, "effect_on": server_day,
        "administrator": { "email": format!("{number}@client.example").to_lowercase(), "given_name": "Anne", "family_name": "Prévost" },
    })
}

pub(crate) async fn step(boss: &Api, organization: &str, order: &str, body: Value) -> Answer {
    boss.post(&format!("/organizations/{organization}/orders/{order}/steps"), &body).await
}

/// An order that is acknowledged, signed and so open; its administrator is invited.
pub(crate) async fn open_order(
    boss: &Api,
    server: &TestServer,
    organization: &str,
    (number, product, seats): (&str, &str, u32),
) -> String {
    let id = order(boss, organization, form(&in_days(server, 0).await, number, product, seats)).await;
    step(boss, organization, &id, json!({ "step": "acknowledged" })).await.done(200);
    let shown = step(boss, organization, &id, json!({ "step": "signed" })).await.done(200);
    assert_eq!(shown["standing"], "open", "{shown}");
    id
}

async fn pool(api: &Api, organization: &str) -> Value {
    let found = api.get(&format!("/organizations/{organization}/seats")).await.done(200);
    found["items"].as_array().unwrap().last().cloned().unwrap_or_default()
}

/// Limit and seats taken.
async fn figures(api: &Api, organization: &str) -> (u64, u64) {
    let pool = pool(api, organization).await;
    (pool["limit"].as_u64().unwrap(), pool["taken"].as_u64().unwrap())
}

/// Runs so many requests at once; gives how each ended.
async fn at_once(requests: impl IntoIterator<Item = (Api, String, Value)>) -> Vec<Answer> {
    let requests: Vec<_> = requests.into_iter().collect();
    let barrier = Arc::new(Barrier::new(requests.len()));
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|(api, path, body)| {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                barrier.wait().await;
                api.post(&path, &body).await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

journeys! {
    async fn an_order_opens_seats_once_it_is_acknowledged_and_signed_and_its_administrator_is_invited_once(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Abonnée").await;
        product(&boss, "opening").await;
        let members = format!("/organizations/{organization}/members");
        let today = in_days(server, 0).await;
        let id = order(&boss, &organization, form(&today, "BC-OUV", "opening", 3)).await;
        let orders = format!("/organizations/{organization}/orders");
        let shown = boss.get(&format!("{orders}/{id}")).await.done(200);
        assert_eq!((&shown["standing"], &shown["missing"]), (&json!("awaiting"), &json!("acknowledgement")));
        assert_eq!(figures(&boss, &organization).await, (0, 0));
        let refused = boss.post(&members, &new_member("ouv-1")).await.problem(409, "seat_limit_reached");
        assert_eq!((&refused["limit"], &refused["taken"], &refused["product"]), (&json!(0), &json!(0), &json!("opening")));

        let shown = step(&boss, &organization, &id, json!({ "step": "acknowledged" })).await.done(200);
        assert_eq!(shown["missing"], "signature");
        assert!(shown["credentials_mail"].as_str().is_some_and(|mail| mail.starts_with("mail_")), "{shown}");
        step(&boss, &organization, &id, json!({ "step": "acknowledged" })).await.problem(409, "conflict");
        assert_eq!(Inbox::of(server).to("bc-ouv@client.example").await.len(), 1, "one invitation, and one only");
        // The administrator sits before the order opens, and counts (R022, Q09).
        assert_eq!(figures(&boss, &organization).await, (0, 1));
        boss.post(&members, &new_member("ouv-1")).await.problem(409, "seat_limit_reached");

        let shown = step(&boss, &organization, &id, json!({ "step": "signed" })).await.done(200);
        assert_eq!((&shown["standing"], &shown["missing"]), (&json!("open"), &Value::Null));
        assert_eq!(figures(&boss, &organization).await, (3, 1));
        boss.post(&members, &new_member("ouv-1")).await.done(201);
        boss.post(&members, &new_member("ouv-2")).await.done(201);
        boss.post(&members, &new_member("ouv-3")).await.problem(409, "seat_limit_reached");
        assert_eq!(pool(&boss, &organization).await["level"], "full");
        // A refusal leaves nobody behind.
        assert_eq!(boss.get("/people?q=ouv-3@societe.example").await.done(200)["items"], json!([]));

        // The limit is what orders open: a larger one raises it at once.
        let second = open_order(&boss, server, &organization, ("BC-OUV-2", "opening", 2)).await;
        assert_eq!(figures(&boss, &organization).await, (5, 4), "the administrator of the second form sits as well");
        boss.post(&members, &new_member("ouv-3")).await.done(201);
        boss.post(&members, &new_member("ouv-4")).await.problem(409, "seat_limit_reached");
        assert_ne!(second, id);
        let numbers: Vec<_> = boss.get(&orders).await.done(200)["items"].as_array().unwrap().iter().map(|order| order["number"].clone()).collect();
        assert_eq!(numbers, ["BC-OUV", "BC-OUV-2"]);
    }

    async fn fifty_at_once_for_ten_seats_give_ten(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Foule").await;
        product(&boss, "crowd").await;
        open_order(&boss, server, &organization, ("BC-FOULE", "crowd", 11)).await;
        let members = format!("/organizations/{organization}/members");
        let invite = |index: usize| (boss.clone(), members.clone(), new_member(&format!("foule-{index}")));
        let answers = at_once((0..50).map(invite)).await;
        assert_eq!((count(&answers, 201), count(&answers, 409)), (10, 40));
        assert_eq!(figures(&boss, &organization).await, (11, 11));
        let holders = boss.get(&format!("/organizations/{organization}/seats/crowd/holders?limit=200")).await.done(200);
        let people: BTreeSet<_> = holders["items"].as_array().unwrap().iter().map(|holder| holder["person"].as_str().unwrap()).collect();
        assert_eq!(people.len(), 11);
        assert!(holders["items"].as_array().unwrap().iter().all(|holder| holder["state"] == "held"));

        // Those who go make room for as many, at once.
        let leavers: Vec<_> = people.iter().take(4).map(|person| (*person).to_owned()).collect();
        for person in &leavers[..] {
            // The administrator named by the order may be among them: they are the only one.
            let answer = boss.delete(&format!("{members}/{person}")).await;
            assert!(answer.status == 204 || answer.problem(409, "last_administrator").is_object());
        }
        let (_, taken) = figures(&boss, &organization).await;
        let room = usize::try_from(11 - taken).unwrap();
        assert!(room >= 3);
        let answers = at_once((50..70).map(invite)).await;
        assert_eq!((count(&answers, 201), count(&answers, 409)), (room, 20 - room));
        assert_eq!(figures(&boss, &organization).await, (11, 11));
    }

    async fn every_way_in_takes_a_seat_and_every_way_out_frees_it(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Portes").await;
        product(&boss, "doors").await;
        open_order(&boss, server, &organization, ("BC-PORTES", "doors", 3)).await;
        let of = format!("/organizations/{organization}");
        let members = format!("{of}/members");
        // By an offer to somebody who has an account.
        let person = of_kind(server, "trainer");
        let api = Api::of_person(server, &person, ALL).await;
        let body = json!({ "email": person.login, "given_name": "Nom", "family_name": "Supposé" });
        let offer = boss.post(&members, &body).await.done(202)["id"].as_str().unwrap().to_owned();
        assert_eq!(figures(&boss, &organization).await, (3, 2));
        // Withdrawn: free again.
        assert_eq!(boss.delete(&format!("{of}/offers/{offer}")).await.status, 204);
        assert_eq!(figures(&boss, &organization).await, (3, 1));
        let post = async |path: String| api.send(api.request("POST", &path)).await;
        let offer = boss.post(&members, &body).await.done(202)["id"].as_str().unwrap().to_owned();
        assert_eq!(post(format!("/me/offers/{offer}/decline")).await.status, 204);
        assert_eq!(figures(&boss, &organization).await, (3, 1));
        let offer = boss.post(&members, &body).await.done(202)["id"].as_str().unwrap().to_owned();
        assert_eq!(post(format!("/me/offers/{offer}/accept")).await.status, 204);
        assert_eq!(figures(&boss, &organization).await, (3, 2));
        let me = api.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        // Suspended people keep their seat.
        let status = async |to: &str| {
            boss.put(&format!("{members}/{me}/status"), &json!({ "status": to, "reason": "essai" })).await
        };
        status("suspended").await.done(200);
        assert_eq!(figures(&boss, &organization).await, (3, 2));

        // Handed over while its holder was suspended: who comes back takes one again, if there is one.
        let other = boss.post(&members, &new_member("portes-1")).await.done(201)["id"].as_str().unwrap().to_owned();
        assert_eq!(boss.delete(&format!("{members}/{other}/seats/doors")).await.status, 204);
        assert_eq!(figures(&boss, &organization).await, (3, 2));
        boss.delete(&format!("{members}/{other}/seats/doors")).await.problem(404, "not_found");
        let transfer = json!({ "from": me, "to": other, "reason": "remplacement" });
        let shown = boss.post(&format!("{of}/seats/doors/transfers"), &transfer).await.done(200);
        assert_eq!((&shown["transfers"], &shown["taken"]), (&json!(1), &json!(2)));
        boss.post(&format!("{of}/seats/doors/transfers"), &transfer).await.problem(409, "conflict");
        boss.post(&members, &new_member("portes-2")).await.done(201);
        status("active").await.problem(409, "seat_limit_reached");
        assert_eq!(boss.get(&format!("{members}/{me}")).await.done(200)["status"], "suspended");
        assert_eq!(boss.delete(&format!("{members}/{other}")).await.status, 204);
        status("active").await.done(200);
        assert_eq!(figures(&boss, &organization).await, (3, 3));

        // What happened is told.
        let history = boss.get(&format!("{of}/seats/doors/history?limit=200")).await.done(200);
        let mut told: Vec<_> = history["items"].as_array().unwrap().iter().rev().map(|line| line["event"].as_str().unwrap()).collect();
        let expected = [
            "held", "held", "released", "held", "released", "held", "assigned", "held", "released", "given_over", "taken_over", "held", "released",
            "assigned",
        ];
        // Both halves of a transfer are of one instant.
        told[9..11].sort_unstable();
        assert_eq!(told, expected);
        boss.put(&format!("{members}/{me}/seats/nothing"), &json!({})).await.problem(400, "malformed_request");
        boss.send(boss.request("PUT", &format!("{members}/{me}/seats/nothing"))).await.problem(404, "not_found");
        boss.post(&format!("{of}/seats/doors/transfers"), &json!({ "from": me, "to": "usr_nobody", "reason": "x" })).await.problem(422, "invalid_fields");
    }

    async fn what_contradicts_is_refused_with_its_reason(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Contraires").await;
        product(&boss, "odd").await;
        product(&boss, "odd-other").await;
        let today = in_days(server, 0).await;
        let orders = format!("/organizations/{organization}/orders");
        let with = |number: &str, changes: Value| {
            let mut body = form(&today, number, "odd", 5);
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            body
        };
        let first = open_order(&boss, server, &organization, ("BC-C1", "odd", 5)).await;
        let wrong = [
            ("/number", "taken", with("BC-C1", json!({}))),
            ("/product", "unknown", with("BC-C2", json!({ "product": "nothing" }))),
            ("/seats", "out_of_range", with("BC-C2", json!({ "seats": 0 }))),
            ("/effect_on", "out_of_range", with("BC-C2", json!({ "effect_on": in_days(server, -40).await }))),
            ("/effect_on", "out_of_range", with("BC-C2", json!({ "effect_on": in_days(server, 800).await }))),
            ("/last_day", "out_of_range", with("BC-C2", json!({ "last_day": in_days(server, -1).await }))),
            ("/mode", "contradiction", with("BC-C2", json!({ "mode": "concurrent" }))),
            ("/supersedes", "unknown", with("BC-C2", json!({ "supersedes": "ord_nothing" }))),
            ("/supersedes", "contradiction", with("BC-C2", json!({ "supersedes": first, "product": "odd-other" }))),
            ("/option_of", "unknown", with("BC-C2", json!({ "option_of": "ord_nothing" }))),
            ("/option_of", "contradiction", with("BC-C2", json!({ "option_of": first, "supersedes": first }))),
        ];
        for (pointer, code, body) in wrong {
            let problem = boss.post(&orders, &body).await.problem(422, "invalid_fields");
            assert_eq!((&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]), (&json!(pointer), &json!(code)), "{body}");
        }
        // A smaller order has to leave room for who sits.
        let members = format!("/organizations/{organization}/members");
        for index in 0..3 {
            boss.post(&members, &new_member(&format!("contraire-{index}"))).await.done(201);
        }
        let small = with("BC-C3", json!({ "supersedes": first, "seats": 3 }));
        assert_eq!(boss.post(&orders, &small).await.problem(409, "seats_below_use")["taken"], 4);
        // Not sold any more: replaced, not ordered anew (R078).
        let etag = boss.get("/products/odd").await.header("etag").to_owned();
        boss.patch("/products/odd", &etag, &json!({ "sold": false })).await.done(200);
        boss.post(&orders, &with("BC-C4", json!({}))).await.problem(422, "invalid_fields");
        let larger = order(&boss, &organization, with("BC-C5", json!({ "supersedes": first, "seats": 9 }))).await;
        boss.post(&orders, &with("BC-C6", json!({ "supersedes": first, "seats": 9 }))).await.problem(422, "invalid_fields");
        // The old one stays open until the new one is: no gap, no sum (R066).
        assert_eq!(figures(&boss, &organization).await, (5, 4));
        step(&boss, &organization, &larger, json!({ "step": "signed" })).await.done(200);
        assert_eq!(figures(&boss, &organization).await, (5, 4));
        step(&boss, &organization, &larger, json!({ "step": "acknowledged" })).await.done(200);
        assert_eq!(figures(&boss, &organization).await, (9, 5), "the new administrator sits as well");
        let old = boss.get(&format!("{orders}/{first}")).await.done(200);
        assert_eq!((&old["standing"], &old["closed"]), (&json!("closed"), &json!("superseded")));
        for (body, status, code) in [
            (json!({ "step": "signed" }), 409, "conflict"),
            (json!({ "step": "terminated", "on": in_days(server, 3).await }), 422, "invalid_fields"),
            (json!({ "step": "terminated", "on": in_days(server, -3).await, "reason": "x" }), 422, "invalid_fields"),
            (json!({ "step": "paid", "on": in_days(server, 3).await }), 422, "invalid_fields"),
        ] {
            step(&boss, &organization, &larger, body).await.problem(status, code);
        }
        // Suspended: nobody new, no access; reinstated: as before.
        let status = format!("{orders}/{larger}/status");
        let suspended = json!({ "status": "suspended", "reason": "signalement", "breach": "usage interdit", "remedy": "cesser" });
        boss.put(&status, &json!({ "status": "active", "reason": "x" })).await.problem(409, "conflict");
        boss.put(&status, &json!({ "status": "suspended", "reason": "x", "breach": "impayé" })).await.problem(422, "invalid_fields");
        let closed = boss.put(&status, &suspended).await.done(200);
        assert_eq!((&closed["standing"], &closed["closed"]), (&json!("closed"), &json!("suspended")), "{closed}");
        boss.put(&status, &suspended).await.problem(409, "conflict");
        assert_eq!(figures(&boss, &organization).await, (0, 5));
        boss.put(&status, &json!({ "status": "active", "reason": "cessé" })).await.done(200);
        assert_eq!(figures(&boss, &organization).await, (9, 5));
        // Its administrators were told in writing, both times, and the proof is with the measure (R085).
        let told = boss.get(&format!("/organizations/{organization}/measures")).await.done(200);
        let measure = &told["items"][0];
        assert_eq!((&measure["subject_kind"], &measure["subject"], &measure["measure"]), (&json!("order"), &json!(larger), &json!("suspension")));
        assert_eq!((measure["notices"].as_array().unwrap().len(), measure["lifted_at"].is_string()), (4, true), "{measure}");
        // Terminated for a breach: a formal notice, or what cannot be repaired; then it stays so (R084, R086).
        let terminated = |more: Value| {
            let mut body = json!({ "status": "terminated", "reason": "récidive", "breach": "usage interdit" });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        boss.put(&status, &terminated(json!({}))).await.problem(409, "formal_notice_needed");
        let notice = json!({ "subject_kind": "order", "subject": larger, "reason": "récidive", "breach": "usage interdit", "remedy": "cesser" });
        assert_eq!(boss.post("/formal-notices", &notice).await.done(201)["subject_kind"], "order");
        boss.put(&status, &terminated(json!({}))).await.problem(409, "formal_notice_needed");
        let over = boss.put(&status, &terminated(json!({ "irreparable": "faux documents" }))).await.done(200);
        assert_eq!((&over["standing"], over["terminated_on"].is_string()), (&json!("closed"), true), "{over}");
        assert_eq!(figures(&boss, &organization).await, (0, 5));
        boss.put(&status, &json!({ "status": "active", "reason": "x" })).await.problem(409, "conflict");
        let elsewhere = organization_of_kind(server, "cfa");
        boss.put(&format!("/organizations/{elsewhere}/orders/{larger}/status"), &suspended).await.problem(404, "not_found");
    }
}

journeys! {
    async fn a_larger_order_keeps_the_options_of_the_one_whose_place_it_takes(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Options").await;
        product(&boss, "optional").await;
        let orders = format!("/organizations/{organization}/orders");
        let today = in_days(server, 0).await;
        let first = open_order(&boss, server, &organization, ("BC-OPT-1", "optional", 5)).await;
        let bare = |number: &str, changes: Value| {
            let mut body = json!({ "number": number, "product": "optional", "seats": 3, "effect_on": today });
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            body
        };
        let signed = async |body: Value| {
            let id = order(&boss, &organization, body).await;
            step(&boss, &organization, &id, json!({ "step": "acknowledged" })).await.done(200);
            step(&boss, &organization, &id, json!({ "step": "signed" })).await.done(200);
            id
        };
        let option = signed(bare("BC-OPT-2", json!({ "option_of": first }))).await;
        // One that states its last day ends then, unless it says that it renews itself.
        let until = in_days(server, 30).await;
        let stated = order(&boss, &organization, bare("BC-OPT-3", json!({ "option_of": first, "last_day": until }))).await;
        let shown = boss.get(&format!("{orders}/{stated}")).await.done(200);
        assert_eq!((&shown["renewal"], &shown["final_day"]), (&json!("none"), &json!(until)));
        for index in 0..5 {
            boss.post(&format!("/organizations/{organization}/members"), &new_member(&format!("option-{index}"))).await.done(201);
        }
        assert_eq!(figures(&boss, &organization).await, (8, 6));
        // What will be open after the switch counts: the option goes on, and what nobody signed opens nothing.
        let small = bare("BC-OPT-4", json!({ "supersedes": first, "seats": 2 }));
        assert_eq!(boss.post(&orders, &small).await.problem(409, "seats_below_use")["taken"], 6);
        signed(bare("BC-OPT-4", json!({ "supersedes": first, "seats": 4 }))).await;
        let of = async |id: &str| boss.get(&format!("{orders}/{id}")).await.done(200);
        assert_eq!(of(&first).await["closed"], "superseded");
        assert_eq!(of(&option).await["standing"], "open");
        assert_eq!(figures(&boss, &organization).await, (7, 6));
    }

    async fn an_order_that_was_called_off_blocks_nothing(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Annulées").await;
        product(&boss, "voided").await;
        let orders = format!("/organizations/{organization}/orders");
        let today = in_days(server, 0).await;
        let with = |number: &str, changes: Value| {
            let mut body = form(&today, number, "voided", 9);
            body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            body
        };
        let refused = async |body: &Value, pointer: &str| {
            let problem = boss.post(&orders, body).await.problem(422, "invalid_fields");
            assert_eq!((&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]), (&json!(pointer), &json!("contradiction")), "{body}");
        };
        let call_off = async |id: &str| {
            let body = json!({ "step": "terminated", "on": today, "reason": "formulaire erroné" });
            step(&boss, &organization, id, body).await.done(200);
        };
        let first = open_order(&boss, server, &organization, ("BC-ANN-1", "voided", 5)).await;
        let second = order(&boss, &organization, with("BC-ANN-2", json!({ "supersedes": first }))).await;
        let third = with("BC-ANN-3", json!({ "supersedes": first }));
        refused(&third, "/supersedes").await;
        call_off(&second).await;
        // Nothing completes it any more, and nothing is left of it to take the place of.
        for name in ["acknowledged", "signed"] {
            step(&boss, &organization, &second, json!({ "step": name })).await.problem(409, "conflict");
        }
        refused(&with("BC-ANN-4", json!({ "supersedes": second })), "/supersedes").await;
        let third = order(&boss, &organization, third).await;
        refused(&with("BC-ANN-4", json!({ "supersedes": first })), "/supersedes").await;
        step(&boss, &organization, &third, json!({ "step": "acknowledged" })).await.done(200);
        assert_eq!(figures(&boss, &organization).await, (5, 2));
        step(&boss, &organization, &third, json!({ "step": "signed" })).await.done(200);
        assert_eq!(figures(&boss, &organization).await, (9, 2), "in the place of the first, not beside it");
        assert_eq!(boss.get(&format!("{orders}/{first}")).await.done(200)["closed"], "superseded");

        // Nor how it would have counted seats.
        let other = new_organization(&boss, "Confondue").await;
        let orders_of_other = format!("/organizations/{other}/orders");
        let wrong = order(&boss, &other, with("BC-ANN-5", json!({ "mode": "concurrent" }))).await;
        let named = with("BC-ANN-6", json!({}));
        let problem = boss.post(&orders_of_other, &named).await.problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["pointer"], "/mode");
        let off = json!({ "step": "terminated", "on": today, "reason": "formulaire erroné" });
        step(&boss, &other, &wrong, off).await.done(200);
        boss.post(&orders_of_other, &named).await.done(201);
    }

    async fn an_order_that_replaces_one_which_opens_nothing_is_acknowledged(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Corrigée").await;
        product(&boss, "corrected").await;
        let today = in_days(server, 0).await;
        let wrong = order(&boss, &organization, form(&today, "BC-COR-1", "corrected", 10)).await;
        let mut body = form(&today, "BC-COR-2", "corrected", 10);
        body["supersedes"] = json!(wrong);
        let right = order(&boss, &organization, body).await;
        step(&boss, &organization, &right, json!({ "step": "acknowledged" })).await.done(200);
        assert_eq!(figures(&boss, &organization).await, (0, 1));
        let shown = step(&boss, &organization, &right, json!({ "step": "signed" })).await.done(200);
        assert_eq!((&shown["standing"], figures(&boss, &organization).await), (&json!("open"), (10, 1)), "{shown}");
    }

    async fn an_order_names_a_member_and_they_administer(server: &TestServer) {
        let boss = operator(server).await;
        product(&boss, "office").await;
        let today = in_days(server, 0).await;
        let naming = |mail: &str| {
            let mut body = form(&today, &format!("BC-{mail}"), "office", 3);
            body["administrator"]["email"] = json!(format!("{mail}@societe.example"));
            body
        };
        let acknowledge = async |organization: &str, id: &str| step(&boss, organization, id, json!({ "step": "acknowledged" })).await;

        // Invited as a member, and not there yet: administrator, and invited again.
        let organization = new_organization(&boss, "Attendue").await;
        let contact = json!({ "duty": "signatory", "name": "Léa Martin", "email": "gerance@attendue.example" });
        boss.post(&format!("/organizations/{organization}/contacts"), &contact).await.done(201);
        let person = invited(&boss, &organization, &new_member("office-attendue")).await;
        let id = order(&boss, &organization, naming("office-attendue")).await;
        let shown = acknowledge(&organization, &id).await.done(200);
        assert!(shown["credentials_mail"].is_string() && shown["credentials_sent_at"].is_string(), "{shown}");
        link_to(server, ("office-attendue@societe.example", "/activate/"), 2).await;
        let member = boss.get(&format!("/organizations/{organization}/members/{person}")).await.done(200);
        assert_eq!((&member["role"], figures(&boss, &organization).await), (&json!("administrator"), (0, 1)), "{member}");
        let told = Inbox::of(server).to("gerance@attendue.example").await;
        assert_eq!(told.iter().filter(|mail| mail.subject.contains("administrateurs modifiés")).count(), 1, "{told:?}");
        let trail = boss.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
        let promoted = trail["items"].as_array().unwrap().iter().find(|line| line["event"] == "member.role_changed").unwrap();
        assert_eq!((&promoted["detail"]["before"]["role"], &promoted["detail"]["after"]["role"]), (&json!("member"), &json!("administrator")), "{promoted}");
        let shown = step(&boss, &organization, &id, json!({ "step": "signed" })).await.done(200);
        assert_eq!(shown["standing"], "open", "{shown}");

        // With an account that is open: nothing to send.
        let organization = new_organization(&boss, "Présente").await;
        let person = invited(&boss, &organization, &new_member("office-presente")).await;
        let link = link_to(server, ("office-presente@societe.example", "/activate/"), 1).await;
        activate(&mut Browser::new(), &link, NEW).await;
        let id = order(&boss, &organization, naming("office-presente")).await;
        let shown = acknowledge(&organization, &id).await.done(200);
        assert!(shown["credentials_mail"].is_null() && shown["credentials_sent_at"].is_string(), "{shown}");
        let member = boss.get(&format!("/organizations/{organization}/members/{person}")).await.done(200);
        assert_eq!((&member["role"], &member["account_status"]), (&json!("administrator"), &json!("active")), "{member}");
        assert_eq!(figures(&boss, &organization).await, (0, 1));
        // Somebody administers now: another member whom a form names stays what they are.
        step(&boss, &organization, &id, json!({ "step": "signed" })).await.done(200);
        let other = invited(&boss, &organization, &new_member("office-autre")).await;
        let id = order(&boss, &organization, naming("office-autre")).await;
        let shown = acknowledge(&organization, &id).await.done(200);
        assert!(shown["credentials_mail"].is_null() && shown["credentials_sent_at"].is_string(), "{shown}");
        assert_eq!(boss.get(&format!("/organizations/{organization}/members/{other}")).await.done(200)["role"], "member");

        // Suspended: nobody administers, and nothing opens.
        let organization = new_organization(&boss, "Écartée").await;
        let person = invited(&boss, &organization, &new_member("office-ecartee")).await;
        let suspended = json!({ "status": "suspended", "reason": "essai" });
        boss.put(&format!("/organizations/{organization}/members/{person}/status"), &suspended).await.done(200);
        let id = order(&boss, &organization, naming("office-ecartee")).await;
        acknowledge(&organization, &id).await.problem(409, "conflict");
        let shown = boss.get(&format!("/organizations/{organization}/orders/{id}")).await.done(200);
        assert_eq!((&shown["acknowledged_at"], &shown["credentials_sent_at"]), (&Value::Null, &Value::Null), "{shown}");
        assert_eq!(boss.get(&format!("/organizations/{organization}/members/{person}")).await.done(200)["role"], "member");
    }
}

own_journeys! {
    async fn seats_are_counted_as_the_order_says_that_is_open(mut server: TestServer) {
        server.advance_to_noon().await;
        let mut boss = operator(&server).await;
        product(&boss, "modes").await;
        let mut organizations = Vec::new();
        for (number, before, after) in [("BC-MODE-N", "named", "concurrent"), ("BC-MODE-C", "concurrent", "named")] {
            let organization = new_organization(&boss, number).await;
            let mut body = form(&in_days(&server, 0).await, number, "modes", 2);
            body["mode"] = json!(before);
            let first = order(&boss, &organization, body).await;
            step(&boss, &organization, &first, json!({ "step": "acknowledged" })).await.done(200);
            assert_eq!(pool(&boss, &organization).await["mode"], "named", "not signed: nothing is ordered");
            step(&boss, &organization, &first, json!({ "step": "signed" })).await.done(200);
            assert_eq!(pool(&boss, &organization).await["mode"], before);
            let next = json!({
                "number": format!("{number}-2"), "product": "modes", "seats": 9, "mode": after, "supersedes": first,
                "effect_on": in_days(&server, 10).await,
            });
            let next = order(&boss, &organization, next).await;
            assert_eq!(pool(&boss, &organization).await["mode"], before, "recorded");
            step(&boss, &organization, &next, json!({ "step": "acknowledged" })).await.done(200);
            step(&boss, &organization, &next, json!({ "step": "signed" })).await.done(200);
            assert_eq!(pool(&boss, &organization).await["mode"], before, "signed, and not open yet");
            // By names the third is one too many, by connections any number may hold a seat.
            let members = format!("/organizations/{organization}/members");
            boss.post(&members, &new_member(&format!("{number}-1").to_lowercase())).await.done(201);
            let third = boss.post(&members, &new_member(&format!("{number}-2").to_lowercase())).await;
            if before == "named" { third.problem(409, "seat_limit_reached") } else { third.done(201) };
            organizations.push((organization, after));
        }
        server.advance(10 * DAY).await;
        boss = operator(&server).await;
        for (organization, after) in &organizations {
            let pool = pool(&boss, organization).await;
            assert_eq!((&pool["mode"], &pool["limit"]), (&json!(after), &json!(9)), "{pool}");
        }
        server.kill();
    }

    async fn administrators_are_told_when_seats_run_out_and_each_time_once(mut server: TestServer) {
        server.advance_to_noon().await;
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Comble").await;
        product(&boss, "letters").await;
        let first = open_order(&boss, &server, &organization, ("BC-COMBLE", "letters", 10)).await;
        let members = format!("/organizations/{organization}/members");
        let (mut people, mut mails) = (Vec::new(), 0..);
        let mut invite = async |boss: &Api, people: &mut Vec<String>, count: usize| {
            for number in mails.by_ref().take(count) {
                let new = new_member(&format!("comble-{number}"));
                people.push(boss.post(&members, &new).await.done(201)["id"].as_str().unwrap().to_owned());
            }
        };
        let remove = async |boss: &Api, people: &mut Vec<String>, count: usize| {
            for _ in 0..count {
                let person = people.pop().unwrap();
                assert_eq!(boss.delete(&format!("{members}/{person}")).await.status, 204);
            }
        };
        // Letters at 80 %, when all are taken, and when more are taken than there are.
        let told = async |server: &TestServer| {
            let mails = Inbox::of(server).to("bc-comble@client.example").await;
            ["bientôt plus de places", ": plus de places", "plus de personnes que de places"]
                .map(|words| mails.iter().filter(|mail| mail.subject.contains(words)).count())
        };
        assert_eq!(told(&server).await, [0, 0, 0], "the administrator sits before the order opens: that is not too many");
        invite(&boss, &mut people, 6).await;
        assert_eq!((figures(&boss, &organization).await, told(&server).await), ((10, 7), [0, 0, 0]));
        invite(&boss, &mut people, 1).await;
        assert_eq!(told(&server).await, [1, 0, 0]);
        invite(&boss, &mut people, 1).await;
        assert_eq!(told(&server).await, [1, 0, 0]);
        invite(&boss, &mut people, 1).await;
        assert_eq!(told(&server).await, [1, 1, 0]);
        // One leaves, another comes: full again, and told again.
        remove(&boss, &mut people, 1).await;
        assert_eq!(told(&server).await, [1, 1, 0]);
        invite(&boss, &mut people, 1).await;
        assert_eq!(told(&server).await, [1, 2, 0]);
        remove(&boss, &mut people, 5).await;
        invite(&boss, &mut people, 3).await;
        assert_eq!(told(&server).await, [2, 2, 0]);
        invite(&boss, &mut people, 2).await;
        assert_eq!((figures(&boss, &organization).await, told(&server).await), ((10, 10), [2, 3, 0]));

        // Two more until tomorrow: then eleven sit where ten may, and keep their seats.
        let (today, tomorrow) = (in_days(&server, 0).await, in_days(&server, 1).await);
        let more = json!({
            "number": "BC-COMBLE-2", "product": "letters", "seats": 2, "effect_on": today, "last_day": tomorrow, "renewal": "none",
        });
        let more = order(&boss, &organization, more).await;
        step(&boss, &organization, &more, json!({ "step": "acknowledged" })).await.done(200);
        step(&boss, &organization, &more, json!({ "step": "signed" })).await.done(200);
        invite(&boss, &mut people, 1).await;
        assert_eq!((figures(&boss, &organization).await, told(&server).await), ((12, 11), [2, 3, 0]));
        server.advance(2 * DAY).await;
        let boss = operator(&server).await;
        assert_eq!((figures(&boss, &organization).await, told(&server).await), ((10, 11), [2, 3, 1]));
        assert_eq!(pool(&boss, &organization).await["level"], "over");

        // Interrupted, nothing is open: nobody is told that everybody keeps their access, neither then nor when it opens again.
        step(&boss, &organization, &first, json!({ "step": "unpaid" })).await.done(200);
        server.advance(16 * DAY).await;
        let boss = operator(&server).await;
        let shown = pool(&boss, &organization).await;
        assert_eq!((&shown["level"], &shown["limit"]), (&json!("closed"), &json!(0)), "{shown}");
        let interrupted = Inbox::of(&server).to("bc-comble@client.example").await;
        assert_eq!(interrupted.iter().filter(|mail| mail.subject.contains("interrompus")).count(), 1);
        assert_eq!(told(&server).await, [2, 3, 1]);
        // The invitations have lapsed meanwhile, and with them the seats they held.
        step(&boss, &organization, &first, json!({ "step": "paid" })).await.done(200);
        server.advance(60).await;
        assert_eq!((figures(&boss, &organization).await, told(&server).await), ((10, 0), [2, 3, 1]));
        server.kill();
    }
}

/// A portal that belongs to a product, and the organization of the learners with an order of it.
async fn subscribed(server: &mut TestServer, seats: u32) -> (Api, String, Client) {
    let boss = operator(server).await;
    product(&boss, "lms").await;
    server.manage(&["client", "update", "demo-portal", "--product", "lsm"]).await.assert_refused(&["no product lsm"]);
    server.manage(&["client", "update", "demo-portal", "--product", "lms"]).await.printed();
    let boss = operator(server).await;
    let organization = server.learner().organization.clone().unwrap().id;
    open_order(&boss, server, &organization, ("BC-LMS", "lms", seats)).await;
    (boss, organization, server.client("demo-portal").clone())
}

async fn id_of(boss: &Api, organization: &str, login: &str) -> String {
    let found = boss.get(&format!("/organizations/{organization}/members?q={login}")).await.done(200);
    found["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{found}")).to_owned()
}

async fn give_seat(boss: &Api, organization: &str, person: &str) {
    let path = format!("/organizations/{organization}/members/{person}/seats/lms");
    assert_eq!(boss.send(boss.request("PUT", &path)).await.status, 204);
}

async fn is_active(server: &TestServer, client: &Client, token: &str) -> bool {
    post_as(server, client, ("/introspect", &[("token", token)])).await.ok_json()["active"] == true
}

/// Whether anything of these tokens is still worth anything.
async fn lives(server: &TestServer, client: &Client, tokens: &Tokens) -> bool {
    let told = is_active(server, client, tokens.access_token()).await;
    assert_eq!(is_active(server, client, tokens.refresh_token()).await, told);
    assert_eq!(userinfo(server, tokens.access_token()).await.status == 200, told);
    let renewed = refresh(server, client, tokens.refresh_token()).await;
    assert_eq!(renewed.status == 200, told, "{renewed:?}");
    told
}

own_journeys! {
    async fn a_portal_of_a_product_is_for_who_holds_a_seat_and_nothing_outlives_the_order(mut server: TestServer) {
        let (boss, organization, client) = subscribed(&mut server, 2).await;
        let learner = server.learner().clone();
        let request = AuthorizationRequest::of(&client).offline();
        // Without a seat: a page that says so, and an error that says so.
        let mut browser = Browser::new();
        browser.get(&request.url(&server)).await;
        let Visit::Page(page) = browser.sign_in(&learner).await else { panic!("a page") };
        assert!(page.has("not-for-you-page"), "{}", page.summary());
        assert!(page.text("not-for-you-why").contains("place à votre nom"), "{}", page.summary());
        let Visit::Left(url) = browser.click("not-for-you-back").await else { panic!("back") };
        assert!(url.as_str().contains("error=access_denied") && url.as_str().contains("seat_missing"), "{url}");

        let person = id_of(&boss, &organization, &learner.login).await;
        give_seat(&boss, &organization, &person).await;
        let tokens = tokens_for(&server, &request, &learner).await;
        assert!(lives(&server, &client, &tokens).await);
        // Taken back: dead at once. Given again: alive again, as the grant is.
        assert_eq!(boss.delete(&format!("/organizations/{organization}/members/{person}/seats/lms")).await.status, 204);
        assert!(!lives(&server, &client, &tokens).await);
        give_seat(&boss, &organization, &person).await;
        assert!(lives(&server, &client, &tokens).await);

        // Terminated today: until midnight in Paris, and not a second longer (R087).
        let orders = format!("/organizations/{organization}/orders");
        let id = boss.get(&orders).await.done(200)["items"][0]["id"].as_str().unwrap().to_owned();
        let shown = step(&boss, &organization, &id, json!({ "step": "terminated", "reason": "fin anticipée" })).await.done(200);
        assert_eq!(shown["standing"], "open");
        let paris = jiff::tz::TimeZone::get("Europe/Paris").unwrap();
        let midnight = server.now().await.to_zoned(paris).tomorrow().unwrap().start_of_day().unwrap().timestamp();
        let until = pool(&boss, &organization).await["changes_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert_eq!(until, midnight);
        let left = |now: jiff::Timestamp| u64::try_from(midnight.as_second() - now.as_second()).unwrap();
        server.advance(left(server.now().await) - 120).await;
        let renewed = refresh(&server, &client, tokens.refresh_token()).await;
        let lifetime = renewed.clone().ok_json()["expires_in"].as_u64().unwrap();
        let tokens = Tokens::from(&renewed);
        assert!(lifetime <= 120, "no token outlives the order: {lifetime}");
        assert!(lives(&server, &client, &tokens).await);
        server.advance(left(server.now().await)).await;
        assert!(!lives(&server, &client, &tokens).await);
        let mut browser = Browser::new();
        browser.get(&request.url(&server)).await;
        let Visit::Page(page) = browser.sign_in(&learner).await else { panic!("a page") };
        assert!(page.text("not-for-you-why").contains("n’est pas ouvert"), "{}", page.summary());
        server.kill();
    }

    async fn an_unpaid_invoice_cuts_on_the_sixteenth_day_and_payment_opens_again(mut server: TestServer) {
        let (boss, organization, client) = subscribed(&mut server, 3).await;
        let learner = server.learner().clone();
        give_seat(&boss, &organization, &id_of(&boss, &organization, &learner.login).await).await;
        let orders = format!("/organizations/{organization}/orders");
        let id = boss.get(&orders).await.done(200)["items"][0]["id"].as_str().unwrap().to_owned();
        let contact = json!({ "duty": "signatory", "name": "Léa Martin", "email": "gerance@client.example" });
        boss.post(&format!("/organizations/{organization}/contacts"), &contact).await.done(201);
        let shown = step(&boss, &organization, &id, json!({ "step": "unpaid" })).await.done(200);
        assert_eq!(shown["standing"], "open");
        let told = Inbox::of(&server).to("bc-lms@client.example").await;
        assert_eq!(told.iter().filter(|mail| mail.subject.contains("impayée")).count(), 1, "the formal notice");
        // It is a formal notice, and proven: who was written to, signatories too, and what became of the letters (R074, R085).
        let kept = boss.get(&format!("/organizations/{organization}/notices?kind=order")).await.done(200);
        let kept: Vec<_> = kept["items"].as_array().unwrap().iter().filter(|notice| notice["subject"] == format!("{id}/unpaid")).collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(kept[0]["days_before"], 15);
        let signatory = Inbox::of(&server).to("gerance@client.example").await;
        assert_eq!(signatory.iter().filter(|mail| mail.subject.contains("impayée")).count(), 1);
        assert_eq!(kept[0]["mails"].as_array().unwrap().iter().filter(|mail| mail["person"].is_null()).count(), 1, "{kept:?}");
        // Paid by mistake, and unpaid all the same: said again, proven again.
        step(&boss, &organization, &id, json!({ "step": "paid" })).await.done(200);
        step(&boss, &organization, &id, json!({ "step": "unpaid" })).await.done(200);
        let kept = boss.get(&format!("/organizations/{organization}/notices?kind=order")).await.done(200);
        assert_eq!(kept["items"].as_array().unwrap().iter().filter(|notice| notice["subject"] == format!("{id}/unpaid")).count(), 2);
        let mut standing = Vec::new();
        let mut boss = boss;
        for _ in 0..17 {
            standing.push(boss.get(&format!("{orders}/{id}")).await.done(200)["standing"].as_str().unwrap().to_owned());
            server.advance(DAY).await;
            boss = operator(&server).await;
        }
        let days = standing.iter().position(|standing| standing == "closed");
        assert_eq!(days, Some(16), "{standing:?}");
        let request = AuthorizationRequest::of(&client);
        let mut browser = Browser::new();
        browser.get(&request.url(&server)).await;
        assert!(matches!(browser.sign_in(&learner).await, Visit::Page(page) if page.has("not-for-you-page")));
        let shown = step(&boss, &organization, &id, json!({ "step": "paid" })).await.done(200);
        assert_eq!((&shown["standing"], &shown["unpaid_since"]), (&json!("open"), &Value::Null));
        let answer = Browser::new().authorize(&server, &request, &learner).await;
        assert!(redeem(&server, &client, &habilis_integration_tests::protocol::Code::from(&request, &answer)).await.status == 200);
        server.kill();
    }

    async fn a_trial_lasts_fifteen_days_and_then_only_a_signed_and_paid_order_opens(mut server: TestServer) {
        let boss = operator(&server).await;
        product(&boss, "lms").await;
        server.manage(&["client", "update", "demo-portal", "--product", "lms"]).await.printed();
        let boss = operator(&server).await;
        let client = server.client("demo-portal").clone();
        let learner = server.learner().clone();
        let organization = learner.organization.clone().unwrap().id;
        let trials = format!("/organizations/{organization}/trials");
        let accepted = server.now().await.to_string();
        let body = json!({ "product": "lms", "terms_version": "cgu-3", "terms_accepted_at": accepted });
        boss.post(&trials, &json!({ "product": "lms", "terms_version": "cgu-3", "terms_accepted_at": "2099-01-01T00:00:00Z" })).await.problem(409, "conflict");
        // The operator's affair, unless the settings say otherwise.
        let inside = |person: &&Person| person.organization.as_ref().is_some_and(|it| it.id == organization);
        let chief = server.people.iter().filter(inside).find(|person| person.kind == "administrator").unwrap();
        Api::of_person(&server, chief, ALL).await.post(&trials, &body).await.problem(403, "forbidden");
        let trial = boss.post(&trials, &body).await.done(201);
        assert_eq!((&trial["state"], &trial["seats"]), (&json!("running"), &json!(3)));
        boss.post(&trials, &body).await.problem(409, "conflict");
        give_seat(&boss, &organization, &id_of(&boss, &organization, &learner.login).await).await;
        let request = AuthorizationRequest::of(&client).offline();
        let tokens = tokens_for(&server, &request, &learner).await;
        assert!(lives(&server, &client, &tokens).await);
        // The fifteenth day counts whole.
        let mut boss = boss;
        let mut days = 0;
        while figures(&boss, &organization).await.0 == 3 {
            days += 1;
            assert!(days < 20);
            server.advance(DAY).await;
            boss = operator(&server).await;
        }
        assert_eq!(days, 16);
        assert!(!lives(&server, &client, &tokens).await);
        assert_eq!(boss.get(&trials).await.done(200)["items"][0]["state"], "ended");
        // Frozen, not deleted: the seat is still theirs.
        assert_eq!(figures(&boss, &organization).await, (0, 1));
        let id = order(&boss, &organization, form(&in_days(&server, 0).await, "BC-ESSAI", "lms", 4)).await;
        step(&boss, &organization, &id, json!({ "step": "acknowledged" })).await.done(200);
        let shown = step(&boss, &organization, &id, json!({ "step": "signed" })).await.done(200);
        assert_eq!((&shown["missing"], &shown["opening"]), (&json!("payment"), &json!("payment")));
        assert_eq!(figures(&boss, &organization).await, (0, 2));
        step(&boss, &organization, &id, json!({ "step": "paid" })).await.done(200);
        assert_eq!(figures(&boss, &organization).await, (4, 2));
        assert_eq!(boss.get(&trials).await.done(200)["items"][0]["state"], "converted");
        tokens_for(&server, &request, &learner).await;
        // An invoice that is unpaid later cuts on the sixteenth day as everybody's does; the first payment stays what it was.
        let opened = async |server: &TestServer| {
            let mails = Inbox::of(server).to("bc-essai@client.example").await;
            mails.iter().filter(|mail| mail.subject.contains("accès ouverts")).count()
        };
        let read = async |boss: &Api| boss.get(&format!("/organizations/{organization}/orders/{id}")).await.done(200);
        server.advance(60).await;
        assert_eq!(opened(&server).await, 1);
        let first = read(&boss).await["paid_at"].clone();
        let shown = step(&boss, &organization, &id, json!({ "step": "unpaid" })).await.done(200);
        assert_eq!((&shown["standing"], &shown["paid_at"]), (&json!("open"), &first), "{shown}");
        server.advance(15 * DAY).await;
        let boss = operator(&server).await;
        assert_eq!((&read(&boss).await["standing"], figures(&boss, &organization).await.0), (&json!("open"), 4));
        server.advance(DAY).await;
        let boss = operator(&server).await;
        let shown = read(&boss).await;
        assert_eq!((&shown["standing"], &shown["closed"]), (&json!("closed"), &json!("unpaid")));
        assert_eq!(figures(&boss, &organization).await.0, 0);
        let shown = step(&boss, &organization, &id, json!({ "step": "paid" })).await.done(200);
        assert_eq!((&shown["standing"], &shown["paid_at"]), (&json!("open"), &first), "{shown}");
        server.advance(60).await;
        assert_eq!(opened(&server).await, 1, "it had opened before");
        // Who bought it once is a customer as any other.
        let next = order(&boss, &organization, form(&in_days(&server, 0).await, "BC-SUITE", "lms", 2)).await;
        let shown = boss.get(&format!("/organizations/{organization}/orders/{next}")).await.done(200);
        assert_eq!(shown["opening"], "signature");
        // No trial once there is an order (R069).
        let other = new_organization(&boss, "Cliente").await;
        open_order(&boss, &server, &other, ("BC-AUTRE", "lms", 2)).await;
        boss.post(&format!("/organizations/{other}/trials"), &body).await.problem(409, "conflict");
        server.kill();
    }

    async fn an_invitation_that_lapses_frees_its_seat_and_takes_one_again_when_it_is_sent_again(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Échéances").await;
        product(&boss, "lapse").await;
        open_order(&boss, &server, &organization, ("BC-ECH", "lapse", 3)).await;
        let members = format!("/organizations/{organization}/members");
        let first = boss.post(&members, &new_member("echeance-1")).await.done(201)["id"].as_str().unwrap().to_owned();
        let offered = of_kind(&server, "trainer");
        boss.post(&members, &json!({ "email": offered.login, "given_name": "Nom", "family_name": "Supposé" })).await.done(202);
        assert_eq!(figures(&boss, &organization).await, (3, 3));
        let kept = boss.get(&format!("/organizations/{organization}/notices?kind=seats")).await.done(200);
        assert_eq!((&kept["items"][0]["subject"], &kept["items"][0]["mails"][0]["outcome"].is_string()), (&json!("lapse/full"), &true), "{kept}");
        server.advance(31 * DAY).await;
        let boss = operator(&server).await;
        // The administrator's own invitation has lapsed as well.
        assert_eq!(figures(&boss, &organization).await, (3, 0));
        // Anybody can ask for a link to an address: it comes, and takes nothing from the organization.
        let invitation = async |count: usize| loop {
            let mails = Inbox::of(&server).to("echeance-1@societe.example").await;
            let links: Vec<_> = mails.iter().flat_map(|mail| &mail.links).filter(|link| link.contains("/activate/")).cloned().collect();
            if links.len() == count {
                break links[0].clone();
            }
            tokio::task::yield_now().await;
        };
        ask(&server, &mut Browser::new(), "echeance-1@societe.example").await;
        let link = invitation(2).await;
        assert_eq!(figures(&boss, &organization).await, (3, 0));
        for index in 2..5 {
            boss.post(&members, &new_member(&format!("echeance-{index}"))).await.done(201);
        }
        let page = activate(&mut Browser::new(), &link, NEW).await.page();
        assert!(page.status == 409 && page.has("account-no-seat-page"), "{}", page.summary());
        // A link a moment after the other is too soon.
        server.advance(600).await;
        let boss = operator(&server).await;
        let again = format!("{members}/{first}/invitation");
        boss.send(boss.request("POST", &again)).await.problem(409, "seat_limit_reached");
        let second = boss.get(&format!("{members}?q=echeance-2")).await.done(200)["items"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(boss.delete(&format!("{members}/{second}")).await.status, 204);
        boss.send(boss.request("POST", &again)).await.done(200);
        assert_eq!(figures(&boss, &organization).await, (3, 3));
        server.kill();
    }

    async fn an_administrator_whose_invitation_lapsed_is_invited_again_by_the_next_order(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Relancée").await;
        product(&boss, "again").await;
        let first = order(&boss, &organization, form(&in_days(&server, 0).await, "BC-REL", "again", 3)).await;
        let shown = step(&boss, &organization, &first, json!({ "step": "acknowledged" })).await.done(200);
        let mail = shown["credentials_mail"].clone();
        // While they may still come, codes were sent.
        let naming = async |server: &TestServer, number: &str| {
            let mut body = form(&in_days(server, 0).await, number, "again", 2);
            body["administrator"]["email"] = json!("bc-rel@client.example");
            body
        };
        let second = order(&boss, &organization, naming(&server, "BC-REL-2").await).await;
        let shown = step(&boss, &organization, &second, json!({ "step": "acknowledged" })).await.done(200);
        assert!(shown["credentials_mail"].is_null() && shown["credentials_sent_at"].is_string(), "{shown}");
        assert_eq!(figures(&boss, &organization).await, (0, 1));
        server.advance(31 * DAY).await;
        let boss = operator(&server).await;
        assert_eq!(figures(&boss, &organization).await, (0, 0));
        // Nobody administers: a form that names nobody opens nothing.
        let mut body = naming(&server, "BC-REL-3").await;
        body.as_object_mut().unwrap().remove("administrator");
        let bare = order(&boss, &organization, body).await;
        step(&boss, &organization, &bare, json!({ "step": "acknowledged" })).await.problem(409, "conflict");
        let third = order(&boss, &organization, naming(&server, "BC-REL-4").await).await;
        let shown = step(&boss, &organization, &third, json!({ "step": "acknowledged" })).await.done(200);
        assert!(shown["credentials_mail"].is_string() && shown["credentials_mail"] != mail, "{shown}");
        link_to(&server, ("bc-rel@client.example", "/activate/"), 2).await;
        assert_eq!(figures(&boss, &organization).await, (0, 1));
        step(&boss, &organization, &bare, json!({ "step": "acknowledged" })).await.done(200);
        server.kill();
    }

    async fn connections_are_counted_instead_of_names_where_they_were_ordered(mut server: TestServer) {
        let boss = operator(&server).await;
        product(&boss, "lms").await;
        server.manage(&["client", "update", "demo-portal", "--product", "lms"]).await.printed();
        let boss = operator(&server).await;
        let client = server.client("demo-portal").clone();
        let organization = server.learner().organization.clone().unwrap().id;
        let own = |person: &&Person| person.organization.as_ref().is_some_and(|own| own.id == organization) && person.totp_secret.is_none();
        let learners: Vec<_> = server.people.iter().filter(own).take(3).cloned().collect();
        assert_eq!(learners.len(), 3);
        let mut body = form(&in_days(&server, 0).await, "BC-CONN", "lms", 2);
        body["mode"] = json!("concurrent");
        let id = order(&boss, &organization, body).await;
        step(&boss, &organization, &id, json!({ "step": "acknowledged" })).await.done(200);
        step(&boss, &organization, &id, json!({ "step": "signed" })).await.done(200);
        let request = AuthorizationRequest::of(&client);
        let mut browsers = Vec::new();
        for (index, learner) in learners.iter().enumerate() {
            give_seat(&boss, &organization, &id_of(&boss, &organization, &learner.login).await).await;
            let mut browser = Browser::new();
            browser.get(&request.url(&server)).await;
            let visit = browser.sign_in(learner).await;
            if index < 2 {
                assert!(matches!(&visit, Visit::Left(url) if url.as_str().contains("code=")), "{index}");
            } else {
                let Visit::Page(page) = visit else { panic!("a page") };
                assert!(page.text("not-for-you-why").contains("connexions simultanées"), "{}", page.summary());
            }
            browsers.push(browser);
        }
        // Who is connected may come again; who signs out makes room.
        assert!(matches!(browsers[0].get(&request.url(&server)).await, Visit::Left(url) if url.as_str().contains("code=")));
        browsers[1].get(&server.url("/end-session")).await;
        browsers[1].submit("logout-form", &[]).await;
        assert!(matches!(browsers[2].get(&request.url(&server)).await, Visit::Left(url) if url.as_str().contains("code=")));
        server.kill();
    }

    async fn fifty_sessions_at_once_for_ten_connections_give_ten(mut server: TestServer) {
        let (_, _, client, learners) = connecting(&mut server, 10).await;
        let request = AuthorizationRequest::of(&client).url(&server);
        let barrier = Arc::new(Barrier::new(50));
        let mut tasks = Vec::new();
        for _ in 0..50 {
            let mut browser = Browser::new();
            local_sign_in(&server, &mut browser, &learners[0].login, &learners[0].password).await;
            let (barrier, request) = (barrier.clone(), request.clone());
            tasks.push(tokio::spawn(async move {
                barrier.wait().await;
                match browser.get(&request).await {
                    Visit::Left(url) => url.as_str().contains("code="),
                    Visit::Page(page) => {
                        assert!(page.has("not-for-you-page"), "{}", page.summary());
                        false
                    }
                }
            }));
        }
        let mut connected = 0;
        for task in tasks {
            connected += usize::from(task.await.unwrap());
        }
        assert_eq!(connected, 10);
        server.kill();
    }

    async fn tokens_that_outlive_a_session_and_devices_are_connections_too(mut server: TestServer) {
        let (_, _, client, learners) = connecting(&mut server, 1).await;
        let (first, second) = (&learners[0], &learners[1]);
        // First of all: on SQLite the command restarts the server, and its clock.
        let kiosk = crate::device::kiosk(&server).await;
        server.manage(&["client", "update", &kiosk.client_id, "--product", "lms"]).await.printed();
        let request = AuthorizationRequest::of(&client);
        let comes = async |server: &TestServer, person: &Person| {
            let mut browser = Browser::new();
            browser.get(&request.url(server)).await;
            let got_in = matches!(browser.sign_in(person).await, Visit::Left(url) if url.as_str().contains("code="));
            (browser, got_in)
        };
        let leaves = async |server: &TestServer, mut browser: Browser| {
            browser.get(&server.url("/end-session")).await;
            browser.submit("logout-form", &[]).await;
        };
        let tokens = tokens_for(&server, &request.clone().offline(), first).await;
        assert!(!comes(&server, second).await.1, "the only connection is in use");
        Tokens::from(&refresh(&server, &client, tokens.refresh_token()).await);
        // The session is over, and with it the connection; what was granted is not.
        server.advance(13 * 3600).await;
        let (browser, got_in) = comes(&server, second).await;
        assert!(got_in);
        refresh(&server, &client, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        leaves(&server, browser).await;
        // A token that has no session takes the connection until it ends, however often it is renewed.
        let again = Tokens::from(&refresh(&server, &client, tokens.refresh_token()).await);
        assert!(is_active(&server, &client, again.access_token()).await);
        assert!(!comes(&server, second).await.1);
        Tokens::from(&refresh(&server, &client, tokens.refresh_token()).await);
        server.advance(2 * 3600).await;
        let (browser, got_in) = comes(&server, second).await;
        assert!(got_in);
        refresh(&server, &client, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        leaves(&server, browser).await;

        // A device is a connection, the browser that lets it in is none.
        let asked = crate::device::ask(&server, &kiosk, "openid").await;
        crate::device::allow(&server, &asked, first).await;
        let device = Tokens::from(&crate::device::poll(&server, &kiosk, &asked).await);
        assert!(!comes(&server, second).await.1);
        refresh(&server, &client, tokens.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        let device = Tokens::from(&refresh(&server, &kiosk, device.refresh_token()).await);
        server.advance(2 * 3600).await;
        assert!(comes(&server, second).await.1);
        refresh(&server, &kiosk, device.refresh_token()).await.assert_oauth_error(400, "invalid_grant");
        server.kill();
    }

    async fn seats_of_people_who_stay_out_are_free_again(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Dehors").await;
        product(&boss, "outside").await;
        open_order(&boss, &server, &organization, ("BC-DEHORS", "outside", 4)).await;
        let members = format!("/organizations/{organization}/members");
        let first = boss.post(&members, &new_member("dehors-1")).await.done(201)["id"].as_str().unwrap().to_owned();
        boss.post(&members, &new_member("dehors-2")).await.done(201);
        let offered = of_kind(&server, "trainer");
        boss.post(&members, &json!({ "email": offered.login, "given_name": "Nom", "family_name": "Supposé" })).await.done(202);
        assert_eq!(figures(&boss, &organization).await, (4, 4));
        // Terminated before they came: the link is void, and the seat free.
        let body = json!({
            "status": "terminated", "reason": "fraude", "breach": "Identité fausse.", "irreparable": "Le faux ne se corrige pas.",
        });
        boss.put(&format!("/people/{first}/status"), &body).await.done(200);
        assert_eq!(figures(&boss, &organization).await, (4, 3));
        let closed = boss.post(&format!("/organizations/{organization}/kill-switch"), &json!({ "reason": "vol" })).await.done(200);
        assert_eq!((&closed["invitations"], &closed["offers"]), (&json!(2), &json!(1)), "{closed}");
        // The offer's at once, those of the invitations as the rows follow.
        server.advance(5).await;
        assert_eq!(figures(&boss, &organization).await, (4, 0));
        server.kill();
    }
}

/// The portal of a product that is bought by connections, and three learners of the organization that has so many.
async fn connecting(server: &mut TestServer, seats: u32) -> (Api, String, Client, Vec<Person>) {
    let boss = operator(server).await;
    product(&boss, "lms").await;
    server.manage(&["client", "update", "demo-portal", "--product", "lms"]).await.printed();
    let boss = operator(server).await;
    let organization = server.learner().organization.clone().unwrap().id;
    let own = |person: &&Person| {
        person.organization.as_ref().is_some_and(|own| own.id == organization) && person.totp_secret.is_none()
    };
    let learners: Vec<_> = server.people.iter().filter(own).take(3).cloned().collect();
    let mut body = form(&in_days(server, 0).await, "BC-CONN", "lms", seats);
    body["mode"] = json!("concurrent");
    let id = order(&boss, &organization, body).await;
    step(&boss, &organization, &id, json!({ "step": "acknowledged" })).await.done(200);
    step(&boss, &organization, &id, json!({ "step": "signed" })).await.done(200);
    for learner in &learners {
        give_seat(&boss, &organization, &id_of(&boss, &organization, &learner.login).await).await;
    }
    (boss, organization, server.client("demo-portal").clone(), learners)
}

own_journeys! {
    async fn a_run_of_the_lifecycle_undoes_no_step_that_is_recorded_meanwhile(mut server: TestServer) {
        let boss = operator(&server).await;
        product(&boss, "meanwhile").await;
        let mut rounds = Vec::new();
        for round in 0..12 {
            let organization = new_organization(&boss, &format!("Pendant {round}")).await;
            let today = in_days(&server, 0).await;
            let first = order(&boss, &organization, form(&today, &format!("BC-P{round}-1"), "meanwhile", 3)).await;
            step(&boss, &organization, &first, json!({ "step": "acknowledged" })).await.done(200);
            let second = order(&boss, &organization, form(&today, &format!("BC-P{round}-2"), "meanwhile", 2)).await;
            step(&boss, &organization, &second, json!({ "step": "acknowledged" })).await.done(200);
            // Something is due about it now, and the run that says so goes on while the other is signed.
            step(&boss, &organization, &first, json!({ "step": "signed" })).await.done(200);
            rounds.push((organization, second));
        }
        let signing: Vec<_> = rounds
            .iter()
            .cloned()
            .map(|(organization, second)| {
                let boss = boss.clone();
                tokio::spawn(async move { step(&boss, &organization, &second, json!({ "step": "signed" })).await.status })
            })
            .collect();
        server.advance(30).await;
        for task in signing {
            assert_eq!(task.await.unwrap(), 200);
        }
        server.advance(30).await;
        for (organization, _) in &rounds {
            assert_eq!(figures(&boss, organization).await.0, 5, "both orders are open");
        }
        server.kill();
    }

    async fn twelve_activations_at_once_for_five_seats_open_five_accounts(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Douze").await;
        let members = format!("/organizations/{organization}/members");
        // Invited before anything was ordered: none of them holds a seat.
        for index in 0..12 {
            boss.post(&members, &new_member(&format!("douze-{index}"))).await.done(201);
        }
        let mails = Inbox::of(&server).all().await;
        let mails = mails.into_iter().filter(|mail| mail.to.starts_with("douze-"));
        let links: Vec<_> = mails.flat_map(|mail| mail.links).filter(|link| link.contains("/activate/")).collect();
        assert_eq!(links.len(), 12);
        product(&boss, "douze").await;
        // One of the six is for the administrator of the order.
        open_order(&boss, &server, &organization, ("BC-DOUZE", "douze", 6)).await;
        assert_eq!(figures(&boss, &organization).await, (6, 1));
        let barrier = Arc::new(Barrier::new(links.len()));
        let tasks: Vec<_> = links
            .into_iter()
            .map(|link| {
                let barrier = barrier.clone();
                tokio::spawn(async move {
                    let mut browser = Browser::new();
                    let page = browser.get(&link).await.page();
                    assert!(page.has("activate-form"), "{}", page.summary());
                    barrier.wait().await;
                    let fields = [("password", NEW), ("repeated", NEW), ("accept", "yes"), ("declare", "yes")];
                    let page = browser.submit("activate-form", &fields).await.page();
                    (page.status, page.has("account-no-seat-page"))
                })
            })
            .collect();
        let mut refused = 0;
        for task in tasks {
            let (status, no_seat) = task.await.unwrap();
            assert_eq!(status == 409, no_seat, "{status}");
            refused += usize::from(no_seat);
        }
        assert_eq!(refused, 7);
        assert_eq!(figures(&boss, &organization).await, (6, 6));
        let found = boss.get(&format!("{members}?limit=200")).await.done(200);
        let active = found["items"].as_array().unwrap().iter().filter(|member| member["account_status"] == "active").count();
        assert_eq!(active, 5);
        server.kill();
    }

    async fn an_invitation_from_before_the_first_order_opens_no_account_without_a_seat(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Avant").await;
        let members = format!("/organizations/{organization}/members");
        boss.post(&members, &new_member("avant")).await.done(201);
        product(&boss, "before").await;
        open_order(&boss, &server, &organization, ("BC-AVANT", "before", 2)).await;
        let other = boss.post(&members, &new_member("avant-2")).await.done(201)["id"].as_str().unwrap().to_owned();
        assert_eq!(figures(&boss, &organization).await, (2, 2));
        let mails = Inbox::of(&server).to("avant@societe.example").await;
        let link = mails[0].links.iter().find(|link| link.contains("/activate/")).unwrap().clone();
        let mut browser = Browser::new();
        let page = activate(&mut browser, &link, NEW).await.page();
        assert!(page.status == 409 && page.has("account-no-seat-page"), "{}", page.summary());
        // Nothing of it stays: the same link works once there is a seat.
        assert_eq!(boss.delete(&format!("{members}/{other}")).await.status, 204);
        activate(&mut browser, &link, NEW).await;
        let found = boss.get(&format!("{members}?q=avant")).await.done(200);
        assert_eq!(found["items"][0]["account_status"], "active", "{found}");
        assert_eq!(figures(&boss, &organization).await, (2, 2));
        server.kill();
    }
}

#[tokio::test]
async fn two_servers_on_one_database_give_ten_seats_to_fifty() {
    let mut one = TestServer::own(Engine::Postgres).await;
    let mut other = TestServer::beside(&one).await.unwrap();
    let (boss, beside) = (operator(&one).await, operator(&other).await);
    let organization = new_organization(&boss, "Deux nœuds").await;
    product(&boss, "nodes").await;
    open_order(&boss, &one, &organization, ("BC-NOEUDS", "nodes", 11)).await;
    let members = format!("/organizations/{organization}/members");
    let requests = (0..50).map(|index| {
        let api = if index % 2 == 0 { boss.clone() } else { beside.clone() };
        (api, members.clone(), new_member(&format!("noeud-{index}")))
    });
    let answers = at_once(requests).await;
    assert_eq!((count(&answers, 201), count(&answers, 409)), (10, 40));
    assert_eq!(figures(&beside, &organization).await, (11, 11));
    one.kill();
    other.kill();
}

async fn an_organization_begins_a_trial_itself_where_the_operator_lets_it(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "orders.self_service_trials=true"]).await;
    let boss = operator(&server).await;
    product(&boss, "lms").await;
    boss.post("/products", &json!({ "id": "sans", "name": "Sans essai" })).await.done(201);
    let person = of_kind(&server, "administrator");
    let organization = person.organization.clone().unwrap().id;
    let of = format!("/organizations/{organization}");
    let contact = json!({ "duty": "signatory", "name": "Anne Prévost", "email": "signataire@essai.example" });
    boss.post(&format!("{of}/contacts"), &contact).await.done(201);
    let administrator = Api::of_person(&server, &person, ALL).await;
    let trials = format!("{of}/trials");
    let accepted = server.now().await.to_string();
    let body = |product: &str| json!({ "product": product, "terms_version": "cgu-3", "terms_accepted_at": accepted });
    // The same rules as the operator's: a trial there is, with the conditions accepted, once.
    administrator.post(&trials, &body("sans")).await.problem(422, "invalid_fields");
    let early = json!({ "product": "lms", "terms_version": "cgu-3", "terms_accepted_at": "2099-01-01T00:00:00Z" });
    administrator.post(&trials, &early).await.problem(409, "conflict");
    let learner = server.people.iter().find(|person| {
        person.kind == "learner" && person.organization.as_ref().is_some_and(|it| it.id == organization)
    });
    let learner = Api::of_person(&server, learner.unwrap(), ALL).await;
    assert!([403, 404].contains(&learner.post(&trials, &body("lms")).await.status), "a member");
    let other = new_organization(&boss, "Autre").await;
    administrator.post(&format!("/organizations/{other}/trials"), &body("lms")).await.problem(404, "not_found");
    let trial = administrator.post(&trials, &body("lms")).await.done(201);
    assert_eq!((&trial["state"], &trial["seats"]), (&json!("running"), &json!(3)));
    administrator.post(&trials, &body("lms")).await.problem(409, "conflict");
    // Extending and ending it stay the operator's.
    let longer = json!({ "extra_days": 3, "reason": "codes en retard" });
    let running = format!("{trials}/{}", trial["id"].as_str().unwrap());
    administrator.patch(&running, "*", &longer).await.problem(403, "forbidden");
    // The letter is the evidence, and the notice tells what became of it.
    server.advance(60).await;
    for address in [person.login.as_str(), "signataire@essai.example"] {
        let mails = Inbox::of(&server).to(address).await;
        let letters = mails.iter().filter(|mail| mail.subject.starts_with("Essai de Plateforme lms ouvert jusqu’au"));
        assert_eq!(letters.count(), 1, "{mails:?}");
    }
    let notices = administrator.get(&format!("{of}/notices?kind=trial")).await.done(200);
    let proof = &notices["items"][0];
    assert_eq!((&proof["subject"], &proof["days_before"]), (&trial["id"], &json!(15)), "{notices}");
    assert!(proof["mails"].as_array().unwrap().len() >= 2, "{notices}");
    // An organization's own program, and one that has ordered.
    let (software, company) = personnel(&server).await;
    let path = format!("/organizations/{company}/trials");
    open_order(&boss, &server, &company, ("BC-DEJA", "lms", 2)).await;
    software.post(&path, &body("lms")).await.problem(409, "conflict");
    server.kill();
}

on_both_engines! { an_organization_begins_a_trial_itself_where_the_operator_lets_it }
