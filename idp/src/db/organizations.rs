//! Organizations, who belongs to them, and the rights each person has in each portal.

use habilis_policies::attributes::Asked;
use habilis_policies::authorization::Subscription;
use habilis_policies::restitution;
use habilis_policies::seat_requests::Rule;
use jiff::Timestamp;

use super::{At, Conn, Tx, search};

statements! {
    INSERT = "INSERT INTO organizations (id, kind, name, siret, status, created_at) VALUES ($1, $2, $3, $4, 'active', $5)";
    EXISTS = "SELECT EXISTS (SELECT 1 FROM organizations WHERE id = $1)";
    ADD_MEMBER = "INSERT INTO memberships (person_id, organization_id, role, created_at, updated_at, mandate, sort_key)
                  VALUES ($1, $2, $3, $4, $4, 'invitation', $5)";
    GIVE_RIGHT = "INSERT INTO rights (person_id, organization_id, client_id, role, created_at) VALUES ($1, $2, $3, $4, $5)";
    OF_PERSON = "SELECT o.id, o.kind, o.name, o.siret, o.siren, o.uai, o.nda, m.role, m.mandate
                 FROM memberships m JOIN organizations o ON o.id = m.organization_id
                 WHERE m.person_id = $1 AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2) AND o.status = 'active'
                 ORDER BY m.created_at, o.id LIMIT $3";
    SET_SEAT_REQUESTS = "UPDATE organizations SET seat_requests = $2, version = version + 1 WHERE id = $1";
    SET_SECOND_FACTOR = "UPDATE organizations SET second_factor = $2, version = version + 1 WHERE id = $1";
    RIGHTS_OF = "SELECT role FROM rights
                 WHERE person_id = $1 AND organization_id = $2 AND client_id = $3
                 ORDER BY role";
    LIST = "SELECT id, kind, name, siret, status, password_policy FROM organizations ORDER BY name, id LIMIT $1";
    PASSWORD_POLICY = "SELECT password_policy FROM organizations WHERE id = $1";
    SET_PASSWORD_POLICY = "UPDATE organizations SET password_policy = $2, version = version + 1 WHERE id = $1";
    FIND = "SELECT o.id, o.kind, o.name, o.siret, o.siren, o.nda, o.uai, o.status, o.second_factor, o.mandatory_attributes, o.seat_requests, o.version, o.created_at,
                   o.updated_at, o.subscription_over_at, d.export_agreed_at
            FROM organizations o LEFT JOIN data_returns d ON d.organization_id = o.id WHERE o.id = $1";
    OVER_AT = "UPDATE organizations SET subscription_over_at = $2 WHERE id = $1";
    CREATE = "INSERT INTO organizations (id, kind, name, siret, siren, nda, uai, mandatory_attributes, status, version, created_at, updated_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'active', 1, $9, $9)";
    UPDATE = "UPDATE organizations SET name = $3, siret = $4, siren = $5, nda = $6, uai = $7, mandatory_attributes = $8, updated_at = $9,
                                    version = version + 1
              WHERE id = $1 AND version = $2";
    SET_STATUS = "UPDATE organizations SET status = $3, updated_at = $4, version = version + 1 WHERE id = $1 AND status = $2";
    END_ACCESS = "UPDATE organizations SET settle_after = '', access_ended_at = CASE WHEN access_ended_at < $2 THEN $2 ELSE access_ended_at END
                  WHERE id = $1";
    CLOSE = "UPDATE organizations SET settle_after = '', access_ended_at = CASE WHEN access_ended_at < $2 THEN $2 ELSE access_ended_at END,
                    renewal_at = CASE WHEN renewal_at < $2 THEN $2 ELSE renewal_at END
             WHERE id = $1";
    TO_SETTLE = "SELECT id, settle_after FROM organizations WHERE settle_after IS NOT NULL ORDER BY access_ended_at, id LIMIT 1";
    SETTLED = "UPDATE organizations SET settle_after = $3 WHERE id = $1 AND settle_after = $2";
    PASSWORD_POLICIES_OF = "SELECT p.operator, o.password_policy AS policy
                            FROM people p
                            LEFT JOIN memberships m ON m.person_id = p.id AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2)
                            LEFT JOIN organizations o ON o.id = m.organization_id AND o.status = 'active'
                            WHERE p.id = $1";
    PASSWORD_POLICIES_OF_MANY = {
        sqlite "SELECT p.id, p.operator, o.password_policy
                FROM json_each($1) j
                JOIN people p ON p.id = j.value
                LEFT JOIN memberships m ON m.person_id = p.id AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2)
                LEFT JOIN organizations o ON o.id = m.organization_id AND o.status = 'active'",
        postgres "SELECT p.id, p.operator, o.password_policy
                  FROM jsonb_array_elements_text(CAST(CAST($1 AS TEXT) AS JSONB)) j
                  JOIN people p ON p.id = j.value
                  LEFT JOIN memberships m ON m.person_id = p.id AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2)
                  LEFT JOIN organizations o ON o.id = m.organization_id AND o.status = 'active'"
    };
    ALL_OF_PERSON = "SELECT o.id, o.kind, o.name, m.role, m.status, m.ends_on, o.status AS organization_status
                     FROM memberships m JOIN organizations o ON o.id = m.organization_id
                     WHERE m.person_id = $1
                     ORDER BY m.created_at, o.id LIMIT $2";
    CANDIDATES = "SELECT o.id, o.kind, o.name, o.siret,
                         EXISTS (SELECT 1 FROM rights r
                                 WHERE r.person_id = m.person_id AND r.organization_id = m.organization_id AND r.client_id = $2) AS has_rights
                  FROM memberships m JOIN organizations o ON o.id = m.organization_id
                  WHERE m.person_id = $1 AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $3) AND o.status = 'active'
                  ORDER BY m.created_at, o.id LIMIT $4";
    FOR_CLAIMS = "SELECT o.id, o.kind, o.name, o.siret, o.siren, o.uai, o.nda, m.role, m.mandate
                  FROM memberships m JOIN organizations o ON o.id = m.organization_id
                  WHERE m.person_id = $1 AND m.organization_id = $2
                    AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $3) AND o.status = 'active'";
    MANDATORY = "SELECT mandatory_attributes FROM organizations WHERE id = $1";
    ASKING = "SELECT o.name, o.mandatory_attributes
              FROM memberships m JOIN organizations o ON o.id = m.organization_id
              WHERE m.person_id = $1 AND m.status = 'active' AND (m.ends_on IS NULL OR m.ends_on >= $2) AND o.status = 'active'
                AND o.mandatory_attributes <> ''
              ORDER BY m.created_at, o.id LIMIT $3";
}

/// An organization, for the operator's list.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Listed {
    /// `org_…`.
    pub id: String,
    /// See [`Membership::kind`].
    pub kind: String,
    /// Name as registered.
    pub name: String,
    /// SIRET, 14 digits.
    pub siret: Option<String>,
    /// `active`, `suspended` or `terminated`.
    pub status: String,
    /// Its own rule for passwords, JSON.
    pub password_policy: Option<String>,
}

/// What one of a person's organizations asks of passwords.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AskedPolicy {
    /// The person is staff of the operator.
    pub operator: bool,
    /// The organization's own rule, JSON; none when it states none, or the person belongs nowhere.
    pub policy: Option<String>,
}

/// An organization a person belongs to, with the person's role in it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Membership {
    /// `org_…`.
    pub id: String,
    /// `company`, `training_body`, `cfa`, `partner` or `individual`.
    pub kind: String,
    /// Name as registered.
    pub name: String,
    /// SIRET, 14 digits.
    pub siret: Option<String>,
    /// SIREN, 9 digits, when it is known apart from the SIRET.
    pub siren: Option<String>,
    /// UAI code of a school.
    pub uai: Option<String>,
    /// Declaration number of a training body.
    pub nda: Option<String>,
    /// `administrator` or `member`.
    pub role: String,
    /// By what right the person acts for it (R011): `legal_representative`, `delegation` or `invitation`; none when by none.
    pub mandate: Option<String>,
}

/// An organization as the management API knows it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Organization {
    /// `org_…`.
    pub id: String,
    /// See [`Membership::kind`].
    pub kind: String,
    /// Name as registered.
    pub name: String,
    /// SIRET, 14 digits.
    pub siret: Option<String>,
    /// SIREN, 9 digits.
    pub siren: Option<String>,
    /// Declaration number of a training body.
    pub nda: Option<String>,
    /// Code of a school.
    pub uai: Option<String>,
    /// `active`, `suspended` or `terminated`.
    pub status: String,
    /// What it asks of its people: `optional` or `required`.
    pub second_factor: String,
    /// What it asks them to say beyond what everybody is asked, see [`Asked::stored`].
    pub mandatory_attributes: String,
    /// What it does with requests for seats, see [`Rule`].
    pub seat_requests: String,
    /// For `ETag`.
    pub version: i64,
    /// Since when.
    pub created_at: At,
    /// Last change; 0 when never.
    pub updated_at: At,
    /// When all that it subscribed to is over; none while something goes on, and where there never was a contract.
    pub subscription_over_at: Option<At>,
    /// Since when it is agreed that it exports for thirty days after that (Q10).
    pub export_agreed_at: Option<At>,
}

impl Organization {
    /// How far its data are open to its own at `now` (R087).
    pub fn subscription(&self, now: Timestamp) -> Subscription {
        let over_at = self.subscription_over_at.map(Timestamp::from);
        restitution::subscription(over_at, self.export_agreed_at.is_some(), now)
    }

    /// What it does with requests for seats.
    pub fn seat_requests(&self) -> Rule {
        Rule::parse(&self.seat_requests)
    }
}

/// What an organization is written from.
#[derive(Debug)]
pub struct Written<'a> {
    /// Name as registered.
    pub name: &'a str,
    /// SIRET, 14 digits.
    pub siret: Option<&'a str>,
    /// SIREN, 9 digits.
    pub siren: Option<&'a str>,
    /// Declaration number of a training body.
    pub nda: Option<&'a str>,
    /// Code of a school.
    pub uai: Option<&'a str>,
    /// See [`Organization::mandatory_attributes`].
    pub mandatory: &'a str,
}

impl Written<'_> {
    /// Whether an organization is written so already.
    pub fn says(&self, row: &Organization) -> bool {
        let ids = (row.siret.as_deref(), row.siren.as_deref(), row.nda.as_deref(), row.uai.as_deref());
        (self.name, self.mandatory) == (&row.name, &row.mandatory_attributes)
            && (self.siret, self.siren, self.nda, self.uai) == ids
    }
}

/// A new organization.
#[derive(Debug)]
pub struct NewOrganization<'a> {
    /// `org_…`.
    pub id: &'a str,
    /// See [`Membership::kind`].
    pub kind: &'a str,
    /// Name as registered.
    pub name: &'a str,
    /// SIRET, 14 digits.
    pub siret: Option<&'a str>,
}

/// Adds an organization.
///
/// # Errors
/// A unique violation when the id or the SIRET exists; the engine failed.
pub async fn insert(tx: &mut Tx, new: &NewOrganization<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute INSERT, new.id, new.kind, new.name, new.siret, At::from(now))?;
    search::index_organization(tx, new.id, now).await
}

/// Whether there is an organization `id`.
///
/// # Errors
/// The engine failed.
pub async fn exists(c: &mut impl Conn, id: &str) -> sqlx::Result<bool> {
    sql!(c, one (bool,): EXISTS, id).map(|(exists,)| exists)
}

/// Makes `person` a member with `role`.
///
/// # Errors
/// A unique violation when already a member; the engine failed.
pub async fn add_member(
    tx: &mut Tx,
    person: &str,
    (organization, role): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    let key = search::hold(tx, person).await?;
    sql!(tx, execute ADD_MEMBER, person, organization, role, At::from(now), key.as_deref().unwrap_or_default())?;
    match key {
        Some(_) => search::index_member(tx, (person, organization)).await,
        None => search::index(tx, person, now).await,
    }
}

/// Gives a member the right `role` in the portal `client`.
///
/// # Errors
/// A unique violation when already given; the engine failed.
pub async fn give_right(
    tx: &mut Tx,
    (person, organization): (&str, &str),
    (client, role): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    sql!(tx, execute GIVE_RIGHT, person, organization, client, role, At::from(now)).map(drop)
}

/// The organizations of `person` whose membership is in force `now`, the oldest membership first, a hundred at most.
///
/// # Errors
/// The engine failed.
pub async fn of_person(c: &mut impl Conn, person: &str, now: Timestamp) -> sqlx::Result<Vec<Membership>> {
    sql!(c, all Membership: OF_PERSON, person, today(now), MOST)
}

/// The rights of a member in the portal `client`, sorted.
///
/// # Errors
/// The engine failed.
pub async fn rights_of(
    c: &mut impl Conn,
    (person, organization): (&str, &str),
    client: &str,
) -> sqlx::Result<Vec<String>> {
    let rows = sql!(c, all (String,): RIGHTS_OF, person, organization, client)?;
    Ok(rows.into_iter().map(|(role,)| role).collect())
}

/// Sets what the organization `id` asks of its people, `optional` or `required`; false when there is none.
///
/// # Errors
/// The engine failed.
pub async fn set_second_factor(tx: &mut Tx, id: &str, rule: &str) -> sqlx::Result<bool> {
    sql!(tx, execute SET_SECOND_FACTOR, id, rule).map(|rows| rows == 1)
}

/// Sets what an organization does with requests for seats.
///
/// # Errors
/// The engine failed.
pub async fn set_seat_requests(tx: &mut Tx, id: &str, rule: Rule) -> sqlx::Result<()> {
    sql!(tx, execute SET_SEAT_REQUESTS, id, rule.name()).map(drop)
}

/// The organizations by name, at most `limit`.
///
/// # Errors
/// The engine failed.
pub async fn list(c: &mut impl Conn, limit: u32) -> sqlx::Result<Vec<Listed>> {
    sql!(c, all Listed: LIST, i64::from(limit))
}

/// The organization's own rule for passwords, JSON, if it states one.
///
/// # Errors
/// The engine failed.
pub async fn password_policy(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<String>> {
    Ok(sql!(c, optional (Option<String>,): PASSWORD_POLICY, id)?.and_then(|(policy,)| policy))
}

/// States the organization's own rule for passwords, or takes it back.
///
/// # Errors
/// The engine failed.
pub async fn set_password_policy(tx: &mut Tx, id: &str, policy: Option<&str>) -> sqlx::Result<()> {
    sql!(tx, execute SET_PASSWORD_POLICY, id, policy).map(drop)
}

/// What each organization of `person` whose membership is in force `now` asks of passwords; one row without a rule when there is
/// none.
///
/// # Errors
/// The engine failed.
pub async fn password_policies_of(
    c: &mut impl Conn,
    person: &str,
    now: Timestamp,
) -> sqlx::Result<Vec<AskedPolicy>> {
    sql!(c, all AskedPolicy: PASSWORD_POLICIES_OF, person, today(now))
}

/// The same for many people, with the person of each row.
///
/// # Errors
/// The engine failed.
pub async fn password_policies_of_many(
    c: &mut impl Conn,
    people: &[&str],
    now: Timestamp,
) -> sqlx::Result<Vec<(String, AskedPolicy)>> {
    let people = serde_json::to_string(people).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let rows = sql!(c, all (String, bool, Option<String>): PASSWORD_POLICIES_OF_MANY, people, today(now))?;
    Ok(rows.into_iter().map(|(person, operator, policy)| (person, AskedPolicy { operator, policy })).collect())
}

/// What the organization `id` asks its people to say; nothing when there is none.
///
/// # Errors
/// The engine failed.
pub async fn mandatory(c: &mut impl Conn, id: &str) -> sqlx::Result<Asked> {
    let found = sql!(c, optional (String,): MANDATORY, id)?;
    Ok(found.map(|(names,)| Asked::stored(&names)).unwrap_or_default())
}

/// The organizations of `person` that ask them to say something, each by its name with what it asks, the oldest membership first, a
/// hundred at most. Memberships count that are in force `now`.
///
/// # Errors
/// The engine failed.
pub async fn asking(c: &mut impl Conn, person: &str, now: Timestamp) -> sqlx::Result<Vec<(String, Asked)>> {
    let found = sql!(c, all (String, String): ASKING, person, today(now), MOST)?;
    Ok(found.into_iter().map(|(name, asked)| (name, Asked::stored(&asked))).collect())
}

/// Most organizations of one person that are looked at.
const MOST: i64 = 100;

/// The civil day in Paris, as last days are stored: text in the order of time.
pub(super) fn today(now: Timestamp) -> String {
    habilis_policies::calendar::date_at(now).to_string()
}

/// A membership, whether it counts or not.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AnyMembership {
    /// `org_…`.
    pub id: String,
    /// See [`Membership::kind`].
    pub kind: String,
    /// Name as registered.
    pub name: String,
    /// `administrator` or `member`.
    pub role: String,
    /// `active` or `suspended`.
    pub status: String,
    /// The last day, Paris.
    pub ends_on: Option<String>,
    /// See [`Listed::status`].
    pub organization_status: String,
}

/// Every membership of `person`, the oldest first, a hundred at most.
///
/// # Errors
/// The engine failed.
pub async fn all_of_person(c: &mut impl Conn, person: &str) -> sqlx::Result<Vec<AnyMembership>> {
    sql!(c, all AnyMembership: ALL_OF_PERSON, person, MOST)
}

/// An organization somebody may sign in for.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Candidate {
    /// `org_…`.
    pub id: String,
    /// See [`Membership::kind`].
    pub kind: String,
    /// Name as registered.
    pub name: String,
    /// SIRET, 14 digits.
    pub siret: Option<String>,
    /// Whether the person has rights in the portal through it.
    pub has_rights: bool,
}

/// The organizations of `person` whose membership is in force `now`, as seen from the portal `client`: the oldest membership
/// first, a hundred at most.
///
/// # Errors
/// The engine failed.
pub async fn candidates(
    c: &mut impl Conn,
    (person, client): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<Vec<Candidate>> {
    sql!(c, all Candidate: CANDIDATES, person, client, today(now), MOST)
}

/// The membership of `person` in `organization`, if it is in force `now`.
///
/// # Errors
/// The engine failed.
pub async fn membership(
    c: &mut impl Conn,
    (person, organization): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<Option<Membership>> {
    sql!(c, optional Membership: FOR_CLAIMS, person, organization, today(now))
}

/// Finds an organization.
///
/// # Errors
/// The engine failed.
pub async fn find(c: &mut impl Conn, id: &str) -> sqlx::Result<Option<Organization>> {
    sql!(c, optional Organization: FIND, id)
}

/// Keeps when all that an organization subscribed to is over.
///
/// # Errors
/// The engine failed.
pub async fn set_over_at(tx: &mut Tx, id: &str, over_at: Option<Timestamp>) -> sqlx::Result<()> {
    sql!(tx, execute OVER_AT, id, over_at.map(At::from)).map(drop)
}

/// Adds an organization of a kind.
///
/// # Errors
/// A unique violation when the SIRET exists; the engine failed.
pub async fn create(tx: &mut Tx, (id, kind): (&str, &str), new: &Written<'_>, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute CREATE, id, kind, new.name, new.siret, new.siren, new.nda, new.uai, new.mandatory, At::from(now))?;
    search::index_organization(tx, id, now).await
}

/// Changes an organization that is still at `version`; false when somebody was faster.
///
/// # Errors
/// A unique violation when the SIRET exists; the engine failed.
pub async fn update(tx: &mut Tx, (id, version): (&str, i64), new: &Written<'_>, now: Timestamp) -> sqlx::Result<bool> {
    let rows = sql!(
        tx,
        execute UPDATE, id, version, new.name, new.siret, new.siren, new.nda, new.uai, new.mandatory, At::from(now),
    )?;
    search::index_organization(tx, id, now).await?;
    Ok(rows == 1)
}

/// Moves an organization from one status to another; false when it had another status.
///
/// # Errors
/// The engine failed.
pub async fn set_status(tx: &mut Tx, id: &str, (from, to): (&str, &str), now: Timestamp) -> sqlx::Result<bool> {
    sql!(tx, execute SET_STATUS, id, from, to, At::from(now)).map(|rows| rows == 1)
}

/// Ends what was granted until `now` to the people of `id`, by a state that every check reads; their rows follow, see [`to_settle`].
///
/// # Errors
/// The engine failed.
pub async fn end_access(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute END_ACCESS, id, At::from(now)).map(drop)
}

/// The same of everything its people have, elsewhere too, and of their passwords (R033).
///
/// # Errors
/// The engine failed.
pub async fn close(tx: &mut Tx, id: &str, now: Timestamp) -> sqlx::Result<()> {
    sql!(tx, execute CLOSE, id, At::from(now)).map(drop)
}

/// An organization whose people's rows are to follow an end of access, and the person it has come to (empty: none yet).
///
/// # Errors
/// The engine failed.
pub async fn to_settle(c: &mut impl Conn) -> sqlx::Result<Option<(String, String)>> {
    sql!(c, optional (String, String): TO_SETTLE)
}

/// Notes that the rows of its people up to `to` follow (none: all do); false when another node was faster, or it began anew.
///
/// # Errors
/// The engine failed.
pub async fn settled(tx: &mut Tx, id: &str, (from, to): (&str, Option<&str>)) -> sqlx::Result<bool> {
    sql!(tx, execute SETTLED, id, from, to).map(|rows| rows == 1)
}
