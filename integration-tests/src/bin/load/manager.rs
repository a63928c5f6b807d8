//! The operator's automation at the management API, as scenarios need it before the clock runs.

use habilis_integration_tests::Http;
use serde_json::Value;
use url::Url;

use super::{Failure, Target, credentials};

/// A client's own token, and where to use it.
pub(super) struct Manager {
    http: Http,
    base: Url,
    token: String,
}

impl Manager {
    pub(super) async fn new(target: &Target, scope: &str) -> Result<Self, Failure> {
        Self::of(target, "demo-automation", scope).await
    }

    /// The same with a token of another client.
    pub(super) async fn of(target: &Target, id: &str, scope: &str) -> Result<Self, Failure> {
        let client = target.clients.iter().find(|client| client.client_id == id);
        let proof = credentials(client.ok_or_else(|| format!("no client {id}"))?)?.0;
        let proof = proof.ok_or_else(|| format!("{id} authenticates with client_secret_basic"))?;
        let mut manager = Self { http: Http::new(), base: target.base.clone(), token: String::new() };
        let asked = [("grant_type", "client_credentials"), ("scope", scope)];
        let request = manager.http.request("POST", &manager.url("/token")).header("authorization", &proof);
        let answer = manager.http.send(request.form(&asked)).await;
        text(&answer.json(), "access_token")?.clone_into(&mut manager.token);
        Ok(manager)
    }

    /// The header that authorizes its requests.
    pub(super) fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub(super) fn url(&self, path: &str) -> String {
        self.base.join(path).expect("a path").to_string()
    }

    /// An answer of the demonstration itself.
    pub(super) async fn demo(&self, path: &str) -> Value {
        self.http.get(&self.url(path)).await.json()
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send("GET", path, ("application/json", String::new())).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send("POST", path, ("application/json", body.to_string())).await
    }

    /// Sends a body of this type, and wants an answer of JSON that is no refusal.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        (content_type, body): (&str, String),
    ) -> Result<Value, Failure> {
        let request = self.http.request(method, &self.url(&format!("/api/v1{path}"))).bearer_auth(&self.token);
        let answer = self.http.send(request.header("content-type", content_type).body(body)).await;
        if answer.status < 300 { Ok(answer.json()) } else { Err(format!("{} {}", answer.status, answer.body)) }
    }
}

/// A text member of an answer.
pub(super) fn text<'a>(answer: &'a Value, name: &str) -> Result<&'a str, Failure> {
    answer[name].as_str().ok_or_else(|| format!("no {name}: {answer}"))
}
