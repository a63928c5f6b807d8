//! What every page shares: the frame around it, the client it speaks for, and samples of it for tests.
//!
//! A page is a struct of plain fields with a template beside it in `idp/templates`; handlers fill the struct, the template
//! chooses the words through [`Chrome`]. Pages carry no script, no inline style and nothing from elsewhere, so that the
//! content security policy can forbid all three. Marker elements and ids are a contract with automated browsers.
//! WCAG 2.2 AA and RGAA 4.1 apply to all of them.

use askama::Template;

use super::text::Locale;

/// The frame around a page: language, brand and the links of header and footer.
#[derive(Clone, Debug, Default)]
pub struct Chrome {
    /// The language the page is written in.
    pub locale: Locale,
    /// The language switch: where to find this same page in each language. Empty hides the switch.
    pub languages: Vec<(Locale, String)>,
    /// Who runs this server, as people know them.
    pub brand_name: String,
    /// The operator's own logo, in place of ours: a path of this server or an `https:` address.
    pub brand_logo_href: Option<String>,
    /// Where the brand in the header leads; `None` leaves it plain, as in the middle of a sign-in.
    pub home_href: Option<String>,
    /// Where people find help.
    pub help_href: Option<String>,
    /// The privacy notice.
    pub privacy_href: Option<String>,
    /// The legal notice.
    pub legal_href: Option<String>,
    /// The accessibility declaration that RGAA asks for.
    pub accessibility_href: Option<String>,
    /// The pages of the same section, for signed-in pages; empty elsewhere.
    pub navigation: Vec<NavigationLink>,
    /// In a mail about the safety of an account: where to report a compromise.
    pub report_href: Option<String>,
}

impl Chrome {
    /// A bare frame, to be completed with `Chrome { languages, ..Chrome::new(locale, brand_name) }`.
    pub fn new(locale: Locale, brand_name: impl Into<String>) -> Self {
        Self { locale, brand_name: brand_name.into(), ..Self::default() }
    }

    /// The sentence filed under `key`, in the language of the page.
    pub fn t(&self, key: &str) -> String {
        self.locale.text(key)
    }

    /// The sentence filed under `key` with one value put in.
    pub fn t_with(&self, key: &str, name: &str, value: &str) -> String {
        self.locale.text_with(key, &[(name, value)])
    }

    /// Whether the footer has anything to link to.
    pub fn has_footer_links(&self) -> bool {
        [&self.help_href, &self.privacy_href, &self.legal_href, &self.accessibility_href]
            .into_iter()
            .any(Option::is_some)
    }
}

/// One entry of the navigation of signed-in pages.
#[derive(Clone, Debug)]
pub struct NavigationLink {
    /// What the entry is called, in the language of the page.
    pub label: String,
    /// Where it leads.
    pub href: String,
    /// Whether the page shown is this one.
    pub current: bool,
}

/// A way out of a page, such as back to the portal the person came from.
#[derive(Clone, Debug)]
pub struct Link {
    /// The name of the place, such as the name of a portal.
    pub name: String,
    /// Where it leads.
    pub href: String,
}

/// The client a page speaks for, as it registered itself. Everything in it comes from outside.
#[derive(Clone, Debug, Default)]
pub struct ClientCard {
    /// `client_name`.
    pub name: String,
    /// `logo_uri`.
    pub logo_href: Option<String>,
    /// `policy_uri`.
    pub policy_href: Option<String>,
    /// `tos_uri`.
    pub tos_href: Option<String>,
}

impl ClientCard {
    /// The logo, when it is at an `https:` address or on this server.
    pub fn logo(&self) -> Option<&str> {
        self.logo_href.as_deref().filter(|href| href.starts_with("https://") || is_local_path(href))
    }

    /// The privacy policy, when its address is one a browser may safely follow.
    pub fn policy(&self) -> Option<&str> {
        self.policy_href.as_deref().filter(|href| is_web_link(href))
    }

    /// The terms of service, when their address is one a browser may safely follow.
    pub fn tos(&self) -> Option<&str> {
        self.tos_href.as_deref().filter(|href| is_web_link(href))
    }
}

fn is_local_path(href: &str) -> bool {
    href.starts_with('/') && !href.starts_with("//") && !href.contains('\\')
}

/// `javascript:` and `data:` links would run in our origin.
fn is_web_link(href: &str) -> bool {
    href.starts_with("https://") || href.starts_with("http://") || is_local_path(href)
}

/// A page that can show itself with made-up content, so that one test renders every state of every page.
pub trait Sample: Template + Sized {
    /// The page in each of its states, in the given language, with hostile text where text comes from outside.
    fn samples(locale: Locale) -> Vec<Self>;
}

/// A frame for samples, with every link set.
pub fn sample_chrome(locale: Locale) -> Chrome {
    Chrome {
        languages: Locale::ALL.into_iter().map(|locale| (locale, format!("?ui_locales={}", locale.tag()))).collect(),
        help_href: Some("/help".to_owned()),
        privacy_href: Some("/privacy".to_owned()),
        legal_href: Some("/legal".to_owned()),
        accessibility_href: Some("/accessibility".to_owned()),
        ..Chrome::new(locale, "Habilis")
    }
}

/// An ordinary client for samples.
pub fn sample_client() -> ClientCard {
    ClientCard {
        name: "Campus Formation".to_owned(),
        logo_href: Some("/assets/portal-mark.svg".to_owned()),
        policy_href: Some("https://campus.example/confidentialite".to_owned()),
        tos_href: Some("https://campus.example/conditions".to_owned()),
    }
}

/// A client for samples that tries to break out of the page it is named on.
pub fn sample_hostile_client() -> ClientCard {
    ClientCard {
        name: "<script>alert('nom')</script>".to_owned(),
        logo_href: Some("https://x.example/\"onerror=\"alert(1)".to_owned()),
        policy_href: Some("javascript:alert(1)".to_owned()),
        tos_href: Some("https://x.example/?a=1&b=\"><script>alert(1)</script>".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        fs,
        path::{Path, PathBuf},
    };

    use askama::Template;

    use super::{Chrome, Sample, sample_chrome, sample_hostile_client};
    use crate::{
        demo::pages as demo, login::factor_pages as factors, login::pages as login, login::password_pages as passwords,
        oidc::pages as oidc, web::text::Locale,
    };

    struct Rendered {
        what: String,
        locale: Locale,
        html: String,
    }

    /// Every page with every sample in every language. A new page is added here.
    fn every_page() -> Vec<Rendered> {
        let mut pages = Vec::new();
        for locale in Locale::ALL {
            pages.extend(render::<login::Login>(locale));
            pages.extend(render::<login::Home>(locale));
            pages.extend(render::<passwords::Forgot>(locale));
            pages.extend(render::<passwords::NewPassword>(locale));
            pages.extend(render::<passwords::Told>(locale));
            pages.extend(render::<crate::account::pages::Account>(locale));
            pages.extend(render::<crate::account::security_page::Security>(locale));
            pages.extend(render::<factors::SecondStep>(locale));
            pages.extend(render::<factors::Enrol>(locale));
            pages.extend(render::<factors::NewApp>(locale));
            pages.extend(render::<factors::Codes>(locale));
            pages.extend(render::<factors::Removal>(locale));
            pages.extend(render::<crate::account::compromise::Confirm>(locale));
            pages.extend(render::<crate::account::password::ChangePassword>(locale));
            pages.extend(render::<crate::account::activation::Activate>(locale));
            pages.extend(render::<crate::account::completion::Complete>(locale));
            pages.extend(render::<crate::account::notice::Notice>(locale));
            pages.extend(render::<crate::account::profile::EmailPage>(locale));
            pages.extend(render::<crate::account::profile::ProfilePage>(locale));
            pages.extend(render::<crate::account::updates::Updates>(locale));
            pages.extend(render::<crate::account::sign_up::SignUpForm>(locale));
            pages.extend(render::<crate::account::activity::Activity>(locale));
            pages.extend(render::<crate::api::reference::Reference>(locale));
            pages.extend(render::<crate::api::document::ProblemPage>(locale));
            pages.extend(render::<crate::account::applications::Applications>(locale));
            pages.extend(render::<crate::account::organizations_page::Organizations>(locale));
            pages.extend(render::<crate::account::seats_page::Seats>(locale));
            pages.extend(render::<oidc::Consent>(locale));
            pages.extend(render::<crate::oidc::organization_pages::ChooseOrganization>(locale));
            pages.extend(render::<crate::oidc::organization_pages::NotForYou>(locale));
            pages.extend(render::<oidc::ErrorPage>(locale));
            pages.extend(render::<oidc::Stale>(locale));
            pages.extend(render::<crate::oidc::closed::PortalClosed>(locale));
            pages.extend(render::<oidc::LogoutConfirm>(locale));
            pages.extend(render::<oidc::LoggedOut>(locale));
            pages.extend(render::<oidc::FrontChannelLogout>(locale));
            pages.extend(render::<oidc::FormPost>(locale));
            pages.extend(render::<oidc::DeviceCode>(locale));
            pages.extend(render::<oidc::DeviceConfirm>(locale));
            pages.extend(render::<oidc::DeviceDone>(locale));
            pages.extend(render::<demo::DemoIndex>(locale));
            pages.extend(render::<demo::Mailbox>(locale));
            pages.extend(render::<demo::Components>(locale));
            pages.extend(render::<demo::PortalHome>(locale));
            pages.extend(render::<demo::PortalLearner>(locale));
            pages.extend(render::<demo::PortalError>(locale));
        }
        pages
    }

    fn render<Page: Sample>(locale: Locale) -> Vec<Rendered> {
        let samples = Page::samples(locale);
        assert!(!samples.is_empty());
        samples
            .into_iter()
            .enumerate()
            .map(|(number, page)| Rendered {
                what: format!("{} {number} {locale:?}", std::any::type_name::<Page>()),
                locale,
                html: page.render().unwrap(),
            })
            .collect()
    }

    /// The values of an attribute, wherever it stands.
    fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
        html.split(&format!(" {name}=\"")).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    }

    /// What follows the name of each start tag of this kind, up to its end.
    fn tags<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
        html.split(&format!("<{name}"))
            .skip(1)
            .filter(|rest| rest.starts_with([' ', '>', '\n']))
            .map(|rest| rest.split('>').next().unwrap())
            .collect()
    }

    #[test]
    fn every_page_says_its_language_and_has_one_main_one_heading_and_a_skip_link() {
        for Rendered { what, locale, html } in every_page() {
            assert!(html.starts_with("<!doctype html>"), "{what}");
            assert!(html.contains(&format!("<html lang=\"{}\">", locale.tag())), "{what}");
            assert_eq!(tags(&html, "h1").len(), 1, "{what}");
            let mains = tags(&html, "main");
            assert_eq!(mains.len(), 1, "{what}");
            let marker = attributes(mains.first().unwrap(), "id");
            assert!(marker.concat().ends_with("-page"), "{what}: {marker:?}");
            assert!(html.contains("href=\"#content\"") && html.contains("id=\"content\""), "{what}");
        }
    }

    #[test]
    fn no_page_shows_an_unresolved_key() {
        for Rendered { what, html, .. } in every_page() {
            assert!(!html.contains('⟦'), "{what}");
        }
    }

    #[test]
    fn no_page_needs_more_than_the_content_security_policy_allows() {
        for Rendered { what, html, .. } in every_page() {
            assert!(attributes(&html, "style").is_empty(), "{what}");
            assert!(tags(&html, "style").is_empty(), "{what}");
            for script in tags(&html, "script") {
                assert!(script.starts_with(" src=\"/assets/"), "{what}: {script}");
            }
            for src in attributes(&html, "src") {
                assert!(src.starts_with("/assets/") || src.starts_with("https://"), "{what}: {src}");
            }
            for link in tags(&html, "link") {
                assert!(link.contains(" href=\"/assets/"), "{what}: {link}");
            }
        }
    }

    #[test]
    fn text_from_outside_never_becomes_markup() {
        let mut hostile = 0;
        for Rendered { what, html, .. } in every_page() {
            for planted in ["alert(", "onerror"] {
                for (at, _) in html.match_indices(planted) {
                    hostile += 1;
                    let before = html.get(..at).unwrap();
                    // A planted text is inside a tag only within a quoted value, whose quotes it could not close.
                    let tag = before.rsplit('<').next().unwrap();
                    let inside_tag = !tag.contains('>');
                    let quotes = tag.matches('"').count();
                    assert!(!inside_tag || quotes % 2 == 1, "{what}: …{tag}{planted}");
                    assert!(!before.ends_with("<script>"), "{what}");
                }
            }
            for href in attributes(&html, "href") {
                assert!(!href.starts_with("javascript:"), "{what}: {href}");
            }
        }
        assert!(hostile > 50, "the samples hold hostile text: {hostile}");
    }

    #[test]
    fn a_client_link_that_could_run_script_is_left_out() {
        let client = sample_hostile_client();
        assert_eq!(client.policy(), None);
        for (href, shown) in [
            ("https://a.example/", true),
            ("/assets/logo.svg", true),
            ("//a.example/", false),
            ("/\\a.example/", false),
            ("javascript:alert(1)", false),
            (" javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("", false),
        ] {
            let client = super::ClientCard {
                logo_href: Some(href.to_owned()),
                tos_href: Some(href.to_owned()),
                ..client.clone()
            };
            assert_eq!(client.logo().is_some(), shown, "{href:?}");
            assert_eq!(client.tos().is_some(), shown, "{href:?}");
        }
    }

    #[test]
    fn ids_are_unique_and_whatever_names_an_id_finds_it() {
        for Rendered { what, html, .. } in every_page() {
            let ids = attributes(&html, "id");
            let unique: BTreeSet<&str> = ids.iter().copied().collect();
            assert_eq!(ids.len(), unique.len(), "{what}: {ids:?}");
            let named = ["for", "aria-describedby", "aria-labelledby"]
                .into_iter()
                .flat_map(|name| attributes(&html, name))
                .flat_map(str::split_whitespace);
            for name in named {
                assert!(unique.contains(name), "{what}: nothing has the id {name}");
            }
        }
    }

    #[test]
    fn every_field_has_a_label() {
        for Rendered { what, html, .. } in every_page() {
            let labelled = attributes(&html, "for");
            for field in ["input", "select", "textarea"]
                .into_iter()
                .flat_map(|name| tags(&html, name))
                .filter(|field| !field.contains("type=\"hidden\"") && !field.contains("type=\"checkbox\""))
            {
                let id = attributes(field, "id").concat();
                assert!(labelled.contains(&id.as_str()), "{what}: {field}");
            }
        }
    }

    #[test]
    fn the_ids_that_automated_browsers_rely_on_are_there() {
        fn first<Page: Sample>() -> String {
            Page::samples(Locale::En).into_iter().next().unwrap().render().unwrap()
        }
        for (html, ids) in [
            (
                first::<login::Login>(),
                vec![
                    "login-page",
                    "login-form",
                    "username",
                    "password",
                    "login-submit",
                    "login-cancel",
                    "client-logo",
                    "client-policy",
                    "client-tos",
                ],
            ),
            (first::<oidc::Consent>(), vec!["consent-page", "consent-allow", "consent-deny", "client-logo"]),
            (first::<oidc::ErrorPage>(), vec!["error-page", "error", "error-description"]),
            (first::<oidc::Stale>(), vec!["error-page", "error"]),
            (first::<oidc::LogoutConfirm>(), vec!["logout-page", "logout-confirm", "logout-stay"]),
            (first::<oidc::LoggedOut>(), vec!["logged-out-page"]),
            (first::<oidc::FormPost>(), vec!["form-post"]),
            (first::<oidc::DeviceCode>(), vec!["device-page", "user_code"]),
            (first::<oidc::DeviceConfirm>(), vec!["device-page"]),
        ] {
            let found = attributes(&html, "id");
            for id in ids {
                assert!(found.contains(&id), "no {id} among {found:?}");
            }
        }
    }

    #[test]
    fn titles_and_headings_are_the_constant_words() {
        fn first<Page: Sample>(locale: Locale) -> String {
            Page::samples(locale).into_iter().next().unwrap().render().unwrap()
        }
        for (html, words) in [
            (first::<login::Login>(Locale::En), "Sign in"),
            (first::<login::Login>(Locale::Fr), "Se connecter"),
            (first::<oidc::Consent>(Locale::En), "Allow access"),
            (first::<oidc::ErrorPage>(Locale::En), "Something went wrong"),
            (first::<oidc::ErrorPage>(Locale::Fr), "Une erreur est survenue"),
            (first::<oidc::LogoutConfirm>(Locale::En), "Sign out"),
            (first::<oidc::LoggedOut>(Locale::En), "Signed out"),
        ] {
            assert!(html.contains(&format!("<title>{words} – Habilis</title>")), "{words}");
            assert!(html.contains(&format!("<h1>{words}</h1>")), "{words}");
        }
    }

    #[test]
    fn a_plain_text_mail_ends_with_who_sent_it_and_how_to_get_help() {
        #[derive(Template)]
        #[template(
            source = "{% extends \"mail/base.txt\" %}{% block body %}L’adresse d’Éléonore <3.{% endblock %}",
            ext = "txt"
        )]
        struct Mail {
            chrome: Chrome,
        }
        let mail = Mail {
            chrome: Chrome {
                help_href: Some("https://habilis.example/aide?a=1&b=2".to_owned()),
                privacy_href: None,
                ..sample_chrome(Locale::Fr)
            },
        };
        assert_eq!(
            mail.render().unwrap(),
            "Bonjour,\n\nL’adresse d’Éléonore <3.\n\nBien à vous,\nHabilis\n\n-- \nNous ne vous demanderons jamais votre \
             mot de passe, ni par courriel ni par téléphone.\nAide\u{a0}: https://habilis.example/aide?a=1&b=2"
        );
    }

    // Texts

    fn crate_folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    fn files_under(folder: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.extend(files_under(&path));
            } else {
                files.push(path);
            }
        }
        files
    }

    /// The messages of a language: key to (file name, text with its variants).
    fn messages(locale: Locale) -> BTreeMap<String, (String, String)> {
        let mut messages: BTreeMap<String, (String, String)> = BTreeMap::new();
        for path in files_under(&crate_folder("locales").join(locale.tag())) {
            let area = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let mut key = String::new();
            for line in fs::read_to_string(&path).unwrap().lines() {
                if line.starts_with('#') || line.is_empty() {
                    continue;
                }
                let text = if line.starts_with([' ', '}']) {
                    line
                } else {
                    let (name, text) = line.split_once('=').unwrap();
                    name.trim().clone_into(&mut key);
                    let earlier = messages.insert(key.clone(), (area.clone(), String::new()));
                    assert!(earlier.is_none(), "{key} is written twice");
                    text
                };
                messages.get_mut(&key).unwrap().1.push_str(text);
            }
        }
        messages
    }

    #[test]
    fn both_languages_say_the_same_things_in_the_same_files_with_the_same_values() {
        let [french, english] = [Locale::Fr, Locale::En].map(|locale| {
            messages(locale)
                .into_iter()
                .map(|(key, (area, text))| {
                    assert!(key.starts_with(&format!("{area}-")), "{key} is in {area}.ftl");
                    let values: BTreeSet<String> = text
                        .split('$')
                        .skip(1)
                        .map(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).collect())
                        .collect();
                    (key, values)
                })
                .collect::<BTreeMap<_, _>>()
        });
        assert_eq!(french, english);
    }

    #[test]
    fn every_text_asked_for_exists_and_every_text_is_asked_for() {
        let known = messages(Locale::Fr);
        let sources: Vec<(PathBuf, String)> = ["templates", "src"]
            .into_iter()
            .flat_map(|folder| files_under(&crate_folder(folder)))
            .filter_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?)))
            .collect();
        for (path, source) in &sources {
            for call in ["t", "t_with", "text", "text_with", "text_count"] {
                for rest in source.split(&format!(".{call}(")).skip(1) {
                    let Some(rest) = rest.trim_start().strip_prefix('"') else {
                        continue;
                    };
                    let key = rest.split('"').next().unwrap();
                    assert!(known.contains_key(key), "{}: no text {key}", path.display());
                }
            }
        }
        for key in known.keys() {
            let literal = format!("\"{key}\"");
            assert!(sources.iter().any(|(_, source)| source.contains(&literal)), "nobody says {key}");
        }
    }

    #[test]
    fn french_puts_a_no_break_space_before_high_punctuation() {
        for (key, (_, text)) in messages(Locale::Fr) {
            let characters: Vec<char> = text.chars().collect();
            for pair in characters.windows(2) {
                let [before, after] = pair else { continue };
                let broken =
                    ("?!;:»".contains(*after) && *before != '\u{a0}') || (*before == '«' && *after != '\u{a0}');
                assert!(!broken, "{key}: «{before}{after}» in {text}");
            }
        }
    }

    // Colours

    fn tokens(css: &str) -> BTreeMap<String, [u8; 3]> {
        css.split('}')
            .next()
            .unwrap()
            .lines()
            .filter_map(|line| {
                let (name, value) = line.trim().strip_prefix("--")?.split_once(": #")?;
                let value = u32::from_str_radix(value.strip_suffix(';')?, 16).ok()?;
                let [_, red, green, blue] = value.to_be_bytes();
                Some((name.to_owned(), [red, green, blue]))
            })
            .collect()
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(colour: [u8; 3]) -> f64 {
        let [red, green, blue] = colour.map(|channel| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.040_45 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// Checks "colour on ground ground …" lines against a ratio, in light and in dark.
    fn assert_contrast(css: &str, least: f64, pairs: &[(&str, &[&str])]) {
        let light = tokens(css.split(":root {").nth(1).unwrap());
        let mut dark = light.clone();
        dark.extend(tokens(css.split(":root {").nth(2).unwrap()));
        assert_ne!(light, dark);
        for (scheme, colours) in [("light", light), ("dark", dark)] {
            for (colour, grounds) in pairs {
                for ground in *grounds {
                    let ratio = contrast(colours[*colour], colours[*ground]);
                    assert!(ratio >= least, "{scheme}: {colour} on {ground} is {ratio:.2}");
                }
            }
        }
    }

    #[test]
    fn the_colours_of_the_pages_contrast_enough_in_light_and_in_dark() {
        let css = fs::read_to_string(crate_folder("assets").join("habilis.css")).unwrap();
        let grounds: &[&str] = &["ground", "surface", "sunk", "accent-wash"];
        assert_contrast(
            &css,
            4.5,
            &[
                ("ink", grounds),
                ("ink-soft", grounds),
                ("accent", &["ground", "surface", "sunk", "accent-wash"]),
                ("accent-strong", grounds),
                ("on-accent", &["accent", "accent-strong"]),
                ("danger", &["surface", "danger-wash"]),
                ("caution", &["surface", "caution-wash"]),
                ("success", &["surface", "success-wash"]),
            ],
        );
        assert_contrast(&css, 3.0, &[("line-strong", &["ground", "surface", "sunk"]), ("focus", grounds)]);
    }

    #[test]
    fn the_colours_of_the_sample_portal_contrast_enough_in_light_and_in_dark() {
        let css = fs::read_to_string(crate_folder("assets").join("portal.css")).unwrap();
        assert_contrast(
            &css,
            4.5,
            &[
                ("ink", &["paper", "card", "hill"]),
                ("soft", &["paper", "card"]),
                ("on-sun", &["sun", "sun-deep"]),
                ("on-plum", &["plum", "plum-deep"]),
            ],
        );
        assert_contrast(&css, 3.0, &[("focus", &["paper", "card"]), ("sun", &["plum"])]);
    }
}
