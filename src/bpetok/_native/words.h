/* The lookup of a batch of words in the cache, for one tier (see `lanes.h`).

   An entry is half a cache line: a key of 16 bytes and five ids of 24 bits, with their number in the last
   byte. A word of up to 15 bytes is its own key, with its length in the last byte. The two entries of a
   bucket are chosen without a branch; the only one that can go wrong asks whether the word is there. */

/* Write five ids, of which the first `count` matter, and return `count`. */
#if BPETOK_KIND == 1 || BPETOK_KIND == 2
INLINE size_t NAME(unpack)(const BpetokWord* word, uint32_t* ids) {
    __m128i packed = _mm_load_si128((const __m128i*)&word->first);
    __m128i spread = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
    _mm_storeu_si128((__m128i*)ids, _mm_shuffle_epi8(packed, spread));
    ids[4] = (uint32_t)(word->second >> 32) & 0xFFFFFF;
    return (size_t)(word->second >> 56);
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
static BPETOK_TARGET size_t NAME(recall)(const BpetokWord* words, uint64_t mask, const BpetokKey* keys, size_t from,
                                         size_t count, uint32_t** out) {
    uint32_t* ids = *out;
    size_t i;
    for (i = from; i < count; i++) {
        const BpetokWord* word = words + 2 * (keys[i].hash & mask);
        word += (word->low != keys[i].low) | (word->high != keys[i].high);
        if ((word->low ^ keys[i].low) | (word->high ^ keys[i].high))
            break;
        if (word->second >> 56 > BPETOK_WORD_IDS)
            break;
        ids += NAME(unpack)(word, ids);
    }
    *out = ids;
    return i;
}
