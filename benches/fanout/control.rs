//! What the servers are told to publish, and when they do it.
//!
//! A command is a line on the server's standard input, `bursts 100 16 2000 10` or `paced 100 8000 2000`; when all is
//! published the server answers `published 160`. At the end of its input it ends.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// How often a paced publisher looks at the clock.
const TICK: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    /// `count` times: `burst` events back to back, then a pause.
    Bursts { bytes: usize, burst: u64, pause: Duration, count: u64 },
    /// So many events per second for so long. A publisher that falls behind publishes all that is due at once, and
    /// gives up half of the time later.
    Paced { bytes: usize, rate: u64, lasts: Duration },
}

impl Command {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Bursts { bytes, .. } | Self::Paced { bytes, .. } => bytes,
        }
    }

    /// How many events are to be published.
    pub(crate) fn events(self) -> u64 {
        match self {
            Self::Bursts { burst, count, .. } => burst * count,
            Self::Paced { rate, lasts, .. } => rate * millis(lasts) / 1000,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bursts { bytes, burst, pause, count } => {
                write!(f, "bursts {bytes} {burst} {} {count}", pause.as_micros())
            }
            Self::Paced { bytes, rate, lasts } => write!(f, "paced {bytes} {rate} {}", lasts.as_millis()),
        }
    }
}

impl FromStr for Command {
    type Err = io::Error;

    fn from_str(line: &str) -> io::Result<Self> {
        let bad = || io::Error::other(format!("not a command: {line}"));
        let mut words = line.split_whitespace();
        let kind = words.next();
        let numbers: Result<Vec<u64>, _> = words.map(str::parse).collect();
        match (kind, numbers.as_deref()) {
            (Some("bursts"), Ok(&[bytes, burst, pause, count])) => Ok(Self::Bursts {
                bytes: usize::try_from(bytes).map_err(|_| bad())?,
                burst,
                pause: Duration::from_micros(pause),
                count,
            }),
            (Some("paced"), Ok(&[bytes, rate, lasts])) => Ok(Self::Paced {
                bytes: usize::try_from(bytes).map_err(|_| bad())?,
                rate,
                lasts: Duration::from_millis(lasts),
            }),
            _ => Err(bad()),
        }
    }
}

/// Says how many events to publish now, and when to ask again.
#[derive(Debug)]
pub(crate) struct Schedule {
    command: Command,
    begun: Instant,
    published: u64,
}

impl Schedule {
    pub(crate) fn new(command: Command) -> Self {
        Self { command, begun: Instant::now(), published: 0 }
    }

    /// How many events to publish at once, now.
    pub(crate) fn due(&mut self) -> u64 {
        let due = match self.command {
            Command::Bursts { burst, .. } => burst,
            Command::Paced { rate, .. } => {
                let by_now = millis(self.begun.elapsed()) * rate / 1000;
                by_now.min(self.command.events()).saturating_sub(self.published)
            }
        };
        self.published += due;
        due
    }

    /// After publishing: when to ask again, if all is not yet published.
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.published >= self.command.events() {
            return None;
        }
        match self.command {
            Command::Bursts { pause, .. } => Some(Instant::now() + pause),
            Command::Paced { rate, lasts, .. } => {
                let elapsed = self.begun.elapsed();
                if elapsed > lasts * 3 / 2 {
                    return None;
                }
                let behind = millis(elapsed) * rate / 1000 > self.published;
                Some(Instant::now() + if behind { Duration::ZERO } else { TICK })
            }
        }
    }

    pub(crate) fn published(&self) -> u64 {
        self.published
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
