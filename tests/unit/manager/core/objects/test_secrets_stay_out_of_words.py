"""What is secret is in no log line and no traceback, whoever prints an object."""

from __future__ import annotations

from api.types.secrets import SecretSpec
from manager.core.objects.secret import Secret


def test_a_secret_does_not_show_what_it_holds() -> None:
    secret = Secret(id="s1", spec=SecretSpec(Name="password", Data=b"hunter2"))

    for text in (repr(secret), str(secret), f"{[secret]}"):
        assert "hunter2" not in text
        assert "password" in text
