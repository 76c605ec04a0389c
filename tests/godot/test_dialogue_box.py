"""The dialogue box on its own, in the real engine."""

from __future__ import annotations

import pytest


def reported(godot, scenario: str) -> dict[str, dict]:
    events = godot.drive("box", scenario)
    return {event.pop("event"): event for event in events}


def test_a_long_answer_scrolls_instead_of_growing(godot):
    box = reported(godot, "scrolling")["box"]
    assert box["text_height"] > 2 * 200
    assert max(box["heights"]) < 200 + 120
    assert 0 < box["last_line_bottom"] <= box["sight"] + 1


def test_a_long_answer_is_read_page_by_page_and_nothing_is_missed(godot):
    pages = reported(godot, "pages")["pages"]
    assert pages["count"] > 1
    assert pages["whole"]
    assert pages["shown"] == sorted(set(pages["shown"]))
    assert pages["at"] == [pages["count"] - 1]


def test_a_page_waits_for_the_player_while_the_character_speaks_on(godot):
    events = reported(godot, "growing")
    assert events["thinking"] == {"text": ".", "shown": 0}
    assert events["first"] == {"shown": 2}
    assert events["waiting"] == {"shown": 4, "hint": "Esc: interrupt"}
    assert 100 < events["full"]["shown"] < 600
    assert events["full"]["hint"] == "Enter: go on"
    assert events["next"] == {"shown": 20}
    assert events["cut"] == {"shown": 20}


def test_what_went_wrong_is_not_the_characters_speech(godot):
    assert reported(godot, "failure")["box"] == {"text": "…", "name": ""}


def test_an_agent_without_a_persona_has_no_name(godot):
    assert reported(godot, "nobody")["box"] == {"name": "", "text": "Hm?"}


def test_the_player_chooses_when_all_is_shown(godot):
    events = reported(godot, "choices")
    assert events["typing"] == {"offered": []}
    offered = ["1.  Yes.   (25 %)", "2.  No.   (75 %)"]
    assert events["offered"] == {"offered": offered, "hint": ""}
    assert events["still"] == {"open": True}
    assert events["first"] == {"index": 1}
    assert events["closed"] == {"open": False}
    assert events["replaced"] == {"index": -1}
    assert events["alone"] == {"offered": ["1.  Go."], "open": True}
    assert events["left"] == {"index": -1}
    assert events["gone"] == {"open": False}
    assert events["focused"] == {"index": 0}
    assert events["made"] == {"index": 0, "text": "Aye."}
    assert events["none"] == {"index": -1}


def test_bbcode_is_typed_by_the_characters_that_are_seen(godot):
    events = reported(godot, "markup")
    assert events["some"]["typed"] == ["H0", "a1", "r2", "k3", " 4", "n5"]
    assert events["some"]["shown"] == 6
    assert events["all"] == {"typed": 9, "text": "Hark now!"}
    assert events["speech"] == {"text": "*nods* I keep [b]my[/b] word.", "same": True}


def test_the_newest_characters_fade_in_and_none_goes_back(godot):
    nothing, one, four, more, settled, on = reported(godot, "effect")["effect"]["alphas"]
    assert nothing == [0] * 7
    assert one == [1, 0, 0, 0, 0, 0, 0]
    assert four == pytest.approx([1, 1, 1, 0.5, 0, 0, 0])
    assert more == pytest.approx([1, 1, 1, 0.75, 0, 0, 0])
    assert settled == [1, 1, 1, 1, 0, 0, 0]
    assert on == pytest.approx([1, 1, 1, 1, 1, 2 / 3, 0], abs=0.4)
