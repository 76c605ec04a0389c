import torch
from townsfolk.models.rope import RotaryAngles, Rotations
from townsfolk.models.spec import AttentionSpec, RopeSpec, RopeType

CPU = torch.device("cpu")
PLAIN = RopeSpec(64, 10000.0)
DYNAMIC = RopeSpec(32, 10000.0, RopeType.DYNAMIC, 2.0, original_context=512)


def layer(rope: RopeSpec) -> AttentionSpec:
    return AttentionSpec(4, 2, 64, 0.125, rope)


def test_a_position_is_turned_alike_whoever_is_beside_it():
    rotations = Rotations([layer(PLAIN), layer(DYNAMIC), layer(PLAIN)], 4096, CPU)
    few = torch.tensor([700, 3])
    early = rotations(few)
    many = torch.tensor([5, 3000, 700, 3, 1023, 1024])
    late = rotations(many)
    for number, rope in enumerate((PLAIN, DYNAMIC, PLAIN)):
        assert torch.equal(late[number][[2, 3]], early[number])
        torch.testing.assert_close(late[number], RotaryAngles(rope, 64, 4096, CPU)(many))
    assert early[0] is early[2]


def test_no_position_is_turned_by_nothing():
    (turns,) = Rotations([layer(PLAIN)], 4096, CPU)(torch.empty(0, dtype=torch.int64))
    assert turns.shape == (0, 32, 2)
