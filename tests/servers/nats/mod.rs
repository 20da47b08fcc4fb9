//! The log on NATS: the contract, and what only NATS does.

mod by_hand;
mod contract;
