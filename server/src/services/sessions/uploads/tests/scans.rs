//! Files and a virus scanner: what it finds is refused and gone, and what it does not answer is refused, too.
//!
//! The scanner here speaks clamd's protocol. The contract runs against a real clamd as well, if `TESSERA_TEST_CLAMD` holds its
//! address as `uploads.clamd` takes it; that one needs a signature for [`EICAR`], which the database of `ClamAV` has.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::scan::{Scan, ScanResult};
use super::*;
use crate::config::{Config, Scanner};

on_both!(
    what_the_scanner_finds_is_refused_and_gone,
    what_the_scanner_does_not_answer_is_refused,
    a_clean_file_is_kept_with_the_scanner_as_without
);

/// The test file of antivirus programs (EICAR, 2003), in two halves, so that no program takes this source for it.
const EICAR: [&str; 2] = [
    r"X5O!P%@AP[4\PZX54(P^)7CC)7}$",
    "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
];

/// Ways in which a scanner may behave.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Answers,
    /// Hangs up after the first piece.
    HangsUp,
    /// Answers something else.
    Fails,
    /// Answers nothing and closes.
    Silent,
}

/// Starts a scanner; returns its address.
async fn clamd(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp:{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Whoever hangs up in the middle ends its own connection alone.
            tokio::spawn(async move { serve(stream, manner).await.ok() });
        }
    });
    address
}

async fn serve(mut stream: TcpStream, manner: Manner) -> std::io::Result<()> {
    let mut command = [0; 10];
    stream.read_exact(&mut command).await?;
    assert_eq!(&command, b"zINSTREAM\0");
    let mut file = Vec::new();
    loop {
        let length = stream.read_u32().await? as usize;
        if length == 0 {
            break;
        }
        let start = file.len();
        file.resize(start + length, 0);
        stream.read_exact(&mut file[start..]).await?;
        if matches!(manner, Manner::HangsUp) {
            return Ok(());
        }
    }
    let eicar = EICAR.concat();
    let infected = file
        .windows(eicar.len())
        .any(|part| part == eicar.as_bytes());
    let answer: &[u8] = match manner {
        Manner::Answers if infected => b"stream: Eicar-Test-Signature FOUND\0",
        Manner::Answers => b"stream: OK\0",
        Manner::Fails => b"INSTREAM size limit exceeded. ERROR\0",
        Manner::Silent | Manner::HangsUp => b"",
    };
    stream.write_all(answer).await
}

fn config(clamd: &str) -> Config {
    let mut config = Config::default();
    config.uploads.clamd = clamd.to_owned();
    config
}

/// A picture with the test file behind its head, longer than one piece.
fn infected() -> Vec<u8> {
    let mut file = png(CHUNK + 500, 1);
    file.extend_from_slice(EICAR.concat().as_bytes());
    file
}

#[tokio::test]
async fn the_contract_of_a_scanner() {
    let mut addresses = vec![clamd(Manner::Answers).await];
    addresses.extend(std::env::var("TESSERA_TEST_CLAMD"));
    for address in addresses {
        let scanner = Scanner::parse(&address).unwrap();
        let ask = async |file: &[u8]| {
            let mut scan = Scan::begin(&scanner).await.unwrap();
            for piece in file.chunks(7_001) {
                scan.feed(piece).await.unwrap();
            }
            scan.feed(b"").await.unwrap();
            scan.verdict().await.unwrap()
        };
        assert_eq!(ask(&png(300_000, 1)).await, ScanResult::Clean, "{address}");
        assert_eq!(ask(b"").await, ScanResult::Clean, "{address}");
        let found = ask(EICAR.concat().as_bytes()).await;
        let ScanResult::Found(name) = found else {
            panic!("{address}: {found:?}");
        };
        assert!(name.to_lowercase().contains("eicar"), "{address}: {name}");
    }
}

async fn what_the_scanner_finds_is_refused_and_gone(db: Db) {
    let desk = CardDesk::with(db, config(&clamd(Manner::Answers).await)).await;
    let step = desk.at_first().await;
    let refused = refusal(desk.send(&step, "id_front", &infected()).await);
    assert_eq!(refused.code, Code::InvalidField);
    let message = refused.message.unwrap_or_default();
    assert!(message.contains("malware"), "{message}");
    desk.left((0, 0)).await;
    // The nonce is as good as before.
    desk.send(&step, "id_front", &png(1_000, 1)).await.unwrap();
}

async fn what_the_scanner_does_not_answer_is_refused(db: Db) {
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("tcp:{}", closed.local_addr().unwrap());
    drop(closed);
    let mut addresses = vec![nobody, "unix:/nowhere/clamd.ctl".to_owned()];
    for manner in [Manner::HangsUp, Manner::Fails, Manner::Silent] {
        addresses.push(clamd(manner).await);
    }
    let desk = CardDesk::new(db).await;
    let step = desk.at_first().await;
    for address in addresses {
        let mut state = desk.world.state.clone();
        state.scanner = Scanner::parse(&address).map(std::sync::Arc::new);
        for file in [png(1_000, 1), png(CHUNK + 500, 2)] {
            let attempt = async {
                let new = desk.upload(&step, "id_front");
                let mut incoming = begin(&state, &desk.world.client.named(), new).await?;
                for piece in file.chunks(10_007) {
                    incoming.take(piece).await?;
                }
                incoming.finish().await
            };
            let refused = tokio::time::timeout(Duration::from_secs(20), attempt).await;
            assert_eq!(
                code(refused.unwrap()),
                Code::ServiceUnavailable,
                "{address}"
            );
            desk.left((0, 0)).await;
        }
    }
}

async fn a_clean_file_is_kept_with_the_scanner_as_without(db: Db) {
    let desk = CardDesk::with(db, config(&clamd(Manner::Answers).await)).await;
    let step = desk.at_first().await;
    for size in [12, CHUNK, 3 * CHUNK + 77] {
        let file = png(size, size as u64);
        let arrived = desk.send(&step, "id_front", &file).await.unwrap();
        assert!(read(&desk, step.session, arrived.upload_id).await.unwrap() == file);
    }
}
