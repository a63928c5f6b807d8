//! The pages of the console and their words, French first. No script, no inline style; one `<main id="console-page">`.

use askama::Template;

/// A language the pages exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Locale {
    /// French, the default.
    #[default]
    Fr,
    /// English.
    En,
}

impl Locale {
    /// Every language, in the order shown to people.
    pub const ALL: [Self; 2] = [Self::Fr, Self::En];

    /// The language tag (BCP 47).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Fr => "fr",
            Self::En => "en",
        }
    }

    /// The name of the language in that language.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::Fr => "Français",
            Self::En => "English",
        }
    }

    /// The language of an answer: `ui_locales`, then the first language of `Accept-Language` that we have, then French.
    ///
    /// At most sixteen tags of each are read. Browsers list the preferred language first, so weights are not compared.
    pub fn negotiate(ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        let chosen = ui_locales.unwrap_or_default().split_ascii_whitespace().take(16).find_map(Self::of_tag);
        let accepted = accept_language.unwrap_or_default().split(',').take(16);
        let unweighted = accepted.filter_map(|range| range.split(';').next());
        chosen.or_else(|| unweighted.map(str::trim).find_map(Self::of_tag)).unwrap_or_default()
    }

    fn of_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(language))
    }

    const fn words(self) -> &'static Words {
        match self {
            Self::Fr => &FRENCH,
            Self::En => &ENGLISH,
        }
    }
}

/// Every sentence of the console: one that is missing in a language does not compile.
struct Words {
    brand: &'static str,
    skip: &'static str,
    languages: &'static str,
    title: &'static str,
    hello: &'static str,
    email: &'static str,
    organization: &'static str,
    no_organization: &'static str,
    rights: &'static str,
    no_rights: &'static str,
    source: &'static str,
    sign_out: &'static str,
    signed_out_title: &'static str,
    signed_out_lead: &'static str,
    sign_in: &'static str,
    error_title: &'static str,
    error_denied: &'static str,
    error_foreign: &'static str,
    error_unreachable: &'static str,
    retry: &'static str,
}

const FRENCH: Words = Words {
    brand: "Console Habilis",
    skip: "Aller au contenu",
    languages: "Langue",
    title: "Console",
    hello: "Bonjour",
    email: "Adresse électronique",
    organization: "Votre organisation",
    no_organization: "Aucune organisation",
    rights: "Vos droits dans la console",
    no_rights: "Aucun droit dans la console pour le moment.",
    source: "Informations demandées à l’instant au serveur d’identité, avec votre propre accès.",
    sign_out: "Se déconnecter",
    signed_out_title: "Déconnexion terminée",
    signed_out_lead: "Votre session est fermée. Vous pouvez quitter cette page.",
    sign_in: "Se connecter",
    error_title: "La connexion n’a pas abouti",
    error_denied: "Vous avez annulé ou refusé. Rien n’a été transmis à la console.",
    error_foreign: "Cette réponse ne correspond à aucune connexion commencée dans ce navigateur. Recommencez.",
    error_unreachable: "Le serveur d’identité n’a pas pu répondre. Réessayez dans un instant.",
    retry: "Réessayer",
};

const ENGLISH: Words = Words {
    brand: "Habilis console",
    skip: "Skip to content",
    languages: "Language",
    title: "Console",
    hello: "Hello",
    email: "E-mail address",
    organization: "Your organization",
    no_organization: "No organization",
    rights: "Your rights in the console",
    no_rights: "No rights in the console yet.",
    source: "Asked of the identity server just now, with your own access.",
    sign_out: "Sign out",
    signed_out_title: "You are signed out",
    signed_out_lead: "Your session is closed. You can leave this page.",
    sign_in: "Sign in",
    error_title: "Signing in did not succeed",
    error_denied: "You cancelled or refused. Nothing was passed on to the console.",
    error_foreign: "This answer belongs to no sign-in begun in this browser. Please start again.",
    error_unreachable: "The identity server could not answer. Try again in a moment.",
    retry: "Try again",
};

/// The frame around a page.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The language.
    pub locale: Locale,
    /// The path of this page, for the language switch; empty hides it.
    pub path: &'static str,
}

/// Who is signed in.
#[derive(Debug, Template)]
#[template(path = "overview.html")]
pub struct Overview {
    /// The frame.
    pub frame: Frame,
    /// The person's name.
    pub name: String,
    /// Their e-mail address.
    pub email: Option<String>,
    /// The name of their organization.
    pub organization: Option<String>,
    /// What they may do.
    pub rights: Vec<String>,
    /// The token that ties the sign-out form to the session.
    pub csrf: String,
}

/// After signing out.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut {
    /// The frame.
    pub frame: Frame,
}

/// What went wrong, as far as it is the person's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The person, or the provider, said no.
    Denied,
    /// An answer to no question of this browser.
    Foreign,
    /// Our side, or the provider's.
    Unreachable,
}

/// The error page.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// The frame.
    pub frame: Frame,
    /// What went wrong.
    pub problem: Problem,
}

impl Frame {
    const fn words(&self) -> &'static Words {
        self.locale.words()
    }
}

impl ErrorPage {
    const fn code(&self) -> &'static str {
        match self.problem {
            Problem::Denied => "access_denied",
            Problem::Foreign => "invalid_request",
            Problem::Unreachable => "server_error",
        }
    }

    const fn lead(&self) -> &'static str {
        let words = self.frame.words();
        match self.problem {
            Problem::Denied => words.error_denied,
            Problem::Foreign => words.error_foreign,
            Problem::Unreachable => words.error_unreachable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_chosen_then_accepted_then_french() {
        for (chosen, accepted, expected) in [
            (None, None, Locale::Fr),
            (Some("en"), Some("fr"), Locale::En),
            (Some("de"), Some("en-GB,en;q=0.9"), Locale::En),
            (None, Some("de, fr;q=0.5, en;q=0.4"), Locale::Fr),
            (None, Some(";;,=,é"), Locale::Fr),
        ] {
            assert_eq!(Locale::negotiate(chosen, accepted), expected, "{chosen:?} {accepted:?}");
        }
    }

    #[test]
    fn every_page_has_one_main_and_neither_script_nor_inline_style_nor_words_of_others_as_markup() {
        for locale in Locale::ALL {
            let frame = Frame { locale, path: "/console" };
            let hostile = "<script>alert(1)</script>".to_owned();
            let overview = Overview {
                frame,
                name: hostile.clone(),
                email: Some(hostile.clone()),
                organization: Some(hostile.clone()),
                rights: vec![hostile.clone()],
                csrf: hostile,
            };
            let empty = Overview {
                frame,
                name: "Camille".to_owned(),
                email: None,
                organization: None,
                rights: Vec::new(),
                csrf: String::new(),
            };
            let error = |problem| ErrorPage { frame: Frame { path: "", ..frame }, problem }.render().unwrap();
            let pages = [
                overview.render().unwrap(),
                empty.render().unwrap(),
                SignedOut { frame }.render().unwrap(),
                error(Problem::Denied),
                error(Problem::Foreign),
                error(Problem::Unreachable),
            ];
            for html in pages {
                assert_eq!(html.matches("<main id=\"console-page\"").count(), 1, "{html}");
                assert!(!html.contains("<script") && !html.contains("style="), "{html}");
                assert!(html.contains(&format!("<html lang=\"{}\">", locale.tag())), "{html}");
            }
        }
    }
}
