//! The engines of this workspace pass the contract, and engines that break it do not.

use std::time::Duration;

use sse_runtime::engine::Memory;
use sse_runtime::testing::engine_contract::{self, Subject};

use crate::broker::{Broker, Delivers, Node};

struct InMemory;

impl Subject for InMemory {
    type Engine = Memory;

    async fn fresh(&self) -> Memory {
        Memory::new()
    }

    fn keeps(&self) -> usize {
        0
    }
}

#[tokio::test]
async fn memory_passes() {
    engine_contract::check(InMemory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_passes_with_threads() {
    engine_contract::check(InMemory).await;
}

struct Brokers {
    delivers: Delivers,
    latency: Duration,
    keeps: usize,
}

impl Brokers {
    fn node(&self, broker: &Broker) -> Node {
        broker.node().delivers(self.delivers).latency(self.latency)
    }
}

impl Subject for Brokers {
    type Engine = Node;

    async fn fresh(&self) -> Node {
        self.node(&Broker::keeping(self.keeps))
    }

    async fn second(&self, first: &Node) -> Option<Node> {
        Some(self.node(first.broker()))
    }

    async fn restart(&self, engine: Node) -> Option<Node> {
        Some(self.node(engine.broker()))
    }

    async fn evict(&self, engine: &Node, until: u64) -> bool {
        engine.broker().forget(until);
        true
    }

    fn keeps(&self) -> usize {
        self.keeps
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_elsewhere_passes() {
    for delivers in [Delivers::Open, Delivers::Everything] {
        engine_contract::check(Brokers { delivers, latency: Duration::from_millis(40), keeps: 1000 }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_elsewhere_that_keeps_little_passes() {
    for delivers in [Delivers::Open, Delivers::Everything] {
        engine_contract::check(Brokers { delivers, latency: Duration::from_millis(5), keeps: 300 }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_log_elsewhere_passes_with_threads() {
    for delivers in [Delivers::Open, Delivers::Everything] {
        engine_contract::check(Brokers { delivers, latency: Duration::ZERO, keeps: 1000 }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_closure_is_a_subject() {
    engine_contract::check(|| async { Broker::keeping(1000).node() }).await;
}
