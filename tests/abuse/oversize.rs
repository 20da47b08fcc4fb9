//! Events that are larger than allowed, and names and ids beyond their limits: an error with a type to whoever sends,
//! and nothing of it on any stream.

use axum::Router;
use axum::extract::State;
use sse_runtime::{Event, EventError, Hub, PublishError, Result, SendError, Sse, Topic, routes, sse_route};

use crate::peer::{get, read_until};
use crate::target::{App, Target, app};

const MOST: usize = 1024;

fn bad_events() -> Vec<(&'static str, Event)> {
    let fits = MOST - "data: \n\n".len();
    vec![
        ("a byte too much", Event::default().data("x".repeat(fits + 1))),
        ("far too much", Event::default().data("x".repeat(10 << 20))),
        ("too many lines", Event::default().data("\n".repeat(MOST / 6))),
        ("a long name", Event::new("n".repeat(MOST)).data("x")),
        ("a long id", Event::default().id("7".repeat(129)).data("x")),
        ("a huge id", Event::default().id("7".repeat(1 << 20)).data("x")),
        ("an empty name", Event::new("").data("x")),
        ("a line end in a name", Event::new("a\ndata: forged").data("x")),
        ("a line end in an id", Event::default().id("7\rdata: forged").data("x")),
        ("the id of an end", Event::default().id("sse-end").data("x")),
    ]
}

/// What is wrong, in a word.
fn word(error: &EventError) -> &'static str {
    match error {
        EventError::TooLarge { max: MOST, .. } => "large",
        EventError::IdTooLong { .. } => "long",
        EventError::EmptyName => "empty",
        EventError::NameCharacter { .. } | EventError::IdCharacter { .. } => "character",
        EventError::ReservedId => "reserved",
        _ => "else",
    }
}

const WORDS: [&str; 10] =
    ["large", "large", "large", "large", "long", "long", "empty", "character", "character", "reserved"];

#[sse_route("/oversize", max_event = "1KiB")]
async fn oversize(sse: Sse) -> Result<()> {
    sse.send("begin").await?;
    for (what, event) in bad_events() {
        match sse.send(event).await {
            Err(SendError::Event(error)) => sse.send_json([what, word(&error)]).await?,
            other => sse.send_json([what, &format!("{other:?}")]).await?,
        }
    }
    let Err(SendError::Event(EventError::TooLarge { max: MOST, .. })) =
        sse.comment("x".repeat(MOST + 1)).await
    else {
        return Err("a comment of any size")?;
    };
    sse.comment("x".repeat(MOST)).await?;
    sse.send("x".repeat(MOST - "data: \n\n".len())).await?;
    sse.send("end").await?;
    Ok(())
}

fn expected() -> String {
    let told = bad_events()
        .into_iter()
        .zip(WORDS)
        .map(|((what, _), word)| format!("data: [\"{what}\",\"{word}\"]\n\n"));
    told.collect()
}

async fn start() -> Target {
    let app: Router<App> = routes![oversize, published].merge(app());
    Target::with(app, Hub::in_memory().max_event(MOST).build(), |serve| serve).await
}

#[tokio::test]
async fn an_event_that_is_too_large_is_an_error_to_its_sender_and_the_stream_is_unharmed() {
    let target = start().await;
    let mut socket = get(target.address, "/oversize").await;
    let answer = read_until(&mut socket, "data: end\n\n").await;
    let (_, body) = answer.split_once("data: begin\n\n").expect("a beginning");
    // All of it in one frame or several: their sizes stand between.
    let lines: Vec<&str> = body.lines().filter(|line| line.starts_with(['d', 'e', 'i', ':'])).collect();
    let mut wanted: Vec<String> =
        expected().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    wanted.push(format!(": {}", "x".repeat(MOST)));
    wanted.push(format!("data: {}", "x".repeat(MOST - 8)));
    wanted.push("data: end".to_owned());
    assert_eq!(lines, wanted);
}

#[sse_route("/published")]
async fn published(sse: Sse, State(hub): State<Hub>) -> Result<()> {
    sse.follow(&hub.topic("published")).await?;
    Ok(())
}

#[tokio::test]
async fn an_event_that_is_too_large_to_publish_reaches_nobody_and_harms_no_follower() {
    let target = start().await;
    let topic: Topic = target.hub.topic("published");
    let mut socket = get(target.address, "/published").await;
    read_until(&mut socket, "event: sse-open\n").await;
    let before = topic.position();
    for ((what, event), word_expected) in bad_events().into_iter().zip(WORDS) {
        match topic.publish(event).await {
            Err(PublishError::Event(error)) => assert_eq!(word(&error), word_expected, "{what}"),
            // A topic gives its events their ids, so it has this one for no id at all.
            Err(PublishError::OwnId { id }) => {
                assert_eq!((what, id.as_str()), ("the id of an end", "sse-end"));
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    assert_eq!(topic.position(), before);
    topic.publish(Event::new("n".repeat(200)).data("last")).await.expect("it fits");
    let rest = read_until(&mut socket, "data: last\n\n").await;
    let sent: Vec<&str> =
        rest.lines().filter(|line| line.starts_with("data: ") && !line.contains("position")).collect();
    assert_eq!(sent, ["data: last"], "{rest}");
    assert_eq!(target.hub.stats().published, 1);
}
