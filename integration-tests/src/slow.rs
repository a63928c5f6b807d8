//! An answer that is taken slowly: over HTTP/2 with a window of a few bytes the server reads a piece of it no earlier than the one before was
//! taken, whatever the buffers of the machine hold.

use std::net::Ipv4Addr;

use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use url::Url;

/// Bytes that may be on their way.
const WINDOW_BYTES: u32 = 64;

/// An answer of which some bytes were taken.
#[derive(Debug)]
pub struct SlowReader {
    body: Incoming,
    taken: Vec<u8>,
    /// The connection lasts as long as this.
    _connection: SendRequest<Empty<Bytes>>,
}

impl SlowReader {
    /// Begins to take the answer of a GET with this token.
    pub(crate) async fn begin(url: &str, token: &str) -> Self {
        let port = Url::parse(url).expect("a URL").port().expect("a port of its own");
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("the server listens");
        let mut builder = Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(WINDOW_BYTES);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.expect("the server speaks HTTP/2");
        tokio::spawn(connection);
        let request = Request::get(url).header("authorization", format!("Bearer {token}"));
        let request = request.body(Empty::new()).expect("a request");
        let response = sender.send_request(request).await.expect("the server answers");
        assert_eq!(response.status(), 200, "{url}");
        let mut reader = Self { body: response.into_body(), taken: Vec::new(), _connection: sender };
        while reader.taken.is_empty() {
            assert!(reader.take().await.expect("a first piece"), "{url} gave nothing");
        }
        reader
    }

    /// Takes what comes next; false at the end.
    async fn take(&mut self) -> Result<bool, hyper::Error> {
        let Some(frame) = self.body.frame().await.transpose()? else { return Ok(false) };
        if let Some(data) = frame.data_ref() {
            self.taken.extend_from_slice(data);
        }
        Ok(true)
    }

    /// Takes what is left: all of the text, and whether it came to its end rather than broke off.
    pub async fn rest(mut self) -> (String, bool) {
        let whole = loop {
            match self.take().await {
                Ok(true) => {}
                Ok(false) => break true,
                Err(_) => break false,
            }
        };
        (String::from_utf8_lossy(&self.taken).into_owned(), whole)
    }
}
