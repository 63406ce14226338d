"""Model folders as Hugging Face lays them out and as the engine loads them."""

import json
import shutil
from pathlib import Path

import torch

from . import safetensors
from .config import ModelShape
from .model import MemoryModel

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                   "chat_template.jinja")
_WEIGHTS = "model.safetensors"


def save_model(model: MemoryModel, folder: Path, dtype: torch.dtype) -> None:
    """config.json, generation_config.json and the weights; embeddings are tied, so once."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = model.shape
    config = dict(shape.hf_config(), torch_dtype=str(dtype).removeprefix("torch."))
    generation = {"bos_token_id": shape.bos, "eos_token_id": shape.eos, "do_sample": False}
    for name, content in (("config.json", config), ("generation_config.json", generation)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")
    weights = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
    safetensors.save(weights, folder / _WEIGHTS)


def load_model(folder: Path, prefix_ids: list[int]) -> MemoryModel:
    """In float32, whatever the file holds."""
    shape = ModelShape.from_hf_config(json.loads((folder / "config.json").read_text()))
    model = MemoryModel(shape, prefix_ids)
    weights = safetensors.load(folder / _WEIGHTS)
    model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    return model


def copy_tokenizer(source: Path, folder: Path) -> None:
    for name in TOKENIZER_FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)
