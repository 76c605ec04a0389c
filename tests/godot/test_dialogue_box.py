"""The dialogue box on its own."""

from __future__ import annotations


def test_a_long_answer_scrolls_instead_of_growing(godot):
    (box,) = godot.drive("box", "long_answer")
    assert box["text_height"] > 2 * 200
    assert max(box["heights"]) < 200 + 120
    assert 0 < box["last_line_bottom"] <= box["sight"] + 1


def test_what_went_wrong_is_not_the_characters_speech(godot):
    (box,) = godot.drive("box", "failure")
    assert box["text"] == "…"


def test_an_agent_without_a_persona_has_no_name(godot):
    (box,) = godot.drive("box", "nobody")
    assert box == {"event": "box", "name": "", "text": "Hm?"}
