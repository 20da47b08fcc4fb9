//! The servers that are part of this package, each run as a process of its own.

mod axum_broadcast;
mod floor;
mod hyper_body;
mod ours;

use std::io::{self, BufRead};
use std::str::FromStr;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::control::{Command, Schedule};
use crate::payload;

/// Serves and publishes until the standard input ends.
type Run = fn(&Setup) -> io::Result<()>;

/// By the name under which the tables show them.
const SERVERS: &[(&str, Run)] = &[
    ("ours", ours::run),
    ("ours-axum", ours::run_on_axum),
    ("floor", floor::run),
    ("hyper", hyper_body::run),
    ("axum", axum_broadcast::run),
];

/// How a server is to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// How long nothing happens on a stream before it is pinged.
    pub(crate) keep_alive: Duration,
    /// On one thread instead of tokio's default runtime.
    pub(crate) current_thread: bool,
}

impl Setup {
    /// As the command line of the server's process has it.
    pub(crate) fn parse<'a>(mut arguments: impl Iterator<Item = &'a str>) -> io::Result<Self> {
        let keep_alive = arguments.next().and_then(|seconds| seconds.parse().ok());
        let keep_alive = keep_alive.ok_or_else(|| io::Error::other("a server needs its keep-alive"))?;
        let current_thread = arguments.next() == Some("current-thread");
        Ok(Self { keep_alive: Duration::from_secs(keep_alive), current_thread })
    }

    pub(crate) fn arguments(&self) -> Vec<String> {
        let runtime = if self.current_thread { "current-thread" } else { "default-runtime" };
        vec![self.keep_alive.as_secs().to_string(), runtime.to_owned()]
    }

    fn block_on(&self, server: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        let mut runtime = if self.current_thread {
            tokio::runtime::Builder::new_current_thread()
        } else {
            tokio::runtime::Builder::new_multi_thread()
        };
        runtime.enable_all().build()?.block_on(server)
    }
}

/// Runs the server of this name until its standard input ends.
pub(crate) fn run(name: &str, setup: &Setup) -> io::Result<()> {
    let server = SERVERS.iter().find(|(known, _)| *known == name);
    let (_, run) = server.ok_or_else(|| io::Error::other(format!("no server is called `{name}`")))?;
    run(setup)
}

/// Listens on a free port and says on which.
async fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    Ok(listener)
}

/// Hands every line of the standard input to `forward`, on a thread of its own, and at its end nothing.
fn on_command(mut forward: impl FnMut(Option<Command>) + Send + 'static) {
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            match line.and_then(|line| Command::from_str(&line)) {
                Ok(command) => forward(Some(command)),
                Err(error) => eprintln!("{error}"),
            }
        }
        forward(None);
    });
}

/// What an asynchronous server publishes with.
trait Publish: Send + 'static {
    /// Publishes one event of this text to all subscribers.
    fn publish(&mut self, text: &str) -> impl Future<Output = ()> + Send;
}

/// Publishes what the standard input says, in a task of its own, until it ends.
async fn publish(mut publisher: impl Publish) -> io::Result<()> {
    let (commanded, mut commands) = mpsc::unbounded_channel();
    on_command(move |command| {
        let _ = commanded.send(command);
    });
    let publisher = async move {
        while let Some(Some(command)) = commands.recv().await {
            let text = payload::text(command.bytes());
            let mut schedule = Schedule::new(command);
            loop {
                for _ in 0..schedule.due() {
                    publisher.publish(&text).await;
                }
                match schedule.next() {
                    Some(next) if next > Instant::now() => tokio::time::sleep_until(next.into()).await,
                    Some(_) => tokio::task::yield_now().await,
                    None => break,
                }
            }
            println!("published {}", schedule.published());
        }
    };
    tokio::spawn(publisher).await.map_err(io::Error::other)
}
