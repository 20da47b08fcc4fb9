//! A nested `async fn on_disconnect` is registered on the handle, whatever that is called.

#![deny(warnings)]

use sse_runtime::{Disconnect, Result, Sse, routes, sse_route};

#[sse_route("/first")]
async fn first(sse: Sse) -> Result<()> {
    async fn on_disconnect(gone: Disconnect) {
        println!("{:?} after {} events", gone.reason, gone.events);
    }
    sse.send("tick").await?;
    Ok(())
}

#[sse_route("/second/{id}")]
async fn second(mut stream: Sse, id: u64) -> Result<()> {
    #![allow(unused_assignments)]
    stream.send(id.to_string()).await?;
    stream = stream.clone();
    return Ok(());

    async fn on_disconnect(Disconnect { reason, .. }: Disconnect) {
        println!("{reason:?}");
    }
}

#[sse_route("/closure")]
async fn closure(sse: Sse) -> Result<()> {
    sse.on_disconnect(|gone: Disconnect| async move { println!("{gone:?}") });
    sse.send("tick").await?;
    Ok(())
}

fn main() {
    let _app: axum::Router = routes![first, second, closure];
}
