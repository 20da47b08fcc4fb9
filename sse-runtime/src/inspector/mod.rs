//! A page that shows what lives: routes, streams, runs, topics, and events as they leave.
//!
//! | file | what |
//! |---|---|
//! | `gate` | who is let in |
//! | `look`, `view` | the stream that feeds the page, a route of this library, and what its query asks for |
//! | `overview` | all that there is, once a second |
//! | `tail` | events as they leave |
//! | `press` | the buttons |
//! | `runs` | runs, and their button |
//! | `secret` | what is not shown of any text |
//! | `page/` | what the browser loads |

mod gate;
mod history;
mod look;
mod overview;
mod press;
mod runs;
mod secret;
mod tail;
mod view;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use tokio::time::Instant;

use crate::AllowedHosts;
use crate::asset::Asset;
use crate::lifecycle::{Registry, Shutdown};
use crate::topic::Hub;
use gate::Gate;
use history::History;

/// A page at `/_sse` that shows routes, streams, runs and topics while they live. With the feature `inspector`.
///
/// ```no_run
/// use sse_runtime::{Hub, Inspector, Result, Shutdown, Sse, listen, routes, serve, sse_route};
///
/// #[sse_route("/ticks")]
/// async fn ticks(sse: Sse) -> Result<()> {
///     loop {
///         sse.send("tick").await?;
///         tokio::time::sleep(std::time::Duration::from_secs(1)).await;
///     }
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<()> {
///     let (shutdown, hub) = (Shutdown::new(), Hub::in_memory().build());
///     let app = routes![ticks].merge(Inspector::new(&shutdown).hub("main", &hub).routes());
///     serve(listen("127.0.0.1:3000").await?, app).shutdown(shutdown).await?;
///     Ok(())
/// }
/// ```
///
/// Open <http://127.0.0.1:3000/_sse>. It shows
/// - the routes that are mounted in this process, with their options and their streams;
/// - the open streams: whose they are, what they have sent, what waits in them and for how long;
/// - the [runs](crate::Runs) of all routes in this process, whichever layer keeps them, that end with the same
///   [`Shutdown`] as those streams; for as long as they can be replayed, those that are over too, with the reason. Runs of
///   other nodes are on the pages of these;
/// - the topics of the hubs it was given, and what is kept of each;
/// - how many events a second leave, over the last minutes;
/// - events as they leave, of all streams or of one: their name, their id, the first 200 bytes of their data.
///
/// Of the id of a run, and of the token with which clients answer into a stream, the first six of 26 letters are shown, here
/// and wherever a text looks like one: whoever knows such an id can come to the run.
///
/// And it has buttons, to try what a page of yours makes of
/// - **Close**: the stream ends as by [`Registry::kick`], with an `sse-bye` that says so;
/// - **Stall**: nothing leaves any more, no keep-alive either, as if the network took nothing: until it is released, or
///   until the route's `send_timeout` cuts it, or it is ended;
/// - **Send**: an event of any name and data that its handler knows nothing of;
/// - **Cancel**, pressed twice: the run ends as by [`Run::cancel`](crate::Run::cancel), with an `sse-bye` that says so.
///
/// # What it costs
///
/// While nobody has the page open, a load of one atomic number for each frame, and a copy of its path for each stream.
/// An open page asks all streams once a second, or so seldom that it takes a twentieth of one core. While it
/// shows events, a frame of any stream costs a short lock besides. No stream waits for it: of events that leave faster than they can be shown, the page says how many it left out.
///
/// # Who may see it
///
/// It shows what your clients are sent, so it is for the machine that it runs on. A request is refused
/// - if it comes from another machine, or if that is not known (plain `axum::serve` says it only with
///   `into_make_service_with_connect_info::<SocketAddr>()`);
/// - if it comes through a proxy, by its headers `Forwarded`, `X-Forwarded-*`, `X-Real-IP` or `Via`, or because it speaks
///   HTTP/1.0, as nginx does by default and no browser does: the proxy is on this machine, but its client need not be.
///   *A proxy that shows in none of these ways cannot be told from a browser*, so do not mount the inspector in what the
///   world reaches through one;
/// - if it is for another host than `localhost`, `*.localhost` or a loopback address, as it is when a page of somebody else
///   makes its own name resolve to 127.0.0.1 (by [`AllowedHosts`]);
/// - if another page than the inspector's own sent it, by `Sec-Fetch-Site` and `Origin`: none can read the streams, or
///   press the buttons.
///
/// [`allow_remote`](Self::allow_remote) and [`allowed_hosts`](Self::allowed_hosts) change that. The page loads nothing from
/// elsewhere, and its `Content-Security-Policy` would not let it.
#[must_use = "an inspector does nothing until its routes are merged into a router"]
pub struct Inspector {
    registry: Registry,
    hubs: Vec<(String, Hub)>,
    gate: Gate,
    hosts: AllowedHosts,
}

/// What the inspector's routes share.
struct Inner {
    registry: Registry,
    hubs: Vec<(String, Hub)>,
    /// Tells one run of the program from another, whose streams have other numbers.
    program: u64,
    started: Instant,
    history: History,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Path, type and text. The page finds the others beside it, wherever it is nested.
const FILES: [(&str, &str, &str); 6] = [
    ("/_sse", HTML, include_str!("page/inspector.html")),
    ("/_sse/inspector.css", STYLE, include_str!("page/inspector.css")),
    ("/_sse/inspector.js", SCRIPT, include_str!("page/inspector.js")),
    ("/_sse/lines.js", SCRIPT, include_str!("page/lines.js")),
    ("/_sse/rates.js", SCRIPT, include_str!("page/rates.js")),
    ("/_sse/runs.js", SCRIPT, include_str!("page/runs.js")),
];

/// Enough for an event to try something with.
const LARGEST_PRESS: usize = 256 * 1024;

impl Inspector {
    /// An inspector of the streams that end with `shutdown`: give the server the same one.
    pub fn new(shutdown: &Shutdown) -> Self {
        let hosts = AllowedHosts::loopback();
        Self { registry: shutdown.registry(), hubs: Vec::new(), gate: Gate::default(), hosts }
    }

    /// Shows the topics of a hub, too, under this name.
    pub fn hub(mut self, name: impl Into<String>, hub: &Hub) -> Self {
        self.hubs.push((name.into(), hub.clone()));
        self
    }

    /// Lets other machines in, and what comes through a proxy. Whoever can reach the server then sees what all clients are
    /// sent, and can end their streams: put a layer around [`routes`](Self::routes) that asks who it is.
    ///
    /// The host that they ask for has to be [allowed](Self::allowed_hosts), besides.
    pub fn allow_remote(mut self) -> Self {
        self.gate.allow_remote();
        self
    }

    /// Lets in requests for these hosts, too, on any port: `devbox.lan`, `192.168.0.7`.
    ///
    /// ```
    /// use sse_runtime::{Inspector, Shutdown};
    ///
    /// let inspector = Inspector::new(&Shutdown::new()).allow_remote().allowed_hosts(["devbox.lan"]);
    /// ```
    ///
    /// # Panics
    /// As [`AllowedHosts::allow_host`], if it is not a host alone.
    pub fn allowed_hosts(mut self, hosts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.hosts = hosts.into_iter().fold(self.hosts, |hosts, host| hosts.allow_host(host.as_ref()));
        self
    }

    /// The page at `/_sse`, and what belongs to it below. It may be nested.
    #[must_use = "these routes do nothing until they are merged into a router"]
    pub fn routes<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let Self { registry, hubs, gate, hosts } = self;
        if gate.is_open() {
            tracing::warn!("the inspector at /_sse lets other machines in");
        }
        // Below what JavaScript counts exactly.
        let program = fastrand::u64(..1 << 53);
        let inner = Inner { registry, hubs, program, started: Instant::now(), history: History::default() };
        let files = FILES.iter().fold(Router::new(), |router, (path, content_type, text)| {
            Asset::new(content_type, *text).mount(router, path)
        });
        let gate = Arc::new(gate);
        let own = from_fn_with_state(Arc::clone(&gate), gate::for_own_page);
        Router::new()
            .merge(look::route())
            .route("/_sse/streams/{id}/{button}", post(press::press))
            .route("/_sse/runs/{number}/{button}", post(runs::press))
            .layer(DefaultBodyLimit::max(LARGEST_PRESS))
            .route_layer(own)
            .merge(files)
            .route_layer(hosts)
            .route_layer(from_fn_with_state(gate, gate::for_all))
            .with_state(Arc::new(inner))
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hubs: Vec<_> = self.hubs.iter().map(|(name, _)| name).collect();
        f.debug_struct("Inspector").field("hubs", &hubs).field("gate", &self.gate).finish_non_exhaustive()
    }
}
