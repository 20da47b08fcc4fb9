//! Who the client is, for counting: its address, also behind proxies that can be trusted to tell it.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What is given as a trusted proxy is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address (\"127.0.0.1\", \"::1\") nor a network (\"10.0.0.0/8\", \"fd00::/8\")")]
pub struct ProxyError(String);

/// Proxies whose word on the client's address counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Vec<IpNet>);

impl Proxies {
    pub(crate) fn read<T: AsRef<str>>(proxies: impl IntoIterator<Item = T>) -> Result<Self, ProxyError> {
        let read = |text: &str| {
            text.parse().or_else(|_| text.parse().map(|address: IpAddr| IpNet::from(address.to_canonical())))
        };
        let nets = proxies.into_iter().map(|proxy| {
            let proxy = proxy.as_ref();
            read(proxy.trim()).map_err(|_| ProxyError(proxy.to_owned()))
        });
        nets.collect::<Result<_, _>>().map(Self)
    }

    /// The address of the client that `peer` speaks for. Each proxy appends whom it got the request from, so the list is
    /// read from its end, for as long as the one who wrote it is to be trusted; a client can write what it likes before.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
        let said = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for said in said {
            if !self.trusts(client) {
                break;
            }
            // A proxy that says something else than an address says nothing: the last one who did stands for it.
            let Some(address) = read_address(said) else { break };
            client = address.to_canonical();
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// An address, as proxies write it: some with a port.
fn read_address(said: &[u8]) -> Option<IpAddr> {
    let said = std::str::from_utf8(said).ok()?.trim();
    let bare = said.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(said);
    bare.parse().ok().or_else(|| said.parse().ok().map(|socket: std::net::SocketAddr| socket.ip()))
}

/// Clients with the same key are one. Who has an IPv6 address has the 2^64 beside it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientKey(IpAddr);

impl ClientKey {
    pub(crate) fn new(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(X_FORWARDED_FOR, line.parse().expect("a header value"));
        }
        let proxies = Proxies::read(trusted).expect("networks");
        proxies.client(peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn nobody_is_trusted_unless_said() {
        assert_eq!(client(&[], "127.0.0.1", &["1.2.3.4"]), "127.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "9.9.9.9", &["1.2.3.4"]), "9.9.9.9");
    }

    #[test]
    fn a_trusted_proxy_names_its_client() {
        assert_eq!(client(&["127.0.0.1"], "127.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(client(&["127.0.0.1"], "127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(client(&["127.0.0.0/8"], "::ffff:127.0.0.1", &["1.2.3.4:5678"]), "1.2.3.4");
        assert_eq!(client(&["::1"], "::1", &["[2001:db8::7]"]), "2001:db8::7");
        assert_eq!(client(&["::1"], "::1", &["[2001:db8::7]:443"]), "2001:db8::7");
    }

    #[test]
    fn what_the_client_itself_wrote_does_not_count() {
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6", "1.2.3.4, 10.0.0.2"]), "1.2.3.4");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["10.6.6.6, 1.2.3.4"]), "1.2.3.4");
    }

    #[test]
    fn a_proxy_that_says_something_else_than_an_address_stands_for_its_clients() {
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["1.2.3.4, "]), "10.0.0.1");
    }

    #[test]
    fn what_is_no_network_is_named() {
        let error = Proxies::read(["10.0.0.0/8", "localhost"]).expect_err("a name");
        assert!(error.to_string().starts_with("`localhost` is neither"), "{error}");
    }

    #[test]
    fn ipv6_neighbours_are_one_client() {
        let key = |text: &str| ClientKey::new(text.parse().expect("an address"));
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::2"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:1.2.3.4"), key("1.2.3.4"));
        assert_ne!(key("1.2.3.4"), key("1.2.3.5"));
    }
}
