"""What a conformance kit is: named checks of one contract, run by pytest or by plain code."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

Subject = TypeVar("Subject")
Test = TypeVar("Test", bound=Callable[..., Any])


class Contract(Generic[Subject]):
    """The checks of one contract; an instance is a decorator for a test.

    A check is a function of the subject that raises ``AssertionError`` with a message. The decorated
    test gets the arguments ``NAME`` (the subject) and ``check``:

    >>> def check_positive(number):
    ...     assert number > 0, f"number {number} is not positive"
    >>> number_checks = Contract("number", [check_positive])
    >>> @number_checks(3, 4)
    ... def test_contract(number, check):
    ...     check(number)

    Without pytest, call the checks, or ask for the failures:

    >>> number_checks.failures(-1)
    {'positive': 'number -1 is not positive'}

    Args:
        name: What a subject is called: the first argument of the decorated test.
        checks: Functions named ``check_...``; their first docstring line says what must hold.
        skip: Returns why a subject cannot be checked here (a missing tool), or ``None``.
    """

    def __init__(
        self,
        name: str,
        checks: Sequence[Callable[[Subject], None]],
        skip: Callable[[Subject], str | None] = lambda _: None,
    ) -> None:
        self.name, self.checks, self._skip = name, tuple(checks), skip

    def __call__(
        self, *subjects: Subject, expected_failures: Mapping[str, str] | None = None
    ) -> Callable[[Test], Test]:
        """Return a decorator that runs a test for every subject and check.

        Args:
            subjects: What is checked.
            expected_failures: Reasons under the names of checks known to fail (without ``check_``);
                such a check must fail.

        Raises:
            ValueError: No subject was given, or an expected failure names no check.
        """
        import pytest

        if not subjects:
            raise ValueError(f"{self.name}_checks was given nothing to check; pass one {self.name} or more")
        expected = expected_failures or {}
        self._check_names(expected)
        cases = []
        for subject in subjects:
            missing = self._skip(subject)
            for check in self.checks:
                marks = [pytest.mark.skip(reason=missing)] if missing else []
                if (reason := expected.get(title(check))) is not None:
                    marks.append(pytest.mark.xfail(reason=reason, strict=True, raises=AssertionError))
                cases.append(pytest.param(subject, check, id=f"{_label(subject)}-{title(check)}", marks=marks))
        return pytest.mark.parametrize((self.name, "check"), cases)

    def failures(self, subject: Subject) -> dict[str, str]:
        """Run every check on ``subject`` and return the messages of those that fail, under their names."""
        failed: dict[str, str] = {}
        for check in self.checks:
            try:
                check(subject)
            except AssertionError as error:
                failed[title(check)] = str(error)
        return failed

    def _check_names(self, names: Mapping[str, str]) -> None:
        known = [title(check) for check in self.checks]
        for name in names:
            if name not in known:
                raise ValueError(f"{self.name}_checks has no check '{name}'; it has {', '.join(known)}")


def title(check: Callable[..., Any]) -> str:
    """Return the name of a check as shown: its function's name without ``check_``."""
    return check.__name__.removeprefix("check_")


def _label(subject: object) -> str:
    """Return a short name: the plugin's own, or what the subject prints as."""
    name = getattr(subject, "name", None)
    return name if isinstance(name, str) else re.sub(r"\W+", "_", repr(subject))[:40]
