//! Event types in odd surroundings: none of the names here is meant by the expansion, and no lint of theirs hits it.

#![deny(warnings)]
#![allow(dead_code, non_camel_case_types)]

mod shadowed {
    struct Result;
    struct Option;
    struct Ok;
    struct Err;
    struct Duration;
    struct EventWriter;
    struct SseEvent;
    struct u64;
    struct str;
    trait Data {}
    trait Display {}
    mod std {}
    mod core {}
    mod serde_json {}

    #[derive(::serde::Serialize, ::sse_runtime::SseEvent)]
    #[serde(tag = "type", content = "content")]
    enum Event {
        #[sse(id = "0", retry = "3s")]
        Ok(::std::primitive::u64),
        #[sse(terminal)]
        Err { r#fn: ::std::primitive::u64 },
    }
}

mod old {
    use serde::Serialize;
    use sse_runtime::SseEvent;

    #[derive(Serialize, SseEvent)]
    pub enum Kept {
        Ticked,
        #[deprecated]
        Rung,
        #[sse(id = "at")]
        Struck {
            #[deprecated]
            at: u8,
        },
    }

    #[deprecated]
    #[derive(Serialize, SseEvent)]
    pub struct Gone {
        pub at: u8,
    }

    #[deprecated]
    #[derive(Serialize, SseEvent)]
    pub enum AllGone {
        A,
    }
}

mod made {
    use serde::Serialize;
    use sse_runtime::SseEvent;

    macro_rules! event {
        ($name:ident, $called:literal, $field:ident: $ty:ty, $id:literal) => {
            #[derive(Serialize, SseEvent)]
            #[serde(rename = $called)]
            #[sse(id = $id)]
            pub struct $name<const N: usize, T: Serialize = u8> {
                $field: $ty,
                more: Vec<T>,
            }
        };
    }

    event!(Made, "made", id: u64, "id");
}

mod conditional {
    use serde::Serialize;
    use sse_runtime::SseEvent;

    #[derive(Serialize, SseEvent)]
    #[cfg_attr(all(), serde(tag = "type", rename_all = "snake_case"))]
    pub enum Some {
        #[cfg(any())]
        Open,
        #[cfg_attr(all(), sse(terminal))]
        Closed,
        /// Never sent, so it may be called as it likes.
        #[serde(skip)]
        #[sse(name = "closed")]
        Internal,
        #[serde(skip)]
        Error,
    }
}

fn main() {
    fn is_event<E: sse_runtime::SseEvent>() {}
    is_event::<made::Made<3>>();
    is_event::<conditional::Some>();
}
