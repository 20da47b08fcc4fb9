//! One connection to a server, which lives once.
//!
//! The client of the crate connects again by itself, and then sends what it had buffered, before anybody can see which log
//! is there and what of it has arrived already: events would change places. So it is kept from that: a connection that is
//! lost has ended, with all that was under way on it, and `mend` makes another one.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, ReconnectToServer, ServerAddr};

use super::Options;
use super::error::NatsError;

/// How long one server has to say hello.
const HELLO: Duration = Duration::from_secs(2);
/// Where nobody is: an address that fails at once, for the attempts that are not to be made.
const NOWHERE: &str = "127.0.0.1:0";

/// Where the servers are, and what they are to be told.
#[derive(Clone, Debug)]
pub(super) struct Servers {
    addresses: Vec<ServerAddr>,
    login: Option<Login>,
}

#[derive(Clone)]
enum Login {
    Token(String),
    User(String, String),
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("..")
    }
}

/// A connection, and who is at the other end.
pub(super) struct Connection {
    pub(super) client: Client,
    /// Host and port.
    pub(super) server: String,
}

impl Servers {
    /// Addresses with commas between them.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut servers = Self { addresses: Vec::new(), login: None };
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            // Not with the text: it may have a password.
            let address: ServerAddr = part.parse().map_err(|_| {
                "an address is `nats://host`, `nats://host:4222` or `tls://host`, several with commas between"
            })?;
            if address.is_websocket() {
                return Err("an address begins with `nats://` or `tls://`: there are no WebSockets here");
            }
            if address.host().is_empty() {
                return Err("an address has no host: it is `nats://host` or `nats://host:4222`");
            }
            if let Some(user) = address.username() {
                let user = decoded(user);
                servers.login = Some(match address.password() {
                    Some(password) => Login::User(user, decoded(password)),
                    None => Login::Token(user),
                });
            }
            servers.addresses.push(address);
        }
        if servers.addresses.is_empty() {
            return Err("there is no address: it is `nats://host:4222`");
        }
        Ok(servers)
    }

    /// Connects to any of them, each tried once.
    pub(super) async fn connect(&mut self, options: &Options) -> Result<Connection, NatsError> {
        let mut addresses = self.addresses.clone();
        fastrand::shuffle(&mut addresses);
        let mut failure = NatsError::Closed;
        for address in addresses {
            match connect_to(options, self.login.as_ref(), address).await {
                Ok(connection) => {
                    self.discover(&connection.client);
                    return Ok(connection);
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Of a cluster, each server names the others.
    fn discover(&mut self, client: &Client) {
        let named = client.try_server_info().map(|info| info.connect_urls).unwrap_or_default();
        for address in named.iter().filter_map(|url| url.parse::<ServerAddr>().ok()) {
            let is_known =
                |known: &ServerAddr| known.host() == address.host() && known.port() == address.port();
            if !self.addresses.iter().any(is_known) {
                self.addresses.push(address);
            }
        }
    }
}

async fn connect_to(
    options: &Options,
    login: Option<&Login>,
    address: ServerAddr,
) -> Result<Connection, NatsError> {
    let server = format!("{}:{}", address.host(), address.port());
    let mut connect = options.connect.clone().unwrap_or_else(|| {
        ConnectOptions::new()
            .connection_timeout(HELLO)
            .ping_interval(Duration::from_secs(5))
            .name("sse-runtime")
    });
    connect = match login {
        Some(Login::User(user, password)) => connect.user_and_password(user.clone(), password.clone()),
        Some(Login::Token(token)) => connect.token(token.clone()),
        None => connect,
    };
    connect = connect.ignore_discovered_servers().max_reconnects(1).reconnect_to_server_callback(
        // It is only asked so that the end of the attempts is no error in the log.
        |servers, _| async move {
            let addr = servers.first()?.addr.clone();
            Some(ReconnectToServer { addr, delay: Some(Duration::ZERO) })
        },
    );
    let client =
        connect.connect(address).await.map_err(|error| NatsError::of_connect(server.clone(), &error))?;
    let nowhere: ServerAddr = NOWHERE.parse().map_err(|_| NatsError::lost(&server))?;
    client.set_server_pool(nowhere).await.map_err(|_| NatsError::lost(&server))?;
    Ok(Connection { client, server })
}

/// Undoes the percent-encoding of a part of a URL.
fn decoded(part: &str) -> String {
    let part = part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(part.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood() {
        for good in [
            "nats://localhost",
            "localhost:4222",
            "tls://a:1,nats://b:2",
            "nats://u:p@h",
            "nats://[::1]:4222, h",
        ] {
            assert!(Servers::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "http://h", "ws://h", "nats://", "nats://u:secret@h:port", ","] {
            let error = Servers::parse(bad).expect_err(bad);
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_login_is_taken_from_the_address() {
        let login = |text| Servers::parse(text).expect(text).login;
        assert!(matches!(login("nats://u%40x:p%2Fa+s%26=@h"), Some(Login::User(user, password))
            if user == "u@x" && password == "p/a+s&="));
        assert!(matches!(login("nats://t0ken@h"), Some(Login::Token(token)) if token == "t0ken"));
        assert!(login("nats://h").is_none());
        let shown = format!("{:?}", login("nats://u:secret@h"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
