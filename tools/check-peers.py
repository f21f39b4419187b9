"""Opens what `defrost export` wrote in the programs that it was written for; see tools/check-peers.

Every network NAME of the folder has NAME.goldens.safetensors: `pixels` (RGB 0-255, channels last, at input size) and the `logits`
that defrost gives for them. A peer that this Python lacks is left out; what was compared is printed, a row each.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy
from safetensors import safe_open
from safetensors.numpy import load_file

LIMIT = 1e-4
folder = Path(sys.argv[1])
failed = False


def has(*modules):
    return all(importlib.util.find_spec(module) for module in modules)


def row(name, file, peer, difference, limit=LIMIT):
    global failed
    failed |= not difference <= limit
    print(f"| {name} | `{file}` | {peer} | {difference:.1e} |", flush=True)


def softmax(logits):
    exponentials = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def check_onnx(name, pixels, logits):
    import onnx
    import onnxruntime

    for file in sorted(folder.glob(f"{name}*.onnx")):
        model = onnx.load(file)
        onnx.checker.check_model(model, full_check=True)
        meta = {entry.key: entry.value for entry in model.metadata_props}
        temperature = float(meta.get("temperature", 1))
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        [source] = session.get_inputs()
        if source.shape[-1] == 3:
            fed = pixels
        else:
            fed = (pixels / 255 - json.loads(meta["mean"])) / json.loads(meta["std"])
            fed = fed.transpose(0, 3, 1, 2).astype(numpy.float32)
        batch = source.shape[0] if isinstance(source.shape[0], int) else len(fed)
        answers = [session.run(["logits", "probabilities"], {source.name: fed[i : i + batch]}) for i in range(0, len(fed), batch)]
        got, probabilities = (numpy.concatenate(parts) for parts in zip(*answers))
        assert len(json.loads(meta["classes"])) == got.shape[1]
        assert numpy.abs(probabilities - softmax(got / temperature)).max() < 1e-6
        row(name, file.name, f"onnxruntime {onnxruntime.__version__}", numpy.abs(got - logits).max())
        if has("openvino") and not file.name.startswith(f"{name}.fixed"):
            import openvino

            compiled = openvino.compile_model(openvino.Core().read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            row(name, file.name, f"openvino {openvino.__version__.split('-')[0]}", numpy.abs(compiled(fed)["logits"] - logits).max())


def check_keras(name, pixels, logits):
    import keras

    peer = f"keras {keras.__version__} ({keras.backend.backend()})"
    model = keras.saving.load_model(folder / f"{name}.keras")
    to_logits = keras.Model(model.input, model.get_layer("classifier").output)
    got = to_logits.predict(pixels, verbose=0)
    row(name, f"{name}.keras", peer, numpy.abs(got - logits).max())
    probabilities = model.predict(pixels, verbose=0)
    assert numpy.abs(probabilities.sum(axis=1) - 1).max() < 1e-5
    # The weights alone, into the same network with other weights.
    fresh = keras.models.clone_model(model)
    fresh.load_weights(folder / f"{name}.weights.h5")
    to_logits = keras.Model(fresh.input, fresh.get_layer("classifier").output)
    row(name, f"{name}.weights.h5", peer, numpy.abs(to_logits.predict(pixels, verbose=0) - logits).max())


def check_timm(name, pixels, logits):
    import timm
    import torch
    from torch import nn

    file = folder / f"{name}.safetensors"
    meta = safe_open(file, "pt").metadata()
    model = eval(meta["timm"], {"timm": timm})
    model.classifier = eval(meta["classifier"], {"nn": nn})
    model.load_state_dict({key: torch.from_numpy(value) for key, value in load_file(file).items()})
    fed = (pixels / 255 - json.loads(meta["mean"])) / json.loads(meta["std"])
    with torch.inference_mode():
        got = model.eval()(torch.from_numpy(fed.transpose(0, 3, 1, 2).astype(numpy.float32))).numpy()
    row(name, file.name, f"timm {timm.__version__}, torch {torch.__version__}", numpy.abs(got - logits).max())


PEERS = {
    "onnxruntime": (check_onnx, ["onnx", "onnxruntime"]),
    "keras": (check_keras, ["keras", "tensorflow"]),
    "timm": (check_timm, ["timm", "torch"]),
}
asked = sys.argv[2].split(",")
for peer in asked:
    check, modules = PEERS[peer]
    if not has(*modules):
        continue
    for goldens in sorted(folder.glob("*.goldens.safetensors")):
        arrays = load_file(goldens)
        check(goldens.name.split(".")[0], arrays["pixels"], arrays["logits"])
    print(f"checked {peer}", file=sys.stderr)
sys.exit(failed)
