"""The safetensors format: a length, a JSON header, the tensors one after the other."""

import json
import struct
from pathlib import Path

import torch
from torch import Tensor

_NAMES = {torch.float32: "F32", torch.bfloat16: "BF16"}
_TYPES = {name: dtype for dtype, name in _NAMES.items()}
_ALIGNMENT = 8


def save(tensors: dict[str, Tensor], file: Path) -> None:
    header: dict[str, dict] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            out.write(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())


def load(file: Path) -> dict[str, Tensor]:
    raw = bytearray(file.read_bytes())
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        data = torch.frombuffer(raw[begin:end], dtype=_TYPES[entry["dtype"]])
        tensors[name] = data.reshape(entry["shape"]).clone()
    return tensors
