//! Whose stream it is, and until when.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Sse;

/// As good as never, for moments that no clock reaches.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

/// A moment at which something expires: an [`Instant`] (tokio's or the standard library's), or a [`SystemTime`], as in a
/// token's `exp` (`UNIX_EPOCH + Duration::from_secs(exp)`), which is converted once, by the system's clock of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry(pub(super) Instant);

impl From<Instant> for Expiry {
    fn from(when: Instant) -> Self {
        Self(when)
    }
}

impl From<std::time::Instant> for Expiry {
    fn from(when: std::time::Instant) -> Self {
        Self(when.into())
    }
}

impl From<SystemTime> for Expiry {
    fn from(when: SystemTime) -> Self {
        let left = when.duration_since(SystemTime::now()).unwrap_or_default();
        Self(Instant::now() + left.min(FAR))
    }
}

impl<E> Sse<E> {
    /// Ends the stream at `when`, because what its client was let in with (a session, a token) is good until then: the last
    /// event is `sse-bye` with data `{"reason":"AuthExpired"}` (none on `bare` routes, which are cut, or answered 503 while their head is not out), the reason is
    /// [`AuthExpired`](crate::DisconnectReason::AuthExpired). The client reconnects, and then meets what every request meets:
    /// who has nothing better to show is refused by the route's extractors.
    ///
    /// A later call replaces an earlier one: a session that was prolonged, say. A moment in the past ends the stream at once;
    /// the precision is 50 ms.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use sse_runtime::{Result, Sse, sse_route};
    ///
    /// struct Token { user: String, exp: u64 }
    /// # impl<S: Sync> axum::extract::FromRequestParts<S> for Token {
    /// #     type Rejection = sse_runtime::StatusCode;
    /// #     async fn from_request_parts(_: &mut axum::http::request::Parts, _: &S) -> std::result::Result<Self, Self::Rejection> {
    /// #         Ok(Self { user: "ada".to_owned(), exp: 4_000_000_000 })
    /// #     }
    /// # }
    ///
    /// #[sse_route("/inbox")]
    /// async fn inbox(sse: Sse, token: Token) -> Result<()> {
    ///     sse.set_principal(&token.user);
    ///     sse.expires_at(UNIX_EPOCH + Duration::from_secs(token.exp));
    ///     sse.send("hello").await?;
    ///     Ok(())
    /// }
    /// # let _: axum::Router = sse_runtime::routes![inbox];
    /// ```
    pub fn expires_at(&self, when: impl Into<Expiry>) {
        let Expiry(when) = when.into();
        Arc::clone(self.hidden()).expire_at(when);
    }

    /// Says whose stream this is: the name of a user or account, for [`Registry`](crate::Registry) to find it by, and for
    /// the stream's tracing span. A later call replaces an earlier one. It is never sent to a client.
    pub fn set_principal(&self, principal: impl Into<String>) {
        self.shared().set_principal(principal.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_time_of_day_is_as_far_away_as_it_is() {
        let Expiry(when) = (SystemTime::now() + Duration::from_secs(60)).into();
        let left = when - Instant::now();
        assert!((59.0..=60.0).contains(&left.as_secs_f64()), "{left:?}");
        assert_eq!(Expiry::from(SystemTime::UNIX_EPOCH), Expiry(Instant::now()));
    }
}
