//! Why a request is not let in, and what its client is told.

use axum::response::{IntoResponse, Response};
use http::StatusCode;

/// How much of a client's own words it gets back.
const SHOWN: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the request names no host: it needs one `Host` header")]
    NoHost,
    #[error("the request has several `Host` headers")]
    SeveralHosts,
    #[error("not a host: {0:?}")]
    NotAHost(String),
    #[error("this server does not answer for the host {0:?}: it is not among those that it allows")]
    OtherHost(String),
    #[error("the request has several `Origin` headers")]
    SeveralOrigins,
    #[error("this server does not answer pages of the origin {0:?}: it is not among those that it allows")]
    OtherOrigin(String),
}

impl Refusal {
    /// What a request says is shown short, whatever it is.
    pub(super) fn quoting(refusal: fn(String) -> Self, value: &[u8]) -> Self {
        refusal(String::from_utf8_lossy(value).chars().take(SHOWN).collect())
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            // As HTTP/1.1 demands (RFC 9112, 3.2).
            Self::NoHost | Self::SeveralHosts | Self::NotAHost(_) => StatusCode::BAD_REQUEST,
            // The one status which says that it is the address that is wrong, and not who asks. Over HTTP/2 a browser may
            // ask for a host over the connection of another one with the same certificate: this tells it not to.
            Self::OtherHost(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::SeveralOrigins | Self::OtherOrigin(_) => StatusCode::FORBIDDEN,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}
