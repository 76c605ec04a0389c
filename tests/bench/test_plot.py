"""The picture of a tavern."""

import json
import sys

import pytest
from townsfolk.bench.plot import PlotError, plot, read_report

ROW = {
    "TTFT later p50 ms": 6.0,
    "TTFT later p99 ms": 17.0,
    "inter-token p50 ms": 1.1,
    "inter-token p99 ms": 4.4,
    "tok/s": 100.0,
    "peer tok/s": None,
    "peer TTFT later p50 ms": None,
}
REPORT = {
    "bench": "tavern",
    "cpu": "some CPU",
    "shape": "llama-tiny",
    "dtype": "bfloat16",
    "way": "over gRPC",
    "turns": 8,
    "thinking_s": 2.0,
    "rows": [ROW | {"NPCs": 8, "peer tok/s": 50.0}, ROW | {"NPCs": 64, "tok/s": 800.0}],
}


FRAMES = {
    "bench": "render",
    "cpu": "some CPU",
    "gpu": "some GPU",
    "shape": "llama-tiny",
    "dtype": "bfloat16",
    "renderer": "a town by some GPU",
    "seconds": 6.0,
    "rows": [
        {
            "frames/s": rate,
            "work ms": 4.0,
            "NPCs": npcs,
            "paced": paced,
            "frame p99 ms": 5.0,
            "missed": npcs,
            "frames": 100,
            "TTFT p99 ms": 20.0 if npcs else None,
            "slowest": 30.0 if npcs else None,
        }
        for rate in (60.0, 120.0)
        for npcs, paced in ((0, ""), (1, "no"), (8, "no"), (1, "smooth"), (0, "other-server"))
    ],
}


def test_frames_become_a_picture(tmp_path):
    output, picture = tmp_path / "run.txt", tmp_path / "frames.png"
    output.write_text(json.dumps(FRAMES))
    plot(read_report(output), picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_report_becomes_a_picture(tmp_path):
    picture = tmp_path / "tavern.png"
    plot(REPORT, picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_last_tavern_of_an_output_is_read(tmp_path):
    output = tmp_path / "run.txt"
    lines = ["a table", json.dumps(REPORT | {"turns": 1}), json.dumps(REPORT), '{"bench": "cold"}']
    output.write_text("\n".join([*lines, "[1]", ""]))
    assert read_report(output) == REPORT


@pytest.mark.parametrize("text", ["", "nothing\n", '{"bench": "decode"}\n'])
def test_an_output_without_a_tavern_is_refused(tmp_path, text):
    output = tmp_path / "run.txt"
    output.write_text(text)
    with pytest.raises(PlotError, match="--tavern"):
        read_report(output)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PlotError, match="nowhere"):
        read_report(tmp_path / "nowhere.txt")


def test_a_missing_matplotlib_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(PlotError, match=r"townsfolk\[train\]"):
        plot(REPORT, tmp_path / "tavern.png")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PlotError, match="can't be written"):
        plot(REPORT, tmp_path / "nowhere" / "tavern.png")
