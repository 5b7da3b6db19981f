"""Where data sets are looked for."""

from pathlib import Path

import numpy as np
import platformdirs
import pytest

from spikequant import Dataset, RemoteFile, Split
from spikequant.data_folders import damaged, data_folders, held, missing, places


class Pair(Dataset):
    name = "pair"
    shape = (1,)
    classes = 2
    files = (RemoteFile("a", "http://a", "md5:0", 1_200_000), RemoteFile("b", "http://b", "md5:0", 300_000))

    def load(self, split, folders):
        return Split(np.zeros((1, 1), np.uint8), np.zeros(1, np.int64))


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.delenv("SPIKEQUANT_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return platformdirs.user_cache_path("spikequant", appauthor=False) / "data"


def test_without_any_wish_only_the_user_cache_is_searched(cache):
    assert data_folders(None) == (cache,)


def test_the_argument_comes_before_the_variable_and_the_cache(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEQUANT_DATA", str(tmp_path / "env"))
    assert data_folders(tmp_path / "arg") == (tmp_path / "arg", tmp_path / "env", cache)


def test_an_empty_variable_counts_as_unset(cache, monkeypatch):
    monkeypatch.setenv("SPIKEQUANT_DATA", "")
    assert data_folders(None) == (cache,)


def test_a_folder_named_twice_is_searched_once(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEQUANT_DATA", str(tmp_path))
    assert data_folders(tmp_path) == (tmp_path, cache)


def test_a_tilde_is_the_home_folder(cache, monkeypatch):
    monkeypatch.setenv("SPIKEQUANT_DATA", "~/data")
    assert data_folders(None) == (Path.home() / "data", cache)


def test_the_sub_folder_of_the_set_comes_before_the_folder():
    assert places("pair", (Path("x"), Path("y"))) == (Path("x/pair"), Path("x"), Path("y/pair"), Path("y"))


def test_a_place_holds_a_set_only_if_every_file_is_there_under_one_of_its_names(tmp_path):
    wanted = [("a.gz", "a"), ("b.gz", "b")]
    (tmp_path / "a").write_bytes(b"")
    assert held(tmp_path, wanted) is None
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "b.gz").write_bytes(b"")
    assert held(tmp_path, wanted) == (tmp_path / "a", tmp_path / "b.gz")
    assert held(tmp_path / "nowhere", wanted) is None


def test_a_missing_set_names_the_places_the_command_and_the_size():
    assert str(missing(Pair(), "a and b", (Path("x"),))) == (
        f"data set 'pair' is missing: looked for a and b in {Path('x/pair')}, x; "
        "get it with `spikequant fetch pair` (1.5 MB), or name its folder by --data-dir or SPIKEQUANT_DATA"
    )


class ByHand(Pair):
    name, files, source = "by-hand", (), "http://example.org (3 GB)"


class Unsized(Pair):
    name, files = "unsized", (RemoteFile("a", "http://a", "md5:0", 0),)


def test_a_set_that_fetch_cannot_download_says_where_it_is_to_be_had():
    assert str(missing(ByHand(), "a", (Path("x"),))) == (
        f"data set 'by-hand' is missing: looked for a in {Path('x/by-hand')}, x; "
        "get it from http://example.org (3 GB), or name its folder by --data-dir or SPIKEQUANT_DATA"
    )
    assert str(damaged(ByHand(), Path("x"), "it is cut")) == (
        "data set 'by-hand': file x cannot be used: it is cut; replace it, from http://example.org (3 GB)"
    )


def test_a_size_that_nobody_states_is_not_made_up():
    assert "get it with `spikequant fetch unsized` (its publisher states no size), or" in str(
        missing(Unsized(), "a", (Path("x"),))
    )


def test_a_damaged_file_is_named_with_its_fault():
    assert str(damaged(Pair(), Path("x"), "its magic is 7; it must be 2051")) == (
        "data set 'pair': file x cannot be used: its magic is 7; it must be 2051; "
        "replace it, for example by `spikequant fetch pair`"
    )
