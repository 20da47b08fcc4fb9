//! Longer texts, each on one thing.

#[doc = include_str!("../docs/browser_client.md")]
pub mod browser_client {}

#[doc = include_str!("../docs/topics_and_resume.md")]
pub mod topics_and_resume {}
