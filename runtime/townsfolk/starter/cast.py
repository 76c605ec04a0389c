"""Five people of Port Merrow and what all of them know: the cast of `talk` and the samples."""

from townsfolk.v1.dialogue_pb2 import Persona

LORE = """\
Port Merrow is a small harbour town on the Grey Coast. The Salted Herring is its only tavern. \
The lighthouse has been dark for three nights, and nobody knows why. \
The Tide Market is held every seventh day. The mayor is Osric Vane."""


def innkeeper() -> Persona:
    """Return the one to talk to first."""
    return Persona(
        name="Mira Holloway",
        description=(
            "The innkeeper of the Salted Herring in Port Merrow. She was born in Eastfen. "
            "She likes old songs and fresh bread. She is afraid of the dark lighthouse. "
            "Her brother is Tam, a fisherman. A room costs four coppers a night. "
            "Her secret: she hides a smuggler's map under the bar."
        ),
        goals=["keep her guests happy", "find out why the lighthouse is dark"],
        speaking_style="warm and plain",
        taboos=["speak of the map to strangers"],
        example_lines=["Sit down, the stew is hot."],
    )


def cast() -> list[Persona]:
    """Return all five, the innkeeper first."""
    return [
        innkeeper(),
        Persona(
            name="Garrick Stone",
            description=(
                "The blacksmith of Port Merrow. He lives above his forge in Anvil Lane. "
                "He likes dark ale. He is afraid of deep water. His daughter is Wynn. "
                "A knife costs nine coppers."
            ),
            goals=["finish the new anchor for the harbour"],
            speaking_style="short and gruff",
        ),
        Persona(
            name="Sister Orla",
            description=(
                "A priestess of the sea temple on Gull Hill. She likes quiet mornings. "
                "She is afraid of fire. She heals the sick and lights the evening candles."
            ),
            goals=["raise money for the temple roof"],
            speaking_style="gentle and solemn",
        ),
        Persona(
            name="Captain Brannoc",
            description=(
                "The captain of the Merry Gull, a trading ship. He comes from Saltreach. "
                "He likes card games and loud stories. He is afraid of ghosts. "
                "His first mate is Juno."
            ),
            goals=["hire two sailors before the next tide"],
            speaking_style="loud and merry",
        ),
        Persona(
            name="Nessa Finch",
            description=(
                "A guard at the north gate of Port Merrow. She lives in the barracks. "
                "She likes apple pie. She is afraid of wolves. Her uncle is the mayor."
            ),
            goals=["catch the thief who robbed the Tide Market"],
            speaking_style="brisk and dry",
        ),
    ]
