async fn ticks(sse: Sse) {
    sse.send("tick").await;
}
#[doc(hidden)]
#[allow(non_camel_case_types)]
enum ticks {}
impl ticks {
    #[doc(hidden)]
    pub const __META: &'static ::sse_runtime::__private::Meta = &::sse_runtime::__private::Meta::new(
        ::core::concat!(::core::module_path!(), "::ticks"),
        "/ticks",
    );
    pub fn route<__S, __M>() -> ::sse_runtime::Route<__S>
    where
        __S: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync
            + 'static,
        __M: 'static,
        (): ::sse_runtime::__private::LastArgument<__S, __M>,
    {
        fn __call(
            __stream: ::sse_runtime::__private::Stream,
            _: &::sse_runtime::__private::Params,
            (): (),
            (): (),
        ) -> ::core::result::Result<
            ::sse_runtime::__private::HandlerFuture,
            ::sse_runtime::__private::Rejection,
        > {
            ::core::result::Result::Ok(
                <() as ::sse_runtime::__private::Outcome>::run(
                    ticks(<Sse as ::sse_runtime::__private::Handle>::handle(__stream)),
                ),
            )
        }
        ::sse_runtime::__private::route(Self::__META, __call)
    }
    ::sse_runtime::__private::operation! {
        name : "ticks", docs : [], deprecated : false, methods : ["GET"], parameters :
        [], arguments : [], handle : Sse, output : (), run : [],
    }
}
