//! What a file tells of its picture without being decoded: what a viewer hides and a person may not expect.

use ::image::{ExtendedColorType, ImageDecoder};

use super::decode::{Header, decoder_of, header_of, orientation_of};
use super::{Format, ImageError, Limits, jpeg, jpeg_scan};

/// A file's peculiarities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// Format and size.
    pub header: Header,
    /// The EXIF orientation, 1 to 8; 1 is upright, also where there is none.
    pub orientation: u8,
    /// Bits of a sample.
    pub bits: u16,
    /// Whether the samples are inks, not light.
    pub cmyk: bool,
    /// Whether there is more than one frame; the first is the picture.
    pub animated: bool,
}

/// Reads what the file in `bytes` tells of its picture, without decoding it.
///
/// # Errors
/// As [`probe`](super::probe).
pub fn inspect(bytes: &[u8]) -> Result<Traits, ImageError> {
    let (format, mut decoder) = decoder_of(bytes, &Limits::NONE)?;
    let color = decoder.original_color_type();
    let channels = u16::from(color.channel_count()).max(1);
    let cmyk = matches!(color, ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16)
        || format == Format::Jpeg && jpeg::components(bytes) == Some(4);
    let orientation = orientation_of(&mut decoder);
    Ok(Traits {
        header: header_of(format, &decoder, orientation),
        orientation: orientation.to_exif(),
        bits: color.bits_per_pixel() / channels,
        cmyk,
        animated: is_animated(format, bytes),
    })
}

/// What is wrong with the coded pixels of a file that decoders show all the same, garbled from there on; `None` where nothing is.
/// Of JPEG only: the other formats' decoders refuse such a file.
pub fn damage(bytes: &[u8]) -> Option<&'static str> {
    match Format::of(bytes) {
        Some(Format::Jpeg) => jpeg_scan::damage(bytes),
        _ => None,
    }
}

fn is_animated(format: Format, bytes: &[u8]) -> bool {
    match format {
        Format::Gif => gif_frames(bytes).is_some_and(|frames| frames > 1),
        Format::Png => png_is_animated(bytes),
        // The extended header's flags: one of them says that frames follow.
        Format::WebP => bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & 0b10 != 0),
        _ => false,
    }
}

/// Frames of a GIF, at most two are counted; `None` where the file ends before its blocks do.
fn gif_frames(bytes: &[u8]) -> Option<usize> {
    const EXTENSION: u8 = 0x21;
    const FRAME: u8 = 0x2C;
    /// Bytes of a colour table, by the flags of the descriptor before it.
    fn table(flags: u8) -> usize {
        if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
    }
    let sub_blocks = |mut at: usize| loop {
        match *bytes.get(at)? {
            0 => break Some(at + 1),
            length => at += 1 + usize::from(length),
        }
    };
    let mut at = 13 + table(*bytes.get(10)?);
    let mut frames = 0;
    while frames < 2 {
        match *bytes.get(at)? {
            EXTENSION => at = sub_blocks(at + 2)?,
            FRAME => {
                frames += 1;
                // The descriptor, its table, the code size, then the coded pixels.
                at = sub_blocks(at + 10 + table(*bytes.get(at + 9)?) + 1)?;
            }
            _ => break,
        }
    }
    Some(frames)
}

/// Whether a PNG announces frames: such a chunk must come before the pixels.
fn png_is_animated(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let [a, b, c, d, kind @ ..] = rest
        && let Some(kind) = kind.get(..4)
    {
        match kind {
            b"acTL" => return true,
            b"IDAT" => return false,
            // Length, kind and check sum stand around the data.
            _ => {
                let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                rest = length.checked_add(12).and_then(|all| rest.get(all..)).unwrap_or_default();
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use ::image::codecs::gif::GifEncoder;
    use ::image::{DynamicImage, Frame, ImageFormat, RgbaImage};
    use proptest::prelude::*;

    use super::*;

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn gif(frames: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for _ in 0..frames {
            encoder.encode_frame(Frame::new(RgbaImage::new(20, 10))).unwrap();
        }
        drop(encoder);
        bytes
    }

    /// A PNG with another chunk right after its header.
    fn with_chunk(png: &[u8], kind: &[u8; 4]) -> Vec<u8> {
        let chunk = [&8u32.to_be_bytes()[..], kind, &[0; 8], &[0; 4]].concat();
        [&png[..33], &chunk, &png[33..]].concat()
    }

    #[test]
    fn frames_are_counted() {
        assert_eq!([1, 2, 5].map(|frames| inspect(&gif(frames)).unwrap().animated), [false, true, true]);
        let png = encoded(&DynamicImage::new_rgb8(4, 3), ImageFormat::Png);
        assert!(!is_animated(Format::Png, &png));
        assert!(!is_animated(Format::Png, &with_chunk(&png, b"tEXt")));
        assert!(is_animated(Format::Png, &with_chunk(&png, b"acTL")));
        let webp = encoded(&DynamicImage::new_rgb8(4, 3), ImageFormat::WebP);
        assert!(!is_animated(Format::WebP, &webp));
    }

    #[test]
    fn depth_and_size_are_told() {
        for (image, bits) in [
            (DynamicImage::new_rgb8(5, 4), 8),
            (DynamicImage::new_luma_a8(5, 4), 8),
            (DynamicImage::new_luma16(5, 4), 16),
            (DynamicImage::new_rgba16(5, 4), 16),
        ] {
            let traits = inspect(&encoded(&image, ImageFormat::Png)).unwrap();
            assert_eq!((traits.bits, traits.cmyk, traits.orientation), (bits, false, 1), "{:?}", image.color());
            assert_eq!(traits.header, Header { format: Format::Png, width: 5, height: 4 });
        }
        let jpeg = inspect(&encoded(&DynamicImage::new_rgb8(5, 4), ImageFormat::Jpeg)).unwrap();
        assert_eq!((jpeg.bits, jpeg.cmyk), (8, false));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(start in 0usize..3, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let start: &[u8] = [&b"GIF89a"[..], b"\x89PNG\r\n\x1a\n", b"\xFF\xD8\xFF\xC0\x00\x11\x08"][start];
            let bytes = [start, &bytes].concat();
            let _ = inspect(&bytes);
            let _ = (gif_frames(&bytes), png_is_animated(&bytes), jpeg::components(&bytes));
        }

        #[test]
        fn cut_and_altered_files_are_answered(cut in 0usize..400, at in 0usize..400, byte: u8) {
            for mut bytes in [gif(3), with_chunk(&encoded(&DynamicImage::new_rgb8(9, 9), ImageFormat::Png), b"acTL")] {
                bytes.truncate(cut);
                if let Some(altered) = bytes.get_mut(at) {
                    *altered = byte;
                }
                let _ = inspect(&bytes);
            }
        }
    }
}
