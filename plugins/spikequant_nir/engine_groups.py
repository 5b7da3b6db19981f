"""Which nodes of a graph must step through time together: its cycles; everything else runs all timesteps at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def groups(names: Sequence[str], targets: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the strongly connected components, sources before targets, each in the order of ``names``.

    Source: Tarjan 1972, without recursion, so that a long chain needs no deep stack.

    >>> groups(["a", "b", "c", "d"], {"a": ["b"], "b": ["c"], "c": ["b", "d"]})
    [['a'], ['b', 'c'], ['d']]
    """
    place = {name: index for index, name in enumerate(names)}
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for start in names:
        if start in number:
            continue
        number[start] = lowest[start] = len(number)
        stack.append(start)
        on_stack.add(start)
        work = [(start, iter(targets.get(start, ())))]
        while work:
            name, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    above = work[-1][0]
                    lowest[above] = min(lowest[above], lowest[name])
                if lowest[name] == number[name]:
                    cut = stack.index(name)
                    found.append(sorted(stack[cut:], key=place.__getitem__))
                    on_stack.difference_update(stack[cut:])
                    del stack[cut:]
            elif following not in number:
                number[following] = lowest[following] = len(number)
                stack.append(following)
                on_stack.add(following)
                work.append((following, iter(targets.get(following, ()))))
            elif following in on_stack:
                lowest[name] = min(lowest[name], number[following])
    return found[::-1]
