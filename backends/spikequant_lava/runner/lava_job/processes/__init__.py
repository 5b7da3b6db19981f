"""Lava processes with exact integer semantics.

Lava executes every file of this folder at every compile, also under stand-alone names: so each file
here defines processes and nothing else, and imports none of its neighbours.
"""
