/* Keys of a batch of pieces, and their lookup in the word cache, for one tier (see `lanes.h`).

   An entry is half a cache line: a key of 16 bytes and five ids of 24 bits, with their number in the last
   byte. A word of up to 15 bytes is its own key, with its length in the last byte. The two entries of a
   bucket are chosen without a branch; the only one that can go wrong asks whether the word is there. */

/* Make the keys of pieces, up to the first that is too long to be remembered, and ask for the memory of their
   buckets. Returns how many. */
static BPETOK_TARGET size_t NAME(make_keys)(const BpetokWord* words, uint64_t mask, const uint8_t* text, size_t start,
                                            const size_t* ends, size_t count, const uint8_t* limit, uint64_t mark,
                                            BpetokKey* keys) {
    size_t at = start, i = 0, roomy = count;
    /* All but the last few have sixteen bytes behind them. */
    while (roomy && limit - (text + (roomy > 1 ? ends[roomy - 2] : start)) < 16)
        roomy--;
    for (; i < roomy && ends[i] - at <= BPETOK_LONGEST; at = ends[i++])
        bpetok_make_key(text + at, ends[i] - at, text + at + 16, mark, words, mask, &keys[i]);
    if (i == roomy)
        for (; i < count && ends[i] - at <= BPETOK_LONGEST; at = ends[i++])
            bpetok_make_key(text + at, ends[i] - at, limit, mark, words, mask, &keys[i]);
    return i;
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
INLINE size_t NAME(unpack)(const BpetokWord* word, uint32_t* ids) { return bpetok_unpack(word, ids); }
#endif

/* Write the ids of words, and list those that are not there, or whose ids lie elsewhere. Returns how many these
   are, and the number of ids in `n_ids`. */
static BPETOK_TARGET size_t NAME(recall)(const BpetokKey* keys, size_t count, uint32_t* ids, size_t* n_ids,
                                         BpetokGap* gaps) {
    size_t n_gaps = 0, n = 0;
    for (size_t i = 0; i < count; i++) {
        const BpetokWord* word = keys[i].word;
        word += (word->low != keys[i].low) | (word->high != keys[i].high);
        if (__builtin_expect(((word->low ^ keys[i].low) | (word->high ^ keys[i].high)) != 0, 0)) {
            gaps[n_gaps].piece = (uint32_t)i;
            gaps[n_gaps++].at = (uint32_t)n;
        } else
            n += NAME(unpack)(word, ids + n);
    }
    *n_ids = n;
    return n_gaps;
}
