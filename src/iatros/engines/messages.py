"""Messages between this process and a worker: a length of eight bytes, then the message.

The bytes are Python's own serialisation. That is safe only because both ends are the same program on the
same machine, over a pipe that nothing else can write to; it is never used for a file or a network.
"""

from __future__ import annotations

import struct
from multiprocessing.reduction import ForkingPickler
from typing import IO, Any

_LENGTH = struct.Struct("<Q")


def encode(message: Any) -> bytes:
    """`message` as bytes."""
    return bytes(ForkingPickler.dumps(message))


def decode(content: bytes) -> Any:
    """The message of `content`."""
    return ForkingPickler.loads(content)


def send(pipe: IO[bytes], content: bytes) -> None:
    """Write one encoded message and flush it."""
    pipe.write(_LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def receive(pipe: IO[bytes]) -> bytes | None:
    """One encoded message, or None where the other end is gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    content = pipe.read(length)
    return content if len(content) == length else None
