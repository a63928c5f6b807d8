//! Whether an account still is of the person it was opened for (R007): the right of use is personal and is not handed over, so there is no
//! way to give an account to somebody else, and no way around that by changing all it says, step by step.
//!
//! What an account said when it was opened, or when an operator last verified its person's identity, is its anchor. However many
//! changes and days there are in between, what it says now is weighed against that.

use crate::search::words;

/// What an account says of who its person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<'a> {
    /// Given name.
    pub given: &'a str,
    /// Family name.
    pub family: &'a str,
    /// Day of birth, ISO 8601.
    pub birthdate: Option<&'a str>,
    /// Mail address.
    pub email: Option<&'a str>,
}

/// How what is said now stands to the anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It is what the anchor says.
    Unchanged,
    /// Something differs, as people marry, move to another employer or mend a mistake.
    SamePerson,
    /// Nothing is left of the anchor: this may be somebody else.
    SomebodyElse,
}

/// Weighs what an account says `now` against its `anchor`.
///
/// It may be somebody else when name, mail address and day of birth all differ; of an anchor without a day of birth, when name and mail
/// address do. One that was there and is not said any more differs. Case, accents, spaces, hyphens, and names in each other's place make no difference.
///
/// Requirement R007.
pub fn weigh(anchor: &Said<'_>, now: &Said<'_>) -> Weight {
    let name = same_name(anchor, now);
    let email = folded(anchor.email) == folded(now.email);
    let birthdate = anchor.birthdate == now.birthdate;
    if name && email && birthdate {
        return Weight::Unchanged;
    }
    let born_another_day = anchor.birthdate.is_none() || !birthdate;
    if !name && !email && born_another_day { Weight::SomebodyElse } else { Weight::SamePerson }
}

fn same_name(one: &Said<'_>, other: &Said<'_>) -> bool {
    let [given, family, other_given, other_family] =
        [one.given, one.family, other.given, other.family].map(|name| words(name).concat());
    (given == other_given && family == other_family) || (given == other_family && family == other_given)
}

fn folded(email: Option<&str>) -> Option<String> {
    email.map(|email| email.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ZOE: Said<'static> = Said {
        given: "Zoé",
        family: "Le Guen-Martin",
        birthdate: Some("1987-10-16"),
        email: Some("zoe.leguen@cfa.example"),
    };
    const UNBORN: Said<'static> = Said { birthdate: None, ..ZOE };

    #[test]
    fn an_account_is_somebody_else_s_when_nothing_is_left_of_what_it_said() {
        let (other_day, other_mail) = (Some("1990-01-01"), Some("paul@ailleurs.example"));
        let paul = Said { given: "Paul", family: "Roux", birthdate: other_day, email: other_mail };
        let table = [
            // Nothing, or nothing that counts.
            (ZOE, ZOE, Weight::Unchanged),
            (
                ZOE,
                Said { given: "ZOE", family: "Leguen Martin", email: Some(" Zoe.LeGuen@CFA.example"), ..ZOE },
                Weight::Unchanged,
            ),
            (ZOE, Said { given: ZOE.family, family: ZOE.given, ..ZOE }, Weight::Unchanged),
            // One of the three, and two of them.
            (ZOE, Said { family: "Roux", ..ZOE }, Weight::SamePerson),
            (ZOE, Said { email: other_mail, ..ZOE }, Weight::SamePerson),
            (ZOE, Said { birthdate: other_day, ..ZOE }, Weight::SamePerson),
            (ZOE, Said { family: "Roux", email: other_mail, ..ZOE }, Weight::SamePerson),
            (ZOE, Said { birthdate: ZOE.birthdate, ..paul }, Weight::SamePerson),
            (ZOE, Said { email: ZOE.email, ..paul }, Weight::SamePerson),
            (ZOE, Said { given: ZOE.given, family: ZOE.family, ..paul }, Weight::SamePerson),
            // All three; a given name alone does not hold the account.
            (ZOE, paul, Weight::SomebodyElse),
            (ZOE, Said { given: ZOE.given, ..paul }, Weight::SomebodyElse),
            // What is not said any more differs.
            (ZOE, Said { birthdate: None, ..paul }, Weight::SomebodyElse),
            (ZOE, Said { email: None, ..paul }, Weight::SomebodyElse),
            // Without a day of birth the two others decide, also when one was said since.
            (UNBORN, Said { birthdate: other_day, ..UNBORN }, Weight::SamePerson),
            (UNBORN, Said { family: "Roux", ..UNBORN }, Weight::SamePerson),
            (UNBORN, Said { birthdate: None, ..paul }, Weight::SomebodyElse),
            (UNBORN, paul, Weight::SomebodyElse),
            // An account without an address stays its person's while it has none.
            (Said { email: None, ..ZOE }, Said { email: None, ..paul }, Weight::SamePerson),
            (Said { email: None, ..ZOE }, paul, Weight::SomebodyElse),
        ];
        for (anchor, now, expected) in table {
            assert_eq!(weigh(&anchor, &now), expected, "{anchor:?} {now:?}");
        }
    }

    proptest! {
        #[test]
        fn whoever_goes_back_to_the_anchor_is_its_person(
            given in "\\PC{0,12}", family in "\\PC{0,12}", birthdate in prop::option::of("[0-9-]{10}"), email in prop::option::of("[a-z@.]{0,9}"),
        ) {
            let said = Said { given: &given, family: &family, birthdate: birthdate.as_deref(), email: email.as_deref() };
            prop_assert_eq!(weigh(&said, &said), Weight::Unchanged);
        }
    }
}
