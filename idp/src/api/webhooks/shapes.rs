//! Webhooks as the API shows and takes them.

use habilis_policies::events::Selection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use utoipa::ToSchema;

use super::super::body::fields;
use super::super::instant;
use super::super::problem::{Answer, Problem};
use crate::app::App;
use crate::db::webhooks::{self, Webhook as Row};

/// Types a webhook may name.
const MOST_TYPES: usize = 100;

/// Where events are delivered to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Webhook {
    /// `whk_…`.
    pub(super) id: String,
    /// Where to.
    url: String,
    /// Types and families of events, such as `account.activated` and `rights.*`; `*` is all.
    types: Vec<String>,
    /// For people.
    description: Option<String>,
    /// Whether anything is sent.
    active: bool,
    /// Why the server switched it off: `gone` (the receiver answered 410) or `unreachable` (it took nothing for three days).
    disabled: Option<String>,
    /// RFC 3339: since when the receiver takes nothing.
    failing_since: Option<String>,
    /// RFC 3339: until when the secret before signs too.
    earlier_secret_until: Option<String>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
    /// What deliveries are signed with, `whsec_…`. Only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Webhook {
    pub(super) fn new(row: Row) -> Answer<Self> {
        Ok(Self {
            id: row.id,
            url: row.url,
            types: serde_json::from_str(&row.types)?,
            description: row.description,
            active: row.active,
            disabled: row.disabled,
            failing_since: row.failing_since.map(instant),
            earlier_secret_until: row.earlier_until.map(instant),
            created_at: instant(row.created_at),
            updated_at: instant(row.updated_at),
            secret: None,
        })
    }

    /// What the audit trail keeps: of the address only the host, for the rest may be a secret of the receiver's.
    pub(super) fn traced(&self) -> Value {
        let host = Url::parse(&self.url).ok().and_then(|url| url.host_str().map(str::to_owned));
        json!({ "host": host, "types": self.types, "active": self.active })
    }
}

/// A webhook to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhook {
    /// Where to: https, and an address on the internet.
    #[schema(max_length = 2048)]
    url: String,
    /// Types and families of events; all when absent.
    #[serde(default = "everything")]
    #[schema(max_items = 100)]
    types: Vec<String>,
    /// For people.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 200)]
    description: Option<fields::Line>,
    /// Whether anything is sent; true when absent.
    active: Option<bool>,
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

/// What is changed of a webhook: what is absent stays, null takes away (RFC 7396).
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookPatch {
    /// Where to.
    #[serde(default, deserialize_with = "fields::kept_value")]
    #[schema(value_type = String, max_length = 2048)]
    url: Option<String>,
    /// Types and families of events.
    #[serde(default, deserialize_with = "fields::kept_value")]
    #[schema(value_type = Vec<String>, max_items = 100)]
    types: Option<Vec<String>>,
    /// For people.
    #[serde(default, deserialize_with = "fields::patched")]
    #[schema(value_type = Option<String>, max_length = 200)]
    description: fields::Patched<fields::Line>,
    /// false pauses it, true switches it on, also after the server switched it off.
    #[serde(default, deserialize_with = "fields::kept_value")]
    #[schema(value_type = bool)]
    active: Option<bool>,
}

/// A webhook as it is to be written.
#[derive(Debug)]
pub(super) struct Wanted {
    url: String,
    types: String,
    description: Option<String>,
    active: bool,
}

impl Wanted {
    /// Of a new one.
    pub(super) fn new(app: &App, new: &NewWebhook) -> Answer<Self> {
        Ok(Self {
            url: checked_url(app, &new.url)?,
            types: checked_types(&new.types)?,
            description: new.description.as_ref().map(|line| line.0.clone()),
            active: new.active.unwrap_or(true),
        })
    }

    /// Of one that is changed.
    pub(super) fn changed(app: &App, row: &Row, patch: &WebhookPatch) -> Answer<Self> {
        Ok(Self {
            url: patch.url.as_ref().map_or_else(|| Ok(row.url.clone()), |url| checked_url(app, url))?,
            types: patch.types.as_ref().map_or_else(|| Ok(row.types.clone()), |types| checked_types(types))?,
            description: patch.description.over(row.description.clone(), |line| line.0.clone()),
            active: patch.active.unwrap_or(row.active),
        })
    }

    pub(super) fn written(&self) -> webhooks::Written<'_> {
        webhooks::Written {
            url: &self.url,
            types: &self.types,
            description: self.description.as_deref(),
            active: self.active,
        }
    }
}

fn checked_url(app: &App, url: &str) -> Answer<String> {
    let good = Url::parse(url).is_ok_and(|parsed| app.fetcher.permits(url) && parsed.fragment().is_none());
    if good {
        return Ok(url.to_owned());
    }
    let detail = "https, an address on the internet, no user and no fragment, at most 2,048 characters";
    Err(Problem::field("/url", "not_allowed", detail).into())
}

fn checked_types(types: &[String]) -> Answer<String> {
    if types.is_empty() || types.len() > MOST_TYPES {
        return Err(Problem::field("/types", "invalid", "1 to 100 types; \"*\" is all").into());
    }
    if let Err(at) = Selection::parse(types) {
        return Err(Problem::field(&format!("/types/{at}"), "unknown", "not in the catalogue of events").into());
    }
    Ok(serde_json::to_string(types)?)
}
