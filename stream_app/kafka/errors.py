"""What ends a worker: each says what happened and what to do next."""


class Fatal(Exception):
    """The process has to end; the next start continues from the last commit."""


class Refusal(Fatal):
    """Starting again will not help before an operator has decided something."""
