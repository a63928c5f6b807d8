//! A write of the management API: the `Idempotency-Key` is claimed in the transaction of the effect, and the answer kept with it.
//!
//! A repeated request gets the first answer again and does nothing, whichever node it meets: right after its caller is known and before
//! anything is looked for, since what it was about may be gone by its own doing. A refused one kept nothing and may be repeated. Two at
//! once: the second waits for the first's transaction.
//!
//! A write that takes long is done in turns ([`Write::turn`]), so that nobody waits for it: what it has done so far is kept with the key,
//! and a repeated request goes on there.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use habilis_keys::secret::Secret;
use habilis_keys::token::{digest, same};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use super::caller::Caller;
use super::problem::{Answer, Code, Problem, Stop};
use crate::app::App;
use crate::db::Tx;
use crate::db::idempotency_keys::{self, Kept};

/// How long an answer is kept to be given again.
const KEEP: SignedDuration = SignedDuration::from_hours(24);
/// Longest key, in characters.
const MAX_KEY: usize = 255;
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// By what a request is known when it comes again.
#[derive(Debug)]
pub struct Idempotency {
    /// What the caller chose; without one nothing is kept.
    pub key: Option<String>,
    /// SHA-256 of client, method, path and body.
    pub fingerprint: Vec<u8>,
}

impl Idempotency {
    /// Reads the header.
    ///
    /// # Errors
    /// A key that is empty, too long or not visible ASCII.
    pub fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
        let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
        let key = value.to_str().unwrap_or_default();
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::parameter("Idempotency-Key", "1 to 255 visible ASCII characters"));
        }
        Ok(Some(key.to_owned()))
    }

    /// Gives the answer that this request of `caller` had before, if it had one.
    ///
    /// # Errors
    /// The earlier answer, a key that was used for something else, or a fault.
    pub async fn answered(&self, app: &App, caller: &str) -> Answer<()> {
        let Some(key) = self.key.as_deref().map(digest) else { return Ok(()) };
        let given = idempotency_keys::given(&mut app.db.reader().await?, (caller, &key), app.clock.now()).await?;
        match given {
            Some(kept) => Err(again(&kept, &self.fingerprint)?),
            None => Ok(()),
        }
    }
}

/// A write that has begun.
#[derive(Debug)]
pub struct Write {
    /// The transaction of the effect.
    pub tx: Tx,
    /// The one instant of the request.
    pub now: Timestamp,
    caller: String,
    key: Option<Vec<u8>>,
}

impl Write {
    /// Begins, or gives the answer that this request had before. Leave was asked for outside of the transaction; what it was given to is
    /// read again within, so that nobody writes whose rights were taken away meanwhile.
    ///
    /// # Errors
    /// The earlier answer, a key that was used for something else, rights that are gone, or a fault.
    pub async fn begin(app: &App, caller: &Caller, request: &Idempotency) -> Answer<Self> {
        Self::begin_in(app.db.begin().await?, (app, caller), request).await
    }

    /// The same in a transaction that holds something already: what others hold before they hold the organization.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_in(tx: Tx, by: (&App, &Caller), request: &Idempotency) -> Answer<Self> {
        let (write, kept) = Self::claim(tx, by, request).await?;
        match kept {
            Some(kept) => Err(again(&kept, &request.fingerprint)?),
            None => Ok(write),
        }
    }

    /// Begins a write of several turns, or goes on with it: then it says what was done so far, see [`Self::turn`].
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_turns(app: &App, caller: &Caller, request: &Idempotency) -> Answer<(Self, Option<String>)> {
        let (write, kept) = Self::claim(app.db.begin().await?, (app, caller), request).await?;
        match kept {
            Some(kept) if kept.status == 0 && same(&kept.fingerprint, &request.fingerprint) => {
                Ok((write, Some(kept.body)))
            }
            Some(kept) => Err(again(&kept, &request.fingerprint)?),
            None => Ok((write, None)),
        }
    }

    /// Commits what was done so far and lets others write; then goes on, as [`Self::begin_turns`] does. Without a key nothing is kept: what
    /// was done stays done, and a repeated request begins anew.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn turn(
        mut self,
        by: (&App, &Caller),
        request: &Idempotency,
        so_far: &str,
    ) -> Answer<(Self, Option<String>)> {
        if let Some(key) = &self.key {
            idempotency_keys::keep(&mut self.tx, (&self.caller, key), (0, "{}", so_far)).await?;
        }
        self.tx.commit().await?;
        Self::begin_turns(by.0, by.1, request).await
    }

    /// Takes the key, if there is one; gives what is kept under it when somebody has it.
    async fn claim(mut tx: Tx, (app, caller): (&App, &Caller), request: &Idempotency) -> Answer<(Self, Option<Kept>)> {
        if let Some(lost) = caller.lost(&mut tx, app.clock.now()).await? {
            drop(tx);
            caller.record_lost(app, app.clock.now()).await?;
            return Err(lost.into());
        }
        // From here on: who waited for a lock writes after whoever had it.
        let now = app.clock.now();
        let key = request.key.as_deref().map(digest);
        let caller = caller.id().to_owned();
        if let Some(key) = &key {
            let until = now.saturating_add(KEEP)?;
            if !idempotency_keys::claim(&mut tx, (&caller, key), &request.fingerprint, (now, until)).await? {
                let kept = idempotency_keys::find(&mut tx, &caller, key).await?;
                let Some(kept) = kept else { return Err(Problem::bare(Code::Conflict).into()) };
                return Ok((Self { tx, now, caller, key: Some(key.clone()) }, Some(kept)));
            }
        }
        Ok((Self { tx, now, caller, key }, None))
    }

    /// Keeps the answer and commits.
    ///
    /// # Errors
    /// A fault.
    pub async fn finish(self, answer: Written) -> Answer {
        self.keep(&answer).await?;
        Ok(answer.into_response())
    }

    /// The same, but what is kept to be given again is `kept`: the answer without the secret that is shown once.
    ///
    /// # Errors
    /// A fault.
    pub async fn finish_keeping(self, answer: Written, kept: Written) -> Answer {
        self.keep(&kept).await?;
        Ok(answer.into_response())
    }

    /// Keeps what a repeated request is given and commits: the answer itself is another one, which is written while it is sent.
    ///
    /// # Errors
    /// A fault.
    pub async fn keep(mut self, kept: &Written) -> Answer<()> {
        if let Some(key) = &self.key {
            let (headers, body) = kept.parts();
            let status = i64::from(kept.status.as_u16());
            idempotency_keys::keep(&mut self.tx, (&self.caller, key), (status, &headers, &body)).await?;
        }
        self.tx.commit().await?;
        Ok(())
    }
}

fn again(kept: &Kept, fingerprint: &[u8]) -> Answer<Stop> {
    if !same(&kept.fingerprint, fingerprint) {
        return Ok(Problem::bare(Code::IdempotencyKeyReused).into());
    }
    let status = u16::try_from(kept.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let headers: Map<String, Value> = serde_json::from_str(&kept.headers)?;
    let mut response = (status.unwrap_or(StatusCode::OK), kept.body.clone()).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in headers {
        let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
        if let (Ok(name), Some(value)) = (HeaderName::try_from(name), value) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(Stop::Answered(Box::new(response)))
}

/// What a write answers.
#[derive(Debug)]
pub struct Written {
    status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    body: Option<Value>,
    once: Option<(&'static str, Secret<String>)>,
}

impl Written {
    /// Something new, and where it is.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn created(location: String, body: &impl Serialize) -> Answer<Self> {
        let headers = vec![(header::LOCATION, location)];
        Ok(Self { status: StatusCode::CREATED, headers, body: Some(serde_json::to_value(body)?), once: None })
    }

    /// Something as it is now.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn changed(body: &impl Serialize) -> Answer<Self> {
        Ok(Self { status: StatusCode::OK, headers: Vec::new(), body: Some(serde_json::to_value(body)?), once: None })
    }

    /// Accepted, to be done by a job.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn accepted(location: String, body: &impl Serialize) -> Answer<Self> {
        let headers = vec![(header::LOCATION, location)];
        Ok(Self { status: StatusCode::ACCEPTED, headers, body: Some(serde_json::to_value(body)?), once: None })
    }

    /// Done, nothing to say.
    pub fn nothing() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: Vec::new(), body: None, once: None }
    }

    /// Adds a secret as a member of the body. It is shown this once: what is kept to be given again is without it.
    #[must_use]
    pub fn with_secret(mut self, name: &'static str, secret: Secret<String>) -> Self {
        self.once = Some((name, secret));
        self
    }

    /// Names the version of what is answered.
    #[must_use]
    pub fn with_version(mut self, version: i64) -> Self {
        self.headers.push((header::ETAG, etag(version)));
        self
    }

    fn parts(&self) -> (String, String) {
        let mut headers: Map<String, Value> =
            self.headers.iter().map(|(name, value)| (name.to_string(), value.clone().into())).collect();
        headers.insert("cache-control".to_owned(), "no-store".into());
        if self.body.is_some() {
            headers.insert("content-type".to_owned(), "application/json".into());
        }
        (Value::Object(headers).to_string(), self.body.as_ref().map(Value::to_string).unwrap_or_default())
    }
}

impl IntoResponse for Written {
    fn into_response(mut self) -> Response {
        if let (Some(Value::Object(body)), Some((name, secret))) = (&mut self.body, &self.once) {
            body.insert((*name).to_owned(), secret.expose().clone().into());
        }
        let mut response = match self.body {
            Some(body) => (self.status, [(header::CACHE_CONTROL, "no-store")], axum::Json(body)).into_response(),
            None => (self.status, [(header::CACHE_CONTROL, "no-store")]).into_response(),
        };
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// The `ETag` of a version (RFC 9110 §8.8.3).
pub fn etag(version: i64) -> String {
    format!("\"v{version}\"")
}

/// The answer to a read of something with a version.
///
/// # Errors
/// It cannot be written as JSON.
pub fn found(body: &impl Serialize, version: i64) -> Answer {
    Ok(Written::changed(body)?.with_version(version).into_response())
}
