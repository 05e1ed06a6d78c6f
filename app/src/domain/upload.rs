//! Files that people send along with steps: what kinds of content are taken, told by the content itself.

string_enum! {
    /// Type of a file, determined by its first bytes. A name or a header may say anything.
    MediaType {
        Pdf = "application/pdf",
        Png = "image/png",
        Jpeg = "image/jpeg",
        WebP = "image/webp",
    }
}

impl MediaType {
    /// Bytes at the beginning of a file that suffice to tell its type.
    pub const HEAD: usize = 12;
    /// Message for a file of another type.
    pub const TAKEN: &'static str = "must be a PDF, PNG, JPEG or WebP file: its first bytes say otherwise, whatever its name is";

    /// Returns the type of a file that begins with `head`; `None` if files of its type are not accepted.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            // PNG, third edition, section 5.2.
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            // Start of image, and the marker that follows it (ITU-T T.81, annex B).
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            // RFC 9649, section 2.4.
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::WebP),
            _ => None,
        }
    }
}

/// The most pixels of an image. One of more is some kilobytes that fill the memory of whoever opens it.
pub const MOST_PIXELS: u64 = 40_000_000;

impl MediaType {
    /// Returns how many pixels an image has, as the header in these first bytes of it says; `None` if it says nothing.
    /// Nothing is decoded.
    pub fn pixels(self, head: &[u8]) -> Option<u64> {
        let (width, height) = match self {
            Self::Pdf => None,
            Self::Png => png_size(head),
            Self::Jpeg => jpeg_size(head),
            Self::WebP => webp_size(head),
        }?;
        Some(width.saturating_mul(height))
    }
}

/// A number at a place, its first byte the most significant.
fn big(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

/// A number at a place, its first byte the least significant.
fn little(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    let bytes = bytes.iter().rev();
    Some(bytes.fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// The first chunk is IHDR (PNG, third edition, section 11.2.1).
fn png_size(head: &[u8]) -> Option<(u64, u64)> {
    (head.get(12..16)? == b"IHDR").then_some((big(head, 16, 4)?, big(head, 20, 4)?))
}

/// The frame header, of whichever coding (ITU-T T.81, B.2.2), behind the segments before it.
fn jpeg_size(head: &[u8]) -> Option<(u64, u64)> {
    let mut at = 2;
    loop {
        if *head.get(at)? != 0xff {
            return None;
        }
        match *head.get(at + 1)? {
            // Fill bytes before a marker, and markers that stand alone.
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Some((big(head, at + 7, 2)?, big(head, at + 5, 2)?));
            }
            _ => at += 2 + usize::try_from(big(head, at + 2, 2)?).ok()?,
        }
    }
}

/// The first chunk (RFC 9649, sections 2.5 to 2.7; the bit streams: RFC 6386, section 9.1, and RFC 9649, section 3.4).
fn webp_size(head: &[u8]) -> Option<(u64, u64)> {
    match head.get(12..16)? {
        b"VP8 " => Some((little(head, 26, 2)? & 0x3fff, little(head, 28, 2)? & 0x3fff)),
        b"VP8L" => {
            let bits = little(head, 21, 4)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => Some((little(head, 24, 3)? + 1, little(head, 27, 3)? + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_how_large_an_image_is() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\x01\0\x08\x06\0\0\0";
        // Behind a comment, as cameras write it.
        let jpeg = b"\xff\xd8\xff\xfe\0\x05abc\xff\xff\xc2\0\x11\x08\x27\x10\x13\x88\x03";
        let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\xff\x3f\x10\0";
        let lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\xff\xff\xff\x0f";
        let extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\xff\xff\0\xff\0\0";
        let all: [(MediaType, &[u8], u64); 5] = [
            (MediaType::Png, png, 65_535 * 256),
            (MediaType::Jpeg, jpeg, 5_000 * 10_000),
            (MediaType::WebP, lossy, 16_383 * 16),
            (MediaType::WebP, lossless, 16_384 * 16_384),
            (MediaType::WebP, extended, 65_536 * 256),
        ];
        for (media, head, pixels) in all {
            assert_eq!(media.pixels(head), Some(pixels), "{media}");
            for cut in 0..head.len() - 1 {
                let part = head.get(..cut).unwrap_or_default();
                assert!(
                    media.pixels(part).is_none_or(|it| it == pixels),
                    "{media} {cut}"
                );
            }
        }
        let loops = [&b"\xff\xd8"[..], &b"\xff".repeat(100_000)].concat();
        assert_eq!(MediaType::Jpeg.pixels(&loops), None);
        assert_eq!(
            MediaType::Jpeg.pixels(b"\xff\xd8\xff\xe0\0\0\xff\xe0\0\0"),
            None
        );
        assert_eq!(MediaType::Pdf.pixels(b"%PDF-1.7"), None);
    }

    #[test]
    fn content_says_what_it_is() {
        let taken: [(&[u8], MediaType); 4] = [
            (b"%PDF-1.7\n", MediaType::Pdf),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", MediaType::Png),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", MediaType::Jpeg),
            (b"RIFF\x24\0\0\0WEBPVP8 ", MediaType::WebP),
        ];
        for (head, media) in taken {
            assert_eq!(MediaType::of(head), Some(media));
            let cut = head.len().min(MediaType::HEAD);
            assert_eq!(
                MediaType::of(&head[..cut]),
                Some(media),
                "the head is enough"
            );
            assert_eq!(MediaType::of(&head[1..]), None, "{media}");
        }
        let others: [&[u8]; 6] = [
            b"",
            b"%PDF",
            b"MZ\x90\0",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"RIFF\x24\0\0\0WAVEfmt ",
            b"GIF89a",
        ];
        for head in others {
            assert_eq!(MediaType::of(head), None);
        }
    }
}
