//! Who is an operator or data protection officer: one operator asks, a second one decides, all of them are told (R054).

use habilis_integration_tests::api::ALL;
use habilis_integration_tests::{Api, Inbox, TestServer};
use serde_json::{Value, json};

use crate::api::{of_kind, operator, two_operators};
use crate::measures::{lift, suspension};

const DAY: u64 = 86_400;

fn id(shown: &Value) -> &str {
    shown["id"].as_str().unwrap()
}

own_journeys! {
    async fn one_operator_alone_makes_and_unmakes_nobody(mut server: TestServer) {
        let (chief, second) = two_operators(&server).await;
        let boss = operator(&server).await;
        let (third, bare) = (of_kind(&server, "second factor"), json!({}));
        let found = chief.get(&format!("/people?q={}", third.login)).await.done(200);
        let person = id(&found["items"][0]).to_owned();
        let duties = |operator: bool| json!({ "operator": operator, "privacy": false, "reason": "renfort" });
        let path = |person: &str| format!("/people/{person}/duties");
        let is_operator = async |person: &str| boss.get(&format!("/people/{person}")).await.done(200)["operator"] == true;

        boss.put(&path(&person), &duties(true)).await.problem(403, "forbidden");
        chief.put(&path(&person), &duties(false)).await.problem(409, "conflict");
        let answer = chief.put(&path(&person), &duties(true)).await;
        let asked = answer.done(202);
        assert_eq!((&asked["status"], &asked["person"], &asked["operator"]), (&json!("requested"), &json!(person), &json!(true)));
        let one = format!("/duty-changes/{}", id(&asked));
        assert_eq!(answer.header("location"), format!("/api/v1{one}"));
        assert!(!is_operator(&person).await, "nothing before the decision");
        second.put(&path(&person), &duties(true)).await.problem(409, "conflict");
        for kind in ["operator", "second factor operator", "second factor second operator"] {
            let told = Inbox::of(&server).to(&of_kind(&server, kind).login).await;
            assert!(told.iter().any(|mail| mail.subject.contains("Changement de fonctions demandé")), "{kind}: {told:?}");
        }

        // Neither who asked, nor a program, nor an operator without a strong sign-in, nor anybody else.
        let refused = chief.post(&format!("{one}/approve"), &bare).await.problem(403, "forbidden");
        assert_eq!(refused["policy"], "four-eyes-duties");
        boss.post(&format!("{one}/approve"), &bare).await.problem(403, "forbidden");
        let weak = Api::of_person(&server, &of_kind(&server, "operator"), ALL).await;
        weak.post(&format!("{one}/approve"), &bare).await.problem(401, "insufficient_user_authentication");
        let stranger = Api::of_person(&server, &of_kind(&server, "administrator"), ALL).await;
        stranger.post(&format!("{one}/approve"), &bare).await.problem(403, "forbidden");
        stranger.get("/duty-changes").await.problem(403, "forbidden");
        stranger.put(&path(&person), &duties(true)).await.problem(404, "not_found");
        second.post(&format!("{one}/withdraw"), &bare).await.problem(403, "forbidden");
        second.post("/duty-changes/dut_none/approve", &bare).await.problem(404, "not_found");

        let declined = second.post(&format!("{one}/refuse"), &json!({ "note": "pas encore" })).await.done(200);
        assert_eq!((&declined["status"], &declined["note"]), (&json!("refused"), &json!("pas encore")));
        second.post(&format!("{one}/approve"), &bare).await.problem(409, "conflict");
        let again = chief.put(&path(&person), &duties(true)).await.done(202);
        let withdrawn = chief.post(&format!("/duty-changes/{}/withdraw", id(&again)), &bare).await.done(200);
        assert_eq!(withdrawn["status"], "withdrawn");
        assert!(!is_operator(&person).await);

        // Each of two asks that the other be one no more: neither can approve it, since it is about themselves.
        let (mine, theirs) = (chief.get("/me").await.done(200), second.get("/me").await.done(200));
        let against_second = chief.put(&path(id(&theirs)), &duties(false)).await.done(202);
        let against_chief = second.put(&path(id(&mine)), &duties(false)).await.done(202);
        for (api, asked) in [(&second, &against_second), (&chief, &against_chief)] {
            let refused = api.post(&format!("/duty-changes/{}/approve", id(asked)), &bare).await.problem(403, "forbidden");
            assert_eq!(refused["policy"], "own-rights");
        }
        let asked = second.put(&path(&person), &duties(true)).await.done(202);
        assert_eq!(chief.post(&format!("/duty-changes/{}/approve", id(&asked)), &bare).await.done(200)["status"], "done");
        assert!(is_operator(&person).await);
        let told = Inbox::of(&server).to(&third.login).await;
        assert!(told.iter().any(|mail| mail.subject.contains("Fonctions modifiées")), "{told:?}");
        let waiting = chief.get("/duty-changes?status=requested").await.done(200);
        assert_eq!(waiting["items"].as_array().unwrap().len(), 2, "{waiting}");

        // A third decides. Who is no operator any more cannot have what they asked for.
        let third = Api::of_person(&server, &third, ALL).await;
        third.post(&format!("/duty-changes/{}/approve", id(&against_second)), &bare).await.done(200);
        assert!(!is_operator(id(&theirs)).await && is_operator(id(&mine)).await);
        third.post(&format!("/duty-changes/{}/approve", id(&against_chief)), &bare).await.problem(409, "conflict");
        second.get("/duty-changes").await.problem(403, "forbidden");
        assert!(is_operator(id(&mine)).await);

        // What nobody decides lapses.
        server.advance(8 * DAY).await;
        let boss = operator(&server).await;
        let lapsed = boss.get(&format!("/duty-changes/{}", id(&against_chief))).await.done(200);
        assert_eq!(lapsed["status"], "expired");
        let trail = boss.get("/audit?limit=200").await.done(200).to_string();
        for event in ["change_requested", "change_refused", "change_withdrawn", "change_expired", "changed"] {
            assert!(trail.contains(&format!("\"person.duties_{event}\"")), "{event}: {trail}");
        }
        // The operator's feed has it.
        let feed = boss.get("/events?types=account.duties_changed,account.duties_change_requested&limit=200").await.done(200);
        assert_eq!(feed["items"].as_array().unwrap().len(), 7, "{feed}");
        // Their organization hears of none of it, though they are its member.
        let organization = of_kind(&server, "second factor").organization.unwrap().id;
        let theirs = boss.get(&format!("/organizations/{organization}/events?limit=200")).await.done(200);
        assert!(!theirs.to_string().contains("duties"), "{theirs}");
        server.kill();
    }

    /// An account that was taken over is stopped at once, by one operator alone: nobody does it unseen.
    async fn the_account_of_an_operator_is_closed_at_once_and_all_are_told(mut server: TestServer) {
        let (chief, second) = two_operators(&server).await;
        let boss = operator(&server).await;
        let theirs = id(&second.get("/me").await.done(200)).to_owned();
        let status = |person: &str| format!("/people/{person}/status");
        let letters = async |kind: &str, words: &str| {
            let mails = Inbox::of(&server).to(&of_kind(&server, kind).login).await;
            mails.into_iter().filter(|mail| mail.subject.contains(words)).collect::<Vec<_>>()
        };
        assert_eq!(chief.put(&status(&theirs), &suspension()).await.done(200)["status"], "suspended");
        assert_eq!(second.get("/me").await.status, 401);
        for kind in ["operator", "second factor operator"] {
            let told = letters(kind, "de l’équipe de l’opérateur, est suspendu").await;
            assert_eq!(told.len(), 1, "{kind}");
            assert!(told[0].text.contains("partage constaté"), "{}", told[0].text);
        }
        assert_eq!(letters("second factor second operator", "Votre compte est suspendu").await.len(), 1);
        assert_eq!(letters("second factor second operator", "de l’équipe").await.len(), 0, "a letter of their own");
        assert_eq!(chief.put(&status(&theirs), &lift()).await.done(200)["status"], "active");
        assert_eq!(letters("operator", "de l’équipe de l’opérateur, est rétabli").await.len(), 1);

        // Somebody else is nobody's affair but their own.
        let other = of_kind(&server, "trainer");
        let found = boss.get(&format!("/people?q={}", other.login)).await.done(200);
        boss.put(&status(id(&found["items"][0])), &suspension()).await.done(200);
        assert_eq!(letters("operator", "est suspendu").await.len(), 1);

        // A program closes no last one.
        let operators = boss.get("/people?operator=true&status=active").await.done(200)["items"].as_array().unwrap().clone();
        assert!(operators.len() > 1);
        let (last, others) = operators.split_last().unwrap();
        for operator in others {
            boss.put(&status(id(operator)), &suspension()).await.done(200);
        }
        boss.put(&status(id(last)), &suspension()).await.problem(409, "conflict");
        assert_eq!(boss.get(&format!("/people/{}", id(last))).await.done(200)["status"], "active");
        server.kill();
    }
}
