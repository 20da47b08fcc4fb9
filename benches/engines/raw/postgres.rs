//! tokio-postgres, over one connection: a statement inserts events and notifies, one of a task by itself or all of a group; a
//! follower listens, and reads what is new. In order, the numbers are of a row that is locked until the commit. Those of a
//! sequence are in the order of the commits only as long as all is published over one connection: with several, a follower
//! that goes on behind the last one that it has seen misses some.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream::poll_fn;
use futures_util::{StreamExt as _, future};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::{AsyncMessage, Client, NoTls, Statement};

use crate::side::{Follower, Side, tasks};

const TABLES: &str =
    "CREATE TABLE {raw} (seq bigserial PRIMARY KEY, topic text NOT NULL, block bytea NOT NULL);
    CREATE INDEX ON {raw} (topic, seq);
    CREATE TABLE {raw}_top (top bigint NOT NULL) WITH (fillfactor = 10);
    INSERT INTO {raw}_top VALUES (0)";
const PUBLISH: &str =
    "WITH inserted AS (INSERT INTO {raw} (topic, block) SELECT 'events', unnest($1::bytea[]) RETURNING seq)
    SELECT array_agg(seq), pg_notify('{raw}', '')::text FROM inserted";
const PUBLISH_IN_ORDER: &str = "WITH locked AS (
        UPDATE {raw}_top SET top = top + cardinality($1::bytea[]) RETURNING top - cardinality($1::bytea[]) AS before
    ), inserted AS (
        INSERT INTO {raw} (seq, topic, block)
            SELECT before + ord, 'events', block
            FROM locked, unnest($1::bytea[]) WITH ORDINALITY AS given (block, ord)
            RETURNING seq
    )
    SELECT array_agg(seq), pg_notify('{raw}', '')::text FROM inserted";
const READ: &str = "SELECT seq, block FROM {raw} WHERE topic = 'events' AND seq > $1 ORDER BY seq LIMIT 1000";

#[derive(Clone)]
pub(crate) struct Postgres {
    url: String,
    /// What the table is called.
    raw: &'static str,
    client: Arc<Client>,
    publish: Statement,
    in_groups: bool,
}

impl Postgres {
    pub(crate) async fn ways(url: &str) -> [(&'static str, Self); 3] {
        let in_order = Self::new(url, "raw_in_order", PUBLISH_IN_ORDER).await;
        let by_sequence = Self::new(url, "raw", PUBLISH).await;
        let in_groups = Self { in_groups: true, ..by_sequence.clone() };
        [("in order", in_order), ("by sequence", by_sequence), ("in groups", in_groups)]
    }

    async fn new(url: &str, raw: &'static str, publish: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a server");
        tokio::spawn(connection);
        client.batch_execute(&sql(TABLES, raw)).await.expect("tables");
        let publish = client.prepare(&sql(publish, raw)).await.expect("a statement");
        Self { url: url.to_owned(), raw, client: Arc::new(client), publish, in_groups: false }
    }

    async fn group(&self, text: &[u8], events: usize) {
        let blocks: Vec<Vec<u8>> = (0..events).map(|_| [b"data: ", text, b"\n\n"].concat()).collect();
        let row = self.client.query_one(&self.publish, &[&blocks]).await.expect("published");
        assert_eq!(row.get::<_, Vec<i64>>(0).len(), events);
    }
}

impl Side for Postgres {
    type Follower = Following;

    async fn publish(&self, text: Bytes) {
        self.group(&text, 1).await;
    }

    async fn publish_many(&self, text: Bytes, under_way: usize, until: Instant) -> u64 {
        if !self.in_groups {
            return tasks(self.clone(), text, under_way, until).await;
        }
        // While one half of the publishers is waiting for the disk, the other one gathers.
        let group = (under_way / 2).max(1);
        let mut published = 0;
        while Instant::now() < until {
            self.group(&text, group).await;
            published += group as u64;
        }
        published
    }

    async fn follow(&self) -> Following {
        let (client, mut connection) = tokio_postgres::connect(&self.url, NoTls).await.expect("a server");
        let (heard, notifications) = unbounded_channel();
        tokio::spawn(async move {
            let messages = poll_fn(move |cx| connection.poll_message(cx));
            let heard = messages.for_each(|message| {
                if let Ok(AsyncMessage::Notification(_)) = message {
                    // The follower may have gone.
                    let _ = heard.send(());
                }
                future::ready(())
            });
            heard.await;
        });
        client.batch_execute(&sql("LISTEN {raw}", self.raw)).await.expect("listening");
        let read = client.prepare(&sql(READ, self.raw)).await.expect("a statement");
        let last = client
            .query_one(&sql("SELECT coalesce(max(seq), 0) FROM {raw}", self.raw), &[])
            .await
            .expect("a number");
        Following { client, notifications, read, last: last.get(0) }
    }
}

fn sql(text: &str, raw: &str) -> String {
    text.replace("{raw}", raw)
}

pub(crate) struct Following {
    client: Client,
    notifications: UnboundedReceiver<()>,
    read: Statement,
    last: i64,
}

impl Follower for Following {
    async fn next(&mut self) -> u64 {
        loop {
            let rows = self.client.query(&self.read, &[&self.last]).await.expect("rows");
            if let Some(last) = rows.last() {
                self.last = last.get(0);
                return rows.len() as u64;
            }
            self.notifications.recv().await.expect("it does not end");
            // One look is enough for all that was said until now.
            while self.notifications.try_recv().is_ok() {}
        }
    }
}
