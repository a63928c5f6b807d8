//! What one person asks for and another settles (successions, overrides, offers) is listed and answered alike.

use serde::Deserialize;
use utoipa::ToSchema;

use super::body::fields;
use super::page::{self, Paging};
use super::problem::Problem;

/// What is said to a request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionNote {
    /// For the other side, and the audit trail.
    #[serde(default, deserialize_with = "fields::optional")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    pub(super) note: Option<fields::Paragraph>,
}

impl DecisionNote {
    pub(super) fn text(&self) -> Option<&str> {
        self.note.as_ref().map(|note| note.0.as_str())
    }
}

/// Which requests.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RequestQuery {
    /// With this status only.
    status: Option<String>,
    /// Rows at the most, 1 to 200; 50 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 512)]
    cursor: Option<String>,
}

impl RequestQuery {
    pub(super) fn status(&self, known: &[&str]) -> Result<Option<&str>, Problem> {
        page::one_of("status", self.status.as_deref(), known)
    }

    pub(super) fn paging(&self) -> Paging {
        Paging::new(self.limit, self.cursor.clone())
    }
}
