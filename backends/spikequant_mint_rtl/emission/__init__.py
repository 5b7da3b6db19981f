"""Emission: a program as a folder of RTL, memory images, expected trace and test benches that need no Python of ours."""

from __future__ import annotations
