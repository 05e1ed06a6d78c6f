//! Keys as people copy them: PEM (RFC 7468) with whatever the tools of this world put around it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a text holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Pasted {
    /// Something private, wherever in the text it stands.
    Private,
    /// The first public key or certificate.
    Public(Label, Vec<u8>),
    /// A block that is not base64 inside, or never ends.
    Broken,
    /// No block at all.
    Nothing,
}

/// What a block says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A `SubjectPublicKeyInfo` (RFC 5280, section 4.1).
    PublicKey,
    /// An `RSAPublicKey` (RFC 8017, appendix A.1.1).
    RsaPublicKey,
    Certificate,
}

const LABELS: [(&str, Label); 5] = [
    ("PUBLIC KEY", Label::PublicKey),
    ("RSA PUBLIC KEY", Label::RsaPublicKey),
    ("CERTIFICATE", Label::Certificate),
    ("X509 CERTIFICATE", Label::Certificate),
    ("TRUSTED CERTIFICATE", Label::Certificate),
];
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const RULE: &str = "-----";

/// Reads a text: attributes and comments around the blocks, headers inside, any line ends, a byte order mark, and line
/// ends that were written as `\n`.
pub fn read(text: &str) -> Pasted {
    let text = text
        .replace("\\r", "")
        .replace("\\n", "\n")
        .replace('\r', "\n");
    if is_private(&text) {
        return Pasted::Private;
    }
    let mut rest = text.as_str();
    let mut broken = false;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let Some((name, after)) = after.split_once(RULE) else {
            return Pasted::Broken;
        };
        let end = format!("{END}{name}{RULE}");
        let Some((inside, after)) = after.split_once(&end) else {
            return Pasted::Broken;
        };
        rest = after;
        let Some((_, label)) = LABELS.iter().find(|(known, _)| *known == name) else {
            continue;
        };
        match decoded(inside) {
            Some(bytes) => return Pasted::Public(*label, bytes),
            None => broken = true,
        }
    }
    if broken {
        Pasted::Broken
    } else {
        Pasted::Nothing
    }
}

/// Tells whether a text holds a private key: by the names of all usual formats, or by the first bytes of its DER.
fn is_private(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    if upper.contains("PRIVATE KEY") || upper.contains("PUTTY-USER-KEY-FILE") {
        return true;
    }
    // Without its frame: PKCS #8 and PKCS #1 begin with a sequence whose first member is the version, 0 or 1.
    let bare = decoded(text).unwrap_or_default();
    let version = bare
        .windows(3)
        .take(5)
        .any(|it| matches!(it, [2, 1, 0 | 1]));
    bare.first() == Some(&0x30) && version
}

/// The bytes between the lines of a block, without headers (RFC 1421, section 4.6) and white space.
fn decoded(inside: &str) -> Option<Vec<u8>> {
    let mut base64 = String::with_capacity(inside.len());
    let mut in_header = false;
    for line in inside.lines() {
        in_header = line.contains(':') || (in_header && line.starts_with([' ', '\t']));
        if !in_header {
            let is_seen = |c: &char| !c.is_whitespace() && !matches!(c, '\u{200b}' | '\u{feff}');
            base64.extend(line.chars().filter(is_seen));
        }
    }
    STANDARD
        .decode(base64)
        .ok()
        .filter(|bytes| !bytes.is_empty())
}
