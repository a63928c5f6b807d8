//! A web site of a relying party on loopback, one path and one answer for each: what the server fetches from clients.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the site answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// 200 with this body.
    Body(String),
    /// This status, and a `Location`.
    Redirect(u16, String),
    /// 500.
    Broken,
    /// Nothing, for as long as one cares to wait.
    Never,
}

/// A running site.
#[derive(Debug)]
pub struct Stub {
    url: String,
    reply: Arc<Mutex<Reply>>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Stub {
    /// A site that publishes these keys.
    pub async fn with_keys(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/jwks", listener.local_addr().expect("an address"));
        let reply = Arc::new(Mutex::new(Reply::Body(jwks(keys))));
        let asked = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(serve(listener, Arc::clone(&reply), Arc::clone(&asked)));
        Self { url, reply, asked, task }
    }

    /// Where its keys are.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on publishes these keys.
    pub fn publish(&self, keys: &[Value]) {
        self.reply(Reply::Body(jwks(keys)));
    }

    /// From now on answers so.
    pub fn reply(&self, reply: Reply) {
        *self.reply.lock().expect("no panic while held") = reply;
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn jwks(keys: &[Value]) -> String {
    serde_json::json!({ "keys": keys }).to_string()
}

async fn serve(listener: TcpListener, reply: Arc<Mutex<Reply>>, asked: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (reply, asked) = (Arc::clone(&reply), Arc::clone(&asked));
        tokio::spawn(async move {
            let service = service_fn(move |_: Request<hyper::body::Incoming>| {
                asked.fetch_add(1, Ordering::SeqCst);
                let reply = reply.lock().expect("no panic while held").clone();
                async move { Ok::<_, Infallible>(answer(reply).await) }
            });
            // A client that hangs up early is no concern of the site.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(reply: Reply) -> Response<Full<Bytes>> {
    let (status, location, body) = match reply {
        Reply::Body(body) => (200, None, body),
        Reply::Redirect(status, location) => (status, Some(location), String::new()),
        Reply::Broken => (500, None, String::new()),
        Reply::Never => std::future::pending().await,
    };
    let mut response = Response::builder().status(status);
    if let Some(location) = location {
        response = response.header("location", location);
    }
    response.body(Full::new(Bytes::from(body))).expect("a well-formed answer")
}
