"""The NIR profile: an integer program as a ``.nir`` file, and back. Normative text: docs/nir-profile.md."""

from spikequant.nir_profile.beyond import BeyondNir, acted_counts, beyond_nir
from spikequant.nir_profile.fields import Fields
from spikequant.nir_profile.fields_of_file import read_fields
from spikequant.nir_profile.graph import build_graph
from spikequant.nir_profile.neurons import BeyondMapping, NodeMapping
from spikequant.nir_profile.plain import NIR_VERSIONS, NirVersion, PlainForm, plain_graph, write_plain
from spikequant.nir_profile.profile import PROFILE_VERSION
from spikequant.nir_profile.read import program_of, read_program
from spikequant.nir_profile.read_graph import read_graph
from spikequant.nir_profile.write import write_program

__all__ = [
    "NIR_VERSIONS",
    "PROFILE_VERSION",
    "BeyondMapping",
    "BeyondNir",
    "Fields",
    "NirVersion",
    "NodeMapping",
    "PlainForm",
    "acted_counts",
    "beyond_nir",
    "build_graph",
    "plain_graph",
    "program_of",
    "read_fields",
    "read_graph",
    "read_program",
    "write_plain",
    "write_program",
]
