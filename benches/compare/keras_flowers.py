"""The chapter's recipe in Keras on a folder of photographs: what `flowers` compares defrost with.

    pip install tensorflow-cpu==2.21.0 safetensors pillow
    python keras_flowers.py FLOWERS WEIGHTS.safetensors [SEED]

FLOWERS holds train/CLASS and val/CLASS. The network is EfficientNet-Lite0 with the weights that defrost embeds
(crates/defrost-weights/weights). Prints a line an epoch and, last, the seconds from the start of the process's work.
"""

import os
import sys
import time

BEGUN = time.perf_counter()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from safetensors.numpy import load_file

SIZE, BATCH = 224, 32
# kernel, blocks, filters, expansion, stride of each group of inverted residuals (EfficientNet, table 1).
GROUPS = ((3, 1, 16, 1, 1), (3, 2, 24, 6, 2), (5, 2, 40, 6, 2), (3, 3, 80, 6, 2), (5, 3, 112, 6, 1), (5, 4, 192, 6, 2), (3, 1, 320, 6, 1))


def normalised(x, name, active):
    x = layers.BatchNormalization(epsilon=1e-3, name=name + "bn")(x)
    return layers.Activation("relu6", name=name + "activation")(x) if active else x


def pad_before_stride(x, kernel, name):
    half = kernel // 2
    before = half - (1 - x.shape[1] % 2)
    return layers.ZeroPadding2D(((before, half), (before, half)), name=name + "pad")(x)


def convolve(x, filters, name):
    return layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name + "conv")(x)


def backbone():
    pixels = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 128, -127 / 128)(pixels)
    x = pad_before_stride(x, 3, "stem_conv_")
    x = layers.Conv2D(32, 3, 2, "valid", use_bias=False, name="stem_conv")(x)
    x = normalised(x, "stem_", True)
    for group, (kernel, blocks, filters, expansion, stride) in enumerate(GROUPS, 1):
        for letter in "abcd"[:blocks]:
            name, before = f"block{group}{letter}_", x
            step = stride if letter == "a" else 1
            if expansion > 1:
                x = convolve(x, x.shape[-1] * expansion, name + "expand_")
                x = normalised(x, name + "expand_", True)
            if step == 2:
                x = pad_before_stride(x, kernel, name + "dwconv_")
            x = layers.DepthwiseConv2D(kernel, step, "valid" if step == 2 else "same", use_bias=False, name=name + "dwconv")(x)
            x = normalised(x, name, True)
            x = convolve(x, filters, name + "project_")
            x = normalised(x, name + "project_", False)
            if step == 1 and before.shape[-1] == filters:
                x = layers.Add(name=name + "add")([x, before])
    x = convolve(x, 1280, "top_")
    return keras.Model(pixels, normalised(x, "top_", True), name="efficientnet_lite0")


def load(model, path):
    tensors = load_file(path)
    for layer in model.layers:
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        for variable in layer.weights:
            variable.assign(tensors.pop(f"{layer.name}/{'depthwise_kernel' if depthwise else variable.name}"))
    assert not tensors, sorted(tensors)


def pictures(folder, shuffle):
    data = keras.utils.image_dataset_from_directory(folder, batch_size=None, image_size=(SIZE, SIZE), shuffle=False, verbose=False)
    count = len(data)
    if shuffle:
        data = data.cache().shuffle(count)  # decoded once, a whole permutation each epoch
    else:
        data = data.cache()
    return data.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def main(folder, weights, seed=0):
    keras.utils.set_random_seed(seed)
    base = backbone()
    load(base, weights)
    base.trainable = False
    pixels = keras.Input((SIZE, SIZE, 3))
    x = layers.GlobalAveragePooling2D()(base(pixels, training=False))
    x = layers.Dropout(0.3)(layers.Dense(256, "relu")(x))
    model = keras.Model(pixels, layers.Dense(5, "softmax")(x))
    train, validation = pictures(f"{folder}/train", True), pictures(f"{folder}/val", False)

    def fit(rate, first):
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
        history = model.fit(train, initial_epoch=first, epochs=first + 5, validation_data=validation, verbose=0).history
        for number, accuracy in enumerate(history["val_accuracy"], first + 1):
            print(f"epoch {number} val_accuracy {accuracy:.4f}", flush=True)

    fit(1e-3, 0)
    base.trainable = True
    for layer in base.layers[:-30]:
        layer.trainable = False
    fit(1e-4, 5)
    print(f"seconds {time.perf_counter() - BEGUN:.2f}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
