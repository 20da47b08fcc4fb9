//! Events as they leave.

use serde_json::{Value, json};
use sse_runtime::testing::TestClient;
use sse_runtime::{Shutdown, routes, sse_route};

use super::{Program, next};

#[tokio::test(start_paused = true)]
async fn events_are_shown_as_they_leave_whoever_sent_them() {
    let program = Program::start();
    let mut looking = program.look("tail=all").await;
    let mut lobby = program.open("/rooms/lobby").await;
    let opened = next(&mut looking, "tail").await;
    assert_eq!(opened["events"][0]["name"], "sse-open");

    program.publish("lobby", "<script>alert(1)</script>").await;
    let said = lobby.next().await;
    let _counting = program.open("/count/1").await;
    let tail = next(&mut looking, "tail").await;
    let [shared, own] = &tail["events"].as_array().expect("events")[..] else { panic!("{tail}") };
    assert_eq!((&shared["path"], &shared["name"]), (&"/rooms/lobby".into(), &"said".into()));
    assert_eq!((&shared["data"], &shared["bytes"]), (&"<script>alert(1)</script>".into(), &25.into()));
    assert_eq!(shared["id"].as_str(), said.id.as_deref());
    assert_eq!((&own["path"], &own["name"]), (&"/count/1".into(), &"count".into()));
    assert_eq!((&own["id"], &own["data"]), (&"1".into(), &"1".into()));
    assert_eq!(tail["left_out"], 0);
}

#[tokio::test(start_paused = true)]
async fn of_one_stream_on_demand_and_the_last_word_too() {
    let program = Program::start();
    let mut lobby = program.open("/rooms/lobby").await;
    let mut garden = program.open("/rooms/garden").await;
    let id = program.number("/rooms/lobby").await;
    let mut looking = program.look(&format!("tail={id}")).await;
    for room in ["garden", "lobby"] {
        program.publish(room, &"x ".repeat(500)).await;
    }
    lobby.next().await;
    garden.next().await;
    let tail = next(&mut looking, "tail").await;
    assert_eq!(tail["events"].as_array().map(Vec::len), Some(1), "{tail}");
    assert_eq!((&tail["events"][0]["stream"], &tail["events"][0]["bytes"]), (&id.into(), &1000.into()));
    assert_eq!(tail["events"][0]["cut"], true);
    assert_eq!(tail["events"][0]["data"].as_str().map(str::len), Some(200));

    program.press(id, "close", &Value::Null).await;
    let last = next(&mut looking, "tail").await;
    assert_eq!(last["events"][0]["name"], "sse-bye");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_is_left_out_and_counted() {
    let program = Program::start();
    let mut looking = program.look("tail=all").await;
    next(&mut looking, "overview").await;
    let mut lobby = program.open("/rooms/lobby").await;
    next(&mut looking, "tail").await;

    // A page that does not read: the streams go on all the same.
    looking.stall();
    const ALL: u64 = 5000;
    for n in 0..ALL {
        program.publish("lobby", &format!("{n} {}", "x".repeat(500))).await;
        lobby.next().await;
    }
    looking.resume();
    let (mut shown, mut left_out) = (0, 0);
    while shown + left_out < ALL {
        let tail = next(&mut looking, "tail").await;
        let events = tail["events"].as_array().expect("events");
        assert!(events.len() <= 100, "{}", events.len());
        shown += events.len() as u64;
        left_out += tail["left_out"].as_u64().expect("a number");
    }
    assert_eq!(shown + left_out, ALL, "each is shown or counted");
    assert!(left_out > ALL / 2, "{left_out}");
}

#[tokio::test(start_paused = true)]
async fn what_another_application_of_the_process_sends_is_not_shown() {
    #[sse_route("/inspected/other")]
    async fn other(sse: sse_runtime::Sse) -> sse_runtime::Result<()> {
        sse.send("secret").await?;
        Ok(())
    }

    let program = Program::start();
    let mut looking = program.look("tail=all").await;
    TestClient::new(routes![other].layer(Shutdown::new())).get("/inspected/other").response().await;
    let _counting = program.open("/count/1").await;
    let tail = next(&mut looking, "tail").await;
    let paths: Vec<_> =
        tail["events"].as_array().expect("events").iter().map(|event| &event["path"]).collect();
    assert_eq!(json!(paths), json!(["/count/1"]));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_did_not_ask_for_it_gets_none() {
    let program = Program::start();
    let mut looking = program.look("").await;
    let _counting = program.open("/count/100").await;
    for _ in 0..5 {
        assert_eq!(looking.next().await.name, "overview");
    }
}
