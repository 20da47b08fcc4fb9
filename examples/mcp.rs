//! MCP: tools for language models beside routes for people, in one program.
//!
//! ```text
//! cargo run --example mcp
//! curl -N http://127.0.0.1:3000/work
//! ```
//!
//! Then give <http://127.0.0.1:3000/mcp> to an MCP client (streamable HTTP) and have it count the primes below a million.
//! It is told how far the count is, over a stream that `rmcp` makes, and whoever listens on `/work` sees the same, over
//! a route of ours. Cancel the call, and the count stops. Ctrl-C ends the streams of both at once.

use std::{env, ops::Range};

use axum::{Router, extract::State};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::wrapper::Parameters,
    model::{ProgressNotificationParam, ServerCapabilities, ServerConfig},
    schemars::{self, JsonSchema},
    service::RequestContext,
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde::{Deserialize, Serialize};
use sse_runtime::{
    Hub, PublishError, Result, Shutdown, Sse, SseEvent, Topic, listen, routes, serve, sse_route,
};
use tokio::task::spawn_blocking;

/// What the tools are at, for people.
#[sse_route("/work")]
async fn work(sse: Sse<Work>, State(topic): State<Topic<Work>>) -> Result<()> {
    sse.follow(&topic).await?;
    Ok(())
}

#[derive(Serialize, SseEvent)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Work {
    Begun { below: u32 },
    Progress { below: u32, looked_at: u32, found: u32 },
    Done { below: u32, found: u32 },
    Cancelled { below: u32 },
}

/// The tools of one session.
struct Tools {
    work: Topic<Work>,
}

#[derive(Deserialize, JsonSchema)]
struct CountPrimes {
    /// Primes below this number are counted.
    below: u32,
}

#[tool_router]
impl Tools {
    /// How many numbers are looked at between two reports.
    const STEP: u32 = 50_000;

    #[tool(description = "Counts the primes below a number, and reports progress")]
    async fn count_primes(
        &self,
        Parameters(CountPrimes { below }): Parameters<CountPrimes>,
        context: RequestContext<RoleServer>,
    ) -> Result<String, ErrorData> {
        self.tell(Work::Begun { below }).await?;
        // A call that was cancelled, or whose server ends, is not dropped by `rmcp`, but asked to stop.
        let found = tokio::select! {
            found = self.count(below, &context) => found?,
            () = context.ct.cancelled() => {
                self.tell(Work::Cancelled { below }).await?;
                return Err(ErrorData::internal_error("cancelled", None));
            }
        };
        self.tell(Work::Done { below, found }).await?;
        Ok(found.to_string())
    }

    async fn count(&self, below: u32, context: &RequestContext<RoleServer>) -> Result<u32, ErrorData> {
        // A client that wants to hear of progress has sent a token along.
        let token = context.meta.get_progress_token();
        let (mut looked_at, mut found) = (0, 0);
        while looked_at < below {
            let step = looked_at..below.min(looked_at.saturating_add(Self::STEP));
            looked_at = step.end;
            found += spawn_blocking(|| primes(step)).await.map_err(internal)?;

            self.tell(Work::Progress { below, looked_at, found }).await?;
            if let Some(token) = &token {
                let progress = ProgressNotificationParam::new(token.clone(), looked_at.into());
                context.peer.notify_progress(progress.with_total(below.into())).await.map_err(internal)?;
            }
        }
        Ok(found)
    }

    async fn tell(&self, work: Work) -> Result<(), ErrorData> {
        self.work.publish(work).await.map(|_| ()).map_err(|error: PublishError| internal(error))
    }
}

#[tool_handler]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

fn internal(error: impl ToString) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

/// How many primes there are in a range, the slow way.
fn primes(range: Range<u32>) -> u32 {
    let is_prime = |n: &u32| *n >= 2 && (2..=n.isqrt()).all(|divisor| n % divisor != 0);
    range.filter(is_prime).map(|_| 1).sum()
}

/// Both kinds of routes, in one router. `rmcp` answers requests for this machine only, unless its configuration names
/// other hosts: otherwise any page in a browser here could use the tools.
fn app(topic: Topic<Work>, mcp: StreamableHttpServerConfig) -> Router {
    let of_tools = topic.clone();
    let mcp: StreamableHttpService<Tools, LocalSessionManager> =
        StreamableHttpService::new(move || Ok(Tools { work: of_tools.clone() }), <_>::default(), mcp);
    routes![work].with_state(topic).nest_service("/mcp", mcp)
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);

    // `serve` ends our streams itself; those of `rmcp` end by its own token.
    let shutdown = Shutdown::new();
    let mcp = StreamableHttpServerConfig::default();
    let stop = mcp.cancellation_token.clone();
    let server = serve(listener, app(Hub::in_memory().build().topic("work"), mcp)).shutdown(shutdown.clone());
    let (served, ()) = tokio::join!(server.into_future(), async {
        shutdown.begun().await;
        stop.cancel();
    });
    Ok(served?)
}
