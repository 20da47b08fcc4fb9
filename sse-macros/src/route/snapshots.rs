//! The expansion of two routes, beside which a person can check that it is short and readable.
//!
//! After an intended change: `UPDATE_SNAPSHOTS=1 cargo test -p sse-macros`, then read the diff.

use super::sse_route;
use crate::snapshot::assert_snapshot;
use proc_macro2::TokenStream;
use quote::quote;

fn assert_expansion(name: &str, attribute: TokenStream, item: TokenStream) {
    assert_snapshot(name, sse_route(attribute, item));
}

#[test]
fn the_smallest_route_expands_to_a_screenful() {
    assert_expansion(
        "smallest.rs",
        quote!("/ticks"),
        quote! {
            async fn ticks(sse: Sse) {
                sse.send("tick").await;
            }
        },
    );
}

#[test]
fn a_route_with_everything_stays_readable() {
    assert_expansion(
        "everything.rs",
        quote! {
            "/jobs/{id}/{match}", methods = ["GET", "POST"], keep_alive = "off", retry = "1.5s",
            open_after = "0s", end = "end", max_event = "64KiB", max_streams = 100, slow = "skip", crate = crate::sse
        },
        quote! {
            /// Streams one job.
            #[cfg(feature = "jobs")]
            #[expect(unused_variables)]
            #[deprecated]
            pub(crate) async fn r#async(
                sse: Sse<JobEvent>,
                id: u64,
                State(jobs): State<Jobs>,
                r#match: String,
                Json(order): Json<Order>,
            ) -> Result<(), AppError> {
                async fn on_disconnect(gone: Disconnect) {}
                Ok(())
            }
        },
    );
}

#[test]
fn a_run_that_takes_replies_has_two_constants_more() {
    let attribute = quote!("/talk", methods = ["POST"], run = "15m", run_idle = "off", inbox = 4);
    let function = quote! {
        async fn talk(sse: Sse, mut replies: Replies<String>) {}
    };
    assert_expansion("run_with_replies.rs", attribute, function);
}

#[test]
fn a_handler_with_mistakes_keeps_its_function_and_its_route() {
    assert_expansion("mistakes.rs", quote!(":id", colour = 3), quote! { pub fn broken(sse: Sse) {} });
}
