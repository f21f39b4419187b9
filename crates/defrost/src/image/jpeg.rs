//! What the JPEG decoder leaves to us: noticing that a file ends early, decoding at a part of the size and, as an option,
//! libjpeg-turbo's exact pixels.

use super::Picture;
#[cfg(not(feature = "turbojpeg"))]
use super::decode::repeated;

/// Whether the first picture of a JPEG file has its end marker. Decoders fill what is missing with grey instead.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    // Nearly all files end so; the walk below is for those with something behind the picture.
    bytes.ends_with(&[0xFF, END]) || has_end_marker(bytes)
}

const END: u8 = 0xD9;

/// Walks the markers: segments are skipped by their length (a thumbnail inside has an end marker of its own), coded data up to
/// the next byte pair that is a marker.
fn has_end_marker(bytes: &[u8]) -> bool {
    const SCAN: u8 = 0xDA;
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        match *rest {
            [0xFF, END, ..] => return true,
            // Fill bytes, an escaped 0xFF, restart markers: no segment follows.
            [0xFF, 0xFF, ..] => rest = &rest[1..],
            [0xFF, 0x00 | 0x01 | 0xD0..=0xD7, ..] => rest = coded_data_skipped(&rest[2..]),
            [0xFF, marker, high, low, ..] => {
                let Some(after) = rest.get(2 + usize::from(u16::from_be_bytes([high, low]))..) else { return false };
                rest = if marker == SCAN { coded_data_skipped(after) } else { after };
            }
            [0xFF, ..] | [] => return false,
            _ => rest = coded_data_skipped(rest),
        }
    }
}

/// Colour components by the frame header, or `None` where it isn't reached.
pub(super) fn components(bytes: &[u8]) -> Option<u8> {
    let mut rest = bytes.get(2..)?;
    loop {
        match *rest {
            [0xFF, 0xFF, ..] => rest = &rest[1..],
            // The frame headers: marker, length, bits, height, width, components. The others of this row define tables.
            [0xFF, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF, ..] => return rest.get(9).copied(),
            [0xFF, _, high, low, ..] => rest = rest.get(2 + usize::from(u16::from_be_bytes([high, low]))..)?,
            _ => return None,
        }
    }
}

fn coded_data_skipped(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().position(|&byte| byte == 0xFF).unwrap_or(bytes.len())..]
}

/// The picture of `sides` (width, height) at one part in `reduction` (2, 4 or 8) of them, rounded up: each block of 8 × 8
/// frequencies is turned into so many fewer pixels. `None` where that can't be done; the whole picture tells then what is wrong.
pub(super) fn reduced(bytes: &[u8], sides: [usize; 2], reduction: usize) -> Option<Picture> {
    #[cfg(feature = "turbojpeg")]
    return turbo(bytes, sides, reduction);
    #[cfg(not(feature = "turbojpeg"))]
    return portable(bytes, sides, reduction);
}

#[cfg(not(feature = "turbojpeg"))]
fn portable(bytes: &[u8], sides: [usize; 2], reduction: usize) -> Option<Picture> {
    use jpeg_decoder::PixelFormat;

    let [width, height] = sides.map(|side| side.div_ceil(reduction));
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    // The smallest of its scales that reaches one of these sides.
    let scaled = decoder.scale(u16::try_from(width).ok()?, u16::try_from(height).ok()?).ok()?;
    if (usize::from(scaled.0), usize::from(scaled.1)) != (width, height) {
        return None;
    }
    let samples = decoder.decode().ok()?;
    let pixels = match decoder.info()?.pixel_format {
        PixelFormat::RGB24 => samples,
        PixelFormat::L8 => repeated(&samples),
        PixelFormat::L16 | PixelFormat::CMYK32 => return None,
    };
    (pixels.len() == width * height * 3).then(|| Picture::new(width, height, pixels))
}

/// The picture by libjpeg-turbo (accurate integer DCT, smooth chroma upsampling: Pillow's pixels), at one part in `reduction` of
/// its `sides`; or `None` for CMYK and YCCK, which it doesn't turn into RGB, and for what it can't read.
#[cfg(feature = "turbojpeg")]
pub(super) fn turbo(bytes: &[u8], sides: [usize; 2], reduction: usize) -> Option<Picture> {
    let mut decompressor = turbojpeg::Decompressor::new().ok()?;
    let header = decompressor.read_header(bytes).ok()?;
    let has_rgb = !matches!(header.colorspace, turbojpeg::Colorspace::CMYK | turbojpeg::Colorspace::YCCK);
    if !has_rgb || [header.width, header.height] != sides || (header.is_lossless && reduction > 1) {
        return None;
    }
    decompressor.set_scaling_factor(turbojpeg::ScalingFactor::new(1, reduction)).ok()?;
    let [width, height] = sides.map(|side| side.div_ceil(reduction));
    let mut pixels = vec![0; width * height * 3];
    let format = turbojpeg::PixelFormat::RGB;
    let output = turbojpeg::Image { pixels: pixels.as_mut_slice(), width, pitch: width * 3, height, format };
    decompressor.decompress(bytes, output).ok()?;
    Some(Picture::new(width, height, pixels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_stand_in_the_frame_header() {
        let frame =
            b"\xFF\xD8\xFF\xE0\x00\x04\xFF\xC0\xFF\xC4\x00\x03\xC2\xFF\xFF\xC2\x00\x14\x08\x00\x01\x00\x02\x04\x01";
        assert_eq!(components(frame), Some(4));
        assert_eq!(components(&frame[..frame.len() - 2]), None);
        assert_eq!(components(b"\xFF\xD8\xFF\xDA"), None);
    }

    #[test]
    fn an_end_marker_inside_a_segment_does_not_count() {
        let start = b"\xFF\xD8\xFF\xE1\x00\x06\xFF\xD8\xFF\xD9\xFF\xDA\x00\x02";
        let coded = b"\x12\xFF\x00\x34\xFF\xD0\x56\xFF\xFF\xC4\x00\x03\x00\xFF\xDA\x00\x02\x78";
        let whole = [&start[..], coded, b"\xFF\xD9"].concat();
        assert!(has_end_marker(&whole));
        assert!(is_complete(&[&whole[..], b"something behind"].concat()));
        let cuts = 0..whole.len();
        assert!(cuts.len() > 20);
        for cut in cuts {
            assert!(!has_end_marker(&whole[..cut]), "cut at {cut}");
        }
    }
}
