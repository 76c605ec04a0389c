"""What can go wrong in a dialogue, as types: the service maps each to a status code."""


class DialogueError(Exception):
    """The base of all errors of this package. The message says what to do."""


class InvalidFieldError(DialogueError, ValueError):
    """A field's value is not allowed; the message names the field and its range."""


class NotFoundError(DialogueError, LookupError):
    """Something named does not exist: a session, a lore id or a turn."""


class AlreadyExistsError(DialogueError):
    """The name is taken: a session id or a turn id."""


class LimitReachedError(DialogueError):
    """A limit is reached; the message says which."""


class SessionClosedError(DialogueError):
    """The session is closed: nothing can be said in it any more."""


class UnsupportedTemplateError(DialogueError):
    """The model's chat template can't be used; the message says why."""


class NotNowError(DialogueError):
    """Not possible in this state; the message says what is needed first."""
