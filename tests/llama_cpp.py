"""llama.cpp's own tokenizer, from the library inside of the package `xllamacpp`, which exports its C API."""

import ctypes
import importlib.util
from pathlib import Path

import pytest

Pointer, Int, Bool = ctypes.c_void_p, ctypes.c_int32, ctypes.c_bool


class Params(ctypes.Structure):
    """`llama_model_params`, and more room than it takes; of its fields one is set."""

    _fields_ = [("before", ctypes.c_ubyte * 72), ("vocab_only", Bool), ("behind", ctypes.c_ubyte * 951)]


def library() -> ctypes.CDLL:
    """The library; the test is skipped where it is missing, or not laid out as known."""
    found = importlib.util.find_spec("xllamacpp")
    if found is None:
        pytest.skip("xllamacpp is not installed")
    name = next(Path(found.submodule_search_locations[0]).glob("xllamacpp*.so"), None)
    if name is None:
        pytest.skip("xllamacpp has no library that is known")
    lib = ctypes.CDLL(str(name))
    lib.llama_model_default_params.restype = Params
    lib.llama_model_load_from_file.argtypes = [ctypes.c_char_p, Params]
    lib.llama_model_load_from_file.restype = Pointer
    lib.llama_model_get_vocab.argtypes = [Pointer]
    lib.llama_model_get_vocab.restype = Pointer
    lib.llama_model_free.argtypes = [Pointer]
    ids = ctypes.POINTER(Int)
    lib.llama_tokenize.argtypes = [Pointer, ctypes.c_char_p, Int, ids, Int, Bool, Bool]
    lib.llama_log_set.argtypes = [LOG, Pointer]
    lib.llama_log_set(quiet, None)
    # Behind `vocab_only`: check_tensors, use_extra_bufts, no_host, no_alloc.
    if list(lib.llama_model_default_params().behind[:4]) != [0, 1, 0, 0]:
        pytest.skip("the parameters of this llama.cpp are laid out in another way")
    return lib


LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, Pointer)
quiet = LOG(lambda level, text, data: None)


class Llama:
    """The vocabulary of a file.

    Raises:
        ValueError: llama.cpp does not take the file.
    """

    def __init__(self, path) -> None:
        self.lib = library()
        params = self.lib.llama_model_default_params()
        params.vocab_only = True
        self.model = self.lib.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise ValueError(f"llama.cpp does not take {path}")
        self.vocab = self.lib.llama_model_get_vocab(self.model)

    def __del__(self) -> None:
        if getattr(self, "model", None):
            self.lib.llama_model_free(self.model)

    def encode(self, text: str, *, add_special: bool = False, parse_special: bool = False) -> list[int]:
        data = text.encode()
        room = 2 * len(data) + 16
        ids = (Int * room)()
        count = self.lib.llama_tokenize(self.vocab, data, len(data), ids, room, add_special, parse_special)
        assert count >= 0
        return list(ids[:count])
