"""What scikit-learn makes of predictions: the figures that `defrost evaluate` is held to.

Logits and labels are drawn from a seed. Prints JSON: the predictions, the temperature that SciPy finds, and the figures.
"""

import json

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

CLASSES, PICTURES, BINS = 7, 160, 15

random = np.random.default_rng(20)
# Class 5 has no pictures but is predicted, class 6 has neither: both ends of "a share of nothing".
labels = random.integers(0, 5, PICTURES)
logits = random.normal(0.0, 2.0, (PICTURES, CLASSES))
logits[np.arange(PICTURES), labels] += 2.5
logits[:, 6] = -9.0
logits = np.round(logits, 3)
every = np.arange(CLASSES)


def loss(temperature):
    return log_loss(labels, softmax(logits / temperature, axis=1), labels=every)


def reliability(temperature):
    shares = softmax(logits / temperature, axis=1)
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    edges = np.linspace(0.0, 1.0, BINS + 1)
    counts = np.bincount(np.searchsorted(edges[1:-1], confidence), minlength=BINS)
    accuracy, mean = calibration_curve(right, confidence, n_bins=BINS, strategy="uniform")
    bins = [{"pictures": 0, "confidence": 0.0, "accuracy": 0.0} for _ in range(BINS)]
    for index, a, c in zip(np.flatnonzero(counts), accuracy, mean):
        bins[index] = {"pictures": int(counts[index]), "confidence": float(c), "accuracy": float(a)}
    ece = sum(bin["pictures"] * abs(bin["accuracy"] - bin["confidence"]) for bin in bins) / PICTURES
    return {"loss": float(loss(temperature)), "ece": float(ece), "bins": bins}


predicted = logits.argmax(axis=1)
temperature = float(minimize_scalar(loss, bounds=(0.05, 20.0), method="bounded", options={"xatol": 1e-10}).x)
each = precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
means = precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)
names = ["precision", "recall", "f1"]
print(
    json.dumps(
        {
            "classes": CLASSES,
            "labels": labels.tolist(),
            "logits": logits.tolist(),
            "temperature": temperature,
            "figures": {
                "accuracy": float(accuracy_score(labels, predicted)),
                "balanced_accuracy": float(balanced_accuracy_score(labels, predicted)),
                "loss": float(loss(1.0)),
                "top_k": [
                    {"k": k, "accuracy": float(top_k_accuracy_score(labels, logits, k=k, labels=every))}
                    for k in (2, 3, 5)
                ],
                "macro_average": {name: float(value) for name, value in zip(names, means)},
                "per_class": [
                    dict({name: float(each[i][c]) for i, name in enumerate(names)}, support=int(each[3][c]))
                    for c in range(CLASSES)
                ],
                "confusion_matrix": confusion_matrix(labels, predicted, labels=every).tolist(),
                "calibration": {"before": reliability(1.0), "after": reliability(temperature)},
            },
        }
    )
)
