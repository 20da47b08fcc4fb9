//! What is known of a request when its stream begins.

use std::net::IpAddr;
use std::sync::Arc;

use super::Asked;
use crate::lifecycle::{Connection, Permit, Shutdowns};

pub(crate) struct Arrival {
    pub(crate) asked: Asked,
    pub(crate) shutdowns: Shutdowns,
    /// On our own server.
    pub(crate) connection: Option<Arc<Connection>>,
    pub(crate) client: Option<IpAddr>,
    pub(crate) permit: Option<Permit>,
    /// What was asked for: the path as it came.
    #[cfg(feature = "inspector")]
    pub(crate) path: Box<str>,
}

impl Arrival {
    /// That of the run which the request begins: it goes on without the connection.
    pub(crate) fn of_a_run(&self) -> Self {
        Self {
            asked: Asked::Nothing,
            shutdowns: self.shutdowns.clone(),
            connection: None,
            client: self.client,
            permit: None,
            #[cfg(feature = "inspector")]
            path: self.path.clone(),
        }
    }
}
