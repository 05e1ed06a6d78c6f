//! The attackers: each plays one attack again and again from addresses of its own in 127.0.0.0/8, bounded in pace and count.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope};
use std::time::Duration;

use anyhow::{Context as _, Result};
use socket2::{Domain, Socket, Type};

use crate::bench::http::request;
use crate::bench::subject::Subject;

/// Connections that the slow attackers hold at once, each.
const HELD: usize = 500;
/// The time between two requests of a quick attacker.
const PACE: Duration = Duration::from_millis(20);
/// The time between two rounds of a slow attacker, in which each of its connections moves by a byte.
const ROUND: Duration = Duration::from_secs(2);
/// Longest time that a quick attacker waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One way to attack.
struct Attack {
    name: &'static str,
    kind: Kind,
    times: AtomicU64,
}

enum Kind {
    /// Sends these bytes, reads a little of the answer and closes.
    Quick(fn(&str, u64) -> Vec<u8>),
    /// Opens connections with the first bytes, then adds one byte now and then.
    Slow(fn(&str, u64) -> Vec<u8>),
}

/// All attackers.
pub struct Attackers {
    target: SocketAddr,
    attacks: Vec<Attack>,
    sent: AtomicU64,
}

impl Attackers {
    /// Attackers of the public listener of `subject`.
    pub fn new(subject: &Subject<'_>) -> Result<Self> {
        let target = subject.address().parse().context("the server's address")?;
        let quick = |name, make| (name, Kind::Quick(make));
        let slow = |name, make| (name, Kind::Slow(make));
        let attacks = [
            quick("JSON in JSON by a private name", nested_by_name),
            quick("brackets 10,000 deep", deep),
            quick("refusals with large bodies", refused),
            quick("paths that are not there", lost),
            quick("guesses at one account", guess),
            quick("registrations of one address", register),
            quick("returns from no bank", returned),
            quick("form bodies that announce more than they send", short),
            slow("heads that never end", half_head),
            slow("JSON bodies that never end", half_json),
            slow("form bodies that never end", half_form),
            slow("answers that nobody reads", unread),
        ];
        let attacks = attacks.map(|(name, kind)| Attack {
            name,
            kind,
            times: AtomicU64::new(0),
        });
        Ok(Self {
            target,
            attacks: attacks.into(),
            sent: AtomicU64::new(0),
        })
    }

    /// Starts one thread an attack; they end soon after `stop` is set.
    pub fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, stop: &'scope AtomicBool) {
        for (number, attack) in self.attacks.iter().enumerate() {
            let number = u8::try_from(number).unwrap_or(u8::MAX);
            scope.spawn(move || match attack.kind {
                Kind::Quick(make) => self.quick(attack, number, make, stop),
                Kind::Slow(make) => self.slow(attack, number, make, stop),
            });
        }
    }

    /// Returns the name of each attack, and the number of times it was played.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let one = |attack: &Attack| (attack.name, attack.times.load(Ordering::Relaxed));
        self.attacks.iter().map(one)
    }

    /// The bytes sent by all attackers.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn quick(
        &self,
        attack: &Attack,
        number: u8,
        make: fn(&str, u64) -> Vec<u8>,
        stop: &AtomicBool,
    ) {
        let host = self.target.to_string();
        while !stop.load(Ordering::Relaxed) {
            let time = attack.times.fetch_add(1, Ordering::Relaxed);
            // A refused connection is what the server owes an attacker.
            if let Ok(mut stream) = self.connect(number, time) {
                let bytes = make(&host, time);
                if stream.write_all(&bytes).is_ok() {
                    self.count(bytes.len());
                }
                let _ = stream.read(&mut [0; 1024]);
            }
            thread::sleep(PACE);
        }
    }

    fn slow(&self, attack: &Attack, number: u8, make: fn(&str, u64) -> Vec<u8>, stop: &AtomicBool) {
        let host = self.target.to_string();
        let mut held: Vec<TcpStream> = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            held.retain_mut(|stream| stream.write_all(b"1").is_ok());
            self.count(held.len());
            while held.len() < HELD && !stop.load(Ordering::Relaxed) {
                let time = attack.times.fetch_add(1, Ordering::Relaxed);
                let Ok(mut stream) = self.connect(number, time) else {
                    break;
                };
                let bytes = make(&host, time);
                if stream.write_all(&bytes).is_err() {
                    break;
                }
                self.count(bytes.len());
                held.push(stream);
            }
            thread::sleep(ROUND);
        }
    }

    fn count(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Connects from one of 200 addresses that are this attacker's own.
    fn connect(&self, number: u8, time: u64) -> Result<TcpStream> {
        let last = u8::try_from(time % 200 + 1).unwrap_or(1);
        let from = IpAddr::V4(Ipv4Addr::new(127, 66, number, last));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(from, 0).into())?;
        socket.connect_timeout(&self.target.into(), PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(socket.into())
    }
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const SAME: (&str, &str) = ("Sec-Fetch-Site", "same-origin");

fn json(host: &str, body: &str) -> Vec<u8> {
    request("POST", host, "/v1/sessions", &[JSON], body)
}

fn form(host: &str, path: &str, body: &str) -> Vec<u8> {
    request("POST", host, path, &[FORM, SAME], body)
}

/// JSON whose strings are JSON again to a reader that gives this name a meaning: 40 levels of 126 brackets, of which none is
/// outside a string.
fn nested_by_name(host: &str, _: u64) -> Vec<u8> {
    const NAME: &str = "$serde_json::private::RawValue";
    let mut text = String::from("1");
    for _ in 0..40 {
        let escaped = text.replace('\\', "\\u005c").replace('"', "\\u0022");
        let (open, close) = ("[".repeat(125), "]".repeat(125));
        text = format!("{open}{{\"{NAME}\":\"{escaped}\"}}{close}");
    }
    let escaped = text.replace('\\', "\\u005c").replace('"', "\\u0022");
    json(host, &format!("{{\"a\":{{\"{NAME}\":\"{escaped}\"}}}}"))
}

fn deep(host: &str, _: u64) -> Vec<u8> {
    json(host, &format!("{{\"a\":{}", "[".repeat(10_000)))
}

fn refused(host: &str, time: u64) -> Vec<u8> {
    let body = format!(
        "{{\"client_id\":\"{time}\",\"client_app_key\":\"no\",\"skill\":\"{}\"}}",
        "x".repeat(16_000)
    );
    json(host, &body)
}

fn lost(host: &str, time: u64) -> Vec<u8> {
    request("GET", host, &format!("/v1/nothing/{time}"), &[], "")
}

fn guess(host: &str, time: u64) -> Vec<u8> {
    let body = format!("email=demo%40example.com&password=guess+number+{time}");
    form(host, "/signin", &body)
}

fn register(host: &str, time: u64) -> Vec<u8> {
    let body = format!(
        "company=Guess+{time}&name=Guess&email=victim%40example.com&country=RO&password=a+long+enough+guess+{time}"
    );
    form(host, "/start", &body)
}

fn returned(host: &str, time: u64) -> Vec<u8> {
    let path = format!("/v1/redirects/aisp?code=c{time}&state=s{time}");
    request("GET", host, &path, &[], "")
}

fn short(host: &str, _: u64) -> Vec<u8> {
    let head = format!(
        "POST /signin HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Sec-Fetch-Site: same-origin\r\nContent-Length: 60000\r\n\r\nemail="
    );
    head.into_bytes()
}

fn half_head(host: &str, _: u64) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-Slow: ").into_bytes()
}

fn half_json(host: &str, _: u64) -> Vec<u8> {
    let head = format!(
        "POST /v1/sessions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 262144\r\n\r\n"
    );
    (head + "{\"client_id\":\"" + &"x".repeat(200_000)).into_bytes()
}

fn half_form(host: &str, _: u64) -> Vec<u8> {
    let head = format!(
        "POST /signin HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Sec-Fetch-Site: same-origin\r\nContent-Length: 65536\r\n\r\n"
    );
    (head + "email=" + &"x".repeat(50_000)).into_bytes()
}

/// Many requests for a large answer, of which nothing is ever read.
fn unread(host: &str, _: u64) -> Vec<u8> {
    request("GET", host, "/v1/openapi.json", &[], "").repeat(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_attack_is_the_one_that_ended_the_server() {
        let bytes = nested_by_name("h", 0);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches("$serde_json::private::RawValue").count(), 41);
        assert!(text.len() < 262_144, "{}", text.len());
    }
}
