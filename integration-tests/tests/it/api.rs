//! The management API: organizations, their contacts, members and rights (R006–R011, R050–R058).

use std::sync::Arc;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::protocol::{AuthorizationRequest, tokens_for};
use habilis_integration_tests::{Api, Browser, Client, Engine, Inbox, Person, TestServer};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::activation::{activate, link_to};
use crate::forgot::NEW;

pub(crate) async fn operator(server: &TestServer) -> Api {
    Api::of_client(server, "demo-automation", ALL).await
}

/// The personnel software of one company, and the company.
pub(crate) async fn personnel(server: &TestServer) -> (Api, String) {
    let company = server.people.iter().find_map(|person| {
        let organization = person.organization.as_ref()?;
        (organization.kind == "company").then(|| organization.id.clone())
    });
    (Api::of_client(server, "demo-hr", ALL).await, company.unwrap())
}

/// An organization's own software, which does there what its administrators do. Made beside the server: on SQLite it is started again.
pub(crate) async fn software_of(server: &mut TestServer, organization: &str) -> (Client, Api) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let metadata = json!({ "client_id": format!("logiciel-{organization}"), "grant_types": ["client_credentials"], "response_types": [], "redirect_uris": [], "scope": ALL });
    std::fs::write(file.path(), metadata.to_string()).unwrap();
    let create = ["client", "create", file.path().to_str().unwrap(), "--manages", organization];
    let client: Client = serde_json::from_str(&server.manage(&create).await.printed()).unwrap();
    let api = Api::of_program(server, &client, ALL).await;
    (client, api)
}

pub(crate) fn of_kind(server: &TestServer, kind: &str) -> Person {
    server.people.iter().find(|person| person.kind == kind).unwrap_or_else(|| panic!("no {kind}")).clone()
}

/// The two operators of the demonstration who have an authenticator app, signed in.
pub(crate) async fn two_operators(server: &TestServer) -> (Api, Api) {
    let chief = Api::of_person(server, &of_kind(server, "second factor operator"), ALL).await;
    (chief, Api::of_person(server, &of_kind(server, "second factor second operator"), ALL).await)
}

/// Changes somebody's duties: one operator asks, the other approves.
pub(crate) async fn give_duties((asks, decides): &(Api, Api), person: &str, duties: &Value) {
    let asked = asks.put(&format!("/people/{person}/duties"), duties).await.done(202);
    let approve = format!("/duty-changes/{}/approve", asked["id"].as_str().unwrap());
    assert_eq!(decides.post(&approve, &json!({})).await.done(200)["status"], "done");
}

/// An organization of one's own, so that journeys do not meet.
pub(crate) async fn new_organization(operator: &Api, name: &str) -> String {
    let made = operator.post("/organizations", &json!({ "kind": "company", "name": name })).await.done(201);
    made["id"].as_str().unwrap().to_owned()
}

pub(crate) fn new_member(mail: &str) -> Value {
    json!({ "email": format!("{mail}@societe.example"), "given_name": "Maëlys", "family_name": "Kervadec" })
}

/// Every item of a list.
pub(crate) async fn all(api: &Api, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = api.get(&format!("{path}{separator}limit=200{cursor}")).await.done(200);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return items };
        cursor = format!("&cursor={next}");
    }
}

/// The civil date so many days after the server's today, in Paris.
pub(crate) async fn in_days(server: &TestServer, days: i64) -> String {
    let date = server.now().await.in_tz("Europe/Paris").unwrap().date();
    date.saturating_add(jiff::Span::new().days(days)).to_string()
}

pub(crate) async fn invited(api: &Api, organization: &str, body: &Value) -> String {
    let made = api.post(&format!("/organizations/{organization}/members"), body).await.done(201);
    made["id"].as_str().unwrap().to_owned()
}

/// Invites somebody as administrator, on these terms, who opens their account.
pub(crate) async fn new_administrator(
    (server, api): (&TestServer, &Api),
    organization: &str,
    mail: &str,
    ends_on: Option<&str>,
) -> String {
    let mut body = new_member(mail);
    body["role"] = json!("administrator");
    if let Some(day) = ends_on {
        (body["affiliation"], body["ends_on"]) = (json!("external"), json!(day));
    }
    let person = invited(api, organization, &body).await;
    let link = link_to(server, (body["email"].as_str().unwrap(), "/activate/"), 1).await;
    activate(&mut Browser::new(), &link, NEW).await;
    let member = api.get(&format!("/organizations/{organization}/members/{person}")).await.done(200);
    assert_eq!(member["account_status"], "active", "{member}");
    person
}

journeys! {
    async fn an_organization_is_made_read_corrected_and_suspended(server: &TestServer) {
        let api = operator(server).await;
        let new = json!({ "kind": "cfa", "name": "CFA de l’Estuaire", "siret": "356 000 000 00048", "uai": "0752524L" });
        let answer = api.post("/organizations", &new).await;
        if answer.status == 409 {
            // The other engine's server has its own database; the same server twice is a rerun.
            answer.problem(409, "siret_taken");
        }
        let made = api.post("/organizations", &json!({ "kind": "training_body", "name": "Atelier", "nda": "11755555555" })).await;
        let etag = made.header("etag").to_owned();
        let shown = made.done(201);
        let id = shown["id"].as_str().unwrap();
        assert_eq!(made.header("location"), format!("/api/v1/organizations/{id}"));
        let path = format!("/organizations/{id}");
        assert_eq!(api.get(&path).await.done(200), shown);

        let renamed = api.patch(&path, &etag, &json!({ "name": "Atelier Numérique", "nda": null })).await;
        let now = renamed.done(200);
        assert_eq!((&now["name"], &now["nda"]), (&json!("Atelier Numérique"), &Value::Null));
        let problem = api.patch(&path, &etag, &json!({ "name": "Perdu" })).await.problem(412, "version_mismatch");
        assert_eq!(problem["current"], renamed.header("etag"));
        api.send(api.request("PATCH", &path).json(&json!({}))).await.problem(428, "precondition_required");

        let status = format!("{path}/status");
        let bare = json!({ "status": "suspended", "reason": "impayé" });
        let problem = api.put(&status, &bare).await.problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["pointer"], "/breach");
        let suspended = json!({ "status": "suspended", "reason": "impayé", "breach": "Facture impayée.", "remedy": "Régler." });
        assert_eq!(api.put(&status, &suspended).await.done(200)["status"], "suspended");
        let ended = json!({ "status": "terminated", "reason": "fin", "breach": "Manquement grave." });
        api.put(&status, &ended).await.problem(409, "formal_notice_needed");
        let ended = json!({ "status": "terminated", "reason": "fin", "breach": "Manquement grave.", "irreparable": "Faux documents." });
        assert_eq!(api.put(&status, &ended).await.done(200)["status"], "terminated");
        let back = json!({ "status": "active", "reason": "retour" });
        api.put(&status, &back).await.problem(409, "conflict");

        let trail = api.get(&format!("{path}/audit")).await.done(200);
        let events: Vec<_> = trail["items"].as_array().unwrap().iter().map(|line| line["event"].as_str().unwrap()).collect();
        let expected = ["organization.status_changed", "organization.status_changed", "organization.updated", "organization.created"];
        assert_eq!(events, expected);
        let updated = &trail["items"][2];
        assert_eq!(updated["detail"]["before"]["name"], "Atelier");
        assert_eq!(updated["detail"]["after"]["name"], "Atelier Numérique");
        assert_eq!(updated["actor"], "demo-automation");
        assert!(updated["detail"]["policy"].as_str().is_some_and(|policy| !policy.is_empty()), "{updated}");
        assert!(updated["request_id"].as_str().unwrap().starts_with("req_") && updated["address"].is_string(), "{updated}");
    }

    async fn what_changes_nothing_is_no_change_and_is_told_to_nobody(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Immobile").await;
        let of = format!("/organizations/{organization}");
        api.put(&format!("{of}/portals/demo-portal"), &json!({ "roles": ["formateur"] })).await.done(200);
        let person = invited(&api, &organization, &new_member("immobile")).await;
        let member = format!("{of}/members/{person}");
        let rights = format!("{member}/rights/demo-portal");
        api.put(&rights, &json!({ "roles": ["formateur"] })).await.done(200);
        let before = all(&api, &format!("{of}/audit")).await.len();
        let tag = async |path: &str| api.get(path).await.header("etag").to_owned();
        let (organization_tag, member_tag) = (tag(&of).await, tag(&member).await);
        let shown = api.get(&member).await.done(200);
        let same = json!({ "given_name": shown["given_name"], "affiliation": shown["affiliation"], "mandate": shown["mandate"] });
        for body in [json!({}), same] {
            let answer = api.patch(&member, &member_tag, &body).await;
            answer.done(200);
            assert_eq!(answer.header("etag"), member_tag, "{body}");
        }
        for body in [json!({}), json!({ "name": "Immobile", "siret": null })] {
            let answer = api.patch(&of, &organization_tag, &body).await;
            answer.done(200);
            assert_eq!(answer.header("etag"), organization_tag, "{body}");
        }
        api.put(&rights, &json!({ "roles": ["formateur", "formateur"] })).await.done(200);
        api.put(&format!("{member}/rights/demo-closed"), &json!({ "roles": [] })).await.done(200);
        api.put(&format!("{of}/portals/demo-portal"), &json!({ "roles": ["formateur"] })).await.done(200);
        assert_eq!((tag(&of).await, tag(&member).await), (organization_tag, member_tag));
        assert_eq!(all(&api, &format!("{of}/audit")).await.len(), before, "nothing happened");
        // Where there always is something, null takes nothing away: it is refused (RFC 7396).
        for (path, field) in [(&member, "affiliation"), (&member, "family_name"), (&of, "name"), (&of, "mandatory_attributes"), (&format!("{of}/rules"), "second_factor")] {
            let etag = tag(path).await;
            let problem = api.patch(path, &etag, &json!({ field: null })).await.problem(422, "invalid_fields");
            assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{problem}");
        }
    }

    async fn an_address_is_no_place_for_what_is_not_asked_there(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Sans effet").await;
        let of = format!("/organizations/{organization}");
        // Who counts on a parameter that is none is told, before anything is done.
        api.post(&format!("{of}/members?dry_run=true"), &new_member("sans-effet")).await.problem(400, "invalid_parameter");
        assert_eq!(api.get(&format!("{of}/members")).await.done(200)["items"], json!([]));
        api.get("/").await.problem(404, "not_found");
        // An export is told of, so nobody looks at it without taking it.
        let before = all(&api, &format!("{of}/audit")).await.len();
        for path in ["members.csv", "usage.csv", "passwords.csv", "export.jsonl"] {
            let answer = api.send(api.request("HEAD", &format!("{of}/{path}"))).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "GET"), "{path}");
        }
        assert_eq!(api.send(api.request("HEAD", &of)).await.status, 200);
        assert_eq!(all(&api, &format!("{of}/audit")).await.len(), before);
    }

    async fn wrong_fields_are_named_one_by_one(server: &TestServer) {
        let api = operator(server).await;
        for (body, pointer, code) in [
            (json!({ "kind": "company" }), "/name", "missing"),
            (json!({ "kind": "société", "name": "A" }), "/kind", "invalid"),
            (json!({ "kind": "company", "name": "" }), "/name", "invalid"),
            (json!({ "kind": "company", "name": "a\u{0}b" }), "/name", "invalid"),
            (json!({ "kind": "company", "name": "a\nb" }), "/name", "invalid"),
            (json!({ "kind": "company", "name": "a".repeat(201) }), "/name", "invalid"),
            (json!({ "kind": "company", "name": 7 }), "/name", "invalid"),
            (json!({ "kind": "company", "name": "A", "siret": "12345678901234" }), "/siret", "invalid"),
            (json!({ "kind": "company", "name": "A", "other": 1 }), "/other", "unknown"),
            (json!({ "kind": "company", "name": "A", "nda": "11755555555" }), "/nda", "not_of_kind"),
            (json!({ "kind": "training_body", "name": "A", "uai": "0752524L" }), "/uai", "not_of_kind"),
            (json!(["company"]), "", "invalid"),
        ] {
            let problem = api.post("/organizations", &body).await.problem(422, "invalid_fields");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{body} {problem}");
            assert_eq!(problem["errors"][0]["code"], code, "{body} {problem}");
        }
        let send = async |kind: &str, body: &str| {
            api.send(api.request("POST", "/organizations").header("content-type", kind).body(body.to_owned())).await
        };
        send("application/json", "{\"kind\":").await.problem(400, "malformed_request");
        send("application/json", "{} {}").await.problem(400, "malformed_request");
        send("text/plain", "{}").await.problem(415, "unsupported_media_type");
        api.get("/nowhere").await.problem(404, "not_found");
        api.delete("/organizations").await.problem(405, "method_not_allowed");
        // Last: the connection ends with it.
        send("application/json", &"9".repeat(2_000_000)).await.problem(413, "too_large");
    }

    async fn a_repeated_request_does_nothing_twice(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Répétition").await;
        let path = format!("/organizations/{organization}/contacts");
        let send = async |key: &str, name: &str| {
            let body = json!({ "duty": "billing", "name": name, "email": "compta@societe.example" });
            api.send(api.request("POST", &path).header("idempotency-key", key).json(&body)).await
        };
        let first = send("a-1", "Anne Faure").await;
        let again = send("a-1", "Anne Faure").await;
        assert_eq!((again.status, &again.body), (201, &first.body));
        for name in ["location", "etag", "content-type"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
        assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
        send("a-1", "Jean Faure").await.problem(422, "idempotency_key_reused");
        send("", "Jean Faure").await.problem(400, "invalid_parameter");
        // Refused, so not kept: the corrected request may use the key.
        send("a-2", "").await.problem(422, "invalid_fields");
        send("a-2", "Jean Faure").await.done(201);
        // Many at once are one.
        let barrier = Arc::new(Barrier::new(8));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (api, barrier, path) = (api.clone(), barrier.clone(), path.clone());
                tokio::spawn(async move {
                    barrier.wait().await;
                    let body = json!({ "duty": "dpo", "name": "Zoé Dubois", "email": "dpo@societe.example" });
                    api.send(api.request("POST", &path).header("idempotency-key", "a-3").json(&body)).await
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().done(201);
        }
        let contacts = api.get(&path).await.done(200);
        assert_eq!(contacts["items"].as_array().unwrap().len(), 3, "{contacts}");
    }

    async fn what_was_removed_is_removed_once_however_often_it_is_asked(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Rejouée").await;
        let of = format!("/organizations/{organization}");
        let person = invited(&api, &organization, &new_member(&format!("rejouee.{:?}", server.engine).to_lowercase())).await;
        let group = api.post(&format!("{of}/groups"), &json!({ "name": "Rejoué", "size_limit": 3 })).await.done(201);
        let file = api.request("POST", &format!("{of}/imports")).header("content-type", "text/csv").body("Nom;Prénom;Courriel\n");
        let import = api.send(file).await.done(202);
        let paths = [
            format!("{of}/members/{person}"),
            format!("{of}/groups/{}", group["id"].as_str().unwrap()),
            format!("{of}/imports/{}", import["id"].as_str().unwrap()),
        ];
        for (index, path) in paths.iter().enumerate() {
            let key = format!("removed-{index}");
            let remove = async |path: &str| api.send(api.request("DELETE", path).header("idempotency-key", &key)).await;
            let (first, again) = (remove(path).await, remove(path).await);
            assert_eq!((first.status, again.status), (204, 204), "{path}: {} {}", first.body, again.body);
            assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"), "{path}");
            remove(&of).await.problem(405, "method_not_allowed");
            remove(&format!("{of}/members/usr_0")).await.problem(422, "idempotency_key_reused");
            api.delete(path).await.problem(404, "not_found");
            // To another it was not answered.
            let (stranger, _) = personnel(server).await;
            stranger.send(stranger.request("DELETE", path).header("idempotency-key", &key)).await.problem(404, "not_found");
        }
        let trail = all(&api, &format!("{of}/audit")).await;
        for event in ["member.removed", "group.removed", "import.forgotten"] {
            assert_eq!(trail.iter().filter(|line| line["event"] == event).count(), 1, "{event}");
        }
    }

    async fn what_changes_something_with_a_version_is_held_to_the_one_that_is_named(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Versions").await;
        let of = format!("/organizations/{organization}");
        let portal = format!("{of}/portals/demo-portal");
        api.put(&portal, &json!({ "roles": ["apprenant", "formateur"] })).await.done(200);
        let mut body = new_member(&format!("versions.{:?}", server.engine).to_lowercase());
        body["rights"] = json!([{ "client_id": "demo-portal", "role": "formateur" }]);
        let person = invited(&api, &organization, &body).await;
        let one = format!("{of}/members/{person}");
        let read = api.get(&one).await.header("etag").to_owned();
        // What the operator takes back changes the member, hence their version.
        api.put(&portal, &json!({ "roles": ["apprenant"] })).await.done(200);
        let now = api.get(&one).await;
        assert_ne!(now.header("etag"), read);
        assert_eq!(now.done(200)["rights"], json!([]));
        let send = async |method: &str, path: &str, etag: &str, body: &Value| {
            let request = api.request(method, path).header("if-match", etag);
            api.send(if body.is_null() { request } else { request.json(body) }).await
        };
        let measure = json!({ "status": "suspended", "reason": "impayé", "breach": "Facture.", "remedy": "Régler." });
        let team = api.post(&format!("{of}/groups"), &json!({ "name": "Versions", "size_limit": 3 })).await.done(201);
        let changes = [
            ("PUT", format!("{one}/rights/demo-portal"), json!({ "roles": ["apprenant"] })),
            ("PUT", format!("{one}/role"), json!({ "role": "administrator" })),
            ("PUT", format!("{one}/status"), json!({ "status": "suspended", "reason": "congé" })),
            ("DELETE", one.clone(), Value::Null),
            ("PUT", format!("/people/{person}/status"), measure.clone()),
            ("PUT", format!("{of}/status"), measure),
            ("DELETE", format!("{of}/groups/{}", team["id"].as_str().unwrap()), Value::Null),
        ];
        for (method, path, body) in &changes {
            for etag in ["\"v99999\"", "\"none\", W/\"v1\""] {
                send(method, path, etag, body).await.problem(412, "version_mismatch");
            }
        }
        assert_eq!(api.get(&one).await.header("etag"), now.header("etag"), "nothing was done");
        let given = send("PUT", &changes[0].1, now.header("etag"), &changes[0].2).await;
        assert_eq!(given.done(200)["rights"], json!([{ "client_id": "demo-portal", "role": "apprenant" }]));
        send("PUT", &changes[1].1, now.header("etag"), &changes[1].2).await.problem(412, "version_mismatch");
        assert_eq!(send("DELETE", &one, given.header("etag"), &Value::Null).await.status, 204);
    }

    async fn an_address_that_is_no_text_is_nowhere(server: &TestServer) {
        let api = operator(server).await;
        let document = habilis_integration_tests::Http::new().get(&server.url("/api/v1/openapi.json")).await.ok_json();
        for (path, operations) in document["paths"].as_object().unwrap() {
            if !path.contains('{') {
                continue;
            }
            let words = path.strip_prefix("/api/v1").unwrap().split('/');
            let target = words.map(|word| if word.starts_with('{') { "%FF" } else { word }).collect::<Vec<_>>().join("/");
            for (method, operation) in operations.as_object().unwrap() {
                let answer = api.send(api.request(&method.to_ascii_uppercase(), &target).header("if-match", "*")).await;
                answer.problem(404, "not_found");
                for status in ["404", "500", "503"] {
                    assert!(operation["responses"][status].is_object(), "{method} {path} {status}");
                }
            }
        }
        api.get("/organizations/%FF").await.problem(404, "not_found");
        api.get("/%FF").await.problem(404, "not_found");
    }

    async fn contacts_are_kept_in_a_register(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Registre").await;
        let path = format!("/organizations/{organization}/contacts");
        let body = json!({ "duty": "signatory", "name": "Léa Martin", "email": "lea@societe.example", "phone": "+33 1 99 00 12 34" });
        let made = api.post(&path, &body).await;
        let id = made.done(201)["id"].as_str().unwrap().to_owned();
        let one = format!("{path}/{id}");
        let changed = json!({ "duty": "deputy", "name": "Léa Martin", "email": "lea@societe.example" });
        let replace = async |etag: &str| api.send(api.request("PUT", &one).header("if-match", etag).json(&changed)).await;
        let replaced = replace(made.header("etag")).await;
        assert_eq!(replaced.done(200)["phone"], Value::Null);
        replace(made.header("etag")).await.problem(412, "version_mismatch");
        for wrong in [json!({ "duty": "king" }), json!({ "duty": "dpo", "name": "x\u{7}", "email": "a@b.example" }), json!({ "duty": "dpo", "name": "Léa", "email": "lea" })] {
            api.post(&path, &wrong).await.problem(422, "invalid_fields");
        }
        let remove = async |etag: &str| api.send(api.request("DELETE", &one).header("if-match", etag)).await;
        assert_eq!(remove(replaced.header("etag")).await.status, 204);
        api.get(&one).await.problem(404, "not_found");
        api.get(&format!("{path}/con_%00")).await.problem(404, "not_found");
    }

    async fn an_administrator_invites_changes_and_removes_their_own_people(server: &TestServer) {
        let (api, company) = personnel(server).await;
        let members = format!("/organizations/{company}/members");
        let mut body = new_member(&format!("maelys.{:?}", server.engine).to_lowercase());
        body["rights"] = json!([{ "client_id": "demo-portal", "role": "apprenant" }]);
        let made = api.post(&members, &body).await;
        let member = made.done(201);
        assert_eq!((&member["account_status"], &member["role"], &member["mandate"]), (&json!("pending"), &json!("member"), &json!("invitation")));
        assert_eq!(member["rights"], body["rights"]);
        let mail = Inbox::of(server).to(body["email"].as_str().unwrap()).await;
        assert_eq!(mail.len(), 1, "{mail:?}");
        assert!(mail[0].links.iter().any(|link| link.contains("/activate/")), "{mail:?}");
        api.post(&members, &body).await.problem(409, "login_taken");

        let one = format!("{members}/{}", member["id"].as_str().unwrap());
        let problem = api.patch(&one, made.header("etag"), &json!({ "affiliation": "external" })).await.problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["pointer"], "/ends_on", "{problem}");
        let last_day = in_days(server, 300).await;
        let change = json!({ "affiliation": "external", "ends_on": last_day, "given_name": "Zoé" });
        let changed = api.patch(&one, made.header("etag"), &change).await;
        let now = changed.done(200);
        assert_eq!((&now["ends_on"], &now["given_name"]), (&json!(last_day), &json!("Zoé")));
        api.patch(&one, made.header("etag"), &json!({ "affiliation": "employee" })).await.problem(412, "version_mismatch");
        for (ends_on, code) in [("2001-01-01", "past"), ("2099-01-01", "too_far"), ("31/03/2031", "invalid")] {
            let problem = api.patch(&one, "*", &json!({ "ends_on": ends_on })).await.problem(422, "invalid_fields");
            assert_eq!(problem["errors"][0]["code"], code, "{problem}");
        }

        let rights = format!("{one}/rights/demo-portal");
        let given = api.put(&rights, &json!({ "roles": ["formateur", "apprenant", "formateur"] })).await.done(200);
        let roles: Vec<_> = given["rights"].as_array().unwrap().iter().map(|right| right["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["apprenant", "formateur"]);
        let problem = api.put(&rights, &json!({ "roles": ["directeur"] })).await.problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["code"], "not_granted");
        api.put(&format!("{one}/rights/nowhere"), &json!({ "roles": [] })).await.problem(404, "not_found");
        assert_eq!(api.put(&rights, &json!({ "roles": [] })).await.done(200)["rights"], json!([]));

        let waiting = api.get(&format!("/organizations/{company}/invitations?limit=200")).await.done(200);
        let waits = |it: &&Value| it["person"] == member["id"] && it["expires_at"].is_string();
        assert_eq!(waiting["items"].as_array().unwrap().iter().filter(waits).count(), 1, "{waiting}");
        // A mailbox is not flooded.
        let answer = api.send(api.request("POST", &format!("{one}/invitation"))).await;
        answer.problem(429, "rate_limited");
        assert!((1..=300).contains(&answer.header("retry-after").parse::<u32>().unwrap()));
        assert_eq!(api.delete(&one).await.status, 204);
        api.get(&one).await.problem(404, "not_found");
        // Withdrawn: the address may be invited again.
        let made = api.post(&members, &body).await.done(201);
        assert_ne!(made["id"], member["id"]);
        assert_eq!(api.delete(&format!("{members}/{}", made["id"].as_str().unwrap())).await.status, 204);
    }

    async fn members_are_found_by_the_beginning_of_any_word(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Recherche").await;
        let engine = format!("{:?}", server.engine).to_lowercase();
        for (index, (given, family)) in [("Zoé", "Bénard"), ("Noël", "L’Hostis"), ("Anne-Lise", "Le Goff"), ("Élie", "Çelik")].iter().enumerate() {
            let body = json!({ "email": format!("trouve.{index}.{engine}@societe.example"), "given_name": given, "family_name": family });
            invited(&api, &organization, &body).await;
        }
        let members = format!("/organizations/{organization}/members");
        let names = |found: &Value| -> Vec<String> {
            found["items"].as_array().unwrap().iter().map(|one| one["family_name"].as_str().unwrap().to_owned()).collect()
        };
        for (query, expected) in [
            ("?q=bena", vec!["Bénard"]),
            ("?q=BÉN%20zo", vec!["Bénard"]),
            ("?q=lise", vec!["Le Goff"]),
            ("?q=goff%20anne", vec!["Le Goff"]),
            ("?q=nobody", vec![]),
            ("", vec!["Bénard", "Çelik", "L’Hostis", "Le Goff"]),
            ("?sort=-name", vec!["Le Goff", "L’Hostis", "Çelik", "Bénard"]),
            ("?sort=joined&limit=2", vec!["Bénard", "L’Hostis"]),
        ] {
            let found = api.get(&format!("{members}{query}")).await.done(200);
            assert_eq!(names(&found), expected, "{query}");
        }
        // Page by page, and nobody twice.
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = api.get(&format!("{members}?limit=1{cursor}")).await.done(200);
            all.extend(names(&page));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(all, ["Bénard", "Çelik", "L’Hostis", "Le Goff"]);
        for (query, code) in [
            ("?limit=0", "invalid_parameter"),
            ("?limit=201", "invalid_parameter"),
            ("?limit=x", "invalid_parameter"),
            ("?sort=age", "invalid_parameter"),
            ("?q=%20", "invalid_parameter"),
            ("?role=king", "invalid_parameter"),
            ("?portal=demo-portal", "invalid_parameter"),
            ("?other=1", "invalid_parameter"),
            ("?cursor=none", "invalid_cursor"),
        ] {
            api.get(&format!("{members}{query}")).await.problem(400, code);
        }
        let found = api.get("/organizations?q=recher").await.done(200);
        assert!(found["items"].as_array().unwrap().iter().any(|one| one["id"] == organization.as_str()), "{found}");
        let found = api.get(&format!("/people?q=trouve%20{engine}&limit=200")).await.done(200);
        assert_eq!(found["items"].as_array().unwrap().len(), 4, "{found}");
    }

    async fn what_the_operator_takes_back_no_member_keeps(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Portails").await;
        let portal = format!("/organizations/{organization}/portals/demo-portal");
        let granted = api.put(&portal, &json!({ "roles": ["formateur", "apprenant"] })).await.done(200);
        assert_eq!(granted["roles"], json!(["apprenant", "formateur"]));
        let mut body = new_member(&format!("portails.{:?}", server.engine).to_lowercase());
        body["rights"] = json!([{ "client_id": "demo-portal", "role": "apprenant" }, { "client_id": "demo-portal", "role": "formateur" }]);
        let member = invited(&api, &organization, &body).await;
        api.put(&portal, &json!({ "roles": ["apprenant"] })).await.done(200);
        let member = api.get(&format!("/organizations/{organization}/members/{member}")).await.done(200);
        assert_eq!(member["rights"], json!([{ "client_id": "demo-portal", "role": "apprenant" }]));
        for roles in [json!([""]), json!(["a b"]), json!(["é"]), json!(["a".repeat(65)]), json!("apprenant"), json!(vec!["a"; 51])] {
            api.put(&portal, &json!({ "roles": roles })).await.problem(422, "invalid_fields");
        }
        api.put(&format!("/organizations/{organization}/portals/nowhere"), &json!({ "roles": [] })).await.problem(404, "not_found");
        let portals = api.get(&format!("/organizations/{organization}/portals")).await.done(200);
        assert_eq!(portals["items"], json!([{ "client_id": "demo-portal", "name": "Campus Formation", "roles": ["apprenant"] }]));
    }

    async fn an_organization_that_nobody_administers_yet_keeps_one_of_its_invitations(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Bientôt").await;
        let engine = format!("{:?}", server.engine).to_lowercase();
        let mut members = Vec::new();
        for index in 0..2 {
            let mut body = new_member(&format!("attendu.{index}.{engine}"));
            body["role"] = json!("administrator");
            let person = invited(&api, &organization, &body).await;
            members.push(format!("/organizations/{organization}/members/{person}"));
        }
        assert_eq!(api.delete(&members[0]).await.status, 204);
        api.delete(&members[1]).await.problem(409, "last_administrator");
        api.put(&format!("{}/role", members[1]), &json!({ "role": "member" })).await.problem(409, "last_administrator");
    }

    /// What the operator takes back, no newcomer keeps, whoever is faster.
    async fn a_right_that_is_taken_back_while_somebody_is_invited_is_not_theirs(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Reprise").await;
        let engine = format!("{:?}", server.engine).to_lowercase();
        let (members, portal) = (format!("/organizations/{organization}/members"), format!("/organizations/{organization}/portals/demo-portal"));
        for round in 0..8 {
            api.put(&portal, &json!({ "roles": ["formateur"] })).await.done(200);
            let mut body = new_member(&format!("reprise.{round}.{engine}"));
            body["rights"] = json!([{ "client_id": "demo-portal", "role": "formateur" }]);
            let barrier = Arc::new(Barrier::new(2));
            let invites = {
                let (api, barrier, members) = (api.clone(), Arc::clone(&barrier), members.clone());
                tokio::spawn(async move {
                    barrier.wait().await;
                    api.post(&members, &body).await
                })
            };
            barrier.wait().await;
            api.put(&portal, &json!({ "roles": [] })).await.done(200);
            let answer = invites.await.unwrap();
            if answer.status != 201 {
                let problem = answer.problem(422, "invalid_fields");
                assert_eq!(problem["errors"][0]["code"], "not_granted", "{problem}");
                continue;
            }
            let member = api.get(&format!("{members}/{}", answer.json()["id"].as_str().unwrap())).await.done(200);
            assert_eq!(member["rights"], json!([]), "round {round}");
        }
    }

    async fn the_signatory_is_told_who_administers(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Signature & Fils").await;
        let address = format!("signataire.{:?}@societe.example", server.engine).to_lowercase();
        let contact = json!({ "duty": "signatory", "name": "Anne Prévost", "email": address });
        api.post(&format!("/organizations/{organization}/contacts"), &contact).await.done(201);
        let person = invited(&api, &organization, &new_member(&format!("signe.{:?}", server.engine).to_lowercase())).await;
        // Of themselves they have been told, of a member they are not.
        let mails = Inbox::of(server).to(&address).await;
        assert!(mails.iter().all(|mail| mail.subject.contains("signataire modifié")), "{mails:?}");
        let role = format!("/organizations/{organization}/members/{person}/role");
        assert_eq!(api.put(&role, &json!({ "role": "administrator" })).await.done(200)["role"], "administrator");
        // The same again is no change and no mail.
        api.put(&role, &json!({ "role": "administrator" })).await.done(200);
        let mails = Inbox::of(server).to(&address).await;
        let mails: Vec<_> = mails.iter().filter(|mail| mail.subject.contains("administrateurs modifiés")).collect();
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert!(mails[0].text.contains("Maëlys Kervadec") && mails[0].text.contains("Signature & Fils"), "{}", mails[0].text);
    }

    async fn a_token_opens_what_its_scope_names(server: &TestServer) {
        let organization = new_organization(&operator(server).await, "Portées").await;
        let api = Api::of_client(server, "demo-automation", "habilis.members.read").await;
        let answer = api.get(&format!("/organizations/{organization}")).await;
        answer.problem(403, "insufficient_scope");
        assert!(answer.header("www-authenticate").contains("insufficient_scope"), "{}", answer.header("www-authenticate"));
        let nobody = Api::with_token(server, "none");
        nobody.get("/me").await.problem(401, "invalid_token");
        // A portal's token has no scope for this, whoever signed in.
        let request = AuthorizationRequest::of(server.client("demo-portal")).with("scope", "openid habilis.self");
        let tokens = tokens_for(server, &request, server.learner_number(0)).await;
        assert_eq!(Api::with_token(server, tokens.access_token()).get("/me").await.status, 403);
        // A client that acts for itself is nobody.
        operator(server).await.get("/me").await.problem(404, "not_found");
    }

    async fn the_document_and_the_problems_are_explained(server: &TestServer) {
        let http = habilis_integration_tests::Http::new();
        let document = http.get(&server.url("/api/v1/openapi.json")).await.ok_json();
        assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(operation["security"][0]["oauth2"][0].is_string(), "{method} {path}");
                assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{method} {path}");
                assert!(operation["responses"]["404"].is_object(), "{method} {path}");
            }
        }
        let page = http.get(&server.url("/api/v1/docs")).await;
        assert!(page.status == 200 && page.body.contains("/api/v1/organizations/{organization}/members"), "{}", page.body);
        // Every object that a body or an answer holds is explained, at a place of its own.
        let behind = |mark: &'static str| page.body.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap());
        let ids: Vec<_> = behind(" id=\"").collect();
        for place in behind("href=\"#") {
            assert_eq!(ids.iter().filter(|id| **id == place).count(), 1, "{place}");
        }
        assert!(ids.contains(&"type-Member") && ids.contains(&"post_organizations_organization_orders"), "{ids:?}");
        let page = http.get(&server.url("/problems/version_mismatch")).await;
        assert!(page.status == 200 && page.body.contains("412"), "{}", page.body);
        http.get(&server.url("/problems/nothing")).await.problem(404, "not_found");
    }
}

own_journeys! {
    async fn an_invitation_is_sent_again_after_a_while_and_the_earlier_link_is_void(mut server: TestServer) {
        let (api, company) = personnel(&server).await;
        let person = invited(&api, &company, &new_member("encore")).await;
        let again = format!("/organizations/{company}/members/{person}/invitation");
        server.advance(301).await;
        // The token is older than that by now; so is the client's patience.
        let (api, _) = personnel(&server).await;
        api.send(api.request("POST", &again)).await.done(200);
        let mails = Inbox::of(&server).to("encore@societe.example").await;
        assert_eq!(mails.len(), 2, "{mails:?}");
        let mut opened = Vec::new();
        for mail in &mails {
            let link = mail.links.iter().find(|link| link.contains("/activate/")).unwrap();
            opened.push(Browser::new().walk(link).await.status);
        }
        opened.sort_unstable();
        assert!(opened[0] == 200 && opened[1] >= 400, "{opened:?}");
        server.kill();
    }

    /// Killed in the middle of two hundred writes, started again, every request repeated with its key: each was done exactly once,
    /// with its line in the trail.
    async fn nothing_is_lost_or_done_twice_when_the_server_is_killed(mut server: TestServer) {
        const WRITES: usize = 200;
        let api = operator(&server).await;
        let send = async |api: &Api, index: usize| {
            let body = json!({ "kind": "partner", "name": format!("Écriture {index}") });
            let request = api.request("POST", "/organizations").header("idempotency-key", format!("kill-{index}"));
            request.json(&body).send().await.is_ok_and(|answer| answer.status() == 201)
        };
        let mut tasks = Vec::new();
        for index in 0..WRITES {
            let (api, task) = (api.clone(), send);
            tasks.push(tokio::spawn(async move { task(&api, index).await }));
        }
        while api.get("/organizations?q=ecriture&limit=1").await.done(200)["items"].as_array().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        server.kill();
        let mut answered = 0;
        for task in tasks {
            answered += usize::from(task.await.unwrap());
        }
        server.restart().await;
        let api = operator(&server).await;
        let (mut replayed, mut ids) = (0, std::collections::BTreeSet::new());
        for index in 0..WRITES {
            let body = json!({ "kind": "partner", "name": format!("Écriture {index}") });
            let request = api.request("POST", "/organizations").header("idempotency-key", format!("kill-{index}"));
            let answer = api.send(request.json(&body)).await;
            replayed += usize::from(answer.header("idempotency-replayed") == "true");
            ids.insert(answer.done(201)["id"].as_str().unwrap().to_owned());
        }
        // What was answered was done; a few were done whose answer nobody heard.
        assert!(replayed >= answered && ids.len() == WRITES, "{answered} answered, {replayed} replayed, {} made", ids.len());
        let (mut found, mut cursor) = (0, String::new());
        loop {
            let page = api.get(&format!("/organizations?q=ecriture&limit=200{cursor}")).await.done(200);
            found += page["items"].as_array().unwrap().len();
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, WRITES);
        for id in ids.iter().take(20) {
            let trail = api.get(&format!("/organizations/{id}/audit")).await.done(200);
            assert_eq!(trail["items"].as_array().unwrap().len(), 1, "{trail}");
        }
        server.kill();
    }

    async fn an_organization_keeps_its_last_administrator_whoever_is_faster(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Succession").await;
        let (_, api) = software_of(&mut server, &organization).await;
        let engine = format!("{:?}", server.engine).to_lowercase();
        let members = format!("/organizations/{organization}/members");
        let mut administrators = Vec::new();
        for index in 0..2 {
            let mail = format!("administre.{index}.{engine}");
            administrators.push(new_administrator((&server, &api), &organization, &mail, None).await);
        }
        // Who was invited and has not come yet is nobody's successor.
        let mut body = new_member(&format!("administrera.{engine}"));
        body["role"] = json!("administrator");
        let waiting = invited(&api, &organization, &body).await;
        let barrier = Arc::new(Barrier::new(2));
        let tasks: Vec<_> = administrators
            .iter()
            .map(|person| {
                let (api, barrier, one) = (api.clone(), barrier.clone(), format!("{members}/{person}"));
                tokio::spawn(async move {
                    barrier.wait().await;
                    api.delete(&one).await
                })
            })
            .collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        answers.sort_by_key(|answer| answer.status);
        assert_eq!((answers[0].status, answers[1].status), (204, 409), "{answers:?}");
        answers[1].problem(409, "last_administrator");
        let mut left = None;
        for person in &administrators {
            if api.get(&format!("{members}/{person}")).await.status == 200 {
                left = Some(format!("{members}/{person}"));
            }
        }
        let left = left.unwrap();
        api.put(&format!("{left}/role"), &json!({ "role": "member" })).await.problem(409, "last_administrator");
        // Nor does the last one get a last day.
        let ends = json!({ "ends_on": in_days(&server, 60).await });
        api.patch(&left, "*", &ends).await.problem(409, "last_administrator");
        let suspended = json!({ "status": "suspended", "reason": "essai" });
        api.put(&format!("{left}/status"), &suspended).await.problem(409, "last_administrator");
        api.delete(&left).await.problem(409, "last_administrator");
        assert_eq!(api.delete(&format!("{members}/{waiting}")).await.status, 204);
        // Nor is somebody whose own last day is today, or comes earlier.
        let today = in_days(&server, 0).await;
        let mail = format!("administre.passage.{engine}");
        let passing = new_administrator((&server, &api), &organization, &mail, Some(&today)).await;
        api.put(&format!("{left}/role"), &json!({ "role": "member" })).await.problem(409, "last_administrator");
        let passing = format!("{members}/{passing}");
        api.patch(&passing, "*", &json!({ "ends_on": in_days(&server, 20).await })).await.done(200);
        api.patch(&left, "*", &ends).await.problem(409, "last_administrator");
        api.patch(&left, "*", &json!({ "ends_on": in_days(&server, 19).await })).await.done(200);
        assert_eq!(api.put(&format!("{left}/status"), &suspended).await.done(200)["status"], "suspended");
        api.delete(&passing).await.problem(409, "last_administrator");
        // The operator appointed nobody here, and takes nobody away: that takes a written request (R054).
        let refused = boss.delete(&passing).await.problem(403, "forbidden");
        assert_eq!(refused["policy"], "organization-appoints");
        for (path, body) in [(format!("{left}/role"), json!({ "role": "member" })), (format!("{passing}/status"), suspended)] {
            boss.put(&path, &body).await.problem(403, "forbidden");
        }
        boss.patch(&passing, "*", &json!({ "ends_on": in_days(&server, 10).await })).await.problem(403, "forbidden");
        let end = json!({ "operations": [{ "operation": "set_end", "person": passing.rsplit('/').next().unwrap(), "ends_on": in_days(&server, 10).await }] });
        assert_eq!(boss.post(&format!("{members}/bulk"), &end).await.done(200)["refused"], 1);
        let mut accomplice = new_member(&format!("complice.{engine}"));
        accomplice["role"] = json!("administrator");
        boss.post(&members, &accomplice).await.problem(403, "forbidden");
        server.kill();
    }

    /// Who left an organization follows nothing there any more, not even the work they started.
    async fn the_work_of_an_organization_is_followed_by_who_administers_it(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Quittée").await;
        let of = format!("/organizations/{organization}");
        // Another account that is open stays behind.
        let mut administrators = Vec::new();
        for kind in ["administrator", "second factor administrator"] {
            let person = of_kind(&server, kind);
            let offered = json!({ "email": person.login, "given_name": "Peu", "family_name": "Importe", "role": "administrator" });
            let offer = boss.post(&format!("{of}/members"), &offered).await.done(202)["id"].as_str().unwrap().to_owned();
            administrators.push((Api::of_person(&server, &person, ALL).await, offer));
        }
        for (api, offer) in &administrators {
            assert_eq!(api.send(api.request("POST", &format!("/me/offers/{offer}/accept"))).await.status, 204);
        }
        let (api, _) = administrators.remove(0);
        let (strong, _) = administrators.remove(0);
        let file = api.request("POST", &format!("{of}/imports")).header("content-type", "text/csv").body("Nom;Prénom;Courriel\n");
        api.send(file).await.done(202);
        let job = api.get(&format!("/jobs?organization={organization}")).await.done(200)["items"][0].clone();
        let path = format!("/jobs/{}", job["id"].as_str().unwrap());
        let follows = async || api.get("/jobs").await.done(200)["items"].as_array().unwrap().iter().any(|it| it["id"] == job["id"]);
        assert!(api.get(&path).await.status == 200 && follows().await);

        let me = api.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        assert_eq!(strong.delete(&format!("{of}/members/{me}")).await.status, 204);
        api.get(&path).await.problem(404, "not_found");
        assert!(!follows().await);
        boss.get(&path).await.done(200);
        server.kill();
    }
}

on_both_engines! { people_act_within_their_organization_and_sensitive_acts_need_two_factors }

async fn people_act_within_their_organization_and_sensitive_acts_need_two_factors(engine: Engine) {
    let mut server = TestServer::own_with(engine, &["--set", "api.step_up_seconds=120"]).await;
    let scope = ALL;
    let strong = of_kind(&server, "second factor administrator");
    let organization = strong.organization.clone().unwrap().id;
    let weak = server.people.iter().find(|person| {
        person.kind == "administrator" && person.organization.as_ref().is_some_and(|it| it.id == organization)
    });
    let weak_one = weak.unwrap().clone();
    let weak = Api::of_person(&server, &weak_one, scope).await;
    let members = format!("/organizations/{organization}/members");
    let person = invited(&weak, &organization, &new_member("conseil")).await;
    let role = format!("{members}/{person}/role");
    let answer = weak.put(&role, &json!({ "role": "administrator" })).await;
    answer.problem(401, "insufficient_user_authentication");
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=\"120\""),
        "{challenge}"
    );
    assert!(challenge.contains("acr_values=\"eidas1-mfa\""), "{challenge}");

    let administrator = Api::of_person(&server, &strong, scope).await;
    let me = administrator.get("/me").await.done(200);
    assert_eq!(me["organizations"][0]["role"], "administrator");
    assert_eq!(administrator.put(&role, &json!({ "role": "administrator" })).await.done(200)["role"], "administrator");
    let own = format!("{members}/{}", me["id"].as_str().unwrap());
    administrator.put(&format!("{own}/role"), &json!({ "role": "member" })).await.problem(403, "forbidden");
    administrator
        .put(&format!("{own}/rights/demo-portal"), &json!({ "roles": ["formateur"] }))
        .await
        .problem(403, "forbidden");
    administrator.delete(&own).await.problem(403, "forbidden");
    administrator
        .post("/organizations", &json!({ "kind": "company", "name": "À moi" }))
        .await
        .problem(403, "forbidden");
    administrator
        .put(&format!("/organizations/{organization}/portals/demo-portal"), &json!({ "roles": ["roi"] }))
        .await
        .problem(403, "forbidden");
    administrator.get("/audit").await.problem(403, "forbidden");
    // What was refused is told to the organization's own administrators.
    let trail = administrator.get(&format!("/organizations/{organization}/audit?limit=200")).await.done(200);
    let refused =
        trail["items"].as_array().unwrap().iter().filter(|line| line["event"] == "authorization.refused").count();
    assert!(refused >= 4, "{trail}");

    // Two minutes later the sign-in is no longer recent.
    server.advance(121).await;
    let answer = administrator.put(&role, &json!({ "role": "member" })).await;
    answer.problem(401, "insufficient_user_authentication");
    // A learner reads themselves at most.
    let learner = Api::of_person(&server, server.learner(), scope).await;
    learner.get(&members).await.problem(404, "not_found");
    administrator.get("/people").await.problem(403, "forbidden");
    administrator.get("/organizations").await.problem(403, "forbidden");
    // Who works for the operator is decided by people, not by programs, and never about oneself.
    let operators = two_operators(&server).await;
    let chief = &operators.0;
    let itself = chief.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
    let duties = json!({ "operator": false, "privacy": true, "reason": "nomination" });
    chief.put(&format!("/people/{itself}/duties"), &duties).await.problem(403, "forbidden");
    operator(&server).await.put(&format!("/people/{person}/duties"), &duties).await.problem(403, "forbidden");
    let both = json!({ "operator": true, "privacy": true, "reason": "cumul" });
    chief.put(&format!("/people/{person}/duties"), &both).await.problem(409, "conflict");
    give_duties(&operators, &person, &duties).await;
    assert_eq!(chief.get(&format!("/people/{person}")).await.done(200)["privacy"], true);
    // From now on the organization's administrator does not know them.
    administrator.get(&format!("{members}/{person}")).await.problem(404, "not_found");
    let shows = async |api: &Api, list: &str| {
        let found = api.get(&format!("/organizations/{organization}/{list}?limit=200")).await.done(200);
        found.to_string().contains(&person)
    };
    for list in ["members", "invitations"] {
        assert!(!shows(&administrator, list).await && shows(chief, list).await, "{list}");
    }
    let none = json!({ "operator": false, "privacy": false, "reason": "fin" });
    give_duties(&operators, &person, &none).await;
    learner.get(&format!("{members}/{person}")).await.problem(404, "not_found");
    learner.get(&format!("/organizations/{organization}")).await.problem(404, "not_found");
    let myself = learner.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
    learner.get(&format!("{members}/{myself}")).await.done(200);
    let rights = format!("{members}/{myself}/rights/demo-portal");
    learner.put(&rights, &json!({ "roles": ["formateur"] })).await.problem(403, "forbidden");
    // The operator suspends the organization: its administrators read on, and write no more.
    let suspended = json!({ "status": "suspended", "reason": "impayé", "breach": "Facture.", "remedy": "Régler." });
    let path = format!("/organizations/{organization}/status");
    operator(&server).await.put(&path, &suspended).await.done(200);
    // What they had is dead (R083); they sign in again for what is left to them.
    administrator.get(&format!("/organizations/{organization}")).await.problem(401, "invalid_token");
    let weak = Api::of_person(&server, &weak_one, scope).await;
    weak.get(&format!("/organizations/{organization}")).await.done(200);
    weak.post(&members, &new_member("tard")).await.problem(403, "organization_not_active");
    server.kill();
}

/// An organization of the demonstration.
pub(crate) fn organization_of_kind(server: &TestServer, kind: &str) -> String {
    let of = server.people.iter().filter_map(|person| person.organization.as_ref());
    of.into_iter().find(|organization| organization.kind == kind).unwrap().id.clone()
}
