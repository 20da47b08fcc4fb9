#[automatically_derived]
impl ::sse_runtime::SseEvent for JobEvent {
    fn write(
        &self,
        __event: &mut ::sse_runtime::EventWriter<'_>,
    ) -> ::core::result::Result<(), ::sse_runtime::EventError> {
        match self {
            Self::Queued { .. } => {
                ::sse_runtime::__private::name(__event, "queued")?;
            }
            Self::Progress { .. } => {
                ::sse_runtime::__private::name(__event, "progress")?;
            }
            Self::LogLine { number: __id, .. } => {
                ::sse_runtime::__private::name(__event, "log-line")?;
                ::sse_runtime::__private::id(__event, __id)?;
                ::sse_runtime::__private::retry(
                    __event,
                    ::sse_runtime::__private::Duration::from_secs(3),
                )?;
            }
            Self::Finished { .. } => {
                ::sse_runtime::__private::name(__event, "done")?;
                ::sse_runtime::__private::terminal(__event);
            }
            Self::Internal { .. } => {
                ::sse_runtime::__private::name(__event, "internal")?;
            }
        }
        ::sse_runtime::__private::json(__event, self)
    }
    fn shapes() -> &'static [::sse_runtime::__private::EventShape] {
        const {
            &[
                ::sse_runtime::__private::EventShape::new("queued"),
                ::sse_runtime::__private::EventShape::new("progress"),
                ::sse_runtime::__private::EventShape::new("log-line").with_id(),
                ::sse_runtime::__private::EventShape::new("done").terminal(),
            ]
        }
    }
}
