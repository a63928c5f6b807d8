//! Orders: the invitation of the administrator that an order form names (R014, R022, R024). The rules are in `policies::orders`, what
//! they open in [`crate::seats`].

use habilis_policies::calendar;
use habilis_policies::contact::{Email, Name};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::invite::{self, Incomplete, Invitation, InviteRefusal};
use crate::account::landing::Landing;
use crate::account::offers::{self, OfferRefusal};
use crate::app::App;
use crate::db::audit::Event;
use crate::db::members::{self, Terms};
use crate::db::membership_offers::NewOffer;
use crate::db::organizations::Organization;
use crate::db::{Tx, people};
use crate::outcome::Outcome;
use crate::seats::SeatRefusal;
use crate::web::text::Locale;

/// Whom an order form names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Administrator {
    /// Where the link goes.
    pub email: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// `fr` or `en`.
    pub locale: String,
}

/// What came of it.
#[derive(Debug)]
pub enum Appointed {
    /// They were invited, or offered the place.
    Invited {
        /// The mail that carries the link.
        mail: Option<String>,
    },
    /// Nobody was to be invited: the organization has an administrator.
    AlreadyThere,
    /// The form names nobody, and nobody administers.
    Nobody,
    /// The address cannot be invited.
    Refused(String),
    /// There is no seat of the product for them.
    NoSeat(SeatRefusal),
}

/// Invites the administrator that an acknowledged order names, with a seat of its product, before it opens. The caller commits, or
/// rolls back.
///
/// # Errors
/// The database or a template failed.
pub async fn appoint(
    tx: &mut Tx,
    app: &App,
    (organization, (named, product, seats), by): (&Organization, (Option<&Administrator>, &str, u32), &str),
    now: Timestamp,
) -> Outcome<Appointed> {
    let today = calendar::date_at(now).to_string();
    let there = !members::administrators(tx, &organization.id, &today).await?.is_empty();
    let Some(named) = named else {
        return Ok(if there { Appointed::AlreadyThere } else { Appointed::Nobody });
    };
    let parsed = (Email::parse(&named.email), Name::parse(&named.given_name), Name::parse(&named.family_name));
    let (Some(email), Some(given), Some(family)) = parsed else {
        return Ok(Appointed::Refused("the administrator of the form has no name or address".to_owned()));
    };
    let login = people::fold_login(email.as_str());
    let products = [product.to_owned()];
    if let Some(person) = people::find_by_login(tx, &login).await? {
        if members::find(tx, &organization.id, &person.id).await?.is_some() {
            return Ok(Appointed::AlreadyThere);
        }
        if person.operator || person.privacy || !matches!(person.status.as_str(), "active" | "suspended_password") {
            return Ok(Appointed::Refused(
                "the administrator of the form has an account that cannot be invited".to_owned(),
            ));
        }
        let offer = NewOffer {
            id: "",
            organization: &organization.id,
            person: &person.id,
            email: email.as_str(),
            role: "administrator",
            affiliation: "employee",
            ends_on: None,
            mandate: "delegation",
            rights: "",
            by,
        };
        return Ok(
            match offers::make(tx, app.into(), (&person, organization, (offer, Some(&products))), now).await? {
                Ok((_, mail)) => Appointed::Invited { mail },
                Err(OfferRefusal::Seat(refusal)) => Appointed::NoSeat(refusal),
                Err(refusal) => Appointed::Refused(refusal.to_string()),
            },
        );
    }
    let invitation = Invitation {
        login: &login,
        email: &email,
        names: (&given, &family),
        attributes: &[],
        incomplete: Incomplete::AskedLater,
        locale: Locale::negotiate(Some(&named.locale), None),
        organization: Some((&organization.id, "administrator")),
        rights: &[],
        products: Some(&products),
        initial_of: Some(seats),
        operator: false,
        landing: Landing::default(),
        by,
    };
    let terms = Terms { affiliation: "employee", ends_on: None, mandate: Some("delegation") };
    let event = Event::new("member.invited").by(by).in_organization(&organization.id);
    Ok(match invite::admit(tx, app.into(), (&invitation, &terms, event), now).await? {
        Ok(invited) => Appointed::Invited { mail: Some(invited.mail) },
        Err(InviteRefusal::Seat(refusal)) => Appointed::NoSeat(refusal),
        Err(refusal) => Appointed::Refused(refusal.to_string()),
    })
}
