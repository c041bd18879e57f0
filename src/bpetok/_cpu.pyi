"""Which instructions this processor has; chosen once, when the package is first used."""

TIERS: dict[str, int]
"""The name of every tier, on whatever machine, to its number."""

TIER: str
"""The name of the tier in use."""

def available() -> list[str]:
    """Names of the tiers that this machine has, the slowest first."""

def choose(forced: str) -> str:
    """The name of the tier to use: the best there is, or the one that is asked for.

    Raises:
        RuntimeError: no tier has that name, or this machine does not have it.
    """
