"""The chapter's protocol in Keras with EfficientNetB0, on a part of CIFAR-10 as folders: what `notebook` compares defrost with.

    python keras_notebook.py weights WEIGHTS.weights.h5      # draws random weights, the same for both
    python keras_notebook.py DATA WEIGHTS.weights.h5

DATA holds train/CLASS and test/CLASS. Prints the seconds from the start of the process's work.
"""

import sys

from keras_flowers import BEGUN, SIZE, pictures, time

import keras
from keras import layers


def base_model():
    return keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))


def main(folder, weights):
    keras.utils.set_random_seed(0)
    base = base_model()
    base.load_weights(weights)
    base.trainable = False
    pixels = keras.Input((SIZE, SIZE, 3))
    x = layers.GlobalAveragePooling2D()(base(pixels, training=False))
    x = layers.Dropout(0.3)(layers.Dense(256, "relu")(x))
    model = keras.Model(pixels, layers.Dense(5, "softmax")(x))
    train, test = pictures(f"{folder}/train", True), pictures(f"{folder}/test", False)

    def fit(rate):
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(train, epochs=5, validation_data=test, verbose=0)

    fit(1e-3)
    base.trainable = True
    for layer in base.layers[:-30]:
        layer.trainable = False
    fit(1e-4)
    print(f"seconds {time.perf_counter() - BEGUN:.2f}")


if __name__ == "__main__":
    if sys.argv[1] == "weights":
        keras.utils.set_random_seed(1)
        base_model().save_weights(sys.argv[2])
    else:
        main(*sys.argv[1:])
