#[automatically_derived]
impl ::sse_runtime::SseEvent for E {
    fn write(
        &self,
        _: &mut ::sse_runtime::EventWriter<'_>,
    ) -> ::core::result::Result<(), ::sse_runtime::EventError> {
        ::core::result::Result::Ok(())
    }
}
::core::compile_error! {
    "`open` is what a browser's EventSource calls an event of its own, so a page could not tell them apart; give it another name: `#[sse(name = \"..\")]`"
}
