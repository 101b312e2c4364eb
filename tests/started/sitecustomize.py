"""Of interpreters that tests start: to look for garbage among what was imported takes a fifth of the imports."""

import gc

gc.set_threshold(200_000, 20, 20)
