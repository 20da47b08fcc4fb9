//! The order in which a loss becomes known: the test holds a topic's ring, so that it cannot go all the way.

use super::*;

#[test]
fn a_loss_is_in_the_rings_before_the_hub_says_that_it_has_come_so_far() {
    let hub = Hub::in_memory().build();
    let topic: Topic = hub.topic("t");
    let ring = topic.state.ring();
    std::thread::scope(|scope| {
        let losing = scope.spawn(|| hub.0.lost(5));
        while hub.0.topics().forgotten < 5 {
            std::thread::yield_now();
        }
        assert_eq!(hub.0.arrived(), 0, "a follower would take the loss for silence");
        drop(ring);
        losing.join().expect("no panic");
    });
    assert_eq!((hub.0.arrived(), topic.state.newest(), topic.state.ring().floor()), (5, 5, 5));
    assert_eq!(topic.position().as_str().split_once('-').map(|(_, seq)| seq), Some("5"));
}
