//! A real Chromium, without a screen, by the W3C WebDriver protocol: what a person sees, what scripts and style sheets
//! do to the page, and what axe says about it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::{Http, cleanup};

/// How long an element or an address may take to appear.
const PATIENCE: Duration = Duration::from_secs(15);

/// The member under which the protocol hides an element's reference.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser window.
#[derive(Debug)]
pub struct WebDriver {
    driver: Child,
    /// Kept open: a driver that writes into a closed pipe dies.
    _output: BufReader<ChildStdout>,
    port: u16,
    session: String,
    http: Http,
}

/// The size of a screen in CSS pixels.
#[derive(Clone, Copy, Debug)]
pub enum Screen {
    /// 390 × 844.
    Phone,
    /// 1280 × 800.
    Desktop,
}

/// Starts chromedriver on a free port; none when it ended without saying which.
fn start_driver(folder: &std::path::Path) -> Option<(Child, BufReader<ChildStdout>, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .arg(format!("--log-path={}", folder.join("chromedriver.log").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver is not installed: run integration-tests/run, which installs what is missing");
    let mut output = BufReader::new(driver.stdout.take().expect("its output is a pipe"));
    let port = output
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
    if port.is_none() {
        let _ = driver.kill();
        let _ = driver.wait();
    }
    Some((driver, output, port?))
}

impl WebDriver {
    /// Starts chromedriver on a free port, and a Chromium with a fresh profile.
    pub async fn start() -> Self {
        let folder = cleanup::folder();
        // A port free for one address family may be taken for the other; chromedriver then ends at once, and is asked again.
        let started = (0..5).find_map(|_| start_driver(&folder));
        let (driver, output, port) = started.expect("chromedriver says on which port it listens");
        // chromedriver answers 127.0.0.1 alone.
        let mut browser = Self {
            driver,
            _output: output,
            port,
            session: String::new(),
            http: Http::from_address(Ipv4Addr::LOCALHOST),
        };
        let profile = format!("--user-data-dir={}", folder.join("profile").display());
        let options = json!({ "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
            "--lang=fr", profile,
        ]});
        let session = browser
            .call(
                "POST",
                "",
                &json!({ "capabilities": { "alwaysMatch": {
                    "browserName": "chrome", "goog:chromeOptions": options,
                }}}),
            )
            .await;
        session["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        browser
    }

    /// Opens an address and waits until the page is loaded.
    pub async fn goto(&self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url })).await;
    }

    /// The address of the page.
    pub async fn url(&self) -> String {
        self.call("GET", "/url", &Value::Null).await.as_str().expect("an address").to_owned()
    }

    /// The title of the page.
    pub async fn title(&self) -> String {
        self.call("GET", "/title", &Value::Null).await.as_str().expect("a title").to_owned()
    }

    /// Types into the field with this id, in place of what is there.
    pub async fn fill(&self, id: &str, text: &str) {
        let element = self.element(&format!("#{id}")).await;
        self.call("POST", &format!("/element/{element}/clear"), &json!({})).await;
        self.call("POST", &format!("/element/{element}/value"), &json!({ "text": text })).await;
    }

    /// Clicks the element with this id.
    pub async fn click(&self, id: &str) {
        let element = self.element(&format!("#{id}")).await;
        self.call("POST", &format!("/element/{element}/click"), &json!({})).await;
    }

    /// The visible text of the first element that this CSS selector finds.
    pub async fn text(&self, css: &str) -> String {
        let element = self.element(css).await;
        self.call("GET", &format!("/element/{element}/text"), &Value::Null).await.as_str().expect("text").to_owned()
    }

    /// Waits until the address starts so.
    pub async fn wait_for_url(&self, start: &str) -> String {
        let asked = Instant::now();
        loop {
            let url = self.url().await;
            if url.starts_with(start) {
                return url;
            }
            assert!(asked.elapsed() < PATIENCE, "still at {url}, not at {start}: {}", self.text("body").await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs a script in the page and returns its value.
    pub async fn script(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Gives the window this size.
    pub async fn set_screen(&self, screen: Screen) {
        let (width, height, mobile) = match screen {
            Screen::Phone => (390, 844, true),
            Screen::Desktop => (1280, 800, false),
        };
        let parameters = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", &parameters).await;
    }

    /// Makes the person prefer `light` or `dark`.
    pub async fn set_colour_scheme(&self, scheme: &str) {
        let parameters = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &parameters).await;
    }

    /// A picture of the window, PNG. Written as well to `HABILIS_SCREENSHOTS` under this name, when that folder is named.
    pub async fn screenshot(&self, name: &str) -> Vec<u8> {
        let picture = self.call("GET", "/screenshot", &Value::Null).await;
        let picture = base64::engine::general_purpose::STANDARD
            .decode(picture.as_str().expect("base64"))
            .expect("a picture in base64");
        if let Some(folder) = std::env::var_os("HABILIS_SCREENSHOTS") {
            std::fs::create_dir_all(&folder).expect("the folder of the screenshots");
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), &picture).expect("a screenshot");
        }
        picture
    }

    /// What axe finds wrong with the page, one line a violation; empty is good. `HABILIS_AXE` names the file of axe-core.
    pub async fn axe(&self) -> Vec<String> {
        let Some(file) = std::env::var_os("HABILIS_AXE") else {
            panic!("HABILIS_AXE is not set: run integration-tests/run, which fetches axe-core");
        };
        let axe = std::fs::read_to_string(file).expect("HABILIS_AXE is a file of axe-core");
        self.script(&axe).await;
        let run = "const done = arguments[arguments.length - 1];
                   axe.run(document).then(result => done(result.violations), error => done([{ id: String(error), nodes: [] }]));";
        let violations = self.call("POST", "/execute/async", &json!({ "script": run, "args": [] })).await;
        let violations = violations.as_array().expect("a list of violations");
        violations
            .iter()
            .map(|violation| {
                let html: Vec<&str> = violation["nodes"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|node| node["html"].as_str())
                    .collect();
                format!("{}: {} ({})", violation["id"], violation["help"], html.join(", "))
            })
            .collect()
    }

    /// Plugs in an authenticator that keeps discoverable keys and checks its holder (Web Authentication §11), and gives its id.
    pub async fn add_authenticator(&self) -> String {
        let authenticator = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserConsenting": true, "isUserVerified": true,
        });
        let id = self.call("POST", "/webauthn/authenticator", &authenticator).await;
        id.as_str().expect("the authenticator's id").to_owned()
    }

    /// Unplugs it.
    pub async fn remove_authenticator(&self, id: &str) {
        self.call("DELETE", &format!("/webauthn/authenticator/{id}"), &Value::Null).await;
    }

    /// Lets the authenticator find its holder, or not.
    pub async fn set_verified(&self, id: &str, verified: bool) {
        self.call("POST", &format!("/webauthn/authenticator/{id}/uv"), &json!({ "isUserVerified": verified })).await;
    }

    /// The keys in the authenticator.
    pub async fn credentials(&self, id: &str) -> Vec<Value> {
        let found = self.call("GET", &format!("/webauthn/authenticator/{id}/credentials"), &Value::Null).await;
        found.as_array().expect("a list of keys").clone()
    }

    async fn devtools(&self, command: &str, parameters: &Value) {
        self.call("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await;
    }

    /// The reference of the first element that this CSS selector finds, waiting for it to appear.
    async fn element(&self, css: &str) -> String {
        let asked = Instant::now();
        let query = json!({ "using": "css selector", "value": css });
        loop {
            match self.try_call("POST", "/element", &query).await {
                Ok(element) => return element[ELEMENT].as_str().expect("a reference").to_owned(),
                Err(error) => assert!(asked.elapsed() < PATIENCE, "no {css} at {}: {error}", self.url().await),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_call(method, path, body).await.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    async fn try_call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let session = if self.session.is_empty() { String::new() } else { format!("/{}", self.session) };
        let mut request = self.http.request(method, &format!("http://127.0.0.1:{}/session{session}{path}", self.port));
        if method == "POST" {
            request = request.json(body);
        }
        let answer = self.http.send(request).await;
        let value = answer.json()["value"].clone();
        if answer.status == 200 { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
    }
}

impl Drop for WebDriver {
    fn drop(&mut self) {
        // Ending the session closes Chromium; without it, only the driver would die.
        if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = write!(
                stream,
                "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
                self.session, self.port
            );
            let _ = stream.read(&mut [0; 256]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
