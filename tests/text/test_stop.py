import pytest
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.text import StopScanner

texts = st.text(alphabet="ab\n", max_size=30)
stop_lists = st.lists(st.text(alphabet="ab\n", min_size=1, max_size=5), max_size=4)


def brute_force(text: str, stops: list[str]) -> tuple[str, str | None]:
    for end in range(len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            longest = max(complete, key=len)
            return text[: end - len(longest)], longest
    return text, None


@given(pieces=st.lists(texts, max_size=8), stops=stop_lists)
def test_same_as_searching_the_whole_text(pieces: list[str], stops: list[str]) -> None:
    scanner = StopScanner(stops)
    shown = "".join([*(scanner.push(piece) for piece in pieces), scanner.flush()])
    assert (shown, scanner.stopped) == brute_force("".join(pieces), stops)


@given(text=texts, stops=stop_lists.filter(bool))
def test_holds_back_just_what_may_become_a_stop(text: str, stops: list[str]) -> None:
    scanner = StopScanner(stops)
    shown = ""
    for n, character in enumerate(text):
        shown += scanner.push(character)
        if scanner.stopped is not None:
            break
        seen = text[: n + 1]
        beginnings = {stop[:k] for stop in stops for k in range(len(stop))}
        held = max(len(b) for b in beginnings if seen.endswith(b))
        assert len(shown) == len(seen) - held


def test_nothing_comes_after_a_stop() -> None:
    scanner = StopScanner(["\nPlayer:"])
    assert scanner.push("Well met.\nPla") == "Well met."
    assert scanner.push("yer: hello") == ""
    assert scanner.stopped == "\nPlayer:"
    assert scanner.push("more") == ""
    assert scanner.flush() == ""


def test_a_beginning_that_came_to_nothing_is_shown() -> None:
    scanner = StopScanner(["</s>"])
    assert scanner.push("a </") == "a "
    assert scanner.push("b") == "</b"
    assert scanner.push("<") == ""
    assert scanner.flush() == "<"


def test_empty_stop_strings_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one character"):
        StopScanner(["a", ""])
