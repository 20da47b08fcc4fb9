//! Following topics with a stream.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::StatusCode;

use super::beginning::Beginning;
use super::follower::Follower;
use super::handle::Topic;
use super::hub::Hub;
use super::resume::ResetReason;
use super::snapshot::SnapshotError;
use super::state::TopicState;
use crate::engine::EngineError;
use crate::error::SendError;
use crate::runs::RunId;
use crate::stream::{Hidden, Sse};

/// Why a stream cannot follow its topics.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// `follow_all` was given topics of different hubs, whose events have no common order.
    #[error("the topics \"{0}\" and \"{1}\" are of different hubs; one id cannot resume both")]
    DifferentHubs(String, String),
    /// The stream follows something already.
    #[error("this stream follows already; to follow several topics, give all of them to one `follow_all`")]
    AlreadyFollowing,
    /// On a `bare` route, where the runtime cannot say it in-band: the stream cannot go on from the id that its client
    /// came with.
    #[error(
        "the stream cannot go on from the id of its client ({0}), and the route is `bare`: say so in its protocol"
    )]
    Reset(ResetReason),
    /// There is no such run, or it cannot be replayed any more.
    #[error("there is no run {run}")]
    NoSuchRun {
        /// Its id.
        run: RunId,
    },
    /// A snapshot hook failed.
    #[error(transparent)]
    Snapshot(SnapshotError),
    /// The engine failed.
    #[error("the engine behind the topic \"{topic}\" failed: {source}")]
    Engine {
        /// The topic's name.
        topic: String,
        /// What the engine said.
        source: EngineError,
    },
}

impl FollowError {
    /// What a client may see of it before the stream has begun.
    pub(crate) fn shown(&self) -> (StatusCode, Option<String>) {
        let says = |status, text: &str| (status, Some(text.to_owned()));
        match self {
            Self::Snapshot(error) => (error.status, error.public.clone()),
            Self::Reset(ResetReason::Malformed) => says(StatusCode::BAD_REQUEST, "not an id of this stream"),
            Self::Reset(ResetReason::TooFar) => {
                says(StatusCode::GONE, "more followed this id than is sent again")
            }
            Self::Reset(_) => says(StatusCode::GONE, "what followed this id is gone"),
            Self::NoSuchRun { .. } => says(StatusCode::NOT_FOUND, "no such run"),
            Self::Engine { .. } => (StatusCode::SERVICE_UNAVAILABLE, None),
            Self::DifferentHubs(..) | Self::AlreadyFollowing => (StatusCode::INTERNAL_SERVER_ERROR, None),
        }
    }
}

/// A topic to be followed, without its events' type.
pub(super) struct Followed {
    pub(super) topic: Arc<TopicState>,
    pub(super) beginning: Beginning,
}

impl<E> Sse<E> {
    /// Sends everything that is published on the topic from now on; for a client that has been here before, everything
    /// since. Goes on until the stream ends, or the returned future is dropped.
    ///
    /// The client first receives `sse-open`, with the position it begins at. Each event has an id; the client names the
    /// last one when it comes back (`Last-Event-ID`, which an `EventSource` sends by itself, or `?last_event_id=`) and
    /// gets every later one, in order, once. If that cannot be, it is told by `sse-reset` first. After that, and on a
    /// first visit, comes the topic's [`snapshot`](Topic::snapshot), if it has one.
    ///
    /// A client that reads so slowly that what it needs is not kept any more is treated as the route's `slow` option
    /// says. Nobody else notices.
    ///
    /// What the handler itself [`send`](Self::send)s meanwhile, from a clone or in a `select!`, goes between the topic's
    /// events, in no particular order to them; it should have no id, because the client would come back with that.
    ///
    /// # Errors
    /// - [`SendError::Closed`](crate::SendError::Closed): the stream is over. Not seen in the handler itself, which is
    ///   dropped then.
    /// - [`SendError::Follow`](crate::SendError::Follow): a snapshot failed, for instance; see [`FollowError`]. Before
    ///   the head was sent, it becomes an HTTP response as any error of the handler.
    /// - [`SendError::Finished`](crate::SendError::Finished): [`finish`](Self::finish) was called, by a clone.
    ///
    /// It is never `Ok`.
    ///
    /// # Cancel safety
    /// If the future is dropped, as by `select!`, everything that was published until then is still sent; but not to a
    /// client that has 32 KiB waiting for it already, or is behind what this process holds. The stream may then follow
    /// again, and goes on where it left off.
    ///
    /// ```
    /// use axum::extract::State;
    /// use sse_runtime::{Result, Sse, Topic, sse_route};
    ///
    /// #[sse_route("/news")]
    /// async fn news(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    ///     // Here is the place to check who asks: a client that resumes passes here like any other.
    ///     sse.follow(&topic).await?;
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "subscribe")]
    pub fn follow<'a>(&'a self, topic: &Topic<E>) -> Follow<'a> {
        self.follow_all([topic])
    }

    /// Follows several topics of one hub, over one connection: their events arrive in the order in which they were
    /// published, and one id resumes them all. Otherwise like [`follow`](Self::follow).
    ///
    /// With no topic at all, the stream stays open and quiet.
    ///
    /// ```
    /// use axum::extract::State;
    /// use sse_runtime::{Hub, Result, Sse, sse_route};
    ///
    /// #[sse_route("/prices/{symbols}")]
    /// async fn prices(sse: Sse, symbols: String, State(hub): State<Hub>) -> Result<()> {
    ///     sse.follow_all(symbols.split(',').map(|symbol| hub.topic(symbol))).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn follow_all<'a, I>(&'a self, topics: I) -> Follow<'a>
    where
        I: IntoIterator,
        I::Item: Borrow<Topic<E>>,
    {
        let mut followed: Vec<Followed> = Vec::new();
        let mut hub: Option<Hub> = None;
        let mut stranger = None;
        let mut known_topics = HashSet::new();
        for topic in topics {
            let topic: &Topic<E> = topic.borrow();
            let known = hub.get_or_insert_with(|| topic.hub.clone());
            if !Arc::ptr_eq(&known.0, &topic.hub.0) {
                stranger = stranger.or_else(|| Some(topic.name().to_owned()));
            } else if known_topics.insert(Arc::as_ptr(&topic.state)) {
                followed
                    .push(Followed { topic: Arc::clone(&topic.state), beginning: topic.beginning.clone() });
            }
        }
        let stream: &'a dyn Hidden = &**self.hidden();
        if let (Some(stranger), Some(first)) = (stranger, followed.first()) {
            let error = FollowError::DifferentHubs(first.topic.name.to_string(), stranger);
            return Follow { following: Box::pin(std::future::ready(Err(error.into()))) };
        }
        let mut follower = Follower::new(stream.shared(), hub, followed);
        // By reference: it lies in every following stream's memory, and should lie there once.
        Follow { following: Box::pin(async move { follower.run().await }) }
    }
}

/// Follows topics; see [`Sse::follow`].
#[must_use = "nothing is followed unless this is awaited"]
pub struct Follow<'a> {
    following: Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>>,
}

impl Future for Follow<'_> {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.following.as_mut().poll(cx)
    }
}

impl fmt::Debug for Follow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow").finish_non_exhaustive()
    }
}
