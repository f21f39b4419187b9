//! From a file's bytes to a [`Picture`], within limits.

use std::error::Error;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use super::orientation::upright;
use super::{Decoding, Format, Picture, jpeg};
use crate::fs::{self, FsError};

/// Why a file gives no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// There are no bytes.
    #[error("the file is empty; copy or download it again")]
    Empty,
    /// The first bytes are those of no known format.
    #[error("not a picture: the file starts with \"{start}\"; JPEG, PNG, WebP, GIF, BMP and TIFF can be read")]
    UnknownFormat {
        /// The first bytes, readable ones as text.
        start: String,
    },
    /// A phone's HEIC photograph.
    #[error(
        "HEIC pictures can't be read: convert it to JPEG (`heif-convert photo.heic photo.jpg`), and set the phone's camera \
         to JPEG (iPhone: Settings, Camera, Formats, Most Compatible)"
    )]
    Heic,
    /// An AVIF picture.
    #[error("AVIF pictures can't be read: convert it to PNG or JPEG (`avifdec photo.avif photo.png`)")]
    Avif,
    /// The file is larger than [`Limits::max_bytes`].
    #[error("the file has {bytes} bytes; at most {max_bytes} (`max_bytes`) are read")]
    TooManyBytes {
        /// Bytes of the file.
        bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// The header claims more pixels than [`Limits::max_pixels`].
    #[error("{width} × {height} pixels; at most {max_pixels} (`max_pixels`) are decoded: make the picture smaller")]
    TooManyPixels {
        /// Pixels in a row.
        width: u32,
        /// Number of rows.
        height: u32,
        /// The limit.
        max_pixels: u64,
    },
    /// A side is longer than [`Limits::max_side`].
    #[error("{width} × {height} pixels; a side may have at most {max_side} (`max_side`): make the picture smaller")]
    TooLong {
        /// Pixels in a row.
        width: u32,
        /// Number of rows.
        height: u32,
        /// The limit.
        max_side: u32,
    },
    /// The file ends before the picture does.
    #[error("the {format} file ends before its picture does; copy or download it again")]
    Truncated {
        /// The file's format.
        format: Format,
    },
    /// The bytes break the format's rules.
    #[error("the {format} file is damaged: {detail}")]
    Damaged {
        /// The file's format.
        format: Format,
        /// What the decoder says.
        detail: String,
    },
    /// The file is sound, but of a kind that isn't decoded.
    #[error("this kind of {format} can't be read ({detail}); save it as 8-bit RGB")]
    Unsupported {
        /// The file's format.
        format: Format,
        /// What the decoder says.
        detail: String,
    },
    /// The file can't be read at all.
    #[error(transparent)]
    Read(#[from] FsError),
    /// What is wrong with the file at `path`.
    #[error("{}: {source}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<ImageError>,
    },
}

/// What is decoded at most, so that a small hostile file can't ask for all the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pixels of a picture, `width · height`; 200 million by default.
    pub max_pixels: u64,
    /// Pixels of the longer side; 65,535 by default.
    pub max_side: u32,
    /// Bytes of a file; 512 MiB by default.
    pub max_bytes: u64,
    /// The side of the square that a picture is decoded for: a JPEG that has pixels to spare is decoded to fewer, by
    /// [`Decoding::Scaled`]'s rule. `None`, the default, decodes them all.
    pub enough_for: Option<usize>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_pixels: 200_000_000, max_side: 65_535, max_bytes: 512 << 20, enough_for: None }
    }
}

impl Limits {
    /// For reading headers, which takes no memory.
    pub(super) const NONE: Limits =
        Limits { max_pixels: u64::MAX, max_side: u32::MAX, max_bytes: u64::MAX, enough_for: None };

    fn check_bytes(&self, bytes: u64) -> Result<(), ImageError> {
        let max_bytes = self.max_bytes;
        if bytes > max_bytes { Err(ImageError::TooManyBytes { bytes, max_bytes }) } else { Ok(()) }
    }

    fn check_sides(&self, width: u32, height: u32) -> Result<(), ImageError> {
        let Limits { max_pixels, max_side, .. } = *self;
        if width.max(height) > max_side {
            return Err(ImageError::TooLong { width, height, max_side });
        }
        if u64::from(width) * u64::from(height) > max_pixels {
            return Err(ImageError::TooManyPixels { width, height, max_pixels });
        }
        Ok(())
    }
}

/// What a file's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The file's format.
    pub format: Format,
    /// Pixels in a row of the upright picture.
    pub width: usize,
    /// Rows of the upright picture.
    pub height: usize,
}

/// Decodes the picture in `bytes`, by the rules in the [module's text](super).
///
/// # Errors
/// When the bytes are no picture, exceed `limits`, are damaged, or are of a kind that isn't supported.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, ImageError> {
    if let Some(format) = Format::of(bytes).filter(|format| is_cut_off(*format, bytes)) {
        return Err(ImageError::Truncated { format });
    }
    let (format, mut decoder) = decoder_of(bytes, limits)?;
    let orientation = orientation_of(&mut decoder);
    let (width, height) = sides_of(&decoder);
    let picture = match scaled(format, bytes, [width, height], limits) {
        Some(picture) => picture,
        None => whole(format, bytes, decoder, [width, height])?,
    };
    Ok(upright(picture, orientation))
}

/// Decodes the file at `path`.
///
/// # Errors
/// As [`decode`], with the path; and when the file can't be read.
pub fn open(path: &Path, limits: &Limits) -> Result<Picture, ImageError> {
    let in_file = |source| ImageError::InFile { path: path.to_owned(), source: Box::new(source) };
    let bytes = std::fs::metadata(path).map_err(FsError::at("read", path))?.len();
    limits.check_bytes(bytes).map_err(in_file)?;
    decode(&fs::read(path)?, limits).map_err(in_file)
}

/// Format and size of the picture in `bytes`, without decoding it.
///
/// # Errors
/// When the bytes are no picture, or the header is damaged or of a kind that isn't supported. No limit applies.
pub fn probe(bytes: &[u8]) -> Result<Header, ImageError> {
    let (format, mut decoder) = decoder_of(bytes, &Limits::NONE)?;
    let orientation = orientation_of(&mut decoder);
    Ok(header_of(format, &decoder, orientation))
}

/// Which code decodes, with versions: a part of the feature cache's key, because decoders differ in single bits.
pub fn decoder_name(decoding: Decoding) -> &'static str {
    match (decoding, cfg!(feature = "turbojpeg")) {
        (Decoding::Full, false) => "zune-jpeg 0.5.15, image 0.25.10",
        (Decoding::Full, true) => "turbojpeg 1.5.1, image 0.25.10",
        (Decoding::Scaled, false) => "scaled jpeg-decoder 0.3.2, zune-jpeg 0.5.15, image 0.25.10",
        (Decoding::Scaled, true) => "scaled turbojpeg 1.5.1, image 0.25.10",
    }
}

/// A decoder that has read the header of `bytes` and found it within `limits`.
pub(super) fn decoder_of<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(Format, impl ImageDecoder + 'a), ImageError> {
    limits.check_bytes(bytes.len() as u64)?;
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    let format = Format::of(bytes)
        .ok_or_else(|| ImageError::UnknownFormat { start: bytes[..bytes.len().min(12)].escape_ascii().to_string() })?;
    let library = match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::WebP => ImageFormat::WebP,
        Format::Gif => ImageFormat::Gif,
        Format::Bmp => ImageFormat::Bmp,
        Format::Tiff => ImageFormat::Tiff,
        Format::Heic => return Err(ImageError::Heic),
        Format::Avif => return Err(ImageError::Avif),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), library);
    let mut memory = ::image::Limits::no_limits();
    // Four samples of 16 bits a pixel; what a decoder needs beside them is a fraction.
    memory.max_alloc = Some(limits.max_pixels.saturating_mul(8).max(64 << 20));
    reader.limits(memory);
    let decoder = reader.into_decoder().map_err(|error| explained(format, &error))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(ImageError::Damaged { format, detail: format!("{width} × {height} pixels") });
    }
    limits.check_sides(width, height)?;
    Ok((format, decoder))
}

/// Whether bytes are missing at the end, for the formats whose decoders don't say so plainly.
fn is_cut_off(format: Format, bytes: &[u8]) -> bool {
    match (format, bytes) {
        (Format::Jpeg, _) => !jpeg::is_complete(bytes),
        // The container states its size, without its first 8 bytes.
        (Format::WebP, [_, _, _, _, a, b, c, d, ..]) => {
            u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 8 > bytes.len() as u64
        }
        _ => false,
    }
}

/// What the header says of the upright picture.
pub(super) fn header_of(format: Format, decoder: &impl ImageDecoder, orientation: Orientation) -> Header {
    let (width, height) = sides_of(decoder);
    let (width, height) = match orientation.to_exif() {
        5..=8 => (height, width),
        _ => (width, height),
    };
    Header { format, width, height }
}

fn sides_of(decoder: &impl ImageDecoder) -> (usize, usize) {
    let (width, height) = decoder.dimensions();
    (width as usize, height as usize)
}

/// Damaged EXIF doesn't make a picture unreadable: viewers show it as stored.
pub(super) fn orientation_of(decoder: &mut impl ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

/// The picture at a part of its size, where that is asked for and enough.
fn scaled(format: Format, bytes: &[u8], sides: [usize; 2], limits: &Limits) -> Option<Picture> {
    let reduction = Decoding::reduction(sides, limits.enough_for.filter(|_| format == Format::Jpeg)?)?;
    jpeg::reduced(bytes, sides, reduction)
}

#[cfg_attr(not(feature = "turbojpeg"), expect(unused_variables, reason = "only libjpeg-turbo starts from the bytes"))]
fn whole(
    format: Format,
    bytes: &[u8],
    decoder: impl ImageDecoder,
    [width, height]: [usize; 2],
) -> Result<Picture, ImageError> {
    #[cfg(feature = "turbojpeg")]
    if let Some(picture) = (format == Format::Jpeg).then(|| jpeg::turbo(bytes, [width, height], 1)).flatten() {
        return Ok(picture);
    }
    let image = DynamicImage::from_decoder(decoder).map_err(|error| explained(format, &error))?;
    Ok(Picture::new(width, height, rgb8(image)))
}

/// RGB samples of 8 bits, by the rules in the module's text.
fn rgb8(image: DynamicImage) -> Vec<u8> {
    let high_bytes = |samples: Vec<u16>| samples.into_iter().map(|sample| (sample >> 8) as u8).collect::<Vec<u8>>();
    let from_unit = |samples: Vec<f32>| samples.into_iter().map(|sample| (sample * 255.0).round() as u8).collect();
    match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => over_white::<4>(&image.into_raw()),
        DynamicImage::ImageLuma8(image) => repeated(&image.into_raw()),
        DynamicImage::ImageLumaA8(image) => repeated(&over_white::<2>(&image.into_raw())),
        DynamicImage::ImageRgb16(image) => high_bytes(image.into_raw()),
        DynamicImage::ImageRgba16(image) => over_white::<4>(&high_bytes(image.into_raw())),
        DynamicImage::ImageLuma16(image) => repeated(&high_bytes(image.into_raw())),
        DynamicImage::ImageLumaA16(image) => repeated(&over_white::<2>(&high_bytes(image.into_raw()))),
        DynamicImage::ImageRgb32F(image) => from_unit(image.into_raw()),
        DynamicImage::ImageRgba32F(image) => over_white::<4>(&from_unit(image.into_raw())),
        other => other.to_rgb8().into_raw(),
    }
}

/// Each grey sample three times.
pub(super) fn repeated(grey: &[u8]) -> Vec<u8> {
    grey.iter().flat_map(|&sample| [sample; 3]).collect()
}

/// Pixels of `N` samples, the last one alpha, laid over white: `(c · a + 255 · (255 − a)) / 255`, rounded.
fn over_white<const N: usize>(samples: &[u8]) -> Vec<u8> {
    let (pixels, _) = samples.as_chunks::<N>();
    let laid = |sample: u8, alpha: u32| ((u32::from(sample) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
    pixels.iter().flat_map(|pixel| pixel[..N - 1].iter().map(|&sample| laid(sample, u32::from(pixel[N - 1])))).collect()
}

/// A decoder's error in our words.
fn explained(format: Format, error: &::image::ImageError) -> ImageError {
    // This variant passes its inner error's source off as its own.
    let outermost: &(dyn Error + 'static) = match error {
        ::image::ImageError::IoError(inner) => inner,
        other => other,
    };
    if ends_early(outermost) {
        return ImageError::Truncated { format };
    }
    let detail = innermost(outermost).to_string().trim_end().to_owned();
    match error {
        ::image::ImageError::Unsupported(_) => ImageError::Unsupported { format, detail },
        _ => ImageError::Damaged { format, detail },
    }
}

/// Whether the end of the file is at the bottom of `error`.
fn ends_early(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
        || error.source().is_some_and(ends_early)
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, innermost)
}
