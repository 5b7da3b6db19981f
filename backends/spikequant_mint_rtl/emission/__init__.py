"""Emission: a program as a folder of RTL, memory images, expected trace and test benches; it needs nothing of ours."""

from __future__ import annotations
