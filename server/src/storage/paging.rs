//! Pages of lists: one row more than asked for tells whether there are further ones.

/// Returns the number of rows to read for a page of `limit`.
pub fn one_more(limit: i64) -> i64 {
    limit.saturating_add(1)
}

/// Rows of one page.
pub struct Paged<T> {
    pub rows: Vec<T>,
    /// `true` if further rows follow.
    pub has_more: bool,
}

impl<T> Paged<T> {
    /// Makes a page of at most `limit` rows of what was read for it.
    pub fn from_rows(mut rows: Vec<T>, limit: impl TryInto<usize>) -> Self {
        let limit = limit.try_into().unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        Self { rows, has_more }
    }

    /// Returns the last row if further ones follow it: what the next page begins after.
    pub fn last_of_more(&self) -> Option<&T> {
        self.rows.last().filter(|_| self.has_more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_another_one_follows() {
        let page = |count: i64| Paged::from_rows((0..count).collect(), 3_i64);
        assert_eq!(
            (page(4).rows, page(4).last_of_more()),
            (vec![0, 1, 2], Some(&2))
        );
        assert_eq!(
            (page(3).rows, page(3).last_of_more()),
            (vec![0, 1, 2], None)
        );
        assert!(page(0).rows.is_empty() && !page(0).has_more);
        assert_eq!(one_more(i64::MAX), i64::MAX);
    }
}
