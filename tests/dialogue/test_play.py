"""What is kept of a conversation beside its transcript is bounded."""

from townsfolk.dialogue.limits import MAX_ENTRIES
from townsfolk.dialogue.play import PlayLog


def test_a_conversation_without_end_keeps_its_last_acts_and_failures():
    log = PlayLog()
    for number in range(MAX_ENTRIES + 3):
        log.acts.append({"turn_id": str(number)})
        log.failed.append(str(number))
    assert len(log.acts) == len(log.failed) == MAX_ENTRIES
    assert log.acts[-1]["turn_id"] == log.failed[-1] == str(MAX_ENTRIES + 2)
