"""Compare how naturally two models talk, by hand and blind.

    python naturalness.py talk starter.jsonl --model starter
    python naturalness.py talk npc.jsonl --model SMOLLM2 --adapter townsfolk-npc
    python naturalness.py pair starter.jsonl npc.jsonl -o pairs
    python naturalness.py tally pairs verdicts.txt

`pairs/pairs.md` has each conversation twice, as 1 and 2, in an order that was drawn. Whoever judges
writes a line for each pair, `1`, `2` or `=`, into a file, by the rubric at the head of `pairs.md`,
and opens `pairs/key.json` afterwards only.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random

import yaml
from townsfolk.client import Persona, Runtime, SamplingParams
from townsfolk.starter.exam.report import wilson

RUBRIC = """\
Which of the two would you take for a person who plays this character well? In this order:

1. It is English that somebody would say: whole sentences, no broken words.
2. Each reply answers what was just said.
3. It fits who the character is, and contradicts neither the description nor itself.
4. It is worth reading: specific, no phrase that fits everywhere, no repetition.

An earlier point decides before a later one. `=` where nothing decides."""


def talk(options: argparse.Namespace) -> None:
    """Hold all conversations, and write a line for each."""
    people = yaml.safe_load(Path(__file__).with_name("naturalness.yaml").read_text("utf-8"))
    adapter = ("--adapter", options.adapter) if options.adapter else ()
    with (
        Runtime.launch("--model", options.model, *adapter) as runtime,
        options.output.open("w", encoding="utf-8") as file,
    ):
        for person in people:
            persona = Persona(**{key: value for key, value in person.items() if key != "said"})
            for number, lines in enumerate(person["said"]):
                with runtime.npc(
                    persona, sampling=SamplingParams(seed=options.seed + number, max_new_tokens=96)
                ) as npc:
                    replies = [(line, "".join(npc.say(line))) for line in lines]
                about = {"name": persona.name, "description": persona.description}
                print(
                    json.dumps(about | {"said": replies}, ensure_ascii=False), file=file, flush=True
                )


def pair(options: argparse.Namespace) -> None:
    """Write the pairs, shuffled, and the key to them."""
    first, second = (
        [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in (options.first, options.second)
    )
    rng = Random(options.seed)
    order = list(range(len(first)))
    rng.shuffle(order)
    key, text = [], [RUBRIC]
    for number, at in enumerate(order, 1):
        sides = [(options.first.stem, first[at]), (options.second.stem, second[at])]
        rng.shuffle(sides)
        key.append([name for name, _ in sides])
        text.append(f"## {number}. {first[at]['name']}\n{first[at]['description']}")
        for side, (_, told) in enumerate(sides, 1):
            said = "\n".join(f"- {line}\n  > {reply}" for line, reply in told["said"])
            text.append(f"**{side}**\n{said}")
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "pairs.md").write_text("\n\n".join(text) + "\n", "utf-8")
    (options.output / "key.json").write_text(json.dumps(key) + "\n", "utf-8")


def tally(options: argparse.Namespace) -> None:
    """Print who was preferred how often, with Wilson's 95% interval of those that were decided."""
    key = json.loads((options.pairs / "key.json").read_text("utf-8"))
    verdicts = options.verdicts.read_text("utf-8").split()
    if len(verdicts) != len(key) or set(verdicts) - {"1", "2", "="}:
        raise SystemExit(f"{options.verdicts}: {len(key)} verdicts are needed, each 1, 2 or =")
    preferred = [
        sides[int(said) - 1] for said, sides in zip(verdicts, key, strict=True) if said != "="
    ]
    for name in sorted(key[0]):
        low, high = wilson(preferred.count(name), max(len(preferred), 1))
        print(
            f"{name}: {preferred.count(name)} of {len(preferred)} decided, {low:.0%} to {high:.0%}"
        )
    print(f"undecided: {len(key) - len(preferred)}")


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    actions = parser.add_subparsers(required=True)
    one = actions.add_parser("talk", help="hold the conversations")
    one.add_argument("output", type=Path)
    one.add_argument("--model", required=True)
    one.add_argument("--adapter")
    one.add_argument("--seed", type=int, default=0)
    one.set_defaults(do=talk)
    one = actions.add_parser("pair", help="shuffle two of them")
    one.add_argument("first", type=Path)
    one.add_argument("second", type=Path)
    one.add_argument("-o", "--output", type=Path, required=True)
    one.add_argument("--seed", default="0")
    one.set_defaults(do=pair)
    one = actions.add_parser("tally", help="count verdicts")
    one.add_argument("pairs", type=Path)
    one.add_argument("verdicts", type=Path)
    one.set_defaults(do=tally)
    options = parser.parse_args()
    options.do(options)


if __name__ == "__main__":
    main()
