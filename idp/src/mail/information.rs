//! The letter to who pays an order, before they pay (R028).

use askama::Template as _;

use super::letters::{Kind, Letter};
use super::passwords::PasswordText;
use crate::outcome::Outcome;
use crate::web::page::Chrome;
use crate::web::text::Locale;

/// Where the tutorial on the payment and the start is.
#[derive(Debug, Clone)]
pub struct InformationLetter {
    /// The organization's name.
    pub organization: String,
    /// The name of the product.
    pub product: String,
    /// The number of the order.
    pub number: String,
    /// Where it is.
    pub href: String,
    /// Its version.
    pub version: String,
}

impl Letter for InformationLetter {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn template(&self) -> &'static str {
        "order_information.1"
    }

    fn subject(&self, locale: Locale) -> String {
        locale.text_with("letter-order-information-subject", &[("number", &self.number)])
    }

    fn body(&self, chrome: Chrome) -> Outcome<String> {
        let locale = chrome.locale;
        let about = [("organization", &*self.organization), ("product", &self.product), ("number", &self.number)];
        let lines = vec![
            locale.text_with("letter-order-information-what", &about),
            self.href.clone(),
            locale.text_with("letter-order-information-version", &[("version", &self.version)]),
            locale.text("letter-order-information-then"),
        ];
        Ok(PasswordText { chrome, lines }.render()?)
    }
}

#[cfg(test)]
impl InformationLetter {
    /// One of them.
    pub(super) fn samples() -> Vec<Self> {
        vec![Self {
            organization: "Boulangeries Lefèvre".to_owned(),
            product: "Plateforme Campus".to_owned(),
            number: "BC-2027-014".to_owned(),
            href: "https://www.example.fr/tutoriel?v=3&langue=fr".to_owned(),
            version: "tutoriel-3".to_owned(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_reads_in_every_language_and_carries_the_link_and_its_version() {
        for locale in Locale::ALL {
            let letter = InformationLetter::samples().remove(0);
            let body = letter.body(Chrome::new(locale, "Habilis")).unwrap();
            assert!(body.lines().any(|line| line == letter.href) && body.contains(&letter.version), "{body}");
            for about in [&letter.organization, &letter.product, &letter.number] {
                assert!(body.contains(about.as_str()), "{body}");
            }
            assert!(!body.contains('⟦') && letter.subject(locale).contains(&letter.number), "{body}");
        }
    }
}
