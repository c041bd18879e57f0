/* Keys of a batch of pieces, and their lookup in the word cache, for one tier (see `lanes.h`).

   An entry is half a cache line: a key of 16 bytes and five ids of 24 bits, with their number in the last
   byte. A word of up to 15 bytes is its own key, with its length in the last byte. The two entries of a
   bucket are chosen without a branch; the only one that can go wrong asks whether the word is there. */

/* Make the keys of pieces, and ask for the memory of their buckets. The indices of those that are longer than a
   word go into `longer`; returns how many. */
static BPETOK_TARGET size_t NAME(make_keys)(const BpetokWord* words, uint64_t mask, const uint8_t* text, size_t start,
                                            const size_t* ends, size_t count, const uint8_t* limit, uint64_t mark,
                                            BpetokKey* keys, uint16_t* longer) {
    size_t n_longer = 0, at = start;
    for (size_t i = 0; i < count; i++) {
        const uint8_t* p = text + at;
        size_t n = ends[i] - at;
        uint64_t low = 1, high = 0, hash = 0;   /* too long to be remembered: unlike any entry */
        if (__builtin_expect(n <= BPETOK_WORD, 1)) {
            bpetok_word_key(p, n, limit, &low, &high);
            high |= mark;
            hash = bpetok_hash_key(low, high);
        } else if (n <= BPETOK_LONGEST) {
            hash = bpetok_hash_bytes(p, n);
            low = hash;
            high = BPETOK_LONG | n | mark;
            longer[n_longer++] = (uint16_t)i;
        }
        keys[i].low = low;
        keys[i].high = high;
        keys[i].hash = hash;
        keys[i].word = words + 2 * (hash & mask);
        BPETOK_PREFETCH(keys[i].word);
        at = ends[i];
    }
    return n_longer;
}

/* Write up to eight ids, of which the first five matter at most, and return how many do. */
#if BPETOK_KIND == 1 || BPETOK_KIND == 2
INLINE size_t NAME(unpack)(const BpetokWord* word, uint32_t* ids) {
    __m256i packed = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i*)&word->first));
    __m256i spread = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, 12, 13, 14, -1, -1, -1, -1,
                                      -1, -1, -1, -1, -1, -1, -1, -1, -1);
    _mm256_storeu_si256((__m256i*)ids, _mm256_shuffle_epi8(packed, spread));
    return ((const uint8_t*)word)[31];
}
#else
INLINE size_t NAME(unpack)(const BpetokWord* word, uint32_t* ids) {
    uint64_t first = word->first, second = word->second;
    ids[0] = first & 0xFFFFFF;
    ids[1] = (first >> 24) & 0xFFFFFF;
    ids[2] = (uint32_t)(first >> 48 | (second & 0xFF) << 16);
    ids[3] = (second >> 8) & 0xFFFFFF;
    ids[4] = (second >> 32) & 0xFFFFFF;
    return (size_t)(second >> 56);
}
#endif

/* Recall words `from` to `count` - 1 until one is not there, or its ids lie elsewhere; returns which. */
static BPETOK_TARGET size_t NAME(recall)(const BpetokKey* keys, size_t from, size_t count, uint32_t** out) {
    uint32_t* ids = *out;
    size_t i;
    for (i = from; i < count; i++) {
        const BpetokWord* word = keys[i].word;
        word += (word->low != keys[i].low) | (word->high != keys[i].high);
        if ((word->low ^ keys[i].low) | (word->high ^ keys[i].high))
            break;
        ids += NAME(unpack)(word, ids);
    }
    *out = ids;
    return i;
}
