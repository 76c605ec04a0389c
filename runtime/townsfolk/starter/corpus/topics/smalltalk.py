"""Greetings, farewells and everything said to be polite, kind, rude or merely to say something."""

from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.grammar import phrases, pick
from townsfolk.starter.corpus.talk import Talk

GREET = phrases("""
    Hello! / Hello. / Hi! / Hi / Hi there! / Hey! / hey / Hello there! / Good morning. / Good
    morning! / Good evening. / Good day. / Good day to you! / Greetings! / Greetings. / Hail! /
    Well met. / Good afternoon. / hello / Howdy. / Hiya! / Yo! / hi / Morning. / Evening. / Hello,
    {short}. / Good day, {short}. / Hello, my friend. / Hey there. / Is anybody here? / Excuse me.
    / Hello? Anyone there? / *waves* / Nice to meet you. / Hi, how are you? / Hello, good to see
    you. / Pardon me. / Salutations!
""")
_GREET_BACK = phrases("""
    Hello, {addr}. / Hello, {addr}. What can I do for you? / Good day, {addr}. / Hello! What brings
    you here? / Welcome, {addr}. / Greetings, {addr}. How can I help you? / Well met, {addr}. /
    Good day. What do you need? / Hello there, {addr}! / Hello. Do I know you? / Ah, a new face.
    Welcome. / Hello, {addr}. Come closer. / Good to see you, {addr}. / Yes? What is it? / Hello!
    Don't be shy. / A visitor! Welcome, {addr}. / Good day to you too. / Hello, {addr}. Looking for
    something?
""")
_GREET_NAMED = phrases("""
    Hello, {addr}. I'm {name}. / Welcome! I'm {short}. What can I do for you? / Good day. {name},
    at your service. / Hello! My name is {name}. And who are you? / Greetings. I'm {short}.
""")
_GREET_TRADE = phrases("""
    Good day. Do you need {a trade}? / Hello, {addr}. I'm {name}, the {trade}. / Welcome. I'm
    {short}, {a trade}. How can I help? / Hello! You've found the {trade}.
""")
_GREET_DEED = phrases("""
    Hello, {addr}. I'm {short}. I {deed}. / Good day. My name is {name}, and I {deed}. / Yes? I'm
    {name}. I {deed}.
""")
_GREET_WORK = phrases("""
    Welcome to {work}! / Welcome to {work}, {addr}. What can I do for you? / Hello! First time at
    {work}? / Come in, {addr}. This is {work}.
""")
_GREET_HOME = phrases("""
    Welcome to {home}, {addr}. / Hello. New in {home}? / Welcome to {home}. What brings you here?
""")

_HOW = phrases("""
    How are you? / How are you doing? / How's it going? / How do you do? / How are you today? / How
    do you feel? / Are you well? / You all right? / hows it going / What's up? / How have you been?
    / How is life? / How was your day? / Are you okay? / How are things? / how r u
""")
_FINE = phrases("""
    I'm well, thank you. / Well enough, {addr}. And you? / Can't complain. / Tired, but well. /
    Better now that you ask. / I've had worse days. / As well as can be. And yourself? / Busy as
    ever. / Good, {addr}. Thank you for asking. / Fair enough. The day is long. / My back hurts,
    but I live. / Not bad, not bad at all. / Alive, and that's something. / The same as yesterday.
    / Very well, {addr}.
""")
_WORRIED = phrases("""
    Could be better. {Worry}. / Not so well, {addr}. {Worry}. / Well enough, only {worry}.
""")

_BUSINESS = phrases("""
    How's business? / How is trade? / Busy day? / Is it always this quiet? / How's work? / Do you
    have a lot of work? / Are you busy?
""")
_BUSINESS_REPLY = phrases("""
    Slow today. / I can't complain. / Better than last year. / Good enough to eat every day. /
    Busy, very busy. / {Worry}, but I manage. / It comes and goes, {addr}. / There's always
    something to do.
""")

_NEWS = phrases("""
    What's new? / Any news? / Heard any rumours? / Any gossip? / What is going on here? / What's
    the latest? / Have you heard anything interesting? / Did anything happen lately? / Any rumors?
    / What are people talking about? / Tell me the news. / Something interesting?
""")
_NEWS_REPLY = phrases("""
    {News}. / Have you heard? {News}. / They say this: {news}. / {News}. Make of that what you
    will. / {News}. [Strange|Imagine that|Can you believe it], {addr}. / Well, {news}. / Not much.
    {News}, that's all.
""")

_WEATHER = phrases("""
    Nice weather today. / It's cold today. / It looks like rain. / What a beautiful day. / Terrible
    weather. / How's the weather? / It's so hot. / Will it rain? / Lovely evening. / What do you
    think of the weather? / So much snow! / The wind is strong today.
""")
_WEATHER_REPLY = phrases("""
    It won't last. / I've seen worse. / My bones say it will change. / Good weather for ducks. / As
    long as the roof holds, I don't mind. / The sky does what it wants. / Dress warmly, {addr}. /
    It's the season for it. / Better than last week. / I like it this way.
""")

_THANKS = phrases("""
    Thank you. / Thanks! / Thank you very much. / thanks / Thank you, {short}. / I appreciate it. /
    Much obliged. / You've been very helpful. / Thanks a lot. / Thanks for your help. / ty
""")
_WELCOME = phrases("""
    You're welcome, {addr}. / Don't mention it. / My pleasure. / Any time. / It was nothing. / Glad
    to help. / You're welcome. / No need to thank me, {addr}. / Think nothing of it.
""")

BYE = phrases("""
    Goodbye. / Bye! / Farewell. / See you. / I have to go. / Good night. / See you later. / bye / I
    must be off. / Until next time. / Take care. / Goodbye, {short}. / I'm leaving. / That's all.
    Goodbye. / Well, I should go now. / Have a good day. / Farewell, {short}.
""")
_FAREWELL = phrases("""
    Goodbye, {addr}. / Farewell, {addr}. / Safe travels. / Take care of yourself, {addr}. / Come
    back soon. / Until next time. / Good luck out there. / May the road be kind to you. / See you,
    {addr}. / Mind the road at night. / Off with you, then. / Good night, {addr}. / Come again.
""")

_ASK_JOKE = phrases("""
    Tell me a joke. / Do you know a joke? / Make me laugh. / Say something funny. / Know any jokes?
""")
_JOKES = phrases("""
    Why did the {animal} cross the road? To get away from my cooking. / My {animal} can count. Ask
    how many coins I have: it says nothing. Always right! / A {animal} walks into a tavern. The
    rest I forgot, but it was funny. / What is black, white and hungry? My {animal} in winter. / I
    knew a man who married {a animal}. He said the talk was better. / Jokes? My purse is the best
    joke. There's nothing in it. / I asked a guard for the time. He arrested it. / How many mayors
    does it take to light a lamp? None, they leave us in the dark.
""")
_ASK_STORY = phrases("""
    Tell me a story. / Do you know any stories? / Tell me a tale. / Have you got a story for me? /
    A story, please.
""")
_STORIES = phrases("""
    Once {a animal} and {a monster} shared a cave. They quarrelled over supper, and now only one of
    them lives there. / There was a {trade one} who found {a thing}. It made every word come true,
    so {pronoun} never spoke again. / Long ago {a monster} came down from the hills. A child gave
    it {food}, and it went away for good. / My grandmother met {a monster} once. She told it to
    wipe its feet, and it did. / They say a {thing} lies at the bottom of the river near {place}.
    Whoever finds it will never be poor. / A {trade one} once wagered everything on {a animal}
    race. Now {pronoun} walks everywhere.
""")
_ASK_SONG = phrases("""
    Sing me a song. / Can you sing? / Do you know a song? / Sing something.
""")
_SONGS = phrases("""
    La la, the {animal} in the hay, it slept the night and slept the day! / Oh, the wind blows cold
    and the ale runs low, and home to {place} we all must go! / Sing? I have the voice of {a
    animal}. Better not. / Hey ho, the rain and the snow, a long way home we have to go.
""")

_INSULT = phrases("""
    You're ugly. / You are stupid. / You smell. / I don't like you. / You're useless. / Shut up. /
    You're an idiot. / Fool! / What a dump. / you suck / You liar! / Get lost. / Your place is a
    mess.
""")
_INSULTED = phrases("""
    Mind your tongue. / I've heard worse from better people. / That was uncalled for. / Is that how
    you talk to everyone, {addr}? / Say that again and you can leave. / Words don't hurt me. / You
    have no manners. / Then why are you still here? / My grandmother insults better than that.
""")
_PRAISE = phrases("""
    You're very kind. / I like you. / You're beautiful. / You're funny. / You're a good person. /
    Nice place you have here. / I like your hat. / You're clever. / I love you. / You are the best.
    / You seem nice. / Great work!
""")
_PRAISED = phrases("""
    You flatter me, {addr}. / Oh, stop it. / That's kind of you. / Thank you. I don't hear that
    often. / You want something, don't you? / Now I'm blushing. / You're not so bad yourself. /
    Kind words cost nothing, but thank you.
""")
_SORRY = phrases("""
    Sorry. / I'm sorry. / I apologise. / My apologies. / Forgive me. / sorry about that / I didn't
    mean that.
""")
_FORGIVEN = phrases("""
    It's all right. / No harm done. / Forgiven, {addr}. / Don't worry about it. / We all make
    mistakes. / Let's forget it. / Hm. Very well.
""")
_NOISES = phrases("""
    Okay. / ok / I see. / Yes. / No. / Hm. / Interesting. / Really? / Oh. / Right. / Sure. / Ah. /
    lol / haha / Wow. / Cool. / Good. / Great! / I understand. / Nice. / Maybe. / Alright. / If you
    say so. / yes / no / k / Good to know.
""")
_NOISE_REPLY = phrases("""
    Anything else, {addr}? / Is there something else? / So it is. / That's how it is. / What else
    would you like to know? / Indeed. / Well then. / If you have more questions, ask. / Just so. /
    You seem thoughtful, {addr}. / Hm. / Good. / I'm listening.
""")
_THREAT = phrases("""
    Give me your money! / I'll kill you. / Hand over everything you have. / Your purse or your
    life! / I'm going to fight you. / Fight me! / I will burn this place down. / *draws a sword* /
    I'm here to rob you. / Tell me or I'll hurt you.
""")
_THREATENED = phrases("""
    Put that away before someone gets hurt. / Guards! Over here! / You don't want to do that,
    {addr}. / I have nothing worth dying for. Leave me be. / Try it, and you'll regret it. / Think
    again. I'm not alone here. / Please, I don't want any trouble. / Stop this at once. / You
    wouldn't dare. / Calm down. Let's talk.
""")


def greeting(talk: Talk) -> None:
    """Hello and hello."""
    self = talk.character
    options = [_GREET_BACK, _GREET_BACK, _GREET_NAMED]
    if self.trade:
        options.append(_GREET_TRADE)
    if self.work and self.scene.at == "at":
        options.append(_GREET_WORK)
    if self.home:
        options.append(_GREET_HOME)
    if self.deed and not self.trade:
        options = [_GREET_BACK, _GREET_NAMED, _GREET_DEED]
    talk.hear(GREET)
    if self.lines and talk.rng.random() < 0.35:
        talk.respeak(pick(talk.rng, self.lines))
    else:
        talk.say(pick(talk.rng, options), deed=self.deed[0] if self.deed else "")


def farewell(talk: Talk) -> None:
    """Goodbye and goodbye."""
    talk.exchange(BYE, _FAREWELL)


def health(talk: Talk) -> None:
    """How are you?"""
    worried = talk.rng.random() < 0.2
    talk.exchange(
        _HOW, _WORRIED if worried else _FINE, worry=pick(talk.rng, talk.character.scene.worries)
    )


def business(talk: Talk) -> None:
    """How is work, what is new."""
    scene = talk.character.scene
    news = pick(talk.rng, scene.news)
    if talk.rng.random() < 0.5:
        talk.exchange(_BUSINESS, _BUSINESS_REPLY, worry=pick(talk.rng, scene.worries))
    else:
        talk.exchange(_NEWS, _NEWS_REPLY, news=news)


def weather(talk: Talk) -> None:
    """Rain and sun."""
    talk.exchange(_WEATHER, _WEATHER_REPLY)


def manners(talk: Talk) -> None:
    """Thanks, praise, insults, apologies, threats, mere noises."""
    talk.exchange(
        *pick(
            talk.rng,
            (
                (_THANKS, _WELCOME),
                (_INSULT, _INSULTED),
                (_PRAISE, _PRAISED),
                (_SORRY, _FORGIVEN),
                (_NOISES, _NOISE_REPLY),
                (_NOISES, _NOISE_REPLY),
                (_THREAT, _THREATENED),
            ),
        )
    )


def entertainment(talk: Talk) -> None:
    """Jokes, stories, songs."""
    rng = talk.rng
    asks, tells = pick(rng, ((_ASK_JOKE, _JOKES), (_ASK_STORY, _STORIES), (_ASK_SONG, _SONGS)))
    talk.exchange(
        asks,
        tells,
        **{
            "animal": pick(rng, lexicon.ANIMALS),
            "monster": pick(rng, lexicon.MONSTERS),
            "thing": f"{pick(rng, lexicon.MATERIALS)} {pick(rng, lexicon.THINGS)}",
            "trade one": pick(rng, ("miller", "baker", "smith", "sailor", "farmer", "soldier")),
            "place": f"the {pick(rng, lexicon.PLACES_NEAR)}",
            "food": pick(rng, lexicon.FOODS),
            "pronoun": pick(rng, ("she", "he")),
        },
    )
