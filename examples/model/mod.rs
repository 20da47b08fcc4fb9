//! The model of the examples that speak with AI clients, and it is none: a parrot.
//!
//! It says back what it was told, word by word, each after the time that a small model takes for a token. So the
//! protocols around it can be tried without a network, a key or a gigabyte, and a test knows what the answer must be.
//! There are two: `parrot`, and `parrot-tired`, which is out of breath after three words: what a model looks like
//! that breaks in the middle of an answer.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::sleep;

/// How long it takes for a token.
const PER_TOKEN: Duration = Duration::from_millis(30);

/// A model.
#[derive(Clone, Copy)]
pub(crate) struct Parrot {
    breath: usize,
}

impl Parrot {
    /// The model of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "parrot" => Some(Self { breath: usize::MAX }),
            "parrot-tired" => Some(Self { breath: 3 }),
            _ => None,
        }
    }

    /// Begins an answer of at most `limit` tokens.
    pub(crate) fn answer(self, prompt: &str, limit: usize) -> Answer {
        let tokens: Vec<String> = tokens(prompt).map(str::to_owned).collect();
        let meter = Meter { counts: Arc::default(), of: tokens.len().min(limit) };
        Answer { model: self, tokens, meter }
    }
}

/// A token is a word with the space that follows it.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

/// An answer that is being made. It stops where it is when it is dropped: that is all there is to cancelling it.
pub(crate) struct Answer {
    model: Parrot,
    tokens: Vec<String>,
    meter: Meter,
}

impl Answer {
    /// The next token; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, OutOfBreath> {
        let said = self.meter.said();
        if said == self.meter.of {
            return Ok(None);
        }
        sleep(PER_TOKEN).await;
        if said == self.model.breath {
            return Err(OutOfBreath);
        }
        self.meter.counts.said.store(said + 1, Ordering::Relaxed);
        Ok(self.tokens.get(said).cloned())
    }

    /// Whether there was more to say than it may.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.meter.of < self.tokens.len()
    }

    /// Counts along, also for those who outlive the answer.
    pub(crate) fn meter(&self) -> Meter {
        self.meter.clone()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.meter.counts.spared.store(self.meter.of - self.meter.said(), Ordering::Relaxed);
    }
}

/// How far an answer is.
#[derive(Clone)]
pub(crate) struct Meter {
    counts: Arc<Counts>,
    of: usize,
}

#[derive(Default)]
struct Counts {
    said: AtomicUsize,
    /// None, as long as the model is at work.
    spared: AtomicUsize,
}

impl Meter {
    /// The number of tokens so far.
    pub(crate) fn said(&self) -> usize {
        self.counts.said.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spared = self.counts.spared.load(Ordering::Relaxed);
        write!(f, "{} of {} tokens, {spared} spared", self.said(), self.of)
    }
}

/// The model gave up in the middle of an answer.
pub(crate) struct OutOfBreath;

impl fmt::Display for OutOfBreath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The model is out of breath. Please try again later.")
    }
}
