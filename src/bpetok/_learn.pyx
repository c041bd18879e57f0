"""Learning: the loop that joins the most frequent pair of neighbouring tokens, again and again.

`MergeLearner` takes the pieces of a counting table (`_count`) and makes merges from them. What comes out does
not depend on the order in which pieces were counted. `bpetok.reference.train` is the slow specification;
`docs/training.md` says how ties are broken.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from bpetok._count cimport CODE_POINTS, COUNT_OVERFLOW, NO_MEMORY, OK, PieceCounts
from bpetok._paircounts cimport (
    NO_KEY, PairCounts, PairEntry, home_of, insert, left_of, pair_key, pairs_free, pairs_new, right_of,
    slot_of)
from bpetok._postings cimport Postings, free_postings, give_back, room_for, whole_room
from bpetok._words cimport (
    CLASS_SLOTS, INSIDE, MAX_POSITIONS, SEPARATOR, TOO_MANY_POSITIONS, BytePair, Words, place_in_order,
    place_words, words_free)

from bpetok.errors import TrainingError

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define bpetok_prefetch(address) __builtin_prefetch(address)
    #else
    #define bpetok_prefetch(address) ((void)(address))
    #endif
    """
    void prefetch "bpetok_prefetch"(const void* address) noexcept nogil

cdef enum:
    TOO_MANY_IDS = -4           # beside the codes of `_count` and `_words`
    AHEAD = 16                  # what is prefetched: so many steps before its turn
    USUAL_COUNTS = 1 << 12      # pairs of smaller counts wait in buckets
    NOTHING = 0xFFFFFFFF

# Kinds of characters; any other number is a kind, too.
cdef enum:
    KIND_ANY = 0                # stands beside each kind
    KIND_FIRST = 0xFFFE         # is not added to what is before it
    KIND_ALONE = 0xFFFF         # is joined to nothing

ANY = KIND_ANY
FIRST = KIND_FIRST
ALONE = KIND_ALONE

# The count of a pair never rises after the step it first occurs in: only a step that makes a token makes
# pairs of that token, and no two steps make the same token (equal bytes between token borders have been cut
# equally all along). So pairs that occur less often than a threshold need not be kept while the most
# frequent one is at or above it. When none is, the threshold is lowered and the pairs counted afresh.

# A pair in the queue, which its count, as it was when queued, decides the place of; it may have fallen since.
cdef struct Candidate:
    uint64_t count
    uint64_t key

# One in a bucket, all of which have the same count.
cdef struct Waiting:
    uint64_t key
    uint32_t next               # index, or NOTHING

# What joining a pair did on one side, per neighbouring token.
cdef struct Neighbour:
    uint64_t weight
    uint32_t n
    uint32_t entry              # 1 + index into `born`, or 0

cdef struct Born:
    uint32_t* postings
    uint64_t n

# The entries of the pairs as long as all tokens are single bytes.
cdef struct BytePairs:
    PairEntry* entries[65536]      # by the two bytes; NULL: not looked up yet
    uint8_t* byte_of                # by id

cdef struct Token:
    uint64_t prefix             # the first eight bytes, big end first, zeros behind
    uint64_t start              # of its bytes in `spelled`
    uint32_t length

# What decides whether two tokens may be joined.
cdef struct Shape:
    uint32_t size               # in bytes, or in characters
    uint32_t kind


cdef inline bint go_together(uint32_t left, uint32_t right) noexcept nogil:
    """Whether tokens of these kinds may be joined."""
    return (left != KIND_ALONE and right < KIND_FIRST
            and (left == right or left == KIND_ANY or left == KIND_FIRST or right == KIND_ANY))


cdef inline uint32_t joined_kind(uint32_t left, uint32_t right) noexcept nogil:
    """The kind of two tokens together."""
    return left if right == KIND_ANY and left != KIND_FIRST else right


@cython.final
cdef class MergeLearner:
    """Learns merges from counted pieces, some at a time. One thread at a time may use a learner.

    Args:
        counts: the pieces; not changed, and not needed after construction.
        byte_ids: the ids of the 256 single bytes; or of none, with characters.
        next_id: the id of the first new token; the next one gets the following id.
        new_tokens: how many new ids may be given.
        reserved: tokens of two bytes and more that have an id already: a merge that makes one of them takes
            that id.
        ties_by_bytes: among equally frequent pairs take the first by (left bytes, right bytes); if
            false, by (left id, right id).
        order: all pieces, in the order in which the corpus first has them. Given that, take of equally
            frequent pairs the one that comes first in the pieces so ordered, whatever `ties_by_bytes`.
        min_frequency: the least count of a pair that may merge; 0 is taken for 1.
        max_token_length: the most bytes of a token, or characters where pieces begin as these; 0 for any
            number.
        shared: pairs chosen elsewhere will be joined too, by `apply`, so that each is kept, however rare.
        characters: pieces begin as these, with their ids and kinds, and not as single bytes; what is no such
            character stays between tokens. Tokens of two kinds are not joined, unless one of them is ANY; a
            FIRST one only on the left, where it takes any kind; an ALONE one never.
        taken: tokens that no merge may make.

    Raises:
        ValueError: the ids of bytes, characters and reserved tokens are not all distinct and below next_id,
            or `shared` and `order` are given together.
        TrainingError: the pieces take more than 2**32 slots, the counts of all pairs together would exceed
            2**63 - 1, or ids would exceed 32 bits.
    """

    cdef Words words
    cdef Token* tokens              # by id
    cdef Shape* shapes              # by id
    cdef uint8_t* spelled           # the bytes of all tokens
    cdef uint64_t spelled_size
    cdef uint64_t spelled_room
    cdef uint32_t next_id
    cdef readonly uint64_t new_tokens   # ids still to give
    cdef bint ties_by_bytes
    cdef bint ties_by_place
    cdef uint64_t min_frequency
    cdef uint64_t max_length

    cdef bytes reserved_bytes       # the reserved tokens, joined
    cdef const uint8_t* reserved
    cdef uint64_t n_reserved
    cdef uint64_t* reserved_ends
    cdef uint32_t* reserved_ids

    cdef PairCounts pairs
    cdef Postings postings

    cdef Candidate* queue           # a heap with four children a node, the best first: of `front` and more
    cdef uint64_t queued
    cdef uint64_t queue_room
    cdef uint64_t front
    cdef uint32_t* buckets          # by count, below `front`: the first that waits, or NOTHING
    cdef Waiting* waiting
    cdef uint32_t n_waiting
    cdef uint32_t waiting_room
    cdef uint32_t not_waiting       # the first that can be used again, or NOTHING
    cdef uint64_t threshold
    cdef uint64_t milestone         # the number of merges at which to look at the threshold again
    cdef uint64_t milestone_count   # the count of the best pair at half that number

    cdef Neighbour* left_side       # by id, all zero between steps
    cdef Neighbour* right_side
    cdef uint32_t* left_touched
    cdef uint32_t* right_touched
    cdef Born* born
    cdef uint64_t born_room

    cdef uint64_t capacity          # merges there is room for
    cdef readonly uint64_t n_merges
    cdef uint32_t* merge_pairs
    cdef uint32_t* merge_ids
    cdef uint64_t* merge_counts
    cdef bint exhausted             # no pair is left that may merge
    cdef object taken               # a set of the tokens that no merge may make, or None
    cdef int failed                 # the code of the step that failed: its traces are still there
    cdef readonly bint passed_over  # a frequent pair's token would have been too long
    cdef readonly uint64_t rebuilds
    cdef bint shared

    def __init__(self, PieceCounts counts not None, *, byte_ids, uint32_t next_id, uint64_t new_tokens,
                 dict reserved, bint ties_by_bytes, uint64_t min_frequency, uint64_t max_token_length=0,
                 bint shared=False, list order=None, dict characters=None, taken=()):
        cdef uint64_t i, end = 0
        if self.reserved_ends != NULL:
            raise RuntimeError("a MergeLearner is initialised once")
        if shared and order is not None:
            raise ValueError("a shared learner does not go by the order of the pieces")
        if characters is not None:
            byte_ids = [token for token, _ in characters.values()]
        elif len(byte_ids) != 256:
            raise ValueError(f"there are 256 bytes, and not {len(byte_ids)}")
        given = {*byte_ids, *reserved.values()}
        if len(given) != len(byte_ids) + len(reserved) or max(given, default=-1) >= next_id:
            raise ValueError(f"the ids of bytes, characters and reserved tokens must be distinct and below "
                             f"{next_id}")
        self.next_id = next_id
        self.new_tokens = new_tokens
        self.shared = shared
        self.ties_by_bytes = ties_by_bytes
        self.milestone = 512
        self.min_frequency = min_frequency if min_frequency else 1
        self.max_length = max_token_length if max_token_length else MAX_POSITIONS
        self.n_reserved = <uint64_t>len(reserved)
        self.reserved_bytes = b"".join(reserved)
        self.reserved = <const uint8_t*>PyBytes_AS_STRING(self.reserved_bytes)
        self.reserved_ends = <uint64_t*>malloc(self.n_reserved * 8 + 1)
        self.reserved_ids = <uint32_t*>malloc(self.n_reserved * 4 + 1)
        if self.reserved_ends == NULL or self.reserved_ids == NULL:
            raise MemoryError()
        for i, (token, token_id) in enumerate(reserved.items()):
            end += <uint64_t>len(token)
            self.reserved_ends[i] = end
            self.reserved_ids[i] = token_id
        self.threshold = 0xFFFFFFFFFFFFFFFFULL      # no pair is kept yet
        if taken:
            self.taken = frozenset(taken)
        if characters is None:
            for i in range(256):
                self.words.byte_ids[i] = byte_ids[i]
        else:
            self.words.points = <uint32_t*>calloc(CODE_POINTS + 1, 4)
            if self.words.points == NULL:
                raise MemoryError()
            for char, (token_id, _) in characters.items():
                self.words.points[<uint32_t>ord(char)] = <uint32_t>token_id + 1
        if order is not None:
            self.ties_by_place = True
            self.failed = place_in_order(&self.words, counts, order)
        else:
            with nogil:
                self.failed = place_words(&self.words, counts)
        if self.failed == OK:
            self.failed = self.allocate()
        self.check()
        if characters is None:
            for i in range(256):
                self.describe(self.words.byte_ids[i], bytes([i]), KIND_ANY)
        else:
            for char, (token_id, kind) in characters.items():
                self.describe(token_id, char.encode(), kind)
        if shared:
            with nogil:
                self.failed = self.rebuild()
            self.check()

    def __dealloc__(self):
        words_free(&self.words)
        pairs_free(&self.pairs)
        free_postings(&self.postings)
        free(self.tokens)
        free(self.shapes)
        free(self.spelled)
        free(self.reserved_ends)
        free(self.reserved_ids)
        free(self.queue)
        free(self.buckets)
        free(self.waiting)
        free(self.left_side)
        free(self.right_side)
        free(self.left_touched)
        free(self.right_touched)
        free(self.born)
        free(self.merge_pairs)
        free(self.merge_ids)
        free(self.merge_counts)

    cdef int check(self) except -1:
        """Raise what the code of a failure stands for."""
        if self.failed == NO_MEMORY:
            raise MemoryError()
        if self.failed == COUNT_OVERFLOW:
            raise TrainingError("the counts of all pairs together exceed 2**63 - 1: divide the counts of the "
                                "pieces by a common factor, which changes no merge")
        if self.failed == TOO_MANY_IDS:
            raise TrainingError("the new ids would exceed 32 bits: ask for fewer tokens")
        if self.failed == TOO_MANY_POSITIONS:
            raise TrainingError("the distinct pieces have more than 2**32 bytes together: leave out pieces "
                                "seen once (they are most of them), or cut texts into shorter pieces with "
                                "another pattern")
        return 0

    # -- building ----------------------------------------------------------------------------------

    cdef int allocate(self) noexcept nogil:
        """Room for what learning from the words needs."""
        cdef uint64_t n_ids
        # A merge shortens at least one word by one symbol, so no more merges than that can come.
        self.capacity = min(min(self.new_tokens, self.words.n_pairs) + self.n_reserved, self.words.n_pairs)
        if self.shared:                             # but ids are given to tokens that do not occur here
            self.capacity = min(self.new_tokens, <uint64_t>MAX_POSITIONS) + self.n_reserved
        n_ids = self.next_id + self.capacity
        if n_ids > MAX_POSITIONS:
            return TOO_MANY_IDS
        self.tokens = <Token*>calloc(n_ids, sizeof(Token))
        self.shapes = <Shape*>calloc(n_ids, sizeof(Shape))
        self.left_side = <Neighbour*>calloc(n_ids, sizeof(Neighbour))
        self.right_side = <Neighbour*>calloc(n_ids, sizeof(Neighbour))
        self.left_touched = <uint32_t*>malloc(n_ids * 4)
        self.right_touched = <uint32_t*>malloc(n_ids * 4)
        self.merge_pairs = <uint32_t*>malloc(self.capacity * 8 + 1)
        self.merge_ids = <uint32_t*>malloc(self.capacity * 4 + 1)
        self.merge_counts = <uint64_t*>malloc(self.capacity * 8 + 1)
        self.buckets = <uint32_t*>malloc(USUAL_COUNTS * 4)
        if (self.tokens == NULL or self.shapes == NULL or self.left_side == NULL or self.right_side == NULL
                or self.left_touched == NULL or self.right_touched == NULL or self.merge_pairs == NULL
                or self.merge_ids == NULL or self.merge_counts == NULL or self.buckets == NULL):
            return NO_MEMORY
        return OK

    cdef int rebuild(self) noexcept nogil:
        """Count all pairs of the words, and keep those at or above the threshold."""
        cdef BytePairs* by_bytes = NULL
        cdef int failed
        free_postings(&self.postings)
        pairs_free(&self.pairs)
        self.empty_queue()
        self.passed_over = False
        if self.words.byte_pairs != NULL:
            by_bytes = <BytePairs*>calloc(1, sizeof(BytePairs) + self.next_id)
            failed = NO_MEMORY if by_bytes == NULL else self.take_pairs()
        else:
            failed = self.count_pairs()
        if failed == OK:
            failed = self.keep_pairs()
        if failed == OK:
            self.post_pairs(by_bytes)
        free(by_bytes)
        free(self.words.byte_pairs)
        self.words.byte_pairs = NULL
        return failed

    cdef int take_pairs(self) noexcept nogil:
        """The pairs of bytes that the words begin with: they are counted already."""
        cdef const BytePair* pair
        cdef PairEntry* entry
        cdef uint64_t i, key, n = 0
        for i in range(1 << 16):
            n += self.words.byte_pairs[i].n > 0
        if not pairs_new(&self.pairs, n):
            return NO_MEMORY
        for i in range(1 << 16):
            pair = &self.words.byte_pairs[i]
            if pair.n:
                key = pair_key(self.words.byte_ids[i >> 8], self.words.byte_ids[i & 0xFF])
                entry = insert(&self.pairs, slot_of(&self.pairs, key), key)     # there is room
                entry.count = pair.count
                entry.n_postings = pair.n
                entry.first = pair.first
        return OK

    cdef int count_pairs(self) noexcept nogil:
        cdef uint64_t p = 0, next_p
        cdef uint32_t* symbols = self.words.symbols
        cdef PairEntry* entry
        if not pairs_new(&self.pairs, 1 << 16):
            return NO_MEMORY
        while p < self.words.n_positions:
            if symbols[p] == SEPARATOR:
                p += 1
                continue
            next_p = p + self.tokens[symbols[p]].length
            if symbols[next_p] != SEPARATOR:
                entry = slot_of(&self.pairs, pair_key(symbols[p], symbols[next_p]))
                if entry.key == NO_KEY:
                    entry = insert(&self.pairs, entry, pair_key(symbols[p], symbols[next_p]))
                    if entry == NULL:
                        return NO_MEMORY
                    entry.first = <uint32_t>p
                entry.count += self.words.weights[p // CLASS_SLOTS]
                entry.n_postings += 1
            p = next_p
        return OK

    cdef int keep_pairs(self) noexcept nogil:
        """Set the threshold, and move the pairs that may be wanted to a table of their own."""
        cdef uint64_t i, kept = 0, postings = 0, best = 0
        cdef PairCounts old = self.pairs
        cdef PairEntry* each
        cdef PairEntry* entry
        cdef uint32_t* place
        cdef int failed = NO_MEMORY
        for i in range(old.n_slots):
            each = &old.entries[i]
            if each.key != NO_KEY and each.count > best and self.allowed(each.key):
                best = each.count
        self.set_threshold(best)
        for i in range(old.n_slots):
            each = &old.entries[i]
            if each.key != NO_KEY and self.wanted(each.key, each.count):
                kept += 1
                postings += whole_room(each.n_postings)
        if pairs_new(&self.pairs, kept * 2):
            place = room_for(&self.postings, postings)
            if place != NULL:
                failed = OK
        for i in range(old.n_slots if failed == OK else 0):
            each = &old.entries[i]
            if each.key != NO_KEY and self.wanted(each.key, each.count):
                entry = insert(&self.pairs, slot_of(&self.pairs, each.key), each.key)   # there is room
                entry.count = each.count
                entry.first = each.first
                entry.postings = place
                place += whole_room(each.n_postings)
                failed = self.wait(each.count, each.key)
                if failed:
                    break
        pairs_free(&old)
        return failed

    cdef void post_pairs(self, BytePairs* by_bytes) noexcept nogil:
        """Note where the pairs are that were kept. As long as all tokens are single bytes, the entry of a
        pair is looked up once and noted by its bytes."""
        cdef uint64_t p = 0, next_p, i
        cdef uint32_t left, right
        cdef const uint32_t* symbols = self.words.symbols
        cdef PairEntry* entry
        if by_bytes != NULL:
            by_bytes.byte_of = <uint8_t*>(by_bytes + 1)
            for i in range(256):
                by_bytes.byte_of[self.words.byte_ids[i]] = <uint8_t>i
        while p < self.words.n_positions:
            left = symbols[p]
            if left == SEPARATOR:
                p += 1
                continue
            next_p = p + (1 if by_bytes != NULL else self.tokens[left].length)
            right = symbols[next_p]
            if right != SEPARATOR:
                if by_bytes == NULL:
                    entry = slot_of(&self.pairs, pair_key(left, right))
                else:
                    i = <uint64_t>by_bytes.byte_of[left] << 8 | by_bytes.byte_of[right]
                    entry = by_bytes.entries[i]
                    if entry == NULL:
                        entry = by_bytes.entries[i] = slot_of(&self.pairs, pair_key(left, right))
                if entry.key != NO_KEY:
                    entry.postings[entry.n_postings] = <uint32_t>p
                    entry.n_postings += 1
            p = next_p

    cdef void set_threshold(self, uint64_t best) noexcept nogil:
        """A threshold for now, from the count of the best pair."""
        cdef uint64_t remaining = self.capacity - self.n_merges
        cdef uint64_t guess = best // (4 * remaining) if remaining else best
        if self.rebuilds:
            guess = min(guess, self.threshold // 4)
        self.rebuilds += 1
        self.threshold = 1 if self.shared else max(guess, self.min_frequency)

    cdef inline bint allowed(self, uint64_t key) noexcept nogil:
        """Whether a pair makes a token that is short enough, of kinds that go together."""
        cdef const Shape* left = &self.shapes[left_of(key)]
        cdef const Shape* right = &self.shapes[right_of(key)]
        return <uint64_t>left.size + right.size <= self.max_length and go_together(left.kind, right.kind)

    cdef inline bint wanted(self, uint64_t key, uint64_t count) noexcept nogil:
        if count < self.threshold:
            return False
        if self.allowed(key):
            return True
        self.passed_over = True
        return False

    # -- the queue ---------------------------------------------------------------------------------

    cdef inline bint better(self, const Candidate* one, const Candidate* other) noexcept nogil:
        cdef int order
        if one.count != other.count:
            return one.count > other.count
        if self.ties_by_place:
            return slot_of(&self.pairs, one.key).first < slot_of(&self.pairs, other.key).first
        if not self.ties_by_bytes:
            return one.key < other.key
        order = self.compare(left_of(one.key), left_of(other.key))
        if order == 0:
            order = self.compare(right_of(one.key), right_of(other.key))
        return order < 0

    cdef inline int compare(self, uint32_t left, uint32_t right) noexcept nogil:
        """Order of the bytes of two tokens."""
        cdef const Token* a = &self.tokens[left]
        cdef const Token* b = &self.tokens[right]
        cdef int order = 0
        if left == right:
            return 0
        if a.prefix != b.prefix:
            return -1 if a.prefix < b.prefix else 1
        if a.length > 8 and b.length > 8:
            order = memcmp(self.spelled + a.start, self.spelled + b.start, min(a.length, b.length))
        return order if order else (a.length > b.length) - (a.length < b.length)

    cdef void empty_queue(self) noexcept nogil:
        self.queued = 0
        self.front = USUAL_COUNTS
        memset(self.buckets, 0xFF, USUAL_COUNTS * 4)
        self.n_waiting = 0
        self.not_waiting = NOTHING

    cdef int wait(self, uint64_t count, uint64_t key) noexcept nogil:
        """Queue a pair."""
        cdef Waiting* waiting
        cdef uint32_t at = self.not_waiting, room
        if count >= self.front:
            return self.push(count, key)
        if at != NOTHING:
            self.not_waiting = self.waiting[at].next
        else:
            at = self.n_waiting
            if at == self.waiting_room:
                if at >= NOTHING // 2:
                    return NO_MEMORY
                room = at * 2 if at else 1 << 12
                waiting = <Waiting*>realloc(self.waiting, room * sizeof(Waiting))
                if waiting == NULL:
                    return NO_MEMORY
                self.waiting = waiting
                self.waiting_room = room
            self.n_waiting += 1
        self.waiting[at].key = key
        self.waiting[at].next = self.buckets[count]
        self.buckets[count] = at
        return OK

    cdef int find_top(self) noexcept nogil:
        """Bring the best pair to the top of the heap, with the count of its entry; the heap is empty when
        none is at or above the threshold."""
        cdef Candidate top
        cdef PairEntry* entry
        cdef Waiting* each
        cdef uint32_t at, following
        cdef int failed
        while True:
            if self.queued:
                top = self.queue[0]
                entry = slot_of(&self.pairs, top.key)
                if entry.count == top.count >= self.threshold:
                    return OK
                self.drop_top()
                failed = self.requeue(entry)
                if failed:
                    return failed
                continue
            if self.front <= self.threshold:
                return OK
            self.front -= 1
            at = self.buckets[self.front]
            while at != NOTHING:
                each = &self.waiting[at]
                following = each.next
                each.next = self.not_waiting
                self.not_waiting = at
                failed = self.requeue(slot_of(&self.pairs, each.key))
                if failed:
                    return failed
                at = following

    cdef inline int requeue(self, PairEntry* entry) noexcept nogil:
        """Queue a pair again by its count, unless that has fallen below the threshold."""
        if entry.count >= self.threshold:
            return self.wait(entry.count, entry.key)
        give_back(&self.postings, entry.postings, entry.n_postings)
        entry.count = 0
        entry.postings = NULL
        entry.n_postings = 0
        return OK

    cdef int push(self, uint64_t count, uint64_t key) noexcept nogil:
        cdef Candidate new
        cdef Candidate* queue
        cdef uint64_t at = self.queued, parent, room
        if self.queued == self.queue_room:
            room = self.queue_room * 2 if self.queue_room else 1 << 12
            queue = <Candidate*>realloc(self.queue, room * sizeof(Candidate))
            if queue == NULL:
                return NO_MEMORY
            self.queue = queue
            self.queue_room = room
        self.queued += 1
        new.count = count
        new.key = key
        while at > 0:
            parent = (at - 1) >> 2
            if not self.better(&new, &self.queue[parent]):
                break
            self.queue[at] = self.queue[parent]
            at = parent
        self.queue[at] = new
        return OK

    cdef void sink(self, Candidate moved) noexcept nogil:
        """Put a candidate in the place of the top, and restore the heap."""
        cdef uint64_t at = 0, child, best, last
        while True:
            child = 4 * at + 1
            if child >= self.queued:
                break
            last = min(child + 4, self.queued)
            best = child
            child += 1
            while child < last:
                if self.better(&self.queue[child], &self.queue[best]):
                    best = child
                child += 1
            if not self.better(&self.queue[best], &moved):
                break
            self.queue[at] = self.queue[best]
            at = best
        self.queue[at] = moved

    cdef void drop_top(self) noexcept nogil:
        self.queued -= 1
        if self.queued:
            self.sink(self.queue[self.queued])

    # -- a step ------------------------------------------------------------------------------------

    cdef int steps(self, uint64_t limit) noexcept nogil:
        """Make up to `limit` merges."""
        cdef Candidate top
        cdef PairEntry* entry
        cdef int failed
        while limit and self.new_tokens and self.n_merges < self.capacity:
            failed = self.find_top()
            if failed:
                return failed
            if self.queued == 0:
                if self.threshold <= self.min_frequency:
                    break
                failed = self.rebuild()
                if failed:
                    return failed
                continue
            top = self.queue[0]
            entry = slot_of(&self.pairs, top.key)
            if self.ties_by_place and self.moved(entry):
                self.sink(top)
                continue
            self.drop_top()
            if self.is_taken(entry):
                continue
            failed = self.join(entry)
            if failed:
                return failed
            limit -= 1
            if self.n_merges == self.milestone:
                self.look_ahead(top.count)
        self.exhausted = limit > 0 and self.new_tokens > 0
        return OK

    cdef bint moved(self, PairEntry* entry) noexcept nogil:
        """Whether the first place of a pair is another than when it was queued; from now on it is that. Like
        counts, first places only ever get worse."""
        cdef uint32_t a = left_of(entry.key), b = right_of(entry.key), before = entry.first
        cdef uint32_t* posting = entry.postings
        cdef const uint32_t* symbols = self.words.symbols
        while symbols[posting[0]] != a or symbols[posting[0] + self.tokens[a].length] != b:
            posting += 1
        entry.first = posting[0]
        return entry.first != before

    cdef bint is_taken(self, const PairEntry* entry) noexcept nogil:
        """Whether the token that a pair makes is there already."""
        if self.taken is None:
            return False
        with gil:
            return self.bytes_of(left_of(entry.key)) + self.bytes_of(right_of(entry.key)) in self.taken

    cdef void look_ahead(self, uint64_t count) noexcept nogil:
        """Raise the threshold to a safe part of the count that the last merge will have.

        Whenever the number of merges doubles, counts fall by a factor that is itself a little smaller than
        the one before: by 0.03 to 0.08 of it in all corpora tried. A threshold too high costs a rebuild,
        one too low some memory.
        """
        cdef double expected = <double>count, factor
        cdef uint64_t merges = self.n_merges
        if self.milestone_count:
            factor = <double>count / <double>self.milestone_count
            while merges < self.capacity:
                factor *= 0.92
                expected *= factor
                merges *= 2
            if <uint64_t>(expected * 0.7) > self.threshold:
                self.threshold = <uint64_t>(expected * 0.7)
        self.milestone_count = count
        self.milestone *= 2

    cdef int join(self, PairEntry* entry) noexcept nogil:
        """Join a pair wherever it occurs, and bring the counts of its neighbours' pairs up to date."""
        cdef uint32_t a = left_of(entry.key), b = right_of(entry.key)
        cdef uint32_t la = self.tokens[a].length, lb = self.tokens[b].length
        cdef uint32_t* postings = entry.postings
        cdef uint64_t n = entry.n_postings, i, live = 0, n_left = 0, n_right = 0, weight, n_born
        cdef uint32_t p, x, y, made
        cdef uint32_t* symbols = self.words.symbols
        cdef const uint64_t* weights = self.words.weights
        cdef Neighbour* left_side = self.left_side
        cdef Neighbour* right_side = self.right_side
        cdef int failed
        self.merge_pairs[2 * self.n_merges] = a
        self.merge_pairs[2 * self.n_merges + 1] = b
        self.merge_counts[self.n_merges] = entry.count
        entry.count = 0
        entry.postings = NULL
        entry.n_postings = 0
        if self.token_for(entry.key, &made) != OK:
            return NO_MEMORY
        self.merge_ids[self.n_merges] = made
        self.n_merges += 1

        for i in range(min(n, <uint64_t>AHEAD)):
            prefetch(&symbols[postings[i]])
        for i in range(n):
            if i + AHEAD < n:
                prefetch(&symbols[postings[i + AHEAD]])
            p = postings[i]
            if symbols[p] != a or symbols[p + la] != b:
                continue
            postings[live] = p
            live += 1
            x = symbols[p - 1]
            y = symbols[p + la + lb]
            symbols[p + la] = INSIDE
            symbols[p] = made
            symbols[p + la + lb - 1] = made
            weight = weights[p // CLASS_SLOTS]
            if x != SEPARATOR:
                if left_side[x].n == 0:
                    prefetch(home_of(&self.pairs, pair_key(x, a)))
                    self.left_touched[n_left] = x
                    n_left += 1
                left_side[x].n += 1
                left_side[x].weight += weight
            if y != SEPARATOR:
                if right_side[y].n == 0:
                    prefetch(home_of(&self.pairs, pair_key(b, y)))
                    self.right_touched[n_right] = y
                    n_right += 1
                right_side[y].n += 1
                right_side[y].weight += weight

        # The pairs that are gone. Where two joined pairs touch, the pair between them is (b, a) before
        # both, and was noted to the right of the first; to the left of the second stood `made` already,
        # so that (made, a) came and went within the step.
        for i in range(n_left):
            x = self.left_touched[i]
            if x != made:
                self.less(pair_key(x, a), self.left_side[x].weight)
        for i in range(n_right):
            y = self.right_touched[i]
            self.less(pair_key(b, y), self.right_side[y].weight)
        if self.left_side[made].n:
            self.right_side[a].weight -= self.left_side[made].weight

        # The pairs that are new.
        n_born = 0
        for i in range(n_left):
            x = self.left_touched[i]
            if self.wanted(pair_key(x, made), self.left_side[x].weight):
                prefetch(home_of(&self.pairs, pair_key(x, made)))
                failed = self.bear(&self.left_side[x], n_born)
                if failed:
                    return failed
                n_born += 1
        for i in range(n_right):
            y = self.right_touched[i]
            if self.wanted(pair_key(made, y), self.right_side[y].weight):
                prefetch(home_of(&self.pairs, pair_key(made, y)))
                failed = self.bear(&self.right_side[y], n_born)
                if failed:
                    return failed
                n_born += 1
        if n_born:
            for i in range(live):
                if i + AHEAD < live:
                    prefetch(&symbols[postings[i + AHEAD]])
                p = postings[i]
                x = symbols[p - 1]
                y = symbols[p + la + lb]
                if x != SEPARATOR and self.left_side[x].entry:
                    self.post(self.left_side[x].entry - 1, p - self.tokens[x].length)
                if y != SEPARATOR and y != made and self.right_side[y].entry:
                    self.post(self.right_side[y].entry - 1, p)

        for i in range(n_left):
            x = self.left_touched[i]
            failed = self.settle(&self.left_side[x], pair_key(x, made))
            if failed:
                return failed
        for i in range(n_right):
            y = self.right_touched[i]
            failed = self.settle(&self.right_side[y], pair_key(made, y))
            if failed:
                return failed
        give_back(&self.postings, postings, n)
        return OK

    cdef inline void less(self, uint64_t key, uint64_t weight) noexcept nogil:
        cdef PairEntry* entry = slot_of(&self.pairs, key)
        if entry.key == key and entry.count:        # 0: the pair that is being joined
            entry.count -= weight

    cdef int bear(self, Neighbour* side, uint64_t n_born) noexcept nogil:
        """Give a new pair room for its postings."""
        cdef uint64_t room
        cdef Born* born
        cdef uint32_t* place
        if n_born == self.born_room:
            room = self.born_room * 2 if self.born_room else 1 << 10
            born = <Born*>realloc(self.born, room * sizeof(Born))
            if born == NULL:
                return NO_MEMORY
            self.born = born
            self.born_room = room
        place = room_for(&self.postings, side.n)
        if place == NULL:
            return NO_MEMORY
        self.born[n_born].postings = place
        self.born[n_born].n = 0
        side.entry = <uint32_t>(n_born + 1)
        return OK

    cdef inline void post(self, uint32_t at, uint32_t position) noexcept nogil:
        self.born[at].postings[self.born[at].n] = position
        self.born[at].n += 1

    cdef inline int settle(self, Neighbour* side, uint64_t key) noexcept nogil:
        """Queue a new pair if it has room for postings, and clear the neighbour for the next step."""
        cdef PairEntry* entry
        cdef uint64_t weight = side.weight
        cdef uint32_t at = side.entry
        side.weight = 0
        side.n = 0
        side.entry = 0
        if at == 0:
            return OK
        entry = insert(&self.pairs, slot_of(&self.pairs, key), key)
        if entry == NULL:
            return NO_MEMORY
        entry.count = weight
        entry.postings = self.born[at - 1].postings
        entry.n_postings = <uint32_t>self.born[at - 1].n
        entry.first = entry.postings[0]
        return self.wait(weight, key)

    cdef int token_for(self, uint64_t pair, uint32_t* made) noexcept nogil:
        """The id of the token that a pair makes: a reserved one, or the next."""
        cdef const Token* a = &self.tokens[left_of(pair)]
        cdef const Token* b = &self.tokens[right_of(pair)]
        cdef Shape left = self.shapes[left_of(pair)], right = self.shapes[right_of(pair)]
        cdef uint64_t i, begin = 0
        cdef uint32_t length = a.length + b.length
        cdef uint8_t* data = self.room_to_spell(length)
        if data == NULL:
            return NO_MEMORY
        memcpy(data, self.spelled + a.start, a.length)
        memcpy(data + a.length, self.spelled + b.start, b.length)
        made[0] = self.next_id
        for i in range(self.n_reserved):
            if self.reserved_ends[i] - begin == length and memcmp(self.reserved + begin, data, length) == 0:
                made[0] = self.reserved_ids[i]
                break
            begin = self.reserved_ends[i]
        if made[0] == self.next_id:
            self.next_id += 1
            self.new_tokens -= 1
        self.spell(made[0], length)
        self.shapes[made[0]].size = left.size + right.size
        self.shapes[made[0]].kind = joined_kind(left.kind, right.kind)
        return OK

    cdef uint8_t* room_to_spell(self, uint64_t length) noexcept nogil:
        """Where the bytes of the next token go; NULL when memory is short."""
        cdef uint64_t room = 2 * self.spelled_room if self.spelled_room else 1 << 12
        cdef uint8_t* spelled
        if self.spelled_size + length > self.spelled_room:
            room = max(room, self.spelled_size + length)
            spelled = <uint8_t*>realloc(self.spelled, room)
            if spelled == NULL:
                return NULL
            self.spelled = spelled
            self.spelled_room = room
        return self.spelled + self.spelled_size

    cdef void spell(self, uint32_t token, uint32_t length) noexcept nogil:
        """Take the bytes behind all others for a token."""
        cdef const uint8_t* data = self.spelled + self.spelled_size
        cdef uint64_t i, prefix = 0
        for i in range(8):
            prefix = prefix << 8 | (data[i] if i < length else 0)
        self.tokens[token].prefix = prefix
        self.tokens[token].start = self.spelled_size
        self.tokens[token].length = length
        self.spelled_size += length

    cdef bytes bytes_of(self, uint32_t token):
        return PyBytes_FromStringAndSize(<const char*>(self.spelled + self.tokens[token].start),
                                         <Py_ssize_t>self.tokens[token].length)

    cdef int describe(self, uint32_t token, bytes data, uint32_t kind) except -1:
        """Note what a token is that is there before the first merge."""
        cdef uint8_t* spelled = self.room_to_spell(<uint64_t>len(data))
        if spelled == NULL:
            raise MemoryError()
        memcpy(spelled, PyBytes_AS_STRING(data), <uint64_t>len(data))
        self.spell(token, <uint32_t>len(data))
        self.shapes[token].size = <uint32_t>(len(data) if self.words.points == NULL
                                             else len(data.decode("utf-8", "replace")))
        self.shapes[token].kind = kind
        return 0

    # -- for Python --------------------------------------------------------------------------------

    def begin_with(self, dict tokens not None, encode not None):
        """Take the pieces as a tokenizer encodes them, in place of single bytes. Before `learn`.

        Args:
            tokens: the bytes of every token to its id, below the `next_id` given before. No merge makes one
                of them again.
            encode: a piece to its ids, which are among these.
        """
        cdef uint64_t at = 0, end, i
        cdef uint32_t token, length, kind
        cdef uint32_t* symbols = self.words.symbols
        cdef bytes data, piece
        cdef list spelled
        if self.n_merges or self.rebuilds or self.failed:
            raise RuntimeError("a learner takes pieces as encoded before it learns, or not at all")
        for data, token in tokens.items():
            if token >= self.next_id:
                raise ValueError(f"the id {token} is not below the first new one, {self.next_id}")
            kind = KIND_ANY
            if self.words.points != NULL:
                for char in data.decode("utf-8", "replace"):
                    i = self.words.points[<uint32_t>ord(char)]
                    kind = joined_kind(kind, self.shapes[i - 1].kind) if i else kind
            self.describe(token, data, kind)
        while at < self.words.n_positions:
            if symbols[at] == SEPARATOR:
                at += 1
                continue
            end = at
            spelled = []
            while symbols[end] != SEPARATOR:
                spelled.append(self.bytes_of(symbols[end]))
                end += self.tokens[symbols[end]].length
            piece = b"".join(spelled)
            for token in encode(piece):
                length = self.tokens[token].length if token < self.next_id else 0
                if length == 0 or at + length > end:
                    raise ValueError(f"the ids of {piece!r} do not have its bytes")
                for i in range(at, at + length):
                    symbols[i] = INSIDE
                symbols[at] = symbols[at + length - 1] = token
                at += length
            if at != end:
                raise ValueError(f"the ids of {piece!r} do not have its bytes")
        free(self.words.byte_pairs)     # the words do not begin as bytes any more
        self.words.byte_pairs = NULL
        self.taken = (self.taken or set()) | tokens.keys()

    def learn(self, uint64_t limit):
        """Make up to `limit` more merges, without the GIL; returns whether more may follow."""
        if self.shared:
            raise ValueError("a shared learner leaves the choice to others: call own() first")
        if self.failed == OK:
            with nogil:
                self.failed = self.steps(limit)
        self.check()
        return self.new_tokens > 0 and self.n_merges < self.capacity and not self.exhausted

    def results(self):
        """(pairs, ids, counts): native uint32 pairs and ids and uint64 counts, as bytes."""
        return (PyBytes_FromStringAndSize(<const char*>self.merge_pairs, <Py_ssize_t>self.n_merges * 8),
                PyBytes_FromStringAndSize(<const char*>self.merge_ids, <Py_ssize_t>self.n_merges * 4),
                PyBytes_FromStringAndSize(<const char*>self.merge_counts, <Py_ssize_t>self.n_merges * 8))

    def tokens_made(self):
        """The bytes of the token that each merge made, in order."""
        cdef uint64_t i
        return [self.bytes_of(self.merge_ids[i]) for i in range(self.n_merges)]

    # -- merges chosen elsewhere -------------------------------------------------------------------

    cdef uint64_t occurrences(self, const PairEntry* entry) noexcept nogil:
        """How many tokens fewer there are when a pair is joined: its places that do not overlap."""
        cdef uint32_t a = left_of(entry.key), b = right_of(entry.key), p
        cdef uint32_t la = self.tokens[a].length, lb = self.tokens[b].length
        cdef const uint32_t* symbols = self.words.symbols
        cdef uint64_t i, end = 0, n = 0
        for i in range(entry.n_postings):
            p = entry.postings[i]
            if p >= end and symbols[p] == a and symbols[p + la] == b:
                n += self.words.weights[p // CLASS_SLOTS]
                end = <uint64_t>p + la + lb
        return n

    def best(self):
        """(left id, right id, count) of the pair to be joined next, or None when there is none.

        Raises:
            ValueError: the learner is not shared.
        """
        if not self.shared:
            raise ValueError("only a shared learner keeps every pair: make it with shared=True")
        self.check()
        with nogil:
            self.failed = self.find_top()
        self.check()
        if self.queued == 0 or self.queue[0].count < self.min_frequency:
            return None
        return left_of(self.queue[0].key), right_of(self.queue[0].key), self.queue[0].count

    def apply(self, uint32_t left, uint32_t right, uint32_t token):
        """Join a pair wherever it occurs, be it nowhere, as a token whose id was chosen elsewhere.

        Returns how many tokens fewer the counted pieces have. A reserved token keeps its id.
        """
        cdef uint64_t saved = 0
        cdef PairEntry* entry
        if not self.shared:
            raise ValueError("only a shared learner keeps every pair: make it with shared=True")
        if (token > self.next_id or (token == self.next_id and not self.new_tokens)
                or self.n_merges == self.capacity):
            raise ValueError(f"there is no room for a token {token}: the next id is {self.next_id}")
        self.check()
        with nogil:
            entry = slot_of(&self.pairs, pair_key(left, right))
            if entry.key != NO_KEY and entry.count:
                saved = self.occurrences(entry)
                self.failed = self.join(entry)
            elif token == self.next_id:
                self.next_id += 1
                self.new_tokens -= 1
        self.check()
        return saved

    def own(self):
        """End the sharing: rare pairs are let go, and `learn` may follow."""
        self.shared = False
        self.rebuilds = 0
        self.check()
        with nogil:
            self.failed = self.rebuild()
        self.check()
