//! The handler of all runs of a model, and what it says of itself beside the stream: what the log has to be.

use std::collections::HashMap;

use sse_runtime::Replies;
use tokio::time::{Instant, timeout_at};

use super::*;

/// How much a run may be, and for how long.
pub(super) const TIME: Duration = Duration::from_secs(60);
pub(super) const IDLE: Duration = Duration::from_secs(15);
pub(super) const KEEP: Duration = Duration::from_secs(30);
pub(super) const EVENTS: usize = 60;

/// What the handlers have done, by the ids of their runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal(Arc<Mutex<HashMap<String, Deeds>>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Deeds {
    /// What was sent, and when.
    pub(super) sent: Vec<(String, Instant)>,
    pub(super) over: Option<(String, Instant)>,
}

impl Journal {
    fn note(&self, run: &str, deed: impl FnOnce(&mut Deeds)) {
        deed(self.0.lock().expect("no panic").entry(run.to_owned()).or_default());
    }

    pub(super) fn of(&self, run: &str) -> Deeds {
        self.0.lock().expect("no panic").get(run).cloned().unwrap_or_default()
    }
}

/// Counts for a while, at a pace that varies, and repeats what it is told.
#[sse_route(
    "/walk/{to}",
    methods = ["GET", "POST"],
    run = "60s",
    run_idle = "15s",
    run_keep = "30s",
    run_events = 60,
    send_timeout = "1h",
    end = "done"
)]
pub(super) async fn walk(
    sse: Sse,
    to: u64,
    State(journal): State<Journal>,
    mut replies: Replies<u64>,
) -> Result<()> {
    let run = sse.run().expect("a run");
    let id = run.id().to_string();
    let (over, of) = (journal.clone(), id.clone());
    run.on_end(move |gone: Disconnect| async move {
        over.note(&of, |deeds| deeds.over = Some((gone.reason.to_string(), Instant::now())));
    });
    let voice = Voice { sse, journal, id };
    for n in 0..to {
        voice.say(n.to_string()).await?;
        if n % 3 == 0 {
            continue;
        }
        // Some have as many events as they may in less than their time, some do not.
        let next = Instant::now() + if to % 4 == 0 { 2 * SECOND } else { SECOND };
        while let Ok(Some(reply)) = timeout_at(next, replies.next()).await {
            voice.say(format!("you said {}", *reply)).await?;
            let said = *reply;
            reply.respond(said)?;
        }
    }
    Ok(())
}

struct Voice {
    sse: Sse,
    journal: Journal,
    id: String,
}

impl Voice {
    async fn say(&self, text: String) -> Result<()> {
        // Some are as large as a whole page.
        let text = if text.len() % 7 == 5 { format!("{text} {}", "x".repeat(3000)) } else { text };
        self.journal.note(&self.id, |deeds| deeds.sent.push((text.clone(), Instant::now())));
        Ok(self.sse.send(text).await?)
    }
}
