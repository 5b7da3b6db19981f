"""What cannot be read is one sentence: the set, the file, the fault and the next step."""

import io
import re
import struct
import sys
import zipfile

import h5py
import numpy as np
import pytest

from spikequant.errors import DataError, PluginError, UsageError
from spikequant.runs import make_dataset

NAMES = ["nmnist-small", "nmnist", "dvs-gesture", "cifar10-dvs", "shd", "braille", "braille27"]
WANTED = {
    "nmnist-small": ("nmnist_small.npz", "from the repository bamsumit/slayerPytorch, .* (11.7 MB)"),
    "nmnist": ("folder Train or train.zip", "with `spikequant fetch nmnist` (its publisher states no size)"),
    "dvs-gesture": (
        "trials_to_train.txt (original files), or folder ibmGestureTrain or ibmGestureTrain.tar.gz",
        "with `spikequant fetch dvs-gesture` (its publisher states no size)",
    ),
    "cifar10-dvs": (
        "the class folders airplane, ... or CIFAR10DVS.zip",
        "with `spikequant fetch cifar10-dvs` (its publisher states no size)",
    ),
    "shd": ("shd_train.h5 or shd_train.h5.zip", "with `spikequant fetch shd` (its publisher states no size)"),
    "braille": ("braille7_spikes.npz", "from https://zenodo.org/records/7050094 .*"),
    "braille27": ("braille27_events_th10.npz", "from https://zenodo.org/records/7050094 .*"),
}


def load(name, folder, split="train", **options):
    return make_dataset(name, options=options).load(split, (folder,))


def fault_of(name, folder, split="train"):
    with pytest.raises(DataError) as caught:
        load(name, folder, split)
    assert "\n" not in str(caught.value)
    found = re.fullmatch(r"data set '([^']+)': file (.+?) cannot be used: (.+); replace it, .+", str(caught.value))
    assert found, str(caught.value)
    assert found[1] == name
    return found[2].replace(str(folder) + "/", ""), found[3]


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_set_says_what_it_wants_where_it_looked_and_how_to_get_it(tmp_path, name):
    wanted, remedy = (re.escape(text).replace(r"\.\*", ".*") for text in WANTED[name])
    looked = re.escape(f"{tmp_path / name}, {tmp_path}")
    message = rf"^data set '{name}' is missing: looked for {wanted} in {looked}; get it {remedy}, or name its folder by"
    with pytest.raises(DataError, match=rf"{message} --data-dir or SPIKEQUANT_DATA$"):
        load(name, tmp_path)


@pytest.mark.parametrize(("name", "package"), [("nmnist", "tonic"), ("cifar10-dvs", "aedat")])
def test_without_tonic_the_error_names_the_extra(tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, "tonic.io", None)
    for folder in ("Train", "airplane"):
        (tmp_path / folder).mkdir()
    message = rf"^data set '{name}' is read by tonic, which cannot be imported \(.*\); run `pip install "
    with pytest.raises(DataError, match=message + r"'spikequant\[events\]'`$"):
        load(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("7/1.bin", b"1234567", "it has 7 bytes; an event takes 5"),
        ("7/1.bin", bytes([34, 0, 0, 0, 0]), "it has events at x = 34..34; the sensor has 0..33"),
        ("7/1.bin", bytes([0, 99, 0, 0, 0]), "it has events at y = 99..99; the sensor has 0..33"),
        ("1.bin", bytes(5), "its name is not DIGIT/NUMBER.bin"),
        ("7/readme.txt", b"", "it holds no file *.bin"),
    ],
)
def test_a_damaged_file_of_nmnist(tmp_path, name, content, fault):
    pytest.importorskip("tonic", reason="needs tonic")
    path = tmp_path / "Train" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    where = "Train" if "no file" in fault else f"Train/{name}"
    assert fault_of("nmnist", tmp_path) == (where, fault)


def test_a_recording_without_events_is_empty_frames(tmp_path):
    pytest.importorskip("tonic", reason="needs tonic")
    (tmp_path / "Train" / "7").mkdir(parents=True)
    (tmp_path / "Train" / "7" / "1.bin").write_bytes(b"")
    (tmp_path / "Train" / "7" / "2.bin").write_bytes(bytes([3, 4, 128, 0, 9]))
    found = load("nmnist", tmp_path)
    assert found.y.tolist() == [7, 7]
    assert not found.x[0].any()
    assert np.argwhere(found.x[1]).tolist() == [[0, 1, 4, 3]]
    assert found.x.steps_of([0, 1]).tolist() == [0, 1]


def test_a_cut_archive(tmp_path):
    pytest.importorskip("tonic", reason="needs tonic")
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        archive.writestr("Train/7/1.bin", bytes(5000))
    (tmp_path / "train.zip").write_bytes((tmp_path / "train.zip").read_bytes()[:2000])
    assert fault_of("nmnist", tmp_path) == ("train.zip", "File is not a zip file")


def gesture(folder, name="user01_led/3.npy", rows=((1, 2, 0, 5),), **saved):
    path = folder / "ibmGestureTrain" / name
    path.parent.mkdir(parents=True)
    np.save(path, np.array(rows), **saved)
    return path


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"rows": ((1, 2, 0),)}, r"it holds int64 \(1, 3\); it must be whole numbers \(events, 4\)"),
        ({"rows": ((1, 2, 0, 0.5),)}, r"it holds float64 \(1, 4\); it must be whole numbers \(events, 4\)"),
        ({"rows": ((128, 2, 0, 5),)}, r"it has events at x = 128..128; the sensor has 0..127"),
        ({"rows": ((0, 2, -1, 5),)}, r"it has events at p = -1..-1; the sensor has 0..1"),
        ({"rows": ((None,),)}, "Object arrays cannot be loaded .*"),
        ({"rows": (("a", "b", "c", "d"),)}, r"it holds no array of numbers; it must hold whole numbers \(events, 4\)"),
        ({"rows": ((1, 2, 0, np.inf),)}, r"it holds numbers up to inf; they must be below 2\*\*62 us"),
        ({"rows": ((1, 2, 0, 1 << 60),)}, r"it holds numbers up to \d+; they must be below 2\*\*62 us"),
        ({"name": "user01_led/11.npy"}, r"its name gives the class 11; there are 0..10"),
        ({"name": "led/3.npy"}, r"its name is not userNN_LIGHT/LABEL.npy"),
    ],
)
def test_a_damaged_file_of_a_cut_gesture(tmp_path, changes, fault):
    path = gesture(tmp_path, **changes)
    where, found = fault_of("dvs-gesture", tmp_path)
    assert where == str(path.relative_to(tmp_path))
    assert re.fullmatch(fault, found)


def test_an_archive_in_place_of_a_cut_gesture(tmp_path):
    with gesture(tmp_path).open("wb") as file:
        np.savez(file, rows=np.zeros((1, 4)))
    assert (
        fault_of("dvs-gesture", tmp_path)[1] == "it holds no array of numbers; it must hold whole numbers (events, 4)"
    )


PACKET = struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, 1, 1, 1)
EVENT = struct.pack("<II", 1, 1000)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "it begins with b''; it must begin with b'#!AER-DAT3.1'"),
        (b"#!AER-DAT2.0\r\n", "it begins with b'#!AER-DAT2.0'; it must begin with b'#!AER-DAT3.1'"),
        (b"#!AER-DAT3.1\r\n" + PACKET[:10], "it is cut within the head of a packet, at byte 14 of 24"),
        (b"#!AER-DAT3.1\r\n" + PACKET + EVENT[:4], "it is cut within a packet of 1 events, at byte 42 of 46"),
        (
            b"#!AER-DAT3.1\r\n" + struct.pack("<HHIIIIII", 1, 1, 8, 4, 0, 2, 1, 1) + EVENT,
            "a packet before byte 42 has 1 events of 8 bytes in place of 2",
        ),
    ],
)
def test_a_damaged_original_recording_of_gestures(tmp_path, content, fault):
    (tmp_path / "trials_to_train.txt").write_text("a.aedat\n")
    (tmp_path / "a_labels.csv").write_text("class,startTime_usec,endTime_usec\n1,0,2000\n")
    (tmp_path / "a.aedat").write_bytes(content)
    assert fault_of("dvs-gesture", tmp_path) == ("a.aedat", fault)


def test_packets_of_other_types_are_passed_over_and_the_clock_may_run_over(tmp_path):
    other = struct.pack("<HHIIIIII", 0, 1, 4, 0, 0, 3, 3, 3) + bytes(12)
    late = struct.pack("<HHIIIIII", 1, 1, 8, 4, 1, 1, 1, 1) + struct.pack("<II", 5 << 17 | 6 << 2 | 2, 1000)
    (tmp_path / "trials_to_train.txt").write_text("a.aedat\n")
    lines = ["class, startTime_usec, endTime_usec", "1,0,2000", f"11,{1 << 31},{(1 << 31) + 1001}", ""]
    (tmp_path / "a_labels.csv").write_text("\n".join(lines))
    (tmp_path / "a.aedat").write_bytes(b"#!AER-DAT3.1\n#x\n" + PACKET + EVENT + other + late)
    found = load("dvs-gesture", tmp_path, downsample=1)
    assert found.y.tolist() == [0, 10]
    assert np.argwhere(found.x[0]).tolist() == [[1, 0, 0, 0]]
    assert np.argwhere(found.x[1]).tolist() == [[1, 1, 6, 5]]


@pytest.mark.parametrize(
    ("trials", "labels", "where", "fault"),
    [
        ("\n", "", "trials_to_train.txt", "it names no trial"),
        (
            "../a.aedat",
            "",
            "trials_to_train.txt",
            "it names the trial '../a.aedat'; it must be the name of an .aedat file beside it",
        ),
        (
            "a.aedat",
            "x,y",
            "a_labels.csv",
            "it begins with 'x,y'; it must begin with 'class,startTime_usec,endTime_usec'",
        ),
        (
            "a.aedat",
            "class,startTime_usec,endTime_usec\n1,2",
            "a_labels.csv",
            "line 2 is '1,2'; it must be three whole numbers of 18 digits at most",
        ),
        (
            "a.aedat",
            f"class,startTime_usec,endTime_usec\n1,2,{10**18}",
            "a_labels.csv",
            "line 2 is '1,2,1000000000000000000'; it must be three whole numbers of 18 digits at most",
        ),
        (
            "a.aedat",
            "class,startTime_usec,endTime_usec\n12,2,3",
            "a_labels.csv",
            "line 2 is '12,2,3'; the class is 1..11, and the end behind the start",
        ),
    ],
)
def test_damaged_tables_beside_the_gestures(tmp_path, trials, labels, where, fault):
    (tmp_path / "trials_to_train.txt").write_text(trials)
    (tmp_path / "a_labels.csv").write_text(labels)
    assert fault_of("dvs-gesture", tmp_path) == (where, fault)


@pytest.mark.parametrize("content", [b"", b"#!AER-DAT4.0\r\n", b"#!AER-DAT4.0\r\n" + bytes(40), b"something else"])
def test_a_damaged_file_of_cifar10_dvs(tmp_path, content):
    for package in ("tonic", "aedat"):
        pytest.importorskip(package, reason=f"needs {package}")
    (tmp_path / "airplane").mkdir()
    (tmp_path / "airplane" / "cifar10_airplane_1.aedat4").write_bytes(content)
    where, fault = fault_of("cifar10-dvs", tmp_path)
    assert where == "airplane/cifar10_airplane_1.aedat4"
    assert fault


@pytest.mark.parametrize(
    ("seconds", "units", "labels", "fault"),
    [
        ([[0.1, 0.2]], [[1, 700]], [0], "it has events at x = 1..700; the sensor has 0..699"),
        ([[0.1, np.inf]], [[1, 2]], [0], "recording 0 has times that are not finite, or 2**62 us and more"),
        ([[-0.1, 0.1]], [[1, 2]], [0], "it has an event at -99976 us; times count from 0"),
        ([[0.1]], [[1, 2]], [0], "its t, x, y, p have the shapes [(1,), (2,), (1,), (1,)]; they must be equal"),
        ([[0.1]], [[1]], [20], "its labels are not all integers in 0..19"),
        ([[0.1]], [[1]], [2, 3], "it has 1 recordings and labels of shape (2,)"),
    ],
)
def test_a_damaged_file_of_shd(tmp_path, files, seconds, units, labels, fault):
    recordings = [(np.array(s), np.array(u)) for s, u in zip(seconds, units, strict=True)]
    files.shd_h5(tmp_path / "shd_train.h5", recordings, labels)
    assert fault_of("shd", tmp_path) == ("shd_train.h5", fault)


@pytest.mark.parametrize(
    ("times", "fault"),
    [
        (np.array([0.1, 0.2]), "recording 0 has times of shape (); they must be a row"),
        (["ab", "cd"], "recording 0 has times that are no numbers"),
        (np.full((2, 1), 1e30), "recording 0 has times that are not finite, or 2**62 us and more"),
    ],
)
def test_rows_of_shd_that_are_none(tmp_path, times, fault):
    with h5py.File(tmp_path / "shd_train.h5", "w") as file:
        file["spikes/times"], file["spikes/units"], file["labels"] = times, [1, 2], [1, 2]
    assert fault_of("shd", tmp_path) == ("shd_train.h5", fault)


def test_a_file_of_shd_that_is_none(tmp_path):
    (tmp_path / "shd_train.h5").write_bytes(b"not HDF5")
    assert fault_of("shd", tmp_path)[0] == "shd_train.h5"
    (tmp_path / "shd_test.h5.zip").write_bytes(b"not a zip")
    assert fault_of("shd", tmp_path, "test") == ("shd_test.h5.zip", "File is not a zip file")


def small(**changes):
    arrays = {
        **{key: np.array([1, 2, 3], np.uint8) for key in ("t", "x", "y")},
        "p": np.array([0, 1, 0], np.uint8),
        "offset": np.array([0, 1, 3]),
        "label": np.array([3, 4], np.uint8),
    }
    return {f"train_{key}": value for key, value in (arrays | changes).items()}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"offset": np.array([0, 1, 2])}, "its 'train_offset' does not divide its 3 events"),
        ({"offset": np.array([0, 5, 3])}, "its 'train_offset' falls"),
        ({"label": np.array([3])}, "it has 2 recordings and labels of shape (1,)"),
        ({"label": np.array([3, 10])}, "its labels are not all integers in 0..9"),
        ({"x": np.array([1, 2, 34])}, "it has events at x = 2..34; the sensor has 0..33"),
        ({"p": np.array([0, 1])}, "its t, x, y, p have the shapes [(2,), (2,), (2,), (1,)]; they must be equal"),
        ({"t": np.array([0.5, 1, 2])}, "its 'train_t' holds float64 values; it must hold integers"),
        ({"t": np.array(3)}, "its 'train_t' has the shape (); it must have 1 axis"),
        ({"x": np.array([[1], [2], [3]])}, "its 'train_x' has the shape (3, 1); it must have 1 axis"),
        (
            {"t": np.array([1, 2, 1 << 63], np.uint64)},
            f"its t, x, y, p go up to {1 << 63}; they must be below 2**62",
        ),
        (
            {"t": np.array([1, 2, 1 << 60])},
            "it has an event at 1152921504606846976 us, in frame 1152921504606846; frames are counted to 4294967294,"
            " so give a longer frame if the time is right",
        ),
    ],
)
def test_a_damaged_archive_of_nmnist_small(tmp_path, changes, fault):
    np.savez(tmp_path / "nmnist_small.npz", **small(**changes))
    assert fault_of("nmnist-small", tmp_path) == ("nmnist_small.npz", fault)


def test_an_archive_that_is_one_array_or_holds_none(tmp_path):
    path = tmp_path / "nmnist_small.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    assert fault_of("nmnist-small", tmp_path)[1] == "it is one array; it must be an archive of arrays"
    with zipfile.ZipFile(path, "w") as archive:
        for name in small():
            archive.writestr(name, b"no array")
    assert fault_of("nmnist-small", tmp_path)[1] == "its 'train_t' is no array"


def test_an_archive_that_is_none_or_lacks_an_array(tmp_path):
    path = tmp_path / "nmnist_small.npz"
    path.write_bytes(b"PK")
    assert fault_of("nmnist-small", tmp_path)[0] == "nmnist_small.npz"
    np.savez(path, train_t=np.zeros(1, int))
    assert "train_x" in fault_of("nmnist-small", tmp_path)[1]
    buffer = io.BytesIO()
    np.savez(buffer, **small())
    path.write_bytes(buffer.getvalue()[:-100])
    assert fault_of("nmnist-small", tmp_path)[0] == "nmnist_small.npz"


@pytest.mark.parametrize(
    ("x", "y", "fault"),
    [
        (np.zeros((2, 256, 1), np.uint8), [0, 1], "its 'x' is uint8 (2, 256, 1); it must be uint8 (n, 256, 2)"),
        (np.zeros((2, 256, 2), np.int16), [0, 1], "its 'x' is int16 (2, 256, 2); it must be uint8 (n, 256, 2)"),
        (np.zeros((2, 256, 2), np.uint8), [0, 7], "its labels are not all integers in 0..6"),
    ],
)
def test_a_damaged_archive_of_braille(tmp_path, x, y, fault):
    np.savez(tmp_path / "braille7_spikes.npz", x=x, y=np.array(y))
    assert fault_of("braille", tmp_path) == ("braille7_spikes.npz", fault)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"sample": [0, 2]}, "its 'sample' does not number its recordings, or its rows differ in length"),
        ({"taxel": [0]}, "its 'sample' does not number its recordings, or its rows differ in length"),
        ({"t": [0.1, np.nan]}, "its 't' holds times that are not finite, or 2**62 us and more"),
        ({"t": [0.1, 1e300]}, "its 't' holds times that are not finite, or 2**62 us and more"),
        ({"t": [[0.1], [0.2]]}, "its 't' has the shape (2, 1); it must have 1 axis"),
        ({"sample": 1}, "its 'sample' has the shape (); it must have 1 axis"),
        ({"t": [1, 2]}, "its 't' holds int64 values; it must hold numbers with a fraction"),
        ({"taxel": [0, 12]}, "it has events at x = 0..12; the sensor has 0..11"),
    ],
)
def test_a_damaged_archive_of_braille27(tmp_path, changes, fault):
    arrays = {"sample": [1, 1], "taxel": [0, 3], "channel": [0, 1], "t": [0.1, 0.2], "y": [5, 6]} | changes
    np.savez(tmp_path / "braille27_events_th10.npz", **{key: np.array(value) for key, value in arrays.items()})
    assert fault_of("braille27", tmp_path, "train") == ("braille27_events_th10.npz", fault)


@pytest.mark.parametrize(
    ("name", "options", "fault"),
    [
        ("nmnist", {"frame_ms": 0.0}, "frame_ms is 0.0; it must be a whole number of microseconds, such as 1 or 0.25"),
        (
            "nmnist",
            {"frame_ms": 0.0005},
            "frame_ms is 0.0005; it must be a whole number of microseconds, such as 1 or 0.25",
        ),
        ("nmnist", {"bits": 9}, "bits is 9; it must be 1 to 8"),
        ("nmnist", {"start": -1}, "start is -1; it must be at least 0"),
        (
            "nmnist",
            {"downsample": 2, "size": 16},
            "downsample and size are two ways to say one thing; give one of them",
        ),
        ("nmnist", {"downsample": 35}, "downsample is 35; it must be 1 to 34"),
        ("dvs-gesture", {"size": 0}, "size is 0; it must be 1 to 128"),
        ("shd", {"downsample": 701}, "downsample is 701; it must be 1 to 700"),
        ("braille", {"frame_steps": 0}, "frame_steps is 0; it must be 1 to 255"),
    ],
)
def test_an_option_out_of_its_range(name, options, fault):
    with pytest.raises(PluginError, match=f"^dataset '{name}' refuses its options: {re.escape(fault)}$"):
        make_dataset(name, options=options)


def test_an_unknown_option_and_a_wrong_type_are_the_registrys_errors():
    options = "timesteps, frame_ms, counts, bits, downsample, size, start, whole"
    with pytest.raises(PluginError, match=f"^dataset 'nmnist' has no option 'colour'; its options are: {options}$"):
        make_dataset("nmnist", options={"colour": 1})
    message = "^dataset 'nmnist': option 'counts' is \"all\"; it must be one of counts, binary$"
    with pytest.raises(PluginError, match=message):
        make_dataset("nmnist", options={"counts": "all"})
    with pytest.raises(
        UsageError, match=r"^data set 'nmnist': option 'timesteps' is the recipe's own key; leave it out"
    ):
        make_dataset("nmnist", options={"timesteps": 3})
