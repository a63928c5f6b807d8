//! What the scenarios of the seat ledger need: an organization with an order that is large enough, and people it has invited.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use habilis_integration_tests::{Answer, Http};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Connection, Failure, Target, between, credentials, form};

/// What the mailbox of the demonstration shows at a time, with room for mails to others.
const BATCH: usize = 150;
/// A password that every rule takes.
const PASSWORD: &str = "quatorze moulins derriere la vieille gare";

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
        let http = Http::new();
        let url = |path: &str| target.base.join(path).expect("a path").to_string();
        let client = target.clients.iter().find(|client| client.client_id == "demo-automation");
        let proof = credentials(client.ok_or("no client demo-automation")?)?.0;
        let proof = proof.ok_or("demo-automation authenticates with client_secret_basic")?;
        let scope = "habilis.orders habilis.organizations.write habilis.members.write";
        let asked = [("grant_type", "client_credentials"), ("scope", scope)];
        let answer = http.send(http.request("POST", &url("/token")).header("authorization", &proof).form(&asked)).await;
        let token = text(&answer, "access_token")?;
        let post = async |path: &str, body: Value| {
            let request = http.request("POST", &url(&format!("/api/v1{path}"))).bearer_auth(&token).json(&body);
            http.send(request).await
        };
        let now = text(&http.get(&url("/demo/clock")).await, "now")?;
        let now: jiff::Timestamp = now.parse().map_err(|error| format!("{now}: {error}"))?;
        let run = format!("charge-{}", now.as_millisecond());
        post("/products", json!({ "id": run, "name": "Charge", "trial_seats": 1 })).await;
        let organization = post("/organizations", json!({ "kind": "company", "name": run })).await;
        let organization = text(&organization, "id")?;
        let orders = format!("/organizations/{organization}/orders");
        let administrator =
            json!({ "email": format!("{run}@client.example"), "given_name": "Anne", "family_name": "Prévost" });
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        // One for its administrator, and what the warm-up takes.
        let seats = seats + seats / 10 + activations + 10;
        let body = json!({
            "number": run, "product": run, "seats": seats, "effect_on": today, "administrator": administrator,
        });
        let order = text(&post(&orders, body).await, "id")?;
        for step in ["acknowledged", "signed"] {
            let answer = post(&format!("{orders}/{order}/steps"), json!({ "step": step })).await;
            text(&answer, "standing")?;
        }
        let mut ledger = Self {
            authorization: format!("Bearer {token}"),
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
            let mails = http.get(&url("/demo/mailbox.json")).await.json();
            let mails = mails.as_array().into_iter().flatten().take(batch);
            let hrefs = mails.flat_map(|mail| mail["links"].as_array().into_iter().flatten().filter_map(Value::as_str));
            let before = links.len();
            links.extend(hrefs.filter_map(|href| Some(format!("/activate/{}", href.split_once("/activate/")?.1))));
            if links.len() != before + batch {
                return Err(format!("{} links in the mailbox, of {batch}", links.len() - before));
            }
        }
        ledger.links = Arc::new(links);
        Ok(ledger)
    }

    /// Invites somebody: an account that waits, its seat, its mail and the trail, in one transaction.
    pub(super) async fn invite(&self, connection: &mut Connection) -> Result<(), Failure> {
        let number = self.invited.fetch_add(1, Ordering::Relaxed);
        let email = format!("{}-{number}@client.example", self.run);
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

/// A text member of an answer.
fn text(answer: &Answer, name: &str) -> Result<String, Failure> {
    answer.json()[name].as_str().map(str::to_owned).ok_or_else(|| answer.body.clone())
}
