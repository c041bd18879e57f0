"""Immutable vocabulary tables: bytes to id, id to bytes, and the merge of a pair of ids."""

from collections.abc import Collection, Sequence

class VocabTables:
    """The tables of one vocabulary. Made by the static methods; immutable once merges are linked."""

    n_tokens: int
    unused: dict[int, int]  # id to the symbol that merging knows an unused token by
    @staticmethod
    def from_tokens(
        tokens: dict[int, bytes], special_tokens: dict[str, int], n_pairs: int, ranks_are_ids: bool
    ) -> VocabTables:
        """Tables with these tokens and special tokens, with room for `n_pairs` merges, and none yet.
        With `ranks_are_ids` a merge of rank r must give token r.

        Raises:
            VocabularyError: an id is out of range, or a token is empty or given twice.
        """

    @staticmethod
    def from_characters(
        tokens: dict[int, bytes],
        special_tokens: dict[str, int],
        n_pairs: int,
        byte_tokens: Sequence[int] | None,
        unknown: int | None,
        fuse: int,
        unused: Collection[int],
        any_character: bool,
    ) -> VocabTables:
        """Tables whose first merges build characters from their UTF-8; with room for `n_pairs` more.

        Raises:
            VocabularyError: as `from_tokens`; or a token is not UTF-8.
        """

    @staticmethod
    def from_binary(blob: bytes, special_tokens: dict[str, int], where: str) -> VocabTables:
        """Tables of an embedded encoding, as `to_binary` wrote them: ids are ranks.

        Raises:
            FormatError: the data is not such a file, is truncated, or its checksum differs.
        """

    def to_binary(self) -> bytes:
        """The compact form that `from_binary` reads. Only for tables whose ranks are their ids."""

    @property
    def n_ids(self) -> int:
        """The largest id plus one."""

    def token_bytes(self, token: int) -> bytes | None:
        """The bytes of an id, special ones included, or None when the id is not in use."""

    def token_of(self, data: bytes) -> int | None:
        """The id of these bytes, or None."""

    def byte_ids(self) -> list[int]:
        """What merging starts from: for each of the 256 bytes its id, or `n_ids` plus the byte where the
        vocabulary has no such token (with ranks, a longer token may hold the byte all the same)."""

    def start(self, data: bytes) -> list[tuple[int | None, bytes]]:
        """What merging starts from, as (symbol, bytes): the bytes of a piece, or with an alphabet of
        characters these, with None where no token has a character."""

    def order(self, rank: int) -> int:
        """What a merge of this rank is chosen by: the rank, or the first of those that it is tied with."""

    def expand(self, symbol: int) -> list[int] | None:
        """The ids that a symbol of merging becomes, or None where there are none."""

    def pair(self, left: int, right: int) -> tuple[int, int] | None:
        """(rank, id) of the merge of two symbols, or None; not of those that build characters."""

    def is_whole(self, token: int) -> bool:
        """Whether a piece equal to this token is encoded as it without any merging."""

    def tokens(self) -> dict[int, bytes]:
        """All tokens but special ones and byte tokens, as a dict of id to bytes in the order of ids."""

    def merge_rows(self) -> bytes:
        """The same as `merges` as bytes: four uint32 for each merge."""

    def merges(self) -> list[tuple[int, int, int, int]]:
        """All merges, as (rank, left id, right id, merged id) in the order of ranks."""
