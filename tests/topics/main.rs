//! What topics promise, as hard as a test can ask: random histories against a model, crowds, storms, clients that stop
//! reading, and publishers on other threads while clients come and go.

mod crowd;
mod many;
mod model;
mod published;
mod reader;
mod regressions;
mod scripted;
mod seams;
mod slow_readers;
mod stalled;
mod storm;
