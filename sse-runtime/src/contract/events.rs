//! The schema of a stream's items: one member for each event, with its name and the schema of its data.
//!
//! OpenAPI 3.2 describes an item of `text/event-stream` by its fields (`event`, `data`, `id`, `retry`), and JSON inside of
//! `data` by `contentSchema`.

use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, OneOfBuilder, Schema};

use super::components::{Components, Description};
use super::item::{Item, any_value, data_of, text};
use crate::stream::FAILURE;
use crate::wire::{EventShape, SseEvent};

/// What is said of a route's events.
pub(super) struct Events {
    /// The schemas of the events, for the schema of an item.
    pub(super) items: Vec<RefOr<Schema>>,
    /// The schema of what stands in `data`: a union, if there are several events. None if it is any text.
    pub(super) payload: Option<RefOr<Schema>>,
    /// The names of the events, if they are known.
    pub(super) names: Vec<&'static str>,
}

impl Events {
    /// Of a type that describes itself.
    pub(super) fn described<E: SseEvent + ToSchema>(components: &mut Components) -> Self {
        let shapes = E::shapes();
        let Description { schema, reference: payload } = components.describe::<E>();
        let items = match variants(schema) {
            _ if shapes.is_empty() => vec![Item::unnamed().build(data_of(payload.clone()))],
            Some(variants) if variants.len() == shapes.len() => {
                shapes.iter().zip(variants).map(|(shape, data)| item(shape, data)).collect()
            }
            // The type describes itself in another way than variant by variant: each event may be any of it.
            _ => shapes.iter().map(|shape| item(shape, payload.clone())).collect(),
        };
        Self { items, payload: Some(payload), names: names(shapes) }
    }

    /// Of a type of which the names are known, or nothing.
    pub(super) fn named<E: SseEvent>() -> Self {
        let shapes = E::shapes();
        if shapes.is_empty() {
            return Self { items: vec![Item::unnamed().build(text())], payload: None, names: Vec::new() };
        }
        let items = shapes.iter().map(|shape| item(shape, any_value())).collect();
        Self { items, payload: Some(any_value()), names: names(shapes) }
    }

    /// The schema of an item, with what the runtime says beside the route's own events.
    pub(super) fn item_schema(self, others: impl IntoIterator<Item = RefOr<Schema>>) -> RefOr<Schema> {
        let mut items: Vec<_> = self.items.into_iter().chain(others).collect();
        // What has no name of its own, or one of the runtime's, may be both, to whoever does not look into the data.
        let is_ambiguous = self.names.is_empty() || self.names.contains(&FAILURE);
        match (items.len(), items.pop()) {
            (1, Some(only)) => only,
            (_, last) if is_ambiguous => RefOr::T(Schema::AnyOf(
                items.into_iter().chain(last).fold(AnyOfBuilder::new(), AnyOfBuilder::item).build(),
            )),
            (_, last) => RefOr::T(Schema::OneOf(
                items.into_iter().chain(last).fold(OneOfBuilder::new(), OneOfBuilder::item).build(),
            )),
        }
    }
}

fn names(shapes: &[EventShape]) -> Vec<&'static str> {
    shapes.iter().map(|shape| shape.name).collect()
}

/// The variants of an enum that describes itself as one of several.
fn variants(schema: RefOr<Schema>) -> Option<Vec<RefOr<Schema>>> {
    match schema {
        RefOr::T(Schema::OneOf(one_of)) => Some(one_of.items),
        _ => None,
    }
}

fn item(shape: &EventShape, data: RefOr<Schema>) -> RefOr<Schema> {
    let mut item = Item::new(shape.name);
    if let RefOr::T(schema) = &data {
        item = description(schema).into_iter().fold(item, Item::description);
    }
    if shape.has_id {
        item = item.with_id();
    }
    if shape.is_terminal {
        // No word of its id: it is the topic's, if the event comes from one.
        item = item.terminal();
    }
    item.build(data_of(data))
}

fn description(schema: &Schema) -> Option<String> {
    match schema {
        Schema::Object(object) => object.description.clone(),
        Schema::Array(array) => array.description.clone(),
        Schema::AllOf(all) => all.description.clone(),
        Schema::AnyOf(any) => any.description.clone(),
        Schema::OneOf(one) => one.description.clone(),
        _ => None,
    }
}
