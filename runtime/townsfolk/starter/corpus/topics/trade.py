"""Work and money: what is for sale, prices, bargaining, buying, errands."""

from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.character import Good
from townsfolk.starter.corpus.grammar import phrases, pick, with_article
from townsfolk.starter.corpus.talk import Talk

_ASK_GOODS = phrases("""
    What do you sell? / What do you have for sale? / What's for sale? / Can I buy something[
    here|]? / Show me your wares. / Do you sell anything? / What can I buy here? / What do you
    have? / I want to buy something. / What are you selling? / What have you got? / do u sell stuff
    / Anything for sale? / Let me see your goods. / What have you got to sell? / I'd like to see
    what you have.
""")
_TELL_GOODS = phrases("""
    I have {list}. / I sell {list}. / Today I have {list}. / {List}. [What will it be|Take your
    pick|Interested|What do you need]? / For you, {addr}: {list}. / There's {list}.
""")
_NO_GOODS = phrases("""
    I have nothing to sell. / I don't sell anything, {addr}. / Nothing is for sale here. / You want
    a merchant. I'm not one. / I'm no shop.
""")

_ASK_PRICE = phrases("""
    How much is {the good}? / How much is {good}? / What does {good} cost? / How much for {the good}? / What does {the good} cost? / What do you
    want for {the good}? / What's the price of {the good}? / How much do you want for {the good}? /
    And {the good}? How much? / {Good}, how much? / price of {the good}? / What do you charge for
    {good}? / How much does {the good} cost?
""")
_TELL_PRICE = phrases("""
    {Price}. / That will be {price}. / {Price}, {addr}. / It's {price}. / {Good}? That's {price}. /
    I want {price} for that. / {Price}. [A fair price|Not a coin less|You won't find it
    cheaper|Take it or leave it]. / For {the good}, {price}.
""")
_ASK_MISSING = phrases("""
    Do you have {good}? / Do you sell {good}? / How much is {the good}? / I need {good}. / I'd like
    to buy {good}. / Have you got {good}?
""")
_NO_MISSING = phrases("""
    I don't have {good}. / I don't sell that. / {Good}? No, not here. / You won't find {good} here,
    {addr}. / Sorry, no {bare}. / Try somewhere else. I have no {bare}.
""")
_ALTERNATIVE = phrases("""
    I have no {bare}, but I have {instead}. / No {bare} here. How about {instead}? / I don't sell
    {good}. I could offer you {instead}.
""")

_TOO_MUCH = phrases("""
    That's too much. / That's expensive. / Too expensive! / Can you make it cheaper? / I can't pay
    that much. / Is that your best price? / Any discount? / That's robbery! / Can you lower the
    price? / too much
""")
_HOLD = phrases("""
    {Price}, and not a coin less. / My price is {price}. / {Price} is fair, {addr}. / I can't go
    lower than {price}. / Then don't buy it. It's {price}. / Quality has its price: {price}. / I
    have mouths to feed. {Price}.
""")
_OFFER = phrases("""
    I'll give you {offer}. / How about {offer}? / {Offer} and we have a deal. / I can pay {offer}.
    / Would you take {offer}? / {Offer}, my last offer. / I only have {offer}.
""")
_TAKE = phrases("""
    {Offer} it is. / All right, {offer}. But only today. / Deal. {Offer}, {addr}. / You drive a
    hard bargain. {Offer}, then. / Fine. Give me {offer}. / For you, {offer}.
""")
_REFUSE = phrases("""
    {Offer}? No. The price is {price}. / You insult me. {Price}. / No, {addr}. {Price}. / I said
    {price}, not {offer}. / Keep your {offer}. It's {price}.
""")
_BUY = phrases("""
    I'll take {the good}. / I'll buy {the good}. / Give me {the good}[, please|]. / {Good}, please.
    / I'd like {good}. / I want to buy {the good}. / One {bare}, please. / I'll have {the good}.
""")
_SOLD = phrases("""
    Here you are. That's {price}. / {Price}, please. Thank you, {addr}. / A good choice. That will
    be {price}. / {Good}, coming up. {Price}. / There you go. {Price}, if you please. / It's yours
    for {price}. / Good. {Price}, and it's yours.
""")
_PAY = phrases("""
    Here's the money. / Here you go. / Take it. / Here are your coins. / *hands over the coins* /
    Here, {price}. / Keep the change.
""")
_PAID = phrases("""
    Thank you, {addr}. / A pleasure doing business. / Many thanks. Come again. / Good coin. Enjoy.
    / Use it well. / Thank you. It's yours now. / That settles it.
""")

_ORDER = phrases("""
    Can you make me {good}? / Could you make {good} for me? / I'd like to order {good}. / Can you
    get me {good}? / Make me {good}, please. / Would you mend my {bare}? / Can you repair my
    {bare}? / My {bare} is broken. Can you fix it?
""")
_ORDERED = phrases("""
    {Good}? [Give me a week|That I can do|It will cost you|Come back tomorrow]. / I can try,
    {addr}. / I've never made {good}. / I'm no good with that. Ask someone else. / For the right
    price, {addr}. / Leave it here and come back tomorrow. / That's not my line of work.
""")
_ORDERED_TRADE = phrases("""
    I'm {a trade}, {addr}. Ask somebody who knows about such things. / {Good}? I'm {a trade}. / Not
    me. I'm {a trade}.
""")
_HOW_MUCH = phrases("""
    How much is it? / How much? / What does it cost? / How much does it cost? / What's the price? /
    And the price? / How much is that? / price?
""")
_NOT_FOR_SALE = phrases("""
    It's not for sale. / How much is what, {addr}? / I sell nothing. / What do you mean? I have
    nothing for sale. / Nothing here has a price.
""")

_ASK_WORK = phrases("""
    Do you have work for me? / Do you have a quest[ for me|]? / I'm looking for work. / Do you need
    help[ with anything|]? / Can I help you? / Any quests? / Is there anything I can do for you? /
    How can I help? / I need a job. / Got any jobs? / Is something troubling you? / Do you need a
    hand? / What do you need? / quest? / I heard you need help. / Do you have a job for me? / Can I
    do something for you? / You look worried. What's wrong?
""")
_OFFER_FETCH = phrases("""
    Bring me the {thing} from {place} and I'll pay you {reward}. / I need {a thing} from {place}.
    There's {reward} in it for you. / Yes. Find my {thing}. It's at {place}. I'll give you
    {reward}. / Somebody must fetch {a thing} from {place}. I pay {reward}. / There is {a thing} at
    {place}. Bring it here and {reward} is yours.
""")
_OFFER_FIGHT = phrases("""
    There are {foes} at {place}. Get rid of them and I'll pay you {reward}. / Deal with the {foes}
    at {place}. I pay {reward}. / {Foes}, {addr}! At {place}. {Reward} if you drive them away. /
    Yes. The {foes} at {place} must go. There's {reward} in it for you.
""")
_NO_WORK = phrases("""
    Not today. / I have no work for you, {addr}. / No, but thank you. / Ask around. I need no help.
    / Nothing I can't do myself. / Kind of you to ask, but no.
""")
_SMALL_WORK = phrases("""
    Well, {worry}. [If you know a cure, tell me|That's my trouble|Can you help with that]? / You
    could help me. {Worry}. / The usual trouble: {worry}. / I'm worried. {Worry}.
""")
_ASK_REWARD = phrases("""
    What's the reward? / What do I get? / How much do you pay? / What will you pay me? / What's in
    it for me? / And the pay? / reward?
""")
_TELL_REWARD = phrases("""
    {Reward}. / I'll pay {reward}. / {Reward}, when it's done. / You get {reward}, {addr}. / I
    promised {reward} and I keep my word. / There's {reward} for you.
""")
_ASK_PLACE = phrases("""
    Where is it? / Where do I have to go? / Where? / Where can I find it? / Where should I look? /
    Which way? / Where do I go?
""")
_ASK_FOE_PLACE = phrases("""
    Where are they? / Where do I find them? / Where? / Where do I have to go? / Where should I go?
""")
_TELL_PLACE = phrases("""
    At {place}. / Go to {place}. / You'll find it at {place}. / Look at {place}, {addr}. / It was
    last seen at {place}.
""")
_TELL_FOE_PLACE = phrases("""
    At {place}. / Go to {place}. / You'll find them at {place}. / They are at {place}, {addr}.
""")
_ASK_WHAT = phrases("""
    What do I have to bring? / What am I looking for? / What was it again? / What exactly do you
    need? / What is it you lost?
""")
_TELL_WHAT = phrases("""
    The {thing}. / {A thing}. / My {thing}, at {place}. / You're looking for {a thing}. / Bring me
    the {thing}.
""")
_ACCEPT = phrases("""
    I'll do it. / I accept. / Consider it done. / You can count on me. / Deal. / I'll help you. /
    ok i'll do it / Sure, I'll go. / Yes, I will do it.
""")
_ACCEPTED = phrases("""
    Thank you, {addr}. Be careful. / Good. I'll be waiting here. / I knew I could count on you. /
    Good luck, {addr}. / Come back when it's done. / Then go, and come back safe. / You give me
    hope.
""")
_DECLINE = phrases("""
    No, thanks. / That's too dangerous. / Not interested. / Maybe later. / I don't have time for
    that. / Find someone else. / no
""")
_DECLINED = phrases("""
    Suit yourself. / A pity. The offer stands. / Then I'll ask someone else. / I understand,
    {addr}. / Think about it. / Somebody braver will come. / As you wish.
""")
_DONE_THING = phrases("""
    I found your {thing}! / I have the {thing}. / Here is your {thing}. / I brought you the
    {thing}.
""")
_DONE_FOE = phrases("""
    The {foes} are gone. / I killed the {foes}. / I took care of the {foes}. / No more {foes}. It's
    done.
""")
_REWARDED = phrases("""
    You did it! Here, {reward}, as promised. / Wonderful! Take your {reward}, {addr}. / Well done.
    {Reward}, you have earned it. / I can't believe it! Here is your {reward}. / Thank you, {addr}!
    {Reward}, just as I said.
""")


def _slots(good: Good) -> dict[str, str]:
    bare = good.name
    for article in ("a ", "an "):
        bare = bare.removeprefix(article)
    the = f"the {bare}" if bare != good.name else good.name
    return {"good": good.name, "the good": the, "bare": bare, "price": good.price}


def goods(talk: Talk) -> None:
    """What is for sale; then perhaps a price, haggling and buying."""
    stock = talk.character.goods
    rng = talk.rng
    if not stock:
        talk.exchange(_ASK_GOODS, _NO_GOODS)
        return
    if rng.random() < 0.6:
        priced = (
            [f"{good.name} for {good.price}" for good in stock]
            if rng.random() < 0.6
            else [good.name for good in stock]
        )
        listing = priced[0] if len(priced) == 1 else f"{', '.join(priced[:-1])} and {priced[-1]}"
        talk.exchange(_ASK_GOODS, _TELL_GOODS, list=listing)
    if rng.random() < 0.7:
        price(talk)


def price(talk: Talk) -> None:
    """The price of something, haggling, buying."""
    stock = talk.character.goods
    rng = talk.rng
    if not stock:
        missing(talk)
        return
    good = pick(rng, stock)
    slots = _slots(good) | {"good": talk.typed(good.name)}
    if rng.random() < 0.75:
        talk.exchange(_ASK_PRICE + (_HOW_MUCH if len(stock) == 1 else ()), _TELL_PRICE, **slots)
    if rng.random() < 0.3:
        talk.exchange(_TOO_MUCH, _HOLD, **slots)
    if rng.random() < 0.3:
        offer = talk.typed(lexicon.price(rng))
        agreed = rng.random() < 0.4
        talk.exchange(_OFFER, _TAKE if agreed else _REFUSE, offer=offer, **slots)
        if agreed:
            slots["price"] = offer
    if rng.random() < 0.5:
        talk.exchange(_BUY, _SOLD, **slots)
        if rng.random() < 0.5:
            talk.exchange(_PAY, _PAID, **slots)


def order(talk: Talk) -> None:
    """The player wants something made, or asks for a price out of the blue."""
    rng = talk.rng
    stock = talk.character.goods
    if rng.random() < 0.3:
        if not stock:
            talk.exchange(_HOW_MUCH, _NOT_FOR_SALE)
        elif len(stock) == 1:
            talk.exchange(_HOW_MUCH, _TELL_PRICE, **_slots(stock[0]))
        return
    bare = lexicon.thing(rng, talk.split)
    slots = {key: talk.typed(value) for key, value in _slots(Good(with_article(bare), "")).items()}
    talk.exchange(
        _ORDER, _ORDERED_TRADE if talk.character.trade and rng.random() < 0.3 else _ORDERED, **slots
    )


def missing(talk: Talk) -> None:
    """Something the character doesn't have."""
    stock = talk.character.goods
    names = " ".join(good.name for good in stock)
    bare = lexicon.thing(talk.rng, talk.split)
    if any(word in names for word in bare.split()):
        return
    good = Good(with_article(bare), "")
    slots = {key: talk.typed(value) for key, value in _slots(good).items()}
    if stock and talk.rng.random() < 0.5:
        talk.exchange(_ASK_MISSING, _ALTERNATIVE, instead=pick(talk.rng, stock).name, **slots)
    else:
        talk.exchange(_ASK_MISSING, _NO_MISSING, **slots)


def errand(talk: Talk) -> None:
    """Work for the player: the offer, questions about it, the answer and perhaps its end."""
    task = talk.character.errand
    rng = talk.rng
    if task is None:
        worried = rng.random() < 0.3
        talk.exchange(
            _ASK_WORK,
            _SMALL_WORK if worried else _NO_WORK,
            worry=pick(rng, talk.character.scene.worries),
        )
        return
    slots = {"place": task.place, "reward": task.reward}
    slots |= {"thing": task.thing} if task.thing else {"foes": task.foe or ""}
    talk.exchange(_ASK_WORK, _OFFER_FETCH if task.thing else _OFFER_FIGHT, **slots)
    questions = [(_ASK_REWARD, _TELL_REWARD)]
    if task.thing:
        questions += [(_ASK_PLACE, _TELL_PLACE), (_ASK_WHAT, _TELL_WHAT)]
    else:
        questions += [(_ASK_FOE_PLACE, _TELL_FOE_PLACE)]
    for question in rng.sample(questions, pick(rng, (0, 1, 1, 2))):
        talk.exchange(*question, **slots)
    if rng.random() < 0.65:
        talk.exchange(_ACCEPT, _ACCEPTED)
        if rng.random() < 0.3:
            talk.exchange(_DONE_THING if task.thing else _DONE_FOE, _REWARDED, **slots)
    else:
        talk.exchange(_DECLINE, _DECLINED)
