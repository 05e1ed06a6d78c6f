//! The networks a tenant's server may call from: read as people write them, kept in one form, and asked at each call that
//! shows the `client_secret`.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// More networks than this are a mistake.
const MOST: usize = 50;

/// Networks that calls may come from; an empty list allows every address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Reads what a person typed, one network or address on each line; all that is wrong is told at once.
    pub fn typed(lines: &[String]) -> Result<Self, Vec<String>> {
        let (mut kept, mut wrong) = (Vec::new(), Vec::new());
        for line in lines.iter().map(|line| line.trim()) {
            match network(line) {
                _ if line.is_empty() => {}
                Ok(network) if kept.contains(&network) => {}
                Ok(network) => kept.push(network),
                Err(why) => wrong.push(format!("{line}: {why}")),
            }
        }
        if kept.len() > MOST {
            wrong.push(format!(
                "At most {MOST} networks. Put neighbours together: 203.0.113.0/24 is 256 addresses."
            ));
        }
        if wrong.is_empty() {
            Ok(Self(kept))
        } else {
            Err(wrong)
        }
    }

    /// Reads what was kept. What cannot be read lets nobody in rather than everybody.
    pub fn kept(text: &str) -> Option<Self> {
        let networks = text.split_whitespace().map(str::parse);
        networks.collect::<Result<_, _>>().ok().map(Self)
    }

    /// Returns `true` if calls may come from this address.
    pub fn lets_in(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.is_empty() || self.0.iter().any(|network| network.contains(&ip))
    }

    /// Each in CIDR form.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(IpNet::to_string).collect()
    }
}

/// A network in its one form: no bits beyond its length, an IPv4 network not dressed as IPv6 (RFC 4291, section 2.5.5.2).
fn network(text: &str) -> Result<IpNet, &'static str> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
        "write an address or a network in CIDR form, like 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32"
    })?;
    let network = match network {
        IpNet::V6(mapped) => unmapped(mapped).map_or(network, IpNet::V4),
        v4 @ IpNet::V4(_) => v4,
    };
    if network.prefix_len() == 0 {
        return Err("this is every address there is: to let everybody in, leave the list empty");
    }
    Ok(network.trunc())
}

fn unmapped(network: Ipv6Net) -> Option<Ipv4Net> {
    let address = network.addr().to_ipv4_mapped()?;
    let length = network.prefix_len().checked_sub(96)?;
    Ipv4Net::new(address, length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(lines: &[&str]) -> Result<Networks, Vec<String>> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        Networks::typed(&lines)
    }

    #[test]
    fn a_network_is_kept_in_one_form() {
        let networks = typed(&[
            "203.0.113.7",
            " 198.51.100.99/24 ",
            "",
            "::ffff:192.0.2.1",
            "::ffff:192.0.2.0/120",
            "2001:DB8:0:0::1/32",
            "2001:db8::/32",
            "198.51.100.0/24",
        ]);
        let kept = [
            "203.0.113.7/32",
            "198.51.100.0/24",
            "192.0.2.1/32",
            "192.0.2.0/24",
            "2001:db8::/32",
        ];
        let networks = networks.unwrap();
        assert_eq!(networks.texts(), kept);
        assert_eq!(Networks::kept(&kept.join(" ")), Some(networks));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for wrong in [
            "example.com",
            "203.0.113.0/33",
            "203.0.113",
            "203.0.113.1-203.0.113.9",
            "fe80::1%eth0",
            "010.0.0.1",
            "0.0.0.0/0",
            "::/0",
            "::ffff:0:0/96",
        ] {
            let told = typed(&["203.0.113.7", wrong]).unwrap_err();
            assert!(told.len() == 1 && told[0].starts_with(wrong), "{told:?}");
        }
        let many: Vec<String> = (0..51).map(|at| format!("203.0.113.{at}")).collect();
        assert!(Networks::typed(&many).is_err());
    }

    #[test]
    fn an_address_is_let_in_however_its_connection_spells_it() {
        let networks = typed(&["203.0.113.0/24", "2001:db8::/32"]).unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for inside in ["203.0.113.255", "::ffff:203.0.113.1", "2001:db8:ffff::1"] {
            assert!(networks.lets_in(ip(inside)), "{inside}");
        }
        for outside in ["203.0.114.0", "::ffff:203.0.114.1", "2001:db9::1", "::1"] {
            assert!(!networks.lets_in(ip(outside)), "{outside}");
        }
        assert!(Networks::default().lets_in(ip("192.0.2.1")));
    }
}
