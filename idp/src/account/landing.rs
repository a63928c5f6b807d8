//! Where a person goes once their account is open: back to the request that waits, to the portal that had them invited, or to
//! their account.

use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::app::App;
use crate::db::sessions::Session;
use crate::db::{Tx, interactions};
use crate::login::finish::Way;
use crate::login::local::Place;
use crate::oidc::client::Client;
use crate::oidc::interaction::{Open, proceed};
use crate::outcome::Outcome;
use crate::web::see_other;

/// What was asked when the link was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// The portal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// A page of that portal (OpenID Connect Core §4, `target_link_uri`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// An authorization request that waits in the browser it began in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction: Option<String>,
    /// The link was handed over by whoever made it, not mailed: it proves no address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
}

impl Landing {
    /// Whether the target, if any, is a page of `client`: of the origin of its login or redirect URIs.
    pub fn is_at(&self, client: &Client) -> bool {
        let Some(target) = &self.target else { return true };
        let metadata = &client.metadata;
        let origin = |uri: &str| Url::parse(uri).ok().map(|url| url.origin()).filter(url::Origin::is_tuple);
        let Some(wanted) = origin(target) else { return false };
        metadata
            .initiate_login_uri
            .iter()
            .chain(&metadata.redirect_uris)
            .any(|uri| origin(uri).as_ref() == Some(&wanted))
    }

    /// The address at `client`: its `initiate_login_uri` with issuer and target (OpenID Connect Core §4), else the target
    /// itself, else its home page.
    fn href(&self, issuer: &str, client: &Client) -> Option<String> {
        if !self.is_at(client) {
            return None;
        }
        let Some(initiate) = &client.metadata.initiate_login_uri else {
            return self.target.clone().or_else(|| client.metadata.client_uri.clone());
        };
        let mut url = Url::parse(initiate).ok()?;
        url.query_pairs_mut().append_pair("iss", issuer);
        if let Some(target) = &self.target {
            url.query_pairs_mut().append_pair("target_link_uri", target);
        }
        Some(url.into())
    }

    /// The way there: the request that waits, when it is open in this very browser, or the address at the portal.
    ///
    /// # Errors
    /// The database failed.
    pub async fn way(&self, app: &App, waiting: Option<Open>) -> Outcome<Way> {
        match waiting {
            Some(open) => Ok(Way::Request(Box::new(open))),
            None => Ok(Way::Landing(self.address(app).await?)),
        }
    }

    /// The address at the portal; that of the account when there is none, or it is closed.
    ///
    /// # Errors
    /// The database failed.
    pub async fn address(&self, app: &App) -> Outcome<String> {
        let client = match &self.client {
            Some(id) => app.client(id).await?.filter(|client| client.active),
            None => None,
        };
        let href = client.and_then(|client| self.href(&app.config.server.issuer, &client));
        Ok(href.unwrap_or_else(|| Place::Account.path().to_owned()))
    }
}

/// Sends the person who has just signed in on their way. The caller commits.
///
/// # Errors
/// The database or a template failed.
pub async fn go(tx: &mut Tx, app: &App, (way, session): (Way, &Session), now: Timestamp) -> Outcome<Response> {
    let mut open = match way {
        Way::Request(open) => open,
        way => return Ok(see_other(&way.next_path())),
    };
    interactions::authenticated(tx, &open.interaction.id, now).await?;
    open.interaction.authenticated_at = Some(now.into());
    proceed(tx, app, (&open, session), now).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::db::clients::ClientRow;

    fn client(metadata: &serde_json::Value) -> Client {
        Client::from_row(ClientRow {
            id: "portail".to_owned(),
            metadata: metadata.to_string(),
            settings: "{}".to_owned(),
            secret_digest: None,
            secret_sealed: None,
            registration_token_digest: None,
            status: "active".to_owned(),
            created_at: Timestamp::UNIX_EPOCH.into(),
            banner: None,
            access_ended_at: Timestamp::UNIX_EPOCH.into(),
        })
        .unwrap()
    }

    #[test]
    fn people_land_at_the_portal_and_nowhere_else() {
        let uris = json!(["https://p.example/cb"]);
        let initiating = client(&json!({ "redirect_uris": uris, "initiate_login_uri": "https://p.example/go?a=1" }));
        let plain = client(&json!({ "redirect_uris": uris, "client_uri": "https://www.p.example/" }));
        let bare = client(&json!({ "redirect_uris": uris }));
        let to = |target: &str| Landing { target: Some(target.to_owned()), ..Landing::default() };
        let iss = "https://idp.example";
        for (landing, client, expected) in [
            (Landing::default(), &initiating, Some("https://p.example/go?a=1&iss=https%3A%2F%2Fidp.example")),
            (
                to("https://p.example/cours/7"),
                &initiating,
                Some(
                    "https://p.example/go?a=1&iss=https%3A%2F%2Fidp.example&target_link_uri=https%3A%2F%2Fp.example%2Fcours%2F7",
                ),
            ),
            (Landing::default(), &plain, Some("https://www.p.example/")),
            (to("https://p.example/cours/7"), &plain, Some("https://p.example/cours/7")),
            (Landing::default(), &bare, None),
            (to("https://evil.example/"), &plain, None),
            (to("http://p.example/cours/7"), &plain, None),
            (to("https://p.example.evil.example/"), &initiating, None),
            (to("https://p.example@evil.example/"), &initiating, None),
            (to("javascript:alert(1)"), &plain, None),
            (to("/cours"), &plain, None),
        ] {
            assert_eq!(landing.href(iss, client).as_deref(), expected, "{landing:?}");
        }
    }
}
