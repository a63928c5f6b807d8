//! The time of an answer does not tell whether an account exists: statistics over samples taken in turn, see
//! `habilis_integration_tests::timing`.

use std::time::{Duration, Instant};

use habilis_integration_tests::timing::{ROUNDS, Verdict, agree, compare, middle_and_spread};
use habilis_integration_tests::{Browser, Engine, Http, TestServer};
use serde_json::json;

use crate::api_keys::{READ, check_from, forged, issue, refused, renamed};

/// Samples of each kind in a round.
const SAMPLES: usize = 60;
/// An account may be tried so often in an hour before it is slowed.
const TRIES: usize = 4;

/// The two kinds of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Known,
    Unknown,
}

/// What is added to the times of known names, to see that the comparison finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Added {
    Nothing,
    /// Twice the spread that the machine itself shows in the same round.
    TwiceTheSpread,
}

/// Runs rounds of samples until one finds nothing, or all of them agree; `sample` is given a name to ask about.
async fn tells_names_apart(
    server: &mut TestServer,
    added: Added,
    mut sample: impl AsyncFnMut(&TestServer, &str, Name) -> Duration,
) -> bool {
    let names: Vec<String> = server.people.iter().map(|person| person.login.clone()).collect();
    let (mut verdicts, mut used, mut unknown) = (Vec::new(), 0, 0);
    for _ in 0..ROUNDS {
        let (mut known_times, mut unknown_times) = (Vec::new(), Vec::new());
        for pair in 0..SAMPLES {
            if used == names.len() * TRIES {
                // An hour forgets the failures.
                server.advance(3700).await;
                used = 0;
            }
            let order = if pair % 2 == 0 { [Name::Known, Name::Unknown] } else { [Name::Unknown, Name::Known] };
            for name in order {
                if name == Name::Known {
                    known_times.push(sample(server, &names[used % names.len()], name).await);
                    used += 1;
                } else {
                    unknown += 1;
                    unknown_times.push(sample(server, &format!("personne{unknown}@nulle-part.example"), name).await);
                }
            }
        }
        if added == Added::TwiceTheSpread {
            let (_, spread) = middle_and_spread(&unknown_times);
            for time in &mut known_times {
                *time += 2 * spread;
            }
        }
        let verdict = compare(&known_times, &unknown_times);
        if verdict == Verdict::Alike {
            return false;
        }
        verdicts.push(verdict);
    }
    agree(&verdicts)
}

/// The time of one form from a fresh browser.
async fn timed(
    (server, path): (&TestServer, &str),
    (form, fields): (&str, &[(&str, &str)]),
    expected: u16,
) -> Duration {
    let mut browser = Browser::new();
    browser.get(&server.url(path)).await.page();
    let began = Instant::now();
    let page = browser.submit(form, fields).await.page();
    let took = began.elapsed();
    assert_eq!(page.status, expected, "{}", page.summary());
    took
}

async fn sign_in(server: &TestServer, login: &str) -> Duration {
    let fields = [("username", login), ("password", "a wrong password")];
    timed((server, "/login"), ("login-form", &fields), 401).await
}

async fn forgot(server: &TestServer, login: &str) -> Duration {
    timed((server, "/password/forgot"), ("forgot-form", &[("username", login)]), 200).await
}

own_journeys! {
    async fn the_time_of_a_sign_in_does_not_tell_who_is_known(mut server: TestServer) {
        let apart = tells_names_apart(&mut server, Added::Nothing, async |server, login, _| sign_in(server, login).await).await;
        assert!(!apart, "a wrong password and an unknown account take different time in every round");
        server.kill();
    }

    async fn the_time_of_a_forgotten_password_does_not_tell_who_is_known(mut server: TestServer) {
        let apart = tells_names_apart(&mut server, Added::Nothing, async |server, login, _| forgot(server, login).await).await;
        assert!(!apart, "a known and an unknown name take different time in every round");
        server.kill();
    }

    async fn the_comparison_would_find_the_work_of_one_password_and_less(mut server: TestServer) {
        // An unknown name that were answered without looking at a password.
        let found = tells_names_apart(&mut server, Added::Nothing, async |server, login, name| match name {
            Name::Known => sign_in(server, login).await,
            Name::Unknown => timed((server, "/login"), ("login-form", &[("csrf", "forged")]), 403).await,
        })
        .await;
        assert!(found, "a sign-in that saves the digest is found out");
        // As little as the machine's own noise.
        let forgotten = async |server: &TestServer, login: &str, _| forgot(server, login).await;
        assert!(tells_names_apart(&mut server, Added::TwiceTheSpread, forgotten).await, "twice the spread is found out");
        server.kill();
    }
}

on_both_engines! { the_time_of_a_check_does_not_tell_which_keys_are_known }

async fn the_time_of_a_check_does_not_tell_which_keys_are_known(engine: Engine) {
    let options = ["--set", "api_keys.unknown_per_network_per_minute=100000"];
    let mut server = TestServer::own_with(engine, &options).await;
    let new = json!({ "name": "chronomètre", "scopes": [READ] });
    let key = issue(&server, &new).await["key"].as_str().unwrap().to_owned();
    let apart = tells_names_apart(&mut server, Added::Nothing, wrong_keys(&key)).await;
    assert!(!apart, "a wrong secret and an unknown name take different time in every round");
    let found = tells_names_apart(&mut server, Added::TwiceTheSpread, wrong_keys(&key)).await;
    assert!(found, "twice the spread is found out");
    server.kill();
}

/// The time of a check of a wrong secret under the name of `key`, or under a name that nobody has. Each name was asked about just
/// before, as by somebody who tries one secret after the other: the server has read it, or read that there is none.
fn wrong_keys(key: &str) -> impl AsyncFnMut(&TestServer, &str, Name) -> Duration {
    let (http, mut number) = (Http::new(), 0);
    async move |server: &TestServer, _: &str, name: Name| {
        number += 1;
        let wrong = match name {
            Name::Known => forged(key, number),
            Name::Unknown => renamed(key, number),
        };
        let headers = [("EDITEUR", "e"), ("LOGICIEL", "l"), ("VERSION", "v"), ("X-API-KEY", &*wrong)];
        let mut took = Duration::ZERO;
        for _ in 0..2 {
            let began = Instant::now();
            let answer = check_from(&http, (server, ""), &headers).await;
            took = began.elapsed();
            refused(&answer, 401, "key_unknown");
        }
        took
    }
}

on_both_engines! { the_time_of_a_sign_up_does_not_tell_who_is_known }

async fn the_time_of_a_sign_up_does_not_tell_who_is_known(engine: Engine) {
    let options = ["--set", "accounts.sign_ups_per_network_per_hour=100000", "--set", "accounts.proof_of_work_bits=8"];
    let mut server = TestServer::own_with(engine, &options).await;
    let apart = tells_names_apart(&mut server, Added::Nothing, async |server, email, _| {
        let mut browser = Browser::new();
        let page = browser.get(&server.url("/sign-up")).await.page();
        let proof = crate::sign_up::work(&page);
        let began = Instant::now();
        let page = crate::sign_up::fill(&mut browser, email, &proof).await;
        let took = began.elapsed();
        assert_eq!(page.status, 200, "{}", page.summary());
        took
    })
    .await;
    assert!(!apart, "a known and an unknown address take different time in every round");
    server.kill();
}
