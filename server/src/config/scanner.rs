//! The address of a virus scanner.

use std::path::PathBuf;

/// Address of clamd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scanner {
    /// Host and port.
    Tcp(String),
    /// Path of a socket.
    Unix(PathBuf),
}

impl Scanner {
    /// Reads `tcp:HOST:PORT` or `unix:PATH`; `None` for anything else.
    pub fn parse(address: &str) -> Option<Self> {
        if let Some(path) = address.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        let rest = address.strip_prefix("tcp:")?;
        let (host, port) = rest.rsplit_once(':')?;
        let port = port.parse::<u16>().ok().filter(|port| *port > 0);
        let is_host = !host.is_empty() && !host.contains(['/', '@', ' ']);
        (is_host && port.is_some()).then(|| Self::Tcp(rest.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused() {
        let tcp = |address: &str| Some(Scanner::Tcp(address.to_owned()));
        assert_eq!(Scanner::parse("tcp:127.0.0.1:3310"), tcp("127.0.0.1:3310"));
        assert_eq!(Scanner::parse("tcp:[::1]:3310"), tcp("[::1]:3310"));
        assert_eq!(Scanner::parse("tcp:clamd:3310"), tcp("clamd:3310"));
        let path = "/run/clamav/clamd.ctl";
        let unix = Scanner::parse(&format!("unix:{path}"));
        assert_eq!(unix, Some(Scanner::Unix(path.into())));
        for bad in [
            "clamd",
            "127.0.0.1:3310",
            "tcp:127.0.0.1",
            "tcp::3310",
            "tcp:clamd:0",
            "tcp:clamd:99999",
            "tcp://127.0.0.1:3310",
            "unix:clamd.ctl",
            "unix:",
            "http://clamd:3310",
        ] {
            assert_eq!(Scanner::parse(bad), None, "{bad}");
        }
    }
}
