"""The border between Python and the merge engine: str to ids.

A call leases a workspace, sees its text as UTF-8 (`_text`) in windows of 64 kB, cuts them at special
tokens, has the engine (`_engine`) append the ids of what lies between, and makes a list or fills an array
from them. Errors in code without the GIL are numbers, raised here once.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.set cimport PySet_GET_SIZE
from cpython.tuple cimport PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8, PyUnicode_GET_LENGTH
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memmove

from bpetok._decode cimport join_text, join_tokens
from bpetok._engine cimport (
    BATCH, append_segment, begin_text, complete, encode_piece, encode_pieces, encode_segment, last_cut_of,
    put_special)
from bpetok._ids cimport IdBuffer, make_list, take_buffer
from bpetok._scan cimport Scanner, ScanSpec
from bpetok._specials cimport Specials
from bpetok._text cimport TextView, to_utf8, utf8_bound, view_text
from bpetok._vocab cimport FUSE_NEVER, VocabTables
from bpetok._workspace cimport (
    NO_MEMORY, OK, SLACK, TOO_LONG, Workspace, room_for_ids, workspace_free, workspace_leave, workspace_new,
    workspace_take)

from bpetok._text import as_utf8
from bpetok.errors import EncodeError, TokenError, TokenRangeError, VocabularyError

cdef enum:
    LATER = -2
    RELEASE_GIL = 2048              # code units from which a call lets other threads run
    IDLE_MOST = 64                  # workspaces that a tokenizer keeps between calls
    FIND_MOST = 1 << 20             # characters whose matches may all be in memory, at 14 times their size
    CUT_WITHIN = 1024               # bytes at the end of a window in which a cut is looked for

# Code units of a window. In UTF-8 they stay in the second-level cache from transcoding to merging.
cdef size_t window_units = 1 << 16


def _set_window(size_t units) -> int:
    """Set the code units of a window, for tests; returns what it was."""
    global window_units
    before = window_units
    if units < 1:
        raise ValueError("a window has at least one code unit")
    window_units = units
    return before


cdef const uint8_t* marks(bytes mask) noexcept:
    cdef const uint8_t* none = NULL
    return none if mask is None else <const uint8_t*>PyBytes_AS_STRING(mask)


cdef bint are_whole(list pieces, size_t length):
    """Whether strings have this length together, and none is empty."""
    cdef size_t total = 0
    for piece in pieces:
        if PyUnicode_GET_LENGTH(piece) == 0:
            return False
        total += <size_t>PyUnicode_GET_LENGTH(piece)
    return total == length


cdef inline size_t after(const uint8_t* text, size_t at, size_t chars, bint ascii) noexcept:
    """Where the next characters of valid UTF-8 end."""
    if ascii:
        return at + chars
    while chars:
        at += 1 + (text[at] >= 0xC0) + (text[at] >= 0xE0) + (text[at] >= 0xF0)
        chars -= 1
    return at


cdef class Encoder:
    """Native half of `bpetok.Tokenizer`: encoding and decoding, without policy.

    Immutable after `_attach`; any number of threads may call its methods at once.
    """

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.n_idle):
            workspace_free(self.idle[i])
        free(self.idle)

    def _attach(self, VocabTables tables not None, Scanner scanner, matcher, findall, dict special_tokens,
                *, bytes always=None, preparation=None, decoder=None):
        """Set the vocabulary, the native scanner or a function from str to the spans of its matches, and
        one to the matches alone (or None), and the specials.

        `always` marks those that are found in every text; the others are those that can be rejected.
        `preparation` is called with a text and the marks of allowed specials and gives None, for a text that
        can be encoded as it is, or a list of (id, anything), (-1, text), (-1, pieces) and (-2, text in which
        specials that its method `later` marks are to be found). `decoder` is
        called with ids and `errors` and gives the text."""
        if self.tables is not None:
            raise VocabularyError("a tokenizer is immutable: make a new one")
        self.idle = <Workspace**>calloc(IDLE_MOST, sizeof(void*))
        if self.idle == NULL:
            raise MemoryError()
        self.specials = Specials(special_tokens)
        self.all_marks = b"\1" * self.specials.n or None
        self.always = always
        self.others = None if always is None else bytes([not mark for mark in always])
        self.rejected = marks(self.others)
        self.preparation = preparation
        self.decode_ids = decoder
        self.scanner = scanner
        self.matcher = matcher
        self.findall = findall
        self.tables = tables

    # ---- inside ----

    cdef VocabTables known(self):
        if self.tables is None:
            raise VocabularyError("this tokenizer was never given a vocabulary")
        return self.tables

    cdef Workspace* lease(self) except NULL:
        cdef Workspace* ws
        if self.n_idle:
            self.n_idle -= 1
            ws = self.idle[self.n_idle]
            workspace_take(ws)
        else:
            self.known()
            ws = workspace_new()
            if ws == NULL:
                raise MemoryError()
        ws.n_ids = 0
        ws.n_total = 0
        ws.keep = True
        ws.dropout = 0
        return ws

    cdef void give_back(self, Workspace* ws) noexcept:
        if self.n_idle < IDLE_MOST:
            workspace_leave(ws)
            self.idle[self.n_idle] = ws
            self.n_idle += 1
        else:
            workspace_free(ws)

    cdef int encode_span(self, Workspace* ws, const uint8_t* text, size_t* start, size_t stop, size_t end,
                         const uint8_t* mask) noexcept nogil:
        """Append the ids of text[start:stop]; the specials that `mask` marks are ids of their own (NULL:
        none). One that begins before `stop` may end behind it, and `start` moves to where it ends."""
        cdef const ScanSpec* spec = &self.scanner.spec
        cdef size_t special
        cdef Py_ssize_t which = 0
        cdef int status = OK
        while start[0] < stop and status == OK:
            special = stop
            if mask != NULL:
                special = self.specials.find(text, start[0], stop, end, mask, &which)
            status = append_segment(&self.tables.t, ws, spec, text, start[0], special, text + end)
            if self.tables.t.fuse:
                status = complete(&self.tables.t, ws, spec, text, text + end, status)
            start[0] = special
            if special < stop and status == OK:
                status = put_special(ws, self.specials.entries[which].token)
                start[0] += self.specials.entries[which].size
        return complete(&self.tables.t, ws, spec, text, text + end, status)

    cdef int encode_view(self, Workspace* ws, const TextView* view, const uint8_t* mask, bint reject,
                         Py_ssize_t* rejected) noexcept nogil:
        """Append the ids of a text, window by window. With `reject`, any special token in it ends that.

        A window is encoded up to a cut that no piece spans, whatever follows, and from which on the next
        window begins. A special token that begins before the cut lies in the window entirely. Where a
        window has no such cut, it is made twice as long.
        """
        cdef const uint8_t* text = <const uint8_t*>view.data
        cdef uint8_t* grown
        cdef size_t start = 0, size = 0, taken = 0, units = window_units, cut, least, bound
        cdef size_t passed = 0          # bytes in front of `text`
        cdef size_t longest = self.specials.longest if reject or mask != NULL else 0
        cdef int status
        begin_text(ws)
        if not self.specials.n:
            reject = False
        if view.kind == 0 and view.length <= window_units and mask == NULL:
            # What most short texts are: one window, with no special token to be found.
            if reject and self.specials.find(text, 0, view.length, view.length, NULL, rejected) < view.length:
                return REJECTED     # where some are always found, there is a mask
            return encode_segment(&self.tables.t, ws, &self.scanner.spec, text, 0, view.length)
        while True:
            if view.kind == 0:
                taken = min(view.length, taken + units)
                size = taken
            else:
                if start:
                    size -= start
                    memmove(ws.utf8, ws.utf8 + start, size)
                    start = 0
                bound = size + utf8_bound(view, min(units, view.length - taken))
                if bound > ws.utf8_capacity:
                    grown = <uint8_t*>realloc(ws.utf8, bound)
                    if grown == NULL:
                        return NO_MEMORY
                    ws.utf8 = grown
                    ws.utf8_capacity = bound
                text = ws.utf8
                size += to_utf8(view, &taken, units, ws.utf8 + size)
            cut = size
            if taken < view.length:
                cut = size - min(size - start, longest)
                least = max(start, cut - min(cut, <size_t>CUT_WITHIN))
                cut = last_cut_of(&self.tables.t, ws, &self.scanner.spec, text, least, cut, size)
                if cut == least:
                    units *= 2
                    continue
            if reject and self.specials.find(text, start, cut, size, self.rejected, rejected) < cut:
                return REJECTED
            status = self.encode_span(ws, text, &start, cut, size, mask)
            if status != OK:
                ws.error_at += passed
                return status
            if taken == view.length and start >= size:
                return OK
            if view.kind:
                passed += start
            units = window_units

    cdef int match_text(self, Workspace* ws, const uint8_t* text, size_t end, const uint8_t* mask) except -2:
        """As `encode_span`, with pieces from the `regex` package."""
        cdef size_t start = 0, special
        cdef Py_ssize_t which = 0
        cdef int status
        begin_text(ws)
        while True:
            special = end
            if mask != NULL:
                special = self.specials.find(text, start, end, end, mask, &which)
            status = self.match_segment(ws, text, start, special)
            if status != OK or special == end:
                return status
            status = put_special(ws, self.specials.entries[which].token)
            if status != OK:
                return status
            start = special + self.specials.entries[which].size

    cdef int put_pieces(self, Workspace* ws, list pieces, const uint8_t* text, size_t start, size_t end,
                        bint ascii) except -2:
        """Append the ids of pieces, strings that fill text[start:end]."""
        cdef size_t ends[BATCH]
        cdef size_t count = 0, at = start, piece = start
        cdef int status
        for part in pieces:
            if count == BATCH:
                status = encode_pieces(&self.tables.t, ws, text, piece, ends, count, text + end)
                if status != OK:
                    return status
                piece = at
                count = 0
            at = after(text, at, <size_t>PyUnicode_GET_LENGTH(part), ascii)
            ends[count] = at
            count += 1
        return encode_pieces(&self.tables.t, ws, text, piece, ends, count, text + end)

    cdef int match_segment(self, Workspace* ws, const uint8_t* text, size_t start, size_t end) except -2:
        """As `encode_segment`. Where the matches fill the segment, their lengths say where they are, and
        `findall` gives them in half the time that spans take."""
        cdef str segment = PyUnicode_DecodeUTF8(<const char*>text + start, <Py_ssize_t>(end - start), NULL)
        cdef size_t units = <size_t>len(segment), chars = 0, at = start, piece = start, first, last
        cdef size_t ends[BATCH]
        cdef size_t count = 0
        cdef bint ascii = units == end - start
        cdef int status
        cdef list found
        if self.findall is not None and units <= FIND_MOST:
            found = self.findall(segment)
            if found and are_whole(found, units):
                return self.put_pieces(ws, found, text, start, end, ascii)
        for first, last in self.matcher(segment):
            if count == BATCH or first > chars:
                status = OK
                if count:
                    status = encode_pieces(&self.tables.t, ws, text, piece, ends, count, text + end)
                if status != OK:
                    return status
                piece = at = after(text, at, first - chars, ascii)
                count = 0
            at = after(text, at, last - first, ascii)
            chars = last
            ends[count] = at
            count += 1
        if not count:
            return OK
        return encode_pieces(&self.tables.t, ws, text, piece, ends, count, text + end)

    cdef int fill(self, object text, const uint8_t* mask, bint reject, Workspace* ws) except -1:
        """Encode a str into `ws`. With `reject`, any special token in it is an error."""
        cdef bytes data, later = None
        cdef const uint8_t* base
        cdef Py_ssize_t which = 0
        cdef size_t n
        cdef int status
        if not isinstance(text, str):
            raise TypeError(f"expected a str to encode, got {type(text).__name__}")
        if self.preparation is None:
            return self.fill_text(text, mask, reject, ws)
        if reject and self.specials.n:
            data = as_utf8(text)
            base = <const uint8_t*>PyBytes_AS_STRING(data)
            n = <size_t>PyBytes_GET_SIZE(data)
            if self.specials.find(base, 0, n, n, self.rejected, &which) < n:
                self._reject(self.specials.text(which))
        allowed = None if mask == NULL else <bytes>mask[:self.specials.n]
        parts = self.preparation(text, allowed)
        if parts is None:
            return self.fill_text(text, mask, False, ws)
        for token, part in parts:
            if token >= 0:
                status = put_special(ws, <uint32_t>token)
                if status != OK:
                    self.fail(status, part, False, ws)
            elif token == LATER:
                if later is None:
                    later = self.preparation.later(allowed)
                self.fill_text(part, marks(later), False, ws)
            elif type(part) is not list:
                self.fill_text(part, NULL, False, ws)
            elif part:
                joined = "".join(part)
                data = as_utf8(joined)
                n = <size_t>PyBytes_GET_SIZE(data)
                begin_text(ws)
                status = self.put_pieces(ws, part, <const uint8_t*>PyBytes_AS_STRING(data), 0, n,
                                         n == <size_t>len(joined))
                if status != OK:
                    self.fail(status, data, False, ws)
        return 0

    cdef int fill_text(self, object text, const uint8_t* mask, bint reject, Workspace* ws) except -1:
        """As `fill`, for a text that is prepared, or of a tokenizer that prepares nothing."""
        cdef TextView view
        cdef Py_ssize_t which = 0
        cdef int status
        if self.scanner is None:
            return self.fill_matched(text, mask, reject, ws)
        view_text(text, &view)
        if view.length >= RELEASE_GIL:
            with nogil:
                status = self.encode_view(ws, &view, mask, reject, &which)
        else:
            status = self.encode_view(ws, &view, mask, reject, &which)
        if status == REJECTED:
            self._reject(self.specials.text(which))
        if status != OK:
            self.fail(status, text, reject, ws)
        return 0

    cdef int fill_matched(self, object text, const uint8_t* mask, bint reject, Workspace* ws) except -1:
        """As `fill`, with pieces from the `regex` package."""
        cdef bytes data = as_utf8(text)
        cdef const uint8_t* base = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef size_t n = <size_t>PyBytes_GET_SIZE(data)
        cdef Py_ssize_t which = 0
        if (reject and self.specials.n
                and self.specials.find(base, 0, n, n, self.rejected, &which) < n):
            self._reject(self.specials.text(which))
        status = self.match_text(ws, base, n, mask)
        if status != OK:
            self.fail(status, data, False, ws)
        return 0

    cdef int fail(self, int status, object text, bint reject, Workspace* ws) except -1:
        """Raise what a status says of a str or bytes. A special token that is not allowed comes first,
        wherever in the text it is."""
        cdef bytes data
        cdef const uint8_t* base
        cdef Py_ssize_t which = 0
        cdef size_t n
        if status == NO_MEMORY:
            raise MemoryError()
        data = as_utf8(text)
        n = <size_t>len(data)
        base = <const uint8_t*>PyBytes_AS_STRING(data)
        if reject and self.specials.find(base, 0, n, n, self.rejected, &which) < n:
            self._reject(self.specials.text(which))
        if status == TOO_LONG:
            raise EncodeError("one piece of the text has 4 GiB or more: cut the text, or use a pattern "
                              "that does")
        if self.tables.t.characters:
            char = data[ws.error_at:ws.error_at + 4].decode(errors="replace")[0]
            raise EncodeError(f"character {char!r} (U+{ord(char):04X}) at byte {ws.error_at} of the text is "
                              "not in the vocabulary, which has neither tokens for bytes nor one for what is "
                              "unknown")
        raise EncodeError(f"byte 0x{data[ws.error_at]:02x} at byte {ws.error_at} of the text is not in the "
                          "vocabulary: train or load one with all 256 bytes to encode any text")

    cdef bytes policy(self, object text, object allowed_special, object disallowed_special, bint* reject):
        """What the arguments of `encode` ask: the marks of allowed specials, and whether to reject any."""
        # The usual ones without a detour.
        cdef bint none = type(disallowed_special) is tuple and PyTuple_GET_SIZE(disallowed_special) == 0
        if none or type(disallowed_special) is str and disallowed_special == "all":
            if type(allowed_special) is set and PySet_GET_SIZE(allowed_special) == 0:
                reject[0] = not none
                return self.always
            if type(allowed_special) is str and allowed_special == "all":
                reject[0] = False
                return self.all_marks
        mask, reject[0] = self._policy(text, allowed_special, disallowed_special)
        return mask

    def _policy(self, text, allowed_special, disallowed_special):
        """(marks of the allowed specials or None, whether to reject any); the Python half knows."""
        return None, True

    def _reject(self, str token):
        """Called when a text holds a special token that is not allowed; the Python half raises."""
        raise EncodeError(f"special token {token!r} is not allowed in this text")

    # ---- for the Python half ----

    def _encode(self, text, mask, bint reject=False):
        """Ids of a text as a list; `mask` has one byte per special token, nonzero where it is allowed."""
        cdef Workspace* ws = self.lease()
        try:
            self.fill(text, marks(mask), reject, ws)
            return make_list(ws.ids, ws.n_ids)
        finally:
            self.give_back(ws)

    def _encode_buffer(self, text, allowed_special, disallowed_special):
        """Ids of a text in an object that shows them as a buffer of 32-bit integers."""
        cdef bint reject = False
        cdef bytes mask = self.policy(text, allowed_special, disallowed_special, &reject)
        cdef Workspace* ws = self.lease()
        cdef IdBuffer ids
        try:
            self.fill(text, marks(mask), reject, ws)
            ids = take_buffer(&ws.ids, ws.n_ids)
            if ws.ids == NULL:
                ws.ids_capacity = 0
            return ids
        finally:
            self.give_back(ws)

    def _encode_piece(self, bytes piece not None):
        """Ids of bytes as one piece, without splitting."""
        cdef Workspace* ws = self.lease()
        cdef size_t n = <size_t>PyBytes_GET_SIZE(piece)
        cdef int64_t found
        try:
            if n == 0:
                return []
            if room_for_ids(ws, 2 * n + SLACK) != OK:
                raise MemoryError()
            found = encode_piece(&self.tables.t, ws, <const uint8_t*>PyBytes_AS_STRING(piece), n, ws.ids)
            if found < 0:
                self.fail(<int>-found, piece, False, ws)
            return make_list(ws.ids, <size_t>found)
        finally:
            self.give_back(ws)

    def _special_at(self, bytes text not None, size_t pos, mask):
        """(start, end, text) of the first special token at or after `pos`, or None."""
        cdef Py_ssize_t which = 0
        cdef size_t n = <size_t>PyBytes_GET_SIZE(text)
        cdef size_t at = self.specials.find(
            <const uint8_t*>PyBytes_AS_STRING(text), pos, n, n, marks(mask), &which)
        if at == n:
            return None
        return at, at + self.specials.entries[which].size, self.specials.entries[which].token

    # ---- public ----

    @cython.binding(True)       # so that its signature can have a set for a default
    def encode(self, text, *, allowed_special=set(), disallowed_special="all"):
        """Encode a text, with a policy for text that looks like a special token.

        Args:
            text: a str; surrogates are treated as by `encode_ordinary`.
            allowed_special: special tokens that become ids of their own, or "all" of them.
            disallowed_special: texts that must not occur, or "all" special tokens that are not allowed.
                Pass () to have the text of special tokens encoded as ordinary text.

        Raises:
            DisallowedSpecialError: a disallowed special token is in the text (a `ValueError`).
            EncodeError: a byte of the text is not in the vocabulary.
            TypeError: an argument is of another type.
        """
        cdef bint reject = False
        cdef bytes mask = self.policy(text, allowed_special, disallowed_special, &reject)
        cdef Workspace* ws = self.lease()
        try:
            self.fill(text, marks(mask), reject, ws)
            return make_list(ws.ids, ws.n_ids)
        finally:
            self.give_back(ws)

    def encode_ordinary(self, text):
        """Encode a text, taking the text of special tokens as ordinary text.

        Args:
            text: a str. Surrogates are treated as tiktoken does: a pair becomes its character, a lone
                one U+FFFD.

        Returns:
            A list of ids. Time is O(n log n) in the length of the longest piece, linear otherwise.

        Raises:
            TypeError: `text` is not a str.
            EncodeError: a byte of the text is not in the vocabulary.
        """
        cdef Workspace* ws = self.lease()
        try:
            self.fill(text, marks(self.always), False, ws)
            return make_list(ws.ids, ws.n_ids)
        finally:
            self.give_back(ws)

    @cython.binding(True)
    def encode_dropout(self, text, double dropout, uint64_t seed=0, *, allowed_special=set(),
                       disallowed_special="all"):
        """As `encode`, with merges left out at random: BPE-dropout, by the rule of `tokenizers`.

        The merges of a piece are taken in their order, and each one that comes up is dropped with this
        probability; once one is made, all that were dropped may come up again. Tokens that are only found
        whole
        are not looked for, unless `dropout` is 0, and merges are those of `Vocabulary.merges`, also where
        ids are
        ranks. With 1, what comes out is what merging starts from. Nothing of it is remembered.

        Args:
            text: a str.
            dropout: from 0, which is `encode`, to 1.
            seed: which of the outcomes, from 0 to 2**64 - 1: the same one for the same text and vocabulary,
                whatever
                the machine. Numbers are drawn by splitmix64, piece by piece.
            allowed_special: as for `encode`.
            disallowed_special: as for `encode`.

        Raises:
            ValueError: `dropout` is not from 0 to 1; and as `encode`.
        """
        cdef bint reject = False
        cdef bytes mask = self.policy(text, allowed_special, disallowed_special, &reject)
        cdef Workspace* ws
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is a probability, from 0 to 1, not {dropout}")
        ws = self.lease()
        ws.dropout = <uint64_t>(dropout * 9007199254740992.0)      # of 2^53
        ws.random = seed
        try:
            self.fill(text, marks(mask), reject, ws)
            return make_list(ws.ids, ws.n_ids)
        finally:
            self.give_back(ws)

    @cython.binding(True)
    def count(self, text, *, allowed_special=set(), disallowed_special="all"):
        """Number of tokens that `encode` would give; none is kept."""
        cdef bint reject = False
        cdef bytes mask = self.policy(text, allowed_special, disallowed_special, &reject)
        cdef Workspace* ws = self.lease()
        ws.keep = self.tables.t.fuse != FUSE_NEVER
        try:
            self.fill(text, marks(mask), reject, ws)
            return ws.n_total + ws.n_ids
        finally:
            self.give_back(ws)

    def decode(self, tokens, errors="replace"):
        """The text that ids stand for.

        Args:
            tokens: a sequence of ids.
            errors: what to do where the bytes are not valid UTF-8, as for `bytes.decode`. The default
                loses such bytes; "strict" raises `UnicodeDecodeError`.

        Raises:
            TokenError: an id is not in the vocabulary (a `KeyError`).
        """
        if self.decode_ids is not None:
            return self.decode_ids(tokens, errors)
        if errors == "replace":
            return join_text(self.known(), tokens)
        return join_tokens(self.known(), tokens).decode("utf-8", errors=errors)

    def decode_bytes(self, tokens):
        """The bytes that ids stand for, joined.

        Args:
            tokens: a sequence of ids, special ones included: a list, a numpy array, anything iterable.

        Raises:
            TokenError: an id is not in the vocabulary (a `KeyError`).
            TokenRangeError: an id is negative or does not fit 32 bits (an `OverflowError` too).
            TypeError: not a sequence of integers.
        """
        return join_tokens(self.known(), tokens)

    def decode_single_token_bytes(self, token):
        """The bytes of one id, special ones included.

        Raises:
            TokenError: the id is not in the vocabulary (a `KeyError`).
            TokenRangeError: it is negative or does not fit 32 bits (an `OverflowError` too).
        """
        if isinstance(token, float) or not hasattr(token, "__index__"):
            raise TypeError(f"a token id must be an integer, got {token!r}")
        number = token.__index__()
        if not 0 <= number <= 0xFFFFFFFF:
            raise TokenRangeError(f"token id {number} is out of range: ids are 0 to "
                                  f"{self.tables.t.n_ids - 1} in this vocabulary")
        data = self.tables.token_bytes(number)
        if data is None:
            raise TokenError(str(number))
        return data
