"""The tier of instructions: chosen once, and by hand where the environment says so."""

import os
import subprocess
import sys

import pytest

from bpetok import _cpu

TIERS = ("scalar", "avx2", "avx512", "neon")


def test_scalar_is_always_there_and_the_slowest():
    assert _cpu.available()[0] == "scalar"
    assert set(_cpu.available()) <= set(TIERS) == set(_cpu.TIERS)


def test_the_best_tier_is_taken_unless_one_is_forced():
    assert _cpu.choose("") == _cpu.available()[-1]
    assert _cpu.choose(os.environ.get("BPETOK_FORCE_CPU", "")) == _cpu.TIER
    for tier in _cpu.available():
        assert _cpu.choose(tier) == tier


def test_an_unknown_tier_is_refused():
    with pytest.raises(RuntimeError, match="BPETOK_FORCE_CPU='sse9' is not a tier: use scalar"):
        _cpu.choose("sse9")


def test_a_tier_of_another_machine_is_refused():
    missing = [tier for tier in TIERS if tier not in _cpu.available()]
    assert missing, "no machine has all of them"
    for tier in missing:
        with pytest.raises(RuntimeError, match=f"'{tier}', but this machine only has scalar"):
            _cpu.choose(tier)


@pytest.mark.parametrize("tier", _cpu.available())
def test_the_environment_forces_a_tier_per_process(tier):
    found = subprocess.run(
        [sys.executable, "-c", "from bpetok import _cpu; print(_cpu.TIER)"],
        env=os.environ | {"BPETOK_FORCE_CPU": tier},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == tier


def test_a_process_with_a_wrong_tier_does_not_start():
    found = subprocess.run(
        [sys.executable, "-c", "import bpetok._cpu"],
        env=os.environ | {"BPETOK_FORCE_CPU": "sse9"},
        capture_output=True,
        text=True,
    )
    assert found.returncode != 0
    assert "is not a tier" in found.stderr
