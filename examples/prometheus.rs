//! What Prometheus sees of streams: how many are open, why the others ended, what was sent.
//!
//! ```text
//! cargo run --example prometheus --features prometheus
//! curl -N http://127.0.0.1:3000/ticks
//! curl -N http://127.0.0.1:3000/countdowns/3
//! curl http://127.0.0.1:3000/metrics
//! ```
//!
//! Open some streams of `/ticks`, end one with Ctrl-C, and see `/metrics`: `sse_streams_open` goes up and down, and
//! `sse_streams_ended_total` says why. Ten at once are all that there is room for: the eleventh is refused and counted.
//! `/countdowns/3` reaches its end, `/countdowns/13` panics on the way. `dashboards/sse-runtime.json` draws all that
//! in Grafana, and `dashboards/alerts.yml` wakes somebody.

use std::{env, time::Duration};

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use sse_runtime::{Event, Hub, Result, Sse, Topic, listen, routes, serve, sse_route};
use tokio::time::{interval, sleep};

/// Streams last from a moment to a day.
const BUCKETS: [f64; 8] = [1.0, 10.0, 60.0, 300.0, 1_800.0, 7_200.0, 28_800.0, 86_400.0];

/// Streams each second of the clock.
#[sse_route("/ticks", max_streams = 10)]
async fn ticks(sse: Sse, State(App { clock, .. }): State<App>) -> Result<()> {
    sse.follow(&clock).await?;
    Ok(())
}

/// Counts down to an end.
#[sse_route("/countdowns/{from}", end = "end")]
async fn countdown(sse: Sse, from: u8) -> Result<()> {
    for left in (0..=from).rev() {
        assert!(left != 12, "this one counts in dozens no more");
        sse.send(Event::new("left").data(left.to_string())).await?;
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

#[derive(Clone)]
struct App {
    hub: Hub,
    clock: Topic,
    prometheus: PrometheusHandle,
}

/// What Prometheus asks for, every 15 s or so. It is nothing for strangers: where those can come, serve it on a port of
/// its own.
async fn metrics(State(App { hub, prometheus, .. }): State<App>) -> impl IntoResponse {
    // Streams count themselves. A hub is asked.
    hub.record_metrics("clock");
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], prometheus.render())
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

fn app(prometheus: PrometheusHandle) -> App {
    let hub = Hub::in_memory().build();
    App { clock: hub.topic("clock"), hub, prometheus }
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    // Before the first stream: a route looks for the recorder once.
    let prometheus = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("sse_stream_duration_seconds".to_owned()), &BUCKETS)?
        .install_recorder()?;
    let app = app(prometheus.clone());
    tokio::spawn(run(app.clock.clone()));
    tokio::spawn(async move {
        // What the exporter keeps of each stream's duration grows, as long as nobody asks for it.
        let mut now_and_then = interval(Duration::from_secs(30));
        loop {
            now_and_then.tick().await;
            prometheus.run_upkeep();
        }
    });

    let router =
        Router::new().route("/metrics", get(metrics)).merge(routes![ticks, countdown]).with_state(app);
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, router).await?;
    Ok(())
}
