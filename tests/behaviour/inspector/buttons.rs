//! What the inspector's buttons do.

use std::time::Duration;

use serde_json::{Value, json};
use sse_runtime::DisconnectReason;
use tokio::time::{Instant, sleep};

use super::{Program, next};

#[tokio::test(start_paused = true)]
async fn close_ends_a_stream_with_a_goodbye_and_no_other() {
    let program = Program::start();
    let mut lobby = program.open("/rooms/lobby").await;
    let mut garden = program.open("/rooms/garden").await;
    let id = program.number("/rooms/lobby").await;
    let answer = program.press(id, "close", &Value::Null).await;
    assert_eq!((answer.status.as_u16(), &*answer.text), (200, "closed"));
    lobby.expect("sse-bye", r#"{"reason":"Kicked","message":"closed in the inspector"}"#).await;
    lobby.expect_end().await;
    assert_eq!(program.hooks.only().await.reason, DisconnectReason::Kicked);
    garden.silent_for(Duration::from_secs(5)).await;
    assert_eq!(program.press(id, "close", &Value::Null).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_hands_out_nothing_and_all_of_it_when_it_is_released() {
    let program = Program::start();
    let mut lobby = program.open("/rooms/lobby").await;
    let id = program.number("/rooms/lobby").await;
    assert_eq!(program.press(id, "release", &Value::Null).await.status, 409, "it is not stalled");
    assert_eq!(program.press(id, "stall", &Value::Null).await.text, "stalled");
    assert_eq!(program.press(id, "stall", &Value::Null).await.status, 409, "it is already");

    // Over more than one keep-alive interval, and less than the send timeout.
    let before = lobby.raw().len();
    for text in ["one", "two", "three"] {
        program.publish("lobby", text).await;
        sleep(Duration::from_secs(8)).await;
    }
    assert_eq!(lobby.raw().len(), before, "not even a comment");
    let overview = program.overview("").await;
    let row = &overview["streams"]["rows"][0];
    assert_eq!((&row["stalled"], &row["behind"]), (&true.into(), &3.into()));
    assert!((23_000..=24_100).contains(&row["blocked"].as_u64().expect("it is blocked")), "{row}");

    assert_eq!(program.press(id, "release", &Value::Null).await.text, "released");
    for text in ["one", "two", "three"] {
        lobby.expect("said", text).await;
    }
    program.publish("lobby", "four").await;
    lobby.expect("said", "four").await;
    let row = program.overview("").await["streams"]["rows"][0].clone();
    assert_eq!((&row["stalled"], &row["behind"], &row["blocked"]), (&false.into(), &0.into(), &Value::Null));
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_stream_is_stalled_waits() {
    let program = Program::start();
    let mut ticks = program.open("/ticks").await;
    ticks.expect("message", "1").await;
    program.press(program.number("/ticks").await, "stall", &Value::Null).await;
    sleep(Duration::from_secs(10)).await;
    program.press(program.number("/ticks").await, "release", &Value::Null).await;
    ticks.expect("message", "2").await;
    ticks.silent_for(Duration::from_millis(900)).await;
    ticks.expect("message", "3").await;
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_is_cut_after_its_send_timeout_as_any_that_takes_nothing() {
    let program = Program::start();
    let mut lobby = program.open("/rooms/lobby").await;
    program.press(program.number("/rooms/lobby").await, "stall", &Value::Null).await;
    let begun = Instant::now();
    program.publish("lobby", "one").await;
    lobby.expect_cut().await;
    assert_eq!(program.hooks.only().await.reason, DisconnectReason::SendTimeout);
    assert!((30..=31).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_in_which_nothing_waits_may_be_silent_for_as_long_as_any() {
    let program = Program::start();
    let _lobby = program.open("/rooms/lobby").await;
    program.press(program.number("/rooms/lobby").await, "stall", &Value::Null).await;
    sleep(Duration::from_secs(10)).await;
    let overview = program.overview("").await;
    assert_eq!(overview["streams"]["rows"][0]["blocked"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_stream_can_be_closed() {
    let program = Program::start();
    let mut lobby = program.open("/rooms/lobby").await;
    let id = program.number("/rooms/lobby").await;
    program.press(id, "stall", &Value::Null).await;
    program.publish("lobby", "one").await;
    assert_eq!(program.press(id, "close", &Value::Null).await.status, 200);
    lobby.expect("said", "one").await;
    assert_eq!(lobby.next().await.name, "sse-bye");
    lobby.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_is_sent_to_one_stream() {
    let program = Program::start();
    let mut lobby = program.open("/rooms/lobby").await;
    let mut other = program.open("/count/1").await;
    let id = program.number("/rooms/lobby").await;
    let sent = program.press(id, "send", &json!({ "name": "try", "data": "<b>one</b>\nand two" })).await;
    assert_eq!((sent.status.as_u16(), &*sent.text), (200, "sent"));
    let event = lobby.expect("try", "<b>one</b>\nand two").await;
    assert_eq!(event.id, None, "it is not the topic's: a client that comes back misses nothing for it");
    program.press(id, "send", &json!({ "data": "" })).await;
    lobby.expect("message", "").await;
    program.publish("lobby", "goes on").await;
    lobby.expect("said", "goes on").await;
    other.silent_for(Duration::from_secs(5)).await;

    let foreign = program.client.get("/foreign").header("host", "localhost");
    let mut foreign = foreign.stream().await;
    foreign.expect("message", "x").await;
    program.press(program.number("/foreign").await, "send", &json!({ "data": "y" })).await;
    foreign.expect("message", "y").await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_said() {
    let program = Program::start();
    let lobby = program.open("/rooms/lobby").await;
    let id = program.number("/rooms/lobby").await;
    let before = lobby.raw().len();
    for (body, status, said) in [
        (json!({ "name": "a\nb", "data": "x" }), 422, "name"),
        (json!({ "data": "x".repeat(300_000) }), 413, ""),
        (json!({ "name": 7 }), 400, "`name` is to be a text, not 7"),
    ] {
        let answer = program.press(id, "send", &body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.text.contains(said), "{}", answer.text);
    }
    let request = program.client.post(&format!("/_sse/streams/{id}/send")).header("host", "localhost");
    let broken = request.header("content-type", "application/json").body("{").response().await;
    assert_eq!(broken.status, 400, "{}", broken.text);
    assert_eq!(program.press(id, "push", &Value::Null).await.status, 404);
    assert_eq!(program.press(u64::MAX, "send", &json!({})).await.status, 404);
    assert_eq!(lobby.raw().len(), before);

    // One that has not begun could still be answered by an error: that is its handler's to say.
    let thinking = tokio::spawn(program.get("/thinks").response());
    let mut looking = program.look("").await;
    let row = loop {
        let overview = next(&mut looking, "overview").await;
        let rows = overview["streams"]["rows"].as_array().expect("rows");
        if let Some(row) = rows.iter().find(|row| row["path"] == "/thinks") {
            break row.clone();
        }
    };
    let answer = program.press(row["id"].as_u64().expect("a number"), "send", &json!({ "data": "x" })).await;
    assert_eq!((answer.status.as_u16(), answer.text.contains("not begun")), (409, true), "{}", answer.text);
    thinking.abort();

    // A stream that takes nothing fills up, and then takes no more of these either.
    program.press(id, "stall", &Value::Null).await;
    let large = json!({ "data": "x".repeat(20_000) });
    for _ in 0..2 {
        assert_eq!(program.press(id, "send", &large).await.status, 200);
    }
    let full = program.press(id, "send", &large).await;
    assert_eq!((full.status.as_u16(), full.text.contains("wait")), (409, true), "{}", full.text);
}
