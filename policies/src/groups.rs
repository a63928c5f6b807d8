//! Groups of members: a community takes so many and no more, and may begin with fewer (R016: groups of four, from three on).

/// Members of a group at the most, whatever its own limit.
pub const MOST: u32 = 10_000;

/// The group takes nobody any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the group is full: {size} of {limit}")]
pub struct GroupFull {
    /// Members it has.
    pub size: u32,
    /// Members it may have.
    pub limit: u32,
}

/// Says whether a group of `size` takes one more; the caller holds the group while it counts, asks and adds.
///
/// # Errors
/// [`GroupFull`] with the figures to show.
pub fn admit(size: u32, limit: u32) -> Result<(), GroupFull> {
    if size < limit.min(MOST) { Ok(()) } else { Err(GroupFull { size, limit }) }
}

/// Whether a group has as many as it begins with.
pub fn may_start(size: u32, starts_from: u32) -> bool {
    size >= starts_from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_four_starts_with_three_and_takes_no_fifth() {
        for (size, admitted, started) in
            [(0, true, false), (2, true, false), (3, true, true), (4, false, true), (5, false, true)]
        {
            assert_eq!(admit(size, 4).is_ok(), admitted, "{size}");
            assert_eq!(may_start(size, 3), started, "{size}");
        }
        assert_eq!(admit(4, 4), Err(GroupFull { size: 4, limit: 4 }));
        assert!(admit(MOST, u32::MAX).is_err());
    }
}
