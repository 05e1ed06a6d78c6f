//! Requests to URLs that customers name: to public addresses only, so that nobody reaches through this server what it
//! can see and they cannot (server-side request forgery, OWASP API7:2023).
//!
//! Names are resolved once and only public addresses are connected to, so that a name which changes its mind between
//! the check and the call gains nothing. No redirects, no proxies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use url::{Host, Url};

const TOTAL: Duration = Duration::from_secs(5);

/// Addresses and ports that requests may be sent to.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Any address and port is allowed, by `http:` too: for development alone.
    pub private: bool,
    /// Ports allowed besides 443.
    pub ports: Vec<u16>,
    names: Names,
}

impl Reach {
    /// Makes one that resolves names with the system's resolver.
    pub fn new(private: bool, ports: &[u16]) -> Self {
        Self {
            private,
            ports: ports.to_vec(),
            names: Names::SYSTEM,
        }
    }

    fn has_port(&self, port: Option<u16>) -> bool {
        self.private || port.is_some_and(|port| port == HTTPS || self.ports.contains(&port))
    }
}

const HTTPS: u16 = 443;

/// Judges whether a URL may be asked at all: `https:`, a port that is allowed, no user in it, and no address that is not
/// public.
pub fn check(url: &Url, reach: &Reach) -> Result<(), String> {
    if url.scheme() != "https" && !(reach.private && url.scheme() == "http") {
        return Err("The URL must begin with https://.".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("The URL must not hold a user or password.".to_owned());
    }
    if !reach.has_port(url.port_or_known_default()) {
        return Err("The URL must use the port of https, 443: leave the port out.".to_owned());
    }
    let is_public = match url.host() {
        Some(Host::Ipv4(address)) => is_public(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => is_public(IpAddr::V6(address)),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            let inside = [".localhost", ".local", ".internal"];
            name.contains('.') && !inside.iter().any(|end| name.ends_with(end))
        }
        None => false,
    };
    if is_public || reach.private {
        Ok(())
    } else {
        Err("The URL must lead to a public address.".to_owned())
    }
}

/// The body of a 200 from a URL, of at most `most` bytes; or a sentence that says what came instead.
pub async fn get(url: &str, reach: &Reach, most: usize) -> Result<Vec<u8>, String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    check(&url, reach)?;
    let names = PublicNames {
        private: reach.private,
        names: reach.names,
    };
    let client = reqwest::Client::builder()
        .timeout(TOTAL)
        .connect_timeout(TOTAL)
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(names))
        .build()
        .map_err(|error| error.to_string())?;
    let request = client.get(url).header("accept", "application/json");
    let mut response = request.send().await.map_err(|error| describe(&error))?;
    if response.status() != reqwest::StatusCode::OK {
        let status = response.status();
        let hint = if status.is_redirection() {
            ", and redirects are not followed: give the address that it leads to"
        } else {
            ""
        };
        return Err(format!("the URL answered {}{hint}", status.as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
        if body.len() + chunk.len() > most {
            return Err(format!("the answer has more than {most} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Describes an error without what only this side of the network should know.
fn describe(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        format!("the URL did not answer within {} s", TOTAL.as_secs())
    } else if error.is_connect() {
        "the URL cannot be reached: its name, its certificate or its server is not there".to_owned()
    } else {
        "the connection broke off".to_owned()
    }
}

type Found = Pin<Box<dyn Future<Output = std::io::Result<Vec<SocketAddr>>> + Send>>;

/// Source of a name's addresses.
#[derive(Clone, Copy, Debug)]
struct Names(fn(String) -> Found);

impl Names {
    const SYSTEM: Self = Self(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.collect())
        })
    });
}

/// A resolver with everything that is not public left out: what it answers is what is connected to.
struct PublicNames {
    private: bool,
    names: Names,
}

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        let Names(ask) = self.names;
        Box::pin(async move {
            let found = ask(name.as_str().to_owned()).await?;
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| private || is_public(address.ip()))
                .collect();
            if allowed.is_empty() {
                return Err("no public address has this name".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Returns `true` if an address is public: none of the special-purpose ones (IANA registries of RFC 6890). Addresses
/// that carry an IPv4 address inside are judged by that one.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public(IpAddr::V4(inner)),
            None => {
                GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
            }
        },
    }
}

/// The IPv4 address inside an IPv4-mapped (RFC 4291), NAT64 (RFC 6052) or 6to4 (RFC 3056) one.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(of(high, low))
        }
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(a: u16, b: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits)
}

const SPECIAL_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];
/// All that is global unicast at all (RFC 4291, section 2.4).
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);
const SPECIAL_V6: [Ipv6Net; 3] = [v6(0x2001, 0, 23), v6(0x2001, 0x0db8, 32), v6(0x3fff, 0, 20)];

#[cfg(test)]
mod tests;
