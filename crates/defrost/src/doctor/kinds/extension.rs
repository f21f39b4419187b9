//! Names that say another format than the bytes.

use std::path::Path;

use super::super::{Fact, Finding, Survey};
use crate::image::Format;

pub(crate) fn find(survey: &Survey) -> Vec<Finding> {
    let finding = |seen: &super::super::Seen| {
        let format = seen.traits?.header.format;
        let extension = Path::new(&seen.path).extension()?.to_string_lossy().to_ascii_lowercase();
        let fact = Fact::WrongExtension { format, extension: extension.clone() };
        (!extensions(format).contains(&extension.as_str())).then(|| Finding::of(survey.subject(seen), fact))
    };
    survey.seen.iter().filter_map(finding).collect()
}

fn extensions(format: Format) -> &'static [&'static str] {
    match format {
        Format::Jpeg => &["jpg", "jpeg", "jpe", "jfif", "mpo"],
        Format::Png => &["png"],
        Format::WebP => &["webp"],
        Format::Gif => &["gif"],
        Format::Bmp => &["bmp", "dib"],
        Format::Tiff => &["tif", "tiff"],
        Format::Heic => &["heic", "heif", "hif"],
        Format::Avif => &["avif"],
    }
}
