//! Each example as the program that a reader starts, read over a real socket, down to the bytes.

use std::time::{Duration, Instant};

use sse_tests::{Event, Example, Response, get, get_with, post, within_limit};

/// An event without an id, and without a reconnection time.
fn event(name: &str, data: &str) -> Event {
    Event { name: name.to_owned(), data: data.to_owned(), id: None, retry: None }
}

/// All events up to the clean end of the stream.
async fn events(mut response: Response) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(event) = response.event().await {
        events.push(event);
    }
    events
}

#[tokio::test]
async fn quickstart_serves_a_page_and_the_stream_that_it_shows() {
    let example = Example::start("quickstart").await;

    let page = get(example.address(), "/").await;
    assert_eq!((page.status(), page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.rest().await.contains(r#"new EventSource("/ticks")"#));

    let mut ticks = get(example.address(), "/ticks").await;
    assert_eq!((ticks.status(), ticks.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(ticks.header("cache-control"), Some("no-store, no-transform"));
    assert_eq!(ticks.header("x-accel-buffering"), Some("no"));
    assert_eq!(ticks.block().await.as_deref(), Some("data: tick 1\n\n"));
    assert_eq!(ticks.block().await.as_deref(), Some("data: tick 2\n\n"));
    drop(ticks);
    example.wait_for_line(|line| line.contains("ClientClosed after 2 events")).await;
}

#[tokio::test]
async fn articles_route_sends_its_message_or_the_id_that_was_asked_for() {
    let example = Example::start("articles_route").await;

    let plain = get(example.address(), "/my-sse-route").await;
    assert_eq!(plain.rest().await, "data: This is my message\n\n");
    let asked = get(example.address(), "/my-sse-route?message_id=7").await;
    assert_eq!(asked.rest().await, "data: {\"message_id\":\"7\"}\n\n");
    example.wait_for_line(|line| line.contains("disconnected") && line.contains("reason=Completed")).await;
}

#[tokio::test]
async fn long_task_reports_five_updates_one_a_second() {
    let example = Example::start("long_task").await;

    let greeting = get(example.address(), "/").await;
    assert_eq!(greeting.header("content-type"), Some("application/json"));
    assert_eq!(greeting.rest().await, r#"{"message":"Hello World"}"#);

    let begun = Instant::now();
    let updates = get(example.address(), "/sse").await;
    assert_eq!(updates.rest().await, "data: New update\n\n".repeat(5));
    assert!(begun.elapsed() >= Duration::from_secs(5), "too early: {:?}", begun.elapsed());
}

#[tokio::test]
async fn long_task_shows_progress_then_the_result_then_the_end() {
    let example = Example::start("long_task").await;

    let mut seen = events(get(example.address(), "/reports/2025").await).await;
    let end = seen.pop().expect("a terminal event");
    assert_eq!(end.name, "end");
    let mut expected: Vec<_> =
        (1..=12).map(|month| event("progress", &format!(r#"{{"month":{month},"of":12}}"#))).collect();
    expected.push(event("result", r#"{"year":2025,"orders":12078}"#));
    assert_eq!(seen, expected);

    let id = end.id.expect("the id that marks the end");
    let again = get_with(example.address(), "/reports/2025", &[("last-event-id", &id)]).await;
    assert_eq!((again.status(), again.rest().await.as_str()), (204, ""));
}

#[tokio::test]
async fn messages_go_on_after_the_last_one_that_was_seen() {
    let example = Example::start("messages").await;

    let mut fresh = get(example.address(), "/stream").await;
    let first = "event: new_message\nid: 1\nretry: 15000\ndata: message 1\n\n";
    assert_eq!(fresh.block().await.as_deref(), Some(first));
    let second = fresh.event().await.expect("a second message");
    assert_eq!((second.id.as_deref(), second.data.as_str()), (Some("2"), "message 2"));
    drop(fresh);
    let left = |line: &str| line.contains("reason=ClientClosed") && line.contains("last=\"2\"");
    example.wait_for_line(left).await;

    let mut back = get_with(example.address(), "/stream", &[("last-event-id", "41")]).await;
    assert_eq!(back.event().await.and_then(|event| event.id).as_deref(), Some("42"));
    let mut strange = get_with(example.address(), "/stream", &[("last-event-id", "forty-one")]).await;
    assert_eq!(strange.event().await.and_then(|event| event.id).as_deref(), Some("1"));
}

#[tokio::test]
async fn status_tells_each_change_once_then_ends_for_good() {
    let example = Example::start("status").await;

    let mut seen = events(get(example.address(), "/status/stream?param1=export").await).await;
    let end = seen.pop().expect("a terminal event");
    assert_eq!(end.name, "end");
    let percents: Vec<u64> = seen.iter().map(percent).collect();
    assert_eq!(percents, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    assert!(seen.iter().all(|event| event.name == "update" && event.retry == Some(30_000)), "{seen:#?}");

    let id = end.id.expect("the id that marks the end");
    let path = "/status/stream?param1=export";
    let again = get_with(example.address(), path, &[("last-event-id", &id)]).await;
    assert_eq!((again.status(), again.rest().await.as_str()), (204, ""));

    let newcomer = events(get(example.address(), path).await).await;
    assert_eq!(newcomer.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["update", "end"]);
}

#[tokio::test]
async fn status_without_a_job_is_a_plain_bad_request() {
    let example = Example::start("status").await;
    let refused = get(example.address(), "/status/stream").await;
    assert_eq!(refused.status(), 400);
    assert!(refused.rest().await.contains("param1"));
}

/// The percentage in an `update` event.
fn percent(update: &Event) -> u64 {
    let status: serde_json::Value = serde_json::from_str(&update.data).expect("a status is JSON");
    status["percent"].as_u64().expect("a status has a percentage")
}

#[tokio::test]
async fn scores_begin_with_the_whole_table_and_a_resumed_stream_does_not() {
    let example = Example::start("scores").await;

    let mut late = get(example.address(), "/scores").await;
    let open = late.event().await.expect("a first event");
    assert_eq!((open.name.as_str(), &open.id), ("sse-open", &None));
    let (at, resumed) = opened(&open);
    assert!(!resumed);
    let mut table = Vec::new();
    for _ in 0..6 {
        table.push(late.event().await.expect("a match"));
    }
    assert_eq!(
        table[0],
        event("match", r#"{"id":0,"home":"Harbour","away":"Old Mill","goals":[3,2],"minute":90}"#)
    );
    let ids: Vec<_> = table.iter().map(|event| event.id.as_deref()).collect();
    assert_eq!(ids, [None, None, None, None, None, Some(at.as_str())], "the last event ends the snapshot");
    let live = [late.event().await.expect("a change"), late.event().await.expect("another")];
    assert!(live.iter().all(|event| event.name == "match" && event.id.is_some()), "{live:#?}");

    let mut back = get_with(example.address(), "/scores", &[("last-event-id", &at)]).await;
    assert_eq!(opened(&back.event().await.expect("a first event")), (at, true));
    assert_eq!([back.event().await.expect("the same"), back.event().await.expect("the same")], live);
}

/// What `sse-open` says: where the stream begins, and whether it goes on from there.
fn opened(open: &Event) -> (String, bool) {
    assert_eq!(open.name, "sse-open");
    let said: serde_json::Value = serde_json::from_str(&open.data).expect("JSON");
    let position = said["position"].as_str().expect("a position").to_owned();
    (position, said["resumed"].as_bool().expect("yes or no"))
}

/// Logs in under a name, and returns the cookie of the session.
async fn log_in(example: &Example, name: &str) -> String {
    let welcome = post(example.address(), "/login", &[], &format!("name={name}")).await;
    assert_eq!((welcome.status(), welcome.header("location")), (303, Some("/")));
    let cookie = welcome.header("set-cookie").expect("a session");
    let (session, attributes) = cookie.split_once("; ").expect("attributes");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
    session.to_owned()
}

#[tokio::test]
async fn notifications_need_a_session_and_a_name_that_can_stand_in_a_page() {
    let example = Example::start("notifications").await;

    for cookie in ["", "session=", "session=0123456789abcdef0123456789abcdef", "other=1; session=%00"] {
        let refused = get_with(example.address(), "/notifications", &[("cookie", cookie)]).await;
        assert_eq!(
            (refused.status(), refused.header("content-type")),
            (401, Some("text/plain; charset=utf-8"))
        );
        let refused = post(example.address(), "/notify", &[("cookie", cookie)], "to=ada&text=hello").await;
        assert_eq!(refused.status(), 401);
    }
    for name in ["", "a+b", "%3Cscript%3E", "%22", "{user}", "aaaaaaaaaaaaaaaaaaaaa"] {
        let refused = post(example.address(), "/login", &[], &format!("name={name}")).await;
        assert_eq!((refused.status(), refused.header("set-cookie")), (422, None), "{name}");
    }
    let ada = log_in(&example, "ada").await;
    assert_ne!(ada, log_in(&example, "ada").await, "each login is a session of its own");
    let too_long = format!("to=bob&text={}", "x".repeat(281));
    let refused = post(example.address(), "/notify", &[("cookie", &ada)], &too_long).await;
    assert_eq!((refused.status(), refused.rest().await.as_str()), (422, "a text has 1 to 280 characters"));
}

#[tokio::test]
async fn nobody_gets_into_anothers_notifications_with_anothers_id() {
    let example = Example::start("notifications").await;
    let (ada, bob) = (log_in(&example, "ada").await, log_in(&example, "bob").await);
    let (as_ada, as_bob) = ([("cookie", ada.as_str())], [("cookie", bob.as_str())]);

    let mut for_ada = get_with(example.address(), "/notifications", &as_ada).await;
    let (begin, _) = opened(&for_ada.event().await.expect("a first event"));
    for text in ["secret+1", "secret+2"] {
        let sent = post(example.address(), "/notify", &as_bob, &format!("to=ada&text={text}")).await;
        assert_eq!(sent.status(), 204);
    }
    let first = for_ada.event().await.expect("a notification");
    assert!(first.data.contains("secret 1") && first.data.contains(r#""from":"bob""#), "{first:?}");
    let first = first.id.expect("an id");

    // Two ids that ada was given, and that have something for her after them.
    for id in [begin, first] {
        let headers = [as_bob[0], ("last-event-id", id.as_str())];
        let mut for_bob = get_with(example.address(), "/notifications", &headers).await;
        assert_eq!(opened(&for_bob.event().await.expect("a first event")), (id.clone(), true));
        post(example.address(), "/notify", &as_ada, "to=bob&text=own").await;
        let own = for_bob.event().await.expect("a notification");
        assert!(own.data.contains(r#""text":"own""#), "{own:?}");
    }
}

#[tokio::test]
async fn notifications_end_with_the_session() {
    let example = Example::start("notifications").await;
    let ada = log_in(&example, "ada").await;
    let as_ada = [("cookie", ada.as_str())];
    let mut stream = get_with(example.address(), "/notifications", &as_ada).await;
    opened(&stream.event().await.expect("a first event"));
    let other = log_in(&example, "ada").await;
    let mut unharmed = get_with(example.address(), "/notifications", &[("cookie", &other)]).await;
    opened(&unharmed.event().await.expect("a first event"));

    assert_eq!(post(example.address(), "/logout", &as_ada, "").await.status(), 303);
    // Keep-alives go on arriving on a stream that does not end: a limit for each read is none for the stream.
    assert_eq!(within_limit("the end of the stream", stream.event()).await, None);
    assert_eq!(get_with(example.address(), "/notifications", &as_ada).await.status(), 401);
    post(example.address(), "/notify", &[("cookie", &other)], "to=ada&text=still+here").await;
    assert!(unharmed.event().await.is_some_and(|event| event.data.contains("still here")));
}

#[tokio::test]
async fn stocks_begin_with_a_history_of_each_and_one_id_resumes_them_all() {
    let example = Example::start("stocks").await;
    let json = |event: &Event| -> serde_json::Value { serde_json::from_str(&event.data).expect("JSON") };

    let mut stream = get(example.address(), "/prices?symbols=ZINC,OPAL,ZINC").await;
    let (at, resumed) = opened(&stream.event().await.expect("a first event"));
    assert!(!resumed);
    let mut newest = std::collections::HashMap::new();
    for (symbol, id) in [("ZINC", None), ("OPAL", Some(at))] {
        let history = stream.event().await.expect("a history");
        assert_eq!((history.name.as_str(), &history.id), ("history", &id));
        let said = json(&history);
        assert_eq!(
            (said["symbol"].as_str(), said["prices"].as_array().map(Vec::len)),
            (Some(symbol), Some(120))
        );
        newest.insert(symbol.to_owned(), said["number"].as_u64().expect("a number"));
    }
    let mut live = Vec::new();
    for _ in 0..6 {
        let price = stream.event().await.expect("a price");
        let said = json(&price);
        let number = newest.get_mut(said["symbol"].as_str().expect("a symbol")).expect("one of the two");
        assert_eq!(price.name, "price");
        assert_eq!(said["number"].as_u64(), Some(*number + 1), "none is missing");
        *number += 1;
        live.push(price);
    }

    let headers = [("last-event-id", live[2].id.as_deref().expect("an id"))];
    let mut back = get_with(example.address(), "/prices?symbols=ZINC,OPAL", &headers).await;
    assert!(opened(&back.event().await.expect("a first event")).1);
    for missed in &live[3..] {
        assert_eq!(back.event().await.as_ref(), Some(missed));
    }
}

#[tokio::test]
async fn stocks_that_do_not_exist_are_refused_and_leave_no_topic_behind() {
    let example = Example::start("stocks").await;
    let too_many = format!("OPAL{}", ",OPAL".repeat(50));
    let refusals = [
        ("NONE", 404, "no such symbol"),
        ("OPAL,none", 404, "no such symbol"),
        ("", 404, "no such symbol"),
        (too_many.as_str(), 400, "more than 50 symbols"),
    ];
    for (symbols, status, why) in refusals {
        let refused = get(example.address(), &format!("/prices?symbols={symbols}")).await;
        assert_eq!((refused.status(), refused.rest().await.as_str()), (status, why), "{symbols}");
    }
    let all = get(example.address(), "/prices").await;
    assert_eq!(all.status(), 200);
    let stats = get(example.address(), "/stats").await.rest().await;
    let stats: serde_json::Value = serde_json::from_str(&stats).expect("JSON");
    assert_eq!((stats["topics"].as_u64(), stats["subscribers"].as_u64()), (Some(50), Some(50)));
    assert!(stats["published"].as_u64().is_some_and(|published| published > 0), "{stats}");
}

#[tokio::test]
async fn cors_names_the_origin_of_its_page_and_no_other() {
    let example = Example::start("cors").await;
    let line = example.wait_for_line(|line| line.starts_with("open ")).await;
    let page = line.split_once("open ").expect("the line was chosen for it").1;

    let headers = [("origin", page), ("cookie", "other=1; nickname=ada")];
    let mut stream = get_with(example.address(), "/events", &headers).await;
    assert_eq!(stream.header("access-control-allow-origin"), Some(page));
    assert_eq!(stream.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(stream.header("access-control-expose-headers"), Some("retry-after"));
    let head = stream.head().join("\n");
    assert!(head.contains("vary: ") && head.contains("origin"), "{head}");
    let hello = stream.event().await.expect("a first event");
    assert_eq!((hello.name.as_str(), hello.data.as_str()), ("hello", "\"ada\""));

    let refused = get_with(example.address(), "/events", &[("origin", page)]).await;
    assert_eq!((refused.status(), refused.header("access-control-allow-origin")), (401, Some(page)));

    let other = page.replace("127.0.0.1", "localhost");
    let headers = [("origin", other.as_str()), ("cookie", "nickname=ada")];
    let unlisted = get_with(example.address(), "/events", &headers).await;
    assert_eq!(unlisted.header("access-control-allow-origin"), None);
}

/// A secret that the example `who_may_listen` hands out, from the JSON in which it stands.
async fn secret(answer: Response, name: &str) -> String {
    assert_eq!(answer.status(), 200);
    let answer: serde_json::Value = serde_json::from_str(&answer.rest().await).expect("JSON");
    answer[name].as_str().expect("a secret").to_owned()
}

async fn bearer(example: &Example, name: &str) -> String {
    let token = post(example.address(), "/token", &[], &format!("name={name}")).await;
    format!("Bearer {}", secret(token, "token").await)
}

async fn hello(stream: &mut Response, name: &str) {
    assert_eq!(stream.status(), 200);
    let hello = stream.event().await.expect("a first event");
    assert_eq!((hello.name.as_str(), hello.data), ("hello", format!("\"{name}\"")));
}

/// Reads the numbers up to the word with which the stream ends. Returns the reason that it gives, and what came last.
async fn last_word(stream: &mut Response) -> (serde_json::Value, Option<Event>) {
    let mut last = None;
    let bye = within_limit("the end of the stream", async {
        loop {
            let event = stream.event().await.expect("a last event");
            if event.name == "sse-bye" {
                return event;
            }
            assert_eq!(event.name, "number");
            last = Some(event);
        }
    });
    let bye: serde_json::Value = serde_json::from_str(&bye.await.data).expect("JSON");
    assert_eq!(stream.block().await, None);
    (bye["reason"].clone(), last)
}

#[tokio::test]
async fn who_may_listen_with_a_cookie_until_the_logout() {
    let example = Example::start("who_may_listen").await;
    let path = "/cookie/events";
    let nobody = get(example.address(), path).await;
    assert_eq!((nobody.status(), nobody.rest().await.as_str()), (401, "log in first"));
    let forged = get_with(example.address(), path, &[("cookie", "session=0000")]).await;
    assert_eq!(forged.status(), 401);

    let mut sessions = Vec::new();
    for _ in 0..2 {
        let login = post(example.address(), "/cookie/login", &[], "name=ada").await;
        let set = login.header("set-cookie").expect("a session").to_owned();
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(set.contains(attribute), "{set}");
        }
        sessions.push(set.split(';').next().expect("a cookie").to_owned());
    }
    assert_ne!(sessions[0], sessions[1]);
    let mut streams = Vec::new();
    for session in &sessions {
        let mut stream = get_with(example.address(), path, &[("cookie", session)]).await;
        hello(&mut stream, "ada").await;
        let (at, _) = opened(&stream.event().await.expect("a position"));
        streams.push((stream, at));
    }

    post(example.address(), "/cookie/logout", &[("cookie", &sessions[0])], "").await;
    let (mut ended, at) = streams.remove(0);
    assert_eq!(last_word(&mut ended).await.0, "Kicked");
    let back = get_with(example.address(), path, &[("cookie", &sessions[0]), ("last-event-id", &at)]).await;
    assert_eq!((back.status(), back.rest().await.as_str()), (401, "log in first"));

    let (mut other, _) = streams.remove(0);
    for _ in 0..3 {
        assert_eq!(other.event().await.expect("it goes on").name, "number", "another login of the same user");
    }
}

#[tokio::test]
async fn who_may_listen_with_a_ticket_once_and_soon() {
    let example = Example::start("who_may_listen").await;
    let without = post(example.address(), "/ticket", &[], "").await;
    assert_eq!((without.status(), without.header("www-authenticate")), (401, Some("Bearer")));
    let token = bearer(&example, "ada").await;
    let ticket = async || {
        let answer = post(example.address(), "/ticket", &[("authorization", &token)], "").await;
        secret(answer, "ticket").await
    };

    let first = ticket().await;
    assert!(first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "128 bits: {first}");
    let path = format!("/ticket/events?ticket={first}");
    let mut stream = get(example.address(), &path).await;
    hello(&mut stream, "ada").await;
    let (at, _) = opened(&stream.event().await.expect("a position"));
    let next = stream.event().await.expect("a number");
    for headers in [&[][..], &[("last-event-id", at.as_str())]] {
        let again = get_with(example.address(), &path, headers).await;
        assert_eq!(again.status(), 401, "used");
        assert!(!again.rest().await.contains(&first), "it is not repeated");
    }
    for path in ["/ticket/events", "/ticket/events?ticket=", "/ticket/events?ticket=0000"] {
        assert_eq!(get(example.address(), path).await.status(), 401, "{path}");
    }

    let path = format!("/ticket/events?ticket={}&last_event_id={at}", ticket().await);
    let mut resumed = get(example.address(), &path).await;
    hello(&mut resumed, "ada").await;
    assert_eq!(opened(&resumed.event().await.expect("a position")), (at, true));
    assert_eq!(resumed.event().await.expect("a number"), next, "what came after");

    // One after the other, until one is too old: not before its five seconds are over.
    let handed_out = Instant::now();
    let mut tickets = Vec::new();
    for _ in 0..40 {
        tickets.push(ticket().await);
    }
    let mut pace = tokio::time::interval(Duration::from_millis(250));
    within_limit("a ticket that is too old", async {
        for ticket in &tickets {
            pace.tick().await;
            let stream = get(example.address(), &format!("/ticket/events?ticket={ticket}")).await;
            if stream.status() == 401 {
                return;
            }
        }
        panic!("they are good for ever");
    })
    .await;
    assert!(handed_out.elapsed() >= Duration::from_secs(5), "too early: {:?}", handed_out.elapsed());
    for ticket in tickets.iter().chain([&first]) {
        assert!(!example.printed().iter().any(|line| line.contains(ticket)), "it is in the log");
    }
}

#[tokio::test]
async fn who_may_listen_with_a_header_until_the_token_is_over() {
    let example = Example::start("who_may_listen").await;
    let path = "/header/events";
    for headers in [&[][..], &[("authorization", "Bearer 0000")], &[("authorization", "Basic YTpi")]] {
        let refused = get_with(example.address(), path, headers).await;
        assert_eq!((refused.status(), refused.header("www-authenticate")), (401, Some("Bearer")));
    }
    let token = bearer(&example, "ada").await;
    let begun = Instant::now();
    let mut stream = get_with(example.address(), path, &[("authorization", &token)]).await;
    hello(&mut stream, "ada").await;
    assert!(!opened(&stream.event().await.expect("a position")).1);
    let (reason, last) = last_word(&mut stream).await;
    assert_eq!(reason, "AuthExpired");
    assert!(begun.elapsed() >= Duration::from_secs(8), "too early: {:?}", begun.elapsed());
    let last = last.expect("numbers, for ten seconds");
    let at = last.id.expect("a position");

    let late = get_with(example.address(), path, &[("authorization", &token), ("last-event-id", &at)]).await;
    assert_eq!(late.status(), 401);
    let renewed = bearer(&example, "ada").await;
    let headers = [("authorization", renewed.as_str()), ("last-event-id", at.as_str())];
    let mut back = get_with(example.address(), path, &headers).await;
    hello(&mut back, "ada").await;
    assert_eq!(opened(&back.event().await.expect("a position")), (at, true));
    let next: u64 = back.event().await.expect("a number").data.parse().expect("a number");
    assert_eq!(Ok(next - 1), last.data.parse());
}

#[tokio::test]
async fn who_may_listen_knows_no_page_of_another_site() {
    let example = Example::start("who_may_listen").await;
    let evil = [("origin", "http://evil.example")];
    assert_eq!(get_with(example.address(), "/cookie/events", &evil).await.status(), 403);
    assert_eq!(post(example.address(), "/cookie/login", &evil, "name=ada").await.status(), 403);
}
