//! One change of one row, as programs and browsers see it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::wire::{EventError, EventShape, EventWriter, SseEvent};

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Operation {
    /// It is new.
    Insert,
    /// It has other values.
    Update,
    /// It is gone. A row that is given another key goes, and another one comes.
    Delete,
    /// All rows of the table are gone.
    Truncate,
    /// Changes were left out: they had not been read when there was no place for them any more. What is shown has to be
    /// loaded anew.
    Missed,
}

impl Operation {
    /// The word for it, which is the event's name, too.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Truncate => "truncate",
            Self::Missed => "missed",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Insert, Self::Update, Self::Delete, Self::Truncate, Self::Missed];
        all.into_iter().find(|known| known.as_str() == word)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One change of one row. As an event its name is what happened, and its data all of it, as JSON:
///
/// ```text
/// event: update
/// data: {"op":"update","table":"sensors","key":"7","position":1841,"row":{"id":7,"celsius":21.5}}
/// ```
///
/// The rows are the database's JSON, byte for byte, so that no number loses digits. [`typed`](Self::typed) reads them:
///
/// ```
/// use serde::Deserialize;
/// use sse_runtime::changes::{Operation, RowChange};
///
/// #[derive(Deserialize)]
/// struct Sensor {
///     id: u32,
///     celsius: f64,
/// }
///
/// fn look(change: RowChange) -> Result<(), serde_json::Error> {
///     let change: RowChange<Sensor> = change.typed()?;
///     match (change.op, change.row) {
///         (Operation::Insert | Operation::Update, Some(Sensor { id, celsius })) => println!("{id} has {celsius}"),
///         (Operation::Delete, _) => println!("{} is gone", change.key),
///         _ => println!("begin anew"),
///     }
///     Ok(())
/// }
/// # let text = r#"{"op":"update","table":"sensors","key":"7","position":1841,"row":{"id":7,"celsius":21.5}}"#;
/// # look(serde_json::from_str(text)?)?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RowChange<T = Box<RawValue>> {
    /// What happened.
    pub op: Operation,
    /// The table or view, with its schema in front if that is not `public`.
    pub table: String,
    /// The row's primary key: its text, or a JSON list if it has several columns. Empty where no row is meant.
    pub key: String,
    /// Where the change is in the feed. It names the change, and is no order: a lower one may come later. None for rows of
    /// a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The row as it is now; none if it is gone. None as well on the wire, if it is larger than an event may be.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub row: Option<T>,
    /// The row as it was: of a delete, and of an update where [old rows](super::PostgresChanges::old_rows) are wanted.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub old: Option<T>,
}

// In place of `Option::default`, for which serde would ask that `T` has a default.
fn none<T>() -> Option<T> {
    None
}

impl<T> RowChange<T> {
    pub(super) fn new(op: Operation, table: impl Into<String>, key: impl Into<String>) -> Self {
        Self { op, table: table.into(), key: key.into(), position: None, row: None, old: None }
    }

    /// Which row it is, among those of all tables. A truncation is about none.
    pub(super) fn subject(&self) -> String {
        format!("{} {}", self.table, self.key)
    }
}

impl RowChange {
    /// Reads the rows as a type of the program's.
    ///
    /// # Errors
    /// If one of them is something else.
    pub fn typed<T: serde::de::DeserializeOwned>(&self) -> serde_json::Result<RowChange<T>> {
        let read =
            |row: &Option<Box<RawValue>>| row.as_ref().map(|row| serde_json::from_str(row.get())).transpose();
        Ok(RowChange {
            op: self.op,
            table: self.table.clone(),
            key: self.key.clone(),
            position: self.position,
            row: read(&self.row)?,
            old: read(&self.old)?,
        })
    }
}

impl<T: Serialize> SseEvent for RowChange<T> {
    fn write(&self, event: &mut EventWriter<'_>) -> Result<(), EventError> {
        event.name(self.op.as_str())?;
        event.json(self)
    }

    fn shapes() -> &'static [EventShape] {
        const SHAPES: [EventShape; 5] = [
            EventShape::new(Operation::Insert.as_str()),
            EventShape::new(Operation::Update.as_str()),
            EventShape::new(Operation::Delete.as_str()),
            EventShape::new(Operation::Truncate.as_str()),
            EventShape::new(Operation::Missed.as_str()),
        ];
        &SHAPES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_what_happened_and_the_row_byte_for_byte() {
        let mut change: RowChange = RowChange::new(Operation::Update, "t", "7");
        change.row = serde_json::from_str(r#"{"n": 12345678901234567890.123}"#).ok();
        change.position = Some(3);
        let mut out = bytes::BytesMut::new();
        EventWriter::block(&mut out, 1000, |event| change.write(event)).expect("written");
        let expected = r#"event: update
data: {"op":"update","table":"t","key":"7","position":3,"row":{"n": 12345678901234567890.123}}

"#;
        assert_eq!(std::str::from_utf8(&out), Ok(expected));
        let data = expected.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
        let back: RowChange = serde_json::from_str(data).expect("read");
        assert_eq!(
            back.row.map(|row| row.get().to_owned()).as_deref(),
            Some(r#"{"n": 12345678901234567890.123}"#)
        );
    }

    #[test]
    fn every_word_is_known_again() {
        for shape in <RowChange>::shapes() {
            assert_eq!(Operation::from_word(shape.name).map(Operation::as_str), Some(shape.name));
        }
        assert_eq!(Operation::from_word("upsert"), None);
    }

    #[test]
    fn a_row_of_another_type_is_an_error() {
        let mut change: RowChange = RowChange::new(Operation::Insert, "t", "7");
        change.row = serde_json::from_str("[1]").ok();
        assert!(change.typed::<u32>().is_err());
        assert_eq!(change.typed::<Vec<u32>>().expect("a list").row, Some(vec![1]));
    }
}
