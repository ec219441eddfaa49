"""An environment is made in this tree only: never through a link into another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.real_client.install import Client, InstallError, make

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("within", ["", "v2"])
def test_what_another_tree_made_for_another_python_is_not_removed_through_a_link(tmp_path: Path, within: str) -> None:
    theirs = tmp_path / "theirs" / within / "made-for"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("another Python")
    (tmp_path / "lock.txt").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    with pytest.raises(InstallError, match="link is a link"):
        make(Client(tmp_path / "link" / within, tmp_path / "lock.txt"))
    assert theirs.read_text() == "another Python"
