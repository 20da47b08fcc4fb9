//! What a program is told that cannot begin: at once, with the address, and never with the password.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use sse_runtime::Hub;
use sse_runtime::engine::EngineError;

use super::OnServer;
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
    let good = E::url(&server, &fresh_name());
    let on = |password: &str, there: SocketAddr| {
        good.replace(PASSWORD, password).replace(&address.to_string(), &there.to_string())
    };

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

    // No URL at all is found out before anything is opened, or when it is.
    for url in [format!("{}://", E::Server::NAME), format!("{}://{WRONG}@:99999", E::Server::NAME)] {
        let text = match Hub::connect(&url) {
            Err(error) => error.to_string(),
            Ok(hub) => hub.start().await.expect_err(&url).to_string(),
        };
        println!("{url}: {text}");
        assert!(!text.is_empty());
    }
    // And the server is none the worse for it.
    Hub::connect(&good).expect("it names an engine").start().await.expect("the server is there");
}

/// What the hub says that cannot start.
async fn error(url: &str, limit: Duration) -> String {
    let begun = Instant::now();
    let starting = Hub::connect(url).expect("it names an engine").start();
    let error: EngineError = tokio::time::timeout(limit, starting)
        .await
        .unwrap_or_else(|_| panic!("{url} is tried for {limit:?}"))
        .expect_err(url);
    let (text, details) = (error.to_string(), format!("{error:?}"));
    for password in [PASSWORD, WRONG] {
        assert!(!text.contains(password) && !details.contains(password), "{text}, {details}");
    }
    println!("{:.1?}: {text}", begun.elapsed());
    text
}
