//! The wrong answers as cards: the picture, what speaks for the answer, what speaks for the truth.

use rayon::prelude::*;
use serde::Serialize;

use super::super::escaped;
use super::super::thumbnail::{SIDE, encoded};
use super::{Mistake, RunReport, percent};
use crate::explain::overlay;
use crate::image::{Picture, shrink};
use crate::report::Lang;

/// Bytes of all pictures together: the page stays below 2 MB.
const PICTURE_BYTES: usize = 1_250_000;

#[derive(Serialize)]
pub(super) struct Card<'a> {
    path: &'a str,
    /// HTML: the names in it are escaped.
    sentence: String,
    alt: String,
    views: Vec<View>,
}

#[derive(Serialize)]
struct View {
    jpeg: String,
    alt: String,
    width: usize,
    height: usize,
}

impl Card<'_> {
    /// Whether it shows what the answer rests on.
    pub(super) fn has_evidence(&self) -> bool {
        self.views.len() > 1
    }
}

pub(super) fn cards<'a>(report: &'a RunReport<'_>, lang: Lang) -> Vec<Card<'a>> {
    let shown: Vec<Vec<View>> =
        report.mistakes.par_iter().map(|mistake| views(mistake, report.classes, lang)).collect();
    let mut room = PICTURE_BYTES;
    let fits = |views: &Vec<View>| {
        let bytes: usize = views.iter().map(|view| view.jpeg.len()).sum();
        let fits = bytes <= room;
        room = room.saturating_sub(bytes);
        fits
    };
    let shown = shown.into_iter().take_while(fits);
    let cards = report.mistakes.iter().zip(shown).map(|(mistake, views)| {
        let [truth, said] = [mistake.truth, mistake.predicted].map(|class| report.classes[class].as_str());
        Card {
            path: &mistake.path,
            sentence: lang.mistake(&escaped(said), &percent(f64::from(mistake.probability)), &escaped(truth)),
            alt: lang.open_mistake(said, truth),
            views,
        }
    });
    cards.collect()
}

fn views(mistake: &Mistake, classes: &[String], lang: Lang) -> Vec<View> {
    let Some(picture) = &mistake.picture else { return Vec::new() };
    let picture = shrink(picture, SIDE);
    let view = |picture: &Picture, alt: String| View {
        jpeg: encoded(picture),
        alt,
        width: picture.width(),
        height: picture.height(),
    };
    let plain = view(&picture, lang.picture_of(&classes[mistake.truth]));
    let maps = mistake.maps.iter().map(|map| view(&overlay(&picture, map), lang.evidence_for(&classes[map.class])));
    std::iter::once(plain).chain(maps).collect()
}
