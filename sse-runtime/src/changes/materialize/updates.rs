//! From rows that come and go, by time, to rows that change.
//!
//! `SUBSCRIBE` says `+1` for a row that comes and `-1` for one that goes, each with a time. What has the same time belongs
//! together, and a time is complete when a later one is named. Rows of the first time are the state that it begins with: they
//! are handed on as they come, for there may be many.

use std::collections::{HashMap, VecDeque};

use serde_json::value::RawValue;

use super::super::{Operation, RowChange};
use super::value::Column;

/// What a row of `SUBSCRIBE` says beside the values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update {
    pub(super) time: u64,
    /// There are no values: it says only that the time has come.
    pub(super) is_progress: bool,
    pub(super) diff: i64,
}

#[derive(Debug)]
pub(super) struct Updates {
    table: String,
    columns: Vec<Column>,
    /// Which columns are the key.
    key: Vec<usize>,
    state: State,
    /// Up to this time, all has been handed on.
    done: Option<u64>,
}

#[derive(Debug)]
enum State {
    /// Nothing has come; the first time that is named is the beginning's, if the state is to come first.
    Begun { with_state: bool },
    /// The state comes.
    Beginning { time: u64 },
    /// Changes of this time come.
    Open { time: u64, rows: Rows },
}

/// What went and came, by key, in the order in which it came.
#[derive(Debug, Default)]
struct Rows {
    by_key: HashMap<String, usize>,
    changes: Vec<RowChange>,
}

impl Updates {
    /// None, if a column of the key is not there, or the key has none.
    pub(super) fn new(table: &str, columns: Vec<Column>, key: &[&str]) -> Option<Self> {
        let place = |name: &&str| columns.iter().position(|column| column.name == **name);
        let key: Vec<_> = key.iter().map(place).collect::<Option<_>>()?;
        let state = State::Begun { with_state: true };
        (!key.is_empty()).then_some(Self { table: table.to_owned(), columns, key, state, done: None })
    }

    /// After which time to go on; none from the beginning.
    pub(super) fn done(&self) -> Option<u64> {
        self.done
    }

    pub(super) fn begin_anew(&mut self) {
        self.done = None;
    }

    /// What comes now comes from another subscription. What was not complete comes again.
    pub(super) fn reconnected(&mut self, with_state: bool) {
        self.state = State::Begun { with_state };
    }

    /// Takes one row in, and appends what is complete by it.
    pub(super) fn take<'a>(
        &mut self,
        update: &Update,
        value: impl Fn(&str) -> Option<&'a str>,
        ready: &mut VecDeque<RowChange>,
    ) {
        self.advance(update.time, ready);
        if update.is_progress || update.diff == 0 {
            return;
        }
        let key = self.key_of(&value);
        let row = self.row_of(&value);
        match &mut self.state {
            State::Open { rows, .. } => rows.note(&self.table, key, row, update),
            _ => {
                let mut change = RowChange::new(Operation::Insert, self.table.as_str(), key);
                (change.row, change.position) = (row, Some(update.time));
                ready.push_back(change);
            }
        }
    }

    fn advance(&mut self, time: u64, ready: &mut VecDeque<RowChange>) {
        match &mut self.state {
            State::Begun { with_state: true } => self.state = State::Beginning { time },
            State::Begun { with_state: false } => self.state = State::Open { time, rows: Rows::default() },
            State::Beginning { time: first } if *first < time => {
                self.done = Some(time - 1);
                self.state = State::Open { time, rows: Rows::default() };
            }
            State::Open { time: open, rows } if *open < time => {
                ready.extend(std::mem::take(rows).complete());
                *open = time;
                self.done = Some(time - 1);
            }
            _ => {}
        }
    }

    fn key_of<'a>(&self, value: &impl Fn(&str) -> Option<&'a str>) -> String {
        let columns: Vec<_> = self.key.iter().filter_map(|&place| self.columns.get(place)).collect();
        match columns.as_slice() {
            [one] => value(&one.name).unwrap_or_default().to_owned(),
            several => {
                let values: Vec<_> = several.iter().map(|column| column.json(value(&column.name))).collect();
                format!("[{}]", values.join(", "))
            }
        }
    }

    fn row_of<'a>(&self, value: &impl Fn(&str) -> Option<&'a str>) -> Option<Box<RawValue>> {
        let field = |column: &Column| {
            format!("{}:{}", serde_json::Value::from(column.name.as_str()), column.json(value(&column.name)))
        };
        let fields: Vec<_> = self.columns.iter().map(field).collect();
        RawValue::from_string(format!("{{{}}}", fields.join(","))).ok()
    }
}

impl Rows {
    fn note(&mut self, table: &str, key: String, row: Option<Box<RawValue>>, update: &Update) {
        let place = *self.by_key.entry(key).or_insert_with_key(|key| {
            self.changes.push(RowChange::new(Operation::Update, table, key.as_str()));
            self.changes.len() - 1
        });
        if let Some(change) = self.changes.get_mut(place) {
            change.position = Some(update.time);
            if update.diff > 0 {
                change.row = row;
            } else {
                change.old = row;
            }
        }
    }

    fn complete(self) -> impl Iterator<Item = RowChange> {
        let text = |row: &Option<Box<RawValue>>| row.as_ref().map(|row| row.get().to_owned());
        self.changes.into_iter().filter(move |change| text(&change.row) != text(&change.old)).map(
            |mut change| {
                change.op = match (&change.old, &change.row) {
                    (None, _) => Operation::Insert,
                    (_, None) => Operation::Delete,
                    _ => Operation::Update,
                };
                change
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::types::Type;

    use super::*;

    /// Rows as the documentation of `SUBSCRIBE` prints them: time, progressed, diff, id, value.
    fn feed(updates: &mut Updates, rows: &str) -> Vec<String> {
        let mut ready = VecDeque::new();
        for line in rows.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let update = Update {
                time: cells[0].parse().expect("a time"),
                is_progress: cells[1] == "true",
                diff: cells[2].parse().unwrap_or_default(),
            };
            let value =
                |name: &str| Some(cells[if name == "id" { 3 } else { 4 }]).filter(|cell| *cell != "NULL");
            updates.take(&update, value, &mut ready);
        }
        let text =
            |row: &Option<Box<RawValue>>| row.as_ref().map_or("-".to_owned(), |row| row.get().to_owned());
        ready
            .iter()
            .map(|change| {
                format!("{} {} {} was {}", change.op, change.key, text(&change.row), text(&change.old))
            })
            .collect()
    }

    fn updates(key: &[&str]) -> Updates {
        let columns = vec![Column::new("id", &Type::TEXT), Column::new("value", &Type::INT8)];
        Updates::new("v", columns, key).expect("a key")
    }

    #[test]
    fn the_state_comes_first_and_then_each_change_when_its_time_is_complete() {
        let mut updates = updates(&["id"]);
        let first = feed(
            &mut updates,
            "1 | true | NULL | NULL | NULL\n1 | false | 1 | id1 | 10\n1 | false | 1 | id2 | 20",
        );
        assert_eq!(
            first,
            [r#"insert id1 {"id":"id1","value":10} was -"#, r#"insert id2 {"id":"id2","value":20} was -"#]
        );
        assert_eq!(updates.done(), None);
        let open = "2 | false | -1 | id1 | 10\n2 | false | 1 | id1 | 40\n2 | false | 1 | id3 | NULL\n2 | false | -1 | id2 | 20";
        assert!(feed(&mut updates, open).is_empty(), "it may go on");
        assert_eq!(updates.done(), Some(1));
        let complete = feed(&mut updates, "4 | true | NULL | NULL | NULL");
        assert_eq!(
            complete,
            [
                r#"update id1 {"id":"id1","value":40} was {"id":"id1","value":10}"#,
                r#"insert id3 {"id":"id3","value":null} was -"#,
                r#"delete id2 - was {"id":"id2","value":20}"#,
            ]
        );
        assert_eq!(updates.done(), Some(3));
    }

    #[test]
    fn who_comes_back_goes_on_and_what_was_half_there_comes_once() {
        let mut updates = updates(&["id"]);
        feed(
            &mut updates,
            "1 | true | NULL | NULL | NULL\n3 | true | NULL | NULL | NULL\n3 | false | 1 | a | 1",
        );
        assert_eq!(updates.done(), Some(2));
        updates.reconnected(false);
        let again =
            feed(&mut updates, "3 | false | 1 | a | 1\n3 | false | 1 | b | 2\n4 | true | NULL | NULL | NULL");
        assert_eq!(
            again,
            [r#"insert a {"id":"a","value":1} was -"#, r#"insert b {"id":"b","value":2} was -"#]
        );
    }

    #[test]
    fn a_key_of_two_columns_is_a_list_and_a_missing_one_is_refused() {
        let mut two = updates(&["id", "value"]);
        let rows = feed(&mut two, "1 | true | NULL | NULL | NULL\n1 | false | 1 | a | 7");
        assert_eq!(rows, [r#"insert ["a", 7] {"id":"a","value":7} was -"#]);
        let columns = || vec![Column::new("id", &Type::TEXT)];
        assert!(Updates::new("v", columns(), &["it"]).is_none());
        assert!(Updates::new("v", columns(), &[]).is_none());
    }

    #[test]
    fn a_row_that_goes_and_comes_as_it_was_has_not_changed() {
        let mut updates = updates(&["id"]);
        feed(&mut updates, "1 | true | NULL | NULL | NULL\n2 | true | NULL | NULL | NULL");
        let none = feed(
            &mut updates,
            "2 | false | -1 | a | 1\n2 | false | 1 | a | 1\n3 | true | NULL | NULL | NULL",
        );
        assert!(none.is_empty(), "{none:?}");
    }
}
