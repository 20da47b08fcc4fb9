//! The expansions of three types, kept for people to read.
//!
//! After an intended change: `UPDATE_SNAPSHOTS=1 cargo test -p sse-macros`, then read the diff.

use super::sse_event;
use crate::snapshot::assert_snapshot;
use quote::quote;

#[test]
fn an_enum_names_its_variants_as_serde_does() {
    assert_snapshot(
        "event_enum.rs",
        sse_event(quote! {
            #[serde(tag = "type", rename_all = "snake_case")]
            enum JobEvent {
                Queued,
                Progress { pct: u8 },
                #[serde(rename = "log-line")]
                #[sse(id = "number", retry = "3s")]
                LogLine { number: u64, text: String },
                #[sse(name = "done", terminal)]
                Finished(Report),
                #[serde(skip)]
                Internal,
            }
        }),
    );
}

#[test]
fn a_struct_is_one_event_and_may_be_generic() {
    assert_snapshot(
        "event_struct.rs",
        sse_event(quote! {
            #[sse(name = "reading", id = "0", crate = crate::sse)]
            struct Reading<'a, T: Copy>(u64, &'a T) where T: Sized;
        }),
    );
}

#[test]
fn a_type_with_mistakes_is_an_event_type_all_the_same() {
    assert_snapshot(
        "event_mistakes.rs",
        sse_event(quote!(
            enum E {
                Open,
                #[serde(rename = "open")]
                Other,
            }
        )),
    );
}
