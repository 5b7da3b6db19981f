"""Recordings in every original format, written here and loaded by the real path, against counting by hand."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

from spikequant.runs import make_dataset

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def pooled(factor):
    return lambda x, y, p: (p, y // factor, x // factor)


def load(name, folder, split="test", timesteps=9, **options):
    return make_dataset(name, options=options, timesteps=timesteps).load(split, (folder,))


def zip_of(path, contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


@pytest.fixture(scope="module")
def digits(files):
    """Return recordings of N-MNIST by number: (label, rows)."""
    return {n: (n * 7 % 10, files.events(n, 400, width=34, height=34, span_us=300_000)) for n in (12, 3, 40)}


@pytest.mark.parametrize("form", ["Test", "NMNIST/Test", "nmnist/test.zip", "Test.zip"])
def test_nmnist_in_its_40_bits(tmp_path, files, digits, form):
    pytest.importorskip("tonic", reason="needs tonic")
    contents = {f"Test/{label}/{n:05}.bin": files.nmnist_bin(rows) for n, (label, rows) in digits.items()}
    target = tmp_path / form
    target.parent.mkdir(parents=True, exist_ok=True)
    if form.endswith(".zip"):
        zip_of(target, contents)
    else:
        for name, content in contents.items():
            (target.parent / name).parent.mkdir(parents=True, exist_ok=True)
            (target.parent / name).write_bytes(content)
    found = load("nmnist", tmp_path, frame_ms=5.0, start=3)
    assert found.y.tolist() == [1, 4, 0]  # in the order of their numbers 3, 12, 40
    expected = [
        files.by_hand(digits[n][1], (2, 34, 34), timesteps=9, frame_us=5000, start=3, place=pooled(1))
        for n in (3, 12, 40)
    ]
    assert np.array_equal(found.x[:], expected)


def test_nmnist_with_a_clock_that_ran_over(tmp_path, files):
    pytest.importorskip("tonic", reason="needs tonic")
    rows = [np.array(row) for row in ([5, 0, 9], [1, 0, 2], [1, 240, 2], [1, 0, 0])]
    (tmp_path / "Train" / "7").mkdir(parents=True)
    (tmp_path / "Train" / "7" / "1.bin").write_bytes(files.nmnist_bin(rows))
    found = load("nmnist", tmp_path, "train", timesteps=10)
    assert np.argwhere(found.x[0]).tolist() == [[0, 1, 1, 1], [8, 0, 2, 2]]  # 9 us, and 8,192 us of the overflow


@pytest.fixture(scope="module")
def gestures(files):
    """Return gestures of two trials, in time order within each: {(trial, number): (label, start, rows)}."""
    found = {}
    for seed, (trial, number, label) in enumerate(
        [("user24_led", 0, 4), ("user24_led", 1, 0), ("user25_lab", 0, 10), ("user25_lab", 1, 4)]
    ):
        rows = files.events(seed, 500, width=128, height=128, span_us=40_000, step_us=1000)
        found[trial, number] = (label, 1_000_000 * (number + 1) + 300, rows)
    return found


def expected_gestures(files, rows, **changes):
    settings = {"timesteps": 20, "frame_us": 2000, "place": pooled(4)} | changes
    return [files.by_hand(r, (2, 32, 32), **settings) for r in rows]


@pytest.mark.parametrize("where", [".", "DvsGesture", "dvs-gesture/DvsGesture"])
def test_dvs_gesture_in_its_original_files(tmp_path, files, gestures, where):
    folder = tmp_path / where
    folder.mkdir(parents=True, exist_ok=True)
    for trial in ("user24_led", "user25_lab"):
        mine = {n: value for (name, n), value in gestures.items() if name == trial}
        # what lies before, between and behind the gestures belongs to none
        idle = [np.array(row) for row in ([10, 999_999, 1_500_000, 3_000_000], [0] * 4, [0] * 4, [1] * 4)]
        parts = [idle, *([rows[0] + start, *rows[1:]] for _, start, rows in mine.values())]
        rows = [np.concatenate([part[i] for part in parts]) for i in range(4)]
        order = np.argsort(rows[0], kind="stable")
        (folder / f"{trial}.aedat").write_bytes(files.aedat31([row[order] for row in rows]))
        lines = [f"{label + 1},{start},{start + 40_000}" for label, start, _ in mine.values()]
        head = "class,startTime_usec,endTime_usec"
        (folder / f"{trial}_labels.csv").write_text("\n".join([head, *lines, ""]))
    (folder / "trials_to_test.txt").write_text("user24_led.aedat\nuser25_lab.aedat\n\n")
    found = load("dvs-gesture", tmp_path, timesteps=20, frame_ms=2.0)
    assert found.y.tolist() == [4, 0, 10, 4]
    assert np.array_equal(found.x[:], expected_gestures(files, [rows for _, _, rows in gestures.values()]))


@pytest.mark.parametrize("packed", [False, True])
def test_dvs_gesture_as_tonic_cut_it(tmp_path, files, gestures, packed):
    contents = {}
    for (trial, _), (label, start, (t, x, y, p)) in reversed(gestures.items()):
        buffer = io.BytesIO()
        np.save(buffer, files.gesture_npy((t + start // 1000 * 1000, x, y, p)))
        contents[f"ibmGestureTest/{trial}/{label}.npy"] = buffer.getvalue()
    if packed:
        with tarfile.open(tmp_path / "ibmGestureTest.tar.gz", "w:gz") as archive:
            for name, content in contents.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    else:
        for name, content in contents.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
    found = load("dvs-gesture", tmp_path, timesteps=20, frame_ms=2.0, counts="binary")
    ordered = sorted(gestures, key=lambda key: (key[0], gestures[key][0]))
    assert found.y.tolist() == [gestures[key][0] for key in ordered] == [0, 4, 4, 10]
    rows = [(r[0] - r[0][0], *r[1:]) for r in (gestures[key][2] for key in ordered)]
    assert np.array_equal(found.x[:], expected_gestures(files, rows, most=1))


@pytest.mark.parametrize("form", ["folders", "one archive", "archives in one"])
def test_cifar10_dvs_in_aedat4(tmp_path, files, form):
    for package in ("tonic", "aedat"):
        pytest.importorskip(package, reason=f"needs {package}")
    numbers = {("cat", 8): 0, ("airplane", 9): 1, ("cat", 19): 2, ("airplane", 10): 3, ("truck", 9): 4}
    rows = {key: files.events(seed, 300, width=128, height=128, span_us=9000) for key, seed in numbers.items()}
    late = 1_600_000_000_000_000
    contents = {
        f"{name}/cifar10_{name}_{n}.aedat4": files.aedat4((rows[name, n][0] + late, *rows[name, n][1:]))
        for name, n in numbers
    }
    for name in CLASSES:
        contents.setdefault(f"{name}/cifar10_{name}_1.aedat4", files.aedat4(rows["cat", 8]))
    if form == "folders":
        for name, content in contents.items():
            (tmp_path / "CIFAR10DVS" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "CIFAR10DVS" / name).write_bytes(content)
    elif form == "one archive":
        zip_of(tmp_path / "CIFAR10DVS.zip", contents)
    else:
        parts = {}
        for name in CLASSES:
            zip_of(tmp_path / "part.zip", {k: v for k, v in contents.items() if k.startswith(name)})
            parts[f"{name}.zip"] = (tmp_path / "part.zip").read_bytes()
        zip_of(tmp_path / "CIFAR10DVS.zip", parts)
    found = load("cifar10-dvs", tmp_path, size=24)
    keys = [("airplane", 9), ("truck", 9), ("cat", 19)]
    assert found.y.tolist() == [0, 9, 3]
    expected = [
        files.by_hand(
            (rows[key][0] - rows[key][0][0], *rows[key][1:]),
            (2, 24, 24),
            timesteps=9,
            frame_us=1000,
            place=lambda x, y, p: (p, y * 24 // 128, x * 24 // 128),
        )
        for key in keys
    ]
    assert np.array_equal(found.x[:], expected)
    train = load("cifar10-dvs", tmp_path, "train")
    assert len(train) == 12
    assert train.y.tolist()[-2:] == [3, 0]  # cat 8, airplane 10


@pytest.mark.parametrize("packed", [False, True])
def test_shd_in_hdf5(tmp_path, files, packed):
    rng = np.random.default_rng(5)
    recordings = [(np.sort(rng.random(n)).astype(np.float16), rng.integers(0, 700, n)) for n in (200, 1, 0)]
    path = tmp_path / "shd_test.h5"
    files.shd_h5(path, recordings, [19, 0, 7])
    if packed:
        zip_of(tmp_path / "shd_test.h5.zip", {path.name: path.read_bytes()})
        path.unlink()
    found = load("shd", tmp_path, timesteps=100, frame_ms=10.0, downsample=5)
    assert found.y.tolist() == [19, 0, 7]
    expected = [
        files.by_hand(
            ([int(s * 1e6) for s in seconds.astype(float)], units, units, units),
            (140,),
            timesteps=100,
            frame_us=10_000,
            place=lambda x, y, p: (x // 5,),
        )
        for seconds, units in recordings
    ]
    assert np.array_equal(found.x[:], expected)
    assert found.x[0].sum() > 190
