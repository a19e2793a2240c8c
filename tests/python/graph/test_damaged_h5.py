"""A damaged h5 file in which libhdf5 loops, crashes or wants memory is one error, after a limited time."""

from __future__ import annotations

import base64
import io
import resource
import signal
import zipfile
import zlib
from types import SimpleNamespace

import pytest

from nerone.errors import ModelError
from nerone.graph import h5_apart, h5_process, load

# A mutant of an h5 file made here: in its attributes libhdf5 1.14 finds no end.
ENDLESS = (
    "c-rllQA;B+5P*}`D~nX|zz6kd$#W^#`s7pPtX7aytPetwz1$kx<<_ls)82{nz5WA#!u<q)f<M83Q<H46-7GE0-NC`#d@RgnGMU+S"
    "XJ$zrTl)tq%UjDx;y7ptt)VPa&1AzKoB1zVVl5|H{wx^%lA6=Yh4;k2TTI5!T7Q1lY)b2C4io38lt>2w|0AvD-l>!qdTjFPrC{6L"
    "^siXxeP=<p$Ky<1HhwYgN1d<vye^}b&hHhpF0wL->-VGUpeyy87^{_Q=`%Q1oowP+GGoi%s`B@Z4QT9**dPx2(L4No$P`CG>5Fsg"
    "&L}2U-Jykb2SD9r>(2DwM#;7_d3gGV;<i7Z>|^28#Ct8;al~gO`Hqy}9sLf6pH7Z3(v2nGp9BxY4{02G5xrq#*ClOsH)IhHXh<q9"
    "N&218KM-ROOMOW1MduR3PJaDSbUWn7a(cn~ZZKjIsTk>!uax^eFOciJxJPfLRVNyTVa451*Y>5by5je0hFphz%Ih^U9#`Ca@I9Xg"
    "Bg#cbT@al5T+Yy$olp)~I3)8!T#m<R)^pQ7ET~oM)omel+NM&t&Zci_uYPXkz5G~(+ynps000000N^jufWP2h#hi2I&sEB(r_Tk-"
    "XdP`JwX;_n>Nq_on0qdXv9&L@_Q%dFR53G__irCby4?"
)


def test_a_file_without_end_is_refused_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(h5_apart, "CPU_LIMIT_S", 2)
    content = zlib.decompress(base64.b85decode(ENDLESS))
    (tmp_path / "m.h5").write_bytes(content)
    with pytest.raises(ModelError, match=r"'.*m\.h5' .*; save the model again"):
        load(tmp_path / "m.h5")
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", content)
    with pytest.raises(ModelError, match=r"'.*m\.keras' "):
        load(tmp_path / "m.keras")


@pytest.fixture
def start(monkeypatch):
    """Have the process do something else before it reads."""

    def change(code):
        begin, comma, end = h5_apart._START.partition("; from nerone")
        monkeypatch.setattr(h5_apart, "_START", f"{begin}; import os, signal, resource{comma}{end}")
        patched = h5_apart._START.replace("main(sys.argv[1:5])", f"{code}; main(sys.argv[1:5])")
        monkeypatch.setattr(h5_apart, "_START", patched)

    return change


def test_a_crash_of_the_library_is_an_error(start, tmp_path):
    start(f"os.kill(os.getpid(), {int(signal.SIGSEGV)})")
    (tmp_path / "m.h5").write_bytes(b"x")
    with pytest.raises(ModelError, match="libhdf5 ended with code -11"):
        load(tmp_path / "m.h5")


def test_processor_time_and_waiting_are_limited(start, tmp_path, monkeypatch):
    (tmp_path / "m.h5").write_bytes(b"x")
    monkeypatch.setattr(h5_apart, "CPU_LIMIT_S", 1)
    monkeypatch.setattr(h5_apart, "_WALL_FACTOR", 3)
    start("import time; time.sleep(1000)")
    with pytest.raises(ModelError, match="found no end of it in 3 s"):
        load(tmp_path / "m.h5")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no line",
        b"[]\n",
        b"{}\n",
        b'{"values": {}, "arrays": [["|O", [2]]]}\n' + bytes(16),
        b'{"values": {}, "arrays": [["<f4", [2]]]}\n' + bytes(4),
        b'{"values": {}, "arrays": [["<f4", [-2, -1]]]}\n' + bytes(8),
        b'{"values": {}, "arrays": [["<f4", [1099511627776, 0]]]}\n' + bytes(8),
        b'{"values": [], "arrays": []}\n',
        b'{"error": ["SystemExit", "out"]}\n',
        b'{"error": 3}\n',
        b'{"values": {}, "arrays": []}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_reader_that_a_file_has_taken_over_is_not_believed(start, tmp_path, answer):
    start(f"os.write(1, {answer!r}); os._exit(0)")
    (tmp_path / "m.h5").write_bytes(b"x")
    with pytest.raises(ModelError):
        load(tmp_path / "m.h5")


def test_an_answer_without_end_is_left(start, tmp_path, monkeypatch):
    monkeypatch.setattr(h5_apart, "_MOST_ANSWER_BYTES", 1 << 20)
    start("[os.write(1, bytes(65536)) for _ in iter(int, 1)]")
    (tmp_path / "m.h5").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"m\.h5': its reader answers with more than 1 MiB"):
        load(tmp_path / "m.h5")


def test_a_reader_that_closes_its_output_and_stays_is_ended(start, tmp_path, monkeypatch):
    monkeypatch.setattr(h5_apart, "_GRACE_S", 0.5)
    start("os.close(1); import time; time.sleep(1000)")
    (tmp_path / "m.h5").write_bytes(b"x")
    with pytest.raises(ModelError, match="found no end"):
        load(tmp_path / "m.h5")


def test_memory_is_limited(monkeypatch):
    asked = {}
    monkeypatch.setattr(h5_process, "_limit", asked.__setitem__)
    monkeypatch.setitem(h5_process.READERS, "model", lambda source, shown: ({}, []))
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=io.BytesIO()))
    h5_process.main(["model", "x", "x", "5"])
    assert asked[resource.RLIMIT_CPU] == 6
    assert asked[resource.RLIMIT_AS] > h5_process._MOST_MEMORY


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "m.h5").write_bytes(b"no h5")
    with pytest.raises(ModelError, match="is no readable h5 file"):
        load(tmp_path / "m.h5")
