"""Who the character is: name, trade, home, age, and doubts about them."""

from townsfolk.starter.corpus.grammar import phrases, pick, with_article
from townsfolk.starter.corpus.talk import Talk

ASK_NAME = phrases("""
    What is your name? / What's your name? / [And |]who are you? / And you are? / Your name? /
    Name? / What do they call you? / What do people call you? / What should I call you? / How are
    you called? / May I ask your name? / Can you tell me your name[, please|]? / Tell me your
    name[, please|]. / Who am I [talking|speaking] to? / Whom do I have the pleasure of speaking
    with? / I don't think we've met. What's your name? / Do you have a name? / What was your name
    again? / I didn't catch your name. / Who is this? / What name do you go by? / Who might you be?
    / Introduce yourself[, please|]. / And what's your name? / So, who are you[, then|]? / I'd like
    to know your name. / How do people [call|address|know] you? / What [do|should] I call you? /
    What do [they|others|your friends|people here] call you? / What name did your [mother|parents]
    give you? / Who have I the pleasure to meet? / [Can|Could|Would|Will] you [tell me|give
    me|share] your name? / [Please tell|Tell] me who you are. / [I want|I'd like|I would like|I
    need] to know [your name|who you are]. / Do I know you? / Have we met? / Have we met? What is
    your name? / [What's|What is] your [full name|first name|real name|name, friend|name,
    stranger]? / [Give me|I'll need|Let me hear] your name. / [And|So] [who am I talking to|who are
    you|you are|your name is]? / [I'm new here|We haven't met|I forgot your name|Forgive me]. [Who
    are you|What is your name|What's your name]? / Under what name do you go? / Which name do you
    use? / Are you going to tell me your name? / Will you not tell me your name? / [Who|What] [is
    it|are you], [friend|stranger|good woman|good man]? What's your name? / You must have a name. /
    Remind me of your name. / May I have your name? / [Might|Could|May] I ask who you are? / Nobody
    told me your name. / How do you call yourself? / What are you called? / whats your name / who r
    u / your name / u are? / state your name / ur name? / name please / Could I have your name? /
    Sorry, what's your name? / You got a name?
""")
_TELL_NAME = phrases("""
    I'm {name}. / My name is {name}. / I am {name}. / {name} is my name. / They call me {name}. /
    The name is {name}. / People call me {name}. / You can call me {short}. / {name}. [Pleased to
    meet you|And you are|And who asks|Well met], {addr}[.|!] / I'm {name}, {addr}. / My name is
    {name}, {addr}. / {name}. / Call me {short}. / {name}, at your service. / I go by {name}. /
    Everyone here knows me as {name}. / You may call me {short}, {addr}. / I'm {name}. What brings
    you here?
""")
_TELL_NAME_AND_TRADE = phrases("""
    I'm {name}, the {trade}. / My name is {name}. I'm {a trade}. / I am {name}, {a trade} by trade.
    / {name}, {trade}. What can I do for you? / {name} is my name, and I'm the {trade} here. / I'm
    {name}. I work as {a trade}. / They call me {name}. I'm the {trade}, {addr}.
""")

ASK_TRADE = phrases("""
    What do you do? / What do you do [here|for a living|for work]? / What is your
    [job|trade|profession|work|occupation]? / What's your [job|trade|work|profession]? / What kind
    of work do you do? / What work do you do? / How do you earn your [living|bread|keep]? / And
    what do you do? / What are you? / What line of work are you in? / Do you work here? / Tell me
    about your [work|job|trade]. / What is it you do[ here|]? / How do you make [your|a] living? /
    [How|With what] do you pay for your [ale|rent|roof|supper|clothes|boots]? / [What|Which] work
    [pays|feeds] you? / What puts food on your table? / How do you [keep yourself fed|get by|make
    ends meet]? / What's your role here? / What are you doing here? / so what do you do / job? /
    What exactly do you do? / What do you do all day? / What is your job[ here|]? / Do you have a
    [job|trade]? / Are you working here? / What's your line of work? / What trade are you in? /
    What [sort|kind|line] of [work|business|trade] [are you in|is it you do|do you follow]? /
    [How|With what] do you [make|earn] [money|your money|your coin]? / [What|Which]
    [craft|trade|profession|job] [do you practise|is yours|did you learn|do you follow]? /
    [Can|Could|Would|Will] you tell me what you do? / [I'd like|I want] to know what you do. / What
    are you busy with? / What brings in your money? / What do you work on? / What do people pay you
    for? / Do you work? / What's your part in this place? / [May|Might] I ask what you do? / What
    [do|did] you do [in life|with your life|with your days]? / And your
    [trade|job|work|profession]? / [Your|And your] [trade|job|occupation]? / What would you call
    your job? / What is your calling? / What do you do when you're not talking to strangers? /
    What's the work you do? / Are you a [farmer|merchant|soldier] or what? / You work here? What do
    you do? / What do you do at this place? / So what's your job? / what you do / What post do you
    hold? / Which job do you have here? / What is your business here? / What keeps you busy? /
    What's your occupation? / What job do you have? / whats ur job
""")
_TELL_TRADE = phrases("""
    I'm {a trade}. / I am {a trade}, {addr}. / I work as {a trade}. / I'm {a trade} by trade. / I'm
    the {trade} here. / {A trade}, [and proud of it|that's me|that's what I am|like my mother
    before me|and a good one]. / I'm {a trade}. [It's honest work|It pays for my bread|I have done
    it for years|It's not easy|I like it well enough]. / I earn my bread as {a trade}. / I'm the
    {trade}, {addr}. / I make my living as {a trade}. / I've been {a trade} for years. / What do I
    do? I'm {a trade}. / They pay me as {a trade}. / You're talking to {a trade}. / Me? I'm {a
    trade}.
""")
_TELL_TRADE_AND_WORK = phrases("""
    I'm {a trade} {at work}. / I'm the {trade} {at work}. / I work {at work} as {a trade}. / I'm {a
    trade}. You find me {at work} most days. / I am the {trade}. I {duty} {at work}.
""")
_TELL_TRADE_AND_DUTY = phrases("""
    I'm {a trade}. I {duty}. / I'm the {trade}. I {duty} and {other duty}. / I {duty}, I {other
    duty}. I'm {a trade}. / I'm {a trade}. Most days I {duty}.
""")

ASK_HOME = phrases("""
    Where do you live? / Where is your home? / Where's your home? / Where are you from? / Where do
    you come from? / What town do you live in? / Which [town|village|place] do you live in? / Where
    is home for you? / Do you live [here|around here|near here]? / And where do you live? / Where
    do you [sleep|stay] at night? / What is your home[ town|]? / What's your hometown? / Are you
    from [here|around here|these parts]? / where u from / where do you live exactly / Tell me where
    you live. / [In what|In which|What|Which] [town|village|city|place] [is your home|do you come
    from|are you from|do you call home|is home for you]? / [Can|Could|Would|Will] you tell me where
    you [live|come from|are from]? / [Where|In what place] [is|stands|do I find] your
    [house|home|roof]? / Where do you [reside|dwell|stay|spend your nights|go home to]? / [I'd
    like|I want] to know where you live. / [May|Might|Can] I ask where you [come from|are
    from|stay]? / And your home? / [Where's|Where is] your [house|place|bed|hearth|village|town]? /
    How far is your home? / Where do you [go|head] after work? / Where's the place you live? /
    Where are your roots? / Which place are you from? / Where [would|could] I [visit|look for] you
    at home? / Do you live far from here? / Do you live in this [town|village|city]? / Where you
    live? / where is ur home / Is your home near? / Which part of the country are you from? / From
    where do you come? / Where do you hang your hat? / In which place do you live? / home town? /
    Where's home? / What place do you call home? / So where are you from? / Where can I find your
    home? / Do you come from around here? / Where do you and your folk live? / What town are you
    from? / What [village|city|town] is your home? / Where might your home be?
""")
_TELL_HOME = phrases("""
    I live in {home}. / My home is {home}. / My home is in {home}. / In {home}[, {addr}|]. / I'm
    from {home}. / {home} is my home. / I call {home} home. / I live in {home}, {addr}. / {home}. [Do you know it|Have you been there]? / {home}. [It's a good place|A quiet place]. / I have a [small
    house|room|bed|roof] in {home}. / I come from {home}. / {home} is where I live. / In {home},
    [like my parents before me|all my life|for many years now|where else]. / You'll find my house
    in {home}. / I'm from {home}. [You should see it|It's not much, but it's home|I never left|Good
    people live there].
""")
_HOME_UNKNOWN = phrases("""
    Not far from here. / Here and there. / I live close by. / My home is nearby, {addr}. / Around
    here. / Why do you ask where I live? / I have a bed near here. That's all you need to know. /
    Wherever there's a roof.
""")
_TELL_DEED = phrases("""
    I {deed}. / I {deed}, {addr}. / Me? I {deed}. / I {deed}[. It's honest work|. Somebody has to|,
    day in, day out]. / I {deed} for a living. / Every day I {deed}.
""")
_TELL_TRADE_AND_DEED = phrases("""
    I'm {a trade}. I {deed}. / I {deed}. I'm {a trade}, after all. / I'm {a trade}, and I {deed}.
""")
_TRADE_UNKNOWN = phrases("""
    A bit of this, a bit of that. / Whatever needs doing. / I get by. / I keep busy, {addr}. / Odd
    jobs, mostly. / I do what I can. / This and that. What about you?
""")

_ASK_WORK = phrases("""
    Where do you work? / Where is your place of work? / Who do you work for? / Where can I find
    you? / What place do you work at? / Do you own this place? / where u work / Where do you spend
    your days?
""")
_ASK_WORK_NAME = phrases("""
    What is this place called? / What's the name of this place? / What's this place called? / What
    do you call this place? / What [house|shop|inn|place|building|ship] is this? / What's the
    [inn|shop|tavern|ship|place] called? / What is the name of your [inn|shop|house|place|ship]? /
    How is this place called? / Does this place have a name?
""")
_TELL_WORK_NAME = phrases("""
    This is {work}. / {Work}. / It's called {work}. / We call it {work}, {addr}. / {Work}[. You've
    heard of it, I hope|, as it says above the door|. A good name, no]. / {Work}, {addr}.
""")
_TELL_WORK = phrases("""
    I work {at work}. / You find me {at work}. / {At work}[, {addr}|, most days]. / {At work}.
    [Come by some time|Every day but one|It's not far]. / My days I spend {at work}.
""")

_ASK_BIRTHPLACE = phrases("""
    Where were you born? / Were you born here? / Where did you grow up? / Where do you come from
    originally? / Where were you born and raised? / Have you always lived here? / What's your
    birthplace?
""")
_TELL_BIRTHPLACE = phrases("""
    I was born in {birthplace}. / I grew up in {birthplace}. / In {birthplace}, [far from here|long
    ago|many years ago]. / {birthplace} is where I was born. / I come from {birthplace},
    originally.
""")
_TELL_BOTH_PLACES = phrases("""
    I was born in {birthplace}, but I live in {home} now. / I grew up in {birthplace}. Now {home}
    is my home.
""")

_ASK_AGE = phrases("""
    How old are you? / What's your age? / What is your age? / How many years have you seen? / When
    were you born? / are you old / May I ask how old you are? / You look young. How old are you? /
    age?
""")
_TELL_AGE = phrases("""
    I'm {age} years old. / I am {age}. / {age} years old[, and I feel every one of them|, {addr}|].
    / I've seen {age} winters. / {age}, if I counted right. / I turned {age} not long ago.
""")
_AGE_UNKNOWN = phrases("""
    Old enough. / I stopped counting. / That's no question to ask, {addr}. / Older than I look. /
    Nobody wrote it down. / Old enough to know better. / I couldn't tell you.
""")

_ASK_SELF = phrases("""
    Tell me about yourself. / Tell me something about yourself. / What's your story? / Who are you
    really? / Tell me more about yourself. / I want to know more about you. / What should I know
    about you? / Describe yourself. / tell me about you / What is your story?
""")

_CLAIM_NAME = phrases("""
    Are you {claim}? / You're {claim}, right? / Is your name {claim}? / You must be {claim}. /
    Hello, {claim}! / {claim}? Is that you?
""")
_YES_NAME = phrases("""
    Yes, I'm {short}. / That's me, {addr}. / Yes, that's my name. {short}. / I am. And who are you?
    / {short}, that's right. / You found me. I'm {name}.
""")
_NO_NAME = phrases("""
    No, I'm {name}. / You have the wrong person. I'm {short}. / {claim}? No. My name is {name}. /
    No, {addr}. I'm {short}. / I don't know any {claim}. I'm {name}.
""")
_CLAIM_TRADE = phrases("""
    Are you {a claim}? / You're the {claim}, right? / Are you the {claim}? / You look like {a
    claim}. / So you're {a claim}?
""")
_YES_TRADE = phrases("""
    Yes, I'm {a trade}. / That's right, I'm the {trade}. / I am, {addr}. / Yes. Do you need {a
    trade}? / {A trade}, yes.
""")
_NO_TRADE = phrases("""
    No, I'm {a trade}. / {A claim}? No, {addr}. I'm {a trade}. / No. I'm the {trade} here. / You
    want somebody else. I'm {a trade}.
""")
_CLAIM_HOME = phrases("""
    Do you live in {claim}? / You're from {claim}, aren't you? / Is {claim} your home? / Are you
    from {claim}?
""")
_YES_HOME = phrases("""
    Yes, I live in {home}. / Yes, {home} is my home. / I do, {addr}. / That's right, I'm from
    {home}.
""")
_NO_HOME = phrases("""
    No, I live in {home}. / {claim}? No, {home} is my home. / No, {addr}. I'm from {home}.
""")

_NAME_AND = {
    "trade": (
        phrases("""
            What's your name and what do you do? / Who are you and what do you do[ here|]? / Your
            name and trade? / What's your name? And what's your job?
        """),
        phrases("""
            I'm {name}, and I'm {a trade}. / My name is {name}. I'm {a trade}. / {name}, {trade}. /
            I'm {name}, the {trade}. / They call me {name}. I work as {a trade}.
        """),
    ),
    "home": (
        phrases("""
            What's your name and where do you live? / Who are you and where are you from? / Your
            name? And where do you come from? / What's your name, and where's your home?
        """),
        phrases("""
            I'm {name}, and I live in {home}. / {name}, from {home}. / My name is {name}. I live in
            {home}. / I'm {name} of {home}. / They call me {name}. My home is {home}.
        """),
    ),
}


def name(talk: Talk) -> None:
    """The character says its name."""
    own_trade = talk.character.trade and talk.rng.random() < 0.3
    talk.exchange(ASK_NAME, _TELL_NAME_AND_TRADE if own_trade else _TELL_NAME)


def trade(talk: Talk) -> None:
    """The character says its trade."""
    deed = talk.character.deed
    if deed and (not talk.character.trade or talk.rng.random() < 0.2):
        talk.exchange(
            ASK_TRADE,
            _TELL_DEED if not talk.character.trade else _TELL_TRADE_AND_DEED,
            deed=deed[0],
        )
        return
    if not talk.character.trade:
        talk.exchange(ASK_TRADE, _TRADE_UNKNOWN)
        return
    answers = _TELL_TRADE
    if talk.rng.random() < 0.35:
        answers = _TELL_TRADE_AND_WORK if talk.character.work else _TELL_TRADE
    elif talk.rng.random() < 0.3 and talk.character.trade in talk.character.scene.trades:
        answers = _TELL_TRADE_AND_DUTY
    duties = talk.rng.sample(talk.character.scene.duties, 2)
    talk.exchange(ASK_TRADE, answers, **{"duty": duties[0], "other duty": duties[1]})


def home(talk: Talk) -> None:
    """The character says where it lives."""
    talk.exchange(ASK_HOME, _TELL_HOME if talk.character.home else _HOME_UNKNOWN)


def work(talk: Talk) -> None:
    """The character says where it works."""
    if talk.character.work:
        named = talk.rng.random() < 0.4
        talk.exchange(
            _ASK_WORK_NAME if named else _ASK_WORK, _TELL_WORK_NAME if named else _TELL_WORK
        )


_ASK_PLACE = phrases("""
    Tell me about {place}. / What is {place} like? / What about {place}? / What do you know about
    {place}? / Do you know {place}? / Is {place} a nice place? / How is life in {place}? / What can
    you tell me about {place}? / Do you like {place}? / Have you heard of {place}?
""")
_TELL_OF_HOME = phrases("""
    {home}? I live there. / {home} is my home. [Quiet, mostly|Good people, bad roads|I wouldn't
    live anywhere else|There's not much to tell]. / I live in {home}. [It's a good place|Everyone
    knows everyone|You should see it in spring|It has seen better days]. / {home} is home, {addr}.
""")
_TELL_OF_WORK = phrases("""
    {work}? That's where I work. / I work {at work}. [There's not much to tell|It's a good
    place|Come by some time]. / {work}! You'll find me there most days. / {Work} is where I earn my
    bread.
""")


def own_places(talk: Talk) -> None:
    """What the character says of its home or its place of work."""
    self = talk.character
    if self.home and (not self.work or talk.rng.random() < 0.6):
        talk.exchange(_ASK_PLACE, _TELL_OF_HOME, place=talk.typed(self.home))
    elif self.work:
        talk.exchange(_ASK_PLACE, _TELL_OF_WORK, place=talk.typed(self.work))


def birthplace(talk: Talk) -> None:
    """The character says where it was born."""
    if talk.character.birthplace and talk.character.home and talk.rng.random() < 0.5:
        talk.exchange(_ASK_BIRTHPLACE, _TELL_BOTH_PLACES)
    elif talk.character.birthplace:
        talk.exchange(_ASK_BIRTHPLACE, _TELL_BIRTHPLACE)
    elif talk.character.home:
        talk.exchange(
            _ASK_BIRTHPLACE,
            phrases("""
            I can't say I remember. {home} is my home now. / Here or near here. I live in {home}. /
            Who knows? I live in {home}, that's enough.
        """),
        )


def age(talk: Talk) -> None:
    """The character says how old it is."""
    talk.exchange(_ASK_AGE, _TELL_AGE if talk.character.age else _AGE_UNKNOWN)


def itself(talk: Talk) -> None:
    """The character tells of itself, from what it knows."""
    self = talk.character
    parts = ["I'm {name}[, {a trade}|. I'm {a trade}]." if self.trade else "I'm {name}."]
    more = []
    if self.home:
        more.append(pick(talk.rng, ("I live in {home}.", "My home is {home}.")))
    if self.like:
        more.append("I [like|love] {like}.")
    if self.fear:
        more.append("I'm afraid of {fear}.")
    if self.age:
        more.append("I'm {age} years old.")
    if self.relatives:
        more.append(
            f"I have {with_article(self.relatives[0].kin)} called {self.relatives[0].name}."
        )
    if self.goals:
        more.append("I want to " + self.goals[0].replace("{poss}", "my") + ".")
    talk.rng.shuffle(more)
    parts += more[: pick(talk.rng, (1, 2, 2, 3))]
    talk.exchange(_ASK_SELF, (" ".join(parts),))


def _claim(
    talk: Talk,
    truth: str | None,
    other: str,
    asks: tuple[str, ...],
    yes: tuple[str, ...],
    no: tuple[str, ...],
) -> None:
    if truth is None:
        return
    right = talk.rng.random() < 0.5
    claim = talk.typed(truth if right else other)
    talk.exchange(asks, yes if right else no, claim=claim)


def doubt(talk: Talk) -> None:
    """The player guesses a name, a trade or a home, rightly or wrongly."""
    self = talk.character
    draw = talk.rng.random()
    if draw < 0.4:
        _claim(talk, self.name.short, talk.someone(), _CLAIM_NAME, _YES_NAME, _NO_NAME)
    elif draw < 0.7:
        _claim(talk, self.trade, talk.other_trade(), _CLAIM_TRADE, _YES_TRADE, _NO_TRADE)
    else:
        _claim(talk, self.home, talk.other_place(), _CLAIM_HOME, _YES_HOME, _NO_HOME)


def two_at_once(talk: Talk) -> None:
    """Two questions in one breath."""
    key = pick(talk.rng, ("trade", "home"))
    if getattr(talk.character, key):
        talk.exchange(*_NAME_AND[key])
