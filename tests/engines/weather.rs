//! Whatever happens between nodes, clients and log, in any order: each client gets every event of its topics after the
//! position it began with, once, in order, as long as the log has them.

use std::time::Duration;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use sse_runtime::testing::TestStream;
use sse_runtime::{Hub, Message};

use crate::broker::{Broker, Delivers, Node};
use crate::{client, hub, json};

const TOPICS: [&str; 3] = ["a", "b", "c"];
const PATHS: [&str; 4] = ["a", "b", "a,b", "c,b,a"];
const NODES: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Publish {
        node: usize,
        topic: usize,
        times: usize,
    },
    Arrive {
        path: usize,
        node: usize,
    },
    /// It looks at some of what is there, and comes back to any node.
    Return {
        client: usize,
        seen: usize,
        node: usize,
    },
    Stall(usize),
    Resume(usize),
    Halt(usize),
    GoOn(usize),
    GoOnWithoutTheRest(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..6_usize;
    let node = 0..NODES;
    prop_oneof![
        6 => (node.clone(), 0..TOPICS.len(), 1..9_usize)
            .prop_map(|(node, topic, times)| Step::Publish { node, topic, times }),
        3 => (0..PATHS.len(), node.clone()).prop_map(|(path, node)| Step::Arrive { path, node }),
        4 => (client.clone(), 0..9_usize, node.clone())
            .prop_map(|(client, seen, node)| Step::Return { client, seen, node }),
        2 => client.clone().prop_map(Step::Stall),
        2 => client.prop_map(Step::Resume),
        2 => node.clone().prop_map(Step::Halt),
        2 => node.clone().prop_map(Step::GoOn),
        1 => node.prop_map(Step::GoOnWithoutTheRest),
        3 => (0..60_u64).prop_map(Step::Wait),
    ]
}

struct World {
    nodes: Vec<(Node, Hub)>,
    /// Numbers and topics; the data is the index.
    published: Vec<(u64, usize)>,
    clients: Vec<Client>,
}

struct Client {
    path: &'static str,
    stream: TestStream,
    /// The number it began with.
    began: Option<u64>,
    received: Vec<usize>,
}

impl Client {
    /// Notes an event.
    fn take(&mut self, name: &str, data: &str, position: Option<&str>) {
        match (name, position) {
            ("message", _) => self.received.push(data.parse().expect("an index")),
            ("sse-open", Some(position)) => {
                let at = number(position);
                let seen = self.began.is_some();
                self.began.get_or_insert(at);
                assert!(seen || self.received.is_empty());
            }
            _ => panic!("{} was told {name}: {data}", self.path),
        }
    }

    fn look(&mut self, most: usize) {
        for _ in 0..most {
            let next = tokio::task::unconstrained(self.stream.next());
            let Some(event) = next.now_or_never() else { break };
            let position = (event.name == "sse-open").then(|| json(&event)["position"].to_string());
            self.take(&event.name, &event.data, position.as_deref().map(|text| text.trim_matches('"')));
        }
    }
}

fn number(position: &str) -> u64 {
    position.split_once('-').and_then(|(_, seq)| seq.parse().ok()).expect("a position")
}

impl World {
    async fn new(delivers: Delivers) -> Self {
        let broker = Broker::keeping(100_000);
        let mut world = Self { nodes: Vec::new(), published: Vec::new(), clients: Vec::new() };
        for _ in 0..NODES {
            let node = broker.node().delivers(delivers);
            let hub = hub(&node).await;
            // So that every topic is open everywhere: a node that is cut off opens nothing.
            let stream = client(&hub).get("/c,b,a").stream().await;
            world.clients.push(Client { path: "c,b,a", stream, began: None, received: Vec::new() });
            world.nodes.push((node, hub));
        }
        world
    }

    async fn publish(&mut self, node: usize, topic: usize) {
        let index = self.published.len();
        let published = self.nodes[node].1.topic::<Message>(TOPICS[topic]).publish(index.to_string()).await;
        self.published.push((number(published.expect("published").as_str()), topic));
    }

    async fn make(&mut self, step: &Step) {
        let clients = self.clients.len();
        match *step {
            Step::Publish { node, topic, times } => {
                for _ in 0..times {
                    self.publish(node, topic).await;
                }
            }
            Step::Arrive { path, node } => {
                let stream = client(&self.nodes[node].1).get(&format!("/{}", PATHS[path])).stream().await;
                self.clients.push(Client { path: PATHS[path], stream, began: None, received: Vec::new() });
            }
            Step::Return { client: index, seen, node } => {
                let known = &mut self.clients[index % clients];
                known.look(seen);
                if known.began.is_none() {
                    return;
                }
                let request = client(&self.nodes[node].1).get(&format!("/{}", known.path));
                known.stream = request.last_event_id(known.stream.last_event_id()).stream().await;
            }
            Step::Stall(index) => self.clients[index % clients].stream.stall(),
            Step::Resume(index) => self.clients[index % clients].stream.resume(),
            Step::Halt(node) => self.nodes[node].0.halt(),
            Step::GoOn(node) => self.nodes[node].0.go_on(),
            Step::GoOnWithoutTheRest(node) => self.nodes[node].0.go_on_without_the_rest(),
            Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        }
    }

    async fn check(mut self) -> Result<(), TestCaseError> {
        for (node, _) in &self.nodes {
            node.go_on();
        }
        for topic in 0..TOPICS.len() {
            self.publish(0, topic).await;
        }
        for (node, _) in &self.nodes {
            node.caught_up().await;
        }
        for client in &mut self.clients {
            client.stream.resume();
        }
        // Time for everything; a client that got all is silent from here on.
        tokio::time::sleep(Duration::from_secs(20)).await;
        for (index, client) in self.clients.iter_mut().enumerate() {
            client.look(usize::MAX);
            let began = client.began.expect("it was told where it begins");
            let names: Vec<_> = client.path.split(',').collect();
            let wanted =
                |&(_, (seq, topic)): &(usize, &(u64, usize))| *seq > began && names.contains(&TOPICS[*topic]);
            let wanted: Vec<_> =
                self.published.iter().enumerate().filter(wanted).map(|(index, _)| index).collect();
            prop_assert_eq!(&client.received, &wanted, "client {} of {}, from {}", index, client.path, began);
        }
        for (_, hub) in &self.nodes {
            let stats = hub.stats();
            prop_assert_eq!((stats.reset, stats.fell_behind, stats.missed), (0, 0, 0));
        }
        Ok(())
    }
}

fn run(delivers: Delivers, steps: &[Step]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut world = World::new(delivers).await;
        for step in steps {
            world.make(step).await;
        }
        world.check().await
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn no_client_loses_or_repeats_anything(
        everything in any::<bool>(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        run(if everything { Delivers::Everything } else { Delivers::Open }, &steps)?;
    }
}
