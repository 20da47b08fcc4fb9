//! What is counted, as the recorder of a program sees it.

mod documented;
mod ends;
mod numbers;
mod recorder;
