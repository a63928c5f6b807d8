//! What the scenarios of the seat ledger need: an organization with an order that is large enough, and people it has invited.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::manager::{Manager, text};
use super::{Connection, Failure, Target, between, form};

/// What the mailbox of the demonstration shows at a time, with room for mails to others.
const BATCH: usize = 150;
/// A password that every rule takes.
const PASSWORD: &str = "Zk7!rouvent-Pliq";

/// An organization whose seats are taken.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    organization: String,
    authorization: String,
    run: String,
    invited: Arc<AtomicUsize>,
    links: Arc<Vec<String>>,
    opened: Arc<AtomicUsize>,
}

impl Ledger {
    /// Makes product, organization and an open order of `seats`; and invites `activations` of its people, whose links wait.
    pub(super) async fn prepare(target: &Target, seats: usize, activations: usize) -> Result<Self, Failure> {
        let scope = "habilis.orders habilis.organizations.write habilis.members.write";
        let manager = Manager::new(target, scope).await?;
        let now = manager.demo("/demo/clock").await;
        let now = text(&now, "now")?;
        let now: jiff::Timestamp = now.parse().map_err(|error| format!("{now}: {error}"))?;
        let run = format!("charge-{}", now.as_millisecond());
        manager.post("/products", &json!({ "id": run, "name": "Charge", "trial_seats": 1 })).await?;
        let organization = manager.post("/organizations", &json!({ "kind": "company", "name": run })).await?;
        let organization = text(&organization, "id")?.to_owned();
        let orders = format!("/organizations/{organization}/orders");
        let administrator =
            json!({ "email": format!("{run}@client.example"), "given_name": "Anne", "family_name": "Prévost" });
        let today = now.in_tz("Europe/Paris").map_err(|error| error.to_string())?.date().to_string();
        // One for its administrator, and what the warm-up takes.
        let seats = seats + seats / 10 + activations + 10;
        let body = json!({
            "number": run, "product": run, "seats": seats, "effect_on": today, "administrator": administrator,
        });
        let order = manager.post(&orders, &body).await?;
        for step in ["acknowledged", "signed"] {
            let path = format!("{orders}/{}/steps", text(&order, "id")?);
            manager.post(&path, &json!({ "step": step })).await?;
        }
        let mut ledger = Self {
            authorization: manager.authorization(),
            organization,
            run,
            invited: Arc::default(),
            links: Arc::default(),
            opened: Arc::default(),
        };
        let mut links = Vec::new();
        let mut connection = Connection::open(&target.base).await?;
        while links.len() < activations {
            let batch = BATCH.min(activations - links.len());
            for _ in 0..batch {
                ledger.invite(&mut connection).await?;
            }
            let wanted = links.len() + batch;
            links.extend(ledger.links_of(&manager, links.len()..wanted).await?);
        }
        ledger.links = Arc::new(links);
        Ok(ledger)
    }

    /// The links of the people of these numbers, who were invited last. A mail comes a moment after its answer.
    async fn links_of(&self, manager: &Manager, people: Range<usize>) -> Result<Vec<String>, Failure> {
        let patience = Instant::now() + Duration::from_secs(10);
        loop {
            let mails = manager.demo("/demo/mailbox.json").await;
            let mails = mails.as_array().into_iter().flatten();
            let links: HashMap<_, _> = mails
                .filter_map(|mail| {
                    let mut links = mail["links"].as_array()?.iter().filter_map(Value::as_str);
                    Some((mail["to"].as_str()?, links.find_map(|link| Some(link.split_once("/activate/")?.1))?))
                })
                .collect();
            let found = people.clone().filter_map(|number| links.get(self.address(number).as_str()));
            let found: Vec<_> = found.map(|link| format!("/activate/{link}")).collect();
            if found.len() == people.len() {
                return Ok(found);
            }
            if Instant::now() > patience {
                return Err(format!("{} links in the mailbox, of {}", found.len(), people.len()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn address(&self, number: usize) -> String {
        format!("{}-{number}@client.example", self.run)
    }

    /// Invites somebody: an account that waits, its seat, its mail and the trail, in one transaction.
    pub(super) async fn invite(&self, connection: &mut Connection) -> Result<(), Failure> {
        let number = self.invited.fetch_add(1, Ordering::Relaxed);
        let email = self.address(number);
        let body = json!({ "email": email, "given_name": "Maëlys", "family_name": "Kervadec" }).to_string();
        let path = format!("/api/v1/organizations/{}/members", self.organization);
        let body = (Some(("application/json", body.as_str())), Some(self.authorization.as_str()));
        let reply = connection.send("POST", &path, body).await?;
        reply.expect_status(StatusCode::CREATED).map(drop)
    }

    /// Opens a link that nobody has used, and chooses a password by it.
    pub(super) async fn activate(&self, connection: &mut Connection) -> Result<(), Failure> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let path = self.links.get(number).ok_or("no link is left")?;
        connection.forget_cookies();
        let page = connection.get(path, None).await?.expect_status(StatusCode::OK)?;
        let csrf = between(&page.text(), "name=\"csrf\" value=\"", "\"").ok_or("no csrf field on the page")?;
        let page = page.text();
        let declaration = between(&page, "name=\"declaration\" value=\"", "\"").ok_or("no declaration on the page")?;
        let fields = [
            ("csrf", csrf.as_str()),
            ("password", PASSWORD),
            ("repeated", PASSWORD),
            ("declaration", declaration.as_str()),
            ("declare", "yes"),
            ("accept", "yes"),
        ];
        let reply = connection.post(path, &form(&fields), None).await?;
        reply.expect_status(StatusCode::SEE_OTHER).map(drop)
    }
}
