"""The training loop: steps, checkpoints, resuming, a log."""

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from memory3_training.batches import Batch
from memory3_training.loss import hidden_states, weighted_loss
from memory3_training.model import MemoryModel
from memory3_training.schedule import Schedule
from memory3_training.world import stream

_BETAS = (0.9, 0.98)
_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class LoopSettings:
    """How to run the steps of one stage."""

    name: str  # of the stage, in the log
    schedule: Schedule
    seed: int
    folder: Path  # of checkpoints and log
    window: int = 0  # of the layers above memory in plain batches
    windowed: float = 0.75  # share of plain batches with that window
    sample: float = 0.3  # share of unimportant tokens in the loss
    weight_decay: float = 0.02
    clip: float = 1.0
    bf16: bool = True
    compiled: bool = False  # one and a half times as fast, after minutes of compiling
    log_every: int = 50
    measure_every: int = 500
    save_every: int = 250


class Trainer:
    """Runs one stage. make_batch(step) must depend on the step alone; measure() is put in the log."""

    def __init__(self, model: MemoryModel, settings: LoopSettings,
                 make_batch: Callable[[int], Batch],
                 measure: Callable[[], dict[str, float]]) -> None:
        self.model, self.settings = model, settings
        self.make_batch, self.measure = make_batch, measure
        self.device = next(model.parameters()).device
        # Lengths differ from batch to batch. Measuring stays uncompiled: it would compile anew.
        self.hidden_states = torch.compile(hidden_states, dynamic=True) if settings.compiled else hidden_states
        matrices = [p for p in model.parameters() if p.ndim > 1]
        vectors = [p for p in model.parameters() if p.ndim == 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": settings.weight_decay},
             {"params": vectors, "weight_decay": 0.0}], lr=0.0, betas=_BETAS, fused=True)
        self.step = 0
        self.tokens = 0  # of contexts
        self.seconds = 0.0

    # -- checkpoints ------------------------------------------------------------------------------
    def save(self) -> None:
        """Replaces the last checkpoint only when the new one is whole."""
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        file = self.settings.folder / _CHECKPOINT
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                 "step": self.step, "tokens": self.tokens, "seconds": self.seconds}
        torch.save(state, file.with_suffix(".new"))
        file.with_suffix(".new").replace(file)

    def resume(self) -> bool:
        """Goes on from the folder's checkpoint, if there is one: bit for bit as if never stopped."""
        file = self.settings.folder / _CHECKPOINT
        if not file.exists():
            return False
        state = torch.load(file, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        return True

    # -- steps ------------------------------------------------------------------------------------
    def one_step(self) -> float:
        settings = self.settings
        rng = stream(settings.seed, settings.name, "step", self.step)
        batch = self.make_batch(self.step).to(self.device)
        window = settings.window if rng.random() < settings.windowed else 0
        generator = torch.Generator().manual_seed(rng.getrandbits(62))
        cast = torch.autocast(self.device.type, torch.bfloat16) if settings.bf16 else nullcontext()
        with cast:
            hidden = self.hidden_states(self.model, batch, window)
            loss = weighted_loss(self.model, hidden, batch, settings.sample, generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.schedule.rate(self.step)
        self.optimizer.step()
        self.step += 1
        self.tokens += batch.ids.numel()
        return float(loss.detach())

    def run(self, until: int | None = None) -> None:
        """Up to the schedule's last step, or step `until`."""
        last = self.settings.schedule.steps if until is None else until
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        losses: list[float] = []
        while self.step < last:
            begin = time.monotonic()
            losses.append(self.one_step())
            self.seconds += time.monotonic() - begin
            measured = self.step % self.settings.measure_every == 0 or self.step == last
            if measured or self.step % self.settings.log_every == 0:
                self._log(sum(losses) / len(losses), self.measure() if measured else {})
                losses = []
            if self.step % self.settings.save_every == 0 or self.step == last:
                self.save()

    def _log(self, loss: float, measured: dict[str, float]) -> None:
        schedule = self.settings.schedule
        left = (schedule.steps - self.step) * self.seconds / self.step
        entry = {"stage": self.settings.name, "step": self.step, "tokens": self.tokens,
                 "seconds": round(self.seconds, 1), "loss": round(loss, 4),
                 "rate": schedule.rate(self.step - 1), **measured}
        with (self.settings.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")
        shown = " ".join(f"{k} {v:.3f}" for k, v in measured.items())
        print(f"{self.settings.name} {self.step}/{schedule.steps} loss {loss:.3f} "
              f"{self.tokens / self.seconds:.0f} tokens/s, {left / 60:.0f} min left {shown}",
              flush=True)
