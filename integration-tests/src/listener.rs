//! Somebody else's endpoints on loopback (logout of a relying party, a receiver of webhooks): records what is posted to them and
//! answers as the test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How long a test waits for a request on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// One request that came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Request line and headers.
    pub head: String,
    /// The path with its query.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// As it came.
    pub body: String,
    /// The body as the fields of a form.
    pub fields: BTreeMap<String, String>,
}

impl Received {
    /// `webhook-id`.
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Whether one of the signatures of a webhook is by `secret`, computed here and not by the server's code.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let signed = format!("{}.{}.{}", self.id(), self.headers["webhook-timestamp"], self.body);
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
        let wanted = format!("v1,{}", STANDARD.encode(mac));
        self.headers["webhook-signature"].split(' ').any(|signature| signature == wanted)
    }
}

#[derive(Debug)]
struct State {
    received: Vec<Received>,
    status: u16,
    at: BTreeMap<String, u16>,
}

/// The listener.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where it listens, such as `http://127.0.0.1:1234`.
    pub base: String,
    state: Arc<Mutex<State>>,
}

impl Listener {
    /// Listens on a free port of loopback and answers 200.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(Mutex::new(State { received: Vec::new(), status: 200, at: BTreeMap::new() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { base, state }
    }

    /// Answers with `status` at `path` from now on; 0 takes the request and never answers.
    pub fn answer_at(&self, path: &str, status: u16) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).at.insert(path.to_owned(), status);
    }

    /// Answers with `status` everywhere else from now on; 0 takes the request and never answers.
    pub fn answer(&self, status: u16) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).status = status;
    }

    /// What came to `path` so far.
    pub fn received(&self, path: &str) -> Vec<Received> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.received.iter().filter(|received| received.path == path).cloned().collect()
    }

    /// Waits until `count` requests came to `path`, and gives them.
    pub async fn wait_for(&self, path: &str, count: usize) -> Vec<Received> {
        let began = Instant::now();
        loop {
            let received = self.received(path);
            if received.len() >= count {
                return received;
            }
            assert!(began.elapsed() < LIMIT, "{} of {count} requests came to {path}", received.len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) -> Option<()> {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(Some(0), |length| length.trim().parse().ok())?;
            break (end + 4, length);
        }
    };
    while bytes.len() < head + length {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
    }
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let path = text.split(' ').nth(1)?.to_owned();
    let named = text.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = named.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let fields = url::form_urlencoded::parse(&bytes[head..]).into_owned().collect();
    let body = String::from_utf8_lossy(&bytes[head..]).into_owned();
    let status = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let status = state.at.get(&path).copied().unwrap_or(state.status);
        state.received.push(Received { head: text, path, headers, body, fields });
        status
    };
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let location = if status == 302 { "Location: /elsewhere\r\n" } else { "" };
    let answer = format!("HTTP/1.1 {status} Answer\r\nContent-Length: 0\r\n{location}Connection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.ok()
}
