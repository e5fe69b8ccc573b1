"""Two machines that are none: network namespaces joined by a cable, or else this machine twice."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_CABLE = ("mtesta", "mtestb")


@dataclass(frozen=True)
class Node:
    """A machine.

    Attributes:
        address: under which the other one reaches it.
        prefix: comes before a command that runs there.
        variables: for what runs there.
    """

    address: str
    prefix: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


@contextmanager
def two_nodes() -> Iterator[tuple[Node, Node]]:
    """Two machines, as well as they can be had."""
    names = [f"marl{os.getpid()}{letter}" for letter in "ab"]
    try:
        yield _in_namespaces(names)
    finally:
        for name in names:
            _ip("netns", "del", name)


def _in_namespaces(names: list[str]) -> tuple[Node, Node]:
    here = Node("127.0.0.1")
    if shutil.which("ip") is None:
        return here, here
    first, second = names
    made = all(_ip("netns", "add", name) for name in names)
    peer = ("peer", "name", _CABLE[1], "netns", second)
    cable = ("link", "add", _CABLE[0], "netns", first, "type", "veth", *peer)
    if not made or not _ip(*cable):
        return here, here
    nodes = []
    for index, (name, end) in enumerate(zip(names, _CABLE, strict=True), start=1):
        address = f"10.77.0.{index}"
        _ip("-n", name, "addr", "add", f"{address}/24", "dev", end)
        _ip("-n", name, "link", "set", end, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        prefix = ("ip", "netns", "exec", name)
        nodes.append(Node(address, prefix, {"GLOO_SOCKET_IFNAME": end}))
    return nodes[0], nodes[1]


def _ip(*arguments: str) -> bool:
    if shutil.which("ip") is None:
        return False
    done = subprocess.run(["ip", *arguments], capture_output=True, check=False)
    return done.returncode == 0
