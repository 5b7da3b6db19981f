"""The contract of a selector as checks: one candidate, for a stated reason."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from spikequant.errors import UsageError
from spikequant.selector import Candidate, Selection, Selector
from spikequant.testing.kit import Contract

LISTS = 24
CONSIDERED = ("candidates", "all")
REFERENCE_BITS = 32_000
REFERENCE_ACCURACY = 0.95


def check_described(selector: Selector) -> None:
    """The selector has a name, and says what it chooses from."""
    label = type(selector).__name__
    name: object = getattr(selector, "name", None)
    assert isinstance(name, str), f"{label}.name is {name!r}; it must be a text"
    assert name.strip(), f"{label}.name is empty; it must be a word"
    considers: object = getattr(selector, "considers", None)
    assert considers in CONSIDERED, f"{label}.considers is {considers!r}; it must be one of {', '.join(CONSIDERED)}"


def check_chooses(selector: Selector) -> None:
    """The selection is the index of a candidate."""
    for given in candidate_lists():
        selection: object = _select(selector, given)
        what = f"selector '{selector.name}': select() of {len(given)} candidates returned {selection!r}"
        assert isinstance(selection, Selection), f"{what}; it must return a Selection"
        index: object = selection.index
        assert isinstance(index, int), f"{what}; its index must be an int"
        assert 0 <= index < len(given), f"{what}; its index must be between 0 and {len(given) - 1}"


def check_says_why(selector: Selector) -> None:
    """The selection says why, naming what it chose."""
    for given in candidate_lists():
        selection = _select(selector, given)
        why: object = selection.why
        assert isinstance(why, str), f"selector '{selector.name}': why is {why!r}; it must be a text"
        label = given[selection.index].label
        assert label in why, f"selector '{selector.name}': why does not name the candidate '{label}' it chose: {why!r}"


def check_runner_up(selector: Selector) -> None:
    """The runner-up is ``None`` or the index of another candidate."""
    for given in candidate_lists():
        selection = _select(selector, given)
        other: object = selection.runner_up
        what = f"selector '{selector.name}': select() of {len(given)} candidates has the runner-up {other!r}"
        assert other is None or isinstance(other, int), f"{what}; it must be an int or None"
        assert other is None or 0 <= other < len(given), f"{what}; it must be between 0 and {len(given) - 1}"
        assert other != selection.index, f"{what}, which is the chosen one; it must be another"


def check_nothing_to_choose(selector: Selector) -> None:
    """Without candidates there is a ``UsageError``."""
    try:
        selection = selector.select([])
    except UsageError:
        return
    except (ValueError, IndexError) as error:
        raise AssertionError(
            f"selector '{selector.name}': no candidates raise {type(error).__name__}: {error}; raise UsageError"
        ) from error
    raise AssertionError(f"selector '{selector.name}': no candidates gave {selection!r}; raise UsageError")


def check_repeatable(selector: Selector) -> None:
    """Equal candidates give an equal selection: other objects, another container, another day."""
    for given in candidate_lists():
        first = _select(selector, given)
        random.seed(len(given))
        for what, again in (("a second time", given), ("as a tuple of copies", tuple(replace(c) for c in given))):
            second = _select(selector, again)
            same = first == second
            assert same, f"selector '{selector.name}': asked {what} it gives {second!r}, and {first!r} before"


def check_candidates_unchanged(selector: Selector) -> None:
    """The candidates are as they were, in their order."""
    for given in candidate_lists():
        kept = list(given)
        _select(selector, given)
        same = len(given) == len(kept) and all(a is b for a, b in zip(given, kept, strict=True))
        assert same, f"selector '{selector.name}': select() changed the list it was given; sort a copy"


def candidate_lists() -> list[list[Candidate]]:
    """Random candidates with ties and duplicates; one is perfect and small, so any demand can be met."""
    numbers = random.Random(5)
    lists = []
    for case in range(LISTS):
        found = [_candidate(numbers, number) for number in range(case % 8)]
        perfect = Candidate("perfect", 1.0, 1, REFERENCE_BITS, REFERENCE_ACCURACY)
        found.insert(numbers.randint(0, len(found)), perfect)
        lists.append(found + [replace(found[0], label="twin")] * (case % 2))
    return lists


def _candidate(numbers: random.Random, number: int) -> Candidate:
    accuracy = numbers.choice([0.1, 0.5, 0.9, numbers.random()])
    bits = numbers.choice([1, 1000, REFERENCE_BITS, numbers.randint(1, REFERENCE_BITS)])
    return Candidate(f"c{number}", accuracy, bits, REFERENCE_BITS, REFERENCE_ACCURACY)


def _select(selector: Selector, candidates: Sequence[Candidate]) -> Selection:
    try:
        return selector.select(candidates)
    except UsageError as error:
        raise AssertionError(
            f"selector '{selector.name}': refused candidates of which one is perfect and 1 bit large: {error}"
        ) from error


selector_checks: Contract[Selector] = Contract(
    "selector",
    (
        check_described,
        check_chooses,
        check_says_why,
        check_runner_up,
        check_nothing_to_choose,
        check_repeatable,
        check_candidates_unchanged,
    ),
)
