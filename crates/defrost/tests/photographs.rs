//! Checks that need files too large for the repository: real photographs and MobileNetV2's weights.
//!
//! `tools/check-photographs FOLDER` runs them.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use defrost::backbone;
use defrost::exec::cpu::{Engine, Precision, Program};
use defrost::graph::{Graph, Tap};
use defrost::image::{self, Limits, Picture, Resize};
use defrost::tensor::Params;
use defrost::weights::{from_safetensors, load, load_bytes};
use sha2::{Digest, Sha256};

/// The folder given to `tools/check-photographs`.
fn folder() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a test's only way to a folder of the caller's")]
    let folder = std::env::var("DEFROST_PHOTOGRAPHS").expect("run these tests with tools/check-photographs FOLDER");
    PathBuf::from(folder)
}

fn tensors(path: &str) -> Params {
    let path = folder().join(path);
    from_safetensors(path.to_str().unwrap(), &std::fs::read(&path).unwrap()).unwrap()
}

fn files_of_flowers(wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(std::fs::File::open(folder().join("data/flowers.tar")).unwrap());
    let mut found = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        if wanted(&name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            found.insert(name, bytes);
        }
    }
    found
}

fn pooled(graph: &Graph, params: &Params, pixels: &[f32]) -> Vec<f32> {
    pooled_on(Engine::default(), graph, params, pixels)
}

fn pooled_on(engine: Engine, graph: &Graph, params: &Params, pixels: &[f32]) -> Vec<f32> {
    let output = run_on(engine, graph, params, graph.len() - 1, pixels);
    let channels = graph.output_shape()[2];
    let rows = (output.len() / channels) as f64;
    (0..channels)
        .map(|c| (output.iter().skip(c).step_by(channels).map(|&v| f64::from(v)).sum::<f64>() / rows) as f32)
        .collect()
}

fn run(graph: &Graph, params: &Params, to: usize, pixels: &[f32]) -> Vec<f32> {
    run_on(Engine::default(), graph, params, to, pixels)
}

fn run_on(engine: Engine, graph: &Graph, params: &Params, to: usize, pixels: &[f32]) -> Vec<f32> {
    let program = Program::new(graph, params, Tap(0), Tap(to), engine);
    let mut output = vec![0.0; program.output_len()];
    program.run(pixels, &mut program.arena(), &mut output);
    output
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn relative_l2(a: &[f32], b: &[f32]) -> f64 {
    let sum = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
    (sum(&mut a.iter().zip(b).map(|(a, b)| a - b)) / sum(&mut b.iter().copied())).sqrt()
}

/// Classes of the ImageNet classifier, the largest logit first.
fn ranked(features: &[f32], predictions: &Params) -> Vec<usize> {
    let (kernel, bias) = (&predictions["predictions/kernel"], &predictions["predictions/bias"]);
    let classes = bias.data().len();
    let mut logits = bias.data().to_vec();
    for (feature, row) in features.iter().zip(kernel.data().chunks_exact(classes)) {
        for (logit, weight) in logits.iter_mut().zip(row) {
            *logit += feature * weight;
        }
    }
    let mut order: Vec<usize> = (0..classes).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    order
}

#[test]
#[ignore = "needs flowers.tar and the ImageNet classifier: run tools/check-photographs FOLDER"]
fn ten_photographs_through_our_own_decoder() {
    let exact = cfg!(feature = "turbojpeg");
    let golden = tensors("goldens/lite0/lite0.safetensors");
    let predictions = tensors("weights/efficientnet_lite0_predictions.safetensors");
    let text = std::fs::read(folder().join("goldens/lite0/photos.json")).unwrap();
    let photos: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
    let names: Vec<String> = photos.iter().map(|photo| photo["path"].as_str().unwrap().to_owned()).collect();
    let files = files_of_flowers(|name| names.iter().any(|own| own == name));
    let backbone = backbone::find(backbone::DEFAULT).unwrap();
    let graph = backbone.graph(224);
    let params = load_bytes("lite0", defrost_weights::efficientnet_lite0(), &graph, &|_| None).unwrap().params;

    let (mut tried, mut clear) = (0, 0);
    for (number, photo) in photos.iter().enumerate() {
        let picture = image::decode(&files[&names[number]], &Limits::default()).unwrap();
        if exact {
            let digest = Sha256::digest(picture.pixels());
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, photo["sha256_of_decoded_rgb"].as_str().unwrap(), "{}", names[number]);
        }
        if let Some(decoded) = golden.get(&format!("photo{number}/decoded")) {
            let ours: Vec<f32> = picture.pixels().iter().map(|&value| f32::from(value)).collect();
            let difference = largest_difference(&ours, decoded.data());
            println!("{}: pixels differ by at most {difference}", names[number]);
            assert!(difference <= if exact { 0.0 } else { 3.0 });
        }
        let features = pooled(&graph, &params, &image::resize(&picture, 224, 224, Resize::Bilinear));
        let expected = &golden["pooled"].data()[number * 1280..][..1280];
        let (apart, distance) = (largest_difference(&features, expected), relative_l2(&features, expected));
        println!("{}: features differ by at most {apart}, relative L2 {distance:.4}", names[number]);
        assert!(distance < 0.1);
        let order = ranked(&features, &predictions);
        let row = |name: &str| &golden[name].data()[number * 5..][..5];
        let (top5, logits) = (row("top5_index"), row("top5_logit"));
        if exact {
            assert!(apart < 1e-4);
            assert_eq!(order[..5].iter().map(|&class| class as f32).collect::<Vec<_>>(), top5);
        }
        if logits[0] - logits[1] > 0.5 {
            assert_eq!(order[0] as f32, top5[0], "{}", names[number]);
            clear += 1;
        }
        tried += 1;
    }
    assert!(tried == 10 && clear >= 5, "{tried} {clear}");
}

#[test]
#[ignore = "needs MobileNetV2's weights: run tools/check-photographs FOLDER"]
fn mobilenet_v2_gives_keras_features() {
    let golden = tensors("goldens/forward/mobilenet_v2_0.35.safetensors");
    let backbone = backbone::find("mobilenet_v2_0.35").unwrap();
    let graph = backbone.graph(224);
    let read = |name: &str| load(&folder().join("weights").join(name), &graph, &|_| None).unwrap().params;
    let params = read("mobilenet_v2_0.35_224_notop.h5");
    assert_eq!(params, read("mobilenet_v2_0.35_224_notop.safetensors"));

    let decoded = &golden["decoded"];
    let [height, width] = [decoded.shape()[0], decoded.shape()[1]];
    let pixels: Vec<u8> = decoded.data().iter().map(|&value| value as u8).collect();
    let picture = Picture::new(width, height, pixels);
    for (resize, name) in [(Resize::Bilinear, "pooled"), (Resize::BilinearAntialias, "pooled_antialias")] {
        let mut input = image::resize(&picture, 224, 224, resize);
        backbone.input.apply(&mut input);
        let expected = golden[name].data();
        let largest = expected.iter().map(|value| value.abs()).fold(0.0, f32::max);
        // Antialiasing sums in another order than TensorFlow.
        let tolerance = if resize == Resize::Bilinear { 1e-4 } else { 1e-3 };
        let apart = largest_difference(&pooled(&graph, &params, &input), expected);
        println!("{name}: at most {apart} of {largest}");
        assert!(apart <= tolerance * largest);
        if resize == Resize::Bilinear {
            let output = run(&graph, &params, graph.len() - 1, &input);
            let expected = golden["output"].data();
            let largest = expected.iter().map(|value| value.abs()).fold(0.0, f32::max);
            assert!(largest_difference(&output, expected) <= 1e-4 * largest);
            let mut tried = 0;
            for (layer, samples) in golden.iter().filter_map(|(name, t)| Some((name.strip_prefix("samples/")?, t))) {
                let output = run(&graph, &params, graph.index_of(layer).unwrap(), &input);
                let ours: Vec<f32> = (0..64).map(|j| output[(j * 1_000_003 + 17) % output.len()]).collect();
                let largest = samples.data().iter().map(|value| value.abs()).fold(0.0, f32::max);
                assert!(largest_difference(&ours, samples.data()) <= 1e-4 * largest, "{layer}");
                tried += 1;
            }
            assert!(tried > 10);
        }
    }
}

/// The bound that the documents state for bf16: the cosine of each picture's features to those in single precision.
#[test]
#[ignore = "needs flowers.tar: run tools/check-photographs FOLDER"]
fn bf16_features_of_photographs_point_the_same_way() {
    let backbone = backbone::find(backbone::DEFAULT).unwrap();
    let graph = backbone.graph(224);
    let params = load_bytes("lite0", defrost_weights::efficientnet_lite0(), &graph, &|_| None).unwrap().params;
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let mut cosines = Vec::new();
    for bytes in files_of_flowers(|name| name.contains("val/") && name.ends_with(".jpg")).values() {
        let picture = image::decode(bytes, &Limits::default()).unwrap();
        let mut pixels = image::resize(&picture, 224, 224, Resize::Bilinear);
        backbone.input.apply(&mut pixels);
        let [a, b] = [Precision::F32, Precision::Bf16]
            .map(|precision| pooled_on(Engine::new(precision), &graph, &params, &pixels));
        cosines.push(dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt());
    }
    let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
    let least = cosines.iter().copied().fold(1.0, f64::min);
    println!("{} photographs: mean cosine {mean:.6}, the least {least:.6}", cosines.len());
    assert!(cosines.len() == 200 && mean >= 0.999);
}
