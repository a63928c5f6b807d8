//! Who must have a second factor: by role, by organization, by portal.
//!
//! The strictest rule wins, and no rule of one takes back what another asks.

use serde::{Deserialize, Serialize};

/// People of whom the operator of the server asks a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The operator's own staff.
    Operators,
    /// The data protection officer.
    Privacy,
    /// Administrators of an organization.
    Administrators,
    /// Everybody.
    Everybody,
}

/// What an organization or a portal asks of its people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// What others ask.
    #[default]
    Optional,
    /// A second factor.
    Required,
}

impl Rule {
    /// Whether nothing is asked.
    pub fn is_optional(&self) -> bool {
        *self == Self::Optional
    }
}

/// Who somebody is, as far as these rules go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Staff of the operator.
    pub operator: bool,
    /// Data protection officer.
    pub privacy: bool,
    /// Administrator of an active organization.
    pub administrator: bool,
    /// What the strictest of their active organizations asks.
    pub organization: Rule,
}

/// Says what is asked of somebody on the way to a portal that asks `portal`.
pub fn asked(roles: &[Role], standing: &Standing, portal: Rule) -> Rule {
    let by_role = roles.iter().any(|role| match role {
        Role::Operators => standing.operator,
        Role::Privacy => standing.privacy,
        Role::Administrators => standing.administrator,
        Role::Everybody => true,
    });
    if by_role || standing.organization == Rule::Required || portal == Rule::Required {
        Rule::Required
    } else {
        Rule::Optional
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Rule::{Optional, Required};

    #[test]
    fn the_strictest_rule_wins() {
        let nobody = Standing::default();
        let operator = Standing { operator: true, ..nobody };
        let officer = Standing { privacy: true, ..nobody };
        let administrator = Standing { administrator: true, ..nobody };
        let member = Standing { organization: Required, ..nobody };
        let both = [Role::Operators, Role::Administrators];
        let staff = [Role::Operators, Role::Privacy];
        for (roles, standing, portal, expected) in [
            (&[][..], nobody, Optional, Optional),
            (&[], operator, Optional, Optional),
            (&both, nobody, Optional, Optional),
            (&both, operator, Optional, Required),
            (&both, administrator, Optional, Required),
            (&[Role::Operators], administrator, Optional, Optional),
            (&staff, operator, Optional, Required),
            (&staff, officer, Optional, Required),
            (&staff, administrator, Optional, Optional),
            (&staff, nobody, Optional, Optional),
            (&both, officer, Optional, Optional),
            (&[Role::Privacy], operator, Optional, Optional),
            (&[Role::Everybody], nobody, Optional, Required),
            (&[], member, Optional, Required),
            (&[], nobody, Required, Required),
        ] {
            assert_eq!(asked(roles, &standing, portal), expected, "{roles:?} {standing:?} {portal:?}");
        }
    }
}
