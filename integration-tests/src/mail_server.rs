//! A mail server of the harness: takes mail, or refuses it in the way a test asks for (RFC 5321).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How the mail server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Takes every mail.
    Takes,
    /// Hangs up as soon as somebody connects.
    HangsUp,
    /// Takes the text of a mail and hangs up before its end.
    HangsUpInTheMiddle,
    /// `451`: try again later.
    Busy,
    /// `550`: there is no such mailbox.
    Unknown,
    /// `550` to mail for the mailbox `gone@…`, and takes every other.
    OneUnknown,
    /// `554`: it does not like the text.
    Unwanted,
    /// `535`: it does not like who sends.
    Distrusts,
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Whom it was for.
    pub to: String,
    /// Header and text.
    pub data: String,
}

impl Taken {
    /// The `Message-ID`.
    pub fn id(&self) -> &str {
        self.data.lines().find_map(|line| line.strip_prefix("Message-ID: ")).expect("every mail has one")
    }
}

/// A running mail server.
#[derive(Debug)]
pub struct MailServer {
    port: u16,
    mood: Arc<Mutex<Mood>>,
    taken: Arc<Mutex<Vec<Taken>>>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl MailServer {
    /// A mail server on a free port.
    pub async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let mood = Arc::new(Mutex::new(mood));
        let (taken, asked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let task = tokio::spawn(serve(listener, Arc::clone(&mood), Arc::clone(&taken), Arc::clone(&asked)));
        Self { port, mood, taken, asked, task }
    }

    /// The options of `habilis demo` that send mail here.
    pub fn options(&self) -> Vec<String> {
        let url = format!("mail.smtp_url=smtp://127.0.0.1:{}", self.port);
        ["--set", "mail.transport=smtp", "--set", &url].map(str::to_owned).to_vec()
    }

    /// From now on behaves so.
    pub fn set(&self, mood: Mood) {
        *self.mood.lock().expect("no panic while held") = mood;
    }

    /// What it took so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().expect("no panic while held").clone()
    }

    /// How often somebody connected.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, mood: Arc<Mutex<Mood>>, taken: Arc<Mutex<Vec<Taken>>>, asked: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        asked.fetch_add(1, Ordering::SeqCst);
        let (mood, taken) = (Arc::clone(&mood), Arc::clone(&taken));
        tokio::spawn(async move {
            // A client that hangs up early is no concern of ours.
            let _ = talk(stream, &mood, &taken).await;
        });
    }
}

async fn talk(stream: TcpStream, mood: &Mutex<Mood>, taken: &Mutex<Vec<Taken>>) -> std::io::Result<()> {
    let now = || *mood.lock().expect("no panic while held");
    if now() == Mood::HangsUp {
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 stub ESMTP\r\n").await?;
    let (mut to, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 || now() == Mood::HangsUp {
            return Ok(());
        }
        let command = line.trim_end().to_owned();
        let verb = command.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer = match (verb.as_str(), now()) {
            ("EHLO" | "HELO" | "RSET" | "NOOP", _) => "250 stub",
            ("MAIL", Mood::Distrusts) => "535 who are you?",
            ("RCPT", Mood::Busy) => "451 try again later",
            ("RCPT", Mood::OneUnknown) if command.contains("<gone@") => "550 5.1.1 no such mailbox",
            ("DATA", Mood::Unwanted) => "554 5.7.1 looks like spam",
            ("RCPT", Mood::Unknown) => "550 5.1.1 no such mailbox",
            ("RCPT", _) => {
                to = command.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                "250 ok"
            }
            ("MAIL", _) => "250 ok",
            ("QUIT", _) => return stream.write_all(b"221 bye\r\n").await,
            ("DATA", _) => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut data = String::new();
                loop {
                    line.clear();
                    if stream.read_line(&mut line).await? == 0 || now() == Mood::HangsUpInTheMiddle {
                        return Ok(());
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    data.push_str(&line);
                }
                taken.lock().expect("no panic while held").push(Taken { to: to.clone(), data });
                "250 2.0.0 queued"
            }
            _ => "502 what?",
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.write_all(b"\r\n").await?;
    }
}
