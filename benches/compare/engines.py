#!/usr/bin/env python3
"""One engine's rate on EfficientNetB0 at 224×224 with random weights, in a process of its own; prints one figure.

  engines.py ENGINE            pictures a second (or, for `start`, seconds)

ENGINE: keras (predict_on_batch of 32), ort_latency (one session, all threads), ort_sessions (a session of one thread for each
core), openvino_latency, openvino_streams (a stream for each core), openvino_bf16 (streams, bf16, batch 8), and Keras' training
steps of 32: keras_head, keras_last30, keras_all (each also prints the process' peak memory in bytes), and start (import, build,
first training step of the head).

All run forward from pixels to pooled features. The ONNX graph is Keras' network with its BatchNorms folded into the
convolutions, written here, since no exporter is needed for so few kinds of layer.
"""

import os
import resource
import sys
import threading
import time

SECONDS = float(os.environ.get("SECONDS_A_RATE", "3"))
CORES = os.cpu_count()

# (kernel, repeats, filters in, filters out, expansion, stride), as in the paper's table 1.
BLOCKS = [(3, 1, 32, 16, 1, 1), (3, 2, 16, 24, 6, 2), (5, 2, 24, 40, 6, 2), (3, 3, 40, 80, 6, 2), (5, 3, 80, 112, 6, 1),
          (5, 4, 112, 192, 6, 2), (3, 1, 192, 320, 6, 1)]


def onnx_model(batch):
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes, weights = [], []
    count = 0

    def node(op, inputs, **attributes):
        nonlocal count
        count += 1
        name = f"v{count}"
        nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def constant(shape, scale):
        name = f"w{len(weights)}"
        weights.append(numpy_helper.from_array((rng.standard_normal(shape) * scale).astype(np.float32), name))
        return name

    def conv(x, cin, cout, kernel=1, stride=1, groups=1, pads=None):
        w = constant((cout, cin // groups, kernel, kernel), (2 / (kernel * kernel * cin / groups)) ** 0.5)
        if pads is None:
            total = kernel - 1 if stride == 1 else kernel - 2
            pads = [total // 2, total // 2, total - total // 2, total - total // 2]
        return node("Conv", [x, w, constant((cout,), 0.01)], kernel_shape=[kernel] * 2, strides=[stride] * 2,
                    pads=pads, group=groups)

    def swish(x):
        return node("Mul", [x, node("Sigmoid", [x])])

    x = swish(conv("x", 3, 32, 3, 2))
    for kernel, repeats, cin, cout, expansion, stride in BLOCKS:
        for repeat in range(repeats):
            skip, hidden = x, cin * expansion
            if expansion != 1:
                x = swish(conv(x, cin, hidden))
            x = swish(conv(x, hidden, hidden, kernel, stride, hidden))
            squeeze = max(1, cin // 4)
            s = node("GlobalAveragePool", [x])
            s = node("Sigmoid", [conv(swish(conv(s, hidden, squeeze)), squeeze, hidden)])
            x = conv(node("Mul", [x, s]), hidden, cout)
            if stride == 1 and cin == cout:
                x = node("Add", [x, skip])
            cin, stride = cout, 1
    x = node("GlobalAveragePool", [swish(conv(x, 320, 1280))])
    graph = helper.make_graph(
        nodes, "b0", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 224, 224])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [batch, 1280, 1, 1])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model.SerializeToString()


def rate(step, pictures, streams=1):
    """Pictures a second of `streams` threads that each call `step(stream)`."""
    for stream in range(streams):
        for _ in range(3):
            step(stream)
    counts = [0] * streams
    begun = time.perf_counter()

    def loop(stream):
        while time.perf_counter() - begun < SECONDS:
            step(stream)
            counts[stream] += pictures

    threads = [threading.Thread(target=loop, args=(stream,)) for stream in range(streams)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return sum(counts) / (time.perf_counter() - begun)


def numpy_pictures(batch):
    import numpy as np
    return np.random.default_rng(1).uniform(0, 1, (batch, 3, 224, 224)).astype(np.float32)


def ort(sessions):
    import onnxruntime

    def session():
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = CORES // sessions
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    model = onnx_model(1)
    all_sessions = [session() for _ in range(sessions)]
    x = numpy_pictures(1)
    return rate(lambda stream: all_sessions[stream].run(None, {"x": x}), 1, sessions)


def openvino(hint, streams, precision, batch):
    import openvino

    core = openvino.Core()
    model = core.read_model(onnx_model(batch), b"")
    config = {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision}
    if streams > 1:
        config["NUM_STREAMS"] = streams
    compiled = core.compile_model(model, "CPU", config)
    requests = [compiled.create_infer_request() for _ in range(streams)]
    x = numpy_pictures(batch)
    return rate(lambda stream: requests[stream].infer({0: x}), batch, streams)


def keras_model(trainable):
    import keras

    base = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(224, 224, 3))
    base.trainable = trainable != "head"
    if trainable == "last30":
        for layer in base.layers[:-30]:
            layer.trainable = False
    inputs = keras.Input((224, 224, 3))
    x = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
    x = keras.layers.Dropout(0.3)(keras.layers.Dense(256, activation="relu")(x))
    model = keras.Model(inputs, keras.layers.Dense(5, activation="softmax")(x))
    model.compile(optimizer=keras.optimizers.Adam(1e-5), loss="sparse_categorical_crossentropy")
    return base, model


def keras_batch():
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (32, 224, 224, 3)).astype("float32"), rng.integers(0, 5, 32)


def keras_forward():
    import keras

    base = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(224, 224, 3), pooling="avg")
    x, _ = keras_batch()
    return rate(lambda _: base.predict_on_batch(x), 32)


def keras_train(trainable):
    _, model = keras_model(trainable)
    x, y = keras_batch()
    return rate(lambda _: model.train_on_batch(x, y), 32)


def start():
    begun = time.perf_counter()
    _, model = keras_model("head")
    model.train_on_batch(*keras_batch())
    return time.perf_counter() - begun


def main():
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # Set on some machines for old libraries; they slow new ones down.
    os.environ.pop("OPENBLAS_CORETYPE", None)
    engine = sys.argv[1]
    engines = {
        "keras": keras_forward,
        "ort_latency": lambda: ort(1),
        "ort_sessions": lambda: ort(CORES),
        "openvino_latency": lambda: openvino("LATENCY", 1, "f32", 1),
        "openvino_streams": lambda: openvino("THROUGHPUT", CORES, "f32", 1),
        "openvino_bf16": lambda: openvino("THROUGHPUT", CORES, "bf16", 8),
        "keras_head": lambda: keras_train("head"),
        "keras_last30": lambda: keras_train("last30"),
        "keras_all": lambda: keras_train("all"),
        "start": start,
    }
    figure = f"{engines[engine]():.3f}"
    if engine.startswith("keras_"):
        figure += f" {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}"
    print(figure)


if __name__ == "__main__":
    main()
