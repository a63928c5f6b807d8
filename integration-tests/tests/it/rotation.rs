//! Signing keys come and go without a relying party ever meeting one it does not know (OIDC Core §10.1.1).
//!
//! The relying parties here are of the worst kind: they keep the JWKS for exactly as long as its `Cache-Control` says, each
//! since another minute, and an unknown `kid` does not make them look again.

use std::collections::BTreeSet;

use habilis_integration_tests::jose;
use habilis_integration_tests::protocol::{AuthorizationRequest, Tokens, refresh, tokens_for, userinfo};
use habilis_integration_tests::server::run_in;
use habilis_integration_tests::{Client, Engine, Http, TestServer};
use serde_json::Value;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// ID tokens in RS256, ES256 and EdDSA; access tokens are ES256.
const CLIENTS: [&str; 3] = ["demo-portal", "demo-es256", "demo-eddsa"];

/// A relying party with its copy of the JWKS.
#[derive(Default)]
struct Keeper {
    keys: Vec<Value>,
    good_until: i64,
    looked: usize,
}

impl Keeper {
    /// Verifies a token with the keys it has; looks for new ones only when their time is over.
    async fn verify(&mut self, server: &TestServer, token: &str, now: i64) {
        if now >= self.good_until {
            let answer = Http::new().get(&server.url("/jwks")).await;
            let max_age = answer.header("cache-control").split("max-age=").nth(1).expect("max-age").to_owned();
            self.good_until = now + max_age.parse::<i64>().expect("seconds");
            self.keys.clone_from(answer.ok_json()["keys"].as_array().expect("keys"));
            self.looked += 1;
        }
        let kid = &jose::header(token)["kid"];
        let key = self.keys.iter().find(|key| key["kid"] == *kid);
        jose::assert_signed(token, key.unwrap_or_else(|| panic!("met an unknown key {kid}")));
    }
}

async fn published(server: &TestServer) -> BTreeSet<String> {
    let keys = Http::new().get(&server.url("/jwks")).await.ok_json()["keys"].as_array().expect("keys").clone();
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

fn kid(token: &str) -> String {
    jose::header(token)["kid"].as_str().expect("a kid").to_owned()
}

/// Offline tokens of every client.
async fn sign_in(server: &TestServer) -> Vec<(Client, Tokens)> {
    let mut all = Vec::new();
    for id in CLIENTS {
        let client = server.client(id).clone();
        let tokens = tokens_for(server, &AuthorizationRequest::of(&client).offline(), server.learner()).await;
        all.push((client, tokens));
    }
    all
}

/// Goes minute by minute from ten minutes before the new keys sign, which is now, to twelve minutes after; every token that
/// lives is verified by every relying party each minute. Returns the keys that signed.
async fn through_the_change(server: &mut TestServer, keepers: &mut [Keeper]) -> BTreeSet<String> {
    let signed_in = sign_in(server).await;
    let (mut alive, mut signers) = (Vec::<String>::new(), BTreeSet::new());
    for minute in 0..22 {
        for (client, tokens) in &signed_in {
            let fresh = Tokens::from(&refresh(server, client, tokens.refresh_token()).await);
            for token in [fresh.id_token(), fresh.access_token()] {
                signers.insert(kid(token));
                alive.push(token.to_owned());
            }
        }
        let now = server.now().await.as_second();
        alive.retain(|token| jose::claims(token)["exp"].as_i64().unwrap() > now);
        // Each begins to keep the keys at another minute.
        for keeper in keepers.iter_mut().take(minute + 1) {
            for token in &alive {
                keeper.verify(server, token, now).await;
            }
        }
        // The provider itself knows the oldest living access token still.
        let oldest = alive.iter().find(|token| jose::header(token)["typ"] == "at+jwt").unwrap();
        if jose::claims(oldest)["exp"].as_i64().unwrap() > now + 5 {
            assert_eq!(userinfo(server, oldest).await.status, 200, "minute {minute}");
        }
        server.advance(60).await;
    }
    signers
}

/// Asserts that the old keys go when no token of theirs can be alive, and not before.
async fn the_old_keys_leave(server: &mut TestServer, old: &BTreeSet<String>) {
    assert!(published(server).await.is_superset(old), "kept for a while");
    server.advance(2 * HOUR).await;
    let left = published(server).await;
    assert!(left.is_disjoint(old), "{left:?}");
    assert_eq!(left.len(), 4, "one of each algorithm");
}

/// `habilis keys …` on the database of this server.
async fn keys(server: &TestServer, arguments: &[&str]) -> String {
    let arguments: Vec<&str> = ["keys"].iter().chain(arguments).copied().collect();
    server.command_with(&arguments, &[]).await.printed()
}

/// The same beside a running server where the engine lets two processes work, else with the server stopped.
async fn keys_of_running(server: &mut TestServer, arguments: &[&str]) -> String {
    if server.engine == Engine::Postgres {
        let printed = keys(server, arguments).await;
        // Its jobs read the ring again.
        server.advance(1).await;
        return printed;
    }
    server.kill();
    let printed = keys(server, arguments).await;
    server.restart().await;
    printed
}

/// A server whose keys are replaced as often as the configuration has it by default.
pub(crate) async fn rotating(engine: Engine) -> TestServer {
    TestServer::own_with(engine, &["--set", "keys.sign_for_days=90"]).await
}

journeys_on! { rotating;
    async fn no_relying_party_meets_an_unknown_key_when_ninety_days_are_over(mut server: TestServer) {
        let old = published(&server).await;
        server.advance(88 * DAY).await;
        assert_eq!(published(&server).await, old, "not yet");
        let mut hours = 0;
        while published(&server).await == old {
            hours += 1;
            assert!(hours <= 25, "announced a day before ninety days are over");
            server.advance(HOUR).await;
        }
        // What the party keeps just before the announcement is too old to hurt a day later.
        let announced = published(&server).await;
        assert!(announced.is_superset(&old) && announced.len() == 8, "{announced:?}");
        server.advance(DAY - 10 * 60).await;
        let mut keepers: Vec<Keeper> = (0..5).map(|_| Keeper::default()).collect();
        let signers = through_the_change(&mut server, &mut keepers).await;
        // RS256, ES256 and EdDSA, each before and after.
        assert_eq!(signers.intersection(&old).count(), 3);
        assert_eq!(signers.difference(&old).count(), 3);
        assert!(keepers.iter().all(|keeper| (3..=5).contains(&keeper.looked)), "each looked when its time was over");
        the_old_keys_leave(&mut server, &old).await;
    }

    async fn no_relying_party_meets_an_unknown_key_when_the_operator_rotates(mut server: TestServer) {
        let old = published(&server).await;
        let mut keepers: Vec<Keeper> = (0..5).map(|_| Keeper::default()).collect();
        for (_, tokens) in sign_in(&server).await {
            let now = server.now().await.as_second();
            for keeper in &mut keepers {
                keeper.verify(&server, tokens.id_token(), now).await;
            }
        }
        let printed = keys_of_running(&mut server, &["rotate"]).await;
        assert_eq!((printed.matches("  next ").count(), printed.matches("  signing ").count()), (4, 4), "{printed}");
        assert_eq!(published(&server).await.len(), 8);
        let again = keys_of_running(&mut server, &["rotate"]).await;
        assert_eq!(again.matches("  next ").count(), 4, "a successor is announced already: {again}");
        // Those that looked just before keep the old keys for their five minutes.
        for (_, tokens) in sign_in(&server).await {
            let now = server.now().await.as_second();
            for keeper in &mut keepers {
                keeper.verify(&server, tokens.id_token(), now).await;
                assert_eq!(keeper.looked, 1);
            }
        }
        server.advance(DAY - 10 * 60).await;
        let signers = through_the_change(&mut server, &mut keepers).await;
        assert_eq!((signers.intersection(&old).count(), signers.difference(&old).count()), (3, 3));
        the_old_keys_leave(&mut server, &old).await;
    }

    async fn a_compromised_key_leaves_at_once_and_its_tokens_open_nothing(mut server: TestServer) {
        let signed_in = sign_in(&server).await;
        let (client, tokens) = &signed_in[1];
        let compromised = kid(tokens.access_token());
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 200);
        keys_of_running(&mut server, &["rotate", "--compromised", &compromised]).await;
        assert!(!published(&server).await.contains(&compromised));
        assert_eq!(userinfo(&server, tokens.access_token()).await.status, 401);
        let fresh = Tokens::from(&refresh(&server, client, tokens.refresh_token()).await);
        assert_ne!(kid(fresh.access_token()), compromised);
        Keeper::default().verify(&server, fresh.access_token(), server.now().await.as_second()).await;
        assert_eq!(userinfo(&server, fresh.access_token()).await.status, 200);
    }
}

/// How often keys change is the operator's choice, within what keeps the promise above.
#[tokio::test]
async fn settings_that_would_break_the_overlap_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &["keys", "init"], &[]).await.printed();
    let list = |days: &'static str, hours: &'static str| {
        let folder = folder.path().to_owned();
        async move {
            let environment = [("HABILIS__KEYS__SIGN_FOR_DAYS", days), ("HABILIS__KEYS__PUBLISH_AHEAD_HOURS", hours)];
            run_in(&folder, &["keys", "list"], &environment).await
        }
    };
    list("1", "24").await.assert_refused(&["published ahead"]);
    list("0", "24").await.assert_refused(&["sign_for_days"]);
    list("90", "0").await.assert_refused(&["publish_ahead_hours"]);
    let printed = list("2", "24").await.printed();
    assert_eq!(printed.matches("  signing ").count(), 4, "{printed}");
}
