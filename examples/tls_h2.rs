//! TLS and HTTP/2: a hundred streams of one page over one TCP connection, where HTTP/1.1 stops at six.
//!
//! ```text
//! cargo run --example tls_h2
//! curl -N --insecure https://127.0.0.1:3443/ticks
//! ```
//!
//! Open <https://127.0.0.1:3443>. The certificate is made at the start and signed by nobody, so the browser warns
//! first. All hundred streams open, and the page says over how many connections. Then open <http://127.0.0.1:3000>,
//! the same page over HTTP/1.1: six streams open, and everything else that the page asks for waits until one ends.
//! Ctrl-C ends the streams of both.

use std::{env, io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, State},
    http::Version,
    response::Html,
    routing::get,
};
use axum_server::{
    Handle, Server,
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use serde::Serialize;
use sse_runtime::{Event, Hub, Result, Shutdown, Sse, Topic, listen, routes, serve, sse_route};
use tokio::{net::TcpListener, time::interval};

/// How long streams and hooks have to end, once the shutdown has begun.
const DRAIN: Duration = Duration::from_secs(5);
/// A head that takes longer is not worth a connection, and a browser that answers no ping for that long is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says over which connection it comes, and then how late it is.
#[sse_route("/ticks")]
async fn ticks(
    sse: Sse,
    version: Version,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    State(clock): State<Topic>,
) -> Result<()> {
    let connection = Connection { protocol: format!("{version:?}"), peer };
    sse.send(Event::new("connection").json(&connection)?).await?;
    sse.follow(&clock).await?;
    Ok(())
}

/// Streams with the same peer share a connection.
#[derive(Serialize)]
struct Connection {
    protocol: String,
    peer: SocketAddr,
}

/// One publisher for all streams.
async fn run(clock: Topic) -> Result<()> {
    let mut second = interval(Duration::from_secs(1));
    for n in 1_u64.. {
        second.tick().await;
        clock.publish(Event::new("tick").data(n.to_string())).await?;
    }
    Ok(())
}

/// The page is the same on both ports, and links to the other one.
fn app(plain: SocketAddr, secure: SocketAddr, clock: Topic) -> Router {
    let page = include_str!("tls_h2.html")
        .replace("{plain}", &format!("http://{plain}"))
        .replace("{secure}", &format!("https://{secure}"));
    Router::new().route("/", get(|| async { Html(page) })).merge(routes![ticks]).with_state(clock)
}

/// A certificate for this run only. A program that is reached from elsewhere has one from an authority:
/// `RustlsConfig::from_pem_file`.
async fn certificate() -> Result<RustlsConfig> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    // Browsers choose HTTP/2 in the TLS handshake (ALPN); this offers it, and HTTP/1.1 besides.
    Ok(RustlsConfig::from_der(vec![made.cert.der().to_vec()], made.signing_key.serialize_der()).await?)
}

/// What `serve` does by itself on the plain port, said by hand.
fn over_tls(
    listener: TcpListener,
    certificate: RustlsConfig,
    handle: Handle<SocketAddr>,
) -> io::Result<Server<SocketAddr, RustlsAcceptor<NoDelayAcceptor>>> {
    let tls = RustlsAcceptor::new(certificate).acceptor(NoDelayAcceptor::new());
    let mut server = axum_server::from_tcp(listener.into_std()?)?.handle(handle).acceptor(tls);
    server.http_builder().http1().header_read_timeout(PATIENCE);
    // hyper allows 200 streams on a connection; `max_concurrent_streams` sets another limit.
    server.http_builder().http2().keep_alive_interval(PATIENCE).keep_alive_timeout(PATIENCE);
    Ok(server.first_request_timeout(PATIENCE))
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let tls_port = env::var("TLS_PORT").unwrap_or_else(|_| "3443".to_owned());
    let plain = listen(format!("127.0.0.1:{port}")).await?;
    let secure = TcpListener::bind(format!("127.0.0.1:{tls_port}")).await?;
    let addresses = (plain.local_addr()?, secure.local_addr()?);

    let clock = Hub::in_memory().build().topic("clock");
    // One shutdown for both: `serve` begins it on Ctrl-C or SIGTERM, and the layer tells the streams of the other server.
    let shutdown = Shutdown::new();
    let app = app(addresses.0, addresses.1, clock.clone()).layer(shutdown.clone());
    let over_http = serve(plain, app.clone()).shutdown(shutdown.clone()).drain_timeout(DRAIN);
    let handle = Handle::new();
    let over_tls = over_tls(secure, certificate().await?, handle.clone())?
        .serve(app.into_make_service_with_connect_info::<SocketAddr>());
    let stop = async {
        shutdown.begun().await;
        handle.graceful_shutdown(Some(DRAIN));
        Ok(())
    };
    println!("listening on https://{}", addresses.1);
    println!("listening on http://{}", addresses.0);

    tokio::select! {
        served = async { tokio::try_join!(over_http.into_future(), over_tls, stop) } => { served?; }
        stopped = run(clock) => stopped?,
    }
    Ok(())
}
