//! The routes of one module, as axum handlers written by hand: each does what the function of the same name in
//! `sse_routes.rs` does, from a task and through a channel. The comment above a handler is where it is mounted.

use std::time::Duration;

use axum::Router;
use axum::extract::{Json, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::Event;
use axum::routing::{get, post};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{interval, sleep};

use crate::state::{App, AppError, Feed, Jobs};
use crate::stream::{EventStream, stream};

// GET /MODULE/ticks_N
pub async fn ticks_N() -> EventStream {
    let (events, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut second = interval(Duration::from_secs(1));
        for tick in 0u64.. {
            second.tick().await;
            if events.send(Event::default().data(format!("MODULE tick {tick}"))).await.is_err() {
                return;
            }
        }
    });
    stream(receiver)
}

// GET /MODULE/progress_N/{id}
pub async fn progress_N(Path(id): Path<usize>, State(jobs): State<Jobs>) -> Result<EventStream, AppError> {
    let mut job = jobs.find(id)?;
    let (events, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            let percent = *job.borrow_and_update();
            let Ok(event) = Event::default().json_data(Update { id, percent, tag: "MODULE" }) else { return };
            if events.send(event).await.is_err() || percent == 100 || job.changed().await.is_err() {
                return;
            }
        }
    });
    Ok(stream(receiver))
}

// GET /MODULE/feed_N
pub async fn feed_N(State(feed): State<Feed>, Query(filter): Query<Filter>) -> EventStream {
    let mut news = feed.subscribe();
    let (events, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            match news.recv().await {
                Ok(text) if text.contains(&filter.tag) => {
                    if events.send(Event::default().event("news").data(&*text)).await.is_err() {
                        return;
                    }
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    });
    stream(receiver)
}

// GET /MODULE/greet_N/{name}
pub async fn greet_N(Path(name): Path<String>, headers: HeaderMap) -> EventStream {
    let (events, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        let language = headers.get("accept-language").and_then(|value| value.to_str().ok()).unwrap_or("en");
        for word in ["hello", "MODULE", language] {
            if events.send(Event::default().data(format!("{word} {name}"))).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    });
    stream(receiver)
}

// POST /MODULE/place_N
pub async fn place_N(State(jobs): State<Jobs>, Json(order): Json<Order>) -> Result<EventStream, AppError> {
    let _job = jobs.find(order.amounts.len())?;
    let of = order.amounts.len();
    let (events, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        let Ok(event) = Event::default().json_data(Step::Started { name: order.name }) else { return };
        if events.send(event).await.is_err() {
            return;
        }
        let mut sum = 0;
        for (done, amount) in order.amounts.into_iter().enumerate() {
            sleep(Duration::from_millis(50)).await;
            sum += u64::from(amount);
            let Ok(event) = Event::default().json_data(Step::Running { done, of }) else { return };
            if events.send(event).await.is_err() {
                return;
            }
        }
        let Ok(event) = Event::default().json_data(Step::Done { sum }) else { return };
        let _ = events.send(event).await;
    });
    Ok(stream(receiver))
}

// GET /MODULE/lines_N/{group}/{line}
pub async fn lines_N(Path((group, line)): Path<(String, Int)>) -> EventStream {
    let (events, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        for number in (0..line).take(100) {
            let event =
                Event::default().event("line").id(number.to_string()).data(format!("{group}: {number}"));
            if events.send(event).await.is_err() {
                return;
            }
        }
        let _ = events.send(Event::default().event("end").data("")).await;
    });
    stream(receiver)
}

// GET /MODULE/resume_N
pub async fn resume_N(headers: HeaderMap) -> EventStream {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let mut next = last.and_then(|id| id.parse().ok()).map_or(0, |id: u64| id + 1);
    let (events, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        loop {
            let event = Event::default().event("MODULE").id(next.to_string()).data("resumed");
            if events.send(event).await.is_err() {
                return;
            }
            next += 1;
            sleep(Duration::from_secs(1)).await;
        }
    });
    stream(receiver)
}

// GET /MODULE/pages_N
pub async fn pages_N(State(feed): State<Feed>, Query(filter): Query<Filter>) -> EventStream {
    let (events, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut cursor = filter.after.unwrap_or_default();
        loop {
            let page = match feed.page(cursor).await {
                Ok(page) => page,
                Err(_) => {
                    let _ = events.send(Event::default().event("failure").data("")).await;
                    return;
                }
            };
            for text in page {
                if events.send(Event::default().data(text)).await.is_err() {
                    return;
                }
            }
            cursor += 1;
            sleep(Duration::from_millis(100)).await;
        }
    });
    stream(receiver)
}

// GET /MODULE/status_N/{id}
pub async fn status_N(Path(id): Path<Int>, State(jobs): State<Jobs>) -> Result<EventStream, AppError> {
    let mut job = jobs.find(id as usize)?;
    let (events, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        job.mark_changed();
        while job.changed().await.is_ok() {
            let percent = *job.borrow_and_update();
            let event = Event::default().event("update").retry(Duration::from_secs(30));
            if events.send(event.data(format!("{percent} %"))).await.is_err() {
                return;
            }
        }
        let _ = events.send(Event::default().event("end").data("")).await;
    });
    Ok(stream(receiver))
}

// POST /MODULE/echo_N/{id}
pub async fn echo_N(
    Path(id): Path<usize>,
    State(app): State<App>,
    body: String,
) -> Result<EventStream, AppError> {
    let job = app.jobs.find(id)?;
    let (events, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        for line in body.lines() {
            let percent = *job.borrow();
            let Ok(event) = Event::default().json_data(Update { id, percent, tag: line }) else { return };
            if events.send(event).await.is_err() {
                return;
            }
            app.feed.0.send(line.into()).ok();
        }
    });
    Ok(stream(receiver))
}
