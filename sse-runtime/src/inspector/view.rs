//! What a page wants to see: the query of its stream.

use super::secret::masked;

/// `?filter=text&sort=blocked&tail=all`
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// Only streams and topics with this in them; in lower case.
    pub(super) filter: String,
    pub(super) sort: Sort,
    pub(super) tail: Tail,
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Oldest,
    Newest,
    Events,
    Bytes,
    Backlog,
    Blocked,
}

/// Whose events are shown as they leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tail {
    #[default]
    Nobody,
    Everybody,
    /// The stream of this number.
    One(u64),
}

impl View {
    /// What says nothing known counts as not said.
    pub(super) fn read(query: &str) -> Self {
        let mut view = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                // Like the texts in which it is looked for: who knows a whole id finds it, and a part tells nothing of the rest.
                "filter" => view.filter = masked(&value.to_lowercase()),
                "sort" => {
                    view.sort = match &*value {
                        "newest" => Sort::Newest,
                        "events" => Sort::Events,
                        "bytes" => Sort::Bytes,
                        "backlog" => Sort::Backlog,
                        "blocked" => Sort::Blocked,
                        _ => Sort::Oldest,
                    }
                }
                "tail" if value == "all" => view.tail = Tail::Everybody,
                "tail" => view.tail = value.parse().map_or(Tail::Nobody, Tail::One),
                _ => {}
            }
        }
        view
    }

    /// Whether a text is wanted.
    pub(super) fn wants(&self, text: &str) -> bool {
        self.filter.is_empty() || text.to_lowercase().contains(&self.filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_is_wanted_and_anything_else_nothing() {
        let view = View::read("filter=R%C3%B6ms&sort=blocked&tail=17&more=x");
        assert_eq!(view, View { filter: "röms".to_owned(), sort: Sort::Blocked, tail: Tail::One(17) });
        assert!(view.wants("/cafés/RÖMS/7") && !view.wants("/roms"));
        assert_eq!(View::read("tail=all").tail, Tail::Everybody);
        for garbage in ["", "&&==&", "tail=-1&sort=%ff", "tail=", "filter"] {
            assert_eq!(View::read(garbage), View::default(), "{garbage}");
        }
    }
}
