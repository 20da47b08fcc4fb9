//! What is in an address, as a ticket has to be, is in no line of our log, whatever happens to the stream.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use sse_runtime::testing::TestClient;
use sse_runtime::{AllowedHosts, Error, Hub, Result, Shutdown, Sse, StatusCode, Topic, routes, sse_route};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Everything that anybody says at any level, with the names and fields of spans.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").expect("a string takes everything");
    }
}

impl Everything {
    fn note(&self, level: &Level, what: impl FnOnce(&mut Line<'_>)) {
        let mut lines = self.0.lock().expect("no panic");
        write!(lines, "\n{level} ").expect("a string takes everything");
        what(&mut Line(&mut lines));
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        self.note(event.metadata().level(), |line| event.record(line));
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note(span.metadata().level(), |line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.note(&Level::TRACE, |line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[sse_route("/{how}")]
async fn stream(sse: Sse, how: String, State(topic): State<Topic>) -> Result<()> {
    match how.as_str() {
        "refuses" => Err(Error::from("not you").with_status(StatusCode::UNAUTHORIZED))?,
        "breaks" => Err("the database is gone")?,
        "panics" => panic!("out of cheese"),
        "breaks-late" => {
            sse.send("begun").await?;
            Err("the database is gone")?;
        }
        "panics-late" => {
            sse.send("begun").await?;
            panic!("out of cheese");
        }
        "too-large" => sse.send("x".repeat(1 << 20)).await?,
        _ => sse.follow(&topic).await?,
    }
    Ok(())
}

#[test]
fn a_ticket_in_the_address_is_in_no_line_of_the_log() {
    let log = Everything::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let shutdown = Shutdown::new();
        let topic: Topic = Hub::in_memory().build().topic("t");
        let app: Router = routes![stream].with_state(topic).layer(shutdown.clone());
        let client = TestClient::new(app.layer(AllowedHosts::loopback()));
        let ask = |how: &str| client.get(&format!("/{how}?ticket=SECRET")).header("host", "localhost");
        for how in ["refuses", "breaks", "panics", "breaks-late", "panics-late", "too-large", "%ff"] {
            ask(how).response().await;
        }
        ask("follows").header("host", "evil.example").response().await;
        ask("follows").header("origin", "https://evil.example").response().await;
        ask("follows").header("accept", "application/json").response().await;
        let reset = ask("follows").last_event_id("no id").stream().await;
        reset.disconnect();
        let mut open = ask("follows").stream().await;
        open.next().await;
        shutdown.begin();
        open.expect("sse-bye", r#"{"reason":"ServerShutdown"}"#).await;
    });
    let lines = log.0.lock().expect("no panic");
    for said in ["not you", "the database is gone", "out of cheese", "evil.example"] {
        assert!(lines.contains(said), "the log was on: {said}: {lines}");
    }
    assert!(!lines.contains("SECRET"), "{lines}");
    let refused: Vec<_> = lines.lines().filter(|line| line.contains("evil.example")).collect();
    assert_eq!(refused.len(), 2, "another host, another origin: {refused:?}");
    assert!(refused.iter().all(|line| line.starts_with("DEBUG")), "anybody could fill the log: {refused:?}");
}
