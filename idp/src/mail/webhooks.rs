//! The letter about a webhook that was switched off.

use askama::Template as _;
use url::Url;

use super::letters::{Kind, Letter};
use super::passwords::PasswordText;
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// Nothing is sent to a receiver any more.
#[derive(Debug)]
pub struct Disabled {
    organization: Option<String>,
    webhook: String,
    host: String,
    gone: bool,
}

impl Disabled {
    /// The webhook `id` of an organization, or the operator's; the receiver says that it is `gone`, or was silent for too long.
    pub fn of(organization: Option<String>, id: &str, url: &str, gone: bool) -> Self {
        // The rest of the address may be a secret of the receiver's.
        let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        Self { organization, webhook: id.to_owned(), host, gone }
    }
}

impl Letter for Disabled {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        "webhook_disabled.1"
    }

    fn subject(&self, locale: Locale) -> String {
        locale.text_with("letter-webhook-disabled-subject", &[("host", &self.host)])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let why = if self.gone { "letter-webhook-disabled-gone" } else { "letter-webhook-disabled-silent" };
        let mut lines = vec![locale.text_with(why, &[("host", &self.host)])];
        if let Some(name) = &self.organization {
            lines.push(locale.text_with("letter-webhook-disabled-organization", &[("organization", name)]));
        }
        lines.push(locale.text_with("letter-webhook-disabled-webhook", &[("webhook", &self.webhook)]));
        lines.push(locale.text("letter-webhook-disabled-then"));
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

#[cfg(test)]
impl Disabled {
    /// A letter of every sort.
    pub(super) fn samples() -> Vec<Self> {
        let url = "https://lms.example/hooks?key=hidden";
        vec![Self::of(Some("Boulangeries Lefèvre".to_owned()), "whk_1", url, false), Self::of(None, "whk_1", url, true)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_names_the_host_and_nothing_more_of_the_address() {
        for locale in Locale::ALL {
            for letter in Disabled::samples() {
                let text = letter.subject(locale) + &letter.body(Chrome::new(locale, "Habilis")).unwrap();
                assert!(text.contains("lms.example") && text.contains("whk_1"), "{text}");
                assert!(!text.contains("hidden") && !text.contains('⟦'), "{text}");
            }
        }
    }
}
