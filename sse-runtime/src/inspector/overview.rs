//! All that there is at one moment, as the page is told.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::routing::MethodFilter;
use serde_json::{Value, json};

use super::Inner;
use super::look::is_own;
use super::runs;
use super::secret::masked;
use super::tail::shown;
use super::view::{Sort, Tail, View};
use crate::lifecycle::{Mounted, StreamInfo, mounted};
use crate::stream::{Meta, Shared, Slow};
use crate::topic::Hub;

/// How many of each a page is told of: with more, one filters.
const MOST_STREAMS: usize = 200;
const MOST_TOPICS: usize = 100;

struct Open {
    stream: Arc<Shared>,
    info: StreamInfo,
}

pub(super) fn of(inspector: &Inner, view: &View) -> Value {
    let routes: Vec<_> = mounted().into_iter().filter(|route| !is_own(route.meta)).collect();
    // Before the open ones: a stream that ends in between is missing for a moment, where it would be counted twice.
    let before: u64 = routes.iter().map(|route| route.ended.events()).sum();
    let open: Vec<_> = inspector.open().collect();
    let now: u64 = open.iter().map(|open| open.info.events).sum();
    let at = millis(inspector.started.elapsed());
    json!({
        "program": inspector.program,
        "at": at,
        "events": inspector.history.note(at, before + now),
        "routes": routes_json(&routes, &open),
        "chosen": chosen(&open, view),
        "streams": streams_json(open, view),
        "runs": runs::to_json(inspector, view),
        "hubs": inspector.hubs.iter().map(|(name, hub)| hub_json(name, hub, view)).collect::<Vec<_>>(),
    })
}

impl Inner {
    fn streams(&self) -> impl Iterator<Item = Arc<Shared>> {
        // A run has its own place: what its clients get is sent by streams of theirs.
        let is_shown = |stream: &Arc<Shared>| !is_own(stream.meta) && !stream.is_a_run();
        self.registry.open().into_iter().filter(is_shown)
    }

    fn open(&self) -> impl Iterator<Item = Open> {
        self.streams().filter_map(|stream| Some(Open { info: stream.info()?, stream }))
    }

    /// The stream of this number, if it is open.
    pub(super) fn find(&self, id: u64) -> Option<Arc<Shared>> {
        self.streams().find(|stream| stream.id().get() == id)
    }
}

/// The stream whose events are shown, whether it is among the first or not.
fn chosen(open: &[Open], view: &View) -> Value {
    let is_chosen = |open: &&Open| view.tail == Tail::One(open.info.id.get());
    open.iter().find(is_chosen).map_or(Value::Null, stream_json)
}

fn streams_json(mut open: Vec<Open>, view: &View) -> Value {
    let all = open.len();
    let wanted = |Open { stream, info }: &Open| {
        let client = info.client.map(|client| client.to_string());
        let (path, principal) = (masked(stream.path()), info.principal.as_deref().map(masked));
        let texts = [Some(&*path), Some(info.route), principal.as_deref(), client.as_deref()];
        texts.into_iter().flatten().any(|text| view.wants(text)) || info.id.to_string() == view.filter
    };
    if !view.filter.is_empty() {
        open.retain(wanted);
    }
    let matching = open.len();
    open.sort_by_key(|Open { info, .. }| {
        let most_of = match view.sort {
            Sort::Oldest => 0,
            Sort::Newest => info.id.get(),
            Sort::Events => info.events,
            Sort::Bytes => info.bytes,
            // Events that wait are more than bytes that do: they are of a topic, which goes on.
            Sort::Backlog => info.behind.unwrap_or(0).saturating_mul(100).saturating_add(info.queued as u64),
            Sort::Blocked => millis(info.blocked.unwrap_or_default()),
        };
        (Reverse(most_of), info.id)
    });
    open.truncate(MOST_STREAMS);
    json!({
        "open": all,
        "matching": matching,
        "rows": open.iter().map(stream_json).collect::<Vec<_>>(),
    })
}

fn stream_json(Open { stream, info }: &Open) -> Value {
    json!({
        "id": info.id.get(),
        "route": info.route,
        "path": shown(stream.path()),
        "client": info.client.map(|client| client.to_string()),
        "principal": info.principal.as_deref().map(shown),
        "age": millis(info.age),
        "events": info.events,
        "bytes": info.bytes,
        "queued": info.queued,
        "behind": info.behind,
        "blocked": info.blocked.map(millis),
        "send_timeout": stream.meta.send_timeout.map(millis),
        "last_id": info.last_event_id.as_deref().map(shown),
        "stalled": stream.is_stalled(),
    })
}

fn routes_json(routes: &[Arc<Mounted>], open: &[Open]) -> Value {
    // By their addresses: a path may be mounted twice, below different prefixes.
    let mut known: HashMap<*const Mounted, (u64, u64)> = HashMap::new();
    for Open { stream, info } in open {
        if let Some(route) = stream.mounted() {
            let (streams, events) = known.entry(Arc::as_ptr(&route)).or_default();
            *streams += 1;
            *events += info.events;
        }
    }
    let routes = routes.iter().map(|route| {
        let meta = route.meta;
        let open = route.open.load(Ordering::Relaxed) as u64;
        let (known, events) = known.get(&Arc::as_ptr(route)).copied().unwrap_or_default();
        json!({
            "path": meta.path,
            "handler": meta.name,
            "methods": methods(meta.methods),
            "open": open,
            // A stream under another `Shutdown` is one that the inspector cannot show.
            "unknown": open.saturating_sub(known),
            "streams": route.ended.streams() + open,
            "events": route.ended.events() + events,
            "options": options(meta),
        })
    });
    routes.collect()
}

fn hub_json(name: &str, hub: &Hub, view: &View) -> Value {
    let stats = hub.stats();
    let of_runs = Cell::new(0);
    let wanted = |name: &str| {
        let is_of_runs = is_of_runs(name);
        of_runs.set(of_runs.get() + usize::from(is_of_runs));
        !is_of_runs && view.wants(&masked(name))
    };
    let (topics, matching) = hub.listing(wanted, MOST_TOPICS);
    let rows = topics.into_iter().map(|topic| {
        json!({
            "name": shown(&topic.name),
            "subscribers": topic.subscribers,
            "events": topic.events,
            "bytes": topic.bytes,
            "oldest": topic.oldest,
            "newest": topic.newest,
            "age": topic.age.map(millis),
        })
    });
    json!({
        "name": name,
        "topics": stats.topics.saturating_sub(of_runs.get()),
        "of_runs": of_runs.get(),
        "matching": matching,
        "subscribers": stats.subscribers,
        "events": stats.events,
        "bytes": stats.bytes,
        "published": stats.published,
        "resumed": stats.resumed,
        "reset": stats.reset,
        "fell_behind": stats.fell_behind,
        "missed": stats.missed,
        "rows": rows.collect::<Vec<_>>(),
    })
}

/// Whether a topic is a log of this library's own, of runs and replies: their names have ids, tokens and the keys of
/// requests in them.
fn is_of_runs(topic: &str) -> bool {
    let rest = topic.strip_prefix("sse-run").or_else(|| topic.strip_prefix("sse-reply"));
    rest.is_some_and(|rest| rest.starts_with([':', '-']))
}

fn methods(filter: MethodFilter) -> Vec<&'static str> {
    let all = [
        ("GET", MethodFilter::GET),
        ("POST", MethodFilter::POST),
        ("PUT", MethodFilter::PUT),
        ("PATCH", MethodFilter::PATCH),
    ];
    all.into_iter().filter(|(_, one)| filter.or(*one) == filter).map(|(name, _)| name).collect()
}

/// The options of a route as its attribute would say them, and which of them are not what they are by default.
fn options(meta: &Meta) -> Value {
    fn said(meta: &Meta) -> [(&'static str, Option<String>); 10] {
        let limit = |limit: Option<Duration>| Some(limit.map_or_else(|| "off".to_owned(), short));
        let slow = match meta.slow {
            Slow::Disconnect => "disconnect",
            Slow::Skip => "skip",
            Slow::Latest => "latest",
        };
        [
            ("keep_alive", limit(meta.keep_alive)),
            ("retry", meta.retry.map(short)),
            ("open_after", limit(meta.open_after)),
            ("send_timeout", limit(meta.send_timeout)),
            ("max_age", limit(meta.max_age)),
            ("end", meta.end.map(str::to_owned)),
            ("max_event", Some(size(meta.max_event))),
            ("max_streams", meta.max_streams.map(|most| most.to_string())),
            ("slow", Some(slow.to_owned())),
            ("bare", meta.bare.then(String::new)),
        ]
    }
    let default = said(&Meta::new("", ""));
    let options = said(meta).into_iter().zip(default).filter_map(|((name, value), (_, default))| {
        let changed = value != default;
        Some(json!({ "name": name, "value": value?, "changed": changed }))
    });
    options.collect()
}

/// A time as an attribute says it.
fn short(time: Duration) -> String {
    let millis = millis(time);
    match millis {
        0 => "0s".to_owned(),
        _ if millis % 3_600_000 == 0 => format!("{}h", millis / 3_600_000),
        _ if millis % 60_000 == 0 => format!("{}m", millis / 60_000),
        _ if millis % 1000 == 0 => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

fn size(bytes: usize) -> String {
    const KIB: usize = 1024;
    const MIB: usize = KIB * 1024;
    match bytes {
        0 => "0B".to_owned(),
        _ if bytes % MIB == 0 => format!("{}MiB", bytes / MIB),
        _ if bytes % KIB == 0 => format!("{}KiB", bytes / KIB),
        _ => format!("{bytes}B"),
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
