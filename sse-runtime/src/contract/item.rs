//! One event as an object of its fields.

use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::schema::{Object, ObjectBuilder, Schema, SchemaType, Type};

/// An event, until its data is known.
#[derive(Default)]
pub(super) struct Item<'a> {
    name: Option<&'a str>,
    description: Option<String>,
    id: Option<Object>,
    retry: bool,
    terminal: bool,
}

impl<'a> Item<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        Self { name: Some(name), ..Self::default() }
    }

    /// An event whose name is not known, if it has one.
    pub(super) fn unnamed() -> Self {
        Self::default()
    }

    pub(super) fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Every such event has an id.
    pub(super) fn with_id(mut self) -> Self {
        self.id = Some(text());
        self
    }

    /// Every such event has this very id.
    pub(super) fn with_the_id(mut self, id: &str) -> Self {
        self.id = Some(constant(id));
        self
    }

    /// Every such event has a reconnection time.
    pub(super) fn with_retry(mut self) -> Self {
        self.retry = true;
        self
    }

    /// The stream ends with this event.
    pub(super) fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    pub(super) fn build(self, data: Object) -> RefOr<Schema> {
        let mut item = ObjectBuilder::new().schema_type(Type::Object);
        item = match self.name {
            Some(name) => item.title(Some(name)).property("event", constant(name)).required("event"),
            None => item.property("event", text()),
        };
        item = item.property("data", data).required("data");
        item = match self.id {
            Some(id) => item.property("id", id).required("id"),
            None => item.property("id", text()),
        };
        if self.retry {
            item = item.property("retry", retry()).required("retry");
        }
        let mut description = self.description.unwrap_or_default();
        if self.terminal {
            description.push_str(if description.is_empty() { "" } else { "\n\n" });
            description
                .push_str("After this event there is nothing more to come: a client can close the stream.");
            item = item.extensions(Some(ExtensionsBuilder::new().add("x-sse-terminal", json!(true)).build()));
        }
        if !description.is_empty() {
            item = item.description(Some(description));
        }
        RefOr::T(Schema::Object(item.build()))
    }
}

/// `data` that holds JSON.
pub(super) fn data_of(schema: impl Into<RefOr<Schema>>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .content_media_type("application/json")
        .content_schema(Some(schema))
        .build()
}

/// Any value.
pub(super) fn any_value() -> RefOr<Schema> {
    RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(SchemaType::AnyValue).build()))
}

/// Any text.
pub(super) fn text() -> Object {
    ObjectBuilder::new().schema_type(Type::String).build()
}

fn constant(value: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some([json!(value)])).build()
}

fn retry() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .description(Some("How long the client waits before it reconnects, from now on, in milliseconds."))
        .build()
}
