"""Stage 1 of the chapter's recipe in Keras over many seeds, on the frozen network's features: what `tools/accuracy` compares with.

    python keras_head_seeds.py FLOWERS WEIGHTS.safetensors [SEEDS]

Pictures are decoded by Pillow and resized by TensorFlow; the features are computed once. Prints the validation accuracy after each
of five epochs for each seed, then the mean and the standard deviation over seeds.
"""

import os
import sys

import keras_flowers as reference
import numpy as np
import tensorflow as tf
from keras import Input, Sequential, layers, optimizers, utils
from PIL import Image


def features(base, folder):
    pictures, labels = [], []
    for label, name in enumerate(sorted(os.listdir(folder))):
        for file in sorted(os.listdir(f"{folder}/{name}")):
            with Image.open(f"{folder}/{name}/{file}") as picture:
                pixels = np.asarray(picture.convert("RGB"))
            pictures.append(tf.image.resize(pixels, [reference.SIZE, reference.SIZE]).numpy())
            labels.append(label)
    batches = [np.stack(pictures[i : i + 50]) for i in range(0, len(pictures), 50)]
    return np.concatenate([base.predict_on_batch(batch).mean((1, 2)) for batch in batches]), np.array(labels)


def main(flowers, weights, seeds=48):
    base = reference.backbone()
    reference.load(base, weights)
    x, y = features(base, f"{flowers}/train")
    validation = features(base, f"{flowers}/val")
    rows = []
    for seed in range(seeds):
        utils.set_random_seed(seed)
        head = Sequential([Input((1280,)), layers.Dense(256, "relu"), layers.Dropout(0.3), layers.Dense(5, "softmax")])
        head.compile(optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
        history = head.fit(x, y, batch_size=32, epochs=5, validation_data=validation, verbose=0).history
        rows.append([100 * value for value in history["val_accuracy"]])
        print(f"seed {seed}: " + " ".join(f"{value:.1f}" for value in rows[-1]), flush=True)
    print("mean", np.round(np.mean(rows, 0), 2), "deviation", np.round(np.std(rows, 0), 2))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
