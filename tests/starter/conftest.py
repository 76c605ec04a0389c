# Fixtures are found by the names that a conftest holds.
from small_scripts import encoder, folder, scripts  # noqa: F401
