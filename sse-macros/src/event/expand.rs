//! The tokens of a valid event type. Nothing here can fail.

use super::model::{Event, Events, Kind};
use crate::route::duration_tokens;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Member;

/// The implementation of `SseEvent`: the name and what else stands beside the data, then the data, by serde.
pub(crate) fn expand(events: &Events<'_>) -> TokenStream {
    let span = events.span();
    let root = root(events, span);
    let private = quote_spanned!(span=> #root::__private);
    let fields = match &events.kind {
        Kind::Struct(event) => {
            let id = event.id.as_ref().map(|member| {
                let span = member_span(member);
                quote_spanned!(span=> #private::id(__event, &self.#member)?;)
            });
            fields(event, id, &private, span)
        }
        Kind::Enum(variants) => {
            let arms = variants.iter().map(|variant| {
                let ident = variant.ident;
                let (pattern, id) = match &variant.event.id {
                    None => (quote_spanned!(span=> { .. }), None),
                    Some(member) => {
                        let span = member_span(member);
                        let id = quote_spanned!(span=> #private::id(__event, __id)?;);
                        (quote_spanned!(span=> { #member: __id, .. }), Some(id))
                    }
                };
                let fields = fields(&variant.event, id, &private, span);
                quote_spanned!(span=> Self::#ident #pattern => { #fields })
            });
            quote_spanned!(span=> match self { #(#arms)* })
        }
    };
    let shapes = shapes(events, &private, span);
    implement(
        events,
        &root,
        &quote_spanned! {span=>
            fn write(&self, __event: &mut #root::EventWriter<'_>) -> ::core::result::Result<(), #root::EventError> {
                #fields
                #private::json(__event, self)
            }

            #shapes
        },
    )
}

/// Of a type with mistakes: an implementation, so that nothing else complains.
pub(crate) fn stub(events: &Events<'_>) -> TokenStream {
    let span = events.span();
    let root = root(events, span);
    implement(
        events,
        &root,
        &quote_spanned! {span=>
            fn write(&self, _: &mut #root::EventWriter<'_>) -> ::core::result::Result<(), #root::EventError> {
                ::core::result::Result::Ok(())
            }
        },
    )
}

fn implement(events: &Events<'_>, root: &TokenStream, items: &TokenStream) -> TokenStream {
    let span = events.span();
    let name = events.name;
    let (generics, arguments, clause) = events.generics.split_for_impl();
    // Whether a generic type can be serialized may hang on its parameters; of another, the call of `json` says it.
    let clause = events.generics.type_params().next().map_or_else(
        || clause.to_token_stream(),
        |_| {
            let predicates = clause.map(|clause| &clause.predicates).into_iter().flatten();
            quote_spanned!(span=> where #(#predicates,)* Self: #root::__private::Data)
        },
    );
    let allow_deprecated = events.deprecated.then(|| quote!(#[allow(deprecated)]));
    quote_spanned! {span=>
        #[automatically_derived]
        #allow_deprecated
        impl #generics #root::SseEvent for #name #arguments #clause {
            #items
        }
    }
}

fn fields(event: &Event, id: Option<TokenStream>, private: &TokenStream, span: Span) -> TokenStream {
    let name = &event.name;
    let mut fields = quote_spanned!(span=> #private::name(__event, #name)?;);
    fields.extend(id);
    if let Some(retry) = event.retry {
        let retry = duration_tokens(retry, private);
        fields.extend(quote_spanned!(span=> #private::retry(__event, #retry)?;));
    }
    if event.terminal {
        fields.extend(quote_spanned!(span=> #private::terminal(__event);));
    }
    fields
}

/// What documents and clients are told of the events.
fn shapes(events: &Events<'_>, private: &TokenStream, span: Span) -> TokenStream {
    let shapes = events.sent().into_iter().map(|event| {
        let name = &event.name;
        let mut shape = quote!(#private::EventShape::new(#name));
        if event.id.is_some() {
            shape.extend(quote!(.with_id()));
        }
        if event.terminal {
            shape.extend(quote!(.terminal()));
        }
        shape
    });
    quote_spanned! {span=>
        fn shapes() -> &'static [#private::EventShape] {
            const { &[#(#shapes),*] }
        }
    }
}

fn root(events: &Events<'_>, span: Span) -> TokenStream {
    match &events.root {
        None => quote_spanned!(span=> ::sse_runtime),
        Some(path) => path.to_token_stream(),
    }
}

/// The user's place, and our hygiene: `__id` there is the one that we bind.
fn member_span(member: &Member) -> Span {
    let span = match member {
        Member::Named(name) => name.span(),
        Member::Unnamed(index) => index.span,
    };
    Span::mixed_site().located_at(span)
}
