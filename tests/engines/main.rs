//! Engines behind a hub: the contract that each has to pass, and what a hub makes of a log that is somewhere else, keeps
//! more than the hub does, is late, or fails.

mod broken;
mod broker;
mod contract;
