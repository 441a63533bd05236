"""What the kernel or the file system lacks is said when it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.root.node import Node


def test_a_quota_of_the_tree_is_refused_in_dockers_words(daemon: Node) -> None:
    """Docker 28, overlay2 on ext4; nothing of the container is left."""
    done = daemon.docker("create", "--storage-opt", "size=1G", "busybox", check=False)

    words = "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
    assert words in done.stderr
    assert "" == daemon.docker("ps", "-aq").stdout


def test_labels_that_are_not_applied_are_told(daemon: Node) -> None:
    options = ("--security-opt", "label=type:svirt_t", "--security-opt", "label=level:s0:c1")

    told = daemon.docker("create", *options, "busybox").stderr
    silent = daemon.docker("create", "--security-opt", "label=disable", "busybox").stderr

    assert "the label options type:svirt_t, level:s0:c1 are not applied" in told
    assert "" == silent


@pytest.mark.skipif(
    Path("/sys/module/apparmor/parameters/enabled").exists(), reason="the kernel has AppArmor"
)
def test_a_profile_of_a_kernel_without_apparmor_is_told(daemon: Node) -> None:
    told = daemon.docker("create", "--security-opt", "apparmor=mine", "busybox").stderr

    assert "AppArmor is not enabled on this host: the profile mine is not applied" in told
    assert "" == daemon.docker("run", "--rm", "-v", "/tmp:/z:ro,z", "busybox", "true").stderr
