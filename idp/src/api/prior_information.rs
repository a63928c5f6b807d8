//! What who pays is told before they pay, a tutorial on the payment and the start, and when they were (R028): of products, orders and
//! enrolments. The rule is in `policies::information`.

use habilis_policies::calendar;
use habilis_policies::information::{Informed, Said, Uninformed, information};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::body::fields;
use super::instant;
use super::problem::{Code, Problem};
use crate::db::At;

/// What buyers are told before they pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PriorInformation {
    /// Where the tutorial on the payment and the start is: https.
    #[schema(min_length = 1, max_length = 2048)]
    pub url: String,
    /// Its version.
    #[serde(deserialize_with = "version")]
    #[schema(min_length = 1, max_length = 200)]
    pub version: String,
}

impl PriorInformation {
    /// Address and version, as a product keeps them.
    pub(super) fn parts(&self) -> (&str, &str) {
        (&self.url, &self.version)
    }

    /// Refuses an address that no letter may carry.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let url = self.url.as_str();
        // The URL parser forgives blanks, control characters and missing slashes; readers' mail programs do not.
        let plain = url.len() <= 2048 && url.bytes().all(|byte| byte.is_ascii_graphic());
        let absolute = url.strip_prefix("https://").is_some_and(|rest| !rest.starts_with(['/', '\\']));
        let parsed = Url::parse(url).is_ok_and(|url| url.username().is_empty() && url.password().is_none());
        if plain && absolute && parsed {
            return Ok(());
        }
        let detail = "https, no user, at most 2,048 characters";
        Err(Problem::field("/prior_information/url", "not_allowed", detail))
    }
}

impl From<(&str, &str)> for PriorInformation {
    fn from((url, version): (&str, &str)) -> Self {
        Self { url: url.to_owned(), version: version.to_owned() }
    }
}

fn version<'de, D: Deserializer<'de>>(reader: D) -> Result<String, D::Error> {
    fields::parsed::<fields::Line, D>(reader).map(|line| line.0)
}

/// When a step happened: `on` a day, `at` an instant, or now. Days are held to their bounds by the step.
pub(super) fn said((on, at): (Option<Date>, Option<Timestamp>), now: Timestamp) -> Result<Said, Problem> {
    // As they are stored: what is compared is what is read later.
    let stored = |at: Timestamp| Timestamp::from(At::from(at));
    let today = calendar::date_at(now);
    let Some(at) = at else {
        return Ok(on.map_or(Said::At(stored(now)), |on| Said::on(on, stored(now))));
    };
    if on.is_some() {
        return Err(Problem::field("/at", "contradiction", "either a day or an instant"));
    }
    if at > now || at < calendar::midnight(calendar::add_years(today, -1)) {
        return Err(Problem::field("/at", "out_of_range", "not in the future, and within a year"));
    }
    Ok(Said::At(stored(at)))
}

/// What is kept of an information: when it was given first, and in which version.
pub(super) fn keep(
    (at, version): (&mut Option<At>, &mut Option<String>),
    (told_at, told): (Timestamp, &str),
    paid_at: Option<At>,
) -> Result<(), Problem> {
    match information(told_at, at.map(Timestamp::from), paid_at.map(Timestamp::from)) {
        Informed::First => (*at, *version) = (Some(told_at.into()), Some(told.to_owned())),
        Informed::Again => {}
        Informed::TooLate => {
            let detail = "the payment is recorded, and the information comes before it (R028)";
            return Err(Problem::new(Code::Conflict, detail));
        }
    }
    Ok(())
}

/// Why a payment cannot be recorded, as a problem.
pub(super) fn uninformed(why: Uninformed) -> Problem {
    match why {
        Uninformed::Never => Problem::new(Code::NotInformed, "nobody was told: record `informed` first"),
        Uninformed::Since(at) => {
            let detail = "told, but not before the payment: when both were on one day, say `at` which instant";
            Problem::new(Code::NotInformed, detail).with("informed_at", instant(at.into()))
        }
    }
}
