//! Mail that has to wait: a mail server that is down for a day, refuses, or hangs up in the middle; each mail arrives once. And
//! requests for a link, which neither a crash loses nor an unknown name gives away.

use std::collections::BTreeSet;
use std::time::Duration;

use habilis_integration_tests::mail_server::{MailServer, Mood, Taken};
use habilis_integration_tests::{Browser, Engine, Http, Inbox, TestServer};
use serde_json::Value;

use crate::forgot::ask;

const HOUR: u64 = 3600;

/// A server that sends its mail to this one.
async fn server_of(engine: Engine, mails: &MailServer) -> TestServer {
    let options = mails.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    TestServer::own_with(engine, &options).await
}

/// The outbox, once every request for a link was answered and there are `count` mails in it.
async fn outbox(server: &TestServer, count: usize) -> Vec<Value> {
    for _ in 0..400 {
        let mails = Http::new().get(&server.url("/demo/mailbox.json")).await.ok_json();
        let mails = mails.as_array().unwrap().clone();
        if mails.len() >= count {
            assert_eq!(mails.len(), count, "{mails:?}");
            return mails;
        }
        // A job writes them, after the answer.
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no {count} mails");
}

/// The outbox of `count` mails, once this is noted of each: the job that sends them may be at it still.
async fn settled(server: &TestServer, count: usize, noted: &str) -> Vec<Value> {
    for _ in 0..400 {
        let mails = outbox(server, count).await;
        if mails.iter().all(|mail| !mail[noted].is_null()) {
            return mails;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not {noted}: {:?}", outbox(server, count).await);
}

/// Waits until the mail server was asked once more than `before`: the job that sends runs beside the clock.
async fn tried_again(mails: &MailServer, before: usize) -> Option<()> {
    for _ in 0..400 {
        if mails.asked() > before {
            return Some(());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    None
}

async fn after_a_day_without_a_mail_server_each_mail_arrives_once(engine: Engine) {
    let mails = MailServer::start(Mood::HangsUp).await;
    let mut server = server_of(engine, &mails).await;
    let people: Vec<_> =
        (0..5).map(|n| server.learner_number(n).login.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    for login in &people {
        ask(&server, &mut Browser::new(), login).await;
    }
    outbox(&server, people.len()).await;
    for (hours, mood) in [(6, Mood::HangsUp), (6, Mood::HangsUpInTheMiddle), (6, Mood::Busy), (6, Mood::Distrusts)] {
        mails.set(mood);
        for hour in 0..hours {
            let before = mails.asked();
            server.advance(HOUR).await;
            tried_again(&mails, before).await.unwrap_or_else(|| panic!("it is tried again: {mood:?}, hour {hour}"));
        }
        assert!(mails.taken().is_empty(), "{mood:?}");
        let waiting = outbox(&server, people.len()).await;
        assert!(
            waiting.iter().all(|mail| mail["sent"].is_null() && mail["bounced"].is_null()),
            "{mood:?}: {waiting:?}"
        );
    }
    server.kill();
    server.restart().await;
    mails.set(Mood::Takes);
    // A restart sets the clock of the demonstration back to today.
    server.advance(26 * HOUR).await;
    settled(&server, people.len(), "sent").await;
    for _ in 0..3 {
        server.advance(HOUR).await;
    }
    let taken = mails.taken();
    let mut to: Vec<&str> = taken.iter().map(|mail| mail.to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, people, "each mail once");
    assert_eq!(taken.iter().map(Taken::id).collect::<BTreeSet<_>>().len(), people.len());
    assert!(outbox(&server, people.len()).await.iter().all(|mail| mail["answer"].as_str().unwrap().contains("queued")));
}

async fn a_refusal_for_good_is_kept_with_its_answer(engine: Engine) {
    let mails = MailServer::start(Mood::Unknown).await;
    let mut server = server_of(engine, &mails).await;
    let login = server.learner().login.clone();
    ask(&server, &mut Browser::new(), &login).await;
    let mail = crate::bounces::mails_to(&server, &login, crate::bounces::bounced(1)).await.remove(0);
    assert!(mail["sent"].is_null(), "{mail}");
    assert!(mail["answer"].as_str().unwrap().contains("no such mailbox"), "{mail}");
    mails.set(Mood::Takes);
    server.advance(48 * HOUR).await;
    let taken = mails.taken();
    assert!(taken.iter().all(|mail| mail.to != login), "a mail that was refused for good is not sent again: {taken:?}");
}

on_both_engines! { after_a_day_without_a_mail_server_each_mail_arrives_once }

on_both_engines! { a_refusal_for_good_is_kept_with_its_answer }

own_journeys! {
    async fn a_crash_right_after_the_answer_loses_no_request_for_a_link_and_answers_none_twice(mut server: TestServer) {
        let people: Vec<_> = (0..4).map(|n| server.learner_number(n).login.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        for login in &people {
            let page = ask(&server, &mut Browser::new(), login).await;
            // As a power cut would, in the very moment the answer is there.
            server.kill();
            assert!(page.has("link-sent-page"), "{}", page.summary());
            server.restart().await;
        }
        outbox(&server, people.len()).await;
        server.advance(60).await;
        for login in &people {
            assert_eq!(Inbox::of(&server).to(login).await.len(), 1, "{login}");
        }
        server.kill();
    }
}
