"""Options of log drivers: what they mean, and the words of refusals."""

from __future__ import annotations

import pytest

from api.errors import InvalidArgument
from api.types.containers import LogConfig
from engine.core.log_options import Rotation, check_log, rotation_of


@pytest.mark.parametrize(
    ("driver", "options", "expected"),
    [
        ("json-file", {}, None),
        ("json-file", {"max-file": "3"}, None),
        ("json-file", {"max-size": "10m"}, Rotation(10_000_000, 1, compress=False)),
        (
            "json-file",
            {"max-size": "1.5k", "max-file": "3", "compress": "true"},
            Rotation(1500, 3, compress=True),
        ),
        ("local", {}, Rotation(20 << 20, 5, compress=True)),
        ("local", {"max-size": "0"}, None),
        ("local", {"max-file": "1", "compress": "false"}, Rotation(20 << 20, 1, compress=False)),
        ("none", {}, None),
    ],
)
def test_rotation_as_the_reference_has_it(
    driver: str, options: dict[str, str], expected: Rotation | None
) -> None:
    """Sizes are decimal; max-file alone does nothing."""
    assert expected == rotation_of(LogConfig(driver, options))


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("json-file", {"foo": "1"}, "unknown log opt 'foo' for json-file log driver"),
        ("local", {"labels": "x"}, "unknown log opt 'labels' for log driver local"),
        ("syslog", {}, "logger: no log driver named 'syslog' is registered"),
        ("foo", {}, 'error looking up logging plugin foo: plugin "foo" not found'),
        ("json-file", {"max-size": "-1"}, "invalid size: '-1'"),
        ("json-file", {"max-size": "0"}, "max-size must be a positive number"),
        ("json-file", {"max-file": "x"}, 'strconv.Atoi: parsing "x": invalid syntax'),
        ("json-file", {"max-file": "0"}, "max-file cannot be less than 1"),
        (
            "json-file",
            {"compress": "true", "max-size": "1m"},
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ),
        ("json-file", {"compress": "maybe"}, 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        ("local", {"max-file": "1"}, "compression cannot be enabled when max file count is 1"),
        ("local", {"max-size": "abc"}, "invalid value for max-size: abc: invalid size: 'abc'"),
        ("local", {"compress": "x"}, "error reading compress log option: strconv.ParseBool"),
        ("json-file", {"labels-regex": "("}, "error parsing regexp: "),
        ("json-file", {"tag": "{{.Foo"}, "template: log-tag:1: unclosed action"),
        ("json-file", {"mode": "foo"}, "logger: logging mode not supported: foo"),
        (
            "json-file",
            {"max-buffer-size": "1m"},
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
        ),
        (
            "json-file",
            {"mode": "non-blocking", "max-buffer-size": "foo"},
            "error parsing option max-buffer-size: invalid size: 'foo'",
        ),
    ],
)
def test_refusals_in_the_words_of_the_reference(
    driver: str, options: dict[str, str], words: str
) -> None:
    """Clients show them as they are."""
    with pytest.raises(InvalidArgument) as refusal:
        check_log(LogConfig(driver, options))

    assert words in refusal.value.message
