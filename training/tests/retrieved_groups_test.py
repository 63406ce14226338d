"""Groups that retrieval finds together: who is in them, and that their values are drawn anew."""

import random
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import needs_torch  # noqa: E402, F401

from memory3_training.invented import Inventor  # noqa: E402
from memory3_training.retrieved import Retrieved, write_retrieved  # noqa: E402
from memory3_training.retrieved_groups import RetrievedGroups  # noqa: E402
from memory3_training.world import Counts, World  # noqa: E402

COUNTS = Counts(people=200, towns=60, companies=60, species=60, events=60, chinese_people=60, chinese_towns=60)
KINDS = {("person", "en"): 1.0}


class Groups(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.world = World.generate(5, COUNTS)
        cls.people = [e.id for e in cls.world.split("train", "person", "en")]
        cls.towns = [e.id for e in cls.world.split("train", "town", "en")]

    def groups(self, lines: list[tuple[int, tuple[int, ...]]]) -> RetrievedGroups:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "retrieved.jsonl"
            write_retrieved(file, [Retrieved(entity, "birth_year", "?", "?", found) for entity, found in lines])
            return RetrievedGroups(file, self.world, Inventor(self.world, KINDS))

    def test_a_group_is_what_was_found_and_what_is_found_for_those(self) -> None:
        a, b, c, d, e, f = self.people[:6]
        groups = self.groups([(a, (a, b, c)), (b, (b, d, e, f))])
        names = [self.world.entities[i].name for i in (a, b, c, d, e, f)]
        for seed in range(20):
            found = [one.name for one in groups.group(3, random.Random(seed))]
            self.assertIn(found, [names[:3], [names[1], *names[3:5]]])
            more = [one.name for one in groups.group(6, random.Random(seed))]
            self.assertEqual(len(set(more)), len(more))
            self.assertLessEqual(set(more), set(names))
            self.assertGreaterEqual(len(more), 4)

    def test_values_are_not_those_of_the_world(self) -> None:
        groups = self.groups([(i, tuple(self.people[n:n + 5])) for n, i in enumerate(self.people[:40])])
        rng = random.Random(1)
        drawn = [one for _ in range(40) for one in groups.group(5, rng)]
        names = {self.world.entities[i].name: self.world.entities[i] for i in self.people}
        same = sum(one.attributes == names[one.name].attributes for one in drawn)
        self.assertEqual(same, 0)

    def test_other_kinds_are_left_out(self) -> None:
        person, town = self.people[0], self.towns[0]
        groups = self.groups([(town, (town, person)), (person, (person, town))])
        self.assertEqual([one.name for one in groups.group(5, random.Random(1))],
                         [self.world.entities[person].name])

    def test_a_file_of_another_world_is_refused(self) -> None:
        held_out = self.world.split("held_out", "person", "en")[0].id
        with self.assertRaisesRegex(ValueError, "another world"):
            self.groups([(self.people[0], (held_out,))])
        with self.assertRaisesRegex(ValueError, "no question"):
            self.groups([(self.towns[0], (self.towns[0],))])


if __name__ == "__main__":
    unittest.main()
