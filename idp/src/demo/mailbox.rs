//! `/demo/mailbox`: the mails this server sent, newest first.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use habilis_keys::secret::Secret;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::pages::{MailLine, Mailbox, OpenedMail};
use crate::app::App;
use crate::db::outbox::{self, Recent};
use crate::outcome::Outcome;
use crate::web::params::Params;
use crate::web::{Origin, chrome, render};

const SHOWN: u32 = 200;

pub(super) async fn json(State(app): State<App>) -> Outcome<Json<Value>> {
    let mails = outbox::recent(&mut app.db.reader().await?, SHOWN).await?;
    let mails = mails.into_iter().map(|mail| {
        let text = text(&app, &mail);
        json!({
            "id": mail.id,
            "to": mail.recipient,
            "subject": mail.subject,
            "text": text.expose(),
            "links": links(text.expose()),
            "time": Timestamp::from(mail.created_at),
            "sent": mail.sent_at.map(Timestamp::from),
            "bounced": mail.bounced_at.map(Timestamp::from),
            "answer": mail.answer,
        })
    });
    Ok(Json(mails.collect()))
}

/// The text of a mail; empty once a mail server or a folder has taken it.
fn text(app: &App, mail: &Recent) -> Secret<String> {
    let sealed = mail.sealed.as_deref().and_then(|sealed| crate::mail::text(app, &mail.id, sealed));
    sealed.unwrap_or_else(|| Secret::new(String::new()))
}

/// The addresses in a text.
fn links(text: &str) -> Vec<&str> {
    text.split_whitespace()
        .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
        .map(|word| word.trim_end_matches(['.', ',', ';', ')', '>']))
        .collect()
}

pub(super) async fn page(State(app): State<App>, origin: Origin, RawQuery(query): RawQuery) -> Outcome {
    let wanted = Params::parse(query.unwrap_or_default().as_bytes()).unwrap_or_default().take("mail");
    let mails = outbox::recent(&mut app.db.reader().await?, SHOWN).await?;
    let opened = mails.iter().find(|mail| Some(&mail.id) == wanted.as_ref()).or(mails.first());
    let page = Mailbox {
        chrome: chrome(&app, origin.locale(None), "/demo/mailbox"),
        index_href: "/demo".to_owned(),
        mails: mails.iter().map(|mail| line(mail, opened.is_some_and(|opened| opened.id == mail.id))).collect(),
        opened: opened.map(|mail| OpenedMail {
            from: app.config.mail.from.clone(),
            to: mail.recipient.clone(),
            subject: mail.subject.clone(),
            sent_at: time(mail),
            body: text(&app, mail).expose().clone(),
        }),
    };
    render(StatusCode::OK, &page)
}

fn line(mail: &Recent, current: bool) -> MailLine {
    MailLine {
        href: format!("/demo/mailbox?mail={}", mail.id),
        to: mail.recipient.clone(),
        subject: mail.subject.clone(),
        sent_at: time(mail),
        current,
    }
}

fn time(mail: &Recent) -> String {
    let paris = Timestamp::from(mail.created_at).to_zoned(habilis_policies::calendar::paris());
    jiff::fmt::strtime::format("%d/%m/%Y %H:%M", &paris).unwrap_or_default()
}
