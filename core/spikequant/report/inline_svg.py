"""Put a figure into an HTML page: no namespaces, no identifiers that clash, text in the page's own colour."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from spikequant.report.drawing import FONT, INK

_REFERENCE = re.compile(r"url\(#([^)]*)\)")


def inline_svg(text: str, prefix: str, title: str) -> str:
    """Return the ``<svg>`` element of an SVG file as it may stand in HTML.

    Args:
        text: What :func:`spikequant.report.drawing.svg` returned.
        prefix: Put before every identifier, so that several figures share a page.
        title: What the figure shows, for readers who do not see it.
    """
    root = ET.fromstring(text)  # our own text: nobody else's XML is read here
    for parent in list(root.iter()):
        for child in [child for child in parent if _local(child.tag) == "metadata"]:
            parent.remove(child)
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {_local(key): _value(_local(key), value, prefix) for key, value in element.attrib.items()}
    for unit in ("width", "height", "version"):
        root.attrib.pop(unit, None)
    root.attrib.update({"role": "img", "aria-label": title})
    return ET.tostring(root, encoding="unicode", short_empty_elements=False)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _value(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return f"{prefix}-{value}"
    if key == "href" and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    if key in ("style", "clip-path", "fill", "stroke"):
        value = value.replace(INK, "currentColor").replace(f"'{FONT}'", f"'{FONT}', Verdana, sans-serif")
        return _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
    return value
