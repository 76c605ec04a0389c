"""Steps between the frames of a game whose clock is simulated."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from townsfolk.engine.pacing import (
    MOST_REPORTERS,
    Demand,
    Frame,
    FramePacer,
    FrameReport,
    PacePolicy,
    StepLimit,
    StepSpan,
)

FRAME_S = 1 / 60
WAITING = [policy for policy in PacePolicy if policy.waits]


@dataclass
class Game:
    """Draws frames of a length, and reports them a few at a time, after a delay."""

    busy_s: float
    frame_s: float = FRAME_S
    policy: PacePolicy = PacePolicy.BALANCED
    phase_s: float = 0.0
    name: str = "game"
    clock_s: float = 1234.5  # what its clock says when ours says 0
    delay_s: float = 0.0003
    every: int = 6
    reported: int = field(default=0)

    def begins(self, number: int) -> float:
        return self.phase_s + number * self.frame_s

    def is_busy(self, now: float) -> bool:
        return (now - self.phase_s) % self.frame_s < self.busy_s

    def report(self, pacer: FramePacer, now: float) -> None:
        """Report what frames have ended since the last report, if enough have."""
        last = int((now - self.delay_s - self.phase_s - self.busy_s) // self.frame_s)
        if last - self.reported < self.every:
            return
        sent = now - self.delay_s
        numbers = range(self.reported + 1, last + 1)
        frames = [Frame(sent - self.begins(number), self.busy_s) for number in numbers]
        self.reported = last
        pacer.report(
            FrameReport(self.name, now, self.clock_s + sent, self.frame_s, self.policy, frames)
        )


@dataclass
class Step:
    """A step that ran."""

    begin: float
    end: float
    limit: StepLimit


def play(
    games: list[Game],
    takes: dict[str, float],
    until: float = 3.0,
    decodes: int = 4,
    prompts: int = 0,
    host_s: Callable[[float], float] = lambda now: 0.0,
    padded: Sequence[tuple[int, int]] = (),
    slow_s: Callable[[float], float] = lambda now: 0.0,
) -> tuple[FramePacer, list[Step]]:
    """Run steps as the pacer lets them; each takes a time by what it computes."""
    pacer, now, steps = FramePacer(padded), 0.5, []
    while now < until:
        for game in games:
            game.report(pacer, now)
        if not pacer.is_paced(now):
            now += 0.001
            continue
        decided = pacer.decide(now, Demand(decodes, prompts))
        if isinstance(decided, float):
            assert decided > 0
            now += min(decided, 0.01)  # reports come in between
            continue
        assert decided.decodes <= decodes
        assert decided.prompt_tokens <= prompts
        assert decided.decodes + decided.prompt_tokens > 0
        tokens = decided.decodes + decided.prompt_tokens
        if decided.prompt_tokens:
            tokens = next((total for _, total in padded if total >= tokens), tokens)
        seconds = takes["step"] + takes["token"] * tokens + slow_s(now)
        span = StepSpan(now, now + host_s(now) + seconds, seconds)
        steps.append(Step(now, span.end, decided))
        now = span.end
        pacer.note_limited(decided.decodes, decided.prompt_tokens, span, decided)
    return pacer, steps


games = st.builds(
    Game,
    busy_s=st.floats(0.001, 0.02),
    frame_s=st.sampled_from([1 / 30, 1 / 60, 1 / 120, 1 / 144]),
    policy=st.sampled_from(WAITING),
    phase_s=st.floats(0, 0.03),
    clock_s=st.floats(-1e5, 1e5),
    delay_s=st.floats(0, 0.002),
)
costs = st.fixed_dictionaries({"step": st.floats(1e-4, 0.03), "token": st.floats(1e-7, 1e-4)})


@settings(max_examples=60, deadline=None)
@given(games, costs, st.integers(0, 32), st.integers(0, 4000))
def test_a_step_runs_only_where_it_fits_and_nobody_starves(game, takes, decodes, prompts):
    if not decodes and not prompts:
        return
    game.busy_s = min(game.busy_s, 1.5 * game.frame_s)
    _pacer, steps = play([game], takes, 4.0, decodes, prompts)
    # The least delay of its reports is all that the game's frames are misplaced by.
    phase_s, slack = game.phase_s + game.delay_s, 1e-8
    for step in steps:
        if step.limit.is_forced:
            continue
        assert step.limit.estimate_s is not None
        begin = (step.begin - phase_s) % game.frame_s
        assert begin >= game.busy_s - slack
        assert begin + step.limit.estimate_s <= game.frame_s + slack
    longest = takes["step"] + takes["token"] * max(4096, decodes)
    most = game.policy.patience_s + 2 * game.frame_s + 2 * longest
    for helps in (
        [step.begin for step in steps if step.limit.decodes == decodes] if decodes else None,
        [step.begin for step in steps if step.limit.prompt_tokens] if prompts else None,
    ):
        if helps is None:
            continue
        times = [0.7, *helps, 4.0]
        # Both kinds may be overdue at once, and take turns.
        turns = 2 if decodes and prompts else 1
        assert max(b - a for a, b in itertools.pairwise(times)) <= turns * most + 0.7


@pytest.mark.parametrize("policy", WAITING)
def test_short_steps_fill_what_frames_leave(policy):
    _, steps = play([Game(0.008, policy=policy)], {"step": 0.001, "token": 0})
    late = [step for step in steps if step.begin > 1]
    # 8 ms of 16.7 are free: 7 steps of a millisecond and a guard.
    assert len(late) / 2 * FRAME_S > 6
    assert not any(step.limit.is_forced for step in late)


def test_no_room_at_all_leaves_one_step_for_each_patience():
    pacer, steps = play([Game(FRAME_S, policy=PacePolicy.SMOOTH)], {"step": 0.004, "token": 0})
    gaps = [b.begin - a.begin for a, b in itertools.pairwise(steps)]
    assert gaps
    assert all(0.25 <= gap < 0.29 for gap in gaps)
    assert all(step.limit.is_forced for step in steps)
    assert pacer.stats(3.0).steps_forced == len(steps)


def test_fast_waits_for_nothing():
    _, steps = play([Game(0.015, policy=PacePolicy.FAST)], {"step": 0.003, "token": 0}, prompts=99)
    late = [step for step in steps if step.begin > 1]
    assert all(b.begin - a.end < 1e-9 for a, b in itertools.pairwise(late))
    assert any(step.limit.prompt_tokens for step in late)
    assert any(step.limit.decodes for step in late)


def test_a_prompt_is_split_into_chunks_that_fit():
    takes = {"step": 0.001, "token": 2e-5}
    _, steps = play([Game(0.008)], takes, decodes=2, prompts=3000)
    sizes = [step.limit.prompt_tokens for step in steps if step.begin > 1.5]
    assert 128 < max(sizes) < 400  # 8.4 ms are 370 tokens


def test_a_game_that_draws_more_than_it_aims_for_has_steps_at_any_time():
    pacer = FramePacer()
    pacer.note(1, 0, 0.002)
    frames = [Frame((20 - number) * 0.003, 0.003) for number in range(20)]
    pacer.report(FrameReport("game", 5.0, 5.0, FRAME_S, PacePolicy.SMOOTH, frames))
    for number in range(10):
        decided = pacer.decide(5.0 + number * 0.0007, Demand(1, 0))
        assert isinstance(decided, StepLimit)
        assert not decided.is_forced
    assert 12.5 < pacer.stats(5.0).budget_ms < 13.7


def test_two_games_share_what_both_leave():
    one = Game(0.006, name="one", phase_s=0.0)
    other = Game(0.004, name="other", phase_s=0.004, policy=PacePolicy.SMOOTH)
    pacer, steps = play([one, other], {"step": 0.002, "token": 0})
    late = [step for step in steps if step.begin > 1 and not step.limit.is_forced]
    assert late
    for step in late:
        assert not one.is_busy(step.begin + 0.0004)
        assert not other.is_busy(step.begin + 0.0004)
    stats = pacer.stats(3.0)
    assert stats.policy is PacePolicy.SMOOTH
    assert stats.reporters == 2


def test_a_game_that_falls_silent_paces_nothing_any_more():
    pacer = FramePacer()
    pacer.report(FrameReport("game", 10.0, 3.0, FRAME_S, PacePolicy.SMOOTH))
    assert pacer.is_paced(10.4)
    assert pacer.stats(10.4) is not None
    assert not pacer.is_paced(10.6)
    assert pacer.stats(10.6) is None
    pacer.report(FrameReport("game", 11.0, 4.0, FRAME_S, PacePolicy.SMOOTH))
    pacer.report(FrameReport("game", 11.1, 4.1, FRAME_S, PacePolicy.SMOOTH, done=True))
    assert not pacer.is_paced(11.1)


def test_reporters_beyond_the_most_are_not_listened_to():
    pacer = FramePacer()
    for number in range(MOST_REPORTERS):
        assert pacer.has_room_for(str(number), 1.0)
        pacer.report(FrameReport(str(number), 1.0, 0.0, FRAME_S, PacePolicy.FAST))
    assert not pacer.has_room_for("more", 1.0)
    assert pacer.has_room_for("3", 1.0)
    assert pacer.has_room_for("more", 2.0)


def test_a_frame_that_a_step_met_leaves_no_less_for_steps():
    pacer = FramePacer()
    busy = [0.015 if number % 20 == 0 else 0.008 for number in range(60)]
    frames = [Frame((60 - number) * FRAME_S, each) for number, each in enumerate(busy)]
    pacer.report(FrameReport("game", 5.0, 5.0, FRAME_S, PacePolicy.SMOOTH, frames))
    assert pacer.stats(5.0).budget_ms > 8


def test_a_report_that_comes_late_moves_no_frame():
    pacer = FramePacer()
    pacer.note(1, 0, 0.002)
    for number in range(20):
        begin = number * FRAME_S
        delay = 0.04 if number == 19 else 0.0002  # the last one was held up
        report = FrameReport(
            "game", begin + 0.01 + delay, begin + 7.01, FRAME_S, PacePolicy.BALANCED,
            [Frame(0.01, 0.008)],
        )  # fmt: skip
        pacer.report(report)
    now = 19 * FRAME_S + 0.051
    decided = pacer.decide(now, Demand(1, 0))
    into = (now - 0.0002) % FRAME_S
    assert into < 0.008  # a frame is under way, and the pacer knows when it ends
    assert decided == pytest.approx(0.008 - into, abs=1e-4)


def test_late_frames_and_missed_estimates_are_counted():
    pacer = FramePacer()
    begins = [0, 1, 2, 4, 5]  # the fourth is a whole frame late
    frames = [Frame((10 - begin) * FRAME_S, 0.004) for begin in begins]
    pacer.report(FrameReport("game", 0.0, 0.0, FRAME_S, PacePolicy.BALANCED))
    pacer.report(FrameReport("game", 0.2, 0.2, FRAME_S, PacePolicy.BALANCED, frames))
    pacer.note(1, 0, 0.001)
    limit = StepLimit(1, 0, 0.00125)
    pacer.note_limited(1, 0, StepSpan(0.1, 0.1012, 0.0012), limit)
    pacer.note_limited(1, 0, StepSpan(0.1, 0.1013, 0.0013), limit)
    stats = pacer.stats(0.2)
    assert (stats.frames_late, stats.estimates_missed) == (1, 1)
    assert stats.frame_ms == pytest.approx(1000 / 60)
    assert 11 < stats.budget_ms < 13


def test_a_step_that_met_a_frame_is_not_taken_for_a_long_one():
    # One of 1 ms that began 0.5 ms before a frame of 8 ms is done with it, 8.5 ms later.
    game, pacer = Game(0.008, policy=PacePolicy.SMOOTH), FramePacer()
    for number in range(20):
        game.report(pacer, 0.5 + number * 0.05)
    frame = 1.4 - (1.4 - game.phase_s - game.delay_s) % FRAME_S + 2 * FRAME_S
    limit = StepLimit(4, 0, 0.001)
    for _ in range(20):
        pacer.note_limited(4, 0, StepSpan(frame - 0.005, frame - 0.004, 0.001), limit)
    pacer.note_limited(4, 0, StepSpan(frame - 0.0005, frame + 0.008, 0.0085), limit)
    decided = pacer.decide(frame - FRAME_S + 0.012, Demand(4, 0))
    assert isinstance(decided, StepLimit)
    assert decided.estimate_s < 0.002
    assert not decided.is_forced


def test_a_step_that_fits_nowhere_begins_early_in_what_a_frame_leaves():
    game = Game(0.008, policy=PacePolicy.SMOOTH)
    _, steps = play([game], {"step": 0.02, "token": 0})
    forced = [step for step in steps if step.limit.is_forced and step.begin > 1]
    assert forced
    for step in forced:
        into = (step.begin - game.phase_s - game.delay_s) % FRAME_S
        assert 0.0079 < into < 0.0115


def asks_until(pacer: FramePacer, now: float, until: float) -> list[float]:
    """When it may compute nothing, as a loop finds out that has nothing to compute."""
    found = []
    while now < until:
        decided = pacer.decide(now, Demand(0, 0))
        if isinstance(decided, StepLimit):
            assert (decided.decodes, decided.prompt_tokens) == (0, 0)
            found.append(now)
            now += 0.002
        else:
            now += decided
    return found


@pytest.mark.parametrize("policy", WAITING)
def test_without_anything_to_compute_rests_begin_early_in_what_a_frame_leaves(policy):
    game, pacer = Game(0.006, policy=policy), FramePacer()
    for number in range(10):
        game.report(pacer, 0.3 + number * 0.1)
    rests = asks_until(pacer, 1.21, 1.31)
    assert len(rests) >= 5  # once a frame at least
    for rest in rests:
        assert 0.0059 < (rest - game.phase_s - game.delay_s) % FRAME_S < 0.0085


@pytest.mark.parametrize(
    "games",
    [
        [Game(0.006, policy=PacePolicy.FAST)],
        [Game(0.0165, policy=PacePolicy.SMOOTH)],  # leaves nothing
        [Game(0.002, name="one"), Game(0.002, name="other", phase_s=0.004)],
    ],
)
def test_rests_are_not_waited_for_where_none_may_come(games):
    pacer = FramePacer()
    for number in range(10):
        for game in games:
            game.report(pacer, 0.3 + number * 0.1)
    assert pacer.decide(1.2, Demand(0, 0)) == StepLimit(0, 0)


@pytest.mark.parametrize("policy", WAITING)
def test_a_moment_in_which_the_host_was_slow_does_not_keep_prompts_back_for_long(policy):
    takes = {"step": 0.0015, "token": 5e-6}

    def prompt_tokens(slow_s: float) -> int:
        _, steps = play(
            [Game(0.008, policy=policy)],
            takes,
            until=5.0,
            decodes=5,
            prompts=400,
            host_s=lambda now: slow_s if 1.0 < now < 1.6 else 0.0007,
        )
        return sum(step.limit.prompt_tokens for step in steps if step.begin > 3)

    assert prompt_tokens(0.006) > 0.5 * prompt_tokens(0.0007) > 10_000


def test_sizes_that_nobody_tried_are_tried_where_small_ones_leave_room():
    # The device reads the same weights for 16 tokens as for 64: small chunks are slow for nothing.
    pacer = FramePacer()
    for _ in range(20):
        pacer.note(5, 0, 0.001)
        pacer.note(5, 11, 0.003)
    game = Game(0.008)
    for number in range(10):
        game.report(pacer, 0.3 + number * 0.1)
    wait = pacer.decide(1.2, Demand(5, 400))
    now = 1.2 + wait if isinstance(wait, float) else 1.2
    decided = pacer.decide(now, Demand(5, 400))
    assert isinstance(decided, StepLimit)
    assert decided.prompt_tokens > 40


PADDED = [(places, total) for places in (8, 32) for total in (64, 128, 256, 512)]


@pytest.mark.parametrize("decodes", [0, 3, 8, 20])
def test_chunks_of_prompts_fill_the_steps_that_are_padded_anyway(decodes):
    # A step of 512 places does not fit, one of 256 does; one of 64 takes as long for one token.
    takes = {"step": 0.0015, "token": 1.2e-5}
    _, steps = play(
        [Game(0.010, policy=PacePolicy.SMOOTH)], takes, 3.0, decodes, 5000, padded=PADDED
    )
    late = [step.limit for step in steps if step.begin > 1.5]
    assert late
    places = 8 if decodes <= 8 else 32
    assert {limit.prompt_tokens for limit in late} <= {0, *(n - places for n in (64, 128, 256))}
    assert max(limit.prompt_tokens for limit in late) == 256 - places
    assert not any(limit.is_forced for limit in late)


def test_what_a_small_chunk_took_counts_for_all_that_are_padded_to_its_size():
    pacer = FramePacer(PADDED)
    for _ in range(20):
        pacer.note(4, 0, 0.0013)
        pacer.note(4, 3, 0.0055)  # padded to 64 places
    game = Game(0.010)
    for number in range(10):
        game.report(pacer, 0.3 + number * 0.1)
    begin = pacer.decide(1.2, Demand(4, 400))
    decided = pacer.decide(1.2 + begin, Demand(4, 400))
    assert isinstance(decided, StepLimit)
    assert (decided.decodes, decided.prompt_tokens) == (4, 56)
    assert decided.estimate_s == pytest.approx(0.0055)


def test_a_slow_moment_does_not_keep_decodes_out_of_tight_frames_for_long():
    # 4.7 ms are left; steps of 1.5 ms take 6 for half a second.
    def play_until(until: float) -> list[Step]:
        return play(
            [Game(0.0115, policy=PacePolicy.SMOOTH)],
            {"step": 0.0015, "token": 0},
            until,
            slow_s=lambda now: 0.0045 if 1.0 < now < 1.5 else 0.0,
        )[1]

    late = [step for step in play_until(6.0) if step.begin > 3.5]
    assert len(late) / 2.5 > 60  # one a frame at least
    assert not any(step.limit.is_forced for step in late)
