//! JSON bodies, read strictly: unknown members are refused, the first wrong one is named by its pointer, and what was read is
//! valid. Fields are parsed by the types of `habilis_policies`, see [`fields`].

use axum::body::Bytes;
use axum::extract::{FromRequest, OriginalUri, Request};
use axum::http::{HeaderMap, header};
use habilis_keys::token::{digest, file_digest_hex};
use serde::de::{DeserializeOwned, IgnoredAny};

use super::caller::Known;
use super::problem::{Code, FieldError, Problem, Stop};
use super::write::Idempotency;
use crate::app::App;
use crate::outcome::Fault;

/// A JSON body, and by what the request is known when it comes again.
#[derive(Debug)]
pub struct Body<T> {
    /// What was sent.
    pub value: T,
    /// See [`Idempotency`].
    pub idempotency: Idempotency,
}

/// A write without a body.
#[derive(Debug)]
pub struct NoBody {
    /// See [`Idempotency`].
    pub idempotency: Idempotency,
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Stop;

    async fn from_request(request: Request, app: &App) -> Result<Self, Stop> {
        if !is_json(request.headers()) {
            return Err(Problem::new(Code::UnsupportedMediaType, "send application/json").into());
        }
        without_parameters(&request)?;
        let (idempotency, bytes) = read(request, app).await?;
        // Told apart first: serde_json calls a wrong type where a word is expected a syntax error, too.
        serde_json::from_slice::<IgnoredAny>(&bytes)
            .map_err(|error| Problem::new(Code::MalformedRequest, error.to_string()))?;
        // serde would take the members of an array, in order, for those of an object.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(Problem::field("", "invalid", "the body is a JSON object").into());
        }
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| refusal(&error))?;
        Ok(Self { value, idempotency })
    }
}

impl FromRequest<App> for NoBody {
    type Rejection = Stop;

    async fn from_request(request: Request, app: &App) -> Result<Self, Stop> {
        without_parameters(&request)?;
        let (idempotency, bytes) = read(request, app).await?;
        if !bytes.is_empty() {
            return Err(Problem::new(Code::MalformedRequest, "this request has no body").into());
        }
        Ok(Self { idempotency })
    }
}

/// A body that is not JSON: a file.
#[derive(Debug)]
pub struct RawBody {
    /// What was sent.
    pub bytes: Bytes,
    /// Its media type, in lower case, without parameters.
    pub media_type: String,
    /// See [`Idempotency`].
    pub idempotency: Idempotency,
}

impl FromRequest<App> for RawBody {
    type Rejection = Stop;

    async fn from_request(request: Request, app: &App) -> Result<Self, Stop> {
        let media_type = media_type(request.headers()).to_ascii_lowercase();
        let (idempotency, bytes) = read(request, app).await?;
        Ok(Self { bytes, media_type, idempotency })
    }
}

/// Refuses parameters in the address: who sends one, such as `dry_run`, counts on it.
fn without_parameters(request: &Request) -> Result<(), Problem> {
    match request.uri().query() {
        None | Some("") => Ok(()),
        Some(_) => Err(Problem::new(Code::InvalidParameter, "this operation takes no parameters in its address")),
    }
}

/// Reads the body; a request that was answered before ends here, with that answer.
async fn read(request: Request, app: &App) -> Result<(Idempotency, Bytes), Stop> {
    let caller = request.extensions().get::<Known>().cloned();
    let caller = caller.ok_or_else(|| Fault::new("a body is read before it is known who calls"))?;
    let target = request
        .extensions()
        .get::<OriginalUri>()
        .map_or_else(|| request.uri().to_string(), |OriginalUri(uri)| uri.to_string());
    let method = request.method().to_string();
    let key = Idempotency::key(request.headers())?;
    let bytes = Bytes::from_request(request, app).await.map_err(|_| Problem::bare(Code::TooLarge))?;
    // The client too: what one may see of a person's answers, another may not.
    let fingerprint = digest(&format!("{method} {target}\n{}\n{}", caller.client, file_digest_hex(&bytes)));
    let idempotency = Idempotency { key, fingerprint };
    idempotency.answered(app, &caller.id).await?;
    Ok((idempotency, bytes))
}

fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = media_type(headers);
    kind.eq_ignore_ascii_case("application/json") || kind.eq_ignore_ascii_case("application/merge-patch+json")
}

/// Names the field that is wrong in a body that is JSON.
fn refusal(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    use serde_path_to_error::Segment;
    let inner = error.inner();
    let mut pointer = String::new();
    for segment in error.path() {
        let name = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&name);
    }
    // serde_json adds where in the text it was; the pointer says it better.
    let text = inner.to_string();
    let detail =
        text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what).chars().take(300).collect::<String>();
    let detail = if inner.is_syntax() { "another type of value is expected".to_owned() } else { detail };
    // What is missing is no part of the way to where it is missing.
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    if let Some(name) = missing {
        pointer.push('/');
        pointer.push_str(name);
    }
    let code = if missing.is_some() {
        "missing"
    } else if text.starts_with("unknown field") {
        "unknown"
    } else {
        "invalid"
    };
    Problem::fields(vec![FieldError { pointer, code, detail }])
}

/// Readers for `#[serde(deserialize_with = …)]`: a text that is parsed at the door.
pub mod fields {
    use habilis_policies::contact::{Email, Name};
    use habilis_policies::identifiers::{Nda, OrganizationKind, Siren, Siret, Uai};
    use serde::de::{Deserialize, Deserializer, Error};

    /// A text that becomes a value, or says why not.
    pub trait FromText: Sized {
        /// Reads the text.
        ///
        /// # Errors
        /// What is wrong with it, for people.
        fn from_text(text: &str) -> Result<Self, String>;
    }

    impl FromText for Name {
        fn from_text(text: &str) -> Result<Self, String> {
            Self::parse(text)
                .ok_or_else(|| "a name has 1 to 100 characters, letters among them, and no address".to_owned())
        }
    }

    impl FromText for Email {
        fn from_text(text: &str) -> Result<Self, String> {
            Self::parse(text).ok_or_else(|| "not a mail address of at most 254 characters".to_owned())
        }
    }

    macro_rules! from_parse {
        ($($identifier:ty),*) => {$(
            impl FromText for $identifier {
                fn from_text(text: &str) -> Result<Self, String> {
                    Self::parse(text).map_err(|error| error.to_string())
                }
            }
        )*};
    }
    from_parse!(Siren, Siret, Uai, Nda);

    impl FromText for OrganizationKind {
        fn from_text(text: &str) -> Result<Self, String> {
            serde_json::from_value(text.into())
                .map_err(|_| "one of company, training_body, cfa, partner, individual".to_owned())
        }
    }

    impl FromText for jiff::Timestamp {
        fn from_text(text: &str) -> Result<Self, String> {
            text.parse()
                .map_err(|_| "an instant is written as RFC 3339 has it, such as 2027-03-01T08:00:00Z".to_owned())
        }
    }

    impl FromText for jiff::civil::Date {
        fn from_text(text: &str) -> Result<Self, String> {
            text.parse().map_err(|_| "a date is written YYYY-MM-DD".to_owned())
        }
    }

    /// One line of 1 to 200 characters: no control character, no spaces around.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Line(pub String);

    impl FromText for Line {
        fn from_text(text: &str) -> Result<Self, String> {
            let good =
                (1..=200).contains(&text.chars().count()) && !text.contains(char::is_control) && text.trim() == text;
            if good { Ok(Self(text.to_owned())) } else { Err("1 to 200 characters on one line".to_owned()) }
        }
    }

    /// Words for people: 1 to 2,000 characters, line breaks allowed, no other control character.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Paragraph(pub String);

    impl FromText for Paragraph {
        fn from_text(text: &str) -> Result<Self, String> {
            let text = text.trim();
            let good =
                (1..=2000).contains(&text.chars().count()) && !text.contains(|c: char| c.is_control() && c != '\n');
            if good { Ok(Self(text.to_owned())) } else { Err("1 to 2,000 characters of text".to_owned()) }
        }
    }

    /// A telephone number as people write it: digits, spaces and `+ . - ( )`, 4 to 32 characters.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Phone(pub String);

    impl FromText for Phone {
        fn from_text(text: &str) -> Result<Self, String> {
            let text = text.trim();
            let known = |byte: u8| byte.is_ascii_digit() || b" +.-()".contains(&byte);
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            let good = (4..=32).contains(&text.len()) && text.bytes().all(known) && digits >= 3;
            if good { Ok(Self(text.to_owned())) } else { Err("digits, spaces and + . - ( )".to_owned()) }
        }
    }

    /// Reads a value.
    ///
    /// # Errors
    /// Not a text, or not one that becomes a value.
    pub fn parsed<'de, T: FromText, D: Deserializer<'de>>(reader: D) -> Result<T, D::Error> {
        T::from_text(&String::deserialize(reader)?).map_err(Error::custom)
    }

    /// Reads a value that may be absent or null.
    ///
    /// # Errors
    /// As [`parsed`].
    pub fn optional<'de, T: FromText, D: Deserializer<'de>>(reader: D) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(reader)?;
        text.map(|text| T::from_text(&text)).transpose().map_err(Error::custom)
    }

    /// Reads a list of values.
    ///
    /// # Errors
    /// One of them is not of the type, and says what it should be.
    pub fn list<'de, T: FromText, D: Deserializer<'de>>(reader: D) -> Result<Vec<T>, D::Error> {
        let texts = Vec::<String>::deserialize(reader)?;
        texts.iter().map(|text| T::from_text(text)).collect::<Result<_, _>>().map_err(Error::custom)
    }

    /// Reads an optional list of texts.
    ///
    /// # Errors
    /// As [`parsed`].
    pub fn optional_list<'de, T: FromText, D: Deserializer<'de>>(reader: D) -> Result<Option<Vec<T>>, D::Error> {
        let texts = Option::<Vec<String>>::deserialize(reader)?;
        let list = |texts: Vec<String>| texts.iter().map(|text| T::from_text(text)).collect::<Result<Vec<T>, _>>();
        texts.map(list).transpose().map_err(Error::custom)
    }

    /// Reads a text of a merge patch that there always is: null takes nothing away, and is refused.
    ///
    /// # Errors
    /// As [`parsed`].
    pub fn kept<'de, T: FromText, D: Deserializer<'de>>(reader: D) -> Result<Option<T>, D::Error> {
        parsed(reader).map(Some)
    }

    /// The same for a value that is no text.
    ///
    /// # Errors
    /// Null, or another type of value.
    pub fn kept_value<'de, T: Deserialize<'de>, D: Deserializer<'de>>(reader: D) -> Result<Option<T>, D::Error> {
        T::deserialize(reader).map(Some)
    }

    /// The same for a list of texts.
    ///
    /// # Errors
    /// As [`list`].
    pub fn kept_list<'de, T: FromText, D: Deserializer<'de>>(reader: D) -> Result<Option<Vec<T>>, D::Error> {
        list(reader).map(Some)
    }

    /// A member of a merge patch (RFC 7396).
    #[derive(Debug, Clone, PartialEq, Eq, Default)]
    pub enum Patched<T> {
        /// Absent: what was there stays.
        #[default]
        Kept,
        /// Null: what was there goes.
        Removed,
        /// This instead.
        Set(T),
    }

    impl<T> Patched<T> {
        /// What there is afterwards, when there was `old`.
        pub fn over<'a, V>(&'a self, old: Option<V>, show: impl Fn(&'a T) -> V) -> Option<V> {
            match self {
                Self::Kept => old,
                Self::Removed => None,
                Self::Set(new) => Some(show(new)),
            }
        }
    }

    /// Reads a member of a merge patch.
    ///
    /// # Errors
    /// As [`parsed`].
    pub fn patched<'de, T: FromText, D: Deserializer<'de>>(reader: D) -> Result<Patched<T>, D::Error> {
        optional(reader).map(|value| value.map_or(Patched::Removed, Patched::Set))
    }
}
