//! Why a stream ended, and what it had done by then.

use std::fmt;
use std::time::Duration;

/// Why a stream ended. `Display` prints the variant's name, the form to use as a log or metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client closed the connection, or its network did so visibly (FIN, RST, an HTTP/2 reset).
    ClientClosed,
    /// The client's network is gone, without a word: nothing that was sent was acknowledged. Seen through
    /// [`serve`](crate::serve), see [`Serve::peer_timeout`](crate::Serve::peer_timeout); elsewhere it is `ClientClosed`.
    PeerVanished,
    /// The client took nothing for the route's `send_timeout` while data was waiting for it, more than the buffers
    /// between hold.
    SendTimeout,
    /// The client followed a topic and read so slowly that events it had not got yet are not kept any more, on a route
    /// with `slow = "disconnect"`, the default.
    SlowClient,
    /// The server is shutting down.
    ServerShutdown,
    /// The stream reached the route's `max_age`, or the run the route's `run`.
    MaxAge,
    /// What its client was let in with has expired, by [`Sse::expires_at`](crate::Sse::expires_at).
    AuthExpired,
    /// It was ended by [`Registry::kick`](crate::Registry::kick).
    Kicked,
    /// It was a run, and ended by [`Run::cancel`](crate::Run::cancel).
    Cancelled,
    /// It was a run, and no client had followed it for the route's `run_idle`.
    Abandoned,
    /// It was a run, and had more events or bytes than the route's `run_events` or `run_bytes`.
    RunFull,
    /// The handler returned an error.
    HandlerError,
    /// The handler panicked.
    HandlerPanic,
    /// The handler returned: everything was said.
    Completed,
}

impl DisconnectReason {
    /// The variant's name.
    ///
    /// ```
    /// assert_eq!(sse_runtime::DisconnectReason::MaxAge.as_str(), "MaxAge");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientClosed => "ClientClosed",
            Self::PeerVanished => "PeerVanished",
            Self::SendTimeout => "SendTimeout",
            Self::SlowClient => "SlowClient",
            Self::ServerShutdown => "ServerShutdown",
            Self::MaxAge => "MaxAge",
            Self::AuthExpired => "AuthExpired",
            Self::Kicked => "Kicked",
            Self::Cancelled => "Cancelled",
            Self::Abandoned => "Abandoned",
            Self::RunFull => "RunFull",
            Self::HandlerError => "HandlerError",
            Self::HandlerPanic => "HandlerPanic",
            Self::Completed => "Completed",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What [`Sse::on_disconnect`](crate::Sse::on_disconnect) hooks receive, once, when a stream is over.
///
/// ```
/// use sse_runtime::{Disconnect, Result, Sse, sse_route};
///
/// #[sse_route("/clock")]
/// async fn clock(sse: Sse) -> Result<()> {
///     sse.on_disconnect(|gone: Disconnect| async move {
///         println!("{} after {:?}: {} events, {} bytes", gone.reason, gone.duration, gone.events, gone.bytes);
///     });
///     sse.send("tick").await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disconnect {
    /// Why the stream ended.
    pub reason: DisconnectReason,
    /// Events handed to the connection, the runtime's own included. What was still queued is not counted; what
    /// the kernel had accepted but the client never read is.
    pub events: u64,
    /// Bytes of body handed to the connection, comments and keep-alives included.
    pub bytes: u64,
    /// From the start of the request's handler to the end of the stream.
    pub duration: Duration,
    /// What the client would name if it reconnected now: the id of the last event handed to the connection that
    /// had one, else the `Last-Event-ID` the client came with.
    pub last_event_id: Option<String>,
}
