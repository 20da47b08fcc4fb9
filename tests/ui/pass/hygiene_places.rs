//! A handler may stand in a function, in a nested module, or come out of another macro.

#![deny(warnings)]

use sse_runtime::{Sse, routes, sse_route};

mod outer {
    pub mod inner {
        use sse_runtime::{Sse, sse_route};

        #[sse_route("/inner")]
        pub(in crate::outer) async fn inner(sse: Sse) {
            sse.send("tick").await.ok();
        }

        #[sse_route("/super")]
        pub(super) async fn above(sse: Sse) {
            sse.send("tick").await.ok();
        }
    }

    // One `use` carries the function and its route, also under another name.
    pub(crate) use elsewhere::events as renamed;

    mod elsewhere {
        use sse_runtime::{Sse, sse_route};

        #[sse_route("/elsewhere")]
        pub(crate) async fn events(sse: Sse) {
            sse.send("tick").await.ok();
        }
    }

    pub(crate) fn routes() -> axum::Router {
        sse_runtime::routes![inner::inner, self::inner::above, renamed]
    }
}

macro_rules! handler {
    ($(#[$attribute:meta])* $name:ident, $path:literal, $handle:ident, $parameter:ident: $ty:ty, $methods:expr, $body:block) => {
        $(#[$attribute])*
        #[sse_route($path, methods = $methods)]
        async fn $name($handle: Sse, $parameter: $ty) $body
    };
}

handler!(
    /// Made by a macro.
    made, "/made/{id}", handle, id: u64, ["GET"], { handle.send(id.to_string()).await.ok(); }
);

fn main() {
    #[sse_route("/local")]
    async fn local(sse: Sse) {
        sse.send("tick").await.ok();
    }

    let _app: axum::Router = outer::routes().merge(routes![local, made]);

    // The function stays a function.
    let _ = |sse: Sse| made(sse, 7);
}
