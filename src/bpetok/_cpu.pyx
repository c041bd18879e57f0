"""Which instructions this processor has; chosen once, when the package is first used.

The kernels in `_native` exist once for each *tier*. `BPETOK_FORCE_CPU=scalar|avx2|avx512|neon` takes a
lower one than the machine has, so that every tier can be tested on a machine that has them all.
"""

import os

cdef extern from *:
    """
    #if (defined(__x86_64__) || defined(_M_X64)) && (defined(__GNUC__) || defined(__clang__))
      #define BPETOK_HAS_AVX2() (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") \
          && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("sse4.2") \
          && __builtin_cpu_supports("popcnt"))  /* and LZCNT, which is as old as BMI */
      #define BPETOK_HAS_AVX512() (BPETOK_HAS_AVX2() && __builtin_cpu_supports("avx512f") \
          && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") \
          && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi") \
          && __builtin_cpu_supports("avx512vbmi2"))
    #else
      #define BPETOK_HAS_AVX2() 0
      #define BPETOK_HAS_AVX512() 0
    #endif
    #if defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
      #define BPETOK_HAS_NEON() 1
    #else
      #define BPETOK_HAS_NEON() 0
    #endif
    """
    bint BPETOK_HAS_AVX2() nogil
    bint BPETOK_HAS_AVX512() nogil
    bint BPETOK_HAS_NEON() nogil

TIERS = {"scalar": SCALAR, "avx2": AVX2, "avx512": AVX512, "neon": NEON}
"""The name of every tier, on whatever machine, to its number."""


def available():
    """Names of the tiers that this machine has, the slowest first."""
    found = ["scalar"]
    if BPETOK_HAS_AVX2():
        found.append("avx2")
    if BPETOK_HAS_AVX512():
        found.append("avx512")
    if BPETOK_HAS_NEON():
        found.append("neon")
    return found


def choose(str forced):
    """The name of the tier to use: the best there is, or the one that is asked for.

    Raises:
        RuntimeError: no tier has that name, or this machine does not have it.
    """
    found = available()
    if not forced:
        return max(found, key=list(TIERS).index)
    if forced not in TIERS:
        raise RuntimeError(f"BPETOK_FORCE_CPU={forced!r} is not a tier: use {', '.join(TIERS)}, or unset it")
    if forced not in found:
        raise RuntimeError(f"BPETOK_FORCE_CPU={forced!r}, but this machine only has {', '.join(found)}")
    return forced


TIER = choose(os.environ.get("BPETOK_FORCE_CPU", ""))
"""The name of the tier in use."""

cdef int _tier = TIERS[TIER]


cdef int tier() noexcept nogil:
    return _tier
