"""What loading a model can fail with: each message says what to do."""

from townsfolk.checkpoint import CheckpointError
from townsfolk.engine.errors import DeviceNotFoundError, NotEnoughMemoryError, UnfitSettingError
from townsfolk.library import ModelNotFoundError
from townsfolk.models import UnsupportedModelError
from townsfolk.text.tokenizer import TokenizerError

LOAD_ERRORS = (
    ModelNotFoundError,
    UnsupportedModelError,
    CheckpointError,
    TokenizerError,
    NotEnoughMemoryError,
    DeviceNotFoundError,
    UnfitSettingError,
)
