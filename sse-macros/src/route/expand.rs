//! The tokens of a valid route. Nothing here can fail.

use super::{
    arguments::Argument,
    model::{Root, Route},
    options::{Limit, Options, Run},
    twin::Twin,
    values::Method,
};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use std::time::Duration;
use syn::{ReturnType, Type, ext::IdentExt, spanned::Spanned};

/// The function, its twin, and the twin's `route`.
pub(crate) fn expand(route: &Route<'_>) -> TokenStream {
    let function = function(route);
    let twin = Twin::of(route.function);
    let twin = twin.emit(&mount(route, twin.span));
    quote! {
        #function
        #twin
    }
}

/// Untouched, unless its body holds a hook that has to be registered.
fn function(route: &Route<'_>) -> TokenStream {
    match &route.hook {
        None => route.function.to_token_stream(),
        Some((handle, hook)) => {
            let span = Span::mixed_site().located_at(hook.span());
            let hook = Ident::new("on_disconnect", span);
            route.function.with_first_statement(&quote_spanned! {span=>
                #handle.on_disconnect(|__gone| #hook(__gone));
            })
        }
    }
}

/// `fn route()`, which ties the function to axum.
///
/// `__call` could be a closure. A function has no part in `route`'s generics, and so the compiler checks it in less time.
fn mount(route: &Route<'_>, span: Span) -> TokenStream {
    let root = route.root.at(span);
    let private = quote_spanned!(span=> #root::__private);
    let meta = meta(route, &private, span);
    let run = route.options.run.as_ref().map(|run| run_meta(run, &meta, &private));
    let (run, mount) = match run {
        Some(run) => (
            quote_spanned!(span=> #[doc(hidden)] pub const __RUN: &'static #private::RunMeta = &#run;),
            quote_spanned!(span=> #private::run_route(Self::__META, Self::__RUN, __call)),
        ),
        None => (TokenStream::new(), quote_spanned!(span=> #private::route(Self::__META, __call))),
    };
    let (replies, mount) = match route.arguments.replies() {
        Some(ty) => {
            let replies = reply_meta(&route.options, ty, route, &private);
            (
                quote_spanned! {span=>
                    #[doc(hidden)]
                    pub const __REPLIES: &'static #private::ReplyMeta = &#replies;
                },
                quote_spanned!(span=> #private::with_replies(#mount, Self::__META, Self::__REPLIES)),
            )
        }
        None => (TokenStream::new(), mount),
    };
    let operation = operation(route, &private, span);
    let Handler { parameters, heads, head_types, bounds, last, last_type, call } =
        Handler::new(route, &private, span);
    let params =
        if parameters.is_empty() { quote_spanned!(span=> _) } else { quote_spanned!(span=> __params) };
    quote_spanned! {span=>
        #[doc(hidden)]
        pub const __META: &'static #private::Meta = &#meta;

        #run

        #replies

        pub fn route<__S, __M>() -> #root::Route<__S>
        where
            __S: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static,
            __M: 'static,
            #bounds
        {
            fn __call(
                __stream: #private::Stream,
                #params: &#private::Params,
                (#(#heads,)*): (#(#head_types,)*),
                #last: #last_type,
            ) -> ::core::result::Result<#private::HandlerFuture, #private::Rejection> {
                #parameters
                ::core::result::Result::Ok(#call)
            }
            #mount
        }

        #operation
    }
}

/// What documents say of the route. Without the runtime's feature for them, it expands to nothing.
fn operation(route: &Route<'_>, private: &TokenStream, span: Span) -> TokenStream {
    let name = route.function.signature.ident.unraw().to_string();
    let docs = route.function.attributes.iter().filter_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(doc) if doc.path.is_ident("doc") => Some(&doc.value),
        _ => None,
    });
    let is_deprecated =
        route.function.attributes.iter().any(|attribute| attribute.path().is_ident("deprecated"));
    let methods = route.options.methods.as_deref().unwrap_or(&[Method::Get]);
    let methods = methods.iter().map(|method| method.name());
    let mut parameters = TokenStream::new();
    let mut arguments = TokenStream::new();
    for argument in &route.arguments.rest {
        match argument {
            Argument::Parameter { name, ty } => parameters.extend(quote_spanned!(span=> #name: #ty,)),
            Argument::Head(ty) | Argument::Last(ty) => arguments.extend(quote_spanned!(span=> #ty,)),
        }
    }
    let handle = route.arguments.handle.ty;
    let run = route.options.run.as_ref().map(|_| quote_spanned!(span=> Self::__RUN));
    let output = match &route.function.signature.output {
        ReturnType::Default => quote_spanned!(span=> ()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    };
    quote_spanned! {span=>
        #private::operation! {
            name: #name,
            docs: [#(#docs),*],
            deprecated: #is_deprecated,
            methods: [#(#methods),*],
            parameters: [#parameters],
            arguments: [#arguments],
            handle: #handle,
            output: #output,
            run: [#run],
        }
    }
}

/// What differs from handler to handler.
struct Handler<'a> {
    /// `let` statements that read the path parameters.
    parameters: TokenStream,
    /// The values of the extractors but the last.
    heads: Vec<Ident>,
    head_types: Vec<&'a Type>,
    /// One bound for each extractor, in terms of the user's own type.
    bounds: TokenStream,
    /// The value of the last extractor.
    last: TokenStream,
    last_type: TokenStream,
    /// The call, its future erased.
    call: TokenStream,
}

impl<'a> Handler<'a> {
    fn new(route: &Route<'a>, private: &TokenStream, span: Span) -> Self {
        let mut parameters = TokenStream::new();
        let mut heads = Vec::new();
        let mut head_types = Vec::new();
        let mut bounds = TokenStream::new();
        let mut last = None;
        let handle = route.arguments.handle.ty;
        let mut passed = vec![quote_spanned!(span=> <#handle as #private::Handle>::handle(__stream))];
        for (position, argument) in route.arguments.rest.iter().enumerate() {
            let local = local(position, argument, span);
            passed.push(local.to_token_stream());
            match argument {
                Argument::Parameter { name, ty } => parameters.extend(quote_spanned! {span=>
                    let #local = <#ty as #private::PathArgument>::path_argument(__params, #name)?;
                }),
                Argument::Head(ty) => {
                    let (place, private) = at_type(ty, &route.root);
                    bounds.extend(quote_spanned!(place=> #ty: #private::HeadArgument<__S>,));
                    heads.push(local);
                    head_types.push(*ty);
                }
                Argument::Last(ty) => {
                    let (place, private) = at_type(ty, &route.root);
                    bounds.extend(quote_spanned!(place=> #ty: #private::LastArgument<__S, __M>,));
                    last = Some((local.into_token_stream(), ty.to_token_stream()));
                }
            }
        }
        let (last, last_type) = last.unwrap_or_else(|| {
            bounds.extend(quote_spanned!(span=> (): #private::LastArgument<__S, __M>,));
            (quote_spanned!(span=> ()), quote_spanned!(span=> ()))
        });
        let name = &route.function.signature.ident;
        // A future that is not `Send` is reported where the call stands: at the handler's name.
        let call = quote_spanned!(span=> #name(#(#passed),*));
        let call = match &route.function.signature.output {
            ReturnType::Default => quote_spanned!(span=> <() as #private::Outcome>::run(#call)),
            ReturnType::Type(_, ty) => quote_spanned!(span=> <#ty as #private::Outcome>::run(#call)),
        };
        Handler { parameters, heads, head_types, bounds, last, last_type, call }
    }
}

/// The user's type as a place, and `__private` there: a type that is no extractor is found out at the mount, and the
/// compiler then shows the bound that required it to be one.
fn at_type(ty: &Type, root: &Root) -> (Span, TokenStream) {
    let span = Span::call_site().located_at(ty.span());
    let root = root.at(span);
    (span, quote_spanned!(span=> #root::__private))
}

/// A name for an argument's value: no constant of the user's, which a pattern would match, and no other local.
fn local(position: usize, argument: &Argument<'_>, span: Span) -> Ident {
    match argument {
        Argument::Parameter { name, .. } => format_ident!("__path_{name}", span = span),
        Argument::Head(_) => format_ident!("__head_{position}", span = span),
        Argument::Last(_) => format_ident!("__last", span = span),
    }
}

/// The constant that holds everything about the route but its types.
fn meta(route: &Route<'_>, private: &TokenStream, span: Span) -> TokenStream {
    let name = format!("::{}", route.function.signature.ident.unraw());
    let path = route.path;
    let setters = setters(&route.options, private);
    quote_spanned! {span=>
        #private::Meta::new(::core::concat!(::core::module_path!(), #name), #path) #setters
    }
}

/// Only what was given: defaults are the runtime's.
fn setters(options: &Options, private: &TokenStream) -> TokenStream {
    let mut setters = TokenStream::new();
    if let Some(methods) = &options.methods {
        let filter = filter(methods, private);
        setters.extend(quote!(.methods(#filter)));
    }
    let limits = [
        ("keep_alive", options.keep_alive),
        ("open_after", options.open_after),
        ("send_timeout", options.send_timeout),
        ("max_age", options.max_age),
    ];
    for (name, limit) in limits {
        if let Some(limit) = limit {
            let setter = format_ident!("{name}");
            let limit = limit_tokens(limit, private);
            setters.extend(quote!(.#setter(#limit)));
        }
    }
    if let Some(retry) = options.retry {
        let retry = duration(retry, private);
        setters.extend(quote!(.retry(#retry)));
    }
    if let Some(end) = &options.end {
        setters.extend(quote!(.end(#end)));
    }
    if let Some(bytes) = options.max_event {
        let bytes = proc_macro2::Literal::usize_unsuffixed(bytes);
        setters.extend(quote!(.max_event(#bytes)));
    }
    if let Some(streams) = options.max_streams {
        let streams = proc_macro2::Literal::usize_unsuffixed(streams);
        setters.extend(quote!(.max_streams(::core::option::Option::Some(#streams))));
    }
    if let Some(slow) = options.slow {
        let variant = format_ident!("{}", slow.variant());
        setters.extend(quote!(.slow(#private::Slow::#variant)));
    }
    if options.bare {
        setters.extend(quote!(.bare()));
    }
    setters
}

/// The constant of a handler that is a run.
fn run_meta(run: &Run, meta: &TokenStream, private: &TokenStream) -> TokenStream {
    let time = duration(run.time, private);
    let mut setters = TokenStream::new();
    if let Some(idle) = run.idle {
        let idle = limit_tokens(idle, private);
        setters.extend(quote!(.idle(#idle)));
    }
    if let Some(keep) = run.keep {
        let keep = duration(keep, private);
        setters.extend(quote!(.keep(#keep)));
    }
    if let Some(events) = run.events {
        let events = proc_macro2::Literal::u64_unsuffixed(events);
        setters.extend(quote!(.events(#events)));
    }
    if let Some(bytes) = run.bytes {
        let bytes = proc_macro2::Literal::usize_unsuffixed(bytes);
        setters.extend(quote!(.bytes(#bytes)));
    }
    if let Some(runs) = run.most {
        let runs = proc_macro2::Literal::usize_unsuffixed(runs);
        setters.extend(quote!(.most(#runs)));
    }
    quote!(#private::RunMeta::new(#meta, #time) #setters)
}

/// The constant of a route that takes replies.
fn reply_meta(options: &Options, ty: &Type, route: &Route<'_>, private: &TokenStream) -> TokenStream {
    let (place, own) = at_type(ty, &route.root);
    let check = quote_spanned!(place=> <#ty as #own::ReplyArgument>::check);
    let mut setters = TokenStream::new();
    if let Some(bytes) = options.max_reply {
        let bytes = proc_macro2::Literal::usize_unsuffixed(bytes);
        setters.extend(quote!(.max(#bytes)));
    }
    if let Some(replies) = options.inbox {
        let replies = proc_macro2::Literal::usize_unsuffixed(replies);
        setters.extend(quote!(.inbox(#replies)));
    }
    quote!(#private::ReplyMeta::new(#check) #setters)
}

fn filter(methods: &[Method], private: &TokenStream) -> TokenStream {
    let mut filter = TokenStream::new();
    for method in methods {
        let name = format_ident!("{}", method.name());
        let one = quote!(#private::MethodFilter::#name);
        filter = if filter.is_empty() { one } else { quote!(#filter.or(#one)) };
    }
    filter
}

fn limit_tokens(limit: Limit, private: &TokenStream) -> TokenStream {
    match limit {
        None => quote!(::core::option::Option::None),
        Some(limit) => {
            let limit = duration(limit, private);
            quote!(::core::option::Option::Some(#limit))
        }
    }
}

pub(crate) fn duration(duration: Duration, private: &TokenStream) -> TokenStream {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis % 1000 == 0 {
        let seconds = proc_macro2::Literal::u64_unsuffixed(millis / 1000);
        quote!(#private::Duration::from_secs(#seconds))
    } else {
        let millis = proc_macro2::Literal::u64_unsuffixed(millis);
        quote!(#private::Duration::from_millis(#millis))
    }
}
