"""Places of work: who works there, what is sold, what can be seen, what people there say."""

from dataclasses import dataclass

from townsfolk.starter.corpus.grammar import phrases


@dataclass(frozen=True, slots=True)
class Scene:
    """A kind of place.

    ``work`` says how the place of work is named (``house``, ``ship``, ``farm`` or a phrase); ``at`` is its
    preposition. ``duties`` complete "I ..." and ``sights`` complete "Here you see ...".
    """

    kind: str
    work: tuple[str, ...]
    at: str
    trades: tuple[str, ...]
    goods: tuple[str, ...]
    duties: tuple[str, ...]
    sights: tuple[str, ...]
    news: tuple[str, ...]
    worries: tuple[str, ...]


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.replace("\n", " ").split(",") if item.strip())


SCENES: tuple[Scene, ...] = (
    Scene(
        kind="tavern",
        work=("house", "house", "house", "the tavern", "the inn"),
        at="at",
        trades=phrases("""
            innkeeper / tavern keeper / barmaid / cook / brewer / bard / bartender / minstrel /
            owner
        """),
        goods=_items(
            "ale, stew, wine, a room, bread and cheese, cider, mead, a hot bath, roast goose, a pie, rum, soup"
        ),
        duties=_items(
            "pour the ale, keep the fire going, cook the stew, sweep the floor, rent out rooms, break up fights"
        ),
        sights=_items(
            "a long bar, a warm fire, empty mugs, tired travellers, a sleeping dog, barrels of ale, old tables"
        ),
        news=phrases("""
            A merchant lost his purse at my table last night / Two sailors fought over a card game
            / The last barrel of ale went sour / A bard sang here until the sun came up / Somebody
            left without paying
        """),
        worries=phrases("""
            the ale is running low / rats are in the cellar / the roof leaks / guests are few this
            month
        """),
    ),
    Scene(
        kind="forge",
        work=("the forge", "the smithy", "house", "the old forge"),
        at="at",
        trades=phrases("""
            blacksmith / armourer / swordsmith / farrier / apprentice / locksmith / weaponsmith
        """),
        goods=_items(
            "a sword, a dagger, horseshoes, nails, a shield, a helmet, an axe, a spear, chain mail, a lock, a knife"
        ),
        duties=_items(
            "beat hot iron, shoe horses, sharpen blades, mend pots, make nails, work the bellows"
        ),
        sights=_items(
            "a hot fire, a heavy anvil, hammers on the wall, half-made swords, a water barrel, piles of coal"
        ),
        news=phrases("""
            The captain ordered twenty spears / A knight broke three swords in one week / Good iron
            costs twice what it did / A horse kicked my apprentice / Somebody asked me for a key to
            a door that is not theirs
        """),
        worries=phrases("""
            coal is hard to get / my back hurts / the bellows are torn / orders are late
        """),
    ),
    Scene(
        kind="guard post",
        work=phrases("""
            the north gate / the south gate / the east gate / the west gate / the guard post / the
            watchtower / the city wall / the bridge
        """),
        at="at",
        trades=phrases("""
            guard / gate guard / watchman / soldier / captain of the guard / sergeant / knight /
            sentry
        """),
        goods=_items("a pass, a lantern, a map of the city, an old spear, a whistle"),
        duties=_items(
            "watch the road, check carts, keep thieves out, walk the wall, ring the alarm bell, close the gate at night"
        ),
        sights=_items(
            "a strong gate, a dusty road, spears against the wall, a long line of carts, a cold brazier"
        ),
        news=phrases("""
            A cart full of empty barrels came through at midnight / Somebody climbed the wall last
            night / The captain doubled the watch / We caught a pickpocket this morning / Strange
            lights were seen on the hills
        """),
        worries=phrases("""
            we have too few men / the gate hinge is rusty / my feet are cold / the pay is late
        """),
    ),
    Scene(
        kind="market",
        work=phrases("""
            a stall in the market / the market / house / a shop on the square / the bazaar / the
            general store
        """),
        at="at",
        trades=phrases("""
            merchant / peddler / fishmonger / baker / butcher / spice seller / grocer / shopkeeper
            / tailor / jeweller / trader / potter / cobbler
        """),
        goods=_items(
            "apples, bread, fish, cloth, spices, a pot, candles, salt, a silk scarf, boots, soap, a ring, honey, cheese, rope, a lamp, tea"
        ),
        duties=_items(
            "sell my wares, count coins, carry crates, shout prices, weigh flour, watch for thieves"
        ),
        sights=_items(
            "busy stalls, baskets of fruit, a juggler, loud sellers, bright cloth, a fountain"
        ),
        news=phrases("""
            The price of salt went up again / A thief ran through here with a whole ham / A caravan
            from the south is late / The baker and the butcher are not speaking / Foreign coins are
            turning up everywhere
        """),
        worries=phrases("""
            trade is slow / the taxes are high / my cart lost a wheel / the fruit is going bad
        """),
    ),
    Scene(
        kind="temple",
        work=phrases("""
            the temple / the chapel / the old shrine / the abbey / the monastery / the cathedral
        """),
        at="at",
        trades=phrases("""
            priest / priestess / monk / nun / acolyte / healer / gravedigger / bell ringer / abbot
        """),
        goods=_items(
            "a candle, a blessing, holy water, a prayer book, incense, a healing potion, a charm"
        ),
        duties=_items(
            "tend the altar, ring the bells, pray for the sick, bury the dead, light the candles, feed the poor"
        ),
        sights=_items(
            "tall windows, many candles, an old altar, a quiet garden, worn stone steps, incense smoke"
        ),
        news=phrases("""
            The bell rang by itself at midnight / Somebody stole the silver candlesticks / A
            pilgrim walked in barefoot from the north / The well behind the altar has gone dry /
            Many come to pray these days
        """),
        worries=phrases("""
            the roof needs lead / the poor box is empty / the old bell is cracked / people forget
            to pray
        """),
    ),
    Scene(
        kind="farm",
        work=("farm", "farm", "the farm", "the mill", "the orchard"),
        at="at",
        trades=phrases("""
            farmer / shepherd / goatherd / miller / milkmaid / beekeeper / farmhand / gardener /
            horse breeder
        """),
        goods=_items(
            "milk, eggs, a hen, wool, turnips, honey, a goat, flour, cheese, a basket of apples, butter, hay"
        ),
        duties=_items(
            "milk the cows, plough the field, feed the hens, mend fences, shear the sheep, bring in the hay"
        ),
        sights=_items(
            "green fields, a red barn, muddy pigs, sheep on the hill, a scarecrow, a lazy dog"
        ),
        news=phrases("""
            A fox took two hens in the night / The barley is ripe early / Something big broke the
            fence / The cow had twins / There is frost coming
        """),
        worries=phrases("""
            the field is too dry / wolves are on the hill / the plough is broken / the hay is wet
        """),
    ),
    Scene(
        kind="ship",
        work=("ship", "ship", "ship", "the docks"),
        at="on",
        trades=phrases("""
            sailor / captain / first mate / ship's cook / navigator / fisherman / pirate / ship's
            doctor / cabin boy / smuggler
        """),
        goods=_items(
            "passage to the islands, salted fish, rum, a spyglass, rope, a sea chart, a barrel of herring, pearls, a net"
        ),
        duties=_items(
            "haul the ropes, mend the sails, steer by the stars, scrub the deck, cast the nets, watch for rocks"
        ),
        sights=_items(
            "high masts, grey waves, tarred ropes, gulls, crates and barrels, a creaking deck"
        ),
        news=phrases("""
            We saw a whale as long as the ship / A storm tore the main sail / Pirates were seen
            near the islands / The harbour master wants more money / The nets came up empty three
            days in a row
        """),
        worries=phrases("""
            the hull leaks / the wind is wrong / the crew grumbles / we are short of water
        """),
    ),
    Scene(
        kind="road",
        work=("the road", "the old road", "the north road", "the trail"),
        at="on",
        trades=phrases("""
            ranger / hunter / woodcutter / messenger / trapper / peddler / mercenary / bandit /
            wanderer / charcoal burner / ferryman
        """),
        goods=_items(
            "furs, a map, dried meat, arrows, firewood, a walking stick, a rabbit, a bow, mushrooms"
        ),
        duties=_items(
            "follow tracks, cut wood, set traps, carry letters, guide travellers, sleep under the stars"
        ),
        sights=_items(
            "tall trees, a muddy road, an old milestone, deer tracks, a small fire, crows"
        ),
        news=phrases("""
            Bandits stopped a coach near the ford / The bridge to the east is down / I saw tracks
            as big as a cart wheel / The deer have left the valley / An old man walks the road at
            night and leaves no prints
        """),
        worries=phrases("""
            the nights are cold / the road is washed out / wolves are close / my boots have holes
        """),
    ),
    Scene(
        kind="study",
        work=phrases("""
            the library / the tower / house / the academy / the apothecary shop / the observatory
        """),
        at="at",
        trades=phrases("""
            scholar / librarian / wizard / alchemist / scribe / astronomer / herbalist / witch /
            cartographer / apothecary / mage
        """),
        goods=_items(
            "a healing potion, a scroll, ink, a map, a love potion, herbs, a book of spells, a crystal, a star chart, ointment"
        ),
        duties=_items(
            "read old books, brew potions, copy scrolls, study the stars, gather herbs, write letters for others"
        ),
        sights=_items(
            "shelves of books, bubbling flasks, dusty scrolls, a black cat, a brass telescope, dried herbs"
        ),
        news=phrases("""
            A page is missing from the oldest book / A red star has risen in the east / The last
            potion turned blue by itself / Somebody borrowed a book and never came back / The cat
            has learned to open doors
        """),
        worries=phrases("""
            mice eat the paper / the ink is frozen / the roots are hard to find / my eyes are tired
        """),
    ),
    Scene(
        kind="station",
        work=phrases("""
            the space station / the hangar / the workshop / the bar on deck nine / the power plant
        """),
        at="at",
        trades=phrases("""
            mechanic / pilot / engineer / space trader / bartender / radio operator / robot
            repairer / dock worker / detective
        """),
        goods=_items(
            "fuel cells, a data chip, spare parts, coffee, a repair kit, a used robot, noodles, a star map"
        ),
        duties=_items(
            "fix engines, load cargo, watch the screens, weld plates, talk to incoming ships, oil the robots"
        ),
        sights=_items(
            "blinking lights, steel walls, pipes everywhere, a broken robot, a big window, crates"
        ),
        news=phrases("""
            The lights went out twice last night / A ship came in with nobody on board / The
            company cut our pay / Somebody hacked the coffee machine / The scanner picked up
            something big
        """),
        worries=phrases("""
            the air filters are old / parts cost too much / the reactor hums wrong / nobody sleeps
            well here
        """),
    ),
)
