//! Which format a file is in, by its first bytes and by its name.

use std::fmt;
use std::path::Path;

/// A picture format that is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// JPEG, also MPO (its first picture).
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    WebP,
    /// GIF.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF.
    Tiff,
    /// HEIC, the format of many phones: recognised, not decoded.
    Heic,
    /// AVIF: recognised, not decoded.
    Avif,
}

impl Format {
    /// The format that a file's first bytes (32 are enough) tell of, whatever its name.
    pub fn of(bytes: &[u8]) -> Option<Format> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Some(Format::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Format::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(Format::Tiff),
            [b'B', b'M', ..] => Some(Format::Bmp),
            [a, b, c, d, b'f', b't', b'y', b'p', brands @ ..] => {
                let size = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                of_brands(&brands[..brands.len().min(size.saturating_sub(8))])
            }
            _ => None,
        }
    }
}

/// The format by an ISO media file's brands: the major one, four bytes of version, the compatible ones. `mif1` and `msf1` only
/// say "pictures in this container"; AVIF files then list `avif` among the compatible brands.
fn of_brands(brands: &[u8]) -> Option<Format> {
    let major = brands.get(..4)?;
    let compatible = || brands.chunks_exact(4).skip(2);
    let is_avif = |brand: &[u8]| matches!(brand, b"avif" | b"avis");
    match major {
        b"avif" | b"avis" => Some(Format::Avif),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => Some(Format::Heic),
        b"mif1" | b"msf1" => Some(if compatible().any(is_avif) { Format::Avif } else { Format::Heic }),
        _ => None,
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            Format::Bmp => "BMP",
            Format::Tiff => "TIFF",
            Format::Heic => "HEIC",
            Format::Avif => "AVIF",
        })
    }
}

/// Whether a file's name promises a picture, in capitals or not. HEIC and AVIF count: they are reported, not overlooked.
pub fn is_picture_name(path: &Path) -> bool {
    const EXTENSIONS: [&str; 16] = [
        "jpg", "jpeg", "jpe", "jfif", "mpo", "png", "webp", "gif", "bmp", "dib", "tif", "tiff", "heic", "heif", "hif",
        "avif",
    ];
    path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_formats_are_told_by_their_brands() {
        let cases: [(&[u8], Option<Format>); 7] = [
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Some(Format::Heic)),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Some(Format::Heic)),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", Some(Format::Avif)),
            (b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf", Some(Format::Avif)),
            // The brands end where the box does.
            (b"\0\0\0\x14ftypmif1\0\0\0\0mif1avif", Some(Format::Heic)),
            (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", None),
            (b"\0\0\0\x18ftyp", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Format::of(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn names_are_compared_without_case() {
        for name in ["a.jpg", "a.JPEG", "b/c.Png", "IMG_1.HEIC", "x.tif", "y.avif"] {
            assert!(is_picture_name(Path::new(name)), "{name}");
        }
        for name in ["jpg", "notes.txt", "a.jpg.part", ".png", "movie.mp4"] {
            assert!(!is_picture_name(Path::new(name)), "{name}");
        }
    }
}
