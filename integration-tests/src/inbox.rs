//! The mails that the server under test has sent, read from the demo's mailbox.

use serde::Deserialize;

use crate::{Http, TestServer};

/// A mail as the mailbox shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Mail {
    /// The recipient's address.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The links of the text, in their order.
    #[serde(default)]
    pub links: Vec<String>,
    /// When it was sent, by the server's clock, RFC 3339.
    pub time: String,
}

/// The mailbox of one server.
#[derive(Debug)]
pub struct Inbox {
    http: Http,
    url: String,
}

impl Inbox {
    /// The mailbox of this server.
    pub fn of(server: &TestServer) -> Self {
        Self { http: Http::new(), url: server.url("/demo/mailbox.json") }
    }

    /// Every mail sent so far, in the mailbox's order.
    pub async fn all(&self) -> Vec<Mail> {
        serde_json::from_value(self.http.get(&self.url).await.ok_json()).expect("the mailbox is a list of mails")
    }

    /// The mails to one address.
    pub async fn to(&self, address: &str) -> Vec<Mail> {
        self.all().await.into_iter().filter(|mail| mail.to == address).collect()
    }
}
