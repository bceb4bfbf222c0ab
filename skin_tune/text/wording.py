"""Words that depend on a number."""


def counted(count: int, noun: str, plural: str = "") -> str:
    """``1 trial``, ``3 trials``; `plural` is that of a `noun` which does not end in s then."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """``45s``, ``3m20s``, ``2h05m``"""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
