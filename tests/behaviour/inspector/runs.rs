//! Runs: what the inspector tells of them, and the button that ends one.

use std::time::Duration;

use axum::{Extension, Router};
use serde_json::{Value, json};
use sse_runtime::testing::{TestClient, TestStream};
use sse_runtime::{
    DisconnectReason, Principal, Replies, Result, RunId, Runs, Shutdown, Sse, StatusCode, routes, sse_route,
};
use tokio::time::sleep;

use super::{Program, next};
use crate::Hooks;

const SECOND: Duration = Duration::from_secs(1);

/// Bakes for so many seconds, and says of each that it is over.
#[sse_route("/bake/{seconds}", methods = ["POST"], run = "10m", run_keep = "2m")]
async fn bake(sse: Sse, seconds: u32, Extension(hooks): Extension<Hooks>) -> Result<()> {
    hooks.watch(&sse);
    for second in 0..seconds {
        sse.send(format!("{second} in run {}", sse.run().expect("a run").id())).await?;
        sleep(SECOND).await;
    }
    Ok(())
}

/// Thinks before it says anything, and then has nothing to say.
#[sse_route("/shy", methods = ["POST"], run = "10m", open_after = "off")]
async fn shy(sse: Sse) -> Result<()> {
    sleep(5 * SECOND).await;
    Ok(sse.respond(StatusCode::NO_CONTENT)?)
}

#[sse_route("/asks", methods = ["POST"], run = "10m")]
async fn asks(sse: Sse, mut replies: Replies<u32>) -> Result<()> {
    sse.send("2 + 2?").await?;
    while replies.next().await.is_some() {}
    Ok(())
}

/// Runs that are kept in three ways: by a route for itself, in memory, and on the hub that the inspector shows.
fn program(hooks: &Hooks) -> Program {
    let (shared, of_ada) = (Extension(hooks.clone()), Extension(Principal::new("Ada")));
    Program::with(|hub| {
        let kept: Router = routes![bake, asks].layer(Runs::in_memory());
        let on_hub: Router = routes![bake].layer(Runs::on(hub.clone())).layer(of_ada);
        Router::new().merge(routes![bake, shy]).nest("/kept", kept).nest("/hub", on_hub).layer(shared)
    })
}

impl Program {
    async fn begin(&self, path: &str) -> (TestStream, RunId) {
        let mut events = self.client.post(path).stream().await;
        events.next().await;
        let id = events.headers()["sse-run"].to_str().expect("text");
        let id = RunId::parse(id).expect("an id");
        (events, id)
    }

    async fn come_back(&self, path: &str, run: RunId) -> TestStream {
        let mut events = self.get(&format!("{path}?run={run}")).stream().await;
        events.next().await;
        events
    }

    async fn runs(&self, query: &str) -> Vec<Value> {
        let overview = self.overview(query).await;
        overview["runs"]["rows"].as_array().expect("rows").clone()
    }

    async fn cancel(&self, number: &Value) -> (u16, String) {
        let request = self.client.post(&format!("/_sse/runs/{number}/cancel"));
        let answer = request.header("host", "localhost:3000").json(&json!({})).response().await;
        (answer.status.as_u16(), answer.text)
    }
}

fn beginning(run: RunId) -> String {
    format!("{}…", &run.as_str()[..6])
}

#[tokio::test(start_paused = true)]
async fn runs_are_shown_whoever_keeps_them_with_their_clients() {
    let program = program(&Hooks::default());
    assert_eq!(program.overview("").await["runs"]["all"], 0);
    let (first, one) = program.begin("/bake/60").await;
    let (_second, two) = program.begin("/kept/bake/60").await;
    let (_third, three) = program.begin("/hub/bake/60").await;
    sleep(Duration::from_millis(2500)).await;

    let overview = program.overview("").await;
    assert_eq!((&overview["runs"]["all"], &overview["runs"]["going"]), (&3.into(), &3.into()));
    assert_eq!(overview["streams"]["open"], 3, "those of clients: a run is no client");
    let rows = overview["runs"]["rows"].as_array().expect("rows");
    let of_each = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(of_each("path"), ["/bake/60", "/kept/bake/60", "/hub/bake/60"], "the oldest first");
    assert_eq!(of_each("route"), ["/bake/{seconds}"; 3]);
    assert_eq!(of_each("id"), [one, two, three].map(beginning));
    assert_eq!(of_each("principal"), [Value::Null, Value::Null, "Ada".into()]);
    assert_eq!(of_each("age"), [2500; 3]);
    assert_eq!(of_each("left"), [597_500; 3]);
    assert_eq!(of_each("attached"), [1; 3]);
    assert_eq!(of_each("events"), [3; 3]);
    let event = format!("data: 0 in run {one}\n\n");
    assert_eq!(of_each("bytes"), [3 * event.len(); 3]);
    assert_eq!(of_each("begun"), [true; 3]);
    assert_eq!(of_each("ended"), [Value::Null, Value::Null, Value::Null]);

    first.disconnect();
    sleep(SECOND).await;
    let of_clients = |runs: &[Value]| runs.iter().map(|run| run["attached"].clone()).collect::<Vec<_>>();
    assert_eq!(of_clients(&program.runs("").await), [0, 1, 1]);
    let _back = (program.come_back("/bake/60", one).await, program.come_back("/bake/60", one).await);
    assert_eq!(of_clients(&program.runs("").await), [2, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_is_shown_with_the_reason_for_as_long_as_it_can_be_replayed() {
    let program = program(&Hooks::default());
    let (events, _) = program.begin("/kept/bake/3").await;
    let (_other, _) = program.begin("/kept/bake/600").await;
    drop(events);
    sleep(4 * SECOND).await;
    let overview = program.overview("").await;
    assert_eq!((&overview["runs"]["all"], &overview["runs"]["going"]), (&2.into(), &1.into()));
    let [going, over] = &overview["runs"]["rows"].as_array().expect("rows")[..] else { panic!("{overview}") };
    assert_eq!((&going["path"], &going["ended"]), (&"/kept/bake/600".into(), &Value::Null), "it comes first");
    assert_eq!((&over["path"], &over["ended"]), (&"/kept/bake/3".into(), &"Completed".into()));
    assert_eq!((&over["left"], &over["events"], &over["attached"]), (&Value::Null, &3.into(), &0.into()));

    sleep(120 * SECOND).await;
    assert_eq!(program.runs("").await.len(), 1, "it is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_run_is_cancelled_and_no_other() {
    let hooks = Hooks::default();
    let program = program(&hooks);
    let (mut events, id) = program.begin("/kept/bake/600").await;
    let (mut other, _) = program.begin("/hub/bake/600").await;
    let [run, _] = &program.runs("").await[..] else { panic!("there are two") };
    let number = &run["number"];
    let stream = program.number("/kept/bake/600").await;
    assert_eq!(program.cancel(&stream.into()).await.0, 404, "the number of a client is not that of its run");
    let shake = format!("/_sse/runs/{number}/shake");
    let shaken = program.client.post(&shake).header("host", "localhost").json(&json!({})).response().await;
    assert_eq!((shaken.status.as_u16(), &*shaken.text), (404, "there is no such button"));

    assert_eq!(program.cancel(number).await, (200, "cancelled".to_owned()));
    let last = loop {
        let event = events.next().await;
        if event.name != "message" {
            break event;
        }
    };
    let said: Value = serde_json::from_str(&last.data).expect("JSON");
    assert_eq!(last.name, "sse-bye");
    assert_eq!(said, json!({ "reason": "Cancelled", "message": "cancelled in the inspector" }));
    events.expect_end().await;
    assert_eq!(hooks.only().await.reason, DisconnectReason::Cancelled, "the handler is told, and it alone");

    let [going, over] = &program.runs("").await[..] else { panic!("it can be replayed") };
    assert_eq!((&going["path"], &going["ended"]), (&"/hub/bake/600".into(), &Value::Null));
    assert_eq!((&over["number"], &over["ended"]), (number, &"Cancelled".into()));
    assert_eq!(program.cancel(number).await.0, 409, "it is over");
    other.next().await;
    let answer = program.get(&format!("/kept/bake/600?run={id}")).stream().await.rest().await;
    assert_eq!(answer.last().map(|event| &*event.name), Some("sse-bye"), "who comes later is told, too");
    sleep(121 * SECOND).await;
    assert_eq!(program.cancel(number).await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn no_id_and_no_token_is_told_whole() {
    let program = program(&Hooks::default());
    let mut looking = program.look("tail=all").await;
    let (mut on_hub, one) = program.begin("/hub/bake/60").await;
    // Its first event is told with its id, and then with the one that it comes back with.
    on_hub.next().await;
    let back = program.get("/hub/bake/60").last_event_id(on_hub.last_event_id()).stream().await;
    let mut asking = program.client.post("/kept/asks").stream().await;
    let token: Value = loop {
        let event = asking.next().await;
        if event.name == "sse-replies" {
            break serde_json::from_str(&event.data).expect("JSON");
        }
    };
    let token = token["token"].as_str().expect("a token");
    let two = RunId::parse(asking.headers()["sse-run"].to_str().expect("text")).expect("an id");
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(next(&mut looking, "overview").await);
        told.push(next(&mut looking, "tail").await);
    }
    let shown = looking.raw_text();
    for secret in [one.as_str(), two.as_str(), token] {
        assert!(shown.contains(&format!("{}…", &secret[..6])), "it is told of: {secret}");
        for part in secret.as_bytes().windows(7) {
            let part = std::str::from_utf8(part).expect("ASCII");
            assert!(!shown.contains(part), "{part} of {secret}: {shown}");
        }
    }
    // What a client came with, what has left, and what there is to say of it.
    let overview = told.iter().rfind(|told| told["streams"].is_object()).expect("an overview");
    let rows = overview["streams"]["rows"].as_array().expect("rows");
    assert!(rows.iter().any(|row| row["last_id"].as_str().is_some_and(|id| id.starts_with(&beginning(one)))));
    assert_eq!(overview["hubs"][0]["topics"], 0, "the logs of runs are not the program's topics");
    assert!(overview["hubs"][0]["of_runs"].as_u64() >= Some(1));
    drop((back, on_hub));

    // Who has an id finds its run; who guesses is not told whether the guess is good.
    assert_eq!(program.runs(&format!("filter={one}")).await.len(), 1);
    assert_eq!(program.runs(&format!("filter={}", &one.as_str()[..6])).await.len(), 1);
    for length in [7, 13, 25] {
        let guess = program.overview(&format!("filter={}", &one.as_str()[..length])).await;
        let matching = [&guess["runs"], &guess["streams"], &guess["hubs"][0]].map(|of| &of["matching"]);
        assert_eq!(matching, [0; 3], "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_run_is_shown_for_each_client_and_for_no_other() {
    let program = program(&Hooks::default());
    let (first, id) = program.begin("/kept/bake/60").await;
    let _other = program.come_back("/kept/bake/60", id).await;
    let mut looking = program.look("tail=all").await;
    let mut shown: Vec<Value> = Vec::new();
    let of =
        |second: &str, event: &Value| event["data"].as_str().is_some_and(|data| data.starts_with(second));
    while !shown.iter().any(|event| of("2", event)) {
        let tail = next(&mut looking, "tail").await;
        shown.extend_from_slice(tail["events"].as_array().expect("events"));
    }
    shown.retain(|event| of("1", event));
    let [one, other] = &shown[..] else { panic!("{shown:?}") };
    assert_ne!(one["stream"], other["stream"]);
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_has_not_begun_is_shown_and_one_that_answers_is_gone() {
    let program = program(&Hooks::default());
    let asked = tokio::spawn(program.client.post("/shy").response());
    sleep(SECOND).await;
    let [run] = &program.runs("filter=/SHY").await[..] else { panic!("it thinks") };
    assert_eq!((&run["begun"], &run["events"], &run["attached"]), (&false.into(), &0.into(), &1.into()));
    assert_eq!(program.overview("filter=/bake").await["runs"]["matching"], 0);
    assert_eq!(asked.await.expect("no panic").status, 204);
    assert_eq!(program.runs("").await, Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn runs_of_another_application_of_the_process_are_not_its_own() {
    let program = program(&Hooks::default());
    let other = Shutdown::new();
    let hooks = Hooks::default();
    let app: Router = routes![bake].layer(Extension(hooks)).layer(Runs::in_memory()).layer(other.clone());
    let mut foreign = TestClient::new(app).post("/bake/600").stream().await;
    foreign.next().await;
    assert_eq!(program.overview("").await["runs"]["all"], 0);
    // Whatever its number is: there are no others near it.
    let highest = other.registry().streams().iter().map(|stream| stream.id.get()).max().expect("its stream");
    for number in highest.saturating_sub(5)..highest + 5 {
        assert_eq!(program.cancel(&number.into()).await.0, 404);
    }
    foreign.next().await;
}
