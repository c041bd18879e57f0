/* Large tables of zeros, on huge pages where the system has them: fewer faults at the first touch, and
   fewer misses of the TLB ever after. */
#ifndef BPETOK_PAGES_H
#define BPETOK_PAGES_H

#include <stddef.h>
#include <string.h>
#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>

#define BPETOK_HUGE ((size_t)1 << 21)
#define BPETOK_PAGE ((size_t)1 << 16)   /* the largest page that a system uses by default */

/* `size` bytes of zeros, aligned to a cache line; NULL if there is no memory. */
static void* bpetok_pages_new(size_t size) {
    size = (size + BPETOK_PAGE - 1) & ~(BPETOK_PAGE - 1);
    if (size < BPETOK_HUGE / 2) {
        void* small = aligned_alloc(64, size);
        return small ? memset(small, 0, size) : NULL;
    }
    char* start = (char*)mmap(NULL, size + BPETOK_HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == (char*)MAP_FAILED)
        return NULL;
    size_t before = (BPETOK_HUGE - ((size_t)start & (BPETOK_HUGE - 1))) & (BPETOK_HUGE - 1);
    if (before)
        munmap(start, before);
    munmap(start + before + size, BPETOK_HUGE - before);
    madvise(start + before, size, MADV_HUGEPAGE);
    return start + before;
}

static void bpetok_pages_free(void* start, size_t size);

/* A table with more room: what was there, then zeros. Pages move without being copied. NULL if there is no
   memory, and then the table is still there. */
static inline void* bpetok_pages_grow(void* start, size_t size, size_t more) {
    char* grown = (char*)bpetok_pages_new(more);
    size_t whole = (size + BPETOK_PAGE - 1) & ~(BPETOK_PAGE - 1);
    if (!grown)
        return NULL;
    if (whole < BPETOK_HUGE / 2) {
        memcpy(grown, start, size);
        bpetok_pages_free(start, size);
    } else if (mremap(start, whole, whole, MREMAP_MAYMOVE | MREMAP_FIXED, grown) != (void*)grown) {
        bpetok_pages_free(grown, more);
        return NULL;
    }
    return grown;
}

static void bpetok_pages_free(void* start, size_t size) {
    size = (size + BPETOK_PAGE - 1) & ~(BPETOK_PAGE - 1);
    if (size < BPETOK_HUGE / 2)
        free(start);
    else if (start)
        munmap(start, size);
}
#else
#include <string.h>

static void* bpetok_pages_new(size_t size) {
    /* Aligned by hand: the address that malloc gave stands before the table. */
    char* given = (char*)malloc(size + 64 + sizeof(void*));
    char* start;
    if (!given)
        return NULL;
    start = (char*)(((size_t)given + sizeof(void*) + 63) & ~(size_t)63);
    memcpy(start - sizeof(void*), &given, sizeof(void*));
    return memset(start, 0, size);
}

static void bpetok_pages_free(void* start, size_t size) {
    (void)size;
    if (start) {
        void* given;
        memcpy(&given, (char*)start - sizeof(void*), sizeof(void*));
        free(given);
    }
}

static inline void* bpetok_pages_grow(void* start, size_t size, size_t more) {
    void* grown = bpetok_pages_new(more);
    if (grown) {
        memcpy(grown, start, size);
        bpetok_pages_free(start, size);
    }
    return grown;
}
#endif

#endif
