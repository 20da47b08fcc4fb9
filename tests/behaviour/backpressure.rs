//! A handler is never faster than its client, and nothing is lost on the way.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use sse_runtime::testing::TestClient;
use sse_runtime::{Event, Result, Sse, routes, sse_route};

type Sent = Arc<AtomicU64>;

#[sse_route("/flood", send_timeout = "off")]
async fn flood(sse: Sse, State(sent): State<Sent>) -> Result<()> {
    loop {
        let n = sent.fetch_add(1, Ordering::Relaxed);
        sse.send(Event::default().id(n).data("x".repeat(100))).await?;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_waits_for_a_client_that_does_not_read() {
    let sent = Sent::default();
    let app: Router = routes![flood].with_state(sent.clone());
    let mut events = TestClient::new(app).get("/flood").stream().await;
    events.stall();
    // On the paused clock an hour passes only when nothing has anything left to do.
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let ahead = sent.load(Ordering::Relaxed);
    assert!(ahead < 500, "32 KiB of events of some 115 bytes each, not {ahead} of them");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(sent.load(Ordering::Relaxed), ahead, "nothing is produced for a client that does not read");

    events.resume();
    for n in 0..10_000 {
        assert_eq!(events.next().await.id, Some(n.to_string()));
    }
}

#[sse_route("/hundred-megabytes")]
async fn hundred_megabytes(sse: Sse) -> Result<()> {
    for _ in 0..1000 {
        sse.send("x".repeat(100_000)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_hundred_megabytes_at_once_arrive() {
    let mut events = TestClient::new(routes![hundred_megabytes]).get("/hundred-megabytes").stream().await;
    let mut bytes = 0;
    for event in events.rest().await {
        bytes += event.data.len();
    }
    assert_eq!(bytes, 100_000_000);
}

/// Counts how often a future is polled.
struct Polled<F>(Pin<Box<F>>, Arc<AtomicU64>);

impl<F: Future> Future for Polled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.as_mut().poll(cx)
    }
}

#[sse_route("/busy-beside-a-task")]
async fn busy_beside_a_task(sse: Sse, State(polls): State<Sent>) -> Result<()> {
    sse.send("first").await?;
    let clone = sse.clone();
    let send_on = async move {
        for _ in 0..100 {
            // Slow enough to be sending still when the handler has had its turn.
            std::thread::sleep(Duration::from_millis(1));
            clone.send("from the task").await?;
        }
        Result::<(), sse_runtime::SendError>::Ok(())
    };
    let task = tokio::spawn(Polled(Box::pin(send_on), polls));
    // Computing, on a thread of its own: the task's sends come while this handler is being polled.
    std::thread::sleep(Duration::from_millis(200));
    task.await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_task_that_sends_while_the_handler_computes_waits_and_does_not_spin() {
    let polls = Sent::default();
    let app: Router = routes![busy_beside_a_task].with_state(polls.clone());
    let mut events = TestClient::new(app).get("/busy-beside-a-task").stream().await;
    assert_eq!(events.rest().await.len(), 101);
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls < 150, "woken {polls} times for a hundred sends");
}

#[sse_route("/crowd")]
async fn crowd(sse: Sse) -> Result<()> {
    let tasks = (0..8).map(|task| {
        let sse = sse.clone();
        tokio::spawn(async move {
            for n in 0..2000 {
                sse.send(Event::new(task.to_string()).data(format!("{n:0100}"))).await?;
            }
            Result::<(), sse_runtime::SendError>::Ok(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_send_over_one_stream_each_in_its_order() {
    let mut events = TestClient::new(routes![crowd]).get("/crowd").stream().await;
    let mut next = [0; 8];
    for event in events.rest().await {
        let task: usize = event.name.parse().expect("a task's number");
        assert_eq!(event.data.parse(), Ok(next[task]));
        next[task] += 1;
    }
    assert_eq!(next, [2000; 8]);
}
