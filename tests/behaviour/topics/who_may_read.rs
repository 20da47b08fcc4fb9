//! Who may not read a stream does not get its past either: an id says where a client was, and not who it is.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use sse_runtime::testing::{TestClient, TestRequest, TestResponse};
use sse_runtime::{Error, Event, Hub, Result, Sse, StatusCode, Topic, routes, sse_route};

use super::{id, json, position};

#[derive(Clone)]
struct House {
    hub: Hub,
    /// Who may read which room.
    readers: Arc<Mutex<HashSet<(String, String)>>>,
    snapshots: Arc<AtomicUsize>,
}

impl House {
    fn new() -> Self {
        Self { hub: Hub::in_memory().build(), readers: Arc::default(), snapshots: Arc::default() }
    }

    fn room(&self, name: &str) -> Topic {
        let snapshots = Arc::clone(&self.snapshots);
        self.hub.topic(name).snapshot(move || {
            snapshots.fetch_add(1, Ordering::Relaxed);
            async { Ok([Event::new("all").data("all the secrets")]) }
        })
    }

    fn let_in(&self, reader: &str, room: &str) {
        self.readers.lock().expect("no panic").insert((reader.to_owned(), room.to_owned()));
    }

    fn revoke(&self, reader: &str, room: &str) {
        self.readers.lock().expect("no panic").remove(&(reader.to_owned(), room.to_owned()));
    }

    fn may_read(&self, reader: &str, room: &str) -> bool {
        self.readers.lock().expect("no panic").contains(&(reader.to_owned(), room.to_owned()))
    }

    fn client(&self) -> TestClient {
        TestClient::new(routes![by_extractor, by_handler, both_rooms].with_state(self.clone()))
    }
}

/// Who asks; what a session or a token would say.
struct User(String);

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let name = parts.headers.get("authorization").and_then(|name| name.to_str().ok());
        name.map(|name| Self(name.to_owned())).ok_or((StatusCode::UNAUTHORIZED, "log in first"))
    }
}

/// A user who may read the room of the path.
struct Reader;

impl FromRequestParts<House> for Reader {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, house: &House) -> Result<Self, Self::Rejection> {
        let User(name) = User::from_request_parts(parts, house).await?;
        let Ok(Path(room)) = Path::<String>::from_request_parts(parts, house).await else {
            return Err((StatusCode::BAD_REQUEST, "no room"));
        };
        if house.may_read(&name, &room) { Ok(Self) } else { Err((StatusCode::FORBIDDEN, "not your room")) }
    }
}

#[sse_route("/extractor/{room}", end = "end")]
async fn by_extractor(sse: Sse, room: String, _reader: Reader, State(house): State<House>) -> Result<()> {
    sse.follow(&house.room(&room)).await?;
    Ok(())
}

fn check(house: &House, name: &str, room: &str) -> Result<()> {
    if house.may_read(name, room) {
        return Ok(());
    }
    Err(Error::from("not your room").with_status(StatusCode::FORBIDDEN).public("not your room"))
}

#[sse_route("/handler/{room}")]
async fn by_handler(sse: Sse, room: String, User(name): User, State(house): State<House>) -> Result<()> {
    check(&house, &name, &room)?;
    sse.follow(&house.room(&room)).await?;
    Ok(())
}

#[sse_route("/both/{room}/{other}")]
async fn both_rooms(
    sse: Sse,
    room: String,
    other: String,
    User(name): User,
    State(house): State<House>,
) -> Result<()> {
    check(&house, &name, &room)?;
    check(&house, &name, &other)?;
    sse.follow_all([house.room(&room), house.room(&other)]).await?;
    Ok(())
}

/// In every way in which a position can be given, and in none.
fn with_position(client: &TestClient, path: &str, ids: &[&str]) -> Vec<TestRequest> {
    let mut requests = vec![client.get(path)];
    for id in ids {
        requests.push(client.get(path).last_event_id(id));
        requests.push(client.get(&format!("{path}?last_event_id={id}")));
        requests.push(client.get(&format!("{path}?last_event_id={id}")).last_event_id(ids[0]));
    }
    requests
}

#[tokio::test(start_paused = true)]
async fn an_id_opens_nothing_that_the_live_route_would_refuse() {
    let house = House::new();
    house.let_in("ada", "x");
    house.let_in("eve", "y");
    let start = house.room("x").position();
    let in_x = house.room("x").publish("secret 1").await.expect("published");
    let in_y = house.room("y").publish("gossip").await.expect("published");
    house.room("x").publish("secret 2").await.expect("published");
    let ids = [start.as_str(), in_x.as_str(), in_y.as_str()];
    let client = house.client();

    for path in ["/extractor/x", "/handler/x", "/both/x/y", "/both/y/x"] {
        for (name, status) in [(None, 401), (Some("eve"), 403), (Some("mallory"), 403)] {
            let as_user = |request: TestRequest| match name {
                Some(name) => request.header("authorization", name),
                None => request,
            };
            let live: TestResponse = as_user(client.get(path)).response().await;
            assert_eq!(live.status, status, "{path} {name:?}");
            for request in with_position(&client, path, &ids) {
                let shown = format!("{request:?}");
                let refused = as_user(request).response().await;
                assert_eq!((refused.status, &refused.text), (live.status, &live.text), "{shown}");
                assert_eq!(refused.headers, live.headers, "{shown}");
            }
        }
    }
    let stats = house.hub.stats();
    assert_eq!((stats.resumed, stats.reset, house.snapshots.load(Ordering::Relaxed)), (0, 0, 0));

    // They are good ids: who may read the room gets what comes after them.
    for path in ["/extractor/x", "/handler/x"] {
        let request = client.get(path).last_event_id(start.as_str()).header("authorization", "ada");
        let mut events = request.stream().await;
        assert_eq!(json(&events.next().await)["resumed"], true);
        let data: Vec<_> = events.take(2).await.into_iter().map(|event| event.data).collect();
        assert_eq!(data, ["secret 1", "secret 2"]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_a_reader_comes_back_with_the_last_id_and_is_refused() {
    let house = House::new();
    house.let_in("bob", "x");
    let client = house.client();
    for path in ["/extractor/x", "/handler/x"] {
        house.let_in("bob", "x");
        let mut events = client.get(path).header("authorization", "bob").stream().await;
        let _open_and_snapshot = events.take(2).await;
        house.room("x").publish("while he may").await.expect("published");
        let seen = events.next().await;
        assert_eq!(seen.data, "while he may");
        let seen = id(&seen).to_owned();

        house.revoke("bob", "x");
        let back = events.reconnect_request();
        assert!(format!("{back:?}").contains(&seen), "it names the id: {back:?}");
        house.room("x").publish("when he may no more").await.expect("published");
        let refused = back.response().await;
        assert_eq!((refused.status, refused.text.as_str()), (StatusCode::FORBIDDEN, "not your room"));
        let by_query = client.get(&format!("{path}?last_event_id={seen}")).header("authorization", "bob");
        let refused = by_query.response().await;
        assert_eq!((refused.status, refused.text.as_str()), (StatusCode::FORBIDDEN, "not your room"));
    }
    assert_eq!(house.hub.stats().resumed, 0);
}

#[tokio::test(start_paused = true)]
async fn an_id_of_another_topic_is_a_time_and_brings_the_own_topics_events_only() {
    let house = House::new();
    house.let_in("ada", "x");
    house.let_in("ada", "y");
    let (x, y) = (house.room("x"), house.room("y"));
    y.publish("y 1").await.expect("published");
    x.publish("x 1").await.expect("published");
    let client = house.client();
    let mut other = client.get("/handler/y").header("authorization", "ada").stream().await;
    let _open_and_snapshot = other.take(2).await;
    y.publish("y 2").await.expect("published");
    let seen = id(&other.next().await).to_owned();
    x.publish("x 2").await.expect("published");
    y.publish("y 3").await.expect("published");
    x.publish("x 3").await.expect("published");

    for request in [
        client.get("/handler/x").last_event_id(&seen),
        client.get(&format!("/handler/x?last_event_id={seen}")),
    ] {
        let mut events = request.header("authorization", "ada").stream().await;
        assert_eq!(position(&events.next().await), seen);
        let data: Vec<_> = events.take(2).await.into_iter().map(|event| event.data).collect();
        assert_eq!(data, ["x 2", "x 3"], "what came after that moment, of this room");
        events.silent_for(Duration::from_secs(5)).await;
        y.publish("y 4").await.expect("published");
        events.silent_for(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_seen_the_end_is_told_to_stop_and_nothing_else() {
    let house = House::new();
    house.room("x").publish("secret").await.expect("published");
    for request in with_position(&house.client(), "/extractor/x", &["sse-end"]).split_off(1) {
        let answer = request.response().await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
    }
    assert_eq!(house.hub.stats().resumed, 0);
}
