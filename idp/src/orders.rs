//! Orders: the invitation of the administrator that an order form names (R014, R022, R024), and when the data that follow from them are
//! removed (R156). The rules are in `policies::orders`, what orders open in [`crate::seats`].

use habilis_policies::calendar;
use habilis_policies::contact::{Email, Name};
use habilis_policies::orders::{Order, Orders, Removal};
use habilis_policies::restitution;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::account::invite::{self, Incomplete, Invitation, InviteRefusal};
use crate::account::landing::Landing;
use crate::account::offers::{self, OfferRefusal};
use crate::account::signatories;
use crate::app::App;
use crate::db::audit::{self, Event};
use crate::db::members::{self, Member, Terms};
use crate::db::membership_offers::{self, NewOffer};
use crate::db::organizations::Organization;
use crate::db::people::{self, Person};
use crate::db::{Conn, Tx, data_returns};
use crate::outcome::Outcome;
use crate::seats::{self, SeatRefusal, State, Taking};
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
    /// Nobody was to be invited: the organization has an administrator, or asked somebody who may still accept.
    AlreadyThere,
    /// They have an account in the organization, and administer it from now on.
    Promoted,
    /// The form names nobody, and nobody administers.
    Nobody,
    /// The address cannot be invited.
    Refused(String),
    /// There is no seat of the product for them.
    NoSeat(SeatRefusal),
}

/// The removal of an organization's data as its orders and an agreement on reversibility have it; none while anything goes on without an
/// end, and where there never was a contract.
///
/// # Errors
/// The database failed.
pub async fn removal(c: &mut impl Conn, (organization, all): (&str, &[Order])) -> Outcome<Option<Removal>> {
    let Some(removal) = Orders(all).removal() else { return Ok(None) };
    let kept = data_returns::find(c, organization).await?.kept_until();
    Ok(Some(Removal { at: restitution::removal(removal.at, kept), ..removal }))
}

/// The products of which an order adds seats, and how many.
type Seats<'a> = (&'a [String], u32);

/// Where somebody is to administer, who, and by whose order.
type Asked<'a, Who> = (&'a Organization, Who, &'a str);

/// Invites the administrator that an acknowledged order names, with a seat of its product, before it opens; a member of an organization that
/// nobody administers becomes its administrator. `seats` is what the order will add. The caller holds the organization and commits, or rolls
/// back.
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
    let asked = membership_offers::to_administer(tx, &organization.id, now).await?;
    let there = !asked.is_empty() || members::is_administered(tx, (&organization.id, &today), now).await?;
    let Some(named) = named else {
        return Ok(if there { Appointed::AlreadyThere } else { Appointed::Nobody });
    };
    let parsed = (Email::parse(&named.email), Name::parse(&named.given_name), Name::parse(&named.family_name));
    let (Some(email), Some(given), Some(family)) = parsed else {
        return Ok(Appointed::Refused("the administrator of the form has no name or address".to_owned()));
    };
    let login = people::fold_login(email.as_str());
    let products = [product.to_owned()];
    let seat = (&products[..], seats);
    if let Some(person) = people::find_by_login(tx, &login).await? {
        if asked.iter().any(|offer| offer.person_id == person.id) {
            return Ok(Appointed::AlreadyThere);
        }
        return match members::find(tx, &organization.id, &person.id).await? {
            Some(_) if there => Ok(Appointed::AlreadyThere),
            Some(member) => promote(tx, app, (organization, (&member, &person, seat), by), now).await,
            None => offer(tx, app, (organization, (&person, &email, seat), by), now).await,
        };
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
        Ok(invited) => {
            signatories::administrator_changed(tx, app, (organization, &invited.person), now).await?;
            Appointed::Invited { mail: Some(invited.mail) }
        }
        Err(InviteRefusal::Seat(refusal)) => Appointed::NoSeat(refusal),
        Err(refusal) => Appointed::Refused(refusal.to_string()),
    })
}

/// Offers the place to somebody who has an account elsewhere.
async fn offer(
    tx: &mut Tx,
    app: &App,
    (organization, (person, email, (products, seats)), by): Asked<'_, (&Person, &Email, Seats<'_>)>,
    now: Timestamp,
) -> Outcome<Appointed> {
    if person.operator || person.privacy || !matches!(person.status.as_str(), "active" | "suspended_password") {
        let detail = "the administrator of the form has an account that cannot be invited";
        return Ok(Appointed::Refused(detail.to_owned()));
    }
    let new = NewOffer {
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
    let wanted = (new, Some(products), Some(seats));
    Ok(match offers::make(tx, app.into(), (person, organization, wanted), now).await? {
        Ok((id, mail)) => {
            let event = Event::new("member.offered").by(by).about(&person.id).in_organization(&organization.id);
            audit::record(tx, event.with("offer", id).with("mail", mail.clone()), now).await?;
            Appointed::Invited { mail }
        }
        Err(OfferRefusal::Seat(refusal)) => Appointed::NoSeat(refusal),
        Err(refusal) => Appointed::Refused(refusal.to_string()),
    })
}

/// Makes a member who could administer an administrator, and invites them again when they have not come yet (R022).
async fn promote(
    tx: &mut Tx,
    app: &App,
    (organization, (member, person, (products, seats)), by): Asked<'_, (&Member, &Person, Seats<'_>)>,
    now: Timestamp,
) -> Outcome<Appointed> {
    let today = calendar::date_at(now).to_string();
    let stays = member.status == "active" && member.ends_on.as_ref().is_none_or(|last| *last >= today);
    let opens = matches!(person.status.as_str(), "active" | "suspended_password" | "pending");
    if !stays || !opens || person.operator || person.privacy {
        let detail = "the administrator of the form is a member who cannot administer: suspended, past the last day, or with an account that is closed";
        return Ok(Appointed::Refused(detail.to_owned()));
    }
    let pending = person.status == "pending";
    let seat = Taking {
        organization: &organization.id,
        person: &person.id,
        products: Some(products),
        state: if pending { State::Held } else { State::Assigned },
        by,
        reason: "invited",
        initial_of: Some(seats),
    };
    if let Err(refusal) = seats::take(tx, app.into(), &seat, now).await? {
        return Ok(Appointed::NoSeat(refusal));
    }
    let event = |name| Event::new(name).by(by).about(&person.id).in_organization(&organization.id);
    if member.role != "administrator" {
        members::set_role(tx, (&organization.id, &person.id), (&member.role, "administrator"), now).await?;
        let roles = (json!({ "role": member.role }), json!({ "role": "administrator" }));
        audit::record(tx, event("member.role_changed").changed(roles.0, roles.1), now).await?;
        signatories::administrator_changed(tx, app, (organization, &person.id), now).await?;
    }
    if !pending {
        return Ok(Appointed::Promoted);
    }
    Ok(match invite::invite_again(tx, app.into(), person, now).await? {
        Ok(mail) => {
            audit::record(tx, event("account.invitation_resent").with("mail", mail.clone()), now).await?;
            Appointed::Invited { mail }
        }
        Err(refusal) => Appointed::NoSeat(refusal),
    })
}
