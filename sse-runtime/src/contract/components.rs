//! Schemas under names, which others refer to.
//!
//! The name of a type is its last part alone, and two modules may well have a `JobEvent` each. A document has one place for
//! all of them: so whoever comes to a name that means something else already is renamed, and so is what refers to it.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::ToSchema;
use utoipa::openapi::schema::{Ref, Schema, SchemaType, Type};
use utoipa::openapi::{OpenApi, RefOr};

use super::references;

/// The schemas of a document, by name.
#[derive(Default)]
#[allow(missing_debug_implementations)]
pub struct Components {
    schemas: BTreeMap<String, RefOr<Schema>>,
}

/// How a type is described.
pub(super) struct Description {
    pub(super) schema: RefOr<Schema>,
    /// Where the schema is needed once more: a reference, if it is a component, else itself.
    pub(super) reference: RefOr<Schema>,
}

impl Components {
    /// Takes them out of a document, to which they are to be given back.
    pub(super) fn take_from(openapi: &mut OpenApi) -> Self {
        let components = openapi.components.as_mut();
        Self { schemas: components.map(|known| std::mem::take(&mut known.schemas)).unwrap_or_default() }
    }

    pub(super) fn give_to(self, openapi: &mut OpenApi) {
        if !self.schemas.is_empty() {
            openapi.components.get_or_insert_default().schemas = self.schemas;
        }
    }

    /// The schema of a type: a reference if it is an object of its own, else itself.
    pub(super) fn of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        self.describe::<T>().reference
    }

    /// Adds the schema of a type, whatever it is, under the type's name.
    pub(super) fn name<T: ToSchema>(&mut self) {
        let mut inner = Vec::new();
        T::schemas(&mut inner);
        self.add(T::schema(), Some(T::name().into_owned()), inner);
    }

    /// The schema of a type, and how to refer to it.
    pub(super) fn describe<T: ToSchema>(&mut self) -> Description {
        let schema = T::schema();
        // The name of a generic type leaves out its parameters, so it may be another type's too.
        let is_generic = std::any::type_name::<T>().contains('<');
        let name = (!is_generic && is_worth_a_name(&schema)).then(|| T::name().into_owned());
        let mut inner = Vec::new();
        T::schemas(&mut inner);
        self.add(schema, name, inner)
    }

    /// Adds a schema, under `name` if it has one, and those that it refers to.
    pub(super) fn add(
        &mut self,
        mut schema: RefOr<Schema>,
        name: Option<String>,
        inner: impl IntoIterator<Item = (String, RefOr<Schema>)>,
    ) -> Description {
        let mut schemas = BTreeMap::new();
        let own = name.iter().map(|name| (name.clone(), schema.clone()));
        for (name, schema) in own.chain(inner) {
            schemas.entry(name).or_insert(schema);
        }
        let names = self.names_for(&schemas);
        for (name, schema) in schemas {
            self.schemas.insert(names.of(&name), names.applied_to(schema));
        }
        schema = names.applied_to(schema);
        let reference = match name {
            Some(name) => Ref::from_schema_name(names.of(&name)).into(),
            None => schema.clone(),
        };
        Description { schema, reference }
    }

    /// Under which names these schemas mean here what they mean.
    fn names_for(&self, schemas: &BTreeMap<String, RefOr<Schema>>) -> Names {
        let mut number = 2;
        loop {
            let mut names = Names { renamed: BTreeSet::new(), number };
            // What refers to a renamed schema is itself another.
            while let Some((name, _)) = schemas.iter().find(|(name, schema)| {
                !names.renamed.contains(*name) && self.is_another(name, &names.applied_to((*schema).clone()))
            }) {
                names.renamed.insert(name.clone());
            }
            let fits = names.renamed.iter().all(|name| {
                let (renamed, schema) = (names.of(name), names.applied_to(schemas[name].clone()));
                !schemas.contains_key(&renamed) && !self.is_another(&renamed, &schema)
            });
            if fits {
                return names;
            }
            number += 1;
        }
    }

    fn is_another(&self, name: &str, schema: &RefOr<Schema>) -> bool {
        self.schemas.get(name).is_some_and(|known| known != schema)
    }
}

/// The names that schemas have which cannot have their own.
struct Names {
    renamed: BTreeSet<String>,
    number: u32,
}

impl Names {
    fn of(&self, name: &str) -> String {
        if self.renamed.contains(name) { format!("{name}{}", self.number) } else { name.to_owned() }
    }

    fn applied_to(&self, mut schema: RefOr<Schema>) -> RefOr<Schema> {
        references::rename(&mut schema, &|name| self.renamed.contains(name).then(|| self.of(name)));
        schema
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
