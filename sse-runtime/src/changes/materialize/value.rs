//! Values, from the text in which the server sends them into JSON.

use serde_json::Value;
use serde_json::value::RawValue;
use tokio_postgres::types::Type;

/// A column, and how its text is to be read.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool,
    Number,
    Json,
    Text,
}

impl Column {
    pub(super) fn new(name: &str, of: &Type) -> Self {
        let kind = match of.name() {
            "bool" => Kind::Bool,
            // The unsigned ones are Materialize's own.
            "int2" | "int4" | "int8" | "uint2" | "uint4" | "uint8" | "float4" | "float8" | "numeric" => {
                Kind::Number
            }
            "json" | "jsonb" => Kind::Json,
            _ => Kind::Text,
        };
        Self { name: name.to_owned(), kind }
    }

    /// The value as JSON. What is no number, as `NaN`, is text.
    pub(super) fn json(&self, text: Option<&str>) -> String {
        let Some(text) = text else { return "null".to_owned() };
        match self.kind {
            Kind::Bool if text == "t" => "true".to_owned(),
            Kind::Bool if text == "f" => "false".to_owned(),
            Kind::Number | Kind::Json if serde_json::from_str::<&RawValue>(text).is_ok() => text.to_owned(),
            _ => Value::from(text).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_what_they_are() {
        let json = |of: &Type, text| Column::new("c", of).json(Some(text));
        assert_eq!(json(&Type::BOOL, "t"), "true");
        assert_eq!(json(&Type::INT8, "-9007199254740993"), "-9007199254740993");
        assert_eq!(json(&Type::NUMERIC, "12345678901234567890.10"), "12345678901234567890.10");
        assert_eq!(json(&Type::FLOAT8, "NaN"), "\"NaN\"");
        assert_eq!(json(&Type::JSONB, r#"{"a": [1]}"#), r#"{"a": [1]}"#);
        assert_eq!(json(&Type::TEXT, "7"), "\"7\"");
        assert_eq!(json(&Type::TIMESTAMPTZ, "2026-11-26 04:00:00+00"), "\"2026-11-26 04:00:00+00\"");
        assert_eq!(Column::new("c", &Type::INT4).json(None), "null");
    }
}
