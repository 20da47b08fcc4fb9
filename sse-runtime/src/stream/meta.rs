//! What an attribute says about its route, as a constant.

use std::time::Duration;

use axum::routing::MethodFilter;

use super::Slow;
use crate::wire::DEFAULT_MAX_EVENT;

/// The options of one route, built in a `static` by the attribute's expansion.
#[derive(Clone, Debug)]
pub struct Meta {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) methods: MethodFilter,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) retry: Option<Duration>,
    pub(crate) open_after: Option<Duration>,
    pub(crate) send_timeout: Option<Duration>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) end: Option<&'static str>,
    pub(crate) max_event: usize,
    pub(crate) slow: Slow,
    pub(crate) max_streams: Option<usize>,
    pub(crate) bare: bool,
}

/// Setters that an expansion calls for the options it was given.
macro_rules! setters {
    ($($option:ident: $type:ty,)*) => {
        $(
            #[allow(missing_docs)]
            #[must_use]
            pub const fn $option(mut self, $option: $type) -> Self {
                self.$option = $option;
                self
            }
        )*
    };
}

impl Meta {
    /// A route with every option at its default.
    #[must_use]
    pub const fn new(name: &'static str, path: &'static str) -> Self {
        Self {
            name,
            path,
            methods: MethodFilter::GET,
            keep_alive: Some(Duration::from_secs(15)),
            retry: None,
            open_after: Some(Duration::from_secs(1)),
            send_timeout: Some(Duration::from_secs(30)),
            max_age: None,
            end: None,
            max_event: DEFAULT_MAX_EVENT,
            slow: Slow::Disconnect,
            max_streams: None,
            bare: false,
        }
    }

    setters! {
        methods: MethodFilter,
        keep_alive: Option<Duration>,
        open_after: Option<Duration>,
        send_timeout: Option<Duration>,
        max_age: Option<Duration>,
        max_event: usize,
        slow: Slow,
        max_streams: Option<usize>,
    }

    #[allow(missing_docs)]
    #[must_use]
    pub const fn retry(mut self, retry: Duration) -> Self {
        self.retry = Some(retry);
        self
    }

    #[allow(missing_docs)]
    #[must_use]
    pub const fn end(mut self, name: &'static str) -> Self {
        self.end = Some(name);
        self
    }

    #[allow(missing_docs)]
    #[must_use]
    pub const fn bare(mut self) -> Self {
        self.bare = true;
        self
    }
}
