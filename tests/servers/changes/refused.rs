//! Why a feed does not start.

use sse_runtime::changes::{ChangesError, PostgresChanges};

use super::{Database, login};
use crate::server::PASSWORD;

async fn error(changes: PostgresChanges) -> ChangesError {
    changes.start().await.map(drop).expect_err("refused")
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let database = Database::with(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE bare (id int); CREATE VIEW v AS SELECT * FROM t",
    )
    .await;
    assert!(
        matches!(error(database.changes("no_such")).await, ChangesError::NoSuchTable { table } if table == "no_such")
    );
    assert!(matches!(error(database.changes("not a name")).await, ChangesError::NoSuchTable { .. }));
    assert!(matches!(error(database.changes("bare")).await, ChangesError::NoKey { .. }));
    let view = error(database.changes("v")).await;
    assert!(matches!(view, ChangesError::NotATable { kind: "view", .. }), "{view}");
    assert!(matches!(error(PostgresChanges::connect(&database.url)).await, ChangesError::NoTables));

    let login = error(PostgresChanges::connect(database.url.replace(PASSWORD, "wrong")).table("t")).await;
    assert!(matches!(login, ChangesError::Login { .. }), "{login}");
    assert!(login.to_string().contains("password authentication failed"), "{login}");
    assert!(!login.to_string().contains("wrong"), "{login}");
    let (server, _) = database.url.rsplit_once('/').expect("a path");
    let nowhere = error(PostgresChanges::connect(format!("{server}/no_such")).table("t")).await;
    assert!(matches!(nowhere, ChangesError::Other { .. }), "{nowhere}");
    assert!(nowhere.to_string().contains("\"no_such\" does not exist"), "{nowhere}");
    let url = error(PostgresChanges::connect("postgres://[").table("t")).await;
    assert!(matches!(url, ChangesError::Url { .. }), "{url}");
}

#[tokio::test]
async fn who_may_not_install_reads_what_an_administrator_has_installed() {
    let database = Database::with("CREATE TABLE t (id int PRIMARY KEY)").await;
    database.run("DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN PASSWORD 'app'").await;
    let url = database.url.replace(&format!("sse:{PASSWORD}"), "app:app");
    let changes = || PostgresChanges::connect(url.as_str()).table("t");
    let refused = error(changes()).await;
    assert!(matches!(refused, ChangesError::NoRights { .. }), "{refused}");
    assert!(refused.to_string().contains("PostgresChanges::SQL"), "{refused}");

    database.run(PostgresChanges::SQL).await;
    database
        .run(
            "SELECT sse_changes.watch('t');
             GRANT USAGE ON SCHEMA sse_changes TO app;
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sse_changes TO app;
             GRANT SELECT ON t TO app",
        )
        .await;
    let mut feed = changes().start().await.expect("started");
    // Who writes needs no rights there, either.
    database
        .run("DROP ROLE IF EXISTS writer; CREATE ROLE writer LOGIN PASSWORD 'w'; GRANT INSERT ON t TO writer")
        .await;
    let writer = login(&database.url.replace(&format!("sse:{PASSWORD}"), "writer:w")).await;
    writer.batch_execute("INSERT INTO t VALUES (1)").await.expect("written");
    assert_eq!(super::next(&mut feed).await.key, "1");
    database.run("DROP OWNED BY app; DROP OWNED BY writer").await;
}
