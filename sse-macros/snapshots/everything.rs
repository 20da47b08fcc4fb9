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
    sse.on_disconnect(|__gone| on_disconnect(__gone));
    Ok(())
}
#[cfg(feature = "jobs")]
#[doc(hidden)]
#[allow(non_camel_case_types)]
#[allow(unused_variables)]
#[deprecated]
pub(crate) enum r#async {}
#[cfg(feature = "jobs")]
#[allow(unused_variables)]
#[allow(deprecated)]
impl r#async {
    #[doc(hidden)]
    pub const __META: &'static crate::sse::__private::Meta = &crate::sse::__private::Meta::new(
            ::core::concat!(::core::module_path!(), "::async"),
            "/jobs/{id}/{match}",
        )
        .methods(
            crate::sse::__private::MethodFilter::GET
                .or(crate::sse::__private::MethodFilter::POST),
        )
        .keep_alive(::core::option::Option::None)
        .open_after(
            ::core::option::Option::Some(crate::sse::__private::Duration::from_secs(0)),
        )
        .retry(crate::sse::__private::Duration::from_millis(1500))
        .end("end")
        .max_event(65536)
        .max_streams(::core::option::Option::Some(100))
        .slow(crate::sse::__private::Slow::Skip);
    pub fn route<__S, __M>() -> crate::sse::Route<__S>
    where
        __S: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync
            + 'static,
        __M: 'static,
        State<Jobs>: crate::sse::__private::HeadArgument<__S>,
        Json<Order>: crate::sse::__private::LastArgument<__S, __M>,
    {
        fn __call(
            __stream: crate::sse::__private::Stream,
            __params: &crate::sse::__private::Params,
            (__head_1,): (State<Jobs>,),
            __last: Json<Order>,
        ) -> ::core::result::Result<
            crate::sse::__private::HandlerFuture,
            crate::sse::__private::Rejection,
        > {
            let __path_id = <u64 as crate::sse::__private::PathArgument>::path_argument(
                __params,
                "id",
            )?;
            let __path_match = <String as crate::sse::__private::PathArgument>::path_argument(
                __params,
                "match",
            )?;
            ::core::result::Result::Ok(
                <Result<
                    (),
                    AppError,
                > as crate::sse::__private::Outcome>::run(
                    r#async(
                        <Sse<
                            JobEvent,
                        > as crate::sse::__private::Handle>::handle(__stream),
                        __path_id,
                        __head_1,
                        __path_match,
                        __last,
                    ),
                ),
            )
        }
        crate::sse::__private::route(Self::__META, __call)
    }
    crate::sse::__private::operation! {
        name : "async", docs : [r" Streams one job."], deprecated : true, methods :
        ["GET", "POST"], parameters : ["id" : u64, "match" : String,], arguments : [State
        < Jobs >, Json < Order >,], handle : Sse < JobEvent >, output : Result < (),
        AppError >, run : [],
    }
}
