//! Whether a client speaks HTTP/2 is asked before anything is read, so a client that has said half of the answer is
//! asked again and again: that must not cost much.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sse_tests::is_alone;
use tokio::io::AsyncWriteExt;

use crate::peer::{closed, connect};
use crate::target::Target;

const CLIENTS: usize = 500;
/// How long they keep at it.
const LIMIT: Duration = Duration::from_secs(2);
/// For each of them and second of waiting, in CPU time of a debug build: a few looks at the socket, not hundreds.
const MOST: Duration = Duration::from_micros(500);

/// CPU time of this process so far.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("after 0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn two_bytes_of_a_preface_cost_two_looks_and_not_a_busy_wait() {
    if !is_alone("preface::two_bytes_of_a_preface_cost_two_looks_and_not_a_busy_wait") {
        return;
    }
    let target = Target::set(|serve| serve.header_read_timeout(LIMIT)).await;
    let mut sockets = Vec::new();
    for _ in 0..CLIENTS {
        let mut socket = connect(target.address).await;
        socket.write_all(b"PR").await.expect("the server reads");
        sockets.push(socket);
    }
    let before = used();
    for socket in &mut sockets {
        closed(socket).await;
    }
    let used = used() - before;
    let each = used / u32::try_from(CLIENTS).expect("few") / u32::try_from(LIMIT.as_secs()).expect("few");
    println!(
        "two bytes of a preface: {CLIENTS} for {LIMIT:?} cost {used:.1?} of CPU, {each:.1?} each a second"
    );
    assert!(each < MOST, "{each:?}");
}
