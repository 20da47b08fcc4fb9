//! Every way from a stream to a client.

use std::net::SocketAddr;

use super::app::App;
use super::client::{Client, End, Protocol, Reader};
use super::program::Nginx;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// The location of nginx through which it goes, if it does.
    pub(crate) location: Option<&'static str>,
    pub(crate) protocol: Protocol,
    /// Whether we compress.
    pub(crate) packed: bool,
}

impl Way {
    fn path(self, path: &str) -> String {
        let location = self.location.map(|location| format!("/{location}")).unwrap_or_default();
        format!("{location}/{}{path}", if self.packed { "packed" } else { "plain" })
    }

    /// What is left of a cut. Over HTTP/1.0, which these locations speak, the end of the connection is the end of the
    /// response, and nginx passes it on as such.
    pub(crate) fn end_of_a_cut(self) -> End {
        match self.location {
            Some("default" | "gzip") if self.packed => End::CutInGzip,
            Some("default" | "gzip") => End::Whole,
            _ => End::Cut,
        }
    }

    /// Whether it arrives compressed, by whomever.
    pub(crate) fn is_gzip(self) -> bool {
        self.packed || self.location == Some("gzip")
    }
}

/// The application, and nginx in front of it.
pub(crate) struct Site {
    pub(crate) app: App,
    pub(crate) nginx: Nginx,
}

impl Site {
    pub(crate) async fn start() -> Self {
        let app = App::start().await;
        let nginx = Nginx::start(app.address).await;
        Self { app, nginx }
    }

    fn address(&self, way: Way) -> SocketAddr {
        match (way.location, way.protocol) {
            (None, _) => self.app.address,
            (Some(_), Protocol::Http1) => self.nginx.http1,
            (Some(_), Protocol::Http2) => self.nginx.http2,
        }
    }

    /// Asks for a path, on a connection of its own, which is still there when the response is dropped.
    pub(crate) async fn get(&self, way: Way, path: &str, headers: &[(&str, &str)]) -> (Client, Reader) {
        let mut client = Client::connect(self.address(way), way.protocol).await;
        let reader = client.get(&way.path(path), headers).await;
        (client, reader)
    }
}

pub(crate) fn all() -> impl Iterator<Item = Way> {
    let locations = [None, Some("default"), Some("readme"), Some("gzip")];
    let protocols = [Protocol::Http1, Protocol::Http2];
    locations.into_iter().flat_map(move |location| {
        protocols
            .into_iter()
            .flat_map(move |protocol| [false, true].map(|packed| Way { location, protocol, packed }))
    })
}
