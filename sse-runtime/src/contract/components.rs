//! Schemas under names, which others refer to.

use std::collections::BTreeMap;

use utoipa::ToSchema;
use utoipa::openapi::schema::{Ref, Schema, SchemaType, Type};
use utoipa::openapi::{ComponentsBuilder, OpenApi, RefOr};

/// The schemas that one operation refers to.
#[derive(Default)]
pub(super) struct Components {
    schemas: BTreeMap<String, RefOr<Schema>>,
}

impl Components {
    /// The schema of a type: a reference if it is an object of its own, else itself.
    pub(super) fn of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let schema = T::schema();
        self.add_inner::<T>();
        // The name of a generic type leaves out its parameters, so it may be another type's too.
        let is_generic = std::any::type_name::<T>().contains('<');
        if is_generic || !is_worth_a_name(&schema) {
            return schema;
        }
        let name = T::name().into_owned();
        self.add(name.clone(), schema);
        Ref::from_schema_name(name).into()
    }

    /// What the schema of a type refers to.
    pub(super) fn add_inner<T: ToSchema>(&mut self) {
        let mut inner = Vec::new();
        T::schemas(&mut inner);
        for (name, schema) in inner {
            self.add(name, schema);
        }
    }

    pub(super) fn add(&mut self, name: String, schema: impl Into<RefOr<Schema>>) {
        self.schemas.entry(name).or_insert_with(|| schema.into());
    }

    pub(super) fn merge_into(self, openapi: &mut OpenApi) {
        if self.schemas.is_empty() {
            return;
        }
        let components = ComponentsBuilder::new().schemas_from_iter(self.schemas).build();
        let known = openapi.components.get_or_insert_default();
        for (name, schema) in components.schemas {
            known.schemas.entry(name).or_insert(schema);
        }
    }
}

fn is_worth_a_name(schema: &RefOr<Schema>) -> bool {
    match schema {
        RefOr::Ref(_) => false,
        RefOr::T(Schema::Object(object)) => {
            matches!(object.schema_type, SchemaType::Type(Type::Object)) || object.enum_values.is_some()
        }
        RefOr::T(Schema::OneOf(_) | Schema::AllOf(_) | Schema::AnyOf(_)) => true,
        RefOr::T(_) => false,
    }
}
