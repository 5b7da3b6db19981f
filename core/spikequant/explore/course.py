"""One scheme's walk through a plan, as far as outcomes are known, and what it wants to know next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from spikequant.explore.curves import Curves
from spikequant.explore.plan import Plan
from spikequant.explore.search import Visit, Walk, deciding_visits
from spikequant.explore.setting import Scheme, Setting

COUNTED = 1 << 14
"""Up to so many visits ahead are counted one by one; beyond that their number is guessed from the loop bounds."""


@dataclass
class Course:
    """A walk that goes on while outcomes are known.

    Attributes:
        plan: What is explored.
        scheme: For which scheme.
        known: Whether a setting meets the target; ``None`` while it was not evaluated.
        visited: What the walk went through, in order.
    """

    plan: Plan
    scheme: Scheme
    known: Callable[[Setting], bool | None]
    visited: list[Setting] = field(default_factory=list)
    _walk: Walk | Curves = field(init=False)
    _settings: dict[Visit, Setting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._walk = self.plan.walk()

    def go_on(self) -> bool:
        """Walk over all that is known; return whether that was all."""
        while not self._walk.done:
            passed = self._outcome(self._walk.visit)
            if passed is None:
                return False
            self.visited.append(self._setting(self._walk.visit))
            self._walk.advance(passed)
        return True

    def deciding(self) -> Iterator[Setting]:
        """Yield the unknown settings that decide about others, none of them twice."""
        visits = deciding_visits(self.plan.lengths, len(self.plan.roundings), self._outcome, self.plan.search)
        return self._unknown(visits)

    def ahead(self) -> Iterator[Setting]:
        """Yield the unknown settings that the walk comes to if what is unknown passes, none of them twice."""
        return self._unknown(self._visits_ahead())

    @property
    def left(self) -> int:
        """How many settings are unknown, if what is unknown passes."""
        return self._walk.left if self._walk.left > COUNTED else sum(1 for _ in self.ahead())

    def _visits_ahead(self) -> Iterator[Visit]:
        walk = self._walk.fork()
        while not walk.done:
            visit = walk.visit
            yield visit
            walk.advance(self._outcome(visit) is not False)

    def _unknown(self, visits: Iterator[Visit]) -> Iterator[Setting]:
        seen: set[str] = set()
        for visit in visits:
            setting = self._setting(visit)
            if setting.key not in seen and self.known(setting) is None:
                seen.add(setting.key)
                yield setting

    def _outcome(self, visit: Visit) -> bool | None:
        return self.known(self._setting(visit))

    def _setting(self, visit: Visit) -> Setting:
        found = self._settings.get(visit)
        if found is None:
            found = self._settings[visit] = self.plan.setting(self.scheme, visit)
        return found
