//! Longer texts, each on one thing.

#[doc = include_str!("../docs/browser_client.md")]
pub mod browser_client {}

#[cfg(feature = "postgres")]
#[doc = include_str!("../docs/database_changes.md")]
pub mod database_changes {}

// Its examples use the client that the feature brings; without that, they are only to be read.
#[cfg(any(not(doctest), feature = "testing"))]
#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[cfg(any(not(doctest), feature = "redb"))]
#[doc = include_str!("../docs/long_tasks.md")]
pub mod long_tasks {}

#[doc = include_str!("../docs/more_than_one_machine.md")]
pub mod more_than_one_machine {}

#[doc = include_str!("../docs/observability.md")]
pub mod observability {}

#[doc = include_str!("../docs/production.md")]
pub mod production {}

#[doc = include_str!("../docs/topics_and_resume.md")]
pub mod topics_and_resume {}

#[doc = include_str!("../docs/typed_events.md")]
pub mod typed_events {}

#[doc = include_str!("../docs/who_may_listen.md")]
pub mod who_may_listen {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::stream::Meta;

    /// What the table of defaults says of one thing.
    fn stated(what: &str) -> &'static str {
        let table = include_str!("../docs/production.md");
        let row = table.lines().find_map(|line| line.strip_prefix("| ")?.strip_prefix(what));
        let cells =
            row.and_then(|row| row.strip_prefix(" | ")).unwrap_or_else(|| panic!("no row for {what}"));
        cells.split(" | ").next().expect("a cell")
    }

    fn seconds(limit: Option<Duration>) -> String {
        limit.map_or("none".to_owned(), |limit| format!("{} s", limit.as_secs()))
    }

    #[test]
    fn the_defaults_are_those_that_the_table_states() {
        let meta = Meta::new("test", "/");
        assert_eq!(stated("`keep_alive`"), seconds(meta.keep_alive));
        assert_eq!(stated("`send_timeout`"), seconds(meta.send_timeout));
        assert_eq!(stated("`open_after`"), seconds(meta.open_after));
        assert_eq!(stated("`max_age`"), seconds(meta.max_age));
        assert_eq!(stated("`max_event`"), format!("{} KiB", meta.max_event / 1024));
        assert_eq!(
            stated("`max_streams`"),
            meta.max_streams.map_or("none".to_owned(), |most| most.to_string())
        );
    }
}
