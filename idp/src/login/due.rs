//! Whose passwords come of age, and where each stands today: for the command line, an organization's administrators and the
//! operator (R045, R046).

use habilis_policies::calendar;
use habilis_policies::passwords::Cause;
use jiff::Timestamp;
use jiff::civil::Date;

use super::rules;
use crate::config::Config;
use crate::db::Conn;
use crate::db::passwords::{self, Holder};
use crate::outcome::Outcome;

/// Somebody with a password, and when it expires, if ever.
#[derive(Debug)]
pub struct Standing {
    /// Who.
    pub holder: Holder,
    /// The day it expires at midnight in Paris, and why.
    pub expires: Option<(Date, Cause)>,
}

/// That a password has to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Soon.
    Expiring,
    /// It has expired, and the grace lasts.
    Expired,
    /// The account is suspended until it is renewed.
    Suspended,
}

impl Standing {
    /// Whether and how the password is due, when those count that expire within so many days from `today`. It has expired on the
    /// day itself. Of an account that is closed for another reason nothing is due.
    pub fn due(&self, today: Date, days: u16) -> Option<Due> {
        match self.holder.status.as_str() {
            "suspended_password" => Some(Due::Suspended),
            "active" => match days_until(today, self.expires?.0) {
                left if left <= 0 => Some(Due::Expired),
                left if left <= i64::from(days) => Some(Due::Expiring),
                _ => None,
            },
            _ => None,
        }
    }

    /// The day it expires and why; none for an account that was suspended before its password's time, by a kill switch.
    pub fn expiry(&self, today: Date) -> Option<(Date, Cause)> {
        self.expires.filter(|(on, _)| self.holder.status != "suspended_password" || *on <= today)
    }

    /// Where a list goes on behind them.
    pub fn place(&self) -> (i64, &str) {
        (self.holder.joined_at.milliseconds(), &self.holder.person_id)
    }
}

/// At most `limit` people with a password, from after a place, see [`passwords::roster`]: what is due of them and what is not.
///
/// # Errors
/// The database failed, or the stored rule of an organization cannot be read.
pub async fn batch(
    c: &mut impl Conn,
    config: &Config,
    (organization, after): (&str, (i64, &str)),
    (limit, now): (u32, Timestamp),
) -> Outcome<Vec<Standing>> {
    let holders = passwords::roster(c, (organization, after), (limit, now)).await?;
    let people: Vec<&str> = holders.iter().map(|holder| holder.person_id.as_str()).collect();
    let rules = rules::of_people(c, config, &people, now).await?;
    let standing = |holder: Holder| {
        let rule = rules.get(&holder.person_id);
        let expires = rule.and_then(|rule| rules::expires_on(config, rule, holder.changed_at.into()));
        Standing { holder, expires }
    };
    Ok(holders.into_iter().map(standing).collect())
}

/// The days of the last campaign, today's included, and of the next; none when no campaign is held.
pub fn campaigns(config: &Config, now: Timestamp) -> Option<(Date, Date)> {
    let (on, today) = (config.passwords.campaign_on?, calendar::date_at(now));
    let held = |year: i16| Date::new(year, on.month, on.day).ok();
    let this = held(today.year())?;
    if this <= today { Some((this, held(today.year() + 1)?)) } else { Some((held(today.year() - 1)?, this)) }
}

/// Civil days from `today` to `on`.
fn days_until(today: Date, on: Date) -> i64 {
    today.duration_until(on).as_hours() / 24
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn standing(status: &str, expires: Option<Date>) -> Standing {
        let at = Timestamp::UNIX_EPOCH.into();
        let text = || "x".to_owned();
        let holder = Holder {
            person_id: text(),
            changed_at: at,
            status: status.to_owned(),
            login: text(),
            given_name: text(),
            family_name: text(),
            operator: false,
            privacy: false,
            joined_at: at,
        };
        Standing { holder, expires: expires.map(|on| (on, Cause::Anniversary)) }
    }

    #[test]
    fn a_password_is_due_within_the_days_and_has_expired_on_the_day_itself() {
        let today = date(2027, 3, 1);
        for (status, on, expected) in [
            ("active", Some(date(2027, 3, 31)), Some(Due::Expiring)),
            ("active", Some(date(2027, 4, 1)), None),
            ("active", Some(date(2027, 3, 2)), Some(Due::Expiring)),
            ("active", Some(today), Some(Due::Expired)),
            ("active", Some(date(2026, 12, 15)), Some(Due::Expired)),
            ("active", None, None),
            ("suspended_password", Some(date(2026, 12, 15)), Some(Due::Suspended)),
            ("suspended_password", Some(date(2027, 12, 15)), Some(Due::Suspended)),
            ("suspended", Some(today), None),
            ("terminated", Some(today), None),
        ] {
            assert_eq!(standing(status, on).due(today, 30), expected, "{status} {on:?}");
        }
    }

    #[test]
    fn who_was_suspended_before_the_time_of_their_password_has_no_day_it_expired() {
        let today = date(2027, 3, 1);
        assert!(standing("suspended_password", Some(date(2027, 12, 15))).expiry(today).is_none());
        assert!(standing("suspended_password", Some(date(2026, 12, 15))).expiry(today).is_some());
        assert!(standing("active", Some(date(2027, 12, 15))).expiry(today).is_some());
    }
}
