async fn talk(sse: Sse, mut replies: Replies<String>) {}
#[doc(hidden)]
#[allow(non_camel_case_types)]
enum talk {}
impl talk {
    #[doc(hidden)]
    pub const __META: &'static ::sse_runtime::__private::Meta = &::sse_runtime::__private::Meta::new(
            ::core::concat!(::core::module_path!(), "::talk"),
            "/talk",
        )
        .methods(::sse_runtime::__private::MethodFilter::POST);
    #[doc(hidden)]
    pub const __RUN: &'static ::sse_runtime::__private::RunMeta = &::sse_runtime::__private::RunMeta::new(
            ::sse_runtime::__private::Meta::new(
                    ::core::concat!(::core::module_path!(), "::talk"),
                    "/talk",
                )
                .methods(::sse_runtime::__private::MethodFilter::POST),
            ::sse_runtime::__private::Duration::from_secs(900),
        )
        .idle(::core::option::Option::None);
    #[doc(hidden)]
    pub const __REPLIES: &'static ::sse_runtime::__private::ReplyMeta = &::sse_runtime::__private::ReplyMeta::new(
            <Replies<String> as ::sse_runtime::__private::ReplyArgument>::check,
        )
        .inbox(4);
    pub fn route<__S, __M>() -> ::sse_runtime::Route<__S>
    where
        __S: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync
            + 'static,
        __M: 'static,
        Replies<String>: ::sse_runtime::__private::LastArgument<__S, __M>,
    {
        fn __call(
            __stream: ::sse_runtime::__private::Stream,
            _: &::sse_runtime::__private::Params,
            (): (),
            __last: Replies<String>,
        ) -> ::core::result::Result<
            ::sse_runtime::__private::HandlerFuture,
            ::sse_runtime::__private::Rejection,
        > {
            ::core::result::Result::Ok(
                <() as ::sse_runtime::__private::Outcome>::run(
                    talk(
                        <Sse as ::sse_runtime::__private::Handle>::handle(__stream),
                        __last,
                    ),
                ),
            )
        }
        ::sse_runtime::__private::with_replies(
            ::sse_runtime::__private::run_route(Self::__META, Self::__RUN, __call),
            Self::__META,
            Self::__REPLIES,
        )
    }
    ::sse_runtime::__private::operation! {
        name : "talk", docs : [], deprecated : false, methods : ["POST"], parameters :
        [], arguments : [Replies < String >,], handle : Sse, output : (), run :
        [Self::__RUN],
    }
}
