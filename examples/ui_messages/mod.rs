//! The language of Vercel's AI SDK: what its transport asks, and the parts in which an answer is told.

use serde::{Deserialize, Serialize};
use sse_runtime::{Result, Sse};

use crate::model::{Answer, OutOfBreath, tokens};

/// Tells an answer, part by part, while the model makes it.
pub(crate) async fn tell(sse: &Sse, prompt: &str, mut answer: Answer) -> Result<()> {
    sse.set_header("x-vercel-ai-ui-message-stream", "v1")?;
    let message_id = format!("msg-{:016x}", fastrand::u64(..));
    sse.send_json(Part::Start { message_id }).await?;
    sse.send_json(Part::StartStep).await?;
    sse.send_json(Part::TextStart { id: TEXT }).await?;
    loop {
        match answer.next().await {
            Ok(Some(delta)) => sse.send_json(Part::TextDelta { id: TEXT, delta }).await?,
            Ok(None) => break,
            Err(broken) => return fail(sse, &broken).await,
        }
    }
    sse.send_json(Part::TextEnd { id: TEXT }).await?;
    sse.send_json(Part::FinishStep).await?;
    let finish_reason = if answer.is_cut_short() { "length" } else { "stop" };
    let message_metadata = Usage { asked: tokens(prompt).count(), answered: answer.meter().said() };
    sse.send_json(Part::Finish { finish_reason, message_metadata }).await?;
    sse.send("[DONE]").await?;
    Ok(())
}

/// The head is out, with status 200, and to their client a stream that just ends is a complete one.
async fn fail(sse: &Sse, broken: &OutOfBreath) -> Result<()> {
    tracing::error!("in the middle of an answer: {broken}");
    sse.send_json(Part::Error { error_text: broken.to_string() }).await?;
    sse.send("[DONE]").await?;
    Ok(())
}

/// What the transport sends with each message: the whole conversation. The rest is not theirs: what an app puts into
/// the transport's `body` arrives beside it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Chat {
    messages: Vec<Message>,
    pub(crate) model: Option<String>,
    max_tokens: Option<usize>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    parts: Vec<Said>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Said {
    Text {
        text: String,
    },
    /// Where a step began, a file, what a tool did.
    #[serde(other)]
    Other,
}

impl Chat {
    /// How long the answer may be.
    pub(crate) fn limit(&self) -> usize {
        self.max_tokens.unwrap_or(usize::MAX)
    }

    /// The text of the user's last message.
    pub(crate) fn prompt(&self) -> Option<String> {
        let last = self.messages.iter().rfind(|message| message.role == "user")?;
        let texts = last.parts.iter().filter_map(|part| match part {
            Said::Text { text } => Some(text.as_str()),
            Said::Other => None,
        });
        Some(texts.collect()).filter(|text: &String| !text.is_empty())
    }
}

/// There is one text in each answer, so that its id only has to be the same in all of its parts.
const TEXT: &str = "text-1";

/// A part of the message, as it is told to the client: an event without a name.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Part {
    Start { message_id: String },
    StartStep,
    TextStart { id: &'static str },
    TextDelta { id: &'static str, delta: String },
    TextEnd { id: &'static str },
    FinishStep,
    Finish { finish_reason: &'static str, message_metadata: Usage },
    Error { error_text: String },
}

/// Not theirs: what an app wants to know of a message is its own affair. In tokens.
#[derive(Serialize)]
struct Usage {
    asked: usize,
    answered: usize,
}
