"""The character's life: likes, fears, secrets, family, friends, animals, wishes and what it never does."""

from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.grammar import phrases, pick
from townsfolk.starter.corpus.talk import Talk

_LIKE = (
    phrases("""
        What do you like? / What do you enjoy? / What makes you happy? / What is your favourite
        thing? / Is there anything you like? / What do you love[ most|]? / What's your favorite
        thing? / Do you have a hobby? / What do you do for fun? / what u like
    """),
    phrases("""
        I like {like}. / I love {like}. / {Like}, {addr}. [Nothing better|Always|What else]! /
        Nothing makes me happier than {like}. / I'm fond of {like}. / {Like}[. I can't get enough|,
        and nothing else|]. / Give me {like} and I'm happy.
    """),
    phrases("""
        A quiet evening. / Simple things, {addr}. / A warm bed and a full plate. / Not much, these
        days. / Peace and quiet. / Good company, I suppose.
    """),
)
_HATE = (
    phrases("""
        What do you hate? / What don't you like? / Is there anything you can't stand? / What do you
        dislike? / What makes you angry? / What annoys you?
    """),
    phrases("""
        I hate {hate}. / I can't stand {hate}. / {Hate}. [Don't ask why|Awful|Keep it away from
        me|I never could bear it]. / I don't like {hate}, {addr}. / {Hate}, more than anything.
    """),
    phrases("""
        Foolish questions. / Liars, mostly. / Early mornings. / Nothing much, {addr}. / People who
        waste my time.
    """),
)
_FEAR = (
    phrases("""
        What are you afraid of? / What do you fear? / What scares you? / Are you afraid of
        anything? / Is there anything you fear? / What frightens you[ most|]? / What's your
        greatest fear? / Do you fear anything? / what r u scared of
    """),
    phrases("""
        I'm afraid of {fear}. / {Fear}. [Don't laugh|There, I said it|I can't help it|Ever since I
        was small]. / I fear {fear}. / {Fear}, if you must know. / I'm scared of {fear}, {addr}. /
        Nothing... well, {fear}. / I have always been afraid of {fear}.
    """),
    phrases("""
        Nothing much. / Not a lot, {addr}. / I try not to think about it. / Same things as
        everyone. / I'm not afraid of anything you'd know.
    """),
)
_SECRET = (
    phrases("""
        Do you have a secret? / Tell me a secret. / What are you hiding? / What is your secret? /
        Do you have any secrets? / What's the worst thing you have done? / Is there something
        you're not telling me? / You can trust me. What is your secret?
    """),
    phrases("""
        I once {secret}. [Tell no one|Keep it to yourself|Not a word to anyone|Please don't tell].
        / I {secret}. There, now you know. / Can you keep quiet? I {secret}. / Well... I {secret}.
        [Don't tell anyone|It was long ago]. / Long ago, I {secret}.
    """),
    phrases("""
        If I had one, I wouldn't tell you. / My secrets stay with me. / No secrets here, {addr}. /
        I have nothing to hide. / Ask me again when I know you better.
    """),
)
_KEEPSAKE = (
    phrases("""
        What do you carry? / What is that you have there? / What is your most precious thing? / Do
        you own anything of value? / What do you treasure? / Is there something you would never
        sell?
    """),
    phrases("""
        My {keepsake}. / I carry {a keepsake}. / {A keepsake}. I never go without it. / This? It's
        {a keepsake}. / I have {a keepsake}. [It's not for sale|It means a lot to me].
    """),
    phrases("""
        Nothing worth stealing. / Only what you see, {addr}. / I travel light.
    """),
)

_PRESENT_SECRET = phrases("""
    I {secret}. There, now you know. / Can you keep quiet? I {secret}. / Well... I {secret}. / I
    {secret}. [Tell no one|Keep it to yourself|Not a word to anyone]. / {addr}, I {secret}.
""")
_SIMPLE = {"like": _LIKE, "hate": _HATE, "fear": _FEAR, "secret": _SECRET, "keepsake": _KEEPSAKE}

_ASK_LIKE = phrases("""
    Do you like {guess}? / Are you fond of {guess}? / You like {guess}, don't you? / Do you enjoy
    {guess}?
""")
_ASK_FEAR = phrases("""
    Are you afraid of {guess}? / Do {guess} scare you? / You're not afraid of {guess}, are you? /
    Do you fear {guess}?
""")
_GUESS_LIKE = phrases("""
    Yes, I love {like}! / Very much, {addr}. / Oh yes. {Like}, always. / I do. I like {like} very
    much.
""")
_GUESS_HATE = phrases("""
    No, I hate {hate}. / {Hate}? I can't stand it. / Not at all. I don't like {hate}. / No, {addr}.
    Anything but {hate}.
""")
_GUESS_FEAR = phrases("""
    Yes. I'm afraid of {fear}. / Don't remind me of {fear}. / {Fear}? Please, don't speak of it. /
    I am, {addr}. Very much.
""")
_GUESS_NEUTRAL = phrases("""
    {Guess}? I never gave it much thought. / Not more than anyone. / {Guess}? Now and then. / I
    don't mind {guess}. / It's all right, I suppose.
""")

_WHY = phrases("""
    Why? / Why is that? / Why's that? / How come? / And why? / why
""")
_BECAUSE = phrases("""
    I couldn't tell you. It has always been so. / It has been that way since I was small. / That's
    a long story, {addr}. / Why not? / Some things have no reason. / Everyone has something. / My
    mother was the same. / Live my life and you'd know. / Something happened years ago. Leave it at
    that.
""")

_ASK_FAMILY = phrases("""
    Do you have [a family|any family|family|relatives]? / Tell me about your family. / Who is your
    family? / Do you have any relatives? / Any family? / Do you live alone?
""")
_ASK_KIN = phrases("""
    Do you have {a kin}? / What is your {kin}'s name? / Who is your {kin}? / What's your {kin}
    called? / Tell me about your {kin}. / How is your {kin} called?
""")
_TELL_KIN = phrases("""
    I have {a kin} called {kin name}. / My {kin} is called {kin name}. / {kin name} is my {kin}. /
    My {kin}'s name is {kin name}. / There's {kin name}, my {kin}. / I have {a kin}, {kin name}.
""")
_TELL_KIN_TRADE = phrases("""
    My {kin} {kin name} is {a kin trade}. / {kin name} is my {kin}. {Pronoun} works as {a kin
    trade}. / I have {a kin}, {kin name}, {a kin trade}. / My {kin} is called {kin name}. {Pronoun}
    is {a kin trade}.
""")
_TELL_KIN_FATE = phrases("""
    My {kin} {kin name} {fate}. / {kin name} is my {kin}. {Pronoun} {fate}. / I have {a kin}, {kin
    name}, who {fate}. / I have {a kin} called {kin name}. {Pronoun} {fate}. / My {kin}? {kin name}
    {fate}.
""")
_ASK_FATE = phrases("""
    What happened to {kin name}? / What happened to your {kin}? / Where is {kin name}? / Where is
    your {kin} now? / How is your {kin}? / Tell me about {kin name}. / What about {kin name}? /
    What can you tell me about {kin name}? / Tell me more about your {kin}. / What do you know
    about {kin name}? / Who is {kin name}?
""")
_TELL_FATE = phrases("""
    {Pronoun} {fate}. / {kin name} {fate}. / My {kin} {fate}. / {kin name}, my {kin}, {fate}. / My
    {kin} {kin name} {fate}. / {Pronoun} {fate}. [I'd rather not speak of it|That's all I can
    say|So it is].
""")
_TELL_NO_FATE = phrases("""
    {kin name} is well, as far as I know. / My {kin}? Same as ever. / There's not much to tell.
    {kin name} is my {kin}. / {kin name} is my {kin}. What else is there to say?
""")
_ASK_KIN_TRADE = phrases("""
    What does your {kin} do? / What does {kin name} do? / And {kin name}? What's {poss} trade? /
    What is your {kin}'s trade?
""")
_KIN_TRADE = phrases("""
    {Pronoun} is {a kin trade}. / {kin name} is {a kin trade}. / {Pronoun} works as {a kin trade}.
    / My {kin} is {a kin trade}.
""")
_KIN_TRADE_UNKNOWN = phrases("""
    This and that. {Pronoun} gets by. / Nothing you'd write a song about. / {Pronoun} keeps busy,
    {addr}. / Ask {kin name}, not me.
""")
_ASK_WHO = phrases("""
    Who is {kin name}? / Do you know {kin name}? / Have you heard of {kin name}? / Is {kin name} a
    friend of yours?
""")
_WHO_KIN = phrases("""
    {kin name} is my {kin}. / Of course. {kin name} is my {kin}. / My {kin}. Why do you ask? / {kin
    name}? That's my {kin}.
""")
_NO_KIN = phrases("""
    No, I have no {kin}. / {A kin}? Not that I know of. / No {kin}, {addr}. / I don't have one. /
    None. Why do you ask?
""")
_NO_FAMILY = phrases("""
    I have nobody to speak of. / My family is none of your business. / It's just me, {addr}. / They
    are all far away. / No family left.
""")

_ASK_PET = phrases("""
    Do you have a pet? / Do you have any animals? / Do you keep animals? / Any pets? / What is your
    {animal} called? / What's your {animal}'s name? / Is that your {animal}?
""")
_TELL_PET = phrases("""
    I have {a animal} called {pet}. / My {animal} is called {pet}. / {pet}, my {animal}[. A good
    beast|. Don't touch|]. / Yes, {pet}. [A fine {animal}|The best {animal} there is]. / That's
    {pet}, my {animal}.
""")
_NO_PET = phrases("""
    No, no pets. / Not one. Too much trouble. / Only fleas, {addr}. / No animals. I have enough to
    feed.
""")

_ASK_FRIEND = phrases("""
    Do you have friends? / Who is your best friend? / Who do you trust? / Do you have any friends
    here? / Who is {friend}? / Do you know {friend}?
""")
_TELL_FRIEND = phrases("""
    {friend}, the {friend trade}. / My best friend is {friend}, the {friend trade}. / I trust
    {friend}. {friend} is the {friend trade}. / There's {friend}, {a friend trade}. A good soul.
""")
_NO_FRIEND = phrases("""
    A few, here and there. / I keep to myself. / I have no time for friends. / Everyone and no one,
    {addr}.
""")

_ASK_GOAL = phrases("""
    What do you want? / What are your goals? / What do you dream of? / What is your dream? / What
    do you want from life? / What do you wish for? / What are your plans? / What's your goal? /
    What is it you want[ most|]? / What do you hope for? / If you had one wish, what would it be? /
    What drives you?
""")
_TELL_GOAL = phrases("""
    I want to {goal}. / One day I will {goal}. / To {goal}[, {addr}|. That's all|. What else|]. /
    All I want is to {goal}. / I hope to {goal}. / My dream is to {goal}. / I mean to {goal}.
""")
_TELL_TWO_GOALS = phrases("""
    I want to {goal} and {goal two}. / To {goal}. And to {goal two}. / First I will {goal}, then
    {goal two}.
""")
_NO_GOAL = phrases("""
    A quiet life. / To see tomorrow. / Nothing you can give me, {addr}. / Good health and full
    pockets. / I have all I need.
""")

_ASK_TABOO = phrases("""
    Would you {taboo} for me? / Please {taboo}. / Can you {taboo}? / Will you {taboo}? / I want you
    to {taboo}. / You could {taboo}, just this once. / Do you ever {taboo}?
""")
_REFUSE = phrases("""
    No. I never {taboo}. / I never {taboo}, {addr}. / Don't ask me to {taboo}. / I don't {taboo}.
    [Not for you|Not for anyone|Not for gold]. / Never. I won't {taboo}. / I will not {taboo}. /
    Ask me anything else. I never {taboo}.
""")
_ASK_NEVER = phrases("""
    What do you never do? / Is there anything you would never do? / What would you never do? / Do
    you have any rules?
""")
_TELL_NEVER = phrases("""
    I never {taboo}. / I would never {taboo}. / I don't {taboo}. That's my rule. / One rule,
    {addr}: I never {taboo}.
""")


def _fact(talk: Talk) -> None:
    key = pick(talk.rng, ("like", "like", "hate", "fear", "fear", "secret", "keepsake"))
    asks, tells, unknowns = _SIMPLE[key]
    if key == "secret" and not talk.character.secret_is_past:
        tells = _PRESENT_SECRET
    talk.exchange(asks, tells if getattr(talk.character, key) else unknowns)
    if talk.rng.random() < 0.25:
        talk.exchange(_WHY, _BECAUSE)


def taste(talk: Talk) -> None:
    """Likes, dislikes, fears, secrets, things carried."""
    _fact(talk)


def guess(talk: Talk) -> None:
    """The player guesses at a like, a dislike or a fear."""
    self = talk.character
    known = [key for key in ("like", "hate", "fear") if getattr(self, key)]
    if not known or talk.rng.random() < 0.3:
        thing = talk.typed(lexicon.food(talk.rng, talk.split))
        if thing not in (self.like, self.hate, self.fear):
            talk.exchange(_ASK_LIKE, _GUESS_NEUTRAL, guess=thing)
        return
    key = pick(talk.rng, known)
    answers = {"like": _GUESS_LIKE, "hate": _GUESS_HATE, "fear": _GUESS_FEAR}[key]
    talk.exchange(
        _ASK_FEAR if key == "fear" else _ASK_LIKE, answers, guess=talk.typed(getattr(self, key))
    )


def family(talk: Talk) -> None:
    """Relatives: whether, who, what they do."""
    relatives = talk.character.relatives
    rng = talk.rng
    if not relatives:
        if rng.random() < 0.5:
            talk.exchange(_ASK_FAMILY, _NO_FAMILY)
        else:
            talk.exchange(_ASK_KIN[:2], _NO_KIN, kin=pick(rng, lexicon.KIN))
        return
    kin = pick(rng, relatives)
    slots = {
        "kin": kin.kin,
        "kin name": kin.name,
        "pronoun": "she" if kin.she else "he",
        "poss": "her" if kin.she else "his",
        "kin trade": kin.trade or "",
    }
    draw = rng.random()
    slots["fate"] = kin.fate or ""
    tells = _TELL_KIN
    if rng.random() < 0.5:
        tells = _TELL_KIN_TRADE if kin.trade else _TELL_KIN_FATE if kin.fate else _TELL_KIN
    if draw < 0.35 and len(relatives) == 1:
        talk.exchange(_ASK_FAMILY, tells, **slots)
    elif draw < 0.75:
        talk.exchange(_ASK_KIN, tells, **slots)
    elif draw < 0.85:
        talk.exchange(_ASK_WHO, _WHO_KIN, **slots)
    elif kin.kin not in [other.kin for other in relatives if other is not kin]:
        missing = pick(
            rng,
            [k for k in lexicon.KIN if k not in [r.kin for r in relatives]],
        )
        talk.exchange(_ASK_KIN[:2], _NO_KIN, kin=missing)
    if rng.random() < 0.4:
        talk.exchange(_ASK_KIN_TRADE, _KIN_TRADE if kin.trade else _KIN_TRADE_UNKNOWN, **slots)
    if rng.random() < 0.5:
        asks = _ASK_FATE if kin.fate else _ASK_FATE[5:]
        talk.exchange(
            asks, _TELL_FATE if kin.fate else _KIN_TRADE if kin.trade else _TELL_NO_FATE, **slots
        )


def companions(talk: Talk) -> None:
    """Pets and friends."""
    self = talk.character
    if talk.rng.random() < 0.5:
        if self.pet:
            talk.exchange(_ASK_PET, _TELL_PET, animal=self.pet[0], pet=self.pet[1])
        else:
            talk.exchange(_ASK_PET[:4], _NO_PET)
    elif self.friend:
        talk.exchange(
            _ASK_FRIEND, _TELL_FRIEND, **{"friend": self.friend[0], "friend trade": self.friend[1]}
        )
    else:
        talk.exchange(_ASK_FRIEND[:4], _NO_FRIEND)


def wishes(talk: Talk) -> None:
    """Goals."""
    goals = [goal.replace("{poss}", "my") for goal in talk.character.goals]
    if not goals:
        talk.exchange(_ASK_GOAL, _NO_GOAL)
    elif len(goals) > 1 and talk.rng.random() < 0.4:
        talk.exchange(_ASK_GOAL, _TELL_TWO_GOALS, **{"goal": goals[0], "goal two": goals[1]})
    else:
        talk.exchange(_ASK_GOAL, _TELL_GOAL, goal=pick(talk.rng, goals))


_SPEAKING = ("talk about ", "speak of ", "mention ", "speak about ", "discuss ")
_ASK_MATTER = phrases("""
    Tell me about {matter}. / What about {matter}? / What do you know about {matter}? / Let's talk
    about {matter}. / Can you tell me about {matter}? / What can you tell me about {matter}? / I
    want to hear about {matter}. / And {matter}?
""")
_REFUSE_MATTER = phrases("""
    I don't talk about {matter}. / I never {taboo}. / Not a word about {matter}[, {addr}|]. / Ask
    me something else. I don't talk about {matter}. / {Matter}? No. I won't speak of it. / Let's
    not talk about {matter}. / I'd rather not {taboo}.
""")
_ASK_THOUGHT = phrases("""
    What do you think [of|about] {matter}? / How do you feel about {matter}? / What about {matter}?
    / What's your opinion on {matter}? / Any thoughts on {matter}? / And {matter}? / Tell me about
    {matter}. / What do you say about {matter}?
""")
_THOUGHTS = {
    "like": phrases("""
        I like {matter}. / I love {matter}. Don't you? / {Matter}! You know what I like, {addr}. /
        Nothing better than {matter}.
    """),
    "hate": phrases("""
        I hate {matter}. / Don't get me started on {matter}. / {Matter}? I can't stand it. / I have
        no love for {matter}. / The less I hear about {matter}, the better.
    """),
    "fear": phrases("""
        I'm afraid of {matter}. / {Matter}? Just thinking of it scares me. / Please, don't speak of
        {matter}. / {Matter} frighten me, if I'm honest.
    """),
}


def thought(talk: Talk) -> None:
    """What the character thinks of something that its persona speaks of."""
    known = [key for key in _THOUGHTS if getattr(talk.character, key)]
    if known:
        key = pick(talk.rng, known)
        talk.exchange(_ASK_THOUGHT, _THOUGHTS[key], matter=talk.typed(getattr(talk.character, key)))


def rules(talk: Talk) -> None:
    """What the character never does."""
    if not talk.character.taboos:
        return
    taboo = pick(talk.rng, talk.character.taboos)
    mine, yours = taboo.replace("{poss}", "my"), taboo.replace("{poss}", "your")
    for verb in _SPEAKING:
        if taboo.startswith(verb) and talk.rng.random() < 0.6:
            talk.hear(_ASK_MATTER, matter=talk.typed(yours.removeprefix(verb)))
            talk.say(_REFUSE_MATTER, taboo=mine, matter=mine.removeprefix(verb))
            return
    if talk.rng.random() < 0.7:
        talk.hear(_ASK_TABOO, taboo=yours)
    else:
        talk.hear(_ASK_NEVER)
        talk.say(_TELL_NEVER, taboo=mine)
        return
    talk.say(_REFUSE, taboo=mine)
