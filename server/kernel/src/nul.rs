//! The one character that Postgres does not keep: texts with a NUL are refused where they come in, so that both databases
//! answer alike.

/// Returns true if both databases keep the text: Postgres takes no NUL.
pub fn storable(text: &str) -> bool {
    !text.contains('\0')
}

/// Returns true if an address holds a NUL, as it is or percent-encoded.
pub fn url_holds_nul(url: &str) -> bool {
    url.contains('\0') || url.contains("%00")
}

/// Returns true if a form holds a NUL, as it is or percent-encoded.
pub fn form_holds_nul(body: &[u8]) -> bool {
    body.contains(&0) || body.windows(3).any(|three| three == b"%00")
}

/// Returns true if a JSON text holds a NUL, as it is or escaped.
pub fn json_holds_nul(body: &[u8]) -> bool {
    let mut rest = body;
    loop {
        match rest {
            [] => return false,
            [0, ..] | [b'\\', b'u', b'0', b'0', b'0', b'0', ..] => return true,
            // An escaped backslash begins no escape of its own.
            [b'\\', _, after @ ..] | [_, after @ ..] => rest = after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_found_in_every_spelling() {
        for held in ["\"\\u0000\"", "a\0b", "\"x\\\\\\u0000\""] {
            assert!(json_holds_nul(held.as_bytes()), "{held:?}");
        }
        for none in ["", "\\", "\"\\\\u0000\"", "%00", "u0000", "\"\\u0001\""] {
            assert!(!json_holds_nul(none.as_bytes()), "{none:?}");
        }
        assert!(form_holds_nul(b"a=%00") && form_holds_nul(b"a=\0"));
        assert!(!form_holds_nul(b"a=%2500&b=\\u0000"));
        assert!(url_holds_nul("/x?q=%00") && !url_holds_nul("/x?q=%2500"));
    }
}
