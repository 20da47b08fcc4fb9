//! A ticker of 50 stocks with a live chart, and one connection for all the tabs that show it.
//!
//! ```text
//! cargo run --example stocks
//! curl -N 'http://127.0.0.1:3000/prices?symbols=OPAL,ZINC'
//! curl http://127.0.0.1:3000/stats
//! ```
//!
//! Open <http://127.0.0.1:3000> in ten tabs: all of them tick, though a browser opens no more than six connections to
//! a server without HTTP/2, because a shared worker listens for all. `/stats` counts 50 subscribers, one for each
//! topic of the one stream. <http://127.0.0.1:3000/?symbols=OPAL,ZINC> shows two of the stocks, over a stream of its
//! own.

use std::{
    collections::{BTreeMap, VecDeque},
    env,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::header,
    response::Html,
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sse_runtime::{
    Error, Event, Hub, PublishError, Result, Sse, StatusCode, Topic, listen, routes, serve, sse_route,
};
use tokio::time::interval;

const SYMBOLS: [&str; 50] = [
    "ALDR", "AMBR", "ASPN", "BASL", "BIRC", "BRCK", "CEDR", "CHLK", "CLVR", "COPR", "CORL", "DALE", "DUNE",
    "ELMS", "EMBR", "FERN", "FLNT", "FOXG", "GALE", "GLEN", "HAZL", "HERN", "IRIS", "JADE", "JUNE", "KELP",
    "LARK", "LIME", "LOAM", "MAPL", "MICA", "MINT", "MOSS", "NOVA", "OAKS", "ONYX", "OPAL", "PEAR", "PINE",
    "QUAY", "REED", "ROOK", "RUBY", "SAGE", "SLTE", "TEAL", "TIDE", "VALE", "WREN", "ZINC",
];
/// Five times a second, ten stocks change their price.
const STEP: Duration = Duration::from_millis(200);
const TRADES: usize = 10;

#[derive(Deserialize)]
struct Wanted {
    /// Separated by commas; without it, all.
    symbols: Option<String>,
}

/// Streams the prices of some stocks: first the latest of each, then each change.
// `latest`: a chart that was too slow to draw 1,000 prices of a stock wants the newest one, not the next one.
#[sse_route("/prices", retry = "1s", slow = "latest")]
async fn prices(sse: Sse, Query(wanted): Query<Wanted>, State(market): State<Market>) -> Result<()> {
    let topics = match &wanted.symbols {
        Some(symbols) => market.topics(symbols)?,
        None => market.stocks.values().map(|stock| &stock.topic).collect(),
    };
    sse.follow_all(topics).await?;
    Ok(())
}

#[derive(Clone)]
struct Market {
    hub: Hub,
    stocks: Arc<BTreeMap<&'static str, Stock>>,
}

struct Stock {
    topic: Topic,
    prices: Arc<Mutex<Prices>>,
}

/// The latest prices of a stock, in cents.
#[derive(Clone, Serialize)]
struct Prices {
    symbol: &'static str,
    /// The number of the newest price. Whoever adds a price to a chart has to know whether it is in there already.
    number: u64,
    prices: VecDeque<u32>,
}

#[derive(Serialize)]
struct Price {
    symbol: &'static str,
    number: u64,
    price: u32,
}

impl Prices {
    /// As many as a chart shows.
    const KEPT: usize = 120;

    /// A stock with a past.
    fn new(symbol: &'static str) -> Self {
        let mut prices = Self { symbol, number: 0, prices: [fastrand::u32(2_000..50_000)].into() };
        for _ in 1..Self::KEPT {
            prices.trade();
        }
        prices
    }

    /// Up or down by half a percent at most.
    fn trade(&mut self) -> Price {
        let last = self.prices.back().copied().unwrap_or(1_000);
        let most = (last / 200).max(1);
        let price = (last + fastrand::u32(0..=2 * most)).saturating_sub(most).clamp(100, 1_000_000);
        self.number += 1;
        self.prices.push_back(price);
        while self.prices.len() > Self::KEPT {
            self.prices.pop_front();
        }
        Price { symbol: self.symbol, number: self.number, price }
    }
}

impl Stock {
    fn new(hub: &Hub, symbol: &'static str) -> Self {
        let prices = Arc::new(Mutex::new(Prices::new(symbol)));
        let shown = Arc::clone(&prices);
        let topic = hub.topic(format!("stock:{symbol}")).snapshot(move || {
            let history = Event::new("history").json(&*lock(&shown));
            async { Ok([history]) }
        });
        Self { topic, prices }
    }
}

impl Market {
    fn new() -> Self {
        let hub = Hub::in_memory().build();
        let stocks = SYMBOLS.into_iter().map(|symbol| (symbol, Stock::new(&hub, symbol))).collect();
        Self { hub, stocks: Arc::new(stocks) }
    }

    /// The topics of the stocks that a client asks for. A topic comes to be when it is asked for, so a name that
    /// comes from outside has to be one that is known.
    fn topics(&self, symbols: &str) -> Result<Vec<&Topic>> {
        let refused = |status, why: &'static str| Error::from(why).with_status(status).public(why);
        let symbols: Vec<_> = symbols.split(',').take(SYMBOLS.len() + 1).collect();
        if symbols.len() > SYMBOLS.len() {
            return Err(refused(StatusCode::BAD_REQUEST, "more than 50 symbols"));
        }
        let stock =
            |symbol| self.stocks.get(symbol).ok_or_else(|| refused(StatusCode::NOT_FOUND, "no such symbol"));
        symbols.into_iter().map(|symbol| Ok(&stock(symbol)?.topic)).collect()
    }

    /// Trades for as long as it is polled.
    async fn trade(self) -> Result<(), PublishError> {
        let stocks: Vec<_> = self.stocks.values().collect();
        let mut step = interval(STEP);
        loop {
            step.tick().await;
            for stock in fastrand::choose_multiple(&stocks, TRADES) {
                let price = lock(&stock.prices).trade();
                // Every event of this topic is about one stock. On a topic of several, the key tells them apart.
                stock.topic.publish(Event::new("price").json(&price)).key(price.symbol).await?;
            }
        }
    }
}

/// What the hub does, for whoever wonders whether eight tabs are eight streams.
async fn stats(State(market): State<Market>) -> Json<Value> {
    let stats = market.hub.stats();
    Json(json!({
        "topics": stats.topics,
        "subscribers": stats.subscribers,
        "events": stats.events,
        "bytes": stats.bytes,
        "published": stats.published,
        "resumed": stats.resumed,
        "reset": stats.reset,
        "fell_behind": stats.fell_behind,
        "missed": stats.missed,
    }))
}

fn lock(prices: &Mutex<Prices>) -> MutexGuard<'_, Prices> {
    prices.lock().unwrap_or_else(PoisonError::into_inner)
}

fn app(market: Market) -> Router {
    let page = || async { Html(include_str!("stocks.html")) };
    let feed = || async { ([(header::CONTENT_TYPE, "text/javascript")], include_str!("stocks_feed.js")) };
    Router::new()
        .route("/", get(page))
        .route("/stocks_feed.js", get(feed))
        .route("/stats", get(stats))
        .merge(routes![prices])
        .with_state(market)
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let market = Market::new();
    tokio::select! {
        served = serve(listener, app(market.clone())) => served?,
        stopped = market.trade() => stopped?,
    }
    Ok(())
}
