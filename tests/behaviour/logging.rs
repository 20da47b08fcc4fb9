//! What is logged, and that a log's own code cannot hold a stream up.

use std::fmt::Write;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::FutureExt;
use sse_runtime::testing::TestClient;
use sse_runtime::{Error, Result, Sse, StatusCode, routes, sse_route};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A log that is fed back into a stream, as a page that shows it would have it.
#[derive(Clone, Default)]
struct Log {
    lines: Arc<Mutex<Vec<(Level, String)>>>,
    shown_on: Arc<Mutex<Option<Sse>>>,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").expect("a string takes everything");
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("sse_runtime")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        if let Some(sse) = &*self.shown_on.lock().expect("no panic") {
            let _ = sse.send(line.0.as_str()).now_or_never();
        }
        self.lines.lock().expect("no panic").push((*event.metadata().level(), line.0));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[sse_route("/{how}")]
async fn fails(sse: Sse, how: String, axum::Extension(log): axum::Extension<Log>) -> Result<()> {
    *log.shown_on.lock().expect("no panic") = Some(sse.clone());
    match how.as_str() {
        "refuses" => Err(Error::from("no such job").with_status(StatusCode::NOT_FOUND))?,
        "breaks" => Err("the database is gone")?,
        "breaks-late" => {
            sse.send("begun").await?;
            Err(Error::from("no such job").with_status(StatusCode::NOT_FOUND))?;
        }
        _ => {
            sse.send("begun").await?;
            panic!("out of cheese");
        }
    }
    Ok(())
}

/// Runs one request on a thread of its own, which has a limit: a log line written under a lock would never return.
fn logged(how: &'static str) -> (Level, String) {
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let log = Log::default();
        let _guard = tracing::subscriber::set_default(log.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let app: axum::Router = routes![fails].layer(axum::Extension(log.clone()));
        runtime.block_on(TestClient::new(app).get(&format!("/{how}")).response());
        let lines = log.lines.lock().expect("no panic");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].1.contains("the stream is over"), "{lines:?}");
        done.send(lines[0].clone()).expect("the test waits");
    });
    ended.recv_timeout(Duration::from_secs(30)).expect("the request ends")
}

#[test]
fn a_failure_is_an_error_with_its_cause_and_a_refusal_is_not() {
    let (level, line) = logged("refuses");
    assert_eq!(level, Level::DEBUG, "any client could fill the log: {line}");
    assert!(line.contains("no such job") && line.contains("status=404"), "{line}");

    let (level, line) = logged("breaks");
    assert_eq!(level, Level::ERROR);
    assert!(line.contains("the database is gone") && line.contains("/{how}"), "{line}");

    let (level, line) = logged("breaks-late");
    assert_eq!(level, Level::ERROR, "the client was not answered with a status: {line}");

    let (level, line) = logged("panics");
    assert_eq!(level, Level::ERROR);
    assert!(line.contains("out of cheese"), "{line}");
}
