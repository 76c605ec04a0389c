"""Keeping company: needs, the place around, opinions, marriage, time, skills, coming along."""

from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.grammar import phrases, pick
from townsfolk.starter.corpus.talk import Talk

_PLEA = phrases("""
    Can I sleep here? / I'm hungry. / I'm tired. / I'm lost. / I'm hurt. / I'm thirsty. / I'm cold.
    / I'm bored. / I'm sad. / I'm alone. / I don't feel well. / I need a rest. / Can you heal me? /
    I lost everything. / I have no money. / Where am I?
""")
_COMFORT = {
    "I'm hungry.": phrases("""
        You look it. There's bread if you want some. / Then eat. I have some {food} left. / An
        empty belly is a bad friend. Sit down.
    """),
    "I'm thirsty.": phrases("""
        The well is free for everyone. / Have some water, {addr}. / Drink, then. Nobody goes
        thirsty here.
    """),
    "I'm tired.": phrases("""
        Then sit and rest a while. / The road does that. Sit down. / Sleep, {addr}. It will look
        better tomorrow.
    """),
    "I need a rest.": phrases("""
        Then sit down, {addr}. / Rest as long as you like. / Sit. The world can wait.
    """),
    "Can I sleep here?": phrases("""
        If you don't snore. / There's some straw in the corner. / For one night, {addr}. / No, but
        ask around. Somebody will have a bed.
    """),
    "I'm lost.": phrases("""
        Everyone is, now and then. Where do you want to go? / Lost? You're with me now. Ask your
        way. / Calm down, {addr}. Follow the road and you'll find people.
    """),
    "I'm hurt.": phrases("""
        Let me see. That needs a clean cloth. / You should see a healer, {addr}. / Sit down before
        you fall down.
    """),
    "Can you heal me?": phrases("""
        I can bind the wound, no more. / You should see a healer, {addr}. / Let me see where it
        hurts.
    """),
    "I don't feel well.": phrases("""
        You look pale. Sit down. / Drink some water and rest, {addr}. / See a healer, and don't
        breathe on me.
    """),
    "I'm cold.": phrases("""
        Come closer to the fire. / Here, take this blanket. / Winter is no friend of ours, {addr}.
    """),
    "I'm bored.": phrases("""
        Then make yourself useful. / There's always work to do. / Bored? I wish I had the time.
    """),
    "I'm sad.": phrases("""
        What happened, {addr}? / It will pass. Everything does. / Tell me about it, if you like.
    """),
    "I'm alone.": phrases("""
        Not now, you aren't. / You can keep me company, {addr}. / We all are, sometimes.
    """),
    "I lost everything.": phrases("""
        I'm sorry to hear it. / Then you can only win from here, {addr}. / Everything? That's hard.
        Sit with me.
    """),
    "I have no money.": phrases("""
        Then you'll have to work for it. / Welcome to the club, {addr}. / Empty pockets, light
        feet.
    """),
}
_HERE = phrases("""
    You're {at work}. / This is {work}, {addr}. / {At work}. Where did you think?
""")
_HERE_HOME = phrases("""
    You're in {home}. / This is {home}, {addr}. / In {home}, of course.
""")
_ASK_HERE = phrases("""
    What is this place? / Where am I? / What place is this? / What can I see here? / What is there
    to see here? / Tell me about this place. / where am i / Describe this place.
""")
_SIGHT = phrases("""
    This is {work}. You see {sight} and {other sight}. / {Sight}, {other sight}. That's {work}. /
    Look around: {sight}, {other sight}. Welcome to {work}.
""")
_OPINIONS = {
    "the king": phrases("""
        He sits far away and taxes us all the same. / Long may he live, they say. / I've never met
        him, and he never met me. / Kings come and go.
    """),
    "magic": phrases("""
        I leave it to those who understand it. / It makes my skin crawl. / Useful, until it isn't.
        / I've seen enough to believe in it.
    """),
    "the gods": phrases("""
        I pray, just in case. / They have never answered me. / Everyone needs something to believe
        in. / I light a candle now and then.
    """),
    "dragons": phrases("""
        I hope never to see one. / My uncle saw one. He doesn't talk about it. / Stories for
        children, I hope. / Big, hot and hungry. Stay away.
    """),
    "love": phrases("""
        It comes when it wants. / I was in love once. It passed. / Nice while it lasts. / Ask a
        poet, not me.
    """),
    "money": phrases("""
        I wish I had more of it. / It comes slowly and goes fast. / It doesn't buy sleep. /
        Everyone wants it.
    """),
    "war": phrases("""
        Nobody wins but the crows. / I've seen too much of it. / May it stay far away. / Old men
        start it, young men fight it.
    """),
    "elves": phrases("""
        They keep to themselves. / Too proud for my taste. / I've met one. Polite, but cold.
    """),
    "adventurers": phrases("""
        Noisy, but they pay well. / They come, they brag, they go. / Some come back. Most don't.
    """),
    "this town": phrases("""
        It's home. / I've seen worse places. / Quiet, most of the time. / Everyone knows everyone
        here.
    """),
    "strangers": phrases("""
        Some are good, some are not. / They bring news and trouble. / I was a stranger once.
    """),
    "death": phrases("""
        It comes for everyone. / Not today, I hope. / I try not to think of it.
    """),
}
_ASK_OPINION = phrases("""
    What do you think [of|about] {matter}? / Do you believe in {matter}? / What's your opinion on
    {matter}? / How do you feel about {matter}? / Tell me about {matter}. / And what about
    {matter}?
""")
_MARRIED = phrases("""
    Are you married? / Do you have a husband or wife? / Are you single? / Is there someone special?
    / Will you marry me? / Do you have children? / Do you want to go out with me?
""")
_MARRIED_REPLY = phrases("""
    That's a bold question, {addr}. / I'm married to my work. / Not that it's your business. / You
    ask a lot for a stranger. / Ha! Let's talk about something else. / I have enough to do as it
    is. / Love can wait. Work can't.
""")
_COME = phrases("""
    Come with me. / Will you join me? / Follow me! / Do you want to come on an adventure? / Let's
    go together. / Join my party. / Can you come with me? / Leave this place and travel with me.
""")
_STAY = phrases("""
    I can't leave. Who would do my work? / My place is here, {addr}. / I'm too old for adventures.
    / Thank you, but no. / Adventure is for others. I stay. / Somebody has to stay. Good luck to
    you. / Ask me when the work is done.
""")
_STAY_WORK = phrases("""
    I can't leave {work}, {addr}. / And who would look after {work}? No. / A {trade} belongs {at
    work}.
""")
_TIME = phrases("""
    What time is it? / What day is it? / Is it late? / What time do you close? / When do you open?
    / What year is it?
""")
_TIME_REPLY = phrases("""
    Look at the sun, {addr}. / Late enough. / The bell rang a while ago. / Time for you to buy a
    clock. / I count days by work, not by name. / As long as there's light, we're open.
""")
_SKILL = phrases("""
    Can you teach me? / Teach me something. / Can you fight? / Can you read? / Can you cook? / Can
    you swim? / Are you good at your work? / Can you do magic? / What are you good at? / Can you
    help me? / Can you keep a secret? / Can I trust you?
""")
_SKILL_REPLY = {
    "Can you help me?": phrases("""
        That depends. What do you need? / I can try, {addr}. What is it? / Tell me what you need. /
        Of course. What's the matter?
    """),
    "Can you keep a secret?": phrases("""
        I can. Tell me. / Better than most. / That depends on the secret.
    """),
    "Can I trust you?": phrases("""
        As much as anyone here. / I keep my word, {addr}. / Trust is earned.
    """),
    "Can you fight?": phrases("""
        If I must. / I'd rather not, but I can. / I leave that to soldiers.
    """),
    "Can you do magic?": phrases("""
        No, and I'm glad of it. / Only with bread and butter. / If I could, would I be here?
    """),
    "Can you read?": phrases("""
        A little. / Enough to know a bad contract. / Letters and me, we are not friends.
    """),
}
_SKILL_ANY = phrases("""
    I do my best. / Better than most, worse than some. / It took me years to learn, {addr}. / Well
    enough. / Practice, that's all it is.
""")


def plea(talk: Talk) -> None:
    """The player is in need."""
    self = talk.character
    ask = pick(talk.rng, _PLEA)
    if ask == "Where am I?":
        if self.work:
            talk.exchange((ask,), _HERE)
        elif self.home:
            talk.exchange((ask,), _HERE_HOME)
        return
    talk.exchange((ask,), _COMFORT[ask], food=pick(talk.rng, lexicon.FOODS))


def surroundings(talk: Talk) -> None:
    """What this place is."""
    self = talk.character
    if self.work:
        sights = talk.rng.sample(self.scene.sights, 2)
        talk.exchange(
            _ASK_HERE,
            pick(talk.rng, (_SIGHT, _HERE)),
            **{"sight": sights[0], "other sight": sights[1]},
        )
    elif self.home:
        talk.exchange(_ASK_HERE, _HERE_HOME)


def opinion(talk: Talk) -> None:
    """What the character thinks of something."""
    matter = pick(talk.rng, tuple(_OPINIONS))
    talk.exchange(_ASK_OPINION, _OPINIONS[matter], matter=matter)


def personal(talk: Talk) -> None:
    """Marriage, time, skills, coming along."""
    self = talk.character
    draw = talk.rng.random()
    if draw < 0.25:
        talk.exchange(_MARRIED, _MARRIED_REPLY)
    elif draw < 0.5:
        talk.exchange(
            _COME, _STAY_WORK if self.work and self.trade and talk.rng.random() < 0.4 else _STAY
        )
    elif draw < 0.7:
        talk.exchange(_TIME, _TIME_REPLY)
    else:
        ask = pick(talk.rng, _SKILL)
        talk.exchange((ask,), _SKILL_REPLY.get(ask, _SKILL_ANY))
