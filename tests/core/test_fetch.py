"""Downloads, from a real HTTP server on this machine."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from spikequant import Dataset, RemoteFile, Split
from spikequant.errors import DataError
from spikequant.fetch import fetch

CONTENT = np.random.default_rng(1).bytes(300_000)


class Server(ThreadingHTTPServer):
    """Serves CONTENT as ``/file.bin``; ``cuts`` says after how many bytes each next answer breaks off."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.cuts, self.ranges, self.honours_range, self.status = [], [], True, None
        self.says_length = True


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        if self.path != "/file.bin" or server.status:
            self.send_error(server.status or 404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and server.honours_range else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if server.says_length:
            self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        body = CONTENT[start:]
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def dataset(server, path="file.bin", checksum=None, size=300_000):
    address = f"http://127.0.0.1:{server.server_address[1]}/{path}"
    digest = checksum or f"md5:{hashlib.md5(CONTENT).hexdigest()}"

    class Remote(Dataset):
        name = "remote"
        shape = (1,)
        classes = 2
        files = (RemoteFile("file.bin", address, digest, size),)

        def load(self, split, folders):
            return Split(np.zeros((1, 1), np.uint8), np.zeros(1, np.int64))

    return Remote()


def leftovers(folder):
    return {path.name for path in (folder / "remote").iterdir()} - {"file.bin", ".fetch.lock"}


def test_a_fetched_file_lies_in_a_folder_named_after_the_set(server, tmp_path):
    seen = []
    files = fetch(dataset(server), tmp_path / "new", lambda file, done: seen.append((file.name, done)))
    assert files == [tmp_path / "new" / "remote" / "file.bin"]
    assert files[0].read_bytes() == CONTENT
    assert seen[0] == ("file.bin", 0)
    assert seen[-1] == ("file.bin", len(CONTENT))
    assert [done for _, done in seen] == sorted(done for _, done in seen)
    assert leftovers(tmp_path / "new") == set()


def test_a_right_file_is_not_fetched_again_and_a_wrong_one_is_replaced(server, tmp_path):
    (file,) = fetch(dataset(server), tmp_path)
    fetch(dataset(server), tmp_path)
    assert len(server.ranges) == 1
    file.write_bytes(b"damaged")
    fetch(dataset(server), tmp_path)
    assert file.read_bytes() == CONTENT
    assert len(server.ranges) == 2


def test_a_cut_connection_is_continued_where_it_broke(server, tmp_path):
    server.cuts = [100_000, 50_000]
    (file,) = fetch(dataset(server), tmp_path)
    assert file.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_a_size_that_is_not_published_is_taken_from_the_server(server, tmp_path):
    server.cuts, seen = [100_000], []
    (file,) = fetch(dataset(server, size=0), tmp_path, lambda _, done: seen.append(done))
    assert file.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]
    assert (seen[0], seen[-1]) == (0, len(CONTENT))
    fetch(dataset(server, size=0), tmp_path)
    assert len(server.ranges) == 2


def test_without_any_word_on_the_size_the_checksum_decides(server, tmp_path):
    server.says_length = False
    (file,) = fetch(dataset(server, size=0), tmp_path)
    assert file.read_bytes() == CONTENT
    file.unlink()
    server.cuts = [100_000]
    with pytest.raises(DataError, match="not the right one"):
        fetch(dataset(server, size=0), tmp_path)
    assert not file.exists()


def test_a_server_that_always_cuts_a_file_of_unknown_size_ends_in_an_error(server, tmp_path):
    server.honours_range, server.cuts = False, [100_000] * 9
    with pytest.raises(DataError, match="the 100000 of 300000 bytes that came are kept"):
        fetch(dataset(server, size=0), tmp_path)


def test_what_a_failed_fetch_left_is_continued_by_the_next(server, tmp_path):
    server.cuts = [100_000, 0]
    address = re.escape(dataset(server).files[0].url)
    with pytest.raises(DataError, match=rf"^{address} could not be fetched: .*; the 100000 of 300000 bytes that came"):
        fetch(dataset(server), tmp_path)
    assert (tmp_path / "remote" / "file.bin.part").read_bytes() == CONTENT[:100_000]
    assert not (tmp_path / "remote" / "file.bin").exists()
    (file,) = fetch(dataset(server), tmp_path)
    assert file.read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=100000-"
    assert leftovers(tmp_path) == set()


def test_a_server_that_ignores_ranges_is_read_from_the_start(server, tmp_path):
    server.honours_range = False
    server.cuts = [100_000]
    (file,) = fetch(dataset(server), tmp_path)
    assert file.read_bytes() == CONTENT


def test_a_server_that_always_cuts_at_the_same_place_ends_in_an_error(server, tmp_path):
    server.honours_range = False
    server.cuts = [100_000] * 9
    with pytest.raises(DataError, match="the 100000 of 300000 bytes that came are kept"):
        fetch(dataset(server), tmp_path)
    assert len(server.ranges) == 2


def test_a_wrong_checksum_names_the_address_and_leaves_nothing(server, tmp_path):
    address = re.escape(dataset(server).files[0].url)
    with pytest.raises(DataError, match=rf"^{address} gave a file that is not the right one: MD5 hash .*'file.bin'"):
        fetch(dataset(server, checksum="md5:" + "0" * 32), tmp_path)
    assert leftovers(tmp_path) == set()
    assert not (tmp_path / "remote" / "file.bin").exists()


def test_a_damaged_beginning_is_thrown_away_with_the_file(server, tmp_path):
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote" / "file.bin.part").write_bytes(bytes(1000))
    with pytest.raises(DataError, match="not the right one"):
        fetch(dataset(server), tmp_path)
    (file,) = fetch(dataset(server), tmp_path)
    assert file.read_bytes() == CONTENT


def test_a_range_the_server_refuses_restarts_the_next_fetch(server, tmp_path):
    (tmp_path / "remote").mkdir()
    part = tmp_path / "remote" / "file.bin.part"
    part.write_bytes(bytes(10))
    server.status = 416
    with pytest.raises(DataError, match="answered 416"):
        fetch(dataset(server), tmp_path)
    assert not part.exists()


def test_an_absent_file_names_address_answer_and_what_to_do(server, tmp_path):
    remote = dataset(server, path="gone")
    expected = (
        f"{remote.files[0].url} could not be fetched: it answered 404 Not Found; try the same command again later, "
        f"or put 'file.bin' into {tmp_path / 'remote'} by hand"
    )
    with pytest.raises(DataError, match=f"^{re.escape(expected)}$"):
        fetch(remote, tmp_path)


def test_a_server_that_is_not_there_is_named(server, tmp_path):
    remote = dataset(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match=rf"^{re.escape(remote.files[0].url)} could not be fetched: it does not answer"):
        fetch(remote, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "taken").write_bytes(b"a file")
    with pytest.raises(
        DataError, match=r"^data set 'remote' cannot be saved in .*; give another folder by --data-dir$"
    ):
        fetch(dataset(server), tmp_path / "taken")


def test_an_embedded_set_has_nothing_to_fetch(tmp_path):
    class Embedded(Dataset):
        name = "embedded"
        shape = (1,)
        classes = 2

        def load(self, split, folders):
            return Split(np.zeros((1, 1), np.uint8), np.zeros(1, np.int64))

    assert fetch(Embedded(), tmp_path / "none") == []
    assert not (tmp_path / "none").exists()
