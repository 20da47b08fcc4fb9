//! The tracing span of a stream: who it is for, what is logged within it, and what it says when it closes.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sse_runtime::testing::TestClient;
use sse_runtime::{Result, Sse, routes, sse_route};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What is known of the spans of one thread.
#[derive(Clone, Default)]
struct Spans {
    last: Arc<AtomicU64>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    open: HashMap<u64, String>,
    closed: Vec<String>,
    entered: Vec<u64>,
    /// Lines, and the fields that the span around them had then.
    lines: Vec<(String, String)>,
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").expect("a string takes everything");
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() || metadata.target() == "handler"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut fields = format!("{} ", attributes.metadata().name());
        attributes.record(&mut Fields(&mut fields));
        self.state.lock().expect("no panic").open.insert(id, fields);
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut state = self.state.lock().expect("no panic");
        values.record(&mut Fields(state.open.get_mut(&id.into_u64()).expect("an open span")));
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        event.record(&mut Fields(&mut line));
        let mut state = self.state.lock().expect("no panic");
        let around = state.entered.last().and_then(|id| state.open.get(id)).cloned().unwrap_or_default();
        state.lines.push((line, around));
    }

    fn enter(&self, id: &Id) {
        self.state.lock().expect("no panic").entered.push(id.into_u64());
    }

    fn exit(&self, _: &Id) {
        self.state.lock().expect("no panic").entered.pop();
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn clone_span(&self, id: &Id) -> Id {
        // Counted as a name that is given away: see `try_close`.
        self.state.lock().expect("no panic").open.entry(id.into_u64()).and_modify(|fields| fields.push('+'));
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut state = self.state.lock().expect("no panic");
        let fields = state.open.get_mut(&id.into_u64()).expect("an open span");
        if let Some(clone) = fields.find('+') {
            fields.remove(clone);
            return false;
        }
        let fields = state.open.remove(&id.into_u64()).expect("an open span");
        state.closed.push(fields);
        true
    }
}

#[sse_route("/jobs/{id}")]
async fn job(sse: Sse, id: u32) -> Result<()> {
    sse.on_disconnect(|_| async { tracing::info!(target: "handler", "the hook") });
    tracing::info!(target: "handler", "before");
    sse.set_principal(format!("user {id}"));
    sse.send("a").await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    tracing::info!(target: "handler", "after");
    sse.send("b").await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_stream_has_one_span_in_which_its_handler_logs_and_which_says_how_it_was() {
    let spans = Spans::default();
    let _guard = tracing::subscriber::set_default(spans.clone());
    let mut events = TestClient::new(routes![job]).get("/jobs/7").stream().await;
    let bytes = {
        events.rest().await;
        events.raw().len()
    };
    tokio::time::sleep(Duration::from_millis(1)).await;

    let state = spans.state.lock().expect("no panic");
    let closed: Vec<_> = state.closed.iter().filter(|span| span.starts_with("sse_stream")).collect();
    let [span] = closed[..] else { panic!("one span: {closed:?}, {:?}", state.open) };
    for field in [
        r#"route="/jobs/{id}""#,
        r#"handler="behaviour::spans::job""#,
        r#"principal="user 7""#,
        r#"reason="Completed""#,
        "events=2",
        &format!("bytes={bytes}"),
        "duration_ms=2000",
    ] {
        assert!(span.contains(field), "{field}: {span}");
    }
    let lines: Vec<_> = state.lines.iter().map(|(line, _)| line.as_str()).collect();
    assert_eq!(lines, ["message=before ", "message=after ", "message=the hook "]);
    for (line, around) in &state.lines {
        assert!(around.starts_with("sse_stream") && around.contains("stream="), "{line}: {around}");
    }
    assert!(state.entered.is_empty());
}
