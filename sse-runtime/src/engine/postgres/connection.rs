//! Connections: made within a limit, set up the same way, seen when they end.
//!
//! A node has three: one that writes, one that listens and fetches what is to be delivered, one that reads history. Each is
//! made again by the task that uses it.

use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::{Instant, timeout};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Error as Failure, NoTls, Row, Socket, Statement};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Options;
use super::error::PostgresError;

/// How long a server that is starting is left alone.
const STARTING: Duration = Duration::from_millis(50);

type Messages = Pin<Box<dyn Stream<Item = Result<AsyncMessage, Failure>> + Send>>;
type Dialled = Pin<Box<dyn Future<Output = Result<(Client, Messages), Failure>> + Send>>;
/// Connects, with TLS or without: the one place that knows the connector's type.
pub(super) type Dial = Arc<dyn Fn(Config) -> Dialled + Send + Sync>;

pub(super) fn without_tls() -> Dial {
    dial(NoTls)
}

pub(super) fn dial<T>(tls: T) -> Dial
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    Arc::new(move |config| {
        let tls = tls.clone();
        Box::pin(async move {
            let (client, mut connection) = config.connect(tls).await?;
            let messages: Messages = stream::poll_fn(move |cx| connection.poll_message(cx)).boxed();
            Ok((client, messages))
        })
    })
}

/// Where the server is, and how to get there.
pub(super) struct Connector {
    config: Config,
    dial: Dial,
    pub(super) address: String,
    schema: String,
    setup: String,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(options: &Options) -> Result<Self, PostgresError> {
        let mut config: Config = options
            .url
            .parse()
            .map_err(|failure| PostgresError::Address { reason: super::error::text(&failure) })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(PostgresError::Address { reason: "it names no host".to_owned() });
        }
        let address = address(&config);
        if config.get_ssl_mode() == SslMode::Require && !options.has_tls {
            let reason =
                "the address says `sslmode=require`, so give a connector, with `Postgres::tls`".to_owned();
            return Err(PostgresError::Tls { address, reason });
        }
        if config.get_application_name().is_none() {
            config.application_name("sse-runtime");
        }
        let hosts =
            u32::try_from(config.get_hosts().len().max(config.get_hostaddrs().len())).unwrap_or(u32::MAX);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(options.connect_timeout / hosts.max(1));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(options.connect_timeout);
        }
        Ok(Self {
            config,
            dial: Arc::clone(&options.dial),
            address,
            schema: options.schema.clone(),
            setup: setup(options),
            timeout: options.connect_timeout,
        })
    }

    /// A connection. `heard` is called with what is said on channels that it listens to.
    pub(super) async fn connect(
        &self,
        heard: impl Fn(&str) + Send + 'static,
    ) -> Result<Session, PostgresError> {
        let connecting = async {
            let (client, messages) = self.dialled().await?;
            let ended = CancellationToken::new();
            let driver = tokio::spawn(drive(messages, heard, ended.clone().drop_guard()));
            let session = Session { client, ended, _driver: AbortOnDropHandle::new(driver) };
            session.client.batch_execute(&self.setup).await?;
            Ok(session)
        };
        match timeout(self.timeout, connecting).await {
            Ok(connected) => connected.map_err(|failure| self.error(&failure)),
            Err(_) => Err(PostgresError::Unreachable {
                address: self.address.clone(),
                reason: format!("no answer within {:?}", self.timeout),
            }),
        }
    }

    /// A server that is just starting says so, and is asked again.
    async fn dialled(&self) -> Result<(Client, Messages), Failure> {
        loop {
            match (self.dial)(self.config.clone()).await {
                Err(failure) if failure.code() == Some(&SqlState::CANNOT_CONNECT_NOW) => {
                    tokio::time::sleep(STARTING.mul_f64(0.5 + fastrand::f64())).await;
                }
                outcome => return outcome,
            }
        }
    }

    pub(super) fn error(&self, failure: &Failure) -> PostgresError {
        PostgresError::of(&self.address, &self.schema, failure)
    }
}

/// What every connection is told first. The limits are for a node that hangs, or is cut off, with something locked.
fn setup(options: &Options) -> String {
    let mut sql = "SET client_min_messages = error; SET search_path = pg_catalog; SET jit = off; \
        SET default_transaction_isolation = 'read committed'; \
        SET idle_in_transaction_session_timeout = '5s'; "
        .to_owned();
    let limit = options.publish_timeout.max(options.read_timeout).as_millis().clamp(1, 1 << 30);
    let lock = (limit / 2).max(1);
    let _ = write!(sql, "SET statement_timeout = {limit}; SET lock_timeout = {lock}; ");
    sql
}

/// Hosts and ports, for errors.
fn address(config: &Config) -> String {
    let host = |host: &Host| match host {
        Host::Tcp(host) => host.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    };
    let mut hosts: Vec<String> = config.get_hosts().iter().map(host).collect();
    if hosts.is_empty() {
        hosts = config.get_hostaddrs().iter().map(ToString::to_string).collect();
    }
    let ports = config.get_ports();
    let with_port = |(n, host): (usize, String)| {
        let port = ports.get(n).or(ports.first()).copied().unwrap_or(5432);
        format!("{host}:{port}")
    };
    hosts.into_iter().enumerate().map(with_port).collect::<Vec<_>>().join(", ")
}

async fn drive(mut messages: Messages, heard: impl Fn(&str) + Send, _ended: tokio_util::sync::DropGuard) {
    while let Some(message) = messages.next().await {
        match message {
            Ok(AsyncMessage::Notification(said)) => heard(said.payload()),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "a connection to PostgreSQL has ended");
                break;
            }
        }
    }
}

/// One connection. It is closed when this is dropped.
pub(super) struct Session {
    pub(super) client: Client,
    ended: CancellationToken,
    _driver: AbortOnDropHandle<()>,
}

impl Session {
    /// Waits until it is lost.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Asks, and gives up after a while: the server may hang, or the way to it be cut.
    pub(super) async fn query(
        &self,
        statement: &Statement,
        given: &[&(dyn ToSql + Sync)],
        limit: Duration,
    ) -> Result<Vec<Row>, Trouble> {
        match timeout(limit, self.client.query(statement, given)).await {
            Ok(answer) => answer.map_err(Trouble::Failed),
            Err(_) => Err(Trouble::Silent(limit)),
        }
    }

    /// The same, of several statements without parameters.
    pub(super) async fn prepare(&self, sql: &str, limit: Duration) -> Result<Statement, Trouble> {
        match timeout(limit, self.client.prepare(sql)).await {
            Ok(answer) => answer.map_err(Trouble::Failed),
            Err(_) => Err(Trouble::Silent(limit)),
        }
    }

    pub(super) async fn run(&self, sql: &str, limit: Duration) -> Result<(), Trouble> {
        match timeout(limit, self.client.batch_execute(sql)).await {
            Ok(answer) => answer.map_err(Trouble::Failed),
            Err(_) => Err(Trouble::Silent(limit)),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    Failed(Failure),
    Silent(Duration),
    /// What was asked is answered, and this is wrong with it.
    Wrong(PostgresError),
}

impl Trouble {
    pub(super) fn error(self, connector: &Connector) -> PostgresError {
        match self {
            Self::Failed(failure) => connector.error(&failure),
            Self::Silent(limit) => PostgresError::Timeout { limit, reason: None },
            Self::Wrong(error) => error,
        }
    }
}

/// The waits between attempts to connect: none before the first one, then more and more, up to a second. Nodes that have lost
/// the same server do not come back at the same moment.
pub(super) struct Pauses {
    next: Duration,
    begun: Instant,
}

const LONGEST: Duration = Duration::from_secs(1);

impl Pauses {
    pub(super) fn new() -> Self {
        Self { next: Duration::ZERO, begun: Instant::now() }
    }

    /// Waits until the next attempt may begin.
    pub(super) async fn pause(&mut self) {
        if !self.next.is_zero() {
            let pause = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
            // An attempt that took its time has been a pause.
            tokio::time::sleep_until(self.begun + pause).await;
        }
        self.next = (self.next * 2).clamp(Duration::from_millis(50), LONGEST);
        self.begun = Instant::now();
    }
}
