#[automatically_derived]
impl<'a, T: Copy> crate::sse::SseEvent for Reading<'a, T>
where
    T: Sized,
    Self: crate::sse::__private::Data,
{
    fn write(
        &self,
        __event: &mut crate::sse::EventWriter<'_>,
    ) -> ::core::result::Result<(), crate::sse::EventError> {
        crate::sse::__private::name(__event, "reading")?;
        crate::sse::__private::id(__event, &self.0)?;
        crate::sse::__private::json(__event, self)
    }
    fn shapes() -> &'static [crate::sse::__private::EventShape] {
        const { &[crate::sse::__private::EventShape::new("reading").with_id()] }
    }
}
