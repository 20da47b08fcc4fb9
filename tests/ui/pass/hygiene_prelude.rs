//! The expansion means the real `Result`, `Ok`, `Clone` and so on, whatever those names mean here.

#![deny(warnings)]
#![allow(dead_code, non_camel_case_types, unused_macros)]

use sse_runtime::{Sse, sse_route};

struct Result;
struct Option;
struct Box;
struct String;
struct Some;
struct None;
struct Ok;
struct Err;
struct Duration;
struct Route;
struct Meta;
struct u64;
struct str;
trait Clone {}
trait Send {}
trait Sync {}
trait Future {}
trait Handle {}
mod std {}
mod core {}
mod axum {}

macro_rules! concat {
    ($($any:tt)*) => {
        compile_error!("not this one")
    };
}
macro_rules! module_path {
    () => {
        compile_error!("not this one")
    };
}

#[sse_route("/ticks/{id}", methods = ["GET", "POST"], keep_alive = "off", retry = "3s", max_age = "1m")]
async fn ticks(sse: Sse, id: ::std::primitive::u8) -> ::std::result::Result<(), ::axum::http::StatusCode> {
    match sse.send(::std::format!("{id}")).await {
        ::std::result::Result::Ok(()) => ::std::result::Result::Ok(()),
        ::std::result::Result::Err(_) => ::std::result::Result::Err(::axum::http::StatusCode::BAD_GATEWAY),
    }
}

fn main() {
    let _: ::sse_runtime::Route<()> = ticks::route();
}
