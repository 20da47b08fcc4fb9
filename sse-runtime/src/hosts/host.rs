//! Hosts and origins as requests name them, in the one form in which they can be compared.
//!
//! Strict, because what passes here is let in: what no browser would write is not read at all, so that it need not be
//! asked what it could mean to somebody else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `LocalHost.` and `localhost` are the same, as are `[::ffff:127.0.0.1]` and `127.0.0.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// In lower case, without the dot at the end that a full name may have.
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// Reads a host without a port. An IPv6 address may stand in brackets or not.
    pub(super) fn alone(text: &str) -> Option<Self> {
        if let Some(inside) = text.strip_prefix('[') {
            return inside.strip_suffix(']').and_then(Self::v6);
        }
        Self::v6(text).or_else(|| Self::name(text))
    }

    /// Reads `host`, `host:port` or `[address]:port`: what follows `//` in an address and is no user.
    pub(super) fn with_port(text: &str) -> Option<(Self, Option<u16>)> {
        let (host, port) = match text.strip_prefix('[') {
            Some(text) => {
                let (address, port) = text.split_once(']')?;
                (Self::v6(address)?, if port.is_empty() { "" } else { port.strip_prefix(':')? })
            }
            None => {
                let (name, port) = text.split_once(':').unwrap_or((text, ""));
                (Self::name(name)?, port)
            }
        };
        // The standard allows a colon with nothing behind it. What `parse` takes besides digits is a sign.
        let port = match port {
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        Some((host, port))
    }

    fn v6(text: &str) -> Option<Self> {
        let address: Ipv6Addr = text.parse().ok()?;
        Some(Self::Address(address.to_canonical()))
    }

    fn name(text: &str) -> Option<Self> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let is_label = |label: &str| {
            let mut bytes = label.bytes();
            !label.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        name.split('.').all(is_label).then(|| Self::Name(name.to_ascii_lowercase()))
    }

    /// Whether this is the machine itself, whoever answers for names.
    pub(super) fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Self::Address(address) => address.is_loopback(),
        }
    }
}

/// Where a page is from, without the port that goes without saying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    pub(super) host: Host,
    port: Option<u16>,
}

impl Origin {
    /// `null` is none: that is what every page is called which hides where it is from.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        let (host, port) = Host::with_port(rest).filter(|_| is_scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let usual = match &*scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        Some(Self { scheme, host, port: port.filter(|port| Some(*port) != usual) })
    }

    /// Pages, as against what calls itself an origin in a browser extension or an application's own window: in those,
    /// the host is whatever their maker likes.
    pub(super) fn is_of_the_web(&self) -> bool {
        matches!(&*self.scheme, "http" | "https")
    }
}
