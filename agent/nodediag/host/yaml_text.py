"""YAML text as plain values: PyYAML's safe loader, with aliases bounded (a small file may mean terabytes)."""

from typing import Final, TypeAlias

from nodediag.errors import ParseError

Yaml: TypeAlias = "dict[str, Yaml] | list[Yaml] | str | int | float | bool | None"
_MOST_ALIASES: Final = 100
_DEEPEST: Final = 100


def load(text: str, place: str, *, quote: bool = True) -> Yaml:
    """Parse one document; raises ParseError, which quotes the text unless it may hold secrets."""
    import yaml  # noqa: PLC0415 - a node without a kubelet need not load it

    shown = text if quote else None
    loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        aliases = depth = 0
        for event in yaml.parse(text, Loader=loader):
            aliases += isinstance(event, yaml.AliasEvent)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if aliases > _MOST_ALIASES or depth > _DEEPEST:
                raise ParseError(place, shown, f"YAML with at most {_MOST_ALIASES} aliases, {_DEEPEST} levels deep")
        loaded: Yaml = yaml.load(text, Loader=loader)  # noqa: S506 - it is a safe loader
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        # PyYAML's own constructors raise all of these, for `!!timestamp x`, `!!int ""` or `!!bool x`
        told = str(getattr(error, "problem", "")) if not quote else str(error)
        line = f" in line {mark.line + 1}" if not quote and (mark := getattr(error, "problem_mark", None)) else ""
        raise ParseError(place, shown, f"YAML: {' '.join(told.split())}{line}") from error
    return loaded


def text_at(value: Yaml, *keys: str) -> str:
    """Give the text at a path of keys, empty where there is none."""
    for key in keys:
        if not isinstance(value, dict):
            return ""
        value = value.get(key)
    return value if isinstance(value, str) else ""
