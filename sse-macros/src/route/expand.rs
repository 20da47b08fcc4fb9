//! The tokens of a valid route. Nothing here can fail.

use super::{
    arguments::Argument,
    model::Route,
    options::{Limit, Options},
    twin::Twin,
    values::Method,
};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use std::time::Duration;
use syn::{ReturnType, Type, ext::IdentExt};

/// The function, its twin, and the twin's `route`.
pub(crate) fn expand(route: &Route<'_>) -> TokenStream {
    let function = function(route);
    let twin = Twin::of(route.function);
    let mount = mount(route, &twin);
    let twin = twin.emit(&mount);
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
            route.function.with_first_statement(&quote_spanned!(span=> #handle.on_disconnect(#hook);))
        }
    }
}

/// `fn route()`, which ties the function to axum.
fn mount(route: &Route<'_>, twin: &Twin<'_>) -> TokenStream {
    let root = &route.root;
    let private = quote!(#root::__private);
    let visibility = &twin.visibility;
    let meta = meta(route, &private);
    let handler = Handler::new(route, &private);
    let Handler { parameters, heads, head_types, last, last_type, call, .. } = &handler;
    let params = handler.params();
    let unit;
    let last_type: &dyn ToTokens = match last_type {
        Some(ty) => ty,
        None => {
            unit = quote!(());
            &unit
        }
    };
    quote! {
        #visibility fn route<__S, __M>() -> #root::Route<__S>
        where
            __S: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync + 'static,
            __M: 'static,
            #(#head_types: #private::HeadArgument<__S>,)*
            #last_type: #private::LastArgument<__S, __M>,
        {
            static __META: #private::Meta = #meta;
            #private::route(&__META, |__stream, #params, (#(#heads,)*), #last| {
                #parameters
                ::core::result::Result::Ok(#call)
            })
        }
    }
}

/// The pieces of the closure that calls the handler.
struct Handler<'a> {
    /// `let` statements that read the path parameters.
    parameters: TokenStream,
    heads: Vec<Ident>,
    head_types: Vec<&'a Type>,
    last: TokenStream,
    last_type: Option<&'a Type>,
    call: TokenStream,
}

impl<'a> Handler<'a> {
    fn new(route: &Route<'a>, private: &TokenStream) -> Self {
        let mut handler = Handler {
            parameters: TokenStream::new(),
            heads: Vec::new(),
            head_types: Vec::new(),
            last: quote!(()),
            last_type: None,
            call: TokenStream::new(),
        };
        let handle = route.arguments.handle.ty;
        let mut passed = vec![quote!(<#handle as #private::Handle>::handle(__stream))];
        for (position, argument) in route.arguments.rest.iter().enumerate() {
            let local = local(position, argument);
            passed.push(local.to_token_stream());
            match argument {
                Argument::Parameter { name, ty } => handler.parameters.extend(quote! {
                    let #local = <#ty as #private::PathArgument>::path_argument(__params, #name)?;
                }),
                Argument::Head(ty) => {
                    handler.heads.push(local);
                    handler.head_types.push(ty);
                }
                Argument::Last(ty) => {
                    handler.last = local.into_token_stream();
                    handler.last_type = Some(ty);
                }
            }
        }
        let name = &route.function.signature.ident;
        // A future that is not `Send` is reported where the call stands: at the handler's name.
        let span = Span::mixed_site().located_at(name.span());
        let call = quote_spanned!(span=> #name(#(#passed),*));
        handler.call = match &route.function.signature.output {
            ReturnType::Default => quote!(<() as #private::Outcome>::run(#call)),
            ReturnType::Type(_, ty) => quote!(<#ty as #private::Outcome>::run(#call)),
        };
        handler
    }

    fn params(&self) -> TokenStream {
        if self.parameters.is_empty() { quote!(_) } else { quote!(__params) }
    }
}

/// A name for an argument's value that no constant of the user's can be mistaken for.
fn local(position: usize, argument: &Argument<'_>) -> Ident {
    match argument {
        Argument::Parameter { name, .. } => format_ident!("__{name}", span = Span::mixed_site()),
        Argument::Head(_) => format_ident!("__head_{position}", span = Span::mixed_site()),
        Argument::Last(_) => format_ident!("__last", span = Span::mixed_site()),
    }
}

/// The constant that holds everything about the route but its types.
fn meta(route: &Route<'_>, private: &TokenStream) -> TokenStream {
    let name = format!("::{}", route.function.signature.ident.unraw());
    let path = route.path;
    let setters = setters(&route.options, private);
    quote! {
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
    if options.bare {
        setters.extend(quote!(.bare()));
    }
    setters
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

fn duration(duration: Duration, private: &TokenStream) -> TokenStream {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis % 1000 == 0 {
        let seconds = proc_macro2::Literal::u64_unsuffixed(millis / 1000);
        quote!(#private::Duration::from_secs(#seconds))
    } else {
        let millis = proc_macro2::Literal::u64_unsuffixed(millis);
        quote!(#private::Duration::from_millis(#millis))
    }
}
