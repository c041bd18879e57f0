"""What holds for every command: help, version, errors, exit codes, completion, start-up."""

import os
import subprocess
import sys

import click
import pytest
from command_line import COMMAND, refused, run, run_process

import bpetok
from bpetok.cli import main


def test_help_lists_every_command_in_order():
    result = run("--help")
    assert result.exit_code == 0
    lines = [line.split()[0] for line in result.stdout.partition("Commands:\n")[2].splitlines()]
    assert tuple(lines) == main.COMMANDS


@pytest.mark.parametrize("command", main.COMMANDS)
def test_each_command_has_help_with_all_options_explained(command):
    result = run(command, "-h")
    assert result.exit_code == 0
    loaded = main.cli.get_command(click.Context(main.cli), command)
    for parameter in loaded.params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            assert parameter.opts[-1] in result.stdout


def test_version():
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"bpetok {bpetok.__version__}\n")


def test_the_package_is_a_program():
    done = subprocess.run([sys.executable, "-m", "bpetok", "--version"], capture_output=True, check=True)
    assert done.stdout.decode().split() == ["bpetok", bpetok.__version__]


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_a_start_without_work_loads_nothing_heavy(arguments):
    code = (
        "import sys; from bpetok.cli.main import main\n"
        f"sys.argv = ['bpetok', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'rich', 'regex', 'bpetok.tokenizer', 'bpetok._merge'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("arguments", [["frobnicate"], ["encode", "--frobnicate"], ["encode"], ["train"]])
def test_wrong_usage_is_code_2(arguments):
    refused(run(*arguments), "Usage: bpetok")


def test_library_errors_become_one_message(tmp_path):
    refused(run("count", tmp_path / "no.txt"), "no.txt: cannot be read: No such file or directory")
    done = run_process("count", tmp_path / "no.txt")
    assert done.returncode == 2
    assert done.stderr.startswith(b"Error: ")
    assert done.stderr.count(b"\n") == 1


def test_system_errors_name_the_file(monkeypatch):
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "secret.json")

    monkeypatch.setattr("bpetok.cli.common.load_tokenizer", fail)
    refused(run("count", stdin="text"), "Error: secret.json: Permission denied")


def test_defects_keep_their_traceback(monkeypatch):
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("bpetok.cli.common.load_tokenizer", fail)
    with pytest.raises(ZeroDivisionError):
        run("count", stdin="text")


def test_interrupt_is_code_130(monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bpetok.cli.common.load_tokenizer", interrupt)
    result = run("count", stdin="text")
    assert result.exit_code == 130
    assert result.stderr == "Interrupted: no output file was written or changed.\n"


def test_a_reader_that_has_gone_is_no_error(write):
    path = write("numbers.txt", " ".join(map(str, range(200_000))))
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [*COMMAND, "encode", path, "-t", "gpt2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10)
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == b""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell):
    if shell == "bash" and not _modern_bash():
        pytest.skip("completion needs bash 4.4")
    done = run_process(env={"_BPETOK_COMPLETE": f"{shell}_source"})
    assert done.returncode == 0
    assert b"_bpetok_completion" in done.stdout


def test_completion_knows_commands_and_options():
    env = {"_BPETOK_COMPLETE": "bash_complete", "COMP_WORDS": "bpetok enc", "COMP_CWORD": "1"}
    assert run_process(env=env).stdout == b"plain,encode\n"
    env |= {"COMP_WORDS": "bpetok train --tie-break ", "COMP_CWORD": "3"}
    assert run_process(env=env).stdout == b"plain,bytes\nplain,huggingface\nplain,rustbpe\nplain,minbpe\n"


def _modern_bash() -> bool:
    try:
        done = subprocess.run(
            ["bash", "-c", "((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404))"], check=False
        )
    except FileNotFoundError:
        return False
    return done.returncode == 0
