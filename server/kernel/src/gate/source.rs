//! Where requests come from.

use std::fmt;
use std::net::IpAddr;

/// Address a request comes from, put into its extensions by the gate: the peer of the connection, or what a trusted
/// proxy says. Headers from anybody else are ignored.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Source that calls are counted by: an IPv4 address, or the /64 of an IPv6 one (what one subscriber holds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceAddress(IpAddr);

impl From<IpAddr> for SourceAddress {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(v6) => Self(IpAddr::V6((u128::from(v6) >> 64 << 64).into())),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl fmt::Display for SourceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => ip.fmt(f),
            IpAddr::V6(ip) => write!(f, "{ip}/64"),
        }
    }
}
