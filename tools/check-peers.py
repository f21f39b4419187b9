"""Opens what `defrost export` wrote in the programs that it was written for; see tools/check-peers.

    check-peers.py weights CALL FILE PICTURES   weights for timm's network CALL, with statistics of PICTURES
    check-peers.py names FILE                   compares names and shapes of timm's networks with those of FILE, or writes it
    check-peers.py PEER FOLDER                  compares, see below

Every run NAME of the folder has its golden pictures in NAME/model, with the logits that defrost gives for them, and its exports
beside it as NAME.*. A peer that this Python lacks is left out; what was compared is printed, a row each.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file

LIMIT = 1e-4
failed = False


def has(*modules):
    return all(importlib.util.find_spec(module) for module in modules)


def weights(extent, target):
    """Of each source pixel in each output pixel: a triangle as wide as an output pixel, never narrower than a source pixel."""
    step = extent / target
    centres = (numpy.arange(target) + 0.5) * step
    distance = numpy.abs(numpy.arange(extent) + 0.5 - centres[:, None]) / max(step, 1)
    triangle = numpy.maximum(1 - distance, 0)
    return triangle / triangle.sum(axis=1, keepdims=True)


def bilinear_antialias(picture, size):
    """defrost's default way to resize, without Pillow's rounding in between."""
    rows, columns = weights(picture.shape[0], size), weights(picture.shape[1], size)
    return numpy.einsum("yh,hwc,xw->yxc", rows, picture, columns, optimize=True)


def goldens(run):
    """The golden pictures at input size, and their logits."""
    model = json.loads((run / "model" / "model.json").read_text())
    assert model["resize"] == "bilinear_antialias"
    pictures = [numpy.asarray(Image.open(run / "model" / golden["picture"]), float) for golden in model["goldens"]]
    pixels = numpy.stack([bilinear_antialias(picture, model["input_size"]) for picture in pictures])
    return pixels.astype(numpy.float32), numpy.array([golden["logits"] for golden in model["goldens"]])


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

    for file in sorted(folder.glob(f"{name}.*onnx")):
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


def make_weights(call, file, pictures):
    """Random weights whose activations neither vanish nor grow on `pictures`.

    BatchNorm subtracts a random mean that is small beside the activations and divides by their deviation from that: with the
    channels' own means, what all pictures have in common would vanish, and a deep random network would answer to rounding.
    """
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    model = eval(call, {"timm": timm}).eval()
    fed = [bilinear_antialias(numpy.asarray(Image.open(path).convert("RGB"), float), 96) for path in pictures]
    mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) if "tf_efficientnet" in call else ([0.5] * 3, [0.5] * 3)
    fed = torch.from_numpy(((numpy.stack(fed) / 255 - mean) / std).transpose(0, 3, 1, 2).astype(numpy.float32))

    def fit(norm, inputs):
        x = inputs[0]
        scale = x.square().mean().sqrt()
        norm.running_mean.uniform_(-0.3, 0.3).mul_(scale)
        norm.running_var.copy_((x - norm.running_mean[:, None, None]).square().mean(dim=(0, 2, 3)) + 0.1 * scale.square())
        torch.nn.init.uniform_(norm.weight, 0.3, 0.9)
        torch.nn.init.uniform_(norm.bias, -0.3, 0.3)

    for name, module in model.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_pre_hook(fit)
        # Squeeze-excites whose gates are about a half, as after training.
        if name.endswith(("conv_reduce", "conv_expand")):
            torch.nn.init.normal_(module.weight, std=0.5 / module.weight.shape[1] ** 0.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    with torch.no_grad():
        model(fed)
    save_file(model.state_dict(), file)


def check_names(file):
    """SHA-256 of the lines `name [shape]` of each of timm's networks, in order, without the classifier and counters."""
    import hashlib
    import timm
    import torch

    calls = [f'timm.create_model("tf_efficientnet_{variant}")' for variant in ["lite0", *(f"b{n}" for n in range(8))]]
    same = ', bn_eps=1e-3, pad_type="same")'
    calls += [f'timm.create_model("mobilenetv2_{width}"{same}' for width in ["035", "050", "075", "100", "140"]]
    calls += [f'timm.models.efficientnet._gen_mobilenet_v2("mobilenetv2_130", 1.3{same}']
    hashes = {}
    for call in calls:
        with torch.device("meta"):
            state = eval(call, {"timm": timm}).state_dict()
        lines = [
            f"{name} {list(tensor.shape)}\n"
            for name, tensor in sorted(state.items())
            if not name.startswith("classifier.") and not name.endswith("num_batches_tracked")
        ]
        hashes[call] = hashlib.sha256("".join(lines).encode()).hexdigest()
    file = Path(file)
    if file.exists():
        assert json.loads(file.read_text()) == hashes, f"timm {timm.__version__} has other names or shapes than {file}"
    else:
        file.write_text(json.dumps(hashes, indent=1) + "\n")


PEERS = {
    "onnxruntime": (check_onnx, ["onnx", "onnxruntime"]),
    "keras": (check_keras, ["keras", "tensorflow"]),
    "timm": (check_timm, ["timm", "torch"]),
    "weights": (make_weights, ["timm", "torch"]),
    "names": (check_names, ["timm", "torch"]),
}
asked = sys.argv[1]
check, modules = PEERS[asked]
if has(*modules):
    if asked == "weights":
        make_weights(sys.argv[2], sys.argv[3], sorted(Path(sys.argv[4]).glob("*/*.jpg")))
    elif asked == "names":
        check_names(sys.argv[2])
    else:
        folder = Path(sys.argv[2])
        runs = sorted(path.parent.parent for path in folder.glob("*/model/model.json"))
        assert runs, f"no run in {folder}"
        for run in runs:
            pixels, logits = goldens(run)
            # Logits that hardly depend on the picture would agree by themselves.
            assert logits.std(axis=0).mean() > 0.05, f"{run}: {logits.std(axis=0)}"
            check(run.name, pixels, logits)
    print(f"checked {asked}", file=sys.stderr)
sys.exit(failed)
