//! The example `prometheus`, scraped by the parser of Prometheus's own client library.

use serde_json::Value;
use sse_tests::{Example, get, get_with, python, within_limit};

use crate::values;

/// What one scrape brought: a family for each metric.
struct Scrape(Vec<Value>);

impl Scrape {
    async fn new(example: &Example) -> Self {
        Self(values(&python("prometheus_scrape.py", &[&example.url("/metrics")]).await))
    }

    /// The sum of the samples of this name that have these labels; none if there is no such sample.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let samples = self.0.iter().flat_map(|family| family["samples"].as_array().expect("samples"));
        let fits = |sample: &&Value| {
            sample[0] == name && labels.iter().all(|(label, value)| sample[1][*label] == *value)
        };
        samples
            .filter(fits)
            .map(|sample| sample[2].as_f64().expect("a number"))
            .reduce(|sum, value| sum + value)
    }

    #[track_caller]
    fn expect(&self, name: &str, labels: &[(&str, &str)], value: f64) {
        let sum =
            self.sum(name, labels).unwrap_or_else(|| panic!("no {name} with {labels:?}: {:#?}", self.0));
        assert!((sum - value).abs() < f64::EPSILON, "{name} {labels:?}: {sum}, not {value}");
    }
}

/// Scrapes until so many streams of the route are open.
async fn until_open(example: &Example, route: &str, open: f64) -> Scrape {
    within_limit("the number of open streams", async {
        loop {
            let scrape = Scrape::new(example).await;
            if scrape.sum("sse_streams_open", &[("route", route)]) == Some(open) {
                return scrape;
            }
        }
    })
    .await
}

const TICKS: (&str, &str) = ("route", "/ticks");
const COUNTDOWN: (&str, &str) = ("route", "/countdowns/{from}");

#[tokio::test]
async fn a_scrape_says_what_the_streams_of_the_example_do() {
    let example = Example::start("prometheus").await;
    let before = Scrape::new(&example).await;
    assert_eq!(before.sum("sse_streams_open", &[]), None, "there was no stream yet");
    before.expect("sse_hub_subscribers", &[("hub", "clock")], 0.0);

    let mut open = Vec::new();
    for _ in 0..10 {
        let mut events = get(example.address(), "/ticks").await;
        assert_eq!(events.event().await.expect("an event").name, "sse-open");
        open.push(events);
    }
    let full = get_with(example.address(), "/ticks", &[("accept", "*/*")]).await;
    assert_eq!(full.status(), 503);
    let scrape = until_open(&example, "/ticks", 10.0).await;
    scrape.expect("sse_streams_opened_total", &[TICKS], 10.0);
    scrape.expect("sse_streams_ended_total", &[TICKS], 0.0);
    scrape.expect("sse_streams_refused_total", &[TICKS, ("limit", "route")], 1.0);
    scrape.expect("sse_follows_total", &[TICKS, ("outcome", "fresh")], 10.0);
    scrape.expect("sse_hub_subscribers", &[("hub", "clock")], 10.0);

    let countdown = get(example.address(), "/countdowns/3").await.rest().await;
    assert!(get(example.address(), "/countdowns/13").await.rest().await.contains("HandlerPanic"));
    open.truncate(3);
    let scrape = until_open(&example, "/ticks", 3.0).await;
    scrape.expect("sse_streams_ended_total", &[TICKS, ("reason", "ClientClosed")], 7.0);
    scrape.expect("sse_streams_ended_total", &[TICKS], 7.0);
    scrape.expect("sse_streams_open", &[COUNTDOWN], 0.0);
    scrape.expect("sse_streams_ended_total", &[COUNTDOWN, ("reason", "Completed")], 1.0);
    scrape.expect("sse_streams_ended_total", &[COUNTDOWN, ("reason", "HandlerPanic")], 1.0);
    scrape.expect("sse_streams_ended_total", &[COUNTDOWN], 2.0);
    // Four numbers and the end; one number and the failure.
    scrape.expect("sse_sent_events_total", &[COUNTDOWN], 5.0 + 2.0);
    let bytes = scrape.sum("sse_sent_bytes_total", &[COUNTDOWN]).expect("bytes");
    assert!(bytes > countdown.len() as f64 && bytes < 2.0 * countdown.len() as f64, "{bytes}");
    scrape.expect("sse_stream_duration_seconds_count", &[COUNTDOWN], 2.0);
    scrape.expect("sse_stream_duration_seconds_bucket", &[COUNTDOWN, ("le", "+Inf")], 2.0);
    assert!(scrape.sum("sse_hub_published_events_total", &[]).expect("events") >= 1.0);
    scrape.expect("sse_hub_engine_up", &[("hub", "clock")], 1.0);
    scrape.expect("sse_hub_engine_outages_total", &[("hub", "clock")], 0.0);

    // Every family says what it is; and nothing is here that is not ours.
    for family in &scrape.0 {
        let name = family["name"].as_str().expect("a name");
        assert!(name.starts_with("sse_") && !family["help"].as_str().expect("a text").is_empty(), "{family}");
        assert!(
            ["counter", "gauge", "histogram"].contains(&family["type"].as_str().expect("a type")),
            "{family}"
        );
    }
    assert_eq!(scrape.0.len(), 19);
}
