//! The inspector: what it tells, what its buttons do, and whom it lets in.

mod buttons;
mod gate;
mod runs;
mod tail;

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::{Extension, Router};
use serde_json::Value;
use sse_runtime::testing::{TestClient, TestRequest, TestResponse, TestStream};
use sse_runtime::{Event, Hub, Inspector, Result, Shutdown, Sse, Topic, routes, sse_route};

use crate::Hooks;

type App = (Hub, Hooks);

#[sse_route("/rooms/{room}", slow = "skip", max_age = "90m")]
async fn room(sse: Sse, room: String, State((hub, hooks)): State<App>) -> Result<()> {
    hooks.watch(&sse);
    sse.set_principal(format!("guest of {room}"));
    sse.follow(&hub.topic(room)).await?;
    Ok(())
}

#[sse_route("/count/{to}", methods = ["GET", "POST"], max_streams = 10_000)]
async fn count(sse: Sse, to: u32, State((_, hooks)): State<App>) -> Result<()> {
    hooks.watch(&sse);
    for n in 1..=to {
        sse.send(Event::new("count").id(n).data(n.to_string())).await?;
    }
    std::future::pending().await
}

#[sse_route("/ticks")]
async fn ticks(sse: Sse) -> Result<()> {
    for n in 0.. {
        sse.send(n.to_string()).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

#[sse_route("/thinks", open_after = "off")]
async fn thinks(_sse: Sse) -> Result<()> {
    std::future::pending().await
}

#[sse_route("/foreign", bare)]
async fn foreign(sse: Sse) -> Result<()> {
    sse.send("x").await?;
    std::future::pending().await
}

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 50_000);

/// An application with an inspector, whose requests all come from one place.
struct Program {
    client: TestClient,
    hub: Hub,
    hooks: Hooks,
}

impl Program {
    fn start() -> Self {
        Self::with(|_| Router::new())
    }

    /// One that has other routes, too, on the same hub.
    fn with(more: impl FnOnce(&Hub) -> Router) -> Self {
        let (shutdown, hub, hooks) = (Shutdown::new(), Hub::default(), Hooks::default());
        let inspector = Inspector::new(&shutdown).hub("main", &hub);
        let app: Router =
            routes![room, count, ticks, thinks, foreign].with_state((hub.clone(), hooks.clone()));
        let app = app
            .merge(more(&hub))
            .merge(inspector.routes())
            .layer(shutdown)
            .layer(Extension(ConnectInfo(HERE)));
        Self { client: TestClient::new(app), hub, hooks }
    }

    fn get(&self, path: &str) -> TestRequest {
        self.client.get(path).header("host", "localhost:3000")
    }

    async fn open(&self, path: &str) -> TestStream {
        let mut events = self.get(path).stream().await;
        events.next().await;
        events
    }

    /// What a page with this query is told first.
    async fn look(&self, query: &str) -> TestStream {
        let mut looking = self.get(&format!("/_sse/events?{query}")).stream().await;
        assert_eq!(looking.next().await.name, "begin");
        looking
    }

    /// All there is, as a page with this query is told.
    async fn overview(&self, query: &str) -> Value {
        next(&mut self.look(query).await, "overview").await
    }

    async fn press(&self, id: u64, button: &str, body: &Value) -> TestResponse {
        let request = self.client.post(&format!("/_sse/streams/{id}/{button}"));
        request.header("host", "localhost:3000").json(body).response().await
    }

    /// The number of the one open stream whose path this is.
    async fn number(&self, path: &str) -> u64 {
        let overview = self.overview("").await;
        let rows = overview["streams"]["rows"].as_array().expect("rows").clone();
        let of_path: Vec<_> = rows.iter().filter(|row| row["path"] == path).collect();
        assert_eq!(of_path.len(), 1, "{rows:?}");
        of_path[0]["id"].as_u64().expect("a number")
    }

    async fn publish(&self, room: &str, data: &str) {
        let topic: Topic = self.hub.topic(room);
        topic.publish(Event::new("said").data(data)).await.expect("it can be published");
    }
}

/// The next event of this name; what comes before it has other names.
async fn next(looking: &mut TestStream, name: &str) -> Value {
    for _ in 0..100 {
        let event = looking.next().await;
        if event.name == name {
            return serde_json::from_str(&event.data).expect("JSON");
        }
    }
    panic!("no {name} among a hundred events");
}

fn route<'a>(overview: &'a Value, path: &str) -> Option<&'a Value> {
    overview["routes"].as_array().expect("routes").iter().find(|route| route["path"] == path)
}

#[tokio::test(start_paused = true)]
async fn it_tells_of_streams_and_what_waits_in_them() {
    let program = Program::start();
    let mut lobby = program.open("/rooms/lobby").await;
    let counting = program.open("/count/1").await;
    program.publish("lobby", "hello").await;
    let said = lobby.next().await;
    tokio::time::sleep(Duration::from_secs(5)).await;

    let overview = program.overview("").await;
    let streams = &overview["streams"];
    assert_eq!((&streams["open"], &streams["matching"]), (&2.into(), &2.into()), "its own is not counted");
    let [first, second] = &streams["rows"].as_array().expect("rows")[..] else { panic!("{streams}") };
    assert_eq!(first["route"], "/rooms/{room}");
    assert_eq!(first["path"], "/rooms/lobby");
    assert_eq!(first["client"], "127.0.0.1");
    assert_eq!(first["principal"], "guest of lobby");
    assert_eq!(first["age"], 5000);
    assert_eq!(first["events"], 2);
    assert_eq!(first["bytes"], lobby.raw().len());
    assert_eq!(first["behind"], 0);
    assert_eq!(first["last_id"].as_str(), said.id.as_deref());
    assert_eq!(first["stalled"], false);
    assert_eq!(second["path"], "/count/1");
    assert_eq!(second["behind"], Value::Null);
    drop(counting);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_has_a_backlog() {
    let program = Program::start();
    let mut lobby = program.open("/rooms/lobby").await;
    let _other = program.open("/count/1").await;
    lobby.stall();
    for n in 0..10 {
        program.publish("lobby", &n.to_string()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let overview = program.overview("sort=backlog").await;
    let row = &overview["streams"]["rows"][0];
    assert_eq!((&row["events"], &row["behind"]), (&1.into(), &10.into()), "{row}");
    assert_eq!(row["send_timeout"], 30_000);
    lobby.resume();
    lobby.take(10).await;
    assert_eq!(program.overview("").await["streams"]["rows"][0]["behind"], 0);
}

#[tokio::test(start_paused = true)]
async fn it_tells_of_routes_while_they_are_mounted() {
    #[sse_route("/inspected/once")]
    async fn once(sse: Sse) -> Result<()> {
        sse.send("x").await?;
        Ok(())
    }

    let program = Program::start();
    let _counting = (program.open("/count/1").await, program.open("/count/2").await);
    let router: Router = routes![once];
    let overview = program.overview("").await;
    let mounted = overview["routes"].as_array().expect("routes");
    // That of other tests in this process is mounted too.
    let counted = mounted.iter().find(|route| route["path"] == "/count/{to}" && route["open"] == 2);
    let counted = counted.expect("it is mounted");
    assert_eq!((&counted["events"], &counted["unknown"]), (&3.into(), &0.into()));
    assert_eq!(counted["methods"], serde_json::json!(["GET", "POST"]));
    assert_eq!((&counted["handler"], &counted["open"]), (&"behaviour::inspector::count".into(), &2.into()));
    let option = |route: &Value, name: &str| {
        let options = route["options"].as_array().expect("options").clone();
        options.into_iter().find(|option| option["name"] == name)
    };
    let most = option(counted, "max_streams").expect("it is given");
    assert_eq!((&most["value"], &most["changed"]), (&"10000".into(), &true.into()));
    let pings = option(counted, "keep_alive").expect("it has a default");
    assert_eq!((&pings["value"], &pings["changed"]), (&"15s".into(), &false.into()));
    let rooms = route(&overview, "/rooms/{room}").expect("it is mounted");
    assert_eq!(option(rooms, "max_age").expect("it is given")["value"], "90m");
    assert_eq!(option(rooms, "max_event").expect("it has a default")["value"], "256KiB");
    assert_eq!(option(rooms, "bare"), None);

    assert!(route(&overview, "/inspected/once").is_some());
    assert!(route(&overview, "/_sse/events").is_none(), "its own is left out");
    drop(router);
    assert_eq!(route(&program.overview("").await, "/inspected/once"), None);
}

#[tokio::test(start_paused = true)]
async fn it_tells_of_topics_and_what_is_kept_of_them() {
    let program = Program::start();
    let mut lobby = program.open("/rooms/lobby").await;
    program.publish("garden", "nobody").await;
    program.publish("lobby", "one").await;
    let first = lobby.next().await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    program.publish("lobby", "two").await;
    let second = lobby.next().await;
    tokio::time::sleep(Duration::from_secs(2)).await;

    let overview = program.overview("").await;
    let hub = &overview["hubs"][0];
    assert_eq!((&hub["name"], &hub["topics"], &hub["published"]), (&"main".into(), &2.into(), &3.into()));
    let [lobby, garden] = &hub["rows"].as_array().expect("rows")[..] else { panic!("{hub}") };
    assert_eq!((&lobby["name"], &garden["name"]), (&"lobby".into(), &"garden".into()), "the newest first");
    assert_eq!((&lobby["subscribers"], &garden["subscribers"]), (&1.into(), &0.into()));
    assert_eq!(lobby["events"], 2);
    assert_eq!(lobby["oldest"].as_str(), first.id.as_deref());
    assert_eq!(lobby["newest"].as_str(), second.id.as_deref());
    assert_eq!((&lobby["age"], &garden["age"]), (&2000.into(), &9000.into()));

    let filtered = program.overview("filter=GARD").await;
    assert_eq!((&filtered["hubs"][0]["topics"], &filtered["hubs"][0]["matching"]), (&2.into(), &1.into()));
    assert_eq!(filtered["hubs"][0]["rows"][0]["name"], "garden");
}

#[tokio::test(start_paused = true)]
async fn one_stream_is_found_among_many() {
    let program = Program::start();
    let mut many = Vec::new();
    for n in 0..250 {
        many.push(program.open(&format!("/count/{}", n + 1)).await);
    }
    let overview = program.overview("").await;
    assert_eq!(overview["streams"]["open"], 250);
    assert_eq!(overview["streams"]["rows"].as_array().map(Vec::len), Some(200), "so many are shown");
    assert_eq!(overview["streams"]["rows"][0]["path"], "/count/1");

    let found = program.overview("filter=/COUNT/77").await;
    assert_eq!((&found["streams"]["open"], &found["streams"]["matching"]), (&250.into(), &1.into()));
    assert_eq!(found["streams"]["rows"][0]["path"], "/count/77");
    for (sort, first) in [("newest", "/count/250"), ("events", "/count/250"), ("oldest", "/count/1")] {
        let sorted = program.overview(&format!("sort={sort}")).await;
        assert_eq!(sorted["streams"]["rows"][0]["path"], first, "{sort}");
    }
    // The one that is looked at is told of wherever it is.
    let last = program.number_of_last().await;
    let looking = program.overview(&format!("tail={last}")).await;
    assert_eq!(looking["chosen"]["path"], "/count/250");
}

impl Program {
    async fn number_of_last(&self) -> u64 {
        self.overview("sort=newest").await["streams"]["rows"][0]["id"].as_u64().expect("a number")
    }
}

#[tokio::test(start_paused = true)]
async fn the_picture_is_of_all_that_left_and_is_still_there_for_the_next_page() {
    let program = Program::start();
    let mut looking = program.look("").await;
    let before = next(&mut looking, "overview").await["events"].as_u64().expect("a number");
    let over = program.open("/count/30").await;
    // Those of a stream that is over by now count too.
    over.disconnect();
    program.hooks.only().await;
    let _going_on = program.open("/count/12").await;
    let after = next(&mut looking, "overview").await;
    assert!(after["events"].as_u64() >= Some(before + 42), "{after}");

    let begin = program.get("/_sse/events").stream().await.next().await;
    let begin: Value = serde_json::from_str(&begin.data).expect("JSON");
    let history = begin["history"].as_array().expect("a list");
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!((&history[0][1], &history[1][1]), (&before.into(), &after["events"]));
}

#[tokio::test(start_paused = true)]
async fn streams_that_it_cannot_show_are_counted() {
    #[sse_route("/inspected/elsewhere")]
    async fn elsewhere(sse: Sse) -> Result<()> {
        sse.send("x").await?;
        std::future::pending().await
    }

    let program = Program::start();
    // Under no `Shutdown`, as if the server had been given another one.
    let other = TestClient::new(routes![elsewhere]);
    let mut events = other.get("/inspected/elsewhere").stream().await;
    events.next().await;
    let overview = program.overview("").await;
    let route = route(&overview, "/inspected/elsewhere").expect("it is mounted");
    assert_eq!((&route["open"], &route["unknown"]), (&1.into(), &1.into()));
    assert_eq!(overview["streams"]["open"], 0);
}
