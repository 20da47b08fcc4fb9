//! What a client says of having been here before.

/// The last event that a client has seen, by its own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It says nothing.
    Nothing,
    /// The event with this id.
    Id(Box<str>),
    /// Something that no client of ours can have been told to say.
    Malformed,
}

impl Asked {
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Id(id) => Some(id),
            Self::Nothing | Self::Malformed => None,
        }
    }
}
