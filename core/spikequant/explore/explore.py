"""Q-SpiNN's exploration: which settings meet the target accuracy, found without evaluating what cannot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from spikequant.explore.course import Course
from spikequant.explore.evaluation import Evaluation, Evaluator
from spikequant.explore.executors import InProcess, Place, Workers
from spikequant.explore.plan import Plan
from spikequant.explore.result import Exploration, known_outcome, read_exploration
from spikequant.explore.setting import Setting
from spikequant.explore.store import Store


@dataclass(frozen=True)
class Tidings:
    """How far an exploration is.

    Attributes:
        evaluation: What was just finished.
        done: Settings finished by this process.
        left: Settings of this scheme still to evaluate, if nothing else fails.
    """

    evaluation: Evaluation
    done: int
    left: int


@dataclass
class Explorer:
    """An exploration in progress.

    The walk decides what is visited, from outcomes alone; evaluation runs ahead of it in groups. So neither
    the number of workers nor the order in which they finish can change the result, and an exploration that
    was killed and is started again with the same store ends as if nothing had happened.

    Source: Q-SpiNN, Algorithm 1.

    Attributes:
        plan: What is explored.
        evaluator: How a setting is evaluated.
        store: Where evaluations are kept, and where those of an earlier process are found.
        place: Where they are computed.
        tell: Hears of every finished evaluation.
        window: How many unknown settings are looked at ahead of the walk, to find some that share work.
    """

    plan: Plan
    evaluator: Evaluator
    store: Store
    place: Place = field(default_factory=InProcess)
    tell: Callable[[Tidings], None] = lambda _: None
    window: int = 1024
    _done: int = 0
    _left: int = 0
    _counted: float = 0.0

    def run(self) -> Exploration:
        """Evaluate what the walks want and return what they visited.

        Raises:
            StoreError: The store cannot take an evaluation.
            WorkerError: A worker died over a candidate, twice.
            UsageError: A candidate cannot be evaluated.
        """
        self.store.set_meta("plan", self.plan.to_json())
        self.store.set_meta("weights", sorted(self.evaluator.weights))
        workers = Workers(self.evaluator, self.place)
        try:
            if self.plan.float_setting.key not in self.store.evaluations:
                workers.submit([self.plan.float_setting])
                self._keep(workers, None)
            for scheme in self.plan.schemes:
                self._counted = 0.0
                self._explore(Course(self.plan, scheme, self._known), workers)
        finally:
            workers.close()
        return read_exploration(self.store)

    def _explore(self, course: Course, workers: Workers) -> None:
        while not course.go_on():
            for group in self._groups(course, workers):
                workers.submit(group)
            self._keep(workers, course)

    def _groups(self, course: Course, workers: Workers) -> Iterator[list[Setting]]:
        """Yield a group for each free worker: first what decides about others, then what comes next."""
        running, size = workers.running, self.evaluator.group_size
        window = self.window if size > 1 else workers.free
        for source in (course.deciding, course.ahead):
            wanted = list(islice((s for s in source() if s.key not in running), window)) if workers.free else []
            while wanted and workers.free:
                kind = self.evaluator.group(wanted[0])
                group = [setting for setting in wanted if self.evaluator.group(setting) == kind][:size]
                yield group
                running |= {setting.key for setting in group}
                wanted = [setting for setting in wanted if setting.key not in running]

    def _keep(self, workers: Workers, course: Course | None) -> None:
        for evaluations in workers.finished():
            self.store.add(evaluations)
            self._done += len(evaluations)
            self._count(course, len(evaluations))
            for number, evaluation in enumerate(evaluations, self._done - len(evaluations) + 1):
                self.tell(Tidings(evaluation, number, self._left + self._done - number))

    def _count(self, course: Course | None, finished: int) -> None:
        """Count what is left, once a second at most."""
        if course is not None and time.monotonic() - self._counted > 1.0:
            self._left, self._counted = course.left, time.monotonic()
        else:
            self._left = max(0, self._left - finished)

    def _known(self, setting: Setting) -> bool | None:
        return known_outcome(self.plan, self.store, setting)
