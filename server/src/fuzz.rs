//! Random bytes for everything that reads bytes from outside: seeds, changed a little or much, thousands of times in each
//! test run, and for as long as wanted by `cargo xtask fuzz`.
//!
//! A reader that panics, overflows its stack, hangs or breaks its promise ends the test; the input that did it is printed.
//! `TESSERA_FUZZ_SECONDS` is how long each reader is tried, `TESSERA_FUZZ_SEED` where the dice begin.

mod readers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Inputs of each reader in an ordinary test run.
const ROUNDS: u32 = 2_000;
/// The longest input.
const LONGEST: usize = 64 * 1024;

/// xorshift64*: repeatable, and random enough for this.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.roll() % most.max(1) as u64).unwrap()
    }
}

/// Byte sequences that often break parsers, inserted at random places.
const TOKENS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\\u0022",
    b"\\u005c",
    b"\\ud800",
    b"\\udc00",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\0",
    b"\r\n",
    b"\n",
    b"--",
    b"-----BEGIN ",
    b"-----END PUBLIC KEY-----",
    b"PRIVATE KEY",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xed\xa0\x80",
    b"%00",
    b"%",
    b"&",
    b"=",
    b";",
    b".",
    b"..",
    b"@",
    b"://",
    b"[::1]",
    b"127.0.0.1",
    b"0x7f",
    b"e999",
    b"-0",
    b"1e-400",
    b"NaN",
    b"$serde_json::private::RawValue",
    b"$serde_json::private::Number",
    b"name*=UTF-8''",
    b"boundary=",
    b"\x30\x82",
    b"\x02\x01",
    b"9223372036854775808",
    b"null",
    b"true",
    b"tsr_sbx_cs_",
    "ș".as_bytes(),
    "\u{202e}".as_bytes(),
    "①".as_bytes(),
];

fn mutated(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..dice.below(8) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            4 => {
                let end = at + dice.below(bytes.len() + 1 - at);
                let part = bytes[at..end].to_vec();
                let copies = 1 + dice.below(20);
                for _ in 0..copies {
                    if bytes.len() + part.len() < LONGEST {
                        bytes.splice(at..at, part.iter().copied());
                    }
                }
            }
            5 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            6 => {
                let end = at + dice.below(bytes.len() + 1 - at);
                drop(bytes.drain(at..end));
            }
            _ => {
                let token = TOKENS[dice.below(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Tries one reader.
fn fuzz(name: &str, seeds: &[&[u8]], reads: impl Fn(&[u8])) {
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.to_vec()).collect();
    let seconds = setting("TESSERA_FUZZ_SECONDS");
    let begin = setting("TESSERA_FUZZ_SEED").unwrap_or(0x5eed) | 1;
    let mut dice = Dice(begin);
    let started = Instant::now();
    let mut rounds = 0_u32;
    let mut slowest = Duration::ZERO;
    let goes_on = |rounds: u32| match seconds {
        Some(seconds) => started.elapsed() < Duration::from_secs(seconds),
        None => rounds < ROUNDS,
    };
    while goes_on(rounds) {
        let input = match usize::try_from(rounds).ok().and_then(|at| seeds.get(at)) {
            Some(seed) => seed.clone(),
            None => mutated(&mut dice, &seeds),
        };
        let before = Instant::now();
        let read = catch_unwind(AssertUnwindSafe(|| reads(&input)));
        slowest = slowest.max(before.elapsed());
        assert!(
            read.is_ok(),
            "{name} failed in round {rounds} from seed {begin} on:\n{}\n{input:?}",
            String::from_utf8_lossy(&input)
        );
        rounds += 1;
    }
    if seconds.is_some() {
        println!("{name}: {rounds} inputs, the slowest took {slowest:?}");
    }
}
