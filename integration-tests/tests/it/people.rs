//! People wherever they belong, or nowhere: the operator invites them, sends their link again, and knows their memberships and what became of
//! their mails (R025, R026).

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Browser, Person, TestServer};
use serde_json::{Value, json};

use crate::activation::{activate, link_to};
use crate::api::{all, give_duties, invited, new_member, of_kind, operator, two_operators};
use crate::bounces::mails_to;
use crate::forgot::NEW;

const EMAIL: &str = "zoe.nouvelle@apprenante.example";

async fn id_of(boss: &Api, person: &Person) -> String {
    let found = boss.get(&format!("/people?q={}", person.login)).await.done(200);
    found["items"][0]["id"].as_str().unwrap().to_owned()
}

/// Where nobody lands, and what names it.
fn nowhere() -> [(Value, &'static str); 5] {
    [
        (json!({ "client_id": "nobody" }), "/landing/client_id"),
        (json!({ "client_id": "demo-portal", "target": "https://evil.example/" }), "/landing/target"),
        (json!({ "client_id": "demo-portal", "target": "/cours" }), "/landing/target"),
        (json!({ "client_id": "demo-portal", "target": "javascript:alert(1)" }), "/landing/target"),
        (json!({ "client_id": "demo-portal", "page": "x" }), "/landing/page"),
    ]
}

/// That invitations which lead nowhere are refused, each by its pointer.
async fn refuses_to_lead_nowhere((api, path): (&Api, &str), body: &Value) {
    for (landing, pointer) in nowhere() {
        let mut body = body.clone();
        body["landing"] = landing;
        let refused = api.post(path, &body).await.problem(422, "invalid_fields");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
}

own_journeys! {
    async fn the_operator_invites_somebody_of_no_organization_and_sends_the_link_again(mut server: TestServer) {
        let api = operator(&server).await;
        let target = format!("{}/sign-in", server.portal);
        let mut new = json!({ "email": EMAIL, "given_name": "Zoé", "family_name": "Nouvelle" });
        refuses_to_lead_nowhere((&api, "/people"), &new).await;
        new["landing"] = json!({ "client_id": "demo-portal", "target": target });
        let request = || api.request("POST", "/people").header("idempotency-key", "person-1").json(&new);
        let made = api.send(request()).await;
        let shown = made.done(201);
        let one = format!("/people/{}", shown["id"].as_str().unwrap());
        assert_eq!((made.header("location"), &shown["status"]), (format!("/api/v1{one}").as_str(), &json!("pending")));
        let again = api.send(request()).await;
        assert_eq!((again.header("idempotency-replayed"), again.done(201)), ("true", shown));
        assert_eq!(api.get(&one).await.header("etag"), made.header("etag"));
        api.post("/people", &new).await.problem(409, "login_taken");
        let mut other = new.clone();
        other["login"] = json!("quelquun@ailleurs.example");
        let refused = api.post("/people", &other).await.problem(422, "invalid_fields");
        assert_eq!(refused["errors"][0]["pointer"], "/login");

        // A mailbox is not flooded.
        let resend = async || api.send(api.request("POST", &format!("{one}/invitation"))).await;
        let first = link_to(&server, (EMAIL, "/activate/"), 1).await;
        let early = resend().await;
        assert!(early.header("retry-after").parse::<u32>().is_ok_and(|left| left <= 301));
        early.problem(429, "rate_limited");
        server.advance(301).await;
        assert_eq!(resend().await.done(200)["status"], "pending");
        let second = link_to(&server, (EMAIL, "/activate/"), 2).await;
        assert_eq!(Browser::new().get(&first).await.page().status, 410, "a newer link voids it");
        assert_eq!(activate(&mut Browser::new(), &second, NEW).await.left().as_str(), target);
        server.advance(301).await;
        let api = operator(&server).await;
        assert_eq!(api.get(&one).await.done(200)["status"], "active");
        api.send(api.request("POST", &format!("{one}/invitation"))).await.problem(409, "conflict");
        api.send(api.request("POST", "/people/usr_none/invitation")).await.problem(404, "not_found");

        // What was sent, and what became of it.
        mails_to(&server, EMAIL, |mails| mails.len() >= 2 && mails.iter().all(|mail| !mail["sent"].is_null())).await;
        let mails = all(&api, &format!("{one}/mails")).await;
        let invitations: Vec<_> = mails.iter().filter(|mail| mail["template"] == "account_invitation.1").collect();
        assert_eq!(invitations.len(), 2, "{mails:?}");
        for mail in invitations {
            assert_eq!((&mail["outcome"], &mail["attempts"], &mail["locale"]), (&json!("sent"), &json!(1), &json!("fr")));
            assert!(mail["sent_at"].is_string() && mail["answer"].is_string(), "{mail}");
            assert_eq!(mail["text_sha256"].as_str().unwrap().len(), 64);
        }
        let told = json!(mails).to_string();
        assert!(!told.contains("/activate/") && !told.contains(EMAIL), "neither text nor address: {told}");
        let page = api.get(&format!("{one}/mails?limit=1")).await.done(200);
        let next = page["next"].as_str().unwrap();
        let rest = api.get(&format!("{one}/mails?limit=1&cursor={next}")).await.done(200);
        assert_eq!((&page["items"][0], &rest["items"][0]), (&mails[0], &mails[1]));
        assert_eq!(api.get(&format!("{one}/memberships")).await.done(200)["items"], json!([]));
        let trail = all(&api, "/audit").await;
        for event in ["person.invited", "account.invited", "account.invited_again"] {
            assert_eq!(trail.iter().filter(|line| line["event"] == event).count(), 1, "{event}");
        }
        server.kill();
    }

    async fn memberships_and_mails_are_for_operators_and_the_data_protection_officer(mut server: TestServer) {
        let boss = operator(&server).await;
        let operators = two_operators(&server).await;
        let several = of_kind(&server, "two organizations");
        let person = id_of(&boss, &several).await;
        let (memberships, mails) = (format!("/people/{person}/memberships"), format!("/people/{person}/mails"));
        let found = boss.get(&memberships).await.done(200);
        let items = found["items"].as_array().unwrap();
        let roles: Vec<_> = items.iter().map(|one| one["role"].as_str().unwrap()).collect();
        assert_eq!((items.len(), roles.contains(&"administrator"), roles.contains(&"member")), (2, true, true), "{found}");
        let own = several.organization.as_ref().unwrap();
        let first = items.iter().find(|one| one["organization"] == own.id).unwrap();
        assert_eq!((&first["name"], &first["kind"]), (&json!(own.name), &json!(own.kind)));
        assert_eq!((&first["status"], &first["organization_status"], &first["ends_on"]), (&json!("active"), &json!("active"), &Value::Null));

        let officer = server.learner().clone();
        let officer_id = id_of(&boss, &officer).await;
        give_duties(&operators, &officer_id, &json!({ "operator": false, "privacy": true, "reason": "nomination" })).await;
        let privacy = Api::of_person(&server, &officer, ALL).await;
        assert_eq!(privacy.get(&memberships).await.done(200), found);
        privacy.get(&mails).await.done(200);
        // Who supervises does not act.
        let new = json!({ "email": EMAIL, "given_name": "Zoé", "family_name": "Nouvelle" });
        privacy.post("/people", &new).await.problem(403, "forbidden");
        privacy.send(privacy.request("POST", &format!("/people/{person}/invitation"))).await.problem(403, "forbidden");

        // For an administrator nobody is there, not even their own members.
        let administrator = Api::of_person(&server, &of_kind(&server, "administrator"), ALL).await;
        for path in [&memberships, &mails] {
            administrator.get(path).await.problem(404, "not_found");
        }
        administrator.post("/people", &new).await.problem(403, "forbidden");
        let narrow = Api::of_client(&server, "demo-automation", "habilis.people.read").await;
        narrow.get(&mails).await.done(200);
        narrow.post("/people", &new).await.problem(403, "insufficient_scope");
        boss.get("/people/usr_none/memberships").await.problem(404, "not_found");
        server.kill();
    }

    async fn who_is_invited_into_an_organization_lands_where_the_invitation_says(mut server: TestServer) {
        let administrator = of_kind(&server, "administrator");
        let api = Api::of_person(&server, &administrator, ALL).await;
        let organization = administrator.organization.unwrap().id;
        let members = format!("/organizations/{organization}/members");
        let target = format!("{}/sign-in", server.portal);
        let mut new = new_member("atterrit");
        refuses_to_lead_nowhere((&api, &members), &new).await;
        new["landing"] = json!({ "client_id": "demo-portal", "target": target });
        let person = invited(&api, &organization, &new).await;
        let address = new["email"].as_str().unwrap();
        let link = link_to(&server, (address, "/activate/"), 1).await;
        // Sent again it leads there as well, by whomever.
        server.advance(301).await;
        let boss = operator(&server).await;
        boss.send(boss.request("POST", &format!("/people/{person}/invitation"))).await.done(200);
        let again = link_to(&server, (address, "/activate/"), 2).await;
        assert_eq!(Browser::new().get(&link).await.page().status, 410);
        assert_eq!(activate(&mut Browser::new(), &again, NEW).await.left().as_str(), target);
        // Who has an account is offered a membership, and the page is looked at all the same.
        let stranger = server.people.iter().find(|one| one.organization.as_ref().is_some_and(|it| it.id != organization)).unwrap();
        let mut known = json!({ "email": stranger.login, "given_name": "Peu", "family_name": "Importe" });
        refuses_to_lead_nowhere((&api, &members), &known).await;
        known["landing"] = json!({ "client_id": "demo-portal" });
        api.post(&members, &known).await.done(202);
        server.kill();
    }
}
