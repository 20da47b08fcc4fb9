//! Places and paces, without requests.

use super::*;

fn address(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([10, 0, 0, last]))
}

fn refused(outcome: Result<Place, Full>) -> Limit {
    outcome.err().expect("there is no place").limit
}

#[tokio::test]
async fn a_place_is_held_until_it_is_dropped() {
    let admission = Admission::new().total(2);
    let first = admission.enter(None).expect("a place");
    let _second = admission.enter(None).expect("a place");
    assert_eq!(refused(admission.enter(None)), Limit::Total);
    assert_eq!(admission.open_streams(), 2);
    drop(first);
    assert!(admission.enter(None).is_ok());
}

#[tokio::test]
async fn each_client_has_its_own_places() {
    let admission = Admission::new().per_client(1);
    let first = admission.enter(address(1)).expect("a place");
    assert_eq!(refused(admission.enter(address(1))), Limit::Client);
    let _other = admission.enter(address(2)).expect("another client's");
    drop(first);
    let _again = admission.enter(address(1)).expect("it was given back");
    assert_eq!(admission.open_streams(), 2);
}

#[tokio::test]
async fn a_client_whose_address_is_unknown_is_not_counted_as_one() {
    let admission = Admission::new().per_client(1);
    let _first = admission.enter(None).expect("a place");
    assert!(admission.enter(None).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_too_fast_takes_nothing_from_the_others() {
    let admission = Admission::new().client_rate(2, Duration::from_secs(10)).rate(3, Duration::from_secs(10));
    for _ in 0..2 {
        drop(admission.enter(address(1)).expect("within its rate"));
    }
    for _ in 0..10 {
        assert_eq!(refused(admission.enter(address(1))), Limit::ClientRate);
    }
    drop(admission.enter(address(2)).expect("the third of all"));
    let full = admission.enter(address(3)).err().expect("more than the rate of all");
    assert_eq!(full.limit, Limit::Rate);
    assert!(full.retry >= Duration::from_secs(10) / 3, "{full:?}");
    assert_eq!(admission.open_streams(), 0);
}

#[tokio::test(start_paused = true)]
async fn clients_without_streams_are_forgotten() {
    let admission = Admission::new().per_client(1).client_rate(1, Duration::from_secs(1));
    for n in 0..10 * SWEEP_AT {
        let [_, _, a, b] = u32::try_from(n).expect("few").to_be_bytes();
        drop(admission.enter(Some(IpAddr::from([10, 1, a, b]))));
        tokio::time::advance(Duration::from_millis(2)).await;
    }
    let known = admission.clients().known.len();
    assert!(known <= 2 * SWEEP_AT, "{known}");
}

#[tokio::test]
async fn who_is_told_to_come_back_has_a_time_of_its_own() {
    let admission = Admission::new().total(0).retry(Duration::from_secs(1)..=Duration::from_secs(2));
    let retries: Vec<_> = (0..50).map(|_| admission.enter(None).err().expect("no place").retry).collect();
    assert!(retries.iter().all(|retry| (1.0..=2.0).contains(&retry.as_secs_f64())), "{retries:?}");
    assert!(retries.iter().any(|retry| *retry != retries[0]), "{retries:?}");
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_because_of_the_others_keeps_its_own_rate() {
    let minute = Duration::from_secs(60);
    let admission = Admission::new().client_rate(2, minute).rate(1, Duration::from_secs(1));
    drop(admission.enter(address(1)).expect("the first of all"));
    for _ in 0..10 {
        assert_eq!(refused(admission.enter(address(2))), Limit::Rate);
    }
    for _ in 0..2 {
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(admission.enter(address(2)).expect("within its own rate"));
    }
}
