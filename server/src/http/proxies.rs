//! Where a request really comes from when proxies stand in front: what they write into `Forwarded` (RFC 7239) or
//! `X-Forwarded-For` is believed, and only as far back as the proxies the settings name. From everybody else these
//! headers change nothing.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// The proxies of these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The address a request comes from, given the other end of its connection.
    ///
    /// The lists are read from their end, where our own proxy wrote, to the first address that is no proxy of ours.
    /// A proxy that writes one of the two headers passes the other on as the client sent it, so where both are there
    /// and disagree neither is believed, and the proxy itself is the source.
    pub fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let read = |name: HeaderName, entry: fn(&str) -> Option<IpAddr>| {
            headers
                .contains_key(&name)
                .then(|| self.first_stranger(peer, headers, &name, entry))
        };
        let sources = (
            read(X_FORWARDED_FOR, address),
            read(header::FORWARDED, forwarded_for),
        );
        match sources {
            (Some(one), None) | (None, Some(one)) => one,
            (Some(one), Some(other)) if one == other => one,
            _ => peer,
        }
    }

    /// Returns `true` if an address is one of the proxies.
    pub fn trusts(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// The last entry that is no proxy of ours. An entry nobody can read hides what lies behind it.
    fn first_stranger(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        name: &HeaderName,
        entry: fn(&str) -> Option<IpAddr>,
    ) -> IpAddr {
        let lines: Vec<&str> = headers
            .get_all(name)
            .iter()
            .map(|line| line.to_str().unwrap_or("?"))
            .collect();
        let mut source = peer;
        for text in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(ip) = entry(text.trim()) else {
                break;
            };
            source = ip;
            if !self.trusts(ip) {
                break;
            }
        }
        source
    }
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1` or `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let ip = text.parse::<IpAddr>().ok().or_else(|| {
        let host = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map(|(host, _)| host),
            None => text.split_once(':').map(|(host, _)| host),
        };
        host?.parse().ok()
    });
    ip.map(|ip| ip.to_canonical())
}

/// The `for` of one element of `Forwarded`: `for=192.0.2.1;proto=https`, `For="[2001:db8::1]:4711"`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs
        .into_iter()
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    address(value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn source(peer: &str, lines: &[(&'static str, &'static str)]) -> String {
        let networks = ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|text| text.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let proxies = Proxies::new(networks.to_vec());
        proxies.source(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_forged_header_changes_nothing() {
        for lines in [
            &[("x-forwarded-for", "198.51.100.7")][..],
            &[("forwarded", "for=198.51.100.7")],
            &[
                ("x-forwarded-for", "10.0.0.1"),
                ("forwarded", "for=10.0.0.1"),
            ],
        ] {
            assert_eq!(source("192.0.2.1", lines), "192.0.2.1");
        }
    }

    #[test]
    fn a_trusted_proxy_is_believed_as_far_as_it_can_know() {
        let forwarded = |list| source("10.0.0.1", &[("x-forwarded-for", list)]);
        assert_eq!(forwarded("198.51.100.7"), "198.51.100.7");
        // What the client wrote stands in front of what our proxies added.
        assert_eq!(
            forwarded("203.0.113.9, 198.51.100.7, 10.0.0.2"),
            "198.51.100.7"
        );
        assert_eq!(forwarded("10.9.9.9, 198.51.100.7:4711"), "198.51.100.7");
        assert_eq!(forwarded("nonsense, 10.0.0.2"), "10.0.0.2");
        assert_eq!(forwarded("198.51.100.7, unknown"), "10.0.0.1");
        assert_eq!(forwarded("::ffff:198.51.100.7"), "198.51.100.7");
        let two_lines = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "198.51.100.7"),
        ];
        assert_eq!(source("10.0.0.1", &two_lines), "198.51.100.7");
        assert_eq!(source("::ffff:10.0.0.1", &two_lines), "198.51.100.7");
        assert_eq!(source("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn forwarded_is_read_as_its_standard_writes_it() {
        let forwarded = |list| source("2001:db8:ffff::1", &[("forwarded", list)]);
        assert_eq!(
            forwarded("for=198.51.100.7;proto=https;by=10.0.0.1"),
            "198.51.100.7"
        );
        assert_eq!(
            forwarded("For=\"[2001:db8::7]:4711\", for=10.0.0.2"),
            "2001:db8::7"
        );
        assert_eq!(forwarded("for=_hidden"), "2001:db8:ffff::1");
    }

    #[test]
    fn two_headers_that_disagree_are_not_believed() {
        let both = |one, other| {
            source(
                "10.0.0.1",
                &[("x-forwarded-for", one), ("forwarded", other)],
            )
        };
        assert_eq!(both("198.51.100.7", "for=203.0.113.9"), "10.0.0.1");
        assert_eq!(both("198.51.100.7", "for=198.51.100.7"), "198.51.100.7");
    }
}
