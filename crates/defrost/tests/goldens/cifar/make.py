"""Writes CIFAR-10's Python archive in miniature, as Python 2 and as Python 3 pickle it. Needs numpy; run in this folder."""

import io
import os
import pickle

import numpy as np

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()


class Python2(pickle._Pickler):
    """Writes byte strings as Python 2 did (its str), and numpy's module by the name it had then."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        short = len(value) < 256
        self.write((b"U" + bytes([len(value)]) if short else b"T" + len(value).to_bytes(4, "little")) + value)
        self.memoize(value)

    dispatch[bytes] = save_bytes

    def save_str(self, value):
        self.save_bytes(value.encode())

    dispatch[str] = save_str


def python2(value):
    out = io.BytesIO()
    Python2(out, protocol=2).dump(value)
    return out.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def python3(value):
    return pickle.dumps(value, protocol=2)


def pixels(record):
    plane, y, x = np.meshgrid(range(3), range(32), range(32), indexing="ij")
    return ((record * 29 + plane * 50 + y * 3 + x * 5) % 256).astype(np.uint8).reshape(3072)


def batch(name, labels, first):
    return {
        "batch_label": name,
        "labels": labels,
        "data": np.stack([pixels(first + i) for i in range(len(labels))]),
        "filenames": [f"picture_{first + i}.png" for i in range(len(labels))],
    }


FILES = {
    "batches.meta": {"num_cases_per_batch": 4, "label_names": CLASSES, "num_vis": 3072},
    "data_batch_1": batch("training batch 1 of 2", [3, 5, 3, 5], 0),
    "data_batch_2": batch("training batch 2 of 2", [5, 3], 4),
    "test_batch": batch("testing batch 1 of 1", [5, 3], 6),
}

for folder, dump in [("python2", python2), ("python3", python3)]:
    os.makedirs(folder, exist_ok=True)
    for name, value in FILES.items():
        with open(f"{folder}/{name}", "wb") as file:
            file.write(dump(value))
