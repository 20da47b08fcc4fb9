//! A client that means well, while others do not: it asks for a short stream again and again, on a connection of its own
//! each time, in a thread of its own, and knows how long each took.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sse_tests::LIMIT;

/// The most that half of the exchanges may take. Alone they take half a millisecond in a debug build; an attack may take its
/// share of two cores, and the tests beside it theirs.
pub(crate) const MEDIAN: Duration = Duration::from_millis(100);
/// The most that any may take: a connection that finds the socket's queue full tries again after a second, which on a
/// busy machine may happen once, and is not to happen twice.
pub(crate) const WORST: Duration = Duration::from_secs(3);

pub(crate) struct Witness {
    enough: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Witness {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&enough);
        let thread = thread::spawn(move || {
            let mut took = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                took.push(exchange(address));
                thread::sleep(Duration::from_millis(5));
            }
            took
        });
        Self { enough, thread }
    }

    /// Holds it against the limits, and says how it was.
    pub(crate) fn served(self) -> String {
        self.served_within(MEDIAN)
    }

    /// The same, where half of the exchanges may take longer.
    pub(crate) fn served_within(self, limit: Duration) -> String {
        self.enough.store(true, Ordering::Relaxed);
        let mut took = self.thread.join().expect("it is served");
        took.sort_unstable();
        let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
        let served = format!("a good client {} times in {median:.1?}, {worst:.1?} at worst", took.len());
        assert!(median < limit && worst < WORST, "{served}");
        served
    }
}

fn exchange(address: SocketAddr) -> Duration {
    let begun = Instant::now();
    let mut socket = TcpStream::connect_timeout(&address, LIMIT).expect("the server accepts");
    socket.set_read_timeout(Some(LIMIT)).expect("a socket option");
    socket.write_all(b"GET /one HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("the server reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("the server answers");
    assert!(answer.ends_with("data: x\n\n"), "{answer}");
    begun.elapsed()
}
