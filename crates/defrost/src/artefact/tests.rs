use super::*;
use crate::tensor::Tensor;

/// A small classifier of the real default weights, in pictures of 64 × 64.
fn classifier() -> (Artefact, Model) {
    let backbone = backbone::find("efficientnet_lite0").unwrap();
    let classes = ["a", "b", "c"].map(str::to_owned);
    let mut model = Model::new(backbone, Layout::Pretrained, 64, &Head::default(), 3, 5);
    let graph = backbone.graph(64);
    let rename = |name: &str| backbone.rename(name);
    let loaded = crate::weights::load_bytes("lite0", defrost_weights::efficientnet_lite0(), &graph, &rename).unwrap();
    model.params.extend(loaded.params);
    let mut artefact = Artefact::new(&model, 64, &Head::default(), &classes, Resize::default());
    artefact.origin = Some(Origin::published(backbone));
    artefact.recipe = "seed = 5\n".to_owned();
    artefact.calibration = Some(Calibration::fit(&[]));
    let features: Vec<f32> = (0..30 * 1280).map(|i| ((i * 7919) % 1013) as f32).collect();
    artefact.familiar = Familiar::fit(&features, &features, 1280);
    (artefact, model)
}

#[test]
fn a_classifier_is_the_same_in_a_folder_and_in_one_file() {
    let (artefact, model) = classifier();
    let place = tempfile::tempdir().unwrap();
    let (folder, file) = (place.path().join("run/model"), place.path().join("mine.defrost"));
    artefact.save(&folder, &model).unwrap();
    artefact.pack(&model, &file).unwrap();
    assert_eq!(artefact.goldens.len(), GOLDENS);
    for path in [&folder, &file] {
        assert!(Artefact::exists(path));
        let (read, read_model) = Artefact::load(path).unwrap();
        assert!(read == artefact, "{}", path.display());
        assert_eq!(read_model.weights_hash(), artefact.weights_hash);
        assert_eq!(read.origin.as_ref().unwrap().licence.as_deref(), Some("Apache-2.0"));
    }
    assert_eq!(Artefact::locate(&place.path().join("run")), Some(folder));
    assert_eq!(Artefact::locate(&file), Some(file.clone()));
    assert_eq!(Artefact::locate(place.path()), None);
    // The same classifier gives the same bytes.
    let again = place.path().join("again.defrost");
    artefact.pack(&model, &again).unwrap();
    assert!(fs::read(&file).unwrap() == fs::read(&again).unwrap());
}

#[test]
fn a_classifier_that_computes_something_else_is_refused() {
    let (artefact, model) = classifier();
    let place = tempfile::tempdir().unwrap();
    let refusal = |artefact: &Artefact, model: &Model| {
        artefact.save(place.path(), model).unwrap();
        Artefact::load(place.path()).unwrap_err()
    };

    // Another resize: nothing but the golden pictures tells.
    let other = Artefact { resize: Resize::Nearest, ..artefact.clone() };
    let error = refusal(&other, &model);
    assert!(matches!(&error, ArtefactError::Golden { picture, .. } if picture == "golden/1-apple.png"), "{error}");
    assert!(error.to_string().contains("expected") && error.to_string().contains("golden/1-apple.png"), "{error}");

    // The seventh picture alone.
    let mut other = artefact.clone();
    other.goldens[6].logits[2] += 2.0 * other.goldens[6].tolerance();
    let error = refusal(&other, &model);
    assert!(matches!(&error, ArtefactError::Golden { picture, class, .. } if picture.contains("/7-") && class == "c"));

    // What another instruction set may do.
    let mut close = artefact.clone();
    close.goldens[6].logits[2] += 0.5 * close.goldens[6].tolerance();
    close.save(place.path(), &model).unwrap();
    Artefact::load(place.path()).unwrap();

    let mut fewer = artefact.clone();
    fewer.goldens.pop();
    assert!(refusal(&fewer, &model).to_string().contains("7 golden pictures"));

    // Tensors that don't hash to the description's.
    let mut changed = model.clone();
    let bias = changed.params.get_mut("classifier/bias").unwrap();
    *bias = Tensor::filled([3], 0.25);
    assert!(refusal(&artefact, &changed).to_string().contains("don't hash"));
}

#[test]
fn damaged_goldens_and_other_versions_are_told() {
    let (artefact, model) = classifier();
    let place = tempfile::tempdir().unwrap();
    artefact.save(place.path(), &model).unwrap();
    let description = place.path().join(DESCRIPTION);
    let text = fs::read_to_string(&description).unwrap();
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        change(&mut value);
        fs::write_atomic(&description, value.to_string().as_bytes()).unwrap();
        Artefact::load(place.path())
    };
    let newer = with(&|value| {
        value["version"] = 3.into();
        value["head"] = "unknown".into();
    });
    assert!(matches!(newer.unwrap_err(), ArtefactError::Newer { found: 3, .. }));
    // Of the first version: no pictures, no calibration.
    let (old, _) = with(&|value| {
        let fields = value.as_object_mut().unwrap();
        for name in ["pixels", "origin", "calibration", "familiar", "figures", "goldens"] {
            fields.remove(name).unwrap();
        }
        fields["version"] = 1.into();
    })
    .unwrap();
    assert_eq!((old.version, old.goldens.len(), old.temperature()), (1, 0, 1.0));
    assert!(with(&|value| value["calibration"]["temperature"] = 0.into()).is_err());
    let unbounded = with(&|value| value["input_size"] = 10_000_000.into()).unwrap_err().to_string();
    assert!(unbounded.contains("no classifier has"), "{unbounded}");
    let wide = with(&|value| value["head"]["layers"][0]["dense"] = 1_000_000.into()).unwrap_err().to_string();
    assert!(wide.contains("too few for"), "{wide}");
    assert!(with(&|value| value["pixels"]["scale"] = 2.into()).unwrap_err().to_string().contains("`pixels`"));
    assert!(with(&|value| value["familiar"]["pictures"] = 31.into()).unwrap_err().to_string().contains("31 pictures"));
    // A field of the future is passed over.
    with(&|value| value["of_the_future"] = 1.into()).unwrap();
    fs::write_atomic(&place.path().join("golden/2-butterfly.png"), b"no picture").unwrap();
    let error = Artefact::load(place.path()).unwrap_err().to_string();
    assert!(error.contains("golden/2-butterfly.png") && error.contains("not a picture"), "{error}");
}

#[test]
fn a_cut_file_is_refused() {
    let (artefact, model) = classifier();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("mine.defrost");
    artefact.pack(&model, &file).unwrap();
    let bytes = fs::read(&file).unwrap();
    let mut tried = 0;
    for end in [200, 5_000, bytes.len() / 2, bytes.len() - 1000, bytes.len() - 1] {
        fs::write_atomic(&file, &bytes[..end]).unwrap();
        let error = Artefact::load(&file).unwrap_err();
        assert!(matches!(error, ArtefactError::Damaged { .. }), "{end}: {error}");
        tried += 1;
    }
    // A flipped bit in a tensor is found by the archive's own sum.
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    fs::write_atomic(&file, &flipped).unwrap();
    assert!(Artefact::load(&file).is_err());
    assert_eq!(tried, 5);
}
