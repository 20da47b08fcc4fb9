//! The connection between the browser and an example, to be cut by a test.
//!
//! DevTools can emulate a browser that is offline, but leaves the streams alone that are open already.

use std::net::SocketAddr;

use tokio::{
    io::{copy, copy_bidirectional, sink},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Passes connections on to an example, while it is not cut.
pub(crate) struct Cable {
    address: SocketAddr,
    cut: watch::Sender<bool>,
    silent: watch::Sender<()>,
}

impl Cable {
    pub(crate) async fn to(example: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (cut, is_cut) = watch::channel(false);
        let (silent, is_silent) = watch::channel(());
        tokio::spawn(async move {
            while let Ok((browser, _)) = listener.accept().await {
                tokio::spawn(pass(browser, example, is_cut.clone(), is_silent.clone()));
            }
        });
        Self { address, cut, silent }
    }

    /// The address of one of the example's paths, at this end of the cable.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Ends every connection, and each new one until it is mended.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }

    pub(crate) fn mend(&self) {
        self.cut.send_replace(false);
    }

    /// Passes nothing more over the connections that are open now, and leaves them open.
    pub(crate) fn silence(&self) {
        self.silent.send_replace(());
    }
}

async fn pass(
    mut browser: TcpStream,
    example: SocketAddr,
    mut is_cut: watch::Receiver<bool>,
    mut is_silent: watch::Receiver<()>,
) {
    is_silent.mark_unchanged();
    let both_ways = async {
        let mut example = TcpStream::connect(example).await?;
        tokio::select! {
            passed = copy_bidirectional(&mut browser, &mut example) => passed,
            // Until the browser closes it.
            _ = is_silent.changed() => copy(&mut browser, &mut sink()).await.map(|bytes| (bytes, 0)),
        }
    };
    tokio::select! {
        biased;
        _ = is_cut.wait_for(|cut| *cut) => {}
        _ = both_ways => {}
    }
}
