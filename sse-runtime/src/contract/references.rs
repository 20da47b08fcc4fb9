//! The references in a schema, wherever they stand.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Discriminator, Schema};

const COMPONENTS: &str = "#/components/schemas/";

/// Has each reference to a component refer to what `name` makes of its name.
pub(super) fn rename(schema: &mut RefOr<Schema>, name: &dyn Fn(&str) -> Option<String>) {
    match schema {
        RefOr::Ref(reference) => rename_location(&mut reference.ref_location, name),
        RefOr::T(schema) => rename_within(schema, name),
    }
}

fn rename_within(schema: &mut Schema, name: &dyn Fn(&str) -> Option<String>) {
    match schema {
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                rename(items, name);
            }
            array.prefix_items.iter_mut().for_each(|item| rename_within(item, name));
            array.content_schema.iter_mut().for_each(|content| rename(content, name));
        }
        Schema::Object(object) => {
            object.properties.values_mut().for_each(|property| rename(property, name));
            if let Some(AdditionalProperties::RefOr(others)) = object.additional_properties.as_deref_mut() {
                rename(others, name);
            }
            object.property_names.iter_mut().for_each(|names| rename_within(names, name));
            object.content_schema.iter_mut().for_each(|content| rename(content, name));
        }
        Schema::OneOf(one) => rename_members(&mut one.items, one.discriminator.as_mut(), name),
        Schema::AllOf(all) => rename_members(&mut all.items, all.discriminator.as_mut(), name),
        Schema::AnyOf(any) => rename_members(&mut any.items, any.discriminator.as_mut(), name),
        _ => {}
    }
}

fn rename_members(
    members: &mut [RefOr<Schema>],
    discriminator: Option<&mut Discriminator>,
    name: &dyn Fn(&str) -> Option<String>,
) {
    members.iter_mut().for_each(|member| rename(member, name));
    let locations = discriminator.into_iter().flat_map(|discriminator| discriminator.mapping.values_mut());
    locations.for_each(|location| rename_location(location, name));
}

fn rename_location(location: &mut String, name: &dyn Fn(&str) -> Option<String>) {
    if let Some(renamed) = location.strip_prefix(COMPONENTS).and_then(name) {
        *location = format!("{COMPONENTS}{renamed}");
    }
}
