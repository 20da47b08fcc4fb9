//! What the attribute knows of one route, and what its types say, put together.

use std::collections::BTreeMap;

use utoipa::openapi::path::{HttpMethod, Operation as Described, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::{Schema, Type};
use utoipa::openapi::{ContentBuilder, Deprecated, RefOr, Required};

use super::components::Components;
use super::events::Events;
use super::item::text;
use super::{runtime_events, visits};
use crate::stream::{END, Meta};

/// One route, described; see [`Api`](super::Api).
#[allow(missing_debug_implementations)]
pub struct Operation {
    meta: &'static Meta,
    name: &'static str,
    methods: &'static [&'static str],
    described: Described,
    components: Components,
    events: Option<Events>,
    undescribed: Vec<String>,
    is_run: bool,
    /// What clients answer, as far as that is known.
    replies: Option<Option<RefOr<Schema>>>,
}

/// A route's documents differ in what they say of the stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As OpenAPI 3.2 has it: the schema of each item.
    Items,
    /// As programs know it that read OpenAPI 3.1 and generate clients: the union of what stands in `data`.
    Payloads,
}

impl Operation {
    #[allow(missing_docs)]
    #[must_use]
    pub fn new(
        known: Components,
        meta: &'static Meta,
        name: &'static str,
        methods: &'static [&'static str],
        docs: &[&str],
        deprecated: bool,
    ) -> Self {
        let mut described = Described::new();
        (described.summary, described.description) = read_docs(docs);
        described.deprecated = deprecated.then_some(Deprecated::True);
        Self {
            meta,
            name,
            methods,
            described,
            components: known,
            events: None,
            undescribed: Vec::new(),
            is_run: false,
            replies: None,
        }
    }

    #[allow(missing_docs)]
    pub fn set_run(&mut self, _: &'static crate::runs::RunMeta) {
        self.is_run = true;
    }

    pub(super) fn set_replies(&mut self, schema: Option<RefOr<Schema>>) {
        self.replies = Some(schema);
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The handler's whole path: `my_app::jobs::events`.
    pub(super) fn full_name(&self) -> &'static str {
        self.meta.name
    }

    pub(super) fn components(&mut self) -> &mut Components {
        &mut self.components
    }

    /// Notes a type that says nothing of itself: what it is to the route, and what would help.
    pub(super) fn note_undescribed<T>(&mut self, what: &str, derive: &str) {
        let ty = short(std::any::type_name::<T>());
        self.undescribed.push(format!("{}: the {what} `{ty}` has no `{derive}` of utoipa 6", self.name));
    }

    /// An extractor of axum's whose content says nothing of itself; of others nothing is expected.
    pub(super) fn note_argument<T>(&mut self) {
        let name = std::any::type_name::<T>();
        if name.contains("axum::extract::query::Query<") {
            self.response_unless_known("400", UNREADABLE);
            self.note_undescribed::<T>("query", "IntoParams");
        } else if name.contains("::Replies<") {
            self.set_replies(None);
            self.note_undescribed::<T>("argument", "ToSchema");
        } else if name.contains("axum::json::Json<") || name.contains("axum::form::Form<") {
            self.note_undescribed::<T>("body", "ToSchema");
        }
    }

    pub(super) fn undescribed(&self) -> &[String] {
        &self.undescribed
    }

    pub(super) fn describe(&mut self, describe: fn(&mut Described)) {
        describe(&mut self.described);
    }

    pub(super) fn path_parameter(&mut self, name: &'static str, schema: RefOr<Schema>) {
        let is_text =
            matches!(&schema, RefOr::T(Schema::Object(object)) if object.schema_type == Type::String.into());
        self.parameter(in_path(name, schema));
        if !is_text {
            self.response_unless_known("400", UNREADABLE);
        }
    }

    pub(super) fn parameters(&mut self, parameters: Vec<Parameter>, place: &ParameterIn) {
        for parameter in parameters {
            self.parameter(parameter);
        }
        if *place == ParameterIn::Query {
            self.response_unless_known("400", UNREADABLE);
        }
    }

    fn parameter(&mut self, parameter: Parameter) {
        let parameters = self.described.parameters.get_or_insert_default();
        let known = parameters.iter_mut().find(|known| match known {
            RefOr::T(known) => known.name == parameter.name && known.parameter_in == parameter.parameter_in,
            RefOr::Ref(_) => false,
        });
        match known {
            Some(known) => *known = RefOr::T(parameter),
            None => parameters.push(RefOr::T(parameter)),
        }
    }

    pub(super) fn body(&mut self, media_type: &str, schema: RefOr<Schema>, required: Required) {
        if self.methods == ["GET"] {
            // A `Form` reads the query there.
            return;
        }
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let body = RequestBodyBuilder::new().content(media_type, content).required(Some(required)).build();
        self.described.request_body = Some(RefOr::T(body));
        if media_type == "application/json" {
            self.response_unless_known("400", UNREADABLE);
            self.response_unless_known("415", "The body is not declared as JSON.");
            self.response_unless_known("422", "The body is JSON of another form.");
        }
    }

    pub(super) fn responses(&mut self, responses: BTreeMap<String, RefOr<Response>>) {
        self.described.responses.responses.extend(responses);
    }

    fn response_unless_known(&mut self, status: &str, description: &str) {
        let responses = &mut self.described.responses.responses;
        responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(Response::new(description)));
    }

    pub(super) fn set_events(&mut self, events: Events) {
        self.events = Some(events);
    }

    /// The path in OpenAPI's syntax: `{*rest}` is `{rest}` there.
    pub(super) fn path(&self) -> String {
        self.meta.path.replace("{*", "{")
    }

    /// The operations' ids, if the handler's is `id`: one for each of the route's methods.
    pub(super) fn ids<'a>(&self, id: &'a str) -> impl Iterator<Item = String> + use<'a> {
        let (methods, several) = (self.methods, self.methods.len() > 1);
        let others = visits::OF_RUNS.into_iter().filter(|_| self.is_run);
        let others = others.chain(self.replies.is_some().then_some(visits::OF_REPLIES)).collect::<Vec<_>>();
        let own = methods.iter().map(move |name| {
            if several { format!("{id}_{}", name.to_ascii_lowercase()) } else { id.to_owned() }
        });
        own.chain(others.into_iter().map(move |other| format!("{id}_{other}")))
    }

    /// The operation for each of the route's methods, and the schemas of the document with those that they refer to.
    pub(super) fn finish(mut self, form: Form, id: &str) -> (Vec<(HttpMethod, Described)>, Components) {
        self.path_parameters_without_argument();
        self.answers(form);
        let ids = self.ids(id);
        let methods = self.methods.iter().zip(ids).map(|(name, id)| {
            let method = match *name {
                "POST" => HttpMethod::Post,
                "PUT" => HttpMethod::Put,
                "PATCH" => HttpMethod::Patch,
                _ => HttpMethod::Get,
            };
            let mut described = self.described.clone();
            described.operation_id = Some(id);
            if *name == "GET" {
                described.request_body = None;
            }
            (method, described)
        });
        let mut operations = methods.collect();
        if self.is_run {
            visits::add_runs(&mut operations, id);
        }
        if let Some(schema) = self.replies.take() {
            visits::add_replies(&mut operations, id, schema);
        }
        (operations, self.components)
    }

    /// An extractor that reads the whole path may say nothing of it, and yet a document names every parameter.
    fn path_parameters_without_argument(&mut self) {
        let path = self.path();
        for name in names_in(&path) {
            let parameters = self.described.parameters.get_or_insert_default();
            let is_known = parameters.iter().any(|parameter| match parameter {
                RefOr::T(known) => known.name == name && known.parameter_in == ParameterIn::Path,
                RefOr::Ref(_) => false,
            });
            if !is_known {
                parameters.push(RefOr::T(in_path(name, text().into())));
            }
        }
    }

    /// The stream, and what is answered in its place.
    fn answers(&mut self, form: Form) {
        let Some(events) = self.events.take() else { return };
        let content = match form {
            Form::Items => ContentBuilder::new().item_schema(Some(self.item_schema(events))),
            Form::Payloads => ContentBuilder::new().schema(events.payload),
        };
        self.response_unless_known("200", STREAM);
        // Beside what else it may be: what is given to `respond`.
        if let Some(RefOr::T(answer)) = self.described.responses.responses.get_mut("200") {
            answer.content.entry("text/event-stream".to_owned()).or_insert(content.build().into());
        }
        if self.meta.bare {
            return;
        }
        if form == Form::Items {
            // To a generator it would be a second form of every event.
            self.response_unless_known(
                "204",
                "The client has seen the end of the stream: nothing more will come.",
            );
        }
        self.response_unless_known("406", "The `Accept` header refuses `text/event-stream`.");
        let resume = ParameterBuilder::new()
            .name(LAST_EVENT_ID)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "The id of the last event that the client has seen. An EventSource sends it when it reconnects.",
            ))
            .schema(Some(text()));
        self.parameter(resume.build());
    }

    /// The schema of the stream's items: the route's events, and those of the runtime.
    fn item_schema(&mut self, events: Events) -> RefOr<Schema> {
        let mut others = Vec::new();
        // Events that may be anything may be these, too.
        if !self.meta.bare && events.payload.is_some() {
            // Of `finish`, if not of the handler's return.
            let end = self.meta.end.unwrap_or(END);
            if !events.names.contains(&end) {
                others.push(runtime_events::end(end));
            }
            if self.is_run {
                others.push(runtime_events::lost());
            }
            if self.replies.is_some() {
                others.push(runtime_events::replies());
            }
            others.push(runtime_events::reference(&mut self.components));
        }
        events.item_schema(others)
    }
}

/// The names of the parameters in a path.
pub(super) fn names_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|part| part.split('}').next())
}

/// A parameter of the path.
pub(super) fn in_path(name: &str, schema: RefOr<Schema>) -> Parameter {
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
    parameter.required(Required::True).schema(Some(schema)).build()
}

pub(super) const STREAM: &str = "The stream of events.";
pub(super) const LAST_EVENT_ID: &str = "Last-Event-ID";
/// What a 400 says: one of them, and the response's text which.
const UNREADABLE: &str = "The path, the query or the body cannot be parsed.";

/// A type's name without the paths of modules in it.
fn short(name: &str) -> String {
    let mut short = String::new();
    for part in name
        .split_inclusive(|character: char| !character.is_alphanumeric() && !matches!(character, '_' | ':'))
    {
        short.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    short
}

/// The first paragraph of the doc comments is the summary, what follows the description.
fn read_docs(docs: &[&str]) -> (Option<String>, Option<String>) {
    let lines: Vec<&str> =
        docs.iter().flat_map(|doc| doc.lines().chain(doc.is_empty().then_some(""))).collect();
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or_default();
    let text: Vec<&str> =
        lines.iter().map(|line| line.get(indent..).unwrap_or_default().trim_end()).collect();
    let text = text.join("\n");
    let (summary, description) = text.trim().split_once("\n\n").unwrap_or((text.trim(), ""));
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let summary = summary.split_whitespace().collect::<Vec<_>>().join(" ");
    (filled(summary.trim_end_matches('.')), filled(description.trim()))
}

#[cfg(test)]
mod tests {
    use super::{read_docs, short};

    #[test]
    fn types_are_called_by_their_last_names() {
        let name = "core::result::Result<axum::json::Json<my_app::orders::Order>, alloc::vec::Vec<u8>>";
        assert_eq!(short(name), "Result<Json<Order>, Vec<u8>>");
    }

    #[test]
    fn the_first_paragraph_is_the_summary() {
        let (summary, description) = read_docs(&[
            " Streams a job's",
            " progress.",
            "",
            " Until it is done:",
            "",
            "  - one",
            "    two",
        ]);
        assert_eq!(summary.as_deref(), Some("Streams a job's progress"));
        assert_eq!(description.as_deref(), Some("Until it is done:\n\n - one\n   two"));
        assert_eq!(read_docs(&[]), (None, None));
        assert_eq!(read_docs(&["", " "]), (None, None));
        assert_eq!(read_docs(&["from\na file\n\nrest\n"]).1.as_deref(), Some("rest"));
    }
}
