//! Followers over other transports than ours: plain `axum::serve`, and many of them on one HTTP/2 connection.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sse_runtime::testing::{Item, Parser};
use sse_runtime::{Hub, Result, Sse, Topic, routes, serve, sse_route};
use sse_tests::within_limit;
use tokio::net::{TcpListener, TcpStream};

const EVENTS: usize = 300;
const STREAMS: usize = 20;

/// Follows, and has something to say by itself now and then.
#[sse_route("/both")]
async fn both(sse: Sse, State(topic): State<Topic>) -> Result<()> {
    let own = async {
        for _ in 0..20 {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            sse.comment("own").await?;
        }
        std::future::pending::<Result<()>>().await
    };
    let (followed, own) = tokio::join!(sse.follow(&topic), own);
    followed?;
    own
}

/// Reads one stream until it has got all events of the topic; the last ones are published while it reads.
async fn read(mut body: hyper::body::Incoming) -> Vec<String> {
    let (mut parser, mut data) = (Parser::new(), Vec::new());
    while data.len() < EVENTS {
        let frame = body.frame().await.expect("no end").expect("no error");
        parser.feed(&frame.into_data().expect("data"));
        while let Some(item) = parser.next_item() {
            match item {
                Item::Event(event) if event.name == "message" => data.push(event.data),
                _ => {}
            }
        }
    }
    data
}

async fn twenty_on_one_connection(address: SocketAddr, topic: &Topic) {
    let socket = TcpStream::connect(address).await.expect("the server listens");
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .expect("HTTP/2");
    tokio::spawn(connection);
    let mut readers = Vec::new();
    for _ in 0..STREAMS {
        let ask = Request::get(format!("http://{address}/both")).body(Body::empty()).expect("a request");
        let body = client.send_request(ask).await.expect("a response").into_body();
        readers.push(tokio::spawn(read(body)));
    }
    let all_follow = async {
        while topic.subscribers() < STREAMS {
            tokio::task::yield_now().await;
        }
    };
    within_limit("the last one to follow", all_follow).await;
    for n in 0..EVENTS {
        topic.publish(n.to_string()).await.expect("published");
        if n % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let expected: Vec<String> = (0..EVENTS).map(|n| n.to_string()).collect();
    for reader in readers {
        assert_eq!(within_limit("a stream", reader).await.expect("no panic"), expected);
    }
}

fn app(topic: &Topic) -> Router {
    routes![both].with_state(topic.clone())
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_followers_on_one_http2_connection_to_our_server() {
    let topic: Topic = Hub::default().topic("t");
    let (listener, address) = bind().await;
    let server = tokio::spawn(serve(listener, app(&topic)).into_future());
    twenty_on_one_connection(address, &topic).await;
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_followers_on_one_http2_connection_to_plain_axum_serve() {
    let topic: Topic = Hub::default().topic("t");
    let (listener, address) = bind().await;
    let server = tokio::spawn(axum::serve(listener, app(&topic)).into_future());
    twenty_on_one_connection(address, &topic).await;
    server.abort();
}
