//! PyTorch's containers, written here as `torch.save` writes them, and Lite0's own file.

use super::*;
use crate::rng::Stream;
use std::io::Write;

/// A tensor as the pickle describes it: a window of a storage.
struct View {
    name: &'static str,
    storage: Vec<f32>,
    offset: u32,
    shape: Vec<u32>,
    strides: Vec<u32>,
}

/// A layer of its own shape for each kind of axes, among them views that aren't contiguous.
fn views() -> Vec<View> {
    let counting = |len: usize| (0..len).map(|value| value as f32).collect::<Vec<f32>>();
    let view = |name, len, offset, shape: &[u32], strides: &[u32]| View {
        name,
        storage: counting(len),
        offset,
        shape: shape.to_vec(),
        strides: strides.to_vec(),
    };
    vec![
        view("conv.weight", 2 * 3 * 3 * 3, 0, &[2, 3, 3, 3], &[27, 9, 3, 1]),
        // Channels last: the axes lie in another order in the storage.
        view("dw.weight", 2 * 9, 0, &[2, 1, 3, 3], &[1, 1, 6, 2]),
        view("bn.weight", 5, 3, &[2], &[1]),
        view("bn.bias", 2, 0, &[2], &[1]),
        view("bn.running_mean", 2, 0, &[2], &[1]),
        view("bn.running_var", 4, 0, &[2], &[2]),
        view("fc.weight", 4 * 2, 0, &[4, 2], &[2, 1]),
    ]
}

fn network() -> Graph {
    let mut g = Builder::new("tiny", Initializer::GlorotUniform, 0.99);
    let x = g.input(8);
    let x = g.conv("conv", x, 2, 3, 1, Padding::Same);
    let x = g.depthwise("dw", x, 3, 1, Padding::Same);
    g.batch_norm("bn", x);
    g.finish()
}

fn rename(name: &str) -> Option<String> {
    let (layer, attribute) = name.rsplit_once('.')?;
    let variable = match (layer, attribute) {
        ("bn", "weight") => "gamma",
        ("bn", "bias") => "beta",
        ("bn", "running_mean") => "moving_mean",
        ("bn", "running_var") => "moving_variance",
        ("conv" | "dw" | "fc", "weight") => "kernel",
        _ => return None,
    };
    Some(format!("{layer}/{variable}"))
}

/// Writes pickles, protocol 2.
#[derive(Default)]
struct Pickle(Vec<u8>);

impl Pickle {
    fn new() -> Pickle {
        Pickle(b"\x80\x02".to_vec())
    }
    fn raw(mut self, code: &[u8]) -> Pickle {
        self.0.extend(code);
        self
    }
    fn text(self, text: &str) -> Pickle {
        self.raw(b"X").raw(&(text.len() as u32).to_le_bytes()).raw(text.as_bytes())
    }
    fn int(self, value: u32) -> Pickle {
        self.raw(b"J").raw(&value.to_le_bytes())
    }
    fn tuple(self, values: &[u32]) -> Pickle {
        values.iter().fold(self.raw(b"("), |pickle, value| pickle.int(*value)).raw(b"t")
    }
    /// The state dict; `legacy` storages carry a sixth field.
    fn state_dict(self, views: &[View], legacy: bool) -> Pickle {
        let mut pickle = self.raw(b"ccollections\nOrderedDict\n)R(");
        for (key, view) in views.iter().enumerate() {
            pickle = pickle.text(view.name).raw(b"ctorch._utils\n_rebuild_tensor_v2\n((").text("storage");
            pickle = pickle.raw(b"ctorch\nFloatStorage\n").text(&key.to_string()).text("cpu");
            pickle = pickle.int(view.storage.len() as u32);
            if legacy {
                pickle = pickle.raw(b"N");
            }
            pickle = pickle.raw(b"tQ").int(view.offset).tuple(&view.shape).tuple(&view.strides);
            pickle = pickle.raw(b"\x89ccollections\nOrderedDict\n)RtR");
        }
        pickle.raw(b"u.")
    }
}

fn storage_bytes(view: &View) -> Vec<u8> {
    view.storage.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn zip_file(views: &[View]) -> Vec<u8> {
    zip_file_called("archive", views)
}

fn zip_file_called(archive_name: &str, views: &[View]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut member = |name: &str, content: &[u8]| {
        archive.start_file(format!("{archive_name}/{name}"), options).unwrap();
        archive.write_all(content).unwrap();
    };
    member("data.pkl", &Pickle::new().state_dict(views, false).0);
    for (key, view) in views.iter().enumerate() {
        member(&format!("data/{key}"), &storage_bytes(view));
    }
    member("version", b"3\n");
    archive.finish().unwrap().into_inner()
}

fn legacy_file(views: &[View]) -> Vec<u8> {
    let mut bytes = Pickle::new().raw(b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.").0;
    bytes.extend(Pickle::new().raw(b"M\xe9\x03.").0);
    let sizes = Pickle::new().raw(b"}(").text("short").int(2).text("int").int(4).text("long").int(4).raw(b"u");
    let sizes = Pickle::new()
        .raw(b"}(")
        .text("protocol_version")
        .int(1001)
        .text("little_endian")
        .raw(b"\x88")
        .text("type_sizes")
        .raw(&sizes.0[2..]);
    bytes.extend(sizes.raw(b"u.").0);
    bytes.extend(Pickle::new().state_dict(views, true).0);
    let keys = (0..views.len()).fold(Pickle::new().raw(b"]("), |pickle, key| pickle.text(&key.to_string()));
    bytes.extend(keys.raw(b"e.").0);
    for view in views {
        bytes.extend((view.storage.len() as u64).to_le_bytes());
        bytes.extend(storage_bytes(view));
    }
    bytes
}

/// The element of a view at our axes' position.
fn element(view: &View, position: &[u32]) -> f32 {
    let index: u32 = view.offset + position.iter().zip(&view.strides).map(|(p, s)| p * s).sum::<u32>();
    view.storage[index as usize]
}

fn load_file(bytes: &[u8], graph: &Graph) -> Result<LoadedWeights, WeightsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pth");
    crate::fs::write_atomic(&path, bytes).unwrap();
    load(&path, graph, &rename)
}

#[test]
fn both_containers_give_the_same_tensors_with_our_axes() {
    let (views, graph) = (views(), network());
    for (bytes, format) in [(zip_file(&views), Format::TorchZip), (legacy_file(&views), Format::TorchLegacy)] {
        let loaded = load_file(&bytes, &graph).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((loaded.report.format, loaded.report.loaded), (format, 6));
        let (conv, depthwise) = (&loaded.params["conv/kernel"], &loaded.params["dw/kernel"]);
        assert_eq!((conv.shape(), depthwise.shape()), (&[3, 3, 3, 2][..], &[3, 3, 2, 1][..]));
        for h in 0..3 {
            for w in 0..3 {
                for i in 0..3 {
                    for o in 0..2 {
                        let index = ((h * 3 + w) * 3 + i) * 2 + o;
                        assert_eq!(conv.data()[index as usize], element(&views[0], &[o, i, h, w]));
                    }
                }
                for c in 0..2 {
                    assert_eq!(depthwise.data()[((h * 3 + w) * 2 + c) as usize], element(&views[1], &[c, 0, h, w]));
                }
            }
        }
        assert_eq!(loaded.params["bn/gamma"].data(), [3.0, 4.0]);
        assert_eq!(loaded.params["bn/moving_variance"].data(), [0.0, 2.0]);
        let classifier = Tensor::new([2, 4], vec![0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]);
        assert_eq!(loaded.other, Params::from([("fc/kernel".to_owned(), classifier)]));
    }
}

/// The same archive with the ZIP64 records that `torch.save` writes whatever the size, and nothing in the plain record points to.
fn with_zip64_records(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.len() - 22;
    let number = |at: usize, len: usize| bytes[at..at + len].iter().rev().fold(0, |sum, &b| sum << 8 | u64::from(b));
    let (members, size, offset) = (number(end + 10, 2), number(end + 12, 4), number(end + 16, 4));
    let mut copy = bytes[..end].to_vec();
    copy.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x1e\x03\x2d\0\0\0\0\0\0\0\0\0");
    copy.extend([members, members, size, offset].iter().flat_map(|value| value.to_le_bytes()));
    copy.extend(b"PK\x06\x07\0\0\0\0");
    copy.extend((end as u64).to_le_bytes());
    copy.extend(1_u32.to_le_bytes());
    copy.extend(&bytes[end..]);
    copy
}

#[test]
fn zip64_records_beside_plain_ones_change_nothing_whatever_the_archives_name() {
    let views = views();
    // `torch.save` names the members' folder after the file. With 21 letters the first entry is as long as the records.
    for name in ["archive", "tf_efficientnet_lite0", "tf_efficientnet_lite00"] {
        let bytes = with_zip64_records(&zip_file_called(name, &views));
        let loaded = load_file(&bytes, &network()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(loaded.report.loaded, 6, "{name}");
    }
}

#[test]
fn a_network_that_is_a_part_of_a_model_is_found_inside() {
    for prefix in ["backbone.", "model.encoder.", "0.", "module.net.features."] {
        let mut views = views();
        let head = View { name: "neck.weight", storage: vec![1.0], offset: 0, shape: vec![1], strides: vec![1] };
        for view in &mut views {
            view.name = format!("{prefix}{}", view.name).leak();
        }
        views.push(head);
        let loaded = load_file(&zip_file(&views), &network()).unwrap_or_else(|error| panic!("{prefix}: {error}"));
        assert_eq!((loaded.report.loaded, loaded.other.len()), (6, 2), "{prefix}");
        // What isn't the network's and lies beside its layers still means another network.
        views[6].name = format!("{prefix}more.weight").leak();
        views[6].shape = vec![8];
        views[6].strides = vec![1];
        let error = load_file(&zip_file(&views), &network()).unwrap_err().to_string();
        assert!(error.contains("1 unused ("), "{prefix}: {error}");
    }
}

#[test]
fn a_file_that_may_be_of_a_model_with_pytorchs_padding_is_told_by_its_names() {
    let graph = network();
    let timm = |name: &str| rename(if name == "conv_stem.weight" { "conv.weight" } else { name });
    let params = views().into_iter().map(|view| {
        let name = if view.name == "conv.weight" { "conv_stem.weight" } else { view.name };
        let shape: Vec<usize> = view.shape.iter().map(|&extent| extent as usize).collect();
        (name.to_owned(), Tensor::zeros(shape))
    });
    let params: Params = params.collect();
    let plain = to_safetensors(&params, &[("format", "pt")]);
    let export = to_safetensors(&params, &[("timm", "timm.create_model('tf_efficientnet_b0')")]);
    for (name, bytes, expected) in [
        ("tf_models/efficientnet_b0.safetensors", &plain, true),
        ("models/tf_efficientnet_b0.safetensors", &plain, false),
        ("photos.safetensors", &export, false),
    ] {
        let loaded = load_bytes(name, bytes, &graph, &timm).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.report.may_pad_otherwise, expected, "{name}");
    }
}

#[test]
fn a_checkpoint_in_memory_is_answered_with_the_remedy() {
    let error = load_bytes("x.pth", &zip_file(&views()), &network(), &rename).unwrap_err().to_string();
    assert_eq!(
        error,
        "x.pth is a PyTorch checkpoint, which is read from a file only, not from memory; convert it to safetensors"
    );
}

#[test]
fn a_tensor_that_repeats_one_number_without_end_is_refused() {
    let mut views = views();
    views[0].shape = vec![1 << 10, 1 << 10, 1 << 10, 1];
    views[0].strides = vec![0, 0, 0, 0];
    let error = load_file(&zip_file(&views), &network()).unwrap_err().to_string();
    assert!(error.contains("conv.weight claims 4294967296 bytes"), "{error}");
}

#[test]
fn damaged_checkpoints_are_errors_or_sound_weights() {
    let graph = network();
    let mut tried = 0;
    for (index, bytes) in [zip_file(&views()), legacy_file(&views())].iter().enumerate() {
        let mut random = Stream::new(0, "damaged checkpoint", &[index as u64]);
        for _ in 0..200 {
            let mut copy = bytes.clone();
            if random.below(2) == 0 {
                copy.truncate(random.below(bytes.len() as u32) as usize);
                assert!(load_file(&copy, &graph).is_err());
            } else {
                for _ in 0..=random.below(8) {
                    copy[random.below(bytes.len() as u32) as usize] ^= 1 << random.below(8);
                }
                if let Ok(loaded) = load_file(&copy, &graph) {
                    assert_eq!(loaded.params.len(), 6);
                }
            }
            tried += 1;
        }
    }
    assert_eq!(tried, 400);
}

#[test]
#[ignore = "needs the 18 MB checkpoint that the embedded weights were converted from: run tools/check-lite0-pth"]
fn lite0_pth() {
    #[expect(clippy::disallowed_methods, reason = "the tool hands the file's path to this one test")]
    let path = std::env::var("DEFROST_LITE0_PTH").expect("DEFROST_LITE0_PTH names the checkpoint");
    let backbone = crate::backbone::find("efficientnet_lite0").unwrap();
    let graph = backbone.graph(224);
    let rename = |name: &str| backbone.rename(name);
    let loaded = load(Path::new(&path), &graph, &rename).unwrap_or_else(|error| panic!("{error}"));
    let embedded = load_bytes("embedded", defrost_weights::efficientnet_lite0(), &graph, &rename).unwrap();
    assert_eq!(loaded.report.format, Format::TorchLegacy);
    assert_same(&loaded.params, &embedded.params);
    assert_eq!(loaded.other["predictions/kernel"].shape(), [1280, 1000]);
    assert_eq!(loaded.report.ignored.len(), 49);
}
