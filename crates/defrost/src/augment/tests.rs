//! Views as a whole.

use super::frame::Frame;
use super::*;
use crate::formula;

const SIZE: [usize; 2] = [24, 32];

fn picture() -> Picture {
    Picture::new(40, 30, formula::picture("augment", 30, 40, 5))
}

fn render(line: &str, view: u32, seed: u64, content: u8) -> Vec<f32> {
    let pipeline: Pipeline = line.parse().unwrap();
    pipeline.render(&picture(), view, seed, &[content; 32], SIZE, Resize::default())
}

fn plain(mode: Resize) -> Vec<f32> {
    resize(&picture(), SIZE[0], SIZE[1], mode)
}

/// What `change` makes of a frame of the whole picture.
fn sampled(mode: Resize, change: impl Fn(&mut Frame)) -> Vec<f32> {
    let mut frame = Frame::of(&picture());
    change(&mut frame);
    frame.sample(&picture(), SIZE, mode)
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn mirrored(pixels: &[f32]) -> Vec<f32> {
    let rows = pixels.chunks_exact(SIZE[1] * 3);
    rows.flat_map(|row| row.as_chunks::<3>().0.iter().rev().flatten().copied()).collect()
}

#[test]
fn view_0_is_the_plain_picture() {
    let standard = "standard".parse::<Pipeline>().unwrap();
    assert_eq!(render("standard", 0, 7, 1), plain(Resize::default()));
    assert_eq!(render("none", 3, 7, 1), plain(Resize::default()));
    assert_eq!((standard.identity(0, 7), Pipeline::default().identity(3, 7)), ("plain".to_owned(), "plain".to_owned()));
    assert_ne!(render("standard", 1, 7, 1), plain(Resize::default()));
}

#[test]
fn parameters_that_change_nothing_give_the_plain_picture() {
    for mode in Resize::ALL {
        let still = sampled(mode, |frame| {
            frame.shift(0.0, 0.0);
            frame.zoom(1.0);
            frame.rotate(0.0);
            frame.shear(0.0, 0.0);
            frame.window([0.0, 0.0], [1.0, 1.0]);
        });
        assert!(largest_difference(&still, &plain(mode)) < 1e-3, "{mode}");
    }
}

#[test]
fn two_flips_are_none_and_one_is_the_mirror_image() {
    for mode in Resize::ALL {
        assert_eq!(sampled(mode, Frame::flip), mirrored(&plain(mode)), "{mode}");
        let twice = sampled(mode, |frame| {
            frame.flip();
            frame.flip_vertical();
            frame.flip();
            frame.flip_vertical();
        });
        assert_eq!(twice, plain(mode), "{mode}");
    }
}

#[test]
fn a_shift_moves_pixels_and_reflects_at_the_edge() {
    // A quarter of 32 columns is 8, and of 24 rows 6.
    let (shifted, plain) = (sampled(Resize::Bilinear, |frame| frame.shift(0.25, -0.25)), plain(Resize::Bilinear));
    for (y, x, k) in (0..24).flat_map(|y| (0..32).flat_map(move |x| (0..3).map(move |k| (y, x, k)))) {
        let from_x = if x < 8 { 7 - x } else { x - 8 };
        let from_y = if y >= 18 { 41 - y } else { y + 6 };
        let difference = shifted[(y * 32 + x) * 3 + k] - plain[(from_y * 32 + from_x) * 3 + k];
        assert!(difference.abs() < 1e-2, "row {y}, column {x}: {difference}");
    }
}

#[test]
fn a_window_shows_its_part_enlarged() {
    let (left, plain) = (sampled(Resize::Nearest, |frame| frame.window([0.5, 0.0], [0.5, 1.0])), picture());
    // 32 columns of the view show the picture's last 20.
    for (y, x) in (0..24).flat_map(|y| (0..32).map(move |x| (y, x))) {
        let from = ((y * 30 + 15) / 24 * 40 + 20 + (x * 20 + 10) / 32) * 3;
        assert_eq!(left[(y * 32 + x) * 3], f32::from(plain.pixels()[from]), "row {y}, column {x}");
    }
}

#[test]
fn a_quarter_turn_moves_the_right_edge_to_the_top() {
    let square = Picture::new(16, 16, formula::picture("turn", 16, 16, 4));
    let mut frame = Frame::of(&square);
    frame.rotate(90.0);
    for mode in Resize::ALL {
        let turned = frame.sample(&square, [16, 16], mode);
        for (y, x, k) in (0..16).flat_map(|y| (0..16).flat_map(move |x| (0..3).map(move |k| (y, x, k)))) {
            let expected = f32::from(square.pixels()[(x * 16 + 15 - y) * 3 + k]);
            assert!((turned[(y * 16 + x) * 3 + k] - expected).abs() < 1e-2, "{mode}: row {y}, column {x}");
        }
    }
}

#[test]
fn a_slant_moves_each_row_by_its_distance_from_the_middle() {
    let square = Picture::new(16, 16, formula::picture("shear", 16, 16, 4));
    let pixels = |change: &dyn Fn(&mut Frame)| {
        let mut frame = Frame::of(&square);
        change(&mut frame);
        frame.sample(&square, [16, 16], Resize::Bilinear)
    };
    let plain = pixels(&|_| {});
    // Row y lies y + 0.5 − 8 below the middle; a slant of 2 moves it by whole pixels.
    let across = pixels(&|frame| frame.shear(2.0, 0.0));
    let down = pixels(&|frame| frame.shear(0.0, 2.0));
    let mut tried = 0;
    for (y, x, k) in (0..16).flat_map(|y| (0..16).flat_map(move |x| (0..3).map(move |k| (y, x, k)))) {
        let from = x as isize + 2 * y as isize + 1 - 16;
        if (0..16).contains(&from) {
            let from = from as usize;
            assert!(
                (across[(y * 16 + x) * 3 + k] - plain[(y * 16 + from) * 3 + k]).abs() < 1e-2,
                "row {y}, column {x}"
            );
            assert!((down[(x * 16 + y) * 3 + k] - plain[(from * 16 + y) * 3 + k]).abs() < 1e-2, "row {x}, column {y}");
            tried += 1;
        }
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn a_turned_view_is_as_smooth_as_the_plain_one() {
    // Stripes of one pixel, shrunk to a quarter: any skipping of pixels would show as strong stripes.
    let stripes = (0..96 * 96).flat_map(|i| [if i % 2 == 0 { 255 } else { 0 }; 3]).collect();
    let picture = Picture::new(96, 96, stripes);
    let contrast = |mode| {
        let mut frame = Frame::of(&picture);
        frame.rotate(5.0);
        let pixels = frame.sample(&picture, [24, 24], mode);
        pixels.iter().map(|sample| (sample - 127.5).abs()).sum::<f32>() / pixels.len() as f32
    };
    assert!(contrast(Resize::BilinearAntialias) < 5.0);
    assert!(contrast(Resize::Bilinear) > 30.0);
}

#[test]
fn the_order_of_steps_matters() {
    let shift_last = sampled(Resize::default(), |frame| {
        frame.rotate(30.0);
        frame.shift(0.2, 0.0);
    });
    let rotate_last = sampled(Resize::default(), |frame| {
        frame.shift(0.2, 0.0);
        frame.rotate(30.0);
    });
    assert!(largest_difference(&shift_last, &rotate_last) > 10.0);
    // Shifting last moves the turned picture along the view's own columns: 0.25 · 32 = 8.
    let turned = sampled(Resize::default(), |frame| frame.rotate(30.0));
    let shifted = sampled(Resize::default(), |frame| {
        frame.rotate(30.0);
        frame.shift(0.25, 0.0);
    });
    for (y, x) in (0..24).flat_map(|y| (8..32).map(move |x| (y, x))) {
        assert!((shifted[(y * 32 + x) * 3] - turned[(y * 32 + x - 8) * 3]).abs() < 1e-2, "row {y}, column {x}");
    }
    assert_ne!(render("brightness(0.5)|contrast(0.5)", 1, 0, 0), render("contrast(0.5)|brightness(0.5)", 1, 0, 0));
}

#[test]
fn a_view_is_a_function_of_seed_content_and_number() {
    let first = render("standard", 1, 7, 1);
    assert_eq!(first, render("standard", 1, 7, 1));
    let others = [render("standard", 2, 7, 1), render("standard", 1, 8, 1), render("standard", 1, 7, 2)];
    assert!(others.iter().all(|other| *other != first));
    let standard = Pipeline::preset("standard").unwrap();
    let identities =
        [standard.identity(1, 7), standard.identity(2, 7), standard.identity(1, 8), standard.identity(0, 7)];
    for (i, identity) in identities.iter().enumerate() {
        assert!(identities[..i].iter().all(|other| other != identity));
    }
    assert_eq!(standard.identity(1, 7), identities[0]);
}

#[test]
fn every_step_changes_the_picture_and_keeps_the_range() {
    let lines = [
        "flip",
        "flip_vertical",
        "shift(1)",
        "rotate(180)",
        "shear(0.9)",
        "zoom(0.9)",
        "crop(0.1..0.5)",
        "brightness(1)",
        "contrast(1)",
        "saturation(1)",
        "hue(0.5)",
        "erase",
        "rand_augment(14, 30)",
        "trivial_augment",
    ];
    assert_eq!(lines.len(), KINDS.len());
    for line in lines {
        let views: Vec<_> = (1..20).map(|view| render(line, view, 0, 0)).collect();
        assert!(views.iter().any(|pixels| *pixels != plain(Resize::default())), "{line} changes nothing");
        for sample in views.iter().flatten() {
            assert!((-1e-3..=255.001).contains(sample), "{line}: {sample}");
        }
    }
}

#[test]
fn views_of_every_step_depend_on_seed_content_and_number_alone() {
    for line in ["shear(0.3)", "hue(0.2)", "rand_augment", "rand_augment(3, 20)", "flip|trivial_augment|erase"] {
        let views: Vec<Vec<f32>> = (1..30).map(|view| render(line, view, 7, 1)).collect();
        let again: Vec<Vec<f32>> = (1..30).map(|view| render(line, view, 7, 1)).collect();
        assert_eq!(views, again, "{line}");
        let differ =
            |others: &dyn Fn(u32) -> Vec<f32>| (1..30).filter(|&view| others(view) != views[view as usize - 1]).count();
        assert!(differ(&|view| render(line, view, 8, 1)) > 15, "{line}: seed");
        assert!(differ(&|view| render(line, view, 7, 2)) > 15, "{line}: content");
        assert!(differ(&|view| render(line, view + 1, 7, 1)) > 15, "{line}: number");
    }
}

#[test]
fn presets_show_what_they_always_showed() {
    let pixels = (0..30_usize * 40 * 3).map(|i| ((i * i / 7 + i * 13) % 256) as u8).collect();
    let picture = Picture::new(40, 30, pixels);
    let mixed = "shift(0.3)|zoom(0.5)|crop(0.1..0.5)|flip_vertical";
    for (line, view, expected, identity) in [
        ("light", 1, [76.47496, 203.06026, 121.06487], "463b686eb89fc41e"),
        ("light", 5, [89.975006, 212.73949, 67.17938], "dbd44901fcbe331c"),
        ("standard", 1, [74.61419, 180.81757, 132.57974], "55f89611fcaa1a2f"),
        ("standard", 2, [183.48717, 159.71828, 124.66238], "34a9401bdc56458f"),
        ("standard", 5, [108.34164, 143.93399, 182.15802], "843f032091ebde3b"),
        (mixed, 1, [143.22964, 175.2213, 144.88716], "efe8292f9d101f8d"),
        (mixed, 2, [187.93932, 223.59142, 154.50124], "55c706c84c951d88"),
    ] {
        let pipeline: Pipeline = line.parse().unwrap();
        let pixels = pipeline.render(&picture, view, 7, &[1; 32], SIZE, Resize::default());
        let shown = [pixels[0], pixels[1000], pixels[2303]];
        assert!(largest_difference(&shown, &expected) < 1e-3, "{line}, view {view}: {shown:?}");
        assert!(pipeline.identity(view, 7).starts_with(identity), "{line}, view {view}");
    }
}

#[test]
fn few_pictures_get_more_views() {
    let views: Vec<u32> = [5, 29, 30, 99, 100, 5000].into_iter().map(|pictures| default_views(pictures).1).collect();
    assert_eq!(views, [8, 8, 4, 4, 1, 1]);
    assert!(default_views(100).0.is_empty() && !default_views(99).0.is_empty());
}
