//! `sse-client` that answers into its stream, in a real browser: from one tab, from several over one connection, and when
//! the connection is gone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::middleware::map_response;
use axum::response::{Html, Response};
use axum::routing::get;
use serde_json::{Value, json};
use sse_runtime::{
    Error, Event, Hub, Replies, Result, Runs, Sse, StatusCode, Topic, client, listen, routes, serve,
    sse_route,
};
use sse_tests::within_limit;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::{cable::Cable, chromium::Chromium, page::Page};

/// A room of which each stream has a number, and in which everybody hears what is said and into which stream.
#[sse_route("/room", keep_alive = "1s", retry = "100ms", inbox = 1, end = "end")]
async fn room(sse: Sse, mut replies: Replies<String>, State(server): State<Server>) -> Result<()> {
    let stream = server.streams.fetch_add(1, Ordering::Relaxed) + 1;
    let heard = async { sse.follow(&server.topic).await.map_err(Error::from) };
    let said = async {
        loop {
            server.attention.acquire().await?.forget();
            let Some(reply) = replies.next().await else { break };
            server.topic.publish(Event::new("said").json(&format!("{} into {stream}", *reply))).await?;
            match reply.as_str() {
                "bad word" => reply.refuse(StatusCode::FORBIDDEN, "not here"),
                "bye" => break,
                _ => reply.respond(stream)?,
            }
        }
        Ok::<_, Error>(())
    };
    tokio::select! {
        ended = heard => ended,
        ended = said => ended,
    }
}

/// One that works, and asks back.
#[sse_route("/work", methods = ["POST"], run = "1m", retry = "100ms", end = "end")]
async fn work(sse: Sse, mut replies: Replies<String>) -> Result<()> {
    while let Some(reply) = replies.next().await {
        sse.send(Event::new("said").json(&*reply)?).await?;
    }
    Ok(())
}

#[derive(Clone)]
struct Server {
    address: SocketAddr,
    hub: Hub,
    topic: Topic,
    runs: Runs,
    streams: Arc<AtomicU32>,
    /// How many replies are listened to.
    attention: Arc<Semaphore>,
}

impl Server {
    async fn start(attention: usize) -> Self {
        let listener = listen("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let hub = Hub::in_memory().build();
        let (topic, runs, streams) = (hub.topic("said"), Runs::in_memory(), Arc::default());
        let server =
            Self { address, hub, topic, runs, streams, attention: Arc::new(Semaphore::new(attention)) };
        let app = Router::new()
            .route("/", get(|| async { Html(include_str!("sse_client.html")) }))
            .merge(client::routes())
            .merge(routes![room, work].layer(server.runs.clone()))
            // A cable that goes silent would keep what the browser keeps for later.
            .layer(map_response(|response: Response| async { ([(header::CONNECTION, "close")], response) }))
            .with_state(server.clone());
        tokio::spawn(serve(listener, app).into_future());
        server
    }

    async fn wait_for_one_connection(&self) {
        let one = async {
            while self.hub.stats().subscribers != 1 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        within_limit("one connection for all", one).await;
    }
}

/// Opens a tab that notes what is said.
async fn open(chromium: &Chromium, origin: &str, path: &str, options: &str) -> Page {
    let page = chromium.open(&format!("{origin}/")).await;
    page.wait_until("window.ready === true").await;
    page.run(&format!(
        "heard = []; sent = [];
         watch('{path}', {{ ...{options}, on: {{ said: text => heard.push(text) }} }});
         send = answer => stream.send(answer).then(
             said => sent.push(said ?? null),
             error => sent.push([error instanceof StreamError, error.status, error.body]));
         null"
    ))
    .await;
    page.wait_until("stream.state === 'open'").await;
    page
}

/// Sends an answer; what became of it.
async fn send(page: &Page, answer: &Value) -> Value {
    page.run(&format!("send({answer}).then(() => sent.at(-1))")).await
}

async fn wait_for_heard(page: &Page, texts: &[&str]) {
    page.wait_until(&format!("JSON.stringify(heard) === {}", json!(json!(texts).to_string()))).await;
}

#[tokio::test]
async fn a_page_answers_and_is_told_what_becomes_of_it() {
    let server = Server::start(0).await;
    let chromium = Chromium::launch().await;
    let page = open(&chromium, &format!("http://{}", server.address), "/room", "{}").await;

    // Nobody listens: there is room for one, and the others are asked to wait.
    page.run("for (const text of ['a', 'b', 'c']) send(text); null").await;
    page.wait_until(
        "performance.getEntriesByType('resource').filter(({ name }) => name.includes('reply=')).length >= 2",
    )
    .await;
    assert_eq!(page.run("sent").await, json!([]));
    server.attention.add_permits(100);
    page.wait_until("sent.length === 3").await;
    assert_eq!(page.run("sent").await, json!([1, 1, 1]));
    assert_eq!(page.run("heard.toSorted()").await, json!(["a into 1", "b into 1", "c into 1"]), "each once");
    let answers = page.requests("reply=");
    assert!(
        answers.contains(&Some(429)) && answers.iter().filter(|one| **one == Some(200)).count() == 3,
        "{answers:?}"
    );

    assert_eq!(send(&page, &json!("bad word")).await, json!([true, 403, "not here"]));
    let other = send(&page, &json!({ "not": "text" })).await;
    assert_eq!((&other[0], &other[1]), (&json!(true), &json!(422)), "{other}");
    assert_eq!(send(&page, &json!("bye")).await, json!(null));
    page.wait_until("stream.state === 'closed'").await;
    assert_eq!(send(&page, &json!("late")).await, json!([true, 0, ""]));
    let token = "performance.getEntriesByType('resource').find(({ name }) => name.includes('reply=')).name";
    let late = format!(
        "fetch({token}, {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: '\"late\"' }})
             .then(answer => answer.status)"
    );
    assert_eq!(page.run(&late).await, 404);
}

#[tokio::test]
async fn tabs_that_share_a_connection_answer_into_that_one_each_time_once() {
    let server = Server::start(100).await;
    let chromium = Chromium::launch().await;
    let origin = format!("http://{}", server.address);
    let first = open(&chromium, &origin, "/room", "{ share: true }").await;
    assert_eq!(send(&first, &json!("first")).await, 1);
    wait_for_heard(&first, &["first into 1"]).await;

    // It has a connection of its own, until that has caught up.
    let late = open(&chromium, &origin, "/room", "{ share: true }").await;
    late.wait_until("told.some(word => word.startsWith('open '))").await;
    server.wait_for_one_connection().await;
    late.wait_until("stream.state === 'open'").await;
    assert_eq!(send(&late, &json!("late")).await, 1, "into the stream of the first");
    wait_for_heard(&first, &["first into 1", "late into 1"]).await;
    late.wait_until("heard.at(-1) === 'late into 1'").await;

    // One that was never told.
    let live = open(&chromium, &origin, "/room", "{ share: 'live' }").await;
    let another = open(&chromium, &origin, "/room", "{ share: 'live' }").await;
    assert_eq!(send(&another, &json!("live")).await, send(&live, &json!("live")).await);
    first.close().await;
    assert_eq!(send(&late, &json!("still")).await, 1);
    late.wait_until("heard.filter(text => text === 'still into 1').length === 1").await;
}

#[tokio::test]
async fn tabs_share_a_run_and_both_answer_into_it() {
    let server = Server::start(0).await;
    let chromium = Chromium::launch().await;
    let origin = format!("http://{}", server.address);
    let begin = chromium.open(&format!("{origin}/")).await;
    let run = "fetch('/work', { method: 'POST' })
        .then(answer => answer.body.cancel().then(() => answer.headers.get('sse-run')))";
    let run = begin.run(run).await;
    let path = format!("/work?run={}", run.as_str().expect("an id"));
    let one = open(&chromium, &origin, &path, "{ share: true }").await;
    assert_eq!(send(&one, &json!("1")).await, json!(null));
    let other = open(&chromium, &origin, &path, "{ share: true }").await;
    let attached = || server.runs.list().iter().map(sse_runtime::Run::attached).sum::<usize>();
    wait_for_heard(&other, &["1"]).await;
    let one_connection = async {
        while attached() != 1 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    within_limit("one connection to the run", one_connection).await;
    assert_eq!(send(&other, &json!("2")).await, json!(null));
    for page in [&one, &other] {
        wait_for_heard(page, &["1", "2"]).await;
    }
}

#[tokio::test]
async fn an_answer_waits_for_the_connection_and_never_goes_into_one_that_is_gone() {
    let server = Server::start(100).await;
    let chromium = Chromium::launch().await;
    let cable = Cable::to(server.address).await;
    // The page would notice the silence by itself, but not while this is looked at.
    let page = open(&chromium, cable.url("").as_str(), "/room", "{ heartbeat: null }").await;
    assert_eq!(send(&page, &json!("before")).await, 1);

    cable.cut();
    page.wait_until("stream.state === 'waiting'").await;
    page.run("send('meanwhile'); null").await;
    cable.mend();
    page.wait_until("sent.length === 2").await;
    assert_eq!(page.run("sent[1]").await, 2, "into the next one");
    wait_for_heard(&page, &["before into 1", "meanwhile into 2"]).await;

    // The end of the stream does not reach the page.
    cable.silence();
    assert_eq!(send(&page, &json!("bye")).await, json!(null));
    assert_eq!(send(&page, &json!("into nothing")).await, json!([true, 404, "no such stream"]));
    cable.cut();
    page.wait_until("stream.state === 'waiting'").await;
    cable.mend();
    assert_eq!(send(&page, &json!("after")).await, 3);
    wait_for_heard(&page, &["before into 1", "meanwhile into 2", "bye into 2", "after into 3"]).await;
}
