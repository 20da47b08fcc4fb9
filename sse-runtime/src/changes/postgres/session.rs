//! One connection, and the task that drives it. Nothing here waits without a limit.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Row};

use super::error::{ChangesError, whole};

/// How long the server may take for what should take it milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What went wrong on a connection, after which there is another one.
#[derive(Debug)]
pub(in crate::changes) enum Lost {
    Failed(tokio_postgres::Error),
    /// It has not answered in time.
    Silent,
}

impl From<tokio_postgres::Error> for Lost {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Failed(error)
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(error) => f.write_str(&whole(error)),
            Self::Silent => write!(f, "no answer within {PATIENCE:?}"),
        }
    }
}

/// Where a database is, and how it is logged into.
#[derive(Clone, Debug)]
pub(in crate::changes) struct Target {
    config: Config,
    /// Host and port, for people.
    pub(in crate::changes) server: String,
}

impl Target {
    pub(in crate::changes) fn new(url: &str) -> Result<Self, ChangesError> {
        let mut config: Config = url.parse().map_err(|source| ChangesError::Url { source })?;
        config.connect_timeout(Duration::from_secs(5)).tcp_user_timeout(Duration::from_secs(10));
        config.keepalives_idle(Duration::from_secs(5)).keepalives_interval(Duration::from_secs(2));
        if config.get_application_name().is_none() {
            config.application_name("sse-runtime changes");
        }
        let host = config.get_hosts().first().map(|host| match host {
            tokio_postgres::config::Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
        });
        let port = config.get_ports().first().copied().unwrap_or(5432);
        Ok(Self { config, server: format!("{}:{port}", host.unwrap_or_else(|| "localhost".to_owned())) })
    }

    /// For the feed of a PostgreSQL database.
    pub(in crate::changes) async fn connect(&self) -> Result<Session, Lost> {
        let session = self.open().await?;
        session.run(SETTINGS).await?;
        Ok(session)
    }

    /// With the server's settings as they are.
    pub(in crate::changes) async fn open(&self) -> Result<Session, Lost> {
        let connecting = timeout(PATIENCE, self.config.connect(NoTls));
        let (client, mut connection) = connecting.await.map_err(|_| Lost::Silent)??;
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let driver = tokio::spawn(async move {
            let next = |cx: &mut std::task::Context<'_>| match connection.poll_message(cx) {
                Poll::Ready(Some(Ok(AsyncMessage::Notification(_)))) => Poll::Ready(Some(true)),
                Poll::Ready(Some(Ok(_))) => Poll::Ready(Some(false)),
                Poll::Ready(None | Some(Err(_))) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            };
            let mut next = next;
            while let Some(notified) = poll_fn(&mut next).await {
                if notified {
                    wake.notify_one();
                }
            }
            // Whoever sleeps finds out what became of the connection.
            wake.notify_one();
        });
        Ok(Session { client, woken, driver: driver.abort_handle() })
    }
}

/// Rows in UTC, as the trigger writes them. A server that has lost us lets go of our lock, rather than keep it from those who
/// stand by.
const SETTINGS: &str =
    "SET client_min_messages = warning; SET timezone = 'UTC'; SET statement_timeout = '10s';
    SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3";

/// A connection that is logged in.
#[derive(Debug)]
pub(in crate::changes) struct Session {
    client: Client,
    /// Told of each notification, and of the end.
    pub(in crate::changes) woken: Arc<Notify>,
    driver: AbortHandle,
}

impl Session {
    /// Statements without parameters.
    pub(in crate::changes) async fn run(&self, statements: &str) -> Result<(), Lost> {
        timeout(PATIENCE, self.client.batch_execute(statements))
            .await
            .map_err(|_| Lost::Silent)?
            .map_err(Lost::from)
    }

    pub(in crate::changes) async fn query(
        &self,
        statement: &tokio_postgres::Statement,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Lost> {
        timeout(PATIENCE, self.client.query(statement, values))
            .await
            .map_err(|_| Lost::Silent)?
            .map_err(Lost::from)
    }

    /// A statement that is run once: it is prepared on the way.
    pub(in crate::changes) async fn query_once(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Lost> {
        timeout(PATIENCE, self.client.query(statement, values))
            .await
            .map_err(|_| Lost::Silent)?
            .map_err(Lost::from)
    }

    /// Statements whose rows come as text.
    pub(in crate::changes) async fn simple(
        &self,
        statements: &str,
    ) -> Result<Vec<tokio_postgres::SimpleQueryMessage>, Lost> {
        let asked = timeout(PATIENCE, self.client.simple_query(statements));
        asked.await.map_err(|_| Lost::Silent)?.map_err(Lost::from)
    }

    pub(in crate::changes) async fn prepare(
        &self,
        statement: &str,
    ) -> Result<tokio_postgres::Statement, Lost> {
        timeout(PATIENCE, self.client.prepare(statement)).await.map_err(|_| Lost::Silent)?.map_err(Lost::from)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
