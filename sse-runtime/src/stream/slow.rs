//! What becomes of a client that is too slow for the topic it follows.

/// What happens to a client that follows a topic and reads so slowly that events it has not got yet have left the
/// topic's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slow {
    /// The stream ends with an in-band goodbye, and its reason is `SlowClient`. The client reconnects, and is told by a
    /// reset what it missed.
    #[default]
    Disconnect,
    /// The client is told with an `sse-gap` event, and the stream goes on with the oldest event that is still there.
    Skip,
    /// The client is told with an `sse-gap` event, and is then sent, of what is there, only the newest event of each key.
    Latest,
}
