//! The outbox and its triggers: looked for, and made where they are missing.

use tokio_postgres::error::SqlState;

use super::error::ChangesError;
use super::session::{Lost, Session};

/// The format of the outbox, which `outbox.sql` writes.
const VERSION: i32 = 1;

/// A table that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// As changes name it.
    pub(super) label: String,
    /// As SQL names it.
    quoted: String,
    /// The columns of its key.
    columns: Vec<String>,
}

impl Table {
    /// What reads its rows, of which `condition` holds if there is one, as text, with their keys: no more than `$1`.
    pub(super) fn select(&self, condition: Option<&str>) -> String {
        let column = |name: &String| format!("'{}'", name.replace('\'', "''"));
        let key = match self.columns.as_slice() {
            [one] => format!("row ->> {}", column(one)),
            several => {
                let values: Vec<_> = several.iter().map(|name| format!("row -> {}", column(name))).collect();
                format!("jsonb_build_array({})::text", values.join(", "))
            }
        };
        let condition = condition.map(|condition| format!(" WHERE ({condition})")).unwrap_or_default();
        format!(
            "SELECT {key}, row::text FROM (SELECT to_jsonb(t) AS row FROM (SELECT * FROM {}{condition} LIMIT $1) t) r",
            self.quoted
        )
    }
}

/// Makes sure that the changes of these tables are written down.
pub(super) async fn install(
    session: &Session,
    server: &str,
    tables: &[String],
    old_rows: bool,
) -> Result<Vec<Table>, ChangesError> {
    if tables.is_empty() {
        return Err(ChangesError::NoTables);
    }
    let version = session
        .query_once("SELECT current_setting('server_version_num')::int", &[])
        .await
        .map_err(|lost| of(server, "log in", lost))?;
    let version: i32 = version.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default();
    if version < 14_00_00 {
        let reason = format!("it is PostgreSQL {}, and the feed needs 14 or later", version / 10_000);
        return Err(ChangesError::Other { server: server.to_owned(), reason });
    }
    let mut found = Vec::new();
    for name in tables {
        found.push(table(session, server, name).await?);
    }
    outbox(session, server).await?;
    for table in &found {
        // It does nothing, and needs no rights, if the triggers are there.
        session
            .query_once("SELECT sse_changes.watch($1::text::regclass, $2)", &[&table.quoted, &old_rows])
            .await
            .map_err(|lost| of(server, "put triggers on the table", lost))?;
    }
    Ok(found)
}

async fn table(session: &Session, server: &str, name: &str) -> Result<Table, ChangesError> {
    let rows = session.query_once(LOOK, &[&name]).await;
    let rows = match rows {
        Err(Lost::Failed(error)) if error.code() == Some(&SqlState::INVALID_NAME) => Vec::new(),
        other => other.map_err(|lost| of(server, "look for the table", lost))?,
    };
    let table = name.to_owned();
    let Some(row) = rows.first() else { return Err(ChangesError::NoSuchTable { table }) };
    let kind: String = row.get("kind");
    let kind = match kind.as_str() {
        "r" | "p" => None,
        "v" => Some("view"),
        "m" => Some("materialized view"),
        "f" => Some("foreign table"),
        _ => Some("relation of another kind"),
    };
    if let Some(kind) = kind {
        return Err(ChangesError::NotATable { table, kind });
    }
    let Some(columns) = row.get::<_, Option<Vec<String>>>("columns") else {
        return Err(ChangesError::NoKey { table });
    };
    Ok(Table { label: row.get("label"), quoted: row.get("quoted"), columns })
}

const LOOK: &str = "
    SELECT c.relkind::text AS kind, format('%I.%I', n.nspname, c.relname) AS quoted,
      CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname AS label,
      (SELECT array_agg(a.attname::text ORDER BY k.i)
        FROM pg_index x CROSS JOIN unnest(x.indkey) WITH ORDINALITY k (n, i)
        JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.n
        WHERE x.indrelid = c.oid AND x.indisprimary) AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";

async fn outbox(session: &Session, server: &str) -> Result<(), ChangesError> {
    let installed = session.query_once("SELECT version FROM sse_changes.settings", &[]).await;
    let found = match installed {
        Ok(rows) => rows.first().map_or(0, |row| row.get::<_, i32>(0)),
        Err(Lost::Failed(error))
            if matches!(error.code(), Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME)) =>
        {
            0
        }
        Err(lost) => return Err(of(server, "read the outbox", lost)),
    };
    match found {
        VERSION => Ok(()),
        found if found > VERSION => Err(ChangesError::Newer { found, known: VERSION }),
        _ => {
            let made = session.run(super::PostgresChanges::SQL).await;
            if made.is_err() {
                // The transaction is open still.
                let _gone_with_the_connection = session.run("ROLLBACK").await;
            }
            made.map_err(|lost| of(server, "make the outbox", lost))
        }
    }
}

pub(in crate::changes) fn of(server: &str, what: &'static str, lost: Lost) -> ChangesError {
    match lost {
        Lost::Failed(error) => ChangesError::of(server, what, &error),
        Lost::Silent => {
            ChangesError::Unreachable { server: server.to_owned(), reason: Lost::Silent.to_string() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_the_trigger_writes_them() {
        let mut table =
            Table { label: "it".to_owned(), quoted: "public.it".to_owned(), columns: vec!["a'b".to_owned()] };
        assert_eq!(
            table.select(None),
            "SELECT row ->> 'a''b', row::text FROM (SELECT to_jsonb(t) AS row FROM (SELECT * FROM public.it LIMIT $1) t) r"
        );
        table.columns.push("c".to_owned());
        let select = table.select(Some("c > 1"));
        assert!(
            select.starts_with("SELECT jsonb_build_array(row -> 'a''b', row -> 'c')::text, row::text"),
            "{select}"
        );
        assert!(select.contains("FROM public.it WHERE (c > 1) LIMIT $1"), "{select}");
    }
}
