//! What a program is told that cannot begin: at once, with the address, and never with the password.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use sse_runtime::engine::EngineError;

use super::OnServer;
use crate::log::{Log, start};
use crate::server::{PASSWORD, Server, fresh_name};

/// How long a program may need to find out that it cannot begin. Where somebody listens and says nothing, it waits for an
/// answer.
const LIMIT: Duration = Duration::from_secs(15);
const AT_ONCE: Duration = Duration::from_secs(5);
const WRONG: &str = "wr0ng-5e5ame";

on_each_server!(what_cannot_begin_says_why);

async fn what_cannot_begin_says_why<E: OnServer>() {
    let server = E::Server::start().await;
    let address = server.process().address();
    let name = fresh_name();
    let on = |password: &str, there: SocketAddr| Log::at::<E>(server.url_with(password, there), name.clone());

    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let nobody = free.local_addr().expect("an address");
    drop(free);
    let refused = error(&on(PASSWORD, nobody), AT_ONCE).await;
    assert!(refused.contains(&nobody.to_string()), "{refused}");

    let login = error(&on(WRONG, address), AT_ONCE).await;
    assert!(login.contains(&address.to_string()), "{login}");
    assert_ne!(login, refused.replace(&nobody.to_string(), &address.to_string()));

    // Not the server that was meant.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let silent_address = silent.local_addr().expect("an address");
    let silence = error(&on(PASSWORD, silent_address), LIMIT).await;
    assert!(silence.contains(&silent_address.to_string()), "{silence}");

    let nothing = Log::at::<E>(format!("{}://{WRONG}@:99999", E::Server::NAME), name.clone());
    error(&nothing, AT_ONCE).await;

    // And the server is none the worse for it.
    start(on(PASSWORD, address).hub()).await;
}

/// What the hub says that cannot start.
async fn error(log: &Log, limit: Duration) -> String {
    let begun = Instant::now();
    let starting = log.hub().start();
    let error: EngineError = tokio::time::timeout(limit, starting)
        .await
        .unwrap_or_else(|_| panic!("{log:?} is tried for {limit:?}"))
        .expect_err("nobody answers there");
    let (text, details) = (error.to_string(), format!("{error:?}"));
    for password in [PASSWORD, WRONG] {
        assert!(!text.contains(password) && !details.contains(password), "{text}, {details}");
    }
    println!("{:.1?}: {text}", begun.elapsed());
    text
}
