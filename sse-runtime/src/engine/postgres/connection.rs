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
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode};
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
    /// One for each host: one that hangs is not to keep all the time to itself.
    hosts: Vec<Config>,
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
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(options.connect_timeout);
        }
        Ok(Self {
            hosts: one_each(&config),
            dial: Arc::clone(&options.dial),
            address,
            schema: options.schema.clone(),
            setup: setup(options),
            timeout: options.connect_timeout,
        })
    }

    /// A connection, to the first host that gives one. `heard` is called with what is said on channels that it listens to.
    pub(super) async fn connect(
        &self,
        heard: impl Fn(&str) + Clone + Send + 'static,
    ) -> Result<Session, PostgresError> {
        let limit = self.timeout / u32::try_from(self.hosts.len()).unwrap_or(u32::MAX).max(1);
        let mut last = PostgresError::Closed;
        for host in &self.hosts {
            last = match timeout(limit, self.connect_to(host, heard.clone())).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(failure)) => self.error(&failure),
                Err(_) => PostgresError::Unreachable {
                    address: self.address.clone(),
                    reason: format!("no answer within {limit:?}"),
                },
            };
        }
        Err(last)
    }

    async fn connect_to(
        &self,
        host: &Config,
        heard: impl Fn(&str) + Send + 'static,
    ) -> Result<Session, Failure> {
        let (client, messages) = loop {
            match (self.dial)(host.clone()).await {
                // It is just starting.
                Err(failure) if failure.code() == Some(&SqlState::CANNOT_CONNECT_NOW) => {
                    tokio::time::sleep(STARTING.mul_f64(0.5 + fastrand::f64())).await;
                }
                dialled => break dialled?,
            }
        };
        let ended = CancellationToken::new();
        let driver = tokio::spawn(drive(messages, heard, ended.clone().drop_guard()));
        let session = Session { client, ended, _driver: AbortOnDropHandle::new(driver) };
        session.client.batch_execute(&self.setup).await?;
        Ok(session)
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

/// The same for each of its hosts alone.
fn one_each(config: &Config) -> Vec<Config> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(addresses.len());
    // What cannot be taken apart says what is wrong with it when it is used.
    let fits = |given: usize| given == 0 || given == count;
    if count < 2 || !fits(hosts.len()) || !fits(addresses.len()) || ports.len() > 1 && ports.len() != count {
        return vec![config.clone()];
    }
    let one = |n: usize| {
        let mut one = Config::new();
        match hosts.get(n) {
            Some(Host::Tcp(host)) => drop(one.host(host)),
            #[cfg(unix)]
            Some(Host::Unix(path)) => drop(one.host_path(path)),
            None => {}
        }
        addresses.get(n).map(|address| one.hostaddr(*address));
        ports.get(n).or(ports.first()).map(|port| one.port(*port));
        config.get_user().map(|user| one.user(user));
        config.get_password().map(|password| one.password(password));
        config.get_dbname().map(|name| one.dbname(name));
        config.get_options().map(|options| one.options(options));
        config.get_application_name().map(|name| one.application_name(name));
        config.get_connect_timeout().map(|timeout| one.connect_timeout(*timeout));
        config.get_tcp_user_timeout().map(|timeout| one.tcp_user_timeout(*timeout));
        config.get_keepalives_interval().map(|interval| one.keepalives_interval(interval));
        config.get_keepalives_retries().map(|retries| one.keepalives_retries(retries));
        one.keepalives(config.get_keepalives())
            .keepalives_idle(config.get_keepalives_idle())
            .ssl_mode(config.get_ssl_mode())
            .ssl_negotiation(config.get_ssl_negotiation())
            .channel_binding(config.get_channel_binding())
            .target_session_attrs(config.get_target_session_attrs());
        one
    };
    let mut all: Vec<Config> = (0..count).map(one).collect();
    if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
        fastrand::shuffle(&mut all);
    }
    all
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_apart() {
        let config: Config =
            "postgres://u:secret@a:1,b:2/d?target_session_attrs=read-write&keepalives_idle=7"
                .parse()
                .unwrap();
        let hosts = one_each(&config);
        assert_eq!(hosts.iter().map(address).collect::<Vec<_>>(), ["a:1", "b:2"]);
        assert_eq!(address(&config), "a:1, b:2");
        // All the rest is the same.
        let with = |name: &str, port| {
            let mut config = Config::new();
            config.host(name).port(port).user("u").password("secret").dbname("d");
            config.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
            config.keepalives_idle(Duration::from_secs(7));
            config
        };
        assert_eq!(hosts, [with("a", 1), with("b", 2)]);
        let one: Config = "host=a,b port=3 user=u".parse().unwrap();
        assert_eq!(one_each(&one).iter().map(address).collect::<Vec<_>>(), ["a:3", "b:3"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_attempt_is_made_at_once_and_then_one_a_second_at_least() {
        let mut pauses = Pauses::new();
        let begun = Instant::now();
        pauses.pause().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let mut longest = Duration::ZERO;
        for _ in 0..100 {
            let before = Instant::now();
            pauses.pause().await;
            longest = longest.max(before.elapsed());
        }
        assert!(longest <= LONGEST + Duration::from_millis(1), "{longest:?}");
        assert!(longest > LONGEST / 2, "{longest:?}");
        // An attempt of as long has been the pause.
        tokio::time::advance(LONGEST).await;
        let before = Instant::now();
        pauses.pause().await;
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
