//! Everything that an event type may be.
#![deny(warnings)]

use serde::Serialize;
use sse_runtime::{Result, Sse, SseEvent, Topic, routes, sse_route};

/// Tags, renames, tuples, units, settings.
#[derive(Serialize, SseEvent)]
#[serde(tag = "type", content = "content", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum JobEvent {
    Queued,
    #[sse(id = "log_number", retry = "3s", name = "log-line")]
    LogLine {
        log_number: u64,
        r#type: u8,
    },
    #[sse(id = "0")]
    Pair(u8, String),
    #[sse(terminal)]
    Done(Vec<u8>),
}

#[derive(Serialize, SseEvent)]
#[serde(rename = "reading", bound = "T: Serialize")]
struct Reading<T>
where
    T: Copy,
{
    value: T,
}

#[derive(Serialize, SseEvent)]
struct Borrowed<'a>(&'a str);

mod hygiene {
    #[allow(dead_code)]
    type Result = ();
    #[allow(dead_code)]
    fn name() {}
    #[allow(non_upper_case_globals, dead_code)]
    const id: u8 = 0;
    #[allow(non_upper_case_globals, dead_code)]
    const event: u8 = 0;

    #[derive(serde::Serialize, sse_runtime::SseEvent)]
    pub(crate) enum Inner {
        #[sse(id = "match")]
        A { r#match: u8 },
    }
}

#[sse_route("/jobs")]
async fn jobs(sse: Sse<JobEvent>) -> Result<()> {
    sse.send(JobEvent::Queued).await?;
    sse.send(&JobEvent::Pair(1, String::new())).await?;
    sse.send(JobEvent::LogLine { log_number: 1, r#type: 2 }).await?;
    sse.send(JobEvent::Done(Vec::new())).await?;
    Ok(())
}

#[sse_route("/readings")]
async fn readings(sse: Sse<Reading<f32>>) -> Result<()> {
    sse.send(Reading { value: 1.0 }).await?;
    Ok(())
}

#[sse_route("/inner")]
async fn inner(sse: Sse<hygiene::Inner>) -> Result<()> {
    sse.send(hygiene::Inner::A { r#match: 1 }).await?;
    Ok(())
}

fn main() {
    fn is_event<E: SseEvent>() {}
    is_event::<Borrowed<'_>>();
    let _: Option<Topic<JobEvent>> = None;
    let _app: axum::Router = routes![jobs, readings, inner];
}
