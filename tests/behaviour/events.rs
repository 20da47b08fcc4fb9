//! What each way of sending puts on the wire.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;
use sse_runtime::testing::TestClient;
use sse_runtime::{
    Event, EventError, EventWriter, Message, Result, SendError, Sse, SseEvent, routes, sse_route,
};

#[sse_route("/forms")]
async fn forms(sse: Sse) -> Result<()> {
    sse.send("text").await?;
    sse.send(String::from("a\r\nb\rc\n")).await?;
    sse.send("").await?;
    sse.send_json(json!({"a": 1})).await?;
    sse.send_json(&[1, 2]).await?;
    sse.send(Event::new("named").id("7").retry(Duration::from_secs(15)).data(" lead")).await?;
    sse.send(Event::new("json").json(&json!("x"))?).await?;
    sse.send(Event::new("json").id(8).json(&json!("y"))).await?;
    sse.send(Message::from("message")).await?;
    sse.comment("two\nlines").await?;
    sse.send(Event::default().data("unnamed")).await?;
    Ok(())
}

#[tokio::test]
async fn every_form_of_sending_has_its_wire_form() {
    let answer = TestClient::new(routes![forms]).get("/forms").response().await;
    assert_eq!(
        answer.text,
        concat!(
            "data: text\n\n",
            "data: a\ndata: b\ndata: c\ndata: \n\n",
            "data: \n\n",
            "data: {\"a\":1}\n\n",
            "data: [1,2]\n\n",
            "event: named\nid: 7\nretry: 15000\ndata:  lead\n\n",
            "event: json\ndata: \"x\"\n\n",
            "event: json\nid: 8\ndata: \"y\"\n\n",
            "data: message\n\n",
            ": two\n: lines\n",
            "data: unnamed\n\n",
        )
    );
}

#[sse_route("/refusals", max_event = "1KiB")]
async fn refusals(sse: Sse) -> Result<()> {
    let name = sse.send(Event::new(String::from("line\nbreak")).data("x")).await;
    assert!(matches!(name, Err(SendError::Event(EventError::NameCharacter { .. }))), "{name:?}");
    let id = sse.send(Event::default().id(String::from("nul\0")).data("x")).await;
    assert!(matches!(id, Err(SendError::Event(EventError::IdCharacter { .. }))), "{id:?}");
    let reserved = sse.send(Event::default().id("sse-end").data("x")).await;
    assert!(matches!(reserved, Err(SendError::Event(EventError::ReservedId))), "{reserved:?}");
    let json = sse.send(Event::new("x").json(&Unserializable)).await;
    assert!(matches!(json, Err(SendError::Event(EventError::Json(_)))), "{json:?}");
    let long = sse.send("x".repeat(1025)).await;
    assert!(matches!(long, Err(SendError::Event(EventError::TooLarge { max: 1024, .. }))), "{long:?}");
    let long = sse.send_json("x".repeat(1025)).await;
    assert!(matches!(long, Err(SendError::Event(EventError::TooLarge { max: 1024, .. }))), "{long:?}");
    let comment = sse.comment("x".repeat(1025)).await;
    assert!(matches!(comment, Err(SendError::Event(EventError::TooLarge { .. }))), "{comment:?}");
    sse.send("unharmed").await?;
    Ok(())
}

#[tokio::test]
async fn an_event_that_is_refused_leaves_the_stream_unharmed() {
    let answer = TestClient::new(routes![refusals]).get("/refusals").response().await;
    assert_eq!(answer.text, "data: unharmed\n\n");
}

struct Unserializable;

impl serde::Serialize for Unserializable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not today"))
    }
}

struct Explodes;

impl serde::Serialize for Explodes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut list = serializer.serialize_seq(None)?;
        list.serialize_element("half of it")?;
        panic!("in the middle");
    }
}

#[sse_route("/explodes")]
async fn explodes(sse: Sse) -> Result<()> {
    sse.send("before").await?;
    let clone = sse.clone();
    let task = tokio::spawn(async move { clone.send_json(Explodes).await });
    assert!(task.await.is_err_and(|error| error.is_panic()));
    sse.send("after").await?;
    Ok(())
}

#[tokio::test]
async fn a_value_that_panics_while_it_is_serialized_leaves_no_trace() {
    let answer = TestClient::new(routes![explodes]).get("/explodes").response().await;
    assert_eq!(answer.text, "data: before\n\ndata: after\n\n");
}

#[sse_route("/retry", retry = "3s")]
async fn retry(sse: Sse) -> Result<()> {
    sse.send("first").await?;
    sse.send("second").await?;
    Ok(())
}

#[tokio::test]
async fn the_routes_retry_travels_in_the_first_event() {
    let answer = TestClient::new(routes![retry]).get("/retry").response().await;
    assert_eq!(answer.text, "retry: 3000\ndata: first\n\ndata: second\n\n");
}

#[sse_route("/changes")]
async fn changes(sse: Sse) -> Result<()> {
    for (n, state) in ["queued", "queued", "running", "running", "queued"].into_iter().enumerate() {
        let sent = sse.send_changed(Event::new("state").id(n).data(state)).await?;
        assert_eq!(sent, [true, false, true, false, true][n]);
        // Another name is another value.
        assert_eq!(sse.send_changed(Event::new("other").data("same")).await?, n == 0);
    }
    assert!(sse.send_changed("text").await?);
    assert!(!sse.send_changed(String::from("text")).await?);
    Ok(())
}

#[tokio::test]
async fn send_changed_sends_a_value_once_until_it_changes() {
    let mut events = TestClient::new(routes![changes]).get("/changes").stream().await;
    let seen: Vec<_> = events.rest().await.into_iter().map(|event| (event.name, event.data)).collect();
    let expected = [
        ("state", "queued"),
        ("other", "same"),
        ("state", "running"),
        ("state", "queued"),
        ("message", "text"),
    ];
    assert_eq!(seen, expected.map(|(name, data)| (name.to_owned(), data.to_owned())));
}

#[sse_route("/forwards")]
async fn forwards(sse: Sse) -> Result<()> {
    sse.send_all(stream::iter(["a", "b"])).await?;
    let ticks = stream::iter(0..3).then(|n| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Event::new("tick").data(n.to_string())
    });
    sse.send_all(ticks).await?;
    let refused = sse
        .send_all(stream::iter([
            Event::default().data("c"),
            Event::new(String::from("\n")),
            Event::default(),
        ]))
        .await;
    assert!(matches!(refused, Err(SendError::Event(_))));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn send_all_forwards_a_stream_as_it_comes() {
    let mut events = TestClient::new(routes![forwards]).get("/forwards").stream().await;
    events.expect("message", "a").await;
    events.expect("message", "b").await;
    for n in ["0", "1", "2"] {
        events.silent_for(Duration::from_millis(999)).await;
        events.expect("tick", n).await;
    }
    events.expect("message", "c").await;
    events.expect_end().await;
}

#[sse_route("/user-input/{name}")]
async fn user_input(sse: Sse, name: String) -> Result<()> {
    match sse.send(Event::new(name).data("hi")).await {
        Err(SendError::Event(error)) => sse.send(format!("refused: {error}")).await?,
        other => other?,
    }
    Ok(())
}

#[tokio::test]
async fn an_event_name_from_the_client_cannot_add_an_event() {
    let client = TestClient::new(routes![user_input]);
    for injected in ["x%0Adata:%20evil", "x%0D%0A%0D%0Adata:%20evil", "x%0Ddata:%20evil", "x%00"] {
        let mut events = client.get(&format!("/user-input/{injected}")).stream().await;
        let seen = events.rest().await;
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(seen[0].name, "message");
        assert!(seen[0].data.starts_with("refused: "), "{seen:?}");
    }
    let mut events = client.get("/user-input/gr%C3%BC%C3%9Fe").stream().await;
    events.expect("grüße", "hi").await;
}

#[sse_route("/control")]
async fn control(sse: Sse) -> Result<()> {
    sse.send((0..=0x9f_u8).map(char::from).collect::<String>()).await?;
    Ok(())
}

#[tokio::test]
async fn data_with_every_control_character_arrives_whole() {
    let mut events = TestClient::new(routes![control]).get("/control").stream().await;
    let sent: String = (0..=0x9f_u8).map(char::from).collect();
    // A bare CR ends a line, and lines arrive joined by LF: the format has no way to carry it.
    assert_eq!(events.next().await.data, sent.replace('\r', "\n"));
}

/// What a typed handle sends.
enum JobEvent {
    Progress { percent: u8 },
    Done,
}

impl SseEvent for JobEvent {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        match self {
            Self::Progress { percent } => {
                event.name("progress")?;
                event.json(percent)
            }
            Self::Done => {
                event.name("done")?;
                event.id("last")
            }
        }
    }
}

#[sse_route("/typed", retry = "1s")]
async fn typed(sse: Sse<JobEvent>) -> Result<()> {
    sse.send(JobEvent::Progress { percent: 40 }).await?;
    assert!(sse.send_changed(&JobEvent::Progress { percent: 50 }).await?);
    assert!(!sse.send_changed(JobEvent::Progress { percent: 50 }).await?);
    sse.send_all(stream::iter([JobEvent::Done])).await?;
    Ok(())
}

#[tokio::test]
async fn a_typed_handle_sends_values_of_its_type() {
    let answer = TestClient::new(routes![typed]).get("/typed").response().await;
    assert_eq!(
        answer.text,
        concat!(
            "event: progress\nretry: 1000\ndata: 40\n\n",
            "event: progress\ndata: 50\n\n",
            "event: done\nid: last\ndata: \n\n",
        )
    );
}
