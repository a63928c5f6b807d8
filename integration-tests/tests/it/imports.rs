//! People from spreadsheets, many acts at once, and the list of members as a spreadsheet (R051, R055, R058, R153).

use std::sync::Arc;
use std::time::Duration;

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Browser, Engine, Inbox, TestServer, database};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::api::{all, invited, new_member, new_organization, of_kind, operator, software_of};
use crate::seats::{open_order, product};

const HEADER: &str = "Nom;Prénom;Courriel;Identifiant;Rôle;Affiliation;Date de fin\r\n";

fn post_file(api: &Api, organization: &str, file: impl Into<Vec<u8>>) -> reqwest::RequestBuilder {
    let request = api.request("POST", &format!("/organizations/{organization}/imports"));
    request.header("content-type", "text/csv").body(file.into())
}

/// Uploads a file and waits until it was read.
pub(crate) async fn checked(api: &Api, organization: &str, file: impl Into<Vec<u8>>) -> Value {
    let made = api.send(post_file(api, organization, file)).await.done(202);
    left(api, organization, &made, "checking").await
}

/// Waits until the import is in another state.
async fn left(api: &Api, organization: &str, import: &Value, state: &str) -> Value {
    let path = format!("/organizations/{organization}/imports/{}", import["id"].as_str().unwrap());
    for _ in 0..1200 {
        let now = api.get(&path).await.done(200);
        if now["state"] != state {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("still {state}: {}", api.get(&path).await.body);
}

pub(crate) fn path_of(organization: &str, import: &Value) -> String {
    format!("/organizations/{organization}/imports/{}", import["id"].as_str().unwrap())
}

pub(crate) fn mode(mode: &str) -> Value {
    json!({ "mode": mode, "people_informed": true })
}

pub(crate) async fn applied(api: &Api, organization: &str, import: &Value, how: &Value) -> Value {
    let path = format!("{}/apply", path_of(organization, import));
    let begun = api.post(&path, how).await.done(202);
    left(api, organization, &begun, "applying").await
}

async fn members(api: &Api, organization: &str) -> Vec<Value> {
    all(api, &format!("/organizations/{organization}/members")).await
}

/// So many people.
fn people(prefix: &str, count: usize) -> String {
    let row = |index| format!("Kervadec;Maëlys;{prefix}{index}@import.example;;;;\r\n");
    HEADER.to_owned() + &(0..count).map(row).collect::<String>()
}

fn codes(import: &Value) -> Vec<(i64, String)> {
    let rows = import["first_problems"].as_array().unwrap().iter();
    let code = |row: &Value| (row["line"].as_i64().unwrap(), row["problems"][0]["code"].as_str().unwrap().to_owned());
    rows.map(code).collect()
}

journeys! {
    async fn a_french_spreadsheet_is_looked_at_and_then_applied(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Importée").await;
        let of = format!("/organizations/{organization}");
        api.put(&format!("{of}/portals/demo-portal"), &json!({ "roles": ["apprenant"] })).await.done(200);
        let signatory = json!({ "duty": "signatory", "name": "Luc Roy", "email": "signataire@import.example" });
        api.post(&format!("{of}/contacts"), &signatory).await.done(201);
        let member = json!({ "email": "deja@import.example", "given_name": "Luc", "family_name": "Roy" });
        invited(&api, &organization, &member).await;
        let elsewhere = new_organization(&api, "Voisine").await;
        invited(&api, &elsewhere, &json!({ "email": "pris@import.example", "given_name": "Luc", "family_name": "Roy" })).await;

        // Windows-1252, a quoted line break, a formula for a name, and one of each thing that goes wrong.
        let text = "Nom;Pr\u{e9}nom;Courriel;Identifiant;R\u{f4}le;Affiliation;Date de fin;Couleur\r\n\
            \"Le\nGall\";Zo\u{e9};zoe@import.example;;;Externe;31/12/2099;bleu\r\n\
            Lef\u{e8}vre;Lo\u{ef}c;loic@import.example;;Administrateur;salari\u{e9};;\r\n\
            =1+1;Lo\u{ef}c;formule@import.example;;;;;\r\n\
            Roy;Anne;;anne.roy;;;;\r\n\
            Roy;Anne;anne@import.example;;;externe;;\r\n\
            Roy;Anne;anne2@import.example;;;externe;01/02/2020;\r\n\
            Roy;Luc;deja@import.example;;;;;\r\n\
            Roy;Luc;PRIS@import.example;;;;;\r\n\
            Gall;Zo\u{e9};ZOE@import.example;;;;;\r\n";
        let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let before = members(&api, &organization).await;
        let mut import = checked(&api, &organization, bytes).await;
        assert_eq!(import["state"], "checked", "{import}");
        // 2099 is further than ten years: the preview says so, and nothing else is wrong with that row.
        assert_eq!(codes(&import), [
            (2, "too_far".to_owned()),
            (5, "name".to_owned()),
            (6, "missing".to_owned()),
            (7, "end_missing".to_owned()),
            (8, "past".to_owned()),
            (9, "already_member".to_owned()),
            (10, "login_taken".to_owned()),
            (11, "duplicate".to_owned()),
        ], "{import}");
        assert_eq!((&import["rows"]["ready"], &import["rows"]["invalid"]), (&json!(1), &json!(8)), "{import}");
        assert_eq!(import["rows"]["administrators"], 1);
        assert_eq!(import["file"]["form"]["encoding"], "windows-1252");
        assert_eq!(import["file"]["form"]["unknown_columns"], json!(["Couleur"]));
        assert_eq!(members(&api, &organization).await, before, "a preview changes nothing");

        let path = path_of(&organization, &import);
        let apply = format!("{path}/apply");
        let problem = api.post(&apply, &json!({ "mode": "valid_rows", "people_informed": false })).await;
        assert_eq!(problem.problem(422, "invalid_fields")["errors"][0]["pointer"], "/people_informed");
        let problem = api.post(&apply, &mode("all_or_nothing")).await.problem(409, "conflict");
        assert_eq!(problem["invalid"], 8);
        let mut how = mode("valid_rows");
        how["rights"] = json!([{ "client_id": "demo-portal", "role": "formateur" }]);
        let problem = api.post(&apply, &how).await.problem(422, "invalid_fields");
        assert_eq!(problem["errors"][0]["code"], "not_granted");
        how["rights"] = json!([{ "client_id": "demo-portal", "role": "apprenant" }]);
        import = applied(&api, &organization, &import, &how).await;
        assert_eq!((&import["state"], &import["rows"]["made"]), (&json!("applied"), &json!(1)), "{import}");

        let made = all(&api, &format!("{path}/rows?state=made")).await;
        let person = api.get(&format!("{of}/members/{}", made[0]["person"].as_str().unwrap())).await.done(200);
        assert_eq!((&person["login"], &person["role"]), (&json!("loic@import.example"), &json!("administrator")));
        assert_eq!((&person["account_status"], &person["mandate"]), (&json!("pending"), &json!("invitation")));
        assert_eq!(person["rights"], how["rights"]);
        // The letter is the one of an invitation: its link opens the account.
        let mails = Inbox::of(server).to("loic@import.example").await;
        let link = mails[0].links.iter().find(|link| link.contains("/activate/")).unwrap();
        assert_eq!(Browser::new().walk(link).await.status, 200);
        let told = Inbox::of(server).to("signataire@import.example").await;
        let told: Vec<_> = told.iter().filter(|mail| mail.subject.contains("membres importés")).collect();
        assert!(told.len() == 1 && told[0].text.contains(": 1 (Loïc Lefèvre)"), "{told:?}");

        let report = api.get(&format!("{path}/report.csv")).await;
        assert!(report.header("content-type").starts_with("text/csv"), "{}", report.header("content-type"));
        assert!(report.body.starts_with('\u{feff}') && report.body.contains("5;à corriger;Nom;name;"), "{}", report.body);
        assert!(report.body.contains("11;à corriger;") && report.body.contains("ligne 2"), "{}", report.body);
        let english = api.get(&format!("{path}/report.csv?language=en")).await;
        assert!(english.body.contains("Line 2 has the same login already"), "{}", english.body);

        let trail = all(&api, &format!("{of}/audit")).await;
        let lines = |event: &str| trail.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
        assert_eq!((lines("import.uploaded").len(), lines("import.started").len()), (1, 1));
        let applied = lines("import.applied");
        assert_eq!((&applied[0]["detail"]["made"], &applied[0]["detail"]["file_sha256"]), (&json!(1), &import["file"]["sha256"]));
        let of_import: Vec<_> = lines("member.invited").into_iter().filter(|line| line["detail"]["import"] == import["id"]).collect();
        assert_eq!(of_import.len(), 1);
        assert!(of_import[0]["request_id"].is_string() && of_import[0]["actor"] == "demo-automation", "{:?}", of_import[0]);
        api.post(&apply, &mode("valid_rows")).await.problem(409, "conflict");
    }

    async fn what_is_no_list_of_people_is_refused_and_says_why(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Fichiers").await;
        let png = [&[0x89, b'P', b'N', b'G', 0, 0, 0, 13][..], &[0; 4000]].concat();
        for (file, failure) in [
            (Vec::new(), "empty"),
            (png, "not_text"),
            (b"Ville;Code postal\r\nBrest;29200\r\n".to_vec(), "missing_columns"),
            (b"Nom;Nom;Prenom;Mail\r\nA;B;C;d@e.fr\r\n".to_vec(), "repeated_column"),
            ((HEADER.to_owned() + &"A;B;c@d.fr;;;;\n".repeat(100_001)).into_bytes(), "too_many_rows"),
        ] {
            let import = checked(&api, &organization, file).await;
            assert_eq!((&import["state"], &import["failure"]), (&json!("unreadable"), &json!(failure)), "{import}");
            let path = path_of(&organization, &import);
            api.post(&format!("{path}/apply"), &mode("valid_rows")).await.problem(409, "conflict");
            api.delete(&path).await;
            api.get(&path).await.problem(404, "not_found");
        }
        let import = checked(&api, &organization, HEADER).await;
        assert_eq!((&import["state"], &import["rows"]["ready"]), (&json!("checked"), &json!(0)));
        api.post(&format!("{}/apply", path_of(&organization, &import)), &mode("valid_rows")).await.problem(409, "conflict");
        let other = api.request("POST", &format!("/organizations/{organization}/imports"));
        api.send(other.header("content-type", "application/json").body("[]")).await.problem(415, "unsupported_media_type");
        assert_eq!(all(&api, &format!("/organizations/{organization}/imports")).await.len(), 1);
        // Last: the connection ends with it, sometimes before the answer is read.
        if let Ok(answer) = post_file(&api, &organization, vec![b'a'; 20 * 1024 * 1024 + 1]).send().await {
            assert_eq!(answer.status(), 413);
        }
        let api = operator(server).await;
        assert_eq!(all(&api, &format!("/organizations/{organization}/imports")).await.len(), 1);
    }

    async fn two_who_apply_at_once_apply_once(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Deux fois").await;
        let import = checked(&api, &organization, people("deux", 120)).await;
        let path = format!("{}/apply", path_of(&organization, &import));
        let barrier = Arc::new(Barrier::new(6));
        let tasks: Vec<_> = (0..6)
            .map(|index| {
                let (api, path, barrier) = (api.clone(), path.clone(), barrier.clone());
                let how = mode(if index % 2 == 0 { "valid_rows" } else { "all_or_nothing" });
                tokio::spawn(async move {
                    barrier.wait().await;
                    api.post(&path, &how).await.status
                })
            })
            .collect();
        let mut taken = 0;
        for task in tasks {
            let status = task.await.unwrap();
            assert!(status == 202 || status == 409, "{status}");
            taken += usize::from(status == 202);
        }
        assert_eq!(taken, 1);
        let import = left(&api, &organization, &import, "applying").await;
        assert_eq!((&import["state"], &import["rows"]["made"]), (&json!("applied"), &json!(120)), "{import}");
        assert_eq!(members(&api, &organization).await.len(), 120);
        // The same file again finds everybody there.
        let again = checked(&api, &organization, people("deux", 120)).await;
        assert_eq!((&again["rows"]["ready"], &again["rows"]["invalid"]), (&json!(0), &json!(120)));
    }

    async fn all_or_nothing_is_nothing_when_a_login_was_taken_since(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Tout ou rien").await;
        let elsewhere = new_organization(&api, "Plus rapide").await;
        let import = checked(&api, &organization, people("tout", 250)).await;
        assert_eq!(import["rows"]["ready"], 250);
        let faster = json!({ "email": "tout249@import.example", "given_name": "Luc", "family_name": "Roy" });
        invited(&api, &elsewhere, &faster).await;
        let import = applied(&api, &organization, &import, &mode("all_or_nothing")).await;
        assert_eq!((&import["state"], &import["failure"]), (&json!("checked"), &json!("rows_refused")), "{import}");
        assert_eq!((&import["rows"]["ready"], &import["rows"]["invalid"]), (&json!(249), &json!(1)));
        assert_eq!(codes(&import), [(251, "login_taken".to_owned())]);
        assert_eq!(members(&api, &organization).await.len(), 0);
        let import = applied(&api, &organization, &import, &mode("valid_rows")).await;
        assert_eq!((&import["state"], &import["rows"]["made"]), (&json!("applied"), &json!(249)), "{import}");
        assert_eq!(members(&api, &organization).await.len(), 249);
    }

    async fn a_column_says_which_products_a_seat_is_of_and_none_or_all_get_one(server: &TestServer) {
        let api = operator(server).await;
        for name in ["import-cours", "import-atelier"] {
            product(&api, name).await;
        }
        let organization = new_organization(&api, "Deux produits").await;
        let of = format!("/organizations/{organization}");
        open_order(&api, server, &organization, ("BC-IMP-1", "import-cours", 10)).await;
        open_order(&api, server, &organization, ("BC-IMP-2", "import-atelier", 4)).await;
        let taken = async || {
            let pools = all(&api, &format!("{of}/seats")).await;
            let taken = |product: &str| pools.iter().find(|pool| pool["product"] == product).unwrap()["taken"].as_u64().unwrap();
            (taken("import-cours"), taken("import-atelier"))
        };
        assert_eq!(taken().await, (1, 1), "the administrators of the forms");
        let header = "Nom;Prénom;Courriel;Produits\r\n";
        let row = |number: usize, products: &str| format!("Gall;Zoé;produit{number}@import.example;{products}\r\n");
        let wrong = header.to_owned() + &row(0, "import-cours, chant") + &row(1, "plateforme IMPORT-ATELIER") + &row(2, "");
        let import = checked(&api, &organization, wrong).await;
        assert_eq!(codes(&import), [(2, "unknown_product".to_owned())], "{import}");
        assert_eq!(all(&api, &format!("{}/rows?state=invalid", path_of(&organization, &import))).await[0]["problems"][0]["column"], "Produits");
        // Who names none in an organization of two gets none.
        let import = applied(&api, &organization, &import, &mode("valid_rows")).await;
        assert_eq!((&import["rows"]["made"], &import["rows"]["refused"]), (&json!(1), &json!(1)), "{import}");
        let refused = all(&api, &format!("{}/rows?state=refused", path_of(&organization, &import))).await;
        assert_eq!((&refused[0]["line"], &refused[0]["problems"][0]["code"]), (&json!(4), &json!("product_unnamed")));
        assert_eq!(taken().await, (1, 2));

        // Two seats of the workshop are left, and the last row is the third that wants one.
        let before = members(&api, &organization).await.len();
        let rows: String = (10..15).map(|number| row(number, "")).collect();
        let file = header.to_owned() + &row(20, "import-atelier|import-cours") + &row(21, "import-atelier") + &rows + &row(22, "import-atelier");
        let import = checked(&api, &organization, file).await;
        assert_eq!(import["rows"]["ready"], 8, "{import}");
        let mut how = mode("all_or_nothing");
        how["products"] = json!(["import-cours"]);
        let import = applied(&api, &organization, &import, &how).await;
        assert_eq!((&import["state"], &import["failure"], &import["rows"]["invalid"]), (&json!("checked"), &json!("rows_refused"), &json!(1)), "{import}");
        assert_eq!(codes(&import), [(9, "seat_limit_reached".to_owned())]);
        assert_eq!((members(&api, &organization).await.len(), taken().await), (before, (1, 2)), "none");
        assert_eq!(api.get("/people?q=produit20@import.example").await.done(200)["items"], json!([]));
        assert!(Inbox::of(server).to("produit20@import.example").await.is_empty());
        // One more seat, and it is all of them.
        open_order(&api, server, &organization, ("BC-IMP-3", "import-atelier", 2)).await;
        let file = header.to_owned() + &row(20, "import-atelier|import-cours") + &row(21, "import-atelier") + &rows + &row(22, "import-atelier");
        let import = checked(&api, &organization, file).await;
        let import = applied(&api, &organization, &import, &how).await;
        assert_eq!((&import["state"], &import["rows"]["made"]), (&json!("applied"), &json!(8)), "{import}");
        assert_eq!(taken().await, (7, 6));
        assert_eq!(members(&api, &organization).await.len(), before + 9, "eight, and the administrator of the third form");
        let held = all(&api, &format!("{of}/seats/import-atelier/history")).await;
        assert_eq!(held.iter().filter(|line| line["event"] == "held" && line["reason"] == "invited").count(), 6, "{held:?}");
        let mails = Inbox::of(server).to("produit22@import.example").await;
        let link = mails[0].links.iter().find(|link| link.contains("/activate/")).unwrap();
        assert_eq!(Browser::new().walk(link).await.status, 200);
    }

    /// Thousands of rows: nobody ever sees some of them, and others write meanwhile.
    async fn all_or_nothing_is_seen_as_all_or_nothing_and_holds_nobody_up(server: &TestServer) {
        let rows = std::env::var("HABILIS_IMPORT_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1500);
        let api = operator(server).await;
        let organization = new_organization(&api, "Toutes").await;
        let other = new_organization(&api, "À côté").await;
        let import = checked(&api, &organization, people("toutes", rows)).await;
        assert_eq!(import["rows"]["ready"], rows);
        let path = path_of(&organization, &import);
        api.post(&format!("{path}/apply"), &mode("all_or_nothing")).await.done(202);
        loop {
            let contact = json!({ "duty": "deputy", "name": "Zoé", "email": "zoe@import.example" });
            // Others write meanwhile.
            let contact = api.post(&format!("/organizations/{other}/contacts"), &contact).await.done(201);
            api.delete(&format!("/organizations/{other}/contacts/{}", contact["id"].as_str().unwrap())).await;
            let page = api.get(&format!("/organizations/{organization}/members?limit=200")).await.done(200);
            let found = page["items"].as_array().unwrap().len();
            assert!(found == 0 || found == rows.min(200), "{found} of them");
            let now = api.get(&path).await.done(200);
            if found == 0 {
                let people = api.get("/people?q=toutes1@import.example").await.done(200);
                let still = api.get(&format!("/organizations/{organization}/members?limit=1")).await.done(200);
                assert!(people["items"] == json!([]) || still["items"] != json!([]), "an account before all");
            } else if now["state"] == "applying" {
                // Everybody is in: this is not undone any more.
                let answer = api.delete(&path).await;
                assert!(answer.status == 409 || api.get(&path).await.done(200)["state"] == "applied", "{}", answer.body);
                assert_eq!(all(&api, &format!("/organizations/{organization}/members")).await.len(), rows);
                break;
            } else {
                break;
            }
        }
        let import = left(&api, &organization, &import, "applying").await;
        assert_eq!((&import["state"], &import["rows"]["made"]), (&json!("applied"), &json!(rows)), "{import}");
        let trail = all(&api, &format!("/organizations/{organization}/audit")).await;
        assert_eq!(trail.iter().filter(|line| line["event"] == "member.invited").count(), rows);
        let waiting = all(&api, &format!("/organizations/{organization}/invitations")).await;
        assert!(waiting.len() == rows && waiting.iter().all(|one| one["expires_at"].is_string()), "each has a link");
    }

    async fn an_import_is_stopped_and_who_was_invited_stays(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Arrêtée").await;
        let import = checked(&api, &organization, people("stop", 2000)).await;
        let path = path_of(&organization, &import);
        api.post(&format!("{path}/apply"), &mode("valid_rows")).await.done(202);
        // Left and found again by the list.
        loop {
            let found = api.get(&format!("/organizations/{organization}/imports")).await.done(200);
            let progress = &found["items"][0]["progress"];
            assert_eq!(progress["total"], 2000, "{found}");
            if progress["done"].as_i64().unwrap() > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let answer = api.delete(&path).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
        api.get(&path).await.problem(404, "not_found");
        let trail = all(&api, &format!("/organizations/{organization}/audit")).await;
        let forgotten = trail.iter().find(|line| line["event"] == "import.forgotten").unwrap();
        assert_eq!(forgotten["detail"]["stopped"], true);
        let made = members(&api, &organization).await.len();
        assert_eq!(forgotten["detail"]["made"], made);
        assert!(made > 0 && made < 2000, "{made}");
    }

    async fn many_acts_at_once_are_answered_one_by_one(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "En nombre").await;
        let of = format!("/organizations/{organization}");
        api.put(&format!("{of}/portals/demo-portal"), &json!({ "roles": ["apprenant"] })).await.done(200);
        let mut ids = Vec::new();
        for (name, role) in [("nombre1", "administrator"), ("nombre2", "administrator"), ("nombre3", "member"), ("nombre4", "member")] {
            let mut new = new_member(name);
            new["role"] = json!(role);
            ids.push(invited(&api, &organization, &new).await);
        }
        let [first, second, third, fourth] = &ids[..] else { unreachable!() };
        let operations = json!({ "operations": [
            { "operation": "suspend", "person": third, "reason": "congé" },
            { "operation": "set_end", "person": fourth, "ends_on": "2020-01-01" },
            { "operation": "set_rights", "person": fourth, "client_id": "demo-portal", "roles": ["formateur"] },
            { "operation": "set_rights", "person": fourth, "client_id": "demo-portal", "roles": ["apprenant"] },
            { "operation": "remove", "person": first },
            { "operation": "remove", "person": first },
            { "operation": "remove", "person": second },
            { "operation": "suspend", "person": "usr_personne", "reason": "congé" },
            { "operation": "reinstate", "person": third, "reason": "retour" },
        ] });
        let path = format!("{of}/members/bulk");
        let send = async || api.send(api.request("POST", &path).header("idempotency-key", "bulk-1").json(&operations)).await;
        let answer = send().await;
        let done = answer.done(200);
        let results = done["results"].as_array().unwrap();
        let statuses: Vec<_> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
        assert_eq!(statuses, [200, 422, 422, 200, 204, 404, 409, 404, 200], "{done}");
        assert_eq!((&done["done"], &done["refused"]), (&json!(4), &json!(5)));
        assert_eq!(results[6]["problem"]["code"], "last_administrator");
        assert_eq!(results[2]["problem"]["errors"][0]["code"], "not_granted");
        let again = send().await;
        assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &answer.body));
        let left = members(&api, &organization).await;
        assert_eq!(left.len(), 3);
        assert!(left.iter().all(|member| member["status"] == "active"), "{left:?}");
        let trail = all(&api, &format!("{of}/audit")).await;
        for (event, lines) in [("member.status_changed", 2), ("member.rights_changed", 1), ("member.removed", 1)] {
            assert_eq!(trail.iter().filter(|line| line["event"] == event).count(), lines, "{event}");
        }
        for count in [0, 1001] {
            let operation = json!({ "operation": "remove", "person": third });
            let many = json!({ "operations": vec![operation; count] });
            api.post(&path, &many).await.problem(422, "invalid_fields");
        }
        assert_eq!(members(&api, &organization).await.len(), 3);
        // Nobody acts on themselves, in number or not.
        let administrator = of_kind(server, "administrator");
        let own = administrator.organization.clone().unwrap().id;
        let administrator = Api::of_person(server, &administrator, ALL).await;
        let me = administrator.get("/me").await.done(200)["id"].clone();
        let operations = json!({ "operations": [{ "operation": "suspend", "person": me, "reason": "pause" }] });
        let done = administrator.post(&format!("/organizations/{own}/members/bulk"), &operations).await.done(200);
        assert_eq!(done["results"][0]["problem"]["code"], "forbidden", "{done}");
        // However often in one request: it is one line of the trail.
        let trail = format!("/organizations/{own}/audit");
        let refusals = async || {
            let lines = all(&administrator, &trail).await;
            lines.into_iter().filter(|line| line["event"] == "authorization.refused").collect::<Vec<_>>()
        };
        let before = refusals().await.len();
        let many = json!({ "operations": vec![operations["operations"][0].clone(); 300] });
        let done = administrator.post(&format!("/organizations/{own}/members/bulk"), &many).await.done(200);
        assert_eq!((&done["done"], &done["refused"]), (&json!(0), &json!(300)));
        let lines = refusals().await;
        assert_eq!((lines.len(), &lines[0]["detail"]["times"]), (before + 1, &json!(300)), "{}", lines[0]);
        assert!(lines[0]["subject"] == me && lines[0]["detail"]["policy"].is_string(), "{}", lines[0]);
    }

    async fn what_was_exported_is_imported_again(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Aller").await;
        let of = format!("/organizations/{organization}");
        let file = HEADER.to_owned()
            + "Le Gall;Zoé;zoe.gall@export.example;'=zoe;Administrateur;Salarié;\r\n\
               Œuvrard;Loïc;loic@export.example;;Membre;Externe;31/12/2030\r\n"
            + &people("export", 420)[HEADER.len()..];
        let import = checked(&api, &organization, file).await;
        assert_eq!((&import["rows"]["ready"], &import["rows"]["invalid"]), (&json!(422), &json!(0)), "{import}");
        applied(&api, &organization, &import, &mode("valid_rows")).await;
        // By what right they act goes with them (R011), also that there is none.
        for (login, mandate) in [("loic@export.example", json!("legal_representative")), ("export0@import.example", json!("delegation")), ("export1@import.example", Value::Null)] {
            let found = api.get(&format!("{of}/members?q={login}")).await.done(200);
            let member = format!("{of}/members/{}", found["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{login}: {found}")));
            let tag = api.get(&member).await.header("etag").to_owned();
            api.patch(&member, &tag, &json!({ "mandate": mandate })).await.done(200);
        }
        let exported = api.get(&format!("{of}/members.csv")).await;
        assert_eq!(exported.status, 200, "{}", exported.body);
        for (word, count) in [(";Représentant légal;", 1), (";Délégation;", 1), (";Aucun;", 1), (";Invitation;", 419)] {
            assert_eq!(exported.body.matches(word).count(), count, "{word}");
        }
        assert!(exported.body.contains(";'=zoe;"), "a formula is text");
        assert_eq!(exported.body.lines().count(), 423);
        let externals = api.get(&format!("{of}/members.csv?affiliation=external")).await;
        assert!(externals.body.lines().count() == 2 && externals.body.contains("31/12/2030"), "{}", externals.body);
        api.get(&format!("{of}/members.csv?affiliation=x")).await.problem(400, "invalid_parameter");
        let trail = all(&api, &format!("{of}/audit")).await;
        assert_eq!(trail.iter().filter(|line| line["event"] == "members.exported").count(), 2);

        // The same people, gone and back, from the file alone.
        let operations: Vec<_> = members(&api, &organization).await.iter().map(|member| json!({ "operation": "remove", "person": member["id"] })).collect();
        // Zoé is the last administrator: she stays until the operator ends the organization.
        let done = api.post(&format!("{of}/members/bulk"), &json!({ "operations": operations })).await.done(200);
        assert_eq!((&done["done"], &done["refused"]), (&json!(421), &json!(1)), "{done}");
        let again = checked(&api, &organization, exported.body.clone()).await;
        assert_eq!((&again["rows"]["ready"], &again["rows"]["invalid"]), (&json!(421), &json!(1)), "{again}");
        assert_eq!(codes(&again)[0].1, "already_member");
        applied(&api, &organization, &again, &mode("valid_rows")).await;
        let back = api.get(&format!("{of}/members.csv")).await;
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(sorted(&back.body), sorted(&exported.body));
    }

    async fn a_mandate_comes_with_its_row_also_when_all_come_at_once(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Mandats").await;
        let file = "Nom;Prénom;Courriel;Mandat\r\nA;B;mandat-1@export.example;Représentante légale\r\n\
                    C;D;mandat-2@export.example;\r\nE;F;mandat-3@export.example;aucun\r\nG;H;mandat-4@export.example;delegation\r\n";
        let import = checked(&api, &organization, file.to_owned()).await;
        applied(&api, &organization, &import, &mode("all_or_nothing")).await;
        let mut found = Vec::new();
        for n in 1..=4 {
            let listed = api.get(&format!("/organizations/{organization}/members?q=mandat-{n}@export.example")).await.done(200);
            let id = listed["items"][0]["id"].as_str().unwrap();
            found.push(api.get(&format!("/organizations/{organization}/members/{id}")).await.done(200)["mandate"].clone());
        }
        assert_eq!(found, [json!("legal_representative"), json!("invitation"), Value::Null, json!("delegation")]);
        let wrong = checked(&api, &organization, "Nom;Prénom;Courriel;Mandat\r\nA;B;mandat-9@export.example;roi\r\n".to_owned()).await;
        assert_eq!(codes(&wrong), [(2, "mandate".to_owned())]);
    }

    async fn seats_and_rights_come_back_with_the_people_who_had_them(server: &TestServer) {
        let api = operator(server).await;
        let organization = new_organization(&api, "Retour").await;
        let of = format!("/organizations/{organization}");
        for (number, id) in [("BC-RETOUR-1", "retour-cours"), ("BC-RETOUR-2", "retour-atelier")] {
            product(&api, id).await;
            open_order(&api, server, &organization, (number, id, 6)).await;
        }
        api.put(&format!("{of}/portals/demo-portal"), &json!({ "roles": ["apprenant", "formateur"] })).await.done(200);
        api.put(&format!("{of}/portals/demo-post"), &json!({ "roles": ["apprenant", "jury,oral"] })).await.done(200);
        let file = |rows: &[(&str, &str, &str)]| {
            let row = |(who, products, rights): &(&str, &str, &str)| format!("Gall;Zoé;{who}@retour.example;{products};{rights}\r\n");
            "Nom;Prénom;Courriel;Produits;Droits\r\n".to_owned() + &rows.iter().map(row).collect::<String>()
        };
        let wrong = file(&[
            ("faux1", "chant", ""),
            ("faux2", "retour-cours", "demo-post:formateur"),
            ("faux3", "retour-cours", "demo-portal:apprenant, apprenant"),
            ("faux4", "aucun", ""),
        ]);
        let import = checked(&api, &organization, wrong).await;
        let problems = ["unknown_product", "not_granted", "rights", "unknown_product"];
        let problems: Vec<_> = (2_i64..).zip(problems.map(str::to_owned)).collect();
        assert_eq!(codes(&import), problems, "{import}");
        assert_eq!(import["first_problems"][1]["problems"][0]["column"], "Droits", "{import}");

        // What a row says goes before what the application does.
        let good = file(&[
            ("zoe", "retour-cours, retour-atelier", "demo-portal:apprenant, demo-portal:formateur, demo-post:jury%2Coral"),
            ("loic", "retour-cours", "demo-post:apprenant"),
            ("ana", "Retour-Atelier", "demo-portal:formateur"),
            ("luc", "", ""),
        ]);
        let import = checked(&api, &organization, good).await;
        assert_eq!((&import["rows"]["ready"], &import["rows"]["invalid"]), (&json!(4), &json!(0)), "{import}");
        let mut how = mode("valid_rows");
        how["products"] = json!(["retour-atelier"]);
        how["rights"] = json!([{ "client_id": "demo-portal", "role": "apprenant" }]);
        let import = applied(&api, &organization, &import, &how).await;
        assert_eq!((&import["rows"]["made"], &import["rows"]["refused"]), (&json!(4), &json!(0)), "{import}");
        let exported = api.get(&format!("{of}/members.csv")).await;
        assert_eq!((exported.status, exported.body.lines().count()), (200, 7), "{}", exported.body);
        for (who, held) in [
            ("zoe", "\"retour-atelier, retour-cours\";\"demo-portal:apprenant, demo-portal:formateur, demo-post:jury%2Coral\""),
            ("loic", "retour-cours;demo-post:apprenant"),
            ("ana", "retour-atelier;demo-portal:formateur"),
            ("luc", "retour-atelier;demo-portal:apprenant"),
        ] {
            let line = exported.body.lines().find(|line| line.contains(&format!("{who}@retour.example"))).unwrap();
            assert!(line.ends_with(&format!(";{held};Invitation envoyée;Active")), "{line}");
        }

        // All but the last administrator leave, and come back from the file alone.
        let operations: Vec<_> =
            members(&api, &organization).await.iter().map(|member| json!({ "operation": "remove", "person": member["id"] })).collect();
        let done = api.post(&format!("{of}/members/bulk"), &json!({ "operations": operations })).await.done(200);
        assert_eq!((&done["done"], &done["refused"]), (&json!(5), &json!(1)), "{done}");
        let staying = members(&api, &organization).await[0]["login"].as_str().unwrap().to_owned();
        let gone: String = exported.body.split_inclusive("\r\n").filter(|line| !line.contains(&staying)).collect();
        let again = checked(&api, &organization, gone).await;
        assert_eq!((&again["rows"]["ready"], &again["rows"]["invalid"]), (&json!(5), &json!(0)), "{again}");
        let again = applied(&api, &organization, &again, &mode("all_or_nothing")).await;
        assert_eq!((&again["state"], &again["rows"]["made"]), (&json!("applied"), &json!(5)), "{again}");
        let back = api.get(&format!("{of}/members.csv")).await;
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(sorted(&back.body), sorted(&exported.body));

        // The whole export tells the same, and what else is the organization's.
        let people = members(&api, &organization).await;
        let group = api.post(&format!("{of}/groups"), &json!({ "name": "Oral", "size_limit": 4 })).await.done(201);
        let join = format!("{of}/groups/{}/members/{}", group["id"].as_str().unwrap(), people[0]["id"].as_str().unwrap());
        api.send(api.request("PUT", &join)).await.done(200);
        api.post(&format!("{of}/reviews"), &json!({})).await.done(201);
        let whole = api.get(&format!("{of}/export.jsonl")).await;
        let lines: Vec<Value> = whole.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of_type = |kind: &str| lines.iter().filter(|line| line["type"] == kind).map(|line| &line["data"]).collect::<Vec<_>>();
        let counts = ["member", "invitation", "import", "group", "group_member", "review", "review_item", "data_return"];
        assert_eq!(counts.map(|kind| of_type(kind).len()), [6, 6, 3, 1, 1, 1, 6, 1], "{}", whole.body);
        assert_eq!(of_type("group_member")[0]["group"], group["id"]);
        let zoe = of_type("member").into_iter().find(|member| member["login"] == "zoe@retour.example").unwrap();
        assert_eq!(zoe["seats"], json!(["retour-atelier", "retour-cours"]));
        assert!(zoe["rights"].as_array().unwrap().contains(&json!({ "client_id": "demo-post", "role": "jury,oral" })), "{zoe}");
        assert_eq!(lines.last().unwrap()["data"]["lines"], json!(lines.len() - 1));

        // A right that is taken back between the check and the application is given to nobody.
        let late = |who| file(&[(who, "retour-cours", "demo-post:apprenant")]);
        let whole = checked(&api, &organization, late("tard1")).await;
        let valid = checked(&api, &organization, late("tard2")).await;
        api.put(&format!("{of}/portals/demo-post"), &json!({ "roles": ["jury,oral"] })).await.done(200);
        let whole = applied(&api, &organization, &whole, &mode("all_or_nothing")).await;
        assert_eq!((&whole["state"], &whole["failure"]), (&json!("checked"), &json!("rows_refused")), "{whole}");
        assert_eq!(codes(&whole), [(2, "not_granted".to_owned())]);
        let valid = applied(&api, &organization, &valid, &mode("valid_rows")).await;
        assert_eq!((&valid["rows"]["made"], &valid["rows"]["refused"]), (&json!(0), &json!(1)), "{valid}");
        assert_eq!(members(&api, &organization).await.len(), 6);
    }
}

own_journeys! {
    /// Many acts are done in turns: killed in the middle and asked again with its key, a request goes on behind what was done.
    async fn many_acts_go_on_where_they_were_when_the_server_was_killed(mut server: TestServer) {
        const PEOPLE: usize = 1000;
        let api = operator(&server).await;
        let organization = new_organization(&api, "Départs").await;
        let import = checked(&api, &organization, people("departs", PEOPLE)).await;
        applied(&api, &organization, &import, &mode("all_or_nothing")).await;
        let all_of_them = members(&api, &organization).await;
        let acts: Vec<_> = all_of_them.iter().map(|member| json!({ "operation": "remove", "person": member["id"] })).collect();
        let (path, acts) = (format!("/organizations/{organization}/members/bulk"), json!({ "operations": acts }));
        let request = |api: &Api| api.request("POST", &path).header("idempotency-key", "departs").json(&acts);
        let asked = tokio::spawn(request(&api).send());
        let first = format!("/organizations/{organization}/members/{}", all_of_them[0]["id"].as_str().unwrap());
        while api.get(&first).await.status != 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server.kill();
        let _ = asked.await.unwrap();
        server.restart().await;
        let api = operator(&server).await;
        let left = members(&api, &organization).await.len();
        assert!(left > 0, "killed too late");
        // The database may be at what the killed server had begun.
        let mut answer = api.send(request(&api)).await;
        for _ in 0..20 {
            if answer.status != 503 {
                break;
            }
            assert!(!answer.header("retry-after").is_empty());
            tokio::time::sleep(Duration::from_millis(500)).await;
            answer = api.send(request(&api)).await;
        }
        let done = answer.done(200);
        assert_eq!((&done["done"], &done["refused"]), (&json!(PEOPLE), &json!(0)), "{left} were left");
        assert_eq!(members(&api, &organization).await.len(), 0);
        let again = api.send(request(&api)).await;
        assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &answer.body));
        let trail = all(&api, &format!("/organizations/{organization}/audit")).await;
        assert_eq!(trail.iter().filter(|line| line["event"] == "member.removed").count(), PEOPLE);
        server.kill();
    }

    /// Killed in the middle, started again: each row was done exactly once.
    async fn an_import_goes_on_where_it_was_when_the_server_was_killed(mut server: TestServer) {
        const ROWS: usize = 1500;
        let api = operator(&server).await;
        let organization = new_organization(&api, "Coupure").await;
        let import = checked(&api, &organization, people("coupure", ROWS)).await;
        let path = path_of(&organization, &import);
        api.post(&format!("{path}/apply"), &mode("valid_rows")).await.done(202);
        loop {
            let now = api.get(&path).await.done(200);
            assert_eq!(now["state"], "applying", "killed too late: {now}");
            if now["progress"]["done"].as_i64().unwrap() > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server.kill();
        server.restart().await;
        // The lease of the dead worker lapses.
        server.advance(120).await;
        let api = operator(&server).await;
        let import = left(&api, &organization, &import, "applying").await;
        assert_eq!((&import["state"], &import["rows"]["made"]), (&json!("applied"), &json!(ROWS)), "{import}");
        assert_eq!(import["progress"]["done"], ROWS);
        assert_eq!(members(&api, &organization).await.len(), ROWS);
        let trail = all(&api, &format!("/organizations/{organization}/audit")).await;
        assert_eq!(trail.iter().filter(|line| line["event"] == "member.invited").count(), ROWS);
        assert_eq!(trail.iter().filter(|line| line["event"] == "import.applied").count(), 1);

        // All or nothing: never some.
        let import = checked(&api, &organization, people("rien", 400)).await;
        let path = path_of(&organization, &import);
        api.post(&format!("{path}/apply"), &mode("all_or_nothing")).await.done(202);
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.kill();
        server.restart().await;
        let api = operator(&server).await;
        let made = members(&api, &organization).await.len() - ROWS;
        assert!(made == 0 || made == 400, "{made}");
        server.advance(120).await;
        let api = operator(&server).await;
        let import = left(&api, &organization, &import, "applying").await;
        assert_eq!((&import["state"], &import["rows"]["made"]), (&json!("applied"), &json!(400)), "{import}");
        assert_eq!(members(&api, &organization).await.len(), ROWS + 400);

        // A week later it is forgotten, and who was invited is not.
        server.advance(8 * 86_400).await;
        let api = operator(&server).await;
        assert_eq!(all(&api, &format!("/organizations/{organization}/imports")).await.len(), 0);
        assert_eq!(members(&api, &organization).await.len(), ROWS + 400);
        server.kill();
    }
}

own_journeys! {
    /// Killed again and again: it is nothing, or it is all; and in the end each was written to once.
    async fn all_or_nothing_survives_being_killed_at_any_point(mut server: TestServer) {
        const ROWS: usize = 600;
        let api = operator(&server).await;
        let organization = new_organization(&api, "Coupures").await;
        let import = checked(&api, &organization, people("coupures", ROWS)).await;
        let path = path_of(&organization, &import);
        api.post(&format!("{path}/apply"), &mode("all_or_nothing")).await.done(202);
        for pause in [20, 150, 400, 900] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            server.kill();
            server.restart().await;
            let api = operator(&server).await;
            let found = members(&api, &organization).await.len();
            assert!(found == 0 || found == ROWS, "{found}");
            server.advance(61).await;
        }
        let api = operator(&server).await;
        let import = left(&api, &organization, &import, "applying").await;
        assert_eq!((&import["state"], &import["rows"]["made"]), (&json!("applied"), &json!(ROWS)), "{import}");
        assert_eq!(members(&api, &organization).await.len(), ROWS);
        let trail = all(&api, &format!("/organizations/{organization}/audit")).await;
        let lines = |event: &str| trail.iter().filter(|line| line["event"] == event).count();
        assert_eq!((lines("member.invited"), lines("import.entered"), lines("import.applied")), (ROWS, 1, 1));
        let waiting = all(&api, &format!("/organizations/{organization}/invitations")).await;
        assert!(waiting.len() == ROWS && waiting.iter().all(|one| one["expires_at"].is_string()), "each has a link");
        server.kill();
    }
}

/// Two nodes on one database: an import is done once, by one of them; the other carries it on when that one is dead.
#[tokio::test]
async fn an_import_is_run_by_one_node_and_carried_on_by_the_other() {
    const ROWS: usize = 600;
    let url = database::create();
    let mut one = TestServer::start_on(Engine::Postgres, vec!["--database".to_owned(), url]).await.unwrap();
    let mut other = TestServer::beside(&one).await.unwrap();
    let (api, beside) = (operator(&one).await, operator(&other).await);
    for how in ["valid_rows", "all_or_nothing"] {
        let organization = new_organization(&api, "Deux nœuds").await;
        let import = checked(&api, &organization, people(&format!("noeuds{how}"), 300)).await;
        let import = applied(&beside, &organization, &import, &mode(how)).await;
        assert_eq!((&import["state"], &import["rows"]["made"]), (&json!("applied"), &json!(300)), "{import}");
        let trail = all(&api, &format!("/organizations/{organization}/audit")).await;
        assert_eq!(trail.iter().filter(|line| line["event"] == "member.invited").count(), 300);
        let jobs = all(&api, &format!("/jobs?organization={organization}")).await;
        assert!(jobs.len() == 2 && jobs.iter().all(|job| job["attempts"] == 1 && job["state"] == "done"), "{jobs:?}");
    }
    // One of two organizations' imports is in the hands of each node, most likely; whichever, those of the dead one go on.
    let mut imports = Vec::new();
    for (name, how) in [("Un", "valid_rows"), ("Deux", "all_or_nothing"), ("Trois", "valid_rows")] {
        let organization = new_organization(&api, name).await;
        let import = checked(&api, &organization, people(&format!("mort{name}"), ROWS)).await;
        api.post(&format!("{}/apply", path_of(&organization, &import)), &mode(how)).await.done(202);
        imports.push((organization, import));
    }
    loop {
        let now = api.get(&path_of(&imports[0].0, &imports[0].1)).await.done(200);
        assert_eq!(now["state"], "applying", "killed too late: {now}");
        if now["progress"]["done"].as_i64().unwrap() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    one.kill();
    other.advance(61).await;
    let beside = operator(&other).await;
    for (organization, import) in &imports {
        let import = left(&beside, organization, import, "applying").await;
        assert_eq!((&import["state"], &import["rows"]["made"]), (&json!("applied"), &json!(ROWS)), "{import}");
        assert_eq!(members(&beside, organization).await.len(), ROWS);
        let trail = all(&beside, &format!("/organizations/{organization}/audit")).await;
        let lines = |event: &str| trail.iter().filter(|line| line["event"] == event).count();
        assert_eq!((lines("member.invited"), lines("import.applied")), (ROWS, 1));
    }
    other.kill();
}

own_journeys! {
    /// An import that waits its turn does not outlive the rights of who started it.
    async fn whoever_lost_their_rights_imports_nobody_any_more(mut server: TestServer) {
        let author = of_kind(&server, "second factor administrator").clone();
        let organization = author.organization.clone().unwrap().id;
        let of = format!("/organizations/{organization}");
        let (_, software) = software_of(&mut server, &organization).await;
        let boss = operator(&server).await;
        let before = members(&boss, &organization).await.len();
        let mine = Api::of_person(&server, &author, ALL).await;
        let me = mine.get("/me").await.done(200)["id"].as_str().unwrap().to_owned();
        let (long, whole, valid) = (
            checked(&boss, &organization, people("longue", 400)).await,
            checked(&mine, &organization, people("entiere", 30)).await,
            checked(&mine, &organization, people("valide", 30)).await,
        );
        // An organization has one job at a time: theirs wait behind the long one.
        boss.post(&format!("{}/apply", path_of(&organization, &long)), &mode("valid_rows")).await.done(202);
        for (import, how) in [(&whole, "all_or_nothing"), (&valid, "valid_rows")] {
            mine.post(&format!("{}/apply", path_of(&organization, import)), &mode(how)).await.done(202);
        }
        software.put(&format!("{of}/members/{me}/role"), &json!({ "role": "member" })).await.done(200);
        let long = left(&boss, &organization, &long, "applying").await;
        assert_eq!(long["rows"]["made"], 400, "{long}");
        for (import, state) in [(&whole, "checked"), (&valid, "applied")] {
            let path = path_of(&organization, import);
            let import = left(&boss, &organization, import, "applying").await;
            assert_eq!((&import["state"], &import["rows"]["made"]), (&json!(state), &json!(0)), "{import}");
            let rows = all(&boss, &format!("{path}/rows")).await;
            let codes: Vec<_> = rows.iter().map(|row| row["problems"][0]["code"].as_str()).collect();
            assert_eq!(codes, [Some("author_barred"); 30]);
        }
        assert_eq!(members(&boss, &organization).await.len(), before + 400);
        server.kill();
    }
}

own_journeys! {
    async fn a_kill_switch_ends_an_import_that_waits_or_runs(mut server: TestServer) {
        let boss = operator(&server).await;
        let organization = new_organization(&boss, "Coupée").await;
        let (valid, whole) = (
            checked(&boss, &organization, people("coupee", 1000)).await,
            checked(&boss, &organization, people("tout", 30)).await,
        );
        for (import, how) in [(&valid, "valid_rows"), (&whole, "all_or_nothing")] {
            boss.post(&format!("{}/apply", path_of(&organization, import)), &mode(how)).await.done(202);
        }
        let closed = boss.post(&format!("/organizations/{organization}/kill-switch"), &json!({ "reason": "vol" })).await.done(200);
        assert_eq!(closed["imports"], 2, "{closed}");
        let valid = left(&boss, &organization, &valid, "applying").await;
        let rows = all(&boss, &format!("{}/rows?state=refused", path_of(&organization, &valid))).await;
        assert!(!rows.is_empty() && rows.iter().all(|row| row["problems"][0]["code"] == "access_closed"), "{valid}");
        let whole = left(&boss, &organization, &whole, "applying").await;
        assert_eq!((&whole["state"], &whole["rows"]["made"]), (&json!("checked"), &json!(0)), "{whole}");
        // Whoever was invited before has no link that opens anything.
        let waiting = all(&boss, &format!("/organizations/{organization}/invitations")).await;
        assert_eq!(waiting.len() + rows.len(), 1000);
        assert!(waiting.iter().all(|one| one["expires_at"].is_null()));
        server.kill();
    }

    // On a server of its own: the mailbox shows the newest mails, and the files of other journeys fill it.
    async fn who_has_an_account_is_offered_a_membership_as_by_a_single_invitation(mut server: TestServer) {
        is_offered_a_membership_as_by_a_single_invitation(&server).await;
        server.kill();
    }
}

async fn is_offered_a_membership_as_by_a_single_invitation(server: &TestServer) {
    let api = operator(server).await;
    let (known, staff) = (server.learner_number(1), of_kind(server, "operator"));
    let file = |prefix: &str| {
        people(prefix, 3) + &format!("Le Gall;Zoé;{};;;;\r\nRoy;Anne;{};;;;\r\n", known.login, staff.login)
    };
    for how in ["valid_rows", "all_or_nothing"] {
        let organization = new_organization(&api, "Proposée").await;
        let of = format!("/organizations/{organization}");
        let asked = async || {
            Inbox::of(server).to(&known.login).await.iter().filter(|mail| mail.subject.contains("vous invite")).count()
        };
        let letters = asked().await;
        let mut text = file(how);
        if how == "all_or_nothing" {
            // Staff of the operator are nobody's to ask by a file.
            text.truncate(text.find("Roy;Anne").unwrap());
        }
        let import = checked(&api, &organization, text).await;
        let staff = u64::from(how == "valid_rows");
        assert_eq!(
            (&import["rows"]["ready"], &import["rows"]["offers"], &import["rows"]["invalid"]),
            (&json!(4), &json!(1), &json!(staff)),
            "{import}"
        );
        if staff == 1 {
            assert_eq!(codes(&import), [(6, "login_taken".to_owned())]);
        }
        let path = path_of(&organization, &import);
        let ready = all(&api, &format!("{path}/rows?state=ready")).await;
        assert_eq!(
            ready.iter().map(|row| row["offer"].as_bool().unwrap()).collect::<Vec<_>>(),
            [false, false, false, true]
        );
        assert!(api.get(&format!("{path}/report.csv")).await.body.contains("5;adhésion à proposer;"));
        let import = applied(&api, &organization, &import, &mode(how)).await;
        assert_eq!(
            (&import["state"], &import["rows"]["made"], &import["rows"]["offered"]),
            (&json!("applied"), &json!(3), &json!(1)),
            "{import}"
        );
        let offered = all(&api, &format!("{path}/rows?state=offered")).await;
        assert_eq!((offered.len(), &offered[0]["line"], &offered[0]["person"]), (1, &json!(5), &Value::Null));
        assert!(api.get(&format!("{path}/report.csv")).await.body.contains("5;adhésion proposée;"));
        assert_eq!(members(&api, &organization).await.len(), 3, "nobody is a member against their will");
        let offers = api.get(&format!("{of}/offers?status=open")).await.done(200);
        assert_eq!(
            (&offers["items"][0]["email"], offers["items"].as_array().unwrap().len()),
            (&json!(known.login), 1),
            "{offers}"
        );
        assert_eq!(asked().await, letters + 1);
        let trail = all(&api, &format!("{of}/audit")).await;
        let told = trail.iter().find(|line| line["event"] == "member.offered").unwrap();
        assert_eq!((&told["detail"]["import"], &told["detail"]["offer"]), (&import["id"], &offers["items"][0]["id"]));
        // The same again: asked already.
        let again = checked(&api, &organization, file(how)).await;
        assert_eq!(codes(&again)[3], (5, "already_offered".to_owned()), "{again}");
        // They accept, and belong.
        let person = Api::of_person(server, known, ALL).await;
        let offer = offers["items"][0]["id"].as_str().unwrap();
        assert!(matches!(
            person.send(person.request("POST", &format!("/me/offers/{offer}/accept"))).await.status,
            200 | 204
        ));
        assert_eq!(members(&api, &organization).await.len(), 4);
        let again = checked(&api, &organization, file(how)).await;
        assert_eq!(codes(&again)[3], (5, "already_member".to_owned()), "{again}");
    }
}
