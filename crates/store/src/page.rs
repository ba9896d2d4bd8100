//! Cursor pagination, the same for every list.

/// Rows of one page at most; a larger limit is lowered to this.
pub const PAGE_ROWS_MAX: usize = 500;

/// Which part of a list is wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageRequest {
    /// [`Page::next`] of the page before; `None` for the first. Opaque to clients.
    pub after: Option<String>,
    /// Rows wanted; 0 means 50, and never more than [`PAGE_ROWS_MAX`].
    pub limit: usize,
}

impl PageRequest {
    /// The first `limit` rows.
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }

    /// The limit after the house rules.
    pub(crate) fn rows(&self) -> usize {
        match self.limit {
            0 => 50,
            n => n.min(PAGE_ROWS_MAX),
        }
    }
}

/// One page of a list.
#[derive(Clone, PartialEq, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// What to ask for the next page with; `None` when this was the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts a list that was read with one row more than asked for.
    pub(crate) fn cut(mut items: Vec<T>, rows: usize, cursor: impl Fn(&T) -> String) -> Self {
        let more = items.len() > rows;
        items.truncate(rows);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }

    /// The same page with other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            next: self.next,
        }
    }
}
