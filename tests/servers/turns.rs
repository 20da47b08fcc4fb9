//! Tests that measure time do not run beside those that keep every core busy, nor the other way round. Those of one kind
//! run together.

use std::sync::LazyLock;

use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Measures how long something takes.
    Measuring,
    /// Has much to do.
    Busy,
}

/// Who is running, and how many of them.
static RUNNING: LazyLock<watch::Sender<(Kind, usize)>> =
    LazyLock::new(|| watch::Sender::new((Kind::Busy, 0)));

/// Kept as long as the test runs.
#[derive(Debug)]
pub(crate) struct Turn(Kind);

impl Turn {
    /// Waits until nobody of another kind runs.
    pub(crate) async fn of(kind: Kind) -> Self {
        let mut running = RUNNING.subscribe();
        loop {
            let taken = RUNNING.send_if_modified(|(of, count)| {
                let free = *count == 0 || *of == kind;
                if free {
                    (*of, *count) = (kind, *count + 1);
                }
                free
            });
            if taken {
                return Self(kind);
            }
            running.changed().await.expect("it is a static");
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        RUNNING.send_modify(|(of, count)| {
            assert_eq!(*of, self.0);
            *count -= 1;
        });
    }
}
