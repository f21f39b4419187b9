//! Picture files of every format, whole and damaged.

#![expect(clippy::unwrap_used, reason = "a test may fail so")]

#[path = "../src/formula.rs"]
mod formula;

use std::path::{Path, PathBuf};

use defrost::image::{
    Decoding, Format, Header, ImageError, Limits, Picture, decode, decoder_name, open, probe, shrink, to_jpeg,
};
use defrost::rng::Stream;

const HEIGHT: usize = 12;
const WIDTH: usize = 20;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/pictures")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn decoded(name: &str) -> Picture {
    decode(&read(name), &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The formula picture that the lossless files hold.
fn original() -> Vec<u8> {
    formula::picture("file/picture", HEIGHT, WIDTH, 4)
}

/// The original, pixel by pixel through `change`.
fn changed(change: impl Fn([u8; 3]) -> [u8; 3]) -> Vec<u8> {
    original().as_chunks::<3>().0.iter().flat_map(|&pixel| change(pixel)).collect()
}

fn over_white(sample: u8, alpha: u8) -> u8 {
    let alpha = f64::from(alpha) / 255.0;
    (f64::from(sample) * alpha + 255.0 * (1.0 - alpha)).round() as u8
}

fn largest_difference(a: &Picture, b: &Picture) -> u8 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    a.pixels().iter().zip(b.pixels()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn lossless_files_follow_the_stated_rules() {
    let rgb = original();
    let grey = changed(|[r, _, _]| [r; 3]);
    let bilevel = changed(|[r, _, _]| [if r >= 128 { 255 } else { 0 }; 3]);
    let palette = changed(|pixel| pixel.map(|sample| sample / 52 * 51));
    let alpha = changed(|[r, g, b]| [r, g, b].map(|sample| over_white(sample, b)));
    let grey_alpha = changed(|[r, _, b]| [over_white(r, b); 3]);
    let cases: [(&[u8], &[&str]); 6] = [
        (
            &rgb,
            &[
                "picture.png",
                "picture.bmp",
                "picture.tiff",
                "picture.webp",
                "animated.webp",
                "lzw.tiff",
                "cmyk.tiff",
                "sixteen.png",
                "sixteen.tiff",
                "float.tiff",
            ],
        ),
        (&grey, &["grey.png", "grey.bmp", "grey.tiff"]),
        (&bilevel, &["bilevel.png", "bilevel.bmp", "bilevel.tiff"]),
        (&palette, &["palette.png", "palette.bmp", "palette.gif", "animated.gif"]),
        (&alpha, &["alpha.png", "alpha.webp"]),
        (&grey_alpha, &["grey_alpha.png"]),
    ];
    for (expected, names) in cases {
        for name in names {
            let picture = decoded(name);
            assert_eq!((picture.width(), picture.height()), (WIDTH, HEIGHT), "{name}");
            let apart = picture.pixels().iter().zip(expected).filter(|(ours, theirs)| ours != theirs).count();
            assert_eq!(apart, 0, "samples of {name} that differ");
        }
    }
}

#[test]
fn jpeg_pixels_are_near_those_of_libjpeg() {
    let exact = cfg!(feature = "turbojpeg");
    // By how much zune-jpeg's inverse transform and chroma upsampling may differ.
    for (name, bound) in [("444", 3), ("grey", 3), ("420", 28), ("422", 28), ("progressive", 28)] {
        let (ours, theirs) = (decoded(&format!("{name}.jpg")), decoded(&format!("{name}.decoded.png")));
        let difference = largest_difference(&ours, &theirs);
        assert!(difference <= if exact { 0 } else { bound }, "{name}: {difference} apart");
    }
    for name in ["cmyk", "ycck"] {
        let difference = largest_difference(&decoded(&format!("{name}.jpg")), &decoded(&format!("{name}.decoded.png")));
        assert!(difference <= 4, "{name}: {difference} apart");
    }
}

/// `exif.jpg` with another EXIF orientation.
fn with_orientation(orientation: u8) -> Vec<u8> {
    let mut bytes = read("exif.jpg");
    let start = bytes.windows(4).position(|window| window == b"Exif").unwrap();
    // Tag 0x0112, type 3 (short), count 1, then the value; Pillow writes either byte order.
    let big: &[u8] = &[0x01, 0x12, 0, 3, 0, 0, 0, 1, 0];
    let little: &[u8] = &[0x12, 0x01, 3, 0, 1, 0, 0, 0];
    let find = |entry: &[u8]| bytes[start..].windows(entry.len()).position(|window| window == entry);
    let at = find(big).map(|at| at + big.len()).or_else(|| find(little).map(|at| at + little.len())).unwrap();
    bytes[start + at] = orientation;
    bytes
}

#[test]
fn exif_orientation_is_applied() {
    let limits = Limits::default();
    let stored = decode(&with_orientation(1), &limits).unwrap();
    let pixel = |picture: &Picture, y: usize, x: usize| picture.pixels()[(y * picture.width() + x) * 3..][..3].to_vec();
    let (bottom, right) = (stored.height() - 1, stored.width() - 1);
    // Where the stored picture's pixel (3, 5) is shown: a viewer's rule for each of the eight.
    let shown = [
        (3, 5),
        (3, right - 5),
        (bottom - 3, right - 5),
        (bottom - 3, 5),
        (5, 3),
        (5, bottom - 3),
        (right - 5, bottom - 3),
        (right - 5, 3),
    ];
    for (orientation, (y, x)) in (1..).zip(shown) {
        let bytes = with_orientation(orientation);
        let picture = decode(&bytes, &limits).unwrap();
        assert_eq!(pixel(&picture, y, x), pixel(&stored, 3, 5), "orientation {orientation}");
        let header = Header { format: Format::Jpeg, width: picture.width(), height: picture.height() };
        assert_eq!(probe(&bytes).unwrap(), header, "orientation {orientation}");
    }
}

#[test]
fn a_cut_file_is_said_to_end_early() {
    let names = [
        "444.jpg",
        "progressive.jpg",
        "picture.png",
        "picture.webp",
        "lossy.webp",
        "palette.gif",
        "picture.bmp",
        "picture.tiff",
    ];
    let mut tried = 0;
    for name in names {
        let whole = read(name);
        for keep in (1..whole.len()).filter(|keep| *keep < 64 || keep % 7 == 0 || whole.len() - keep < 64) {
            match decode(&whole[..keep], &Limits::default()) {
                // A few last bytes (PNG's end chunk, GIF's trailer) carry no pixels.
                Ok(_) => assert!(keep + 16 > whole.len(), "{name} cut to {keep} of {} bytes is read", whole.len()),
                Err(ImageError::Truncated { .. }) => {}
                // GIF's decoder has no error kind of its own for it.
                Err(ImageError::Damaged { detail, .. }) if detail == "Unexpected End of File" => {}
                Err(ImageError::UnknownFormat { .. }) => assert!(keep < 12, "{name} cut to {keep} bytes"),
                Err(error) => panic!("{name} cut to {keep} of {} bytes: {error}", whole.len()),
            }
            tried += 1;
        }
    }
    assert!(tried > 400, "{tried}");
}

#[test]
fn damaged_files_never_panic() {
    let mut tried = 0;
    let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names.iter().filter(|path| path.extension().is_some_and(|extension| extension != "py")) {
        let whole = std::fs::read(path).unwrap();
        for attempt in 0..100 {
            let mut random = Stream::new(attempt, "damage", &[]);
            let mut bytes = whole.clone();
            for _ in 0..=random.below(8) {
                let bit = random.below(8 * bytes.len() as u32);
                bytes[bit as usize / 8] ^= 1 << (bit % 8);
            }
            if attempt % 4 == 0 {
                bytes.truncate(random.below(bytes.len() as u32) as usize);
            }
            for enough_for in [None, Some(2)] {
                if let Ok(picture) = decode(&bytes, &Limits { enough_for, ..limits }) {
                    assert_eq!(picture.pixels().len(), picture.width() * picture.height() * 3);
                }
            }
            let _ = probe(&bytes);
            tried += 1;
        }
    }
    assert!(tried >= 3000, "{tried}");
}

#[test]
fn limits_are_checked_before_anything_is_decoded() {
    let limits = |limits: Limits| decode(&read("picture.png"), &limits).unwrap_err().to_string();
    assert_eq!(
        limits(Limits { max_pixels: 239, ..Limits::default() }),
        "20 × 12 pixels; at most 239 (`max_pixels`) are decoded: make the picture smaller"
    );
    assert_eq!(
        limits(Limits { max_side: 19, ..Limits::default() }),
        "20 × 12 pixels; a side may have at most 19 (`max_side`): make the picture smaller"
    );
    assert!(limits(Limits { max_bytes: 10, ..Limits::default() }).contains("at most 10 (`max_bytes`) are read"));
    // A header that claims 60,000 × 60,000 pixels.
    let mut huge = read("picture.bmp");
    huge[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
    huge[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
    assert!(matches!(decode(&huge, &Limits::default()), Err(ImageError::TooManyPixels { .. })));
}

#[test]
fn a_jpeg_with_pixels_to_spare_is_decoded_to_fewer() {
    let smooth = |x: usize, y: usize| [4 * x as u8, 5 * y as u8, 128 + x as u8 - y as u8];
    let pixels = (0..48).flat_map(|y| (0..64).flat_map(move |x| smooth(x, y))).collect();
    let jpeg = to_jpeg(&Picture::new(64, 48, pixels), 95);
    let whole = decode(&jpeg, &Limits::default()).unwrap();
    for (enough_for, reduction) in [(3, 8), (4, 4), (6, 4), (7, 2), (12, 2), (13, 1), (100, 1)] {
        let limits = Limits { enough_for: Some(enough_for), ..Limits::default() };
        let (picture, expected) = (decode(&jpeg, &limits).unwrap(), shrink(&whole, 64 / reduction));
        assert!(largest_difference(&picture, &expected) <= 6, "{enough_for}");
        assert!(reduction > 1 || picture == whole);
    }
}

#[test]
fn every_kind_of_jpeg_is_decoded_to_fewer_pixels_or_whole() {
    let limits = Limits { enough_for: Some(3), ..Limits::default() };
    for name in ["420.jpg", "422.jpg", "444.jpg", "progressive.jpg", "grey.jpg", "exif.jpg"] {
        let (picture, whole) = (decode(&read(name), &limits).unwrap(), decoded(name));
        assert_eq!([2 * picture.width(), 2 * picture.height()], [whole.width(), whole.height()], "{name}");
        let expected = shrink(&whole, picture.width().max(picture.height()));
        let apart = picture.pixels().iter().zip(expected.pixels()).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
        assert!(apart < 16 * picture.pixels().len() as u32, "{name}: {apart}");
    }
    // These need the ink turned into colours, and other formats have no scaled decoding.
    for name in ["cmyk.jpg", "ycck.jpg", "picture.png"] {
        assert!(decode(&read(name), &limits).unwrap() == decoded(name), "{name}");
    }
    let cut = &read("420.jpg")[..300];
    assert!(matches!(decode(cut, &limits), Err(ImageError::Truncated { .. })));
}

#[test]
fn errors_say_what_to_do() {
    let error = |bytes: &[u8]| decode(bytes, &Limits::default()).unwrap_err().to_string();
    assert_eq!(error(b""), "the file is empty; copy or download it again");
    assert_eq!(
        error(b"<!DOCTYPE html><html>"),
        "not a picture: the file starts with \"<!DOCTYPE ht\"; JPEG, PNG, WebP, GIF, BMP and TIFF can be read"
    );
    assert!(error(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").contains("heif-convert"));
    assert!(error(b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf").contains("AVIF pictures can't be read"));
    let missing = open(Path::new("/no/such/picture.jpg"), &Limits::default()).unwrap_err().to_string();
    assert!(missing.starts_with("can't read /no/such/picture.jpg: "), "{missing}");
    let path = folder().join("make.py");
    let script = open(&path, &Limits::default()).unwrap_err().to_string();
    assert!(script.starts_with(&format!("{}: not a picture", path.display())), "{script}");
}

#[test]
fn the_decoders_name_holds_the_versions_in_use() {
    let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock")).unwrap();
    for decoding in [Decoding::Full, Decoding::Scaled] {
        for part in decoder_name(decoding).trim_start_matches("scaled ").split(", ") {
            let (name, version) = part.split_once(' ').unwrap();
            let locked = format!("name = \"{name}\"\nversion = \"{version}\"\n");
            assert!(lock.contains(&locked), "{part} isn't what is locked");
        }
    }
}
