"""What `extend` and `prune` share: where the new tokenizer goes, and the map of ids."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpetok.cli import common

if TYPE_CHECKING:
    from bpetok.editing import Edited


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the options say about the result."""

    output: str
    file_format: str
    map_path: str | None
    force: bool
    as_json: bool

    @property
    def name(self) -> str:
        """The name of the new tokenizer."""
        return Path(self.output).stem

    def check(self) -> None:
        """See before any work begins that all files may be written.

        Raises:
            click.UsageError: one may not.
        """
        paths = common.check_tokenizer_output(self.output, self.file_format, force=self.force)
        if self.map_path is None:
            return
        if self.map_path == "-":
            raise click.UsageError("--map must be a file: - is none")
        if os.path.realpath(self.map_path) in map(os.path.realpath, paths):
            raise click.UsageError(f"--map {self.map_path} is a file of OUT: name another")
        common.check_output(self.map_path, force=self.force)

    def save(self, edited: "Edited", message: str, **summary: object) -> None:
        """Write the tokenizer, and before it the map of ids; then say what was done."""
        import numpy as np

        if self.map_path is not None:
            with common.open_output(self.map_path) as file:
                if self.map_path.endswith(".npy"):
                    np.save(file, edited.id_map)
                else:
                    file.write(json.dumps(edited.id_map.tolist()).encode() + b"\n")
        edited.tokenizer.save(self.output, self.file_format)
        click.echo(message, err=True)
        if self.as_json:
            common.echo_json({"n_vocab": edited.tokenizer.n_vocab, **summary, "output": self.output})


options = common.bundle(
    "target",
    Target,
    common.output_option,
    common.format_option(),
    click.option(
        "--map",
        "map_path",
        metavar="FILE",
        help="Write the new id of each old one, -1 for none: a JSON list, or an array if FILE ends in .npy.",
    ),
    common.force_option,
    common.json_option,
)
