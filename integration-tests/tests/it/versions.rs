//! `ETag`s that move with what is shown, and `If-Match` where one thing is set whole (RFC 9110 §13.1.1).

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Answer, Api, TestServer};
use serde_json::{Value, json};

use crate::api::{new_organization, of_kind, operator};
use crate::measures::{lift, suspension};

async fn put(api: &Api, path: &str, (etag, body): (&str, &Value)) -> Answer {
    api.send(api.request("PUT", path).header("if-match", etag).json(body)).await
}

own_journeys! {
    async fn rights_granted_to_an_organization_have_a_version(mut server: TestServer) {
        let api = operator(&server).await;
        let organization = new_organization(&api, "Versions des droits").await;
        let one = format!("/organizations/{organization}/portals/demo-portal");
        let roles = |roles: Value| json!({ "roles": roles });
        api.get(&one).await.problem(404, "not_found");
        let first = api.put(&one, &roles(json!(["formateur"]))).await;
        let shown = first.done(200);
        let read = api.get(&one).await;
        assert_eq!((read.header("etag"), read.done(200)), (first.header("etag"), shown));
        let second = put(&api, &one, (first.header("etag"), &roles(json!(["formateur", "apprenant"])))).await;
        assert_eq!(second.done(200)["roles"], json!(["apprenant", "formateur"]));
        let stale = put(&api, &one, (first.header("etag"), &roles(json!([])))).await.problem(412, "version_mismatch");
        assert_eq!(stale["current"], second.header("etag"));
        let same = api.get(&one).await;
        assert_eq!((same.header("etag"), &same.done(200)["roles"]), (second.header("etag"), &json!(["apprenant", "formateur"])));
        // Nothing granted any more is a version too; the former one never comes back.
        let none = put(&api, &one, (second.header("etag"), &roles(json!([])))).await;
        assert_eq!(none.done(200)["roles"], json!([]));
        let back = api.put(&one, &roles(json!(["formateur"]))).await;
        back.done(200);
        let tags: std::collections::BTreeSet<_> = [&first, &second, &none, &back].map(|answer| answer.header("etag")).into();
        assert_eq!(tags.len(), 4, "{tags:?}");
        for wrong in ["/organizations/org_none/portals/demo-portal", &format!("/organizations/{organization}/portals/nowhere")] {
            api.get(wrong).await.problem(404, "not_found");
        }
        server.kill();
    }

    async fn a_portal_is_closed_and_opened_under_the_version_that_was_read(mut server: TestServer) {
        let api = operator(&server).await;
        let status = "/portals/demo-service/status";
        let mut closed = suspension();
        closed["banner"] = json!({ "fr": "Fermé.", "en": "Closed." });
        let read = api.get("/portals/demo-service").await.header("etag").to_owned();
        put(&api, status, ("\"v99999\"", &closed)).await.problem(412, "version_mismatch");
        let suspended = put(&api, status, (&read, &closed)).await;
        assert_eq!(suspended.done(200)["status"], "suspended");
        assert_eq!(api.get("/portals/demo-service").await.header("etag"), suspended.header("etag"));
        let stale = put(&api, status, (&read, &lift())).await.problem(412, "version_mismatch");
        assert_eq!(stale["current"], suspended.header("etag"));
        assert_eq!(put(&api, status, (suspended.header("etag"), &lift())).await.done(200)["status"], "active");
        put(&api, "/portals/nowhere/status", ("*", &closed)).await.problem(404, "not_found");
        server.kill();
    }

    async fn a_member_has_another_version_when_anything_shown_of_them_changes(mut server: TestServer) {
        let boss = operator(&server).await;
        let person = of_kind(&server, "administrator");
        let organization = person.organization.clone().unwrap().id;
        let own = Api::of_person(&server, &person, ALL).await;
        let me = own.get("/me").await;
        let id = me.done(200)["id"].as_str().unwrap().to_owned();
        let (of, member) = (format!("/organizations/{organization}"), format!("/organizations/{organization}/members/{id}"));
        let mut tags = vec![boss.get(&member).await.header("etag").to_owned()];
        let mut moved = async |what: &str| {
            let tag = boss.get(&member).await.header("etag").to_owned();
            assert!(!tags.contains(&tag), "{what}");
            tags.push(tag);
        };
        // Names.
        own.patch("/me", me.header("etag"), &json!({ "given_name": "Prune" })).await.done(200);
        moved("names").await;
        // The status of the account, and back.
        let status = format!("/people/{id}/status");
        boss.put(&status, &suspension()).await.done(200);
        moved("suspended").await;
        boss.put(&status, &lift()).await.done(200);
        moved("reinstated").await;
        // What the organization asks.
        let asked = json!({ "mandatory_attributes": ["phone_number"] });
        let tag = boss.get(&of).await.header("etag").to_owned();
        boss.patch(&of, &tag, &asked).await.done(200);
        moved("asked").await;
        // Whoever read the member before any of it changes nothing by it.
        boss.patch(&member, &tags[0], &json!({ "mandate": "delegation" })).await.problem(412, "version_mismatch");
        let last = tags.last().unwrap();
        assert_eq!(boss.patch(&member, last, &json!({ "mandate": "delegation" })).await.done(200)["mandate"], "delegation");
        server.kill();
    }

    async fn who_comes_back_has_no_version_that_they_had_before(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Retours").await;
        let members = format!("/organizations/{organization}/members");
        let roles = json!({ "roles": ["formateur"] });
        boss.put(&format!("/organizations/{organization}/portals/demo-portal"), &roles).await.done(200);
        let person = of_kind(&server, "trainer");
        let own = Api::of_person(&server, &person, ALL).await;
        let id = own.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        let member = format!("{members}/{id}");
        let right = json!([{ "client_id": "demo-portal", "role": "formateur" }]);
        let mut tags = Vec::new();
        for rights in [json!([]), right.clone(), json!([]), right.clone()] {
            let body = json!({ "email": person.login, "given_name": "Nom", "family_name": "Supposé", "rights": rights });
            let offer = boss.post(&members, &body).await.done(202)["id"].as_str().unwrap().to_owned();
            let accepted = own.send(own.request("POST", &format!("/me/offers/{offer}/accept"))).await;
            assert_eq!(accepted.status, 204, "{}", accepted.body);
            let read = boss.get(&member).await;
            assert_eq!(read.done(200)["rights"], rights);
            let joined = read.header("etag").to_owned();
            let other = if rights == right { json!({ "roles": [] }) } else { roles.clone() };
            let given = boss.put(&format!("{member}/rights/demo-portal"), &other).await;
            given.done(200);
            for tag in [joined.clone(), given.header("etag").to_owned()] {
                assert!(!tags.contains(&tag), "{tag} of {tags:?}");
                tags.push(tag);
            }
            let late = boss.request("DELETE", &member).header("if-match", &joined);
            boss.send(late).await.problem(412, "version_mismatch");
            assert_eq!(boss.delete(&member).await.status, 204);
        }
        server.kill();
    }
}
