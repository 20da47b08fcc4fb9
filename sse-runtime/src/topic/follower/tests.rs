//! What has to hold when something happens in between: the test holds a lock, or takes the steps one by one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use futures_util::FutureExt;
use tokio::time::Instant;

use super::super::place::Place;
use super::super::position::Position;
use super::begin::Start;
use super::*;
use crate::engine::Receiver as _;
use crate::lifecycle::Shutdowns;
use crate::stream::{Arrival, Asked, Meta};

static META: Meta = Meta::new("test", "/");

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn arrival(asked: Asked) -> Arrival {
    Arrival {
        asked,
        shutdowns: Shutdowns::default(),
        connection: None,
        client: None,
        permit: None,
        #[cfg(feature = "inspector")]
        path: "/".into(),
    }
}

/// A follower of these topics for a client that asks for this.
fn follower<'a>(stream: &'a Shared, hub: &Hub, topics: &[Arc<TopicState>]) -> Follower<'a> {
    let followed =
        |topic: &Arc<TopicState>| Followed { topic: Arc::clone(topic), beginning: Beginning::Next };
    Follower::new(stream, Some(hub.clone()), topics.iter().map(followed).collect())
}

#[test]
fn what_goes_between_the_judgement_and_the_beginning_is_counted() {
    let hub = Hub::in_memory().topic_events(2).build();
    let topic: crate::Topic = hub.topic("t");
    let publish = || topic.publish("x").now_or_never().expect("at once").expect("published");
    let (first, _) = (publish(), publish());
    let stream = Shared::new(&META, arrival(Asked::Id(first.as_str().into())));
    let mut follower = follower(&stream, &hub, &[Arc::clone(&topic.state)]);
    let judged = follower.start(&hub.0).now_or_never().expect("at once").expect("it can begin");
    assert!(matches!(judged, Start::After(1)));
    let _ = (publish(), publish());
    follower.begin(&hub.0, judged).now_or_never().expect("at once").expect("it begins");
    assert!(follower.next_in_ring().is_none(), "the second event is gone meanwhile");
    follower.behind(&hub.0, 0);
    assert_eq!((hub.stats().fell_behind, hub.stats().missed), (1, 1));
}

#[test]
fn an_event_between_the_look_and_the_waiting_is_not_missed() {
    for _ in 0..50 {
        let hub = Hub::in_memory().build();
        let topics: Vec<_> = ["a", "b"].iter().map(|name| hub.topic::<crate::Message>(name).state).collect();
        let stream = Shared::new(&META, arrival(Asked::Nothing));
        let mut follower = follower(&stream, &hub, &topics);
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let held_before = Arc::strong_count(&count);

        // The follower comes to the second topic, and cannot register there.
        let mut ring = topics[1].ring();
        let (is_ready, wakers) = std::thread::scope(|scope| {
            let polling = scope.spawn(|| {
                let news = std::pin::pin!(follower.news(&hub.0));
                news.poll(&mut Context::from_waker(&waker)).is_ready()
            });
            // One clone of its waker is the stream's, one is in the first topic's ring.
            while Arc::strong_count(&count) < held_before + 2 {
                std::thread::yield_now();
            }
            let wakers = ring.append(
                Place::new(None, Position { epoch: 1, seq: 1 }),
                0,
                b"data: x\n\n",
                Instant::now(),
            );
            topics[1].set_newest(1);
            hub.0.note_arrived(1);
            drop(ring);
            (polling.join().expect("no panic"), wakers)
        });
        let woken = wakers.into_iter().map(|(_, waker)| waker.wake()).count();
        assert!(is_ready || woken > 0, "it sleeps beside an event");
    }
}

#[test]
fn a_loss_that_is_not_in_every_ring_yet_is_not_slept_through() {
    let mut met = 0;
    for _ in 0..50 {
        let hub = Hub::in_memory().build();
        let topics: Vec<_> = ["a", "b"].iter().map(|name| hub.topic::<crate::Message>(name).state).collect();
        let stream = Shared::new(&META, arrival(Asked::Nothing));
        let mut follower = follower(&stream, &hub, &topics[..1]);
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut news = Box::pin(follower.news(&hub.0));

        // The loss stops at the second topic, if it has not begun there.
        let ring = topics[1].ring();
        let is_ready = std::thread::scope(|scope| {
            let losing = scope.spawn(|| hub.0.lost(5));
            for _ in 0..1000 {
                if topics[0].newest() == 5 {
                    break;
                }
                std::thread::yield_now();
            }
            met += usize::from(topics[0].newest() == 5);
            let is_ready = news.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            drop(ring);
            losing.join().expect("no panic");
            is_ready
        });
        assert!(is_ready || count.0.load(Ordering::Relaxed) > 0, "it sleeps beside a loss");
    }
    assert!(met > 0, "the loss is in one ring, and not in the other");
}
