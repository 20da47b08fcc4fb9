//! What each argument stands for: the handle, a path parameter, or an axum extractor.
//!
//! The first argument is the handle. An argument named like a path parameter takes its value. All others are
//! extractors, the last of which may read the body.

use super::{
    binding::{self, Binding},
    options::Options,
    path::Path,
    types,
};
use crate::diagnostics::Diagnostics;
use syn::{FnArg, Ident, LitStr, Pat, PatType, Signature, Type};

/// axum's tuples of extractors end here.
const MOST_HEADS: usize = 16;

/// A handler's arguments, each with its meaning.
pub(crate) struct Arguments<'a> {
    pub(crate) handle: Handle<'a>,
    /// Behind the handle, in the order of the signature.
    pub(crate) rest: Vec<Argument<'a>>,
}

/// The first argument.
pub(crate) struct Handle<'a> {
    /// Absent if the pattern is not a plain name.
    pub(crate) name: Option<&'a Ident>,
    pub(crate) ty: &'a Type,
}

/// Any argument but the first.
pub(crate) enum Argument<'a> {
    /// Takes the value of a path parameter.
    Parameter { name: String, ty: &'a Type },
    /// An extractor that reads the request's head.
    Head(&'a Type),
    /// The last extractor, which may read the body.
    Last(&'a Type),
}

impl<'a> Arguments<'a> {
    /// The type of the argument that takes what clients post into the stream.
    pub(crate) fn replies(&self) -> Option<&'a Type> {
        self.rest.iter().find_map(|argument| match argument {
            Argument::Head(ty) | Argument::Last(ty) => Some(*ty).filter(|ty| types::is_replies(ty)),
            Argument::Parameter { .. } => None,
        })
    }
}

/// Gives each argument its meaning, or reports why it has none.
///
/// `path` is `None` if it has mistakes of its own: then nothing is said about parameters.
pub(crate) fn validate<'a>(
    signature: &'a Signature,
    literal: Option<&LitStr>,
    path: Option<&Path>,
    options: Option<&Options>,
    found: &mut Diagnostics,
) -> Option<Arguments<'a>> {
    let inputs: Vec<&PatType> = signature
        .inputs
        .iter()
        .filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument),
            FnArg::Receiver(_) => None,
        })
        .collect();
    if inputs.len() < signature.inputs.len() {
        // `self` has been reported, and what is meant behind it is anybody's guess.
        return None;
    }
    conditional(&inputs, found);
    for second in inputs.iter().filter(|input| types::is_replies(&input.ty)).skip(1) {
        found.over(second, "a stream has one inbox; take `Replies` once");
    }
    let (handle, rest) = split_off_handle(signature, &inputs, path, found);
    let mut binding = Binding::new(&rest, path);
    if path.is_some() {
        binding.report_unbound(literal, options, found);
    }
    report_bodies(&binding.extractors, options, path.is_some(), found);
    let extractors = binding.extractors.len();
    let mut nth = 0;
    let rest = rest
        .iter()
        .map(|argument| match binding::parameter_of(argument, path) {
            Some(name) => Argument::Parameter { name: name.to_owned(), ty: &argument.ty },
            None => {
                nth += 1;
                if nth == extractors { Argument::Last(&argument.ty) } else { Argument::Head(&argument.ty) }
            }
        })
        .collect();
    Some(Arguments { handle: handle?, rest })
}

/// `#[cfg]` on an argument would change the handler's arity behind our back.
fn conditional(inputs: &[&PatType], found: &mut Diagnostics) {
    for attribute in inputs.iter().flat_map(|input| &input.attrs) {
        if attribute.path().is_ident("cfg") {
            found.over(
                attribute,
                "an argument of a route cannot be conditional; put `#[cfg]` on two whole handlers",
            );
        }
    }
}

/// Finds the handle, in its place or, with a message, in another.
fn split_off_handle<'a>(
    signature: &Signature,
    inputs: &[&'a PatType],
    path: Option<&Path>,
    found: &mut Diagnostics,
) -> (Option<Handle<'a>>, Vec<&'a PatType>) {
    let name = &signature.ident;
    let Some((first, behind)) = inputs.split_first() else {
        found.at(
            signature.paren_token.span.join(),
            format!("a handler needs its handle to send with: `async fn {name}(sse: Sse)`"),
        );
        return (None, Vec::new());
    };
    let handles: Vec<&&PatType> = behind.iter().filter(|input| types::is_handle(&input.ty)).collect();
    if types::is_handle(&first.ty) || (handles.is_empty() && !plainly_not_handle(first, path)) {
        for second in handles {
            found.over(second, "a handler has one handle, its first argument; `clone()` it for a second");
        }
        let others = behind.iter().copied().filter(|input| !types::is_handle(&input.ty)).collect();
        return (Some(Handle { name: binding::plain_name(first), ty: &first.ty }), others);
    }
    match handles.first() {
        Some(late) => found.over(late, "the handle is the first argument; move it in front of the others"),
        None => found.over(
            first,
            format!(
                "the first argument must be the handle, which sends the events; put it in front: `async fn \
                 {name}(sse: Sse, ..)`"
            ),
        ),
    }
    (None, inputs.iter().copied().filter(|input| !types::is_handle(&input.ty)).collect())
}

/// An alias may hide a handle, so only what cannot be one is refused by its looks.
fn plainly_not_handle(argument: &PatType, path: Option<&Path>) -> bool {
    !matches!(binding::pattern(argument), Pat::Ident(_) | Pat::Wild(_))
        || types::is_plain(&argument.ty)
        || types::is_extractor(&argument.ty)
        || matches!(&*argument.ty, Type::Reference(_) | Type::ImplTrait(_))
        || binding::parameter_of(argument, path).is_some()
}

fn report_bodies(
    extractors: &[&PatType],
    options: Option<&Options>,
    path_known: bool,
    found: &mut Diagnostics,
) {
    let only_get = options.is_some_and(Options::only_get);
    for (position, argument) in extractors.iter().enumerate() {
        let Some(name) = types::body_extractor(&argument.ty) else { continue };
        if name == "String" && !path_known {
            // It may have been meant for a parameter of the path that was refused.
            continue;
        }
        if only_get && types::needs_body(&argument.ty) {
            found.over(
                &argument.ty,
                format!("`{name}` reads a body, and a GET request has none; add `methods = [\"POST\"]` to the route"),
            );
        } else if position + 1 < extractors.len() {
            found.over(
                &argument.ty,
                format!(
                    "`{name}` reads the body, which can be read once, at the end; make it the last argument"
                ),
            );
        }
    }
    if let Some(surplus) = extractors.get(MOST_HEADS + 1) {
        found.over(
            surplus,
            format!("a handler can have {} extractors; join some into one of your own", MOST_HEADS + 1),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The meaning of each argument, or the mistakes.
    fn bind(path: &str, options: &str, arguments: &str) -> Result<Vec<String>, Vec<String>> {
        let mut found = Diagnostics::new();
        let attribute = super::super::attribute::Attribute::parse(
            format!("{path:?}, {options}").parse().unwrap(),
            &mut found,
        );
        let options = Options::validate(&attribute, &mut found);
        let signature: Signature = syn::parse_str(&format!("async fn f({arguments})")).unwrap();
        let literal = attribute.path.as_ref();
        let path = Path::parse(path).ok();
        let arguments = validate(&signature, literal, path.as_ref(), Some(&options), &mut found);
        if !found.is_empty() {
            return Err(found.messages());
        }
        Ok(arguments
            .unwrap()
            .rest
            .iter()
            .map(|argument| match argument {
                Argument::Parameter { name, .. } => format!("parameter {name}"),
                Argument::Head(ty) => format!("head {}", types::name(ty).unwrap_or_default()),
                Argument::Last(ty) => format!("last {}", types::name(ty).unwrap_or_default()),
            })
            .collect())
    }

    fn mistake(path: &str, options: &str, arguments: &str) -> String {
        let mistakes = bind(path, options, arguments).expect_err(arguments);
        assert_eq!(mistakes.len(), 1, "{path} {arguments}: {mistakes:?}");
        mistakes.into_iter().next().unwrap()
    }

    #[test]
    fn arguments_bind_by_name_and_the_rest_are_extractors() {
        let arguments = "sse: Sse, State(jobs): State<Jobs>, id: u64, user: AuthUser, Query(q): Query<Page>";
        assert_eq!(
            bind("/jobs/{id}", "", arguments).unwrap(),
            ["head State", "parameter id", "head AuthUser", "last Query"]
        );
    }

    #[test]
    fn a_raw_name_binds_a_keyword_and_an_underscore_an_unused_parameter() {
        assert_eq!(bind("/{match}", "", "sse: Sse, r#match: String").unwrap(), ["parameter match"]);
        assert_eq!(bind("/{id}", "", "sse: Sse, _id: String").unwrap(), ["parameter id"]);
        assert_eq!(bind("/{id}", "", "sse: Sse, mut id: String").unwrap(), ["parameter id"]);
    }

    #[test]
    fn the_last_extractor_may_stand_before_a_parameter() {
        let arguments = "sse: Sse, Json(order): Json<Order>, id: u64";
        assert_eq!(bind("/{id}", "methods = [\"POST\"]", arguments).unwrap(), ["last Json", "parameter id"]);
    }

    #[test]
    fn an_alias_of_the_handle_is_left_to_the_compiler() {
        assert_eq!(bind("/", "", "_: Events").unwrap(), [""; 0]);
        assert_eq!(bind("/", "", "events: my::Events<u8>").unwrap(), [""; 0]);
    }

    #[test]
    fn a_missing_or_misplaced_handle_is_one_mistake() {
        assert!(mistake("/{id}", "", "id: u64").contains("put it in front"));
        assert!(mistake("/", "", "State(s): State<u8>").contains("put it in front"));
        assert!(mistake("/{id}", "", "id: u64, sse: Sse").contains("move it in front"));
        assert!(mistake("/", "", "jobs: Jobs, sse: Sse<E>").contains("move it in front"));
        assert!(mistake("/", "", "a: Sse, b: Sse").contains("one handle"));
        let signature: Signature = syn::parse_str("async fn f()").unwrap();
        let mut found = Diagnostics::new();
        assert!(validate(&signature, None, None, None, &mut found).is_none());
        assert!(found.messages()[0].contains("async fn f(sse: Sse)"));
    }

    #[test]
    fn a_parameter_without_an_argument_is_refused_unless_an_extractor_reads_the_path() {
        assert!(mistake("/{id}", "", "sse: Sse").contains("`id: String`"));
        assert!(mistake("/{match}", "", "sse: Sse").contains("`r#match: String`"));
        assert_eq!(bind("/{a}/{b}", "", "sse: Sse").unwrap_err().len(), 2);
        assert!(bind("/{a}/{b}", "", "sse: Sse, Path(all): Path<(u8, u8)>").is_ok());
        assert!(bind("/{a}", "", "sse: Sse, request: Request").is_ok());
    }

    #[test]
    fn an_argument_without_a_parameter_is_refused_if_it_is_plain() {
        assert!(mistake("/", "", "sse: Sse, id: u64").contains("add `{id}` to the path"));
        assert!(mistake("/", "", "sse: Sse, name: String").contains("add `{name}` to the path"));
        assert!(mistake("/", "", "sse: Sse, page: Option<u32>").contains("Query"));
        assert!(bind("/", "", "sse: Sse, user: AuthUser").is_ok());
        assert!(bind("/", "methods = [\"POST\"]", "sse: Sse, text: String").is_ok());
        let not_last = mistake("/", "methods = [\"POST\"]", "sse: Sse, text: String, user: AuthUser");
        assert!(not_last.contains("move it to the end"), "{not_last}");
    }

    #[test]
    fn a_misspelt_name_is_one_mistake_for_the_pair() {
        assert!(mistake("/{symbol}", "", "sse: Sse, simbol: String").contains("did you mean `symbol`?"));
        assert!(mistake("/{job_id}", "", "sse: Sse, jobid: JobId").contains("did you mean `job_id`?"));
        assert!(mistake("/{id}", "", "sse: Sse, job: u64").contains("no argument for `{id}`"));
        assert!(
            mistake("/{symbol}", "methods = [\"POST\"]", "sse: Sse, simbol: String")
                .contains("mean `symbol`")
        );
    }

    #[test]
    fn a_body_is_read_last_and_not_on_get() {
        let post = "methods = [\"POST\"]";
        assert!(mistake("/", "", "sse: Sse, Json(a): Json<A>").contains("methods = [\"POST\"]"));
        assert!(
            mistake("/", "", "sse: Sse, Json(a): Json<A>, State(b): State<B>")
                .contains("methods = [\"POST\"]")
        );
        assert!(
            mistake("/", post, "sse: Sse, Json(a): Json<A>, State(b): State<B>").contains("make it the last")
        );
        assert!(
            mistake("/", "", "sse: Sse, Form(a): Form<A>, State(b): State<B>").contains("make it the last")
        );
        assert!(bind("/", "", "sse: Sse, Form(a): Form<A>").is_ok());
        assert!(bind("/", "", "sse: Sse, request: Request").is_ok());
        assert!(bind("/", "methods = [\"GET\", \"POST\"]", "sse: Sse, Json(a): Json<A>").is_ok());
    }

    #[test]
    fn an_argument_cannot_be_conditional() {
        assert!(mistake("/", "", "sse: Sse, #[cfg(unix)] user: AuthUser").contains("two whole handlers"));
    }
}
