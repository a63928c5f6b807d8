//! One-time links and whoever reads the database: none lies there in clear before its mail is sent, and nothing of it afterwards.
//! What stays is the proof of notice (R026, R201).

use std::time::Duration;

use habilis_integration_tests::dump::{Dump, hex};
use habilis_integration_tests::mail_server::{MailServer, Mood};
use habilis_integration_tests::{Browser, Engine, Http, Inbox, TestServer};
use serde_json::Value;

use crate::forgot::{NEW, ask, choose, link_to};

const SUBJECT: &str = "Choisir un nouveau mot de passe";

fn token(link: &str) -> &str {
    link.rsplit('/').next().unwrap()
}

/// The only mail, once `settled` says so.
async fn mail(server: &TestServer, settled: fn(&Value) -> bool) -> Value {
    for _ in 0..400 {
        let mails = Http::new().get(&server.url("/demo/mailbox.json")).await.ok_json();
        if let Some(mail) = mails.as_array().unwrap().first().filter(|mail| settled(mail)) {
            return mail.clone();
        }
        // A job writes and sends it, after the answer.
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no such mail");
}

#[track_caller]
fn assert_no_link(server: &TestServer, link: &str, when: &str) {
    let dump = Dump::of(server);
    assert!(dump.holds(SUBJECT), "the dump shows the mail {when}");
    for secret in [token(link), "/password/new/"] {
        assert!(!dump.holds(secret), "{secret} in a dump {when}");
    }
}

async fn no_link_in_a_dump(engine: Engine) {
    let mails = MailServer::start(Mood::HangsUp).await;
    let options = mails.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut server = TestServer::own_with(engine, &options).await;
    let login = server.learner().login.clone();
    ask(&server, &mut Browser::new(), &login).await;
    let waiting = mail(&server, |mail| !mail["answer"].is_null()).await;
    let link = waiting["links"][0].as_str().unwrap().to_owned();
    assert_no_link(&server, &link, "before it is sent");
    mails.set(Mood::Takes);
    server.advance(120).await;
    let sent = mail(&server, |mail| !mail["sent"].is_null()).await;
    assert_eq!((mails.taken().len(), &sent["text"]), (1, &Value::from("")), "the text is gone");
    assert_no_link(&server, &link, "after it was sent");
    // What stays proves what was said, to whom it was said and what the mail server answered.
    let shown = server.manage(&["person", "show", &login]).await.printed();
    let told = shown.lines().find(|line| line.starts_with("mail: ")).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, waiting["text"].as_str().unwrap().as_bytes());
    assert!(
        told.contains("password_link.1")
            && told.contains("250")
            && told.ends_with(&format!("sha256:{}", hex(digest.as_ref()))),
        "{told}"
    );
    // The link was a live one all the time.
    assert!(choose(&mut Browser::new(), &link, NEW).await.has("password-changed-page"));
    server.kill();
}

async fn no_link_after_a_refusal(engine: Engine) {
    let mails = MailServer::start(Mood::Unknown).await;
    let options = mails.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut server = TestServer::own_with(engine, &options).await;
    let login = server.learner().login.clone();
    ask(&server, &mut Browser::new(), &login).await;
    let refused = mail(&server, |mail| !mail["bounced"].is_null()).await;
    assert_eq!(refused["text"], "", "the text is gone");
    assert!(!Dump::of(&server).holds("/password/new/"));
    server.kill();
}

async fn a_folder_gets_the_text_and_the_database_keeps_none(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let folder_option = format!("mail.folder={}", folder.path().display());
    let options = ["--set", "mail.transport=folder", "--set", &folder_option];
    let mut server = TestServer::own_with(engine, &options).await;
    let login = server.learner().login.clone();
    ask(&server, &mut Browser::new(), &login).await;
    let sent = mail(&server, |mail| !mail["sent"].is_null()).await;
    let file = folder.path().join(format!("{}.eml", sent["id"].as_str().unwrap()));
    assert!(std::fs::read_to_string(file).unwrap().contains(&format!("To: {login}")));
    let dump = Dump::of(&server);
    assert!(dump.holds(SUBJECT) && !dump.holds("/password/new/") && sent["text"] == "");
    server.kill();
}

async fn the_mailbox_of_the_demonstration_shows_what_a_dump_does_not(engine: Engine) {
    let mut server = TestServer::own_with(engine, &[]).await;
    let login = server.learner().login.clone();
    ask(&server, &mut Browser::new(), &login).await;
    let link = link_to(&server, &login, 1).await;
    assert_no_link(&server, &link, "of the demonstration");
    // The same after a restart.
    server.kill();
    server.restart().await;
    assert_eq!(Inbox::of(&server).to(&login).await[0].links[0], link);
    let page = Browser::new().get(&server.url("/demo/mailbox")).await.page();
    assert!(page.text("demo-mail-body").contains(&link), "{}", page.summary());
    server.kill();
}

on_both_engines! {
    no_link_in_a_dump,
    no_link_after_a_refusal,
    a_folder_gets_the_text_and_the_database_keeps_none,
    the_mailbox_of_the_demonstration_shows_what_a_dump_does_not,
}
