//! Keys as people copy them: PEM (RFC 7468) with whatever tools put around it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Content of a pasted text.
#[derive(Debug, PartialEq, Eq)]
pub enum Pasted {
    /// Something private, anywhere in the text.
    Private,
    /// The first public key or certificate: its DER. Labels are not relied on, because tools confuse them.
    Public(Vec<u8>),
    /// A block of something else that holds no key to verify with: its label.
    Other(String),
    /// A block that is not base64 inside, or never ends.
    Broken,
    /// No block at all.
    Nothing,
}

/// Labels of blocks that hold a public key end so.
const LABELS: [&str; 2] = ["PUBLIC KEY", "CERTIFICATE"];
/// Labels of blocks that people take for one of those.
const OTHERS: [&str; 3] = ["CERTIFICATE REQUEST", "PKCS7", "CMS"];
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
    let (mut broken, mut other) = (false, None);
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let Some((name, after)) = after.split_once(RULE) else {
            return Pasted::Broken;
        };
        let end = format!("{END}{name}{RULE}");
        let Some((inside, after)) = after.split_once(&end) else {
            return Pasted::Broken;
        };
        rest = after;
        if !LABELS.iter().any(|known| name.ends_with(known)) {
            let is_known = OTHERS.iter().any(|known| name.ends_with(known));
            other = other.or(is_known.then(|| name.to_owned()));
            continue;
        }
        match decoded(inside) {
            Some(bytes) => return Pasted::Public(bytes),
            None => broken = true,
        }
    }
    match other {
        _ if broken => Pasted::Broken,
        Some(name) => Pasted::Other(name),
        None => Pasted::Nothing,
    }
}

/// Returns `true` if a text holds a private key: by the names of all usual formats, or by the first bytes of its DER.
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
pub fn decoded(inside: &str) -> Option<Vec<u8>> {
    let mut base64 = String::with_capacity(inside.len());
    let mut in_header = false;
    for line in inside.lines() {
        in_header = line.contains(':') || (in_header && line.starts_with([' ', '\t']));
        if !in_header {
            // Mail programs put > in front of what they quote.
            let is_seen =
                |c: &char| !c.is_whitespace() && !matches!(c, '>' | '\u{200b}' | '\u{feff}');
            base64.extend(line.chars().filter(is_seen));
        }
    }
    STANDARD
        .decode(base64)
        .ok()
        .filter(|bytes| !bytes.is_empty())
}
