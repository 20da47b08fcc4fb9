//! What a handler may not be, whatever its arguments stand for.

use super::{function::Function, types};
use crate::diagnostics::Diagnostics;
use syn::{FnArg, ReturnType, Safety, Signature, Type};

/// Reports everything about the signature that no route can have.
pub(crate) fn validate(function: &Function, found: &mut Diagnostics) {
    let signature = &function.signature;
    qualifiers(signature, found);
    generics(signature, found);
    if let Some(receiver) = signature.receiver() {
        found.over(
            receiver,
            "a handler is a free function, without `self`; take shared values as an argument: \
             `State(jobs): State<Jobs>`",
        );
    }
    if let Some(variadic) = &signature.variadic {
        found.over(variadic, "a handler has a fixed list of arguments; remove the `...`");
    }
    for input in &signature.inputs {
        if let FnArg::Typed(argument) = input {
            argument_type(&argument.ty, found);
        }
    }
    if let ReturnType::Type(_, ty) = &signature.output {
        if let Some(opaque) = types::opaque(ty) {
            found.over(
                opaque,
                "a handler sends events through its handle; it returns `()` or `Result<(), E>`",
            );
        }
    }
}

fn qualifiers(signature: &Signature, found: &mut Diagnostics) {
    let name = &signature.ident;
    match (&signature.constness, &signature.asyncness) {
        (None, None) => {
            found.at(signature.fn_token.span, format!("a handler is asynchronous; write `async fn {name}`"));
        }
        (Some(constness), None) => {
            found.at(
                constness.span,
                format!("a handler is asynchronous, never `const`; write `async fn {name}`"),
            );
        }
        // The compiler itself refuses `const async`.
        (_, Some(_)) => {}
    }
    if let Safety::Unsafe(token) = &signature.safety {
        found.at(
            token.span,
            "any request may call a handler, so it must be safe; remove `unsafe`, and put what needs it into an \
             `unsafe { .. }` block",
        );
    }
    if let Some(abi) = &signature.abi {
        found.over(abi, "a handler is called from Rust alone; remove the `extern`");
    }
}

fn generics(signature: &Signature, found: &mut Diagnostics) {
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        found.over(
            &generics.params,
            "a route has one concrete handler; name the types instead of being generic over them",
        );
    } else if let Some(clause) = &generics.where_clause {
        found.at(
            clause.where_token.span,
            "a handler is not generic, so a `where` clause has nothing to say; remove it",
        );
    }
}

fn argument_type(ty: &Type, found: &mut Diagnostics) {
    if let Some(opaque) = types::opaque(ty) {
        found.over(opaque, "a route must know the argument's type; name it instead of `impl Trait`");
    } else if let Some(borrowed) = types::borrowed(ty) {
        let instead = match ty {
            Type::Reference(reference) if types::name(&reference.elem).as_deref() == Some("str") => {
                "a `String`"
            }
            _ => "an owned value",
        };
        found.over(
            borrowed,
            format!("a stream outlives the request it came from, so it cannot borrow; take {instead}"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(item: &str) -> Vec<String> {
        let mut found = Diagnostics::new();
        validate(&Function::parse(item.parse().unwrap()).unwrap(), &mut found);
        found.messages()
    }

    #[test]
    fn a_plain_async_function_is_a_handler() {
        let item = "pub(crate) async fn f(mut sse: Sse<E>, id: u64, s: &'static str) -> Result<(), E> {}";
        assert_eq!(mistakes(item), [""; 0]);
    }

    #[test]
    fn each_qualifier_is_refused_once() {
        for (item, hint) in [
            ("fn f(sse: Sse) {}", "write `async fn f`"),
            ("const fn f(sse: Sse) {}", "write `async fn f`"),
            ("async unsafe fn f(sse: Sse) {}", "remove `unsafe`"),
            ("async extern \"C\" fn f(sse: Sse) {}", "remove the `extern`"),
            ("async fn f<T>(sse: Sse) where T: Send {}", "concrete handler"),
            ("async fn f<'a>(sse: Sse) {}", "concrete handler"),
            ("async fn f(sse: Sse) where u8: Send {}", "remove it"),
            ("async fn f(&self, sse: Sse) {}", "without `self`"),
            ("async fn f(sse: Sse, x: impl Into<String>) {}", "instead of `impl Trait`"),
            ("async fn f(sse: Sse, x: Option<impl Send>) {}", "instead of `impl Trait`"),
            ("async fn f(sse: Sse, x: &str) {}", "take a `String`"),
            ("async fn f(sse: &mut Sse) {}", "take an owned value"),
            ("async fn f(sse: Sse) -> impl IntoResponse {}", "returns `()` or"),
        ] {
            let mistakes = mistakes(item);
            assert_eq!(mistakes.len(), 1, "{item}: {mistakes:?}");
            assert!(mistakes[0].contains(hint), "{item}: {mistakes:?}");
        }
    }

    #[test]
    fn several_mistakes_are_found_together() {
        assert_eq!(mistakes("unsafe fn f<T>(sse: Sse, a: &T) -> impl Sized {}").len(), 5);
    }
}
