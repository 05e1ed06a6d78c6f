//! Files that people send along with steps: what kinds of content are taken, told by the content itself.

words! {
    /// What a file is, by its first bytes. A name or a header may say anything.
    MediaType {
        Pdf = "application/pdf",
        Png = "image/png",
        Jpeg = "image/jpeg",
        WebP = "image/webp",
    }
}

impl MediaType {
    /// So many bytes of a file's beginning settle what it is.
    pub const HEAD: usize = 12;
    /// As said to whoever sent something else.
    pub const TAKEN: &'static str = "must be a PDF, PNG, JPEG or WebP file: its first bytes say otherwise, whatever its name is";

    /// What a file with this beginning is, if it is of a kind that is taken.
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

#[cfg(test)]
mod tests {
    use super::*;

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
