"""The two stages end to end on a very small model: resuming, exporting, and that it learns."""

import json
import sys
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import needs_torch  # noqa: E402, F401

import torch  # noqa: E402

from memory3_training import folder as folders  # noqa: E402
from memory3_training.batches import MemoryBatcher, MemoryMix, PlainMix, plain_batch  # noqa: E402
from memory3_training.documents import ANSWER_WEIGHT, Writer  # noqa: E402
from memory3_training.export import export  # noqa: E402
from memory3_training.invented import Inventor  # noqa: E402
from memory3_training.model import MemoryModel  # noqa: E402
from memory3_training.recipe import demo_shape  # noqa: E402
from memory3_training.schedule import Schedule  # noqa: E402
from memory3_training.start_values import set_start_values  # noqa: E402
from memory3_training.tokenizer import TextTokenizer, save, texts_of, train  # noqa: E402
from memory3_training.train import main as both_stages  # noqa: E402
from memory3_training.trainer import LoopSettings, Trainer  # noqa: E402
from memory3_training.world import Counts, World  # noqa: E402

SEED = 3
torch.set_num_threads(1)
KINDS = {("person", "en"): 2.0, ("town", "en"): 1.0, ("person", "zh"): 1.0}
COUNTS = Counts(people=400, towns=150, companies=100, species=60, events=60, chinese_people=120,
                chinese_towns=60)
MIX = MemoryMix(groups=2, rows=2, chunks=2, pool=7, visible=(2, 5), unknown=0.3, again=0.2, talk=0.1,
                kept=(4, 6))


class Training(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.holder.name)
        cls.world = World.generate(SEED, COUNTS)
        save(train(texts_of(cls.world), 800), cls.folder / "tokenizer", 512)
        cls.tokenizer = TextTokenizer(cls.folder / "tokenizer")
        cls.writer = Writer(cls.tokenizer, Inventor(cls.world, KINDS))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.holder.cleanup()

    def model(self) -> MemoryModel:
        shape = demo_shape(self.tokenizer.vocab_size, (0, 1), 4, hidden=32, layers=3, heads=2, mlp=64)
        model = MemoryModel(shape, self.tokenizer.prefix_ids(shape.memory.reference_prefix))
        set_start_values(model, SEED)
        return model

    def trainer(self, name: str, model: MemoryModel, memory: bool, steps: int) -> Trainer:
        settings = LoopSettings("stage", Schedule(3e-3, steps, 2, 2), SEED, self.folder / name, window=8,
                                save_every=3, measure_every=steps, log_every=2)
        batcher = MemoryBatcher(self.writer, model.shape.memory)
        mix = PlainMix(rows=4, length=64, unknown=0.1)
        return Trainer(model, settings,
                       (lambda step: batcher.batch(MIX, SEED, step)) if memory else
                       (lambda step: plain_batch(self.writer, mix, SEED, step)),
                       lambda: {"one": 1.0})

    def test_resuming_changes_no_bit(self) -> None:
        for memory in (False, True):
            whole, first = self.model(), self.model()
            self.trainer(f"whole{memory}", whole, memory, 6).run()
            self.trainer(f"parts{memory}", first, memory, 6).run(until=3)
            second = self.model()
            resumed = self.trainer(f"parts{memory}", second, memory, 6)
            self.assertTrue(resumed.resume())
            self.assertEqual(resumed.step, 3)
            resumed.run()
            for name, tensor in whole.state_dict().items():
                self.assertTrue(torch.equal(tensor, second.state_dict()[name]), name)
            log = (self.folder / f"parts{memory}" / "log.jsonl").read_text().splitlines()
            self.assertEqual(json.loads(log[-1])["step"], 6)
            self.assertEqual(json.loads(log[-1])["one"], 1.0)

    def test_loss_falls_with_memory_and_without(self) -> None:
        for memory in (False, True):
            trainer = self.trainer(f"falls{memory}", self.model(), memory, 40)
            first = trainer.one_step()
            trainer.run()
            self.assertLess(trainer.one_step(), first - 0.5)

    def test_batches_depend_on_seed_and_step_alone(self) -> None:
        memory = self.model().shape.memory
        one, again, other = (MemoryBatcher(self.writer, memory).batch(MIX, SEED, s) for s in (7, 7, 8))
        self.assertTrue(torch.equal(one.ids, again.ids))
        self.assertTrue(torch.equal(one.references.ids, again.references.ids))
        self.assertFalse(torch.equal(one.ids, other.ids))

    def test_answers_are_in_the_references_their_chunk_sees(self) -> None:
        memory = self.model().shape.memory
        mix = replace(MIX, unknown=0.0, talk=0.0)
        found = 0
        for step in range(6):
            batch = MemoryBatcher(self.writer, memory).batch(mix, SEED, step)
            for row in range(len(batch.ids)):
                spans = (batch.weights[row] == ANSWER_WEIGHT).int().tolist()
                begin = 0
                while 1 in spans[begin:]:
                    begin = spans.index(1, begin)
                    end = spans.index(0, begin) if 0 in spans[begin:] else len(spans)
                    seen = batch.attached.visible[row, begin - 1]
                    texts = [self.tokenizer.decode(batch.references.ids[number].tolist())
                             for number, is_seen in zip(batch.attached.sets[row], seen) if is_seen]
                    answer = self.tokenizer.decode(batch.ids[row, begin:end].tolist()).strip()
                    if end < len(spans):  # an answer that the context's end does not cut
                        self.assertTrue(any(answer in t for t in texts), (answer, texts))
                        found += 1
                    begin = end
        self.assertGreater(found, 20)

    def test_one_command_runs_all_stages_and_goes_on_where_it_stopped(self) -> None:
        run = self.folder / "run"
        command = ["train", "--tokenizer", self.folder / "tokenizer", "--out", run, "--threads", "1", "--device", "cpu",
                   "--hidden", "32", "--layers", "3", "--heads", "2", "--mlp", "64", "--memory_layers", "0", "1",
                   "--kept_tokens", "4", "--warm_up_steps", "2", "--continual_steps", "2", "--annealing_steps", "2"]
        for name, count in vars(COUNTS).items():
            if isinstance(count, int):
                command += [f"--{name}", count]
        weights = []
        for until in ([], ["--until", "1"], []):  # whole; then in parts, elsewhere
            command[4] = run if not until and not weights else self.folder / "parts"
            with mock.patch.object(sys, "argv", [str(word) for word in (*command, *until)]):
                try:
                    both_stages()
                except SystemExit as stopped:
                    self.assertEqual(stopped.code, 0)
                    continue
            weights.append(folders.load_model(command[4] / "annealing" / "model", []).state_dict())
        for name, tensor in weights[0].items():
            self.assertTrue(torch.equal(tensor, weights[1][name]), name)
        for stage, steps in (("warm_up", 2), ("continual", 2), ("annealing", 2)):
            log = (run / stage / "log.jsonl").read_text().splitlines()
            self.assertEqual(json.loads(log[-1])["step"], steps)

    def test_no_held_out_name_in_training_text(self) -> None:
        hidden = {e.name for e in self.world.entities if e.split != "train"}
        for step in range(5):
            batch = MemoryBatcher(self.writer, self.model().shape.memory).batch(MIX, SEED, step)
            text = " ".join(self.tokenizer.decode(row.tolist()) for row in
                            (*batch.ids, *batch.references.ids))
            self.assertFalse([name for name in hidden if f" {name} " in text])

    def test_exported_folder_is_the_model(self) -> None:
        model = self.model()
        folders.save_model(model, self.folder / "stage", torch.float32)
        folders.copy_tokenizer(self.folder / "tokenizer", self.folder / "stage")
        export(self.folder / "stage", self.folder / "out", 6, torch.bfloat16)
        prefix = model.prefix_ids[0].tolist()
        served = folders.load_model(self.folder / "out", prefix)
        self.assertEqual(served.shape.memory.kept_tokens, 6)
        for name, tensor in model.state_dict().items():
            torch.testing.assert_close(served.state_dict()[name], tensor.bfloat16().float())
        self.assertTrue((self.folder / "out" / "tokenizer.json").exists())


if __name__ == "__main__":
    unittest.main()
