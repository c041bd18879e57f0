"""Every exception bpetok raises on purpose: what happened, where, and the remedy.

All derive from `BpetokError`. Where a program written for tiktoken would catch a built-in exception
(`ValueError` for a disallowed special token, `KeyError` for an unknown id), the class here is a
subclass of that built-in too, so the program's handler still works.
"""


class BpetokError(Exception):
    """Base class of all errors raised on purpose by bpetok."""


class PatternError(BpetokError, ValueError):
    """A split pattern does not compile, or matches the empty string."""


class PreparationError(BpetokError, ValueError):
    """A step before or after the merge engine is not known, or its result could not be exact."""


class VocabularyError(BpetokError, ValueError):
    """A vocabulary contradicts itself or cannot serve the request."""


class VocabularySizeError(VocabularyError, AssertionError):
    """`explicit_n_vocab` disagrees with the vocabulary that was given with it."""


class EncodeError(BpetokError, ValueError):
    """A text cannot be encoded with this vocabulary."""


class DisallowedSpecialError(EncodeError):
    """A text contains a special token that the caller did not allow."""


class TokenError(BpetokError, KeyError):
    """A token id or a token's bytes are not in the vocabulary."""

    def __str__(self) -> str:  # KeyError shows the repr of its message
        return str(self.args[0]) if self.args else ""


class TokenRangeError(TokenError, OverflowError):
    """A token id is negative or does not fit 32 bits."""


class FormatError(BpetokError, ValueError):
    """A file is not what it should be: truncated, corrupt, of another format or version."""


class CorpusError(BpetokError, ValueError):
    """A corpus cannot be read or holds nothing to learn from."""


class SpillError(BpetokError, OSError):
    """Counts that had no room in memory cannot be kept on disk: it is full, say."""


class ShardError(BpetokError, ValueError):
    """Settings of shards contradict each other, or a folder holds those of another run."""


class ShardWriteError(BpetokError, OSError):
    """Shards cannot be written: the disk is full, say. Those that are finished are kept."""


class ArrowError(BpetokError, ValueError):
    """An Arrow column holds no text, or is not what the Arrow specification says."""


class WorkerError(BpetokError, RuntimeError):
    """Workers that should count were lost, or cannot be reached."""


class TrainingError(BpetokError, ValueError):
    """The settings of a training run contradict each other or cannot be met."""


class MissingExtraError(BpetokError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""


class ExperimentError(BpetokError, RuntimeError):
    """A language-model experiment cannot go on: its folder is another one's, the loss is no number, say."""


class ModelError(BpetokError, ValueError):
    """A pretrained language model is not there, cannot be read, or does not serve."""


class DiagnosticsError(BpetokError, ValueError):
    """A measure cannot be taken, or two runs cannot be compared."""
