//! A browser without a screen: cookies, forms, links and redirects as browsers treat them, no JavaScript.
//!
//! It stops at a redirect to another origin and hands over the URL, because the redirect URIs of most test clients are
//! names that nobody serves.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use scraper::{ElementRef, Html, Selector};
use url::Url;

use crate::{Answer, Http};

/// Where a request, its redirects followed, has led.
#[derive(Clone, Debug)]
pub enum Visit {
    /// To an answer of the site itself.
    Page(Page),
    /// To a redirect to another origin, not followed.
    Left(Url),
}

/// An answer as the browser shows it.
#[derive(Clone, Debug)]
pub struct Page {
    /// The status code.
    pub status: u16,
    /// The address.
    pub url: Url,
    /// The document's text.
    pub html: String,
    /// The header fields.
    pub headers: HeaderMap,
}

/// A person's browser. A clone starts with the same cookies, as a thief's would.
#[derive(Clone, Debug)]
pub struct Browser {
    http: Http,
    jar: Vec<Cookie>,
    page: Option<Page>,
    hops: Vec<(u16, Url)>,
    languages: Option<String>,
}

/// A cookie as the jar keeps it: by host, whatever the port (RFC 6265 §8.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
    /// The host that set it.
    pub host: String,
    /// The path it is sent to.
    pub path: String,
    /// Kept from scripts.
    pub http_only: bool,
    /// Sent over secure connections alone; loopback counts as secure, as in browsers.
    pub secure: bool,
    /// `Strict`, `Lax` or `None`; a cookie that does not say is `Lax`.
    pub same_site: String,
}

/// Who caused a request; decides on cookies (`SameSite`) and on the headers that tell the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The address bar, or a link.
    Navigation,
    /// A form of the page that is open.
    OwnForm,
    /// A form of somebody else's page.
    ForeignForm,
}

impl Browser {
    /// A fresh browser from an address of its own.
    pub fn new() -> Self {
        Self { http: Http::new(), jar: Vec::new(), page: None, hops: Vec::new(), languages: None }
    }

    /// A fresh browser from this loopback address.
    pub fn from_address(address: std::net::Ipv4Addr) -> Self {
        Self { http: Http::from_address(address), ..Self::new() }
    }

    /// The same browser from another loopback address, as when a phone leaves the house.
    #[must_use]
    pub fn moved_to(mut self, address: std::net::Ipv4Addr) -> Self {
        self.http = Http::from_address(address);
        self
    }

    /// The same browser, with these languages preferred (`Accept-Language`).
    #[must_use]
    pub fn speaking(mut self, languages: &str) -> Self {
        self.languages = Some(languages.to_owned());
        self
    }

    /// Opens an address.
    pub async fn get(&mut self, url: &str) -> Visit {
        self.travel(Cause::Navigation, "GET", Url::parse(url).expect("a URL"), Vec::new()).await
    }

    /// Opens an address and follows redirects to any origin of this machine, as the person's browser would.
    pub async fn walk(&mut self, url: &str) -> Page {
        let visit = self.get(url).await;
        self.walk_on(visit).await
    }

    /// Follows further redirects to any origin of this machine.
    pub async fn walk_on(&mut self, mut visit: Visit) -> Page {
        for _ in 0..10 {
            match visit {
                Visit::Page(page) => return page,
                Visit::Left(url) => {
                    assert!(matches!(url.host_str(), Some("localhost" | "127.0.0.1")), "led away to {url}");
                    visit = self.get(url.as_str()).await;
                }
            }
        }
        panic!("a loop of redirects: {:?}", self.hops);
    }

    /// Sends the form with this id, its fields as the page gave them except those named here, by its first button.
    pub async fn submit(&mut self, form_id: &str, changes: &[(&str, &str)]) -> Visit {
        let page = self.page().clone();
        let form = page.form(form_id);
        let mut fields = form.fields;
        for &(name, value) in changes {
            if let Some(field) = fields.iter_mut().find(|(known, _)| known == name) {
                value.clone_into(&mut field.1);
                continue;
            }
            // A box that was not ticked is no field until it is.
            let boxes = page.attributes(&format!("#{form_id} input[type=checkbox][name={name}]"), "name");
            assert!(!boxes.is_empty(), "the form {form_id} has no field {name}: {}", page.html);
            fields.push((name.to_owned(), value.to_owned()));
        }
        fields.extend(form.button);
        self.send_form(Cause::OwnForm, &form.method, form.action, fields).await
    }

    /// Presses the button, or follows the link, with this id.
    pub async fn click(&mut self, id: &str) -> Visit {
        let page = self.page().clone();
        match page.target_of(id) {
            Target::Link(url) => self.travel(Cause::Navigation, "GET", url, Vec::new()).await,
            Target::Form(form) => {
                let fields = form.fields.into_iter().chain(form.button).collect();
                self.send_form(Cause::OwnForm, &form.method, form.action, fields).await
            }
        }
    }

    /// Sends a form from a page of another site: without `Lax` and `Strict` cookies.
    pub async fn post_from_elsewhere(&mut self, url: &str, fields: &[(String, String)]) -> Visit {
        self.send_form(Cause::ForeignForm, "post", Url::parse(url).expect("a URL"), fields.to_vec()).await
    }

    /// The page that is open.
    pub fn page(&self) -> &Page {
        self.page.as_ref().expect("no page is open")
    }

    /// The redirects of the last visit: status and target.
    pub fn hops(&self) -> &[(u16, Url)] {
        &self.hops
    }

    /// The cookies kept.
    pub fn cookies(&self) -> &[Cookie] {
        &self.jar
    }

    /// Forgets every cookie.
    pub fn forget_cookies(&mut self) {
        self.jar.clear();
    }

    async fn send_form(&mut self, cause: Cause, method: &str, mut action: Url, fields: Vec<(String, String)>) -> Visit {
        if method == "get" {
            action.query_pairs_mut().clear().extend_pairs(&fields);
            return self.travel(cause, "GET", action, Vec::new()).await;
        }
        self.travel(cause, "POST", action, fields).await
    }

    async fn travel(&mut self, mut cause: Cause, method: &str, mut url: Url, fields: Vec<(String, String)>) -> Visit {
        self.hops.clear();
        let mut method = method.to_owned();
        for _ in 0..10 {
            let answer = self.request(cause, &method, &url, &fields).await;
            self.remember_cookies(&answer);
            let location = answer.header("location").to_owned();
            if !(300..400).contains(&answer.status) || location.is_empty() {
                let page = Page { status: answer.status, url, html: answer.body, headers: answer.headers };
                self.page = Some(page.clone());
                return Visit::Page(page);
            }
            // 307 and 308 repeat the POST, with the password in it, at the target.
            assert!(method == "GET" || matches!(answer.status, 302 | 303), "{} after a POST to {url}", answer.status);
            let target = url.join(&location).expect("a Location that is a URL");
            self.hops.push((answer.status, target.clone()));
            if target.origin() != url.origin() {
                return Visit::Left(target);
            }
            url = target;
            "GET".clone_into(&mut method);
            cause = Cause::Navigation;
        }
        panic!("a loop of redirects: {:?}", self.hops);
    }

    async fn request(&self, cause: Cause, method: &str, url: &Url, fields: &[(String, String)]) -> Answer {
        let mut request = self.http.request(method, url.as_str()).header("accept", "text/html");
        if let Some(languages) = &self.languages {
            request = request.header("accept-language", languages);
        }
        request = match cause {
            Cause::Navigation => request.header("sec-fetch-site", "none"),
            Cause::OwnForm => {
                request.header("sec-fetch-site", "same-origin").header("origin", url.origin().ascii_serialization())
            }
            Cause::ForeignForm => {
                request.header("sec-fetch-site", "cross-site").header("origin", "https://elsewhere.example")
            }
        };
        let cookies: Vec<String> = self
            .jar
            .iter()
            .filter(|cookie| cookie.is_for(url) && (cause != Cause::ForeignForm || cookie.same_site == "None"))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if method == "POST" {
            request = request.form(fields);
        }
        self.http.send(request).await
    }

    fn remember_cookies(&mut self, answer: &Answer) {
        for field in answer.headers.get_all("set-cookie") {
            let text = field.to_str().expect("cookies are ASCII");
            let (cookie, lives) = Cookie::parse(text, &answer.url);
            self.jar.retain(|old| (&old.name, &old.host, &old.path) != (&cookie.name, &cookie.host, &cookie.path));
            if lives {
                self.jar.push(cookie);
            }
        }
    }
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Cookie {
    /// Reads `Set-Cookie`; says as well whether the cookie lives on or is being removed.
    fn parse(text: &str, url: &Url) -> (Self, bool) {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) =
            parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie has a name and a value");
        let attributes: BTreeMap<String, &str> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let cookie = Self {
            name: name.to_owned(),
            value: value.to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            path: attributes.get("path").map_or("/", |path| path).to_owned(),
            http_only: attributes.contains_key("httponly"),
            secure: attributes.contains_key("secure"),
            same_site: attributes.get("samesite").map_or("Lax", |value| value).to_owned(),
        };
        assert!(!attributes.contains_key("domain"), "a cookie for a whole domain: {text}");
        assert!(!name.starts_with("__Host-") || (cookie.secure && cookie.path == "/"), "browsers refuse: {text}");
        assert!(!name.starts_with("__Secure-") || cookie.secure, "browsers refuse: {text}");
        assert!(cookie.same_site != "None" || cookie.secure, "browsers refuse: {text}");
        let removed = attributes.get("max-age").is_some_and(|seconds| seconds.starts_with('-') || *seconds == "0")
            || attributes.get("expires").is_some_and(|date| date.contains(" 1970 ") || date.contains("-1970 "));
        (cookie, !removed)
    }

    fn is_for(&self, url: &Url) -> bool {
        let path = self.path.trim_end_matches('/');
        url.host_str() == Some(&self.host)
            && url.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Visit {
    /// The page; panics when the visit has left for another origin.
    #[track_caller]
    pub fn page(self) -> Page {
        match self {
            Self::Page(page) => page,
            Self::Left(url) => panic!("no page, but a redirect to {url}"),
        }
    }

    /// The URL of the redirect to another origin; panics on a page.
    #[track_caller]
    pub fn left(self) -> Url {
        match self {
            Self::Left(url) => url,
            Self::Page(page) => panic!("no redirect to another origin, but {}", page.summary()),
        }
    }

    /// Asserts the error page (conformance: a page and never a redirect): 400, its marker, and this code.
    #[track_caller]
    pub fn assert_error_page(self, error: &str) -> Page {
        let page = self.page();
        assert_eq!(page.status, 400, "{}", page.summary());
        assert!(page.has("error-page"), "{}", page.summary());
        assert_eq!(page.text("error"), error);
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.header("refresh").is_empty() && page.header("location").is_empty());
        page
    }
}

struct Form {
    method: String,
    action: Url,
    fields: Vec<(String, String)>,
    button: Option<(String, String)>,
}

enum Target {
    Link(Url),
    Form(Form),
}

impl Page {
    /// Whether an element of this id is there.
    pub fn has(&self, id: &str) -> bool {
        let document = Html::parse_document(&self.html);
        by_id(&document, id).is_some()
    }

    /// The text of the element with this id, white space folded.
    #[track_caller]
    pub fn text(&self, id: &str) -> String {
        let document = Html::parse_document(&self.html);
        let element = by_id(&document, id).unwrap_or_else(|| panic!("no #{id}: {}", self.summary()));
        folded_text(element)
    }

    /// The text of the first element that this CSS selector finds.
    pub fn select(&self, css: &str) -> Option<String> {
        let document = Html::parse_document(&self.html);
        document.select(&Selector::parse(css).expect("a CSS selector")).next().map(folded_text)
    }

    /// An attribute of every element that this CSS selector finds.
    pub fn attributes(&self, css: &str, name: &str) -> Vec<String> {
        let document = Html::parse_document(&self.html);
        let selector = Selector::parse(css).expect("a CSS selector");
        document.select(&selector).filter_map(|element| element.attr(name)).map(str::to_owned).collect()
    }

    /// An attribute of the element with this id.
    pub fn attribute(&self, id: &str, name: &str) -> Option<String> {
        let document = Html::parse_document(&self.html);
        by_id(&document, id)?.attr(name).map(str::to_owned)
    }

    /// The whole text, white space folded.
    pub fn all_text(&self) -> String {
        let document = Html::parse_document(&self.html);
        folded_text(document.root_element())
    }

    /// A header field as text; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or_default())
    }

    /// Status, address and text, for the message of a failed assertion.
    pub fn summary(&self) -> String {
        format!("{} at {}: {}", self.status, self.url, self.all_text())
    }

    #[track_caller]
    fn form(&self, id: &str) -> Form {
        let document = Html::parse_document(&self.html);
        let form = by_id(&document, id).unwrap_or_else(|| panic!("no form #{id}: {}", self.summary()));
        let button = form.select(&submit_buttons()).next();
        self.filled_form(form, button)
    }

    #[track_caller]
    fn target_of(&self, id: &str) -> Target {
        let document = Html::parse_document(&self.html);
        let element = by_id(&document, id).unwrap_or_else(|| panic!("no #{id}: {}", self.summary()));
        if let Some(href) = element.attr("href") {
            return Target::Link(self.url.join(href).expect("a link that is a URL"));
        }
        let form = match element.attr("form") {
            Some(form_id) => by_id(&document, form_id),
            None => element.ancestors().filter_map(ElementRef::wrap).find(|parent| parent.value().name() == "form"),
        };
        let form = form.unwrap_or_else(|| panic!("#{id} is neither a link nor in a form"));
        Target::Form(self.filled_form(form, Some(element)))
    }

    /// The form as it would be sent untouched by this button.
    fn filled_form(&self, form: ElementRef<'_>, button: Option<ElementRef<'_>>) -> Form {
        let action = button.and_then(|button| button.attr("formaction")).or(form.attr("action")).unwrap_or_default();
        let inputs = Selector::parse("input[name], textarea[name], select[name]").expect("a CSS selector");
        let fields = form.select(&inputs).filter_map(field_value).collect();
        let button = button.and_then(|button| {
            Some((button.attr("name")?.to_owned(), button.attr("value").unwrap_or_default().to_owned()))
        });
        Form {
            method: form.attr("method").unwrap_or("get").to_ascii_lowercase(),
            action: self.url.join(action).expect("an action that is a URL"),
            fields,
            button,
        }
    }
}

/// Name and value of a form field as the page gives them; `None` for what is not sent.
fn field_value(field: ElementRef<'_>) -> Option<(String, String)> {
    let name = field.attr("name")?.to_owned();
    let value = match (field.value().name(), field.attr("type").unwrap_or("text")) {
        ("input", "submit" | "button" | "image" | "reset" | "file") => return None,
        ("input", "checkbox" | "radio") => {
            field.attr("checked")?;
            field.attr("value").unwrap_or("on").to_owned()
        }
        ("select", _) => {
            let options = Selector::parse("option").expect("a CSS selector");
            let mut options = field.select(&options);
            let first = options.clone().next();
            options.find(|option| option.attr("selected").is_some()).or(first)?.attr("value")?.to_owned()
        }
        ("textarea", _) => field.text().collect(),
        _ => field.attr("value").unwrap_or_default().to_owned(),
    };
    Some((name, value))
}

fn by_id<'a>(document: &'a Html, id: &str) -> Option<ElementRef<'a>> {
    document.select(&Selector::parse(&format!("[id=\"{id}\"]")).expect("an id")).next()
}

fn submit_buttons() -> Selector {
    Selector::parse("button:not([type]), button[type=submit], input[type=submit]").expect("a CSS selector")
}

fn folded_text(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect::<Vec<_>>().join(" ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_cookie_goes_to_its_host_whatever_the_port_and_to_its_path() {
        let (cookie, lives) = Cookie::parse("a=b; Path=/x; HttpOnly; SameSite=Strict", &url("http://localhost:1/"));
        assert!(lives && cookie.http_only && !cookie.secure);
        assert_eq!(cookie.same_site, "Strict");
        for (target, sent) in [
            ("http://localhost:2/x", true),
            ("http://localhost:2/x/y", true),
            ("http://localhost:2/xy", false),
            ("http://127.0.0.1:1/x", false),
        ] {
            assert_eq!(cookie.is_for(&url(target)), sent, "{target}");
        }
        let removed = Cookie::parse("a=; Max-Age=0; Path=/", &url("http://localhost/"));
        assert!(!removed.1);
        let removed = Cookie::parse("a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", &url("http://localhost/"));
        assert!(!removed.1);
    }

    #[test]
    fn a_form_is_sent_as_the_page_gave_it() {
        let html = r#"<form id="f" method="POST" action="go?x=1"><input type="hidden" name="csrf" value="t">
            <input name="user" value="a"><input type="checkbox" name="no"><input type="checkbox" name="yes" checked>
            <select name="s"><option value="1"><option value="2" selected></select>
            <button name="action" value="ok">OK</button><button id="other" name="action" value="no">No</button></form>"#;
        let page =
            Page { status: 200, url: url("http://localhost/a/b"), html: html.to_owned(), headers: HeaderMap::new() };
        let form = page.form("f");
        assert_eq!((form.method.as_str(), form.action.as_str()), ("post", "http://localhost/a/go?x=1"));
        let fields: Vec<_> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, [("csrf", "t"), ("user", "a"), ("yes", "on"), ("s", "2")]);
        assert_eq!(form.button, Some(("action".to_owned(), "ok".to_owned())));
        let Target::Form(other) = page.target_of("other") else { panic!("a button is no link") };
        assert_eq!(other.button, Some(("action".to_owned(), "no".to_owned())));
    }
}
