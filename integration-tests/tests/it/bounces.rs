//! Addresses that take no mail (R005): by the answer of the mail server, or told by the operator's bounce handler.

use std::time::Duration;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::dump::Dump;
use habilis_integration_tests::mail_server::{MailServer, Mood};
use habilis_integration_tests::{Api, Browser, Engine, Http, TestServer};
use serde_json::{Value, json};

use crate::activation::activate;
use crate::api::{all, of_kind, operator};
use crate::forgot::{NEW, ask};

const GONE: &str = "gone@cfa-lumiere.example";
const NOTICE: &str = "Une adresse de votre organisation ne reçoit plus nos messages";

async fn server_of(engine: Engine, mails: &MailServer) -> TestServer {
    let options = mails.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    TestServer::own_with(engine, &options).await
}

/// The mails to an address, once `settled` says so of them.
pub(crate) async fn mails_to(server: &TestServer, address: &str, settled: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut found = Vec::new();
    for _ in 0..800 {
        let all = Http::new().get(&server.url("/demo/mailbox.json")).await.ok_json();
        found = all.as_array().unwrap().iter().filter(|mail| mail["to"] == address).cloned().collect();
        if settled(&found) {
            return found;
        }
        // Jobs write and send them.
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("mails to {address}: {found:?}");
}

pub(crate) fn bounced(count: usize) -> impl Fn(&[Value]) -> bool {
    move |mails| mails.iter().filter(|mail| !mail["bounced"].is_null()).count() >= count
}

fn notices(mails: &[Value]) -> usize {
    mails.iter().filter(|mail| mail["subject"] == NOTICE).count()
}

async fn show(server: &mut TestServer, person: &str) -> String {
    server.manage(&["person", "show", person]).await.printed()
}

/// Invites somebody to the organization of the demonstration's administrator, whose address this gives.
async fn invite(server: &mut TestServer) -> String {
    let administrator = server.people.iter().find(|person| person.kind == "administrator").unwrap().clone();
    let organization = administrator.organization.unwrap().id;
    let invite = [
        "person",
        "invite",
        "--email",
        GONE,
        "--given-name",
        "Zoé",
        "--family-name",
        "Partie",
        "--organization",
        &organization,
    ];
    server.manage(&invite).await.printed();
    administrator.login
}

async fn an_address_that_dies_is_unproven_and_the_administrators_are_told_once(engine: Engine) {
    let mails = MailServer::start(Mood::HangsUp).await;
    let mut server = server_of(engine, &mails).await;
    let administrator = invite(&mut server).await;
    // While it waits, the mailbox of the demonstration shows the link.
    let invitation = mails_to(&server, GONE, |mails| mails.len() == 1 && !mails[0]["links"][0].is_null()).await;
    let link = invitation[0]["links"][0].as_str().unwrap().to_owned();
    let page = activate(&mut Browser::new(), &link, NEW).await.page();
    assert!(!page.has("activate-form"), "{}", page.summary());
    let shown = show(&mut server, GONE).await;
    assert!(shown.contains(&format!("address: {GONE} (proven)")), "{shown}");
    // The mailbox is closed from now on.
    mails.set(Mood::OneUnknown);
    server.advance(3600).await;
    let back = mails_to(&server, GONE, bounced(1)).await;
    assert!(back[0]["answer"].as_str().unwrap().contains("no such mailbox"), "{back:?}");
    let shown = show(&mut server, GONE).await;
    assert!(shown.contains(&format!("address: {GONE} (not proven, takes no mail)")), "{shown}");
    let told = mails_to(&server, &administrator, |mails| notices(mails) == 1).await;
    let notice = told.iter().find(|mail| mail["subject"] == NOTICE).unwrap();
    assert!(notice["text"].as_str().is_some(), "{notice}");
    assert!(Dump::of(&server).holds("mail.bounced"), "it is in the trail");
    // It bounces again: nobody is told again.
    for _ in 0..2 {
        let before = mails_to(&server, GONE, |mails| mails.iter().all(|mail| !mail["bounced"].is_null())).await.len();
        ask(&server, &mut Browser::new(), GONE).await;
        mails_to(&server, GONE, bounced(before + 1)).await;
    }
    server.advance(3600).await;
    assert_eq!(notices(&mails_to(&server, &administrator, |_| true).await), 1);
    server.kill();
}

async fn a_mistyped_invitation_is_told_to_the_administrators(engine: Engine) {
    let mails = MailServer::start(Mood::OneUnknown).await;
    let mut server = server_of(engine, &mails).await;
    let administrator = invite(&mut server).await;
    mails_to(&server, GONE, bounced(1)).await;
    mails_to(&server, &administrator, |mails| notices(mails) == 1 && mails.iter().all(|mail| !mail["sent"].is_null()))
        .await;
    let taken = mails.taken();
    assert!(taken.iter().any(|mail| mail.to == administrator), "{taken:?}");
    server.manage(&["person", "resend", GONE]).await.printed();
    mails_to(&server, GONE, bounced(2)).await;
    assert_eq!(notices(&mails_to(&server, &administrator, |_| true).await), 1, "once");
    server.kill();
}

async fn a_text_that_is_not_welcome_is_no_fault_of_the_address(engine: Engine) {
    let mails = MailServer::start(Mood::Unwanted).await;
    let mut server = server_of(engine, &mails).await;
    let login = server.learner().login.clone();
    ask(&server, &mut Browser::new(), &login).await;
    mails_to(&server, &login, bounced(1)).await;
    let shown = show(&mut server, &login).await;
    assert!(shown.contains("(proven)"), "{shown}");
    assert!(Dump::of(&server).holds("mail.refused"));
    server.kill();
}

async fn a_bounce_handler_tells_by_address_or_by_message(engine: Engine) {
    let mut server = TestServer::own_with(engine, &[]).await;
    let (login, other) = (server.learner().login.clone(), server.learner_number(1).login.clone());
    let loud = login.to_uppercase();
    let printed = server.manage(&["mail", "bounced", &loud]).await.printed();
    assert!(printed.contains("not proven any more"), "{printed}");
    assert!(show(&mut server, &login).await.contains("(not proven, takes no mail)"));
    let printed = server.manage(&["mail", "bounced", &login]).await.printed();
    assert!(printed.contains("noted before"), "{printed}");
    // By the mail that came back.
    ask(&server, &mut Browser::new(), &other).await;
    let sent = mails_to(&server, &other, |mails| mails.len() == 1 && !mails[0]["sent"].is_null()).await;
    let message = format!("<{}@example.fr>", sent[0]["id"].as_str().unwrap());
    let printed = server.manage(&["mail", "bounced", &message]).await.printed();
    assert!(printed.contains("not proven any more"), "{printed}");
    assert!(show(&mut server, &other).await.contains("(not proven, takes no mail)"));
    server.manage(&["mail", "bounced", &message]).await.assert_refused(&["nothing was changed"]);
    server.manage(&["mail", "bounced", "nobody@nowhere.example"]).await.assert_refused(&["nobody@nowhere.example"]);
    server.kill();
}

/// The program that reads bounces has a scope of its own, and reaches nothing else with it.
async fn a_program_tells_of_bounces_over_the_api(engine: Engine) {
    let mut server = TestServer::own_with(engine, &[]).await;
    let boss = operator(&server).await;
    let reader = Api::of_client(&server, "demo-automation", "habilis.bounces").await;
    let (person, other) = (server.learner().clone(), server.learner_number(1).login.clone());
    let login = person.login.clone();
    let organization = person.organization.clone().unwrap().id;
    let members = format!("/organizations/{organization}/members");
    let found = boss.get(&format!("{members}?q={login}")).await.done(200);
    let member = format!("{members}/{}", found["items"][0]["id"].as_str().unwrap());
    let read = boss.get(&member).await.header("etag").to_owned();
    let refused =
        async |path: &str| all(&boss, path).await.into_iter().map(|it| it["login"].clone()).collect::<Vec<_>>();
    assert_eq!(refused("/people?address=refused").await, [""; 0]);

    let request = || {
        let request = reader.request("POST", "/bounces").header("idempotency-key", "bounce-1");
        request.json(&json!({ "address": login.to_uppercase() }))
    };
    let noted = reader.send(request()).await.done(200);
    assert_eq!(noted, json!({ "people": 1, "unproven": 1 }));
    let again = reader.send(request()).await;
    assert_eq!((again.header("idempotency-replayed"), again.done(200)), ("true", noted));
    assert_eq!(
        reader.post("/bounces", &json!({ "address": login })).await.done(200),
        json!({ "people": 1, "unproven": 0 })
    );
    for path in ["/people?address=refused".to_owned(), format!("{members}?address=refused")] {
        assert_eq!(refused(&path).await, [login.as_str()], "{path}");
    }
    assert!(!refused("/people?address=proven").await.contains(&json!(login)));
    assert!(refused("/people?address=unproven").await.contains(&json!(login)));
    boss.get("/people?address=lost").await.problem(400, "invalid_parameter");
    // The member shows it, hence has another version.
    let now = boss.get(&member).await;
    assert_ne!(now.header("etag"), read);
    assert_eq!(now.done(200)["email_verified"], false);

    // By the mail that came back.
    ask(&server, &mut Browser::new(), &other).await;
    let sent = mails_to(&server, &other, |mails| mails.len() == 1 && !mails[0]["sent"].is_null()).await;
    let message = json!({ "message_id": format!("<{}@example.fr>", sent[0]["id"].as_str().unwrap()) });
    assert_eq!(reader.post("/bounces", &message).await.done(200), json!({ "people": 1, "unproven": 1 }));
    reader.post("/bounces", &message).await.problem(404, "not_found");
    reader.post("/bounces", &json!({ "address": "nobody@nowhere.example" })).await.problem(404, "not_found");
    for (body, pointer) in [
        (json!({}), ""),
        (json!({ "address": login, "message_id": "mail_1" }), ""),
        (json!({ "address": "personne" }), "/address"),
        (json!({ "message_id": "<zoe@example.fr>" }), "/message_id"),
    ] {
        let refused = reader.post("/bounces", &body).await.problem(422, "invalid_fields");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    reader.get("/people").await.problem(403, "insufficient_scope");
    reader.get("/signing-keys").await.problem(403, "insufficient_scope");
    let administrator = Api::of_person(&server, &of_kind(&server, "administrator"), ALL).await;
    administrator.post("/bounces", &json!({ "address": other })).await.problem(403, "forbidden");
    administrator.get(&format!("{members}?address=refused")).await.done(200);
    assert!(Dump::of(&server).holds("mail.bounced"), "it is in the trail");
    server.kill();
}

on_both_engines! {
    a_program_tells_of_bounces_over_the_api,
    an_address_that_dies_is_unproven_and_the_administrators_are_told_once,
    a_mistyped_invitation_is_told_to_the_administrators,
    a_text_that_is_not_welcome_is_no_fault_of_the_address,
    a_bounce_handler_tells_by_address_or_by_message,
}
