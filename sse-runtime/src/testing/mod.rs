//! A test client that runs an application in the test's own process: no socket, no port, and on tokio's paused clock
//! no waiting either.
//!
//! ```
//! use std::time::Duration;
//! use sse_runtime::{Event, Result, Sse, routes, sse_route};
//! use sse_runtime::testing::TestClient;
//!
//! #[sse_route("/countdown/{from}")]
//! async fn countdown(sse: Sse, from: u32) -> Result<()> {
//!     for n in (0..from).rev() {
//!         tokio::time::sleep(Duration::from_secs(20)).await;
//!         sse.send(Event::new("left").id(n).data(n.to_string())).await?;
//!     }
//!     Ok(())
//! }
//!
//! // In a test: #[tokio::test(start_paused = true)]
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let client = TestClient::new(routes![countdown]);
//! let mut events = client.get("/countdown/2").stream().await;
//! events.expect_keep_alive().await;               // virtual seconds
//! events.expect("left", "1").await;
//! let last: u32 = events.next_as().await;
//! assert_eq!(last, 0);
//! events.expect_end().await;
//! assert!(events.raw_text().ends_with("event: left\nid: 0\ndata: 0\n\n"));
//!
//! assert_eq!(client.get("/countdown/many").response().await.status, 400);
//! # }
//! ```
//!
//! Every wait has a limit ([`TestClient::limit`]), so that a missing event is a failure with a message, not a test
//! that hangs. Failed expectations panic, as `assert!` does.
//!
//! A client of a topic comes back as a browser does:
//!
//! ```
//! # use axum::extract::State;
//! # use sse_runtime::{Hub, Result, Sse, Topic, routes, sse_route, testing::TestClient};
//! # #[sse_route("/news")]
//! # async fn news(sse: Sse, State(topic): State<Topic>) -> Result<()> {
//! #     sse.follow(&topic).await?;
//! #     Ok(())
//! # }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<()> {
//! let topic: Topic = Hub::default().topic("news");
//! let client = TestClient::new(routes![news].with_state(topic.clone()));
//! let mut events = client.get("/news").stream().await;
//! assert_eq!(events.next().await.name, "sse-open");
//!
//! let away = events.reconnect_request();          // the connection is gone
//! topic.publish("meanwhile").await?;
//! let mut events = away.stream().await;
//! assert_eq!(events.next().await.name, "sse-open");
//! events.expect("message", "meanwhile").await;
//! # Ok(())
//! # }
//! ```
//!
//! For engines behind a [`Hub`](crate::Hub) there is [`engine_contract`].

mod client;
pub mod engine_contract;
mod parser;
mod stream;

pub use client::{TestClient, TestRequest, TestResponse};
pub use parser::{Item, Parser, ReceivedEvent};
pub use stream::TestStream;
