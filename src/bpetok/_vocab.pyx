"""Immutable vocabulary tables: bytes to id, id to bytes, and the merge of a pair of ids.

Built once, then read by any number of threads without a lock. All three are flat arrays: two open-
addressing hash tables at most half full, and an arena with the bytes of all tokens.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

import struct
import zlib

from bpetok._pairs cimport (
    NO_RANK, Merge, PairBuilder, Pairs, all_pairs, find_rank, odd_at, pair_key, pair_slot, pairs_free,
    pairs_new, place_of_odd, token_of_rank)

from bpetok._text import as_utf8
from bpetok.errors import FormatError, VocabularyError

cdef extern from "pages.h" nogil:
    void* pages_new "bpetok_pages_new"(size_t size)
    void pages_free "bpetok_pages_free"(void* start, size_t size)

cdef bytes MAGIC = b"BPETOKE2"

cdef enum:
    HEADER = 24             # magic; number of ids, of spelled tokens; bits, multiplier of the table of pairs
    NO_PARTS = 0xFFFFFF     # in place of a left id: the right one is a byte, a spelled token, or unused
    SPELLED = 0x800000
    AHEAD = 32              # tokens whose table slots are prefetched before the first is filled


cdef uint64_t NO_SLOT = 0xFFFFFFFFFFFFFFFF


cdef uint32_t id_of(object token, object what) except? NO_TOKEN:
    """An id, checked."""
    cdef int overflow = 0
    cdef long long value = -1
    if isinstance(token, int) and not isinstance(token, bool):
        value = PyLong_AsLongLongAndOverflow(token, &overflow)
    if overflow or not 0 <= value < MAX_TOKENS:
        raise VocabularyError(f"{what!r} has id {token!r}: ids must be integers from 0 to {MAX_TOKENS - 1}")
    return <uint32_t>value


cdef uint32_t count_ids(dict tokens, dict special_tokens) except? NO_TOKEN:
    """The largest of all ids plus one; each is checked."""
    cdef uint32_t largest = 0, one
    for token, value in tokens.items():
        if not isinstance(value, bytes):
            raise VocabularyError(f"token {token} is a {type(value).__name__}: tokens must be bytes")
        one = id_of(token, value)
        largest = max(largest, one)
    for text, token in special_tokens.items():
        if not isinstance(text, str):
            raise VocabularyError(f"special token {text!r} is a {type(text).__name__}: it must be a str")
        one = id_of(token, text)
        largest = max(largest, one)
    return largest + 1 if tokens or special_tokens else 0


cdef inline void copy_short(uint8_t* to, const uint8_t* data, size_t size) noexcept nogil:
    # Most tokens are short, and sixteen bytes are copied at once: there must be room for as many.
    cdef uint8_t[16] copy
    if size <= 16:
        memcpy(copy, data, 16)      # the two may overlap
        memcpy(to, copy, 16)
    else:
        memcpy(to, data, size)


cdef uint64_t table_size(size_t entries) noexcept nogil:
    cdef uint64_t size = 512
    while size < 2 * entries:
        size *= 2
    return size


cdef class VocabTables:
    """The tables of one vocabulary. Made by the class methods; immutable afterwards."""

    def __cinit__(self):
        memset(&self.t, 0, sizeof(Tables))

    def __dealloc__(self):
        free(self.t.arena)
        free(self.t.start)
        free(self.t.size)
        free(self.t.flags)
        pairs_free(&self.t.pairs)
        free(self.t.pairs.rank_token)
        free(self.t.pairs.byte_rank)
        free(self.t.expansion)
        free(self.t.expansion_start)
        free(self.t.tied)
        pages_free(self.t.tokens, (self.t.token_mask + 1) * sizeof(TokenSlot))

    cdef int allocate(self, uint32_t n_ids, size_t n_hidden, size_t n_tokens, size_t n_bytes) except -1:
        cdef Tables* t = &self.t
        cdef uint32_t byte
        if n_ids + 256 + n_hidden > MAX_TOKENS + 256:
            raise VocabularyError(f"{n_ids} ids and {n_hidden} symbols to build their characters are too "
                                  f"many: they may be {MAX_TOKENS} together")
        t.n_ids = n_ids
        t.n_symbols = n_ids + 256 + <uint32_t>n_hidden
        t.unknown = NO_TOKEN
        for byte in range(256):
            t.pairs.byte_token[byte] = n_ids + byte
        t.token_mask = table_size(n_tokens) - 1
        self.arena_capacity = n_bytes + 16
        t.arena = <uint8_t*>calloc(self.arena_capacity, 1)
        t.start = <uint32_t*>calloc(t.n_symbols, sizeof(uint32_t))
        t.size = <uint32_t*>calloc(t.n_symbols, sizeof(uint32_t))
        t.flags = <uint8_t*>calloc(t.n_symbols, 1)
        t.pairs.byte_rank = <uint32_t*>malloc((1 << 16) * sizeof(uint32_t))
        t.tokens = <TokenSlot*>pages_new((t.token_mask + 1) * sizeof(TokenSlot))
        if (t.arena == NULL or t.start == NULL or t.size == NULL or t.flags == NULL
                or t.pairs.byte_rank == NULL or t.tokens == NULL):
            raise MemoryError(f"no memory for a vocabulary of {n_ids} ids")
        for byte in range(1 << 16):
            t.pairs.byte_rank[byte] = NO_RANK
        memset(t.tokens, 0xFF, (t.token_mask + 1) * sizeof(TokenSlot))
        return 0

    cdef int add_token(self, uint32_t token, const uint8_t* data, size_t size) except -1:
        if size == 0:
            raise VocabularyError(f"token {token} is empty: every token needs at least one byte")
        if self.t.size[token]:
            raise VocabularyError(f"id {token} is given to two tokens: {self.token_bytes(token)!r} and "
                                  f"{data[:size]!r}; ids must be unique")
        self.store(token, data, size)
        return self.index_token(token, hash_bytes(data, size))

    cdef int index_token(self, uint32_t token, uint64_t h) except -1:
        cdef Tables* t = &self.t
        cdef const uint8_t* data = t.arena + t.start[token]
        cdef size_t size = t.size[token]
        cdef uint64_t at = h & t.token_mask
        while t.tokens[at].token != NO_TOKEN:
            if (t.tokens[at].tag == <uint32_t>(h >> 32) and t.size[t.tokens[at].token] == size
                    and memcmp(t.arena + t.start[t.tokens[at].token], data, size) == 0):
                raise VocabularyError(f"the bytes {data[:size]!r} have two ids, {t.tokens[at].token} and "
                                      f"{token}: a token's bytes must be unique")
            at = (at + 1) & t.token_mask
        t.tokens[at].tag = <uint32_t>(h >> 32)
        t.tokens[at].token = token
        t.flags[token] = WHOLE
        if size == 1:
            t.pairs.byte_token[data[0]] = token
        if size > t.longest:
            t.longest = size
        self.n_tokens += 1
        return 0

    cdef int store(self, uint32_t token, const uint8_t* data, size_t size) except -1:
        # `data` may already lie where it is going.
        cdef Tables* t = &self.t
        cdef uint8_t* grown
        if self.arena_size + size + 16 > self.arena_capacity:
            if self.arena_size + size + 16 > <size_t>0x7FFFFFFF:
                raise VocabularyError("the tokens of a vocabulary may hold 2 GiB of bytes at most")
            grown = <uint8_t*>realloc(t.arena, 2 * (self.arena_size + size) + 16)
            if grown == NULL:
                raise MemoryError()
            t.arena = grown
            self.arena_capacity = 2 * (self.arena_size + size) + 16
        memmove(t.arena + self.arena_size, data, size)
        t.start[token] = <uint32_t>self.arena_size
        t.size[token] = <uint32_t>size
        self.arena_size += size
        return 0

    cdef int add_specials(self, dict special_tokens) except -1:
        # They can be decoded, but no piece of a text is ever equal to one. An id that is already in use
        # keeps its bytes.
        cdef bytes data
        cdef uint32_t token
        for text, id_ in special_tokens.items():
            data = as_utf8(text)
            token = id_
            if not data:
                raise VocabularyError(f"special token {token} is the empty string, which is everywhere in a "
                                      "text")
            if self.t.size[token] == 0:
                self.t.flags[token] = SPECIAL
                self.store(token, <const uint8_t*>PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data))
        return 0

    cdef int add_pair(self, uint32_t left, uint32_t right, uint32_t rank, uint32_t token) except -1:
        # One that is found at once.
        if rank >= NO_RANK:
            raise VocabularyError(f"rank {rank} is too large: a vocabulary may have {NO_RANK} merges at most")
        self.builder.add(left, right, rank)
        return self.link_pair(left, right, rank, token)

    cdef int join(self, int64_t left, int64_t right, uint32_t at, uint8_t* joined) except -1:
        """Enter merge `at` of a list, which is found once all are there. `joined` has room for a token."""
        cdef Tables* t = &self.t
        cdef uint32_t token, rank = t.n_inner + at
        cdef size_t left_size, size
        if not (0 <= left < t.n_ids and 0 <= right < t.n_ids and t.size[left] and t.size[right]):
            raise VocabularyError(f"merge {at} joins ({left}, {right}), and not both are ids of the "
                                  "vocabulary")
        if (t.flags[left] | t.flags[right]) & BYTE:
            raise VocabularyError(f"merge {at} joins ({left}, {right}), of which one is a byte token: only "
                                  "characters merge")
        if at >= NO_RANK - t.n_inner:
            raise VocabularyError(f"rank {at} is too large: a vocabulary may have {NO_RANK} merges at most")
        left_size = t.size[left]
        size = left_size + t.size[right]
        token = NO_TOKEN
        if size <= t.longest:
            memcpy(joined, t.arena + t.start[left], left_size)
            memcpy(joined + left_size, t.arena + t.start[right], size - left_size)
            token = find_token(t, joined, size, hash_bytes(joined, size))
        if token == NO_TOKEN:
            left_bytes, right_bytes = self.token_bytes(left), self.token_bytes(right)
            raise VocabularyError(f"merge {at} joins {left_bytes!r} and {right_bytes!r}, and "
                                  f"{left_bytes + right_bytes!r} is not a token of the vocabulary")
        self.builder.collect(<uint32_t>left, <uint32_t>right, rank)
        return self.link_pair(<uint32_t>left, <uint32_t>right, rank, token)

    cdef int link_pair(self, uint32_t left, uint32_t right, uint32_t rank, uint32_t token) except -1:
        # What follows from a pair of this token's bytes, besides its place in the table of pairs.
        cdef Pairs* pairs = &self.t.pairs
        cdef const uint8_t* border = self.t.arena + self.t.start[token] + self.t.size[left]
        cdef uint32_t last = (border - 1)[0], first = border[0]
        if pairs.rank_token != NULL:
            pairs.rank_token[rank] = token
        self.t.crossing[last << 5 | first >> 3] |= 1 << (first & 7)
        if self.t.size[token] == 2:
            pairs.byte_rank[last << 8 | first] = rank
        return 0

    cdef int set_expansions(self, list expansions) except -1:
        """Say what stands for each symbol behind the ids: a list of ids, or None where nothing does."""
        cdef size_t at = 0, i
        cdef size_t n = sum([1 if ids is None else len(ids) for ids in expansions])
        cdef uint32_t* starts = <uint32_t*>malloc((<size_t>len(expansions) + 1) * sizeof(uint32_t))
        cdef uint32_t* joined = <uint32_t*>malloc((n + 1) * sizeof(uint32_t))
        free(self.t.expansion_start)
        free(self.t.expansion)
        self.t.expansion_start = starts
        self.t.expansion = joined
        if starts == NULL or joined == NULL:
            raise MemoryError()
        for i in range(<size_t>len(expansions)):
            starts[i] = <uint32_t>at
            if expansions[i] is None:
                joined[at] = NO_TOKEN
                at += 1
                continue
            for token in expansions[i]:
                joined[at] = token
                at += 1
        starts[len(expansions)] = <uint32_t>at
        self.t.expands = True
        return 0

    cdef int begin_pairs(self, size_t n_pairs, bint ranks_are_ids) except -1:
        self.builder = PairBuilder.__new__(PairBuilder)
        self.builder.begin(&self.t.pairs, n_pairs)
        if not ranks_are_ids:
            self.t.pairs.rank_token = <uint32_t*>malloc((n_pairs + 1) * sizeof(uint32_t))
            if self.t.pairs.rank_token == NULL:
                raise MemoryError()
        return 0

    cdef int spell_bytes(self) except -1:
        """Give bytes without a token a symbol for merging. Returns how many they are."""
        cdef Tables* t = &self.t
        cdef uint8_t byte
        cdef int i, missing = 0
        for i in range(256):
            byte = <uint8_t>i
            if t.pairs.byte_token[i] >= t.n_ids:
                self.store(t.pairs.byte_token[i], &byte, 1)
                missing += 1
        return missing

    def finish(self):
        """Say that all merges are there.

        Raises:
            VocabularyError: a pair occurs twice.
        """
        cdef PairBuilder builder = self.builder
        cdef uint64_t pair
        if builder is None:
            return
        builder.finish()
        if builder.twice[1]:
            pair = builder.pairs[builder.twice[0]]
            ranks = [builder.ranks[place] - self.t.n_inner for place in builder.twice]
            parts = [self.token_bytes(part) for part in (pair >> 24, pair & 0xFFFFFF)]
            raise VocabularyError(f"the pair of {parts[0]!r} and {parts[1]!r} is merged twice, at ranks "
                                  f"{ranks[0]} and {ranks[1]}")
        self.builder = None

    @staticmethod
    def from_tokens(dict tokens, dict special_tokens, size_t n_pairs, bint ranks_are_ids):
        """Tables with these tokens (a mapping of id to bytes) and special tokens (text to id), with room
        for `n_pairs` merges, and none yet. With `ranks_are_ids` a merge of rank r must give token r.

        Raises:
            VocabularyError: an id is out of range, or a token is empty or given twice.
        """
        cdef VocabTables self = VocabTables.__new__(VocabTables)
        cdef bytes data
        self.allocate(count_ids(tokens, special_tokens), 0, <size_t>len(tokens),
                      sum(map(len, tokens.values())))
        self.begin_pairs(n_pairs, ranks_are_ids)
        for token, data in tokens.items():
            self.add_token(token, <const uint8_t*>PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data))
        if self.spell_bytes():
            self.set_expansions([None] * 256)
        self.add_specials(special_tokens)
        return self

    @staticmethod
    def from_characters(dict tokens, dict special_tokens, size_t n_pairs, byte_tokens, unknown, int fuse,
                        unused, bint any_character):
        """Tables whose first merges build characters from their UTF-8; with room for `n_pairs` more.

        Of a character, each beginning of two bytes or more is a symbol, merged from the one before and the
        next
        byte. The last one is the character: its token, where it has one, else a hidden symbol. With
        `any_character` those inside longer tokens are built as well. The longer ones of the tokens that are
        `unused` have hidden symbols too. What stands for a symbol that merging leaves is its expansion: the
        tokens of its bytes, or else `unknown` for the first byte of a character, and nothing for the others.

        Raises:
            VocabularyError: as `from_tokens`; or a token is not UTF-8.
        """
        cdef VocabTables self = VocabTables.__new__(VocabTables)
        cdef bytes data
        cdef uint32_t symbol, n_ids, rank = 0
        cdef uint8_t one
        cdef int byte
        n_ids = count_ids(tokens, special_tokens)
        if byte_tokens is not None:
            if len(byte_tokens) != 256:
                raise VocabularyError(f"{len(byte_tokens)} byte tokens were given: there are 256 bytes")
            n_ids = max(n_ids, 1 + max([id_of(token, "a byte token") for token in byte_tokens]))
        ids = {data: token for token, data in tokens.items()}
        texts = []
        for token, data in tokens.items():
            try:
                text = data.decode()
            except UnicodeDecodeError as error:
                raise VocabularyError(f"token {token} is {data!r}, which is no UTF-8: a vocabulary of "
                                      "characters has bytes among its `byte_tokens` only") from error
            if any_character or len(text) == 1:
                texts.append(text)
        singles = [char.encode() for char in sorted(set("".join(texts)))]
        symbols = {}        # of characters and their beginnings
        hidden = []         # the bytes of each hidden symbol
        order = []
        for data in sorted(singles, key=len):
            for byte in range(2, len(data) + 1):
                part = data[:byte]
                if part not in symbols:
                    if byte < len(data) or part not in ids:
                        symbols[part] = n_ids + 256 + <size_t>len(hidden)
                        hidden.append(part)
                    else:
                        symbols[part] = ids[part]
                    order.append(part)
        apart = sorted([token for token in unused if len(tokens[token].decode()) > 1])
        self.allocate(n_ids, <size_t>(len(hidden) + len(apart)), <size_t>len(tokens) + 256,
                      sum(map(len, tokens.values())) + 256)
        self.t.characters = True
        self.begin_pairs(n_pairs + <size_t>len(order), False)
        for token, data in tokens.items():
            self.add_token(token, <const uint8_t*>PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data))
        if byte_tokens is not None:
            for byte in range(256):
                one = <uint8_t>byte
                symbol = byte_tokens[byte]
                if self.t.pairs.byte_token[byte] >= n_ids:
                    self.add_token(symbol, &one, 1)
                elif self.t.size[symbol]:
                    raise VocabularyError(f"id {symbol} is given to {self.token_bytes(symbol)!r} and to byte "
                                          f"0x{byte:02x}; ids must be unique")
                else:
                    self.store(symbol, &one, 1)     # the character's token is taken instead
                    self.n_tokens += 1
                self.t.flags[symbol] |= BYTE
        self.spell_bytes()
        self.add_specials(special_tokens)
        symbol = n_ids + 256
        for data in hidden + [tokens[token] for token in apart]:
            self.store(symbol, <const uint8_t*>PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data))
            symbol += 1
        for data in order:
            left = symbols[data[:len(data) - 1]] if len(data) > 2 else self.t.pairs.byte_token[data[0]]
            self.add_pair(left, self.t.pairs.byte_token[data[len(data) - 1]], rank, symbols[data])
            rank += 1
        self.t.n_inner = rank
        if unknown is not None:
            if not (id_of(unknown, "unknown") < n_ids and self.t.size[<uint32_t>unknown]):
                raise VocabularyError(f"the unknown token has id {unknown}, which no token has: name it "
                                      "among the special tokens")
            self.t.unknown = unknown
            self.t.fuse = fuse
        if byte_tokens is not None:
            byte_ids = list(byte_tokens)
            spelled = [None] * 256 + [list(map(byte_ids.__getitem__, data)) for data in hidden]
        else:
            whole = None if unknown is None else [unknown]
            spelled = [[] if 0x80 <= byte < 0xC0 and whole else whole for byte in range(256)]
            spelled += [whole] * len(hidden)
        # Those of unused tokens are known when their merges are.
        self.set_expansions(spelled + [None] * len(apart))
        self.unused = {token: n_ids + 256 + len(hidden) + at for at, token in enumerate(apart)}
        return self

    @staticmethod
    def from_binary(bytes blob, dict special_tokens, str where):
        """Tables of an embedded encoding, as `to_binary` wrote them: ids are ranks.

        Raises:
            FormatError: the data is not such a file, is truncated, or its checksum differs.
        """
        cdef VocabTables self = VocabTables.__new__(VocabTables)
        cdef const uint8_t* p = <const uint8_t*>PyBytes_AS_STRING(blob)
        cdef size_t n = <size_t>PyBytes_GET_SIZE(blob), at, total, i, size
        cdef uint32_t n_ids, n_spelled, bits, odd, left, right, token
        cdef const uint8_t* record
        cdef uint8_t one
        cdef uint8_t* joined
        cdef uint64_t hashes[AHEAD]
        cdef uint64_t keys[AHEAD]
        cdef uint64_t slots[AHEAD]
        cdef uint64_t key
        if n < HEADER + 4 or blob[:8] != MAGIC:
            raise FormatError(f"{where} is not an embedded encoding of bpetok: reinstall the package")
        memcpy(&n_ids, p + 8, 4)
        memcpy(&n_spelled, p + 12, 4)
        memcpy(&bits, p + 16, 4)
        memcpy(&odd, p + 20, 4)
        if (n < HEADER + 6 * <size_t>n_ids + 4
                or zlib.crc32(blob[:n - 4]) != int.from_bytes(blob[n - 4:], "little")):
            raise FormatError(f"{where} is damaged (its checksum differs): reinstall the package")
        # Sizes first: a token is as long as its two parts.
        if n_ids >= MAX_TOKENS:
            raise FormatError(f"{where} is damaged (it claims {n_ids} ids)")
        largest = max(n_ids - 1, max(special_tokens.values(), default=0))
        self.allocate(<uint32_t>(largest + 1), 0, n_ids, 0)
        spelled = []
        at = HEADER + 6 * <size_t>n_ids
        for i in range(n_spelled):
            size = int.from_bytes(blob[at:at + 4], "little")
            if size > n or at + 4 + size > n - 4:
                raise FormatError(f"{where} is damaged (spelled token {i} runs past its end)")
            spelled.append(blob[at + 4:at + 4 + size])
            at += 4 + size
        if not 12 <= bits <= 32 or n - 4 - at != <size_t>1 << (bits - 1):
            raise FormatError(f"{where} is damaged (its table of pairs has the wrong size)")
        pairs_new(&self.t.pairs, <int>bits, odd_at(odd))
        memcpy(self.t.pairs.shifts, p + at, n - 4 - at)
        total = 0
        cdef uint32_t* sizes = <uint32_t*>malloc((n_ids + 1) * sizeof(uint32_t))
        if sizes == NULL:
            raise MemoryError()
        try:
            for token in range(n_ids):
                record = p + HEADER + 6 * <size_t>token
                left = record[0] | (record[1] << 8) | (record[2] << 16)
                right = record[3] | (record[4] << 8) | (record[5] << 16)
                if left != NO_PARTS:
                    if left >= token or right >= token:
                        raise FormatError(f"{where}: token {token} is made of later tokens")
                    sizes[token] = sizes[left] + sizes[right]
                elif right & SPELLED and right != NO_PARTS:
                    sizes[token] = <uint32_t>len(spelled[right ^ SPELLED])
                else:
                    sizes[token] = 1
                total += sizes[token]
        finally:
            free(sizes)
        free(self.t.arena)
        self.arena_capacity = total + 32
        self.t.arena = <uint8_t*>calloc(self.arena_capacity, 1)
        if self.t.arena == NULL:
            raise MemoryError()
        for token in range(n_ids):
            record = p + HEADER + 6 * <size_t>token
            left = record[0] | (record[1] << 8) | (record[2] << 16)
            right = record[3] | (record[4] << 8) | (record[5] << 16)
            if left != NO_PARTS:
                # Join the two parts where the token is to lie.
                joined = self.t.arena + self.arena_size
                copy_short(joined, self.t.arena + self.t.start[left], self.t.size[left])
                copy_short(joined + self.t.size[left], self.t.arena + self.t.start[right], self.t.size[right])
                self.t.start[token] = <uint32_t>self.arena_size
                self.t.size[token] = self.t.size[left] + self.t.size[right]
                self.arena_size += self.t.size[token]
            elif right == NO_PARTS:
                continue
            elif right & SPELLED:
                data = spelled[right ^ SPELLED]
                self.store(token, <const uint8_t*>PyBytes_AS_STRING(data), <size_t>len(data))
            else:
                one = <uint8_t>right
                self.store(token, &one, 1)
        # Then the two hash tables, one after the other and some tokens ahead of themselves, so that the
        # cache lines are under way when they are wanted.
        for token in range(n_ids + AHEAD):
            if token < n_ids and self.t.size[token]:
                hashes[token % AHEAD] = hash_bytes(self.t.arena + self.t.start[token], self.t.size[token])
                BPETOK_PREFETCH(&self.t.tokens[hashes[token % AHEAD] & self.t.token_mask])
            if token + 1 >= AHEAD and token + 1 - AHEAD < n_ids and self.t.size[token + 1 - AHEAD]:
                self.index_token(token + 1 - AHEAD, hashes[(token + 1) % AHEAD])
        for token in range(n_ids + AHEAD):
            if token < n_ids:
                record = p + HEADER + 6 * <size_t>token
                left = record[0] | (record[1] << 8) | (record[2] << 16)
                right = record[3] | (record[4] << 8) | (record[5] << 16)
                if left != NO_PARTS:
                    self.link_pair(left, right, token, token)
                    key = pair_key(&self.t.pairs, left, right)
                    keys[token % AHEAD] = key
                    slots[token % AHEAD] = pair_slot(&self.t.pairs, key)
                    BPETOK_PREFETCH(self.t.pairs.entries + slots[token % AHEAD])
                else:
                    slots[token % AHEAD] = NO_SLOT
            if token + 1 >= AHEAD and token + 1 - AHEAD < n_ids and slots[(token + 1) % AHEAD] != NO_SLOT:
                self.t.pairs.entries[slots[(token + 1) % AHEAD]] = (
                    keys[(token + 1) % AHEAD] << 8 | (token + 1 - AHEAD))
        if n_spelled:
            self.t.part_mark = PART
        if self.spell_bytes():
            self.set_expansions([None] * 256)
        self.add_specials(special_tokens)
        return self

    def to_binary(self):
        """The compact form that `from_binary` reads. Only for tables whose ranks are their ids.

        Layout, little end first: magic, number of ids, number of spelled tokens, bits and multiplier of the
        table of pairs (u32 each); for each id the two ids it is merged from (3 bytes each), or ff ff ff and
        then: a byte value, 800000h + the index of a spelled token (one that no merge builds), or ff ff ff
        for an unused id; the spelled tokens, each its size (u32) and bytes; the shifts of the table of
        pairs (a byte each); the CRC-32 of all before.
        """
        parents = {}
        for rank, left, right, token in self.merges():
            if rank != token or token in parents:
                raise VocabularyError("only a vocabulary whose ids are its ranks has this form")
            parents[token] = left, right
        records, spelled = bytearray(), []
        n_ids = max((token for token in range(self.t.n_ids) if self.t.flags[token] & WHOLE), default=-1) + 1
        for token in range(n_ids):
            if token in parents:
                left, right = parents[token]
                if left >= token or right >= token:
                    raise VocabularyError(f"token {token} is merged from later tokens")
            elif self.t.size[token] == 0:
                left, right = NO_PARTS, NO_PARTS
            elif self.t.size[token] == 1:
                left, right = NO_PARTS, self.token_bytes(token)[0]
            else:
                left, right = NO_PARTS, SPELLED | len(spelled)
                spelled.append(self.token_bytes(token))
            records += left.to_bytes(3, "little") + right.to_bytes(3, "little")
        numbers = n_ids, len(spelled), self.t.pairs.bits, place_of_odd(self.t.pairs.odd)
        body = MAGIC + b"".join(number.to_bytes(4, "little") for number in numbers) + records
        for data in spelled:
            body += len(data).to_bytes(4, "little") + data
        body += self.t.pairs.shifts[:1 << (self.t.pairs.bits - 1)]
        return bytes(body) + zlib.crc32(body).to_bytes(4, "little")

    def order(self, rank):
        """What a merge of this rank is chosen by: the rank, or the first of those that it is tied with."""
        if self.t.tied == NULL:
            return rank
        return self.t.tied[<uint32_t>rank + self.t.n_inner] - self.t.n_inner

    def expand(self, symbol):
        """The ids that a symbol of merging becomes, or None where there are none."""
        cdef uint32_t at, end
        if symbol < self.t.n_ids:
            return [symbol]
        if not self.t.expands:
            return None
        at = self.t.expansion_start[<uint32_t>symbol - self.t.n_ids]
        end = self.t.expansion_start[<uint32_t>symbol - self.t.n_ids + 1]
        if at < end and self.t.expansion[at] == NO_TOKEN:
            return None
        return [self.t.expansion[i] for i in range(at, end)]

    @property
    def n_ids(self):
        """The largest id plus one."""
        return self.t.n_ids

    def token_bytes(self, token):
        """The bytes of an id, or None when the id is not in use."""
        if not 0 <= token < self.t.n_ids or self.t.size[<uint32_t>token] == 0:
            return None
        cdef uint32_t at = <uint32_t>token
        return PyBytes_FromStringAndSize(<const char*>self.t.arena + self.t.start[at], self.t.size[at])

    def token_of(self, bytes data):
        """The id of these bytes, or None."""
        cdef const uint8_t* p = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef size_t n = <size_t>PyBytes_GET_SIZE(data)
        cdef uint32_t token = find_token(&self.t, p, n, hash_bytes(p, n))
        return None if token == NO_TOKEN else token

    def byte_ids(self):
        """What merging starts from: for each of the 256 bytes its id, or `n_ids` plus the byte where the
        vocabulary has no such token (with ranks, a longer token may hold the byte all the same)."""
        cdef int byte
        return [self.t.pairs.byte_token[byte] for byte in range(256)]

    def start(self, bytes data not None):
        """What merging starts from, as (symbol, bytes): the bytes of a piece, or with an alphabet of
        characters
        these, with None where no token has a character."""
        cdef uint32_t symbol, rank
        cdef bint broken
        cdef size_t at
        if not self.t.characters:
            ids = map(self.byte_ids().__getitem__, data)
            return [(symbol, data[at:at + 1]) for at, symbol in enumerate(ids)]
        parts = []
        for char in data.decode("utf-8", "surrogateescape"):
            piece = char.encode("utf-8", "surrogateescape")
            symbol = self.t.pairs.byte_token[<uint8_t>piece[0]]
            broken = False
            for at in range(1, <size_t>len(piece)):
                rank = find_rank(&self.t.pairs, symbol, self.t.pairs.byte_token[<uint8_t>piece[at]])
                if rank == NO_RANK:
                    broken = True
                    break
                symbol = token_of_rank(&self.t.pairs, rank)
            parts.append((None if broken else symbol, piece))
        return parts

    def pair(self, left, right):
        """(rank, id) of the merge of two symbols, or None; not of those that build characters."""
        if not (0 <= left < self.t.n_symbols and 0 <= right < self.t.n_symbols):
            return None
        cdef uint32_t rank = find_rank(&self.t.pairs, left, right)
        if rank == NO_RANK or rank < self.t.n_inner:
            return None
        return rank - self.t.n_inner, token_of_rank(&self.t.pairs, rank)

    def is_whole(self, token):
        """Whether a piece equal to this token is encoded as it without any merging."""
        return 0 <= token < self.t.n_ids and self.t.flags[<uint32_t>token] & WHOLE != 0

    def tokens(self):
        """All tokens but special ones and byte tokens, as a dict of id to bytes in the order of ids."""
        cdef uint32_t token
        return {token: PyBytes_FromStringAndSize(<const char*>self.t.arena + self.t.start[token],
                                                 self.t.size[token])
                for token in range(self.t.n_ids)
                if self.t.size[token] and not self.t.flags[token] & (SPECIAL | BYTE)}

    def merges(self):
        """All merges, as a list of (rank, left id, right id, merged id) in the order of ranks."""
        return list(struct.iter_unpack("4I", self.merge_rows()))

    def merge_rows(self):
        """The same as bytes: four uint32 for each merge."""
        cdef size_t n, i, at = 0
        cdef Merge* found = all_pairs(&self.t.pairs, &n)
        cdef uint32_t* rows
        try:
            while at < n and found[at].rank < self.t.n_inner:
                at += 1
            made = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(16 * (n - at)))
            rows = <uint32_t*>PyBytes_AS_STRING(made)
            for i in range(at, n):
                rows[0] = found[i].rank - self.t.n_inner
                rows[1] = found[i].left
                rows[2] = found[i].right
                rows[3] = token_of_rank(&self.t.pairs, found[i].rank)
                rows += 4
            return made
        finally:
            free(found)
