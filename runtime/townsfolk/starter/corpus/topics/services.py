"""What people of a trade are asked for: a room, a blade, passage through the gate."""

from townsfolk.starter.corpus.grammar import phrases, pick
from townsfolk.starter.corpus.talk import Talk

Exchange = tuple[tuple[str, ...], tuple[str, ...]]

SERVICES: dict[str, tuple[Exchange, ...]] = {
    "tavern": (
        (
            phrases("""
            Do you have a room[ for the night|]? / I need a room. / Is there a bed free? / Can I
            stay the night? / I'd like a room[, please|]. / Any rooms left? / got a room? / Can I
            rent a room?
        """),
            phrases("""
             There's a room free upstairs. / One room left, {addr}. It's small but dry. / Of
             course. Up the stairs, first door. / We have a bed for you, {addr}. / If you can pay,
             there's a room. / All full, I'm afraid. You can sleep by the fire.
         """),
        ),
        (
            phrases("""
            An ale, please. / Can I get a drink? / I'm thirsty. What do you have? / A beer! / Pour
            me something strong. / I'd like a drink. / One ale. / What's on tap? / Give me your
            best ale.
        """),
            phrases("""
             One ale, coming up. / Here you go, {addr}. Drink slowly. / Sit down, I'll bring it to
             you. / Strong or cheap? We have both. / The dark ale is good tonight. / Here. Mind the
             foam.
         """),
        ),
        (
            phrases("""
            What's for [dinner|supper|lunch]? / What is there to eat? / Do you serve food? / I'd
            like something to eat. / What's cooking? / What smells so good? / Something hot to eat,
            please. / what food do you have
        """),
            phrases("""
             Stew. It's always stew, {addr}. / There's a pot of stew on the fire. / Bread, cheese
             and whatever is in the pot. / Roast and onions tonight. / Sit down, I'll bring you a
             bowl.
         """),
        ),
        (
            phrases("""
            Who comes here? / Do you get many guests? / Who was here last night? / Have you seen
            any strangers? / Is it busy tonight?
        """),
            phrases("""
             Sailors, farmers, the odd thief. / All kinds of people. I don't ask questions. / It
             was full last night. / Strangers come and go, {addr}. / The usual faces.
         """),
        ),
    ),
    "forge": (
        (
            phrases("""
            Can you make me a sword? / I need a [sword|weapon|blade]. / Forge me a blade. / Do you
            make swords? / I want a new sword. / make me a sword
        """),
            phrases("""
             A sword? Give me a week. / I can. Bring me good steel. / A good blade takes time,
             {addr}. / Can you pay for a good blade? / What do you want it for? / For war or for
             show, {addr}?
         """),
        ),
        (
            phrases("""
            Can you sharpen my [sword|knife|axe]? / My blade is dull. / My [sword|armour|shield] is
            broken. / Can you repair my [armour|shield|sword]? / Fix this, please.
        """),
            phrases("""
             Let me see it. That can be mended. / Leave it here until tomorrow. / Who did this to
             good steel? / An hour's work, no more. / Give it here, {addr}.
         """),
        ),
        (
            phrases("""
            My horse lost a shoe. / Can you shoe my horse? / I need horseshoes.
        """),
            phrases("""
             Bring the horse round, {addr}. / Tie it up over there. / I'll see to it before noon.
         """),
        ),
        (
            phrases("""
            Is it hard work? / Isn't it hot in here? / How do you stand the heat?
        """),
            phrases("""
             You get used to the heat. / Hot iron, hot work. / My arms don't know anything else. /
             Winter is the best time for it.
         """),
        ),
    ),
    "guard post": (
        (
            phrases("""
            Can I pass? / Let me through. / Open the gate. / May I enter? / I want to go in. / let
            me in / Can I go through?
        """),
            phrases("""
             State your business first. / Not without a pass, {addr}. / Go on, but no trouble. /
             Nobody passes after dark. / Open your bag first. / Move along, then.
         """),
        ),
        (
            phrases("""
            Is it safe here? / Any trouble lately? / Is the road safe? / Have you seen anything
            strange?
        """),
            phrases("""
             Safe enough while I stand here. / Thieves, mostly. Keep a hand on your purse. / Stay
             on the road and you'll be fine. / Quiet, so far. I like it quiet. / I've seen lights
             on the hills.
         """),
        ),
        (
            phrases("""
            I want to report a crime. / I've been robbed! / Help! Thief! / Somebody stole my purse.
        """),
            phrases("""
             Who was it? What did they look like? / Which way did they run? / Calm down and tell me
             everything. / I'll write it down, {addr}.
         """),
        ),
        (
            phrases("""
            Who do you serve? / Who gives the orders? / Are you allowed to drink? / Can I bribe
            you?
        """),
            phrases("""
             I serve the law, {addr}. / Orders are orders. / Not on duty. / Say that again and you
             sleep in a cell.
         """),
        ),
    ),
    "market": (
        (
            phrases("""
            Is this fresh? / Is it any good? / Are you sure it's good? / Where do you get your
            wares? / Did you make this yourself?
        """),
            phrases("""
             Fresh this morning, {addr}. / The best on the market. / Would I sell you anything bad?
             / My customers come back, that says it all. / From people I trust.
         """),
        ),
        (
            phrases("""
            Do you buy things too? / Would you buy this from me? / I have something to sell. / Can
            I sell you this?
        """),
            phrases("""
             Show me what you have. / That depends on what it is. / I buy if the price is right. /
             Not today. My purse is thin.
         """),
        ),
        (
            phrases("""
            What do you recommend? / What's your best piece? / What would you buy? / What's
            popular?
        """),
            phrases("""
             For you, {addr}? Something special. / Take what your nose likes. / Everything I have
             is good. / The dear one. It's always the dear one.
         """),
        ),
    ),
    "temple": (
        (
            phrases("""
            Bless me. / Can you bless me? / Pray for me. / I need a blessing. / Will you pray with
            me?
        """),
            phrases("""
             May the light go with you. / Kneel, and be blessed. / I will pray for you, {addr}. /
             You are blessed. Go in peace. / Bow your head, {addr}.
         """),
        ),
        (
            phrases("""
            Can you heal me? / I'm sick. / I need healing. / Can you heal this wound? / My child is
            ill.
        """),
            phrases("""
             Sit. Let me see the wound. / Drink this, it is bitter but good. / Rest here tonight,
             {addr}. / The gods heal. I only help.
         """),
        ),
        (
            phrases("""
            I want to confess. / I have done something bad. / Will the gods forgive me? / Do the
            gods hear us?
        """),
            phrases("""
             Speak, I am listening. / The gods forgive those who ask. / They hear everything,
             {addr}. / You carry a heavy heart. Set it down here.
         """),
        ),
    ),
    "farm": (
        (
            phrases("""
            How is the harvest? / How are the crops? / Will it be a good year? / How are your
            animals?
        """),
            phrases("""
             Good, if the rain comes. / Better than last year. / The frost took half of it. / The
             animals are fine, thank you.
         """),
        ),
        (
            phrases("""
            Can I help on the farm? / Do you need a farmhand? / Can I have some milk? / Can I pet
            the cow?
        """),
            phrases("""
             If you can carry, you can help. / There's always hay to bring in. / Help yourself,
             {addr}. It's still warm. / Careful, she kicks.
         """),
        ),
    ),
    "ship": (
        (
            phrases("""
            Can you take me with you? / I need passage. / Where does the ship sail? / When do you
            sail? / Can I come aboard? / Take me across the sea.
        """),
            phrases("""
             We sail with the tide. / If you can pay or work, come aboard. / Tomorrow at dawn, if
             the wind holds. / There's room for one more hammock. / South, to the islands. /
             Landfolk bring bad luck, but coin is coin.
         """),
        ),
        (
            phrases("""
            How is the sea? / Will there be a storm? / Have you seen a sea monster? / Is the sea
            dangerous? / Do you ever get seasick?
        """),
            phrases("""
             Calm as milk, for now. / My knee says there's a storm coming. / I've seen things out
             there I don't speak of. / The sea takes who she wants. / Only on land.
         """),
        ),
    ),
    "study": (
        (
            phrases("""
            Can you teach me magic? / Cast a spell. / Show me some magic. / Do you know any spells?
            / Can you read this for me? / Can you brew me a potion?
        """),
            phrases("""
             Magic is no toy, {addr}. / That takes years of study. / I could, but the last time the
             roof came off. / Give it here. My eyes are not what they were. / Bring me the herbs
             and we'll see.
         """),
        ),
        (
            phrases("""
            What are you reading? / Do you have a book about dragons? / Which book is the best? /
            What are you working on?
        """),
            phrases("""
             An old book about older things. / Something I can't explain to you in a day. / Look on
             the third shelf. / Quiet, please. I'm nearly done.
         """),
        ),
    ),
    "station": (
        (
            phrases("""
            Can you fix my ship? / My engine is broken. / How long will the repairs take? / What's
            wrong with the engine?
        """),
            phrases("""
             Two days, if I get the parts. / It's the cooling. It's always the cooling. / Who let
             you fly this thing? / I can fix it. It won't be cheap.
         """),
        ),
        (
            phrases("""
            When is the next flight? / Any ships leaving? / Is it safe out there?
        """),
            phrases("""
             Next one leaves when it leaves. / Ask at the docks, deck two. / Out there nothing is
             safe.
         """),
        ),
    ),
}

_WRONG_TRADE = phrases("""
    I'm {a trade}, {addr}. You want somebody else. / You've come to the wrong person. I'm {a
    trade}. / Do I look like that's my trade? I'm {a trade}. / I can't help you with that. I'm {a
    trade}. / That's not my work.
""")


_NOT_MINE = phrases("""
    That's not what I do, {addr}. / You want somebody else. / I can't help you with that. / Ask
    around, {addr}. Not me. / I have no such thing.
""")


def service(talk: Talk) -> None:
    """The player asks for what somebody of this trade does, or has mistaken the trade."""
    self = talk.character
    if self.trade is None:
        if self.scene.kind not in ("tavern", "forge"):
            talk.exchange(
                pick(talk.rng, SERVICES[pick(talk.rng, ("tavern", "forge"))])[0], _NOT_MINE
            )
        return
    own = SERVICES.get(self.scene.kind, ()) if self.trade in self.scene.trades else ()
    if own and talk.rng.random() < 0.85:
        talk.exchange(*pick(talk.rng, own))
        return
    # Never the services of a scene where the character might belong: "I'm an innkeeper" must not refuse a bed.
    other = pick(talk.rng, ("tavern", "forge", "ship", "study", "temple"))
    if other != self.scene.kind and not own and talk.rng.random() < 0.5:
        talk.exchange(pick(talk.rng, SERVICES[other])[0], _WRONG_TRADE)
