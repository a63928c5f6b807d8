//! The management API as a program uses it: a token, JSON, and the document that describes it.

use serde_json::Value;

use crate::protocol::{AuthorizationRequest, AuthorizationResponse, Code, Tokens, post_as, redeem};
use crate::{Answer, Authenticator, Browser, Client, Http, Person, SlowReader, TestServer, Visit};

/// The client through which people of the demonstration manage.
pub const CONSOLE: &str = "demo-management";
/// Every scope of the API.
pub const ALL: &str = "habilis.organizations.read habilis.organizations.write habilis.members.read habilis.members.write habilis.people.read habilis.people.write habilis.duties habilis.keys habilis.measures habilis.orders habilis.jobs.read habilis.audit.read habilis.webhooks habilis.portals habilis.bounces habilis.signing_keys habilis.self";

/// A caller of the API.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    token: String,
    http: Http,
}

impl Api {
    /// With a token of one's own.
    pub fn with_token(server: &TestServer, token: &str) -> Self {
        Self { base: server.url("/api/v1"), token: token.to_owned(), http: Http::new() }
    }

    /// As a client that acts for itself.
    pub async fn of_client(server: &TestServer, client: &str, scope: &str) -> Self {
        Self::of_program(server, server.client(client), scope).await
    }

    /// As a program that is none of the demonstration's.
    pub async fn of_program(server: &TestServer, client: &Client, scope: &str) -> Self {
        let parameters = [("grant_type", "client_credentials"), ("scope", scope)];
        let answer = post_as(server, client, ("/token", &parameters)).await;
        Self::with_token(server, answer.ok_json()["access_token"].as_str().expect("an access token"))
    }

    /// As a person, who signs in with the password and, where asked, a code of their authenticator app.
    pub async fn of_person(server: &TestServer, person: &Person, scope: &str) -> Self {
        let request = AuthorizationRequest::of(server.client(CONSOLE)).with("scope", &format!("openid {scope}"));
        let mut browser = Browser::new();
        browser.get(&request.url(server)).await.page();
        let visit = match browser.sign_in(person).await {
            Visit::Page(page) if page.has("second-step-page") => {
                let secret = person.totp_secret.as_deref().expect("an authenticator app");
                let code = Authenticator::from_text(secret).code(server, 0).await;
                browser.submit("second-step-form", &[("code", &code)]).await
            }
            visit => visit,
        };
        let response = AuthorizationResponse::from_url(visit.left());
        let answer = redeem(server, server.client(CONSOLE), &Code::from(&request, &response)).await;
        Self::with_token(server, Tokens::from(&answer).access_token())
    }

    /// A request that is not sent yet.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, &format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Sends a request.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.http.send(request).await
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    /// GET of a long answer, which is taken slowly.
    pub async fn slowly(&self, path: &str) -> SlowReader {
        SlowReader::begin(&format!("{}{path}", self.base), &self.token).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request("POST", path).json(body)).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request("PUT", path).json(body)).await
    }

    /// PATCH from the version `etag`.
    pub async fn patch(&self, path: &str, etag: &str, body: &Value) -> Answer {
        self.send(self.request("PATCH", path).header("if-match", etag).json(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path)).await
    }
}

impl Answer {
    /// Checks that this is a problem with this status and code, and returns it.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{}", self.body);
        assert_eq!(problem["type"], format!("/problems/{code}"), "{}", self.body);
        assert_eq!(problem["status"], status, "{}", self.body);
        problem
    }

    /// Checks the status and returns the JSON.
    #[track_caller]
    pub fn done(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.json()
    }
}
