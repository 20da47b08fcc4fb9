//! Names of topics: any text, also what means something to the server.

use sse_runtime::testing::TestClient;
use sse_runtime::{Message, Topic};

use super::OnServer;
use crate::log::Log;
use crate::node::app;
use crate::server::Server as _;

on_each_server!(any_text_is_a_topic_of_its_own);

fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        " ",
        "  ",
        "*",
        ">",
        "a",
        "A",
        "a.",
        ".a",
        "a..",
        ".",
        "..",
        "a.*",
        "a.>",
        "a.b",
        "a*",
        "a b",
        "a b ",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "a\0b",
        "\0",
        "a%20b",
        "a+b",
        "$SYS.>",
        "$JS.API.>",
        "_INBOX.x",
        "{a}",
        "a:b",
        "[a-z]",
        "a?",
        "\\",
        "\"",
        "'",
        "'; DROP TABLE events; --",
        "$1",
        "%s",
        "#",
        "ä",
        "a\u{308}",
        "Ä",
        "日本語",
        "🦀",
        "\u{202e}abc",
        "\u{feff}",
        "null",
        "NULL",
        "-1",
        "=",
        "==",
        "/",
        "a/b",
        "~",
        "_",
    ]
    .map(str::to_owned)
    .into();
    for length in [255, 256, 300, 10_000] {
        names.push("n".repeat(length));
    }
    names.extend([100, 3333].map(|length| "日".repeat(length)));
    // Two that are the same but for the last byte.
    names.push("n".repeat(9_999) + "m");
    names
}

async fn any_text_is_a_topic_of_its_own<E: OnServer>() {
    let server = E::Server::start().await;
    let log = Log::on::<E>(&server);
    let names = names();
    let hubs = [log.small().await, log.small().await];
    let clients = hubs.each_ref().map(|hub| TestClient::new(app(hub, names.clone())).limit(sse_tests::LIMIT));
    let start = hubs[0].topic::<Message>("").position().to_string();

    let mut streams = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let mut stream = clients[0].get(&format!("/number/{number}")).stream().await;
        assert_eq!(stream.next().await.name, "sse-open", "{name:?}");
        streams.push(stream);
    }
    for round in 0..2 {
        for (number, name) in names.iter().enumerate() {
            let topic: Topic = hubs[1].topic(name);
            let published = topic.publish(format!("{number} {round}")).dedupe(name.as_str()).await;
            // The key is the same in the second round.
            published.unwrap_or_else(|error| panic!("{name:?}: {error}"));
            topic.publish(format!("{number} {round} again")).await.expect("published");
        }
    }
    let late = TestClient::new(app(&log.small().await, names.clone())).limit(sse_tests::LIMIT);
    for (number, name) in names.iter().enumerate() {
        let path = format!("/number/{number}");
        let mut resumed = late.get(&path).last_event_id(&start).stream().await;
        assert_eq!(resumed.next().await.name, "sse-open", "{name:?}");
        for stream in [&mut streams[number], &mut resumed] {
            for expected in ["0", "0 again", "1 again"] {
                let event = stream.next().await;
                assert_eq!(
                    event.data,
                    format!("{number} {expected}"),
                    "on {:?}",
                    &name[..name.len().min(30)]
                );
            }
        }
    }
    for stream in &mut streams {
        stream.silent_for(std::time::Duration::from_millis(1)).await;
    }
}
