pub fn broken(sse: Sse) {}
#[doc(hidden)]
#[allow(non_camel_case_types)]
pub enum broken {}
impl broken {
    pub fn route<__S>() -> ::sse_runtime::Route<__S>
    where
        __S: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync
            + 'static,
    {
        ::sse_runtime::__private::stub()
    }
    ::sse_runtime::__private::operation! {}
}
::core::compile_error! {
    "there is no option `colour` (the options are methods, keep_alive, retry, open_after, send_timeout, max_age, end, max_event, max_streams, slow, run, run_idle, run_keep, run_events, run_bytes, max_runs, max_reply, inbox, bare, crate)"
}
::core::compile_error! {
    "a path starts with `/`; write \"/:id\""
}
::core::compile_error! {
    "`:id` is the syntax of older routers; write `{id}`"
}
::core::compile_error! {
    "a handler is asynchronous; write `async fn broken`"
}
