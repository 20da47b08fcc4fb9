//! All followers lose their connection at once, in the middle of it all, and come back with their last ids.

use super::crowd::{gather, hub, in_process, over_sockets};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_that_come_back_at_once_lose_and_repeat_nothing() {
    let hub = hub();
    gather(&hub, &in_process(&hub), 2000, 4, 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_that_come_back_over_sockets_lose_and_repeat_nothing() {
    let hub = hub();
    let (server, _serving) = over_sockets(&hub).await;
    gather(&hub, &server, 300, 3, 20).await;
}
