//! Readings of sensors, as a database has them: rows of a table go to every browser as they change.
//!
//! ```text
//! createdb sensors
//! DATABASE_URL=postgres://user:password@localhost/sensors cargo run --example sensors --features postgres
//! psql sensors -c "INSERT INTO readings (sensor, celsius) VALUES ('kitchen', 21.5)"
//! curl -N http://127.0.0.1:3000/sensors
//! ```
//!
//! Any PostgreSQL from 14 on will do, as it was installed. Open <http://127.0.0.1:3000>: six sensors with their last minute,
//! and what you insert by `psql`, too, because whoever writes to the table is heard. Kill the server and start it again: the
//! page waits, and then shows all that is committed, once.
//!
//! The table `sensors_view_1s` has a row for each sensor and second, which a trigger on `readings` keeps (`sensors.sql`). Set
//! `READINGS` to how many readings a second this program makes up; without it, eight.

use std::{env, time::Duration};

use axum::{Json, Router, extract::State, response::Html, routing::post};
use serde::Deserialize;
use sse_runtime::{
    Error, Hub, Result, Sse, StatusCode, Topic,
    changes::{PostgresChanges, RowChange},
    listen, routes, serve, sse_route,
};
use tokio::{
    sync::Mutex,
    time::{interval, sleep},
};
use tokio_postgres::{Client, NoTls};

const SENSORS: [&str; 6] = ["attic", "cellar", "greenhouse", "kitchen", "roof", "study"];

/// Sends the last minute of every sensor, then each change.
// `latest`: of a second whose row changed many times while a browser slept, the last row will do.
#[sse_route("/sensors", slow = "latest")]
async fn sensors(sse: Sse<RowChange>, State(app): State<App>) -> Result<()> {
    sse.follow(&app.topic).await?;
    Ok(())
}

#[derive(Clone)]
struct App {
    topic: Topic<RowChange>,
    database: &'static Database,
}

#[derive(Deserialize)]
struct Reading {
    sensor: String,
    celsius: f64,
}

/// Writes a reading, and knows nothing of browsers: the database tells them.
async fn read(State(app): State<App>, Json(reading): Json<Reading>) -> Result<StatusCode> {
    app.database.insert(&reading.sensor, reading.celsius).await?;
    Ok(StatusCode::CREATED)
}

/// A connection, which is made anew when it was lost.
struct Database {
    url: String,
    client: Mutex<Option<Client>>,
}

impl Database {
    async fn insert(&self, sensor: &str, celsius: f64) -> Result<()> {
        let mut kept = self.client.lock().await;
        let client = match kept.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => self.connect().await?,
        };
        client
            .execute("INSERT INTO readings (sensor, celsius) VALUES ($1, $2)", &[&sensor, &celsius])
            .await?;
        *kept = Some(client);
        Ok(())
    }

    async fn connect(&self) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// Makes up readings. What cannot be written is not written: a thermometer does not wait.
async fn make_up(database: &Database, a_second: u32) -> Result<()> {
    if a_second == 0 {
        return std::future::pending().await;
    }
    let mut step = interval(Duration::from_secs(1) / a_second);
    let mut celsius = SENSORS.map(|_| 15.0 + 10.0 * fastrand::f64());
    loop {
        step.tick().await;
        let one = fastrand::usize(..SENSORS.len());
        celsius[one] += fastrand::f64() - 0.5;
        if let Err(error) = database.insert(SENSORS[one], celsius[one]).await {
            tracing::warn!(%error, "a reading is lost");
            sleep(Duration::from_secs(1)).await;
        }
    }
}

fn app(app: App) -> Router {
    let page = || async { Html(include_str!("sensors.html")) };
    Router::new()
        .route("/", axum::routing::get(page))
        .route("/readings", post(read))
        .merge(routes![sensors])
        .with_state(app)
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt::init();
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let a_second = env::var("READINGS").ok().and_then(|number| number.parse().ok()).unwrap_or(8);
    let url = env::var("DATABASE_URL")
        .map_err(|_| Error::from("set DATABASE_URL, as in postgres://user:password@localhost/sensors"))?;

    let database: &Database = Box::leak(Box::new(Database { url: url.clone(), client: Mutex::default() }));
    let client = database.connect().await?;
    client.batch_execute(include_str!("sensors.sql")).await?;
    *database.client.lock().await = Some(client);

    let feed = PostgresChanges::connect(url)
        .table("sensors_view_1s")
        .snapshot_where("second > now() - interval '1 minute'")
        .start()
        .await?;
    let hub = Hub::in_memory().topic_events(20_000).topic_bytes(8 << 20).build();
    let topic = feed.snapshot(hub.topic("sensors"));

    let listener = listen(format!("127.0.0.1:{port}")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    tokio::select! {
        served = serve(listener, app(App { topic: topic.clone(), database })) => served?,
        stopped = feed.publish_to(&topic) => stopped?,
        stopped = make_up(database, a_second) => stopped?,
    }
    Ok(())
}
