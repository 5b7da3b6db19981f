"""Every relative link leads to a file, and every link into a page to one of its headings."""

import re

LINK = re.compile(r"(?<!!)\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")


def slug(heading):
    """A heading as GitHub and MkDocs name it (for headings of letters, digits, '-', '_', code and commas)."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())


def headings(page):
    return {slug(found) for found in re.findall(r"^#+ +(.+)$", page.prose, re.MULTILINE)}


def dead(page, page_of):
    found = []
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "", page.prose)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.path.parent / name).resolve() if name else page.path
        if not path.exists() or (anchor and anchor not in headings(page_of(path))):
            found.append(target)
    return found


def test_every_relative_link_resolves(page, page_of):
    assert dead(page, page_of) == []


def test_a_dead_link_is_seen(tmp_path, page_of):
    (tmp_path / "a.md").write_text("# One, two\n[x](a.md#one-two) [y](b.md) [z](#gone)\n[over\ntwo](c.md)\n", "utf-8")
    assert dead(page_of(tmp_path / "a.md"), page_of) == ["b.md", "#gone", "c.md"]
