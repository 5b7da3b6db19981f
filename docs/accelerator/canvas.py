"""A few shapes as SVG text: boxes, words and arrows that carry their own background and colours, light and dark."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

STYLE = """\
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.small { font-size: 11.5px; fill: #57606a }
.page { fill: #ffffff; stroke: #d0d7de }
.unit { fill: #f6f8fa; stroke: #6e7781 }
.memory { fill: #ddf4ff; stroke: #2f7fc1 }
.work { fill: #dafbe1; stroke: #2da44e }
.extra { fill: #ffebe9; stroke: #cf222e }
.quiet { fill: #ffffff; stroke: #afb8c1; stroke-dasharray: 4 3 }
.line { fill: none; stroke: #57606a; stroke-width: 1.4 }
.head { fill: #57606a }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #a5b0bb }
  .page { fill: #14181f; stroke: #3d444d }
  .unit { fill: #21262d; stroke: #8b949e }
  .memory { fill: #0c2d4a; stroke: #4a9be0 }
  .work { fill: #12331d; stroke: #3fb950 }
  .extra { fill: #43191b; stroke: #f85149 }
  .quiet { fill: #14181f; stroke: #59626d }
  .line { stroke: #a5b0bb }
  .head { fill: #a5b0bb }
}"""


@dataclass
class Canvas:
    """A picture being drawn; coordinates are pixels from the upper left corner.

    Attributes:
        width, height: Size.
        title: What it shows, for readers that do not see it.
    """

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, height: float, kind: str, *lines: str) -> None:
        """Draw a rectangle of a ``kind`` (a class of ``STYLE``) around lines of text, the first as title."""
        self.parts.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5"/>')
        top = y + height / 2 - 8 * (len(lines) - 1) + 4.5
        for number, line in enumerate(lines):
            self.text(x + width / 2, top + 16 * number, line, "title" if number == 0 else "small", "middle")

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """Write a line of text; ``anchor`` is ``start``, ``middle`` or ``end``."""
        shown = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text{shown} x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>')

    def arrow(self, *points: tuple[float, float], both: bool = False) -> None:
        """Draw a line through points with a head at its end, or at both ends."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        start = ' marker-start="url(#tail)"' if both else ""
        self.parts.append(f'<polyline class="line" points="{path}" marker-end="url(#head)"{start}/>')

    def svg(self) -> str:
        """Return the file's text."""
        marker = '<marker id="{}" viewBox="0 0 8 8" refX="{}" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        heads = (
            marker.format("head", 7) + '<path class="head" d="M0,0 L8,4 L0,8 Z"/></marker>',
            marker.format("tail", 1) + '<path class="head" d="M8,0 L0,4 L8,8 Z"/></marker>',
        )
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        lines = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(self.title)}</title>",
            f"<style>\n{STYLE}\n</style>",
            f"<defs>{''.join(heads)}</defs>",
            f'<rect class="page" x="0.5" y="0.5" width="{self.width - 1}" height="{self.height - 1}" rx="8"/>',
            *self.parts,
            "</svg>",
        )
        return "\n".join(lines) + "\n"
