use super::*;
use crate::explain::Method;
use crate::train::{EpochRecord, Validated};

const SIDE: usize = 300;

/// A run with `classes` classes of two validation pictures each, of which the second is taken for the next class.
fn page(classes: &[String], noise: bool, lang: Lang) -> String {
    let count = classes.len();
    let logits = |label: usize| (0..count).map(|class| if class == label { 2.0 } else { 0.0 }).collect();
    let validated: Vec<Validated> = (0..2 * count)
        .map(|picture| Validated { picture, label: picture / 2, logits: logits((picture / 2 + picture % 2) % count) })
        .collect();
    let validation = Evaluation::of_logits(&validated, classes, 1.5, |picture| format!("<b>/{picture}.jpg"));
    let mut history = History::default();
    history.push(EpochRecord { epoch: 1, stage: "fine_tuning".to_owned(), accuracy: 1.0, ..EpochRecord::default() });
    let pixel = |at: usize| if noise { (at * 7919 % 251) as u8 ^ (at / 3 * 31 % 253) as u8 } else { 90 };
    let picture = Picture::new(SIDE, SIDE, (0..SIDE * SIDE * 3).map(pixel).collect());
    let map = |class| {
        let values = vec![0.0, 1.0, 2.0, -1.0];
        ActivationMap { method: Method::Cam, class, logit: 0.0, width: 2, height: 2, values }
    };
    let mistakes = validation.outcomes.iter().filter(|outcome| outcome.truth != outcome.predicted);
    let mistake = |outcome: &crate::evaluate::Outcome| Mistake {
        path: outcome.path.clone(),
        truth: outcome.truth,
        predicted: outcome.predicted,
        probability: 0.9,
        picture: Some(picture.clone()),
        maps: [outcome.predicted, outcome.truth].map(map).to_vec(),
    };
    let stage = StageReport {
        name: "fine_tuning".to_owned(),
        cut: "last = 30".to_owned(),
        first_layer: Some("block6c_expand_bn".to_owned()),
        learning_rate: "0.0001".to_owned(),
        optimizer: "adam",
        epochs: 1,
        seconds: 3.0,
        val_accuracy: 0.5,
        layers: 241,
        trainable_layers: 30,
        trainable_parameters: 2_100_000,
        parameters: 3_700_000,
        frozen_tensors: 216,
        unchanged: 216,
        still_improving: false,
    };
    let report = RunReport {
        name: "photos-1".to_owned(),
        data: "<photos>".to_owned(),
        backbone: "efficientnet_lite0.imagenet",
        classes,
        train_samples: 7,
        views: 4,
        seconds: 75.0,
        validation: &validation,
        calibration: None,
        origin: None,
        test: Some((0.5, (0.4, 0.6))),
        history: &history,
        stages: vec![stage],
        counts: Vec::new(),
        skipped: vec![("<i>.jpg".to_owned(), "starts with \"<html>\"".to_owned())],
        warnings: vec!["<u>".to_owned()],
        diagnosis: None,
        mistakes: mistakes.map(mistake).collect(),
        recipe: "name = \"<script>\"".to_owned(),
        command: "defrost train --recipe '<a>'".to_owned(),
        recipe_hash: "0123",
        weights_hash: "4567",
    };
    run_page(&report, lang).unwrap()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("<class {class}> & \"more\"")).collect()
}

#[test]
fn a_page_holds_all_that_it_shows() {
    for lang in [Lang::English, Lang::Korean] {
        let page = page(&names(3), false, lang);
        assert!(page.contains(&format!("<html lang=\"{}\">", lang.code())));
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("url("));
        // Three mistakes: the picture, what speaks for the answer, what speaks for the truth.
        assert_eq!(page.matches("data:image/jpeg;base64,").count(), 9);
        assert!(page.contains("50.0<small>%</small>") && page.contains("216"));
        for entry in contents(words(lang)) {
            assert!(page.contains(&format!("id=\"{}\"", entry.id)), "{}", entry.id);
        }
    }
}

#[test]
fn names_and_reasons_are_escaped() {
    let page = page(&names(3), false, Lang::English);
    for raw in ["<class", "<b>/", "<photos>", "<i>", "<u>", "<script>\"", "<a>", "<html>"] {
        assert!(!page.contains(raw), "{raw}");
    }
    assert_eq!(page.matches("<script>").count(), 1);
}

#[test]
fn a_page_stays_below_two_megabytes() {
    let page = page(&names(40), true, Lang::Korean);
    assert!(page.len() < 2_000_000, "{}", page.len());
    let shown = page.matches("class=\"opens\"").count();
    assert!((1..40).contains(&shown), "the noise of {shown} pictures was meant to be too much");
    // Too many classes for a matrix; the confusions are listed.
    assert!(!page.contains("class=\"matrix") && page.contains("class=\"pairs\""));
}
