//! What the tokens of a type give away about an argument.
//!
//! A macro sees names, not types: an alias hides what it stands for. So everything here only serves earlier
//! and better messages; what a type really can do is checked by the traits in the expansion.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{GenericArgument, Path, PathArguments, Type};

/// Extractors of axum and axum-extra that read the request's body.
const BODY: [&str; 8] = ["Json", "Form", "RawForm", "Bytes", "String", "Body", "Multipart", "Request"];

/// Of these, those that have a use on a GET request too: the forms read its query.
const BODY_ON_GET: [&str; 3] = ["Form", "RawForm", "Request"];

/// Well-known extractors that read the head alone.
const HEAD: [&str; 17] = [
    "State",
    "Query",
    "Path",
    "Extension",
    "HeaderMap",
    "TypedHeader",
    "ConnectInfo",
    "Host",
    "Uri",
    "Method",
    "OriginalUri",
    "MatchedPath",
    "NestedPath",
    "RawQuery",
    "RawPathParams",
    "CookieJar",
    "Version",
];

/// Types that are parsed from text and never extracted from a request.
const PLAIN: [&str; 27] = [
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "f32",
    "f64",
    "bool",
    "char",
    "String",
    "str",
    "Uuid",
    "Ulid",
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "SocketAddr",
    "NonZeroU32",
    "NonZeroU64",
    "PathBuf",
];

/// The last name in a type's path: `Json` of `axum::Json<T>`.
pub(crate) fn name(ty: &Type) -> Option<String> {
    last(path(ty)?).map(|segment| segment.ident.to_string())
}

pub(crate) fn is_handle(ty: &Type) -> bool {
    match ty {
        // A mistake, but about the handle.
        Type::Reference(reference) => is_handle(&reference.elem),
        ty => name(ty).is_some_and(|name| name == "Sse"),
    }
}

/// Whether this is what clients post into the stream.
pub(crate) fn is_replies(ty: &Type) -> bool {
    name(ty).is_some_and(|name| name == "Replies")
}

/// Whether this can only be a value parsed from text, also behind an `Option` or a `Vec`.
pub(crate) fn is_plain(ty: &Type) -> bool {
    match (name(ty).as_deref(), first_argument(ty)) {
        (Some("Option" | "Vec"), Some(inner)) => is_plain(inner),
        (Some(name), None) => PLAIN.contains(&name),
        _ => false,
    }
}

/// The name of the body extractor this is, directly or as an `Option` or `Result` of one.
pub(crate) fn body_extractor(ty: &Type) -> Option<String> {
    let name = name(ty)?;
    if BODY.contains(&name.as_str()) {
        return Some(name);
    }
    matches!(name.as_str(), "Option" | "Result")
        .then(|| first_argument(ty).and_then(body_extractor))
        .flatten()
}

/// Whether a body extractor has nothing to read on a GET request.
pub(crate) fn needs_body(ty: &Type) -> bool {
    // An `Option` or a `Result` of one says that the body may be missing.
    name(ty).is_some_and(|name| BODY.contains(&name.as_str()) && !BODY_ON_GET.contains(&name.as_str()))
}

/// Whether this is an extractor by its well-known name.
pub(crate) fn is_extractor(ty: &Type) -> bool {
    name(ty).is_some_and(|name| {
        HEAD.contains(&name.as_str()) || (BODY.contains(&name.as_str()) && name != "String")
    })
}

/// Whether an extractor reads the path's parameters by itself.
pub(crate) fn reads_path(ty: &Type) -> bool {
    let Some(path) = path(ty) else { return false };
    last(path).is_some_and(|segment| {
        matches!(segment.ident.to_string().as_str(), "Path" | "RawPathParams" | "Request")
    }) || arguments(path).any(reads_path)
}

/// Where a type borrows from something shorter-lived than the handler.
pub(crate) fn borrowed(ty: &Type) -> Option<TokenStream> {
    match ty {
        Type::Reference(reference) => match &reference.lifetime {
            Some(lifetime) if lifetime.ident == "static" => borrowed(&reference.elem),
            _ => Some(reference.to_token_stream()),
        },
        Type::Path(path) => path.path.segments.iter().find_map(|segment| match &segment.arguments {
            PathArguments::AngleBracketed(list) => list.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => borrowed(ty),
                GenericArgument::Lifetime(lifetime) if lifetime.ident != "static" => {
                    Some(lifetime.to_token_stream())
                }
                _ => None,
            }),
            _ => None,
        }),
        Type::Tuple(tuple) => tuple.elems.iter().find_map(borrowed),
        Type::Array(array) => borrowed(&array.elem),
        Type::Slice(slice) => borrowed(&slice.elem),
        Type::Paren(paren) => borrowed(&paren.elem),
        Type::Group(group) => borrowed(&group.elem),
        _ => None,
    }
}

/// Where a type says `impl Trait`.
pub(crate) fn opaque(ty: &Type) -> Option<TokenStream> {
    match ty {
        Type::ImplTrait(opaque) => Some(opaque.to_token_stream()),
        Type::Path(path) => arguments(&path.path).find_map(opaque),
        Type::Reference(reference) => opaque(&reference.elem),
        Type::Tuple(tuple) => tuple.elems.iter().find_map(opaque),
        Type::Paren(paren) => opaque(&paren.elem),
        Type::Group(group) => opaque(&group.elem),
        _ => None,
    }
}

fn path(ty: &Type) -> Option<&Path> {
    match ty {
        Type::Path(path) => Some(&path.path),
        Type::Paren(paren) => path(&paren.elem),
        Type::Group(group) => path(&group.elem),
        _ => None,
    }
}

fn last(path: &Path) -> Option<&syn::PathSegment> {
    path.segments.last()
}

fn arguments(path: &Path) -> impl Iterator<Item = &Type> {
    let list = match last(path).map(|segment| &segment.arguments) {
        Some(PathArguments::AngleBracketed(list)) => Some(&list.args),
        _ => None,
    };
    list.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn first_argument(ty: &Type) -> Option<&Type> {
    arguments(path(ty)?).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(text: &str) -> Type {
        syn::parse_str(text).unwrap()
    }

    #[test]
    fn the_last_name_of_a_path_counts() {
        assert_eq!(name(&ty("axum::extract::Json<T>")).as_deref(), Some("Json"));
        assert!(is_handle(&ty("sse_runtime::Sse<JobEvent>")));
        assert!(!is_handle(&ty("(Sse, Sse)")));
    }

    #[test]
    fn plain_types_are_known_through_option_and_vec() {
        for text in ["u64", "String", "Option<u32>", "Vec<String>", "uuid::Uuid"] {
            assert!(is_plain(&ty(text)), "{text}");
        }
        for text in ["State<u64>", "Jobs", "Option<Jobs>", "Extension<String>"] {
            assert!(!is_plain(&ty(text)), "{text}");
        }
    }

    #[test]
    fn body_extractors_are_known_through_option_and_result() {
        assert_eq!(body_extractor(&ty("Result<Json<A>, JsonRejection>")).as_deref(), Some("Json"));
        assert_eq!(body_extractor(&ty("Option<axum::Json<A>>")).as_deref(), Some("Json"));
        assert_eq!(body_extractor(&ty("State<Json<A>>")), None);
        assert!(needs_body(&ty("Bytes")));
        assert!(!needs_body(&ty("Request")));
        assert!(!needs_body(&ty("Option<Json<A>>")));
    }

    #[test]
    fn path_extractors_are_found_inside_wrappers() {
        for text in
            ["Path<u64>", "axum::extract::Path<(u64, u64)>", "Result<Path<u64>, PathRejection>", "Request"]
        {
            assert!(reads_path(&ty(text)), "{text}");
        }
        assert!(!reads_path(&ty("MatchedPath")));
    }

    #[test]
    fn borrows_are_found_at_any_depth_unless_static() {
        for text in ["&str", "Path<&str>", "(u8, &'a T)", "Cow<'_, str>"] {
            assert!(borrowed(&ty(text)).is_some(), "{text}");
        }
        for text in ["&'static str", "fn(&str) -> &str", "Path<String>", "Cow<'static, str>"] {
            assert!(borrowed(&ty(text)).is_none(), "{text}");
        }
    }
}
