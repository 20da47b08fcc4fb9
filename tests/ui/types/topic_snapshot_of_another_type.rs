use sse_runtime::Topic;

struct Scores;

fn with_scores(topic: Topic) -> Topic {
    topic.snapshot(|| async { Ok([Scores]) })
}

fn main() {}
