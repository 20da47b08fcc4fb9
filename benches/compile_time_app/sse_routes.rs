//! The routes of one module, as `sse_route` functions. In each of ten modules the script puts the module's name for
//! MODULE, and 1 and then 2 for N, which makes twenty routes; it adds the types of `types.rs`, `Int` and the router.

use std::time::Duration;

use axum::Router;
use axum::extract::{Json, Query, State};
use axum::http::HeaderMap;
use sse_runtime::{Event, Result, Sse, routes, sse_route};
use tokio::sync::broadcast;
use tokio::time::{interval, sleep};

use crate::state::{App, AppError, Feed, Jobs};

#[sse_route("/MODULE/ticks_N")]
pub async fn ticks_N(sse: Sse) -> Result<()> {
    let mut second = interval(Duration::from_secs(1));
    for tick in 0u64.. {
        second.tick().await;
        sse.send(format!("MODULE tick {tick}")).await?;
    }
    Ok(())
}

#[sse_route("/MODULE/progress_N/{id}")]
pub async fn progress_N(sse: Sse, id: usize, State(jobs): State<Jobs>) -> Result<(), AppError> {
    let mut job = jobs.find(id)?;
    loop {
        let percent = *job.borrow_and_update();
        sse.send_json(Update { id, percent, tag: "MODULE" }).await?;
        if percent == 100 || job.changed().await.is_err() {
            return Ok(());
        }
    }
}

#[sse_route("/MODULE/feed_N")]
pub async fn feed_N(sse: Sse, State(feed): State<Feed>, Query(filter): Query<Filter>) -> Result<()> {
    let mut news = feed.subscribe();
    loop {
        match news.recv().await {
            Ok(text) if text.contains(&filter.tag) => sse.send(Event::new("news").data(&*text)).await?,
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return Ok(()),
        }
    }
}

#[sse_route("/MODULE/greet_N/{name}")]
pub async fn greet_N(sse: Sse, name: String, headers: HeaderMap) -> Result<()> {
    let language = headers.get("accept-language").and_then(|value| value.to_str().ok()).unwrap_or("en");
    for word in ["hello", "MODULE", language] {
        sse.send(format!("{word} {name}")).await?;
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

#[sse_route("/MODULE/place_N", methods = ["POST"])]
pub async fn place_N(sse: Sse, State(jobs): State<Jobs>, Json(order): Json<Order>) -> Result<(), AppError> {
    let _job = jobs.find(order.amounts.len())?;
    let of = order.amounts.len();
    sse.send_json(Step::Started { name: order.name }).await?;
    let mut sum = 0;
    for (done, amount) in order.amounts.into_iter().enumerate() {
        sleep(Duration::from_millis(50)).await;
        sum += u64::from(amount);
        sse.send_json(Step::Running { done, of }).await?;
    }
    sse.send_json(Step::Done { sum }).await?;
    Ok(())
}

#[sse_route("/MODULE/lines_N/{group}/{line}")]
pub async fn lines_N(sse: Sse, group: String, line: Int) -> Result<()> {
    for number in (0..line).take(100) {
        sse.send(Event::new("line").id(number.to_string()).data(format!("{group}: {number}"))).await?;
    }
    sse.send(Event::new("end")).await?;
    Ok(())
}

#[sse_route("/MODULE/resume_N")]
pub async fn resume_N(sse: Sse) -> Result<()> {
    let mut next = sse.last_event_id().and_then(|id| id.parse().ok()).map_or(0, |id: u64| id + 1);
    loop {
        sse.send(Event::new("MODULE").id(next.to_string()).data("resumed")).await?;
        next += 1;
        sleep(Duration::from_secs(1)).await;
    }
}

#[sse_route("/MODULE/pages_N")]
pub async fn pages_N(
    sse: Sse,
    State(feed): State<Feed>,
    Query(filter): Query<Filter>,
) -> Result<(), AppError> {
    let mut cursor = filter.after.unwrap_or_default();
    loop {
        for text in feed.page(cursor).await? {
            sse.send(text).await?;
        }
        cursor += 1;
        sleep(Duration::from_millis(100)).await;
    }
}

#[sse_route("/MODULE/status_N/{id}")]
pub async fn status_N(sse: Sse, id: Int, State(jobs): State<Jobs>) -> Result<(), AppError> {
    let mut job = jobs.find(id as usize)?;
    job.mark_changed();
    while job.changed().await.is_ok() {
        let percent = *job.borrow_and_update();
        sse.send(Event::new("update").retry(Duration::from_secs(30)).data(format!("{percent} %"))).await?;
    }
    sse.send(Event::new("end")).await?;
    Ok(())
}

#[sse_route("/MODULE/echo_N/{id}", methods = ["POST"])]
pub async fn echo_N(sse: Sse, id: usize, State(app): State<App>, body: String) -> Result<(), AppError> {
    let job = app.jobs.find(id)?;
    for line in body.lines() {
        let percent = *job.borrow();
        sse.send_json(Update { id, percent, tag: line }).await?;
        app.feed.0.send(line.into()).ok();
    }
    Ok(())
}
