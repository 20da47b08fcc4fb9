//! Longer texts, each on one thing.

#[doc = include_str!("../docs/browser_client.md")]
pub mod browser_client {}

// Its examples use the client that the feature brings; without that, they are only to be read.
#[cfg(any(not(doctest), feature = "testing"))]
#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/topics_and_resume.md")]
pub mod topics_and_resume {}

#[doc = include_str!("../docs/typed_events.md")]
pub mod typed_events {}

#[doc = include_str!("../docs/who_may_listen.md")]
pub mod who_may_listen {}
