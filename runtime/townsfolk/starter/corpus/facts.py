"""Kinds of facts that a player tells of himself, and how they are told and asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.grammar import phrases, pick
from townsfolk.starter.corpus.split import Split


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fact that a player tells: ``{x}`` is the value, ``{b}`` a word that goes with it."""

    value: Callable[[Random, Split], str]
    tell: tuple[str, ...]
    react: tuple[str, ...]
    ask: tuple[str, ...]
    recall: tuple[str, ...]
    untold: tuple[str, ...]
    with_word: tuple[str, ...] = ()


def _given(rng: Random, split: Split) -> str:
    return names.given_name(rng, split, rng.random() < 0.5)


def _colour(rng: Random, split: Split) -> str:
    return split.draw(
        rng,
        lambda r: pick(r, ("dark ", "pale ", "bright ", "deep ", "")) + pick(r, lexicon.COLOURS),
    )


def _number(rng: Random, split: Split) -> str:
    return str(rng.randint(2, 99))


def _goal(rng: Random, split: Split) -> str:
    return f"{pick(rng, ('find', 'buy', 'sell', 'steal', 'repair', 'deliver'))} {pick(rng, ('a', 'the'))} {lexicon.thing(rng, split)}"


KINDS: dict[str, Kind] = {
    "name": Kind(
        _given,
        phrases("""
            My name is {x}. / I'm {x}. / I am {x}. / Call me {x}. / They call me {x}. / My name's
            {x}. / {x} is my name. / You can call me {x}. / Hello, I'm {x}. / Hi, my name is {x}! /
            I'm called {x}. / People call me {x}. / im {x} / The name's {x}.
        """),
        phrases("""
            Well met, {x}. / Nice to meet you, {x}. / Welcome, {x}. / {x}. [A good name|I'll
            remember that|A fine name]. / Good to meet you, {x}. I'm {short}. / Pleased to meet
            you, {x}. / Hello, {x}. / {x}, is it? Well met. / I'm {name}. A pleasure, {x}.
        """),
        phrases("""
            What's my name? / Do you remember my name? / What is my name? / Who am I? / Do you know
            my name? / What did I say my name was? / Do you still remember my name? / Can you tell
            me my name? / What was my name again? / you remember who i am? / What do they call me?
        """),
        phrases("""
            You're {x}. / Your name is {x}. / {x}, of course. / You told me your name is {x}. /
            {x}. I don't forget a name. / You are {x}, {style addr}. / {x}. You said so yourself. /
            Of course. You're {x}. / I remember. {x}.
        """),
        phrases("""
            You haven't told me your name. / I don't know your name, {style addr}. / How should I
            know? You never said. / You never told me.
        """),
    ),
    "home": Kind(
        names.place,
        phrases("""
            I'm from {x}. / I come from {x}. / I live in {x}. / My home is {x}. / I grew up in {x}.
            / I was born in {x}. / I've come all the way from {x}. / My village is called {x}. / I
            have a house in {x}.
        """),
        phrases("""
            {x}? [I've never been there|That's far away|I've heard of it|A long way from here]. /
            Ah, {x}. What's it like? / Ah, {x}. [A fine place, I hear|You must miss it]. / All the way from
            {x}! Welcome. / I knew somebody from {x} once.
        """),
        phrases("""
            Where am I from? / Where do I live? / Do you remember where I'm from? / What's my home?
            / Where do I come from? / Where did I say I come from? / Where is my home? / Do you
            know where I live? / Which town am I from?
        """),
        phrases("""
            You're from {x}. / You come from {x}. / {x}, you said. / You told me you're from {x}. /
            From {x}, {addr}. / Your home is {x}. / {x}, if I remember right.
        """),
        phrases("""
            You didn't tell me where you're from. / I don't know where you come from. / You never
            said. / How should I know, {addr}?
        """),
    ),
    "trade": Kind(
        lexicon.trade,
        phrases("""
            I'm {a x}. / I am {a x}. / I work as {a x}. / I'm {a x} by trade. / I earn my living as
            {a x}. / Back home I was {a x}. / I used to be {a x}. / My job is {x}.
        """),
        phrases("""
            {A x}? [Good work|An honest trade|We could use one here|My cousin is one too]. / So
            you're {a x}. [Interesting|I see|Good]. / We don't see many {xs} here. / {A x}, eh?
            Then you know hard work.
        """),
        phrases("""
            What's my job? / What do I do for a living? / What is my trade? / Do you remember what
            I do? / What work do I do? / What's my trade? / Do you remember my job? / What did I
            say I do for work?
        """),
        phrases("""
            You're {a x}. / You said you're {a x}. / {A x}, you told me. / You are {a x}, {addr}. /
            You work as {a x}.
        """),
        phrases("""
            You never told me what you do. / I don't know your trade, {addr}. / You didn't say. / I
            couldn't tell you.
        """),
    ),
    "pet": Kind(
        _given,
        phrases("""
            My {b} is called {x}. / I have {a b} named {x}. / I have {a b} called {x}. / This is my
            {b}, {x}. / My {b}'s name is {x}. / {x} is my {b}. / I travel with my {b} {x}. / Look,
            this is {x}, my {b}.
        """),
        phrases("""
            {x} is a good name for {a b}. / {A b} named {x}! [How nice|I like that]. /
            I'd like to meet {x}. / Keep {x} away from my supper. / {x}, what a fine {b}. / Hello,
            {x}.
        """),
        phrases("""
            What is my {b} called? / What's my {b}'s name? / Do you remember my {b}'s name? /
            What's the name of my {b}? / How is my {b} called? / What did I call my {b}? / Do you
            remember what my {b} is called? / Who is my {b}?
        """),
        phrases("""
            Your {b} is called {x}. / {x}. / Your {b}'s name is {x}. / {x}, your {b}. / You told
            me: {x}. / {x}, I remember. / It's {x}, {addr}.
        """),
        phrases("""
            You never told me about {a b}. / I don't know your {b}'s name. / What {b}? / You didn't
            say, {addr}.
        """),
        lexicon.ANIMALS,
    ),
    "seeking": Kind(
        _given,
        phrases("""
            I'm looking for {x}. / I'm looking for my {b} {x}. / I'm searching for my {b}, {x}. / I
            must find {x}. / Have you seen my {b}? The name is {x}. / I came to find my {b} {x}. /
            I'm after a man called {x}. / I'm here to see {x}.
        """),
        phrases("""
            {x}? I haven't seen anyone of that name. / I don't know any {x}, {addr}. / {x}, you say?
            [Ask around|I'll keep my eyes open|Good luck]. / I'll tell you if I see {x}. / {x}? No. I'm
            sorry.
        """),
        phrases("""
            Who am I looking for? / Who did I say I'm looking for? / Do you remember who I'm looking
            for? / Who am I searching for? / Whom do I want to find? / Who did I ask you about?
        """),
        phrases("""
            You're looking for {x}. / {x}. / {x}, you said. / You came to find {x}. / {x}, {addr}. /
            You asked me about {x}.
        """),
        phrases("""
            You didn't say who you're looking for. / I don't know, {addr}. / How should I know who
            you're looking for?
        """),
        lexicon.KIN,
    ),
    "kin": Kind(
        _given,
        phrases("""
            My {b} is called {x}. / I have {a b} named {x}. / My
            {b}'s name is {x}. / I miss my {b} {x}. / I'm here with my {b}, {x}. / My {b} {x} sent
            me. / {x} is my {b}.
        """),
        phrases("""
            I don't think I've met {x}. / {x}, I see. [I'll keep my eyes open|A good name|Family
            matters]. / Your {b} {x}? [I hope all is well|I'd like to meet {them}|Give {them} my
            greetings]. / I wish {x} well.
        """),
        phrases("""
            What is my {b}'s name? / What's my {b} called? / Do you remember my {b}'s name? / Who
            is my {b}? / What did I say my {b} is called? / What's the name of my {b}?
        """),
        phrases("""
            Your {b} is called {x}. / {x}. / Your {b}'s name is {x}. / {x} is your {b}. / You said
            {x}, {addr}. / {x}, if I remember right.
        """),
        phrases("""
            You didn't tell me about {a b}. / I don't know your {b}. / You never said, {addr}. /
            What {b}?
        """),
        lexicon.KIN,
    ),
    "favourite": Kind(
        _colour,
        phrases("""
            My favourite colour is {x}. / My favorite color is {x}. / I like {x} best of all
            colours. / I love the colour {x}. / {x} is my favourite colour.
        """),
        phrases("""
            {X}? [A fine colour|Not my taste, but fine|Like the sky before a storm]. / {X} is a
            good colour. / I like {x} too. / {X}, really? It suits you.
        """),
        phrases("""
            What is my favourite colour? / What's my favorite color? / Which colour do I like? / Do
            you remember my favourite colour? / What color do I like best?
        """),
        phrases("""
            {X}. / Your favourite colour is {x}. / You like {x} best. / {X}, you said. / It's {x},
            {addr}.
        """),
        phrases("""
            You never told me. / I don't know which colour you like. / You didn't say, {addr}.
        """),
    ),
    "food": Kind(
        lexicon.food,
        phrases("""
            My favourite food is {x}. / I love {x}. / I like {x} more than anything. / There's
            nothing better than {x}. / I could eat {x} every day. / My favorite meal is {x}.
        """),
        phrases("""
            {X}! [Now I'm hungry|Good choice|My mother made it every week]. / I like {x} too. /
            {X}? [Not for me|Really|Each to their own]. / You have good taste, {addr}.
        """),
        phrases("""
            What is my favourite food? / What do I like to eat? / What's my favorite food? / Do you
            remember what I like to eat? / What food do I love?
        """),
        phrases("""
            {X}. / You love {x}. / Your favourite food is {x}. / {X}, you said. / You like {x},
            {addr}.
        """),
        phrases("""
            You never told me what you like to eat. / I don't know, {addr}. / You didn't say.
        """),
    ),
    "lost": Kind(
        lexicon.thing,
        phrases("""
            I lost my {x}. / I've lost my {x}. / I can't find my {x}. / Somebody stole my {x}. /
            I'm looking for my {x}. / Have you seen my {x}? I lost it. / My {x} is gone! / My {x}
            was stolen.
        """),
        phrases("""
            I haven't seen {a x}. / Your {x}? [That's bad luck|I'll keep my eyes open|Ask the
            guards]. / {A x}, you say? I'll look out for it. / I'm sorry about your {x}. / Lost
            your {x}? It will turn up.
        """),
        phrases("""
            What did I lose? / Do you remember what I lost? / What am I looking for? / What was it
            I lost? / What did I say I lost? / What was stolen from me? / do you remember what im
            looking for
        """),
        phrases("""
            Your {x}. / You lost your {x}. / You're looking for your {x}. / {A x}, wasn't it? /
            Your {x}, {addr}. / You told me you lost your {x}.
        """),
        phrases("""
            You didn't tell me you lost something. / I don't know, {addr}. / How should I know what
            you lost?
        """),
    ),
    "carry": Kind(
        lexicon.thing,
        phrases("""
            I have {a x} with me. / I carry {a x}. / I bought {a x} today. / I found {a x}. / Look
            at my {x}! / I brought {a x}. / My father gave me {a x}.
        """),
        phrases("""
            {A x}? [Nice|Take care of it]. / {A x}? [May I see it|Where did you get it]? / That's a fine {x}. /
            Hold on to that {x}. / I wouldn't show {a x} to everyone here.
        """),
        phrases("""
            What do I carry? / What do I have with me? / What did I show you? / Do you remember
            what I have? / What did I tell you I have? / What is it that I carry?
        """),
        phrases("""
            {A x}. / You have {a x}. / Your {x}, {addr}. / You carry {a x}. / You said you have {a
            x}.
        """),
        phrases("""
            I don't know what you carry. / You didn't show me anything. / How should I know,
            {addr}?
        """),
    ),
    "goal": Kind(
        _goal,
        phrases("""
            I want to {x}. / I'm here to {x}. / I need to {x}. / I have to {x}. / I came here to
            {x}. / My plan is to {x}.
        """),
        phrases("""
            You want to {x}? [Good luck|That won't be easy|Brave of you]. / Good luck with that,
            {addr}. / To {x}? Hm. Be careful. / Then I won't keep you.
        """),
        phrases("""
            What do I want? / Why am I here? / What did I come here for? / Do you remember why I'm
            here? / What is my plan? / What do I have to do?
        """),
        phrases("""
            You want to {x}. / You're here to {x}. / To {x}, you said. / You came here to {x},
            {addr}.
        """),
        phrases("""
            You didn't tell me. / I don't know why you're here. / That's for you to know, {addr}.
        """),
    ),
    "fear": Kind(
        lexicon.fear,
        phrases("""
            I'm afraid of {x}. / I'm scared of {x}. / I fear {x}. / {X} scare me. / Nothing
            frightens me more than {x}.
        """),
        phrases("""
            {X}? [You're not alone|No need to be ashamed|There are none here]. / I understand. Many
            fear {x}. / Everyone fears something, {addr}. / Then stay away from {x}.
        """),
        phrases("""
            What am I afraid of? / What do I fear? / Do you remember what scares me? / What scares
            me? / What did I say I was afraid of?
        """),
        phrases("""
            You're afraid of {x}. / {X}. / You fear {x}. / {X}, you told me. / You said you're
            scared of {x}, {addr}.
        """),
        phrases("""
            You never told me. / I don't know what you fear, {addr}. / You look brave enough to me.
        """),
    ),
    "age": Kind(
        _number,
        phrases("""
            I'm {x} years old. / I am {x}. / I turned {x} this year. / I'm {x}. / I'm already {x}
            years old.
        """),
        phrases("""
            {x}? [You look younger|A good age|I remember being {x}]. / {x} years! Well, well. / A
            good age, {x}.
        """),
        phrases("""
            How old am I? / Do you remember how old I am? / What's my age? / How old did I say I
            am?
        """),
        phrases("""
            You're {x}. / {x} years old. / You said you're {x}. / {x}, {addr}.
        """),
        phrases("""
            You never told me your age. / I don't know, {addr}. / Younger than me, I'd say.
        """),
    ),
    "goingto": Kind(
        names.place,
        phrases("""
            I'm going to {x}. / I'm on my way to {x}. / I'm heading for {x}. / Tomorrow I leave for
            {x}. / I want to travel to {x}. / I'm travelling to {x}.
        """),
        phrases("""
            To {x}? [A long way|Take warm clothes|The road is safe, I hear]. / {x}, I see. Safe
            travels. / I've never been to {x}. / What do you want in {x}?
        """),
        phrases("""
            Where am I going? / Where did I say I'm going? / Do you remember where I'm going? /
            Where am I headed? / What's my destination?
        """),
        phrases("""
            You're going to {x}. / To {x}. / {x}, you said. / You're on your way to {x}, {addr}.
        """),
        phrases("""
            You didn't say where you're going. / I don't know, {addr}. / How should I know?
        """),
    ),
    "ship": Kind(
        lambda rng, split: names.house(rng, split).removeprefix("the "),
        phrases("""
            My ship is called the {x}. / I sail on the {x}. / I came here on the {x}. / I'm the
            captain of the {x}.
        """),
        phrases("""
            The {x}? [A good ship|I know her|She must be a fine ship]. / I saw the {x} in the
            harbour. / The {x}, I'll remember that.
        """),
        phrases("""
            What's my ship called? / What is the name of my ship? / Which ship did I come on? / Do
            you remember my ship?
        """),
        phrases("""
            The {x}. / Your ship is the {x}. / It's called the {x}. / The {x}, {addr}.
        """),
        phrases("""
            You never told me about a ship. / What ship? / I don't know your ship, {addr}.
        """),
    ),
}
