# Fixtures are found by the names that a conftest holds.
from small_scripts import one_thread, scripts  # noqa: F401
