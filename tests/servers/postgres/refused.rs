//! What a program is told that cannot begin here, or not like this.

use std::time::Duration;

use sse_runtime::Hub;
use sse_runtime::engine::{Engine, EngineError, Postgres, PostgresError, Record};

use super::{SERVER, expect, number, publish, raw, resume, start};
use crate::server::{PASSWORD, Server as _, USER, fresh_name};

async fn error(engine: Postgres) -> PostgresError {
    let starting = sse_tests::within_limit("an error", Hub::on(engine).start());
    of(&starting.await.expect_err("it is refused"))
}

fn of(error: &EngineError) -> PostgresError {
    println!("{error}");
    assert!(!error.to_string().contains(PASSWORD) && !format!("{error:?}").contains(PASSWORD), "{error:?}");
    error.downcast_ref::<PostgresError>().expect("an error of this engine").clone()
}

#[tokio::test]
async fn who_may_not_create_the_tables_is_told_what_to_do() {
    let server = SERVER.get().await;
    let (schema, role) = (fresh_name(), fresh_name());
    let owner = raw(&server.url()).await;
    owner.batch_execute(&format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")).await.expect("created");
    let url = server.url().replace(USER, &role);
    let engine = || Postgres::connect(&*url).schema(&*schema).events(5);
    let refused = error(engine()).await;
    assert!(matches!(&refused, PostgresError::NotAllowed { schema: of, .. } if *of == schema), "{refused:?}");
    assert!(refused.to_string().contains("setup_sql"), "{refused}");

    owner.batch_execute(&engine().setup_sql().expect("SQL")).await.expect("it can be run");
    // It is there, and may not be used.
    let refused = error(engine()).await;
    assert!(matches!(refused, PostgresError::NotAllowed { .. }), "{refused:?}");
    let head = engine().setup_sql().expect("SQL");
    let grants = head.lines().filter_map(|line| line.strip_prefix("--   ")).collect::<Vec<_>>();
    assert_eq!(grants.len(), 2, "{grants:?}");
    let grants = grants.join("\n").replace("TO app;", &format!("TO {role};"));
    owner.batch_execute(&grants).await.expect("granted");
    let hub = start(engine()).await;
    let ids = publish(&hub, "a", 0..20).await;
    expect(&mut resume(&hub, "a", &ids[14]).await, 15..20).await;
    super::evicted(&hub, "a", &ids[13]).await;
}

#[tokio::test]
async fn what_is_no_log_is_told_and_left_as_it_is() {
    let server = SERVER.get().await;
    let owner = raw(&server.url()).await;
    for sql in [
        "CREATE TABLE {s}.log (line text); INSERT INTO {s}.log VALUES ('x')",
        "CREATE VIEW {s}.events AS SELECT 1 AS one",
        "CREATE FUNCTION {s}.append(text) RETURNS text LANGUAGE sql AS 'SELECT $1'",
        "CREATE FUNCTION {s}.settle(bigint, bigint) RETURNS text LANGUAGE sql AS 'SELECT ''x''::text'",
    ] {
        let schema = fresh_name();
        let sql = format!("CREATE SCHEMA {schema}; {}", sql.replace("{s}", &schema));
        owner.batch_execute(&sql).await.expect("created");
        let things = "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid) \
            + (SELECT count(*) FROM pg_proc WHERE pronamespace = n.oid) FROM pg_namespace n WHERE nspname = ";
        let things = format!("{things}'{schema}'");
        let before = number(&owner, &things).await;
        let refused = error(Postgres::connect(server.url()).schema(&*schema)).await;
        assert!(
            matches!(&refused, PostgresError::Foreign { schema: of, .. } if *of == schema),
            "{refused:?}"
        );
        assert_eq!(number(&owner, &things).await, before);
    }
    // A schema with something else in it is no harm.
    let schema = fresh_name();
    let sql = format!("CREATE SCHEMA {schema}; CREATE TABLE {schema}.orders (id int)");
    owner.batch_execute(&sql).await.expect("created");
    start(Postgres::connect(server.url()).schema(&*schema)).await;
}

#[tokio::test]
async fn a_newer_log_is_told() {
    let server = SERVER.get().await;
    let schema = fresh_name();
    let engine = || Postgres::connect(server.url()).schema(&*schema);
    drop(start(engine()).await);
    let owner = raw(&server.url()).await;
    owner.batch_execute(&format!("UPDATE {schema}.log SET format = 2")).await.expect("changed");
    let refused = error(engine()).await;
    assert!(matches!(refused, PostgresError::Newer { format: 2, known: 1, .. }), "{refused:?}");
}

#[tokio::test]
async fn another_log_under_a_hub_is_told() {
    let server = SERVER.get().await;
    let schema = fresh_name();
    let hub = start(Postgres::connect(server.url()).schema(&*schema)).await;
    publish(&hub, "a", 0..3).await;
    let owner = raw(&server.url()).await;
    owner.batch_execute(&format!("UPDATE {schema}.log SET epoch = epoch + 1")).await.expect("changed");
    let told = async {
        while hub.health().is_up() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        hub.health().to_string()
    };
    let told = sse_tests::within_limit("an outage", told).await;
    assert!(told.contains("another log has taken the place"), "{told}");
    owner.batch_execute(&format!("UPDATE {schema}.log SET epoch = epoch - 1")).await.expect("changed");
    let up = async {
        while !hub.health().is_up() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    sse_tests::within_limit("its end", up).await;
    publish(&hub, "a", 3..4).await;
}

#[tokio::test]
async fn what_cannot_be_is_told_at_the_start() {
    let server = SERVER.get().await;
    let url = server.url();
    for schema in ["", "a$b", "a\0b", &"x".repeat(64)] {
        let refused = error(Postgres::connect(&*url).schema(schema)).await;
        assert!(matches!(&refused, PostgresError::Schema { schema: of } if of == schema), "{refused:?}");
        Postgres::connect(&*url).schema(schema).setup_sql().expect_err("no such schema");
    }
    let refused = error(Postgres::connect(format!("{url}?sslmode=require"))).await;
    assert!(matches!(refused, PostgresError::Tls { .. }), "{refused:?}");
    let refused = error(Postgres::connect(url.replace("/postgres", "/nothing"))).await;
    assert!(matches!(refused, PostgresError::NoDatabase { .. }), "{refused:?}");
    let refused = error(Postgres::connect(url.replace(PASSWORD, "wrong"))).await;
    assert!(matches!(refused, PostgresError::Refused { .. }), "{refused:?}");
    let refused = error(Postgres::connect(url.replace(&format!(":{PASSWORD}"), ""))).await;
    assert!(matches!(refused, PostgresError::Refused { .. }), "{refused:?}");
    for address in ["", "nonsense", "postgres://", "postgres://u@/d", "host=a port=x"] {
        let refused = error(Postgres::connect(address)).await;
        assert!(matches!(refused, PostgresError::Address { .. }), "{address}: {refused:?}");
    }
    // As a standby says it.
    let (schema, role) = (fresh_name(), fresh_name());
    let owner = raw(&url).await;
    let sql = format!(
        "CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{PASSWORD}'; ALTER ROLE {role} SET default_transaction_read_only = on"
    );
    owner.batch_execute(&sql).await.expect("created");
    let refused = error(Postgres::connect(url.replace(USER, &role)).schema(&*schema)).await;
    assert!(matches!(refused, PostgresError::ReadOnly { .. }), "{refused:?}");

    let closed = Postgres::connect(&*url).publish("a", Record::new(b"data: \n\n", "")).await;
    let closed = of(&closed.expect_err("no hub has started it"));
    assert!(matches!(closed, PostgresError::Closed), "{closed:?}");
}
