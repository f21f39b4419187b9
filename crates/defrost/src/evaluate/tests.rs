use super::*;
use crate::goldens;

fn classes(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("class, {class}")).collect()
}

/// The predictions whose figures scikit-learn has computed.
fn golden() -> (serde_json::Value, Vec<Validated>) {
    let golden = goldens::json("metrics/scikit_learn.json");
    let validated = golden["logits"].as_array().unwrap().iter().zip(golden["labels"].as_array().unwrap());
    let validated = validated
        .enumerate()
        .map(|(picture, (logits, label))| Validated {
            picture,
            label: label.as_u64().unwrap() as usize,
            logits: logits.as_array().unwrap().iter().map(|logit| logit.as_f64().unwrap() as f32).collect(),
        })
        .collect();
    (golden, validated)
}

#[test]
fn figures_are_those_of_scikit_learn() {
    let (golden, validated) = golden();
    let names = classes(golden["classes"].as_u64().unwrap() as usize);
    let temperature = golden["temperature"].as_f64().unwrap();
    let evaluation = Evaluation::of_logits(&validated, &names, temperature, |picture| picture.to_string());
    let summary = serde_json::to_value(evaluation.summary(&names)).unwrap();
    let expected = &golden["figures"];
    let mut compared = 0;
    let mut near = |ours: &serde_json::Value, theirs: &serde_json::Value, name: &str| {
        let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
        assert!((ours - theirs).abs() < 2e-6, "{name}: {ours}, scikit-learn has {theirs}");
        compared += 1;
    };
    for name in ["accuracy", "balanced_accuracy", "loss"] {
        near(&summary[name], &expected[name], name);
    }
    for name in ["precision", "recall", "f1"] {
        near(&summary["macro_average"][name], &expected["macro_average"][name], name);
    }
    for (ours, theirs) in summary["top_k"].as_array().unwrap().iter().zip(expected["top_k"].as_array().unwrap()) {
        assert_eq!(ours["k"], theirs["k"]);
        near(&ours["accuracy"], &theirs["accuracy"], "top_k");
    }
    for (ours, theirs) in summary["per_class"].as_array().unwrap().iter().zip(expected["per_class"].as_array().unwrap())
    {
        for name in ["precision", "recall", "f1"] {
            near(&ours[name], &theirs[name], name);
        }
        assert_eq!(ours["support"], theirs["support"]);
    }
    assert_eq!(summary["confusion_matrix"], expected["confusion_matrix"]);
    for when in ["before", "after"] {
        let (ours, theirs) = (&summary["calibration"][when], &expected["calibration"][when]);
        near(&ours["loss"], &theirs["loss"], when);
        near(&ours["ece"], &theirs["ece"], when);
        for (ours, theirs) in ours["bins"].as_array().unwrap().iter().zip(theirs["bins"].as_array().unwrap()) {
            assert_eq!(ours["pictures"], theirs["pictures"]);
            near(&ours["confidence"], &theirs["confidence"], "confidence");
            near(&ours["accuracy"], &theirs["accuracy"], "accuracy of a bin");
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn the_temperature_is_that_of_scipy() {
    let (golden, validated) = golden();
    let answers: Vec<Labelled<'_>> =
        validated.iter().map(|of| Labelled { logits: &of.logits, label: of.label }).collect();
    let calibration = calibrate::Calibration::fit(&answers);
    assert!((calibration.temperature - golden["temperature"].as_f64().unwrap()).abs() < 1e-5, "{calibration:?}");
}

#[test]
fn a_table_gives_the_evaluation_again() {
    let (_, validated) = golden();
    let names = classes(validated[0].logits.len());
    let evaluation = Evaluation::of_logits(&validated, &names, 1.7, |picture| format!("a \"b\", {picture}.jpg"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predictions.csv");
    crate::fs::write_atomic(&path, &evaluation.to_csv(&names)).unwrap();
    let read = Evaluation::read_csv(&path, &names, 1.7).unwrap();
    assert_eq!(read.confusion, evaluation.confusion);
    for (read, own) in read.outcomes.iter().zip(&evaluation.outcomes) {
        assert_eq!((&read.path, read.truth, read.predicted), (&own.path, own.truth, own.predicted));
        assert_eq!(read.probabilities, own.probabilities);
    }
    let apart = |a: (Reliability, Reliability), b: (Reliability, Reliability)| {
        (a.0.ece - b.0.ece).abs() + (a.1.ece - b.1.ece).abs() + (a.0.loss - b.0.loss).abs()
    };
    assert!(apart(read.reliability(), evaluation.reliability()) < 1e-4);

    let error = Evaluation::read_csv(&path, &classes(2), 1.0).unwrap_err();
    assert!(matches!(error, TableError::Columns { .. }), "{error}");
    for (line, reason) in
        [("x.jpg,other,other,0.1,0.9", "none of the classes"), ("x.jpg,\"class, 0\",b,0.1,2", "from 0 to 1")]
    {
        let text = format!("path,class,predicted,\"class, 0\",\"class, 1\"\n{line}\n");
        crate::fs::write_atomic(&path, text.as_bytes()).unwrap();
        let error = Evaluation::read_csv(&path, &classes(2), 1.0).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains(reason), "{error}");
    }
}
