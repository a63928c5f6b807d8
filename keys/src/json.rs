//! JSON objects in which no member appears twice, at any depth (RFC 7515 §4, RFC 7519 §4, RFC 8725 §2.4).
//!
//! Two readers that pick different duplicates see two different tokens; refusing them leaves nothing to disagree about.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads a JSON object, or nothing when the text is no object, nests deeper than 128 levels, or repeats a member.
pub(crate) fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice::<NoDuplicate>(bytes).ok()?;
    serde_json::from_slice(bytes).ok()
}

/// Any JSON value, kept only as the knowledge that no object in it repeats a member.
struct NoDuplicate;

impl<'de> Deserialize<'de> for NoDuplicate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = NoDuplicate;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without duplicate members")
    }

    fn visit_bool<E>(self, _: bool) -> Result<NoDuplicate, E> {
        Ok(NoDuplicate)
    }

    fn visit_i64<E>(self, _: i64) -> Result<NoDuplicate, E> {
        Ok(NoDuplicate)
    }

    fn visit_u64<E>(self, _: u64) -> Result<NoDuplicate, E> {
        Ok(NoDuplicate)
    }

    fn visit_f64<E>(self, _: f64) -> Result<NoDuplicate, E> {
        Ok(NoDuplicate)
    }

    fn visit_str<E>(self, _: &str) -> Result<NoDuplicate, E> {
        Ok(NoDuplicate)
    }

    fn visit_unit<E>(self) -> Result<NoDuplicate, E> {
        Ok(NoDuplicate)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<NoDuplicate, A::Error> {
        while items.next_element::<NoDuplicate>()?.is_some() {}
        Ok(NoDuplicate)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<NoDuplicate, A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !seen.insert(name) {
                return Err(A::Error::custom("duplicate member"));
            }
            members.next_value::<NoDuplicate>()?;
        }
        Ok(NoDuplicate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_appears_twice_is_refused_at_any_depth() {
        assert!(object(br#"{"a":1,"b":[true,null,-1,1.5,"x",{"a":1}]}"#).is_some());
        assert!(object(br#"{"a":1,"a":1}"#).is_none());
        assert!(object(br#"{"a":1,"\u0061":2}"#).is_none(), "escaped spelling of the same name");
        assert!(object(br#"{"a":[{"b":{"c":1,"c":2}}]}"#).is_none());
    }

    #[test]
    fn only_one_whole_object_is_read() {
        assert!(object(b"[1]").is_none());
        assert!(object(b"{} {}").is_none());
        assert!(object(b"{").is_none());
        assert!(object("[".repeat(100_000).as_bytes()).is_none(), "deep nesting is refused, not followed");
    }
}
