"""What held in a run and what did not."""


class Checks:
    """A line for each thing that is checked, and their counts."""

    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, what, held, seen=""):
        self.passed += bool(held)
        self.failed += not held
        print("ok    " if held else "FAILED", what, f"({seen})" if seen else "", flush=True)
