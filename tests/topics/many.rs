//! Ten thousand followers: each gets everything, once, in order.

use super::crowd::{gather, hub, in_process, over_sockets};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_in_one_process_get_everything() {
    let hub = hub();
    gather(&hub, &in_process(&hub), 10_000, 0, 16).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_over_sockets_get_everything() {
    let hub = hub();
    let (server, _serving) = over_sockets(&hub).await;
    gather(&hub, &server, 1000, 0, 50).await;
}
