"""Messages through pipes: JSON, each after its length."""

import json
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]
"""What JSON can carry."""

_LENGTH_BYTES = 8


def send(pipe: Any, message: Message) -> None:
    """Write a message, however large; OSError where the reader is gone."""
    content = json.dumps(message).encode()
    left = memoryview(len(content).to_bytes(_LENGTH_BYTES, "big") + content)
    while left:
        left = left[pipe.write(left) :]


def receive(pipe: Any) -> Message:
    """Wait for a message; EOFError where none will come."""
    message: Message = json.loads(_read(pipe, int.from_bytes(_read(pipe, _LENGTH_BYTES), "big")))
    return message


def _read(pipe: Any, count: int) -> bytes:
    parts = []
    while count:
        part = pipe.read(count)
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
