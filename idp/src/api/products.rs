//! `/products`: what organizations order. A portal says in its settings which product it belongs to (`habilis client update --product`).

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use habilis_policies::authorization::Action;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use super::body::{Body, fields, fields::Patched};
use super::caller::Caller;
use super::page::{self, Asked, Page, Paging};
use super::precondition::{IfMatch, stale};
use super::prior_information::PriorInformation;
use super::problem::{Answer, Code, Problem};
use super::write::{Write, Written, found};
use super::{Problems, instant};
use crate::app::App;
use crate::db::{audit, is_unique_violation, products};
use crate::web::routing::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, update))
}

/// A product.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Product {
    /// A word.
    id: String,
    /// Its name.
    name: String,
    /// Seats of a trial; 0 for no trials.
    trial_seats: i64,
    /// Whether it can be ordered anew (R078).
    sold: bool,
    /// What its buyers are told before they pay (R028).
    prior_information: Option<PriorInformation>,
    /// RFC 3339.
    created_at: String,
}

impl From<products::Product> for Product {
    fn from(row: products::Product) -> Self {
        let prior_information = row.information().map(PriorInformation::from);
        Self {
            id: row.id,
            name: row.name,
            trial_seats: row.trial_seats,
            sold: row.sold,
            prior_information,
            created_at: instant(row.created_at),
        }
    }
}

/// The word of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProductId(pub String);

impl fields::FromText for ProductId {
    fn from_text(text: &str) -> Result<Self, String> {
        let good = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !text.starts_with('-')
            && text != "none";
        if good { Ok(Self(text.to_owned())) } else { Err("1 to 64 of a-z, 0-9 and -, and not `none`".to_owned()) }
    }
}

/// A product to offer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProduct {
    /// A word that stays: letters a-z, digits, hyphens.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 64)]
    id: ProductId,
    /// Its name, as people read it.
    #[serde(deserialize_with = "fields::parsed")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: fields::Line,
    /// Seats of a trial; 0 when absent: no trials.
    #[schema(minimum = 0, maximum = 1000)]
    trial_seats: Option<u16>,
    /// What its buyers are told before they pay, by a letter when the order's step `informed` says so; then nobody pays before (R028).
    prior_information: Option<PriorInformation>,
}

/// What changes of a product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductPatch {
    /// Its name.
    #[serde(default, deserialize_with = "fields::kept")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Option<fields::Line>,
    /// Seats of trials that begin from now on.
    #[serde(default, deserialize_with = "fields::kept_value")]
    #[schema(value_type = u16, minimum = 0, maximum = 1000)]
    trial_seats: Option<u16>,
    /// Whether it can be ordered anew; what runs goes on.
    #[serde(default, deserialize_with = "fields::kept_value")]
    #[schema(value_type = bool)]
    sold: Option<bool>,
    /// What buyers are told from now on before they pay; null: nothing (R028).
    #[serde(default, deserialize_with = "patched")]
    #[schema(value_type = Option<PriorInformation>)]
    prior_information: Patched<PriorInformation>,
}

fn patched<'de, D: Deserializer<'de>>(reader: D) -> Result<Patched<PriorInformation>, D::Error> {
    let patch = Option::<PriorInformation>::deserialize(reader)?;
    Ok(patch.map_or(Patched::Removed, Patched::Set))
}

fn trial_seats(seats: Option<u16>, before: i64) -> Result<i64, Problem> {
    match seats {
        Some(seats) if seats > 1000 => Err(Problem::field("/trial_seats", "out_of_range", "between 0 and 1000")),
        Some(seats) => Ok(i64::from(seats)),
        None => Ok(before),
    }
}

/// List the products, by their word.
#[utoipa::path(
    get, path = "/products", tag = "orders", params(Paging),
    responses((status = 200, description = "A page", body = Page<Product>), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn list(State(app): State<App>, caller: Caller, Asked(paging): Asked<Paging>) -> Answer {
    caller.may(&app, Action::ReadOrders).await?;
    let (limit, (_, after)) = (paging.limit()?, paging.after()?);
    let rows = products::list(&mut app.db.reader().await?, &after, limit + 1).await?;
    Ok(Page::of(rows, limit, |row| page::cursor_before(0, &row.id), Product::from).into_response())
}

/// Offer a product.
#[utoipa::path(
    post, path = "/products", tag = "orders", request_body = NewProduct,
    responses((status = 201, description = "Offered", body = Product), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn create(State(app): State<App>, caller: Caller, body: Body<NewProduct>) -> Answer {
    let policy = caller.may(&app, Action::WriteOrders).await?;
    let new = &body.value;
    if let Some(information) = &new.prior_information {
        information.check()?;
    }
    let written = products::Written {
        name: &new.name.0,
        trial_seats: trial_seats(new.trial_seats, 0)?,
        sold: true,
        information: new.prior_information.as_ref().map(PriorInformation::parts),
    };
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    match products::insert(&mut write.tx, &new.id.0, written, write.now).await {
        Err(error) if is_unique_violation(&error) => {
            return Err(Problem::field("/id", "taken", "another product has this word").into());
        }
        inserted => inserted?,
    }
    let Some(row) = products::find(&mut write.tx, &new.id.0).await? else { return Err(Problem::not_found().into()) };
    let (version, shown) = (row.version, Product::from(row));
    let event = caller.event("product.created").about(&shown.id).with("policy", policy);
    audit::record(&mut write.tx, event.changed(Value::Null, serde_json::to_value(&shown)?), write.now).await?;
    write.finish(Written::created(format!("/api/v1/products/{}", shown.id), &shown)?.with_version(version)).await
}

/// Read a product.
#[utoipa::path(
    get, path = "/products/{product}", tag = "orders", params(("product" = String, Path, description = "The product")),
    responses((status = 200, description = "Found", body = Product), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn read(State(app): State<App>, caller: Caller, Path(product): Path<String>) -> Answer {
    caller.may(&app, Action::ReadOrders).await?;
    let row = products::find(&mut app.db.reader().await?, &product).await?;
    let Some(row) = row else { return Err(Problem::not_found().into()) };
    let version = row.version;
    found(&Product::from(row), version)
}

/// Change a product.
#[utoipa::path(
    patch, path = "/products/{product}", tag = "orders", request_body = ProductPatch,
    params(
        ("product" = String, Path, description = "The product"),
        ("If-Match" = String, Header, description = "`ETag` that was read")
    ),
    responses((status = 200, description = "As it is now", body = Product), Problems),
    security(("oauth2" = ["habilis.orders"]))
)]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(product): Path<String>,
    if_match: IfMatch,
    body: Body<ProductPatch>,
) -> Answer {
    let policy = caller.may(&app, Action::WriteOrders).await?;
    let patch = &body.value;
    if let Patched::Set(information) = &patch.prior_information {
        information.check()?;
    }
    let mut write = Write::begin(&app, &caller, &body.idempotency).await?;
    let before = products::find(&mut write.tx, &product).await?;
    let Some(before) = before else { return Err(Problem::not_found().into()) };
    if_match.check(before.version)?;
    let written = products::Written {
        name: patch.name.as_ref().map_or(before.name.as_str(), |name| &name.0),
        trial_seats: trial_seats(patch.trial_seats, before.trial_seats)?,
        sold: patch.sold.unwrap_or(before.sold),
        information: patch.prior_information.over(before.information(), PriorInformation::parts),
    };
    if !products::update(&mut write.tx, (&before.id, before.version), written, write.now).await? {
        return Err(stale(before.version).into());
    }
    let after = products::find(&mut write.tx, &product).await?;
    let Some(after) = after else { return Err(Problem::new(Code::Conflict, "it has gone").into()) };
    let (version, before, after) = (after.version, Product::from(before), Product::from(after));
    let event = caller.event("product.updated").about(&after.id).with("policy", policy);
    let event = event.changed(serde_json::to_value(&before)?, serde_json::to_value(&after)?);
    audit::record(&mut write.tx, event, write.now).await?;
    write.finish(Written::changed(&after)?.with_version(version)).await
}
