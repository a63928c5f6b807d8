//! A relying party's logout endpoints on loopback: it records what is posted to it and answers as the test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How long a test waits for a logout token on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// One request that came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Request line and headers.
    pub head: String,
    /// The path with its query.
    pub path: String,
    /// The form fields.
    pub fields: BTreeMap<String, String>,
}

#[derive(Debug)]
struct State {
    received: Vec<Received>,
    status: u16,
}

/// The listener.
#[derive(Clone, Debug)]
pub struct LogoutListener {
    /// Where it listens, such as `http://127.0.0.1:1234`.
    pub base: String,
    state: Arc<Mutex<State>>,
}

impl LogoutListener {
    /// Listens on a free port of loopback and answers 200.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::new(Mutex::new(State { received: Vec::new(), status: 200 }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { base, state }
    }

    /// Answers with `status` from now on; 0 takes the request and never answers.
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
    let fields = url::form_urlencoded::parse(&bytes[head..]).into_owned().collect();
    let status = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.received.push(Received { head: text, path, fields });
        state.status
    };
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let location = if status == 302 { "Location: /elsewhere\r\n" } else { "" };
    let answer = format!("HTTP/1.1 {status} Answer\r\nContent-Length: 0\r\n{location}Connection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.ok()
}
