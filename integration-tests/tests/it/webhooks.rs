//! Events and webhooks (R027, R161): what changes is told once, signed, in order, to whoever may know, whatever dies meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::Duration;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::dump::Dump;
use habilis_integration_tests::listener::Received;
use habilis_integration_tests::{Api, Browser, Engine, Inbox, Listener, Mail, TestServer, database};
use serde_json::{Value, json};

use super::activation::{activate, link_to};
use super::api::{new_member, new_organization, operator};
use super::measures::{lift, suspension, termination};

/// A webhook at `path` of the receiver: its address in the API, and its secret.
async fn webhook(api: &Api, list: &str, receiver: &Listener, path: &str) -> (String, String) {
    let new = json!({ "url": format!("{}{path}", receiver.base), "types": ["*"] });
    let made = api.post(list, &new).await.done(201);
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(id.starts_with("whk_") && secret.starts_with("whsec_"), "{made}");
    (format!("{list}/{id}"), secret.to_owned())
}

/// The whole feed after `after`, page by page.
async fn feed(api: &Api, path: &str, limit: u32) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}?limit={limit}{after}")).await.done(200);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        after = format!("&after={}", page["cursor"].as_str().unwrap());
        if page["more"] == false {
            return all;
        }
    }
}

/// Waits until the feed has `count` events.
async fn feed_of(api: &Api, path: &str, count: usize) -> Vec<Value> {
    for _ in 0..600 {
        let found = feed(api, path, 200).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("fewer than {count} events in {path}");
}

fn types(events: &[Value]) -> BTreeSet<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn times_by_id(delivered: &[Received]) -> BTreeMap<&str, usize> {
    let mut times = BTreeMap::new();
    for one in delivered {
        *times.entry(one.id()).or_insert(0) += 1;
    }
    times
}

/// The letters about a receiver that was switched off.
async fn letters(server: &TestServer) -> Vec<Mail> {
    let mails = Inbox::of(server).all().await;
    mails.into_iter().filter(|mail| mail.subject.contains("127.0.0.1")).collect()
}

/// The example of the documentation, run on a delivery.
fn python_says(delivered: &Received, secret: &str, now: i64) -> bool {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../idp/docs/webhooks.md")).unwrap();
    let code = page.split("```python").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let call = "\nimport json, sys\ngiven = json.load(sys.stdin)\n\
        print(verify(given['secret'], given['headers'], given['body'].encode(), given['now']))\n";
    let given =
        json!({ "secret": secret, "headers": delivered.headers, "body": delivered.body, "now": now }).to_string();
    let mut process = Command::new("python3")
        .args(["-c", &format!("{code}{call}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    std::io::Write::write_all(&mut process.stdin.take().unwrap(), given.as_bytes()).unwrap();
    let said = process.wait_with_output().unwrap();
    assert!(said.status.success());
    String::from_utf8_lossy(&said.stdout).trim() == "True"
}

own_journeys! {
    async fn what_happens_to_a_portal_is_told_to_the_organizations_that_give_rights_in_it(mut server: TestServer) {
        let (boss, receiver) = (operator(&server).await, Listener::start().await);
        let granted = new_organization(&boss, "Concernée").await;
        let other = new_organization(&boss, "Étrangère à l’affaire").await;
        let grant = format!("/organizations/{granted}/portals/demo-portal");
        boss.put(&grant, &json!({ "roles": ["apprenant", "formateur"] })).await.done(200);
        for (organization, hook) in [(&granted, "/granted"), (&other, "/other")] {
            webhook(&boss, &format!("/organizations/{organization}/webhooks"), &receiver, hook).await;
        }
        webhook(&boss, "/webhooks", &receiver, "/operator").await;
        let mut expected = Vec::new();
        for (kind, mut change) in
            [("portal.suspended", suspension()), ("portal.reinstated", lift()), ("portal.terminated", termination())]
        {
            if kind != "portal.reinstated" {
                change["banner"] = json!({ "fr": "Fermé.", "en": "Closed." });
            }
            boss.put("/portals/demo-portal/status", &change).await.done(200);
            expected.push(kind);
        }
        for hook in ["/granted", "/operator"] {
            // In whatever order they arrive; the feed has the order.
            let delivered = receiver.wait_for(hook, 3).await;
            let bodies: Vec<_> = delivered.iter().map(Received::json).collect();
            assert_eq!(types(&bodies), expected.iter().copied().collect(), "{hook}");
            let suspended = bodies.iter().find(|body| body["type"] == "portal.suspended").unwrap();
            assert_eq!(suspended["data"], json!({ "portal": "demo-portal", "before": "active", "after": "suspended" }));
            assert!(delivered.iter().all(|one| !one.body.contains("partage")), "no reason in words: {bodies:?}");
        }
        let told = feed_of(&boss, &format!("/organizations/{granted}/events"), 5).await;
        let of_portals = told.iter().filter_map(|event| event["type"].as_str().filter(|kind| kind.starts_with("portal.")));
        assert_eq!(of_portals.collect::<Vec<_>>(), expected);
        assert_eq!(types(&told).len(), 5, "created, granted, and the three: {told:?}");
        let told = feed(&boss, &format!("/organizations/{other}/events"), 200).await;
        assert_eq!(types(&told), BTreeSet::from(["organization.created"]), "{told:?}");
        assert_eq!(receiver.received("/other").len(), 0);
        server.kill();
    }

    async fn a_change_is_delivered_signed_and_is_in_the_feed(mut server: TestServer) {
        let (boss, receiver) = (operator(&server).await, Listener::start().await);
        let organization = new_organization(&boss, "À l’écoute").await;
        let path = format!("/organizations/{organization}");
        let (hook, secret) = webhook(&boss, &format!("{path}/webhooks"), &receiver, "/hook").await;
        webhook(&boss, "/webhooks", &receiver, "/operator").await;
        let member = boss.post(&format!("{path}/members"), &new_member("nouvelle")).await.done(201);
        let person = member["id"].as_str().unwrap();
        boss.put(&format!("{path}/portals/demo-portal"), &json!({ "roles": ["apprenant"] })).await.done(200);
        boss.put(&format!("{path}/members/{person}/rights/demo-portal"), &json!({ "roles": ["apprenant"] })).await.done(200);
        let delivered = receiver.wait_for("/hook", 4).await;
        let bodies: Vec<_> = delivered.iter().map(Received::json).collect();
        assert_eq!(types(&bodies), BTreeSet::from(["account.invited", "membership.created", "organization.rights_changed", "rights.changed"]));
        let now = server.now().await.as_second();
        for (one, body) in delivered.iter().zip(&bodies) {
            assert!(one.is_signed_by(&secret), "{one:?}");
            assert!(python_says(one, &secret, now) && !python_says(one, &secret, now + 301), "{one:?}");
            let forged = Received { body: one.body.replace("usr_", "usr-"), ..one.clone() };
            assert!(!python_says(&forged, &secret, now) || forged.body == one.body, "{one:?}");
            assert_eq!((&body["id"], &body["organization"]), (&json!(one.id()), &json!(organization)));
            let sent: i64 = one.headers["webhook-timestamp"].parse().unwrap();
            assert!((now - sent).abs() < 60, "{sent} at {now}");
            // Ids, and nothing of the person.
            for part in ["Maëlys", "Kervadec", "societe.example"] {
                assert!(!one.body.contains(part), "{}", one.body);
            }
        }
        let rights = bodies.iter().find(|body| body["type"] == "rights.changed").unwrap();
        assert_eq!(rights["data"], json!({ "portal": "demo-portal", "before": [], "after": ["apprenant"] }));
        assert_eq!(rights["person"], person);
        // The feed tells the same, in the same words, after what was before the webhook.
        let told = feed_of(&boss, &format!("{path}/events"), 5).await;
        assert_eq!(told[0]["type"], "organization.created");
        assert!(told[1..].iter().all(|event| bodies.contains(event)), "{told:?}");
        // The operator gets the same ids.
        let ids = |of: &[Received]| of.iter().map(|one| one.id().to_owned()).collect::<BTreeSet<_>>();
        assert!(ids(&receiver.wait_for("/operator", 4).await).is_superset(&ids(&delivered)));
        let sent = boss.get(&format!("{hook}/deliveries")).await.done(200);
        let sent = sent["items"].as_array().unwrap();
        assert_eq!(sent.len(), 4);
        assert!(sent.iter().all(|one| one["status"] == "delivered" && one["answers"][0]["answer"] == "200"), "{sent:?}");
        let one = boss.get(&format!("{hook}/deliveries/{}", sent[0]["id"].as_str().unwrap())).await.done(200);
        assert!(delivered.iter().any(|it| it.body == one["body"]), "{one}");
        server.kill();
    }

    async fn a_receiver_that_was_dead_gets_everything_once_and_delayed_nobody(mut server: TestServer) {
        const EVENTS: usize = 25;
        let (boss, receiver) = (operator(&server).await, Listener::start().await);
        let organization = new_organization(&boss, "En panne").await;
        let path = format!("/organizations/{organization}");
        let list = format!("{path}/webhooks");
        receiver.answer_at("/dead", 503);
        receiver.answer_at("/slow", 0);
        let (dead, secret) = webhook(&boss, &list, &receiver, "/dead").await;
        webhook(&boss, &list, &receiver, "/slow").await;
        webhook(&boss, &list, &receiver, "/healthy").await;
        for number in 0..EVENTS {
            let contact = json!({ "duty": "deputy", "name": format!("Zoé {number}"), "email": "zoe@societe.example" });
            boss.post(&format!("{path}/contacts"), &contact).await.done(201);
        }
        let healthy = receiver.wait_for("/healthy", EVENTS).await;
        // By then each of the others was tried a time or two: a failure holds back the rest.
        for path in ["/dead", "/slow"] {
            let tried = receiver.wait_for(path, 1).await.len();
            assert!(tried < EVENTS, "{path}: {tried} attempts");
        }
        let shown = boss.get(&dead).await.done(200);
        assert!(shown["failing_since"].is_string() && shown["active"] == true, "{shown}");
        let pending = boss.get(&format!("{dead}/deliveries?status=pending&limit=200")).await.done(200);
        assert_eq!(pending["items"].as_array().unwrap().len(), EVENTS);
        // Hours of failing.
        for _ in 0..4 {
            server.advance(1800).await;
        }
        let failed = receiver.received("/dead").len();
        assert!((4..40).contains(&failed), "{failed} attempts");
        receiver.answer_at("/dead", 204);
        receiver.answer_at("/slow", 200);
        let taken = receiver.received("/slow").len();
        // What was tried last waits longest: five hours and a fifth.
        for _ in 0..3 {
            server.advance(6 * 3600).await;
        }
        let all = receiver.wait_for("/dead", failed + EVENTS).await;
        assert_eq!(all.len(), failed + EVENTS, "each once after the failures");
        let after = times_by_id(&all[failed..]);
        assert_eq!(after.len(), EVENTS);
        assert_eq!(after.keys().collect::<Vec<_>>(), times_by_id(&healthy).keys().collect::<Vec<_>>());
        assert!(all.iter().all(|one| one.is_signed_by(&secret)));
        assert_eq!(receiver.wait_for("/slow", taken + EVENTS).await.len(), taken + EVENTS);
        assert_eq!(receiver.received("/healthy").len(), EVENTS);
        let boss = operator(&server).await;
        assert_eq!(boss.get(&dead).await.done(200)["failing_since"], Value::Null);
        server.kill();
    }

    async fn a_receiver_silent_for_three_days_or_gone_is_switched_off_and_told_of_once(mut server: TestServer) {
        let receiver = Listener::start().await;
        let chief = server.people.iter().find(|person| person.kind == "second factor administrator").unwrap().clone();
        let organization = chief.organization.clone().unwrap().id;
        let boss = operator(&server).await;
        let path = format!("/organizations/{organization}");
        let list = format!("{path}/webhooks");
        // A person needs a recent sign-in with two factors.
        let weak = server.people.iter().find(|person| {
            person.kind == "administrator" && person.organization.as_ref().is_some_and(|it| it.id == organization)
        });
        let weak = Api::of_person(&server, weak.unwrap(), ALL).await;
        let new = json!({ "url": format!("{}/x", receiver.base) });
        weak.post(&list, &new).await.problem(401, "insufficient_user_authentication");
        weak.get(&list).await.done(200);
        let administrator = Api::of_person(&server, &chief, ALL).await;
        receiver.answer_at("/silent", 302);
        let (silent, _) = webhook(&administrator, &list, &receiver, "/silent").await;
        let contact = json!({ "duty": "deputy", "name": "Zoé", "email": "zoe@societe.example" });
        boss.post(&format!("{path}/contacts"), &contact).await.done(201);
        receiver.wait_for("/silent", 1).await;
        assert_eq!(receiver.received("/elsewhere").len(), 0, "no redirect is followed");
        // Something happens all the time, so that there is something to try.
        for _ in 0..14 {
            server.advance(6 * 3600).await;
            let boss = operator(&server).await;
            boss.post(&format!("{path}/contacts"), &contact).await.done(201);
        }
        server.advance(3600).await;
        let boss = operator(&server).await;
        let off = boss.get(&silent).await.done(200);
        assert_eq!((&off["active"], &off["disabled"]), (&json!(false), &json!("unreachable")), "{off}");
        let tries = receiver.received("/silent").len();
        let told = letters(&server).await;
        assert!(!told.is_empty() && told.iter().map(|mail| &mail.to).collect::<BTreeSet<_>>().len() == told.len(), "{told:?}");
        let given_up = boss.get(&format!("{silent}/deliveries?status=given_up")).await.done(200);
        let first = given_up["items"][0]["id"].as_str().unwrap().to_owned();
        boss.send(boss.request("POST", &format!("{silent}/test"))).await.problem(409, "conflict");
        server.advance(86_400).await;
        assert_eq!(receiver.received("/silent").len(), tries);
        // Back: switched on again, and what was given up is asked for.
        receiver.answer_at("/silent", 200);
        let boss = operator(&server).await;
        let etag = boss.get(&silent).await.header("etag").to_owned();
        let on = boss.patch(&silent, &etag, &json!({ "active": true })).await.done(200);
        assert_eq!((&on["active"], &on["disabled"]), (&json!(true), &Value::Null));
        boss.send(boss.request("POST", &format!("{silent}/deliveries/{first}/redeliver"))).await.done(202);
        receiver.wait_for("/silent", tries + 1).await;
        // 410 needs no three days.
        receiver.answer_at("/silent", 410);
        boss.send(boss.request("POST", &format!("{silent}/test"))).await.done(202);
        receiver.wait_for("/silent", tries + 2).await;
        server.advance(1).await;
        for _ in 0..100 {
            if boss.get(&silent).await.done(200)["disabled"] == "gone" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(boss.get(&silent).await.done(200)["disabled"], "gone");
        assert_eq!(letters(&server).await.len(), 2 * told.len());
        server.kill();
    }

    async fn a_replaced_secret_signs_beside_the_new_one_for_a_day(mut server: TestServer) {
        let (boss, receiver) = (operator(&server).await, Listener::start().await);
        let organization = new_organization(&boss, "Rotation").await;
        let (hook, old) = webhook(&boss, &format!("/organizations/{organization}/webhooks"), &receiver, "/hook").await;
        let replaced = boss.send(boss.request("POST", &format!("{hook}/secret"))).await.done(200);
        let new = replaced["secret"].as_str().unwrap().to_owned();
        assert!(replaced["earlier_secret_until"].is_string(), "{replaced}");
        let test = async |count: usize| {
            let sent = boss.send(boss.request("POST", &format!("{hook}/test"))).await.done(202);
            let one = receiver.wait_for("/hook", count).await.pop().unwrap();
            assert_eq!((&one.json()["type"], one.id()), (&json!("webhook.test"), sent["event"].as_str().unwrap()));
            one
        };
        let both = test(1).await;
        assert!(both.is_signed_by(&new) && both.is_signed_by(&old), "{both:?}");
        server.advance(24 * 3600 + 1).await;
        let boss = operator(&server).await;
        boss.send(boss.request("POST", &format!("{hook}/test"))).await.done(202);
        let one = receiver.wait_for("/hook", 2).await.pop().unwrap();
        assert!(one.is_signed_by(&new) && !one.is_signed_by(&old), "{one:?}");
        server.kill();
    }

    async fn what_was_committed_is_delivered_after_a_kill(mut server: TestServer) {
        const EVENTS: usize = 10;
        let (boss, receiver) = (operator(&server).await, Listener::start().await);
        let organization = new_organization(&boss, "Coupure").await;
        let path = format!("/organizations/{organization}");
        receiver.answer_at("/hook", 0);
        let (hook, secret) = webhook(&boss, &format!("{path}/webhooks"), &receiver, "/hook").await;
        for number in 0..EVENTS {
            let contact = json!({ "duty": "deputy", "name": format!("Zoé {number}"), "email": "zoe@societe.example" });
            boss.post(&format!("{path}/contacts"), &contact).await.done(201);
        }
        // One is under way, the last have no position yet, or just got one.
        receiver.wait_for("/hook", 1).await;
        server.kill();
        let before = receiver.received("/hook").len();
        receiver.answer_at("/hook", 200);
        server.restart().await;
        // The claim of the dead process runs out.
        server.advance(3600).await;
        let all = receiver.wait_for("/hook", before + EVENTS).await;
        assert!(all.iter().all(|one| one.is_signed_by(&secret)));
        let boss = operator(&server).await;
        for _ in 0..100 {
            let pending = boss.get(&format!("{hook}/deliveries?status=pending")).await.done(200);
            if pending["items"] == json!([]) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let told = feed_of(&boss, &format!("{path}/events"), EVENTS + 1).await;
        let ids: BTreeSet<_> = told[1..].iter().map(|event| event["id"].as_str().unwrap()).collect();
        let after = times_by_id(&all[before..]);
        assert_eq!(after.keys().copied().collect::<BTreeSet<_>>(), ids);
        assert!(after.values().all(|times| *times == 1), "{after:?}");
        server.kill();
    }

    async fn whoever_follows_the_feed_misses_nothing_while_others_write(mut server: TestServer) {
        const WRITERS: usize = 8;
        const EACH: usize = 15;
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Foule").await;
        let path = format!("/organizations/{organization}");
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let (boss, path) = (boss.clone(), path.clone());
            writers.spawn(async move {
                let mut made = Vec::new();
                for number in 0..EACH {
                    let body = new_member(&format!("foule-{writer}-{number}"));
                    let answer = boss.post(&format!("{path}/members"), &body).await.done(201);
                    made.push(answer["id"].as_str().unwrap().to_owned());
                }
                made
            });
        }
        let (mut seen, mut after) = (Vec::new(), String::new());
        let mut made: BTreeSet<String> = BTreeSet::new();
        let mut last = 0;
        // One more time around after the last writer, until nothing new comes.
        while !writers.is_empty() || last < 5 {
            while let Some(done) = writers.try_join_next() {
                made.extend(done.unwrap());
            }
            let page = boss.get(&format!("{path}/events?limit=7&types=membership.*{after}")).await.done(200);
            let items = page["items"].as_array().unwrap();
            last = if items.is_empty() && writers.is_empty() { last + 1 } else { 0 };
            seen.extend(items.iter().map(|event| event["person"].as_str().unwrap().to_owned()));
            after = format!("&after={}", page["cursor"].as_str().unwrap());
            if items.is_empty() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
        assert_eq!(made.len(), WRITERS * EACH);
        assert_eq!(seen.len(), made.len(), "none twice");
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), made, "none missed");
        server.kill();
    }

    async fn secrets_are_shown_once_and_lie_nowhere(mut server: TestServer) {
        let (boss, receiver) = (operator(&server).await, Listener::start().await);
        let organization = new_organization(&boss, "Coffre").await;
        let list = format!("/organizations/{organization}/webhooks");
        let body = json!({ "url": format!("{}/hook?key=chut-chut", receiver.base), "types": ["account.*"] });
        let send = async || boss.send(boss.request("POST", &list).header("idempotency-key", "w-1").json(&body)).await;
        let made = send().await.done(201);
        let secret = made["secret"].as_str().unwrap();
        // Asked again, the answer is the same but for the secret.
        let again = send().await;
        assert_eq!((again.header("idempotency-replayed"), &again.done(201)["id"]), ("true", &made["id"]));
        assert!(again.json().get("secret").is_none(), "{}", again.body);
        let hook = format!("{list}/{}", made["id"].as_str().unwrap());
        assert!(boss.get(&hook).await.done(200).get("secret").is_none());
        boss.send(boss.request("POST", &format!("{hook}/test"))).await.done(202);
        receiver.wait_for("/hook?key=chut-chut", 1).await;
        receiver.answer_at("/hook?key=chut-chut", 500);
        boss.send(boss.request("POST", &format!("{hook}/test"))).await.done(202);
        receiver.wait_for("/hook?key=chut-chut", 2).await;
        let bare = secret.strip_prefix("whsec_").unwrap();
        let (dump, log) = (Dump::of(&server), server.log());
        assert!(dump.holds(made["id"].as_str().unwrap()), "the dump sees the row");
        assert!(!dump.holds(bare), "the secret lies in the database");
        assert!(!log.contains(bare) && !log.contains("chut-chut"), "the secret is in the log");
        let trail = boss.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200).to_string();
        assert!(trail.contains("webhook.created") && !trail.contains("chut-chut") && !trail.contains(bare), "{trail}");
        server.kill();
    }

    async fn a_cursor_that_fell_off_the_end_is_said_to_be_expired(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Mémoire").await;
        let events = format!("/organizations/{organization}/events");
        feed_of(&boss, &events, 1).await;
        let begin = boss.get(&format!("{events}?limit=1")).await.done(200)["cursor"].as_str().unwrap().to_owned();
        let path = format!("/organizations/{organization}/contacts");
        for number in 0..3 {
            let contact = json!({ "duty": "deputy", "name": format!("Zoé {number}"), "email": "zoe@societe.example" });
            boss.post(&path, &contact).await.done(201);
        }
        feed_of(&boss, &events, 4).await;
        let end = boss.get(&format!("{events}?after=latest")).await.done(200);
        assert_eq!((&end["items"], &end["more"]), (&json!([]), &json!(false)));
        let end = end["cursor"].as_str().unwrap().to_owned();
        server.advance(31 * 86_400).await;
        let boss = operator(&server).await;
        boss.get(&format!("{events}?after={begin}")).await.problem(410, "cursor_expired");
        // Who was at the end missed nothing.
        assert_eq!(boss.get(&format!("{events}?after={end}")).await.done(200)["items"], json!([]));
        assert_eq!(feed(&boss, &events, 200).await, [Value::Null; 0]);
        for (bad, code) in [("after=x", "invalid_cursor"), ("types=nothing", "invalid_parameter"), ("limit=0", "invalid_parameter"), ("other=1", "invalid_parameter")] {
            boss.get(&format!("{events}?{bad}")).await.problem(400, code);
        }
        server.kill();
    }
}

journeys! {
    async fn wrong_webhooks_are_refused_and_there_are_twenty_at_most(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Limites").await;
        let list = format!("/organizations/{organization}/webhooks");
        for (body, pointer) in [
            (json!({}), "/url"),
            (json!({ "url": "ftp://lms.example/" }), "/url"),
            (json!({ "url": "http://lms.example/" }), "/url"),
            (json!({ "url": "https://user:secret@lms.example/" }), "/url"),
            (json!({ "url": "https://lms.example/#part" }), "/url"),
            (json!({ "url": format!("https://lms.example/{}", "a".repeat(2048)) }), "/url"),
            (json!({ "url": "https://lms.example/", "types": [] }), "/types"),
            (json!({ "url": "https://lms.example/", "types": ["account.*", "sessions"] }), "/types/1"),
            (json!({ "url": "https://lms.example/", "secret": "whsec_mine" }), "/secret"),
        ] {
            let problem = boss.post(&list, &body).await.problem(422, "invalid_fields");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body} {problem}");
        }
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..30 {
            let (boss, list) = (boss.clone(), list.clone());
            tasks.spawn(async move {
                let new = json!({ "url": "https://lms.example/", "active": false });
                boss.post(&list, &new).await.status
            });
        }
        let made = tasks.join_all().await.into_iter().filter(|status| *status == 201).count();
        assert_eq!(made, 20);
        let all = boss.get(&list).await.done(200);
        assert_eq!(all["items"].as_array().unwrap().len(), 20);
        let first = format!("{list}/{}", all["items"][0]["id"].as_str().unwrap());
        boss.send(boss.request("DELETE", &first).header("if-match", "\"v9\"")).await.problem(412, "version_mismatch");
        assert_eq!(boss.send(boss.request("DELETE", &first).header("if-match", "*")).await.status, 204);
        boss.get(&first).await.problem(404, "not_found");
    }

    async fn an_organization_learns_of_an_account_while_its_membership_is_in_force(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Suspendue").await;
        let path = format!("/organizations/{organization}");
        let mut people = Vec::new();
        for name in ["dehors", "dedans"] {
            let mail = format!("{name}-{:?}", server.engine).to_lowercase();
            let made = boss.post(&format!("{path}/members"), &new_member(&mail)).await.done(201);
            let link = link_to(server, (&format!("{mail}@societe.example"), "/activate/"), 1).await;
            activate(&mut Browser::new(), &link, crate::forgot::NEW).await;
            people.push(made["id"].as_str().unwrap().to_owned());
        }
        let outside = json!({ "status": "suspended", "reason": "congé" });
        boss.put(&format!("{path}/members/{}/status", people[0]), &outside).await.done(200);
        for person in &people {
            boss.put(&format!("/people/{person}/status"), &suspension()).await.done(200);
        }
        // Who is in comes second: what was told of the other would be before it.
        for _ in 0..600 {
            let told = feed(&boss, &format!("{path}/events"), 200).await;
            let suspended: Vec<_> = told.iter().filter(|event| event["type"] == "account.suspended").collect();
            assert!(suspended.iter().all(|event| event["person"] == people[1].as_str()), "{told:?}");
            if !suspended.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody was told");
    }

    async fn an_activation_tells_the_organization_and_nobody_else(server: &TestServer) {
        let boss = operator(server).await;
        let organization = new_organization(&boss, "Accueil").await;
        let path = format!("/organizations/{organization}");
        let mail = format!("accueil-{:?}", server.engine).to_lowercase();
        let made = boss.post(&format!("{path}/members"), &new_member(&mail)).await.done(201);
        let person = made["id"].as_str().unwrap();
        let link = link_to(server, (&format!("{mail}@societe.example"), "/activate/"), 1).await;
        activate(&mut Browser::new(), &link, crate::forgot::NEW).await;
        let told = feed_of(&boss, &format!("{path}/events"), 4).await;
        let activated = told.iter().find(|event| event["type"] == "account.activated");
        assert!(activated.is_some_and(|event| event["person"] == person && event["organization"] == organization), "{told:?}");
        // A portal of somebody else's learns nothing, and an administrator reads only what concerns their organization.
        let (stranger, own) = super::api::personnel(server).await;
        stranger.get(&format!("{path}/events")).await.problem(404, "not_found");
        stranger.get("/events").await.problem(403, "forbidden");
        stranger.get("/webhooks").await.problem(403, "forbidden");
        let mine = feed(&stranger, &format!("/organizations/{own}/events"), 200).await;
        assert!(mine.iter().all(|event| event["organization"] == own.as_str()), "{mine:?}");
    }
}

/// Two nodes on one database: each event goes out once, and what the dead one held goes out by the other.
#[tokio::test]
async fn two_nodes_deliver_each_event_once_and_one_takes_over_from_the_other() {
    const EVENTS: usize = 40;
    let url = database::create();
    let mut one = TestServer::start_on(Engine::Postgres, vec!["--database".to_owned(), url]).await.unwrap();
    let mut other = TestServer::beside(&one).await.unwrap();
    let (boss, beside, receiver) = (operator(&one).await, operator(&other).await, Listener::start().await);
    let organization = new_organization(&boss, "Deux nœuds à l’écoute").await;
    let path = format!("/organizations/{organization}");
    let hooks = ["/one", "/two", "/three", "/four"];
    for hook in hooks {
        webhook(&boss, &format!("{path}/webhooks"), &receiver, hook).await;
    }
    let write = async |api: &Api, number: usize| {
        let contact = json!({ "duty": "deputy", "name": format!("Zoé {number}"), "email": "zoe@societe.example" });
        api.post(&format!("{path}/contacts"), &contact).await.done(201);
    };
    for number in 0..EVENTS {
        write(if number % 2 == 0 { &boss } else { &beside }, number).await;
    }
    for hook in hooks {
        let delivered = receiver.wait_for(hook, EVENTS).await;
        assert!(delivered.len() == EVENTS && times_by_id(&delivered).len() == EVENTS, "{hook}: {}", delivered.len());
    }
    // The receivers take their time, so that the node dies with deliveries in its hands.
    for number in EVENTS..2 * EVENTS {
        write(&boss, number).await;
    }
    one.kill();
    other.advance(121).await;
    let mut again = 0;
    for hook in hooks {
        for _ in 0..2400 {
            if times_by_id(&receiver.received(hook)).len() == 2 * EVENTS {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let delivered = receiver.received(hook);
        let times = times_by_id(&delivered);
        assert_eq!(times.len(), 2 * EVENTS, "{hook}");
        // One at the most was on its way to each when its node died; it came again under the same id.
        let twice = times.values().filter(|&&times| times > 1).count();
        assert!(twice <= 1 && times.values().all(|&times| times <= 2), "{hook}: {times:?}");
        again += twice;
    }
    assert!(again <= hooks.len());
    other.kill();
}
